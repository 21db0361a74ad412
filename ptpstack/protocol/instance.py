"""A PTP Instance: the data sets and ports of one domain, and the best master among all it hears.

Driven from outside, in the manner of a parser: every input method takes ``now`` (ns, monotonic) and returns the effects
it caused, in order. Whom it follows is decided in election.py, and done in upstream.py.
"""

from __future__ import annotations

import itertools
import random
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from ptpstack.protocol.announce import fill_announce
from ptpstack.protocol.announce_option_set import announce_options
from ptpstack.protocol.bmca import BMCA
from ptpstack.protocol.datasets import new_data_sets
from ptpstack.protocol.decision import Decision
from ptpstack.protocol.effects import Effect, LinkDelayMeasured
from ptpstack.protocol.election import Election
from ptpstack.protocol.gptp.local_clock import LocalClock
from ptpstack.protocol.gptp.shared import Relay, TimeBase
from ptpstack.protocol.live import change_options, configure, set_priorities
from ptpstack.protocol.management.responder import Responder
from ptpstack.protocol.management.settings import Settings
from ptpstack.protocol.management.storage import Entry
from ptpstack.protocol.options import InstanceOptions, PortOptions, TimeProperties, class_255, ruled
from ptpstack.protocol.port import Port
from ptpstack.protocol.rebuilding import rebuild
from ptpstack.protocol.security import Security
from ptpstack.protocol.state_decision import describe
from ptpstack.protocol.states import FOLLOWING, PortEvent
from ptpstack.protocol.timers import NEVER
from ptpstack.protocol.upstream import Upstream
from ptpstack.wire.messages import Announce
from ptpstack.wire.types import ClockQuality, MessageType, PortState

#: Transmit stamps that may be awaited at once; more means that they do not come back at all.
MAX_AWAITED_STAMPS = 4096


class _Awaited(NamedTuple):
    port: Port
    kind: MessageType
    key: Any
    epoch: int


class Instance:
    def __init__(
        self,
        options: InstanceOptions,
        rng: random.Random,
        new_token: Callable[[], int] | None = None,
        transmit_offsets_ns: Sequence[int] = (),
        security: Security | None = None,
        local_clocks: Mapping[str, LocalClock] | None = None,
    ) -> None:
        """``transmit_offsets_ns``: see ``Port``, one for each port (none: 0). ``security``,
        ``local_clocks`` (by name of a clock): those of the engine.
        """
        #: as they were given, before the rules of a client-only clock
        self.configured = options
        self.options = options = ruled(options)
        self.clock_identity = options.clock_identity
        #: ValueError when the options do not fit the variant
        self.bmca = BMCA[options.bmca](options)
        self.security = security or Security()
        self._local_clocks = local_clocks or {name: LocalClock() for name in options.clocks}
        #: IEEE 802.1AS
        self.relay, self.time_base = Relay(), TimeBase()
        #: what an operator has said by management, over the next
        self.settings = Settings()
        #: quality and time properties as the reference has them
        self.own_quality, self.own_properties = options.quality, options.time_properties
        self.data = new_data_sets(options, class_255(options, options.quality))
        self._rng = rng
        self._transmit_offsets_ns = tuple(transmit_offsets_ns) or (0,) * len(options.ports)
        self.ports = [self._new_port(index) for index in range(len(options.ports))]
        #: of each port, for who only wants to know whether one is due
        self._timers = [port.timers for port in self.ports]
        self.election = Election(self)
        self.upstream = Upstream(self)
        self.announce_options = announce_options(options)
        self.management = Responder(self)
        self._effects: list[Effect] = []
        self.emit = self._effects.append
        self._new_token = new_token or itertools.count(1).__next__
        self._awaited: dict[int, _Awaited] = {}

    # ---- inputs -----------------------------------------------------------------------------------------------

    def start(self, now: int) -> list[Effect]:
        for port in self.ports:
            port.since_ns = now
            port.event(PortEvent.INITIALIZED, now)
        self.election.schedule(now)
        return self._drain()

    def receive(self, port_number: int, octets: bytes, ingress_sns: int | None, address: str, now: int) -> list[Effect]:
        """A frame for this domain and sdoId (the caller looked, see ``wire.codec.peek``)."""
        self.ports[port_number - 1].entrance.receive(octets, ingress_sns, address, now)
        return self._drain()

    def transmitted(self, token: int, egress_sns: int | None, now: int) -> list[Effect]:
        """The transmit time stamp of an event message, or None when it is known not to come."""
        awaited = self._awaited.pop(token, None)
        if awaited is not None:
            if awaited.epoch == awaited.port.epoch:
                awaited.port.transmitted(awaited.kind, awaited.key, egress_sns)
            else:
                # taken before a step of the clock: a time of another epoch
                awaited.port.counters["stamp-before-step"] += 1
        return self._drain()

    def timer(self, now: int) -> list[Effect]:
        for index, timers in enumerate(self._timers):
            if timers.due <= now:
                self.ports[index].timer(now)
        if self.election.due <= now:
            self.elect(now)
        return self._drain()

    def next_deadline(self) -> int | None:
        due = self.election.due
        for timers in self._timers:
            if timers.due < due:
                due = timers.due
        return None if due == NEVER else due

    def link(self, port_number: int, up: bool, now: int) -> list[Effect]:
        port = self.ports[port_number - 1]
        port.link_up = up
        if up:
            if port.state is PortState.FAULTY:
                port.event(PortEvent.FAULT_CLEARED, now, Decision("link-up", "the link is up again"))
        elif port.state not in (PortState.FAULTY, PortState.DISABLED):
            self.link_is_down(port, now)
            self.elect(now)
        return self._drain()

    def enable(self, port_number: int, enabled: bool, now: int) -> list[Effect]:
        """DESIGNATED_ENABLED / DESIGNATED_DISABLED (9.2.6.4, 9.2.6.5)."""
        port = self.ports[port_number - 1]
        port.ds.port_enable = enabled
        event = PortEvent.DESIGNATED_ENABLED if enabled else PortEvent.DESIGNATED_DISABLED
        port.event(event, now, Decision(event.value, f"set {'enabled' if enabled else 'disabled'} by the operator"))
        if enabled and not port.link_up:
            self.link_is_down(port, now)
        self.elect(now)
        return self._drain()

    def leave(self, now: int) -> list[Effect]:
        """It is to be no more: every port is disabled, and nobody is followed."""
        for port in self.ports:
            port.ds.port_enable = False
            port.event(PortEvent.DESIGNATED_DISABLED, now, Decision("removed", "its instance was removed"))
        self.upstream.become_grandmaster(Decision("removed", "the instance was removed"))
        return self._drain()

    def initialize(self, now: int) -> list[Effect]:
        """INITIALIZE (9.2.6.3): dynamic members start anew, what is configured stays."""
        self.upstream.become_grandmaster(Decision("initialize", "dynamic members start anew, by the operator's wish"))
        for port in self.ports:
            port.initialize(now)
            if port.state is PortState.DISABLED:
                continue
            port.event(PortEvent.INITIALIZE, now)
            if not port.link_up:
                self.link_is_down(port, now)
        return self._drain()

    def set_quality(self, quality: ClockQuality, properties: TimeProperties, now: int) -> list[Effect]:
        """D0 follows the grandmaster's reference: class, accuracy, variance and time properties (7.6.2, 9.4)."""
        self.own_quality, self.own_properties = quality, properties
        self.say_quality(now)
        return self._drain()

    def set_settings(self, settings: Settings, now: int) -> list[Effect]:
        """An operator's word on what is announced as grandmaster, over what the reference says."""
        self.settings = settings
        self.say_quality(now)
        return self._drain()

    def tell_time(self, ptp_s: int, now: int) -> list[Effect]:
        """What the clock of this instance shows (PTP seconds), about once a second."""
        told = [option.time_is(ptp_s, self.data.own_time_properties) for option in self.announce_options]
        for port in self.ports if any(told) else ():
            port.announce_changed(now)
        return self._drain()

    def set_priorities(self, now: int, priority1: int | None = None, priority2: int | None = None) -> list[Effect]:
        """ValueError for a client-only instance, whose priorities are 255 by rule."""
        given = {"priority1": priority1, "priority2": priority2}
        set_priorities(self, {name: value for name, value in given.items() if value is not None})
        self.elect(now)
        return self._drain()

    def configure(self, settings: Mapping[str, Any], now: int) -> list[Effect]:
        """Other settings from now on, see live.py. ValueError, and nothing changed, for what cannot be changed."""
        configure(self, settings, now)
        return self._drain()

    def rebuild(self, options: InstanceOptions, now: int, only: int | None = None) -> list[Effect]:
        """See rebuilding.py."""
        rebuild(self, options, now, only)
        return self._drain()

    def change_options(self, options: InstanceOptions, now: int) -> list[Effect]:
        """Go on with other options of what is said and heard by Announce; ports go on as they are."""
        change_options(self, options, now)
        return self._drain()

    def manage(self, socket: str, octets: bytes, address: str, now: int) -> list[Effect]:
        """A datagram of a local management socket, of this domain and sdoId."""
        self.management.from_local(socket, octets, address, now)
        return self._drain()

    def restore(self, entries: Iterable[Entry], now: int) -> tuple[list[Effect], list[str]]:
        """What management had set in an earlier life; (effects, why some of it does not hold)."""
        problems = self.management.restore(entries, now)
        return self._drain(), problems

    def happened(self, effects: Sequence[Effect], now: int) -> list[Effect]:
        """What an input has caused, once the servo has had its part of it: subscribers are told, faults noted."""
        self.management.happened(effects, now)
        return self._drain()

    def link_measured(self, port_number: int, measured: LinkDelayMeasured, link: Port, now: int) -> list[Effect]:
        """What the common service has measured by its port ``link``; for a port with COMMON_P2P."""
        self.ports[port_number - 1].delay.told(measured, link, now)
        return self._drain()

    def clock_stepped(self, clock: str | None = None, step_sns: int | None = None) -> None:
        """The clock behind the time stamps was stepped: nothing measured before may meet anything measured after.

        Ports that are stamped by another clock than ``clock`` (None: every clock was stepped) go on.
        """
        if not self.has_parent:
            self.time_base.stepped(step_sns)
        for port in self.ports:
            if clock is None or self.options.clock_of(port.options) == clock:
                port.epoch += 1
                port.flush()

    def synchronised(self, locked: bool, now: int, reason: str) -> list[Effect]:
        """The servo's word: MASTER_CLOCK_SELECTED or SYNCHRONIZATION_FAULT for the following port."""
        self.upstream.servo_says(locked, now, reason)
        return self._drain()

    # ---- what its ports and rooms ask of it -----------------------------------------------------------------

    def local_clock_of(self, port: PortOptions) -> LocalClock:
        """Of the clock that stamps the frames of a port."""
        return self._local_clocks[self.options.clock_of(port)]

    @property
    def relays(self) -> bool:
        """Whether it is a PTP Relay Instance (IEEE 802.1AS)."""
        return len(self.ports) > 1 and self.options.ports[0].gptp is not None

    def fault(self, port: Port, decision: Decision, now: int) -> None:
        port.event(PortEvent.FAULT_DETECTED, now, decision)
        self.elect(now)

    def expect_stamp(self, port: Port, kind: MessageType, key: Any) -> int:
        if len(self._awaited) >= MAX_AWAITED_STAMPS:
            lost = self._awaited.pop(next(iter(self._awaited)))
            lost.port.counters["stamp-never-reported"] += 1
        token = self._new_token()
        self._awaited[token] = _Awaited(port, kind, key, port.epoch)
        return token

    def fill_announce(self, message: Announce) -> None:
        fill_announce(message, self.data)
        if self.announce_options:
            message.tlvs = (*(tlv for option in self.announce_options for tlv in option.tlvs(self.data)), *message.tlvs)

    def elect(self, now: int) -> None:
        self.election.hold(now)

    def _new_port(self, index: int) -> Port:
        return Port(self, index + 1, self.options.ports[index], self._rng, self._transmit_offsets_ns[index])

    def replace_port(self, index: int) -> tuple[Port, Port]:
        """A new port in the place of one: (the old, the new)."""
        old, new = self.ports[index], self._new_port(index)
        self.ports[index], self._timers[index] = new, new.timers
        return old, new

    def say_quality(self, now: int) -> None:
        quality = class_255(self.options, self.settings.quality_over(self.own_quality))
        properties = self.settings.properties_over(self.own_properties)
        data = self.data
        if quality != data.default.quality or properties != data.own_time_properties:
            data.default.quality = quality
            data.own_time_properties = properties
            if not self.has_parent:
                data.become_grandmaster()
                for port in self.ports:
                    port.announce_changed(now)
            self.elect(now)

    def link_is_down(self, port: Port, now: int) -> None:
        port.event(
            PortEvent.FAULT_DETECTED, now, Decision("link-down", "the link is down", would_change="the link coming up")
        )

    def emit_all(self, effects: Iterable[Effect]) -> None:
        for effect in effects:
            self.emit(effect)

    def _drain(self) -> list[Effect]:
        if not self._effects:
            return []
        effects = self._effects[:]
        self._effects.clear()
        return effects

    # ---- views ------------------------------------------------------------------------------------------------

    @property
    def following_port(self) -> Port | None:
        return next((p for p in self.ports if p.state in FOLLOWING), None)

    @property
    def following_clock(self) -> str | None:
        """The clock of the port that follows."""
        port = self.following_port
        return None if port is None else self.options.clock_of(port.options)

    @property
    def has_parent(self) -> bool:
        return self.data.parent.parent_port_identity.port_number != 0

    @property
    def is_grandmaster(self) -> bool:
        """Our own clock is the one that is served here."""
        return not self.has_parent and any(p.state is PortState.MASTER for p in self.ports)

    def foreign_masters(self, now: int) -> list[dict[str, Any]]:
        """Everybody heard, for people: port, sender, data set, qualified or why not."""
        rows: list[dict[str, Any]] = []
        for port in self.ports:
            for record in port.foreign:
                rows.append(
                    {
                        "port": port.number,
                        "address": record.address,
                        "qualified": record.qualified(now, port.foreign_window_ns),
                        "heard": record.received,
                        "age_s": (now - record.last_ns) / 1e9,
                        **describe(port.candidate(record, now)),
                    }
                )
        return rows
