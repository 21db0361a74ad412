"""Plots for people: time error with its bound, deviations with masks.

``plot_time_error`` and ``plot_deviation`` draw one picture each, ``plot_report`` both and a histogram on one page. The
path's suffix (.png, .svg, .pdf) says what is written. Nothing is hidden: what lies outside the drawn range is counted
in the picture, and where there are more samples than dots the range of each dot is drawn.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ptpstack.analysis.deviations import Deviation
from ptpstack.analysis.draw_deviation import Curve, curves_of, draw_deviations
from ptpstack.analysis.draw_time import COLOURS, draw_time_error, events_of, shown
from ptpstack.analysis.errors import AnalysisError, MissingPackageError
from ptpstack.analysis.masks import Mask
from ptpstack.analysis.report import Analysis
from ptpstack.analysis.series import Mark, Series

if TYPE_CHECKING:
    from matplotlib.figure import Figure

SUFFIXES = (".png", ".svg", ".pdf")
_STYLE: dict[str, Any] = {
    "font.size": 9.0,
    "axes.titlesize": 10.0,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "grid.color": "#E4E4E4",
    "grid.linewidth": 0.6,
    "axes.axisbelow": True,
    "legend.frameon": False,
    "legend.fontsize": 8.0,
    "svg.hashsalt": "ptpstack",
    # text stays text: it can be searched
    "svg.fonttype": "none",
    "path.simplify": True,
}


def plot_time_error(
    series: Sequence[Series], path: str | Path, events: Sequence[Mark] | None = None, title: str = "Time error"
) -> None:
    """Time error of each series over time with its bound as a band, beside it a histogram, below it the events.

    ``events`` None: those of the series. AnalysisError when nothing can be drawn or written.
    """
    figure = _figure(path, (11.0, 5.6))
    with _styled():
        draw_time_error(figure, figure.add_gridspec, series, events_of(series, events), title)
        _save(figure, path)


def plot_deviation(
    curves: Sequence[tuple[str, Deviation]], path: str | Path, masks: Sequence[Mask] = (), title: str = ""
) -> None:
    """(name, deviation) of one kind or several over tau, log-log; a panel to a kind, with its limits of ``masks``."""
    if not any(deviation.points for _, deviation in curves):
        raise AnalysisError("there is no deviation to draw: too few samples")
    kinds = list(dict.fromkeys(deviation.kind for _, deviation in curves))
    figure = _figure(path, (5.6 * len(kinds), 4.8))
    with _styled():
        for axes, kind in zip(np.atleast_1d(figure.subplots(1, len(kinds))), kinds, strict=True):
            names = list(dict.fromkeys(name for name, _ in curves))
            chosen = [
                Curve(name, deviation, COLOURS[names.index(name) % len(COLOURS)])
                for name, deviation in curves
                if deviation.kind == kind
            ]
            limits = [(one.id, limit) for one in masks if (limit := one.limit(kind)) is not None]
            draw_deviations(axes, chosen, limits)
        if title:
            figure.suptitle(shown(title), x=0.01, ha="left", fontweight="bold")
        _save(figure, path)


def plot_report(analyses: Sequence[Analysis], path: str | Path, masks: Sequence[Mask] = (), title: str = "") -> None:
    """One page: time error with histogram and events, MTIE and TDEV with masks, Allan deviations."""
    if not analyses:
        raise AnalysisError("there is nothing to draw")
    series = [analysis.series for analysis in analyses]
    figure = _figure(path, (12.0, 9.4))
    with _styled():
        grid = figure.add_gridspec(2, 1, height_ratios=(1.15, 1.0))
        draw_time_error(figure, grid[0].subgridspec, series, events_of(series, None), title or "Time error")
        lower = grid[1].subgridspec(1, 3)
        for column, kind in enumerate(("mtie", "tdev", "mdev")):
            axes = figure.add_subplot(lower[column])
            curves, limits = curves_of(analyses, kind, masks)
            draw_deviations(axes, curves, limits)
        _save(figure, path)


def check_path(path: str | Path) -> None:
    """AnalysisError for a suffix that no picture has."""
    if Path(path).suffix.lower() not in SUFFIXES:
        raise AnalysisError(f"{path}: a plot is written as {', '.join(SUFFIXES)}: give it such a name")


def _figure(path: str | Path, size: tuple[float, float]) -> Figure:
    check_path(path)
    try:
        from matplotlib.figure import Figure
    except ModuleNotFoundError as error:
        raise MissingPackageError(error.name or "matplotlib", "a plot") from error
    # not pyplot: nothing global, no display
    return Figure(figsize=size, layout="constrained")


def _styled() -> Any:
    import matplotlib

    style: Any = _STYLE
    return matplotlib.rc_context(style)


def _save(figure: Figure, path: str | Path) -> None:
    metadata = {"Date": None} if Path(path).suffix.lower() == ".svg" else None
    try:
        figure.savefig(path, dpi=130, metadata=metadata)
    except OSError as error:
        raise AnalysisError(f"the plot cannot be written to {path}: {error.strerror or error}") from error
