"""The event queue. Its time is perfect time, in ns; every simulated clock hangs on it.

A world may have others **below** it: what happens there never changes it. So it is run for a slice of time first, and
then each of those below for the same slice. Hundreds of nodes that take turns with every frame do not fit into a core's
cache; those of one switch, one after the other, do. Every event still happens at its own time: clocks know what they
showed a while ago, and only what is answered without a change of state (Delay_Req) may go up.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable
from heapq import heappop, heappush
from typing import Any

#: How far a world runs ahead of those below it: long against the time between two events of a client, short against
#: what simulated clocks remember (``clocks.simulated.HISTORY_NS``).
SLICE_NS = 8_000_000_000


class WorldBase:
    """The perfect time of a world (``clocks.simulated.TimeBase``)."""

    __slots__ = ("_world",)

    def __init__(self, world: World) -> None:
        self._world = world

    def now_ns(self) -> int:
        return self._world.now_ns


class World:
    """Events in order of time, and of their making among equals, so that a run is a function of its seeds."""

    def __init__(self, start_ns: int = 1_767_225_600_000_000_000, *, above: World | None = None) -> None:
        self.start_ns = start_ns
        #: what simulated clocks run on
        self.base = WorldBase(self)
        self._queue: list[tuple[int, int, Callable[..., None], tuple[Any, ...]]] = []
        self._made = itertools.count(1).__next__
        #: perfect time (UTC-like base of the simulated clocks), ns
        self.now_ns = start_ns
        #: ns since the start of the world: the ``now`` that engines are given
        self.elapsed_ns = 0
        self.events = 0
        self._below: list[World] = []
        if above is not None:
            above._below.append(self)

    def at(self, when_ns: int, action: Callable[..., None], *arguments: Any) -> None:
        """Run ``action(*arguments)`` at ``when_ns`` (perfect time); a time that has passed means now."""
        now = self.now_ns
        heappush(self._queue, (when_ns if when_ns > now else now, self._made(), action, arguments))

    def after_start(self, seconds: float, action: Callable[..., None], *arguments: Any) -> None:
        self.at(self.start_ns + round(seconds * 1e9), action, *arguments)

    def run(self, seconds: float) -> None:
        """Carry on, with all worlds below, until ``seconds`` after the start of the world."""
        self._run(self.start_ns + round(seconds * 1e9))

    def _run(self, end: int) -> None:
        while self._below and self.now_ns < end:
            # slices are the same however often ``run`` is called
            until = min(end, self.now_ns + SLICE_NS - self.elapsed_ns % SLICE_NS)
            self._run_alone(until)
            for world in self._below:
                before = world.events
                world._run(until)
                self.events += world.events - before
        self._run_alone(end)

    def _run_alone(self, end: int) -> None:
        queue, start = self._queue, self.start_ns
        events = 0
        while queue and queue[0][0] <= end:
            when, _, action, arguments = heappop(queue)
            self.now_ns = when
            self.elapsed_ns = when - start
            events += 1
            action(*arguments)
        self.now_ns = end
        self.elapsed_ns = end - start
        self.events += events
