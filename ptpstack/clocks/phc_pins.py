"""Inputs, outputs and pins of a PTP hardware clock: external time stamps, periodic outputs, its PPS.

1. A pin is given its function before the channel is switched on, where the clock has pins to set.
2. An input is switched off, emptied and then switched on, so that no event from before is taken for one of now.
3. The edge asked for is asked for strictly; a driver that cannot promise it is asked the old way, and the grant says
   that both edges may come (the caller tells them apart by when they come).
4. Reading never blocks: the device ignores O_NONBLOCK, so it is polled first.
"""

from __future__ import annotations

import errno
import sys

from ptpstack.clocks import phc_abi as abi
from ptpstack.clocks.base import ClockError, ExternalTimestamp, ExttsGrant, OutputGrant, Pin
from ptpstack.clocks.errors import clock_error
from ptpstack.clocks.phc_device import PhcDevice
from ptpstack.timebase.units import NS_PER_S, format_ns

_EDGES = {"rising": abi.EXTTS_RISING, "falling": abi.EXTTS_FALLING, "both": abi.EXTTS_RISING | abi.EXTTS_FALLING}
#: what a kernel or a driver answers that does not know a request or its flags
_CANNOT = (errno.EOPNOTSUPP, errno.EINVAL, errno.ENOTTY)
#: a queue of the kernel holds 128 events: more reads than that find new ones
_READS = 8


class PhcPins(PhcDevice):
    """Everything here needs the clock opened writable, except looking at pins."""

    _caps: abi.Caps
    #: inputs that this open file stamps
    _inputs: set[int]
    #: events of other inputs that waited while one was set up
    _kept: list[ExternalTimestamp]

    # -- pins ---------------------------------------------------------------------------------------------------------

    def pins(self) -> tuple[Pin, ...]:
        """All programmable pins; () where there are none. A function is what it was set to, by whomever."""
        return tuple(self._pin(index) for index in range(self._caps.n_pins))

    def set_pin(self, index: int, function: str, channel: int = 0) -> Pin:
        """``function``: ``none``, ``extts``, ``perout``, ``physync``. The pin that had ``channel`` before loses it."""
        if function not in abi.PIN_FUNCTIONS:
            raise ValueError(f"a pin's function is one of {', '.join(abi.PIN_FUNCTIONS)}, not {function!r}")
        operation = f"set pin {index} to {function} {channel}"
        self._must_write(operation)
        self._must_have(operation, index, self._caps.n_pins, "programmable pin")
        number = abi.PIN_FUNCTIONS.index(function)
        argument = abi.pack_pin(index, number, channel)
        self._call(operation, lambda: self._kernel.ioctl(self.fileno(), abi.PIN_SETFUNC, argument))
        return self._pin(index)

    # -- inputs -------------------------------------------------------------------------------------------------------

    def request_external_timestamps(
        self, channel: int, *, pin: int | None = None, edge: str = "rising", enable: bool = True
    ) -> ExttsGrant:
        """See ``clocks.base.PinClock``. ``pin`` None: the pin that has the function already, else pin ``channel``."""
        if edge not in _EDGES:
            raise ValueError(f"an edge is one of {', '.join(_EDGES)}, not {edge!r}")
        operation = f"{'stamp' if enable else 'stop stamping'} edges at input {channel}"
        self._must_write(operation)
        self._must_have(operation, channel, self._caps.n_ext_ts, "input")
        if enable:
            pin = self._assign(pin, "extts", channel)
        self._extts(operation, channel, 0, quiet=enable)
        self._inputs.discard(channel)
        alone = self._mask({channel} | self._inputs if enable else self._inputs)
        self._kept = [event for event in self.read_external_timestamps() if event.channel in self._inputs]
        if not enable:
            return ExttsGrant(channel, pin, edge, False, True, alone)
        flags = abi.EXTTS_ENABLE | _EDGES[edge]
        try:
            self._call(
                operation,
                lambda: self._kernel.ioctl(self.fileno(), abi.EXTTS_REQUEST2, abi.pack_extts(channel, flags)),
            )
            self._inputs.add(channel)
            return ExttsGrant(channel, pin, edge, True, True, alone)
        except ClockError as error:
            if error.errno not in _CANNOT:
                raise
        self._extts(operation, channel, flags)
        self._inputs.add(channel)
        note = "" if edge == "both" else f"the driver does not promise the {edge} edge alone: both may come"
        return ExttsGrant(channel, pin, "both", True, False, alone, note)

    def read_external_timestamps(self) -> list[ExternalTimestamp]:
        """See ``clocks.base.PinClock``. ClockError with ``gone`` when the clock was removed."""
        found, self._kept = self._kept, []
        try:
            for _ in range(_READS):
                if not self._kernel.readable(self.fileno()):
                    break
                octets = self._kernel.read(self.fileno(), abi.MAX_EVENTS * abi.EVENT_OCTETS)
                found += [ExternalTimestamp(channel, ns << 16) for channel, ns in abi.unpack_events(octets)]
        except OSError as error:
            raise clock_error(self._name, "read external time stamps", error) from error
        return found

    # -- outputs ------------------------------------------------------------------------------------------------------

    def set_periodic_output(
        self,
        channel: int,
        *,
        period_ns: int,
        start_sns: int | None = None,
        pin: int | None = None,
        pulse_ns: int | None = None,
    ) -> OutputGrant:
        """See ``clocks.base.PinClock``. ``pin`` None: the pin that has the function already, else pin ``channel``."""
        if period_ns < 0 or (pulse_ns is not None and not 0 < pulse_ns < period_ns):
            raise ValueError(f"a period of {period_ns} ns with a pulse of {pulse_ns} ns cannot be made")
        operation = f"output {channel} every {format_ns(period_ns)}" if period_ns else f"switch output {channel} off"
        self._must_write(operation)
        self._must_have(operation, channel, self._caps.n_per_out, "output")
        if not period_ns:
            self._perout(operation, channel, 0, 0, None)
            return OutputGrant(channel, pin, 0, 0, None)
        pin = self._assign(pin, "perout", channel)
        if start_sns is None:
            # Many drivers want a start in the future, and some take a second to arm.
            now_ns = self._call("read", lambda: self._kernel.clock_gettime_ns(self._id()))
            start_sns = (now_ns // NS_PER_S + 2) * NS_PER_S << 16
        note = ""
        try:
            self._perout(operation, channel, start_sns >> 16, period_ns, pulse_ns)
        except ClockError as error:
            if pulse_ns is None or error.errno not in _CANNOT:
                raise
            self._perout(operation, channel, start_sns >> 16, period_ns, None)
            pulse_ns, note = None, "the driver does not set the length of the pulse"
        return OutputGrant(channel, pin, period_ns, start_sns, pulse_ns, note)

    def enable_pps(self, on: bool) -> None:
        """Feed the kernel's PPS device (/dev/ppsN) at this clock's seconds. Needs CAP_SYS_TIME."""
        operation = f"switch the PPS {'on' if on else 'off'}"
        self._must_write(operation)
        if not self._caps.pps:
            raise ClockError(errno.EOPNOTSUPP, f"{self._name}: {operation} failed: the clock has no PPS")
        self._call(operation, lambda: self._kernel.ioctl_value(self.fileno(), abi.ENABLE_PPS, int(on)))

    # -- plumbing -----------------------------------------------------------------------------------------------------

    def _must_have(self, operation: str, index: int, count: int, what: str) -> None:
        if not 0 <= index < count:
            have = f"it has {count} (0 to {count - 1})" if count else "it has none"
            raise ClockError(
                errno.EINVAL, f"{self._name}: {operation} failed: there is no {what} {index}; {have}: choose another"
            )

    def _pin(self, index: int) -> Pin:
        argument = abi.pack_pin(index)
        self._call(f"look at pin {index}", lambda: self._kernel.ioctl(self.fileno(), abi.PIN_GETFUNC, argument))
        number, name, function, channel = abi.unpack_pin(argument)
        known = function < len(abi.PIN_FUNCTIONS)
        return Pin(number, name, abi.PIN_FUNCTIONS[function] if known else str(function), channel)

    def _assign(self, pin: int | None, function: str, channel: int) -> int | None:
        """Give a pin its function; None where the clock has none to set (its lines are wired)."""
        if not self._caps.n_pins:
            if pin is not None:
                self._must_have(f"set pin {pin} to {function} {channel}", pin, 0, "programmable pin")
            return None
        if pin is None:
            pins = self.pins()
            having = [p.index for p in pins if (p.function, p.channel) == (function, channel)]
            if having:
                return having[0]
            free = [p.index for p in pins if p.function == "none"]
            if not free:
                text = (
                    f"{self._name}: no pin is free for {function} {channel}; name one, or free one "
                    "(`ptpstack clock pins`)"
                )
                raise ClockError(errno.EBUSY, text)
            pin = channel if channel in free else free[0]
        return self.set_pin(pin, function, channel).index

    def _extts(self, operation: str, channel: int, flags: int, *, quiet: bool = False) -> None:
        try:
            self._call(
                operation,
                lambda: self._kernel.ioctl(self.fileno(), abi.EXTTS_REQUEST, abi.pack_extts(channel, flags)),
            )
        except ClockError as error:
            if not quiet or error.gone:
                raise

    def _mask(self, channels: set[int]) -> bool:
        """Deliver only these to this open file. False on kernels before 6.7, where all readers share a queue."""
        try:
            self._kernel.ioctl_value(self.fileno(), abi.MASK_CLEAR_ALL, 0)
            for channel in channels:
                self._kernel.ioctl(self.fileno(), abi.MASK_EN_SINGLE, bytearray(channel.to_bytes(4, sys.byteorder)))
        except OSError:
            return False
        return True

    def _perout(self, operation: str, channel: int, start_ns: int, period_ns: int, on_ns: int | None) -> None:
        def request() -> None:
            argument = abi.pack_perout(channel, start_ns, period_ns, on_ns)
            if on_ns is None:
                self._ioctl(abi.PEROUT_REQUEST2, abi.PEROUT_REQUEST, argument)
            else:  # only the second number knows flags
                self._kernel.ioctl(self.fileno(), abi.PEROUT_REQUEST2, argument)

        self._call(operation, request)
