"""PTP messages as flat records (IEEE 1588-2019 clause 13). Octets are the codec's business (codec.py).

Two rules:

1. Whatever the wire can carry survives a round trip: reserved bits and octets are fields here
   (``reserved...``, ``flags`` as the raw 16-bit number, ``control``, ``minor_version``).
2. A timestamp is one integer: ns since the epoch of the time scale (48-bit seconds * 10**9 + ns). The
   fraction of a nanosecond is in ``correction_sns``, where the wire carries it.

Records are plain slotted dataclasses, not frozen: making a frozen one costs five times as much, and
the receive path makes one for each frame. Nobody changes a message after it was made.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from ptpstack.wire.tlv import Tlv
from ptpstack.wire.types import ClockIdentity, ClockQuality, MessageType, PortIdentity

NOWHERE = PortIdentity(bytes(8), 0)
DEFAULT_QUALITY = ClockQuality(248, 0xFE, 0xFFFF)


@dataclass(slots=True)
class Message:
    """The common header (13.3). ``sequence_id`` 0..65535, ``correction_sns`` signed 2**-16 ns."""

    type: ClassVar[MessageType]

    source: PortIdentity
    sequence_id: int
    domain: int = 0
    sdo_id: int = 0
    flags: int = 0
    correction_sns: int = 0
    log_interval: int = 0x7F
    control: int = 5
    minor_version: int = 1
    message_type_specific: int = 0
    tlvs: tuple[Tlv, ...] = ()
    #: octets behind messageLength (padding, PRP trailer, the two of UDP/IPv6): kept, never interpreted.
    trailing: bytes = b""


@dataclass(slots=True)
class Sync(Message):
    """13.6. One-step: the egress time, whole ns. Two-step: 0 or an estimate."""

    type: ClassVar[MessageType] = MessageType.SYNC
    origin_ns: int = 0


@dataclass(slots=True)
class DelayReq(Message):
    """13.6."""

    type: ClassVar[MessageType] = MessageType.DELAY_REQ
    origin_ns: int = 0


@dataclass(slots=True)
class FollowUp(Message):
    """13.7."""

    type: ClassVar[MessageType] = MessageType.FOLLOW_UP
    precise_origin_ns: int = 0


@dataclass(slots=True)
class DelayResp(Message):
    """13.8."""

    type: ClassVar[MessageType] = MessageType.DELAY_RESP
    receive_ns: int = 0
    requesting: PortIdentity = NOWHERE


@dataclass(slots=True)
class PdelayReq(Message):
    """13.9."""

    type: ClassVar[MessageType] = MessageType.PDELAY_REQ
    origin_ns: int = 0
    reserved: bytes = bytes(10)


@dataclass(slots=True)
class PdelayResp(Message):
    """13.10."""

    type: ClassVar[MessageType] = MessageType.PDELAY_RESP
    request_receipt_ns: int = 0
    requesting: PortIdentity = NOWHERE


@dataclass(slots=True)
class PdelayRespFollowUp(Message):
    """13.11."""

    type: ClassVar[MessageType] = MessageType.PDELAY_RESP_FOLLOW_UP
    response_origin_ns: int = 0
    requesting: PortIdentity = NOWHERE


@dataclass(slots=True)
class Announce(Message):
    """13.5. Flags of octet 7 (leap, UTC valid, time scale, traceability) are in ``flags``."""

    type: ClassVar[MessageType] = MessageType.ANNOUNCE
    origin_ns: int = 0
    current_utc_offset: int = 0
    reserved: int = 0
    priority1: int = 128
    quality: ClockQuality = DEFAULT_QUALITY
    priority2: int = 128
    grandmaster: ClockIdentity = bytes(8)
    steps_removed: int = 0
    time_source: int = 0xA0


@dataclass(slots=True)
class Signaling(Message):
    """13.12."""

    type: ClassVar[MessageType] = MessageType.SIGNALING
    target: PortIdentity = NOWHERE


@dataclass(slots=True)
class Management(Message):
    """13.13. ``action`` is the whole octet 46 (reserved nibble high, actionField low)."""

    type: ClassVar[MessageType] = MessageType.MANAGEMENT
    target: PortIdentity = NOWHERE
    starting_boundary_hops: int = 0
    boundary_hops: int = 0
    action: int = 0
    reserved: int = 0


#: controlField on transmission (table 42; receivers ignore it).
CONTROL_FIELD: dict[MessageType, int] = {
    MessageType.SYNC: 0,
    MessageType.DELAY_REQ: 1,
    MessageType.FOLLOW_UP: 2,
    MessageType.DELAY_RESP: 3,
    MessageType.MANAGEMENT: 4,
}
