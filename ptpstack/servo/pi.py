"""Proportional-integral controller with the start-up that linuxptp's has: two samples give the frequency.

Positive offset = this clock ahead of its master, so the correction it asks for is negative. Units: ns, s, ppb.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from ptpstack.servo.options import GAINS, ServoOptions
from ptpstack.servo.spike_gate import median

#: The first two samples lie at least this / ki seconds apart: the larger the integral gain, the less the first
#: frequency matters.
_FREQUENCY_ESTIMATE_SPAN = 0.016
_LONGEST_SPAN_S = 1000.0
#: A correction taken over from a locked servo counts like a fit over this many samples.
_SETTLED_SAMPLES = 20
#: A fast master's start is thinned out to this: the fit looks at all pairs.
_MOST_START_SAMPLES = 33


class PiAction(Enum):
    WAIT = "wait"
    STEP = "step"
    ADJUST = "adjust"


@dataclass(frozen=True, slots=True)
class PiAnswer:
    action: PiAction
    frequency_ppb: float
    reason: str
    #: the offset that a STEP is to take away, ns
    offset_ns: float = 0.0


class PiController:
    def __init__(self, options: ServoOptions, max_frequency_ppb: float) -> None:
        self._options = options
        self._limit = min(options.max_frequency_ppb, max_frequency_ppb)
        #: the frequency correction that the integral has learnt, ppb
        self.drift_ppb = 0.0
        #: what the clock was last told, ppb: samples of a start are measured against it
        self._output_ppb = 0.0
        #: offsets of the start: (clock time sns, offset ns)
        self._start: list[tuple[int, float]] = []
        self._running = False
        #: how far the offsets of the start lay from their line, ns: what jitter to expect
        self.start_residuals: list[float] = []
        self._ever_stepped = False
        self.kp = self.ki = 0.0
        self._interval_s = 1.0
        #: samples so far, those of the start included
        self._samples = 0
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

    def start_from(self, frequency_ppb: float, *, in_service: bool = False, settled: bool = False) -> None:
        """Begin with a clock that already runs with this correction (our own from before, or somebody else's).

        ``in_service``: the clock has been steered before, so the threshold of the first step is no longer for it.
        ``settled``: the correction is a learnt one; go on from it without a start.
        """
        self._output_ppb = self._clamp(frequency_ppb)
        self._ever_stepped = self._ever_stepped or in_service
        self.restart()
        if settled:
            self._running = True
            self._samples = _SETTLED_SAMPLES

    def restart(self) -> None:
        """Learn the frequency anew from two samples, against what the clock runs with now."""
        self.drift_ppb = self._output_ppb
        self._start.clear()
        self._running = False
        self._samples = 0

    def step_refused(self) -> None:
        """The step of the last answer did not happen: begin anew, with the first step still to come."""
        self._ever_stepped = False
        self.restart()

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
        start = self._start
        backwards = bool(start) and local_sns <= start[-1][0]
        if backwards:
            start.clear()
        start.append((local_sns, offset_ns))
        if backwards:
            return PiAnswer(PiAction.WAIT, self.drift_ppb, "the clock went backwards: start anew")
        gains = GAINS[options.gains]
        if len(start) < gains.start_samples:
            return PiAnswer(PiAction.WAIT, self.drift_ppb, f"start: {len(start)} of {gains.start_samples} samples")
        span_s = (local_sns - start[0][0]) / 65536e9
        needed_s = gains.start_span_s or min(_FREQUENCY_ESTIMATE_SPAN / self.ki, _LONGEST_SPAN_S)
        if span_s * 1.001 < needed_s:
            if gains.start_samples == 2:
                # linuxptp's start: two samples far enough apart; those between do not count
                del start[1:]
            elif len(start) >= _MOST_START_SAMPLES:
                del start[1::2]
            return PiAnswer(PiAction.WAIT, self.drift_ppb, f"start: {span_s:.1f} s of {needed_s:.1f} s")
        slope_ppb, offset_ns = _line(start)
        end = start[-1][0]
        self.start_residuals = [v - offset_ns - slope_ppb * ((at - end) / 65536e9) for at, v in start]
        self.drift_ppb = self._clamp(self.drift_ppb - slope_ppb)
        self._samples = len(start)
        start.clear()
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
                offset_ns,
            )
        self._ever_stepped = True
        frequency = self.drift_ppb
        if self._least_squares:
            # an offset too small to step has to go before the fit goes on: it would be taken for a frequency
            frequency = self._clamp(frequency - offset_ns / self._interval_s)
        return PiAnswer(PiAction.ADJUST, frequency, f"frequency {self.drift_ppb:+.1f} ppb from {self._samples} samples")


def _line(samples: list[tuple[int, float]]) -> tuple[float, float]:
    """(slope in ns/s, value at the last sample in ns) of a straight line through (sns, ns) samples.

    Medians (of the slopes of all pairs, then of what each sample says of the end), so that one packet that was held up
    among five does no harm. Through two samples it is the line through them.
    """
    points = [((at - samples[-1][0]) / 65536e9, value) for at, value in samples]
    slope = median(
        (vb - va) / (tb - ta) for index, (ta, va) in enumerate(points) for tb, vb in points[index + 1 :] if tb > ta
    )
    return slope, median(value - slope * at for at, value in points)
