"""Limits of Recommendations, and verdicts on a record.

The limits are data (``masks.toml``): each with its source, who agrees on it, and what is doubtful; a verdict repeats
these. A verdict covers what the record can show: MTIE up to its length, TDEV up to a twelfth of it (G.810's measurement
period), nothing shorter than its sampling interval. What the mask has beyond that is named, not passed.
"""

from __future__ import annotations

import math
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Any

from ptpstack.analysis.deviations import Deviation, deviations
from ptpstack.analysis.errors import AnalysisError, MissingPackageError
from ptpstack.analysis.figures import Dynamic, filtered
from ptpstack.analysis.series import EvenSeries

#: a record must be this many times longer than the longest TDEV interval that is judged
TDEV_SPAN = 12.0
#: metric -> (name for people, deviation it is judged by or "")
METRICS = {
    "max-te": ("max|TE|", ""),
    "cte": ("cTE", ""),
    "max-tel": ("max|TE_L|", ""),
    "dteh-pp": ("dTE_H peak-to-peak", ""),
    "mtie": ("MTIE", "mtie"),
    "tdev": ("TDEV", "tdev"),
    "dtel-mtie": ("MTIE of dTE_L", "mtie"),
    "dtel-tdev": ("TDEV of dTE_L", "tdev"),
}


@dataclass(frozen=True, slots=True)
class Segment:
    """The limit for from_s < tau <= to_s: the sum of coefficient * tau^exponent, ns."""

    from_s: float
    to_s: float
    terms: tuple[tuple[float, float], ...]

    def at(self, tau_s: float) -> float:
        return math.fsum(coefficient * math.pow(tau_s, exponent) for coefficient, exponent in self.terms)


@dataclass(frozen=True, slots=True)
class Limit:
    metric: str
    #: one of the two
    limit_ns: float | None
    segments: tuple[Segment, ...]
    doubtful: str = ""

    def at(self, tau_s: float) -> float | None:
        """ns; None where the mask says nothing. The lower edge of the first segment belongs to it."""
        for segment in self.segments:
            # a hair of room: an interval learnt from data is never exactly 100 s
            if segment.from_s * (1 - 1e-6) <= tau_s <= segment.to_s * (1 + 1e-6):
                return segment.at(tau_s)
        return None

    @property
    def range_s(self) -> tuple[float, float] | None:
        return (self.segments[0].from_s, self.segments[-1].to_s) if self.segments else None


@dataclass(frozen=True, slots=True)
class Mask:
    id: str
    title: str
    source: str
    seen_in: str
    conditions: str
    limits: tuple[Limit, ...]
    doubtful: str = ""

    @property
    def provenance(self) -> str:
        text = f"from {self.source}, not checked against the text (seen in: {self.seen_in})"
        doubts = [self.doubtful, *(f"{METRICS[i.metric][0]}: {i.doubtful}" for i in self.limits if i.doubtful)]
        return "; DOUBTFUL: ".join([text, "; ".join(d for d in doubts if d)]) if any(doubts) else text

    def limit(self, metric: str) -> Limit | None:
        return next((limit for limit in self.limits if limit.metric == metric), None)


@dataclass(frozen=True, slots=True)
class Judged:
    """One limit of a mask against a record. ``passed`` None: the record cannot show it, ``note`` says why."""

    metric: str
    passed: bool | None
    value_ns: float | None
    limit_ns: float | None
    #: where value / limit is largest (None for limits without tau)
    tau_s: float | None
    #: observation intervals that were judged
    from_s: float | None
    to_s: float | None
    note: str = ""

    @property
    def margin(self) -> float | None:
        """1 - value / limit where it is worst: 0.25 says that a quarter of the limit was left; below 0 it is broken."""
        if self.value_ns is None or self.limit_ns is None:
            return None
        return 1.0 - self.value_ns / self.limit_ns

    def as_dict(self) -> dict[str, Any]:
        return {
            "metric": self.metric,
            "passed": self.passed,
            "value_ns": self.value_ns,
            "limit_ns": self.limit_ns,
            "margin": self.margin,
            "worst_tau_s": self.tau_s,
            "judged_from_s": self.from_s,
            "judged_to_s": self.to_s,
            "note": self.note,
        }


@dataclass(frozen=True, slots=True)
class Verdict:
    mask: Mask
    judged: tuple[Judged, ...]

    @property
    def passed(self) -> bool | None:
        """None: nothing of the mask could be judged."""
        known = [j.passed for j in self.judged if j.passed is not None]
        return all(known) if known else None

    @property
    def complete(self) -> bool:
        """Every limit was judged over its whole range."""
        return all(j.passed is not None and not j.note for j in self.judged)

    @property
    def worst(self) -> Judged | None:
        known = [j for j in self.judged if j.margin is not None]
        return min(known, key=lambda j: j.margin or 0.0, default=None)

    def as_dict(self) -> dict[str, Any]:
        return {
            "mask": self.mask.id,
            "title": self.mask.title,
            "passed": self.passed,
            "complete": self.complete,
            "provenance": self.mask.provenance,
            "conditions": self.mask.conditions,
            "limits": [j.as_dict() for j in self.judged],
        }


@cache
def masks() -> Mapping[str, Mask]:
    """All of ``masks.toml``, by id."""
    text = resources.files("ptpstack.analysis").joinpath("masks.toml").read_text(encoding="utf-8")
    return {entry["id"]: _mask(entry) for entry in tomllib.loads(text)["mask"]}


def _mask(entry: dict[str, Any]) -> Mask:
    limits = tuple(
        Limit(
            limit["metric"],
            limit.get("limit_ns"),
            tuple(
                Segment(s["from_s"], s["to_s"], tuple((float(c), float(e)) for c, e in s["terms"]))
                for s in limit.get("segments", ())
            ),
            limit.get("doubtful", ""),
        )
        for limit in entry["limit"]
    )
    return Mask(
        entry["id"],
        entry["title"],
        entry["source"],
        entry["seen_in"],
        entry["conditions"],
        limits,
        entry.get("doubtful", ""),
    )


def mask(name: str) -> Mask:
    """AnalysisError with the near ones for a name that is none."""
    known = masks()
    if name in known:
        return known[name]
    import difflib  # for mistakes only

    near = difflib.get_close_matches(name, known, 3, 0.4)
    raise AnalysisError(
        f"there is no mask {name!r}; "
        + (f"near: {', '.join(near)}" if near else "`ptpstack analyze --masks` lists them")
    )


def judge(
    chosen: Mask, series: EvenSeries, max_te_ns: float, split: Dynamic, known: Sequence[Deviation] = ()
) -> Verdict:
    """``series`` against every limit; ``max_te_ns`` is of all samples, ``split`` and ``known`` of the same record."""
    single = {
        "max-te": max_te_ns,
        "cte": None if split.cte_ns is None else abs(split.cte_ns),
        "max-tel": split.max_tel_ns,
        "dteh-pp": split.dteh_peak_to_peak_ns,
    }
    return Verdict(
        chosen,
        tuple(
            _judge_single(limit, single[limit.metric])
            if limit.limit_ns is not None
            else _judge_curve(limit, series, known)
            for limit in chosen.limits
        ),
    )


def _judge_single(limit: Limit, value: float | None) -> Judged:
    if value is None or limit.limit_ns is None:
        return Judged(limit.metric, None, None, limit.limit_ns, None, None, None, "this record cannot show it")
    return Judged(limit.metric, value <= limit.limit_ns, value, limit.limit_ns, None, None, None)


def _judge_curve(limit: Limit, series: EvenSeries, known: Sequence[Deviation]) -> Judged:
    kind = METRICS[limit.metric][1]
    if limit.metric.startswith("dtel"):
        parts = filtered(series)
        if parts is None:
            return Judged(limit.metric, None, None, None, None, None, None, "too few samples for a filter of 0.1 Hz")
        series, known = parts[0], ()
    ready = next((deviation for deviation in known if deviation.kind == kind), None)
    if ready is not None:
        return judge_deviation(limit, ready)
    try:
        (deviation,) = deviations(series, (kind,))
    except MissingPackageError as error:
        return Judged(limit.metric, None, None, None, None, None, None, str(error))
    return judge_deviation(limit, deviation)


def judge_deviation(limit: Limit, deviation: Deviation) -> Judged:
    span_s = deviation.span_s
    longest = span_s / TDEV_SPAN if deviation.kind == "tdev" else span_s
    compared = [
        (p.value / most, p.tau_s, p.value, most)
        for p in deviation.points
        if p.tau_s <= longest * (1 + 1e-9) and (most := limit.at(p.tau_s)) is not None
    ]
    edges = limit.range_s
    assert edges is not None
    if not compared:
        note = f"the mask is for {_range(edges)}, which {span_s:.6g} s of record cannot show"
        return Judged(limit.metric, None, None, None, None, None, None, note)
    ratio, tau, value, most = max(compared)
    first, last = compared[0][1], compared[-1][1]
    beyond = []
    # only what would need other data is worth a word: the next interval of the list, not the very edge
    if edges[0] > 0.0 and first > edges[0] * 1.3:
        beyond.append(f"below {first:.4g} s")
    if last < edges[1] / 1.3 and edges[1] < math.inf:
        beyond.append(f"above {last:.4g} s")
    note = f"not judged {' and '.join(beyond)} (the mask: {_range(edges)})" if beyond else ""
    return Judged(limit.metric, ratio <= 1.0, value, most, tau, first, last, note)


def _range(edges: tuple[float, float]) -> str:
    return f"{edges[0]:g} s and longer" if edges[1] == math.inf else f"{edges[0]:g} to {edges[1]:g} s"
