"""What is known of one direction's noise: its level, how often packets do not fit, and the last packets themselves.

The level ``tot`` is the noise variance about the *floor*: a symmetric part ``share x tot`` and an exponential part
whose mean wait is ``beta = sqrt((1 - share) tot)``. Of the residual w of an observation, E[w^2] = (2 - share) tot, so

    y = max(w^2 + var(w) - r0 - g^2, 0) / (2 - share)

is an unbiased look at it (about the mean it would never come down from too large a start). A peer delay (side 0) is the
mean of two ways; its level is that of one of them, so that it has share x tot / 2 and E[w^2] = (3/2 - share) tot.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from math import inf

#: Packets that the level remembers.
_MEMORY = 400
#: When the mean of this many looks falls below ``_ENDED`` of the level, noise has ended.
_LOOKS = 32
_ENDED = 0.01
#: The level stays above this share of the usual variance of predictions: below, it cannot be seen.
_VISIBLE = 0.02
_SPREAD_MEMORY = 100
#: No prediction counts for more than this many times the level there.
_SPREAD_MOST = 5000.0
#: There is no less noise than this, ns^2.
_LEAST_LEVEL = 1e-2
#: Running shares of misfits: memory of 100 packets, and their values at start.
RARE = 0.01
_START_LATE = 0.002
_START_EARLY = 1e-4
#: Late misfits of the last few packets.
_SOON = 0.15
#: Heights above the floor at which packets are counted, their memory, and the least that may follow from it.
_HEIGHTS = (2.0, 4.0, 8.0)
_HEIGHT_MEMORY = 400
_LEAST_SHARE = 0.01
#: Two packets are close when their difference is within this share of the level, squared; that of noise which is only
#: exponential.
_CLOSE = 0.06
_START_CLOSE = 0.2
#: Packets kept for explanations.
KEPT = 12


@dataclass(slots=True)
class Observed:
    """One packet as the filter sees it: time (s), value freed of commands (ns), distance from the prediction (ns)."""

    side: int
    t: float
    value: float
    nu: float = 0.0
    misfit: bool = False


@dataclass(slots=True)
class Direction:
    side: int
    #: noise variance about the floor, ns^2
    level: float = 100.0
    looks: int = 8
    #: a wait cannot be longer than the round trip: the level stays below this, ns^2
    most: float = inf
    late_share: float = _START_LATE
    early_share: float = _START_EARLY
    late_soon: float = 0.0
    #: share of long waits among the packets taken
    tail_share: float = 0.02
    #: usual variance of predictions, ns^2
    spread: float = 0.0
    kept: deque[Observed] = field(default_factory=lambda: deque(maxlen=KEPT))
    #: misfits in a row, newest last
    run: list[Observed] = field(default_factory=list)
    #: packets since the last one near the floor, taken or not, newest last
    late: list[Observed] = field(default_factory=list)
    #: shares of packets beyond each of the heights
    _beyond: tuple[float, float, float] = (0.0, 0.0, 0.0)
    _heights: int = 0
    #: share of packets as far above the floor as the one before
    close_share: float = _START_CLOSE
    _last_nu: float = 0.0
    _sum: float = 0.0
    _count: int = 0
    #: the level as its looks say, which may lie below what a level can be
    _raw: float = 100.0
    #: ways whose mean is observed
    ways: float = field(init=False)

    def __post_init__(self) -> None:
        self.ways = 1.0 if self.side else 2.0

    def fits(self, tail: float) -> None:
        """A packet was taken; ``tail``: how far it was a long wait."""
        self.late_share -= RARE * self.late_share
        self.early_share -= RARE * self.early_share
        self.late_soon -= _SOON * self.late_soon
        self.tail_share += RARE * (tail - self.tail_share)
        if self.run:
            self.run.clear()

    def misfit(self, seen: Observed) -> None:
        late = seen.nu > 0
        self.late_share += RARE * (late - self.late_share)
        self.early_share += RARE * ((not late) - self.early_share)
        self.late_soon += _SOON * (late - self.late_soon)
        self.run.append(seen)
        if len(self.run) > KEPT:
            del self.run[0]

    def height(self, seen: Observed, unit: float) -> None:
        """A packet lies ``seen.nu`` above the floor; ``unit``: what is usual there (mean wait + standard deviation)."""
        count = self._heights
        if count < _HEIGHT_MEMORY:
            count = self._heights = count + 1
        step = seen.nu - self._last_nu
        self._last_nu = seen.nu
        self.close_share += ((step * step < _CLOSE * self.level) - self.close_share) / _HEIGHT_MEMORY
        high = seen.nu / unit
        first, second, third = self._beyond
        if high <= _HEIGHTS[0]:
            self._beyond = (first - first / count, second - second / count, third - third / count)
            if self.late:
                self.late.clear()
            return
        self._beyond = (
            first + (1.0 - first) / count,
            second + ((high > _HEIGHTS[1]) - second) / count,
            third + ((high > _HEIGHTS[2]) - third) / count,
        )
        self.late.append(seen)
        if len(self.late) > KEPT:
            del self.late[0]

    def share_beyond(self, high: float, but: int = 0) -> float:
        """How often packets of this direction have been seen at least so many units above the floor, the last ``but``
        of them left out.
        """
        share = 1.0
        for step, seen in zip(_HEIGHTS, self._beyond, strict=True):
            if high >= step:
                share = seen - but / self._heights
        return max(share, _LEAST_SHARE)

    def learn(self, look: float, spread: float) -> None:
        """``look``: y of the packet before it is cut off at 0; ``spread``: variance of its prediction.

        Looks below 0 count: where the grain of the stamps is coarser than the noise, half of them are, and without them
        the level would settle at a third of the grain.
        """
        most = self.most
        if look > most:
            look = most
        # one packet that an event or a gap has opened everything for says nothing of what is usual
        usual = _SPREAD_MOST * self.level
        if spread > usual:
            spread = usual
        looks = self.looks
        self.spread += (spread - self.spread) / (looks if looks < _SPREAD_MEMORY else _SPREAD_MEMORY)
        raw = self._raw if self._raw < most else most
        self.level = self._raw = raw + (look - raw) / (looks if looks < _MEMORY else _MEMORY)
        self.looks = looks + 1
        self._sum += look
        self._count += 1
        if self._count == _LOOKS:
            mean = self._sum / _LOOKS
            self._sum, self._count = 0.0, 0
            if mean < _ENDED * self.level:
                self.set_level(2.0 * mean, 16)
        least = _VISIBLE * self.spread
        if least < _LEAST_LEVEL:
            least = _LEAST_LEVEL
        if least > most:
            least = most
        if self.level < least:
            self.level = least

    def set_level(self, level: float, looks: int) -> None:
        """Begin anew with ``level``, ns^2, as good as that many looks."""
        self.level = self._raw = min(max(level, _LEAST_LEVEL), self.most)
        self.looks = looks
        self.tail_share = min(self.tail_share, 0.02)
        self._sum = 0.0
        self._count = 0
