"""Edges from clock to clock at work: when they are read, which of them are open, and who leads.

1. An edge the configuration names is read at its interval while its source is good: steered by a servo that is locked
   or holds over, or vouched for by a declared reference. ``always`` opens it whatever the source is worth.
2. The clocks of one instance's ports are tied: the clock of the port that follows **leads**, the others follow it.
   When another port follows, the edges turn round; nobody is stepped for that, because a clock in service never is.
   While no port follows, the clock with the reference leads, else the one that led last; ties to a leader that nobody
   vouches for are a last resort, so that all ports of a grandmaster at least serve the same time.
3. A source that is not good any more closes its edges: their clocks hold over until it is good again.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial

from ptpstack.engine.discipline import Edge
from ptpstack.engine.effects import EngineEffect, Event, ReadPair
from ptpstack.engine.graph import groups, why_refused
from ptpstack.engine.plan import EdgePlan, EnginePlan
from ptpstack.engine.steering import Steering
from ptpstack.protocol.decision import Decision
from ptpstack.protocol.instance import Instance
from ptpstack.servo.base import Servo
from ptpstack.servo.options import ServoOptions
from ptpstack.timebase.units import log_interval_ns

NewServo = Callable[[ServoOptions, str], Servo]


class ClockEdges:
    def __init__(
        self,
        plan: EnginePlan,
        instances: Mapping[str, Instance],
        steering: Steering,
        new_servo: NewServo,
        emit: Callable[[EngineEffect], None],
    ) -> None:
        """ValueError for edges that make a loop."""
        self._plan = plan
        self._instances = instances
        self._steering = steering
        self._new_servo = new_servo
        self._emit = emit
        self.edges: dict[str, Edge] = {}
        self._plans: dict[str, EdgePlan] = {}
        #: the instances whose port clocks an automatic edge ties
        self._users: dict[str, list[str]] = {}
        self._due: dict[str, int] = {}
        #: instance -> the clock that leads, for those with several
        self.leaders = {i.options.name: i.options.clocks[0] for i in plan.instances if len(i.options.clocks) > 1}
        self._references = {r.clock for r in plan.references}

    # ---- making -----------------------------------------------------------------------------------------------

    def tie(self, instance: str) -> None:
        """The edges between the port clocks of an instance. To be called in the order of the configuration."""
        clocks = self._instances[instance].options.clocks
        for source in clocks:
            for clock in clocks:
                if source != clock:
                    tie = self._plan.tie
                    made = EdgePlan(source, clock, tie.log_interval, tie.samples, True, tie.servo)
                    self._users.setdefault(made.name, []).append(instance)
                    if made.name not in self.edges:
                        self._add(made, automatic=True)

    def connect(self) -> None:
        """The edges that the configuration names, which come after everything else on their clock."""
        tied = groups(i.options.clocks for i in self._plan.instances)
        pairs = [(e.source, e.clock) for e in self._plan.edges]
        for made in self._plan.edges:
            why = why_refused((made.source, made.clock), [p for p in pairs if p != (made.source, made.clock)], tied)
            if why or made.name in self.edges:
                raise ValueError(f"edge {made.name}: {why or 'named twice'}")
            self._add(made, automatic=False)

    def _add(self, plan: EdgePlan, *, automatic: bool) -> None:
        edge = Edge(
            plan.name,
            plan.clock,
            self._new_servo(plan.servo, plan.clock),
            plan.servo,
            None,
            source=plan.source,
            automatic=automatic,
            interval_ns=log_interval_ns(plan.log_interval),
            log_interval=plan.log_interval,
            why_not="nothing has been read yet",
        )
        edge.servo.set_sync_interval(plan.log_interval)
        self.edges[plan.name] = edge
        self._plans[plan.name] = plan
        self._steering.clocks[plan.clock].edges.append(edge)

    # ---- who leads --------------------------------------------------------------------------------------------

    def _leader(self, name: str) -> str:
        instance = self._instances[name]
        following = instance.following_clock
        if following is not None:
            return following
        with_reference = [c for c in instance.options.clocks if c in self._references]
        good = [c for c in with_reference if not self._steering.why_not_good(c)]
        return (good or [self.leaders[name]])[0]

    def lead(self) -> None:
        """See who leads now."""
        for name, before in self.leaders.items():
            leader = self._leader(name)
            if leader != before:
                self.leaders[name] = leader
                following = self._instances[name].following_clock
                decision = Decision(
                    "leads",
                    f"{leader} leads the clocks of {name}: "
                    + ("its port follows a master" if following else "it has the reference"),
                    {"before": before},
                    (f"{before} follows {leader} now",),
                )
                self._emit(Event("leader", name, 0, {"clock": leader, "decision": decision.as_dict()}))

    def _why_closed(self, edge: Edge) -> str:
        """Why nothing may come by this edge now, or "". Finds out whether it is a last resort."""
        assert edge.source is not None
        not_good = self._steering.why_not_good(edge.source)
        edge.fallback = bool(not_good)
        if not edge.automatic:
            return "" if self._plans[edge.name].always else not_good
        led = [name for name in self._users[edge.name] if self.leaders[name] == edge.source]
        if not led:
            return f"{self.leaders[self._users[edge.name][0]]} leads, not {edge.source}"
        edge.fallback = bool(not_good) or not (
            edge.source in self._references or any(self._instances[name].following_port is not None for name in led)
        )
        if not_good and not any(self._instances[name].is_grandmaster for name in led):
            return not_good
        return ""

    def close(self, now: int) -> None:
        """Lose what has become closed. Leaves open what may be read."""
        self.lead()
        for edge in self.edges.values():
            if edge.usable:
                why = self._why_closed(edge)
                if why:
                    self._steering.lost(edge, now, why)

    # ---- readings ---------------------------------------------------------------------------------------------

    def start(self, now: int) -> None:
        self._due = dict.fromkeys(self.edges, now)

    def next_deadline(self) -> int | None:
        return min(self._due.values(), default=None)

    def timer(self, now: int) -> None:
        due = [name for name, when in self._due.items() if when <= now]
        if not due:
            return
        self.lead()
        for name in due:
            edge = self.edges[name]
            next_ns = self._due[name] + edge.interval_ns
            self._due[name] = next_ns if next_ns > now else now + edge.interval_ns
            why = self._why_closed(edge)
            if not why:
                assert edge.source is not None
                self._emit(ReadPair(edge.source, edge.clock, self._plans[name].samples))
            elif edge.usable:
                self._steering.lost(edge, now, why)
            else:
                edge.why_not = why

    def reading(self, edge: Edge, clock_sns: int, source_sns: int, bound_ns: float, now: int) -> None:
        assert edge.source is not None
        self._steering.saw_time(edge.source, source_sns, now)
        self._steering.saw_time(edge.clock, clock_sns, now)
        # what follows a source that nobody vouches for may be stepped again
        edge.servo.master_uncertain(edge.fallback)
        observe = partial(edge.servo.reading, clock_sns, clock_sns - source_sns, bound_ns, now)
        self._steering.measured(edge, observe, now)
