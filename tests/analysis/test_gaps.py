"""Deviations over gaps: the same as of the terms that the gap leaves."""

from __future__ import annotations

import math

import numpy as np
import pytest

from ptpstack.analysis.deviations import TITLES, deviations
from ptpstack.analysis.figures import dynamic
from ptpstack.analysis.series import EvenSeries, Floats, Series, even
from tests.analysis.data import gridded, white_fm, white_pm


def parted(x: Floats, *gaps: tuple[int, int]) -> EvenSeries:
    keep = np.ones(len(x), dtype=bool)
    for begin, end in gaps:
        keep[begin:end] = False
    t = np.arange(float(len(x)))
    return even(Series("a", t[keep], x[keep]))


def test_overlapping_allan_is_of_every_second_difference_that_is_whole() -> None:
    x = white_fm(1000, 1)
    holes = x.copy()
    holes[300:340] = holes[700:720] = np.nan
    found = deviations(parted(x, (300, 340), (700, 720)), ("oadev",), (1, 5, 50))[0]
    for point in found.points:
        m = round(point.tau_s)
        terms = holes[2 * m :] - 2.0 * holes[m:-m] + holes[: -2 * m]
        # those across a gap with both ends and the middle outside it are whole too, but no single stretch has them
        within = [
            part[2 * m :] - 2.0 * part[m:-m] + part[: -2 * m]
            for part in (x[:300], x[340:700], x[720:])
            if len(part) > 2 * m
        ]
        together = np.concatenate(within)
        assert point.terms == len(together) <= np.isfinite(terms).sum()
        assert point.value == pytest.approx(1e-9 * math.sqrt(np.mean(together**2) / 2.0) / m, rel=1e-9)


def test_mtie_is_the_largest_of_any_stretch() -> None:
    """Also of one that is not the longest: the step of 400 ns after the gap."""
    x = white_pm(2000, 2)
    x[1500] += 400.0
    found = deviations(parted(x, (1200, 1250)), ("mtie",), (1, 10))[0]
    assert found.points[0].value > 395.0
    assert found.points[0].terms == 1199 + 749


def test_tie_rms_is_of_all_differences() -> None:
    x = white_fm(500, 3)
    found = deviations(parted(x, (200, 220)), ("tierms",), (7,))[0]
    together = np.concatenate((x[7:200] - x[:193], x[227:] - x[220:-7]))
    assert found.points[0].value == pytest.approx(math.sqrt(np.mean(together**2)))


@pytest.mark.parametrize("kind", TITLES)
def test_a_gap_changes_little_in_a_long_record(kind: str) -> None:
    x = white_pm(20_000, 4)
    (whole,), (gap,) = (deviations(s, (kind,), (1, 10, 100)) for s in (gridded(x), parted(x, (9000, 9100))))
    for a, b in zip(whole.points, gap.points, strict=True):
        assert b.value == pytest.approx(a.value, rel=0.1)
        assert b.terms < a.terms


def test_constant_and_dynamic_parts_look_at_every_stretch() -> None:
    x = white_pm(5000, 5) * 0.1
    x[3500:] += 9.0
    d = dynamic(parted(x, (3480, 3500)))
    assert d.cte_ns == pytest.approx(9.0, abs=0.1)
    assert d.max_tel_ns == pytest.approx(9.0, abs=0.3)


def test_observation_intervals_end_with_the_longest_stretch() -> None:
    found = deviations(parted(white_pm(1000, 6), (600, 620)), ("mtie",))[0]
    assert found.points[-1].tau_s == 599.0
    assert found.span_s == 599.0
