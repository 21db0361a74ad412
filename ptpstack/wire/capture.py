"""Capture files: classic pcap and pcapng in, classic pcap out.

A reader yields every frame before a damaged place and then raises ``CaptureError``, which says where the damage is.
No length in a file is trusted before it was checked against ``MAX_BLOCK_OCTETS``.

pcap: the tcpdump.org file format; pcapng: IETF draft-ietf-opsawg-pcapng. What is inside a frame is ``encapsulation``'s.
"""

from __future__ import annotations

import os
import struct
from collections.abc import Iterable, Iterator
from typing import BinaryIO, NamedTuple

#: more than any link's frame or any block worth reading; a larger length means a damaged file.
MAX_BLOCK_OCTETS = 16 * 1024 * 1024

LINK_ETHERNET = 1

_SECOND_NS = 1_000_000_000

#: classic pcap magic as read big-endian -> (byte order, ns per unit of the fraction).
_PCAP_MAGIC = {
    0xA1B2C3D4: (">", 1000),
    0xD4C3B2A1: ("<", 1000),
    0xA1B23C4D: (">", 1),
    0x4D3CB2A1: ("<", 1),
}
_SECTION_HEADER = 0x0A0D0D0A
_BYTE_ORDER_MAGIC = b"\x1a\x2b\x3c\x4d"


class CaptureError(Exception):
    """A capture file that cannot be read (further). ``offset``: octets from the start of the file."""

    def __init__(self, path: str, offset: int, reason: str) -> None:
        super().__init__(f"{path}: octet {offset}: {reason}")
        self.path = path
        self.offset = offset
        self.reason = reason


class CapturedFrame(NamedTuple):
    """One frame of a capture. ``time_ns`` since the Unix epoch, None where the file has none (simple packet blocks)."""

    time_ns: int | None
    #: LINKTYPE_... number of tcpdump.org.
    link_type: int
    octets: bytes
    #: octets on the wire; more than ``len(octets)`` when the capture cut the frame.
    original_length: int
    #: pcapng interface in its section, 0 for pcap.
    interface: int = 0


def read_capture(path: str | os.PathLike[str]) -> Iterator[CapturedFrame]:
    """The frames of the file at ``path``. CaptureError for damage, OSError when it cannot be opened."""
    with open(path, "rb") as stream:
        yield from read_frames(stream, os.fspath(path))


def read_frames(stream: BinaryIO, name: str = "-") -> Iterator[CapturedFrame]:
    """The frames of an open capture, which need not be seekable; ``name`` is for errors."""
    source = _Source(stream, name)
    magic = source.take(4, "file header")
    number = int.from_bytes(magic, "big")
    if number == _SECTION_HEADER:
        return _read_pcapng(source)
    if number in _PCAP_MAGIC:
        return _read_pcap(source, *_PCAP_MAGIC[number])
    if magic[:2] == b"\x1f\x8b":
        raise CaptureError(name, 0, "gzip-compressed: decompress it first")
    raise CaptureError(name, 0, f"neither pcap nor pcapng (begins with {magic.hex()})")


class _Source:
    """A stream that counts, and complains with its name."""

    def __init__(self, stream: BinaryIO, name: str) -> None:
        self._stream = stream
        self.name = name
        self.offset = 0

    def take(self, count: int, what: str) -> bytes:
        octets = self.take_or_end(count, what)
        if octets is None:
            raise self.error(f"file ends before the {what}" if self.offset else "empty file")
        return octets

    def take_or_end(self, count: int, what: str) -> bytes | None:
        """``count`` octets, None at a clean end of file."""
        parts: list[bytes] = []
        missing = count
        while missing:
            part = self._stream.read(missing)
            if not part:
                break
            parts.append(part)
            missing -= len(part)
        if not parts and count:
            return None
        octets = b"".join(parts)
        if missing:
            raise self.error(f"file ends within the {what}: {len(octets)} of {count} octets")
        self.offset += count
        return octets

    def error(self, reason: str, offset: int | None = None) -> CaptureError:
        return CaptureError(self.name, self.offset if offset is None else offset, reason)


# ------------------------------------------------------------------------------------------------ classic pcap


def _read_pcap(source: _Source, order: str, unit_ns: int) -> Iterator[CapturedFrame]:
    major, minor, _, _, _, network = struct.unpack(order + "HHiIII", source.take(20, "file header"))
    if major != 2:
        raise source.error(f"pcap version {major}.{minor}, only 2.x is understood", 4)
    # The upper six bits tell of a frame check sequence, which ends up behind messageLength.
    link_type = network & 0x03FFFFFF
    header = struct.Struct(order + "IIII")
    while True:
        at = source.offset
        octets = source.take_or_end(16, "record header")
        if octets is None:
            return
        seconds, fraction, captured, original = header.unpack(octets)
        if captured > MAX_BLOCK_OCTETS:
            raise source.error(f"record of {captured} octets: damaged", at + 8)
        if fraction * unit_ns >= _SECOND_NS:
            raise source.error(f"time stamp fraction {fraction} is a second or more: damaged", at + 4)
        frame = source.take(captured, "record")
        yield CapturedFrame(seconds * _SECOND_NS + fraction * unit_ns, link_type, frame, original)


def write_pcap(path: str | os.PathLike[str], frames: Iterable[CapturedFrame], *, link_type: int = LINK_ETHERNET) -> int:
    """Write ``frames`` as classic pcap with ns time stamps; returns how many.

    ValueError for a frame of another link type (the format has one per file) or a time outside 0 .. 2**32 s; the
    frames before it are in the file. A time of None is written as 0.
    """
    count = 0
    with open(path, "wb") as stream:
        stream.write(struct.pack("<IHHiIII", 0xA1B23C4D, 2, 4, 0, 0, 0x40000, link_type))
        for frame in frames:
            if frame.link_type != link_type:
                raise ValueError(f"frame {count + 1}: link type {frame.link_type} in a file of link type {link_type}")
            seconds, ns = divmod(frame.time_ns or 0, _SECOND_NS)
            if not 0 <= seconds < 1 << 32:
                raise ValueError(f"frame {count + 1}: {frame.time_ns} ns does not fit the 32-bit seconds of pcap")
            original = max(frame.original_length, len(frame.octets))
            stream.write(struct.pack("<IIII", seconds, ns, len(frame.octets), original))
            stream.write(frame.octets)
            count += 1
    return count


# ------------------------------------------------------------------------------------------------------ pcapng


class _Interface(NamedTuple):
    link_type: int
    snap_length: int
    #: units per second, and seconds to add (if_tsresol, if_tsoffset).
    units: int
    offset_s: int


def _read_pcapng(source: _Source) -> Iterator[CapturedFrame]:
    """Section header, interface description, enhanced/simple/obsolete packet blocks; all others are passed over."""
    order = ""
    interfaces: list[_Interface] = []
    at = 0
    block_type: bytes | None = b"\x0a\x0d\x0d\x0a"
    while block_type is not None:
        is_section = block_type == b"\x0a\x0d\x0d\x0a"
        if is_section:
            # The byte order stands behind the length that needs it.
            length_octets = source.take(4, "section header")
            magic = source.take(4, "section header")
            if magic not in (_BYTE_ORDER_MAGIC, _BYTE_ORDER_MAGIC[::-1]):
                raise source.error(f"byte-order magic {magic.hex()}: damaged", at + 8)
            order = ">" if magic == _BYTE_ORDER_MAGIC else "<"
            interfaces = []
            taken = 12
        else:
            length_octets = source.take(4, "block length")
            taken = 8
        (length,) = struct.unpack(order + "I", length_octets)
        if length % 4 or length < taken + 4 or length > MAX_BLOCK_OCTETS:
            raise source.error(f"block length {length}: damaged", at + 4)
        body = source.take(length - taken - 4, "block")
        if source.take(4, "block") != length_octets:
            raise source.error("block lengths before and behind the block differ: damaged", source.offset - 4)
        frame: CapturedFrame | None = None
        try:
            if is_section:
                (major,) = struct.unpack_from(order + "H", body)
                if major != 1:
                    raise source.error(f"pcapng version {major}, only 1 is understood", at + 12)
            else:
                (number,) = struct.unpack(order + "I", block_type)
                if number == 1:
                    interfaces.append(_interface(body, order))
                elif number in _PACKET_BLOCKS:
                    frame = _PACKET_BLOCKS[number](source, at, body, order, interfaces)
        except struct.error:
            raise source.error("block too short for its type: damaged", at) from None
        if frame is not None:
            yield frame
        at = source.offset
        block_type = source.take_or_end(4, "block type")


def _interface(body: bytes, order: str) -> _Interface:
    link_type, _, snap_length = struct.unpack_from(order + "HHI", body)
    units, offset_s = 1_000_000, 0
    at = 8
    while at + 4 <= len(body):
        code, length = struct.unpack_from(order + "HH", body, at)
        value = body[at + 4 : at + 4 + length]
        at += 4 + (length + 3) // 4 * 4
        if code == 0:
            break
        if code == 9 and length == 1 and len(value) == 1:
            exponent = value[0] & 0x7F
            units = 1 << exponent if value[0] & 0x80 else 10**exponent
        elif code == 14 and length == 8 and len(value) == 8:
            (offset_s,) = struct.unpack(order + "q", value)
    return _Interface(link_type, snap_length, units, offset_s)


def _take_packet(
    source: _Source, at: int, body: bytes, start: int, captured: int, index: int, interfaces: list[_Interface]
) -> tuple[_Interface, bytes]:
    if index >= len(interfaces):
        raise source.error(f"packet of interface {index}, which the file does not describe: damaged", at)
    if captured > len(body) - start:
        raise source.error(f"packet of {captured} octets in a block of {len(body) + 12}: damaged", at)
    return interfaces[index], body[start : start + captured]


def _time_ns(interface: _Interface, high: int, low: int) -> int:
    return (high << 32 | low) * _SECOND_NS // interface.units + interface.offset_s * _SECOND_NS


def _enhanced(source: _Source, at: int, body: bytes, order: str, interfaces: list[_Interface]) -> CapturedFrame:
    index, high, low, captured, original = struct.unpack_from(order + "IIIII", body)
    interface, octets = _take_packet(source, at, body, 20, captured, index, interfaces)
    return CapturedFrame(_time_ns(interface, high, low), interface.link_type, octets, original, index)


def _simple(source: _Source, at: int, body: bytes, order: str, interfaces: list[_Interface]) -> CapturedFrame:
    (original,) = struct.unpack_from(order + "I", body)
    snap_length = interfaces[0].snap_length if interfaces else 0
    captured = min(original, snap_length) if snap_length else original
    interface, octets = _take_packet(source, at, body, 4, captured, 0, interfaces)
    return CapturedFrame(None, interface.link_type, octets, original)


def _obsolete(source: _Source, at: int, body: bytes, order: str, interfaces: list[_Interface]) -> CapturedFrame:
    index, _, high, low, captured, original = struct.unpack_from(order + "HHIIII", body)
    interface, octets = _take_packet(source, at, body, 20, captured, index, interfaces)
    return CapturedFrame(_time_ns(interface, high, low), interface.link_type, octets, original, index)


_PACKET_BLOCKS = {2: _obsolete, 3: _simple, 6: _enhanced}
