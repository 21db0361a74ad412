"""One reading of a clock against the system clock from a burst of sandwiches.

A sandwich is the system time, the clock, the system time again. Were the clock read in the exact middle, one would do.
It is not: an interrupt, a bus that is busy, make one side longer; and the clock's own registers have a grain.

1. **Every sandwich counts**, with the weight 1 / (noise**2 + (share * e)**2); e is half of what the sandwich is wider
   than the narrowest of its burst, noise the scatter of those that are as narrow as that one, and share how much of e
   turns up as an error. With share 0 this is the plain mean (the width says nothing: a slow bus, delayed alike on both
   sides), with noise 0 it is the narrowest sandwich (the width says all).
2. **Noise and share are learnt** from the bursts themselves: the scatter about the burst's mean of its narrower half
   and of its wider half are two equations for the two.
3. Clock and system time are averaged with the same weights. So the result is one instant, and a clock that runs faster
   than the system clock adds nothing, however long the burst took.
4. **The bound holds whatever the noise is**: each sandwich by itself proves that the clock was read between its ends.
   The result is pulled into what all of them prove, and its bound is the distance to the farther end of that.
"""

from __future__ import annotations

import errno
import math
from collections.abc import Sequence

from ptpstack.clocks.base import CrossReading
from ptpstack.clocks.phc_abi import Sandwich

#: both clocks count whole ns and are cut off, not rounded: each may be one off
GRAIN_NS = 1.0
#: two clocks drift apart during a burst by no more than this (the largest frequency difference to be met)
MAX_DRIFT = 1e-3
#: noise before anything is learnt: the register of a typical NIC counts in steps of 8 ns
START_NOISE_NS = 8.0
#: the least noise to believe in: of the ns that both clocks are cut to
LEAST_NOISE_NS = 0.4
#: bursts over which noise and share are learnt
MEMORY_BURSTS = 64


class Burst:
    """Learns from burst to burst: one for each clock and method."""

    __slots__ = ("_count", "_narrow", "_noise2", "_share2", "_wide")

    def __init__(self) -> None:
        self._noise2 = START_NOISE_NS**2
        self._share2 = 1.0
        #: mean square of (residual, half excess width), of the narrower and the wider half of each burst
        self._narrow = (0.0, 0.0)
        self._wide = (0.0, 0.0)
        self._count = 0

    @property
    def noise_ns(self) -> float:
        """Standard deviation of one narrow reading, as learnt."""
        return math.sqrt(self._noise2)

    @property
    def share(self) -> float:
        """How much of a sandwich's extra width turns up as an error: 0 (none) to 1."""
        return math.sqrt(self._share2)

    def combine(self, sandwiches: Sequence[Sandwich], method: str) -> CrossReading:
        """OSError (EAGAIN) when no sandwich is usable."""
        # A negative interval means that somebody stepped the system clock between the two reads.
        good = [s for s in sandwiches if s.after_ns >= s.before_ns]
        if not good:
            raise OSError(errno.EAGAIN, "the system clock was stepped during every sample")
        base = min(good, key=lambda s: s.after_ns - s.before_ns)
        # From here on differences, as floats: to the narrowest sandwich's clock reading and system time before it.
        times = [(s.before_ns + s.after_ns - 2 * base.before_ns) / 2 for s in good]
        clocks = [float(s.phc_ns - base.phc_ns) for s in good]
        halves = [(s.after_ns - s.before_ns) / 2 for s in good]
        narrowest = min(halves)
        excess2 = [(half - narrowest) ** 2 for half in halves]
        weights = [1.0 / (self._noise2 + self._share2 * e2) for e2 in excess2]
        total = sum(weights)
        time = sum(w * t for w, t in zip(weights, times, strict=True)) / total
        clock = sum(w * c for w, c in zip(weights, clocks, strict=True)) / total
        offset = clock - time
        low, high = -math.inf, math.inf
        for t, c, half in zip(times, clocks, halves, strict=True):
            slack = half + GRAIN_NS + abs(t - time) * MAX_DRIFT
            low, high = max(low, c - t - slack), min(high, c - t + slack)
        if low > high:  # a step of a clock in the middle of the burst: believe the narrowest, and say how far it goes
            low, high = min(low, high), max(low, high)
        kept = min(max(offset, low), high)
        if len(good) > 2:
            self._learn([c - t - offset for t, c in zip(times, clocks, strict=True)], excess2)
        whole = round(time)
        clock_sns = (base.phc_ns << 16) + round((whole + kept) * 65536.0)
        return CrossReading(
            clock_sns,
            base.before_ns + whole,
            max(high - kept, kept - low),
            method,
            len(good),
            math.sqrt(1.0 / total),
        )

    def _learn(self, residuals: Sequence[float], excess2: Sequence[float]) -> None:
        order = sorted(range(len(residuals)), key=excess2.__getitem__)
        middle = len(order) // 2
        self._count = min(self._count + 1, MEMORY_BURSTS)
        gain = 1.0 / self._count
        self._narrow = _towards(self._narrow, order[:middle], residuals, excess2, gain)
        self._wide = _towards(self._wide, order[-middle:], residuals, excess2, gain)
        (r2_narrow, e2_narrow), (r2_wide, e2_wide) = self._narrow, self._wide
        if self._count < MEMORY_BURSTS // 8:
            return
        span = e2_wide - e2_narrow
        share2 = (r2_wide - r2_narrow) / span if span > 0 else 0.0
        self._share2 = min(max(share2, 0.0), 1.0)
        self._noise2 = max(r2_narrow - self._share2 * e2_narrow, LEAST_NOISE_NS**2)


def mean_of_pairs(pairs: Sequence[tuple[int, int]]) -> CrossReading:
    """Of hardware cross time stamps (clock, CLOCK_REALTIME; ns).

    The bound is a ns of grain and how far the farthest is from a straight line through them: what the bus adds to all
    of them alike, the kernel does not say.
    """
    phc_ns, realtime_ns = pairs[0]
    count = len(pairs)
    times = [float(realtime - realtime_ns) for _, realtime in pairs]
    offsets = [float((phc - phc_ns) - (realtime - realtime_ns)) for phc, realtime in pairs]
    time, offset = sum(times) / count, sum(offsets) / count
    spread = sum((t - time) ** 2 for t in times)
    slope = sum((t - time) * o for t, o in zip(times, offsets, strict=True)) / spread if spread else 0.0
    residuals = [o - offset - slope * (t - time) for t, o in zip(times, offsets, strict=True)]
    whole = round(time)  # the clocks' rates differ by too little to matter over the fraction of a ns
    return CrossReading(
        (phc_ns << 16) + round((whole + offset) * 65536.0),
        realtime_ns + whole,
        GRAIN_NS + max(map(abs, residuals)),
        "precise",
        count,
        math.sqrt(sum(r * r for r in residuals)) / count,
    )


def _towards(
    old: tuple[float, float], members: Sequence[int], residuals: Sequence[float], excess2: Sequence[float], gain: float
) -> tuple[float, float]:
    r2 = sum(residuals[i] ** 2 for i in members) / len(members)
    e2 = sum(excess2[i] for i in members) / len(members)
    return old[0] + (r2 - old[0]) * gain, old[1] + (e2 - old[1]) * gain
