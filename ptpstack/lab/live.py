"""Watching a lab: a terminal view with rich, or plain lines where there is no terminal.

The view answers three questions at a glance: who follows whom, how wrong is each clock really, and what has just
happened.
"""

from __future__ import annotations

import math
import time
from collections import deque
from collections.abc import Iterable, Sequence
from types import TracebackType

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.panel import Panel
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from ptpstack.lab.recording import InstanceRecording, InstanceSample, NodeRecording, Recording
from ptpstack.lab.render import NOTHING, magnitude
from ptpstack.timebase.units import format_ns

_REDRAW_S = 0.25
_PLAIN_S = 5.0
_BLOCKS = "▁▂▃▄▅▆▇█"
#: (state, colour, short name) of the port states that a view shows
_STATES = {
    "SLAVE": ("green", "slave"),
    "MASTER": ("cyan", "master"),
    "PASSIVE": ("blue", "passive"),
    "UNCALIBRATED": ("yellow", "uncal"),
    "LISTENING": ("yellow", "listen"),
    "PRE_MASTER": ("yellow", "premast"),
    "INITIALIZING": ("dim", "init"),
    "FAULTY": ("bold red", "FAULTY"),
    "DISABLED": ("dim", "off"),
}


def sparkline(values: Sequence[float], width: int) -> str:
    """The last ``width`` sizes |value| as blocks, on a logarithmic scale from 1 ns to 1 ms: 6 decades over 8 blocks."""
    text = ""
    for value in values[-width:]:
        level = int(math.log10(max(1.0, abs(value))) / 0.75)
        text += _BLOCKS[min(level, len(_BLOCKS) - 1)]
    return text


class PlainView:
    """One line for each thing that happens, and a line of state every few seconds."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._next = 0.0

    def __enter__(self) -> PlainView:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        return None

    def message(self, text: str) -> None:
        self._console.print(Text(text))

    def update(self, recording: Recording, now_s: float) -> None:
        if now_s < self._next:
            return
        self._next = now_s + _PLAIN_S
        worst = [abs(series[-1][1]) for node in recording.nodes.values() for series in node.clocks.values() if series]
        slaves = sum(_role(sample) == "SLAVE" for _, _, sample in _latest(recording))
        error = f", largest true error {magnitude(max(worst))}" if worst else ""
        duration = recording.topology.duration_s
        self._console.print(
            Text(f"{now_s:5.1f} of {duration:g} s  {slaves} clients follow a master{error}", style="dim")
        )


class LiveView:
    """The moving picture. A context manager: the terminal is put right on the way out, whatever happens."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._messages: deque[str] = deque(maxlen=50)
        self._drawn = 0.0
        self._live = Live(console=console, auto_refresh=False, screen=True)

    def __enter__(self) -> LiveView:
        self._live.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._live.__exit__(kind, error, trace)

    def message(self, text: str) -> None:
        self._messages.append(text)

    def update(self, recording: Recording, now_s: float) -> None:
        now = time.monotonic()
        if now - self._drawn < _REDRAW_S:
            return
        self._drawn = now
        width, height = self._console.size
        self._live.update(picture(recording, now_s, list(self._messages), width, height), refresh=True)


def picture(recording: Recording, now_s: float, messages: Sequence[str], width: int, height: int) -> RenderableType:
    """One frame, pure: readable from 80 columns on.

    What does not fit ``height`` loses event lines first, then the rows of masters that nobody needs to look at.
    """
    domains = _domains(recording)
    if sum(len(members) + 3 for members in domains.values()) + 2 + 4 > height:
        domains = {key: _worth_a_row(recording, members) for key, members in domains.items()}
    parts: list[RenderableType] = [_header(recording, now_s)]
    used = 2
    for domain, members in domains.items():
        body = _domain(recording, members, width)
        used += len(members) + 3
        profiles = dict.fromkeys(instance.profile for _, instance, _ in members if instance.profile)
        title = " · ".join([f"domain {domain}", *profiles])
        parts.append(
            Panel(body, title=Text(title, style="bold"), title_align="left", border_style="dim", padding=(0, 1))
        )
    if not domains:
        parts.append(Text("waiting for the nodes to answer", style="dim"))
        used += 1
    room = max(2, height - used - 2)
    lines = Text("\n".join(messages[-room:]) or "nothing yet", style="dim", no_wrap=True, overflow="ellipsis")
    parts.append(
        Panel(lines, title=Text("events", style="bold"), title_align="left", border_style="dim", padding=(0, 1))
    )
    return Group(*parts)


Member = tuple[NodeRecording, InstanceRecording, InstanceSample]


def _latest(recording: Recording) -> list[Member]:
    return [
        (node, instance, instance.samples[-1])
        for node in recording.nodes.values()
        for instance in node.instances.values()
        if instance.samples
    ]


def _domains(recording: Recording) -> dict[int, list[Member]]:
    found: dict[int, list[Member]] = {}
    for member in _latest(recording):
        found.setdefault(member[1].domain, []).append(member)
    return dict(sorted(found.items()))


def _worth_a_row(recording: Recording, members: list[Member]) -> list[Member]:
    """Without the standby grandmasters: the one that leads, whoever follows, whoever is in trouble."""
    best = recording.label_of(_common_grandmaster(members))
    quiet = ("PASSIVE", "LISTENING", "MASTER")
    return [m for m in members if m[0].label == best or m[1].role != "grandmaster" or _role(m[2]) not in quiet]


def _header(recording: Recording, now_s: float) -> RenderableType:
    topology = recording.topology
    line = Table.grid(expand=True, padding=(0, 1))
    line.add_column(no_wrap=True)
    line.add_column(ratio=1)
    line.add_column(justify="right", no_wrap=True)
    ahead = next((e for e in topology.events if e.at_s > now_s), None)
    coming = f"next: {ahead} in {ahead.at_s - now_s:.0f} s" if ahead is not None else "no more events"
    clock = f"{max(0.0, now_s):5.1f} / {topology.duration_s:g} s"
    bar = ProgressBar(total=topology.duration_s, completed=max(0.0, now_s))
    line.add_row(Text(f"lab {topology.name}", style="bold"), bar, Text(clock))
    down = [node.label for node in recording.nodes.values() if node.down]
    status = Text(coming, style="dim", no_wrap=True, overflow="ellipsis")
    if down:
        status.append(f"   down: {', '.join(down)}", style="bold red")
    if recording.incidents:
        status.append(f"   {len(recording.incidents)} incidents", style="bold red")
    return Group(line, status)


def _role(sample: InstanceSample) -> str:
    """The one port state that says most about the instance."""
    states = [port.state for port in sample.ports]
    for state in ("FAULTY", "SLAVE", "UNCALIBRATED", "PASSIVE", "MASTER"):
        if state in states:
            return state
    return states[0] if states else ""


def _above(recording: Recording, member: Member, members: Iterable[Member]) -> list[str]:
    """Whom a client gets its time from, by each one's parent: grandmaster first. Stops at a stranger or a circle."""
    node, _, sample = member
    if _role(sample) not in ("SLAVE", "UNCALIBRATED"):
        return []
    by_label = {other.label: seen for other, _, seen in members}
    path = [node.label]
    while sample.parent and (above := recording.label_of(sample.parent)) not in path:
        path.append(above)
        if above not in by_label:
            break
        sample = by_label[above]
    if len(path) == 1:  # a foreign node tells its grandmaster only
        path.append(recording.label_of(sample.grandmaster))
    return path[:0:-1]


def _domain(recording: Recording, members: list[Member], width: int) -> RenderableType:
    wide = width >= 110
    spark = 24 if wide else 10
    table = Table(box=None, expand=True, pad_edge=False, padding=(0, 1, 0, 0), header_style="dim")
    table.add_column("node", no_wrap=True, ratio=1)
    table.add_column("state", no_wrap=True, width=8)
    table.add_column("follows", no_wrap=True, ratio=2 if wide else 1)
    table.add_column("true error", justify="right", no_wrap=True, width=10)
    table.add_column("", no_wrap=True, width=spark)
    table.add_column("bound", justify="right", no_wrap=True, width=10)
    if wide:
        table.add_column("servo", no_wrap=True, width=10)
    best = _common_grandmaster(members)
    for member in members:
        node, instance, sample = member
        colour, state = _STATES.get(_role(sample), ("", _role(sample).lower()))
        leads = node.label == recording.label_of(best) and not node.down
        name = Text(("★ " if leads else "  ") + node.label)
        if node.down:
            table.add_row(name, Text("down", style="bold red"), *[""] * (5 if wide else 4))
            continue
        follows = Text(" → ".join(_above(recording, member, members)) or NOTHING)
        row: list[RenderableType] = [
            name,
            Text(state, style=colour),
            follows,
            *_error_cells(node, instance, sample, spark),
        ]
        table.add_row(*row, *([Text(sample.servo, style="dim")] if wide else []))
    return table


def _error_cells(
    node: NodeRecording, instance: InstanceRecording, sample: InstanceSample, spark: int
) -> list[RenderableType]:
    errors = [error for _, error in node.clocks.get(instance.clock, [])[-spark:]]
    if not errors and node.measured:
        # a foreign node's own word, marked as such
        own = [measured.offset_ns for measured in node.measured[-spark:]]
        return [Text(f"({format_ns(own[-1])})", style="dim"), Text(sparkline(own, spark), style="dim"), Text(NOTHING)]
    error = Text(format_ns(errors[-1]) if errors else NOTHING)
    bound = Text(f"± {magnitude(sample.bound_ns)}" if sample.bound_ns is not None else NOTHING)
    if sample.bound_ns is not None and errors and abs(errors[-1]) > sample.bound_ns:
        bound.stylize("bold red")
    return [error, Text(sparkline(errors, spark), style="green"), bound]


def _common_grandmaster(members: list[Member]) -> str:
    """The grandmaster that most living members name."""
    named = [sample.grandmaster for node, _, sample in members if not node.down]
    return max(set(named), key=named.count) if named else ""
