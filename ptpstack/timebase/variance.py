"""PTP variance and its code in clockQuality, offsetScaledLogVariance.

IEEE 1588-2019 7.6.3, not checked against the text: sigma^2 = tau^2/3 * Allan variance, coded as
256 * log2(sigma^2 / s^2) + 0x8000, with 0xFFFF for "not computed".
"""

from __future__ import annotations

import math
from collections.abc import Sequence

NOT_COMPUTED = 0xFFFF
_BIAS = 0x8000


def ptp_variance_s2(offsets_ns: Sequence[float]) -> float | None:
    """PTP variance (s^2) of equally spaced offsets (ns), a constant frequency error removed; None below 3 samples.

    The second differences make the sampling interval drop out: it is the interval at which the samples were taken.
    """
    count = len(offsets_ns) - 2
    if count < 1:
        return None
    total = 0.0
    for k in range(count):
        difference = offsets_ns[k + 2] - 2.0 * offsets_ns[k + 1] + offsets_ns[k]
        total += difference * difference
    return total / (6.0 * count) * 1e-18


def scaled_log_variance(variance_s2: float | None) -> int:
    """offsetScaledLogVariance (UInt16), rounded up so that it never claims more stability than there is.

    None (not computed): 0xFFFF. A variance of 0 gets the lowest code; what does not fit gets the highest that still
    says "computed". ValueError for a negative variance or NaN.
    """
    if variance_s2 is None:
        return NOT_COMPUTED
    if not variance_s2 >= 0.0:
        raise ValueError(f"a variance is not {variance_s2}")
    if variance_s2 == 0.0:
        return 0
    if math.isinf(variance_s2):
        return NOT_COMPUTED - 1
    return max(0, min(NOT_COMPUTED - 1, math.ceil(math.log2(variance_s2) * 256.0) + _BIAS))


def variance_from_scaled_log(code: int) -> float | None:
    """s^2 of a code, None for 0xFFFF. ValueError when ``code`` is no UInt16."""
    if not 0 <= code <= 0xFFFF:
        raise ValueError(f"offsetScaledLogVariance {code} is not 0..65535")
    return None if code == NOT_COMPUTED else float(2.0 ** ((code - _BIAS) / 256.0))
