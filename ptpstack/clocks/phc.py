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
from collections.abc import Callable
from dataclasses import replace
from functools import partial

from ptpstack.clocks import phc_abi as abi
from ptpstack.clocks.base import Capabilities, ClockError, CrossReading, ExternalTimestamp
from ptpstack.clocks.burst import Burst, mean_of_pairs
from ptpstack.clocks.kernel import CLOCK_REALTIME, ClockKernel
from ptpstack.clocks.phc_pins import PhcPins
from ptpstack.clocks.timex import ADJ_FREQUENCY, ADJ_NANO, ADJ_OFFSET, SCALED_PER_PPB, Timex, scaled_ppm, set_offset
from ptpstack.timebase.units import format_ns

_Method = Callable[[int], CrossReading]

#: best first
METHODS = ("precise", "extended", "offset", "sandwich")
#: a method that failed this often in a row, for a reason that might pass, is given up
_FAILURES_LIMIT = 3
_CANNOT = (errno.ENOTTY, errno.EOPNOTSUPP, errno.EINVAL, errno.ENOSYS)


class LinuxPhc(PhcPins):
    """See ``clocks.base.PinClock``. ``writable=False`` opens for reading only. Raises ClockError.

    A clock that is removed while it is open answers everything with a ClockError whose ``gone`` is true. ``close`` it
    soon (until then its number stays taken), wait until it is back (``open.describe_clocks``; the number may be another
    one then), and ``reopen`` it. What was set on it, frequency, inputs, outputs, is to be set again.
    """

    def __init__(
        self,
        path: str = "/dev/ptp0",
        *,
        writable: bool = True,
        name: str | None = None,
        kernel: ClockKernel | None = None,
    ) -> None:
        super().__init__(path, writable=writable, name=name, kernel=kernel)
        self._named = name is not None
        self._begin()

    def reopen(self, path: str | None = None) -> None:
        """Open the device anew, under ``path`` when it has come back as another. ClockError: not yet."""
        self.close()
        if path is not None:
            self.path = path
            if not self._named:
                self._name = path
        self._open()
        self._begin()

    def _begin(self) -> None:
        """What is to be known of a freshly opened device."""
        #: why a better method of cross reading is not in use, by method
        self.method_notes: dict[str, str] = {}
        self._failures: dict[str, int] = {}
        #: scaled ppm as last set here
        self._written: int | None = None
        self._inputs: set[int] = set()
        self._kept: list[ExternalTimestamp] = []
        reads: tuple[_Method, ...] = (self._precise, self._extended, self._offset, self._sandwich)
        self._methods = dict(zip(METHODS, reads, strict=True))
        self._bursts = {method: Burst() for method in METHODS}
        try:
            caps = self._caps = self._read_caps()
            if not caps.cross_timestamping:
                self._give_up("precise", "the driver has no hardware cross time stamps")
            can_adjust = self._writable and caps.max_adj_ppb > 0
            self._capabilities = Capabilities(
                max_adjustment_ppb=float(caps.max_adj_ppb),
                can_step=can_adjust,
                can_adjust=can_adjust,
                external_timestamps=caps.n_ext_ts,
                periodic_outputs=caps.n_per_out,
                pins=caps.n_pins,
                pps=bool(caps.pps),
                adjust_phase=bool(caps.adjust_phase),
                max_phase_ns=caps.max_phase_adj_ns,
            )
            self.cross_reading(1)
        except BaseException:
            self.close()
            raise

    # -- Clock --------------------------------------------------------------------------------------------------------

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
        self._written = scaled
        return scaled / SCALED_PER_PPB

    def foreign_frequency(self) -> float | None:
        """See ``clocks.base.Clock``. The kernel remembers the last value that anybody set."""
        if self._written is None:
            return None
        found = self._adjust("read the frequency", Timex()).freq
        return None if found == self._written else found / SCALED_PER_PPB

    def step(self, delta_sns: int) -> None:
        """By whole ns, rounded to nearest. Drivers that read, add and write err by microseconds: measure again."""
        self._must_steer("step")
        delta_ns = (delta_sns + (1 << 15)) >> 16
        self._adjust(f"step by {format_ns(delta_ns)}", set_offset(delta_ns))

    def adjust_phase(self, ns: int) -> None:
        """Hand a phase offset to the hardware's own PLL (``capabilities.adjust_phase``). Not a slew by the kernel."""
        operation = f"adjust the phase by {format_ns(ns)}"
        self._must_write(operation)
        if not self._caps.adjust_phase:
            text = f"{self._name}: {operation} failed: the clock has no phase input; step it, or steer its frequency"
            raise ClockError(errno.EOPNOTSUPP, text)
        limit = self._caps.max_phase_adj_ns
        if limit and abs(ns) > limit:
            text = f"{self._name}: {operation} failed: at most {format_ns(limit)} at a time; step the clock first"
            raise ClockError(errno.ERANGE, text)
        self._adjust(operation, Timex(modes=ADJ_OFFSET | ADJ_NANO, offset=ns))

    def cross_reading(self, samples: int = 5, method: str | None = None) -> CrossReading:
        """Made of ``samples`` (1..25) readings, see ``burst``. ClockError when no method works.

        ``method``: this one and no other (``METHODS``), for comparing them.
        """
        if method is not None:
            return self._read_by(method, self._by_name(method), samples)
        last: ClockError | None = None
        for method, read in tuple(self._methods.items()):
            try:
                reading = self._read_by(method, read, samples)
            except ClockError as error:
                last = error
                self._failed(method, error)
            else:
                self._failures.pop(method, None)
                return reading
        assert last is not None  # "sandwich" is never given up
        raise last

    # -- methods of cross reading -------------------------------------------------------------------------------------

    def _by_name(self, method: str) -> _Method:
        reads = (self._precise, self._extended, self._offset, self._sandwich)
        return dict(zip(METHODS, reads, strict=True))[method]

    def _read_by(self, method: str, read: _Method, samples: int) -> CrossReading:
        count = max(1, min(abi.MAX_SAMPLES, samples))
        return self._call(f"reading against the system clock ({method})", partial(read, count))

    def _precise(self, samples: int) -> CrossReading:
        pairs = []
        for _ in range(samples):
            argument = self._ioctl(abi.SYS_OFFSET_PRECISE2, abi.SYS_OFFSET_PRECISE, bytearray(abi.PRECISE_OCTETS))
            pairs.append(abi.unpack_precise(argument))
        return mean_of_pairs(pairs)

    def _extended(self, samples: int) -> CrossReading:
        argument = abi.request_with_samples(samples, abi.EXTENDED_OCTETS)
        octets = self._ioctl(abi.SYS_OFFSET_EXTENDED2, abi.SYS_OFFSET_EXTENDED, argument)
        return self._bursts["extended"].combine(abi.unpack_extended(octets), "extended")

    def _offset(self, samples: int) -> CrossReading:
        argument = abi.request_with_samples(samples, abi.SYS_OFFSET_OCTETS)
        octets = self._ioctl(abi.SYS_OFFSET2, abi.SYS_OFFSET, argument)
        return self._bursts["offset"].combine(abi.unpack_sys_offset(octets), "offset")

    def _sandwich(self, samples: int) -> CrossReading:
        read, clock_id = self._kernel.clock_gettime_ns, self._id()
        sandwiches = [abi.Sandwich(read(CLOCK_REALTIME), read(clock_id), read(CLOCK_REALTIME)) for _ in range(samples)]
        return self._bursts["sandwich"].combine(sandwiches, "sandwich")

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

    def _must_steer(self, operation: str) -> None:
        self._must_write(operation)
        if not self._capabilities.can_adjust:
            text = f"{self._name}: {operation} failed: the driver offers no adjustment (max_adj 0); use another clock"
            raise ClockError(errno.EOPNOTSUPP, text)

    def _read_caps(self) -> abi.Caps:
        def read() -> abi.Caps:
            octets = self._ioctl(abi.CLOCK_GETCAPS2, abi.CLOCK_GETCAPS, bytearray(abi.CAPS_OCTETS))
            return abi.unpack_caps(octets)

        return self._call("read the capabilities", read)
