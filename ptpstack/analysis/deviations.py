"""Deviations over the observation interval tau, of evenly spaced time error.

ADEV, OADEV, MDEV, HDEV (fractional frequency, no unit) and TDEV (s) come from allantools; MTIE (``mtie.py``) and
TIErms, the rms of x(t + tau) - x(t), are made here. Definitions: NIST SP 1065 and ITU-T G.810; the tests compare with
Stable32's results and with the NBS-14 values.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from types import ModuleType
from typing import Any

import numpy as np

from ptpstack.analysis.errors import MissingPackageError
from ptpstack.analysis.mtie import mtie
from ptpstack.analysis.series import EvenSeries, Floats

#: by the name of allantools' function
FREQUENCY = {
    "adev": "Allan deviation",
    "oadev": "Allan deviation, overlapping",
    "mdev": "modified Allan deviation",
    "hdev": "Hadamard deviation",
    "ohdev": "Hadamard deviation, overlapping",
}
TIME = {"tdev": "time deviation", "mtie": "maximum time interval error", "tierms": "rms time interval error"}
TITLES = FREQUENCY | TIME
#: those that a table shows
USUAL = ("adev", "oadev", "mdev", "hdev", "tdev", "mtie", "tierms")
#: observation intervals in a decade
PER_DECADE = 10


@dataclass(frozen=True, slots=True)
class Point:
    tau_s: float
    #: no unit for deviations of frequency; ns for those of time
    value: float
    #: differences (or windows) it is made of; few of them say little
    terms: int


@dataclass(frozen=True, slots=True)
class Deviation:
    kind: str
    points: tuple[Point, ...]
    #: of the record, or of its longest stretch without a gap
    span_s: float

    @property
    def title(self) -> str:
        return TITLES[self.kind]

    @property
    def unit(self) -> str:
        return "" if self.kind in FREQUENCY else "ns"


def windows(samples: int, per_decade: int = PER_DECADE) -> list[int]:
    """tau in sampling intervals: spread evenly over each decade, 1 to the longest that ``samples`` allow.

    The usual 1-2-4 are among them, so that a table can show these.
    """
    longest = samples - 1
    if longest < 1:
        return []
    decades = math.ceil(math.log10(longest) + 1)
    spread = {round(10 ** (k / per_decade)) for k in range(decades * per_decade)}
    round_ones = {lead * 10**k for k in range(decades) for lead in (1, 2, 4)}
    return sorted(m for m in spread | round_ones | {longest} if m <= longest)


def deviations(
    series: EvenSeries, kinds: Sequence[str] = USUAL, at: Iterable[int] | None = None
) -> tuple[Deviation, ...]:
    """Each of ``kinds`` over tau = m intervals (``at``; None: ``windows``), where there are terms enough.

    MissingPackageError without allantools, when one of the kinds needs it. ValueError for an unknown kind.
    """
    chosen = sorted(set(windows(len(series.value_ns)) if at is None else at))
    found: dict[str, Deviation] = {}
    for kind in kinds:
        found[kind] = _tdev(found["mdev"]) if kind == "tdev" and "mdev" in found else _deviation(series, kind, chosen)
    return tuple(found.values())


def _deviation(series: EvenSeries, kind: str, chosen: Sequence[int]) -> Deviation:
    if kind not in TITLES:
        raise ValueError(f"there is no deviation {kind!r}; there are {', '.join(TITLES)}")
    function = mtie if kind == "mtie" else _tie_rms if kind == "tierms" else _by_allantools(kind)
    #: m -> (value, terms) of each stretch
    found: dict[int, list[tuple[float, int]]] = {}
    for x in series.stretches:
        able = [m for m in chosen if m >= 1 and _terms(kind, len(x), m) >= _LEAST_TERMS.get(kind, 1)]
        for m, value in function(x, able).items():
            found.setdefault(m, []).append((value, _terms(kind, len(x), m)))
    scale = 1.0 / series.interval_s if kind in FREQUENCY else 1.0
    points = (
        Point(m * series.interval_s, _together(kind, found[m]) * scale, sum(terms for _, terms in found[m]))
        for m in sorted(found)
    )
    return Deviation(kind, tuple(points), series.span_s)


def _together(kind: str, parts: Sequence[tuple[float, int]]) -> float:
    """The deviation of all terms of all stretches; the largest of them for MTIE."""
    if len(parts) == 1:
        return parts[0][0]
    if kind == "mtie":
        return max(value for value, _ in parts)
    return math.sqrt(sum(terms * value * value for value, terms in parts) / sum(terms for _, terms in parts))


def _tdev(mdev: Deviation) -> Deviation:
    """TDEV is tau MDEV / sqrt(3) (G.810): no need to go through the data again."""
    points = tuple(Point(p.tau_s, p.value * p.tau_s / math.sqrt(3.0) * 1e9, p.terms) for p in mdev.points)
    return Deviation("tdev", points, mdev.span_s)


def _tie_rms(x: Floats, chosen: Sequence[int]) -> dict[int, float]:
    found = {}
    for m in chosen:
        differences = x[m:] - x[:-m]
        found[m] = math.sqrt(float(differences @ differences) / len(differences))
    return found


#: intervals that one term spans, in tau
_SPANS = {"adev": 2, "oadev": 2, "mdev": 3, "tdev": 3, "hdev": 3, "ohdev": 3, "mtie": 1, "tierms": 1}
#: a deviation of a single difference says nothing (and allantools refuses it)
_LEAST_TERMS = dict.fromkeys(("adev", "oadev", "mdev", "tdev", "hdev", "ohdev"), 2)


def _terms(kind: str, samples: int, m: int) -> int:
    """How many differences (windows, for MTIE) there are at tau = m intervals."""
    span = _SPANS[kind]
    if kind in ("mdev", "tdev"):
        return samples - span * m + 1
    return (samples - 1 - span * m) // m + 1 if kind in ("adev", "hdev") else samples - span * m


def _by_allantools(kind: str) -> Callable[[Floats, Sequence[int]], dict[int, float]]:
    function = getattr(_allantools(), kind)
    scale = 1e9 if kind == "tdev" else 1.0

    def deviation(x: Floats, chosen: Sequence[int]) -> dict[int, float]:
        # rate 1: tau stays an exact number of intervals; a deviation of frequency goes with 1 / interval
        phase_s = x * 1e-9
        return {m: float(function(phase_s, rate=1.0, data_type="phase", taus=[float(m)])[1][0]) * scale for m in chosen}

    return deviation


def _allantools() -> ModuleType:
    try:
        import allantools
    except ModuleNotFoundError as error:
        raise MissingPackageError(error.name or "allantools", "a deviation of frequency or TDEV") from error
    module: Any = allantools
    assert isinstance(module, ModuleType)
    return module


def by_tau(deviation: Deviation) -> tuple[Floats, Floats]:
    """(tau in s, value) as arrays, for plots and masks."""
    points = deviation.points
    return np.array([p.tau_s for p in points]), np.array([p.value for p in points])
