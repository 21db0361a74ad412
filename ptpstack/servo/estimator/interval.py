"""The interval between Syncs (or readings): as announced, then as observed."""

from __future__ import annotations

from collections import deque

_KEPT = 8
_ENOUGH = 3


class Interval:
    __slots__ = ("_last", "_seen", "s")

    def __init__(self) -> None:
        #: s
        self.s = 1.0
        self._seen: deque[float] = deque(maxlen=_KEPT)
        self._last: float | None = None

    def saw(self, t: float) -> None:
        """A Sync at ``t``, s: the interval is the median of the last few."""
        last, self._last = self._last, t
        if last is not None and t > last:
            seen = self._seen
            seen.append(t - last)
            if len(seen) >= _ENOUGH:
                self.s = sorted(seen)[len(seen) // 2]

    def pause(self) -> None:
        """The next Sync is a first one: its distance from the last is no interval."""
        self._last = None

    def announced(self, interval_s: float) -> None:
        self.s = interval_s
        self._seen.clear()
