"""The event queue. Its time is perfect time, in ns; every simulated clock hangs on it."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from heapq import heappop, heappush
from typing import Any

from ptpstack.clocks.simulated import ManualBase


class World:
    """Events in order of time, and of their making among equals, so that a run is a function of its seeds."""

    def __init__(self, start_ns: int = 1_767_225_600_000_000_000) -> None:
        self.start_ns = start_ns
        self.base = ManualBase(start_ns)
        self._queue: list[tuple[int, int, Callable[..., None], tuple[Any, ...]]] = []
        self._made = itertools.count(1).__next__
        #: perfect time (UTC-like base of the simulated clocks), ns
        self.now_ns = start_ns
        #: ns since the start of the world: the ``now`` that engines are given
        self.elapsed_ns = 0
        self.events = 0

    def at(self, when_ns: int, action: Callable[..., None], *arguments: Any) -> None:
        """Run ``action(*arguments)`` at ``when_ns`` (perfect time); a time that has passed means now."""
        now = self.now_ns
        heappush(self._queue, (when_ns if when_ns > now else now, self._made(), action, arguments))

    def after(self, delay_ns: int, action: Callable[..., None], *arguments: Any) -> None:
        """Run ``action(*arguments)`` that much later; 0 or more."""
        heappush(self._queue, (self.now_ns + delay_ns, self._made(), action, arguments))

    def after_start(self, seconds: float, action: Callable[..., None], *arguments: Any) -> None:
        self.at(self.start_ns + round(seconds * 1e9), action, *arguments)

    def run(self, seconds: float) -> None:
        """Carry on until ``seconds`` after the start of the world."""
        end = self.start_ns + round(seconds * 1e9)
        queue = self._queue
        move = self.base.set_ns
        events = 0
        while queue and queue[0][0] <= end:
            when, _, action, arguments = heappop(queue)
            move(when)
            self.now_ns = when
            self.elapsed_ns = when - self.start_ns
            events += 1
            action(*arguments)
        move(end)
        self.now_ns = end
        self.elapsed_ns = end - self.start_ns
        self.events += events
