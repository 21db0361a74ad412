"""An open /dev/ptpN: how calls are made on it, and their errors as sentences. What they mean is in ``phc.py``."""

from __future__ import annotations

import errno
from collections.abc import Callable
from typing import TypeVar

from ptpstack.clocks import phc_abi as abi
from ptpstack.clocks.base import ClockError
from ptpstack.clocks.errors import clock_error
from ptpstack.clocks.kernel import ClockKernel, LinuxKernel
from ptpstack.clocks.timex import Timex

_T = TypeVar("_T")

EBUSY_RETRIES = 3


class PhcDevice:
    """Raises ClockError. May be closed twice, and opened again."""

    def __init__(
        self, path: str, *, writable: bool = True, name: str | None = None, kernel: ClockKernel | None = None
    ) -> None:
        self._kernel: ClockKernel = LinuxKernel() if kernel is None else kernel
        self.path = path
        self._name = name or path
        self._writable = writable
        self._fd = -1
        self._open()

    @property
    def name(self) -> str:
        return self._name

    def fileno(self) -> int:
        """Readable (POLLIN) when external time stamps wait; POLLERR when the clock was removed."""
        try:
            self._id()
        except OSError as error:
            raise clock_error(self._name, "wait for external time stamps", error) from error
        return self._fd

    def close(self) -> None:
        """May be called twice. A removed clock's number (/dev/ptpN) is free for the next one only after this."""
        if self._fd >= 0:
            fd, self._fd = self._fd, -1
            self._kernel.close(fd)

    def _open(self) -> None:
        try:
            self._fd = self._kernel.open(self.path, self._writable)
        except OSError as error:
            raise clock_error(self._name, f"open for {'steering' if self._writable else 'reading'}", error) from error
        self._clock_id = abi.clock_id_of_fd(self._fd)

    def _id(self) -> int:
        if self._fd < 0:
            raise OSError(errno.EBADF, "closed")
        return self._clock_id

    def _must_write(self, operation: str) -> None:
        if not self._writable:
            text = (
                f"{self._name}: {operation} failed: the clock was opened for reading only; open it with writable=True"
            )
            raise ClockError(errno.EACCES, text)

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
