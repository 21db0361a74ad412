"""Figures of time error itself: what it was over the whole record, and split into constant and dynamic parts.

The split is that of ITU-T G.8260 and G.8273.2 (from public descriptions, not checked against the text):

* cTE: time error averaged over 1000 s. Over a longer record it is the moving average that is furthest from zero.
* dTE_L: what passes a first-order low-pass filter of 0.1 Hz, less its mean. Its MTIE and TDEV have limits.
* dTE_H: what does not pass it; its peak-to-peak has a limit.

The filter is the first-order one, sampled: y[k] = y[k-1] + a (x[k] - y[k-1]), a = 1 - exp(-2 pi f interval). It needs
ten samples to a time constant to be close to its continuous model and two to be one at all.
"""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from itertools import accumulate
from typing import Any

import numpy as np

from ptpstack.analysis.deviations import deviations
from ptpstack.analysis.errors import AnalysisError, MissingPackageError
from ptpstack.analysis.series import EvenSeries, Floats, Series

#: averaging time of cTE, s
CTE_S = 1000.0
#: corner of the low-pass and high-pass filters, Hz
CORNER_HZ = 0.1
#: time constants of the filter that are left out at the beginning
SETTLING = 5.0


@dataclass(frozen=True, slots=True)
class Figures:
    """Over all samples, none interpolated. ns; p.. are of |x|, nearest rank."""

    count: int
    from_s: float
    to_s: float
    mean_ns: float
    std_ns: float
    rms_ns: float
    min_ns: float
    max_ns: float
    max_abs_ns: float
    max_abs_at_s: float
    p50_ns: float
    p95_ns: float
    p99_ns: float
    p999_ns: float
    #: TIE over the record: last value less the first
    tie_ns: float
    #: slope of the straight line of least squares: mean frequency error
    slope_ppb: float | None
    #: samples that came with a bound, the share of them whose |x| is within it, the mean bound / rms
    bounded: int
    within_bound: float | None
    bound_to_rms: float | None

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)


def figures(series: Series) -> Figures:
    """Of a ``usable`` series. AnalysisError when it is empty."""
    t, x, bound = series.arrays()
    if len(x) == 0:
        raise AnalysisError(f"{series.name}: there is no sample")
    size = np.abs(x)
    ordered = np.sort(size)
    rms = math.sqrt(float(x @ x) / len(x))
    worst = int(np.argmax(size))
    known = np.isfinite(bound) if bound is not None else np.zeros(len(x), dtype=bool)
    bounded = int(known.sum())
    within = ratio = None
    if bound is not None and bounded:
        # whether a bound holds the truth can only be said of the truth
        within = float((size[known] <= bound[known]).mean()) if series.kind == "time error" else None
        ratio = float(bound[known].mean()) / rms if rms > 0.0 else None

    def percentile(share: float) -> float:
        return float(ordered[max(0, math.ceil(share * len(ordered)) - 1)])

    return Figures(
        len(x),
        float(t[0]),
        float(t[-1]),
        float(x.mean()),
        float(x.std()),
        rms,
        float(x.min()),
        float(x.max()),
        float(size[worst]),
        float(t[worst]),
        percentile(0.5),
        percentile(0.95),
        percentile(0.99),
        percentile(0.999),
        float(x[-1] - x[0]),
        _slope_ppb(t, x),
        bounded,
        within,
        ratio,
    )


def _slope_ppb(t: Floats, x: Floats) -> float | None:
    centred = t - t.mean()
    spread = float(centred @ centred)
    # ns per s are ppb
    return float(centred @ (x - x.mean())) / spread if spread > 0.0 else None


@dataclass(frozen=True, slots=True)
class Dynamic:
    """Constant and dynamic time error; None where the record does not allow it, and ``notes`` say why."""

    cte_ns: float | None
    cte_over_s: float | None
    dtel_mtie_ns: float | None
    dtel_tdev_ns: float | None
    dtel_peak_to_peak_ns: float | None
    #: the largest |low-passed time error|, constant part included (max|TE_L| of class D)
    max_tel_ns: float | None
    dteh_peak_to_peak_ns: float | None
    notes: tuple[str, ...]

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)


def low_pass(x: Floats, interval_s: float, corner_hz: float = CORNER_HZ) -> Floats:
    """First order; begins at rest on the first sample."""
    gain = -math.expm1(-2.0 * math.pi * corner_hz * interval_s)
    # a Python loop of 0.1 us a step: fast enough, and it needs no scipy
    return np.fromiter(accumulate(x.tolist(), lambda y, v: y + gain * (v - y)), dtype=np.float64, count=len(x))


def filtered(series: EvenSeries) -> tuple[EvenSeries, Floats] | None:
    """(TE_L, dTE_H of all stretches) without the time the filter takes to settle in each stretch; None when the
    samples are too far apart or too few."""
    constant_s = 1.0 / (2.0 * math.pi * CORNER_HZ)
    skip = math.ceil(SETTLING * constant_s / series.interval_s)
    whole = [x for x in series.stretches if len(x) - skip >= 2]
    if series.interval_s > constant_s or not whole:
        return None
    lows = [low_pass(x, series.interval_s) for x in whole]
    highs = [(x - low)[skip:] for x, low in zip(whole, lows, strict=True)]
    start = series.start_s + skip * series.interval_s
    parts = tuple(low[skip:] for low in lows)
    return EvenSeries(series.name, series.interval_s, start, parts, 0, 0, ()), np.concatenate(highs)


def moving_mean(x: Floats, count: int) -> Floats:
    """Means of each ``count`` neighbours."""
    # of differences from the mean, so that the running sum stays small and exact
    middle = float(x.mean())
    sums = np.concatenate(([0.0], np.cumsum(x - middle)))
    return np.asarray((sums[count:] - sums[:-count]) / count + middle, dtype=np.float64)


def dynamic(series: EvenSeries) -> Dynamic:
    notes = []
    x = series.value_ns
    count = round(CTE_S / series.interval_s)
    if 1 <= count <= len(x):
        means = np.concatenate([moving_mean(part, count) for part in series.stretches if len(part) >= count])
        cte, over = float(means[int(np.argmax(np.abs(means)))]), count * series.interval_s
    else:
        cte, over = float(x.mean()), len(x) * series.interval_s
        notes.append(f"cTE is the mean over {over:.6g} s: the record is shorter than {CTE_S:g} s")
    parts = filtered(series)
    if parts is None:
        notes.append(
            f"no dTE: samples {series.interval_s:.6g} s apart over {series.span_s:.6g} s are too few for a filter of "
            f"{CORNER_HZ:g} Hz"
        )
        return Dynamic(cte, over, None, None, None, None, None, tuple(notes))
    low, high = parts
    if series.interval_s > 0.16:
        notes.append(
            f"dTE_H holds what samples {series.interval_s:.6g} s apart can show; noise above "
            f"{0.5 / series.interval_s:.3g} Hz is folded into it"
        )
    (mtie,) = deviations(low, ("mtie",))
    try:
        (tdev,) = deviations(low, ("tdev",))
    except MissingPackageError as error:
        notes.append(f"no TDEV of dTE_L: {error}")
        tdev = None
    longest = [p.value for p in mtie.points if p.tau_s <= CTE_S]
    times = [p.value for p in tdev.points if p.tau_s <= min(CTE_S, low.span_s / 12)] if tdev is not None else []
    return Dynamic(
        cte,
        over,
        max(longest, default=None),
        max(times, default=None),
        float(np.ptp(np.concatenate(low.stretches))),
        float(max(np.abs(part).max() for part in low.stretches)),
        float(np.ptp(high)),
        tuple(notes),
    )
