"""``ptpstack clocks`` and ``clock`` where there is no PTP hardware clock. With one: tests/hil/test_cli.py."""

from __future__ import annotations

import json

import pytest

from ptpstack.cli.clock_common import frequency, interval
from ptpstack.cli.main import main


def test_the_system_clock_is_always_there(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["clocks", "--json"]) == 0
    first = json.loads(capsys.readouterr().out)[0]
    assert (first["name"], first["kind"], first["offset_ns"], first["method"]) == ("system", "system", 0.0, "exact")
    assert main(["clocks"]) == 0
    header, row = capsys.readouterr().out.splitlines()[:2]
    assert header.split()[0] == "CLOCK"
    assert row.startswith("system")
    assert row.index("TAI") > header.index("TIME")


def test_get_the_system_clock(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["clock", "get", "system", "--json"]) == 0
    facts = json.loads(capsys.readouterr().out)
    assert facts["tai"].endswith("TAI")
    assert facts["utc"].endswith("Z")
    assert facts["offset_ns"] == 0.0


@pytest.mark.parametrize(
    "arguments",
    [
        ["adj", "system", "--step", "-1ms"],
        ["adj", "system", "--frequency", "1ppm"],
        ["set", "system", "2026-11-20T12:00:00Z"],
    ],
)
def test_the_system_clock_is_not_steered_by_accident(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["clock", *arguments]) == 1
    assert "--yes-the-system-clock" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["get", "ptp99"], "/dev/ptp99"),
        (["get", "/dev/null"], "no PTP clock device"),
        (["get", "lo"], "lo has no PTP hardware clock"),
        (["get", "nosuch0"], "no such interface"),
        (["extts", "system", "0"], "no inputs"),
        (["vclocks", "ptp99"], "no PTP hardware clock"),
        (["vclocks", "ptp99", "2"], "offers none"),
        (["set", "system", "system"], "its own time already"),
    ],
)
def test_refusals(arguments: list[str], words: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["clock", *arguments]) == 1
    error = capsys.readouterr().err
    assert error.startswith(f"ptpstack clock {arguments[0]}: ")
    assert words in error


def test_amounts_are_exact() -> None:
    assert [interval(text) for text in ("20ns", "-1.5ms", "+3s", "0.1us", "100 us")] == [
        20,
        -1_500_000,
        3_000_000_000,
        100,
        100_000,
    ]
    assert (frequency("25ppm"), frequency("-300ppb")) == (25_000.0, -300.0)


@pytest.mark.parametrize(
    "arguments",
    [
        ["adj", "ptp0", "--step", "5"],
        ["adj", "ptp0", "--step", "0.5ns"],
        ["adj", "ptp0", "--frequency", "5"],
        ["adj", "ptp0"],
        ["perout", "ptp0", "0"],
        ["wind", "ptp0"],
    ],
)
def test_bad_command_lines(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        main(["clock", *arguments])
    assert caught.value.code == 2
    assert "usage: ptpstack clock" in capsys.readouterr().err


@pytest.mark.parametrize("action", ["get", "set", "adj", "cmp", "extts", "perout", "pins", "pps", "vclocks"])
def test_every_action_has_help(action: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        main(["clock", action, "--help"])
    assert caught.value.code == 0
    assert "--json" in capsys.readouterr().out
