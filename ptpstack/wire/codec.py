"""Octets <-> messages (IEEE 1588-2019 clause 13; not checked against the text).

Three rules:

1. ``decode`` raises ``MalformedFrame`` and nothing else, whatever the octets are.
2. ``encode(decode(x)) == x[:messageLength]``, octet for octet; what follows messageLength is ``message.trailing``.
3. One precompiled struct per layout takes header and body in one go and the record is built by position: this runs
   once per frame. TLVs cost nothing where messageLength leaves no room for any.

Reason codes of MalformedFrame: ``short-header``, ``version-1``, ``version``, ``message-type``, ``short-message``
(messageLength below the minimum of its type), ``truncated`` (messageLength beyond the octets received), ``timestamp``
(nanosecondsField >= 10**9), ``tlv-stray`` (1..3 octets after the last TLV), ``tlv-odd``, ``tlv-beyond-end``,
``tlv-short`` (a known TLV below its layout).
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from operator import attrgetter
from typing import Any, NoReturn

from ptpstack.wire.errors import MalformedFrame
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
from ptpstack.wire.packing import (
    SECOND_NS,
    check,
    check_octets,
    check_timestamp,
    check_uint,
)
from ptpstack.wire.tlv import Tlv
from ptpstack.wire.tlvs.registry import PARSERS
from ptpstack.wire.types import ClockQuality, PortIdentity

HEADER_OCTETS = 34
MAX_MESSAGE_OCTETS = 0xFFFF

_HEADER = ">BBHBBHqI8sHHBb"
_TIMED = struct.Struct(_HEADER + "HII")
_TIMED_PADDED = struct.Struct(_HEADER + "HII10s")
_RESPONSE = struct.Struct(_HEADER + "HII8sH")
_ANNOUNCE = struct.Struct(_HEADER + "HIIhBBBBHB8sHB")
_SIGNALING = struct.Struct(_HEADER + "8sH")
_MANAGEMENT = struct.Struct(_HEADER + "8sHBBBB")
_TLV_HEADER = struct.Struct(">HH")

_NANOSECONDS_AT = 40

# PortIdentity(...) goes through a Python-level __new__; this is the same object for half the time.
_tuple = tuple.__new__


# --------------------------------------------------------------------------------------------------- decoding


def decode(octets: bytes | bytearray | memoryview) -> Message:
    """The message in ``octets``, which start at the PTP header; MalformedFrame when there is none.

    Octets behind messageLength are kept in ``trailing`` (copied, so the caller may reuse its buffer).
    """
    if octets.__class__ is not bytes:
        octets = bytes(octets)
    size = len(octets)
    if size < HEADER_OCTETS or octets[1] & 0x0F != 2:
        _refuse_header(octets)
    decoder = _DECODERS[octets[0] & 0x0F]
    if decoder is None:
        raise MalformedFrame(0, "message-type", f"messageType 0x{octets[0] & 0x0F:X} is reserved")
    return decoder[0](octets, size, decoder[1])


def peek(octets: bytes | bytearray | memoryview) -> tuple[int, int, int]:
    """``(messageType, domainNumber, sdoId)`` from the header alone, to drop foreign frames before decoding them.

    MalformedFrame for fewer than 34 octets or a versionPTP other than 2; nothing else is checked, messageType may
    be a reserved one.
    """
    if len(octets) < HEADER_OCTETS or octets[1] & 0x0F != 2:
        _refuse_header(octets)
    first = octets[0]
    return first & 0x0F, octets[4], (first & 0xF0) << 4 | octets[5]


def _refuse_header(octets: bytes | bytearray | memoryview) -> NoReturn:
    if len(octets) < HEADER_OCTETS:
        raise MalformedFrame(len(octets), "short-header", f"a PTP header has 34 octets, here are {len(octets)}")
    version = octets[1] & 0x0F
    if version == 1:
        # IEEE 1588-2002: octets 0..1 are the 16-bit number 1; nothing after them means what it means here.
        raise MalformedFrame(1, "version-1", "PTP version 1 (IEEE 1588-2002)")
    raise MalformedFrame(1, "version", f"versionPTP is {version}, only 2 is understood")


def _refuse_length(octets: bytes, size: int, minimum: int) -> NoReturn:
    length = int.from_bytes(octets[2:4], "big")
    if length < minimum:
        raise MalformedFrame(2, "short-message", f"messageLength {length}, this messageType needs {minimum}")
    raise MalformedFrame(size, "truncated", f"messageLength {length}, received {size} octets")


def _refuse_timestamp(nanoseconds: int) -> NoReturn:
    raise MalformedFrame(_NANOSECONDS_AT, "timestamp", f"nanosecondsField {nanoseconds} is not below 10**9")


def _decode_tlvs(octets: bytes, at: int, end: int) -> tuple[Tlv, ...]:
    """The TLVs in ``octets[at:end]``; MalformedFrame unless they fill it exactly."""
    tlvs: list[Tlv] = []
    while at < end:
        if end - at < 4:
            raise MalformedFrame(at, "tlv-stray", f"{end - at} octets after the last TLV")
        tlv_type, length = _TLV_HEADER.unpack_from(octets, at)
        if length & 1:
            raise MalformedFrame(at + 2, "tlv-odd", f"lengthField {length} of tlvType 0x{tlv_type:04X}")
        at += 4
        stop = at + length
        if stop > end:
            raise MalformedFrame(
                at - 2, "tlv-beyond-end", f"lengthField {length} of tlvType 0x{tlv_type:04X}, {end - at} octets left"
            )
        parse = PARSERS.get(tlv_type)
        tlvs.append(Tlv(tlv_type, octets[at:stop]) if parse is None else parse(tlv_type, octets[at:stop], at))
        at = stop
    return tuple(tlvs)


def _decode_timed(octets: bytes, size: int, make: Callable[..., Message]) -> Message:
    """Sync, Delay_Req, Follow_Up: one timestamp."""
    if size < 44:
        _refuse_length(octets, size, 44)
    (first, version, length, domain, minor_sdo, flags, correction, specific, clock, port, sequence, control, interval,
     high, low, ns) = _TIMED.unpack_from(octets)  # fmt: skip
    if ns >= SECOND_NS:
        _refuse_timestamp(ns)
    tlvs: tuple[Tlv, ...] = ()
    trailing = b""
    if length != 44 or size != 44:
        if not 44 <= length <= size:
            _refuse_length(octets, size, 44)
        tlvs = _decode_tlvs(octets, 44, length)
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
     high, low, ns, requesting_clock, requesting_port) = _RESPONSE.unpack_from(octets)  # fmt: skip
    if ns >= SECOND_NS:
        _refuse_timestamp(ns)
    tlvs: tuple[Tlv, ...] = ()
    trailing = b""
    if length != 54 or size != 54:
        if not 54 <= length <= size:
            _refuse_length(octets, size, 54)
        tlvs = _decode_tlvs(octets, 54, length)
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
     high, low, ns, reserved) = _TIMED_PADDED.unpack_from(octets)  # fmt: skip
    if ns >= SECOND_NS:
        _refuse_timestamp(ns)
    tlvs: tuple[Tlv, ...] = ()
    trailing = b""
    if length != 54 or size != 54:
        if not 54 <= length <= size:
            _refuse_length(octets, size, 54)
        tlvs = _decode_tlvs(octets, 54, length)
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
     time_source) = _ANNOUNCE.unpack_from(octets)  # fmt: skip
    if ns >= SECOND_NS:
        _refuse_timestamp(ns)
    tlvs: tuple[Tlv, ...] = ()
    trailing = b""
    if length != 64 or size != 64:
        if not 64 <= length <= size:
            _refuse_length(octets, size, 64)
        tlvs = _decode_tlvs(octets, 64, length)
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
     target_clock, target_port) = _SIGNALING.unpack_from(octets)  # fmt: skip
    if not 44 <= length <= size:
        _refuse_length(octets, size, 44)
    return make(
        _tuple(PortIdentity, (clock, port)), sequence, domain, (first & 0xF0) << 4 | minor_sdo, flags, correction,
        interval, control, version >> 4, specific, _decode_tlvs(octets, 44, length), octets[length:],
        _tuple(PortIdentity, (target_clock, target_port)),
    )  # fmt: skip


def _decode_management(octets: bytes, size: int, make: Callable[..., Message]) -> Message:
    if size < 48:
        _refuse_length(octets, size, 48)
    (first, version, length, domain, minor_sdo, flags, correction, specific, clock, port, sequence, control, interval,
     target_clock, target_port, starting_hops, hops, action, reserved) = _MANAGEMENT.unpack_from(octets)  # fmt: skip
    if not 48 <= length <= size:
        _refuse_length(octets, size, 48)
    return make(
        _tuple(PortIdentity, (clock, port)), sequence, domain, (first & 0xF0) << 4 | minor_sdo, flags, correction,
        interval, control, version >> 4, specific, _decode_tlvs(octets, 48, length), octets[length:],
        _tuple(PortIdentity, (target_clock, target_port)), starting_hops, hops, action, reserved,
    )  # fmt: skip


_Decoder = tuple[Callable[[bytes, int, Callable[..., Message]], Message], Callable[..., Message]]

#: by the low nibble of octet 0; None: reserved.
_DECODERS: tuple[_Decoder | None, ...] = (
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


# --------------------------------------------------------------------------------------------------- encoding


def encode(message: Message, *, trailing: bool = False) -> bytes:
    """The messageLength octets of ``message``, and behind them ``message.trailing`` when ``trailing`` is true.

    messageLength and versionPTP 2 are filled in. ValueError names the field that is out of range; nothing is cut,
    wrapped or saturated here. TypeError for a class that is not one of the ten messages.
    """
    try:
        encoder, layout = _ENCODERS[message.__class__]
    except KeyError:
        raise TypeError(f"{message.__class__.__name__} is not a PTP message") from None
    tlvs = encode_tlvs(message.tlvs) if message.tlvs else b""
    length = layout.size + len(tlvs)
    source = message.source
    try:
        octets = encoder(message, layout, length)
    except (struct.error, TypeError) as error:
        _explain(message, length)
        raise ValueError(f"{message.__class__.__name__}: {error}") from error
    if len(source[0]) != 8:
        check_octets(message.__class__.__name__, "source.clock_identity", source[0], 8)
    if tlvs:
        octets += tlvs
    return octets + message.trailing if trailing else octets


def encode_tlvs(tlvs: tuple[Tlv, ...]) -> bytes:
    """The octets of ``tlvs``; ValueError for a value of odd length (14.1), one above 65534 octets, or a bad field."""
    parts: list[bytes] = []
    for tlv in tlvs:
        value = tlv.value
        length = len(value)
        if length & 1:
            raise ValueError(f"{tlv.__class__.__name__}: the value has {length} octets; TLV values have an even number")
        try:
            parts.append(_TLV_HEADER.pack(tlv.tlv_type, length))
        except struct.error:
            check(tlv.__class__.__name__, ("tlv_type", "lengthField"), "HH", (tlv.tlv_type, length))
            raise
        parts.append(value)
    return b"".join(parts)


def _encode_timed(m: Any, layout: struct.Struct, length: int) -> bytes:
    seconds, ns = divmod(_TIME_OF[m.__class__](m), SECOND_NS)
    clock, port = m.source
    sdo = m.sdo_id
    return layout.pack(
        sdo >> 8 << 4 | m.type, m.minor_version << 4 | 2, length, m.domain, sdo & 0xFF, m.flags, m.correction_sns,
        m.message_type_specific, clock, port, m.sequence_id, m.control, m.log_interval,
        seconds >> 32, seconds & 0xFFFFFFFF, ns,
    )  # fmt: skip


def _encode_response(m: Any, layout: struct.Struct, length: int) -> bytes:
    seconds, ns = divmod(_TIME_OF[m.__class__](m), SECOND_NS)
    clock, port = m.source
    requesting_clock, requesting_port = m.requesting
    if len(requesting_clock) != 8:
        check_octets(m.__class__.__name__, "requesting.clock_identity", requesting_clock, 8)
    sdo = m.sdo_id
    return layout.pack(
        sdo >> 8 << 4 | m.type, m.minor_version << 4 | 2, length, m.domain, sdo & 0xFF, m.flags, m.correction_sns,
        m.message_type_specific, clock, port, m.sequence_id, m.control, m.log_interval,
        seconds >> 32, seconds & 0xFFFFFFFF, ns, requesting_clock, requesting_port,
    )  # fmt: skip


def _encode_pdelay_req(m: Any, layout: struct.Struct, length: int) -> bytes:
    seconds, ns = divmod(m.origin_ns, SECOND_NS)
    clock, port = m.source
    if len(m.reserved) != 10:
        check_octets("PdelayReq", "reserved", m.reserved, 10)
    sdo = m.sdo_id
    return layout.pack(
        sdo >> 8 << 4 | m.type, m.minor_version << 4 | 2, length, m.domain, sdo & 0xFF, m.flags, m.correction_sns,
        m.message_type_specific, clock, port, m.sequence_id, m.control, m.log_interval,
        seconds >> 32, seconds & 0xFFFFFFFF, ns, m.reserved,
    )  # fmt: skip


def _encode_announce(m: Any, layout: struct.Struct, length: int) -> bytes:
    seconds, ns = divmod(m.origin_ns, SECOND_NS)
    clock, port = m.source
    clock_class, accuracy, variance = m.quality
    if len(m.grandmaster) != 8:
        check_octets("Announce", "grandmaster", m.grandmaster, 8)
    sdo = m.sdo_id
    return layout.pack(
        sdo >> 8 << 4 | m.type, m.minor_version << 4 | 2, length, m.domain, sdo & 0xFF, m.flags, m.correction_sns,
        m.message_type_specific, clock, port, m.sequence_id, m.control, m.log_interval,
        seconds >> 32, seconds & 0xFFFFFFFF, ns, m.current_utc_offset, m.reserved, m.priority1, clock_class, accuracy,
        variance, m.priority2, m.grandmaster, m.steps_removed, m.time_source,
    )  # fmt: skip


def _encode_signaling(m: Any, layout: struct.Struct, length: int) -> bytes:
    clock, port = m.source
    target_clock, target_port = m.target
    if len(target_clock) != 8:
        check_octets("Signaling", "target.clock_identity", target_clock, 8)
    sdo = m.sdo_id
    return layout.pack(
        sdo >> 8 << 4 | m.type, m.minor_version << 4 | 2, length, m.domain, sdo & 0xFF, m.flags, m.correction_sns,
        m.message_type_specific, clock, port, m.sequence_id, m.control, m.log_interval, target_clock, target_port,
    )  # fmt: skip


def _encode_management(m: Any, layout: struct.Struct, length: int) -> bytes:
    clock, port = m.source
    target_clock, target_port = m.target
    if len(target_clock) != 8:
        check_octets("Management", "target.clock_identity", target_clock, 8)
    sdo = m.sdo_id
    return layout.pack(
        sdo >> 8 << 4 | m.type, m.minor_version << 4 | 2, length, m.domain, sdo & 0xFF, m.flags, m.correction_sns,
        m.message_type_specific, clock, port, m.sequence_id, m.control, m.log_interval, target_clock, target_port,
        m.starting_boundary_hops, m.boundary_hops, m.action, m.reserved,
    )  # fmt: skip


#: the name of the timestamp field.
TIME_FIELD: dict[type[Message], str] = {
    Sync: "origin_ns",
    DelayReq: "origin_ns",
    FollowUp: "precise_origin_ns",
    DelayResp: "receive_ns",
    PdelayReq: "origin_ns",
    PdelayResp: "request_receipt_ns",
    PdelayRespFollowUp: "response_origin_ns",
    Announce: "origin_ns",
}
_TIME_OF: dict[type[Message], Callable[[Any], int]] = {kind: attrgetter(name) for kind, name in TIME_FIELD.items()}

_ENCODERS: dict[type[Message], tuple[Callable[[Any, struct.Struct, int], bytes], struct.Struct]] = {
    Sync: (_encode_timed, _TIMED),
    DelayReq: (_encode_timed, _TIMED),
    FollowUp: (_encode_timed, _TIMED),
    DelayResp: (_encode_response, _RESPONSE),
    PdelayReq: (_encode_pdelay_req, _TIMED_PADDED),
    PdelayResp: (_encode_response, _RESPONSE),
    PdelayRespFollowUp: (_encode_response, _RESPONSE),
    Announce: (_encode_announce, _ANNOUNCE),
    Signaling: (_encode_signaling, _SIGNALING),
    Management: (_encode_management, _MANAGEMENT),
}

#: octets of each message without TLVs, the least messageLength its type may have.
MINIMUM_OCTETS: dict[type[Message], int] = {kind: layout.size for kind, (_, layout) in _ENCODERS.items()}

_HEADER_FIELDS = ("domain", "flags", "correction_sns", "message_type_specific", "sequence_id", "control",
                  "log_interval")  # fmt: skip
_HEADER_CODES = "BHqIHBb"
_BODY_FIELDS: dict[type[Message], tuple[tuple[str, ...], str]] = {
    Announce: (("current_utc_offset", "reserved", "priority1", "priority2", "steps_removed", "time_source"), "hBBBHB"),
    Management: (("starting_boundary_hops", "boundary_hops", "action", "reserved"), "BBBB"),
}


def _explain(message: Message, length: int) -> None:
    """Raise the ValueError that says which field of ``message`` does not fit."""
    owner = message.__class__.__name__
    if length > MAX_MESSAGE_OCTETS:
        raise ValueError(f"{owner}: {length} octets with its TLVs, messageLength ends at {MAX_MESSAGE_OCTETS}")
    check_uint(owner, "sdo_id", message.sdo_id, 12)
    check_uint(owner, "minor_version", message.minor_version, 4)
    check(owner, _HEADER_FIELDS, _HEADER_CODES, [getattr(message, name) for name in _HEADER_FIELDS])
    for name in ("source", "requesting", "target"):
        identity = getattr(message, name, None)
        if identity is not None:
            check(f"{owner}.{name}", PortIdentity._fields, "8sH", identity)
    time_field = TIME_FIELD.get(message.__class__)
    if time_field is not None:
        check_timestamp(owner, time_field, getattr(message, time_field))
    if isinstance(message, Announce):
        check(f"{owner}.quality", ClockQuality._fields, "BBH", message.quality)
    names, layout = _BODY_FIELDS.get(message.__class__, ((), ""))
    check(owner, names, layout, [getattr(message, name) for name in names])
