"""How much an observation with one-sided noise says about what it observes.

An observation is ``z = v + e``. Before it, ``v - prediction`` is taken for normal with variance ``V`` (state and the
symmetric part of the noise); ``e >= 0`` is an exponential wait with mean ``beta``. Let ``nu = z - prediction``. The
posterior density of ``v - prediction`` is proportional to

    exp(-v^2 / 2V) exp(v / beta)   for v <= nu,

a normal distribution with mean V / beta and variance V, cut off above at nu. With r = sqrt(V) / beta, the cut lies
a = nu / sqrt(V) - r standard deviations from that mean, and with the inverse Mills ratio lam = phi(a) / Phi(a)

    mean      sqrt(V) (r - lam)
    variance  V (1 - a lam - lam^2)
    evidence  ln p(nu) = r^2 / 2 - nu / beta + ln Phi(a) - ln beta.

A late packet (nu large) pulls by V / beta and no more, however late; an early one pulls fully. Where V is small against
beta^2 this is a minimum filter with the right window, where it is large it is Kalman's.

A peer delay holds half of two such waits, which has no sharp floor: see ``mean_of_two``.
"""

from __future__ import annotations

from math import erfc, exp, log, sqrt

_SQRT_HALF = sqrt(0.5)
_DENSITY = 0.3989422804014327  # 1 / sqrt(2 pi)
_LOG_ROOT_2PI = 0.9189385332046727
#: below this ratio of beta to sqrt(V) the wait cannot be told from normal noise
_GAUSSIAN_BELOW = 0.06**2
#: beyond this many standard deviations the asymptotic forms are exact enough, and Phi would underflow
_FAR = -30.0
_CERTAIN = 1000.0


def one_sided(nu: float, variance: float, beta: float) -> tuple[float, float, float]:
    """(mean, variance, log evidence) of what is observed, relative to the prediction, after seeing ``nu``.

    ``variance`` of prediction and symmetric noise, ns^2, positive; ``beta``: mean wait, ns, 0 for none.
    """
    beta2 = beta * beta
    if beta2 < _GAUSSIAN_BELOW * variance:
        total = variance + beta2
        error = nu - beta
        return (
            variance * error / total,
            variance * beta2 / total,
            -0.5 * (error * error / total + log(total)) - _LOG_ROOT_2PI,
        )
    root = sqrt(variance)
    r = root / beta
    a = nu / root - r
    if a < _FAR:
        mills = -a - 1.0 / a
        posterior = variance / (a * a)
        log_cdf = -0.5 * a * a - log(-a) - _LOG_ROOT_2PI
    else:
        cdf = 0.5 * erfc(-a * _SQRT_HALF)
        mills = _DENSITY * exp(-0.5 * a * a) / cdf
        posterior = variance * (1.0 - a * mills - mills * mills)
        log_cdf = log(cdf)
    return (
        root * (r - mills),
        posterior if posterior > 0.0 else 0.0,
        0.5 * r * r - nu / beta + log_cdf - log(beta),
    )


def mean_of_two(nu: float, variance: float, beta: float) -> tuple[float, float, float]:
    """The same where e is the mean of two waits, each exponential with mean ``beta``: it has the density
    e exp(-e / b) / b^2, b = beta / 2.

    Given nu, it is that of e N(e; m, V) for e >= 0, with m = nu - V / b. Its moments follow from those of a normal
    distribution cut off at 0: with z = m / sqrt(V), J0 = Phi(z), J1 = m J0 + sqrt(V) phi(z), and
    Jn = m J(n-1) + (n - 1) V J(n-2).
    """
    beta2 = beta * beta
    if beta2 < _GAUSSIAN_BELOW * variance:
        total = variance + 0.5 * beta2
        error = nu - beta
        return (
            variance * error / total,
            0.5 * variance * beta2 / total,
            -0.5 * (error * error / total + log(total)) - _LOG_ROOT_2PI,
        )
    root = sqrt(variance)
    b = 0.5 * beta
    r = root / b
    z = nu / root - r
    if z < _FAR:
        # far too early: what is left of e falls off like e exp(z e / sqrt(V))
        mean, posterior = -2.0 / z, 2.0 / (z * z)
        log_j1 = -0.5 * z * z - _LOG_ROOT_2PI - 2.0 * log(-z)
    elif z > _CERTAIN:
        # the floor is too far away to matter, and differences of the moments would be rounding
        mean, posterior, log_j1 = z + 1.0 / z, 1.0 - 1.0 / (z * z), log(z)
    else:
        # in units of sqrt(V)
        j0 = 0.5 * erfc(-z * _SQRT_HALF)
        j1 = z * j0 + _DENSITY * exp(-0.5 * z * z)
        j2 = z * j1 + j0
        j3 = z * j2 + 2.0 * j1
        mean = j2 / j1
        posterior = j3 / j1 - mean * mean
        log_j1 = log(j1)
    return (
        nu - root * mean,
        variance * posterior if posterior > 0.0 else 0.0,
        0.5 * r * r - nu / b + log_j1 + log(root) - 2.0 * log(b),
    )
