"""Every make target can be made, and units start the ptpstack that wrote them."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from ptpstack.cli import units
from ptpstack.cli.main import main

ROOT = Path(__file__).resolve().parents[2]


def make(*arguments: str) -> subprocess.CompletedProcess[str]:
    """With this interpreter's environment, which counts as installed: nothing is installed by a test."""
    stamps = [argument for name in (".installed", ".installed-dev") for argument in ("-o", f"{sys.prefix}/{name}")]
    command = ["make", "--no-print-directory", f"VENV={sys.prefix}", *stamps, *arguments]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=120)


@pytest.mark.skipif(shutil.which("make") is None, reason="make is not installed")
@pytest.mark.parametrize("target", ["help", "demo", "test", "lint", "bench", "fuzz", "conformance", "docs", "clean"])
def test_every_target_is_defined_once(target: str) -> None:
    done = make("--dry-run", target)
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""


@pytest.mark.skipif(shutil.which("make") is None, reason="make is not installed")
def test_fuzz_runs() -> None:
    done = make("fuzz", "FUZZ_COUNT=500")
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "units"
    made.mkdir()
    return made


def started(folder: Path) -> set[str]:
    lines = (folder / "ptpstack.service").read_text().splitlines()
    return {line.split("=", 1)[1].lstrip("-") for line in lines if line.startswith(("ExecStart=", "ExecStartPre="))}


def test_an_installed_unit_starts_what_wrote_it(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    place = tmp_path / "a place" / "bin"
    place.mkdir(parents=True)
    for name in ("ptpstack", "python3"):
        (place / name).write_text("#!/bin/sh\n")
        (place / name).chmod(0o755)
    monkeypatch.setattr(sys, "argv", [str(place / "ptpstack"), "units"])
    assert main(["units", "--install", str(folder)]) == 0
    quoted = f'"{place}/ptpstack"'
    assert started(folder) == {
        f"{quoted} run /etc/ptpstack/site.toml",
        f"{quoted} check /etc/ptpstack/site.toml",
    }
    # installed again, nothing differs; another installation's would, and is not written over
    assert main(["units", "--install", str(folder)]) == 0
    monkeypatch.setattr(sys, "argv", ["-c"])
    monkeypatch.setattr(sys, "executable", str(place / "python3"))
    assert main(["units", "--install", str(folder)]) == 0, "found beside the interpreter"
    (place / "ptpstack").unlink()
    assert main(["units", "--install", str(folder)]) == 1
    assert main(["units", "--install", str(folder), "--force"]) == 0
    assert f'"{place}/python3" -m ptpstack run /etc/ptpstack/site.toml' in started(folder)
    capsys.readouterr()
    assert main(["units", "--print", "ptpstack.service"]) == 0
    assert f'"{place}/python3" -m ptpstack run' in capsys.readouterr().out


def test_a_place_the_service_cannot_see_is_warned_about(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "executable", "/home/somebody/ptpstack/.venv/bin/python3")
    assert main(["units", "--install", str(folder)]) == 0
    assert "ProtectHome" in capsys.readouterr().err
    monkeypatch.setattr(sys, "executable", "/opt/ptpstack/bin/python3")
    monkeypatch.setattr(units.ptpstack, "__file__", "/opt/ptpstack/lib/ptpstack/__init__.py")
    assert main(["units", "--install", str(folder), "--force"]) == 0
    assert capsys.readouterr().err == ""


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd-analyze is not installed")
def test_systemd_takes_the_units(folder: Path) -> None:
    assert main(["units", "--install", str(folder)]) == 0
    done = subprocess.run(
        ["systemd-analyze", "verify", str(folder / "ptpstack.service")],
        capture_output=True,
        text=True,
        env=os.environ | {"SYSTEMD_LOG_LEVEL": "warning"},
    )
    assert "ptpstack" not in done.stderr, done.stderr
