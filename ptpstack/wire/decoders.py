"""Octets -> messages: a decoder for each layout, by messageType. What every one keeps is said in codec.py."""

from __future__ import annotations

from collections.abc import Callable
from typing import NoReturn

from ptpstack.wire.errors import MalformedFrame
from ptpstack.wire.layouts import ANNOUNCE, MANAGEMENT, RESPONSE, SIGNALING, TIMED, TIMED_PADDED
from ptpstack.wire.messages import (
    Announce,
    DelayReq,
    DelayResp,
    FollowUp,
    Management,
    Message,
    PdelayReq,
    PdelayResp,
    PdelayRespFollowUp,
    Signaling,
    Sync,
)
from ptpstack.wire.packing import SECOND_NS
from ptpstack.wire.suffix import decode_tlvs
from ptpstack.wire.tlv import Tlv
from ptpstack.wire.types import ClockQuality, PortIdentity

_NANOSECONDS_AT = 40

# PortIdentity(...) goes through a Python-level __new__; this is the same object for half the time.
_tuple = tuple.__new__

# bound once: this runs for every frame
_timed = TIMED.unpack_from
_timed_padded = TIMED_PADDED.unpack_from
_response = RESPONSE.unpack_from
_announce = ANNOUNCE.unpack_from
_signaling = SIGNALING.unpack_from
_management = MANAGEMENT.unpack_from


def _refuse_length(octets: bytes, size: int, minimum: int) -> NoReturn:
    length = int.from_bytes(octets[2:4], "big")
    if length < minimum:
        raise MalformedFrame(2, "short-message", f"messageLength {length}, this messageType needs {minimum}")
    raise MalformedFrame(size, "truncated", f"messageLength {length}, received {size} octets")


def _refuse_timestamp(nanoseconds: int) -> NoReturn:
    raise MalformedFrame(_NANOSECONDS_AT, "timestamp", f"nanosecondsField {nanoseconds} is not below 10**9")


def _decode_timed(octets: bytes, size: int, make: Callable[..., Message]) -> Message:
    """Sync, Delay_Req, Follow_Up: one timestamp."""
    if size < 44:
        _refuse_length(octets, size, 44)
    (first, version, length, domain, minor_sdo, flags, correction, specific, clock, port, sequence, control, interval,
     high, low, ns) = _timed(octets)  # fmt: skip
    if ns >= SECOND_NS:
        _refuse_timestamp(ns)
    tlvs: tuple[Tlv, ...] = ()
    trailing = b""
    if length != 44 or size != 44:
        if not 44 <= length <= size:
            _refuse_length(octets, size, 44)
        tlvs = decode_tlvs(octets, 44, length)
        trailing = octets[length:]
    return make(
        _tuple(PortIdentity, (clock, port)), sequence, domain, (first & 0xF0) << 4 | minor_sdo, flags, correction,
        interval, control, version >> 4, specific, tlvs, trailing, (high << 32 | low) * SECOND_NS + ns,
    )  # fmt: skip


def _decode_response(octets: bytes, size: int, make: Callable[..., Message]) -> Message:
    """Delay_Resp, Pdelay_Resp, Pdelay_Resp_Follow_Up: one timestamp and whom it answers."""
    if size < 54:
        _refuse_length(octets, size, 54)
    (first, version, length, domain, minor_sdo, flags, correction, specific, clock, port, sequence, control, interval,
     high, low, ns, requesting_clock, requesting_port) = _response(octets)  # fmt: skip
    if ns >= SECOND_NS:
        _refuse_timestamp(ns)
    tlvs: tuple[Tlv, ...] = ()
    trailing = b""
    if length != 54 or size != 54:
        if not 54 <= length <= size:
            _refuse_length(octets, size, 54)
        tlvs = decode_tlvs(octets, 54, length)
        trailing = octets[length:]
    return make(
        _tuple(PortIdentity, (clock, port)), sequence, domain, (first & 0xF0) << 4 | minor_sdo, flags, correction,
        interval, control, version >> 4, specific, tlvs, trailing, (high << 32 | low) * SECOND_NS + ns,
        _tuple(PortIdentity, (requesting_clock, requesting_port)),
    )  # fmt: skip


def _decode_pdelay_req(octets: bytes, size: int, make: Callable[..., Message]) -> Message:
    if size < 54:
        _refuse_length(octets, size, 54)
    (first, version, length, domain, minor_sdo, flags, correction, specific, clock, port, sequence, control, interval,
     high, low, ns, reserved) = _timed_padded(octets)  # fmt: skip
    if ns >= SECOND_NS:
        _refuse_timestamp(ns)
    tlvs: tuple[Tlv, ...] = ()
    trailing = b""
    if length != 54 or size != 54:
        if not 54 <= length <= size:
            _refuse_length(octets, size, 54)
        tlvs = decode_tlvs(octets, 54, length)
        trailing = octets[length:]
    return make(
        _tuple(PortIdentity, (clock, port)), sequence, domain, (first & 0xF0) << 4 | minor_sdo, flags, correction,
        interval, control, version >> 4, specific, tlvs, trailing, (high << 32 | low) * SECOND_NS + ns, reserved,
    )  # fmt: skip


def _decode_announce(octets: bytes, size: int, make: Callable[..., Message]) -> Message:
    if size < 64:
        _refuse_length(octets, size, 64)
    (first, version, length, domain, minor_sdo, flags, correction, specific, clock, port, sequence, control, interval,
     high, low, ns, utc_offset, reserved, priority1, clock_class, accuracy, variance, priority2, grandmaster, steps,
     time_source) = _announce(octets)  # fmt: skip
    if ns >= SECOND_NS:
        _refuse_timestamp(ns)
    tlvs: tuple[Tlv, ...] = ()
    trailing = b""
    if length != 64 or size != 64:
        if not 64 <= length <= size:
            _refuse_length(octets, size, 64)
        tlvs = decode_tlvs(octets, 64, length)
        trailing = octets[length:]
    return make(
        _tuple(PortIdentity, (clock, port)), sequence, domain, (first & 0xF0) << 4 | minor_sdo, flags, correction,
        interval, control, version >> 4, specific, tlvs, trailing, (high << 32 | low) * SECOND_NS + ns, utc_offset,
        reserved, priority1, _tuple(ClockQuality, (clock_class, accuracy, variance)), priority2, grandmaster, steps,
        time_source,
    )  # fmt: skip


def _decode_signaling(octets: bytes, size: int, make: Callable[..., Message]) -> Message:
    """A Signaling message without TLVs decodes: it asks for nothing, which is for the protocol to notice."""
    if size < 44:
        _refuse_length(octets, size, 44)
    (first, version, length, domain, minor_sdo, flags, correction, specific, clock, port, sequence, control, interval,
     target_clock, target_port) = _signaling(octets)  # fmt: skip
    if not 44 <= length <= size:
        _refuse_length(octets, size, 44)
    return make(
        _tuple(PortIdentity, (clock, port)), sequence, domain, (first & 0xF0) << 4 | minor_sdo, flags, correction,
        interval, control, version >> 4, specific, decode_tlvs(octets, 44, length), octets[length:],
        _tuple(PortIdentity, (target_clock, target_port)),
    )  # fmt: skip


def _decode_management(octets: bytes, size: int, make: Callable[..., Message]) -> Message:
    if size < 48:
        _refuse_length(octets, size, 48)
    (first, version, length, domain, minor_sdo, flags, correction, specific, clock, port, sequence, control, interval,
     target_clock, target_port, starting_hops, hops, action, reserved) = _management(octets)  # fmt: skip
    if not 48 <= length <= size:
        _refuse_length(octets, size, 48)
    return make(
        _tuple(PortIdentity, (clock, port)), sequence, domain, (first & 0xF0) << 4 | minor_sdo, flags, correction,
        interval, control, version >> 4, specific, decode_tlvs(octets, 48, length), octets[length:],
        _tuple(PortIdentity, (target_clock, target_port)), starting_hops, hops, action, reserved,
    )  # fmt: skip


_Decoder = tuple[Callable[[bytes, int, Callable[..., Message]], Message], Callable[..., Message]]

#: by the low nibble of octet 0; None: reserved.
DECODERS: tuple[_Decoder | None, ...] = (
    (_decode_timed, Sync),
    (_decode_timed, DelayReq),
    (_decode_pdelay_req, PdelayReq),
    (_decode_response, PdelayResp),
    None,
    None,
    None,
    None,
    (_decode_timed, FollowUp),
    (_decode_response, DelayResp),
    (_decode_response, PdelayRespFollowUp),
    (_decode_announce, Announce),
    (_decode_signaling, Signaling),
    (_decode_management, Management),
    None,
    None,
)
