"""``ptpstack clocks`` and ``ptpstack clock`` on hardware clocks whose truth is known."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from ptpstack.cli.main import main
from tests.hil import rig as hil

pytestmark = hil.marks

S = 10**9


@pytest.fixture
def said(rig: Callable[..., None], capsys: pytest.CaptureFixture[str]) -> Callable[..., Any]:
    """``said("clock", "get", "ptp0")``: what the command prints as JSON, after it succeeded."""

    def run(*arguments: str) -> Any:
        assert main([*arguments, "--json"]) == 0, capsys.readouterr().err
        lines = capsys.readouterr().out
        try:
            return json.loads(lines)
        except json.JSONDecodeError:
            return [json.loads(line) for line in lines.splitlines()]

    return run


def test_clocks_shows_what_there_is(said: Callable[..., Any], capsys: pytest.CaptureFixture[str]) -> None:
    rows = {row["name"]: row for row in said("clocks")}
    assert list(rows) == ["system", "/dev/ptp0", "/dev/ptp1"]
    phc = rows["/dev/ptp0"]
    assert (phc["driver"], phc["interfaces"], phc["method"], phc["steerable"]) == ("hilptp0", ["hil0"], "precise", True)
    assert phc["offset_ns"] == pytest.approx(-37 * S, abs=1000)
    assert "counts UTC" in phc["notes"][0]
    assert main(["clocks"]) == 0
    assert "2 in, 2 out, 4 pins, pps, phase" in capsys.readouterr().out


def test_a_removed_clock_is_not_in_the_list(said: Callable[..., Any]) -> None:
    hil.knob("phc1/present", 0)
    assert [row["name"] for row in said("clocks")] == ["system", "/dev/ptp0"]


def test_a_clock_that_does_not_answer_is_named(rig: Callable[..., None], capsys: pytest.CaptureFixture[str]) -> None:
    with hil.knobs(phc0__fail=17):
        assert main(["clocks", "--json"]) == 1
    row = json.loads(capsys.readouterr().out)[1]
    assert row["time_ns"] is None
    assert "EIO" in " ".join(row["notes"])


def test_set_and_get(said: Callable[..., Any]) -> None:
    said("clock", "set", "hil0", "system")
    facts = said("clock", "get", "ptp0")
    assert abs(facts["offset_ns"]) <= facts["bound_ns"] + 2
    truth = hil.snapshot()
    assert abs(truth.reading[0] - truth.realtime - 37 * S) <= 3
    said("clock", "set", "ptp0", "1800000000.25")
    assert said("clock", "get", "ptp0")["time_ns"] == pytest.approx(1_800_000_000.25 * S, abs=S)


def test_adj(said: Callable[..., Any]) -> None:
    before = hil.snapshot().error(0)
    said("clock", "adj", "ptp0", "--step", "-1.5ms")
    said("clock", "adj", "ptp0", "--phase", "20ns")
    assert abs(hil.snapshot().error(0) - before + 1_499_980) <= 2
    assert said("clock", "adj", "ptp0", "--frequency", "-25ppm")["frequency_ppb"] == pytest.approx(-25_000)
    assert said("clock", "get", "ptp0")["frequency_ppb"] == pytest.approx(-25_000)


def test_cmp_two_hardware_clocks(said: Callable[..., Any]) -> None:
    hil.knob("phc1/osc_ppt", 10_000_000)
    rows = said("clock", "cmp", "ptp1", "ptp0", "--count", "3", "--interval", "2")
    truth = hil.snapshot()
    assert rows[-1]["offset_ns"] == pytest.approx(truth.error(1) - truth.error(0), abs=1000)
    assert rows[-1]["rate_ppb"] == pytest.approx(10_000, abs=10)
    assert "rate_ppb" not in rows[0]


def test_extts_and_perout(said: Callable[..., Any], capsys: pytest.CaptureFixture[str]) -> None:
    rows = said("clock", "extts", "ptp0", "0", "--pin", "2", "--count", "2")
    assert [row["channel"] for row in rows] == [0, 0]
    assert all(abs(row["from_second_ns"] - hil.snapshot().error(0)) <= 3 for row in rows)
    facts = said("clock", "perout", "ptp0", "1", "--period", "250ms", "--pin", "3")
    assert (facts["channel"], facts["pin"], facts["period_ns"]) == (1, 3, S // 4)
    hil.until(lambda: len(hil.edges("phc0/perout1")) >= 3)
    assert hil.edges("phc0/perout1")[0][0] == facts["start_ns"]
    assert said("clock", "perout", "ptp0", "1", "--off")["period_ns"] == 0
    assert [pin["function"] for pin in said("clock", "pins", "ptp0")] == ["none", "none", "extts", "perout"]
    assert said("clock", "pins", "ptp0", "--set", "2=none")[2]["function"] == "none"
    assert main(["clock", "extts", "ptp0", "1", "--timeout", "1.5"]) == 1
    assert "is the signal there" in capsys.readouterr().err


def test_pps_and_virtual_clocks(said: Callable[..., Any], capsys: pytest.CaptureFixture[str]) -> None:
    assert said("clock", "pps", "ptp0", "on")["pps"]
    hil.until(lambda: len(hil.edges("phc0/pps")) >= 1)
    said("clock", "pps", "ptp0", "off")
    assert said("clock", "vclocks", "ptp0", "1")["virtual_clocks"] == ["/dev/ptp2"]
    assert main(["clock", "adj", "ptp0", "--step", "1s"]) == 1
    assert "virtual clocks" in capsys.readouterr().err
    assert said("clock", "vclocks", "ptp0", "0")["virtual_clocks"] == []


def test_the_guests_system_clock_may_be_steered_with_the_word(said: Callable[..., Any]) -> None:
    try:
        facts = said("clock", "adj", "system", "--frequency", "100ppm", "--yes-the-system-clock")
        assert facts["frequency_ppb"] == pytest.approx(100_000)
    finally:
        said("clock", "adj", "system", "--frequency", "0ppm", "--yes-the-system-clock")
