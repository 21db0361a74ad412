"""Maximum time interval error (ITU-T G.810 / G.8260): the largest peak-to-peak time error in any window of length tau.

A window of tau = m intervals holds m + 1 samples. The largest of each 2^k neighbours follows from the largest of each
2^(k-1) by one comparison, and any window is covered by two overlapping ones of the next smaller power of two. So each
tau costs two passes over the data, whatever its length: O(N) a tau, O(N log N) in all, and two arrays of memory.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from ptpstack.analysis.series import Floats


def mtie(x: Floats, windows: Iterable[int]) -> dict[int, float]:
    """MTIE of evenly spaced ``x`` for each m of ``windows`` (tau in sampling intervals), in the unit of ``x``.

    Windows below 1 or longer than the data are left out of the answer.
    """
    result: dict[int, float] = {}
    highest = lowest = x
    reach = 1  # highest[i] is the largest of x[i : i + reach]
    for m in sorted(set(windows)):
        size = m + 1
        if m < 1 or size > len(x):
            continue
        while 2 * reach <= size:
            highest = np.maximum(highest[:-reach], highest[reach:])
            lowest = np.minimum(lowest[:-reach], lowest[reach:])
            reach *= 2
        shift, count = size - reach, len(x) - size + 1
        top = np.maximum(highest[:count], highest[shift : shift + count])
        top -= np.minimum(lowest[:count], lowest[shift : shift + count])
        result[m] = float(top.max())
    return result
