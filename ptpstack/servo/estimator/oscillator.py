"""What an oscillator does over hours and days, which a filter with a memory of minutes cannot know.

The filter's wander q says how the frequency walks from second to second. Rooms warm up and cool down, crystals age:
over a day a frequency swings further than its walk. Until it has been watched for a day, an allowance stands in:
``_SWING`` times what the walk alone would do in a day, which is ample for oscillators of every grade (the better the
walk, the better the oven). From then on the allowance is what was seen, with a margin.

A frequency that swings by D within a day, as a sine does, changes at most by pi D a day, so that holding it for t costs

    s t^2 / 2                     until the swing is reached (t1 = D / s, s = pi D / day)
    s t1^2 / 2 + D (t - t1)       after that.

Ageing, fitted over whole days, is carried on in holdover; a random walk is not (its best forecast is where it is).
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from math import isfinite, pi, sqrt

_DAY_S = 86_400.0
#: One frequency is noted every so often, s, and a week of them is kept.
SPACING_S = 600.0
_NOTES = 1008
#: The allowance for a swing not yet seen: this many times the walk of a day.
_SWING = 10.0
#: Of a swing that was seen: margin.
_SEEN = 1.5
_DOUBT = 2.0
#: Ageing is fitted when the notes span this many days.
_AGEING_DAYS = 2


class OscillatorRecord:
    """Frequencies of the free oscillator, ppb, noted at clock times (s) with their standard deviation."""

    def __init__(self) -> None:
        self._notes: deque[tuple[float, float, float]] = deque(maxlen=_NOTES)
        self._seen = 0.0

    def note(self, t: float, frequency_ppb: float, sigma_ppb: float) -> None:
        """Called as often as one likes; kept every ``SPACING_S``."""
        notes = self._notes
        if notes and t < notes[-1][0]:
            notes.clear()
        if not notes or t - notes[-1][0] >= SPACING_S:
            notes.append((t, frequency_ppb, sigma_ppb))
            self._seen = self._seen_swing()

    @property
    def span_s(self) -> float:
        return self._notes[-1][0] - self._notes[0][0] if self._notes else 0.0

    def swing_ppb(self, q: float) -> float:
        """How far the frequency may swing within a day, ppb; ``q``: its walk, ppb per root second."""
        allowance = _SWING * q * sqrt(_DAY_S)
        if len(self._notes) < 2:
            return allowance
        if self.span_s >= _DAY_S:
            # of the allowance only the walk itself stays
            return max(self._seen, 3.0 * q * sqrt(_DAY_S))
        return max(self._seen, allowance)

    def _seen_swing(self) -> float:
        """With its margin, ppb. Only what lies beyond doubt: the first minutes' frequencies were not well known."""
        highest = max(f - _DOUBT * sigma for _, f, sigma in self._notes)
        lowest = min(f + _DOUBT * sigma for _, f, sigma in self._notes)
        return _SEEN * max(0.0, highest - lowest)

    def ageing_ppb_per_s(self) -> float:
        """Drift that days of notes agree on; 0 before: the mean of the last whole day less that of the first, by
        time.
        """
        notes = self._notes
        if self.span_s < _AGEING_DAYS * _DAY_S:
            return 0.0
        first = [f for t, f, _ in notes if t < notes[0][0] + _DAY_S]
        last = [f for t, f, _ in notes if t > notes[-1][0] - _DAY_S]
        return (sum(last) / len(last) - sum(first) / len(first)) / (self.span_s - _DAY_S)

    def allowance_ns(self, dt: float, q: float) -> float:
        """What a held frequency may cost within ``dt`` s beyond its random walk, ns."""
        swing = self.swing_ppb(q)
        if swing <= 0.0 or dt <= 0.0:
            return 0.0
        slope = pi * swing / _DAY_S
        until = swing / slope
        if dt <= until:
            return 0.5 * slope * dt * dt
        return 0.5 * slope * until * until + swing * (dt - until)

    # ---- across a restart -------------------------------------------------------------------------------------

    def keep(self, t: float) -> list[list[float]]:
        """Notes as (age in s, ppb, standard deviation), oldest first."""
        return [[t - at, frequency, sigma] for at, frequency, sigma in self._notes]

    def resume(self, kept: Iterable[Iterable[float]], age_s: float) -> None:
        """Notes that ``keep`` gave ``age_s`` ago; the clock's time begins at 0 now. ValueError, TypeError: not
        notes.
        """
        for note in kept:
            age, frequency, sigma = (float(x) for x in note)
            if not all(isfinite(x) for x in (age, frequency, sigma)):
                raise ValueError(f"a note is {age}, {frequency}, {sigma}")
            self._notes.append((-age - age_s, frequency, sigma))
        self._seen = self._seen_swing() if self._notes else 0.0
