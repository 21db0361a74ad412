"""One hypothesis: a filter over (phase, frequency, delay) with its own idea of wander, blur and path wander.

State x = (phase of the free clock, ns; its frequency, ppb; floor of the path delay, ns), covariance P (six numbers).
The frequency walks: white noise q (ppb per root second) drives it, which over dt adds to P

    P_tt += dt (2 P_tf + dt P_ff) + q^2 dt^3 / 3     P_tf += dt P_ff + q^2 dt^2 / 2     P_ff += q^2 dt
    P_td += dt P_fd                                  P_dd += qd^2 dt

An observation of side s (+1 forward, -1 reverse, 0 peer delay) has the prediction s phase + d; with k = P h,
h = (s, 0, 1) (for s = 0: (0, 0, 1)), S = h' P h, it moves the state by k delta / V and shrinks P by
k k' (1 - v2 / V) / V, where (delta, v2) is what ``likelihood`` says of the observed quantity.
"""

from __future__ import annotations

from math import exp, log, sqrt

from ptpstack.servo.estimator.likelihood import mean_of_two, one_sided

#: Least variances of phase, frequency and delay: float64 must never carry P below zero.
_FLOOR_PHASE = 1e-4
_FLOOR_FREQUENCY = 1e-9
_MOST_CORRELATED = 0.99
#: A late packet longer than this many mean waits may be of another kind: a second, longer exponential is mixed in.
_TAIL_FROM = 3.0
_TAIL_TIMES = 8.0
#: Share of the variance that one packet leaves at least.
_LEAST = 0.1
_WORST_EVIDENCE = -60.0
#: What is left of old evidence.
_EVIDENCE_MEMORY = 1.0 - 1.0 / 3000.0


class Hypothesis:
    __slots__ = ("d", "dd", "evidence", "f", "fd", "ff", "phase", "q", "share", "td", "tf", "tt", "weight", "x")

    def __init__(self) -> None:
        self.phase = self.f = self.d = 0.0
        self.tt = self.tf = self.td = self.ff = self.fd = self.dd = 0.0
        #: wander, ppb per root second
        self.q = 0.0
        #: share of the noise that is symmetric ("blur")
        self.share = 1.0
        #: factor on the noise level
        self.weight = 1.0
        #: wander of the path, times the usual
        self.x = 1.0
        #: decaying sum of log likelihoods
        self.evidence = 0.0

    def copy_state(self, other: Hypothesis) -> None:
        self.phase, self.f, self.d = other.phase, other.f, other.d
        self.tt, self.tf, self.td = other.tt, other.tf, other.td
        self.ff, self.fd, self.dd = other.ff, other.fd, other.dd

    def copy_parameters(self, other: Hypothesis) -> None:
        self.q, self.share, self.weight, self.x = other.q, other.share, other.weight, other.x

    def predict(self, dt: float, qd2: float) -> None:
        """Carry on by ``dt`` s; ``qd2``: usual wander of the path, ns^2 per s."""
        self.phase += self.f * dt
        q2 = self.q * self.q * dt
        ff = self.ff
        self.tt += dt * (2.0 * self.tf + dt * ff) + q2 * dt * dt / 3.0
        self.tf += dt * ff + 0.5 * q2 * dt
        self.td += dt * self.fd
        self.ff = ff + q2
        self.dd += qd2 * dt * self.x * self.x

    def expected(self, side: int) -> float:
        """Variance of the prediction of an observation of ``side``, ns^2."""
        s = self.tt + 2.0 * side * self.td + self.dd if side else self.dd
        if s <= 0.0:
            self.repair()
            s = self.tt + 2.0 * side * self.td + self.dd if side else self.dd
        return s

    def repair(self) -> None:
        """Rounding has carried a covariance out of what covariances can be, after something huge was opened.

        A variance below 0 is as wrong as its size says.
        """
        self.tt = max(abs(self.tt), _FLOOR_PHASE)
        self.ff = max(abs(self.ff), _FLOOR_FREQUENCY)
        self.dd = abs(self.dd)
        for name, one, other in (("tf", self.tt, self.ff), ("td", self.tt, self.dd), ("fd", self.ff, self.dd)):
            most = _MOST_CORRELATED * sqrt(one * other)
            setattr(self, name, max(-most, min(most, getattr(self, name))))


def observe(
    chosen: Hypothesis,
    others: list[Hypothesis],
    dt: float,
    qd2: float,
    side: int,
    value: float,
    back: float,
    level: float,
    ways: float,
    fixed: float,
    tail: float,
) -> tuple[float, float, float, float, float, float]:
    """Carry the others on by ``dt`` as ``predict`` does; then all take an observation ``value`` of ``back`` s later.

    ``level``: noise level of its direction, ``ways``: of how many waits it is the mean; ``fixed``: variance that is
    always there; ``tail``: prior share of long waits. Returns (nu, V, S, delta, v2, share of a long wait) of the chosen
    one, which has been carried on already.

    One pass over local variables: seven hypotheses do this for each packet, and it is most of what a packet costs.
    """
    said = one_sided if side else mean_of_two
    share = weight = symmetric = beta = most = nu = v = s = delta = left = long = 0.0
    for h in (*others, chosen):
        if h.share != share or h.weight != weight:
            share, weight = h.share, h.weight
            symmetric = share * level * weight / ways + fixed
            beta = sqrt((1.0 - share) * level * weight)
            most = 4.0 * beta * beta
        phase, f, d = h.phase, h.f, h.d
        tt, tf, td, ff, fd, dd = h.tt, h.tf, h.td, h.ff, h.fd, h.dd
        if dt and h is not chosen:
            q, x = h.q, h.x
            q2 = q * q * dt
            gained = dt * ff
            phase += f * dt
            tt += dt * (2.0 * tf + gained) + q2 * dt * dt / 3.0
            tf += gained + 0.5 * q2 * dt
            td += dt * fd
            ff += q2
            dd += qd2 * dt * x * x
        if side > 0:
            nu = value - (phase + f * back + d)
            k0, k1, k2 = tt + td, tf + fd, td + dd
            s = k0 + k2
        elif side < 0:
            nu = value - (d - (phase + f * back))
            k0, k1, k2 = td - tt, fd - tf, dd - td
            s = k2 - k0
        else:
            nu = value - d
            k0, k1, k2 = td, fd, dd
            s = k2
        if s <= 0.0:
            h.tt, h.tf, h.td, h.ff, h.fd, h.dd = tt, tf, td, ff, fd, dd
            h.repair()
            tt, tf, td, ff, fd, dd = h.tt, h.tf, h.td, h.ff, h.fd, h.dd
            k0, k1, k2 = side * tt + td, side * tf + fd, side * td + dd
            s = side * k0 + k2
        v = s + symmetric
        delta, left, evidence = said(nu, v, beta)
        long = 0.0
        if nu > _TAIL_FROM * beta and nu * nu > 4.0 * v and s < level:
            beta_long = _TAIL_TIMES * (beta if beta * beta >= 0.02 * v else sqrt(v))
            delta2, left2, evidence2 = said(nu, v, beta_long)
            gap = evidence2 - evidence
            if gap > 60.0:
                long = 1.0
            elif gap > -60.0:
                odds = tail * exp(gap)
                long = odds / (1.0 - tail + odds)
            mean = delta + long * (delta2 - delta)
            left += long * (left2 - left) + long * (1.0 - long) * (delta2 - delta) ** 2
            delta = mean
            evidence = (evidence2 + log(tail)) if gap > 60.0 else evidence + log(1.0 - tail + tail * exp(gap))
        h.evidence = h.evidence * _EVIDENCE_MEMORY + (evidence if evidence > _WORST_EVIDENCE else _WORST_EVIDENCE)
        gain = delta / v
        h.phase = phase + k0 * gain
        h.f = f + k1 * gain
        h.d = d + k2 * gain
        # one lucky packet must not make the filter too sure; a state far wider than the noise may shrink all the way
        least = _LEAST * (v if v < most else most)
        shrink = (1.0 - (left if left > least else least) / v) / v
        tt -= k0 * k0 * shrink
        h.tt = tt if tt > _FLOOR_PHASE else _FLOOR_PHASE
        h.tf = tf - k0 * k1 * shrink
        h.td = td - k0 * k2 * shrink
        ff -= k1 * k1 * shrink
        h.ff = ff if ff > _FLOOR_FREQUENCY else _FLOOR_FREQUENCY
        h.fd = fd - k1 * k2 * shrink
        dd -= k2 * k2 * shrink
        h.dd = dd
        if dd < 0.0:
            h.repair()
    return nu, v, s, delta, left, long
