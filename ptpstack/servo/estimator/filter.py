"""What happens to an observation, in order: what is believed of the clock, from the first packet on.

Start (``startup``), then the running filter (``panel``), and from there back to a start when an estimate is lost or the
clock was set. What is done about the clock is the servo's business (``servo``).
"""

from __future__ import annotations

from collections.abc import Mapping
from math import sqrt
from typing import Any

from ptpstack.protocol.decision import Decision
from ptpstack.servo.base import Request
from ptpstack.servo.estimator import physics
from ptpstack.servo.estimator.bound import Bound
from ptpstack.servo.estimator.changes import Changes
from ptpstack.servo.estimator.direction import Direction, Observed
from ptpstack.servo.estimator.floors import floor_risen, floor_too_far, late_doubt_ns
from ptpstack.servo.estimator.interval import Interval
from ptpstack.servo.estimator.memory import Memory
from ptpstack.servo.estimator.misfits import Misfits
from ptpstack.servo.estimator.neighbor import OneClock
from ptpstack.servo.estimator.outlook import Outlook
from ptpstack.servo.estimator.panel import LEAST_NOISE, Panel
from ptpstack.servo.estimator.startup import Fit, Startup
from ptpstack.servo.estimator.timeline import Timeline
from ptpstack.servo.estimator.verdict import Verdict

#: Gate: a packet is taken when it lies within these many standard deviations and mean waits.
_GATE_SIGMAS = 6.0
_GATE_WAITS = 9.0
#: Packets for which a run of misfits throws a start away.
PROBATION = 40
#: A clock that is this far from where the driver's clock says it should be was set by somebody, s.
_SET_FROM_OUTSIDE_S = 5.0
_CALM_EVERY = 3
#: A master that jumps by more than this (a day) is another one.
_ABSURD_NS = 1e14
_ABSURD_PACKETS = 4


class Filter:
    def __init__(self) -> None:
        self.memory = Memory()
        #: the command that the clock runs with, ppb
        self.clock_ppb = 0.0
        self.interval = Interval()
        self._reading_bound_ns = 0.0
        #: side of what tells the delay: -1 Delay_Req, 0 peer delay
        self._back = -1
        self._one_clock = OneClock()
        self.samples = 0
        #: what the last observation led to; "": it was taken
        self.told = "no measurement yet"
        #: how far it was from its prediction, ns
        self._nu = 0.0
        #: news that the last observation has brought
        self.verdict: Decision | None = None
        self.begin(direct=False)

    def begin(self, *, direct: bool) -> None:
        """A new scale of time, and nothing known of phase and path."""
        self.direct = direct
        self.time = Timeline(self.clock_ppb, direct)
        self.interval.pause()
        self.step_under_way = False
        self._bound = Bound(direct)
        if not direct:
            self._bound.one_sided(self._back == 0)
        self._restart()

    def _restart(self) -> None:
        """Learn phase and path anew; what is known of noise and oscillator stays."""
        self.panel = Panel(self.direct)
        self.memory.prepare(self.panel)
        self.directions = {1: Direction(1)} if self.direct else {1: Direction(1), self._back: Direction(self._back)}
        self._changes = Changes(self.panel, self.directions)
        self._misfits = Misfits(self._changes)
        self._startup = Startup(self.direct)
        #: what runs of misfits that are not explained yet may mean, ns
        self._doubt_ns = 0.0
        self.running = False
        self.fit: Fit | None = None
        #: packets for which the start is not proven
        self.probation = 0
        self._absurd = 0
        #: time of the newest packet, s
        self.heard_t = 0.0
        #: sides heard of this master
        self._heard: set[int] = set()

    # ---- what is believed -------------------------------------------------------------------------------------

    @property
    def reason(self) -> str:
        # most are never read
        return self.told or f"packet {self._nu:+.3g} ns from its prediction"

    def frequency(self) -> float:
        """Of the free clock on the ledger's scale, ppb."""
        if self.running:
            return self.panel.belief().frequency
        return self.fit.frequency if self.fit is not None else 0.0

    def path_delay_ns(self) -> float | None:
        if self.direct or not (self.running or self.fit):
            return None
        return self.panel.chosen.d if self.running or self.fit is None else self.fit.delay

    def bound_at(self, t: float) -> float:
        """The statistical part at ``t`` s, as if a packet had just come, ns."""
        dt = t - self.panel.t
        return self.statistical_ns(self.panel.variance(dt), dt)

    def statistical_ns(self, variance: float, silent: float) -> float:
        """``variance`` of the phase, ns^2; ``silent``: s since the last packet."""
        allowance = self.memory.record.allowance_ns(silent, self.panel.q) + self._doubt_ns
        return self._bound.statistical_ns(variance, self.time.hidden2(self._quietest()), allowance)

    def systematic_ns(self) -> float:
        if self.direct:
            return self._reading_bound_ns
        delay = self.path_delay_ns()
        return (max(0.0, delay) if delay is not None else 0.0) + self.time.doubt_ns()

    # ---- observations -----------------------------------------------------------------------------------------

    def sync(self, t1_sns: int, t2_sns: int, correction_sns: int, now_ns: int) -> Outlook | None:
        """None, here and below: there is nothing to act on."""
        if self.direct:
            self.begin(direct=False)
        self.time.local_grain.add(t2_sns)
        self.time.sent_grain.add(t1_sns)
        return self._observe(1, t2_sns, t2_sns - t1_sns - correction_sns, now_ns)

    def delay(self, t3_sns: int, t4_sns: int, correction_sns: int, now_ns: int) -> Outlook | None:
        if self.direct:
            self.begin(direct=False)
        self._measured_by(-1)
        self.time.local_grain.add(t3_sns)
        self.time.received_grain.add(t4_sns)
        return self._observe(-1, t3_sns, t4_sns - t3_sns - correction_sns, now_ns)

    def link_delay(self, clock_sns: int, delay_sns: int, request: Request | None, now_ns: int) -> Outlook | None:
        if self.direct:
            self.begin(direct=False)
        if request is not None and self.running and not self.step_under_way:
            before = self._one_clock.believed
            shows = self._one_clock.shows(request, delay_sns, self.time, self.panel, self.directions[1])
            if shows is not before:
                self._explained(self._one_clock.verdict())
            if shows:
                return self.delay(*request, now_ns)
        self._measured_by(0)
        return self._observe(0, clock_sns, delay_sns, now_ns)

    def _measured_by(self, side: int) -> None:
        """The delay is told by packets of this side from now on."""
        if side == self._back:
            return
        del self.directions[self._back]
        self._heard.discard(self._back)
        self._back = side
        self._bound.one_sided(side == 0)
        self.directions[side] = direction = Direction(side)
        if self.running:
            direction.set_level(self.memory.level(side, self.directions[1].level), 8)

    def reading(self, clock_sns: int, offset_sns: int, bound_ns: float, now_ns: int) -> Outlook | None:
        if not self.direct:
            self.begin(direct=True)
        self._reading_bound_ns = bound_ns
        return self._observe(1, clock_sns, offset_sns, now_ns)

    def _observe(self, side: int, clock_sns: int, difference_sns: int, now_ns: int) -> Outlook | None:
        time = self.time
        t = time.ledger.seconds(clock_sns)
        ahead = time.ahead_s(t, now_ns)
        # a Delay_Resp may come late, so that its t3 is old; a clock that was set back shows in the next Sync
        if self.step_under_way or ahead > _SET_FROM_OUTSIDE_S or (side > 0 and ahead < -_SET_FROM_OUTSIDE_S):
            self._was_set()
            time = self.time
            t = time.ledger.seconds(clock_sns)
        if side > 0:
            time.moment = (t, now_ns)
            self.interval.saw(t)
        elif time.moment is None:
            time.moment = (t, now_ns)
        seen = Observed(side, t, time.value(side, t, difference_sns))
        return self._running_packet(seen, now_ns) if self.running else self._starting_packet(seen, now_ns)

    # ---- start ------------------------------------------------------------------------------------------------

    def _starting_packet(self, seen: Observed, now_ns: int) -> Outlook | None:
        self._startup.add(seen)
        self.directions[seen.side].kept.append(seen)
        known = self.memory.knowledge
        if known.oscillator_ppb is None:
            fit = self._startup.fit(self.time.grain2(self._back))
        else:
            frequency = known.oscillator_ppb + self.time.base_ppb
            fit = self._startup.fit_known(frequency, known.variance, max(known.levels.values(), default=1e6))
        if fit is None:
            self.told = f"start: {self._startup.packets} packets"
            return None
        self.fit = fit
        self.samples += 1
        self.told = f"start: {fit.inliers} packets on a line, frequency {fit.frequency:+.1f} ppb"
        if fit.ready:
            self._hand_over(fit)
        t = self.time.at(now_ns)
        phase = fit.phase + fit.frequency * (t - fit.t)
        return Outlook(t, phase, fit.frequency, self.time.offset_ns(phase, t), fit)

    def _hand_over(self, fit: Fit) -> None:
        self.running = True
        self.probation = PROBATION
        for direction in self.directions.values():
            direction.set_level(self.memory.level(direction.side, max(fit.variance, 0.1)), 8)
        if fit.wander > self.panel.q:
            self.panel.adopt(fit.wander, self.panel.notch)
        self.heard_t = fit.t
        self.panel.begin(fit.t, (fit.phase, fit.frequency, fit.delay), fit.covariance)
        self._bound.begin()

    # ---- running ----------------------------------------------------------------------------------------------

    def _running_packet(self, seen: Observed, now_ns: int) -> Outlook | None:
        panel = self.panel
        direction = self.directions[seen.side]
        grain2 = self.time.grain2(seen.side)
        if seen.t > self.heard_t:
            self.heard_t = seen.t
        panel.predict(seen.t, self._quietest())
        self._nu = seen.nu = nu = panel.residual(seen.side, seen.t, seen.value)
        chosen, level = panel.chosen, direction.level
        share = chosen.share
        variance = chosen.expected(seen.side) + share * level / direction.ways + LEAST_NOISE + grain2
        beta = sqrt((1.0 - share) * level)
        root = sqrt(variance)
        self._bound.saw(nu, variance, beta)
        direction.kept.append(seen)
        direction.height(seen, beta + root)
        misfits, changes = self._misfits, self._changes
        physics.note_round_trip(changes, seen)
        verdict: Verdict | None = None
        if -_GATE_SIGMAS * root < nu < _GATE_SIGMAS * root + _GATE_WAITS * beta:
            self._bound.corrected(panel.take(direction, seen.t, seen.value, grain2))
            self._heard.add(seen.side)
            if len(self._heard) == len(self.directions):
                self.samples += 1
            self._absurd = 0
            self.told = f"packet {nu:+.3g} ns from its prediction"
            if misfits.newcomer:
                misfits.newcomer -= 1
            if self.probation:
                self.probation -= 1
        else:
            panel.settle()
            seen.misfit = True
            direction.misfit(seen)
            self.told = f"packet {nu:+.3g} ns off set aside"
            if abs(nu) > _ABSURD_NS:
                self._absurd_packet(nu)
                return None
            verdict = misfits.explain(seen, self.interval.s, grain2, probation=self.probation > 0)
        if verdict is None and direction.late and not self.probation:
            verdict = floor_risen(changes, seen, self.interval.s)
        if verdict is None:
            verdict = physics.check(changes, seen, self.interval.s, self.time.grain2(self._back))
        if verdict is None and self.samples % _CALM_EVERY == 0:
            verdict = floor_too_far(changes, direction, grain2)
        if verdict is not None:
            self._explained(verdict)
            if verdict.code in ("restart", "lost"):
                self._start_again(verdict)
                return None
        self._doubt_ns = max(misfits.doubt_ns(self.interval.s), late_doubt_ns(changes))
        t = self.time.at(now_ns)
        belief = panel.belief()
        frequency = belief.frequency
        phase = belief.phase + frequency * (t - panel.t)
        return Outlook(t, phase, frequency, self.time.offset_ns(phase, t), None)

    def _absurd_packet(self, nu: float) -> None:
        """So far off that it would not fit into the filter's numbers: a few of them, and all begins anew."""
        self._absurd += 1
        if self._absurd >= _ABSURD_PACKETS:
            self._explained(Verdict("lost", f"the master's time has jumped by {nu / 1e9:+.0f} s: begin anew"))
            self.learn()
            self.begin(direct=self.direct)

    def _quietest(self) -> float:
        """The least noise level of the directions, ns^2."""
        forward = self.directions[1].level
        other = self.directions.get(self._back)
        return forward if other is None or forward < other.level else other.level

    def contradicted(self) -> bool:
        """Misfits are being collected: what it coasts on may be wrong."""
        return any(d.run for d in self.directions.values())

    def _explained(self, verdict: Verdict) -> None:
        self.told = verdict.reason
        self.verdict = Decision(verdict.code, verdict.reason, verdict.inputs)

    def _start_again(self, verdict: Verdict) -> None:
        """A start that was wrong, or an estimate that is lost."""
        packets = sorted((p for d in self.directions.values() for p in d.kept if p.misfit), key=lambda p: p.t)
        self.learn()
        self.memory.lost(self.panel.q, proven=verdict.code != "restart")
        self._restart()
        for packet in packets:
            self._startup.add(packet)

    def _was_set(self) -> None:
        """The clock was set by an unknown amount: stamps from before mean nothing, its oscillator is the same."""
        self._explained(Verdict("set", "the clock was set by somebody else: phase and path are learnt anew"))
        self.learn()
        self.begin(direct=self.direct)

    def learn(self) -> None:
        """Note what the running filter has learnt."""
        if self.running:
            self.memory.learn(self.panel, self.directions.values(), self.time.base_ppb)

    # ---- what happened ----------------------------------------------------------------------------------------

    def commanded(self, clock_sns: int, frequency_ppb: float, step_sns: int, now_ns: int) -> None:
        if step_sns:
            # the clock was read after the step
            self.time.stepped(step_sns)
            self.step_under_way = False
        self.clock_ppb = frequency_ppb
        if self.time.moment is None:
            # nothing has been seen yet: the scale begins with the first observation
            self.begin(direct=self.direct)
        else:
            self.time.commanded(clock_sns, frequency_ppb, now_ns)

    def take_over(self, frequency_ppb: float, learnt_ppb: float | None) -> None:
        """The clock is ours now and runs with this command; ``learnt_ppb``: what is known of it (``servo.base``)."""
        if not self.time.ledger.used:
            self.time.base_ppb = frequency_ppb
        self.clock_ppb = frequency_ppb
        if learnt_ppb is not None and not self.running:
            self.memory.handed(-frequency_ppb, learnt_ppb)

    def carry_on(self, t: float, shift_ppb: float) -> None:
        """What is known of the oscillator without packets: ageing, and the change that a new temperature makes."""
        dt = t - self.panel.t
        if dt > 0.0:
            self.panel.predict(t, self._quietest())
            shift_ppb += self.memory.record.ageing_ppb_per_s() * dt
        if shift_ppb:
            self.panel.shift(frequency=shift_ppb)

    def new_master(self) -> None:
        """Another path and another clock behind it; of our own oscillator everything stays."""
        self.samples = 0
        self.time.new_master()
        self._heard.clear()
        self._one_clock.forget()
        if not self.running:
            self.forget_start()
            return
        self._misfits.new_master()
        level = max(d.level for d in self.directions.values())
        self.panel.open(phase=level, delay=0.0 if self.direct else level)

    def forget_start(self) -> None:
        self._startup.clear()
        self.fit = None
        self.time.forget_offset()

    def lost(self) -> None:
        """The master is gone: what was being collected will not be completed."""
        self.samples = 0
        self.interval.pause()
        for direction in self.directions.values():
            direction.run.clear()
            direction.late.clear()
        if not self.running:
            self.forget_start()

    # ---- across a restart -------------------------------------------------------------------------------------

    def keep(self, now_ns: int) -> dict[str, Any] | None:
        if not self.running or self.probation or self.time.moment is None:
            return None
        self.learn()
        return self.memory.keep(self.time.at(now_ns))

    def resume(self, kept: Mapping[str, Any], age_s: float, frequency_ppb: float) -> None:
        said = self.memory.resume(kept, age_s)
        self.clock_ppb = frequency_ppb
        self.begin(direct=self.direct)
        self.told = said
