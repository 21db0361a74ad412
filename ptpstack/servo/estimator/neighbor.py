"""Whether the neighbour that answers Pdelay_Req stamps them by the time that it hands out as a master.

If it does, Pdelay_Req is a Delay_Req: it shows the clock from the other side, which the link's delay alone does not. A
neighbour may well use another clock for it (a free-running one, that of another port). Then the difference

    D = (t2 - t1) - 2 link delay + (phase + delay) + residual of the last Sync = wait of Sync - wait of Pdelay_Resp

has another middle than nothing, or wanders. Phase and delay are the filter's: commands and drift are in them. Medians,
since a clock that jumps is off for the packets that the filter needs to see it.
"""

from __future__ import annotations

from collections import deque
from math import sqrt

from ptpstack.servo.base import Request
from ptpstack.servo.estimator.direction import Direction
from ptpstack.servo.estimator.panel import Panel
from ptpstack.servo.estimator.timeline import Timeline
from ptpstack.servo.estimator.verdict import Verdict
from ptpstack.timebase.units import sns_to_float_ns

_WINDOW = 16
_ENOUGH = 8
#: The median of D may lie this many of its standard deviations from nothing, and this much besides, ns; and, once it is
#: believed, so many times further.
_SIGMAS = 3.75
_BESIDES_NS = 5.0
_LOYAL = 2.0
#: D scatters by no more than this many times what two waits do, and this much besides, ns.
_SCATTER = 3.0
_SCATTER_NS = 30.0
#: The median of absolute deviations, times this, is the standard deviation of a normal distribution.
_NORMAL = 1.4826


class OneClock:
    __slots__ = ("_differences", "believed")

    def __init__(self) -> None:
        self._differences: deque[float] = deque(maxlen=_WINDOW)
        self.believed = False

    def forget(self) -> None:
        self._differences.clear()
        self.believed = False

    def verdict(self) -> Verdict:
        """What has just turned out."""
        told = "stamps Pdelay_Req by the clock of its Syncs: they show this clock from the other side"
        if not self.believed:
            told = "stamps Pdelay_Req by another clock than its Syncs: the link's delay is all that is taken from it"
        middle = sorted(self._differences)[len(self._differences) // 2]
        return Verdict("neighbor", f"the neighbour {told}", {"difference_ns": middle})

    def shows(self, request: Request, delay_sns: int, time: Timeline, panel: Panel, forward: Direction) -> bool:
        """Whether ``request``, of an exchange that gave this link delay, shows our clock from the other side."""
        if not forward.kept:
            return False
        last = forward.kept[-1]
        t1, t2, correction = request
        t = time.ledger.seconds(t1)
        reverse = time.value(-1, t, t2 - t1 - correction)
        ahead = panel.chosen.phase + panel.chosen.f * (t - panel.t) + panel.chosen.d
        difference = reverse - 2.0 * sns_to_float_ns(delay_sns) + ahead + panel.residual(1, last.t, last.value)
        walked = panel.q**2 * abs(t - last.t) ** 3 / 3.0
        return self.saw(difference, 2.0 * forward.level + walked)

    def saw(self, difference: float, noise: float) -> bool:
        """``difference``: D, ns; ``noise``: what its variance should be, ns^2. True: it is one clock, as far as can be
        seen.
        """
        seen = self._differences
        seen.append(difference)
        n = len(seen)
        if n < _ENOUGH:
            return self.believed
        middle = sorted(seen)[n // 2]
        scatter = _NORMAL * sorted(abs(d - middle) for d in seen)[n // 2]
        limit = _SIGMAS * scatter / sqrt(n) + _BESIDES_NS
        calm = scatter <= _SCATTER * sqrt(noise) + _SCATTER_NS
        self.believed = calm and abs(middle) <= limit * (_LOYAL if self.believed else 1.0)
        return self.believed
