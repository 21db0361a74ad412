"""What a packet that does not fit means: nothing by itself; a run of them is explained.

In this order, at each misfit (c: its direction, o: the other one, m: how far off):

  clock       the last packet of o is a misfit of the opposite sign and of about the size: the clock has moved (a master
              that was stepped, an oscillator that jumped). Phase and frequency are opened, the newer packet is taken.
  noise       most of the last packets are late and scattered: the path has become noisier.
  (wait)      too few in a row to be more than strays. How many are needed follows from how often this direction strays:
              a run of n strays of share e has probability e^n, and e^-15 is what is believed.
  restart     during probation a run of misfits means that the start itself was wrong.
  step        the run is level: the path has changed. Both directions: only the delay moves. One direction only: half of
              it is delay and half is phase, the answer of any two-way exchange, which nobody can better.
  line        a straight line through the misfits of both directions: phase and frequency have changed.
  open, lost  none of these: the phase is opened; when that does not help, the start-up begins anew (without a step).

While a run is collected the clock coasts on its prediction. One short of a verdict, what the run would mean for the
clock is added to the bound (``doubt_ns``), and ``physics`` waits for it. ``floors`` looks at packets that do fit.

Direct readings have no path and wait for nothing: a run on one side is the clock (a step when it is level, a frequency
when it runs away), on both sides it is noise.
"""

from __future__ import annotations

from itertools import pairwise
from math import inf, log, sqrt

from ptpstack.servo.estimator.changes import Changes
from ptpstack.servo.estimator.direction import RARE, Direction, Observed
from ptpstack.servo.estimator.floors import SURE, disbelief, is_usual
from ptpstack.servo.estimator.startup import Startup
from ptpstack.servo.estimator.verdict import Verdict, name
from ptpstack.servo.spike_gate import median

_SHARES = (1e-4, 0.6)
_PAIR_INTERVALS = 2.5
_QUIET_INTERVALS = 15.0
_MOSTLY_LATE = 0.6
_NEWCOMER_PACKETS = 4
#: Late packets in a row that bear out an early one of the other direction, and how little by chance (-ln p).
_LATE_THERE = 2
_UNUSUAL = 7.0
_RUN_LINE = 5
_RUN_LATE = 8
_RUN_OTHER = 4
_RUN_READINGS = 4


class Misfits:
    def __init__(self, changes: Changes) -> None:
        self._changes = changes
        self._panel = changes.panel
        self._directions = changes.directions
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
        if self._panel.direct or not late:
            # a clock that runs away must not make strays of what shows it, one by one; late packets may be strays
            share -= RARE * len(direction.run)
        share = max(_SHARES[0], min(_SHARES[1], share))
        return max(_RUN_READINGS if self._panel.direct else 2, int(-SURE / log(share)) + 1)

    def explain(self, seen: Observed, interval_s: float, grain2: float, *, probation: bool) -> Verdict | None:
        """``seen`` does not fit and is in its direction's run. None: wait for more."""
        own = self._directions[seen.side]
        other = self._changes.other(own)
        verdict = self._clock_moved(seen, own, other, interval_s, grain2, probation=probation)
        if verdict is None:
            noise = self._noisier(own, seen.t, interval_s, grain2)
            if noise is not None:
                self._changes.noisier(own, seen.t)
                return noise
            verdict = self._explain(seen, own, other, interval_s, grain2, probation=probation)
        if verdict is not None:
            self._changes.happened(seen.t)
        return verdict

    def doubt_ns(self, interval_s: float) -> float:
        """How far the clock may be off if the misfits that are being collected are right about it.

        It counts when one more would bring a verdict, unless the other direction is off with the same sign: then the
        path has changed. Late packets wait until the other direction has spoken, where it is about to; an early one is
        news at once, since no queue makes packets early.
        """
        doubt = 0.0
        for own in self._directions.values():
            run = own.run
            if not run or len(run) + 1 < self.needed(own, run[-1].nu > 0):
                continue
            other = self._changes.other(own)
            if other is not None and other.kept:
                last = other.kept[-1]
                if last.misfit and (last.nu > 0) == (run[-1].nu > 0):
                    continue
                if run[-1].nu > 0 and last.t < run[0].t and run[-1].t - last.t < _PAIR_INTERVALS * interval_s:
                    continue
            doubt = max(doubt, abs(run[-1].nu))
        return doubt

    def _explain(
        self,
        seen: Observed,
        own: Direction,
        other: Direction | None,
        interval_s: float,
        grain2: float,
        *,
        probation: bool,
    ) -> Verdict | None:
        panel = self._panel
        sigma = sqrt(own.level + grain2)
        late = seen.nu > 0
        packets = own.run if late or panel.direct else _early(own.run)
        if len(packets) < self.needed(own, late):
            return None
        if other is not None:
            heard = sum(1 for p in other.kept if p.t >= own.run[0].t)
            if heard < 2 or (other.run and len(other.run) < 2):
                return None
        if probation:
            return Verdict("restart", f"{len(own.run)} packets in a row contradict a start not yet proven: begin anew")
        run = [panel.residual(p.side, p.t, p.value) for p in packets]
        there = [] if other is None else (_early(other.run) or other.run)
        other_run = [panel.residual(p.side, p.t, p.value) for p in there]
        middle, other_middle = median(run), (median(other_run) if other_run else 0.0)
        tolerance = max(6.0 * sigma, 0.05 * max(abs(middle), abs(other_middle)))
        level = all(abs(r - middle) <= tolerance for r in run) and all(
            abs(r - other_middle) <= tolerance for r in other_run
        )
        if level:
            return self._stepped(seen, middle, other_middle, run, other_run, own, interval_s)
        if panel.direct or (other is not None and other.side == 0 and not other_run and _runs_away(run)):
            return self._runs_away(seen, own, run, interval_s, grain2)
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
            where = "both directions" if other_run else name(own)
            return Verdict(
                "noise",
                f"{len(run) + len(other_run)} late, scattered packets in a row ({where}): the path has become noisier",
                {"direction": where, "before_ns": sigma, "now_ns": sqrt(own.level)},
            )
        if len(run) < _RUN_OTHER:
            return None
        if self._changes.opened_again(seen.t, interval_s):
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
        if other is None or seen.side + other.side != 0 or not other.kept:
            # a peer delay says nothing of the clock
            return None
        last = other.kept[-1]
        # Packets are early when the clock has moved or when the path has become shorter. Those of the other direction
        # tell which: they bear a clock out when they are all late by about as much, though not too late to be taken,
        # and though that is not usual there.
        late = seen.nu < 0 and len(other.late) >= _LATE_THERE
        if late:
            heights = [self._panel.residual(p.side, p.t, p.value) for p in other.late[-_LATE_THERE:]]
            late = min(heights) > -0.5 * seen.nu and disbelief(self._panel, other, heights) > _UNUSUAL
        if not (last.misfit or late) or seen.t - last.t > _PAIR_INTERVALS * interval_s:
            return None
        there = self._panel.residual(last.side, last.t, last.value)
        if there * seen.nu >= 0 or not abs(seen.nu) / 3.0 <= abs(there) <= 3.0 * abs(seen.nu):
            return None
        if is_usual(self._panel, *((own, seen.nu) if seen.nu > 0.0 else (other, there))):
            # a frame that took a detour, and an early one: that is a path which has become shorter
            return None
        if probation and self._changes.clock_t > -inf:
            return Verdict("restart", "the clock seems to move again and again after a start: begin anew")
        size = max(abs(seen.nu), abs(there))
        self._changes.wanders(seen.t, interval_s)
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

    def _runs_away(
        self, seen: Observed, own: Direction, run: list[float], interval_s: float, grain2: float
    ) -> Verdict | None:
        """Packets that run away to one side, without a path to explain it (readings have none; peer delay says that it
        stands still): the clock has another frequency. Readings on both sides are noise.
        """
        size = max(abs(r) for r in run)
        one_side = min(run) > 0.0 or max(run) < 0.0
        if len(run) < _RUN_LINE and not _runs_away(run):
            return None
        if not one_side:
            before = sqrt(own.level)
            own.set_level(sum(r * r for r in run) / len(run), 8)
            return Verdict(
                "noise",
                f"{len(run)} readings in a row scatter to both sides: {sqrt(own.level):.3g} ns of noise where "
                f"{before:.3g} ns were usual",
                {"direction": name(own), "before_ns": before, "now_ns": sqrt(own.level)},
            )
        self._changes.wanders(seen.t, interval_s)
        self._panel.open(phase=size * size, frequency=(size / interval_s) ** 2)
        seen.misfit = False
        self._panel.take(own, seen.t, seen.value, grain2)
        return Verdict(
            "clock",
            f"{len(run)} packets in a row run away, up to {size:.3g} ns off: the clock has another frequency",
            {"ns": size},
        )

    def _noisier(self, own: Direction, t: float, interval_s: float, grain2: float) -> Verdict | None:
        """Most of a direction's packets are late and scattered."""
        direct = self._panel.direct
        if not (direct or own.late_soon > _MOSTLY_LATE):
            return None
        if self._changes.quiet_s(own, t) <= _QUIET_INTERVALS * interval_s:
            return None
        sigma = sqrt(own.level + grain2)
        recent = [self._panel.residual(p.side, p.t, p.value) for p in list(own.kept)[-10:]]
        if direct:
            # a reading cannot be late: noise lies on both sides, a clock that moves on one
            far = [r for r in recent if abs(r) > 9.0 * sigma]
            if len(far) < 5 or not 2 <= sum(r > 0.0 for r in far) <= len(far) - 2:
                return None
        else:
            far = [r for r in recent if r > 9.0 * sigma]
            if len(far) < 5 or max(far) - min(far) <= max(8.0 * sigma, 0.5 * median(far)):
                return None
        own.set_level(sum(r * r for r in recent) / len(recent) / 2.0, 8)
        return Verdict(
            "noise",
            f"{name(own)} packets have become noisier: {sqrt(own.level):.3g} ns where {sigma:.3g} ns were usual",
            {"direction": name(own), "before_ns": sigma, "now_ns": sqrt(own.level)},
        )

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
        other = self._changes.other(own)
        floors = {own.side: middle} | ({} if other is None else {other.side: other_middle})
        variance = own.level + spread * spread
        return self._changes.moved(seen, floors, len(run) + len(other_run), variance, interval_s)

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


def _early(run: list[Observed]) -> list[Observed]:
    """Late ones among early ones are strays: they may be late on a path that has become shorter, too."""
    return [p for p in run if p.nu <= 0.0]


def _runs_away(run: list[float]) -> bool:
    """To one side, each further than the one before."""
    return (min(run) > 0.0 or max(run) < 0.0) and all(abs(a) < abs(b) for a, b in pairwise(run))
