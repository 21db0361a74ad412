"""LocalClock (8.4.1): a clock as it would run if nobody steered it, from stamps of the steered one.

1. Whole numbers of 2**-16 ns. The scale begins where the first stamp was.
2. Every command is booked with the clock's own time of it, so a stamp that is told late is still converted right.
3. A step of the clock does not show.
"""

from __future__ import annotations

from collections import deque

#: commands that are remembered; older stamps use the rate of the oldest
PIECES = 64


class LocalClock:
    def __init__(self) -> None:
        #: (stamp without steps, free time then, ppb from then on), newest first
        self._pieces: deque[tuple[int, int, float]] = deque(maxlen=PIECES)
        self._stepped_sns = 0
        #: how much faster than by itself the clock runs by our command
        self.frequency_ppb = 0.0

    def reset(self, frequency_ppb: float) -> None:
        """Another clock, or one that has lost its time."""
        self._pieces.clear()
        self._stepped_sns = 0
        self.frequency_ppb = frequency_ppb

    def commanded(self, clock_sns: int, frequency_ppb: float, step_sns: int) -> None:
        """From its time ``clock_sns`` on it runs with ``frequency_ppb``; just before it was stepped by ``step_sns``."""
        self._stepped_sns += step_sns
        if self._pieces:
            self._pieces.appendleft((clock_sns - self._stepped_sns, self.free(clock_sns), frequency_ppb))
        self.frequency_ppb = frequency_ppb

    def free(self, stamp_sns: int) -> int:
        """The free-running time of a stamp."""
        pieces, at = self._pieces, stamp_sns - self._stepped_sns
        if not pieces:
            pieces.append((at, stamp_sns, self.frequency_ppb))
        piece = pieces[0]
        if at < piece[0]:
            piece = next((older for older in pieces if at >= older[0]), pieces[-1])
        start, free, ppb = piece
        span = at - start
        return free + span - round(span * (ppb / (1e9 + ppb)))

    def stamp(self, free_sns: int) -> int:
        """What the clock showed at a free-running time not long ago."""
        if not self._pieces:
            return free_sns
        pieces = self._pieces
        piece = next((older for older in pieces if free_sns >= older[1]), pieces[-1])
        start, free, ppb = piece
        span = free_sns - free
        return start + self._stepped_sns + span + round(span * (ppb / 1e9))
