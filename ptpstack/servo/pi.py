"""Proportional-integral controller with the start-up that linuxptp's has: two samples give the frequency."""

from __future__ import annotations

from ptpstack.servo.controller import Action, Answer, Controller
from ptpstack.servo.options import ServoOptions, gains_of
from ptpstack.servo.spike_gate import median

#: The first two samples lie at least this / ki seconds apart: the larger the integral gain, the less the first
#: frequency matters.
_FREQUENCY_ESTIMATE_SPAN = 0.016
_LONGEST_SPAN_S = 1000.0
#: A correction taken over from a locked servo counts like a fit over this many samples.
_SETTLED_SAMPLES = 20
#: A fast master's start is thinned out to this: the fit looks at all pairs.
_MOST_START_SAMPLES = 33


class PiController(Controller):
    def __init__(self, options: ServoOptions, max_frequency_ppb: float) -> None:
        self._formula = gains_of(options)
        #: offsets of the start: (clock time sns, offset ns)
        self._start: list[tuple[int, float]] = []
        self.ki = 0.0
        self._interval_s = 1.0
        #: samples so far, those of the start included
        self._samples = 0
        super().__init__(options, max_frequency_ppb)

    def set_interval(self, interval_s: float) -> None:
        kp, ki = self._formula.at(interval_s)
        self.kp = self._options.kp or kp
        self.ki = self._options.ki or ki
        self._interval_s = interval_s

    @property
    def _least_squares(self) -> bool:
        options = self._options
        return self._formula.least_squares_start and not options.kp and not options.ki

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
        gains = self._formula
        kp = max(self.kp, min(alpha, gains.kp_norm_max) / self._interval_s)
        ki = max(self.ki, min(beta, gains.ki_norm_max) / self._interval_s)
        return kp, ki

    def restart(self) -> None:
        self.drift_ppb = self._output_ppb
        self._start.clear()
        self._running = False
        self._samples = 0

    def settle(self) -> None:
        self._running = True
        self._samples = _SETTLED_SAMPLES

    def sample(self, offset_ns: float, local_sns: int) -> Answer:
        answer = self._answer(offset_ns, local_sns)
        if answer.action is not Action.WAIT:
            self._output_ppb = answer.frequency_ppb
        return answer

    def _answer(self, offset_ns: float, local_sns: int) -> Answer:
        options = self._options
        if self._running:
            if options.step_threshold_ns and abs(offset_ns) > options.step_threshold_ns:
                self.restart()
                return Answer(
                    Action.WAIT,
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
            return Answer(Action.ADJUST, allowed, f"offset {offset_ns:+.1f} ns")
        start = self._start
        backwards = bool(start) and local_sns <= start[-1][0]
        if backwards:
            start.clear()
        start.append((local_sns, offset_ns))
        if backwards:
            return Answer(Action.WAIT, self.drift_ppb, "the clock went backwards: start anew")
        gains = self._formula
        if len(start) < gains.start_samples:
            return Answer(Action.WAIT, self.drift_ppb, f"start: {len(start)} of {gains.start_samples} samples")
        span_s = (local_sns - start[0][0]) / 65536e9
        needed_s = gains.start_span_s or min(_FREQUENCY_ESTIMATE_SPAN / self.ki, _LONGEST_SPAN_S)
        if span_s * 1.001 < needed_s:
            if gains.start_samples == 2:
                # linuxptp's start: two samples far enough apart; those between do not count
                del start[1:]
            elif len(start) >= _MOST_START_SAMPLES:
                del start[1::2]
            return Answer(Action.WAIT, self.drift_ppb, f"start: {span_s:.1f} s of {needed_s:.1f} s")
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
            return Answer(
                Action.STEP,
                self.drift_ppb,
                f"offset {offset_ns:+.0f} ns is beyond the step threshold: step; frequency {self.drift_ppb:+.1f} ppb",
                offset_ns,
            )
        self._ever_stepped = True
        frequency = self.drift_ppb
        if self._least_squares:
            # an offset too small to step has to go before the fit goes on: it would be taken for a frequency
            frequency = self._clamp(frequency - offset_ns / self._interval_s)
        return Answer(Action.ADJUST, frequency, f"frequency {self.drift_ppb:+.1f} ppb from {self._samples} samples")


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
