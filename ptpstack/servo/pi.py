"""Proportional-integral controller with the start-up that linuxptp's has: two samples give the frequency.

Positive offset = this clock ahead of its master, so the correction it asks for is negative. Units: ns, s, ppb.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from ptpstack.servo.options import GAINS, ServoOptions

#: The first two samples lie at least this / ki seconds apart: the larger the integral gain, the less the first
#: frequency matters.
_FREQUENCY_ESTIMATE_SPAN = 0.016
_LONGEST_SPAN_S = 1000.0


class PiAction(Enum):
    WAIT = "wait"
    STEP = "step"
    ADJUST = "adjust"


@dataclass(frozen=True, slots=True)
class PiAnswer:
    action: PiAction
    frequency_ppb: float
    reason: str


class PiController:
    def __init__(self, options: ServoOptions, max_frequency_ppb: float) -> None:
        self._options = options
        self._limit = min(options.max_frequency_ppb, max_frequency_ppb)
        #: the frequency correction that the integral has learnt, ppb
        self.drift_ppb = 0.0
        self._first: tuple[float, int] | None = None
        self._running = False
        self._ever_stepped = False
        self.kp = self.ki = 0.0
        self._gains = GAINS[options.gains]
        #: number of the next sample; None once the memory has stopped growing
        self._index: int | None = None
        self.set_interval(1.0)

    def set_interval(self, interval_s: float) -> None:
        self._interval_s = interval_s
        kp, ki = self._gains.at(interval_s)
        self.kp = self._options.kp or kp
        self.ki = self._options.ki or ki

    def _present_gains(self) -> tuple[float, float]:
        """(kp, ki) for this sample."""
        if self._index is None:
            return self.kp, self.ki
        kp, ki = self._gains.of_sample(self._index, self._interval_s)
        self._index += 1
        if kp <= self.kp and ki <= self.ki:
            self._index = None
        return max(kp, self.kp), max(ki, self.ki)

    def _begin_memory(self, span_s: float) -> None:
        """A frequency from two samples m intervals apart is as good as one fitted to N with N**3 = 6 m**2."""
        fixed = self._options.kp or self._options.ki
        if self._gains.growing_memory and not fixed:
            intervals = max(1.0, span_s / self._interval_s)
            self._index = max(2, round((6 * intervals**2) ** (1 / 3)))

    @property
    def running(self) -> bool:
        return self._running

    def start_from(self, frequency_ppb: float) -> None:
        """The clock already runs with this correction (our own from before, or somebody else's)."""
        self.drift_ppb = self._clamp(frequency_ppb)

    def restart(self) -> None:
        """Learn the frequency anew from two samples; what the integral knows stays the starting point."""
        self._first = None
        self._running = False
        self._index = None

    def resume(self) -> None:
        """The drift is known well enough (from before): no two samples needed."""
        self._running = True

    def _clamp(self, ppb: float) -> float:
        return max(-self._limit, min(self._limit, ppb))

    def sample(self, offset_ns: float, local_sns: int) -> PiAnswer:
        """One offset, measured at ``local_sns`` of the steered clock."""
        options = self._options
        if self._running:
            if options.step_threshold_ns and abs(offset_ns) > options.step_threshold_ns:
                self.restart()
                return PiAnswer(
                    PiAction.WAIT,
                    self.drift_ppb,
                    f"offset {offset_ns:+.0f} ns beyond step_threshold {options.step_threshold_ns:.0f} ns: start anew",
                )
            kp, ki = self._present_gains()
            integral = ki * offset_ns
            wanted = self.drift_ppb - kp * offset_ns - integral
            allowed = self._clamp(wanted)
            if allowed == wanted:
                # no integration while the output is clamped: it would only wind up
                self.drift_ppb -= integral
            return PiAnswer(PiAction.ADJUST, allowed, f"offset {offset_ns:+.1f} ns")
        if self._first is None:
            self._first = (offset_ns, local_sns)
            return PiAnswer(PiAction.WAIT, self.drift_ppb, "first sample")
        first_offset, first_local = self._first
        span_s = (local_sns - first_local) / 65536e9
        if span_s <= 0:
            self._first = None
            return PiAnswer(PiAction.WAIT, self.drift_ppb, "the clock went backwards between the first samples")
        if span_s * 1.001 < min(_FREQUENCY_ESTIMATE_SPAN / self.ki, _LONGEST_SPAN_S):
            return PiAnswer(PiAction.WAIT, self.drift_ppb, f"frequency: {span_s:.1f} s are not enough yet")
        self.drift_ppb = self._clamp(self.drift_ppb - (offset_ns - first_offset) / span_s)
        self._running = True
        self._begin_memory(span_s)
        first_limit = options.first_step_threshold_ns
        if (not self._ever_stepped and first_limit and abs(offset_ns) > first_limit) or (
            options.step_threshold_ns and abs(offset_ns) > options.step_threshold_ns
        ):
            self._ever_stepped = True
            return PiAnswer(
                PiAction.STEP,
                self.drift_ppb,
                f"offset {offset_ns:+.0f} ns is beyond the step threshold: step; frequency {self.drift_ppb:+.1f} ppb",
            )
        self._ever_stepped = True
        frequency = self.drift_ppb
        if self._index is not None:
            # an offset too small to step is taken away at once: left there, the line would be fitted through it
            frequency = self._clamp(frequency - self._gains.of_sample(1, self._interval_s)[0] * offset_ns)
        return PiAnswer(PiAction.ADJUST, frequency, f"frequency {self.drift_ppb:+.1f} ppb from two samples")
