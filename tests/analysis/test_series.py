"""Putting samples on a grid: nothing is moved, filled or left out without being told."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ptpstack.analysis.errors import AnalysisError
from ptpstack.analysis.series import Mark, Series, even, sampling_interval_s, usable
from tests.analysis.data import white_pm


def test_even_samples_stay_as_they_are() -> None:
    x = white_pm(1000, 1)
    found = even(Series("a", np.arange(1000) * 0.125 + 7.0, x))
    assert (found.value_ns == x).all()
    assert found.interval_s == pytest.approx(0.125, rel=1e-12)
    assert found.start_s == 7.0
    assert (found.filled, found.left_out, found.notes) == (0, 0, ())


@given(st.lists(st.floats(-0.09, 0.09), min_size=10, max_size=60))
def test_jitter_of_the_stamps_moves_no_value(jitter: list[float]) -> None:
    x = np.arange(len(jitter), dtype=np.float64) ** 2
    found = even(Series("a", np.arange(len(jitter)) + np.array(jitter), x), interval_s=1.0)
    assert (found.value_ns == x).all()


def test_a_short_gap_is_filled_on_a_line_and_told() -> None:
    t = np.delete(np.arange(100.0), [10, 11, 50])
    found = even(Series("a", t, 3.0 * t))
    assert found.value_ns == pytest.approx(3.0 * np.arange(100.0))
    assert found.filled == 3
    (note,) = found.notes
    assert note.startswith("3 missing samples (3.00%) filled on a straight line; figures at short intervals")


def test_a_long_gap_divides_into_stretches_the_longest_first() -> None:
    t = np.concatenate((np.arange(0.0, 30.0), np.arange(50.0, 120.0), np.arange(200.0, 240.0)))
    found = even(Series("a", t, t))
    assert found.start_s == 50.0
    assert (found.value_ns == np.arange(50.0, 120.0)).all()
    assert [len(stretch) for stretch in found.stretches] == [70, 40, 30]
    assert [stretch[0] for stretch in found.stretches] == [50.0, 200.0, 0.0]
    assert (found.left_out, found.count, found.span_s) == (0, 140, 69.0)
    assert found.notes == (
        "2 gaps of more than 5 missing samples (the longest 81 s): deviations and MTIE are of the 3 stretches between, "
        "taken together; the longest is 69 s",
    )


def test_a_lone_sample_between_gaps_is_in_no_stretch() -> None:
    t = np.concatenate((np.arange(0.0, 30.0), [50.0], np.arange(70.0, 80.0)))
    found = even(Series("a", t, t))
    assert len(found.stretches) == 2
    assert found.left_out == 1
    assert found.notes[0].endswith("1 sample (2.4%) in none of them")


def test_what_counts_as_long_can_be_said() -> None:
    t = np.delete(np.arange(40.0), range(10, 18))
    assert len(even(Series("a", t, t)).stretches) == 2
    assert len(even(Series("a", t, t), bridge=8).stretches) == 1
    assert even(Series("a", t, t), bridge=0).filled == 0


def test_lost_packets_do_not_change_the_interval() -> None:
    rng = np.random.default_rng(3)
    t = np.arange(5000.0) * 0.0625
    kept = t[rng.random(5000) > 0.2]
    assert sampling_interval_s(kept) == pytest.approx(0.0625, rel=1e-6)


def test_strays_between_do_not_change_it_either() -> None:
    t = np.sort(np.concatenate((np.arange(1000.0), np.array([10.4, 300.6, 700.5]))))
    found = even(Series("a", t, np.zeros(1003)))
    assert found.interval_s == pytest.approx(1.0, rel=1e-6)
    assert found.left_out == 3
    assert any("3 samples closer than the interval" in note for note in found.notes)


def test_uneven_sampling_is_told_with_how_far_samples_were_moved() -> None:
    t = np.arange(100.0)
    t[50] += 0.3
    assert any("moved by up to 0.3 s" in note for note in even(Series("a", t, t), interval_s=1.0).notes)


def test_usable_sorts_and_tells() -> None:
    series, told = usable(
        Series(
            "a", [0.0, 2.0, 1.0, 1.0, 3.0, 4.0], [0.0, 2.0, 1.0, 9.0, float("nan"), 4.0], [1.0, 3.0, 2.0, 9.0, 4.0, 5.0]
        )
    )
    assert list(series.t_s) == [0.0, 1.0, 2.0, 4.0]
    assert list(series.value_ns) == [0.0, 1.0, 2.0, 4.0]
    assert series.bound_ns is not None
    assert list(series.bound_ns) == [1.0, 2.0, 3.0, 5.0]
    assert [note.partition(" ")[0] for note in told] == ["1", "1", "1"]
    assert "finite" in told[0]
    assert "sorted" in told[1]
    assert "same time" in told[2]


def test_too_few_samples_are_refused() -> None:
    with pytest.raises(AnalysisError, match="1 samples; two are the least"):
        even(Series("a", [0.0], [1.0]))


def test_lengths_must_agree() -> None:
    with pytest.raises(AnalysisError, match="differ in number"):
        Series("a", [0.0, 1.0], [1.0])


def test_a_part_keeps_times_bounds_and_events() -> None:
    series = Series("a", range(10), range(10), range(10), (Mark(2.0, "x"), Mark(8.0, "y")), "estimated offset")
    part = series.between(5.0, 8.0)
    assert list(part.t_s) == [5.0, 6.0, 7.0, 8.0]
    assert part.bound_ns is not None
    assert list(part.bound_ns) == [5.0, 6.0, 7.0, 8.0]
    assert part.events == (Mark(8.0, "y"),)
    assert part.kind == "estimated offset"


def test_an_interval_that_makes_a_monster_of_a_grid_is_refused() -> None:
    t = np.array([0.0, 1000.0, 2000.0])
    with pytest.raises(AnalysisError, match="2000000001 points for 3 samples"):
        even(Series("a", t, t), interval_s=1e-6, bridge=10**12)
    # without filling, what is left is a single sample
    assert len(even(Series("a", t, t), interval_s=1e-6).value_ns) == 1


def test_numbers_that_are_none_are_left_out_and_told() -> None:
    series, told = usable(Series("a", [0.0, 1.0, 2.0], [1.0, 1e300, -1.0], [5.0, 5.0, float("inf")]))
    assert list(series.value_ns) == [1.0, -1.0]
    assert series.bound_ns is not None
    assert np.isnan(series.bound_ns[1])
    assert [note.split(" ", 1)[1] for note in told] == [
        "sample without a finite time or value left out",
        "infinite bound taken as unknown",
    ]
