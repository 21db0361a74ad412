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
        #: what the clock was last told, ppb: samples of a start are measured against it
        self._output_ppb = 0.0
        self._first: tuple[float, int] | None = None
        self._running = False
        self._ever_stepped = False
        self.kp = self.ki = 0.0
        self._interval_s = 1.0
        #: samples since the start; the first two gave the frequency
        self._samples = 2
        self.set_interval(1.0)

    def set_interval(self, interval_s: float) -> None:
        kp, ki = GAINS[self._options.gains].at(interval_s)
        self.kp = self._options.kp or kp
        self.ki = self._options.ki or ki
        self._interval_s = interval_s

    @property
    def _least_squares(self) -> bool:
        options = self._options
        return GAINS[options.gains].least_squares_start and not options.kp and not options.ki

    def _gains(self) -> tuple[float, float]:
        """kp and ki for the next sample.

        A straight line fitted to n equally spaced samples follows them with the gains of a growing-memory alpha-beta
        filter, alpha = 2 (2n - 1) / (n (n + 1)) and beta = 6 / (n (n + 1)); a loop that starts so knows the frequency
        as well as the samples allow when its own, smaller gains take over.
        """
        if not self._least_squares:
            return self.kp, self.ki
        n = self._samples
        alpha = 2 * (2 * n - 1) / (n * (n + 1))
        beta = 6 / (n * (n + 1))
        gains = GAINS[self._options.gains]
        kp = max(self.kp, min(alpha, gains.kp_norm_max) / self._interval_s)
        ki = max(self.ki, min(beta, gains.ki_norm_max) / self._interval_s)
        return kp, ki

    @property
    def running(self) -> bool:
        return self._running

    def start_from(self, frequency_ppb: float, *, in_service: bool = False) -> None:
        """Begin with a clock that already runs with this correction (our own from before, or somebody else's).

        ``in_service``: the clock has been steered before, so the threshold of the first step is no longer for it.
        """
        self._output_ppb = self._clamp(frequency_ppb)
        self._ever_stepped = self._ever_stepped or in_service
        self.restart()

    def restart(self) -> None:
        """Learn the frequency anew from two samples, against what the clock runs with now."""
        self.drift_ppb = self._output_ppb
        self._first = None
        self._running = False
        self._samples = 2

    def hold(self) -> float:
        """The frequency to go on with when nothing is measured any more: the integral's, not the last correction."""
        self._output_ppb = self.drift_ppb
        return self.drift_ppb

    def _clamp(self, ppb: float) -> float:
        return max(-self._limit, min(self._limit, ppb))

    def sample(self, offset_ns: float, local_sns: int) -> PiAnswer:
        """One offset, measured at ``local_sns`` of the steered clock."""
        answer = self._answer(offset_ns, local_sns)
        if answer.action is not PiAction.WAIT:
            self._output_ppb = answer.frequency_ppb
        return answer

    def _answer(self, offset_ns: float, local_sns: int) -> PiAnswer:
        options = self._options
        if self._running:
            if options.step_threshold_ns and abs(offset_ns) > options.step_threshold_ns:
                self.restart()
                return PiAnswer(
                    PiAction.WAIT,
                    self.drift_ppb,
                    f"offset {offset_ns:+.0f} ns beyond step_threshold {options.step_threshold_ns:.0f} ns: start anew",
                )
            self._samples += 1
            kp, ki = self._gains()
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
        if self._least_squares:
            # an offset too small to step has to go before the fit goes on: it would be taken for a frequency
            frequency = self._clamp(frequency - self._gains()[0] * offset_ns)
        return PiAnswer(PiAction.ADJUST, frequency, f"frequency {self.drift_ppb:+.1f} ppb from two samples")
