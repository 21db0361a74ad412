"""What the classic controllers have in common: offsets in, a frequency or a step out, and a frequency that is held.

Positive offset = this clock ahead of its master, so the correction it asks for is negative. Units: ns, s, ppb.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from enum import Enum

from ptpstack.servo.options import ServoOptions


class Action(Enum):
    WAIT = "wait"
    STEP = "step"
    ADJUST = "adjust"


@dataclass(frozen=True, slots=True)
class Answer:
    action: Action
    frequency_ppb: float
    reason: str
    #: the offset that a STEP is to take away, ns
    offset_ns: float = 0.0


class Controller(ABC):
    def __init__(self, options: ServoOptions, max_frequency_ppb: float) -> None:
        self._options = options
        self._limit = min(options.max_frequency_ppb, max_frequency_ppb)
        #: the frequency correction that has been learnt, ppb: minus the frequency of the free oscillator
        self.drift_ppb = 0.0
        #: how much of an offset goes into the next frequency, 1/s
        self.kp = 0.0
        #: how far the offsets of the start lay from their line, ns: what jitter to expect
        self.start_residuals: list[float] = []
        #: what the clock was last told, ppb
        self._output_ppb = 0.0
        self._ever_stepped = False
        self._running = False
        self.set_interval(1.0)

    @property
    def running(self) -> bool:
        return self._running

    @abstractmethod
    def set_interval(self, interval_s: float) -> None: ...

    @abstractmethod
    def sample(self, offset_ns: float, local_sns: int) -> Answer:
        """One offset, measured at ``local_sns`` of the steered clock."""

    @abstractmethod
    def restart(self) -> None:
        """Learn the frequency anew, against what the clock runs with now."""

    @abstractmethod
    def settle(self) -> None:
        """The frequency is a learnt one: go on from it without a start."""

    def start_from(self, frequency_ppb: float, *, in_service: bool = False, settled: bool = False) -> None:
        """Begin with a clock that already runs with this correction (our own from before, or somebody else's).

        ``in_service``: the clock has been steered before, so the threshold of the first step is no longer for it.
        ``settled``: the correction is a learnt one.
        """
        self._output_ppb = self.drift_ppb = self._clamp(frequency_ppb)
        self._ever_stepped = self._ever_stepped or in_service
        self.restart()
        if settled:
            self.settle()

    def step_refused(self) -> None:
        """The step of the last answer did not happen: begin anew, with the first step still to come."""
        self._ever_stepped = False
        self.restart()

    def hold(self) -> float:
        """The frequency to go on with when nothing is measured any more: the learnt one, not the last correction."""
        self._output_ppb = self.drift_ppb
        return self.drift_ppb

    def _clamp(self, ppb: float) -> float:
        return max(-self._limit, min(self._limit, ppb))
