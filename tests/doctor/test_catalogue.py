"""The catalogue: complete, documented, and every kind of finding is shown by some test."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from ptpstack.cli.doctor import render
from ptpstack.doctor.examine import Examination, catalogue
from ptpstack.doctor.findings import ERROR, NOTE, OK, SEVERITIES, WARNING, Finding, Unseen, exit_code, kind

ROOT = Path(__file__).resolve().parents[2]
HERE = Path(__file__).resolve().parent


def test_every_kind_says_what_it_means_and_what_to_do() -> None:
    for row in catalogue():
        assert row.severity in SEVERITIES
        assert row.title
        assert row.title[-1] not in ".;"
        if row.severity in (ERROR, WARNING):
            assert row.advice.endswith("."), row.id


def test_every_kind_is_shown_by_a_test() -> None:
    tests = [*HERE.glob("test_*.py"), ROOT / "tests" / "hil" / "test_doctor.py"]
    text = "".join(path.read_text() for path in tests if path.name != Path(__file__).name)
    missing = [row.id for row in catalogue() if f'"{row.id}"' not in text]
    assert missing == []


def test_two_kinds_of_one_name_are_a_mistake() -> None:
    with pytest.raises(ValueError, match="two kinds"):
        kind("link-off", ERROR, "again")


@pytest.mark.parametrize(
    ("severities", "status"), [([], 0), ([OK, NOTE], 0), ([NOTE, WARNING], 1), ([WARNING, ERROR], 3)]
)
def test_the_exit_status_is_that_of_the_worst(severities: list[str], status: int) -> None:
    assert exit_code([Finding("x", severity, "", "", "", "") for severity in severities]) == status


def test_the_text_names_what_was_not_looked_at_and_the_sum() -> None:
    examination = Examination(
        ("eth0",),
        findings=[Finding("half-duplex", WARNING, "eth0", "The link is half duplex", "10 Mbit/s", "negotiate.")],
        unseen=[Unseen("packet filter", "needs CAP_NET_ADMIN", "run as root")],
    )
    text = "\n".join(render(examination))
    for words in (
        "warning  The link is half duplex  [half-duplex]",
        "eth0: 10 Mbit/s",
        "-> negotiate.",
        "run as root",
        "1 warning",
    ):
        assert words in text


def _run(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "ptpstack", "doctor", *arguments]
    return subprocess.run(command, capture_output=True, text=True, cwd=ROOT)


def test_usage() -> None:
    shown = _run("--help")
    assert shown.returncode == 0
    assert "examples:" in shown.stdout
    assert "exit status" in shown.stdout
    for wrong in (["--listen", "-1"], ["--listen", "soon"], ["--config", "/nowhere/site.toml"]):
        refused = _run(*wrong)
        assert refused.returncode == 2
        assert refused.stderr
