"""Everything there is to say of one series. ``as_dict`` is the JSON of docs/analysis.md."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from ptpstack.analysis.deviations import USUAL, Deviation, deviations
from ptpstack.analysis.errors import AnalysisError, MissingPackageError
from ptpstack.analysis.figures import Dynamic, Figures, dynamic, figures
from ptpstack.analysis.masks import Mask, Verdict, judge
from ptpstack.analysis.series import BRIDGE, EvenSeries, Series, even, usable

SCHEMA = "ptpstack-analysis/1"
#: a median offset beyond this, ns, is rather another time scale than an error
_SCALE_NS = 5e8
#: an error so many times the 95th percentile, in the first so large a part of the record, is a start-up
_START = 20.0
_BEGINNING = 0.05


@dataclass(frozen=True, eq=False)
class Analysis:
    """Of one series. ``even``, ``dynamic`` and the deviations are missing when there are too few samples."""

    series: Series
    figures: Figures
    even: EvenSeries | None
    dynamic: Dynamic | None
    deviations: tuple[Deviation, ...]
    verdicts: tuple[Verdict, ...]
    notes: tuple[str, ...]

    def as_dict(self) -> dict[str, Any]:
        grid = self.even
        return {
            "name": self.series.name,
            "kind": self.series.kind,
            "figures": self.figures.as_dict(),
            "grid": None
            if grid is None
            else {
                "interval_s": grid.interval_s,
                "start_s": grid.start_s,
                "span_s": grid.span_s,
                "samples": grid.count,
                "stretches": len(grid.stretches),
                "filled": grid.filled,
                "left_out": grid.left_out,
            },
            "dynamic": None if self.dynamic is None else self.dynamic.as_dict(),
            "deviations": {
                d.kind: {
                    "title": d.title,
                    "unit": d.unit,
                    "tau_s": [p.tau_s for p in d.points],
                    "value": [p.value for p in d.points],
                    "terms": [p.terms for p in d.points],
                }
                for d in self.deviations
            },
            "masks": [verdict.as_dict() for verdict in self.verdicts],
            "events": [{"t_s": mark.t_s, "text": mark.text} for mark in self.series.events],
            "notes": list(self.notes),
        }


def analyse(
    series: Series,
    *,
    masks: Sequence[Mask] = (),
    kinds: Sequence[str] = USUAL,
    interval_s: float | None = None,
    bridge: int = BRIDGE,
) -> Analysis:
    """All figures of a series. AnalysisError when there is not a single sample."""
    series, told = usable(series)
    notes = list(told)
    plain = figures(series)
    if plain.p50_ns > _SCALE_NS:
        notes.append(
            f"half of the values are beyond {plain.p50_ns / 1e9:.3f} s: another time scale (UTC against TAI is 37 s) "
            "rather than an error"
        )
    span = plain.to_s - plain.from_s
    if plain.max_abs_ns > _START * plain.p95_ns and plain.max_abs_at_s - plain.from_s < _BEGINNING * span:
        notes.append(
            f"the largest error is at the beginning ({plain.max_abs_at_s:.6g} s) and far above the rest: a start-up is "
            "in these figures (--from leaves it out)"
        )
    try:
        grid = even(series, interval_s, bridge)
    except AnalysisError as error:
        notes.append(f"no deviations: {error}")
        return Analysis(series, plain, None, None, (), (), tuple(notes))
    notes += grid.notes
    try:
        found = deviations(grid, kinds)
    except MissingPackageError as error:
        notes.append(f"only MTIE and TIErms: {error}")
        found = deviations(grid, [kind for kind in kinds if kind in ("mtie", "tierms")])
    split = dynamic(grid)
    notes += split.notes
    if masks and series.kind != "time error":
        notes.append(
            "a mask is for true time error; these are somebody's own estimates, and the verdict is of these only"
        )
    verdicts = tuple(judge(mask, grid, plain.max_abs_ns, split, found) for mask in masks)
    return Analysis(series, plain, grid, split, found, verdicts, tuple(notes))
