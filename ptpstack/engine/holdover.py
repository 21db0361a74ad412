"""How long a clock keeps its promise without measurements: the forecast of a holdover."""

from __future__ import annotations

from collections.abc import Callable

#: No forecast reaches further: an oscillator is not the same after a month.
HORIZON_S = 30 * 86_400.0
#: The forecast is told to this share of itself, and no finer than a second.
_PRECISION = 0.01


def time_to_limit(bound_after: Callable[[float], float | None], fixed_ns: float, limit_ns: float) -> float | None:
    """Seconds until ``fixed_ns`` plus the growing part passes ``limit_ns``; 0: it has; None: nobody knows.

    ``bound_after(seconds)`` does not fall. At most ``HORIZON_S``.
    """

    def total(seconds: float) -> float | None:
        grown = bound_after(seconds)
        return None if grown is None else fixed_ns + grown

    now_ns, end_ns = total(0.0), total(HORIZON_S)
    if now_ns is None or end_ns is None:
        return None
    if now_ns > limit_ns:
        return 0.0
    if end_ns <= limit_ns:
        return HORIZON_S
    low, high = 0.0, HORIZON_S
    while high - low > max(1.0, _PRECISION * low):
        middle = (low + high) / 2
        value = total(middle)
        if value is None:
            return None
        low, high = (middle, high) if value <= limit_ns else (low, middle)
    return low
