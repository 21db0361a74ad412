"""How single values of PTP read: for JSON (raw and readable side by side) and for a line of text."""

from __future__ import annotations

import math
from datetime import UTC, datetime, timedelta
from typing import Any

from ptpstack.wire.types import (
    ACCURACY_UNKNOWN,
    ACCURACY_WORSE_THAN_10_S,
    ALL_CLOCKS,
    ALL_PORTS,
    CLOCK_ACCURACY_NS,
    PortIdentity,
    PortState,
    TimeSource,
    format_clock_identity,
)

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
#: past 9999-12-31 there is no calendar here.
_LAST_DATE_S = 253402300799
#: below this a count of seconds since the epoch is somebody's uptime, not a date.
_FIRST_DATE_S = 10**8

TIME_INTERVAL_TOO_BIG = (1 << 63) - 1

FLAG_NAMES: dict[int, str] = {
    0x0100: "alternateMasterFlag",
    0x0200: "twoStepFlag",
    0x0400: "unicastFlag",
    0x0800: "reserved 6.3",
    0x1000: "reserved 6.4",
    0x2000: "PTP profile Specific 1",
    0x4000: "PTP profile Specific 2",
    0x8000: "reserved 6.7",
    0x0001: "leap61",
    0x0002: "leap59",
    0x0004: "currentUtcOffsetValid",
    0x0008: "ptpTimescale",
    0x0010: "timeTraceable",
    0x0020: "frequencyTraceable",
    0x0040: "synchronizationUncertain",
    0x0080: "reserved 7.7",
}

DELAY_MECHANISM_NAMES = {1: "E2E", 2: "P2P", 3: "COMMON_P2P", 4: "SPECIAL", 0xFE: "NO_MECHANISM"}
NETWORK_PROTOCOL_NAMES = {
    1: "UDP/IPv4",
    2: "UDP/IPv6",
    3: "IEEE 802.3",
    4: "DeviceNet",
    5: "ControlNet",
    6: "PROFINET",
    7: "OTN",
    0xFFFE: "unknown",
}


def flag_names(flags: int, names: dict[int, str] = FLAG_NAMES) -> list[str]:
    """The names of the bits set in ``flags``; a bit without a name is named by its mask."""
    known = [name for mask, name in names.items() if flags & mask]
    unnamed = flags & ~sum(names)
    return known + [f"0x{1 << bit:X}" for bit in range(unnamed.bit_length()) if unnamed >> bit & 1]


def number_text(value: float) -> str:
    """At most six decimals, no trailing zeros."""
    return f"{value:.6f}".rstrip("0").rstrip(".")


def duration_text(ns: float) -> str:
    """``-2.5 ns``, ``12.25 µs``: three significant steps of unit."""
    for unit, size in (("s", 1e9), ("ms", 1e6), ("µs", 1e3)):
        if abs(ns) >= size:
            return f"{number_text(ns / size)} {unit}"
    return f"{number_text(ns)} ns"


def interval_text(sns: int) -> str:
    """A TimeInterval (2**-16 ns) for people."""
    return "too big to represent" if sns == TIME_INTERVAL_TOO_BIG else duration_text(sns / 65536)


def instant_text(ns: int) -> str:
    """A PTP time: a date where it can be one, else seconds.

    No scale is named: whether it is TAI is the grandmaster's ptpTimescale flag, which is not in this message.
    """
    seconds, rest = divmod(ns, 10**9)
    if not _FIRST_DATE_S <= seconds <= _LAST_DATE_S:
        return f"{seconds}.{rest:09d} s" if ns else "0"
    date = _EPOCH + timedelta(seconds=seconds)
    return f"{date:%Y-%m-%dT%H:%M:%S}.{rest:09d}"


def accuracy_text(code: int) -> str:
    """What clockAccuracy claims."""
    if code in CLOCK_ACCURACY_NS:
        limit = CLOCK_ACCURACY_NS[code]
        return f"{number_text(limit * 1000)} ps" if limit < 1 else duration_text(limit)
    if code == ACCURACY_WORSE_THAN_10_S:
        return "worse than 10 s"
    if code == ACCURACY_UNKNOWN:
        return "unknown"
    return "profile specific" if 0x80 <= code < ACCURACY_UNKNOWN else "reserved"


def time_source_text(code: int) -> str:
    """``GNSS``, ``INTERNAL_OSCILLATOR`` ..."""
    try:
        return TimeSource(code).name
    except ValueError:
        return "profile specific" if 0xF0 <= code <= 0xFE else f"0x{code:02X}"


def port_state_text(code: int) -> str:
    """``MASTER``, ``SLAVE`` ..."""
    try:
        return PortState(code).name
    except ValueError:
        return f"0x{code:02X}"


def delay_mechanism_text(code: int) -> str:
    """``E2E``, ``P2P`` ..."""
    return DELAY_MECHANISM_NAMES.get(code, f"0x{code:02X}")


def identity_text(identity: PortIdentity) -> str:
    """``001b21.fffe.aabbcc-1``; ``*`` for the wildcards."""
    clock, port = identity
    head = "*" if clock == ALL_CLOCKS else format_clock_identity(clock)
    return f"{head}-*" if port == ALL_PORTS else f"{head}-{port}"


def safe_text(text: str) -> str:
    """``text`` from the wire, fit for a terminal and for JSON: whatever is not printable is escaped."""
    shown = text.encode("utf-8", "surrogateescape").decode("utf-8", "replace")
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in shown)


_MEANINGS: dict[str, Any] = {
    "clockAccuracy": accuracy_text,
    "timeSource": time_source_text,
    "portState": port_state_text,
    "delayMechanism": delay_mechanism_text,
}


def json_value(name: str, token: str, value: Any) -> Any:
    """A field for JSON. ``token`` is that of ``tlvs.base.Layout``; times come raw and readable."""
    if token == "ts":
        seconds, ns = divmod(value, 10**9)
        return {"secondsField": seconds, "nanosecondsField": ns, "text": instant_text(value)}
    if token == "ti":
        return {"raw": value, "ns": value / 65536, "text": interval_text(value)}
    if token == "i96":
        return {"raw": value, "ns": value / 65536}
    if token == "ci":
        return format_clock_identity(value)
    if token == "pid":
        return str(value)
    if token == "f64":
        return value if math.isfinite(value) else str(value)
    if isinstance(value, bytes):
        return value.hex()
    if name in _MEANINGS:
        return {"raw": value, "meaning": _MEANINGS[name](value)}
    return value
