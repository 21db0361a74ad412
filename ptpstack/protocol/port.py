"""One PTP port: its state machine, what it sends, and the parts that it is made of (part.py).

The state machine's tables are states.py. The port finds the part that a timer or a transmit stamp is for, its entrance
the one that a message is for; what concerns more than one port (best master, data sets) is its instance's.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, TypeVar

from ptpstack.protocol.acceptable_masters import AcceptableMasters
from ptpstack.protocol.admission import Admission
from ptpstack.protocol.announce import candidate
from ptpstack.protocol.announce_receipt import AnnounceReceipt
from ptpstack.protocol.comparison import Candidate, Standing
from ptpstack.protocol.datasets import PortDS
from ptpstack.protocol.decision import Decision
from ptpstack.protocol.effects import ONE_STEP, PEER_DELAY, Send, StateChanged
from ptpstack.protocol.entrance import Entrance
from ptpstack.protocol.following import Following
from ptpstack.protocol.foreign import FOREIGN_MASTER_WINDOW_INTERVALS, ForeignMaster, ForeignMasters
from ptpstack.protocol.gptp.states import gptp_table
from ptpstack.protocol.options import PortOptions
from ptpstack.protocol.part import Part, StampHandler, TimerHandler, concerned
from ptpstack.protocol.port_parts import (
    capability,
    delay_mechanism,
    parts_of,
    sending,
    serving,
    unicast_discovery,
    unicast_service,
)
from ptpstack.protocol.security import PortSecurity
from ptpstack.protocol.states import FOLLOWING, SERVER_ONLY, PortEvent, next_state
from ptpstack.protocol.sync_receiver import CompleteSync
from ptpstack.protocol.timers import NEVER, Timers
from ptpstack.protocol.unannounced import Unannounced
from ptpstack.protocol.unicast_rules import UnicastRules
from ptpstack.timebase.units import float_ns_to_sns, log_interval_ns
from ptpstack.wire.codec import encode
from ptpstack.wire.messages import CONTROL_FIELD, Message, Signaling
from ptpstack.wire.tlv import Tlv
from ptpstack.wire.types import Flag, MessageType, PortIdentity, PortState

if TYPE_CHECKING:
    from ptpstack.protocol.instance import Instance

M = TypeVar("M", bound=Message)

#: names of counters; a member's name in small letters costs more than the counting
_SENT = {kind: f"tx-{kind.name.lower()}" for kind in MessageType}
#: sequenceId in the header (13.3.1)
_SEQUENCE_AT = 30

TIMER_QUALIFICATION = "qualification"


class Port:
    def __init__(
        self,
        instance: Instance,
        number: int,
        options: PortOptions,
        rng: random.Random,
        transmit_offset_ns: int = 0,
    ) -> None:
        """``transmit_offset_ns`` shifts Announce and Sync in time: instances that share a wire must not all speak at
        once. The later ones' frames queue behind the earlier ones', which every client takes for a longer path.
        """
        self.instance = instance
        self.number = number
        self.transmit_offset_ns = transmit_offset_ns
        self.options = options
        self.channel = options.channel
        self.identity = PortIdentity(instance.clock_identity, number)
        self.counters: Counter[str] = Counter()
        self.ds = PortDS(
            port_identity=self.identity,
            log_min_delay_req_interval=options.log_min_delay_req_interval,
            log_announce_interval=options.log_announce_interval,
            announce_receipt_timeout=options.announce_receipt_timeout,
            log_sync_interval=options.log_sync_interval,
            delay_mechanism=options.delay_mechanism,
            delay_asymmetry_sns=float_ns_to_sns(options.delay_asymmetry_ns),
            # what the BMCA variant makes of it
            server_only=instance.bmca.table(options) is SERVER_ONLY,
            log_min_pdelay_req_interval=options.log_min_pdelay_req_interval,
        )
        self.foreign = ForeignMasters(options.foreign_master_capacity, instance.bmca.threshold)
        self.decision: Decision | None = None
        self.since_ns = 0
        self.timers = Timers()
        self.rng = rng
        self.ingress_latency_sns = float_ns_to_sns(options.ingress_latency_ns)
        self.egress_latency_sns = float_ns_to_sns(options.egress_latency_ns)
        self.masters = AcceptableMasters(instance.options.acceptable_masters)
        self._wait_to_restore_ns = int(instance.options.wait_to_restore_s * 1e9)
        self.link_up = True
        #: how often the clock behind its time stamps was stepped
        self.epoch = 0
        table = instance.bmca.table(options)
        self._table = table if options.gptp is None else gptp_table(table)
        self.local_clock = instance.local_clock_of(options)
        self.gptp = capability(self)
        self.security = None if options.spp is None else PortSecurity(instance.security, options, self.counters)
        #: where multicast goes: None is the channel's group
        self.group = PEER_DELAY if options.link_local else None
        self.unicast_rules = UnicastRules(self)
        self.delay = delay_mechanism(self)
        self.admission = Admission(options, self.foreign, self.counters)
        self.sending = sending(self)
        self.unicast_service = unicast_service(self) if options.unicast.serve else None
        self.unicast_discovery = unicast_discovery(self) if options.unicast.servers else None
        self.announces = AnnounceReceipt(self)
        self.receiving = Following(self) if options.announce else Unannounced(self)
        self.serving = serving(self, transmit_offset_ns) if options.unicast.multicast else None
        self._parts = parts_of(self)
        self.entrance = Entrance(self, self._parts)
        self.announce_watchers = concerned(self._parts, Part.announce_heard)
        self._sync_watchers = concerned(self._parts, Part.sync_heard)
        self._event_watchers = concerned(self._parts, Part.event_sent)
        self._link_watchers = concerned(self._parts, Part.link_seen)
        self._signaling_sequence = 0
        self._on_timer: dict[str, TimerHandler] = {TIMER_QUALIFICATION: self._qualification_expired}
        self._on_stamp: dict[MessageType, StampHandler] = {}
        for part in self._parts:
            self._on_timer.update(part.timers)
            self._on_stamp.update(part.stamps)

    # ---- state ------------------------------------------------------------------------------------------------

    @property
    def state(self) -> PortState:
        return self.ds.port_state

    @property
    def able(self) -> bool:
        """Whether it takes part in the election: a port of IEEE 802.1AS has to be asCapable."""
        return self.gptp is None or self.gptp.capable

    @property
    def following(self) -> bool:
        return self.ds.port_state in FOLLOWING

    @property
    def parent(self) -> PortIdentity:
        """Whom the instance follows; its own identity with port 0 when nobody."""
        return self.instance.data.parent.parent_port_identity

    @property
    def announce_interval_ns(self) -> int:
        return log_interval_ns(self.ds.log_announce_interval)

    @property
    def memory_ns(self) -> int:
        """For how long a silent sender is remembered: as long as a silent master is."""
        return (self.ds.announce_receipt_timeout + 1) * self.heard_interval_ns

    @property
    def heard_interval_ns(self) -> int:
        """Between the Announces of a master: our own interval, or a longer one that a server has granted."""
        discovery = self.unicast_discovery
        granted = -128 if discovery is None else discovery.log_announce_interval
        return log_interval_ns(max(self.ds.log_announce_interval, granted))

    @property
    def foreign_window_ns(self) -> int:
        return FOREIGN_MASTER_WINDOW_INTERVALS * self.heard_interval_ns

    def parent_address(self, heard: str) -> str:
        """Where the parent is: by unicast where it was asked, whatever address one of its Announces comes from."""
        discovery = self.unicast_discovery
        return heard if discovery is None or discovery.selected is None else discovery.selected.address

    def candidate(self, record: ForeignMaster, now: int) -> Candidate:
        """A foreign master of this port as one side of a comparison."""
        standing = Standing.AVAILABLE
        if self.following and record.sender == self.parent:
            standing = Standing.FOLLOWED
        elif record.restored_ns is not None and now < record.restored_ns + self._wait_to_restore_ns:
            standing = Standing.RESTORING
        local = None if self.unicast_discovery is None else self.unicast_discovery.local_priority(record.address)
        heard = candidate(record, self.identity, local or self.options.local_priority, standing)
        return self.masters.judged(heard)

    def event(self, event: PortEvent, now: int, decision: Decision | None = None) -> bool:
        """Run the state machine; True when the state changed or was entered anew."""
        old = self.ds.port_state
        new = next_state(self._table, old, event)
        if new is None:
            self.counters[f"event-ignored-{event.value}"] += 1
            return False
        if decision is not None:
            self.decision = decision
        reenter = event is PortEvent.RECOMMEND_NEW_PARENT
        if new is old and not reenter:
            return False
        self.ds.port_state = new
        self.since_ns = now
        # first, because entering a state may go on with what was kept for it
        self.instance.emit(StateChanged(self.number, old, new, event.value, decision))
        if not (old in FOLLOWING and new in FOLLOWING) or reenter:
            self._enter(new, now)
        if new is PortState.INITIALIZING:
            self.event(PortEvent.INITIALIZED, now)
        return True

    def _enter(self, state: PortState, now: int) -> None:
        self.timers.clear()
        if state in (PortState.INITIALIZING, PortState.FAULTY, PortState.DISABLED):
            self.foreign.clear()
        elif state is PortState.PRE_MASTER:
            steps = self.instance.data.current.steps_removed
            self.timers[TIMER_QUALIFICATION] = now + (steps + 1) * self.announce_interval_ns
        for part in self._parts:
            part.entered(state, now)

    def flush(self) -> None:
        """The clock was stepped: stamps from before mean nothing after."""
        for part in self._parts:
            part.flush()

    def initialize(self, now: int) -> None:
        """INITIALIZE comes next: what was agreed with others ends."""
        for part in self._parts:
            part.initialize(now)

    def announce_changed(self, now: int) -> None:
        """What Announce says has changed: say it soon."""
        for part in self._parts:
            part.announce_changed(now)

    # ---- timers -----------------------------------------------------------------------------------------------

    def timer(self, now: int) -> None:
        timers = self.timers
        for name, due in tuple(timers.items()):
            # an earlier handler of this round may have disarmed or re-armed it
            if due <= now and (due := timers.get(name, NEVER)) <= now:
                del timers[name]
                self._on_timer[name](now, due)

    def repeat(self, name: str, now: int, due: int, interval_ns: int) -> None:
        """Next turn of a periodic timer: on the grid of its due times, unless we are so late that turns were missed."""
        following = due + interval_ns
        self.timers[name] = following if following > now else now + interval_ns

    def _qualification_expired(self, now: int, due: int) -> None:
        self.event(PortEvent.QUALIFICATION_TIMEOUT, now)

    # ---- sending ----------------------------------------------------------------------------------------------

    def new(self, kind: type[M], sequence_id: int, log_interval: int) -> M:
        """A message of this port, as yet without what is special to its kind."""
        options = self.instance.options
        return kind(
            self.identity,
            sequence_id,
            domain=options.domain,
            sdo_id=options.sdo_id,
            log_interval=log_interval,
            control=CONTROL_FIELD.get(kind.type, 5),
            minor_version=options.minor_version,
        )

    def send_event(self, template: bytes, sequence_id: int, kind: MessageType, destination: str | None = None) -> None:
        """An event message: what its part always sends, with this sequenceId. Its stamp goes to the part that asked."""
        octets = template[:_SEQUENCE_AT] + sequence_id.to_bytes(2, "big") + template[_SEQUENCE_AT + 2 :]
        self.send_stamped(octets, sequence_id, kind, destination)

    def send_stamped(self, octets: bytes, key: Any, kind: MessageType, destination: str | None = None) -> None:
        """An event message; ``key`` comes back with its stamp."""
        signed = self._signed(octets)
        if signed is None:
            return
        token = self.instance.expect_stamp(self, kind, key)
        self.counters[_SENT[kind]] += 1
        self.instance.emit(Send(self.channel, signed, destination or self.group, token))

    @property
    def one_step(self) -> str:
        """What this port sends one-step, see ``ChannelFacts.one_step``."""
        return self.instance.management.around.channel(self.channel).one_step

    def send_one_step(self, octets: bytes, kind: MessageType, destination: str | None = None) -> None:
        """An event message that the NIC completes. It is not signed: that would be before."""
        self.counters[_SENT[kind]] += 1
        self.instance.emit(Send(self.channel, octets, destination or self.group, ONE_STEP))

    def send_general(self, message: Message, destination: str | None = None) -> None:
        self.send_general_octets(encode(message), message.type, destination)

    def send_general_octets(self, octets: bytes, kind: MessageType, destination: str | None = None) -> None:
        signed = self._signed(octets)
        if signed is None:
            return
        self.counters[_SENT[kind]] += 1
        self.instance.emit(Send(self.channel, signed, destination or self.group, None))

    def _signed(self, octets: bytes) -> bytes | None:
        """As they go out; None: they would have to be signed, and there is no key."""
        return octets if self.security is None else self.security.sign(octets)

    def send_signaling(
        self, tlvs: Sequence[Tlv], target: PortIdentity, destination: str | None = None, sequence_id: int | None = None
    ) -> None:
        """TLVs to the port ``target``: to the group, or to an address. ``sequence_id``: counted for that one alone."""
        if sequence_id is None:
            sequence_id = self._signaling_sequence = (self._signaling_sequence + 1) & 0xFFFF
        message = self.new(Signaling, sequence_id, 0x7F)
        message.flags = (Flag.UNICAST if destination else 0) | (Flag.PTP_TIMESCALE if self.gptp is not None else 0)
        message.target = target
        message.tlvs = tuple(tlvs)
        self.send_general(message, destination)

    def transmitted(self, kind: MessageType, key: Any, egress_sns: int | None) -> None:
        """The transmit time stamp of an event message, or None when it never came."""
        if egress_sns is not None:
            egress_sns += self.egress_latency_sns
            for watch in self._event_watchers:
                watch(kind, key, egress_sns)
        self._on_stamp[kind](key, egress_sns)

    # ---- whom it follows ------------------------------------------------------------------------------------

    def sync_completed(self, sync: CompleteSync, now: int) -> None:
        """A Sync of the parent, with its Follow_Up if it has one."""
        for watch in self._sync_watchers:
            watch(sync, now)

    def link_seen(self, now: int, *, measured: bool) -> None:
        """Peer delay has ended an exchange (``measured``), or begins another."""
        for watch in self._link_watchers:
            watch(now, measured)

    def from_neighbor(self, message: Message) -> bool:
        """Whether it is from the clock whose answers measure the link, or none has answered yet; counted when not."""
        neighbor = self.delay.neighbor
        if neighbor is None or neighbor.clock_identity == message.source.clock_identity:
            return True
        self.counters["drop-signaling-not-neighbor"] += 1
        return False

    def from_parent(self, message: Message) -> bool:
        """Whether it is from whom we follow; counted when not."""
        if self.ds.port_state not in FOLLOWING:
            self.counters["drop-state"] += 1
            return False
        if message.source != self.parent:
            self.counters["drop-not-parent"] += 1
            return False
        if message.flags & Flag.ALTERNATE_MASTER:
            self.counters["drop-alternate-master"] += 1
            return False
        return True
