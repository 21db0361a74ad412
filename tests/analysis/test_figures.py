"""Figures of time error, and its constant and dynamic parts."""

from __future__ import annotations

import math

import numpy as np
import pytest

from ptpstack.analysis.errors import AnalysisError
from ptpstack.analysis.figures import dynamic, figures, filtered, low_pass, moving_mean
from ptpstack.analysis.series import Series
from tests.analysis.data import gridded, white_pm


def test_by_hand() -> None:
    f = figures(Series("a", [0.0, 1.0, 2.0, 3.0], [1.0, -4.0, 2.0, 3.0], [2.0, 3.0, math.nan, 3.0]))
    assert (f.count, f.from_s, f.to_s) == (4, 0.0, 3.0)
    assert (f.mean_ns, f.min_ns, f.max_ns) == (0.5, -4.0, 3.0)
    assert f.rms_ns == pytest.approx(math.sqrt(30 / 4))
    assert f.std_ns == pytest.approx(math.sqrt(30 / 4 - 0.25))
    assert (f.max_abs_ns, f.max_abs_at_s) == (4.0, 1.0)
    assert (f.p50_ns, f.p95_ns, f.p999_ns) == (2.0, 4.0, 4.0)
    assert f.tie_ns == 2.0
    assert f.slope_ppb == pytest.approx(1.2)
    assert f.bounded == 3
    assert f.within_bound == pytest.approx(2 / 3)
    assert f.bound_to_rms == pytest.approx(8 / 3 / math.sqrt(7.5))


def test_of_an_estimate_no_bound_is_judged() -> None:
    """|estimate| within its bound says nothing of the truth."""
    f = figures(Series("a", [0.0, 1.0], [1.0, 1.0], [2.0, 2.0], kind="estimated offset"))
    assert f.within_bound is None


def test_nothing_has_no_figures() -> None:
    with pytest.raises(AnalysisError, match="no sample"):
        figures(Series("a", [], []))


@pytest.mark.parametrize("interval_s", [1 / 16, 0.125, 0.5])
@pytest.mark.parametrize(
    ("frequency_hz", "gain"), [(0.001, 1.0), (0.1, 1 / math.sqrt(2)), (0.02, 0.9806), (0.5, 0.1961)]
)
def test_the_filter_is_first_order_at_a_tenth_of_a_hertz(interval_s: float, frequency_hz: float, gain: float) -> None:
    t = np.arange(round(4000 / interval_s)) * interval_s
    y = low_pass(np.sin(2 * math.pi * frequency_hz * t), interval_s)
    settled = y[len(y) // 2 :]
    # sampled, the filter is a little flatter towards half the sampling frequency
    assert math.sqrt(2) * float(np.sqrt(np.mean(settled**2))) == pytest.approx(
        gain, rel=0.03 + 0.35 * interval_s * frequency_hz
    )


def test_low_and_high_part_make_the_whole() -> None:
    series = gridded(white_pm(2000, 1), 0.125)
    parts = filtered(series)
    assert parts is not None
    low, high = parts
    assert low.value_ns + high == pytest.approx(series.value_ns[-len(high) :])
    # five time constants of 1.59 s
    assert low.start_s == pytest.approx(8.0, abs=0.13)


def test_constant_time_error_is_the_moving_mean_furthest_from_zero() -> None:
    x = np.concatenate((np.full(2000, 3.0), np.full(2000, -8.0), np.full(2000, 3.0))) + white_pm(6000, 2)
    d = dynamic(gridded(x))
    assert d.cte_ns == pytest.approx(-8.0, abs=0.2)
    assert d.cte_over_s == 1000.0


def test_a_short_record_says_what_its_mean_is_over() -> None:
    d = dynamic(gridded(np.full(100, 5.0), 0.5))
    assert d.cte_ns == 5.0
    assert d.cte_over_s == 50.0
    assert d.notes[0] == "cTE is the mean over 50 s: the record is shorter than 1000 s"


def test_slow_wander_is_low_fast_noise_is_high() -> None:
    t = np.arange(0.0, 2000.0, 0.125)
    slow = dynamic(gridded(20.0 * np.sin(2 * math.pi * t / 500), 0.125))
    fast = dynamic(gridded(20.0 * np.sin(2 * math.pi * t), 0.125))
    assert slow.dtel_peak_to_peak_ns == pytest.approx(40.0, rel=0.01)
    assert slow.dteh_peak_to_peak_ns is not None
    assert slow.dteh_peak_to_peak_ns < 2.0
    assert fast.dteh_peak_to_peak_ns == pytest.approx(40.0, rel=0.05)
    assert fast.dtel_peak_to_peak_ns is not None
    assert fast.dtel_peak_to_peak_ns < 5.0


def test_samples_too_far_apart_for_the_filter_are_told() -> None:
    d = dynamic(gridded(white_pm(3000, 3), 16.0))
    assert d.cte_ns is not None
    assert (d.dtel_mtie_ns, d.dteh_peak_to_peak_ns) == (None, None)
    assert "too few for a filter of 0.1 Hz" in d.notes[-1]


def test_the_moving_mean_is_exact_far_from_zero() -> None:
    x = 1e12 + white_pm(5000, 4)
    expected = [x[k : k + 100].mean() for k in range(len(x) - 99)]
    assert moving_mean(x, 100) == pytest.approx(np.array(expected), abs=1e-3)
