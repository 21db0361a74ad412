"""What the known TLVs are made of: a layout in words, and a base class that reads and writes it.

A layout is written as the standard writes it, one token to a field::

    @fixed("u8 i8 u32", "messageType logInterMessagePeriod durationField")

Octets behind the layout are kept in ``extra``: a later edition may have put something there, and a boundary clock that
hands the TLV on must not lose it. A value shorter than the layout is a MalformedFrame, reason ``tlv-short``.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Sequence
from dataclasses import fields
from operator import attrgetter
from typing import Any, ClassVar, Self, TypeVar

from ptpstack.wire.errors import MalformedFrame
from ptpstack.wire.packing import SECOND_NS, check, check_uint, pack_timestamp
from ptpstack.wire.tlv import Tlv
from ptpstack.wire.types import PortIdentity

# ------------------------------------------------------------------------------------------------------ tokens

#: tokens that are one struct code. ti: TimeInterval, ci: ClockIdentity, f64: Float64; oN: N octets.
_CODES = {
    "u8": "B",
    "i8": "b",
    "u16": "H",
    "i16": "h",
    "u32": "I",
    "i32": "i",
    "u64": "Q",
    "i64": "q",
    "ti": "q",
    "ci": "8s",
    "f64": "d",
}


def _timestamp_from(octets: bytes, at: int) -> int:
    seconds = int.from_bytes(octets[:6], "big")
    ns = int.from_bytes(octets[6:], "big")
    if ns >= SECOND_NS:
        raise MalformedFrame(at + 6, "timestamp", f"nanosecondsField {ns} is not below 10**9")
    return seconds * SECOND_NS + ns


def _port_identity_from(octets: bytes, at: int) -> PortIdentity:
    return PortIdentity(octets[:8], octets[8] << 8 | octets[9])


def _port_identity_to(owner: str, name: str, value: PortIdentity) -> bytes:
    check(f"{owner}.{name}", PortIdentity._fields, "8sH", value)
    return value[0] + value[1].to_bytes(2, "big")


def _uint48_from(octets: bytes, at: int) -> int:
    return int.from_bytes(octets, "big")


def _uint48_to(owner: str, name: str, value: int) -> bytes:
    check_uint(owner, name, value, 48)
    return value.to_bytes(6, "big")


def _int96_from(octets: bytes, at: int) -> int:
    return int.from_bytes(octets, "big", signed=True)


def _int96_to(owner: str, name: str, value: int) -> bytes:
    if not isinstance(value, int) or not -(1 << 95) <= value < 1 << 95:
        raise ValueError(f"{owner}.{name}: {value!r} is not a signed 96-bit number")
    return value.to_bytes(12, "big", signed=True)


#: tokens struct has no code for: octets, reader, writer.
_SPECIAL: dict[str, tuple[int, Callable[[bytes, int], Any], Callable[[str, str, Any], bytes]]] = {
    "ts": (10, _timestamp_from, pack_timestamp),
    "pid": (10, _port_identity_from, _port_identity_to),
    "u48": (6, _uint48_from, _uint48_to),
    "i96": (12, _int96_from, _int96_to),
}


class Layout:
    """A fixed sequence of fields. ``size`` in octets, ``tokens`` as written."""

    __slots__ = ("_codes", "_special", "_strings", "_struct", "size", "tokens")

    def __init__(self, spec: str) -> None:
        self.tokens = tuple(spec.split())
        codes: list[str] = []
        special: list[tuple[int, int, Callable[[bytes, int], Any], Callable[[str, str, Any], bytes]]] = []
        offset = 0
        for index, token in enumerate(self.tokens):
            if token in _SPECIAL:
                octets, reader, writer = _SPECIAL[token]
                special.append((index, offset, reader, writer))
                code = f"{octets}s"
            else:
                code = _CODES[token] if token in _CODES else f"{int(token[1:])}s"
            codes.append(code)
            offset += struct.calcsize(">" + code)
        self._codes = "".join(codes)
        self._special = tuple(special)
        # struct cuts and pads octet strings silently; those of special tokens come out of their writers right.
        self._strings = any(
            code.endswith("s") and token not in _SPECIAL for code, token in zip(codes, self.tokens, strict=True)
        )
        self._struct = struct.Struct(">" + self._codes)
        self.size = self._struct.size

    def unpack(self, value: bytes, start: int, at: int) -> Sequence[Any]:
        """The fields at ``value[start:]``; ``at`` is the offset of ``value`` in the message, for errors."""
        values = self._struct.unpack_from(value, start)
        if not self._special:
            return values
        changed = list(values)
        for index, offset, reader, _ in self._special:
            changed[index] = reader(changed[index], at + start + offset)
        return changed

    def pack(self, owner: str, names: Sequence[str], values: Sequence[Any]) -> bytes:
        """The octets of ``values``; ValueError names the field that does not fit."""
        if self._special:
            changed = list(values)
            for index, _, _, writer in self._special:
                changed[index] = writer(owner, names[index], changed[index])
            values = changed
        if self._strings:
            check(owner, names, self._codes, values)
        try:
            return self._struct.pack(*values)
        except (struct.error, OverflowError):
            check(owner, names, self._codes, values)
            raise


def too_short(tlv: str, at: int, have: int, need: int) -> MalformedFrame:
    """The error for a known TLV whose value (``have`` octets at offset ``at``) is below its layout."""
    return MalformedFrame(at, "tlv-short", f"{tlv} needs {need} octets of value, has {have}")


# -------------------------------------------------------------------------------------------------- base class


class FixedTlv(Tlv):
    """A TLV whose value is ``PREFIX``, then a ``Layout``, then ``extra``.

    Subclasses are slotted dataclasses under ``@fixed``: the layout's fields in order, then ``extra`` and ``tlv_type``.
    """

    __slots__ = ()

    #: octets every value begins with (organizationId and organizationSubType).
    PREFIX: ClassVar[bytes] = b""
    LAYOUT: ClassVar[Layout]
    #: the fields here, and what IEEE 1588 (or the profile) calls them.
    FIELDS: ClassVar[tuple[str, ...]]
    STANDARD_NAMES: ClassVar[tuple[str, ...]]
    _VALUES: ClassVar[Callable[[Any], Any]]

    extra: bytes

    @classmethod
    def parse(cls, tlv_type: int, value: bytes, at: int) -> Self:
        """From value octets; ``at`` is where they start in the message."""
        layout = cls.LAYOUT
        start = len(cls.PREFIX)
        end = start + layout.size
        if len(value) < end:
            raise too_short(cls.__name__, at, len(value), end)
        make: Callable[..., Self] = cls
        return make(*layout.unpack(value, start, at), value[end:], tlv_type)

    def field_values(self) -> tuple[Any, ...]:
        """The layout's fields in order."""
        values = type(self)._VALUES(self)
        return values if len(self.FIELDS) > 1 else (values,)

    @property
    def value(self) -> bytes:
        packed = self.LAYOUT.pack(self.__class__.__name__, self.FIELDS, self.field_values())
        return self.PREFIX + packed + self.extra


_T = TypeVar("_T", bound=FixedTlv)


def fixed(spec: str, standard_names: str, *, prefix: bytes = b"") -> Callable[[type[_T]], type[_T]]:
    """Give a dataclass its layout. Field order in the class must be the order of ``spec``."""

    def decorate(cls: type[_T]) -> type[_T]:
        names = tuple(f.name for f in fields(cls) if f.name not in ("extra", "tlv_type"))  # type: ignore[arg-type]
        cls.PREFIX = prefix
        cls.LAYOUT = Layout(spec)
        cls.FIELDS = names
        cls.STANDARD_NAMES = tuple(standard_names.split())
        cls._VALUES = attrgetter(*names)
        if not len(names) == len(cls.LAYOUT.tokens) == len(cls.STANDARD_NAMES):
            raise TypeError(f"{cls.__name__}: fields, layout and standard names differ in number")
        return cls

    return decorate


# ------------------------------------------------------------------------------------------------------ PTPText


def read_text(tlv: str, value: bytes, start: int, at: int) -> tuple[str, int]:
    """The PTPText (5.3.9) at ``value[start:]`` and where it ends; MalformedFrame when it runs out of the value.

    Octets that are not UTF-8 become lone surrogates (PEP 383), so that writing the text gives the same octets.
    """
    if start >= len(value):
        raise too_short(tlv, at, len(value), start + 1)
    end = start + 1 + value[start]
    if end > len(value):
        raise too_short(tlv, at, len(value), end)
    return value[start + 1 : end].decode("utf-8", "surrogateescape"), end


def write_text(owner: str, name: str, text: str) -> bytes:
    """A PTPText; ValueError above 255 octets."""
    octets = text.encode("utf-8", "surrogateescape")
    if len(octets) > 255:
        raise ValueError(f"{owner}.{name}: {len(octets)} octets of UTF-8, a PTPText holds 255")
    return bytes((len(octets),)) + octets


def unpadded(value: bytes, end: int) -> bytes:
    """``extra`` of a value whose layout ends at ``end``: all behind it but the one zero octet that makes it even."""
    rest = value[end:]
    return b"" if rest == b"\0" and end & 1 else rest


def padded(value: bytes) -> bytes:
    """``value`` and a zero octet when its length is odd (14.1: lengthField is even)."""
    return value + b"\0" if len(value) & 1 else value
