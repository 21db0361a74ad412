"""Clocks that follow a clock: the edges of our clock graph without any PTP instance, and their log lines.

1. One source at a time. Another source is another graph: the clocks go on with the frequencies they have.
2. The system clock shows UTC; what is to be added to it to have the source's time is a constant that the command line
   gives (-O), or the leap-second table's business where a ptp4l says that the time is TAI.
3. The source is taken at its word: the command line, or ptp4l, has said that it is right.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace

from ptpstack.clocks.base import ClockError
from ptpstack.config.model import ClockOptions, EdgeOptions, NodeOptions, ServoOptions, Site
from ptpstack.engine.discipline import Edge
from ptpstack.engine.effects import Event
from ptpstack.engine.plan import EnginePlan, ReferencePlan
from ptpstack.engine.steering import OnMeasured
from ptpstack.linuxptp.commands.common import Failed
from ptpstack.linuxptp.commands.lines import servo_letter
from ptpstack.linuxptp.commands.log import INFO, NOTICE, CommandLog
from ptpstack.linuxptp.commands.statistics import Summary
from ptpstack.node.assembly import Parts, assemble
from ptpstack.node.errors import AssemblyError
from ptpstack.node.loop import Loop, settle_memory
from ptpstack.node.node import Node
from ptpstack.servo.base import Command
from ptpstack.timebase.leap import LeapTable

SYSTEM = "CLOCK_REALTIME"
#: events that say what a line has said
_QUIET = frozenset({"steering", "servo", "reference", "verdict", "drift-file"})


@dataclass(frozen=True, slots=True)
class Way:
    """How clocks follow. ``feeding``: nothing is steered, chronyd or ntpd get what is measured."""

    servo: ServoOptions = field(default_factory=ServoOptions)
    log_interval: int = 0
    samples: int = 5
    #: updates of a summary; 0: a line for each
    summary: int = 0
    feeding: bool = False
    shm: int | None = None
    sock: str | None = None


@dataclass(frozen=True, slots=True)
class Graph:
    """``source`` and ``sinks`` are CLOCK_REALTIME or devices. ``system_offset_s``: source's time minus CLOCK_REALTIME;
    None: as the leap-second table has it.
    """

    source: str
    sinks: tuple[str, ...]
    system_offset_s: int | None = None
    #: what lines call a clock, where that is not its device
    labels: Mapping[str, str] = field(default_factory=dict)


class Follower:
    """Runs one ``Graph`` after the other on one loop. ``tick``: asked once a second, and at each turn."""

    def __init__(self, log: CommandLog, way: Way, tick: Callable[[int], int | None]) -> None:
        self.log, self.way, self._tick = log, way, tick
        self.loop = Loop("auto")
        self.node: Node | None = None
        self._labels: Mapping[str, str] = {}
        self._summaries: dict[str, Summary] = {}
        #: clocks that have been steered: the threshold of a first step is no longer for them
        self._begun: set[str] = set()
        self.log.lines = self._lines

    # ---- one graph after the other ------------------------------------------------------------------------------

    def follow(self, graph: Graph | None) -> None:
        """Failed when a clock cannot be had; then nothing is followed."""
        self.leave()
        if graph is None or not graph.sinks:
            return
        try:
            parts = assemble(self._site(graph), LeapTable.find())
        except (AssemblyError, ClockError) as error:
            raise Failed(str(error)) from None
        parts.plan = _vouched(parts.plan, _name(graph.source))
        labels = {_name(clock): graph.labels.get(clock, clock) for clock in (graph.source, *graph.sinks)}
        self._summaries = {}
        self._begun |= set(graph.sinks)
        self.start(parts, labels, self._measured)

    def start(self, parts: Parts, labels: Mapping[str, str], measured: OnMeasured) -> None:
        """Run what was put together; ``labels`` name clocks in lines, ``measured`` hears of each measurement. Failed: a
        feed cannot be had.
        """
        self._labels = labels
        self.node = node = Node(parts, self.loop)
        try:
            node.add_feeder("phc2sys", lambda edge: edge.clock == _name(SYSTEM), self.way.shm, self.way.sock)
        except AssemblyError as error:
            self.leave()
            raise Failed(str(error)) from None
        node.engine.steering.watchers.append(measured)
        node.listeners.append(self.log.event)
        node.periodic.append(self._tick)
        node.start()
        settle_memory()

    def leave(self) -> None:
        if self.node is not None:
            self.node.close()
            self.node = None

    def _site(self, graph: Graph) -> Site:
        clocks = tuple(self._clock(name, graph) for name in (graph.source, *graph.sinks))
        way = self.way
        stepped = replace(way.servo, first_step_threshold_ns=0.0)
        edges = tuple(
            EdgeOptions(
                _name(graph.source),
                _name(sink),
                way.log_interval,
                way.samples,
                servo=stepped if sink in self._begun else way.servo,
            )
            for sink in graph.sinks
        )
        return Site(NodeOptions(name=self.log.name, state_dir="off"), clocks, (), edges)

    def _clock(self, name: str, graph: Graph) -> ClockOptions:
        steer = name in graph.sinks and not self.way.feeding
        if name == SYSTEM:
            return ClockOptions(_name(name), "system", None, steer, utc_offset_s=graph.system_offset_s)
        return ClockOptions(_name(name), "phc", name, steer)

    # ---- the loop -----------------------------------------------------------------------------------------------

    def run(self) -> None:
        """Until a signal."""
        self.loop.on_signal(self._signal)
        try:
            self.loop.run()
        finally:
            self.leave()
            self.loop.close()

    def _signal(self, number: int) -> None:
        self.loop.stop()

    def idle(self) -> None:
        """Nothing is followed: go on asking ``tick`` soon."""
        self.loop.on_timer(self._idle)
        self.loop.set_deadline(self.loop.now_ns())

    def _idle(self) -> None:
        due = self._tick(self.loop.now_ns())
        if self.node is None:
            self.loop.on_timer(self._idle)
            self.loop.set_deadline(due)

    # ---- what it says -------------------------------------------------------------------------------------------

    def _lines(self, event: Event, now: int) -> list[tuple[int, str]] | None:
        if event.kind in _QUIET:
            return []
        if event.kind == "clock-step":
            return [(NOTICE, f"{self._labels.get(event.data['clock'], '')} stepped by {event.data['step_ns']:+.0f} ns")]
        return None

    def _measured(self, edge: Edge, command: Command | None, now: int) -> None:
        assert self.node is not None
        assert edge.source is not None
        estimate = edge.servo.estimate(now)
        if estimate is None:
            return
        sink, source = self._labels[edge.clock], "sys" if edge.source == _name(SYSTEM) else "phc"
        frequency = 0.0 - self.node.engine.clocks[edge.clock].frequency_ppb
        # a reading is off by at most half of what it took
        delay = 2.0 * estimate.systematic_ns
        if self.way.summary:
            summary = self._summaries.setdefault(edge.name, Summary(self.way.summary))
            text = summary.add(estimate.value_ns, frequency, delay)
            if text is not None:
                self.log.log(INFO, f"{sink} {text}")
            return
        letter = servo_letter(edge.servo, command, False)
        self.log.log(
            INFO,
            f"{sink} {source} offset {round(estimate.value_ns):9} {letter} freq {frequency:+7.0f} delay {delay:6.0f}",
        )


def _name(clock: str) -> str:
    """A name of our graph."""
    return "system" if clock == SYSTEM else clock.rpartition("/")[2]


def _vouched(plan: EnginePlan, source: str) -> EnginePlan:
    others = tuple(r for r in plan.references if r.clock != source)
    return replace(plan, references=(*others, ReferencePlan(source, "declared", "locked", primary=False)))
