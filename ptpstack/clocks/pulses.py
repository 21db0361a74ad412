"""Simulated pulses into a simulated clock's inputs, and the edges of its outputs.

1. A pulse train keeps **perfect time** (the truth of the clock's base) but for the offset and noise that it is given.
2. An edge is stamped by the clock as a packet is: by the mapping in force at its moment, with its grain and noise.
3. Nothing is drawn before its time: what a reader gets does not depend on when it asks.
"""

from __future__ import annotations

import random
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field

from ptpstack.clocks.base import ExternalTimestamp
from ptpstack.timebase.units import NS_PER_S

#: as in the kernel: an unread queue loses its oldest events
QUEUE = 128


@dataclass(slots=True)
class Pulse:
    """A 1PPS by default. ``connected`` False: the cable is out. All may be changed while it runs."""

    period_ns: int = NS_PER_S
    #: where the edge lies against truth: a cable's delay, an error of the receiver
    offset_ns: float = 0.0
    #: standard deviation of each edge
    noise_ns: float = 0.0
    connected: bool = True
    seed: int = 0
    _random: random.Random = field(init=False, repr=False)

    def __post_init__(self) -> None:
        if self.period_ns < 1000 or self.noise_ns < 0:
            raise ValueError(f"period_ns is {self.period_ns} and noise_ns {self.noise_ns}; at least 1000 and 0")
        self._random = random.Random(f"pulse/{self.seed}")

    def error_ns(self) -> int:
        """Of the next edge, drawn now."""
        noise = self._random.gauss(0.0, self.noise_ns) if self.noise_ns else 0.0
        return round(self.offset_ns + noise)


class PulseInput:
    """One input that is being stamped: looks at the edges since it last looked. Times are truth, ns."""

    __slots__ = ("_done", "_pulse")

    def __init__(self, pulse: Pulse, now_ns: int) -> None:
        self._pulse = pulse
        self._done = now_ns // pulse.period_ns

    def next_ns(self) -> int | None:
        """When the next edge is due; None while the cable is out."""
        return (self._done + 1) * self._pulse.period_ns if self._pulse.connected else None

    def collect(self, now_ns: int, channel: int, stamp: Callable[[int], int], into: deque[ExternalTimestamp]) -> None:
        """Edges up to now. Only the newest that the queue can hold are drawn after a long silence."""
        due = now_ns // self._pulse.period_ns
        for number in range(max(self._done + 1, due + 1 - QUEUE), due + 1):
            error_ns = self._pulse.error_ns()
            if self._pulse.connected:
                into.append(ExternalTimestamp(channel, stamp(number * self._pulse.period_ns + error_ns)))
        self._done = max(self._done, due)
