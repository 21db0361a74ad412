"""Time error as a series, and the same on an even grid.

Deviations and MTIE are defined for evenly spaced samples. Real records are not: samples are lost, stamps jitter, logs
pause. ``even`` puts a series on a grid and says what that cost:

* each sample goes to the nearest grid point; its value is not changed, so white noise stays white;
* a short gap (up to ``bridge`` points) is filled on a straight line between its neighbours, and counted;
* a longer gap divides the record into stretches. No difference is taken across a gap; those within all stretches
  count alike, so that a deviation is the root of the mean square of all of them, and MTIE the largest of any stretch.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple, TypeAlias

import numpy as np
import numpy.typing as npt

from ptpstack.analysis.errors import AnalysisError

Floats: TypeAlias = npt.NDArray[np.float64]

#: grid points that may be missing in a row and are still filled
BRIDGE = 5
#: above this share of filled points the figures at short intervals are no longer to be trusted
FILLED_SHARE = 0.02
#: seconds or ns beyond which a number is none: thirty centuries in ns
_MOST = 1e20
#: of more stretches than this the longest are used
_MOST_STRETCHES = 200
#: more than this is a mistaken interval rather than a record (400 MB an array)
_MOST_POINTS = 50_000_000


class Mark(NamedTuple):
    """Something that happened at ``t_s``, for the plots."""

    t_s: float
    text: str


@dataclass(frozen=True, eq=False)
class Series:
    """``value_ns[k]`` at ``t_s[k]``; ``bound_ns`` (NaN where unknown) is how wrong the value may be, or None.

    ``kind`` says what the values are: "time error" against a true reference, or somebody's own "estimated offset".
    """

    name: str
    t_s: Sequence[float] | Floats
    value_ns: Sequence[float] | Floats
    bound_ns: Sequence[float] | Floats | None = None
    events: tuple[Mark, ...] = ()
    kind: str = "time error"

    def __post_init__(self) -> None:
        lengths = {len(self.t_s), len(self.value_ns), len(self.t_s if self.bound_ns is None else self.bound_ns)}
        if len(lengths) != 1:
            raise AnalysisError(f"{self.name}: times, values and bounds differ in number ({sorted(lengths)})")

    def __len__(self) -> int:
        return len(self.t_s)

    def arrays(self) -> tuple[Floats, Floats, Floats | None]:
        bound = None if self.bound_ns is None else np.asarray(self.bound_ns, dtype=np.float64)
        return np.asarray(self.t_s, dtype=np.float64), np.asarray(self.value_ns, dtype=np.float64), bound

    def between(self, from_s: float, to_s: float) -> Series:
        """The part with from_s <= t <= to_s, times unchanged."""
        t, x, bound = self.arrays()
        keep = (t >= from_s) & (t <= to_s)
        events = tuple(mark for mark in self.events if from_s <= mark.t_s <= to_s)
        return Series(self.name, t[keep], x[keep], None if bound is None else bound[keep], events, self.kind)


def usable(series: Series) -> tuple[Series, tuple[str, ...]]:
    """In order of time, finite, one sample to an instant; and what was done to get there."""
    t, x, bound = series.arrays()
    told = []
    # NaN compares as False
    finite = (np.abs(t) <= _MOST) & (np.abs(x) <= _MOST)
    if not finite.all():
        told.append(f"{counted(len(t) - int(finite.sum()), 'sample')} without a finite time or value left out")
    if bound is not None and (beyond := np.abs(bound) > _MOST).any():
        told.append(f"{counted(int(beyond.sum()), 'infinite bound')} taken as unknown")
        bound = np.where(beyond, np.nan, bound)
    t, x = t[finite], x[finite]
    bound = None if bound is None else bound[finite]
    steps = np.diff(t)
    if (steps < 0).any():
        told.append(f"{counted(int((steps < 0).sum()), 'sample')} earlier than the one before: sorted by time")
        order = np.argsort(t, kind="stable")
        t, x, bound = t[order], x[order], None if bound is None else bound[order]
        steps = np.diff(t)
    if (steps == 0).any():
        told.append(f"{counted(int((steps == 0).sum()), 'sample')} at the same time as another left out")
        keep = np.concatenate(([True], steps > 0))
        t, x, bound = t[keep], x[keep], None if bound is None else bound[keep]
    if not told:
        return series, ()
    return Series(series.name, t, x, bound, series.events, series.kind), tuple(told)


@dataclass(frozen=True, eq=False)
class EvenSeries:
    """Stretches of samples ``interval_s`` apart, the longest first; that one begins at ``start_s``."""

    name: str
    interval_s: float
    start_s: float
    stretches: tuple[Floats, ...]
    #: points that were interpolated
    filled: int
    #: samples of the series that are in no stretch
    left_out: int
    notes: tuple[str, ...]

    @property
    def value_ns(self) -> Floats:
        """Of the longest stretch."""
        return self.stretches[0]

    @property
    def count(self) -> int:
        return sum(len(stretch) for stretch in self.stretches)

    @property
    def span_s(self) -> float:
        """How long the longest stretch is: observation intervals go up to that."""
        return (len(self.value_ns) - 1) * self.interval_s


def sampling_interval_s(t_s: Floats) -> float:
    """The spacing that most neighbours have: their median, made exact over the stretches that keep to it."""
    steps = np.diff(t_s)
    median = float(np.median(steps))
    counts = np.rint(steps / median)
    # not the long gaps and not the strays: an interval is learnt where samples come regularly
    near = (counts >= 1) & (counts <= BRIDGE) & (np.abs(steps - counts * median) < 0.2 * median)
    return float(steps[near].sum() / counts[near].sum()) if near.any() else median


def even(series: Series, interval_s: float | None = None, bridge: int = BRIDGE) -> EvenSeries:
    """``series`` on a grid of ``interval_s`` (None: its own). AnalysisError when there are fewer than two samples.

    The series must be ``usable``.
    """
    t, x, _ = series.arrays()
    if len(t) < 2:
        raise AnalysisError(f"{series.name}: {len(t)} samples; two are the least that have an interval")
    interval = sampling_interval_s(t) if interval_s is None else interval_s
    if not interval > 0.0:
        raise AnalysisError(f"{series.name}: a sampling interval of {interval:g} s is none")
    index = np.rint((t - t[0]) / interval).astype(np.int64)
    notes = []
    first_in_cell = np.concatenate(([True], np.diff(index) > 0))
    shared = len(index) - int(first_in_cell.sum())
    if shared:
        notes.append(f"{counted(shared, 'sample')} closer than the interval to the one before left out of the grid")
    moved = np.abs(t - t[0] - index * interval).max()
    if moved > 0.1 * interval:
        notes.append(f"samples are uneven: moved by up to {moved:.3g} s to a grid of {interval:.6g} s")
    index, x = index[first_in_cell], x[first_in_cell]
    missing = np.diff(index) - 1
    breaks = np.flatnonzero(missing > bridge)
    starts, ends = np.concatenate(([0], breaks + 1)), np.concatenate((breaks + 1, [len(index)]))
    spans = index[ends - 1] - index[starts]
    points = int(spans.sum()) + len(spans)
    if points > _MOST_POINTS:
        raise AnalysisError(
            f"{series.name}: a grid of {interval:g} s over {spans.sum() * interval:g} s has {points} points for "
            f"{len(index)} samples: state a longer interval, or fill shorter gaps"
        )
    # a single sample between two gaps has no difference to any other
    order = [int(k) for k in np.argsort(-spans, kind="stable")[:_MOST_STRETCHES] if spans[k] > 0]
    order = order or [int(np.argmax(spans))]
    stretches = []
    kept = 0
    for k in order:
        start, end = int(starts[k]), int(ends[k])
        kept += end - start
        stretches.append(np.interp(np.arange(index[start], index[end - 1] + 1), index[start:end], x[start:end]))
    left_out = len(index) - kept
    if len(breaks):
        gaps = (
            f"{counted(len(breaks), 'gap')} of more than {bridge} missing samples "
            f"(the longest {(missing.max() + 1) * interval:.6g} s): deviations and MTIE are of the "
            f"{counted(len(order), 'stretch')} between, taken together; the longest is {spans.max() * interval:.6g} s"
        )
        alone = f"; {counted(left_out, 'sample')} ({left_out / len(index):.1%}) in none of them" if left_out else ""
        notes.append(gaps + alone)
    filled = sum(len(stretch) for stretch in stretches) - kept
    if filled:
        share = filled / (filled + kept)
        warning = "; figures at short intervals are too small by about as much" if share > FILLED_SHARE else ""
        notes.append(f"{counted(filled, 'missing sample')} ({share:.2%}) filled on a straight line{warning}")
    begin = float(t[0] + index[starts[order[0]]] * interval)
    return EvenSeries(series.name, interval, begin, tuple(stretches), filled, left_out + shared, tuple(notes))


def counted(number: int, noun: str) -> str:
    """``1 sample``, ``2 samples``, ``2 stretches``."""
    return f"{number} {noun}{'' if number == 1 else 'es' if noun.endswith('h') else 's'}"
