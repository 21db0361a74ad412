"""The system clock, CLOCK_REALTIME (UTC), presented as PTP time (TAI).

1. Read-only unless told otherwise: a program that only compares clocks can never steer the host's by mistake.
2. CLOCK_TAI is believed only when the kernel's TAI offset agrees with the leap second table (it is 0 until somebody
   sets it) or is a little ahead of a table that has expired. Otherwise the table's offset is used.
3. Others may steer the same clock (chronyd, ntpd, systemd-timesyncd): a frequency that is not what was last set here
   is reported, not silently overwritten.

In an inserted leap second Linux counts 23:59:59 twice. With the kernel's TAI offset set, PTP time stays continuous;
without it, the second pass reads one second low.
"""

from __future__ import annotations

import errno
import math
import os
from dataclasses import dataclass

from ptpstack.clocks.base import Capabilities, ClockError, CrossReading
from ptpstack.clocks.errors import clock_error
from ptpstack.clocks.kernel import CLOCK_REALTIME, CLOCK_TAI, ClockKernel, LinuxKernel
from ptpstack.clocks.timex import (
    ADJ_ESTERROR,
    ADJ_FREQUENCY,
    ADJ_MAXERROR,
    ADJ_STATUS,
    ADJ_TAI,
    ADJ_TICK,
    SCALED_PER_PPB,
    STA_DEL,
    STA_INS,
    STA_PLL,
    STA_UNSYNC,
    STA_WRITABLE,
    TIME_ERROR,
    TIME_OOP,
    Timex,
    scaled_ppm,
    set_offset,
)
from ptpstack.timebase.leap import LeapState, LeapTable
from ptpstack.timebase.units import NS_PER_S, format_ns

#: what ADJ_FREQUENCY alone can do; the kernel clamps to it silently
_FREQUENCY_LIMIT_PPB = 500_000.0
#: the kernel accepts a tick within 10 % of nominal
_TICK_LIMIT = 0.1
#: A stamp this far ahead of the clock was taken before the clock was set back.
_BACKWARD_NS = NS_PER_S // 4
#: TAI - UTC, once found, holds for stamps this near to the moment it was found at ...
_SAME_OFFSET_NS = NS_PER_S // 10
#: ... but for this long around midnight UTC it is found anew for each: a leap second may be on
_NEAR_MIDNIGHT_S = 5


@dataclass(frozen=True, slots=True)
class SystemStatus:
    """What the kernel says about its clock. ``tai_offset_s`` is the kernel's (0 = never set)."""

    synchronised: bool
    max_error_ns: int
    estimated_error_ns: int
    tai_offset_s: int
    #: whether the kernel's TAI offset is the one in use
    tai_trusted: bool
    frequency_ppb: float
    #: a leap second is armed: +1, -1 or 0
    leap_pending: int
    in_leap_second: bool
    #: the kernel's own PLL is on: another daemon disciplines, or did
    pll: bool
    #: why somebody else seems to steer this clock, or ""
    foreign: str


class SystemClock:
    """See ``clocks.base.Clock``. ``offset``: a leap second table, or a fixed TAI - UTC in seconds."""

    def __init__(
        self,
        offset: LeapTable | int,
        *,
        read_only: bool = True,
        name: str = "system",
        kernel: ClockKernel | None = None,
        user_hz: int | None = None,
    ) -> None:
        self._kernel: ClockKernel = LinuxKernel() if kernel is None else kernel
        self._offset = offset
        self._read_only = read_only
        self._name = name
        self._user_hz = os.sysconf("SC_CLK_TCK") if user_hz is None else user_hz
        self._nominal_tick = 1_000_000 // self._user_hz
        self._ppb_per_tick = self._user_hz * 1000.0
        #: freq (scaled ppm) and tick as last set here
        self._expected: tuple[int, int] | None = None
        self._closed = False
        #: stamps from .. to (excluded) need not ask for TAI - UTC again
        self._offset_from_ns = self._offset_to_ns = 0
        self._offset_ns = 0
        #: how often a foreign change was found before one of our own
        self.foreign_changes = 0

    # -- Clock --------------------------------------------------------------------------------------------------------

    @property
    def name(self) -> str:
        return self._name

    @property
    def kind(self) -> str:
        return "system"

    @property
    def capabilities(self) -> Capabilities:
        steer = not self._read_only
        return Capabilities(self._max_ppb(), can_step=steer, can_adjust=steer, cross_method="exact")

    def now_sns(self) -> int:
        return self._read()[1] << 16

    def stamp_sns(self, stamp_ns: int) -> int:
        """A kernel software stamp (CLOCK_REALTIME), taken not much more than a second ago."""
        if self._offset_from_ns <= stamp_ns < self._offset_to_ns:
            return (stamp_ns + self._offset_ns) << 16
        realtime_ns, tai_ns = self._read()
        offset_s = (tai_ns - realtime_ns) // NS_PER_S
        if stamp_ns - realtime_ns > _BACKWARD_NS and self._in_leap(realtime_ns, offset_s):
            offset_s -= 1  # stamped in the first 23:59:59, read in the second
        elif _NEAR_MIDNIGHT_S <= realtime_ns // NS_PER_S % 86_400 < 86_400 - _NEAR_MIDNIGHT_S:
            self._offset_ns = offset_s * NS_PER_S
            self._offset_from_ns = realtime_ns - _SAME_OFFSET_NS
            self._offset_to_ns = realtime_ns + _SAME_OFFSET_NS
        return (stamp_ns + offset_s * NS_PER_S) << 16

    def frequency_ppb(self) -> float:
        return self._frequency(self._adjust("read the frequency", Timex())[0])

    def set_frequency(self, ppb: float) -> float:
        """Up to 500 ppm by ADJ_FREQUENCY; beyond that the tick takes the coarse part, up to 10 %."""
        operation = f"set the frequency to {ppb:+.3f} ppb"
        self._must_steer(operation)
        if self.foreign_change():
            self.foreign_changes += 1
        ppb = max(-self._max_ppb(), min(self._max_ppb(), ppb))
        tick = self._nominal_tick
        if abs(ppb) > _FREQUENCY_LIMIT_PPB:
            tick += round(ppb / self._ppb_per_tick)
        freq = scaled_ppm(ppb - (tick - self._nominal_tick) * self._ppb_per_tick, _FREQUENCY_LIMIT_PPB)
        # Tick and frequency in one call: between two calls the clock would run at neither.
        self._adjust(operation, Timex(modes=ADJ_FREQUENCY | ADJ_TICK, freq=freq, tick=tick))
        self._expected = (freq, tick)
        return freq / SCALED_PER_PPB + (tick - self._nominal_tick) * self._ppb_per_tick

    def step(self, delta_sns: int) -> None:
        """By whole ns. The kernel then calls itself unsynchronised and forgets an armed leap second."""
        delta_ns = (delta_sns + (1 << 15)) >> 16
        operation = f"step by {format_ns(delta_ns)}"
        self._must_steer(operation)
        self._adjust(operation, set_offset(delta_ns))

    def cross_reading(self, samples: int = 5) -> CrossReading:
        """This clock *is* CLOCK_REALTIME: exact."""
        realtime_ns, tai_ns = self._read()
        return CrossReading(tai_ns << 16, realtime_ns, 0.0, "exact")

    def foreign_frequency(self) -> float | None:
        """See ``clocks.base.Clock``; ``foreign_change`` has the same as a sentence."""
        if self._expected is None:
            return None
        timex = self._adjust("read the frequency", Timex())[0]
        return None if (timex.freq, timex.tick) == self._expected else self._frequency(timex)

    def close(self) -> None:
        self._closed = True
        self._offset_from_ns = self._offset_to_ns = 0

    # -- what only the system clock has -------------------------------------------------------------------------------

    def status(self) -> SystemStatus:
        timex, state = self._adjust("read the status", Timex())
        realtime_ns = self._time(CLOCK_REALTIME)
        leap = 1 if timex.status & STA_INS else -1 if timex.status & STA_DEL else 0
        return SystemStatus(
            synchronised=not timex.status & STA_UNSYNC and state != TIME_ERROR,
            max_error_ns=timex.maxerror * 1000,
            estimated_error_ns=timex.esterror * 1000,
            tai_offset_s=timex.tai,
            tai_trusted=self._sane(realtime_ns, timex.tai),
            frequency_ppb=self._frequency(timex),
            leap_pending=leap,
            in_leap_second=state == TIME_OOP,
            pll=bool(timex.status & STA_PLL),
            foreign=self._foreign(timex),
        )

    def foreign_change(self) -> str:
        """Why another program seems to steer this clock, or "". Says nothing before the first ``set_frequency``."""
        return self._foreign(self._adjust("read the frequency", Timex())[0])

    def declare_synchronised(
        self, max_error_ns: float, estimated_error_ns: float, *, leap59: bool = False, leap61: bool = False
    ) -> None:
        """Tell the kernel how wrong the clock may be and which leap second ends this UTC day.

        Renew it regularly: the kernel's maximum error grows by 500 us/s and at 16 s the clock counts as unsynchronised.
        The kernel's own PLL and pulse inputs are switched off: one edge steers a clock.
        """
        operation = "declare the clock synchronised"
        self._must_steer(operation)
        if leap59 and leap61:
            raise ValueError("leap59 and leap61 cannot both be announced")
        status = STA_INS if leap61 else STA_DEL if leap59 else 0
        self._adjust(
            operation,
            Timex(
                modes=ADJ_STATUS | ADJ_MAXERROR | ADJ_ESTERROR,
                status=status,
                maxerror=math.ceil(max_error_ns / 1000),
                esterror=math.ceil(estimated_error_ns / 1000),
            ),
        )

    def declare_unsynchronised(self) -> None:
        """The kernel stops copying the time to the RTC and tells who asks that the clock is not to be trusted."""
        operation = "declare the clock unsynchronised"
        self._must_steer(operation)
        status = self._adjust(operation, Timex())[0].status & STA_WRITABLE | STA_UNSYNC
        self._adjust(operation, Timex(modes=ADJ_STATUS, status=status))

    def set_tai_offset(self, tai_minus_utc: int) -> None:
        """Set the kernel's TAI - UTC, which CLOCK_TAI needs. Not for a leap event: there the kernel does it itself."""
        operation = f"set the TAI offset to {tai_minus_utc} s"
        self._must_steer(operation)
        self._adjust(operation, Timex(modes=ADJ_TAI, constant=tai_minus_utc))

    # -- UTC to TAI ---------------------------------------------------------------------------------------------------

    def _read(self) -> tuple[int, int]:
        """(CLOCK_REALTIME, PTP time of the same moment), ns."""
        before_ns = self._time(CLOCK_REALTIME)
        tai_ns = self._time(CLOCK_TAI)
        # Read one after the other, they differ by the offset and some microseconds at most.
        offset_s = (tai_ns - before_ns + NS_PER_S // 2) // NS_PER_S
        if self._sane(before_ns, offset_s):
            return tai_ns - offset_s * NS_PER_S, tai_ns
        return before_ns, before_ns + self._table(before_ns // NS_PER_S) * NS_PER_S

    def _table(self, utc_s: int) -> int:
        return self._offset if isinstance(self._offset, int) else self._offset.tai_minus_utc(utc_s)

    def _sane(self, realtime_ns: int, kernel_offset_s: int) -> bool:
        utc_s = realtime_ns // NS_PER_S
        known = self._table(utc_s)
        if kernel_offset_s == known or self._in_leap(realtime_ns, kernel_offset_s):
            return True
        if isinstance(self._offset, int) or self._offset.status(utc_s).state is not LeapState.EXPIRED:
            return False
        return abs(kernel_offset_s - known) == 1  # set from a newer list than ours

    def _in_leap(self, realtime_ns: int, kernel_offset_s: int) -> bool:
        """The kernel repeats 23:59:59 and counts the new offset already."""
        utc_s = realtime_ns // NS_PER_S
        return kernel_offset_s == self._table(utc_s + 1) == self._table(utc_s) + 1

    # -- plumbing -----------------------------------------------------------------------------------------------------

    def _max_ppb(self) -> float:
        return math.floor(self._nominal_tick * _TICK_LIMIT) * self._ppb_per_tick

    def _frequency(self, timex: Timex) -> float:
        return timex.freq / SCALED_PER_PPB + (timex.tick - self._nominal_tick) * self._ppb_per_tick

    def _foreign(self, timex: Timex) -> str:
        if self._expected is None or (timex.freq, timex.tick) == self._expected:
            return ""
        found = self._frequency(timex)
        wanted = self._frequency(Timex(freq=self._expected[0], tick=self._expected[1]))
        return (
            f"{self._name}: the frequency is {found:+.3f} ppb, {wanted:+.3f} ppb was set here: another program steers "
            "this clock (chronyd, ntpd, systemd-timesyncd, phc2sys?); stop it"
        )

    def _must_steer(self, operation: str) -> None:
        if self._read_only:
            raise ClockError(
                errno.EPERM,
                f"{self._name}: {operation} refused: the system clock is opened read-only; "
                "create it with read_only=False to let this program steer the host's clock",
            )

    def _time(self, clock_id: int) -> int:
        if self._closed:
            raise clock_error(self._name, "read", OSError(errno.EBADF, "closed"))
        try:
            return self._kernel.clock_gettime_ns(clock_id)
        except OSError as error:
            raise clock_error(self._name, "read", error) from error

    def _adjust(self, operation: str, request: Timex) -> tuple[Timex, int]:
        buffer = request.pack()
        try:
            if self._closed:
                raise OSError(errno.EBADF, "closed")
            state = self._kernel.clock_adjtime(CLOCK_REALTIME, buffer)
        except OSError as error:
            raise clock_error(self._name, operation, error) from error
        return Timex.unpack(buffer), state
