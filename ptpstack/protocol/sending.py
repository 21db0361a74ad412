"""Announce and Sync as they leave a port (IEEE 1588-2019 9.5, 13; not checked against the text).

Sync is two-step, but where the NIC completes it (one_step.py). Where a message goes is an argument: None is the group,
else one address. A Follow_Up goes where its Sync went. When they go, to whom and under which sequenceId is decided by
who calls: serving.py, unicast_service.py.
"""

from __future__ import annotations

from collections.abc import Callable
from struct import Struct
from typing import TYPE_CHECKING

from ptpstack.protocol.one_step import send_sync
from ptpstack.protocol.part import Part
from ptpstack.timebase.units import NS_PER_S, TIMESTAMP_END_SNS
from ptpstack.wire.codec import encode
from ptpstack.wire.messages import Announce, FollowUp, Sync
from ptpstack.wire.types import Flag, MessageType, PortState

if TYPE_CHECKING:
    from ptpstack.protocol.port import Port

#: logMessageInterval of a message that belongs to no interval of its own (13.3.2.14)
NO_INTERVAL = 0x7F

#: sequenceId in the header (13.3.1)
_SEQUENCE_AT = 30
_SEQUENCE = Struct(">H")
#: correctionField (13.3.1), and the timestamp behind the header of Follow_Up (13.7.2)
_CORRECTION_AT = 8
_CORRECTION = Struct(">q")
_TIMESTAMP_AT = 34
_TIMESTAMP = Struct(">HII")


class Sending(Part):
    def __init__(self, port: Port) -> None:
        super().__init__(port)
        self.stamps = {MessageType.SYNC: self._sync_sent}
        #: told of each unicast Sync whether it has left: (address, whether its stamp came)
        self.unicast_sync_left: Callable[[str, bool], None] | None = None
        #: messages of which only sequenceId and time change, encoded once: by logMessageInterval and unicastFlag
        self._syncs: dict[tuple[int, bool], bytes] = {}
        self._follow_ups: dict[tuple[int, bool], bytes] = {}

    def announce_template(self, log_interval: int, *, unicast: bool = False) -> bytes:
        """What an Announce says now, under sequenceId 0."""
        message = self.port.new(Announce, 0, log_interval)
        self.port.instance.fill_announce(message)
        if unicast:
            message.flags |= Flag.UNICAST
        return encode(message)

    def announce(self, template: bytes, sequence_id: int, destination: str | None = None) -> None:
        octets = template[:_SEQUENCE_AT] + _SEQUENCE.pack(sequence_id) + template[_SEQUENCE_AT + 2 :]
        self.port.send_general_octets(octets, MessageType.ANNOUNCE, destination)

    def sync(self, sequence_id: int, destination: str | None = None) -> None:
        unicast = destination is not None
        if self.port.one_step:
            send_sync(self.port, sequence_id, NO_INTERVAL if unicast else self.port.ds.log_sync_interval, destination)
            if destination is not None and self.unicast_sync_left is not None:
                # nothing tells whether it has
                self.unicast_sync_left(destination, True)
            return
        key = (NO_INTERVAL if unicast else self.port.ds.log_sync_interval, unicast)
        template = self._syncs.get(key)
        if template is None:
            template = self._syncs[key] = encode(self._new_sync(*key))
        octets = template[:_SEQUENCE_AT] + _SEQUENCE.pack(sequence_id) + template[_SEQUENCE_AT + 2 :]
        self.port.send_stamped(octets, (sequence_id, destination), MessageType.SYNC, destination)

    def _new_sync(self, log_interval: int, unicast: bool) -> Sync:
        """What every Sync of ours says."""
        message = self.port.new(Sync, 0, log_interval)
        message.flags = Flag.TWO_STEP | (Flag.UNICAST if unicast else 0)
        return message

    def _sync_sent(self, key: tuple[int, str | None], egress_sns: int | None) -> None:
        sequence_id, destination = key
        if destination is not None and self.unicast_sync_left is not None:
            self.unicast_sync_left(destination, egress_sns is not None)
        if egress_sns is None:
            self.port.counters["sync-sent-without-stamp"] += 1
        elif not 0 <= egress_sns < TIMESTAMP_END_SNS:
            self.port.counters["stamp-out-of-range"] += 1
        elif self.port.state is PortState.MASTER:
            self._send_follow_up(sequence_id, destination, egress_sns)

    def _send_follow_up(self, sequence_id: int, destination: str | None, egress_sns: int) -> None:
        """13.7: whole ns in preciseOriginTimestamp, what is left in correctionField."""
        unicast = destination is not None
        key = (NO_INTERVAL if unicast else self.port.ds.log_sync_interval, unicast)
        template = self._follow_ups.get(key)
        if template is None:
            message = self.port.new(FollowUp, 0, key[0])
            message.flags = Flag.UNICAST if unicast else 0
            template = self._follow_ups[key] = encode(message)
        seconds, ns = divmod(egress_sns >> 16, NS_PER_S)
        octets = bytearray(template)
        _CORRECTION.pack_into(octets, _CORRECTION_AT, egress_sns & 0xFFFF)
        _SEQUENCE.pack_into(octets, _SEQUENCE_AT, sequence_id)
        _TIMESTAMP.pack_into(octets, _TIMESTAMP_AT, seconds >> 32, seconds & 0xFFFFFFFF, ns)
        self.port.send_general_octets(bytes(octets), MessageType.FOLLOW_UP, destination)
