"""A report as text for people (rich) and as JSON for programs."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence

from rich.console import Console, Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from ptpstack.lab.report import InstanceReport, LabReport, Stretch, Takeover
from ptpstack.lab.statistics import ErrorStatistics
from ptpstack.timebase.units import format_ns

#: histories longer than this are shown by their beginning and end
_LONGEST_HISTORY = 6
NOTHING = "\u2013"


def to_json(report: LabReport) -> str:
    return json.dumps(report.as_dict(), indent=2) + "\n"


def magnitude(ns: float | None) -> str:
    """A size without sign: ``1.25 us``; a dash for None."""
    return NOTHING if ns is None else format_ns(abs(ns)).lstrip("+")


def print_report(report: LabReport, console: Console) -> None:
    """Fits 80 columns and more."""
    console.print(_headline(report))
    for part in (_errors(report), _instances(report), _takeovers(report), _measured(report), _events(report)):
        if part is not None:
            console.print()
            console.print(part)
    for note in report.notes:
        console.print(Text(f"note: {note}", style="yellow"))
    for incident in report.incidents:
        console.print()
        console.print(Text(f"{incident.t_s:.1f} s  {incident.node}: {incident.what}", style="bold red"))
        for line in incident.log_tail:
            console.print(Padding(Text(line, style="dim"), (0, 0, 0, 4)))
    console.print()
    console.print(_verdict(report))


def _headline(report: LabReport) -> Text:
    text = Text(f"Lab {report.name}", style="bold")
    told = f": {report.duration_s:.1f} s" + (" (interrupted)" if report.interrupted else "")
    text.append(told + f", nodes answered after {report.started_in_s:.1f} s", style="not bold")
    if report.description:
        text.append(f"\n{' '.join(report.description.split())}", style="not bold dim")
    return text


def _verdict(report: LabReport) -> Text:
    if report.failed:
        count = len(report.incidents)
        return Text(f"FAILED: {count} thing{'s' if count > 1 else ''} that should not have happened", style="bold red")
    if report.interrupted:
        return Text("Interrupted; nothing had gone wrong until then", style="bold yellow")
    return Text("Everything ran as it was told to", style="bold green")


def _title(text: str) -> Text:
    """Not the table's own title, which rich would fold to the table's width."""
    return Text(text, style="bold")


def _table(*columns: str, right: Iterable[str] = ()) -> Table:
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="dim")
    for column in columns:
        table.add_column(column, justify="right" if column in right else "left", overflow="fold")
    return table


def _cells(statistics: ErrorStatistics | None) -> list[str]:
    if statistics is None:
        return [NOTHING] * 3
    return [magnitude(statistics.p50_ns), magnitude(statistics.p95_ns), magnitude(statistics.max_ns)]


def _errors(report: LabReport) -> RenderableType | None:
    if not report.clocks:
        return None
    numbers = ("p50", "p95", "max")
    title = f"True error of the clocks, |clock - time base|, after {report.settle_s:g} s"
    table = _table("clock", "phase", *numbers, right=numbers)
    for clock in report.clocks:
        name = clock.node if clock.name in ("clock", clock.node) else f"{clock.node}/{clock.name}"
        table.add_row(name, "all", *_cells(clock.overall))
        for phase, statistics in clock.phases.items():
            table.add_row("", phase, *_cells(statistics))
    return Group(_title(title), table)


def history(stretches: Sequence[Stretch]) -> str:
    """``gm-a 0.0, gm-b 31.2``: each value with the lab time of its beginning."""
    shown = [f"{stretch.value} {stretch.from_s:.1f}" for stretch in stretches]
    if len(shown) > _LONGEST_HISTORY:
        half = _LONGEST_HISTORY // 2
        shown = [*shown[:half], f"({len(shown) - 2 * half} more)", *shown[-half:]]
    return ", ".join(shown)


def _percent(share: float | None) -> str:
    return NOTHING if share is None else f"{100 * share:.1f} %"


def _instances(report: LabReport) -> RenderableType | None:
    profiles: dict[int, list[str]] = {}
    for instance in report.instances:
        names = profiles.setdefault(instance.domain, [])
        if instance.profile and instance.profile not in names:
            names.append(instance.profile)
    groups: list[RenderableType] = []
    for domain, names in sorted(profiles.items()):
        title = ", ".join([f"Domain {domain}", *names]) + " (lab time of each change, s)"
        table = _table("node", "grandmaster", "ports", "lock", "in bound", right=("lock", "in bound"))
        for instance in report.instances:
            if instance.domain == domain:
                table.add_row(*_instance_cells(instance))
        groups += [*([Text()] if groups else []), _title(title), table]
    return Group(*groups) if groups else None


def _instance_cells(instance: InstanceReport) -> list[str]:
    ports = [f"{port.interface or port.number}: {history(port.states)}" for port in instance.ports]
    lock = NOTHING if instance.lock_s is None else f"{instance.lock_s:.1f} s"
    return [instance.node, history(instance.followed), "\n".join(ports), lock, _percent(instance.bound_coverage)]


def _outcome(takeover: Takeover) -> str:
    if takeover.after == takeover.node:
        return "leads now"
    if takeover.after is None:
        return f"stayed with {takeover.before}" if takeover.event.startswith("degrade") else "found no other"
    return takeover.after


def _takeovers(report: LabReport) -> RenderableType | None:
    if not report.takeovers:
        return None
    groups: list[RenderableType] = []
    numbers = ("after", "worst error", "worst later")
    for event in dict.fromkeys((t.at_s, t.event) for t in report.takeovers):
        table = _table("client", "from", "to", *numbers, right=numbers)
        mine = [t for t in report.takeovers if (t.at_s, t.event) == event]
        for takeover in mine:
            took = NOTHING if takeover.took_s is None else f"{takeover.took_s:.1f} s"
            errors = [magnitude(takeover.worst_error_ns), magnitude(takeover.worst_later_ns)]
            table.add_row(f"{takeover.node}/{takeover.instance}", takeover.before, _outcome(takeover), took, *errors)
        groups += [*([Text()] if groups else []), _title(f"{event[0]:.1f} s: {event[1]}"), table]
        explained = next((t for t in mine if t.why), None)
        if explained is not None:
            groups.append(Text(f"why, says {explained.node}:", style="dim"))
            groups += [Padding(Text(line, style="dim"), (0, 0, 0, 2)) for line in explained.why]
    return Group(*groups)


def _measured(report: LabReport) -> RenderableType | None:
    if not report.measured:
        return None
    numbers = ("samples", "p50", "p95", "max")
    table = _table("node", "phase", *numbers, right=numbers)
    for node in report.measured:
        for phase, statistics in [("all", node.overall), *node.phases.items()]:
            count = str(statistics.count) if statistics else "0"
            table.add_row(node.node if phase == "all" else "", phase, count, *_cells(statistics))
    removed = [
        f"{n.node}: {n.whole_seconds_removed:+d} s taken away" for n in report.measured if n.whole_seconds_removed
    ]
    scales = [Text(f"{', '.join(removed)} (UTC beside TAI)", style="dim")] if removed else []
    return Group(_title("Offsets that foreign nodes report of themselves"), table, *scales)


def _events(report: LabReport) -> RenderableType | None:
    if not report.events:
        return None
    table = _table("due", "done", "what", right=("due", "done"))
    for executed in report.events:
        outcome = f"  FAILED: {executed.failure}" if executed.failure else ""
        table.add_row(f"{executed.event.at_s:.1f} s", f"{executed.done_s:.2f} s", f"{executed.event}{outcome}")
    return Group(_title("Events"), table)
