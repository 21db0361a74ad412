"""An analysis as text for people (rich). Fits 80 columns."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from rich.console import Console
from rich.table import Table
from rich.text import Text

from ptpstack.analysis.deviations import Deviation
from ptpstack.analysis.masks import METRICS, Judged, Mask, Verdict
from ptpstack.analysis.readers import Contents
from ptpstack.analysis.report import Analysis

NOTHING = "\u2013"
#: observation intervals that the table shows, by their leading digit
_SHOWN = (1, 2, 4)


def print_contents(contents: Contents, analyses: Sequence[Analysis], console: Console) -> None:
    console.print(Text.assemble((contents.source, "bold"), f" ({contents.format})"))
    _notes(contents.notes, console)
    for analysis in analyses:
        console.print()
        _one(analysis, console)


def _one(analysis: Analysis, console: Console) -> None:
    f, grid = analysis.figures, analysis.even
    head = Text(analysis.series.name, style="bold")
    every = "" if grid is None else f", every {grid.interval_s:.6g} s"
    head.append(f": {analysis.series.kind}, {f.count} samples over {f.to_s - f.from_s:.6g} s{every}", style="not bold")
    console.print(head)
    console.print()
    console.print(_figures(analysis))
    if analysis.deviations and grid is not None:
        console.print()
        console.print(_deviations(analysis.deviations, grid.interval_s))
    for verdict in analysis.verdicts:
        console.print()
        _verdict(verdict, console)
    if analysis.notes:
        console.print()
        _notes(analysis.notes, console)


def _notes(notes: Iterable[str], console: Console) -> None:
    for note in notes:
        console.print(Text(f"note: {note}", style="yellow"))


def signed(ns: float | None) -> str:
    """Four digits, for example ``+1.254 us``."""
    if ns is None:
        return NOTHING
    for limit, divisor, unit in ((999.95, 1.0, "ns"), (999.95e3, 1e3, "us"), (999.95e6, 1e6, "ms")):
        if abs(ns) < limit:
            value = ns / divisor
            return f"{value:+.3f} {unit}" if abs(value) < 0.9995 else f"{value:+#.4g} {unit}"
    return f"{ns / 1e9:+.4f} s"


def magnitude(ns: float | None) -> str:
    return NOTHING if ns is None else signed(abs(ns)).lstrip("+")


def _table(*columns: str, left: Iterable[str] = ()) -> Table:
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="dim")
    for column in columns:
        table.add_column(column, justify="left" if column in left else "right", no_wrap=True)
    return table


def _figures(analysis: Analysis) -> Table:
    """Names and figures in three pairs of columns."""
    f, d = analysis.figures, analysis.dynamic
    pairs = [
        ("mean", signed(f.mean_ns)),
        ("rms", magnitude(f.rms_ns)),
        ("std", magnitude(f.std_ns)),
        ("min", signed(f.min_ns)),
        ("max", signed(f.max_ns)),
        ("max|TE|", f"{magnitude(f.max_abs_ns)} at {f.max_abs_at_s:.6g} s"),
        ("p50 |TE|", magnitude(f.p50_ns)),
        ("p95", magnitude(f.p95_ns)),
        ("p99", magnitude(f.p99_ns)),
        ("p99.9", magnitude(f.p999_ns)),
        ("TIE end to end", signed(f.tie_ns)),
        ("slope", NOTHING if f.slope_ppb is None else f"{f.slope_ppb:+.3g} ppb"),
    ]
    if d is not None:
        over = "" if d.cte_over_s is None else f" over {d.cte_over_s:.4g} s"
        pairs += [
            ("cTE", signed(d.cte_ns) + over),
            ("dTE_L MTIE", magnitude(d.dtel_mtie_ns)),
            ("dTE_L TDEV", magnitude(d.dtel_tdev_ns)),
            ("dTE_L pk-pk", magnitude(d.dtel_peak_to_peak_ns)),
            ("max|TE_L|", magnitude(d.max_tel_ns)),
            ("dTE_H pk-pk", magnitude(d.dteh_peak_to_peak_ns)),
        ]
    if f.within_bound is not None:
        pairs.append(("within bound", f"{_share(f.within_bound)} of {f.bounded}"))
    if f.bound_to_rms is not None:
        pairs.append(("bound / rms", f"{f.bound_to_rms:.3g}"))
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), show_header=False)
    columns = 2
    for column in range(2 * columns):
        table.add_column(style="dim" if column % 2 == 0 else "", no_wrap=True)
    rows = -(-len(pairs) // columns)
    for row in range(rows):
        cells = [pairs[row + k * rows] if row + k * rows < len(pairs) else ("", "") for k in range(columns)]
        table.add_row(*(text for pair in cells for text in pair))
    return table


def _share(share: float) -> str:
    """Never 100 % for less than all."""
    text = f"{share:.3%}"
    return "> 99.999 %" if text == "100.000%" and share < 1.0 else text.replace("%", " %")


def _deviations(found: Sequence[Deviation], interval_s: float) -> Table:
    table = _table("tau / s", *(d.kind.upper().replace("TIERMS", "TIErms") for d in found))
    by_m = [{round(p.tau_s / interval_s): p for p in d.points} for d in found]
    windows = sorted({m for points in by_m for m in points})
    for m in windows:
        lead = m
        while lead >= 10 and lead % 10 == 0:
            lead //= 10
        if lead not in _SHOWN:
            continue
        cells = []
        for deviation, points in zip(found, by_m, strict=True):
            point = points.get(m)
            if point is None:
                cells.append(NOTHING)
            else:
                cells.append(magnitude(point.value) if deviation.unit == "ns" else f"{point.value:.2e}")
        table.add_row(f"{m * interval_s:.5g}", *cells)
    return table


def _verdict(verdict: Verdict, console: Console) -> None:
    worst = verdict.worst
    if verdict.passed is None:
        word, style = "NOT JUDGED", "bold yellow"
    elif verdict.passed:
        word, style = ("PASS" if verdict.complete else "PASS as far as judged"), "bold green"
    else:
        word, style = "FAIL", "bold red"
    text = Text.assemble((f"{verdict.mask.id}: ", "bold"), (word, style))
    if worst is not None and worst.margin is not None:
        text.append(f", {_margin(worst)}")
    console.print(text)
    console.print(Text(f"  {verdict.mask.title}; {verdict.mask.provenance}", style="dim"))
    console.print(Text(f"  for: {verdict.mask.conditions}", style="dim"))
    table = _table("limit of", "worst", "limit", "at tau", "", left=("limit of", ""))
    for judged in verdict.judged:
        mark = {True: ("pass", "green"), False: ("FAIL", "bold red"), None: ("not judged", "yellow")}[judged.passed]
        tau = NOTHING if judged.tau_s is None else f"{judged.tau_s:.4g} s"
        table.add_row(
            METRICS[judged.metric][0], magnitude(judged.value_ns), magnitude(judged.limit_ns), tau, Text(*mark)
        )
    console.print(table)
    for judged in verdict.judged:
        if judged.note:
            console.print(Text(f"  {METRICS[judged.metric][0]}: {judged.note}", style="yellow"))


def _margin(judged: Judged) -> str:
    assert judged.margin is not None
    where = METRICS[judged.metric][0] + ("" if judged.tau_s is None else f" at {judged.tau_s:.4g} s")
    if judged.margin >= 0.0:
        return f"margin {judged.margin:.1%} of the limit ({where})"
    ratio = 1.0 - judged.margin
    return f"{ratio:.0f} times the limit ({where})" if ratio >= 100.0 else f"{ratio:.3g} times the limit ({where})"


def print_masks(masks: Iterable[Mask], console: Console) -> None:
    for mask in masks:
        console.print(Text.assemble((mask.id, "bold"), f"  {mask.title}"))
        limits = [
            METRICS[i.metric][0] + (f" {magnitude(i.limit_ns)}" if i.limit_ns is not None else "") for i in mask.limits
        ]
        console.print(Text(f"    {', '.join(limits)}"))
        console.print(Text(f"    {mask.provenance}", style="dim"))


def mask_dict(mask: Mask) -> dict[str, object]:
    """A mask as JSON; the end of a range that has none is null."""
    return {
        "id": mask.id,
        "title": mask.title,
        "source": mask.source,
        "seen_in": mask.seen_in,
        "checked_against_the_text": False,
        "doubtful": mask.doubtful,
        "conditions": mask.conditions,
        "limits": [
            {
                "metric": limit.metric,
                "limit_ns": limit.limit_ns,
                "doubtful": limit.doubtful,
                "segments": [
                    {
                        "from_s": s.from_s,
                        "to_s": None if s.to_s == float("inf") else s.to_s,
                        "terms": [{"coefficient_ns": c, "exponent": e} for c, e in s.terms],
                    }
                    for s in limit.segments
                ],
            }
            for limit in mask.limits
        ],
    }
