"""The engine: inputs in, effects out. See the package's rules."""

from __future__ import annotations

import itertools
import random
from collections import Counter
from collections.abc import Callable, Iterable
from functools import partial
from typing import Any

from ptpstack.engine.discipline import Edge, SteeredClock, locked
from ptpstack.engine.effects import EngineEffect, Event, ReadClock, ReadReference
from ptpstack.engine.plan import EnginePlan, InstancePlan
from ptpstack.engine.reference import Reference, ReferenceState
from ptpstack.engine.steering import Steering
from ptpstack.protocol.delay_e2e import LOG_INTERVAL_RANGE
from ptpstack.protocol.effects import DelayMeasured, Effect, ParentChanged, Send, StateChanged, SyncMeasured
from ptpstack.protocol.instance import Instance
from ptpstack.servo.base import Servo, ServoState
from ptpstack.servo.classic import ClassicServo
from ptpstack.servo.estimator.servo import EstimatorServo
from ptpstack.servo.options import ServoOptions
from ptpstack.timebase.units import SNS_PER_S, log_interval_ns
from ptpstack.wire.types import format_clock_identity

#: How often a grandmaster looks at its clock for leap seconds, and everybody for silent sources.
HOUSEKEEPING_NS = 1_000_000_000
#: Between the periodic messages of instances on one channel. Long against what a host and a switch need for a frame,
#: and no divisor of the usual intervals.
STAGGER_NS = 13_000_000

#: A parent of this clockClass or worse has never had a reference: it may be a boundary clock that has just begun.
UNVOUCHED_CLASS = 248
SETTLING_NS = 30_000_000_000

#: servos by the name that a configuration uses
SERVOS: dict[str, type[ClassicServo] | type[EstimatorServo]] = {
    "estimator": EstimatorServo,
    "pi": ClassicServo,
    "linreg": ClassicServo,
}

PlainAnswer = Callable[[bytes, int | None, str], tuple[bytes, str | None] | None]


class Engine:
    def __init__(self, plan: EnginePlan) -> None:
        self.plan = plan
        self.instances: dict[str, Instance] = {}
        self.plans: dict[str, InstancePlan] = {}
        self.steering = Steering(
            [SteeredClock(c.name, c.steerable, c.why_not_steerable, c.max_frequency_ppb) for c in plan.clocks],
            lambda effect: self._out.append(effect),
            self._clock_stepped,
            self._servo_changed,
        )
        self.clocks = self.steering.clocks
        self.references: dict[str, Reference] = {}
        self.edges: dict[str, Edge] = {}
        self.reference_edges: dict[str, Edge] = {}
        #: per channel: frames that belong to no instance
        self.unrouted: dict[str, Counter[str]] = {}
        self._reading_due: dict[str, int] = {}
        self._housekeeping_due: int | None = None
        self._out: list[EngineEffect] = []
        self._token_owners: list[Instance] = []
        rng = random.Random(plan.seed)
        self._routes: dict[str, dict[int, tuple[Instance, int]]] = {}
        for reference_plan in plan.references:
            self.references[reference_plan.clock] = Reference(reference_plan)
            if reference_plan.type == "measured":
                edge = Edge(
                    f"reference of {reference_plan.clock}",
                    reference_plan.clock,
                    self._new_servo(reference_plan.servo, reference_plan.clock),
                    None,
                    interval_ns=log_interval_ns(reference_plan.log_interval),
                )
                self.reference_edges[reference_plan.clock] = edge
                self.clocks[reference_plan.clock].edges.append(edge)
        for index, instance_plan in enumerate(plan.instances):
            options = instance_plan.options
            # instances that share a channel speak one after the other
            offsets = [STAGGER_NS * len(self._routes.get(port.channel, {})) for port in options.ports]
            # the token itself says whose it is: nothing to remember, nothing to leak
            tokens = itertools.count(index, len(plan.instances)).__next__
            instance = Instance(options, random.Random(rng.getrandbits(64)), tokens, offsets)
            self._token_owners.append(instance)
            self.instances[options.name] = instance
            self.plans[options.name] = instance_plan
            edge = Edge(options.name, options.clock, self._new_servo(instance_plan.servo, options.clock), options.name)
            self.edges[options.name] = edge
            self.clocks[options.clock].edges.append(edge)
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
        for channel in self._routes:
            self.unrouted[channel] = Counter()

    def _new_servo(self, options: ServoOptions, clock: str) -> Servo:
        return SERVOS[options.type](options, max_frequency_ppb=self.clocks[clock].max_frequency_ppb, steering=False)

    # ---- inputs -----------------------------------------------------------------------------------------------

    def start(self, now: int, frequencies: dict[str, float] | None = None) -> list[EngineEffect]:
        """``frequencies`` (ppb) are what the clocks run with already."""
        for name, ppb in (frequencies or {}).items():
            self.clocks[name].frequency_ppb = self.clocks[name].confirmed_ppb = ppb
        for clock, reference in self.references.items():
            reference.start(now)
            if clock in self.reference_edges and reference.signal:
                self._reading_due[clock] = now
        self._refresh_references(now)
        for name, instance in self.instances.items():
            self._take(name, instance.start(now), now)
        self._housekeeping_due = now
        return self._drain()

    def receive(
        self, channel: str, octets: bytes, ingress_sns: int | None, address: str, now: int
    ) -> list[EngineEffect]:
        """A frame from the network, from the first octet of the PTP header."""
        if len(octets) < 34:
            self.unrouted[channel]["drop-short-header"] += 1
            return []
        if octets[1] & 0x0F != 2:
            self.unrouted[channel]["drop-version-1" if octets[1] & 0x0F == 1 else "drop-version"] += 1
            return []
        route = self._routes[channel].get((octets[0] >> 4) << 16 | octets[5] << 8 | octets[4])
        if route is None:
            self.unrouted[channel]["drop-domain-or-sdo-id"] += 1
            return []
        instance, number = route
        effects = instance.receive(number, octets, ingress_sns, address, now)
        if not effects:
            return []
        if len(effects) == 1 and type(effects[0]) is Send and effects[0].token is None:
            return [effects[0]]
        self._take(instance.options.name, effects, now)
        return self._drain()

    def plain_answers(self, channel: str) -> dict[bytes, PlainAnswer]:
        """A short cut past ``receive`` for who serves Delay_Req by the thousand: by the first six octets of a frame,
        what answers it. The answer is (octets, destination) of a general message, or None: give it to ``receive``.

        Nothing else changes by an answer, so no deadline does.
        """
        return {
            head: instance.ports[number - 1].responder.answer_plain
            for instance, number in self._routes.get(channel, {}).values()
            for head in instance.ports[number - 1].responder.plain_requests
        }

    def transmitted(self, token: int, egress_sns: int | None, now: int) -> list[EngineEffect]:
        """The transmit stamp that belongs to ``Send.token``; None when it will not come."""
        instance = self._token_owners[token % len(self._token_owners)]
        self._take(instance.options.name, instance.transmitted(token, egress_sns, now), now)
        return self._drain()

    def link(self, channel: str, up: bool, now: int) -> list[EngineEffect]:
        for instance, number in self._routes[channel].values():
            self._take(instance.options.name, instance.link(number, up, now), now)
        self._event("link", "", 0, {"channel": channel, "up": up})
        return self._drain()

    def timer(self, now: int) -> list[EngineEffect]:
        for name, instance in self.instances.items():
            effects = instance.timer(now)
            if effects:
                self._take(name, effects, now)
        for clock, due in list(self._reading_due.items()):
            if due <= now:
                interval = self.reference_edges[clock].interval_ns
                self._reading_due[clock] = due + interval if due + interval > now else now + interval
                self._out.append(ReadReference(clock))
        self.steering.timer(now)
        for reference in self.references.values():
            before = reference.state
            reference.tick(now)
            if reference.state is not before:
                self._reference_changed(reference, now)
        if self._housekeeping_due is not None and self._housekeeping_due <= now:
            self._housekeeping_due = now + HOUSEKEEPING_NS
            self._housekeep(now)
        return self._drain()

    def next_deadline(self) -> int | None:
        due = self._housekeeping_due
        for instance in self.instances.values():
            when = instance.next_deadline()
            if when is not None and (due is None or when < due):
                due = when
        for clock in self.clocks.values():
            for edge in clock.edges:
                when = edge.again_at_ns
                if when is not None and (due is None or when < due):
                    due = when
        if self.references:
            others = [*self._reading_due.values(), *(r.next_deadline() for r in self.references.values()), due]
            due = min((d for d in others if d is not None), default=None)
        return due

    def commanded(
        self, clock: str, clock_sns: int, frequency_ppb: float, step_sns: int, now: int
    ) -> list[EngineEffect]:
        """A SetFrequency or StepClock was carried out: what the clock really took, at its time ``clock_sns``."""
        self.steering.commanded(clock, clock_sns, frequency_ppb, step_sns, now)
        return self._drain()

    def command_failed(self, clock: str, why: str, now: int, step: bool = False) -> list[EngineEffect]:
        """The clock refused a SetFrequency, or (``step``) a StepClock."""
        self.steering.refused(clock, why, step, now)
        return self._drain()

    def reading_failed(self, clock: str, why: str, now: int) -> list[EngineEffect]:
        """A clock or its reference could not be read this time; when that goes on, the edge falls silent."""
        self._event("reading-failed", "", 0, {"clock": clock, "reason": why})
        return self._drain()

    def reading(self, clock: str, clock_sns: int, reference_sns: int, bound_ns: float, now: int) -> list[EngineEffect]:
        """The clock and its reference at the same moment."""
        edge = self.reference_edges[clock]
        if self.references[clock].signal:
            self.steering.saw_time(clock, clock_sns, now)
            observe = partial(edge.servo.reading, clock_sns, clock_sns - reference_sns, bound_ns, now)
            self.steering.measured(edge, observe, now)
        return self._drain()

    def clock_time(self, clock: str, clock_sns: int, now: int) -> list[EngineEffect]:
        self.steering.saw_time(clock, clock_sns, now)
        self._refresh_references(now)
        return self._drain()

    def declare_reference(
        self, clock: str, state: str, clock_class: int | None, now: int, accuracy: int | None = None
    ) -> list[EngineEffect]:
        """The operator (or a lab, or the kernel for its own clock) says how the reference is; ``accuracy``: its
        clockAccuracy from now on. ValueError for an unknown state, KeyError for a clock.
        """
        reference = self.references[clock]
        if accuracy is not None:
            reference.accuracy = accuracy
        edge = self.reference_edges.get(clock)
        reference.declare(ReferenceState(state), clock_class, edge is not None and locked(edge), now)
        if edge is not None:
            if reference.signal:
                self._reading_due.setdefault(clock, now)
            else:
                self._reading_due.pop(clock, None)
                self.steering.lost(edge, now)
        self._reference_changed(reference, now)
        return self._drain()

    def set_priorities(
        self, instance: str, now: int, priority1: int | None, priority2: int | None
    ) -> list[EngineEffect]:
        self._take(instance, self.instances[instance].set_priorities(now, priority1, priority2), now)
        return self._drain()

    # ---- protocol effects -------------------------------------------------------------------------------------

    def _take(self, name: str, effects: Iterable[Effect], now: int) -> None:
        for effect in effects:
            if isinstance(effect, Send):
                self._out.append(effect)
            elif isinstance(effect, SyncMeasured):
                edge = self.edges[name]
                if effect.log_interval != edge.log_interval and effect.log_interval in LOG_INTERVAL_RANGE:
                    edge.log_interval = effect.log_interval
                    edge.interval_ns = log_interval_ns(effect.log_interval)
                    edge.servo.set_sync_interval(effect.log_interval)
                edge.servo.master_uncertain(self._uncertain_master(name, edge, now))
                self.steering.saw_time(edge.clock, effect.t2_sns, now)
                t1 = effect.t1_sns + self.arb_offset_s(self.instances[name], effect.t1_sns // SNS_PER_S) * SNS_PER_S
                observe = partial(edge.servo.sync, t1, effect.t2_sns, effect.correction_sns, effect.received_ns)
                self.steering.measured(edge, observe, now)
            elif isinstance(effect, DelayMeasured):
                edge = self.edges[name]
                t4 = effect.t4_sns + self.arb_offset_s(self.instances[name], effect.t4_sns // SNS_PER_S) * SNS_PER_S
                self.steering.obey(edge, edge.servo.delay(effect.t3_sns, t4, effect.correction_sns, now), now)
            elif isinstance(effect, ParentChanged):
                self._parent_changed(name, effect, now)
            elif isinstance(effect, StateChanged):
                self._event(
                    "port-state",
                    name,
                    effect.port,
                    {
                        "old": effect.old.name,
                        "new": effect.new.name,
                        "event": effect.event,
                        "decision": None if effect.decision is None else effect.decision.as_dict(),
                    },
                )

    def _uncertain_master(self, name: str, edge: Edge, now: int) -> bool:
        """Whether the parent is still settling: it says so, or it vouches for nothing and has been followed briefly."""
        parent = self.instances[name].data.parent
        return parent.synchronization_uncertain or (
            parent.grandmaster_quality.clock_class >= UNVOUCHED_CLASS and now - edge.followed_ns < SETTLING_NS
        )

    def arb_offset_s(self, instance: Instance, utc_s: int) -> int:
        """What to add to the stamps of a grandmaster with an arbitrary time scale that is known to hold UTC (s).

        Our clocks speak TAI. Only for an ordinary clock: a boundary clock hands the scale on as it is.
        """
        properties = instance.data.time_properties
        if properties.ptp_timescale or len(instance.ports) > 1 or not instance.has_parent:
            return 0
        if self.plans[instance.options.name].arb_is != "utc":
            return 0
        # from our own table: what such a grandmaster announces as currentUtcOffset is a default of its software
        return self.plan.leap.tai_minus_utc(utc_s)

    def _parent_changed(self, name: str, effect: ParentChanged, now: int) -> None:
        edge = self.edges[name]
        decision = effect.decision
        self._event(
            "parent",
            name,
            0,
            {
                "old": str(effect.old),
                "new": str(effect.new),
                "grandmaster": format_clock_identity(effect.grandmaster),
                "decision": None if decision is None else decision.as_dict(),
            },
        )
        if effect.new.port_number == 0:
            self.steering.lost(edge, now)
        else:
            edge.followed_ns = now
            edge.servo.new_master(now)
            # it may be locked again with the next packet: the port has to hear that it was not
            self.steering.obey(edge, None, now)

    # ---- what steering tells ----------------------------------------------------------------------------------

    def _clock_stepped(self, clock: str) -> None:
        for instance in self.instances.values():
            if instance.options.clock == clock:
                instance.clock_stepped()

    def _servo_changed(self, edge: Edge, state: ServoState, now: int) -> None:
        """MASTER_CLOCK_SELECTED or SYNCHRONIZATION_FAULT for the port that follows; the reference's own state."""
        is_locked = state is ServoState.LOCKED
        if edge.instance is not None:
            instance = self.instances[edge.instance]
            self._take(edge.instance, instance.synchronised(is_locked, now, f"servo {state.value}"), now)
        else:
            reference = self.references[edge.clock]
            if reference.servo_changed(is_locked, state.value, now):
                self._reference_changed(reference, now)

    def _housekeep(self, now: int) -> None:
        self.steering.housekeep(now)
        for clock in self.references:
            self._out.append(ReadClock(clock))

    # ---- the grandmaster's own quality -------------------------------------------------------------------------

    def _reference_changed(self, reference: Reference, now: int) -> None:
        self._event(
            "reference",
            "",
            0,
            {"clock": reference.plan.clock, "state": reference.state.value, "decision": reference.decision.as_dict()},
        )
        self._refresh_references(now)

    def clock_ptp_s(self, clock: str, now: int) -> int | None:
        """PTP seconds of a clock, carried on from the last time it was seen."""
        return self.steering.ptp_s(clock, now)

    def _refresh_references(self, now: int) -> None:
        """D0 of every instance follows the reference of its clock: class, accuracy, UTC offset, leap flags."""
        table = self.plan.leap
        for name, instance in self.instances.items():
            reference = self.references.get(instance.options.clock)
            if reference is None:
                continue
            ptp_s = self.clock_ptp_s(instance.options.clock, now)
            if ptp_s is None:
                offset, valid, flags = table.entries[-1].tai_minus_utc, False, (False, False)
            else:
                offset, flags = table.at_ptp(ptp_s), table.leap_flags(ptp_s)
                valid = table.status(ptp_s - offset).usable
            options = instance.options
            quality = reference.quality(options.quality_table, options.quality)
            properties = reference.time_properties(offset, valid, *flags)
            self._take(name, instance.set_quality(quality, properties, now), now)

    # ---- plumbing ---------------------------------------------------------------------------------------------

    def _event(self, kind: str, instance: str, port: int, data: dict[str, Any]) -> None:
        self._out.append(Event(kind, instance, port, data))

    def _drain(self) -> list[EngineEffect]:
        out = self._out
        self._out = []
        return out


def route_key(sdo_id: int, domain: int) -> int:
    """What tells the frames of instances on one channel apart: majorSdoId, minorSdoId, domainNumber."""
    return (sdo_id >> 8) << 16 | (sdo_id & 0xFF) << 8 | domain
