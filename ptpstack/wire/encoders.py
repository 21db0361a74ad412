"""Messages -> octets: an encoder for each layout, and which field it is when a message does not fit."""

from __future__ import annotations

import struct
from collections.abc import Callable
from operator import attrgetter
from typing import Any

from ptpstack.wire.layouts import ANNOUNCE, MANAGEMENT, MAX_MESSAGE_OCTETS, RESPONSE, SIGNALING, TIMED, TIMED_PADDED
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
from ptpstack.wire.packing import SECOND_NS, check, check_octets, check_timestamp, check_uint
from ptpstack.wire.types import ClockQuality, PortIdentity


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

ENCODERS: dict[type[Message], tuple[Callable[[Any, struct.Struct, int], bytes], struct.Struct]] = {
    Sync: (_encode_timed, TIMED),
    DelayReq: (_encode_timed, TIMED),
    FollowUp: (_encode_timed, TIMED),
    DelayResp: (_encode_response, RESPONSE),
    PdelayReq: (_encode_pdelay_req, TIMED_PADDED),
    PdelayResp: (_encode_response, RESPONSE),
    PdelayRespFollowUp: (_encode_response, RESPONSE),
    Announce: (_encode_announce, ANNOUNCE),
    Signaling: (_encode_signaling, SIGNALING),
    Management: (_encode_management, MANAGEMENT),
}

_HEADER_FIELDS = ("domain", "flags", "correction_sns", "message_type_specific", "sequence_id", "control",
                  "log_interval")  # fmt: skip
_HEADER_CODES = "BHqIHBb"
_BODY_FIELDS: dict[type[Message], tuple[tuple[str, ...], str]] = {
    Announce: (("current_utc_offset", "reserved", "priority1", "priority2", "steps_removed", "time_source"), "hBBBHB"),
    Management: (("starting_boundary_hops", "boundary_hops", "action", "reserved"), "BBBB"),
}


def explain(message: Message, length: int) -> None:
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
