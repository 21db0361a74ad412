"""Figures from samples, over seeds, and against limits."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest

from ptpstack.sim.figures import FIGURES, Outcome, Series, figures_of, meets, together
from ptpstack.sim.report import as_dict, judge, make_report, missed, rows, show, summary_rows
from ptpstack.sim.scenario import Expectation, Published
from ptpstack.sim.scenario_file import load_scenario

A1 = load_scenario("a1")


def series(errors: list[float], estimates: list[float | None], bounds: list[float | None]) -> Series:
    count = len(errors)
    return Series(
        [float(n) for n in range(count)], errors, estimates, bounds, [100.0] * count, list(errors), [0.0] * count
    )


def outcome(seed: int, **figures: float | None) -> Outcome:
    return Outcome("a1", "pi", seed, {**dict.fromkeys(FIGURES), **figures}, 1)


def test_figures_of_samples() -> None:
    # samples at 0..4 s, statistics after 0: errors 3, -4, 0, 5
    figures = figures_of(
        series([99.0, 3.0, -4.0, 0.0, 5.0], [0.0, 0.0, 0.0, None, 0.0], [1.0, 4.0, 3.0, None, 3.0]), 0.0
    )
    assert figures["rms_ns"] == pytest.approx(math.sqrt(50 / 4))
    assert figures["mean_ns"] == 1.0
    assert figures["max_ns"] == 5.0
    # 3 inside 4; -4 outside 3; nothing claimed; 5 outside 3
    assert figures["coverage_percent"] == 25.0
    # the systematic part of 100 ns covers all but the one without a claim
    assert figures["coverage_sum_percent"] == 75.0
    assert figures["bound_ratio"] == pytest.approx((10 / 3) / math.sqrt(50 / 4))
    assert figures["lock_s"] is None


def test_the_estimate_is_judged_against_the_followed_clock() -> None:
    both = series([5000.0, 5010.0], [8.0, 8.0], [20.0, 20.0])
    both.relative_ns = [0.0, 10.0]
    assert figures_of(both, -1.0)["coverage_percent"] == 100.0
    assert figures_of(replace(both, relative_ns=[5000.0, 5010.0]), -1.0)["coverage_percent"] == 0.0


def test_seeds_are_put_together_each_figure_in_its_way() -> None:
    first = outcome(1, rms_ns=3.0, max_ns=-9.0, coverage_percent=99.0, holdover_ns=3.0, predictor_ns=1.0)
    second = outcome(2, rms_ns=5.0, max_ns=8.0, coverage_percent=100.0, holdover_ns=-4.0, predictor_ns=-2.0)
    both = [first, second]
    assert together("rms_ns", both) == 4.0
    assert together("max_ns", both) == -9.0
    assert together("coverage_percent", both) == 99.5
    assert together("coverage_percent", both, "worst") == 99.0
    assert together("rms_ns", both, "best") == 3.0
    assert together("holdover_ns", both) == pytest.approx(math.sqrt(12.5))
    assert together("holdover_ratio", both) == pytest.approx(math.sqrt(12.5 / 2.5))
    # an error that reached its limit in one seed only: that one counts
    assert together("reached_ratio", [outcome(1, reached_ratio=0.5), outcome(2)]) == 0.5
    # one seed that never locked: nothing can be said of the worst
    assert together("lock_s", [outcome(1, lock_s=3.0), outcome(2)]) is None


@pytest.mark.parametrize(
    ("figure", "value", "limit", "near", "kept"),
    [
        ("rms_ns", 5.0, 5.0, None, True),
        ("rms_ns", 5.1, 5.0, None, False),
        ("mean_ns", -5.1, 5.0, None, False),
        ("end_ns", -5040.0, 50.0, -5000.0, True),
        ("end_ns", -5060.0, 50.0, -5000.0, False),
        ("coverage_percent", 99.9, 99.9, None, True),
        ("coverage_percent", 99.8, 99.9, None, False),
        ("lock_s", None, 8.0, None, False),
        ("rms_ns", 1e9, None, None, None),
    ],
)
def test_limits(figure: str, value: float | None, limit: float | None, near: float | None, kept: bool | None) -> None:
    assert meets(figure, value, limit, near) is kept


def test_a_report_says_what_was_missed_and_what_agrees() -> None:
    scenario = replace(
        A1,
        expect=(Expectation("rms_ns", must=4.0, goal=3.0), Expectation("lock_s", must=8.0)),
        published=(Published("other PI", {"rms_ns": 10.0}, "somewhere", "pi"),),
    )
    outcomes = [outcome(1, rms_ns=5.0, lock_s=3.0), outcome(2, rms_ns=6.0, lock_s=4.0)]
    [report] = make_report([scenario], {("a1", None): outcomes})
    assert [v.must for v in judge(scenario, outcomes)] == [False, True]
    assert missed([report]) == ["a1, pi: rms is 5.50 ns, must be <= 4.00 ns"]
    table = rows(report)
    assert table[0] == ["", "pi", "other PI", "must", "goal"]
    assert table[1] == ["rms", "5.50 ns (x0.55)", "10.0 ns", "<= 4.00 ns MISSED", "<= 3.00 ns no"]
    assert ["lock, worst", "4.0 s", "-", "<= 8.0 s ok", ""] in table
    data = as_dict(report)
    assert data["servos"][0]["must"] is False
    assert data["servos"][0]["agreement"] == {"rms_ns": 0.55}
    assert [s["seed"] for s in data["servos"][0]["seeds"]] == [1, 2]
    assert summary_rows([report])[1][:5] == ["a1", "pi", "rms", "5.50 ns (x0.55)", "10.0 ns"]


@pytest.mark.parametrize(
    ("figure", "value", "text"),
    [
        ("rms_ns", 0.8249, "0.82 ns"),
        ("rms_ns", 3.0, "3.00 ns"),
        ("rms_ns", 999.7, "1.00 us"),
        ("mean_ns", -13_900.0, "-13.9 us"),
        ("max_ns", 130_000.0, "130 us"),
        ("mean_ns", 0.0123, "0.012 ns"),
        ("frequency_peak_ppb", 2500.0, "2.50 ppm"),
        ("coverage_percent", 99.99, "99.990 %"),
        ("lock_s", 3.25, "3.2 s"),
        ("rms_ns", None, "-"),
    ],
)
def test_figures_are_shown_in_units_that_suit_them(figure: str, value: float | None, text: str) -> None:
    assert show(figure, value) == text


def test_seconds_in_which_no_offset_is_told_count_as_missed_but_for_the_share_of_what_is_told() -> None:
    some = series([1.0, 1.0, 1.0, 1.0], [0.0, 0.0, None, 0.0], [2.0, 2.0, None, None])
    figures = figures_of(some, -1.0)
    assert figures["coverage_percent"] == 50.0
    assert figures["coverage_told_percent"] == pytest.approx(200.0 / 3.0)
