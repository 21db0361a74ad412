"""``struct timex`` (208 octets, 64-bit layout) and the numbers of ``clock_adjtime`` (linux/timex.h)."""

from __future__ import annotations

import struct
from dataclasses import dataclass

from ptpstack.timebase.units import NS_PER_S

ADJ_OFFSET = 0x0001
ADJ_FREQUENCY = 0x0002
ADJ_MAXERROR = 0x0004
ADJ_ESTERROR = 0x0008
ADJ_STATUS = 0x0010
ADJ_TAI = 0x0080
ADJ_SETOFFSET = 0x0100
ADJ_NANO = 0x2000
ADJ_TICK = 0x4000

STA_PLL = 0x0001
STA_INS = 0x0010
STA_DEL = 0x0020
STA_UNSYNC = 0x0040
STA_NANO = 0x2000
#: what ADJ_STATUS may write; the other bits report
STA_WRITABLE = 0x00FF

TIME_OK = 0
TIME_OOP = 3
TIME_ERROR = 5

#: scaled ppm (2**-16 ppm) in one ppb
SCALED_PER_PPB = 65.536

TIMEX_OCTETS = 208
_LAYOUT = struct.Struct("=I4x4qi4x8qi4x5qi44x")


@dataclass(slots=True)
class Timex:
    """The fields in use, in the kernel's units; ``time_fraction`` is ns with ADJ_NANO / STA_NANO, else us."""

    modes: int = 0
    offset: int = 0
    freq: int = 0  # scaled ppm
    maxerror: int = 0  # us
    esterror: int = 0  # us
    status: int = 0
    constant: int = 0
    tolerance: int = 0  # scaled ppm
    time_s: int = 0
    time_fraction: int = 0
    tick: int = 0  # us per USER_HZ period
    tai: int = 0

    def pack(self) -> bytearray:
        return bytearray(
            _LAYOUT.pack(
                *(self.modes, self.offset, self.freq, self.maxerror, self.esterror, self.status, self.constant),
                *(0, self.tolerance, self.time_s, self.time_fraction, self.tick, 0, 0, 0, 0, 0, 0, 0, 0, self.tai),
            )
        )

    @classmethod
    def unpack(cls, octets: bytes | bytearray) -> Timex:
        v = _LAYOUT.unpack(octets)
        return cls(v[0], v[1], v[2], v[3], v[4], v[5], v[6], v[8], v[9], v[10], v[11], v[20])


def set_offset(delta_ns: int) -> Timex:
    """ADJ_SETOFFSET in ns. The fraction must be 0..999999999, so a negative step has floored seconds."""
    seconds, nanoseconds = divmod(delta_ns, NS_PER_S)
    return Timex(modes=ADJ_SETOFFSET | ADJ_NANO, time_s=seconds, time_fraction=nanoseconds)


def scaled_ppm(ppb: float, limit_ppb: float) -> int:
    """ppb as scaled ppm, rounded to nearest and clamped so that the kernel's own conversion stays within the limit."""
    limit = int(limit_ppb * SCALED_PER_PPB)
    scaled = round(ppb * SCALED_PER_PPB)
    return limit if scaled > limit else -limit if scaled < -limit else scaled
