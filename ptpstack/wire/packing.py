"""struct, with errors that name the field.

``struct`` is silent about octet strings of the wrong length (it cuts or pads them) and terse about numbers out of
range. Encoders take the fast path and come here only when it failed, or to have string lengths checked.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from typing import Any

_RANGES = {
    "B": (0, 0xFF),
    "b": (-0x80, 0x7F),
    "H": (0, 0xFFFF),
    "h": (-0x8000, 0x7FFF),
    "I": (0, 0xFFFFFFFF),
    "i": (-0x80000000, 0x7FFFFFFF),
    "Q": (0, 0xFFFFFFFFFFFFFFFF),
    "q": (-0x8000000000000000, 0x7FFFFFFFFFFFFFFF),
}

#: one second, and the first number of seconds that 48 bits do not hold.
SECOND_NS = 1_000_000_000
SECONDS_LIMIT = 1 << 48


def codes(layout: str) -> list[tuple[str, int]]:
    """``(code, count)`` of each value of a struct format: ``">H8s2B"`` -> H, 8s, B, B."""
    found: list[tuple[str, int]] = []
    digits = ""
    for character in layout.lstrip(">"):
        if character.isdigit():
            digits += character
            continue
        count = int(digits or "1")
        digits = ""
        if character == "s":
            found.append(("s", count))
        else:
            found.extend([(character, 1)] * count)
    return found


def check(owner: str, names: Sequence[str], layout: str, values: Sequence[Any]) -> None:
    """Raise ValueError for the first of ``values`` that ``layout`` cannot carry; return when all fit."""
    for name, (code, count), value in zip(names, codes(layout), values, strict=True):
        if code == "s":
            if not isinstance(value, (bytes, bytearray, memoryview)) or len(value) != count:
                raise ValueError(f"{owner}.{name}: needs {count} octets, got {value!r}")
        elif code == "d":
            if not isinstance(value, (int, float)):
                raise ValueError(f"{owner}.{name}: needs a number, got {value!r}")
        else:
            low, high = _RANGES[code]
            if not isinstance(value, int):
                raise ValueError(f"{owner}.{name}: needs an integer, got {value!r}")
            if not low <= value <= high:
                raise ValueError(f"{owner}.{name}: {value} is outside {low}..{high}")


def pack_timestamp(owner: str, name: str, ns: int) -> bytes:
    """The ten octets of a Timestamp (5.3.3) from ns since the epoch; ValueError outside 0 .. 2**48 s."""
    seconds, rest = divmod(ns, SECOND_NS)
    try:
        return struct.pack(">HII", seconds >> 32, seconds & 0xFFFFFFFF, rest)
    except struct.error:
        check_timestamp(owner, name, ns)
        raise


def check_timestamp(owner: str, name: str, ns: int) -> None:
    """Raise ValueError unless ``ns`` fits a Timestamp."""
    if not isinstance(ns, int):
        raise ValueError(f"{owner}.{name}: needs an integer number of ns, got {ns!r}")
    if not 0 <= ns < SECONDS_LIMIT * SECOND_NS:
        raise ValueError(f"{owner}.{name}: {ns} ns is outside 0 .. 2**48 s")


def check_uint(owner: str, name: str, value: int, bits: int) -> None:
    """Raise ValueError unless ``value`` is an unsigned number of ``bits`` bits."""
    if not isinstance(value, int):
        raise ValueError(f"{owner}.{name}: needs an integer, got {value!r}")
    if not 0 <= value < 1 << bits:
        raise ValueError(f"{owner}.{name}: {value} is outside 0..{(1 << bits) - 1}")


def check_octets(owner: str, name: str, value: bytes, count: int) -> None:
    """Raise ValueError unless ``value`` has ``count`` octets."""
    check(owner, (name,), f"{count}s", (value,))
