"""Integer units of time.

``sns`` ("scaled nanosecond") is 2**-16 ns, the unit of PTP's TimeInterval (IEEE 1588-2019 5.3.2)
and of every instant and interval inside ptpstack's protocol core.
"""

from __future__ import annotations

SNS_PER_NS = 1 << 16
NS_PER_S = 1_000_000_000
SNS_PER_S = NS_PER_S * SNS_PER_NS

#: Where the 48-bit seconds of a Timestamp end (IEEE 1588-2019 5.3.3).
TIMESTAMP_END_SNS = (1 << 48) * SNS_PER_S

INTERVAL_MAX_SNS = (1 << 63) - 1
INTERVAL_MIN_SNS = -(1 << 63)


def ns_to_sns(ns: int) -> int:
    """Nanoseconds to scaled nanoseconds, exact."""
    return ns << 16


def sns_to_ns(sns: int) -> int:
    """Scaled nanoseconds to nanoseconds, rounded down (toward minus infinity)."""
    return sns >> 16


def sns_to_float_ns(sns: int) -> float:
    """A *difference* in scaled nanoseconds as float ns. Do not use it on an absolute time."""
    return sns / 65536.0


def float_ns_to_sns(ns: float) -> int:
    """A float difference in ns as scaled nanoseconds, rounded to nearest."""
    return round(ns * 65536.0)


def saturate_interval(sns: int) -> int:
    """Clamp to the range of TimeInterval (IEEE 1588-2019 5.3.2)."""
    return max(INTERVAL_MIN_SNS, min(INTERVAL_MAX_SNS, sns))


def log_interval_ns(log2_seconds: int) -> int:
    """2**log2_seconds seconds in ns (rounded down below 1 ns): the ``log...Interval`` members of portDS."""
    if log2_seconds >= 0:
        return NS_PER_S << log2_seconds
    return NS_PER_S >> -log2_seconds


def format_ns(ns: float) -> str:
    """A short human rendering of a time difference, for example ``+1.25 us``."""
    magnitude = abs(ns)
    # the smallest first: a clock that is followed is told its offset with each command
    if magnitude < 1.0:
        return f"{ns:+.3g} ns"
    if magnitude < 1e3:
        return f"{ns:+.1f} ns"
    if magnitude < 1e6:
        return f"{ns / 1e3:+.1f} us"
    if magnitude < 1e9:
        return f"{ns / 1e6:+.1f} ms"
    return f"{ns / 1e9:+.3f} s"
