"""Hypotheses that see the same packets, and the vote among them.

The wander of the oscillator, the sharpness of the path's floor and the wander of the path are not known and not tuned.
Around the chosen hypothesis stand its neighbours: wander halved and doubled, blur one notch down and up, path wander a
step down and up (for direct readings: the noise level halved and doubled in place of the last four). Each keeps a
decaying sum of log likelihoods; when a neighbour leads by more than ``_LEAD``, it becomes the chosen one, the old one
becomes its neighbour on the way back, and the missing neighbours are made anew from the chosen one's state; the next
one on the way has to earn its lead anew.
"""

from __future__ import annotations

from math import exp, sqrt
from typing import NamedTuple

from ptpstack.servo.estimator.direction import Direction
from ptpstack.servo.estimator.hypothesis import Hypothesis, observe

#: Share of symmetric noise, from "all of it" to "a sharp floor".
BLUR = (1.0, 0.85, 0.7, 0.5, 0.35, 0.2, 0.1, 0.05, 0.025, 0.0125, 0.006, 0.003, 0.0015, 7e-4, 3e-4, 1.5e-4)
_FIRST_NOTCH = 7
FIRST_WANDER = 3.0
#: Limits of what may be voted for, ppb per root second.
_WANDER = (1e-6, 2e5)
_PATH_WANDER = (0.063, 10.0)
_PATH_STEP = 3.1622776601683795
_LEAD = 1.0
#: No neighbour falls further behind: what was wrong for an hour may be right from now on.
_MOST_BEHIND = 12.0
#: Path wander: at least this, ns per root second, and this share of the noise width.
_PATH_LEAST = 1.0
_PATH_OF_NOISE = 0.05
#: Variance that no clock reading is without, ns^2.
LEAST_NOISE = 0.1
#: A hypothesis this far behind in its log likelihood has no say.
_NEGLIGIBLE = 40.0

#: of each kind of neighbour, the one on the way back: wander down and up; blur (readings: noise) down and up; path
#: wander down and up
_OPPOSITE = (1, 0, 3, 2, 5, 4)


class Belief(NamedTuple):
    """The mean over hypotheses by weight, and the weights: the chosen one's, and those of its neighbours in order."""

    phase: float
    frequency: float
    own: float
    weights: list[float]


class Panel:
    def __init__(self, direct: bool) -> None:
        #: direct readings: no path, symmetric noise
        self.direct = direct
        self.notch = 0 if direct else _FIRST_NOTCH
        self.chosen = Hypothesis()
        self.chosen.q = FIRST_WANDER
        self.chosen.share = BLUR[self.notch]
        #: the neighbours, and of which kind each is (``_OPPOSITE``); none at the ends of what may be voted for: another
        #: copy of the chosen one would count its vote twice
        self.others: list[Hypothesis] = []
        self._kinds: list[int] = []
        self.t = 0.0
        #: what the neighbours still have to be carried on by, s, and the path's wander then: they wait for the packet
        self._owed = 0.0
        self._owed_qd2 = 0.0
        self._belief: Belief | None = None
        self._surround()

    @property
    def q(self) -> float:
        return self.chosen.q

    @property
    def share(self) -> float:
        return self.chosen.share

    def adopt(self, q: float, notch: int, path: float = 1.0) -> None:
        """Begin with these parameters (kept from before)."""
        self.notch = 0 if self.direct else max(0, min(len(BLUR) - 1, notch))
        self.chosen.q = max(_WANDER[0], min(_WANDER[1], q))
        self.chosen.share = BLUR[self.notch]
        self.chosen.x = max(_PATH_WANDER[0], min(_PATH_WANDER[1], path))
        self._surround()

    def begin(
        self, t: float, state: tuple[float, float, float], covariance: tuple[float, float, float, float, float, float]
    ) -> None:
        """All hypotheses from this state; ``covariance``: tt, tf, td, ff, fd, dd."""
        self.t = t
        self._owed = 0.0
        self._belief = None
        for hypothesis in (self.chosen, *self.others):
            hypothesis.phase, hypothesis.f, hypothesis.d = state
            hypothesis.tt, hypothesis.tf, hypothesis.td = covariance[:3]
            hypothesis.ff, hypothesis.fd, hypothesis.dd = covariance[3:]
            hypothesis.evidence = 0.0

    def all(self) -> list[Hypothesis]:
        return [self.chosen, *self.others]

    # ---- time and packets -------------------------------------------------------------------------------------

    def predict(self, t: float, noise: float) -> None:
        """Carry the chosen hypothesis on to ``t``; ``noise``: the least level of the directions, ns^2.

        The others follow when they take the packet, in one go (``take``), or else are to be ``settle``d.
        """
        dt = t - self.t
        if dt <= 0.0:
            return
        if self._owed:
            self.settle()
        self.t = t
        self._belief = None
        qd2 = 0.0
        if not self.direct:
            qd = _PATH_OF_NOISE * sqrt(noise)
            qd2 = qd * qd
            if qd2 < _PATH_LEAST:
                qd2 = _PATH_LEAST
        self.chosen.predict(dt, qd2)
        self._owed, self._owed_qd2 = dt, qd2

    def settle(self) -> None:
        """Carry the other hypotheses on to where the chosen one is."""
        if self._owed:
            for hypothesis in self.others:
                hypothesis.predict(self._owed, self._owed_qd2)
            self._owed = 0.0

    def residual(self, side: int, t: float, value: float) -> float:
        """Distance of an observation of time ``t`` from the chosen hypothesis's prediction, ns."""
        chosen = self.chosen
        return value - (side * (chosen.phase + chosen.f * (t - self.t)) + chosen.d)

    def take(self, direction: Direction, t: float, value: float, grain2: float) -> float:
        """An accepted packet, by all hypotheses; teaches the direction's level. Returns how far the phase went, ns."""
        self._belief = None
        side = direction.side
        level = direction.level
        tail = direction.tail_share
        if tail < 0.02:
            tail = 0.02
        fixed = LEAST_NOISE + grain2
        chosen = self.chosen
        share, phase = chosen.share, chosen.phase
        nu, v, s, delta, left, long = observe(
            chosen, self.others, self._owed, self._owed_qd2, side, value, t - self.t, level, direction.ways, fixed, tail
        )
        self._owed = 0.0
        correction = chosen.phase - phase
        rho = s / v
        w = nu - rho * delta
        # E[w^2] is (2 - share) level of a packet, and (3/2 - share) level of the mean of two
        look = (w * w + s * (1.0 - rho) + rho * rho * left - fixed) / ((2.0 if side else 1.5) - share)
        direction.learn(look, s)
        direction.fits(long)
        self._vote(direction)
        return correction

    # ---- the vote ---------------------------------------------------------------------------------------------

    def _vote(self, direction: Direction) -> None:
        lead, leader = _LEAD + self.chosen.evidence, -1
        least = lead - _MOST_BEHIND
        for index, other in enumerate(self.others):
            if other.evidence > lead:
                lead, leader = other.evidence, index
            elif other.evidence < least:
                other.evidence = least
        if leader >= 0:
            self._choose(leader, direction)

    def _choose(self, index: int, direction: Direction) -> None:
        old, new = self.chosen, self.others[index]
        # what each kind of neighbour led or lagged by, it keeps
        leads = {k: other.evidence - old.evidence for k, other in zip(self._kinds, self.others, strict=True)}
        kind = self._kinds[index]
        if not self.direct:
            self.notch = BLUR.index(new.share)
        elif new.weight != 1.0:
            direction.set_level(direction.level * new.weight, direction.looks)
            new.weight = 1.0
        self.chosen = new
        base = new.evidence
        self._surround()
        for k, other in zip(self._kinds, self.others, strict=True):
            if k == _OPPOSITE[kind]:
                other.copy_state(old)
                other.evidence = old.evidence
            elif k != kind:
                other.evidence = base + leads.get(k, 0.0)

    def _surround(self) -> None:
        """New neighbours round the chosen hypothesis, from its state."""
        self._owed = 0.0
        self._belief = None
        chosen = self.chosen
        self.others, self._kinds = [], []
        for kind in range(4 if self.direct else 6):
            other = Hypothesis()
            other.copy_state(chosen)
            other.copy_parameters(chosen)
            other.evidence = chosen.evidence
            if kind == 0:
                other.q = max(_WANDER[0], chosen.q / 2.0)
            elif kind == 1:
                other.q = min(_WANDER[1], chosen.q * 2.0)
            elif self.direct:
                other.weight = 0.5 if kind == 2 else 2.0
            elif kind in (2, 3):
                other.share = BLUR[max(0, min(len(BLUR) - 1, self.notch + (1 if kind == 2 else -1)))]
            else:
                step = 1.0 / _PATH_STEP if kind == 4 else _PATH_STEP
                other.x = max(_PATH_WANDER[0], min(_PATH_WANDER[1], chosen.x * step))
            if (other.q, other.share, other.x, other.weight) != (chosen.q, chosen.share, chosen.x, chosen.weight):
                self.others.append(other)
                self._kinds.append(kind)

    # ---- what it says -----------------------------------------------------------------------------------------

    def open(self, phase: float = 0.0, frequency: float = 0.0, delay: float = 0.0) -> None:
        """Add to the variances of all hypotheses, ns^2, ppb^2, ns^2: something has happened."""
        self.settle()
        self._belief = None
        for hypothesis in self.all():
            hypothesis.tt += phase
            hypothesis.ff += frequency
            hypothesis.dd += delay

    def shift(self, phase: float = 0.0, frequency: float = 0.0, delay: float = 0.0) -> None:
        self.settle()
        self._belief = None
        for hypothesis in self.all():
            hypothesis.phase += phase
            hypothesis.f += frequency
            hypothesis.d += delay

    def belief(self) -> Belief:
        """All hypotheses together, at the time of the last packet."""
        if self._belief is None:
            if self._owed:
                self.settle()
            self._belief = self._mix()
        return self._belief

    def state(self, dt: float) -> tuple[float, float, float]:
        """(phase ns, frequency ppb, variance of the phase ns^2) ``dt`` s after the last packet, over all hypotheses."""
        belief = self.belief()
        return belief.phase + belief.frequency * dt, belief.frequency, self.variance(dt)

    def variance(self, dt: float) -> float:
        """Of the phase ``dt`` s after the last packet, ns^2: each hypothesis's own, and how far they lie apart.

        Asked for more rarely than the mean, so it is not made with it.
        """
        belief, chosen = self.belief(), self.chosen
        own = belief.own
        tt, tf, ff, qq = own * chosen.tt, own * chosen.tf, own * chosen.ff, own * chosen.q * chosen.q
        centre, centre_f = chosen.phase, chosen.f
        phase = frequency = e0 = e1 = e2 = 0.0
        for weight, h in zip(belief.weights, self.others, strict=True):
            e, g = h.phase - centre, h.f - centre_f
            we, wg = weight * e, weight * g
            phase += we
            frequency += wg
            e0 += we * e
            e1 += we * g
            e2 += wg * g
            tt += weight * h.tt
            tf += weight * h.tf
            ff += weight * h.ff
            qq += weight * h.q * h.q
        tt = tt + e0 - phase * phase
        tf = tf + e1 - phase * frequency
        ff = ff + e2 - frequency * frequency
        return tt + dt * (2.0 * tf + dt * (ff + dt * (qq / 3.0)))

    def _mix(self) -> Belief:
        chosen, others = self.chosen, self.others
        best = chosen.evidence
        for h in others:
            if h.evidence > best:
                best = h.evidence
        behind = chosen.evidence - best
        total = own = exp(behind) if behind > -_NEGLIGIBLE else 0.0
        weights = []
        for h in others:
            behind = h.evidence - best
            weight = exp(behind) if behind > -_NEGLIGIBLE else 0.0
            weights.append(weight)
            total += weight
        # distances are from the chosen one, which has none from itself
        centre, centre_f = chosen.phase, chosen.f
        phase = frequency = 0.0
        for index, h in enumerate(others):
            weights[index] = weight = weights[index] / total
            phase += weight * (h.phase - centre)
            frequency += weight * (h.f - centre_f)
        return Belief(centre + phase, centre_f + frequency, own / total, weights)
