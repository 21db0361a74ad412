"""What has happened to clock and path: when it did, and how the panel is moved by it.

Everything that explains packets shares one ``Changes``: after each explanation the packets that led to it are
forgotten, so that nothing is explained twice.
"""

from __future__ import annotations

from collections import deque
from math import inf

from ptpstack.servo.estimator.direction import Direction, Observed
from ptpstack.servo.estimator.panel import Panel
from ptpstack.servo.estimator.verdict import Verdict, name

#: Round trips that are remembered.
TRIPS = 6
_AGAIN_INTERVALS = 20.0
_SECOND_STEP_INTERVALS = 60.0
#: A second such step soon after makes the wander so many times larger; the vote takes it back if it was none.
_STEPS_WANDER = 4.0


class Changes:
    def __init__(self, panel: Panel, directions: dict[int, Direction]) -> None:
        self.panel = panel
        self.directions = directions
        #: time of the last explanation, s: of what concerns all, of the noise of each direction
        self.event_t = -inf
        self.noise_t: dict[int, float] = {}
        self._step_t = self._open_t = -inf
        #: when the clock was last seen to move
        self.clock_t = -inf
        #: the last round trips, each with what the clock may have done meanwhile added and taken off, ns
        self.longest: deque[float] = deque(maxlen=TRIPS)
        self.shortest: deque[float] = deque(maxlen=TRIPS)

    def other(self, direction: Direction) -> Direction | None:
        """The one that is not this one: of Sync, Delay_Req or peer delay, and the other way round."""
        for other in self.directions.values():
            if other is not direction:
                return other
        return None

    def happened(self, t: float) -> None:
        """Something was explained at ``t``: what led to it has been used."""
        self.event_t = t
        self.longest.clear()
        self.shortest.clear()
        for direction in self.directions.values():
            direction.run.clear()
            direction.late.clear()

    def noisier(self, direction: Direction, t: float) -> None:
        """One direction's noise was explained at ``t``: of path, clock and the other direction that says nothing."""
        self.noise_t[direction.side] = t
        direction.run.clear()
        direction.late.clear()

    def quiet_s(self, direction: Direction, t: float) -> float:
        """Since when nothing has happened to a direction, s."""
        return t - max(self.event_t, self.noise_t.get(direction.side, -inf))

    def wanders(self, t: float, interval_s: float) -> None:
        """The clock has moved. An oscillator that keeps jumping wanders more than was thought."""
        if t - self.clock_t < _AGAIN_INTERVALS * interval_s:
            self.panel.adopt(2.0 * self.panel.q, self.panel.notch, self.panel.chosen.x)
        self.clock_t = t

    def opened_again(self, t: float, interval_s: float) -> bool:
        """Phase and frequency are to be opened; whether that was done a short while ago, and did not help."""
        again = t - self._open_t < _AGAIN_INTERVALS * interval_s
        self._open_t = t
        return again

    def moved(
        self, seen: Observed, floors: dict[int, float], packets: int, variance: float, interval_s: float
    ) -> Verdict:
        """The floors have moved by ``floors`` ns (side: how far; none: not at all), known to about ``variance``."""
        panel = self.panel
        forward, back = floors.get(1, 0.0), floors.get(-1, floors.get(0, 0.0))
        if panel.direct:
            phase, delay = forward, 0.0
        elif 0 in self.directions:
            phase, delay = forward - back, back
        else:
            phase, delay = (forward - back) / 2.0, (forward + back) / 2.0
        frequency = 0.0
        if 0.0 < seen.t - self._step_t < _SECOND_STEP_INTERVALS * interval_s:
            frequency = (phase / max(seen.t - self._step_t, interval_s)) ** 2
            if frequency > panel.chosen.ff:
                # again and again: it may be a frequency that was held for sure
                panel.adopt(_STEPS_WANDER * panel.q, panel.notch, panel.chosen.x)
        self._step_t = seen.t
        panel.shift(phase=phase, delay=delay)
        panel.open(phase=2.0 * variance, delay=0.0 if panel.direct else 2.0 * variance, frequency=frequency)
        inputs = {"phase_ns": phase, "delay_ns": delay, "packets": packets}
        if forward and back and abs(phase) < 0.25 * abs(delay):
            return Verdict("delay", f"the path has become {delay:+.4g} ns longer in both directions", inputs)
        if -1 in self.directions and (forward == 0.0) != (back == 0.0):
            which = name(self.directions[1 if forward else -1])
            return Verdict(
                "step",
                f"the {which} path has changed by {forward + back:+.4g} ns alone: half is taken for delay, half for "
                "the clock; which it was, no two-way exchange can see",
                inputs,
            )
        if 0 in self.directions and not back:
            return Verdict(
                "clock",
                f"Sync is {forward:+.4g} ns off while the peer delay stands still: the clock or its master has moved",
                inputs,
            )
        return Verdict("step", f"phase {phase:+.4g} ns and delay {delay:+.4g} ns have changed", inputs)
