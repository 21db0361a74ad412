"""How wrong the estimate may be: the statistical part of the bound.

    B = k sqrt(Var max(1, chi / 2 usual)) + 1.5 c + 0.1 grain + allowance

Var is the variance of the phase over all hypotheses by weight, carried on to now. k is larger than a normal
distribution would ask for, because the posterior is none and because the wander is known to a factor of two. chi is
the recent misfit of packets, taken or not (about 1 when the model is right), usual what it has been for long: a path
with strays always has some. c is the recent correction, decaying: a filter that has just been moved may be moved again.
"""

from __future__ import annotations

from math import sqrt

_SIGMAS = 4.6
#: Of direct readings, whose noise is symmetric.
_SIGMAS_DIRECT = 4.2
#: Where the clock is seen from one side, by Sync beside a link delay: late packets say least, and nothing else speaks.
_SIGMAS_ONE_SIDED = 5.2
_CORRECTION = 1.5
_GRAIN = 0.1
_CHI_MEMORY = 0.1
_CHI_MOST = 16.0
_CHI_START = 2.0
_USUAL_MEMORY = 0.0005
_DECAY = 0.7


class Bound:
    __slots__ = ("_chi", "_correction", "_sigmas", "_usual")

    def __init__(self, direct: bool) -> None:
        self._sigmas = _SIGMAS_DIRECT if direct else _SIGMAS
        self.begin()

    def one_sided(self, one_sided: bool) -> None:
        self._sigmas = _SIGMAS_ONE_SIDED if one_sided else _SIGMAS

    def begin(self) -> None:
        self._chi = _CHI_START
        self._usual = 1.0
        self._correction = 0.0

    def saw(self, nu: float, variance: float, beta: float) -> None:
        """A packet ``nu`` ns from its prediction; ``variance`` of prediction and blur, ``beta`` the mean wait."""
        error = nu - beta
        misfit = error * error / (variance + beta * beta)
        if misfit > _CHI_MOST:
            misfit = _CHI_MOST
        self._chi += _CHI_MEMORY * (misfit - self._chi)
        self._usual += _USUAL_MEMORY * (misfit - self._usual)
        self._correction *= _DECAY

    def corrected(self, by_ns: float) -> None:
        size = abs(by_ns)
        if size > self._correction:
            self._correction = size

    def statistical_ns(self, variance: float, grain2: float, allowance_ns: float) -> float:
        """``variance`` of the phase, ns^2; ``grain2``: what rounding may hide, ns^2."""
        return (
            self._sigmas * sqrt(max(variance, 0.0) * max(1.0, 0.5 * self._chi / max(1.0, self._usual)))
            + _CORRECTION * self._correction
            + _GRAIN * sqrt(grain2)
            + allowance_ns
        )
