"""The one selector loop of the time plane: descriptors, one deadline, signals.

Rules:

1. The only place that waits is ``run``, in its selector.
2. In one turn: error queues first (a Follow_Up waits for its stamp), then the deadline, then signals, then input.
   Nobody's work is unbounded, so a flood on one descriptor cannot starve the others.
3. There is one deadline. Who needs several keeps them in a heap and sets the earliest.
"""

from __future__ import annotations

import contextlib
import gc
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from types import FrameType

from ptpstack.node.pollers import Poller, make_poller
from ptpstack.node.timerfd import TimerFd

SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)

DescriptorCallback = Callable[[int], object]


def now_ns() -> int:
    """CLOCK_MONOTONIC, ns: the time of all deadlines."""
    return time.monotonic_ns()


def settle_memory() -> None:
    """To be called after start and after each change of configuration: collect once, then take what is left out of
    the collector's sight. A full collection over a started daemon costs milliseconds, after this microseconds.
    """
    gc.collect()
    gc.freeze()


class Loop:
    """``kind``: ``auto``, ``epoll``, ``poll`` or ``select``. ``timerfd`` False: deadlines by the selector's time-out,
    up to a millisecond late.

    Not thread-safe but for ``stop``. Callbacks get the descriptor that is ready. What a callback raises ends ``run``.
    """

    def __init__(self, kind: str = "auto", *, timerfd: bool = True) -> None:
        self._poller: Poller = make_poller(kind)
        self._readers: dict[int, DescriptorCallback] = {}
        self._error_readers: dict[int, DescriptorCallback] = {}
        self._deadline_ns: int | None = None
        self._on_timer: Callable[[], object] | None = None
        self._on_signal: Callable[[int], object] | None = None
        self._running = False
        self._stop = False
        self._timer: TimerFd | None = None
        if timerfd:
            with contextlib.suppress(OSError, AttributeError):
                self._timer = TimerFd()
        if self._timer is not None:
            self._poller.add(self._timer.fileno(), errors_only=False)
        self._wake_read, self._wake_write = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        self._poller.add(self._wake_read, errors_only=False)
        #: turns of the loop, to see busy looping
        self.turns = 0

    @property
    def kind(self) -> str:
        return self._poller.kind

    @property
    def precise(self) -> bool:
        """Deadlines come from a timerfd."""
        return self._timer is not None

    def now_ns(self) -> int:
        return time.monotonic_ns()

    def add_reader(self, fd: int, callback: DescriptorCallback) -> None:
        """Call ``callback(fd)`` whenever ``fd`` is readable (or in error). ValueError when it is watched already."""
        self._new(fd)
        self._poller.add(fd, errors_only=False)
        self._readers[fd] = callback

    def add_error_reader(self, fd: int, callback: DescriptorCallback) -> None:
        """Call ``callback(fd)`` whenever ``fd`` has something in its error queue. It must receive nothing.

        The callback has to drain the error queue: readiness is level-triggered.
        """
        self._new(fd)
        self._poller.add(fd, errors_only=True)
        self._error_readers[fd] = callback

    def remove_reader(self, fd: int) -> None:
        """Stop watching ``fd``, whichever way it was added. Do it before closing. Unknown descriptors are ignored."""
        known = self._readers.pop(fd, None) or self._error_readers.pop(fd, None)
        if known is not None:
            self._poller.remove(fd)

    def set_deadline(self, at_ns: int | None) -> None:
        """Call the timer callback once at ``at_ns`` (CLOCK_MONOTONIC; the past means at once); None: not at all."""
        if at_ns == self._deadline_ns:
            return
        self._deadline_ns = at_ns
        if self._timer is not None:
            self._timer.arm(at_ns)

    @property
    def deadline_ns(self) -> int | None:
        return self._deadline_ns

    def on_timer(self, callback: Callable[[], object]) -> None:
        """What to call when the deadline has come. The deadline is cleared before, so the callback may set the next."""
        self._on_timer = callback

    def on_signal(self, callback: Callable[[int], object]) -> None:
        """What to call, in the loop, for SIGTERM, SIGINT and SIGHUP. Default: stop, and for SIGHUP nothing."""
        self._on_signal = callback

    def run(self) -> None:
        """Until ``stop``. Signals are taken over meanwhile when this is the main thread."""
        if self._running:
            raise RuntimeError("the loop is running already")
        self._running = True
        try:
            with self._signals():
                while not self._stop:
                    self._turn()
        finally:
            self._running = self._stop = False

    def stop(self) -> None:
        """End ``run`` after the present turn. May be called from any thread; before ``run``, ends it at once."""
        self._stop = True
        with contextlib.suppress(BlockingIOError):  # a full pipe wakes as well
            os.write(self._wake_write, b"\0")

    def close(self) -> None:
        """Release the loop's own descriptors; those that were added stay open."""
        if self._timer is not None:
            self._timer.close()
            self._timer = None
        self._poller.close()
        for fd in (self._wake_read, self._wake_write):
            if fd >= 0:
                os.close(fd)
        self._wake_read = self._wake_write = -1
        self._readers.clear()
        self._error_readers.clear()

    def _new(self, fd: int) -> None:
        if fd in self._readers or fd in self._error_readers:
            raise ValueError(f"descriptor {fd} is watched already; remove it first")

    def _turn(self) -> None:
        timeout_s = None
        if self._timer is None and self._deadline_ns is not None:
            timeout_s = max(0, self._deadline_ns - time.monotonic_ns()) / 1e9
        errors, readable = self._poller.wait(timeout_s)
        self.turns += 1
        for fd in errors:
            # Looked up each time: an earlier callback may have removed it.
            callback = self._error_readers.get(fd)
            if callback is not None:
                callback(fd)
        deadline_ns = self._deadline_ns
        if deadline_ns is not None and time.monotonic_ns() >= deadline_ns:
            self._deadline_ns = None
            if self._on_timer is not None:
                self._on_timer()
            # Arming, with whatever, also takes the expiry; the callback has done it when it set the next deadline.
            if self._timer is not None and self._deadline_ns is None:
                self._timer.arm(None)
        for fd in readable:
            callback = self._readers.get(fd)
            if callback is not None:
                callback(fd)
            elif fd == self._wake_read:
                self._woken()

    def _woken(self) -> None:
        try:
            octets = os.read(self._wake_read, 512)
        except BlockingIOError:
            return
        for number in dict.fromkeys(octets):
            if number in SIGNALS:
                if self._on_signal is not None:
                    self._on_signal(number)
                elif number != signal.SIGHUP:
                    self._stop = True

    @contextlib.contextmanager
    def _signals(self) -> Iterator[None]:
        """Signals write their number into the pipe; Python's own handlers do nothing, so no callback is cut in two."""
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        before = {number: signal.signal(number, _ignore) for number in SIGNALS}
        wakeup = signal.set_wakeup_fd(self._wake_write, warn_on_full_buffer=False)
        try:
            yield
        finally:
            signal.set_wakeup_fd(wakeup)
            for number, handler in before.items():
                signal.signal(number, handler if handler is not None else signal.SIG_DFL)


def _ignore(number: int, frame: FrameType | None) -> None:
    """A handler must exist, else the signal's default action (or nothing) happens and the pipe stays empty."""
