"""The engine: inputs in, effects out. See the package's rules."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from ptpstack.engine.changes import Changes
from ptpstack.engine.discipline import Edge
from ptpstack.engine.effects import EngineEffect, KeepSettings, ReadClock, ReadTemperature
from ptpstack.engine.kept import kept_of, take_up
from ptpstack.engine.management import Desk
from ptpstack.engine.plan import EnginePlan, edge_name
from ptpstack.engine.reference import Reference
from ptpstack.engine.short_cuts import PlainAnswer
from ptpstack.protocol.effects import (
    CapabilityChanged,
    Effect,
    Keep,
    LinkDelayMeasured,
    Managed,
    Rebuilt,
    Send,
    StateChanged,
)
from ptpstack.protocol.instance import Instance
from ptpstack.protocol.management.table import ChannelFacts
from ptpstack.protocol.timers import NEVER
from ptpstack.servo.base import ServoState

if TYPE_CHECKING:
    from ptpstack.engine.bridges import Bridges

#: How often a grandmaster looks at its clock for leap seconds, and everybody for silent sources (who has nothing else
#: to look at leaves out the turns that cannot find one).
HOUSEKEEPING_NS = 1_000_000_000
#: How often temperatures are asked for: an oscillator warms slowly.
TEMPERATURE_NS = 10_000_000_000


class Engine(Changes):
    def __init__(self, plan: EnginePlan) -> None:
        super().__init__(plan)
        self.management_desk = Desk(self)
        #: what is done about an effect of an instance
        self._takes: dict[type[Effect], Callable[[str, Any, int], None]] = {
            **self.on_instances.takes,
            StateChanged: self._port_changed,
            CapabilityChanged: self._capability_changed,
            Managed: self._was_managed,
            Keep: self._keep_settings,
            Rebuilt: self._was_rebuilt,
        }
        if self.bridges is not None and self.bridges.inside:
            self._takes[Send] = self.bridges.sent
        if self.links is not None:
            self._takes[LinkDelayMeasured] = self.links.before(self._takes[LinkDelayMeasured])

    # ---- inputs -----------------------------------------------------------------------------------------------

    def start(self, now: int, frequencies: dict[str, float] | None = None) -> list[EngineEffect]:
        """``frequencies`` (ppb) are what the clocks run with already."""
        for name, ppb in (frequencies or {}).items():
            self.clocks[name].frequency_ppb = self.clocks[name].confirmed_ppb = ppb
            self.local_clocks[name].reset(ppb)
        self.on_references.start(now)
        self.clock_edges.start(now)
        self.vouching.believe()
        self.vouching.refresh(now)
        if self.links is not None:
            self.links.start(now)
        for name, instance in self.instances.items():
            self.take(name, instance.start(now), now)
        if self.bridges is not None:
            self.bridges.start(now)
        self._housekeeping_due = now
        return self._drain()

    def receive(
        self, channel: str, octets: bytes, ingress_sns: int | None, address: str, now: int
    ) -> list[EngineEffect]:
        """A frame from the network, from the first octet of the PTP header."""
        if self.bridges is not None and channel in self.bridges.channels:
            self.bridges.receive(channel, octets, ingress_sns, address, now)
            return self._drain()
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
        self.take(instance.options.name, effects, now)
        return self._drain()

    def plain_answers(self, channel: str) -> dict[bytes, PlainAnswer]:
        """A short cut past ``receive`` for who serves Delay_Req by the thousand (``short_cuts.py``).

        What it answers needs no ``receive``; nothing else changes by it, so no deadline does.
        """
        return self.short_cuts.of(channel)

    def transmitted(self, token: int, egress_sns: int | None, now: int) -> list[EngineEffect]:
        """The transmit stamp that belongs to ``Send.token``; None when it will not come."""
        self._stamped(token, egress_sns, now)
        return self._drain()

    def _stamped(self, token: int, egress_sns: int | None, now: int) -> None:
        owner = self._owner_of(token)
        if isinstance(owner, Instance):
            if self._is_here(owner):
                effects = owner.transmitted(token, egress_sns, now)
                if effects:
                    self.take(owner.options.name, effects, now)
        elif self.bridges is not None:
            self.bridges.do(owner.transmitted(token, egress_sns, now), now)

    def _is_here(self, owner: Instance) -> bool:
        """It was not removed meanwhile."""
        links = self.links
        return self.instances.get(owner.options.name) is owner or (links is not None and owner is links.instance)

    def link(self, channel: str, up: bool, now: int) -> list[EngineEffect]:
        if self.bridges is not None and channel in self.bridges.channels:
            self.bridges.link(channel, up, now)
        for instance, number in self._routes.get(channel, {}).values():
            self.take(instance.options.name, instance.link(number, up, now), now)
        self.event("link", "", 0, {"channel": channel, "up": up})
        return self._drain()

    def timer(self, now: int) -> list[EngineEffect]:
        for name, instance in self.instances.items():
            effects = instance.timer(now)
            if effects:
                self.take(name, effects, now)
        for part in self._timed_parts:
            part.timer(now)
        if self.bridges is not None:
            self.bridges.timer(now)
        self.steering.timer(now)
        if self._housekeeping_due <= now:
            self._housekeep(now)
            quiet_ns = 0 if self._keeps_house else self.steering.quiet_until(now) - now
            self._housekeeping_due = now + max(1, -(-quiet_ns // HOUSEKEEPING_NS)) * HOUSEKEEPING_NS
        return self._drain()

    def next_deadline(self) -> int | None:
        due = self._housekeeping_due
        if self.steering.due < due:
            due = self.steering.due
        for instance in self.instances.values():
            when = instance.next_deadline()
            if when is not None and when < due:
                due = when
        # most engines have neither, and this is asked after every frame
        for part in self._timed_parts:
            when = part.next_deadline()
            if when is not None and when < due:
                due = when
        if self.bridges is not None and self.bridges.due < due:
            due = self.bridges.due
        return None if due == NEVER else due

    def commanded(
        self,
        clock: str,
        clock_sns: int,
        frequency_ppb: float,
        step_sns: int,
        now: int,
        found_ppb: float | None = None,
    ) -> list[EngineEffect]:
        """A SetFrequency or StepClock was carried out: what the clock really took, at its time ``clock_sns``.

        ``found_ppb``: what it ran with just before.
        """
        if found_ppb is not None:
            self.watch.before_command(clock, found_ppb, now)
        self.local_clocks[clock].commanded(clock_sns, frequency_ppb, step_sns)
        self.steering.commanded(clock, clock_sns, frequency_ppb, step_sns, now)
        return self._drain()

    def command_failed(self, clock: str, why: str, now: int, step: bool = False) -> list[EngineEffect]:
        """The clock refused a SetFrequency, or (``step``) a StepClock."""
        self.steering.refused(clock, why, step, now)
        return self._drain()

    def reading_failed(self, clock: str, why: str, now: int, source: str = "") -> list[EngineEffect]:
        """A clock, its reference or (``source``) another clock could not be read this time; when that goes on, the edge
        falls silent.
        """
        self._failures[clock, source] += 1
        if self._failures[clock, source] == 1:
            # the first of a row: the others are counted
            self.event("reading-failed", "", 0, {"clock": clock, "source": source, "reason": why})
        return self._drain()

    def _was_read(self, clock: str, source: str = "") -> None:
        failures = self._failures.pop((clock, source), 0)
        if failures:
            self.event("reading-resumed", "", 0, {"clock": clock, "source": source, "failures": failures})

    def reading(
        self, clock: str, clock_sns: int, reference_sns: int, bound_ns: float, now: int, source: str = ""
    ) -> list[EngineEffect]:
        """The clock and its reference, or (``source``) another clock, at the same moment."""
        if source:
            edge = self.edges[edge_name(source, clock)]
            self.clock_edges.reading(edge, clock_sns, reference_sns, bound_ns, now)
        else:
            self.on_references.reading(clock, clock_sns, reference_sns, bound_ns, now)
        self._was_read(clock, source)
        return self._drain()

    def pulse(self, clock: str, channel: int, clock_sns: int, now: int) -> list[EngineEffect]:
        """An edge on an external time stamp channel of a clock, stamped by that clock."""
        self.on_references.pulse(clock, channel, clock_sns, now)
        return self._drain()

    def time_of_day(
        self, clock: str, clock_sns: int, tod_sns: int, bound_ns: float | None, now: int
    ) -> list[EngineEffect]:
        """A clock and the time of day at the same moment, and how far that may be off (None: nobody knows)."""
        self.on_references.time_of_day(clock, clock_sns, tod_sns, bound_ns, now)
        return self._drain()

    def clock_time(
        self,
        clock: str,
        clock_sns: int,
        now: int,
        at_ns: int | None = None,
        frequency_ppb: float | None = None,
        remark: str = "",
    ) -> list[EngineEffect]:
        """What a clock shows; ``at_ns`` is the moment on a steady clock that nobody steers (None: now),
        ``frequency_ppb`` what it runs with, ``remark`` what its backend has to say.
        """
        if frequency_ppb is not None:
            self.watch.look(clock, clock_sns, now if at_ns is None else at_ns, frequency_ppb, remark, now)
        self.steering.saw_time(clock, clock_sns, now)
        if clock in self.references:
            self.vouching.refresh(now)
        if clock not in self.reference_edges:
            self._was_read(clock)
        return self._drain()

    def renewed(self, clock: str, frequency_ppb: float, now: int, another: bool = False) -> list[EngineEffect]:
        """A clock that was gone is there again, and runs with ``frequency_ppb``: time and frequency are lost.

        ``another``: it is another device, with an oscillator of which nothing is known.
        """
        self.local_clocks[clock].reset(frequency_ppb)
        self.watch.renewed(clock, frequency_ppb, now, another)
        return self._drain()

    def temperature(self, clock: str, celsius: float, now: int) -> list[EngineEffect]:
        """What the sensor beside a clock's oscillator shows."""
        self.steering.temperature(clock, celsius, now)
        return self._drain()

    def resume(self, kept: Mapping[str, Any], now: int) -> list[EngineEffect]:
        """What ``keep`` gave at the end of an earlier life, with ``age_s`` for each clock. After ``start``."""
        take_up(self, kept, now)
        return self._drain()

    def keep(self, now: int) -> dict[str, Any]:
        """What is worth keeping over a restart, by clock; JSON-ready. No input: it changes nothing."""
        return kept_of(self, now)

    def management(self, socket: str, octets: bytes, address: str, now: int) -> list[EngineEffect]:
        """A datagram on a local management socket (``read-write`` or ``read-only``) from the peer at ``address``."""
        self.management_desk.take(socket, octets, address, now)
        return self._drain()

    def channel_facts(
        self,
        channel: str,
        stamping: str,
        phc_index: int | None,
        mac: bytes,
        address: str,
        now: int,
        one_step: str = "",
    ) -> list[EngineEffect]:
        """What a channel that was opened is: how it stamps, its addresses (``address``: as text, "" for none)."""
        interface, _, transport = channel.rpartition("/")
        facts = ChannelFacts(interface, transport, stamping, phc_index, mac, address, one_step)
        self.management_desk.channels[channel] = facts
        return []

    def _new_bridges(self) -> Bridges:
        from ptpstack.engine.bridges import Bridges

        return Bridges(self.emit, self.receive, self._stamped, self.take, self._routes)

    def _joined(self, instance: Instance) -> None:
        self.management_desk.welcome(instance)

    # ---- protocol effects -------------------------------------------------------------------------------------

    def take(self, name: str, effects: Sequence[Effect], now: int) -> None:
        news = False
        for effect in effects:
            take = self._takes.get(type(effect))
            if take is None:
                # Send, SendLocal: as they are
                self._out.append(effect)  # type: ignore[arg-type]
            else:
                take(name, effect, now)
                news = True
        monitor = self.monitors.get(name)
        for effect in effects if monitor is not None else ():
            monitor.saw(effect, now)  # type: ignore[union-attr]
        if news and name in self.instances:
            self.management_desk.happened(self.instances[name], effects, now)

    def _port_changed(self, name: str, effect: StateChanged, now: int) -> None:
        self.event("port-state", name, effect.port, effect.as_data())

    def _capability_changed(self, name: str, effect: CapabilityChanged, now: int) -> None:
        decision = effect.decision.as_dict()
        self.event("as-capable", name, effect.port, {"as_capable": effect.capable, "decision": decision})

    def _was_managed(self, name: str, effect: Managed, now: int) -> None:
        data = {"id": effect.name, "values": effect.values, "way": effect.way, "address": effect.address}
        self.event("management", name, effect.port, data)

    def _keep_settings(self, name: str, effect: Keep, now: int) -> None:
        rows = [[a, i, port, data.hex(), *rest] for a, i, port, data, *rest in effect.entries]
        self.emit(KeepSettings(name, rows))

    def _was_rebuilt(self, name: str, effect: Rebuilt, now: int) -> None:
        self.short_cuts.refresh()

    # ---- what steering tells ----------------------------------------------------------------------------------

    def _clock_stepped(self, clock: str, step_sns: int | None) -> None:
        if step_sns is not None:
            self.watch.stepped(clock, step_sns)
        self.on_references.stepped(clock, step_sns)
        for instance in (*self.instances.values(), *([] if self.links is None else [self.links.instance])):
            if clock in instance.options.clocks:
                instance.clock_stepped(clock, step_sns)
        if self.bridges is not None:
            self.bridges.clock_stepped(clock)

    def _servo_changed(self, edge: Edge, state: ServoState, now: int) -> None:
        """MASTER_CLOCK_SELECTED or SYNCHRONIZATION_FAULT for the port that follows; the reference's own state."""
        is_locked = state is ServoState.LOCKED
        if edge.retired:
            return
        if edge.instance is not None:
            instance = self.instances[edge.instance]
            if instance.following_clock in (None, edge.clock):
                self.take(edge.instance, instance.synchronised(is_locked, now, f"servo {state.value}"), now)
        elif edge.source is None:
            reference = self.references[edge.clock]
            if reference.servo_changed(is_locked, state.value, now):
                self._reference_changed(reference, now)

    def _housekeep(self, now: int) -> None:
        self.steering.housekeep(now)
        if now >= self._temperature_due:
            self._temperature_due = now + TEMPERATURE_NS
            self._out += [ReadTemperature(plan.name) for plan in self.plan.clocks if plan.temperature]
        self.clock_edges.close(now)
        self.vouching.bound(now)
        self.vouching.declare(now)
        self.vouching.refresh(now)
        for name in self._looked_at:
            self._out.append(ReadClock(name))

    # ---- the grandmaster's own quality -------------------------------------------------------------------------

    def _reference_changed(self, reference: Reference, now: int) -> None:
        self.event(
            "reference",
            "",
            0,
            {"clock": reference.plan.clock, "state": reference.state.value, "decision": reference.decision.as_dict()},
        )
        self.vouching.believe()
        self.vouching.refresh(now)

    def clock_ptp_s(self, clock: str, now: int) -> int | None:
        """PTP seconds of a clock, carried on from the last time it was seen."""
        return self.steering.ptp_s(clock, now)
