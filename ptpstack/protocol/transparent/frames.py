"""The few fields of PTP messages that a transparent clock reads and writes, in their octets. The rest passes."""

from __future__ import annotations

from struct import Struct

from ptpstack.timebase.units import saturate_interval
from ptpstack.wire.types import Flag, MessageType

HEADER = 34
_CORRECTION = Struct(">q")
_CORRECTION_AT = 8
_TIMESTAMP = Struct(">HII")
_TIMESTAMP_AT = 34
#: requestingPortIdentity in the answers to Delay_Req and Pdelay_Req
REQUESTING = slice(44, 54)
SOURCE = slice(20, 30)
_FLAGS_AT = 6
_TWO_STEP = int(Flag.TWO_STEP) >> 8
#: shorter than this a message of its type is none
LENGTH = {
    MessageType.SYNC: 44,
    MessageType.FOLLOW_UP: 44,
    MessageType.DELAY_REQ: 44,
    MessageType.DELAY_RESP: 54,
    MessageType.PDELAY_REQ: 54,
    MessageType.PDELAY_RESP: 54,
    MessageType.PDELAY_RESP_FOLLOW_UP: 54,
}


def domain_of(octets: bytes) -> bytes:
    """sdoId and domainNumber."""
    return bytes((octets[0] & 0xF0, octets[5], octets[4]))


def key_of(kind: int, octets: bytes, source: bytes) -> bytes:
    """What tells event messages apart: type, domain, sender, sequenceId."""
    return bytes((kind,)) + domain_of(octets) + source + octets[30:32]


def response_key(octets: bytes) -> bytes:
    """A Pdelay_Resp and its follower: by who answers whom."""
    return key_of(MessageType.PDELAY_RESP, octets, octets[SOURCE]) + octets[REQUESTING]


def is_two_step(octets: bytes) -> bool:
    return bool(octets[_FLAGS_AT] & _TWO_STEP)


def as_two_step(octets: bytes) -> bytes:
    return bytes((*octets[:_FLAGS_AT], octets[_FLAGS_AT] | _TWO_STEP)) + octets[_FLAGS_AT + 1 :]


def follower(event: bytes, kind: MessageType, length: int, control: int) -> bytes:
    """The message that a two-step clock would have sent after this one-step one; its correctionField is 0."""
    octets = bytearray(event[:length])
    octets[0] = octets[0] & 0xF0 | kind
    octets[2:4] = length.to_bytes(2, "big")
    octets[_FLAGS_AT] &= ~_TWO_STEP & 0xFF
    _CORRECTION.pack_into(octets, _CORRECTION_AT, 0)
    octets[32] = control
    return bytes(octets)


def without_timestamp(octets: bytes) -> bytes:
    return octets[:_TIMESTAMP_AT] + bytes(_TIMESTAMP.size) + octets[_TIMESTAMP_AT + _TIMESTAMP.size :]


def timestamp_sns(octets: bytes) -> int:
    high: int
    low: int
    ns: int
    high, low, ns = _TIMESTAMP.unpack_from(octets, _TIMESTAMP_AT)
    return ((high << 32 | low) * 1_000_000_000 + ns) << 16


def correction_sns(octets: bytes) -> int:
    return int(_CORRECTION.unpack_from(octets, _CORRECTION_AT)[0])


def corrected(octets: bytes, added_sns: int) -> bytes:
    """With ``added_sns`` more in its correctionField; what that cannot hold is its most (13.3.2.9)."""
    changed = bytearray(octets)
    _CORRECTION.pack_into(changed, _CORRECTION_AT, saturate_interval(correction_sns(octets) + added_sns))
    return bytes(changed)
