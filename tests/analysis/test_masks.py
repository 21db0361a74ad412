"""The masks as data, and verdicts."""

from __future__ import annotations

import math

import numpy as np
import pytest

from ptpstack.analysis.errors import AnalysisError
from ptpstack.analysis.figures import dynamic
from ptpstack.analysis.masks import METRICS, Judged, Mask, Verdict, judge, mask, masks
from ptpstack.analysis.series import Floats
from tests.analysis.data import gridded, white_pm


def verdict(name: str, x: Floats, interval_s: float = 1.0) -> Verdict:
    series = gridded(x, interval_s)
    return judge(mask(name), series, float(np.abs(x).max()), dynamic(series))


def of(found: Verdict, metric: str) -> Judged:
    return next(j for j in found.judged if j.metric == metric)


@pytest.mark.parametrize("one", masks().values(), ids=lambda m: m.id)
def test_every_mask_is_whole(one: Mask) -> None:
    assert one.source.startswith("ITU-T G.")
    assert one.seen_in
    assert one.conditions
    assert "not checked against the text" in one.provenance
    assert len({limit.metric for limit in one.limits}) == len(one.limits)
    for limit in one.limits:
        assert limit.metric in METRICS
        assert (limit.limit_ns is None) == bool(limit.segments)
        # a number where there is no tau, a curve where there is one
        assert bool(METRICS[limit.metric][1]) == bool(limit.segments)
        for before, after in zip(limit.segments, limit.segments[1:], strict=False):
            assert before.to_s == after.from_s
            # the curves of these masks have no steps; their rounded coefficients leave some per cent
            assert before.at(before.to_s) == pytest.approx(after.at(after.from_s), rel=0.02)
        for segment in limit.segments:
            assert segment.from_s < segment.to_s
            assert segment.at(max(segment.from_s, 0.1)) > 0.0


def test_some_known_values() -> None:
    a, b, eec = mask("g8272-prtc-a"), mask("g8272-prtc-b"), mask("g8262-eec-1")
    limits = {m.id: {limit.metric: limit for limit in m.limits} for m in (a, b, eec)}
    assert limits["g8272-prtc-a"]["mtie"].at(100.0) == pytest.approx(52.5)
    assert limits["g8272-prtc-a"]["mtie"].at(1e6) == 100.0
    assert limits["g8272-prtc-a"]["tdev"].at(500.0) == pytest.approx(15.0)
    assert limits["g8272-prtc-a"]["tdev"].at(20_000.0) is None
    assert limits["g8272-prtc-b"]["max-te"].limit_ns == 40.0
    assert limits["g8262-eec-1"]["mtie"].at(100.0) == pytest.approx(40.0 * 100**0.1, rel=1e-6)


def test_doubt_is_part_of_the_verdict() -> None:
    found = verdict("g811.1-eprc-a", white_pm(2000, 1) * 0.01)
    assert "DOUBTFUL" in found.as_dict()["provenance"]
    assert "DOUBTFUL" not in mask("g8272-prtc-a").provenance


def test_a_good_clock_passes_and_says_how_much_was_left() -> None:
    found = verdict("g8272-prtc-a", white_pm(20_000, 1))
    assert found.passed is True
    worst = found.worst
    assert worst is not None
    # white noise of 1 ns: TDEV(1 s) = 1 ns of 3 ns
    tdev = of(found, "tdev")
    assert tdev.value_ns == pytest.approx(1.0, rel=0.05)
    assert tdev.limit_ns == 3.0
    assert tdev.tau_s == 1.0
    assert tdev.margin == pytest.approx(0.667, abs=0.02)


def test_a_limit_that_is_broken_is_named_with_its_interval() -> None:
    t = np.arange(20_000.0)
    # 50 ns to and fro in 400 s: MTIE(200 s) = 100 of 80 ns
    found = verdict("g8272-prtc-a", 50.0 * np.sin(2 * math.pi * t / 400))
    assert found.passed is False
    mtie = of(found, "mtie")
    assert mtie.passed is False
    assert mtie.value_ns is not None
    assert mtie.limit_ns is not None
    assert mtie.tau_s is not None
    assert 80.0 < mtie.tau_s < 250.0
    assert mtie.value_ns > mtie.limit_ns
    assert of(found, "max-te").passed is True


def test_exactly_at_the_limit_passes() -> None:
    found = verdict("g8272-prtc-b", np.where(np.arange(3000) == 1500, 40.0, 40.0))
    assert of(found, "max-te").passed is True
    assert of(found, "max-te").margin == 0.0


def test_what_the_record_cannot_show_is_not_passed_but_named() -> None:
    found = verdict("g8272-prtc-a", white_pm(1201, 2))
    tdev = of(found, "tdev")
    assert tdev.to_s == 100.0
    assert tdev.note == "not judged below 1 s and above 100 s (the mask: 0.1 to 10000 s)"
    assert of(found, "mtie").note == "not judged below 1 s (the mask: 0.1 s and longer)"
    assert not found.complete


def test_a_record_outside_of_the_mask_is_not_judged() -> None:
    found = verdict("g8273.2-class-a", white_pm(50, 3), 2000.0)
    dynamic_mtie = of(found, "dtel-mtie")
    assert dynamic_mtie.passed is None
    assert dynamic_mtie.note
    assert of(found, "dteh-pp").passed is None
    assert found.passed is True  # max|TE| and cTE are known
    only = verdict("g8273.2-class-d", white_pm(50, 3), 2000.0)
    assert only.passed is None
    assert only.worst is None


def test_the_classes_of_boundary_clocks_differ_as_they_should() -> None:
    # 15 ns constant, 2 ns of noise at 8/s
    x = 15.0 + 2.0 * white_pm(16_000, 4)
    results = {c: verdict(f"g8273.2-class-{c}", x, 0.125).passed for c in "abcd"}
    assert results == {"a": True, "b": True, "c": False, "d": False}
    assert [j.metric for j in verdict("g8273.2-class-c", x, 0.125).judged if not j.passed] == ["cte"]


def test_dynamic_limits_are_of_the_filtered_series() -> None:
    """Fast noise of 60 ns peak to peak leaves MTIE of dTE_L small."""
    x = np.where(np.arange(16_000) % 4 < 2, 30.0, -30.0)
    found = verdict("g8273.2-class-a", x, 0.125)
    mtie = of(found, "dtel-mtie")
    assert mtie.value_ns is not None
    assert mtie.value_ns < 8.0
    assert of(found, "dteh-pp").value_ns == pytest.approx(60.0, rel=0.1)


def test_an_unknown_mask_names_the_near_ones() -> None:
    with pytest.raises(AnalysisError, match="no mask 'g8272-prtc'; near: g8272-prtc-"):
        mask("g8272-prtc")
