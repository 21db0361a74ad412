"""The one interface of a clock that can be read, stepped and steered.

Rules of this room:

1. Every clock speaks **PTP time** (TAI, ns or 2**-16 ns since 1970-01-01 00:00:00 TAI). A clock whose hardware counts
   UTC (the system clock) converts at this edge and nowhere else.
2. Frequencies are in ppb, positive = faster, absolute (not a delta).
3. A reading of one clock against another states its bound.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol


class ClockError(OSError):
    """The clock refused or is gone. Says which clock, which operation, why, and what to do."""

    def __str__(self) -> str:
        return self.strerror or super().__str__()


@dataclass(frozen=True, slots=True)
class Capabilities:
    max_adjustment_ppb: float
    can_step: bool = True
    can_adjust: bool = True
    #: how readings against the system clock are taken: precise, extended, offset, sandwich, exact
    cross_method: str = "sandwich"
    external_timestamps: int = 0
    periodic_outputs: int = 0
    pins: int = 0
    pps: bool = False


@dataclass(frozen=True, slots=True)
class CrossReading:
    """This clock and CLOCK_REALTIME at the same moment; the truth lies within ``bound_ns`` (half the sandwich)."""

    clock_sns: int
    realtime_ns: int
    bound_ns: float
    method: str


class Clock(Protocol):
    """Contract: tests/clocks/test_contract.py runs over every backend."""

    @property
    def name(self) -> str: ...

    @property
    def kind(self) -> str:
        """``phc``, ``system`` or ``simulated``."""

    @property
    def capabilities(self) -> Capabilities: ...

    def now_sns(self) -> int:
        """PTP time of this clock."""

    def stamp_sns(self, stamp_ns: int) -> int:
        """A packet's time stamp, as the kernel delivers it for this clock, in PTP time.

        PHC: the raw hardware stamp. System clock and simulated clock: a CLOCK_REALTIME software stamp.
        """

    def frequency_ppb(self) -> float:
        """The frequency correction in force."""

    def set_frequency(self, ppb: float) -> float:
        """Steer; returns what the clock really took (clamped to its range, rounded to its resolution)."""

    def step(self, delta_sns: int) -> None:
        """Add ``delta_sns`` to the clock, at once."""

    def cross_reading(self, samples: int = 5) -> CrossReading: ...

    def close(self) -> None: ...
