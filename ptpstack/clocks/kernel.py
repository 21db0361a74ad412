"""The one seam between the clock backends and the operating system.

Everything a backend asks of Linux goes through a ``ClockKernel``: tests put a fake in its place and look at the very
octets. Errors come as ``OSError`` with the kernel's errno; the backends turn them into ``ClockError``.
"""

from __future__ import annotations

import ctypes
import fcntl
import os
import select
import time
from typing import Protocol

CLOCK_REALTIME = 0
CLOCK_TAI = 11

#: clock_adjtime64 has this number on every 32-bit architecture of Linux.
_SYS_CLOCK_ADJTIME64 = 405


class ClockKernel(Protocol):
    """System calls on clocks. All raise OSError."""

    def open(self, path: str, writable: bool) -> int: ...

    def close(self, fd: int) -> None: ...

    def ioctl(self, fd: int, request: int, argument: bytearray) -> None:
        """``argument`` is changed in place."""

    def ioctl_value(self, fd: int, request: int, value: int) -> None:
        """A request whose argument is a number, not a pointer."""

    def readable(self, fd: int) -> bool:
        """Whether a read would find something, without waiting."""

    def read(self, fd: int, octets: int) -> bytes: ...

    def clock_gettime_ns(self, clock_id: int) -> int: ...

    def clock_adjtime(self, clock_id: int, timex: bytearray) -> int:
        """``timex`` (208 octets, see ``timex.py``) is changed in place; returns the clock state (TIME_OK ...)."""


class LinuxKernel:
    """The real one."""

    def __init__(self) -> None:
        self._libc = ctypes.CDLL(None, use_errno=True)

    def open(self, path: str, writable: bool) -> int:
        return os.open(path, (os.O_RDWR if writable else os.O_RDONLY) | os.O_CLOEXEC)

    def close(self, fd: int) -> None:
        os.close(fd)

    def ioctl(self, fd: int, request: int, argument: bytearray) -> None:
        # A mutable buffer: bytes are limited to 1024 octets, and SYS_OFFSET writes back although declared _IOW.
        fcntl.ioctl(fd, request, argument, True)

    def ioctl_value(self, fd: int, request: int, value: int) -> None:
        fcntl.ioctl(fd, request, value)

    def readable(self, fd: int) -> bool:
        # A removed PTP clock polls as POLLERR without POLLIN (its read then says ENODEV, at once).
        poll = select.poll()
        poll.register(fd, select.POLLIN)
        return bool(poll.poll(0))

    def read(self, fd: int, octets: int) -> bytes:
        return os.read(fd, octets)

    def clock_gettime_ns(self, clock_id: int) -> int:
        return time.clock_gettime_ns(clock_id)

    def clock_adjtime(self, clock_id: int, timex: bytearray) -> int:
        buffer = (ctypes.c_char * len(timex)).from_buffer(timex)
        if ctypes.sizeof(ctypes.c_long) == 8:
            result = self._libc.clock_adjtime(ctypes.c_int(clock_id), buffer)
        else:  # the C library's struct has 4-octet longs there; the 64-bit system call takes our layout
            result = self._libc.syscall(ctypes.c_long(_SYS_CLOCK_ADJTIME64), ctypes.c_int(clock_id), buffer)
        if result < 0:
            number = ctypes.get_errno()
            raise OSError(number, os.strerror(number))
        return int(result)
