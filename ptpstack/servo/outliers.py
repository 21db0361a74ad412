"""A gate for single late frames, which software stamps suffer on a busy machine: 10 to 30 us where 0.5 us is usual.

Rules:

1. An outlier is limited, not dropped: it counts as an offset of the limit's size, so it still says in which direction.
2. What repeats is no outlier: after ``PATIENCE`` of them in a row everything passes until one is ordinary again. A
   clock that really is off is followed two samples later than without the gate.
3. The gate knows only what it was shown; with fewer than ``LEAST`` samples everything passes.
"""

from __future__ import annotations

import math
from collections import deque
from statistics import median

WINDOW = 16
LEAST = 5
PATIENCE = 2
#: times the median magnitude; of normally distributed offsets one in 20,000 is beyond it
FACTOR = 6.0


class OutlierGate:
    def __init__(self) -> None:
        self._magnitudes: deque[float] = deque(maxlen=WINDOW)
        self._in_a_row = 0

    def clear(self) -> None:
        """The clock was stepped or has another master: what was usual says nothing any more."""
        self._magnitudes.clear()
        self._in_a_row = 0

    def admit(self, offset_ns: float) -> float:
        """``offset_ns``, or the limit with its sign when it is an outlier."""
        magnitude = abs(offset_ns)
        limit = FACTOR * median(self._magnitudes) if len(self._magnitudes) >= LEAST else math.inf
        self._magnitudes.append(magnitude)
        if magnitude <= limit:
            self._in_a_row = 0
            return offset_ns
        self._in_a_row += 1
        if self._in_a_row > PATIENCE:
            return offset_ns
        return math.copysign(limit, offset_ns)
