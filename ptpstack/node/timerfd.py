"""Linux timerfd by ctypes (Python has os.timerfd_* only from 3.13): a deadline that an epoll can wait for.

The waits of epoll and poll are rounded up to a millisecond; a timerfd fires within tens of microseconds.
"""

from __future__ import annotations

import ctypes
import os

CLOCK_MONOTONIC = 1
_TFD_NONBLOCK = os.O_NONBLOCK
_TFD_CLOEXEC = os.O_CLOEXEC
_TFD_TIMER_ABSTIME = 1


class _Timespec(ctypes.Structure):
    _fields_ = (("seconds", ctypes.c_long), ("nanoseconds", ctypes.c_long))


class _Itimerspec(ctypes.Structure):
    _fields_ = (("interval", _Timespec), ("value", _Timespec))


class TimerFd:
    """One shot at an absolute CLOCK_MONOTONIC time. OSError or AttributeError when the system has no timerfd."""

    def __init__(self) -> None:
        libc = ctypes.CDLL(None, use_errno=True)
        self._settime = libc.timerfd_settime
        self._fd: int = libc.timerfd_create(CLOCK_MONOTONIC, _TFD_NONBLOCK | _TFD_CLOEXEC)
        if self._fd < 0:
            number = ctypes.get_errno()
            raise OSError(number, f"timerfd_create: {os.strerror(number)}")
        self._value = _Itimerspec()
        self._pointer = ctypes.byref(self._value)

    def fileno(self) -> int:
        return self._fd

    def arm(self, at_ns: int | None) -> None:
        """Fire at ``at_ns`` (at once when that is past); None disarms. An expiry not yet read is forgotten."""
        value = self._value.value
        if at_ns is None:
            value.seconds = value.nanoseconds = 0
        else:
            # 0 would disarm.
            value.seconds, value.nanoseconds = divmod(max(at_ns, 1), 1_000_000_000)
        if self._settime(self._fd, _TFD_TIMER_ABSTIME, self._pointer, None) != 0:
            number = ctypes.get_errno()
            raise OSError(number, f"timerfd_settime: {os.strerror(number)}")

    def close(self) -> None:
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1
