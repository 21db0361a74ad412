"""The references of all clocks at work: readings and pulses in, their states out (what a state is: reference.py)."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from ptpstack.engine.discipline import Edge, locked
from ptpstack.engine.effects import EngineEffect, Event, ReadReference, ReadTimeOfDay
from ptpstack.engine.plan import EnginePlan
from ptpstack.engine.pulses import Pulses
from ptpstack.engine.reference import Reference, ReferenceState
from ptpstack.engine.steering import Steering
from ptpstack.servo.base import Servo
from ptpstack.servo.options import ServoOptions
from ptpstack.timebase.units import NS_PER_S, log_interval_ns

#: Pulses that may be missing in a row before the clock holds over.
MISSING_PULSES = 4
#: A pulse is stamped in whole ns.
PULSE_BOUND_NS = 1.0

NewServo = Callable[[ServoOptions, str], Servo]


class References:
    """``on_change``: told when the state of one has changed."""

    def __init__(
        self,
        plan: EnginePlan,
        steering: Steering,
        new_servo: NewServo,
        emit: Callable[[EngineEffect], None],
        on_change: Callable[[Reference, int], None],
    ) -> None:
        self._steering = steering
        self._emit = emit
        self._on_change = on_change
        self.references: dict[str, Reference] = {}
        #: clock -> the edge from its reference, when it is one that measures
        self.edges: dict[str, Edge] = {}
        self.pulses: dict[str, Pulses] = {}
        self._due: dict[str, int] = {}
        for made in plan.references:
            self.references[made.clock] = Reference(made)
            if made.type == "declared":
                continue
            edge = Edge(
                f"reference of {made.clock}",
                made.clock,
                new_servo(made.servo, made.clock),
                made.servo,
                None,
                interval_ns=log_interval_ns(made.log_interval),
                log_interval=made.log_interval,
            )
            if made.type == "pps":
                edge.interval_ns, edge.log_interval, edge.silent_intervals = NS_PER_S, 0, MISSING_PULSES
                self.pulses[made.clock] = Pulses(made.delay_ns)
            edge.servo.set_sync_interval(edge.log_interval or 0)
            self.edges[made.clock] = edge
            steering.clocks[made.clock].edges.append(edge)

    # ---- time -------------------------------------------------------------------------------------------------

    def start(self, now: int) -> None:
        for clock, reference in self.references.items():
            reference.start(now)
            if clock in self.edges and reference.signal:
                self._due[clock] = now

    def next_deadline(self) -> int | None:
        deadlines = [*self._due.values(), *(r.next_deadline() for r in self.references.values())]
        return min((d for d in deadlines if d is not None), default=None)

    def timer(self, now: int) -> None:
        for clock, due in list(self._due.items()):
            if due <= now:
                interval = self.edges[clock].interval_ns
                self._due[clock] = due + interval if due + interval > now else now + interval
                if clock not in self.pulses:
                    self._emit(ReadReference(clock))
                elif self.pulses[clock].wants_time_of_day(self._steering.bound_ns(clock, now), now):
                    self._emit(ReadTimeOfDay(clock))
        for reference in self.references.values():
            before = reference.state
            reference.tick(now)
            if reference.state is not before:
                self._on_change(reference, now)

    # ---- measurements -----------------------------------------------------------------------------------------

    def reading(self, clock: str, clock_sns: int, reference_sns: int, bound_ns: float, now: int) -> None:
        if self.references[clock].signal:
            edge = self.edges[clock]
            self._steering.saw_time(clock, clock_sns, now)
            observe = partial(edge.servo.reading, clock_sns, clock_sns - reference_sns, bound_ns, now)
            self._steering.measured(edge, observe, now)

    def pulse(self, clock: str, channel: int, clock_sns: int, now: int) -> None:
        """KeyError for a clock without pulses; another channel than the reference's is ignored and counted."""
        pulses, reference = self.pulses[clock], self.references[clock]
        if channel != reference.plan.channel:
            pulses.counters["pulses-other-channel"] += 1
            return
        before = pulses.why_not
        reference_sns = pulses.edge(clock_sns, self._steering.bound_ns(clock, now), now)
        if pulses.why_not != before:
            self._emit(Event("pulses", "", 0, {"clock": clock, "used": not pulses.why_not, "reason": pulses.why_not}))
        if reference_sns is None:
            self.edges[clock].why_not = pulses.why_not
            return
        self.reading(clock, clock_sns, reference_sns, PULSE_BOUND_NS, now)

    def time_of_day(self, clock: str, clock_sns: int, tod_sns: int, bound_ns: float | None, now: int) -> None:
        plan = self.references[clock].plan
        if plan.tod in self._steering.clocks:
            # what this graph knows of that clock counts too
            known_ns = self._steering.bound_ns(plan.tod, now)
            if known_ns is not None:
                bound_ns = known_ns if bound_ns is None else min(bound_ns, known_ns)
        if plan.tod_error_s:
            bound_ns = plan.tod_error_s * 1e9
        self.pulses[clock].time_of_day(clock_sns, tod_sns, bound_ns, now)

    def stepped(self, clock: str, step_sns: int | None) -> None:
        if clock in self.pulses:
            self.pulses[clock].stepped(step_sns)
        for name, pulses in self.pulses.items():
            if self.references[name].plan.tod == clock:
                pulses.forget_time_of_day()

    # ---- the operator's word ----------------------------------------------------------------------------------

    def declare(self, clock: str, state: str, clock_class: int | None, now: int, accuracy: int | None) -> None:
        """ValueError for an unknown state, KeyError for a clock."""
        reference = self.references[clock]
        if accuracy is not None:
            reference.accuracy = accuracy
        edge = self.edges.get(clock)
        reference.declare(ReferenceState(state), clock_class, edge is not None and locked(edge), now)
        if edge is not None:
            if reference.signal:
                self._due.setdefault(clock, now)
            else:
                self._due.pop(clock, None)
                self._steering.lost(edge, now, "the operator has declared its signal gone")
        self._on_change(reference, now)
