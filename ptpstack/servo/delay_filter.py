"""Filters over raw path delays. Values in 2**-16 ns (int), so that a median is exact."""

from __future__ import annotations

from bisect import bisect_left, insort
from collections import deque
from collections.abc import Callable


class MovingMedian:
    """Median of the last ``length`` samples; of an even number, the mean of the two in the middle."""

    def __init__(self, length: int) -> None:
        self._length = length
        self._window: deque[int] = deque()
        self._sorted: list[int] = []

    def add(self, value: int) -> int:
        if len(self._window) == self._length:
            oldest = self._window.popleft()
            del self._sorted[bisect_left(self._sorted, oldest)]
        self._window.append(value)
        insort(self._sorted, value)
        middle = len(self._sorted) // 2
        if len(self._sorted) % 2:
            return self._sorted[middle]
        return (self._sorted[middle - 1] + self._sorted[middle]) // 2

    def clear(self) -> None:
        self._window.clear()
        self._sorted.clear()


class MovingAverage:
    """Mean of the last ``length`` samples."""

    def __init__(self, length: int) -> None:
        self._length = length
        self._window: deque[int] = deque()
        self._sum = 0

    def add(self, value: int) -> int:
        if len(self._window) == self._length:
            self._sum -= self._window.popleft()
        self._window.append(value)
        self._sum += value
        return self._sum // len(self._window)

    def clear(self) -> None:
        self._window.clear()
        self._sum = 0


DELAY_FILTERS: dict[str, Callable[[int], MovingMedian | MovingAverage]] = {
    "moving_median": MovingMedian,
    "moving_average": MovingAverage,
}
