"""The classics behind the one servo interface: a filtered mean path delay, and a PI or a regression controller.

Kept for comparison with linuxptp and as a base line. Its weaknesses are those of the pair: a symmetric change of the
path looks like an offset until the filter has turned over, and a late Sync goes straight into the controller.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable, Mapping
from typing import Any

from ptpstack.servo.base import Command, Learnt, Request, ServoState
from ptpstack.servo.controller import Action, Controller
from ptpstack.servo.delay_filter import DELAY_FILTERS
from ptpstack.servo.nullf import NullController
from ptpstack.servo.options import GAINS, ServoOptions
from ptpstack.servo.pi import PiController
from ptpstack.servo.regression import RegressionController
from ptpstack.servo.spike_gate import SpikeGate
from ptpstack.timebase.estimate import Estimate
from ptpstack.timebase.units import float_ns_to_sns, sns_to_float_ns

#: Offsets kept for the statistical part of the bound.
_WINDOW = 32
#: Bound = this times the rms of recent offsets: one-sided queueing has longer tails than a normal distribution.
_BOUND_FACTOR = 4.0
_LOCK_COUNT = 3
#: Above this rate the interval between t2 and t3 is corrected for the difference of the clocks' rates (11.3).
_SYNTONISED = 1e-6
#: Standard deviation of a learnt frequency, ppb: a classic servo does not know how well it knows.
_LEARNT_PPB = 1_000.0
_CONTROLLERS: dict[str, Callable[[ServoOptions, float], Controller]] = {
    "pi": PiController,
    "linreg": RegressionController,
    "nullf": NullController,
}


class ClassicServo:
    """``options.type``: ``pi``, ``linreg`` or ``nullf``, the controller behind the delay filter."""

    def __init__(self, options: ServoOptions, *, max_frequency_ppb: float = math.inf, steering: bool = True) -> None:
        self._options = options
        self.name = options.type
        self._pi: Controller = _CONTROLLERS[options.type](options, max_frequency_ppb)
        self._filter = DELAY_FILTERS[options.delay_filter](options.delay_filter_length)
        self._gate = SpikeGate(GAINS[options.gains].spike_gate if options.type == "pi" else 0.0)
        self._steering = steering
        self._state = ServoState.UNLOCKED
        self._delay_sns: int | None = None
        #: path delays of this master so far
        self._delays = 0
        self._sync: tuple[int, int, int] | None = None
        self._rate_ratio = 1.0
        self._offsets: deque[float] = deque(maxlen=_WINDOW)
        self._offset_ns = 0.0
        self._offset_at_ns: int | None = None
        self._good = self._bad = 0
        #: offsets taken since the last loss
        self.samples = 0
        #: what a reading may be off by without showing it, ns; None: measured over a path, whose delay says so
        self._reading_bound_ns: float | None = None
        self._interval_s = 1.0
        self.reason = "no measurement yet"

    # ---- what the owner may ask -------------------------------------------------------------------------------

    @property
    def state(self) -> ServoState:
        return self._state

    @property
    def steering(self) -> bool:
        return self._steering

    def take_over(self, frequency_ppb: float, *, in_service: bool = False, learnt_ppb: float | None = None) -> None:
        """Begin to steer a clock that runs with ``frequency_ppb``."""
        self._steering = True
        self._pi.start_from(frequency_ppb, in_service=in_service, settled=learnt_ppb is not None)

    def watch_only(self) -> Learnt | None:
        """Another edge steers the clock now: keep measuring, command nothing."""
        settled = self._steering and self._state in (ServoState.LOCKED, ServoState.HOLDOVER)
        self._steering = False
        if self._state is ServoState.HOLDOVER:
            self._state = ServoState.UNLOCKED
        return Learnt(self._pi.drift_ppb, _LEARNT_PPB) if settled else None

    def path_delay_ns(self) -> float | None:
        return None if self._delay_sns is None else sns_to_float_ns(self._delay_sns)

    def estimate(self, now_ns: int) -> Estimate | None:
        if self._offset_at_ns is None:
            return None
        age_s = (now_ns - self._offset_at_ns) / 1e9
        systematic = self._reading_bound_ns if self._reading_bound_ns is not None else self.path_delay_ns()
        statistical = None if systematic is None else self._statistical_ns(age_s)
        return Estimate(
            self._offset_ns,
            statistical,
            abs(systematic or 0.0),
            f"{self.name} servo, {self._state.value}, sample {age_s:.1f} s old",
        )

    def _statistical_ns(self, age_s: float) -> float | None:
        """Four times the rms of recent offsets, and what came since: None while too little is known."""
        if len(self._offsets) < 4 or self._state not in (ServoState.LOCKED, ServoState.HOLDOVER):
            return None
        rms = math.sqrt(sum(o * o for o in self._offsets) / len(self._offsets))
        # Without new samples two things grow: noise that went into the frequency by way of the proportional gain,
        # and what the oscillator does by itself (random walk of its frequency).
        alone_s = max(0.0, age_s - self._interval_s)
        frequency_part = self._pi.kp * rms * alone_s
        oscillator_part = 3.0 * self._options.wander_ppb * math.sqrt(alone_s**3 / 3.0)
        return _BOUND_FACTOR * rms + 1.0 + frequency_part + oscillator_part

    def bound_after(self, seconds: float, now_ns: int) -> float | None:
        if self._offset_at_ns is None:
            return None
        return self._statistical_ns((now_ns - self._offset_at_ns) / 1e9 + seconds)

    # ---- a life after this one --------------------------------------------------------------------------------

    def keep(self, now_ns: int) -> dict[str, Any] | None:
        """The frequency that the integral has learnt."""
        if not self._steering or self._state not in (ServoState.LOCKED, ServoState.HOLDOVER):
            return None
        return {"drift_ppb": self._pi.drift_ppb}

    def resume(self, kept: Mapping[str, Any], age_s: float, frequency_ppb: float) -> None:
        """The frequency is all that a PI controller can use, and ``take_over`` gets it from the clock."""
        if not math.isfinite(float(kept["drift_ppb"])):
            raise ValueError(f"drift_ppb is {kept['drift_ppb']}")
        self.reason = f"goes on from {float(kept['drift_ppb']):+.1f} ppb, learnt {age_s:.0f} s ago"

    # ---- observations -----------------------------------------------------------------------------------------

    def sync(self, t1_sns: int, t2_sns: int, correction_sns: int, now_ns: int) -> Command | None:
        before = self._sync
        self._sync = (t1_sns, t2_sns, correction_sns)
        if before is not None and t2_sns > before[1]:
            ratio = (t1_sns + correction_sns - before[0] - before[2]) / (t2_sns - before[1])
            self._rate_ratio = ratio if _SYNTONISED < abs(ratio - 1.0) < 1e-2 else 1.0
        if self._delay_sns is None or self._delays < GAINS[self._options.gains].first_delays:
            return None
        return self._offset(t2_sns - t1_sns - correction_sns - self._delay_sns, t2_sns, now_ns)

    def overheard(self, t1_sns: int, t2_sns: int, correction_sns: int, now_ns: int) -> Command | None:
        """A classic servo holds the frequency that it has."""
        return None

    def delay(self, t3_sns: int, t4_sns: int, correction_sns: int, now_ns: int) -> Command | None:
        if self._sync is None:
            return None
        t1, t2, correction = self._sync
        turnaround = t2 - t3_sns
        if self._rate_ratio != 1.0:
            turnaround = round(turnaround * self._rate_ratio)
        raw = (turnaround + (t4_sns - t1) - correction - correction_sns) // 2
        self._delay_sns = self._filter.add(raw)
        self._delays += 1
        return None

    def link_delay(self, clock_sns: int, delay_sns: int, now_ns: int, request: Request | None = None) -> Command | None:
        self._delay_sns = self._filter.add(delay_sns)
        self._delays += 1
        return None

    def reading(self, clock_sns: int, offset_sns: int, bound_ns: float, now_ns: int) -> Command | None:
        """A direct comparison with the reference: no path, so no delay to know."""
        self._reading_bound_ns = bound_ns
        return self._offset(offset_sns, clock_sns, now_ns)

    def _offset(self, offset_sns: int, clock_sns: int, now_ns: int) -> Command | None:
        offset_ns = sns_to_float_ns(offset_sns)
        settled = self._pi.running if self._steering else self._state is ServoState.LOCKED
        if settled and not self._gate.admits(offset_ns):
            self.reason = f"offset {offset_ns:+.0f} ns set aside: a spike among its neighbours"
            return None
        self._offset_ns = offset_ns
        self._offset_at_ns = now_ns
        self._offsets.append(offset_ns)
        self.samples += 1
        command = None
        if self._steering:
            started = self._pi.running
            answer = self._pi.sample(offset_ns, clock_sns)
            self.reason = answer.reason
            if self._pi.running and not started:
                self._gate.expect(self._pi.start_residuals)
            if answer.action is Action.STEP:
                self._judge(math.inf)
                return Command(answer.frequency_ppb, -float_ns_to_sns(answer.offset_ns), None, answer.reason)
            if answer.action is Action.ADJUST:
                command = Command(answer.frequency_ppb, None, None, answer.reason)
            else:
                self._judge(math.inf)
                return Command(None, None, None, answer.reason)
        self._judge(abs(offset_ns))
        return command

    def _judge(self, magnitude_ns: float) -> None:
        limit = self._options.lock_threshold_ns
        if magnitude_ns <= limit:
            self._good += 1
            self._bad = 0
        elif magnitude_ns > limit * self._options.unlock_factor:
            self._bad += 1
            self._good = 0
        else:
            self._good = self._bad = 0
        if self._state is ServoState.LOCKED:
            if self._bad >= _LOCK_COUNT or math.isinf(magnitude_ns):
                self._state = ServoState.TRACKING
        elif self._good >= _LOCK_COUNT:
            self._state = ServoState.LOCKED
        else:
            self._state = ServoState.TRACKING

    # ---- what happened ----------------------------------------------------------------------------------------

    def timer(self, now_ns: int) -> Command | None:
        return None

    def temperature(self, celsius: float, now_ns: int) -> Command | None:
        """The classics know nothing of temperature."""
        return None

    def commanded(self, clock_sns: int, frequency_ppb: float, step_sns: int, now_ns: int) -> None:
        """Nothing to account for: this servo measures anew after each step, and its frequencies are absolute."""

    def step_refused(self) -> None:
        self._pi.step_refused()

    def clock_stepped(self) -> None:
        """Stamps from before the step mean nothing any more; the path is the same, so its filter stays."""
        self._sync = None
        self._rate_ratio = 1.0
        self._offsets.clear()
        # the jitter is the same after a step
        self._gate.expect(self._pi.start_residuals)
        self._offset_at_ns = None
        if not self._pi.running:
            self._pi.restart()

    def new_master(self, now_ns: int) -> None:
        """Another path: its delay has to be learnt anew; what is known of our own oscillator stays."""
        self._filter.clear()
        self._delay_sns = None
        self._delays = 0
        self.samples = 0
        self._sync = None
        self._good = self._bad = 0
        if not self._pi.running:
            # a first sample of the old master and a second of the new one would make a frequency of their difference
            self._pi.restart()
        if self._state is ServoState.LOCKED:
            self._state = ServoState.TRACKING

    def master_uncertain(self, uncertain: bool) -> None:
        """Nothing to it here: a PI controller steps once, and follows."""

    def set_sync_interval(self, log_interval: int) -> None:
        self._interval_s = 2.0**log_interval
        self._pi.set_interval(self._interval_s)

    def lost(self, now_ns: int) -> Command | None:
        """Hold over: what the integral has learnt is a better guess of the frequency than the last correction."""
        self._sync = None
        self.samples = 0
        if not self._steering:
            self._state = ServoState.UNLOCKED
            return None
        if self._state is ServoState.HOLDOVER:
            return None
        held = self._state is ServoState.LOCKED
        self._state = ServoState.HOLDOVER if held else ServoState.UNLOCKED
        if not self._pi.running:
            self._pi.restart()
            return None
        # also when it was not locked: the last correction was made to be undone by the next
        frequency = self._pi.hold()
        if not held:
            self._pi.restart()
        self.reason = f"no master: hold {frequency:+.1f} ppb"
        return Command(frequency, None, None, self.reason)
