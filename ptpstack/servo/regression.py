"""Linear regression over windows of several lengths; the length that has predicted best lately counts.

Offsets are freed of what our own commands have put into the clock, so that a straight line through them shows the free
oscillator. For each window of 4, 8 ... 64 samples the line is carried on to the next sample, and a decaying mean of its
squared misses is kept; a longer window is preferred while it is no worse than a shorter one by more than a few per
cent. The command takes the offset away within one interval.
"""

from __future__ import annotations

from collections import deque

from ptpstack.servo.controller import Action, Answer, Controller
from ptpstack.servo.options import ServoOptions

_LENGTHS = (4, 8, 16, 32, 64)
_FIRST = 4
#: Memory of a window's misses.
_MEMORY = 0.02
#: A window up to this much worse than the best one is as good, if it is longer.
_AS_GOOD = 1.05


class RegressionController(Controller):
    def __init__(self, options: ServoOptions, max_frequency_ppb: float) -> None:
        super().__init__(options, max_frequency_ppb)
        self.restart()

    def set_interval(self, interval_s: float) -> None:
        self.kp = 1.0 / interval_s

    def restart(self) -> None:
        self._running = False
        #: (s since the first sample, free offset in ns)
        self._points: deque[tuple[float, float]] = deque(maxlen=_LENGTHS[-1])
        self._misses = dict.fromkeys(_LENGTHS, 0.0)
        self._origin_sns: int | None = None
        self._last_s = 0.0
        #: phase that our commands have put in since the first sample, ns
        self._put_ns = 0.0

    def settle(self) -> None:
        self._running = True

    def sample(self, offset_ns: float, local_sns: int) -> Answer:
        if self._origin_sns is None or (local_sns - self._origin_sns) / 65536e9 <= self._last_s:
            if self._origin_sns is not None:
                running = self._running
                self.restart()
                self._running = running
            self._origin_sns = local_sns
        later = self._options.step_threshold_ns
        if self._running and self._points and 0.0 < later < abs(offset_ns):
            self.restart()
            self._origin_sns = local_sns
            reason = f"offset {offset_ns:+.0f} ns beyond step_threshold {later:.0f} ns: start anew"
            self._points.append((0.0, offset_ns))
            return Answer(Action.WAIT, self.drift_ppb, reason)
        at = (local_sns - self._origin_sns) / 65536e9
        self._put_ns += self._output_ppb * (at - self._last_s)
        self._last_s = at
        free = offset_ns - self._put_ns
        self._judge(at, free)
        self._points.append((at, free))
        if len(self._points) < _FIRST and not (self._running and len(self._points) > 1):
            if self._running:
                return Answer(Action.ADJUST, self._output_ppb, "a first sample")
            return Answer(Action.WAIT, self.drift_ppb, f"start: {len(self._points)} of {_FIRST} samples")
        slope, value = _line(list(self._points)[-self._best() :])
        self.drift_ppb = self._clamp(-slope)
        offset_ns = value + self._put_ns
        first = self._options.first_step_threshold_ns
        beyond_first = not self._ever_stepped and 0.0 < first < abs(offset_ns)
        self._running = self._ever_stepped = True
        if beyond_first or 0.0 < later < abs(offset_ns):
            self.restart()
            self._running = True
            self._output_ppb = self.drift_ppb
            return Answer(
                Action.STEP,
                self.drift_ppb,
                f"offset {offset_ns:+.0f} ns is beyond the step threshold: step",
                offset_ns,
            )
        self._output_ppb = self._clamp(self.drift_ppb - offset_ns * self.kp)
        return Answer(Action.ADJUST, self._output_ppb, f"offset {offset_ns:+.1f} ns")

    def _judge(self, at: float, free: float) -> None:
        """How far each window's line, carried on, misses the new sample."""
        points = list(self._points)
        for length in _LENGTHS:
            if len(points) < length:
                break
            slope, value = _line(points[-length:])
            miss = (value + slope * (at - points[-1][0]) - free) ** 2
            before = self._misses[length]
            self._misses[length] = miss if not before else before + _MEMORY * (miss - before)

    def _best(self) -> int:
        able = [length for length in _LENGTHS if len(self._points) >= length and self._misses[length]]
        if not able:
            return min(len(self._points), _FIRST)
        least = min(self._misses[length] for length in able)
        return max(length for length in able if self._misses[length] <= _AS_GOOD * least)


def _line(points: list[tuple[float, float]]) -> tuple[float, float]:
    """(slope in ns/s, value at the last point in ns) by least squares."""
    end = points[-1][0]
    mean_t = sum(t - end for t, _ in points) / len(points)
    mean_v = sum(v for _, v in points) / len(points)
    square = sum((t - end - mean_t) ** 2 for t, _ in points)
    slope = sum((t - end - mean_t) * (v - mean_v) for t, v in points) / square if square else 0.0
    return slope, mean_v - slope * mean_t
