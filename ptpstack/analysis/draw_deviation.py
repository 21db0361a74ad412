"""Deviations over the observation interval, log-log, with the limits of masks and where they are broken."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

import numpy as np

from ptpstack.analysis.deviations import Deviation, by_tau, deviations
from ptpstack.analysis.draw_time import COLOURS, RED, Unit, shown, time_unit
from ptpstack.analysis.figures import filtered
from ptpstack.analysis.masks import TDEV_SPAN, Judged, Limit, Mask, judge_deviation
from ptpstack.analysis.report import Analysis
from ptpstack.analysis.series import Floats

if TYPE_CHECKING:
    from matplotlib.axes import Axes

#: in the legend, for the part of a curve that is beyond a twelfth of the record
_FEW = "few terms"
#: (name of the mask, its limit)
Named: TypeAlias = tuple[str, Limit]


@dataclass(frozen=True, slots=True)
class Curve:
    name: str
    deviation: Deviation
    colour: str
    #: of the low-passed time error
    dynamic: bool = False

    @property
    def label(self) -> str:
        return shown(self.name if len(self.name) <= 40 else "..." + self.name[-37:])


def curves_of(analyses: Sequence[Analysis], kind: str, masks: Sequence[Mask]) -> tuple[list[Curve], list[Named]]:
    """The curves of a panel, and the limits for them; dTE_L's beside when a mask asks for it."""
    plain = [(m.id, limit) for m in masks if (limit := m.limit(kind)) is not None]
    dynamic = [(m.id, limit) for m in masks if (limit := m.limit(f"dtel-{kind}")) is not None]
    curves = []
    for index, analysis in enumerate(analyses):
        colour = COLOURS[index % len(COLOURS)]
        found = next((d for d in analysis.deviations if d.kind == kind), None)
        if found is None:
            continue
        curves.append(Curve(analysis.series.name, found, colour))
        parts = None if analysis.even is None or not dynamic else filtered(analysis.even)
        if parts is not None:
            (deviation,) = deviations(parts[0], (kind,))
            curves.append(Curve(f"{analysis.series.name}, dTE_L", deviation, colour, True))
    return curves, [*plain, *dynamic]


def draw_deviations(axes: Axes, curves: Sequence[Curve], limits: Sequence[Named]) -> None:
    """One panel; every curve is compared with the limits of its own filter."""
    curves = [curve for curve in curves if any(p.value > 0.0 for p in curve.deviation.points)]
    if not curves:
        axes.text(0.5, 0.5, "too few samples", transform=axes.transAxes, ha="center", color="#777777")
        axes.axis("off")
        return
    first = curves[0].deviation
    axes.set_xscale("log")
    axes.set_yscale("log")
    axes.grid(True, which="minor", color="#F2F2F2", linewidth=0.4)
    axes.set_title(f"{first.kind.upper()}: {first.title}", pad=18.0 if limits else 6.0)
    unit = time_unit(max(p.value for c in curves for p in c.deviation.points)) if first.unit else Unit("", 1.0)
    axes.set_ylabel(f"{first.kind.upper()}{' / ' + unit.name if unit.name else ''}")
    axes.set_xlabel("observation interval τ / s")
    judged_dynamic = {limit.metric.startswith("dtel") for _, limit in limits}
    for curve in curves:
        # beside limits, what they are not for steps back
        _draw_curve(axes, curve, unit.scale, faint=bool(judged_dynamic) and curve.dynamic not in judged_dynamic)
    points = [p for curve in curves for p in curve.deviation.points if p.value > 0.0]
    span = min(p.tau_s for p in points), max(p.tau_s for p in points)
    low, high = min(p.value for p in points), max(p.value for p in points)
    judged: list[tuple[Curve, str, Judged]] = []
    for order, (name, limit) in enumerate(limits):
        values = _draw_limit(axes, name, limit, span, order, unit.scale)
        low, high = min([low, *values]), max([high, *values])
        for curve in curves:
            if curve.dynamic == limit.metric.startswith("dtel"):
                judged.append((curve, name, _violation(axes, limit, curve, unit.scale)))
    axes.set_ylim(unit.scale * low / 1.8, unit.scale * high * 2.4)
    axes.set_xlim(span[0] / 1.3, span[1] * 1.3)
    _plain_ticks(axes, first.unit != "")
    axes.legend(loc="best", frameon=True, framealpha=0.85, edgecolor="none")
    _verdict(axes, judged, unit.scale)


def _draw_curve(axes: Axes, curve: Curve, scale: float, faint: bool) -> None:
    tau, value = by_tau(curve.deviation)
    good = value > 0.0
    tau, value = tau[good], value[good] * scale
    alpha = 0.3 if faint else 1.0
    # beyond a twelfth of the record a deviation has few terms: drawn, but not like the rest
    sure = np.ones(len(tau), dtype=bool)
    if curve.deviation.kind not in ("mtie", "tierms"):
        sure = tau <= curve.deviation.span_s / TDEV_SPAN
    last = int(sure.sum())
    axes.plot(
        tau[:last],
        value[:last],
        color=curve.colour,
        linewidth=1.2,
        linestyle=(0, (3, 1)) if curve.dynamic else "-",
        marker="o",
        markersize=2.2,
        alpha=alpha,
        label=curve.label,
        zorder=3,
    )
    rest = slice(max(0, last - 1), None)
    if last < len(tau):
        told = any(line.get_label() == _FEW for line in axes.get_lines())
        label = "_" if told else _FEW
        axes.plot(
            tau[rest], value[rest], color=curve.colour, linewidth=0.7, linestyle=":", alpha=alpha, zorder=3, label=label
        )


def _draw_limit(
    axes: Axes, name: str, limit: Limit, span: tuple[float, float], order: int, scale: float
) -> list[float]:
    """The mask's line over the drawn range; its values there."""
    tau = np.geomspace(span[0], max(span[1], span[0] * 1.01), 400)
    values = _limits_at(limit, tau)
    if not np.isfinite(values).any():
        return []
    dashes = [(0, (6, 2)), (0, (2, 1.5)), (0, (6, 2, 1, 2)), (0, (1, 1))][order % 4]
    axes.plot(tau, values * scale, color="#202020", linewidth=1.3, linestyle=dashes, label=f"limit: {name}", zorder=2.8)
    return [float(v) for v in values[np.isfinite(values)]]


def _limits_at(limit: Limit, tau: Floats) -> Floats:
    """ns, NaN where the mask says nothing."""
    return np.array([at if (at := limit.at(float(t))) is not None else np.nan for t in tau])


def _violation(axes: Axes, limit: Limit, curve: Curve, scale: float) -> Judged:
    """Red where a curve is above its limit."""
    judged = judge_deviation(limit, curve.deviation)
    if judged.passed is not False or judged.to_s is None or judged.value_ns is None or judged.limit_ns is None:
        return judged
    tau, value = by_tau(curve.deviation)
    most = _limits_at(limit, tau)
    within = tau <= judged.to_s
    tau, value, most = tau[within], value[within] * scale, most[within] * scale
    broken = value > most
    axes.fill_between(tau, most, value, where=broken.tolist(), color=RED, alpha=0.22, linewidth=0.0, interpolate=True)
    axes.plot(tau[broken], value[broken], "o", color=RED, markersize=2.8, zorder=4)
    return judged


def _verdict(axes: Axes, judged: Sequence[tuple[Curve, str, Judged]], scale: float) -> None:
    """One line under the title: how far the worst curve is above its limit, or what is left of it."""
    known = [(j.value_ns / j.limit_ns, curve, name, j) for curve, name, j in judged if j.value_ns and j.limit_ns]
    if not known:
        return
    ratio, curve, name, worst = max(known, key=lambda k: k[0])
    if ratio > 1.0:
        factor = f"{ratio:.0f}" if ratio >= 100.0 else f"{ratio:.3g}"
        text, colour = f"{factor} x the limit at {worst.tau_s:.4g} s", RED
        at = [worst.tau_s or 0.0], [(worst.value_ns or 0.0) * scale]
        axes.plot(*at, "o", color=RED, markersize=9.0, fillstyle="none", zorder=6)
    else:
        text, colour = f"within the limit, {100.0 * (1.0 - ratio):.2g} % left at {worst.tau_s:.4g} s", "#1B7837"
    if len({one for _, one, _ in judged}) > 1:
        text += f", {name}"
    if len({one.name for one, _, _ in judged}) > 1:
        text += f", {curve.label if len(curve.label) <= 28 else '...' + curve.label[-25:]}"
    line = axes.text(0.0, 1.012, text, transform=axes.transAxes, fontsize=8.0, color=colour)
    # a long name must not narrow the panel
    line.set_in_layout(False)


def _plain_ticks(axes: Axes, plain_values: bool) -> None:
    """1, 10, 100 rather than powers, and on a short axis the numbers between."""
    from matplotlib.ticker import FuncFormatter, LogFormatterSciNotation, LogLocator, NullFormatter

    def plain(value: float, _: object) -> str:
        return f"{value:g}" if 1e-3 <= value < 1e5 else f"$10^{{{math.log10(value):.0f}}}$"

    for axis, (low, high), numbers in (
        (axes.xaxis, axes.get_xlim(), True),
        (axes.yaxis, axes.get_ylim(), plain_values),
    ):
        axis.set_major_formatter(FuncFormatter(plain) if numbers else LogFormatterSciNotation())
        axis.set_minor_formatter(NullFormatter())
        if high / low < 60.0 and numbers:
            axis.set_minor_locator(LogLocator(subs=(2.0, 5.0)))
            axis.set_minor_formatter(FuncFormatter(plain))
