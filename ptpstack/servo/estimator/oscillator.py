"""What an oscillator does over hours and days, which a filter with a memory of minutes cannot know.

The filter's wander q says how the frequency walks from second to second. Rooms warm up and cool down, crystals age:
over a day a frequency swings further than its walk. Until it has been watched for a day, an allowance stands in:
``_SWING`` times what the walk alone would do in a day, which is ample for oscillators of every grade (the better the
walk, the better the oven). From then on the allowance is what was seen, with a margin.

A frequency that swings by D within a day, as a sine does, changes at most by pi D a day, so that holding it for t costs

    s t^2 / 2                     until the swing is reached (t1 = D / s, s = pi D / day)
    s t1^2 / 2 + D (t - t1)       after that.

Ageing, fitted over whole days, is carried on in holdover; a random walk is not (its best forecast is where it is).
Where a sensor shows the temperature, the frequency's dependence on it is fitted through the same notes (least
squares); once it is beyond doubt, each change of temperature is a change of frequency that is known, and only what the
fit leaves is a swing.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from math import isfinite, pi, sqrt
from typing import NamedTuple

_DAY_S = 86_400.0
#: One frequency is noted every so often, s, and a week of them is kept.
SPACING_S = 600.0
_NOTES = 1008
#: The allowance for a swing not yet seen: this many times the walk of a day.
_SWING = 10.0
#: Of a swing that was seen: margin.
_SEEN = 1.5
_DOUBT = 2.0
#: Once the swing is known, this many times the walk of a day.
_WALK = 3.0
#: The dependence on temperature: notes and degrees that a fit needs, and the share of the variance it has to explain.
_FIT_NOTES = 18
_FIT_DEGREES = 0.5
_EXPLAINED = 0.8
#: Ageing is fitted when the notes span this many days.
_AGEING_DAYS = 2


class Note(NamedTuple):
    """One frequency, ppb, with its standard deviation, at a clock time, s; ``celsius`` None: no sensor."""

    t: float
    frequency: float
    sigma: float
    celsius: float | None


class OscillatorRecord:
    """Frequencies of the free oscillator, noted while they were known."""

    def __init__(self) -> None:
        self._notes: deque[Note] = deque(maxlen=_NOTES)
        #: what was seen of the swing, with its margin; what of it the temperature does not explain
        self._seen = 0.0
        #: ppb per degree; 0: no sensor, or no dependence beyond doubt
        self.per_degree = 0.0
        #: the temperature now
        self.celsius: float | None = None

    def note(self, t: float, frequency_ppb: float, sigma_ppb: float) -> None:
        """Called as often as one likes; kept every ``SPACING_S``."""
        notes = self._notes
        if notes and 0.0 <= t - notes[-1].t < SPACING_S:
            return
        if notes and t < notes[-1].t:
            notes.clear()
        if not notes or t - notes[-1].t >= SPACING_S:
            notes.append(Note(t, frequency_ppb, sigma_ppb, self.celsius))
            self._learn()

    def warmed(self, celsius: float) -> float:
        """A new temperature; how far the frequency goes with it, ppb."""
        before, self.celsius = self.celsius, celsius
        return 0.0 if before is None else self.per_degree * (celsius - before)

    @property
    def span_s(self) -> float:
        return self._notes[-1].t - self._notes[0].t if self._notes else 0.0

    def swing_ppb(self, q: float) -> float:
        """How far the frequency may swing within a day, ppb; ``q``: its walk, ppb per root second."""
        if len(self._notes) < 2:
            return _SWING * q * sqrt(_DAY_S)
        # seen for a day, or explained by the temperature: of the allowance only the walk itself stays
        known = self.span_s >= _DAY_S or self.per_degree != 0.0
        return max(self._seen, (_WALK if known else _SWING) * q * sqrt(_DAY_S))

    def _learn(self) -> None:
        self.per_degree = self._fit_temperature()
        # Only what lies beyond doubt: the first minutes' frequencies were not well known.
        level = [(n.frequency - self.per_degree * (n.celsius or 0.0), n.sigma) for n in self._notes]
        highest = max(f - _DOUBT * sigma for f, sigma in level)
        lowest = min(f + _DOUBT * sigma for f, sigma in level)
        self._seen = _SEEN * max(0.0, highest - lowest)

    def _fit_temperature(self) -> float:
        notes = [n for n in self._notes if n.celsius is not None]
        if len(notes) < _FIT_NOTES:
            return 0.0
        celsius = [n.celsius or 0.0 for n in notes]
        if max(celsius) - min(celsius) < _FIT_DEGREES:
            return 0.0
        weights = [1.0 / max(n.sigma, 1e-6) ** 2 for n in notes]
        total = sum(weights)
        mean_c = sum(w * c for w, c in zip(weights, celsius, strict=True)) / total
        mean_f = sum(w * n.frequency for w, n in zip(weights, notes, strict=True)) / total
        square = sum(w * (c - mean_c) ** 2 for w, c in zip(weights, celsius, strict=True))
        slope = (
            sum(w * (c - mean_c) * (n.frequency - mean_f) for w, c, n in zip(weights, celsius, notes, strict=True))
            / square
        )
        left = sum(
            w * (n.frequency - mean_f - slope * (c - mean_c)) ** 2
            for w, c, n in zip(weights, celsius, notes, strict=True)
        )
        explained = slope * slope * square
        # most of the variance has to go with it: an oscillator that walks looks like any slow curve for a while
        return slope if explained > _EXPLAINED * (explained + left) else 0.0

    def ageing_ppb_per_s(self) -> float:
        """Drift that days of notes agree on; 0 before: mean of the last whole day less that of the first, by time."""
        notes = self._notes
        if self.span_s < _AGEING_DAYS * _DAY_S:
            return 0.0
        level = [(n.t, n.frequency - self.per_degree * (n.celsius or 0.0)) for n in notes]
        first = [f for t, f in level if t < notes[0].t + _DAY_S]
        last = [f for t, f in level if t > notes[-1].t - _DAY_S]
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

    def keep(self, t: float) -> list[list[float | None]]:
        """Notes as (age in s, ppb, standard deviation, degrees or None), oldest first."""
        return [[t - n.t, n.frequency, n.sigma, n.celsius] for n in self._notes]

    def resume(self, kept: Iterable[Iterable[float | None]], age_s: float) -> None:
        """Notes that ``keep`` gave ``age_s`` ago; the clock's time begins at 0 now. ValueError, TypeError: not
        notes.
        """
        for note in kept:
            age, frequency, sigma, celsius = (None if x is None else float(x) for x in note)
            if age is None or frequency is None or sigma is None:
                raise ValueError("a note lacks its age, frequency or standard deviation")
            if not all(isfinite(x) for x in (age, frequency, sigma, celsius or 0.0)):
                raise ValueError(f"a note is {age}, {frequency}, {sigma}, {celsius}")
            self._notes.append(Note(-age - age_s, frequency, sigma, celsius))
        if self._notes:
            self._learn()
