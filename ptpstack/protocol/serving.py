"""The serving side of a port: Announce, and two-step Sync (IEEE 1588-2019 9.5; not checked against the text)."""

from __future__ import annotations

from struct import Struct
from typing import TYPE_CHECKING

from ptpstack.protocol.part import Part
from ptpstack.timebase.units import NS_PER_S, TIMESTAMP_END_SNS, log_interval_ns
from ptpstack.wire.codec import encode
from ptpstack.wire.messages import Announce, FollowUp, Sync
from ptpstack.wire.types import Flag, MessageType, PortState

if TYPE_CHECKING:
    from ptpstack.protocol.port import Port

#: A new master repeats its first Announce after this share of an interval, so that a take-over fits into the announce
#: receipt timeout + 1 intervals.
SECOND_ANNOUNCE = 0.125

TIMER_ANNOUNCE = "announce"
TIMER_SYNC = "sync"

#: sequenceId in the header (13.3.1)
_SEQUENCE_AT = 30
_SEQUENCE = Struct(">H")
#: correctionField (13.3.1), and the timestamp behind the header of Follow_Up (13.7.2)
_CORRECTION_AT = 8
_CORRECTION = Struct(">q")
_TIMESTAMP_AT = 34
_TIMESTAMP = Struct(">HII")


class Serving(Part):
    def __init__(self, port: Port, transmit_offset_ns: int) -> None:
        """``transmit_offset_ns``: see ``Port``."""
        super().__init__(port)
        self.timers = {TIMER_ANNOUNCE: self._announce_due, TIMER_SYNC: self._sync_due}
        self.stamps = {MessageType.SYNC: self._sync_sent}
        self._transmit_offset_ns = transmit_offset_ns
        #: as long as a peer has asked for it (802.1AS-2020 10.6.4.3)
        self.sync_stopped = self.announce_stopped = False
        self._announce_sequence = port.rng.randrange(0x10000)
        self._sync_sequence = port.rng.randrange(0x10000)
        self._announces_sent = 0
        self._announced_ns = -(1 << 62)
        #: messages of which only sequenceId and time change, encoded once for each logMessageInterval
        self._syncs: dict[int, bytes] = {}
        self._follow_ups: dict[int, bytes] = {}

    def entered(self, state: PortState, now: int) -> None:
        if state is PortState.MASTER:
            if self.port.options.announce and not self.announce_stopped:
                self.port.timers[TIMER_ANNOUNCE] = now + self._transmit_offset_ns
            if not self.sync_stopped:
                self.port.timers[TIMER_SYNC] = now + self._transmit_offset_ns
            self._announces_sent = 0

    def intervals_changed(self, now: int) -> None:
        """Other intervals hold from now on, or something was stopped or begins again."""
        if self.port.state is not PortState.MASTER:
            return
        for timer, stopped in ((TIMER_SYNC, self.sync_stopped), (TIMER_ANNOUNCE, self.announce_stopped)):
            if timer in self.port.timers:
                del self.port.timers[timer]
            if not stopped and (timer == TIMER_SYNC or self.port.options.announce):
                self.port.timers[timer] = now + self._transmit_offset_ns

    def announce_soon(self, now: int) -> None:
        """What Announce says has changed: say it now, but not faster than a new master repeats its first."""
        port = self.port
        if port.state is PortState.MASTER and port.options.announce and not self.announce_stopped:
            due = max(now, self._announced_ns + int(port.announce_interval_ns * SECOND_ANNOUNCE))
            port.timers[TIMER_ANNOUNCE] = min(due, port.timers.get(TIMER_ANNOUNCE, due))

    def _announce_due(self, now: int, due: int) -> None:
        self._announces_sent += 1
        interval = self.port.announce_interval_ns
        if self._announces_sent == 1:
            interval = int(interval * SECOND_ANNOUNCE)
        self._announced_ns = now
        self.port.repeat(TIMER_ANNOUNCE, now, due, interval)
        self._announce_sequence = (self._announce_sequence + 1) & 0xFFFF
        message = self.port.new(Announce, self._announce_sequence, self.port.ds.log_announce_interval)
        self.port.instance.fill_announce(message)
        self.port.send_general(message)

    def _sync_due(self, now: int, due: int) -> None:
        port = self.port
        interval = port.ds.log_sync_interval
        port.repeat(TIMER_SYNC, now, due, log_interval_ns(interval))
        if port.instance.withholds_sync(now):
            port.counters["sync-withheld"] += 1
            return
        self._sync_sequence = (self._sync_sequence + 1) & 0xFFFF
        template = self._syncs.get(interval)
        if template is None:
            message = port.new(Sync, 0, interval)
            message.flags = Flag.TWO_STEP
            template = self._syncs[interval] = encode(message)
        port.send_event(template, self._sync_sequence, MessageType.SYNC)

    def _sync_sent(self, sequence_id: int, egress_sns: int | None) -> None:
        if egress_sns is None:
            self.port.counters["sync-sent-without-stamp"] += 1
        elif not 0 <= egress_sns < TIMESTAMP_END_SNS:
            self.port.counters["stamp-out-of-range"] += 1
        elif self.port.state is PortState.MASTER:
            self._send_follow_up(sequence_id, egress_sns)

    def _send_follow_up(self, sequence_id: int, egress_sns: int) -> None:
        """13.7: whole ns in preciseOriginTimestamp, what is left in correctionField."""
        interval = self.port.ds.log_sync_interval
        template = self._follow_ups.get(interval)
        if template is None:
            template = self._follow_ups[interval] = encode(self.port.new(FollowUp, 0, interval))
        seconds, ns = divmod(egress_sns >> 16, NS_PER_S)
        octets = bytearray(template)
        _CORRECTION.pack_into(octets, _CORRECTION_AT, egress_sns & 0xFFFF)
        _SEQUENCE.pack_into(octets, _SEQUENCE_AT, sequence_id)
        _TIMESTAMP.pack_into(octets, _TIMESTAMP_AT, seconds >> 32, seconds & 0xFFFFFFFF, ns)
        self.port.send_general_octets(bytes(octets), MessageType.FOLLOW_UP)
