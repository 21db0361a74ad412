"""What a packet that does not fit means: nothing by itself; a run of them is explained.

In this order, at each misfit (c: its direction, o: the other one, m: how far off):

  clock       the last packet of o is a misfit of the opposite sign and of about the size: the clock has moved (a master
              that was stepped, an oscillator that jumped). Phase and frequency are opened, the newer packet is taken.
  noise       most of the last packets are late and scattered: the path has become noisier.
  (wait)      too few in a row to be more than strays. How many are needed follows from how often this direction strays:
              a run of n strays of share e has probability e^n, and e^-13 ... is what is believed.
  restart     during probation a run of misfits means that the start itself was wrong.
  step        the run is level: the path has changed. Both directions: only the delay moves. One direction only: half of
              it is delay and half is phase, the answer of any two-way exchange, which nobody can better.
  floor       (step again, for packets inside the gate) all packets are late, though none by too much: the floor has
  risen. physics     the delay has become negative, or longer than the round trip allows: back to what the packets
  allow. line        a straight line through the misfits of both directions: phase and frequency have changed.
  open, lost  none of these: the phase is opened; when that does not help, the start-up begins anew (without a step).

While a run is collected the clock coasts on its prediction. One short of a verdict, what the run would mean for the
clock is added to the bound (``doubt_ns``), and physics waits for it.

Direct readings have no path and wait for nothing: a run on one side is the clock (a step when it is level, a frequency
when it runs away), on both sides it is noise.
"""

from __future__ import annotations

from array import array
from dataclasses import dataclass, field
from itertools import pairwise
from math import exp, inf, log, sqrt
from typing import Any

from ptpstack.servo.estimator.direction import Direction, Observed
from ptpstack.servo.estimator.panel import Panel
from ptpstack.servo.estimator.startup import Startup, second_differences

_SURE = 13.0
_SHARES = (1e-4, 0.6)
_PAIR_INTERVALS = 2.5
_QUIET_INTERVALS = 15.0
_AGAIN_INTERVALS = 20.0
_SECOND_STEP_INTERVALS = 60.0
_MOSTLY_LATE = 0.6
_NEWCOMER_PACKETS = 4
#: Late packets lie close together when their range is within this many mean waits.
_LEVEL_WAITS = 5.0
#: A floor that rises in one direction only might be a spell of load there: it takes more to be believed.
_ONE_SIDED = 10
#: A second such step soon after makes the wander so many times larger; the vote takes it back if it was none.
_STEPS_WANDER = 4.0
#: Scatter below this share of the level contradicts it, when all packets lie this many widths above the floor.
_CALM = 0.02
_FAR = 0.3
_FAR_READINGS = 1.0
_CALM_PACKETS = 10
#: Round trips that are remembered.
_TRIPS = 6
#: Misfits in a row that may stay unexplained before physics speaks.
_PATIENCE = 10
#: Late packets in a row that bear out an early one of the other direction.
_LATE_THERE = 2
_RUN_LINE = 5
_RUN_LATE = 8
_RUN_OTHER = 4


@dataclass(frozen=True, slots=True)
class Verdict:
    """``code``: clock, noise, restart, step, delay, line, open, lost; ``reason``: a sentence; ``inputs``: its
    figures.
    """

    code: str
    reason: str
    inputs: dict[str, Any] = field(default_factory=dict)


class Misfits:
    def __init__(self, panel: Panel, directions: dict[int, Direction]) -> None:
        self._panel = panel
        self._directions = directions
        self._event_t: float | None = None
        self._step_t: float | None = None
        self._clock_t: float | None = None
        self._open_t: float | None = None
        #: the last round trips, each with what the clock may have done meanwhile added and taken off, ns
        self._longest = array("d")
        self._shortest = array("d")
        #: packets of a new master for which short runs are enough
        self.newcomer = 0

    def new_master(self) -> None:
        self.newcomer = _NEWCOMER_PACKETS
        for direction in self._directions.values():
            direction.run.clear()

    def needed(self, direction: Direction, late: bool) -> int:
        """Misfits in a row before they are more than strays."""
        if self.newcomer:
            return 2
        share = direction.late_share if late else direction.early_share
        share = max(_SHARES[0], min(_SHARES[1], share))
        return max(2, int(-_SURE / log(share)) + 1)

    def explain(self, seen: Observed, interval_s: float, grain2: float, *, probation: bool) -> Verdict | None:
        """``seen`` does not fit and is in its direction's run. None: wait for more."""
        verdict = self._explain(seen, interval_s, grain2, probation=probation)
        if verdict is not None:
            self._event_t = seen.t
            self._forget_runs()
        return verdict

    def doubt_ns(self, interval_s: float) -> float:
        """How far the clock may be off if the misfits that are being collected are right about it.

        It counts when one more would bring a verdict, unless the other direction is off with the same sign: then the
        path has changed, or when the other direction has not spoken yet though it is about to.
        """
        doubt = 0.0
        for own in self._directions.values():
            run = own.run
            if not run or len(run) + 1 < self.needed(own, run[-1].nu > 0):
                continue
            other = self._directions.get(-own.side)
            if other is not None and other.kept:
                last = other.kept[-1]
                if last.misfit and (last.nu > 0) == (run[-1].nu > 0):
                    continue
                if last.t < run[0].t and run[-1].t - last.t < _PAIR_INTERVALS * interval_s:
                    continue
            doubt = max(doubt, abs(run[-1].nu))
        return doubt

    def _forget_runs(self) -> None:
        del self._longest[:]
        del self._shortest[:]
        for direction in self._directions.values():
            direction.run.clear()
            direction.late.clear()

    def floor_risen(self, seen: Observed, interval_s: float) -> Verdict | None:
        """Packets that are all late, though none by too much to be taken: the floor has risen beneath them.

        If the floor were where it was, each would lie beyond the least of them with a probability p; n in a row do with
        p^n. When that is no longer to be believed and they lie close together, the floor is where the least of them
        says.
        """
        own = self._directions[seen.side]
        other = self._directions.get(-seen.side)
        if len(own.late) < 2 or seen.side == 0 or self._panel.direct:
            return None
        if other is not None and sum(1 for p in other.kept if p.t >= own.late[0].t) < 2:
            return None
        disbelief = 0.0
        floors = {}
        for direction in self._directions.values():
            count = len(direction.late)
            floors[direction.side] = 0.0
            if not count:
                continue
            residuals = [self._panel.residual(p.side, p.t, p.value) for p in direction.late]
            least = min(residuals)
            beta, sigma = self._noise(direction)
            if least <= 0.0 or max(residuals) - least > _LEVEL_WAITS * (beta + sigma):
                return None
            share = direction.share_beyond(least / (beta + sigma))
            disbelief -= count * log(max(share, exp(-least / beta) if beta > sigma else 0.0))
            floors[direction.side] = max(0.0, least - beta / count)
        both = all(floors.values())
        if disbelief < _SURE or (not both and len(own.late) < _ONE_SIDED):
            return None
        packets = sum(len(d.late) for d in self._directions.values())
        self._event_t = seen.t
        verdict = self._moved(seen, floors[1], floors.get(-1, 0.0), packets, own.level, interval_s)
        self._forget_runs()
        return verdict

    def _noise(self, direction: Direction) -> tuple[float, float]:
        """(mean wait, standard deviation of the symmetric part) of a direction, ns."""
        share = self._panel.share
        return sqrt((1.0 - share) * direction.level), sqrt(share * direction.level + 0.1)

    def floor_too_far(self, direction: Direction, grain2: float) -> Verdict | None:
        """Packets that are all late by about the same do not wait: the floor lies elsewhere."""
        kept = list(direction.kept)[-_CALM_PACKETS:]
        if len(kept) < _CALM_PACKETS:
            return None
        least, far = inf, (_FAR_READINGS if self._panel.direct else _FAR) * sqrt(direction.level)
        most = -inf
        # the newest ones first: most often they say at once that all is well
        for p in reversed(kept):
            residual = self._panel.residual(p.side, p.t, p.value)
            if p.misfit or (abs(residual) if self._panel.direct else residual) < far:
                return None
            least, most = min(least, residual), max(most, residual)
        if self._panel.direct:
            # readings that are all early count as well; some late and some early are noise
            least = max(least, -most)
        if least < far:
            return None
        scatter = max(second_differences(kept), default=inf)
        if scatter + grain2 + 0.1 > _CALM * direction.level:
            return None
        before = sqrt(direction.level)
        direction.set_level(2.0 * scatter + grain2, _CALM_PACKETS)
        if self._panel.direct or self._opposite(direction, least):
            # noise was taken for what is wander: a walk by q strays by q sqrt(span^3 / 3)
            size = abs(self._panel.residual(kept[-1].side, kept[-1].t, kept[-1].value))
            span = kept[-1].t - kept[0].t
            walk = 0.5 * size / sqrt(span**3 / 3.0)
            self._panel.adopt(max(self._panel.q, walk), self._panel.notch)
            self._panel.open(phase=size * size, frequency=(size / span) ** 2)
            self._event_t = kept[-1].t
            self._forget_runs()
            return Verdict(
                "calm",
                f"{_name(direction)} packets scatter by {sqrt(scatter):.3g} ns where {before:.3g} ns were believed in, "
                "all on one side: it is the clock that moves",
                {"direction": _name(direction), "before_ns": before, "now_ns": sqrt(scatter)},
            )
        floors = {direction.side: least}
        interval_s = (kept[-1].t - kept[0].t) / (len(kept) - 1)
        variance = scatter + (_FAR * least) ** 2
        self._moved(kept[-1], floors.get(1, 0.0), floors.get(-1, 0.0), len(kept), variance, interval_s)
        self._forget_runs()
        return Verdict(
            "calm",
            f"{_name(direction)} packets scatter by {sqrt(scatter):.3g} ns where {before:.3g} ns were believed in: "
            f"the floor is {least:.4g} ns higher",
            {"direction": _name(direction), "before_ns": before, "now_ns": sqrt(scatter)},
        )

    def _opposite(self, direction: Direction, by: float) -> bool:
        """The other direction's packets are early by about as much as this one's are late: no path does that."""
        other = self._directions.get(-direction.side)
        kept = list(other.kept)[-_CALM_PACKETS // 2 :] if other is not None and direction.side else []
        return len(kept) >= _CALM_PACKETS // 2 and all(
            self._panel.residual(p.side, p.t, p.value) < -0.5 * by for p in kept
        )

    def round_trip(self, seen: Observed) -> None:
        """Note the round trip that ``seen`` completes, whatever else it may mean."""
        own, other = self._directions[seen.side], self._directions.get(-seen.side)
        if seen.side == 0 or other is None or len(own.kept) < 2 or not other.kept:
            return
        before, between = own.kept[-2], other.kept[-1]
        # a trip across an event would be half of the old path and half of the new one
        if before.t < between.t < seen.t and (self._event_t is None or before.t >= self._event_t):
            # the other direction's packet against the line between its neighbours: no frequency has to be known
            gap = seen.t - before.t
            share = (between.t - before.t) / gap
            trip = between.value + before.value + share * (seen.value - before.value)
            drift = self._panel.q * gap * sqrt(gap)
            self._longest.append(trip + drift)
            self._shortest.append(trip - drift)
            if len(self._longest) > _TRIPS:
                del self._longest[0], self._shortest[0]

    def check_physics(self, seen: Observed, interval_s: float, grain2: float) -> Verdict | None:
        """A path takes time, in both directions: the delay lies between nothing and half of the round trip seen, and no
        wait is longer than the round trip. An estimate that says otherwise has gone astray and is taken back to what
        the last packets allow.
        """
        panel = self._panel
        own, other = self._directions[seen.side], self._directions.get(-seen.side)
        if other is None or len(self._longest) < _TRIPS:
            return None
        chosen = panel.chosen
        most, least = max(self._longest), min(self._shortest)
        cap = most * most + 1.0 if most > 0.0 else 1.0
        for direction in (own, other):
            direction.most = cap
            if direction.level > cap:
                direction.level = cap
        level = own.level if own.level > other.level else other.level
        slack = 4.0 * sqrt(chosen.dd + panel.share * level + grain2) + 10.0
        delay = chosen.d
        if (least / 2.0 if least < 0.0 else 0.0) - slack <= delay <= (most / 2.0 if most > 0.0 else 0.0) + slack:
            return None
        if 0 < max(len(own.run), len(other.run)) < _PATIENCE:
            # a path that has just become shorter contradicts too: a run has the first word
            return None
        trip = (self._longest[-1] + self._shortest[-1]) / 2.0
        size = max(abs(trip), abs(chosen.d))
        verdict = Verdict(
            "physics",
            f"a delay of {chosen.d:.4g} ns contradicts a round trip of {trip:.4g} ns: back to what that allows",
            {"delay_ns": chosen.d, "round_trip_ns": trip},
        )
        phase = seen.side * (seen.value - trip / 2.0)
        panel.adopt(4.0 * panel.q, panel.notch, chosen.x)
        room = trip * trip
        panel.begin(
            seen.t,
            (phase, chosen.f, trip / 2.0),
            (room, 0.0, 0.0, chosen.ff + (size / interval_s) ** 2, 0.0, room),
        )
        self._event_t = seen.t
        self._forget_runs()
        return verdict

    def _explain(self, seen: Observed, interval_s: float, grain2: float, *, probation: bool) -> Verdict | None:
        panel = self._panel
        own = self._directions[seen.side]
        other = self._directions.get(-seen.side)
        verdict = self._clock_moved(seen, own, other, interval_s, grain2, probation=probation)
        if verdict is not None:
            return verdict
        sigma = sqrt(own.level + grain2)
        quiet = self._event_t is None or seen.t - self._event_t > _QUIET_INTERVALS * interval_s
        if quiet and (panel.direct or own.late_soon > _MOSTLY_LATE) and self._noisier(own, seen.t, sigma):
            return Verdict(
                "noise",
                f"{_name(own)} packets have become noisier: {sqrt(own.level):.3g} ns where {sigma:.3g} ns were usual",
                {"direction": _name(own), "before_ns": sigma, "now_ns": sqrt(own.level)},
            )
        late = seen.nu > 0
        if len(own.run) < self.needed(own, late):
            return None
        if other is not None:
            heard = sum(1 for p in other.kept if p.t >= own.run[0].t)
            if heard < 2 or (other.run and len(other.run) < 2):
                return None
        if probation:
            return Verdict("restart", f"{len(own.run)} packets in a row contradict a start not yet proven: begin anew")
        run = [panel.residual(p.side, p.t, p.value) for p in own.run]
        other_run = [panel.residual(p.side, p.t, p.value) for p in other.run] if other is not None else []
        middle, other_middle = _median(run), (_median(other_run) if other_run else 0.0)
        tolerance = max(6.0 * sigma, 0.05 * max(abs(middle), abs(other_middle)))
        level = all(abs(r - middle) <= tolerance for r in run) and all(
            abs(r - other_middle) <= tolerance for r in other_run
        )
        if level:
            return self._stepped(seen, middle, other_middle, run, other_run, own, interval_s)
        if panel.direct:
            return self._readings_moved(seen, own, run, interval_s, grain2)
        if (not late or other_run) and len(run) + len(other_run) >= _RUN_LINE:
            verdict = self._line(own, other, grain2)
            if verdict is not None:
                return verdict
        if min(run, default=0.0) > 0.0 and min(other_run, default=1.0) > 0.0:
            if len(run) + len(other_run) < _RUN_LATE:
                return None
            for direction, residuals in ((own, run), (other, other_run)):
                if direction is not None and residuals:
                    direction.set_level(sum(r * r for r in residuals) / len(residuals) / 2.0, 8)
            where = "both directions" if other_run else _name(own)
            return Verdict(
                "noise",
                f"{len(run) + len(other_run)} late, scattered packets in a row ({where}): the path has become noisier",
                {"direction": where, "before_ns": sigma, "now_ns": sqrt(own.level)},
            )
        if len(run) < _RUN_OTHER:
            return None
        again = self._open_t is not None and seen.t - self._open_t < _AGAIN_INTERVALS * interval_s
        self._open_t = seen.t
        if again:
            return Verdict("lost", "packets go on contradicting the estimate after it was opened: begin anew")
        size = max(abs(r) for r in run)
        panel.open(phase=size * size, frequency=(size / (4.0 * interval_s)) ** 2)
        return Verdict(
            "open", f"packets lie up to {size:.3g} ns off without a pattern: phase and frequency are open", {"ns": size}
        )

    def _clock_moved(
        self,
        seen: Observed,
        own: Direction,
        other: Direction | None,
        interval_s: float,
        grain2: float,
        *,
        probation: bool,
    ) -> Verdict | None:
        if other is None or seen.side == 0 or not other.kept:
            return None
        last = other.kept[-1]
        # Packets are early when the clock has moved or when the path has become shorter. Those of the other direction
        # tell which: they bear a clock out when they are all late by about as much, though not too late to be taken.
        late = (
            seen.nu < 0
            and len(other.late) >= _LATE_THERE
            and all(self._panel.residual(p.side, p.t, p.value) > -0.5 * seen.nu for p in other.late[-_LATE_THERE:])
        )
        if not (last.misfit or late) or seen.t - last.t > _PAIR_INTERVALS * interval_s:
            return None
        there = self._panel.residual(last.side, last.t, last.value)
        if there * seen.nu >= 0 or not abs(seen.nu) / 3.0 <= abs(there) <= 3.0 * abs(seen.nu):
            return None
        if probation and self._clock_t is not None:
            return Verdict("restart", "the clock seems to move again and again after a start: begin anew")
        size = max(abs(seen.nu), abs(there))
        self._wanders(seen.t, interval_s)
        # another master's offset says nothing of our own frequency
        self._panel.open(phase=size * size, frequency=0.0 if self.newcomer else (size / interval_s) ** 2)
        # The newer one settles the phase, since the delay is as certain as before. The older one would only tell where
        # the clock was before it went wherever it is going.
        seen.misfit = False
        self._panel.take(own, seen.t, seen.value, grain2)
        return Verdict(
            "clock",
            f"both directions are off by about {size:.3g} ns with opposite signs: the clock or its master has moved",
            {"ns": size},
        )

    def _wanders(self, t: float, interval_s: float) -> None:
        """The clock has moved. An oscillator that keeps jumping wanders more than was thought."""
        if self._clock_t is not None and t - self._clock_t < _AGAIN_INTERVALS * interval_s:
            self._panel.adopt(2.0 * self._panel.q, self._panel.notch, self._panel.chosen.x)
        self._clock_t = t

    def _readings_moved(
        self, seen: Observed, own: Direction, run: list[float], interval_s: float, grain2: float
    ) -> Verdict | None:
        """Readings that run away to one side: no path is there to explain it, so the clock has another frequency. On
        both sides they are noise.
        """
        size = max(abs(r) for r in run)
        one_side = min(run) > 0.0 or max(run) < 0.0
        if len(run) < _RUN_LINE and not (one_side and all(abs(a) < abs(b) for a, b in pairwise(run))):
            return None
        if not one_side:
            before = sqrt(own.level)
            own.set_level(sum(r * r for r in run) / len(run), 8)
            return Verdict(
                "noise",
                f"{len(run)} readings in a row scatter to both sides: {sqrt(own.level):.3g} ns of noise where "
                f"{before:.3g} ns were usual",
                {"direction": _name(own), "before_ns": before, "now_ns": sqrt(own.level)},
            )
        self._wanders(seen.t, interval_s)
        self._panel.open(phase=size * size, frequency=(size / interval_s) ** 2)
        seen.misfit = False
        self._panel.take(own, seen.t, seen.value, grain2)
        return Verdict(
            "clock",
            f"{len(own.run)} readings in a row run away, up to {size:.3g} ns off: the clock has another frequency",
            {"ns": size},
        )

    def _noisier(self, own: Direction, t: float, sigma: float) -> bool:
        recent = [self._panel.residual(p.side, p.t, p.value) for p in list(own.kept)[-10:]]
        if self._panel.direct:
            # a reading cannot be late: noise lies on both sides, a clock that moves on one
            far = [r for r in recent if abs(r) > 9.0 * sigma]
            if len(far) < 5 or not 2 <= sum(r > 0.0 for r in far) <= len(far) - 2:
                return False
        else:
            far = [r for r in recent if r > 9.0 * sigma]
            if len(far) < 5 or max(far) - min(far) <= max(8.0 * sigma, 0.5 * _median(far)):
                return False
        own.set_level(sum(r * r for r in recent) / len(recent) / 2.0, 8)
        return True

    def _stepped(
        self,
        seen: Observed,
        middle: float,
        other_middle: float,
        run: list[float],
        other_run: list[float],
        own: Direction,
        interval_s: float,
    ) -> Verdict:
        spread = max(max(run) - min(run), (max(other_run) - min(other_run)) if other_run else 0.0)
        forward, reverse = (middle, other_middle) if seen.side >= 0 else (other_middle, middle)
        variance = own.level + spread * spread
        return self._moved(seen, forward, reverse, len(run) + len(other_run), variance, interval_s)

    def _moved(
        self, seen: Observed, forward: float, reverse: float, packets: int, variance: float, interval_s: float
    ) -> Verdict:
        """The floors have moved by ``forward`` and ``reverse`` ns, known to about ``variance``."""
        panel = self._panel
        if panel.direct:
            phase, delay = forward, 0.0
        elif seen.side == 0:
            phase, delay = 0.0, forward
        else:
            phase, delay = (forward - reverse) / 2.0, (forward + reverse) / 2.0
        frequency = 0.0
        if self._step_t is not None and 0.0 < seen.t - self._step_t < _SECOND_STEP_INTERVALS * interval_s:
            frequency = (phase / max(seen.t - self._step_t, interval_s)) ** 2
            if frequency > panel.chosen.ff:
                # again and again: it may be a frequency that was held for sure
                panel.adopt(_STEPS_WANDER * panel.q, panel.notch, panel.chosen.x)
        self._step_t = seen.t
        panel.shift(phase=phase, delay=delay)
        panel.open(phase=2.0 * variance, delay=0.0 if panel.direct else 2.0 * variance, frequency=frequency)
        inputs = {"phase_ns": phase, "delay_ns": delay, "packets": packets}
        if forward and reverse and abs(phase) < 0.25 * abs(delay):
            return Verdict("delay", f"the path has become {delay:+.4g} ns longer in both directions", inputs)
        if not panel.direct and (forward == 0.0) != (reverse == 0.0):
            which = _name(self._directions[1 if forward else -1])
            return Verdict(
                "step",
                f"the {which} path has changed by {forward + reverse:+.4g} ns alone: half is taken for delay, half for "
                "the clock; which it was, no two-way exchange can see",
                inputs,
            )
        return Verdict("step", f"phase {phase:+.4g} ns and delay {delay:+.4g} ns have changed", inputs)

    def _line(self, own: Direction, other: Direction | None, grain2: float) -> Verdict | None:
        begin = own.run[0].t if other is None or not other.run else min(own.run[0].t, other.run[0].t)
        start = Startup(self._panel.direct)
        packets = [p for d in self._directions.values() for p in d.kept if p.t >= begin]
        for packet in packets:
            start.add(packet)
        fit = start.fit(grain2)
        if fit is None or fit.inliers < max(_RUN_LINE, (2 * len(packets)) // 3):
            return None
        if fit.variance > 36.0 * (own.level + grain2):
            return None
        chosen = self._panel.chosen
        change = fit.frequency - chosen.f
        self._panel.predict(fit.t, own.level)
        self._panel.begin(fit.t, (fit.phase, fit.frequency, fit.delay), fit.covariance)
        return Verdict(
            "line",
            f"{fit.inliers} packets lie on a new line: frequency {change:+.4g} ppb",
            {"frequency_change_ppb": change, "packets": fit.inliers},
        )


def _name(direction: Direction) -> str:
    return {1: "master-to-slave", -1: "slave-to-master", 0: "peer delay"}[direction.side]


def _median(values: list[float]) -> float:
    ordered = sorted(values)
    middle = len(ordered) // 2
    return ordered[middle] if len(ordered) % 2 else 0.5 * (ordered[middle - 1] + ordered[middle])
