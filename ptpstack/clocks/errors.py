"""The kernel's errno, turned into a ``ClockError`` that says which clock, which operation, why and what to do."""

from __future__ import annotations

import errno
import os

from ptpstack.clocks.base import ClockError

_ADVICE = {
    errno.EPERM: "run with CAP_SYS_TIME",
    errno.EACCES: "give this user read and write access to the device (udev rule or group), and open it writable",
    errno.ENOENT: "list the clocks that exist with `ls /sys/class/ptp`",
    errno.ENODEV: "the device is gone (driver unloaded, card removed or reset); open the clock again when it is back",
    errno.ENXIO: "the device is gone; open the clock again when it is back",
    errno.EIO: "the hardware did not answer; see the kernel log (dmesg), retry, and look for a failing card or bus",
    errno.ETIMEDOUT: "the hardware did not answer in time; retry, and see the kernel log (dmesg)",
    errno.ERANGE: "ask for less: the value is outside what the driver accepts",
    errno.EOPNOTSUPP: "this driver cannot do it; use another clock",
    errno.ENOTTY: "this is no PTP clock device, or the kernel is too old for the call",
    errno.EINVAL: "the kernel refused the argument; report this with the kernel version",
    errno.EBUSY: "virtual clocks run on this PHC (n_vclocks in /sys/class/ptp): steer those, or set n_vclocks to 0",
    errno.EBADF: "the clock was closed; open it again",
}


def clock_error(clock: str, operation: str, error: OSError) -> ClockError:
    """A ClockError with the same errno. ``operation`` is what was tried, such as ``step by -5 ns``."""
    number = error.errno or 0
    why = os.strerror(number) if number else str(error)
    code = errno.errorcode.get(number, "unknown error")
    return ClockError(
        number, f"{clock}: {operation} failed: {why} ({code}); {_ADVICE.get(number, 'see the kernel log')}"
    )
