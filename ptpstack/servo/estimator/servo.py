"""The estimator behind the one servo interface (``servo.base``): what is done about a clock that ``filter`` believes
something of.

Steps are for a clock that has just begun; one in service is slewed (``control``), unless the operator has set a
threshold. Without a master the command is made anew from what is known of the oscillator.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from math import sqrt
from typing import Any

from ptpstack.servo.base import Command, Learnt, Request, ServoState
from ptpstack.servo.estimator.control import drive
from ptpstack.servo.estimator.filter import PROBATION, Filter
from ptpstack.servo.estimator.outlook import Outlook
from ptpstack.servo.options import ServoOptions
from ptpstack.timebase.estimate import Estimate
from ptpstack.timebase.units import format_ns

#: Packets of a probation that may be left when a locked clock counts as one in service, which is stepped no more.
_IN_SERVICE = 24
#: Another step needs this many packets; in a start, this many standard deviations, too.
_STEP_PACKETS = 5
_STEP_SIGMAS = 10.0
_OUT_OF_LOCK = 3
#: A frequency that is handed on is worth this many of our standard deviations, and never less than this, ppb: who
#: takes it over measures by other stamps.
_LEARNT_SIGMAS = 3.0
_LEARNT_LEAST_PPB = 20.0
#: In holdover the command is made anew this often, and no more than this is slewed.
_HOLDOVER_SLEW_PPB = 100.0
_HOLDOVER_NS = 60_000_000_000


class EstimatorServo:
    name = "estimator"

    def __init__(self, options: ServoOptions, *, max_frequency_ppb: float = math.inf, steering: bool = True) -> None:
        self._options = options
        self._limit = min(options.max_frequency_ppb, max_frequency_ppb)
        self._steering = steering
        self._state = ServoState.UNLOCKED
        self._filter = Filter()
        #: a clock that has not been shown to be right yet may be stepped; one in service never is, without a threshold
        self._may_step = True
        self._stepped = False
        self._stepped_at = -_STEP_PACKETS
        self._uncertain_master = False
        self._bad = 0
        #: t2 of the newest Sync that was overheard, sns
        self._overheard_sns = -1

    # ---- what the owner may ask -------------------------------------------------------------------------------

    @property
    def state(self) -> ServoState:
        return self._state

    @property
    def steering(self) -> bool:
        return self._steering

    @property
    def samples(self) -> int:
        return self._filter.samples

    @property
    def reason(self) -> str:
        return self._filter.reason

    def path_delay_ns(self) -> float | None:
        return self._filter.path_delay_ns()

    def estimate(self, now_ns: int) -> Estimate | None:
        known = self._filter
        if not self._has_moment() or known.step_under_way:
            return None
        t = known.time.at(now_ns)
        if not known.running:
            assert known.fit is not None
            phase = known.fit.phase + known.fit.frequency * (t - known.fit.t)
            offset = known.time.offset_ns(phase, t)
            return Estimate(offset, None, known.systematic_ns(), "estimator, start: no bound yet")
        phase, _, variance = known.panel.state(max(0.0, t - known.panel.t))
        silent = max(0.0, t - known.heard_t)
        return Estimate(
            known.time.offset_ns(phase, t),
            known.statistical_ns(variance, silent),
            known.systematic_ns(),
            f"estimator, {self._state.value}, last packet {silent:.1f} s ago",
        )

    def bound_after(self, seconds: float, now_ns: int) -> float | None:
        known = self._filter
        if not known.running or known.time.moment is None or known.step_under_way:
            return None
        t = known.time.at(now_ns)
        variance = known.panel.state(max(0.0, t - known.panel.t) + seconds)[2]
        return known.statistical_ns(variance, max(0.0, t - known.heard_t) + seconds)

    def _has_moment(self) -> bool:
        """There is something to say about the clock now."""
        known = self._filter
        return known.time.moment is not None and (known.running or known.fit is not None)

    # ---- observations -----------------------------------------------------------------------------------------

    def sync(self, t1_sns: int, t2_sns: int, correction_sns: int, now_ns: int) -> Command | None:
        if t2_sns <= self._overheard_sns:
            return None
        return self._answer(self._filter.sync(t1_sns, t2_sns, correction_sns, now_ns), now_ns)

    def overheard(self, t1_sns: int, t2_sns: int, correction_sns: int, now_ns: int) -> Command | None:
        if self._state is not ServoState.HOLDOVER:
            return None
        command = self.sync(t1_sns, t2_sns, correction_sns, now_ns)
        self._overheard_sns = t2_sns
        # nobody vouches for that master: a holdover with a view, and no reason for a step
        self._state = ServoState.HOLDOVER if self._filter.running else ServoState.UNLOCKED
        return None if command is None or command.step_sns else command

    def delay(self, t3_sns: int, t4_sns: int, correction_sns: int, now_ns: int) -> Command | None:
        return self._answer(self._filter.delay(t3_sns, t4_sns, correction_sns, now_ns), now_ns)

    def link_delay(self, clock_sns: int, delay_sns: int, now_ns: int, request: Request | None = None) -> Command | None:
        return self._answer(self._filter.link_delay(clock_sns, delay_sns, request, now_ns), now_ns)

    def reading(self, clock_sns: int, offset_sns: int, bound_ns: float, now_ns: int) -> Command | None:
        return self._answer(self._filter.reading(clock_sns, offset_sns, bound_ns, now_ns), now_ns)

    def _answer(self, outlook: Outlook | None, now_ns: int) -> Command | None:
        known = self._filter
        command = None
        if outlook is not None:
            self._judge(outlook.t, outlook.offset)
            command = self._drive(outlook, now_ns)
        elif not known.running and self._state is ServoState.LOCKED:
            # all begins anew
            self._state = ServoState.TRACKING
        told = known.verdict
        if told is not None:
            known.verdict = None
            return (command if command is not None else Command(reason=told.reason))._replace(verdict=told)
        return command

    def _judge(self, t: float, offset: float) -> None:
        """Locked or not, from the ``offset`` (ns) believed in at ``t`` (s)."""
        known = self._filter
        if not known.running or known.step_under_way:
            self._state = ServoState.TRACKING
            return
        locked = self._state is ServoState.LOCKED
        if not locked and known.contradicted():
            self._state = ServoState.TRACKING
            return
        size = abs(offset)
        limit = self._options.lock_threshold_ns
        if size > limit:
            limit = max(limit, known.bound_at(t))
        if locked:
            self._bad = self._bad + 1 if size > limit * self._options.unlock_factor else 0
            if self._bad >= _OUT_OF_LOCK:
                self._state = ServoState.TRACKING
        else:
            self._bad = 0
            self._state = ServoState.LOCKED if size <= limit else ServoState.TRACKING
        if self._state is ServoState.LOCKED:
            if known.probation < _IN_SERVICE and not self._uncertain_master:
                self._may_step = False
            if not known.probation:
                known.memory.note_frequency(known.panel, known.time.base_ppb)

    # ---- commands ---------------------------------------------------------------------------------------------

    def _drive(self, outlook: Outlook, now_ns: int) -> Command | None:
        if not self._steering:
            return None
        known, offset = self._filter, outlook.offset
        if self._far(offset):
            if self._to_be_stepped(outlook):
                self._stepped = True
                reason = f"offset {format_ns(offset)} is beyond the step threshold: step"
                return Command(self._rest_ppb(), -known.time.offset_sns(outlook.phase, outlook.t), None, reason)
            if outlook.fit is not None and self._stepped:
                reason = "far off again: wait until it is sure enough for another step"
                return Command(self._rest_ppb(), None, None, reason)
        frequency = outlook.frequency - known.time.base_ppb
        wanted = drive(offset, frequency, known.interval.s, self._limit, self._options.max_slew_ppb)
        again = None if wanted.ends_in_s is None else now_ns + (round(wanted.ends_in_s * 1e9) or 1)
        return Command(wanted.frequency_ppb, None, again, f"offset {format_ns(offset)}")

    def _to_be_stepped(self, outlook: Outlook) -> bool:
        """Of an offset that is far off: whether it is sure enough for a step."""
        fit, offset = outlook.fit, outlook.offset
        if fit is not None:
            sure = fit.inliers >= _STEP_PACKETS and abs(offset) > _STEP_SIGMAS * sqrt(fit.covariance[0])
            return sure or not self._stepped
        samples = self._filter.samples
        if abs(offset) <= self._filter.bound_at(outlook.t) or samples - self._stepped_at < _STEP_PACKETS:
            return False
        self._stepped_at = samples
        return True

    def _far(self, offset_ns: float) -> bool:
        """Far enough off to be stepped, where the operator allows it."""
        first, later = self._options.first_step_threshold_ns, self._options.step_threshold_ns
        return (self._may_step and 0.0 < first < abs(offset_ns)) or 0.0 < later < abs(offset_ns)

    def _rest_ppb(self) -> float:
        """The command with which the clock neither gains nor loses."""
        rest, limit = self._filter.time.base_ppb - self._filter.frequency(), self._limit
        return limit if rest > limit else -limit if rest < -limit else rest

    def timer(self, now_ns: int) -> Command | None:
        """A slew has done its work, or a holdover goes on: the frequency alone."""
        if not self._steering or not self._has_moment():
            return None
        if self._state is ServoState.HOLDOVER:
            return self._hold(now_ns)
        return Command(self._rest_ppb(), None, None, "slewed")

    def temperature(self, celsius: float, now_ns: int) -> Command | None:
        known = self._filter
        shift = known.memory.record.warmed(celsius)
        if not shift or not known.running or known.time.moment is None:
            return None
        known.carry_on(known.time.at(now_ns), shift)
        return self._hold(now_ns) if self._steering and self._state is ServoState.HOLDOVER else None

    def _hold(self, now_ns: int) -> Command:
        """What the clock would be told if it were seen: ageing, and the rounding of the last command, go on."""
        known = self._filter
        t = known.time.at(now_ns)
        known.carry_on(t, 0.0)
        frequency = self._rest_ppb()
        phase = known.panel.belief().phase
        slew = -known.time.offset_ns(phase, t) / (_HOLDOVER_NS / 1e9)
        slew = max(-_HOLDOVER_SLEW_PPB, min(_HOLDOVER_SLEW_PPB, slew))
        taken = max(-self._limit, min(self._limit, frequency + slew))
        return Command(taken, None, now_ns + _HOLDOVER_NS, f"no master: hold {frequency:+.1f} ppb")

    def commanded(self, clock_sns: int, frequency_ppb: float, step_sns: int, now_ns: int) -> None:
        self._filter.commanded(clock_sns, frequency_ppb, step_sns, now_ns)

    # ---- what happened ----------------------------------------------------------------------------------------

    def take_over(self, frequency_ppb: float, *, in_service: bool = False, learnt_ppb: float | None = None) -> None:
        self._steering = True
        if in_service:
            self._may_step = False
        self._filter.take_over(frequency_ppb, learnt_ppb)

    def watch_only(self) -> Learnt | None:
        known = self._filter
        # on probation the frequency is a first guess, from a master that is not right yet it is that master's slewing:
        # who took either for learnt would start with an error it trusts
        sure = known.running and not known.probation and not self._uncertain_master
        settled = self._steering and sure and self._state in (ServoState.LOCKED, ServoState.HOLDOVER)
        self._steering = False
        if self._state is ServoState.HOLDOVER:
            self._state = ServoState.UNLOCKED
        if not settled:
            return None
        return Learnt(self._rest_ppb(), max(_LEARNT_SIGMAS * sqrt(known.panel.chosen.ff), _LEARNT_LEAST_PPB))

    def step_refused(self) -> None:
        self._stepped = False
        self._filter.step_under_way = False

    def clock_stepped(self) -> None:
        """By how much, ``commanded`` will tell; if it does not, nothing is known of the phase any more."""
        self._filter.step_under_way = True
        self._overheard_sns = -1

    def new_master(self, now_ns: int) -> None:
        self._filter.new_master()
        if self._state is ServoState.LOCKED:
            self._state = ServoState.TRACKING

    def master_uncertain(self, uncertain: bool) -> None:
        changed = uncertain is not self._uncertain_master
        self._uncertain_master = uncertain
        if not changed or not self._may_step:
            return
        # what it said before it knew better, or doubted, may be of another time
        if self._filter.running:
            self._filter.probation = PROBATION
        else:
            self._filter.forget_start()

    def set_sync_interval(self, log_interval: int) -> None:
        self._filter.interval.announced(2.0**log_interval)

    def lost(self, now_ns: int) -> Command | None:
        """Hold over: the mean of the prediction stays, its variance grows."""
        known = self._filter
        known.lost()
        if not self._steering:
            self._state = ServoState.UNLOCKED
            return None
        if self._state is ServoState.HOLDOVER:
            return None
        held = known.running and self._state is ServoState.LOCKED
        self._state = ServoState.HOLDOVER if held else ServoState.UNLOCKED
        if not known.running:
            return None
        known.told = f"no master: hold {self._rest_ppb():+.1f} ppb"
        return self._hold(now_ns) if held else Command(self._rest_ppb(), None, None, known.told)

    # ---- across a restart -------------------------------------------------------------------------------------

    def keep(self, now_ns: int) -> dict[str, Any] | None:
        kept = self._filter.keep(now_ns)
        return None if kept is None else {"servo": self.name, **kept}

    def resume(self, kept: Mapping[str, Any], age_s: float, frequency_ppb: float) -> None:
        if kept["servo"] != self.name:
            raise ValueError(f"kept by a servo of type {kept['servo']}")
        self._filter.resume(kept, age_s, frequency_ppb)
