"""A PTP hardware clock of Linux, /dev/ptpN.

1. The PHC is taken to count PTP time. (ptp_kvm, hyperv and other read-only guest clocks show the host's UTC instead;
   ``open.describe_clocks`` marks them.)
2. Readings against the system clock use the best method that works *now*: hardware cross time stamp (precise), reads
   of the system clock round the register read (extended), round the driver call (offset), round the system call
   (sandwich). A method that fails is passed over for this reading; one that cannot work here is not tried again.
3. After a step, time stamps in flight are in the old time base: the caller discards them.
"""

from __future__ import annotations

import errno
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from typing import TypeVar

from ptpstack.clocks import phc_abi as abi
from ptpstack.clocks.base import Capabilities, ClockError, CrossReading
from ptpstack.clocks.errors import clock_error
from ptpstack.clocks.kernel import CLOCK_REALTIME, ClockKernel, LinuxKernel
from ptpstack.clocks.timex import ADJ_FREQUENCY, SCALED_PER_PPB, Timex, scaled_ppm, set_offset
from ptpstack.timebase.units import format_ns

_T = TypeVar("_T")
_Method = Callable[[int], CrossReading]

EBUSY_RETRIES = 3
#: a method that failed this often in a row, for a reason that might pass, is given up
_FAILURES_LIMIT = 3
_CANNOT = (errno.ENOTTY, errno.EOPNOTSUPP, errno.EINVAL, errno.ENOSYS)
#: Both halves of a hardware cross time stamp are whole ns. What the bus adds to it, the kernel does not say.
_PRECISE_BOUND_NS = 1.0


class LinuxPhc:
    """See ``clocks.base.Clock``. ``writable=False`` opens for reading only. Raises ClockError."""

    def __init__(
        self,
        path: str = "/dev/ptp0",
        *,
        writable: bool = True,
        name: str | None = None,
        kernel: ClockKernel | None = None,
    ) -> None:
        self._kernel: ClockKernel = LinuxKernel() if kernel is None else kernel
        self.path = path
        self._name = name or path
        self._writable = writable
        try:
            self._fd = self._kernel.open(path, writable)
        except OSError as error:
            raise clock_error(self._name, f"open for {'steering' if writable else 'reading'}", error) from error
        self._clock_id = abi.clock_id_of_fd(self._fd)
        #: why a better method of cross reading is not in use, by method
        self.method_notes: dict[str, str] = {}
        self._failures: dict[str, int] = {}
        try:
            caps = self._read_caps()
            self._methods: dict[str, _Method] = {
                "precise": self._precise,
                "extended": self._extended,
                "offset": self._offset,
                "sandwich": self._sandwich,
            }
            if not caps.cross_timestamping:
                self._give_up("precise", "the driver has no hardware cross time stamps")
            can_adjust = writable and caps.max_adj_ppb > 0
            self._capabilities = Capabilities(
                max_adjustment_ppb=float(caps.max_adj_ppb),
                can_step=can_adjust,
                can_adjust=can_adjust,
                external_timestamps=caps.n_ext_ts,
                periodic_outputs=caps.n_per_out,
                pins=caps.n_pins,
                pps=bool(caps.pps),
            )
            self.cross_reading(1)
        except BaseException:
            self.close()
            raise

    # -- Clock --------------------------------------------------------------------------------------------------------

    @property
    def name(self) -> str:
        return self._name

    @property
    def kind(self) -> str:
        return "phc"

    @property
    def capabilities(self) -> Capabilities:
        """``cross_method`` is the best one still in use."""
        return replace(self._capabilities, cross_method=next(iter(self._methods)))

    def now_sns(self) -> int:
        return self._call("read", lambda: self._kernel.clock_gettime_ns(self._id())) << 16

    def stamp_sns(self, stamp_ns: int) -> int:
        """A raw hardware time stamp is PTP time already."""
        return stamp_ns << 16

    def frequency_ppb(self) -> float:
        """The last value set, by whom ever. Kernels before 6.15 refuse this on a clock opened for reading only."""
        return self._adjust("read the frequency", Timex()).freq / SCALED_PER_PPB

    def set_frequency(self, ppb: float) -> float:
        """Resolution 2**-16 ppm; the hardware may be coarser and does not tell."""
        self._must_steer("set the frequency")
        scaled = scaled_ppm(ppb, self._capabilities.max_adjustment_ppb)
        self._adjust(f"set the frequency to {ppb:+.3f} ppb", Timex(modes=ADJ_FREQUENCY, freq=scaled))
        return scaled / SCALED_PER_PPB

    def step(self, delta_sns: int) -> None:
        """By whole ns, rounded to nearest. Drivers that read, add and write err by microseconds: measure again."""
        self._must_steer("step")
        delta_ns = (delta_sns + (1 << 15)) >> 16
        self._adjust(f"step by {format_ns(delta_ns)}", set_offset(delta_ns))

    def cross_reading(self, samples: int = 5) -> CrossReading:
        """Of ``samples`` (1..25) the one with the shortest system interval; ClockError when no method works."""
        last: ClockError | None = None
        for method, read in tuple(self._methods.items()):
            try:
                operation = f"reading against the system clock ({method})"
                reading = self._call(operation, partial(read, samples))
            except ClockError as error:
                last = error
                self._failed(method, error)
            else:
                self._failures.pop(method, None)
                return reading
        assert last is not None  # "sandwich" is never given up
        raise last

    def close(self) -> None:
        """May be called twice."""
        if self._fd >= 0:
            fd, self._fd = self._fd, -1
            self._kernel.close(fd)

    def fileno(self) -> int:
        """For event reading elsewhere."""
        self._id()
        return self._fd

    # -- methods of cross reading -------------------------------------------------------------------------------------

    def _precise(self, samples: int) -> CrossReading:
        argument = self._ioctl(abi.SYS_OFFSET_PRECISE2, abi.SYS_OFFSET_PRECISE, bytearray(abi.PRECISE_OCTETS))
        phc_ns, realtime_ns = abi.unpack_precise(argument)
        return CrossReading(phc_ns << 16, realtime_ns, _PRECISE_BOUND_NS, "precise")

    def _extended(self, samples: int) -> CrossReading:
        argument = abi.request_with_samples(samples, abi.EXTENDED_OCTETS)
        octets = self._ioctl(abi.SYS_OFFSET_EXTENDED2, abi.SYS_OFFSET_EXTENDED, argument)
        return _shortest(abi.unpack_extended(octets), "extended")

    def _offset(self, samples: int) -> CrossReading:
        argument = abi.request_with_samples(samples, abi.SYS_OFFSET_OCTETS)
        octets = self._ioctl(abi.SYS_OFFSET2, abi.SYS_OFFSET, argument)
        return _shortest(abi.unpack_sys_offset(octets), "offset")

    def _sandwich(self, samples: int) -> CrossReading:
        read, clock_id = self._kernel.clock_gettime_ns, self._id()
        sandwiches = [
            abi.Sandwich(read(CLOCK_REALTIME), read(clock_id), read(CLOCK_REALTIME))
            for _ in range(max(1, min(abi.MAX_SAMPLES, samples)))
        ]
        return _shortest(sandwiches, "sandwich")

    def _failed(self, method: str, error: ClockError) -> None:
        if method == "sandwich":
            return
        self._failures[method] = self._failures.get(method, 0) + 1
        if error.errno in _CANNOT or self._failures[method] >= _FAILURES_LIMIT:
            self._give_up(method, str(error))

    def _give_up(self, method: str, why: str) -> None:
        del self._methods[method]
        self.method_notes[method] = why

    # -- plumbing -----------------------------------------------------------------------------------------------------

    def _id(self) -> int:
        if self._fd < 0:
            raise OSError(errno.EBADF, "closed")
        return self._clock_id

    def _must_steer(self, operation: str) -> None:
        if not self._writable:
            text = (
                f"{self._name}: {operation} failed: the clock was opened for reading only; open it with writable=True"
            )
            raise ClockError(errno.EACCES, text)
        if not self._capabilities.can_adjust:
            text = f"{self._name}: {operation} failed: the driver offers no adjustment (max_adj 0); use another clock"
            raise ClockError(errno.EOPNOTSUPP, text)

    def _call(self, operation: str, call: Callable[[], _T]) -> _T:
        """Errors become ClockError; EBUSY (another reader on a slow bus) gets three more attempts."""
        for attempt in range(EBUSY_RETRIES + 1):
            try:
                return call()
            except OSError as error:
                if error.errno != errno.EBUSY or attempt == EBUSY_RETRIES:
                    raise clock_error(self._name, operation, error) from error
        raise AssertionError("unreachable")

    def _adjust(self, operation: str, request: Timex) -> Timex:
        def adjtime() -> Timex:
            buffer = request.pack()
            self._kernel.clock_adjtime(self._id(), buffer)
            return Timex.unpack(buffer)

        return self._call(operation, adjtime)

    def _ioctl(self, request: int, old_request: int, argument: bytearray) -> bytearray:
        """Kernels before 5.4 know only the first numbers."""
        self._id()
        fresh = bytes(argument)
        try:
            self._kernel.ioctl(self._fd, request, argument)
        except OSError as error:
            if error.errno != errno.ENOTTY:
                raise
            argument[:] = fresh
            self._kernel.ioctl(self._fd, old_request, argument)
        return argument

    def _read_caps(self) -> abi.Caps:
        def read() -> abi.Caps:
            octets = self._ioctl(abi.CLOCK_GETCAPS2, abi.CLOCK_GETCAPS, bytearray(abi.CAPS_OCTETS))
            return abi.unpack_caps(octets)

        return self._call("read the capabilities", read)


def _shortest(sandwiches: Sequence[abi.Sandwich], method: str) -> CrossReading:
    # A negative interval means that somebody stepped the system clock between the two reads.
    good = [s for s in sandwiches if s.after_ns >= s.before_ns]
    if not good:
        raise OSError(errno.EAGAIN, "the system clock was stepped during every sample")
    best = min(good, key=lambda s: s.after_ns - s.before_ns)
    middle_ns = (best.before_ns + best.after_ns) // 2
    return CrossReading(best.phc_ns << 16, middle_ns, (best.after_ns - best.before_ns) / 2, method)
