"""The figures of a run, how seeds are put together, and how a figure is held against a limit.

One ``Outcome`` is one seed: its samples, and figures worked out from them. A missing figure is None: there is nothing
to say (never locked, no holdover in this scenario), which meets no limit.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

OVER = ("mean", "rms", "worst", "best", "ratio")


@dataclass(frozen=True, slots=True)
class Figure:
    """``over``: the usual way of putting seeds together. ``large``: the larger the better.

    ``some``: seeds in which there is no such figure are left out; otherwise it is missing when it is missing in one.
    """

    doc: str
    unit: str
    over: str = "mean"
    large: bool = False
    some: bool = False


FIGURES: dict[str, Figure] = {
    "rms_ns": Figure("rms of the true error", "ns"),
    "mean_ns": Figure("mean of the true error", "ns"),
    "max_ns": Figure("largest true error", "ns", "worst"),
    "end_ns": Figure("mean true error of the last minute", "ns"),
    "frequency_peak_ppb": Figure("largest frequency error of the clock", "ppb", "worst"),
    "lock_s": Figure("from the start of the program until the true error stays small", "s", "worst"),
    "coverage_percent": Figure("samples with the truth inside the statistical bound", "%", large=True),
    "coverage_sum_percent": Figure("samples with the truth inside the whole bound", "%", large=True),
    "coverage_told_percent": Figure("the same, of those samples for which an offset is told", "%", large=True),
    "bound_ratio": Figure("mean statistical bound / rms", ""),
    "holdover_ns": Figure("true error at the end of the holdover", "ns", "rms"),
    "holdover_bound_ns": Figure("statistical bound at the end of the holdover", "ns"),
    "predictor_ns": Figure("the same for a perfect predictor: frequency known at the loss, held", "ns", "rms"),
    "holdover_ratio": Figure("rms of holdover_ns over the seeds / rms of predictor_ns", "", "ratio"),
    "holdover_coverage_percent": Figure("samples of the holdover inside the bound", "%", "worst", large=True),
    "forecast_ratio": Figure("forecast time to the limit / time when the bound reached it", "", "worst"),
    "reached_ratio": Figure("forecast time to the limit / time when the true error reached it", "", some=True),
}


@dataclass(slots=True)
class Series:
    """Samples of one run; all lists are of the same length. None: nothing was claimed."""

    t_s: list[float] = field(default_factory=list)
    error_ns: list[float] = field(default_factory=list)
    estimate_ns: list[float | None] = field(default_factory=list)
    statistical_ns: list[float | None] = field(default_factory=list)
    systematic_ns: list[float | None] = field(default_factory=list)
    #: error against the followed grandmaster's clock, which is what the estimate is about
    relative_ns: list[float] = field(default_factory=list)
    frequency_ppb: list[float] = field(default_factory=list)


@dataclass(slots=True)
class Outcome:
    """One seed of a scenario with one servo. ``series`` and ``events`` are empty when only figures were wanted."""

    scenario: str
    servo: str
    seed: int
    figures: dict[str, float | None]
    samples: int
    #: processor time, s
    took_s: float = 0.0
    series: Series = field(default_factory=Series)
    #: (elapsed s, sentence)
    events: list[tuple[float, str]] = field(default_factory=list)


def figures_of(series: Series, stats_from_s: float) -> dict[str, float | None]:
    """The figures that follow from the samples from ``stats_from_s`` on."""
    chosen = [i for i, t in enumerate(series.t_s) if t > stats_from_s]
    if not chosen:
        return dict.fromkeys(FIGURES)
    errors = [series.error_ns[i] for i in chosen]
    last = series.t_s[-1]
    end = [series.error_ns[i] for i in chosen if series.t_s[i] > last - 60.0]
    told = [i for i in chosen if series.estimate_ns[i] is not None]
    rms = math.sqrt(sum(e * e for e in errors) / len(errors))
    bounds = [b for i in chosen if (b := series.statistical_ns[i]) is not None]
    return {
        **dict.fromkeys(FIGURES),
        "rms_ns": rms,
        "mean_ns": sum(errors) / len(errors),
        "max_ns": max(abs(e) for e in errors),
        "end_ns": sum(end) / len(end),
        "coverage_percent": coverage_percent(series, chosen, whole=False),
        "coverage_sum_percent": coverage_percent(series, chosen, whole=True),
        "coverage_told_percent": coverage_percent(series, told, whole=True),
        "bound_ratio": sum(bounds) / len(bounds) / rms if bounds and rms else None,
    }


def coverage_percent(series: Series, chosen: Sequence[int], *, whole: bool) -> float | None:
    """Share of samples with the truth inside the statistical (``whole``: statistical + systematic) bound, %.

    A sample without a bound counts as one that did not hold.
    """
    if not chosen:
        return None
    inside = 0
    for i in chosen:
        value, statistical, systematic = series.estimate_ns[i], series.statistical_ns[i], series.systematic_ns[i]
        if value is None or statistical is None:
            continue
        bound = statistical + (systematic or 0.0) if whole else statistical
        inside += abs(series.relative_ns[i] - value) <= bound
    return 100.0 * inside / len(chosen)


_WAYS: dict[str, Callable[[Sequence[float], bool], float]] = {
    "mean": lambda values, large: sum(values) / len(values),
    "rms": lambda values, large: math.sqrt(sum(v * v for v in values) / len(values)),
    "worst": lambda values, large: min(values) if large else max(values, key=abs),
    "best": lambda values, large: max(values) if large else min(values, key=abs),
}


def together(name: str, outcomes: Iterable[Outcome], over: str = "") -> float | None:
    """One figure over all seeds; None when it is missing in any of them."""
    figure = FIGURES[name]
    way = over or figure.over
    every = list(outcomes)
    if way == "ratio":
        achieved, perfect = together("holdover_ns", every), together("predictor_ns", every)
        return achieved / perfect if achieved is not None and perfect else None
    values = [v for outcome in every if (v := outcome.figures.get(name)) is not None]
    if not values or (len(values) < len(every) and not figure.some):
        return None
    return _WAYS[way](values, figure.large)


@dataclass(frozen=True, slots=True)
class Verdict:
    """An expectation held against what came out. ``must`` and ``goal`` None: no such limit."""

    figure: str
    over: str
    value: float | None
    must_limit: float | None
    goal_limit: float | None
    near: float | None
    must: bool | None
    goal: bool | None

    def as_dict(self) -> dict[str, Any]:
        return {
            "figure": self.figure,
            "over": self.over,
            "value": self.value,
            "must_limit": self.must_limit,
            "goal_limit": self.goal_limit,
            "near": self.near,
            "must": self.must,
            "goal": self.goal,
        }


def meets(name: str, value: float | None, limit: float | None, near: float | None = None) -> bool | None:
    """Whether ``value`` keeps ``limit``; None when there is no limit."""
    if limit is None:
        return None
    if value is None:
        return False
    if near is not None:
        return abs(value - near) <= limit
    return value >= limit if FIGURES[name].large else abs(value) <= limit
