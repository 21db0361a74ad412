"""docs/conformance.md is in step with the tests, and no row of the catalogue is forgotten."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture(scope="module")
def tool() -> ModuleType:
    spec = importlib.util.spec_from_file_location("conformance_report", ROOT / "tools" / "conformance_report.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


def test_the_report_is_in_step_and_every_row_is_tested_or_explained() -> None:
    command = [sys.executable, str(ROOT / "tools" / "conformance_report.py"), "--check"]
    result = subprocess.run(command, capture_output=True, text=True, cwd=ROOT)
    assert result.returncode == 0, result.stderr


def test_a_row_without_test_and_reason_is_found(tool: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    assert tool.problems() == []
    tested = tool.tested_rows()
    del tested["BMC-08"]
    tested["BMC-99"] = {"somewhere.py"}
    monkeypatch.setattr(tool, "tested_rows", lambda: tested)
    monkeypatch.setattr(tool, "gaps", lambda original=tool.gaps: {**original(), "XXX-01": "no such row"})
    found = "\n".join(tool.problems())
    assert "BMC-08: neither tested nor listed" in found
    assert "BMC-99: a test is named after it" in found
    assert "XXX-01: in conformance_gaps.toml but not in the catalogue" in found


@pytest.mark.parametrize(
    ("name", "rows"),
    [
        ("test_BMC_13_x", ["BMC-13"]),
        ("test_E2E_07_and_09_x", ["E2E-07", "E2E-09"]),
        ("test_HDR_20", ["HDR-20"]),
        ("test_BMC_130_x", []),
        ("test_something", []),
    ],
)
def test_names(tool: ModuleType, name: str, rows: list[str]) -> None:
    assert tool.rows_of(name) == rows
