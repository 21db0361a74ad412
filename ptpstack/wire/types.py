"""Derived types and enumerations of PTP messages (IEEE 1588-2019 clauses 5.3, 7, 8, 13)."""

from __future__ import annotations

from enum import IntEnum
from typing import NamedTuple

#: 8 octets, compared as an unsigned big-endian string, which is what ``bytes`` comparison does (7.5.2.2).
ClockIdentity = bytes

ALL_CLOCKS: ClockIdentity = b"\xff" * 8
ALL_PORTS = 0xFFFF


class PortIdentity(NamedTuple):
    """PortIdentity (5.3.5). Tuple order is the standard's order: clock identity, then port number."""

    clock_identity: ClockIdentity
    port_number: int

    def __str__(self) -> str:
        return f"{format_clock_identity(self.clock_identity)}-{self.port_number}"


class ClockQuality(NamedTuple):
    """ClockQuality (5.3.7)."""

    clock_class: int
    clock_accuracy: int
    offset_scaled_log_variance: int


class MessageType(IntEnum):
    """messageType (13.3.2.3)."""

    SYNC = 0x0
    DELAY_REQ = 0x1
    PDELAY_REQ = 0x2
    PDELAY_RESP = 0x3
    FOLLOW_UP = 0x8
    DELAY_RESP = 0x9
    PDELAY_RESP_FOLLOW_UP = 0xA
    ANNOUNCE = 0xB
    SIGNALING = 0xC
    MANAGEMENT = 0xD

    @property
    def is_event(self) -> bool:
        return self < 8


class Flag:
    """flagField bits as a 16-bit big-endian number: octet 6 high, octet 7 low (13.3.2.8)."""

    ALTERNATE_MASTER = 0x0100
    TWO_STEP = 0x0200
    UNICAST = 0x0400
    PROFILE_SPECIFIC_1 = 0x2000
    PROFILE_SPECIFIC_2 = 0x4000
    LEAP61 = 0x0001
    LEAP59 = 0x0002
    CURRENT_UTC_OFFSET_VALID = 0x0004
    PTP_TIMESCALE = 0x0008
    TIME_TRACEABLE = 0x0010
    FREQUENCY_TRACEABLE = 0x0020
    SYNCHRONIZATION_UNCERTAIN = 0x0040


class TimeSource(IntEnum):
    """timeSource (7.6.2.8); other values are legal on the wire."""

    ATOMIC_CLOCK = 0x10
    GNSS = 0x20
    TERRESTRIAL_RADIO = 0x30
    SERIAL_TIME_CODE = 0x39
    PTP = 0x40
    NTP = 0x50
    HAND_SET = 0x60
    OTHER = 0x90
    INTERNAL_OSCILLATOR = 0xA0


class PortState(IntEnum):
    """portState (8.2.15.3.1)."""

    INITIALIZING = 1
    FAULTY = 2
    DISABLED = 3
    LISTENING = 4
    PRE_MASTER = 5
    MASTER = 6
    PASSIVE = 7
    UNCALIBRATED = 8
    SLAVE = 9


#: clockAccuracy codes with a stated limit, ns (7.6.2.6). Below 0x20: IEEE 1588-2019 only.
CLOCK_ACCURACY_NS: dict[int, float] = {
    0x17: 1e-3,
    0x18: 2.5e-3,
    0x19: 1e-2,
    0x1A: 2.5e-2,
    0x1B: 0.1,
    0x1C: 0.25,
    0x1D: 1.0,
    0x1E: 2.5,
    0x1F: 10.0,
    0x20: 25.0,
    0x21: 100.0,
    0x22: 250.0,
    0x23: 1e3,
    0x24: 2.5e3,
    0x25: 1e4,
    0x26: 2.5e4,
    0x27: 1e5,
    0x28: 2.5e5,
    0x29: 1e6,
    0x2A: 2.5e6,
    0x2B: 1e7,
    0x2C: 2.5e7,
    0x2D: 1e8,
    0x2E: 2.5e8,
    0x2F: 1e9,
    0x30: 1e10,
}
ACCURACY_WORSE_THAN_10_S = 0x31
ACCURACY_UNKNOWN = 0xFE


def clock_accuracy_for(bound_ns: float, *, finest: int = 0x20) -> int:
    """The clockAccuracy code that covers ``bound_ns``, never better than the truth.

    ``finest`` limits the answer to codes that IEEE 1588-2008 knows too (0x20) unless told otherwise.
    """
    for code, limit in CLOCK_ACCURACY_NS.items():
        if code >= finest and bound_ns <= limit:
            return code
    return ACCURACY_WORSE_THAN_10_S


def format_clock_identity(identity: ClockIdentity) -> str:
    """``001b21.fffe.aabbcc``, the rendering the installed base uses."""
    text = identity.hex()
    return f"{text[:6]}.{text[6:10]}.{text[10:]}"


def parse_clock_identity(text: str) -> ClockIdentity:
    """Accepts 16 hexadecimal digits with ``.``, ``:`` or ``-`` anywhere between; ValueError otherwise."""
    digits = text.translate({ord(c): None for c in ".:-"})
    if len(digits) != 16:
        raise ValueError(f"a clockIdentity has 16 hexadecimal digits, {text!r} has {len(digits)}")
    return bytes.fromhex(digits)


def clock_identity_from_mac(mac: bytes) -> ClockIdentity:
    """EUI-48 to EUI-64 with FF-FE in the middle: IEEE 1588-2008 7.5.2.2.2, what the installed base does."""
    if len(mac) != 6:
        raise ValueError("a MAC address has 6 octets")
    return mac[:3] + b"\xff\xfe" + mac[3:]
