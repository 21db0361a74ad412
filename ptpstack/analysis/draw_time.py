"""Time error over time, as a picture: values, bounds, events, and a histogram beside it."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from ptpstack.analysis.errors import AnalysisError
from ptpstack.analysis.series import Floats, Mark, Series

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

#: told apart by people who do not see all colours (Okabe and Ito)
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#56B4E9", "#E69F00", "#8A8A8A", "#000000")
RED = "#C00000"
#: more samples than this are drawn as the range of each of so many slices
_SLICES = 1500
#: up to so many are drawn one by one
_SINGLE = 6000
#: what reaches no further than so many times the usual spread is drawn in full
_KEPT = 6.0
#: a bound larger than so many times the values would flatten them: it is told instead of drawn
_BOUND_KEPT = 6.0
#: a line is not drawn over a gap of more than so many intervals
_BROKEN = 6.0
#: events closer than this share of the width become one
_EVENT_SHARE = 0.012
#: events that get a number and a line of text
_EVENTS = 14


def shown(text: str) -> str:
    """Text of a file as it is: no formula between two $, no control characters, no label that a legend leaves out."""
    text = "".join(c if c.isprintable() else "?" for c in text).replace("$", r"\$")
    return " " + text if text.startswith("_") else text


@dataclass(frozen=True, slots=True)
class Unit:
    name: str
    scale: float


def time_unit(ns: float) -> Unit:
    for limit, name, scale in ((2e3, "ns", 1.0), (2e6, "µs", 1e-3), (2e9, "ms", 1e-6)):
        if ns < limit:
            return Unit(name, scale)
    return Unit("s", 1e-9)


def _axis_unit(seconds: float) -> Unit:
    for limit, name, scale in ((600.0, "s", 1.0), (4 * 3600.0, "min", 1 / 60), (4 * 86400.0, "h", 1 / 3600)):
        if seconds <= limit:
            return Unit(name, scale)
    return Unit("days", 1 / 86400)


def events_of(series: Sequence[Series], stated: Sequence[Mark] | None) -> list[Mark]:
    if stated is not None:
        return sorted(stated)
    marks = {mark for one in series for mark in one.events}
    return sorted(marks)


def draw_time_error(
    figure: Figure, grid: Callable[..., Any], series: Sequence[Series], events: Sequence[Mark], title: str
) -> None:
    drawn = [one for one in series if len(one)]
    if not drawn:
        raise AnalysisError("there is no sample to draw")
    begin = min(float(np.min(one.t_s)) for one in drawn)
    end = max(float(np.max(one.t_s)) for one in drawn)
    listed = _grouped(events, begin, end)
    rows = math.ceil(min(len(listed), _EVENTS) / 2) + (len(listed) > _EVENTS)
    outer = grid(2, 2, width_ratios=(5.0, 1.0), height_ratios=(1.0, max(0.01, 0.05 * rows)))
    axes = figure.add_subplot(outer[0, 0])
    beside = figure.add_subplot(outer[0, 1], sharey=axes)
    axes.set_title(shown(title), pad=16.0 if listed else 6.0)
    ranges = [_shown_ns(one) for one in drawn]
    low, high = min(r[0] for r in ranges), max(r[1] for r in ranges)
    unit = time_unit(max(abs(low), abs(high)))
    across = _axis_unit(end - begin)
    beyond = []
    for index, one in enumerate(drawn):
        colour = COLOURS[index % len(COLOURS)]
        _band(axes, one, colour, across, unit, max(abs(low), abs(high)))
        _line(axes, one, colour, across, unit)
        _histogram(beside, one, colour, unit, low, high)
        outside = _outside(axes, one, colour, across, unit, low, high)
        if outside:
            beyond.append(outside if len(drawn) == 1 else f"{shown(one.name)}: {outside}")
    axes.set_ylim(low * unit.scale, high * unit.scale)
    margin = 0.01 * (end - begin) or 1.0
    axes.set_xlim((begin - margin) * across.scale, (end + margin) * across.scale)
    axes.axhline(0.0, color="#707070", linewidth=0.7)
    kinds = {one.kind for one in drawn}
    axes.set_ylabel(f"{kinds.pop() if len(kinds) == 1 else 'offset'} / {unit.name}")
    most = max(len(one) for one in drawn)
    merged = f"   (lines: means of {most // _SLICES} samples; shades: their range)" if most > _SINGLE else ""
    axes.set_xlabel(f"time / {across.name}{merged}")
    beside.tick_params(labelleft=False)
    beside.set_xlabel("samples / %")
    beside.set_title("histogram", fontweight="normal", fontsize=9.0)
    axes.legend(loc="lower left", ncols=3, frameon=True, framealpha=0.85, edgecolor="none")
    if beyond:
        text = "\n".join(beyond)
        axes.text(0.995, 0.985, text, transform=axes.transAxes, ha="right", va="top", fontsize=8.0, color=RED)
    _mark_events(axes, listed, across)
    below = figure.add_subplot(outer[1, :])
    below.axis("off")
    _list_events(below, listed)


def _shown_ns(series: Series) -> tuple[float, float]:
    """What shows nearly all of a series: a start-up of 10 ms must not flatten an hour of 10 ns."""
    _, x, bound = series.arrays()
    x = x[np.isfinite(x)]
    if len(x) == 0:
        return -1.0, 1.0
    low, middle, high = (float(q) for q in np.quantile(x, (0.025, 0.5, 0.975)))
    spread = max(high - low, 1e-3)
    # all of it, unless that makes the usual small
    low = float(x.min()) if middle - x.min() <= _KEPT * spread else low - 0.5 * spread
    high = float(x.max()) if x.max() - middle <= _KEPT * spread else high + 0.5 * spread
    if bound is not None and np.isfinite(bound).any():
        # the usual bound belongs into the picture, not the one from before the lock
        centre = 0.0 if series.kind == "time error" else middle
        usual = float(np.quantile(bound[np.isfinite(bound)], 0.9))
        if usual <= _BOUND_KEPT * max(abs(low), abs(high)):
            low, high = min(low, centre - usual), max(high, centre + usual)
    elif low > 3.0 * spread or -high > 3.0 * spread:
        # far from zero: the picture is of what moves
        return low - 0.15 * spread, high + 0.15 * spread
    low, high = min(low, 0.0), max(high, 0.0)
    # room for the legend below
    return low - 0.16 * (high - low) - 1e-3, high + 0.08 * (high - low) + 1e-3


def _line(axes: Axes, series: Series, colour: str, across: Unit, unit: Unit) -> None:
    t, x, _ = series.arrays()
    t, x = _with_gaps(t, x)
    if len(x) <= _SINGLE:
        style: dict[str, Any] = {"marker": ".", "markersize": 3.0} if len(x) <= 400 else {}
        axes.plot(
            t * across.scale, x * unit.scale, color=colour, linewidth=0.8, label=shown(series.name), zorder=3, **style
        )
        return
    known = np.isfinite(x)
    middle, low, mean, high = _slices(t[known], x[known])
    width = (middle[-1] - middle[0]) / _SLICES
    middle, low, mean, high = _parted(_BROKEN * width, middle, low, mean, high)
    axes.fill_between(
        middle * across.scale, low * unit.scale, high * unit.scale, color=colour, alpha=0.45, linewidth=0.0, zorder=2.5
    )
    axes.plot(middle * across.scale, mean * unit.scale, color=colour, linewidth=0.9, zorder=3, label=shown(series.name))


def _with_gaps(t: Floats, x: Floats) -> tuple[Floats, Floats]:
    """With a NaN in every gap, so that no line is drawn over it."""
    if len(t) < 3:
        return t, x
    parted = _parted(_BROKEN * float(np.median(np.diff(t))), t, x)
    return parted[0], parted[1]


def _parted(longest: float, t: Floats, *values: Floats) -> tuple[Floats, ...]:
    """A NaN among ``t`` and each of ``values`` wherever two times are more than ``longest`` apart."""
    where = np.flatnonzero(np.diff(t) > longest) + 1
    return tuple(np.insert(column, where, np.nan) for column in (t, *values))


def _slices(t: Floats, x: Floats) -> tuple[Floats, Floats, Floats, Floats]:
    """(time, least, mean, largest) of each slice of equal time that holds a sample."""
    width = (t[-1] - t[0]) / _SLICES or 1.0
    cell = np.minimum(((t - t[0]) / width).astype(np.int64), _SLICES - 1)
    starts = np.flatnonzero(np.concatenate(([True], np.diff(cell) > 0)))
    counts = np.diff(np.concatenate((starts, [len(x)])))
    return (
        np.add.reduceat(t, starts) / counts,
        np.minimum.reduceat(x, starts),
        np.add.reduceat(x, starts) / counts,
        np.maximum.reduceat(x, starts),
    )


def _band(axes: Axes, series: Series, colour: str, across: Unit, unit: Unit, reach_ns: float) -> None:
    """The bound: around zero for a true error (the clock claims to be that good), around the value for an estimate."""
    t, x, bound = series.arrays()
    if bound is None or not np.isfinite(bound).any():
        return
    step = max(1, len(t) // _SLICES)
    known = np.isfinite(bound)
    if step > 1:
        starts = np.arange(0, len(t), step)
        # the widest of a slice, where one is known
        bound = np.where(known, bound, -np.inf)
        bound = np.maximum.reduceat(bound, starts)
        bound = np.where(np.isfinite(bound), bound, np.nan)
        t, x = t[starts], x[starts]
    centre = x if series.kind != "time error" else np.zeros_like(x)
    usual = float(np.median(bound[np.isfinite(bound)]))
    size = time_unit(usual)
    beyond = f" (about {usual * size.scale:.4g} {size.name}, beyond the picture)" if usual > reach_ns else ""
    axes.fill_between(
        t * across.scale,
        (centre - bound) * unit.scale,
        (centre + bound) * unit.scale,
        color=colour,
        alpha=0.14,
        linewidth=0.0,
        zorder=1.5,
        label=f"{shown(series.name)}: bound{beyond}",
    )


def _histogram(axes: Axes, series: Series, colour: str, unit: Unit, low: float, high: float) -> None:
    _, x, _ = series.arrays()
    x = x[np.isfinite(x)]
    edges = _bins(x, low, high) * unit.scale
    counts, _ = np.histogram(np.clip(x * unit.scale, edges[0], edges[-1]), bins=edges)
    axes.stairs(100.0 * counts / max(1, len(x)), edges, orientation="horizontal", fill=True, color=colour, alpha=0.5)


def _bins(x: Floats, low: float, high: float) -> Floats:
    """Edges for about 80 bins; whole nanoseconds get bins of equally many, or the histogram would be a comb."""
    step = (high - low) / 80.0
    if step < 0.2 or not np.array_equal(x, np.rint(x)):
        return np.linspace(low, high, 81)
    step = math.ceil(step)
    first = math.floor(low) - 0.5
    return first + step * np.arange(math.ceil((high - first) / step) + 1.0)


def _outside(axes: Axes, series: Series, colour: str, across: Unit, unit: Unit, low: float, high: float) -> str:
    """Mark what the picture cuts off at its edges, and say how much that is."""
    t, x, _ = series.arrays()
    above, below = x > high, x < low
    if not (above.any() or below.any()):
        return ""
    for out, marker, share in ((above, "^", 0.98), (below, "v", 0.02)):
        where = t[out]
        where = where[:: max(1, len(where) // 200)]
        height = np.full(len(where), share)
        axes.plot(
            where * across.scale,
            height,
            marker,
            color=colour,
            markersize=4.0,
            zorder=4,
            transform=axes.get_xaxis_transform(),
        )
    worst = float(x[np.argmax(np.where(above | below, np.abs(x), 0.0))])
    biggest = time_unit(abs(worst))
    many = int(above.sum() + below.sum())
    largest = f"{worst * biggest.scale:+.4g} {biggest.name}"
    return f"{many} sample{'s' if many > 1 else ''} beyond the picture, the largest {largest}"


# ---- events ----------------------------------------------------------------------------------------------------


def _grouped(events: Sequence[Mark], begin: float, end: float) -> list[Mark]:
    """Events that would be drawn on top of each other as one."""
    near = _EVENT_SHARE * (end - begin)
    groups: list[list[Mark]] = []
    for mark in events:
        if not begin - near <= mark.t_s <= end + near:
            continue
        if groups and mark.t_s - groups[-1][0].t_s <= near:
            groups[-1].append(mark)
        else:
            groups.append([mark])
    merged = []
    for group in groups:
        texts = list(dict.fromkeys(mark.text for mark in group))
        more = f" (and {len(texts) - 3} more)" if len(texts) > 3 else ""
        merged.append(Mark(group[0].t_s, ", ".join(texts[:3]) + more))
    return merged


def _mark_events(axes: Axes, events: Sequence[Mark], across: Unit) -> None:
    for number, mark in enumerate(events, 1):
        axes.axvline(mark.t_s * across.scale, color="#555555", linewidth=0.7, linestyle=(0, (3, 3)), zorder=2)
        if number <= _EVENTS:
            axes.annotate(
                str(number),
                (mark.t_s * across.scale, 1.0),
                xycoords=("data", "axes fraction"),
                xytext=(0.0, 3.0),
                textcoords="offset points",
                ha="center",
                fontsize=7.5,
                color="#333333",
            )


def _list_events(axes: Axes, events: Sequence[Mark]) -> None:
    """What the numbers mean, in two columns."""
    first = events[:_EVENTS]
    rows = math.ceil(len(first) / 2) + (len(events) > _EVENTS)
    for number, mark in enumerate(first, 1):
        column, row = divmod(number - 1, math.ceil(len(first) / 2))
        text = f"{number}   {_moment(mark.t_s)}   {mark.text}"
        axes.text(
            0.01 + 0.5 * column,
            1.0 - (row + 0.5) / rows,
            shown(text if len(text) < 88 else text[:85] + "..."),
            transform=axes.transAxes,
            va="center",
            fontsize=8.0,
            color="#333333",
        )
    if len(events) > _EVENTS:
        more = f"and {len(events) - _EVENTS} more events (dashed lines without a number)"
        axes.text(0.01, 0.5 / rows, more, transform=axes.transAxes, va="center", fontsize=8.0, color="#777777")


def _moment(t_s: float) -> str:
    if abs(t_s) < 600.0:
        return f"{t_s:.4g} s"
    minutes, seconds = divmod(round(t_s), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{seconds:02d}"
