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
from typing import NoReturn

from ptpstack.wire.decoders import DECODERS
from ptpstack.wire.encoders import ENCODERS, explain
from ptpstack.wire.errors import MalformedFrame
from ptpstack.wire.layouts import HEADER_OCTETS
from ptpstack.wire.messages import Message
from ptpstack.wire.packing import check_octets
from ptpstack.wire.suffix import encode_tlvs

#: octets of each message without TLVs, the least messageLength its type may have.
MINIMUM_OCTETS: dict[type[Message], int] = {kind: layout.size for kind, (_, layout) in ENCODERS.items()}


def decode(octets: bytes | bytearray | memoryview) -> Message:
    """The message in ``octets``, which start at the PTP header; MalformedFrame when there is none.

    Octets behind messageLength are kept in ``trailing`` (copied, so the caller may reuse its buffer).
    """
    if octets.__class__ is not bytes:
        octets = bytes(octets)
    size = len(octets)
    if size < HEADER_OCTETS or octets[1] & 0x0F != 2:
        _refuse_header(octets)
    decoder = DECODERS[octets[0] & 0x0F]
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


def encode(message: Message, *, trailing: bool = False) -> bytes:
    """The messageLength octets of ``message``, and behind them ``message.trailing`` when ``trailing`` is true.

    messageLength and versionPTP 2 are filled in. ValueError names the field that is out of range; nothing is cut,
    wrapped or saturated here. TypeError for a class that is not one of the ten messages.
    """
    try:
        encoder, layout = ENCODERS[message.__class__]
    except KeyError:
        raise TypeError(f"{message.__class__.__name__} is not a PTP message") from None
    tlvs = encode_tlvs(message.tlvs) if message.tlvs else b""
    length = layout.size + len(tlvs)
    source = message.source
    try:
        octets = encoder(message, layout, length)
    except (struct.error, TypeError) as error:
        explain(message, length)
        raise ValueError(f"{message.__class__.__name__}: {error}") from error
    if len(source[0]) != 8:
        check_octets(message.__class__.__name__, "source.clock_identity", source[0], 8)
    if tlvs:
        octets += tlvs
    return octets + message.trailing if trailing else octets
