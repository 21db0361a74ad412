"""Request numbers and layouts of /dev/ptpN (linux/ptp_clock.h). Octets only; what they are for is in ``phc.py``."""

from __future__ import annotations

import os
import struct
from collections.abc import Sequence
from typing import NamedTuple

from ptpstack.timebase.units import NS_PER_S

_NONE, _READ, _WRITE = "none", "read", "write"
#: families of architectures with 13 bits of size and 3 bits of direction, instead of 14 and 2
_OLD_IOC = ("ppc", "powerpc", "mips", "sparc", "alpha")


def ioc(direction: str, number: int, size: int, machine: str | None = None) -> int:
    """The ioctl request number of magic '='. ``direction``: ``none``, ``read``, ``write`` or ``read+write``."""
    machine = os.uname().machine if machine is None else machine
    old = machine.startswith(_OLD_IOC)
    bits = {_NONE: 1, _READ: 2, _WRITE: 4} if old else {_NONE: 0, _READ: 2, _WRITE: 1}
    code = 0
    for part in direction.split("+"):
        code |= bits[part]
    return (code << (29 if old else 30)) | (size << 16) | (0x3D << 8) | number


MAX_SAMPLES = 25
CAPS_OCTETS = 80
SYS_OFFSET_OCTETS = 832
PRECISE_OCTETS = 64
EXTENDED_OCTETS = 1216

CLOCK_GETCAPS = ioc(_READ, 1, CAPS_OCTETS)
CLOCK_GETCAPS2 = ioc(_READ, 10, CAPS_OCTETS)
EXTTS_OCTETS = 16
PEROUT_OCTETS = 56
PIN_OCTETS = 96
EVENT_OCTETS = 32
#: the kernel hands out at most this many events at a time
MAX_EVENTS = 30

EXTTS_REQUEST = ioc(_WRITE, 2, EXTTS_OCTETS)
EXTTS_REQUEST2 = ioc(_WRITE, 11, EXTTS_OCTETS)
PEROUT_REQUEST = ioc(_WRITE, 3, PEROUT_OCTETS)
PEROUT_REQUEST2 = ioc(_WRITE, 12, PEROUT_OCTETS)
#: its argument is a number, not a pointer
ENABLE_PPS = ioc(_WRITE, 4, 4)
PIN_GETFUNC = ioc("read+write", 6, PIN_OCTETS)
PIN_SETFUNC = ioc(_WRITE, 7, PIN_OCTETS)
MASK_CLEAR_ALL = ioc(_NONE, 19, 0)
MASK_EN_SINGLE = ioc(_WRITE, 20, 4)
SYS_OFFSET = ioc(_WRITE, 5, SYS_OFFSET_OCTETS)
SYS_OFFSET2 = ioc(_WRITE, 14, SYS_OFFSET_OCTETS)
SYS_OFFSET_PRECISE = ioc("read+write", 8, PRECISE_OCTETS)
SYS_OFFSET_PRECISE2 = ioc("read+write", 17, PRECISE_OCTETS)
SYS_OFFSET_EXTENDED = ioc("read+write", 9, EXTENDED_OCTETS)
SYS_OFFSET_EXTENDED2 = ioc("read+write", 18, EXTENDED_OCTETS)

EXTTS_ENABLE = 1
EXTTS_RISING = 2
EXTTS_FALLING = 4
EXTTS_STRICT = 8
PEROUT_DUTY_CYCLE = 2
#: struct ptp_pin_desc.func
PIN_FUNCTIONS = ("none", "extts", "perout", "physync")

_EXTTS = struct.Struct("=II8x")
_PEROUT = struct.Struct("=qI4xqI4xIIqI4x")
_PIN = struct.Struct("=64sIII20x")
_EVENT = struct.Struct("=qI4xII8x")
_CAPS = struct.Struct("=9i44x")
_TIME = struct.Struct("=qI4x")
_SAMPLES = struct.Struct("=I")


class Caps(NamedTuple):
    """struct ptp_clock_caps. Old kernels leave the later fields 0."""

    max_adj_ppb: int
    n_alarm: int
    n_ext_ts: int
    n_per_out: int
    pps: int
    n_pins: int
    cross_timestamping: int
    adjust_phase: int
    max_phase_adj_ns: int


class Sandwich(NamedTuple):
    """System time before, PHC, system time after, all in ns."""

    before_ns: int
    phc_ns: int
    after_ns: int


def clock_id_of_fd(fd: int) -> int:
    """The dynamic clock id of an open PTP device."""
    return (~fd << 3) | 3


def fd_of_clock_id(clock_id: int) -> int:
    return ~(clock_id >> 3)


def _time_ns(octets: bytes | bytearray, offset: int) -> int:
    # ptp_clock_time is filled floor-wise: -0.3 s is sec -1, nsec 700000000.
    seconds, nanoseconds = _TIME.unpack_from(octets, offset)
    return int(seconds * NS_PER_S + nanoseconds)


def pack_time(ns: int) -> bytes:
    """struct ptp_clock_time."""
    return _TIME.pack(*divmod(ns, NS_PER_S))


def unpack_caps(octets: bytes | bytearray) -> Caps:
    return Caps(*_CAPS.unpack(octets))


def request_with_samples(samples: int, size: int) -> bytearray:
    """A zeroed argument of SYS_OFFSET or SYS_OFFSET_EXTENDED that asks for 1..25 samples (others are clamped)."""
    argument = bytearray(size)
    _SAMPLES.pack_into(argument, 0, max(1, min(MAX_SAMPLES, samples)))
    return argument


def unpack_sys_offset(octets: bytes | bytearray) -> Sequence[Sandwich]:
    """sys, phc, sys, phc ... sys: neighbours share a system time."""
    (count,) = _SAMPLES.unpack_from(octets)
    times = [_time_ns(octets, 16 + 16 * i) for i in range(2 * min(count, MAX_SAMPLES) + 1)]
    return [Sandwich(*times[2 * i : 2 * i + 3]) for i in range(len(times) // 2)]


def unpack_extended(octets: bytes | bytearray) -> Sequence[Sandwich]:
    (count,) = _SAMPLES.unpack_from(octets)
    return [
        Sandwich(*(_time_ns(octets, 16 + 48 * i + 16 * k) for k in range(3))) for i in range(min(count, MAX_SAMPLES))
    ]


def unpack_precise(octets: bytes | bytearray) -> tuple[int, int]:
    """PHC and CLOCK_REALTIME, ns, captured at the same moment."""
    return _time_ns(octets, 0), _time_ns(octets, 16)


def pack_extts(channel: int, flags: int) -> bytearray:
    return bytearray(_EXTTS.pack(channel, flags))


def pack_perout(channel: int, start_ns: int, period_ns: int, on_ns: int | None) -> bytearray:
    """``on_ns``: length of the pulse (asks for DUTY_CYCLE). A period of 0 switches off."""
    flags = 0 if on_ns is None else PEROUT_DUTY_CYCLE
    return bytearray(
        _PEROUT.pack(
            *divmod(start_ns, NS_PER_S), *divmod(period_ns, NS_PER_S), channel, flags, *divmod(on_ns or 0, NS_PER_S)
        )
    )


def pack_pin(index: int, function: int = 0, channel: int = 0) -> bytearray:
    return bytearray(_PIN.pack(b"", index, function, channel))


def unpack_pin(octets: bytes | bytearray) -> tuple[int, str, int, int]:
    """Index, name, function, channel."""
    name, index, function, channel = _PIN.unpack(octets)
    return index, name.split(b"\0")[0].decode(errors="replace"), function, channel


def unpack_events(octets: bytes) -> list[tuple[int, int]]:
    """(channel, PTP time in ns) of each external time stamp."""
    return [(index, s * NS_PER_S + ns) for s, ns, index, _ in _EVENT.iter_unpack(octets)]
