"""The estimator behind the one servo interface (``servo.base``): what happens to an observation, in order."""

from __future__ import annotations

import math
from array import array
from collections.abc import Mapping
from math import sqrt
from typing import Any

from ptpstack.protocol.decision import Decision
from ptpstack.servo.base import Command, Learnt, ServoState
from ptpstack.servo.estimator.bound import Bound
from ptpstack.servo.estimator.control import drive
from ptpstack.servo.estimator.direction import Direction, Observed
from ptpstack.servo.estimator.knowledge import Knowledge
from ptpstack.servo.estimator.misfits import Misfits, Verdict
from ptpstack.servo.estimator.oscillator import OscillatorRecord
from ptpstack.servo.estimator.panel import LEAST_NOISE, Panel
from ptpstack.servo.estimator.startup import Fit, Startup
from ptpstack.servo.estimator.timeline import Timeline
from ptpstack.servo.options import ServoOptions
from ptpstack.timebase.estimate import Estimate
from ptpstack.timebase.units import format_ns

#: Gate: a packet is taken when it lies within these many standard deviations and mean waits.
_GATE_SIGMAS = 6.0
_GATE_WAITS = 9.0
#: Packets for which a run of misfits throws a start away.
_PROBATION = 40
#: Packets of it that may be left when a locked clock counts as one in service, which is stepped no more.
_IN_SERVICE = 24
_RESTART_WANDER = 4.0
_RESTART_WANDER_MOST = 1e5
#: A clock that is this far from where the driver's clock says it should be was set by somebody, s.
_SET_FROM_OUTSIDE_S = 5.0
#: Another step needs this many packets; in a start, this many standard deviations, too.
_STEP_PACKETS = 5
_STEP_SIGMAS = 10.0
_CALM_EVERY = 3
#: A master that jumps by more than this (a day) is another one.
_ABSURD_NS = 1e14
_ABSURD_PACKETS = 4
_INTERVALS = 8
_OUT_OF_LOCK = 3
#: A frequency that is handed on is worth this many of our standard deviations, and never less than this, ppb: who
#: takes it over measures by other stamps.
_LEARNT_SIGMAS = 3.0
_LEARNT_LEAST_PPB = 20.0
#: In holdover the command is made anew this often, and no more than this is slewed.
_HOLDOVER_SLEW_PPB = 100.0
_HOLDOVER_NS = 60_000_000_000


class EstimatorServo:
    #: more than thirty attributes in a dictionary of their own would take several times as long to find
    __slots__ = (
        "__dict__",
        "_absurd",
        "_bad",
        "_bound",
        "_clock_ppb",
        "_direct",
        "_directions",
        "_fit",
        "_heard",
        "_heard_t",
        "_interval_s",
        "_intervals",
        "_knowledge",
        "_last_forward",
        "_limit",
        "_may_step",
        "_misfits",
        "_options",
        "_panel",
        "_probation",
        "_reading_bound_ns",
        "_record",
        "_running",
        "_startup",
        "_state",
        "_steering",
        "_step_under_way",
        "_stepped",
        "_stepped_at",
        "_time",
        "_uncertain_master",
        "_verdict",
        "counts",
        "reason",
        "samples",
    )

    name = "estimator"

    def __init__(self, options: ServoOptions, *, max_frequency_ppb: float = math.inf, steering: bool = True) -> None:
        self._options = options
        self._limit = min(options.max_frequency_ppb, max_frequency_ppb)
        self._steering = steering
        self._state = ServoState.UNLOCKED
        self._knowledge = Knowledge()
        self._record = OscillatorRecord()
        #: the command that the clock runs with, ppb
        self._clock_ppb = 0.0
        self._interval_s = 1.0
        self._intervals = array("d")
        #: a clock that has not been shown to be right yet may be stepped; one in service never is, without a threshold
        self._may_step = True
        self._stepped = False
        self._stepped_at = -_STEP_PACKETS
        self._uncertain_master = False
        self._reading_bound_ns = 0.0
        self._bad = 0
        self.samples = 0
        self.reason = "no measurement yet"
        #: how often each kind of verdict was given
        self.counts: dict[str, int] = {}
        self._verdict: Decision | None = None
        self._begin(direct=False)

    def _begin(self, *, direct: bool) -> None:
        """A new scale of time, and nothing known of phase and path."""
        self._direct = direct
        self._time = Timeline(self._clock_ppb, direct)
        self._last_forward: float | None = None
        self._step_under_way = False
        self._bound = Bound(direct)
        self._restart()

    def _restart(self) -> None:
        """Learn phase and path anew; what is known of noise and oscillator stays."""
        known = self._knowledge
        self._panel = Panel(self._direct)
        if known.wander_ppb is not None:
            notch = self._panel.notch if known.notch is None else known.notch
            self._panel.adopt(known.wander_ppb, notch, known.path_wander)
        self._directions = {1: Direction(1)} if self._direct else {1: Direction(1), -1: Direction(-1)}
        self._misfits = Misfits(self._panel, self._directions)
        self._startup = Startup(self._direct)
        #: what runs of misfits that are not explained yet may mean, ns
        self._doubt_ns = 0.0
        self._running = False
        self._fit: Fit | None = None
        self._probation = 0
        self._absurd = 0
        #: time of the newest packet, s
        self._heard_t = 0.0
        #: sides heard of this master
        self._heard: set[int] = set()

    # ---- what the owner may ask -------------------------------------------------------------------------------

    @property
    def state(self) -> ServoState:
        return self._state

    @property
    def steering(self) -> bool:
        return self._steering

    def path_delay_ns(self) -> float | None:
        if self._direct:
            return None
        if self._running:
            return self._panel.chosen.d
        return None if self._fit is None else self._fit.delay

    def estimate(self, now_ns: int) -> Estimate | None:
        if self._time.moment is None or self._step_under_way or not (self._running or self._fit):
            return None
        t = self._time.at(now_ns)
        if self._fit is not None and not self._running:
            phase = self._fit.phase + self._fit.frequency * (t - self._fit.t)
            return Estimate(
                self._time.offset_ns(phase, t), None, self._systematic_ns(), "estimator, start: no bound yet"
            )
        phase, _, variance = self._panel.state(max(0.0, t - self._panel.t))
        silent = max(0.0, t - self._heard_t)
        return Estimate(
            self._time.offset_ns(phase, t),
            self._statistical_ns(variance, silent),
            self._systematic_ns(),
            f"estimator, {self._state.value}, last packet {silent:.1f} s ago",
        )

    def bound_after(self, seconds: float, now_ns: int) -> float | None:
        if not self._running or self._time.moment is None or self._step_under_way:
            return None
        t = self._time.at(now_ns)
        variance = self._panel.state(max(0.0, t - self._panel.t) + seconds)[2]
        return self._statistical_ns(variance, max(0.0, t - self._heard_t) + seconds)

    def _statistical_ns(self, variance: float, silent: float) -> float:
        """``variance`` of the phase, ns^2; ``silent``: s since the last packet."""
        grain2 = self._time.local_grain.ns**2 + self._time.received_grain.ns**2
        allowance = self._record.allowance_ns(silent, self._panel.q) + self._doubt_ns
        return self._bound.statistical_ns(variance, grain2, allowance)

    def _systematic_ns(self) -> float:
        if self._direct:
            return self._reading_bound_ns
        delay = self.path_delay_ns()
        return (max(0.0, delay) if delay is not None else 0.0) + self._time.doubt_ns()

    # ---- observations -----------------------------------------------------------------------------------------

    def sync(self, t1_sns: int, t2_sns: int, correction_sns: int, now_ns: int) -> Command | None:
        if self._direct:
            self._begin(direct=False)
        self._time.local_grain.add(t2_sns)
        self._time.sent_grain.add(t1_sns)
        return self._observe(1, t2_sns, t2_sns - t1_sns - correction_sns, now_ns)

    def delay(self, t3_sns: int, t4_sns: int, correction_sns: int, now_ns: int) -> Command | None:
        if self._direct:
            self._begin(direct=False)
        self._time.local_grain.add(t3_sns)
        self._time.received_grain.add(t4_sns)
        return self._observe(-1, t3_sns, t4_sns - t3_sns - correction_sns, now_ns)

    def reading(self, clock_sns: int, offset_sns: int, bound_ns: float, now_ns: int) -> Command | None:
        if not self._direct:
            self._begin(direct=True)
        self._reading_bound_ns = bound_ns
        return self._observe(1, clock_sns, offset_sns, now_ns)

    def _observe(self, side: int, clock_sns: int, difference_sns: int, now_ns: int) -> Command | None:
        time = self._time
        t = time.ledger.seconds(clock_sns)
        ahead = time.ahead_s(t, now_ns)
        # a Delay_Resp may come late, so that its t3 is old; a clock that was set back shows in the next Sync
        if self._step_under_way or ahead > _SET_FROM_OUTSIDE_S or (side > 0 and ahead < -_SET_FROM_OUTSIDE_S):
            self._was_set()
            time = self._time
            t = time.ledger.seconds(clock_sns)
        if side > 0:
            time.moment = (t, now_ns)
            self._saw_forward(t)
        elif time.moment is None:
            time.moment = (t, now_ns)
        seen = Observed(side, t, time.value(side, t, difference_sns))
        command = self._running_packet(seen, now_ns) if self._running else self._starting_packet(seen, now_ns)
        if self._verdict is not None:
            told, self._verdict = self._verdict, None
            return (command if command is not None else Command(reason=told.reason))._replace(verdict=told)
        return command

    def _saw_forward(self, t: float) -> None:
        last, self._last_forward = self._last_forward, t
        if last is not None and t > last:
            self._intervals.append(t - last)
            if len(self._intervals) > _INTERVALS:
                del self._intervals[0]
            if len(self._intervals) >= 3:
                self._interval_s = sorted(self._intervals)[len(self._intervals) // 2]

    # ---- start ------------------------------------------------------------------------------------------------

    def _starting_packet(self, seen: Observed, now_ns: int) -> Command | None:
        self._startup.add(seen)
        self._directions[seen.side].kept.append(seen)
        known = self._known_frequency()
        fit = (
            self._startup.fit(self._time.grain2(-1))
            if known is None
            else self._startup.fit_known(*known, self._noise())
        )
        if fit is None:
            self.reason = f"start: {self._startup.packets} packets"
            return None
        self._fit = fit
        self.samples += 1
        self.reason = f"start: {fit.inliers} packets on a line, frequency {fit.frequency:+.1f} ppb"
        if fit.ready:
            self._hand_over(fit)
        t = self._time.at(now_ns)
        phase = fit.phase + fit.frequency * (t - fit.t)
        offset = self._time.offset_ns(phase, t)
        self._judge(t, offset)
        far = self._far(offset)
        sure = fit.inliers >= _STEP_PACKETS and abs(offset) > _STEP_SIGMAS * sqrt(fit.covariance[0])
        if far and self._stepped and not sure and self._steering:
            return Command(self._rest_ppb(), None, None, "far off again: wait until it is sure enough for another step")
        return self._command(offset, phase, fit.frequency, t, now_ns, step=far)

    def _step_while_running(self, offset_ns: float, t: float) -> bool:
        if not self._far(offset_ns):
            return False
        dt = t - self._panel.t
        sure = abs(offset_ns) > self._statistical_ns(self._panel.state(dt)[2], dt)
        if not sure or self.samples - self._stepped_at < _STEP_PACKETS:
            return False
        self._stepped_at = self.samples
        return True

    def _far(self, offset_ns: float) -> bool:
        """Far enough off to be stepped, where the operator allows it."""
        first, later = self._options.first_step_threshold_ns, self._options.step_threshold_ns
        return (self._may_step and 0.0 < first < abs(offset_ns)) or 0.0 < later < abs(offset_ns)

    def _known_frequency(self) -> tuple[float, float] | None:
        """(frequency on the ledger's scale, its variance), when it was learnt before."""
        known = self._knowledge
        if known.oscillator_ppb is None:
            return None
        return known.oscillator_ppb + self._time.base_ppb, known.variance

    def _noise(self) -> float:
        return max(self._knowledge.levels.values(), default=1e6)

    def _hand_over(self, fit: Fit) -> None:
        self._running = True
        self._probation = _PROBATION
        for direction in self._directions.values():
            direction.set_level(self._knowledge.levels.get(direction.side, max(fit.variance, 0.1)), 8)
        if fit.wander > self._panel.q:
            self._panel.adopt(fit.wander, self._panel.notch)
        self._heard_t = fit.t
        self._panel.begin(fit.t, (fit.phase, fit.frequency, fit.delay), fit.covariance)
        self._bound.begin()

    # ---- running ----------------------------------------------------------------------------------------------

    def _running_packet(self, seen: Observed, now_ns: int) -> Command | None:
        panel = self._panel
        direction = self._directions[seen.side]
        grain2 = self._time.grain2(seen.side)
        if seen.t > self._heard_t:
            self._heard_t = seen.t
        panel.predict(seen.t, self._quietest())
        seen.nu = nu = panel.residual(seen.side, seen.t, seen.value)
        share, level = panel.chosen.share, direction.level
        variance = panel.chosen.expected(seen.side)[1] + share * level + LEAST_NOISE + grain2
        beta = sqrt((1.0 - share) * level)
        root = sqrt(variance)
        self._bound.saw(nu, variance, beta)
        direction.kept.append(seen)
        direction.height(seen, beta + root)
        misfits = self._misfits
        misfits.round_trip(seen)
        verdict: Verdict | None = None
        if -_GATE_SIGMAS * root < nu < _GATE_SIGMAS * root + _GATE_WAITS * beta:
            self._bound.corrected(panel.take(direction, seen.t, seen.value, grain2))
            self._heard.add(seen.side)
            if len(self._heard) == len(self._directions):
                self.samples += 1
            self._absurd = 0
            self.reason = f"packet {nu:+.3g} ns from its prediction"
            if misfits.newcomer:
                misfits.newcomer -= 1
            if self._probation:
                self._probation -= 1
        else:
            panel.settle()
            seen.misfit = True
            direction.misfit(seen)
            self.reason = f"packet {nu:+.3g} ns off set aside"
            if abs(nu) > _ABSURD_NS:
                return self._absurd_packet(nu)
            verdict = misfits.explain(seen, self._interval_s, grain2, probation=self._probation > 0)
        if verdict is None and direction.late and not self._probation:
            verdict = misfits.floor_risen(seen, self._interval_s)
        if verdict is None:
            verdict = misfits.check_physics(seen, self._interval_s, self._time.grain2(-1))
        if verdict is None and self.samples % _CALM_EVERY == 0:
            verdict = misfits.floor_too_far(direction, grain2)
        if verdict is not None:
            self._explained(verdict)
            if verdict.code in ("restart", "lost"):
                self._start_again(verdict)
                return None
        self._doubt_ns = misfits.doubt_ns(self._interval_s) if seen.misfit or self._doubt_ns else 0.0
        t = self._time.at(now_ns)
        belief = panel.belief()
        frequency = belief.frequency
        phase = belief.phase + frequency * (t - panel.t)
        offset = self._time.offset_ns(phase, t)
        self._judge(t, offset)
        return self._command(offset, phase, frequency, t, now_ns, step=self._step_while_running(offset, t))

    def _absurd_packet(self, nu: float) -> Command | None:
        """So far off that it would not fit into the filter's numbers: a few of them, and all begins anew."""
        self._absurd += 1
        if self._absurd >= _ABSURD_PACKETS:
            self._explained(Verdict("lost", f"the master's time has jumped by {nu / 1e9:+.0f} s: begin anew"))
            self._learn()
            self._begin(direct=self._direct)
        return None

    def _quietest(self) -> float:
        """The least noise level of the directions, ns^2."""
        forward = self._directions[1].level
        other = self._directions.get(-1)
        return forward if other is None or forward < other.level else other.level

    def _explained(self, verdict: Verdict) -> None:
        self.reason = verdict.reason
        self.counts[verdict.code] = self.counts.get(verdict.code, 0) + 1
        self._verdict = Decision(verdict.code, verdict.reason, verdict.inputs)

    def _start_again(self, verdict: Verdict) -> None:
        """A start that was wrong, or an estimate that is lost."""
        packets = sorted((p for d in self._directions.values() for p in d.kept if p.misfit), key=lambda p: p.t)
        q = self._panel.q
        self._learn()
        self._knowledge.oscillator_ppb = None
        if verdict.code == "restart":
            self._knowledge.wander_ppb = min(q * _RESTART_WANDER, _RESTART_WANDER_MOST)
            self._knowledge.levels = {}
        self._restart()
        for packet in packets:
            self._startup.add(packet)
        if self._state is ServoState.LOCKED:
            self._state = ServoState.TRACKING

    def _was_set(self) -> None:
        """The clock was set by an unknown amount: stamps from before mean nothing, its oscillator is the same."""
        self._explained(Verdict("set", "the clock was set by somebody else: phase and path are learnt anew"))
        self._learn()
        self._begin(direct=self._direct)

    def _learn(self) -> None:
        """Note what the running filter has learnt."""
        if not self._running:
            return
        chosen = self._panel.chosen
        self._knowledge = Knowledge(
            chosen.f - self._time.base_ppb,
            chosen.ff,
            chosen.q,
            self._panel.notch,
            chosen.x,
            {d.side: d.level for d in self._directions.values()},
        )

    # ---- commands ---------------------------------------------------------------------------------------------

    def _rest_ppb(self) -> float:
        """The command with which the clock neither gains nor loses."""
        if self._running:
            frequency = self._panel.belief().frequency
        else:
            frequency = self._fit.frequency if self._fit is not None else 0.0
        return max(-self._limit, min(self._limit, self._time.base_ppb - frequency))

    def _command(
        self, offset: float, phase: float, frequency: float, t: float, now_ns: int, *, step: bool
    ) -> Command | None:
        if not self._steering:
            return None
        if step:
            self._stepped = True
            reason = f"offset {format_ns(offset)} is beyond the step threshold: step"
            return Command(self._rest_ppb(), -self._time.offset_sns(phase, t), None, reason)
        wanted = drive(
            offset, frequency - self._time.base_ppb, self._interval_s, self._limit, self._options.max_slew_ppb
        )
        again = None if wanted.ends_in_s is None else now_ns + max(1, round(wanted.ends_in_s * 1e9))
        return Command(wanted.frequency_ppb, None, again, f"offset {format_ns(offset)}")

    def timer(self, now_ns: int) -> Command | None:
        """A slew has done its work, or a holdover goes on: the frequency alone."""
        if not self._steering or self._time.moment is None or not (self._running or self._fit):
            return None
        if self._state is ServoState.HOLDOVER:
            return self._hold(now_ns)
        return Command(self._rest_ppb(), None, None, "slewed")

    def temperature(self, celsius: float, now_ns: int) -> Command | None:
        shift = self._record.warmed(celsius)
        if not shift or not self._running or self._time.moment is None:
            return None
        self._carry_on(self._time.at(now_ns), shift)
        return self._hold(now_ns) if self._steering and self._state is ServoState.HOLDOVER else None

    def _carry_on(self, t: float, shift_ppb: float) -> None:
        """What is known of the oscillator without packets: ageing, and the change that a new temperature makes."""
        dt = t - self._panel.t
        if dt > 0.0:
            self._panel.predict(t, self._quietest())
            shift_ppb += self._record.ageing_ppb_per_s() * dt
        if shift_ppb:
            self._panel.shift(frequency=shift_ppb)

    def _hold(self, now_ns: int) -> Command:
        """What the clock would be told if it were seen: ageing, and the rounding of the last command, go on."""
        t = self._time.at(now_ns)
        self._carry_on(t, 0.0)
        frequency = self._rest_ppb()
        phase = self._panel.belief().phase
        slew = -self._time.offset_ns(phase, t) / (_HOLDOVER_NS / 1e9)
        slew = max(-_HOLDOVER_SLEW_PPB, min(_HOLDOVER_SLEW_PPB, slew))
        taken = max(-self._limit, min(self._limit, frequency + slew))
        return Command(taken, None, now_ns + _HOLDOVER_NS, f"no master: hold {frequency:+.1f} ppb")

    def commanded(self, clock_sns: int, frequency_ppb: float, step_sns: int, now_ns: int) -> None:
        if step_sns:
            # the clock was read after the step
            self._time.stepped(step_sns)
            self._step_under_way = False
        self._clock_ppb = frequency_ppb
        if self._time.moment is None:
            # nothing has been seen yet: the scale begins with the first observation
            self._begin(direct=self._direct)
        else:
            self._time.commanded(clock_sns, frequency_ppb, now_ns)

    # ---- what happened ----------------------------------------------------------------------------------------

    def take_over(self, frequency_ppb: float, *, in_service: bool = False, learnt_ppb: float | None = None) -> None:
        self._steering = True
        if in_service:
            self._may_step = False
        if not self._time.ledger.used:
            self._time.base_ppb = frequency_ppb
        self._clock_ppb = frequency_ppb
        if learnt_ppb is not None and not self._running and self._knowledge.oscillator_ppb is None:
            self._knowledge.oscillator_ppb = -frequency_ppb
            self._knowledge.variance = learnt_ppb**2

    def watch_only(self) -> Learnt | None:
        # on probation the frequency is a first guess, from a master that is not right yet it is that master's slewing:
        # who took either for learnt would start with an error it trusts
        sure = self._running and not self._probation and not self._uncertain_master
        settled = self._steering and sure and self._state in (ServoState.LOCKED, ServoState.HOLDOVER)
        self._steering = False
        if self._state is ServoState.HOLDOVER:
            self._state = ServoState.UNLOCKED
        if not settled:
            return None
        return Learnt(self._rest_ppb(), max(_LEARNT_SIGMAS * sqrt(self._panel.chosen.ff), _LEARNT_LEAST_PPB))

    def _judge(self, t: float, offset: float) -> None:
        """Locked or not, from the ``offset`` (ns) believed in at ``t`` (s)."""
        if not self._running or self._step_under_way:
            self._state = ServoState.TRACKING
            return
        locked = self._state is ServoState.LOCKED
        if not locked and any(d.run for d in self._directions.values()):
            # what it coasts on is being contradicted
            self._state = ServoState.TRACKING
            return
        size = abs(offset)
        limit = self._options.lock_threshold_ns
        if size > limit:
            dt = t - self._panel.t
            limit = max(limit, self._statistical_ns(self._panel.belief().variance(dt), dt))
        if locked:
            self._bad = self._bad + 1 if size > limit * self._options.unlock_factor else 0
            if self._bad >= _OUT_OF_LOCK:
                self._state = ServoState.TRACKING
        else:
            self._bad = 0
            self._state = ServoState.LOCKED if size <= limit else ServoState.TRACKING
        if self._state is ServoState.LOCKED and self._probation < _IN_SERVICE and not self._uncertain_master:
            self._may_step = False
        if self._state is ServoState.LOCKED and not self._probation:
            chosen = self._panel.chosen
            self._record.note(self._panel.t, chosen.f - self._time.base_ppb, sqrt(chosen.ff))

    def step_refused(self) -> None:
        self._stepped = False
        self._step_under_way = False

    def clock_stepped(self) -> None:
        """By how much, ``commanded`` will tell; if it does not, nothing is known of the phase any more."""
        self._step_under_way = True

    def new_master(self, now_ns: int) -> None:
        """Another path and another clock behind it; of our own oscillator everything stays."""
        self.samples = 0
        self._time.new_master()
        if self._state is ServoState.LOCKED:
            self._state = ServoState.TRACKING
        self._heard.clear()
        if not self._running:
            self._forget_start()
            return
        self._misfits.new_master()
        level = max(d.level for d in self._directions.values())
        self._panel.open(phase=level, delay=0.0 if self._direct else level)

    def _forget_start(self) -> None:
        self._startup.clear()
        self._fit = None
        self._time.forget_offset()

    def master_uncertain(self, uncertain: bool) -> None:
        changed = uncertain is not self._uncertain_master
        self._uncertain_master = uncertain
        if not changed or not self._may_step:
            return
        # what it said before it knew better, or doubted, may be of another time
        if self._running:
            self._probation = _PROBATION
        else:
            self._forget_start()

    def set_sync_interval(self, log_interval: int) -> None:
        self._interval_s = 2.0**log_interval
        del self._intervals[:]

    def lost(self, now_ns: int) -> Command | None:
        """Hold over: the mean of the prediction stays, its variance grows."""
        self.samples = 0
        self._last_forward = None
        for direction in self._directions.values():
            direction.run.clear()
            direction.late.clear()
        if not self._running:
            self._forget_start()
        if not self._steering:
            self._state = ServoState.UNLOCKED
            return None
        if self._state is ServoState.HOLDOVER:
            return None
        held = self._running and self._state is ServoState.LOCKED
        self._state = ServoState.HOLDOVER if held else ServoState.UNLOCKED
        if not self._running:
            return None
        self.reason = f"no master: hold {self._rest_ppb():+.1f} ppb"
        return self._hold(now_ns) if held else Command(self._rest_ppb(), None, None, self.reason)

    # ---- across a restart -------------------------------------------------------------------------------------

    def keep(self, now_ns: int) -> dict[str, Any] | None:
        if not self._running or self._probation or self._time.moment is None:
            return None
        self._learn()
        return {"servo": self.name, **self._knowledge.as_dict(), "notes": self._record.keep(self._time.at(now_ns))}

    def resume(self, kept: Mapping[str, Any], age_s: float, frequency_ppb: float) -> None:
        if kept["servo"] != self.name:
            raise ValueError(f"kept by a servo of type {kept['servo']}")
        knowledge = Knowledge.from_dict(kept)
        record = OscillatorRecord()
        record.resume(kept["notes"], age_s)
        self._knowledge, self._record = knowledge.aged(age_s), record
        self._clock_ppb = frequency_ppb
        self._begin(direct=self._direct)
        self.reason = f"goes on from {-(knowledge.oscillator_ppb or 0.0):+.1f} ppb, learnt {age_s:.0f} s ago"
