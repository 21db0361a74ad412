"""One PTP port: its timers, what it sends in each state, what it does with each message.

The state machine is states.py, the pairing of messages sync_receiver.py and delay_e2e.py; the port wires them. What
concerns more than one port (best master, data sets) it hands to its instance.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable
from struct import Struct
from typing import Protocol, TypeVar

from ptpstack.protocol.datasets import DataSets, PortDS
from ptpstack.protocol.decision import Decision
from ptpstack.protocol.delay_e2e import LOG_INTERVAL_RANGE, CompleteDelay, DelayRequester
from ptpstack.protocol.delay_responder import DelayResponder
from ptpstack.protocol.effects import DelayMeasured, Effect, Send, StateChanged, SyncMeasured
from ptpstack.protocol.foreign import FOREIGN_MASTER_WINDOW_INTERVALS, ForeignMasters
from ptpstack.protocol.options import InstanceOptions, PortOptions
from ptpstack.protocol.states import CLIENT_ONLY, FULL, SERVER_ONLY, PortEvent, next_state
from ptpstack.protocol.sync_receiver import CompleteSync, EarlySyncs, SyncReceiver
from ptpstack.protocol.timers import Timers
from ptpstack.timebase.units import NS_PER_S, TIMESTAMP_END_SNS, float_ns_to_sns, log_interval_ns
from ptpstack.wire.codec import decode, encode
from ptpstack.wire.errors import MalformedFrame
from ptpstack.wire.messages import (
    CONTROL_FIELD,
    Announce,
    DelayReq,
    DelayResp,
    FollowUp,
    Message,
    Sync,
)
from ptpstack.wire.types import ClockIdentity, Flag, MessageType, PortIdentity, PortState

#: States in which a port takes time from its parent.
FOLLOWING = (PortState.UNCALIBRATED, PortState.SLAVE)
#: States in which Announce is evaluated (9.2.5).
ELECTING = (
    PortState.LISTENING,
    PortState.PRE_MASTER,
    PortState.MASTER,
    PortState.PASSIVE,
    PortState.UNCALIBRATED,
    PortState.SLAVE,
)
#: The random part of the announce receipt timeout. 9.2.6.12 allows up to one interval; three quarters leave room for
#: the two Announces that a successor needs to qualify, so that a take-over fits into timeout + 1 intervals.
TIMEOUT_SPREAD = 0.75
#: A new master repeats its first Announce after this share of an interval, for the same reason.
SECOND_ANNOUNCE = 0.125

M = TypeVar("M", bound=Message)

#: names of counters; a member's name in small letters costs more than the counting
_SENT = {kind: f"tx-{kind.name.lower()}" for kind in MessageType}
_RECEIVED = {kind: f"rx-{kind.name.lower()}" for kind in MessageType}
#: sequenceId in the header (13.3.1)
_SEQUENCE_AT = 30
_SEQUENCE = Struct(">H")
#: correctionField (13.3.1), and the timestamp behind the header of Follow_Up (13.7.2)
_CORRECTION_AT = 8
_CORRECTION = Struct(">q")
_TIMESTAMP_AT = 34
_TIMESTAMP = Struct(">HII")

TIMER_ANNOUNCE = "announce"
TIMER_SYNC = "sync"
TIMER_RECEIPT = "announce-receipt"
TIMER_QUALIFICATION = "qualification"
TIMER_DELAY_REQ = "delay-req"


class PortOwner(Protocol):
    """What a port asks of its instance."""

    options: InstanceOptions
    clock_identity: ClockIdentity
    data: DataSets
    emit: Callable[[Effect], None]

    def expect_stamp(self, port: Port, kind: MessageType, sequence_id: int) -> int: ...

    def announce_received(self, port: Port, announce: Announce, address: str, now: int) -> None: ...

    def announce_receipt_timeout(self, port: Port, now: int) -> None: ...

    def fill_announce(self, message: Announce) -> None: ...

    def withholds_sync(self, now: int) -> bool: ...


class Port:
    def __init__(
        self,
        instance: PortOwner,
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
            server_only=options.server_only,
        )
        self.foreign = ForeignMasters(options.foreign_master_capacity)
        self.decision: Decision | None = None
        self.since_ns = 0
        self.timers = Timers()
        self._table = CLIENT_ONLY if instance.options.client_only else SERVER_ONLY if options.server_only else FULL
        self._rng = rng
        self._transmit_offset_ns = transmit_offset_ns
        self._receiver = SyncReceiver(self.counters)
        self._requester = DelayRequester(rng, self.counters)
        self._ingress_latency_sns = float_ns_to_sns(options.ingress_latency_ns)
        self._egress_latency_sns = float_ns_to_sns(options.egress_latency_ns)
        self.responder = DelayResponder(instance.options, self.ds, self._ingress_latency_sns, self.counters)
        self._announce_sequence = rng.randrange(0x10000)
        self._sync_sequence = rng.randrange(0x10000)
        #: messages of which only the sequenceId changes, encoded once: by class and logMessageInterval
        self._templates: dict[tuple[type[Message], int], bytes] = {}
        self._announces_sent_as_master = 0
        self._announced_ns = -(1 << 62)
        #: whose Announce the receipt timeout waits for
        self.keeper: PortIdentity | None = None
        self.link_up = True
        #: how often the clock behind its time stamps was stepped
        self.epoch = 0
        self._handlers: dict[type[Message], Callable[[Message, int | None, str, int], None]] = {
            Announce: self._on_announce,
            Sync: self._on_sync,
            FollowUp: self._on_follow_up,
            DelayReq: self._on_delay_req,
            DelayResp: self._on_delay_resp,
        }
        self._on_timer: dict[str, Callable[[int, int], None]] = {
            TIMER_ANNOUNCE: self._announce_due,
            TIMER_SYNC: self._sync_due,
            TIMER_RECEIPT: self._announce_receipt_expired,
            TIMER_QUALIFICATION: self._qualification_expired,
            TIMER_DELAY_REQ: self._delay_req_due,
        }

    # ---- state ------------------------------------------------------------------------------------------------

    @property
    def state(self) -> PortState:
        return self.ds.port_state

    @property
    def announce_interval_ns(self) -> int:
        return log_interval_ns(self.ds.log_announce_interval)

    @property
    def foreign_window_ns(self) -> int:
        return FOREIGN_MASTER_WINDOW_INTERVALS * self.announce_interval_ns

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
        if not (old in FOLLOWING and new in FOLLOWING) or reenter:
            self._enter(new, now)
        self.instance.emit(StateChanged(self.number, old, new, event.value, decision))
        if new is PortState.INITIALIZING:
            self.event(PortEvent.INITIALIZED, now)
        return True

    def _enter(self, state: PortState, now: int) -> None:
        self.timers.clear()
        self._drop_exchanges()
        if state in (PortState.INITIALIZING, PortState.FAULTY, PortState.DISABLED):
            self.foreign.clear()
        elif state is PortState.LISTENING:
            self.arm_announce_receipt(now)
            if not self.options.listen_first:
                self.timers[TIMER_RECEIPT] = now
        elif state is PortState.PRE_MASTER:
            steps = self.instance.data.current.steps_removed
            self.timers[TIMER_QUALIFICATION] = now + (steps + 1) * self.announce_interval_ns
        elif state is PortState.MASTER:
            # as a master the interval is our own setting again, not what a former parent asked for
            self.ds.log_min_delay_req_interval = self.options.log_min_delay_req_interval
            self.timers[TIMER_ANNOUNCE] = now + self._transmit_offset_ns
            self.timers[TIMER_SYNC] = now + self._transmit_offset_ns
            self._announces_sent_as_master = 0
        elif state is PortState.PASSIVE:
            self.arm_announce_receipt(now)
        elif state in FOLLOWING:
            # Delay_Req begins with the first complete Sync
            self.ds.log_min_delay_req_interval = self.options.log_min_delay_req_interval
            self.arm_announce_receipt(now)
            self._take_up_early(now)

    def _drop_exchanges(self) -> None:
        """Half-finished exchanges belong to another parent."""
        self._receiver.flush()
        self._requester.flush()

    def flush(self) -> None:
        """The clock was stepped: stamps from before mean nothing after."""
        self._drop_exchanges()
        for record in self.foreign:
            if record.early is not None:
                record.early.flush()

    def _take_up_early(self, now: int) -> None:
        """Go on with what the new parent has sent before it was accepted."""
        record = self.foreign.get(self.instance.data.parent.parent_port_identity)
        if record is None or record.early is None:
            return
        early, record.early = record.early, None
        self._receiver = early.receiver
        for complete, received_ns in early.take(now):
            self._sync_complete(complete, now, received_ns)

    def _early_of(self, message: Message) -> EarlySyncs | None:
        """Where to keep a Sync or Follow_Up of somebody who may become the parent; None when it is not for keeping."""
        if self.ds.port_state in FOLLOWING or message.flags & Flag.ALTERNATE_MASTER:
            return None
        record = self.foreign.get(message.source)
        if record is None:
            return None
        if record.early is None:
            record.early = EarlySyncs(self.counters)
        return record.early

    def arm_announce_receipt(self, now: int) -> None:
        spread = self._rng.random() * TIMEOUT_SPREAD
        self.timers[TIMER_RECEIPT] = now + int((self.ds.announce_receipt_timeout + spread) * self.announce_interval_ns)

    def announce_soon(self, now: int) -> None:
        """What Announce says has changed: say it now, but not faster than a new master repeats its first."""
        if self.state is PortState.MASTER:
            due = max(now, self._announced_ns + int(self.announce_interval_ns * SECOND_ANNOUNCE))
            self.timers[TIMER_ANNOUNCE] = min(due, self.timers.get(TIMER_ANNOUNCE, due))

    # ---- timers -----------------------------------------------------------------------------------------------

    def timer(self, now: int) -> None:
        for name in [n for n, due in self.timers.items() if due <= now]:
            # an earlier handler of this round may have disarmed or re-armed it
            due = self.timers.get(name)
            if due is not None and due <= now:
                del self.timers[name]
                self._on_timer[name](now, due)

    def _repeat(self, name: str, now: int, due: int, interval_ns: int) -> None:
        """Next turn of a periodic timer: on the grid of its due times, unless we are so late that turns were missed."""
        following = due + interval_ns
        self.timers[name] = following if following > now else now + interval_ns

    def _announce_due(self, now: int, due: int) -> None:
        self._announces_sent_as_master += 1
        interval = self.announce_interval_ns
        if self._announces_sent_as_master == 1:
            interval = int(interval * SECOND_ANNOUNCE)
        self._announced_ns = now
        self._repeat(TIMER_ANNOUNCE, now, due, interval)
        self._send_announce()

    def _sync_due(self, now: int, due: int) -> None:
        self._repeat(TIMER_SYNC, now, due, log_interval_ns(self.ds.log_sync_interval))
        if self.instance.withholds_sync(now):
            self.counters["sync-withheld"] += 1
            return
        self._sync_sequence = (self._sync_sequence + 1) & 0xFFFF
        interval = self.ds.log_sync_interval
        template = self._templates.get((Sync, interval))
        if template is None:
            message = self._new(Sync, 0, interval)
            message.flags = Flag.TWO_STEP
            template = self._templates[(Sync, interval)] = encode(message)
        self._send_event(template, self._sync_sequence, MessageType.SYNC)

    def _announce_receipt_expired(self, now: int, due: int) -> None:
        self.counters["announce-receipt-timeout"] += 1
        self.instance.announce_receipt_timeout(self, now)

    def _qualification_expired(self, now: int, due: int) -> None:
        self.event(PortEvent.QUALIFICATION_TIMEOUT, now)

    def _arm_delay_req(self, now: int) -> None:
        self.timers[TIMER_DELAY_REQ] = now + self._requester.next_interval_ns(self.ds.log_min_delay_req_interval)

    def _delay_req_due(self, now: int, due: int) -> None:
        self._arm_delay_req(now)
        template = self._templates.get((DelayReq, 0x7F))
        if template is None:
            message = self._new(DelayReq, 0, 0x7F)
            message.correction_sns = -self.ds.delay_asymmetry_sns
            template = self._templates[(DelayReq, 0x7F)] = encode(message)
        self._send_event(template, self._requester.begin(now), MessageType.DELAY_REQ)

    # ---- sending ----------------------------------------------------------------------------------------------

    def _new(self, kind: type[M], sequence_id: int, log_interval: int) -> M:
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

    def _send_event(self, template: bytes, sequence_id: int, kind: MessageType) -> None:
        """An event message: what its port always sends, with this sequenceId."""
        token = self.instance.expect_stamp(self, kind, sequence_id)
        self.counters[_SENT[kind]] += 1
        octets = template[:_SEQUENCE_AT] + sequence_id.to_bytes(2, "big") + template[_SEQUENCE_AT + 2 :]
        self.instance.emit(Send(self.channel, octets, None, token))

    def _send_follow_up(self, sequence_id: int, egress_sns: int) -> None:
        """13.7: whole ns in preciseOriginTimestamp, what is left in correctionField."""
        interval = self.ds.log_sync_interval
        template = self._templates.get((FollowUp, interval))
        if template is None:
            template = self._templates[(FollowUp, interval)] = encode(self._new(FollowUp, 0, interval))
        seconds, ns = divmod(egress_sns >> 16, NS_PER_S)
        octets = bytearray(template)
        _CORRECTION.pack_into(octets, _CORRECTION_AT, egress_sns & 0xFFFF)
        _SEQUENCE.pack_into(octets, _SEQUENCE_AT, sequence_id)
        _TIMESTAMP.pack_into(octets, _TIMESTAMP_AT, seconds >> 32, seconds & 0xFFFFFFFF, ns)
        self.counters[_SENT[MessageType.FOLLOW_UP]] += 1
        self.instance.emit(Send(self.channel, bytes(octets), None, None))

    def _send_general(self, message: Message, destination: str | None = None) -> None:
        self.counters[_SENT[message.type]] += 1
        self.instance.emit(Send(self.channel, encode(message), destination, None))

    def _send_announce(self) -> None:
        self._announce_sequence = (self._announce_sequence + 1) & 0xFFFF
        message = self._new(Announce, self._announce_sequence, self.ds.log_announce_interval)
        self.instance.fill_announce(message)
        self._send_general(message)

    def transmitted(self, kind: MessageType, sequence_id: int, egress_sns: int | None) -> None:
        """The transmit time stamp of an event message, or None when it never came."""
        if egress_sns is not None:
            egress_sns += self._egress_latency_sns
        if kind is MessageType.SYNC:
            if egress_sns is None:
                self.counters["sync-sent-without-stamp"] += 1
            elif not 0 <= egress_sns < TIMESTAMP_END_SNS:
                self.counters["stamp-out-of-range"] += 1
            elif self.state is PortState.MASTER:
                self._send_follow_up(sequence_id, egress_sns)
        else:
            self._delay_complete(self._requester.transmitted(sequence_id, egress_sns))

    # ---- receiving --------------------------------------------------------------------------------------------

    def receive(self, octets: bytes, ingress_sns: int | None, address: str, now: int) -> None:
        """A frame of this instance's domain and sdoId. Never raises for what is in it."""
        state = self.ds.port_state
        if octets[:6] in self.responder.plain_requests:
            answer = self.responder.answer_plain(octets, ingress_sns, address)
            if answer is not None:
                self.instance.emit(Send(self.channel, *answer, None))
                return
        if state not in ELECTING:
            self.counters["drop-state"] += 1
            return
        try:
            message = decode(octets)
        except MalformedFrame as error:
            self.counters[f"drop-{error.reason}"] += 1
            return
        source = message.source
        if source == self.identity:
            self.counters["drop-own-message"] += 1
            return
        if source.port_number == 0 or source.port_number == 0xFFFF:
            self.counters["drop-source-port-number"] += 1
            return
        self.counters[_RECEIVED[message.type]] += 1
        handler = self._handlers.get(type(message))
        if handler is None:
            self.counters["drop-not-used"] += 1
            return
        handler(message, ingress_sns, address, now)

    def _on_announce(self, message: Message, ingress_sns: int | None, address: str, now: int) -> None:
        assert isinstance(message, Announce)
        if self.ds.server_only:
            self.counters["drop-announce-server-only"] += 1
            return
        self.instance.announce_received(self, message, address, now)

    def _from_parent(self, message: Message) -> bool:
        if self.ds.port_state not in FOLLOWING:
            self.counters["drop-state"] += 1
            return False
        if message.source != self.instance.data.parent.parent_port_identity:
            self.counters["drop-not-parent"] += 1
            return False
        if message.flags & Flag.ALTERNATE_MASTER:
            self.counters["drop-alternate-master"] += 1
            return False
        return True

    def _on_sync(self, message: Message, ingress_sns: int | None, address: str, now: int) -> None:
        assert isinstance(message, Sync)
        if ingress_sns is not None:
            ingress_sns -= self._ingress_latency_sns
        early = self._early_of(message)
        if early is not None:
            early.keep(early.receiver.sync(message, ingress_sns, self.ds.delay_asymmetry_sns), now)
        elif self._from_parent(message):
            self._sync_complete(self._receiver.sync(message, ingress_sns, self.ds.delay_asymmetry_sns), now, now)

    def _on_follow_up(self, message: Message, ingress_sns: int | None, address: str, now: int) -> None:
        assert isinstance(message, FollowUp)
        early = self._early_of(message)
        if early is not None:
            early.keep(early.receiver.follow_up(message), now)
        elif self._from_parent(message):
            self._sync_complete(self._receiver.follow_up(message), now, now)

    def _sync_complete(self, complete: CompleteSync | None, now: int, received_ns: int) -> None:
        if complete is None:
            return
        if TIMER_DELAY_REQ not in self.timers:
            # the first request goes out at once: nobody gains by waiting for the delay
            self.timers[TIMER_DELAY_REQ] = now
        self.instance.emit(
            SyncMeasured(
                self.number,
                self.instance.data.parent.parent_port_identity,
                complete.sequence_id,
                complete.t1_sns,
                complete.t2_sns,
                complete.correction_sns,
                complete.log_interval,
                received_ns,
            )
        )

    def _on_delay_resp(self, message: Message, ingress_sns: int | None, address: str, now: int) -> None:
        assert isinstance(message, DelayResp)
        if message.requesting != self.identity:
            # somebody else's answer: ordinary multicast traffic, not an error
            self.counters["delay-resp-for-others"] += 1
            return
        if not self._from_parent(message):
            return
        if (
            self._requester.expects(message.sequence_id)
            and not message.flags & Flag.UNICAST
            and message.log_interval in LOG_INTERVAL_RANGE
        ):
            self.ds.log_min_delay_req_interval = message.log_interval
        self._delay_complete(self._requester.response(message))

    def _delay_complete(self, complete: CompleteDelay | None) -> None:
        if complete is not None and self.ds.port_state in FOLLOWING:
            self.instance.emit(DelayMeasured(self.number, self.instance.data.parent.parent_port_identity, *complete))

    def _on_delay_req(self, message: Message, ingress_sns: int | None, address: str, now: int) -> None:
        assert isinstance(message, DelayReq)
        answer = self.responder.answer(message, ingress_sns)
        if answer is not None:
            self._send_general(answer, address if answer.flags & Flag.UNICAST else None)
