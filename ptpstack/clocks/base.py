"""The one interface of a clock that can be read, stepped and steered.

Rules of this room:

1. Every clock speaks **PTP time** (TAI, ns or 2**-16 ns since 1970-01-01 00:00:00 TAI). A clock whose hardware counts
   UTC (the system clock) converts at this edge and nowhere else.
2. Frequencies are in ppb, positive = faster, absolute (not a delta).
3. A reading of one clock against another states its bound.
4. Nothing here waits: reading external time stamps gives those that are there.
"""

from __future__ import annotations

import errno
from dataclasses import dataclass
from typing import Protocol


class ClockError(OSError):
    """The clock refused or is gone. Says which clock, which operation, why, and what to do."""

    def __str__(self) -> str:
        return self.strerror or super().__str__()

    @property
    def gone(self) -> bool:
        """The device was removed under us: every further call fails until the clock is opened again (``reopen``)."""
        return self.errno in (errno.ENODEV, errno.ENXIO)


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
    #: the driver hands a phase offset to a PLL of the hardware, up to that many ns at a time
    adjust_phase: bool = False
    max_phase_ns: int = 0


@dataclass(frozen=True, slots=True)
class CrossReading:
    """This clock and CLOCK_REALTIME at the same moment; the truth lies within ``bound_ns``."""

    clock_sns: int
    realtime_ns: int
    bound_ns: float
    method: str
    #: how many readings it is made of
    samples: int = 1
    #: standard deviation to expect of it, ns, from how its readings scattered; 0 when they did not tell
    noise_ns: float = 0.0


@dataclass(frozen=True, slots=True)
class ExternalTimestamp:
    """An edge at input ``channel``, in PTP time of the clock that stamped it."""

    channel: int
    clock_sns: int


@dataclass(frozen=True, slots=True)
class ExttsGrant:
    """What an input was really set to."""

    channel: int
    #: the pin that was given this function; None: the clock has no pins to set, or it was left alone
    pin: int | None
    #: ``rising``, ``falling``, or ``both`` when the driver may report both edges whatever was asked
    edge: str
    enabled: bool
    #: the driver honours the edge asked for
    strict: bool
    #: events of other channels, which other programs asked for, do not come to us
    alone: bool
    #: what to know about it, or ""
    note: str = ""


@dataclass(frozen=True, slots=True)
class OutputGrant:
    """What a periodic output was really set to; ``period_ns`` 0: off."""

    channel: int
    pin: int | None
    period_ns: int
    #: the first edge, PTP time of the clock
    start_sns: int
    #: length of the pulse; None: what the driver does by default, often half the period
    pulse_ns: int | None
    note: str = ""


@dataclass(frozen=True, slots=True)
class Pin:
    """A programmable pin. ``function``: ``none``, ``extts``, ``perout`` or ``physync``, of ``channel``."""

    index: int
    name: str
    function: str
    channel: int


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

    def cross_reading(self, samples: int = 5) -> CrossReading:
        """Made of ``samples`` readings (1..25), all of which count."""

    def foreign_frequency(self) -> float | None:
        """The frequency in force, ppb, when it is not what ``set_frequency`` set last: somebody else steers too.

        None: it is as we left it, or we never set it, or the clock does not tell. Cheap: ask once a second.
        """

    def close(self) -> None: ...


class PinClock(Clock, Protocol):
    """A clock with inputs that it stamps and outputs that it drives: ``LinuxPhc``, ``SimulatedClock``."""

    def fileno(self) -> int:
        """Readable when external time stamps wait. ClockError (EOPNOTSUPP): this clock has none, ask by time."""

    def request_external_timestamps(
        self, channel: int, *, pin: int | None = None, edge: str = "rising", enable: bool = True
    ) -> ExttsGrant:
        """Stamp the edges of input ``channel``, or stop. What is waiting from before is thrown away."""

    def read_external_timestamps(self) -> list[ExternalTimestamp]:
        """All that wait, oldest first; [] when there are none. Never blocks."""

    def set_periodic_output(
        self,
        channel: int,
        *,
        period_ns: int,
        start_sns: int | None = None,
        pin: int | None = None,
        pulse_ns: int | None = None,
    ) -> OutputGrant:
        """Edges every ``period_ns`` from ``start_sns`` (None: the second full second from now); 0 switches it off.

        After a step of the clock the output is in the old time: set it again.
        """
