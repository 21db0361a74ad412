"""Edges from PTP instances to clocks at work: what ports measure goes to the servo of their clock.

1. An instance has one edge to each clock that stamps for its ports; the edge of the port that follows is the one by
   which its time comes.
2. A servo gets PTP time. A grandmaster with an arbitrary time scale is followed as it is, unless an ordinary clock has
   been told that the scale is UTC.
3. A servo is told when the master is another one, and while the master is still settling itself.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from ptpstack.engine.discipline import Edge
from ptpstack.engine.effects import EngineEffect, Event
from ptpstack.engine.plan import EnginePlan, InstancePlan
from ptpstack.engine.steering import Steering
from ptpstack.protocol.delay_e2e import LOG_INTERVAL_RANGE
from ptpstack.protocol.effects import (
    DelayMeasured,
    Effect,
    LinkDelayMeasured,
    ParentChanged,
    SyncMeasured,
    SyncOverheard,
)
from ptpstack.protocol.instance import Instance
from ptpstack.servo.base import Request, Servo
from ptpstack.servo.options import ServoOptions
from ptpstack.timebase.units import SNS_PER_S, log_interval_ns
from ptpstack.wire.types import format_clock_identity

#: A parent of this clockClass or worse has never had a reference: it may be a boundary clock that has just begun.
UNVOUCHED_CLASS = 248
SETTLING_NS = 30_000_000_000


class InstanceEdges:
    def __init__(
        self,
        plan: EnginePlan,
        instances: Mapping[str, Instance],
        plans: Mapping[str, InstancePlan],
        steering: Steering,
        new_servo: Callable[[ServoOptions, str], Servo],
        emit: Callable[[EngineEffect], None],
    ) -> None:
        self._plan = plan
        self._instances = instances
        self._plans = plans
        self._steering = steering
        self._new_servo = new_servo
        self._emit = emit
        #: instance -> clock -> edge
        self.edges: dict[str, dict[str, Edge]] = {}
        #: of the effects of an instance those that are for here, and what is done about them
        self.takes: dict[type[Effect], Callable[[str, Any, int], None]] = {
            SyncMeasured: self._sync,
            SyncOverheard: self._overheard,
            DelayMeasured: self._delay,
            LinkDelayMeasured: self._link_delay,
            ParentChanged: self._parent_changed,
        }

    # ---- making -----------------------------------------------------------------------------------------------

    def add(self, plan: InstancePlan) -> list[Edge]:
        """The edges of an instance, at the end of those of their clocks."""
        options = plan.options
        made = self.edges[options.name] = {}
        for clock in options.clocks:
            name = options.name if len(options.clocks) == 1 else f"{options.name} at {clock}"
            edge = made[clock] = Edge(name, clock, self._new_servo(plan.servo, clock), plan.servo, options.name)
            self._steering.clocks[clock].edges.append(edge)
        return list(made.values())

    def of_port(self, name: str, number: int) -> Edge:
        edges = self.edges[name]
        if len(edges) == 1:
            return next(iter(edges.values()))
        options = self._instances[name].options
        return edges[options.clock_of(options.ports[number - 1])]

    # ---- measurements of an instance's ports, to the servo of their clock -------------------------------------

    def _sync(self, name: str, effect: SyncMeasured, now: int) -> None:
        instance, edge = self._instances[name], self.of_port(name, effect.port)
        if effect.log_interval != edge.log_interval and effect.log_interval in LOG_INTERVAL_RANGE:
            edge.log_interval = effect.log_interval
            edge.interval_ns = log_interval_ns(effect.log_interval)
            edge.servo.set_sync_interval(effect.log_interval)
        edge.servo.master_uncertain(self._uncertain_master(instance, edge, now))
        self._steering.saw_time(edge.clock, effect.t2_sns, now)
        t1 = self._ptp_sns(instance, effect.t1_sns)
        edge.shift_sns = t1 - effect.t1_sns
        observe = partial(edge.servo.sync, t1, effect.t2_sns, effect.correction_sns, effect.received_ns)
        self._steering.measured(edge, observe, now)

    def _overheard(self, name: str, effect: SyncOverheard, now: int) -> None:
        edge = self.of_port(name, effect.port)
        t1 = effect.t1_sns + edge.shift_sns
        self._steering.obey(edge, edge.servo.overheard(t1, effect.t2_sns, effect.correction_sns, now), now)

    def _delay(self, name: str, effect: DelayMeasured, now: int) -> None:
        edge = self.of_port(name, effect.port)
        t4 = self._ptp_sns(self._instances[name], effect.t4_sns)
        self._steering.obey(edge, edge.servo.delay(effect.t3_sns, t4, effect.correction_sns, now), now)

    def _link_delay(self, name: str, effect: LinkDelayMeasured, now: int) -> None:
        request, instance = None, self._instances[name]
        edge = self.of_port(name, effect.port)
        # by clock, not by port: the common service numbers its ports by itself
        parent = instance.data.parent.parent_port_identity.clock_identity
        if effect.t2_sns is not None and effect.responder.clock_identity == parent:
            t2 = self._ptp_sns(instance, effect.t2_sns)
            request = Request(effect.t1_sns, t2, effect.correction_sns)
        observed = edge.servo.link_delay(effect.at_sns, effect.delay_sns, now, request)
        self._steering.obey(edge, observed, now)

    def _uncertain_master(self, instance: Instance, edge: Edge, now: int) -> bool:
        """Whether the parent is still settling: it says so, or it vouches for nothing and has been followed briefly."""
        parent = instance.data.parent
        return parent.synchronization_uncertain or (
            parent.grandmaster_quality.clock_class >= UNVOUCHED_CLASS and now - edge.followed_ns < SETTLING_NS
        )

    def _ptp_sns(self, instance: Instance, stamp_sns: int) -> int:
        """A stamp of the master in the time scale that our clocks speak."""
        if instance.data.time_properties.ptp_timescale:
            return stamp_sns
        return stamp_sns + self.arb_offset_s(instance, stamp_sns // SNS_PER_S) * SNS_PER_S

    def arb_offset_s(self, instance: Instance, utc_s: int) -> int:
        """What to add to the stamps of a grandmaster with an arbitrary time scale that is known to hold UTC (s).

        Our clocks speak TAI. Only for an ordinary clock: a boundary clock hands the scale on as it is.
        """
        properties = instance.data.time_properties
        if properties.ptp_timescale or len(instance.ports) > 1 or not instance.has_parent:
            return 0
        if self._plans[instance.options.name].arb_is != "utc":
            return 0
        # from our own table: what such a grandmaster announces as currentUtcOffset is a default of its software
        return self._plan.leap.tai_minus_utc(utc_s)

    # ---- masters ----------------------------------------------------------------------------------------------

    def _parent_changed(self, name: str, effect: ParentChanged, now: int) -> None:
        decision = effect.decision
        data = {
            "old": str(effect.old),
            "new": str(effect.new),
            "grandmaster": format_clock_identity(effect.grandmaster),
            "decision": None if decision is None else decision.as_dict(),
        }
        self._emit(Event("parent", name, 0, data))
        followed = None if effect.new.port_number == 0 else self._instances[name].following_clock
        for clock, edge in self.edges[name].items():
            if effect.new.port_number == 0:
                self._steering.lost(edge, now, "no port follows a master")
            elif clock == followed or len(self.edges[name]) == 1:
                edge.followed_ns = now
                edge.servo.new_master(now)
                # it may be locked again with the next packet: the port has to hear that it was not
                self._steering.obey(edge, None, now)
            else:
                self._steering.lost(edge, now, f"the port that follows is stamped by {followed}")
