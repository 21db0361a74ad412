"""Summary statistics of offsets in the words that log scrapers know; units: ns and ppb."""

from __future__ import annotations

import math


class _Mean:
    """Mean and standard deviation of a series, one value at a time (Welford)."""

    def __init__(self) -> None:
        self.count = 0
        self.mean = self._squares = 0.0

    def add(self, value: float) -> None:
        self.count += 1
        delta = value - self.mean
        self.mean += delta / self.count
        self._squares += delta * (value - self.mean)

    @property
    def deviation(self) -> float:
        return math.sqrt(self._squares / self.count) if self.count else 0.0


class Summary:
    """Takes ``size`` samples, then gives a line and begins anew."""

    def __init__(self, size: int) -> None:
        self.size = size
        self._begin()

    def _begin(self) -> None:
        self._offset, self._frequency, self._delay = _Mean(), _Mean(), _Mean()
        self._square = self._largest = 0.0

    def add(self, offset_ns: float, frequency_ppb: float, delay_ns: float | None) -> str | None:
        """The line when ``size`` samples are there."""
        self._offset.add(offset_ns)
        self._frequency.add(frequency_ppb)
        if delay_ns is not None:
            self._delay.add(delay_ns)
        self._square += offset_ns * offset_ns
        self._largest = max(self._largest, abs(offset_ns))
        if self._offset.count < self.size:
            return None
        text = (
            f"rms {math.sqrt(self._square / self._offset.count):4.0f} max {self._largest:4.0f} "
            f"freq {self._frequency.mean:+6.0f} +/- {self._frequency.deviation:3.0f}"
        )
        if self._delay.count:
            text += f" delay {self._delay.mean:5.0f} +/- {self._delay.deviation:3.0f}"
        self._begin()
        return text
