"""What our own commands have put into a clock, as a function of the clock's own time.

The filter follows the phase of the clock as it would run without us. ``Ledger.at(t)`` is the phase that frequency
commands have added until ``t``; steps are booked in whole units beside it. An observation is freed of both with the
time of its own stamp: a Delay_Resp that arrives after later commands is booked right.
"""

from __future__ import annotations

from collections import deque

#: Commands that are remembered piece by piece; stamps older than the oldest use its rate.
_PIECES = 64


class Ledger:
    """Times are s since ``origin_sns`` on the clock's own, step-free scale."""

    __slots__ = ("_origin_sns", "_pieces", "frequency_ppb", "stepped_sns", "used")

    def __init__(self) -> None:
        self._origin_sns: int | None = None
        #: sum of all steps, sns: subtracted from every time and every offset
        self.stepped_sns = 0
        self.frequency_ppb = 0.0
        #: a command has been booked
        self.used = False
        #: (from when, phase then, rate from then), newest first
        self._pieces: deque[tuple[float, float, float]] = deque([(0.0, 0.0, 0.0)], maxlen=_PIECES)

    def seconds(self, clock_sns: int) -> float:
        """A stamp of the steered clock, s on the step-free scale."""
        if self._origin_sns is None:
            self._origin_sns = clock_sns - self.stepped_sns
        return (clock_sns - self.stepped_sns - self._origin_sns) / 65536e9

    def at(self, t: float) -> float:
        """Phase, ns, that frequency commands have put into the clock until ``t``."""
        piece = self._pieces[0]
        if t < piece[0]:
            for piece in self._pieces:
                if t >= piece[0]:
                    break
        return piece[1] + piece[2] * (t - piece[0])

    def commanded(self, t: float, frequency_ppb: float) -> None:
        """From ``t`` on the clock runs with ``frequency_ppb``."""
        start, phase, rate = self._pieces[0]
        if t < start:
            t = start
        self._pieces.appendleft((t, phase + rate * (t - start), frequency_ppb))
        self.frequency_ppb = frequency_ppb
        self.used = True

    def stepped(self, step_sns: int) -> None:
        self.stepped_sns += step_sns
