"""A gate against single spikes: a packet that was held up says nothing about the clock."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable

_NEIGHBOURS = 15
_ENOUGH = 5
#: A third spike in a row is no spike but news.
_IN_A_ROW = 2
#: The median of absolute deviations, times this, is the standard deviation of a normal distribution.
_NORMAL = 1.4826
#: Never call less than this a spike, ns: there is always some jitter that a short window has not seen.
_FLOOR_NS = 200.0


def median(values: Iterable[float]) -> float:
    # not that of the statistics module, which brings decimals and fractions into every node's memory
    ordered = sorted(values)
    middle = len(ordered) // 2
    return ordered[middle] if len(ordered) % 2 else (ordered[middle - 1] + ordered[middle]) / 2


class SpikeGate:
    """``times``: how many usual spreads from the median of its neighbours an offset may lie; 0 lets everything pass."""

    def __init__(self, times: float) -> None:
        self._times = times
        self._recent: deque[float] = deque(maxlen=_NEIGHBOURS)
        self._in_a_row = 0
        self.rejected = 0

    def clear(self) -> None:
        self._recent.clear()
        self._in_a_row = 0

    def expect(self, offsets_ns: Iterable[float]) -> None:
        """Begin with these as neighbours."""
        self.clear()
        self._recent.extend(offsets_ns)

    def admits(self, offset_ns: float) -> bool:
        recent = self._recent
        spike = False
        if self._times and len(recent) >= _ENOUGH:
            middle = median(recent)
            spread = _NORMAL * median(abs(x - middle) for x in recent)
            spike = abs(offset_ns - middle) > max(self._times * spread, _FLOOR_NS)
        recent.append(offset_ns)
        if spike and self._in_a_row < _IN_A_ROW:
            self._in_a_row += 1
            self.rejected += 1
            return False
        self._in_a_row = 0
        return True
