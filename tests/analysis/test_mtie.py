"""MTIE against its definition."""

from __future__ import annotations

import itertools
import time

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ptpstack.analysis.deviations import deviations, windows
from ptpstack.analysis.mtie import mtie
from ptpstack.analysis.series import Floats
from tests.analysis.data import gridded, white_fm


def brute_force(x: Floats, m: int) -> float:
    return max(float(np.ptp(x[k : k + m + 1])) for k in range(len(x) - m))


@given(
    st.lists(st.integers(-1000, 1000), min_size=2, max_size=120),
    st.lists(st.integers(1, 130), min_size=1, max_size=12),
)
def test_is_the_largest_range_of_any_window(values: list[int], sizes: list[int]) -> None:
    x = np.array(values, dtype=np.float64)
    found = mtie(x, sizes)
    assert sorted(found) == sorted({m for m in sizes if m < len(x)})
    for m, value in found.items():
        assert value == brute_force(x, m)


def test_windows_out_of_range_are_left_out() -> None:
    assert mtie(np.array([0.0, 1.0, 5.0]), (-1, 0, 1, 2, 3)) == {1: 4.0, 2: 5.0}


def test_of_a_ramp_is_its_slope_times_tau() -> None:
    x = np.arange(1000) * 0.5
    assert mtie(x, (1, 7, 64, 999)) == pytest.approx({1: 0.5, 7: 3.5, 64: 32.0, 999: 499.5})


def test_the_data_are_not_changed() -> None:
    x = white_fm(100, 1)
    before = x.copy()
    mtie(x, (1, 2, 3, 50))
    assert (x == before).all()


def test_a_million_points_take_seconds() -> None:
    """Three decades slower algorithms exist; the limit is generous for a busy machine."""
    series = gridded(white_fm(1_000_000, 2))
    begin = time.process_time()
    deviations(series)
    assert time.process_time() - begin < 15.0


def test_windows_spread_over_the_decades() -> None:
    chosen = windows(100_001)
    assert chosen[0] == 1
    assert chosen[-1] == 100_000
    assert {1, 2, 4, 10, 20, 40, 100, 1000, 40_000} <= set(chosen)
    assert all(b / a < 1.35 for a, b in itertools.pairwise(chosen[9:]))
    assert windows(1) == []
    assert windows(2) == [1]
