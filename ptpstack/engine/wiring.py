"""What an engine is made of, and how its parts are joined: from a plan to instances, edges, routes.

The engine (``engine.py``) adds inputs and what is done with them; it is what calls, and is called by, all of this.
"""

from __future__ import annotations

import itertools
import random
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

from ptpstack.engine.clock_edges import ClockEdges
from ptpstack.engine.discipline import Edge, SteeredClock
from ptpstack.engine.effects import EngineEffect, Event
from ptpstack.engine.instance_edges import InstanceEdges
from ptpstack.engine.outsiders import Watch
from ptpstack.engine.performance import PerformanceMonitor
from ptpstack.engine.plan import EnginePlan, InstancePlan, inside_of
from ptpstack.engine.reference import Reference
from ptpstack.engine.references import References
from ptpstack.engine.short_cuts import ShortCuts
from ptpstack.engine.steering import Steering
from ptpstack.engine.vouching import Vouching
from ptpstack.protocol.effects import Effect
from ptpstack.protocol.gptp.local_clock import LocalClock
from ptpstack.protocol.instance import Instance
from ptpstack.protocol.options import InstanceOptions, TransparentOptions
from ptpstack.protocol.security import Security
from ptpstack.protocol.timers import NEVER
from ptpstack.servo.base import Servo, ServoState
from ptpstack.servo.classic import ClassicServo
from ptpstack.servo.estimator.servo import EstimatorServo
from ptpstack.servo.options import ServoOptions

if TYPE_CHECKING:
    from ptpstack.engine.bridges import Bridges
    from ptpstack.engine.common_links import CommonLinks
    from ptpstack.protocol.transparent.clock import TransparentClock

#: Between the periodic messages of instances on one channel. Long against what a host and a switch need for a frame,
#: and no divisor of the usual intervals.
STAGGER_NS = 13_000_000

#: bits of a token below the number of an owner that the plan did not have
LATE_TOKENS = 48

#: servos by the name that a configuration uses
SERVOS: dict[str, type[ClassicServo] | type[EstimatorServo]] = {
    "estimator": EstimatorServo,
    "pi": ClassicServo,
    "linreg": ClassicServo,
    "nullf": ClassicServo,
}


class Wiring(ABC):
    def __init__(self, plan: EnginePlan) -> None:
        self.plan = plan
        self.instances: dict[str, Instance] = {}
        self.security = Security()
        self.plans: dict[str, InstancePlan] = {}
        self.local_clocks = {clock.name: LocalClock() for clock in plan.clocks}
        self.steering = Steering(
            [SteeredClock(c.name, c.steerable, c.why_not_steerable, c.max_frequency_ppb) for c in plan.clocks],
            self.emit,
            self._clock_stepped,
            self._servo_changed,
            self._servo_again,
        )
        self.clocks = self.steering.clocks
        #: read once a second, for leap seconds and to see whether somebody else was there
        self._looked_at = [c.name for c in plan.clocks if c.watched or c.declares]
        self._looked_at += [r.clock for r in plan.references if r.clock not in self._looked_at]
        self.watch = Watch({c.name: c for c in plan.clocks}, self.steering, self.emit)
        #: by name: "reference of CLOCK", the instance (or "INSTANCE at CLOCK" when its ports have several), "A -> B"
        self.edges: dict[str, Edge] = {}
        #: of the instances that were asked for it
        self.monitors: dict[str, PerformanceMonitor] = {}
        self.on_instances = InstanceEdges(plan, self.instances, self.plans, self.steering, self._new_servo, self.emit)
        self.instance_edges = self.on_instances.edges
        self.arb_offset_s = self.on_instances.arb_offset_s
        self.on_references = References(plan, self.steering, self._new_servo, self.emit, self._reference_changed)
        self.references = self.on_references.references
        self.reference_edges = self.on_references.edges
        self.edges |= {edge.name: edge for edge in self.reference_edges.values()}
        self.clock_edges = ClockEdges(plan, self.instances, self.steering, self._new_servo, self.emit)
        self.vouching = Vouching(plan, self.instances, self.references, self.steering, self.take, self.emit)
        #: per channel: frames that belong to no instance
        self.unrouted: dict[str, Counter[str]] = {}
        #: (clock, source) -> readings that failed in a row
        self._failures: Counter[tuple[str, str]] = Counter()
        self._housekeeping_due = NEVER
        #: there is more to look at every second than whether a source has fallen silent
        self._keeps_house = bool(
            self._looked_at
            or plan.references
            or plan.edges
            or any(clock.temperature for clock in plan.clocks)
            or any(len(instance.options.ports) > 1 for instance in plan.instances)
        )
        self._temperature_due = 0
        self._out: list[EngineEffect] = []
        link_options = _link_options(plan)
        #: how many owners of tokens the plan has
        self._first_owners = len(plan.instances) + len(plan.transparent) + (link_options is not None)
        self._token_owners: list[Instance | TransparentClock] = []
        #: a node without transparent clocks does not load them
        self.bridges: Bridges | None = None
        self._routes: dict[str, dict[int, tuple[Instance, int]]] = {}
        self.short_cuts = ShortCuts(self._routes)
        #: the common mean link delay service, when somebody uses it
        self.links: CommonLinks | None = None
        #: whence every instance has its own
        self._rng = random.Random(plan.seed)
        for instance_plan in plan.instances:
            self._add_instance(instance_plan, random.Random(self._rng.getrandbits(64)))
        for options in plan.transparent:
            self._add_transparent(options)
        if link_options is not None:
            self._add_links(link_options)
        for channel in self._routes:
            self.unrouted[channel] = Counter()
        self.clock_edges.connect()
        self.edges |= self.clock_edges.edges
        self._timed_parts: list[References | ClockEdges | CommonLinks] = []
        if self.references:
            self._timed_parts.append(self.on_references)
        if self.clock_edges.edges:
            self._timed_parts.append(self.clock_edges)
        if self.links is not None:
            self._timed_parts.append(self.links)

    def emit(self, effect: EngineEffect) -> None:
        self._out.append(effect)

    def _drain(self) -> list[EngineEffect]:
        out = self._out
        self._out = []
        return out

    def _add_instance(self, plan: InstancePlan, rng: random.Random) -> None:
        plan = inside_of(plan, self.plan.transparent)
        options = plan.options
        # instances that share a channel speak one after the other
        offsets = [self._free_offset_ns(port.channel) for port in options.ports]
        instance = Instance(options, rng, self._new_tokens(), offsets, self.security, self.local_clocks)
        self._token_owners.append(instance)
        self.instances[options.name] = instance
        self.plans[options.name] = plan
        if options.performance_monitoring:
            edge_of_port = partial(self.on_instances.of_port, options.name)
            self.monitors[options.name] = PerformanceMonitor(instance, edge_of_port, self.arb_offset_s)
        self.edges |= {edge.name: edge for edge in self.on_instances.add(plan)}
        self.clock_edges.tie(options.name)
        for number, port in enumerate(options.ports, 1):
            routes = self._routes.setdefault(port.channel, {})
            key = route_key(options.sdo_id, options.domain)
            if key in routes:
                other = routes[key][0].options.name
                raise ValueError(
                    f"instances {other} and {options.name} both have domain {options.domain} and sdoId "
                    f"0x{options.sdo_id:03x} on {port.channel}: frames could not be told apart"
                )
            routes[key] = (instance, number)

    @abstractmethod
    def _new_bridges(self) -> Bridges:
        """For a plan that has transparent clocks."""

    def _add_transparent(self, options: TransparentOptions) -> None:
        if self.bridges is None:
            self.bridges = self._new_bridges()
        clock = self.bridges.add(options, self._new_tokens(), random.Random(self._rng.getrandbits(64)))
        self._token_owners.append(clock)
        for port in options.ports:
            if port.channel in self._routes:
                raise ValueError(f"transparent clock {options.name}: {port.channel} is in use already")

    def _add_links(self, options: InstanceOptions) -> None:
        from ptpstack.engine.common_links import CommonLinks

        rng = random.Random(self._rng.getrandbits(64))
        self.links = CommonLinks(options, rng, self._new_tokens(), self._routes, self.take)
        self._token_owners.append(self.links.instance)
        key = route_key(options.sdo_id, options.domain)
        for number, port in enumerate(options.ports, 1):
            if key in self._routes[port.channel]:
                raise ValueError(
                    f"{port.channel}: domain 0 of sdoId 0x200 is that of the common mean link delay service"
                )
            self._routes[port.channel][key] = (self.links.instance, number)

    def _new_tokens(self) -> Callable[[], int]:
        """For the next owner. The token itself says whose it is: nothing to remember, nothing to leak."""
        index = len(self._token_owners)
        if index < self._first_owners:
            return itertools.count(index, self._first_owners).__next__
        # one that came later counts above all that those of the plan will ever use
        return itertools.count(index << LATE_TOKENS).__next__

    def _owner_of(self, token: int) -> Instance | TransparentClock:
        return self._token_owners[token >> LATE_TOKENS or token % self._first_owners]

    def _free_offset_ns(self, channel: str) -> int:
        taken = {owner.ports[number - 1].transmit_offset_ns for owner, number in self._routes.get(channel, {}).values()}
        return next(offset for offset in itertools.count(0, STAGGER_NS) if offset not in taken)

    def _new_servo(self, options: ServoOptions, clock: str) -> Servo:
        return SERVOS[options.type](options, max_frequency_ppb=self.clocks[clock].max_frequency_ppb, steering=False)

    def _servo_again(self, edge: Edge) -> Servo:
        servo = self._new_servo(edge.options, edge.clock)
        if edge.log_interval is not None:
            servo.set_sync_interval(edge.log_interval)
        return servo

    def edge_of(self, instance: str) -> Edge:
        """The edge by which an instance's time comes, or came last."""
        edges = self.instance_edges[instance]
        clock = self.instances[instance].following_clock or self.leader_of(instance)
        return edges[clock]

    def leader_of(self, instance: str) -> str:
        """The clock whose time an instance serves."""
        own = self.instances[instance].options.clocks
        return self.clock_edges.leaders.get(instance, own[0])

    def event(self, kind: str, instance: str, port: int, data: dict[str, Any]) -> None:
        self.emit(Event(kind, instance, port, data))

    # ---- what the parts tell ----------------------------------------------------------------------------------

    @abstractmethod
    def take(self, name: str, effects: Sequence[Effect], now: int) -> None:
        """What an instance wants done."""

    @abstractmethod
    def _clock_stepped(self, clock: str, step_sns: int | None) -> None: ...

    @abstractmethod
    def _servo_changed(self, edge: Edge, state: ServoState, now: int) -> None: ...

    @abstractmethod
    def _reference_changed(self, reference: Reference, now: int) -> None: ...


def _link_options(plan: EnginePlan) -> InstanceOptions | None:
    instances = [instance.options for instance in plan.instances]
    if not any(port.delay_mechanism == "COMMON_P2P" for options in instances for port in options.ports):
        return None
    from ptpstack.engine.common_links import options_of

    return options_of(instances)


def route_key(sdo_id: int, domain: int) -> int:
    """What tells the frames of instances on one channel apart: majorSdoId, minorSdoId, domainNumber."""
    return (sdo_id >> 8) << 16 | (sdo_id & 0xFF) << 8 | domain
