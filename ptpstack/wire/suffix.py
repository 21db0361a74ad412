"""The suffix of a message: octets <-> TLVs (IEEE 1588-2019 13.4 and 14.1; not checked against the text)."""

from __future__ import annotations

import struct

from ptpstack.wire.errors import MalformedFrame
from ptpstack.wire.packing import check
from ptpstack.wire.tlv import Tlv
from ptpstack.wire.tlvs.registry import PARSERS

_HEADER = struct.Struct(">HH")


def decode_tlvs(octets: bytes, at: int, end: int) -> tuple[Tlv, ...]:
    """The TLVs in ``octets[at:end]``; MalformedFrame unless they fill it exactly."""
    tlvs: list[Tlv] = []
    while at < end:
        if end - at < 4:
            raise MalformedFrame(at, "tlv-stray", f"{end - at} octets after the last TLV")
        tlv_type, length = _HEADER.unpack_from(octets, at)
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


def encode_tlvs(tlvs: tuple[Tlv, ...]) -> bytes:
    """The octets of ``tlvs``; ValueError for a value of odd length (14.1), one above 65534 octets, or a bad field."""
    parts: list[bytes] = []
    for tlv in tlvs:
        value = tlv.value
        length = len(value)
        if length & 1:
            raise ValueError(f"{tlv.__class__.__name__}: the value has {length} octets; TLV values have an even number")
        try:
            parts.append(_HEADER.pack(tlv.tlv_type, length))
        except struct.error:
            check(tlv.__class__.__name__, ("tlv_type", "lengthField"), "HH", (tlv.tlv_type, length))
            raise
        parts.append(value)
    return b"".join(parts)
