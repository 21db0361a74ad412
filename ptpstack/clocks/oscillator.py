"""An oscillator model: the frequency error of a free-running clock, second by second.

1. The frequency is constant within each whole second of the time base and changes at the seconds.
2. Each noise process draws from its own seeded generator, one draw for each second, in order: the same seed gives the
   same oscillator whenever and however often it is read, and switching one process on does not change another.
3. Frequencies leave here as integers in units of 2**-64 (fractional frequency), so that a clock can integrate exactly.

Random-walk FM ("wander w"): each second the frequency takes a normal step of sigma w.
"""

from __future__ import annotations

import math
import random
from dataclasses import dataclass, replace

#: fractional frequency 2**-64 in one ppb
UNITS_PER_PPB = (1 << 64) / 1e9

SECONDS_PER_DAY = 86_400


@dataclass(frozen=True, slots=True)
class OscillatorModel:
    """Frequency error against truth, in ppb (positive = fast)."""

    initial_frequency_ppb: float = 0.0
    #: random-walk FM: sigma of the step taken each second
    wander_ppb: float = 0.0
    #: white FM: sigma of the independent error of each second
    white_fm_ppb: float = 0.0
    ageing_ppb_per_day: float = 0.0
    #: a sinusoidal swing with the room's temperature
    temperature_ppb: float = 0.0
    temperature_period_s: float = SECONDS_PER_DAY
    temperature_phase_rad: float = 0.0

    def __post_init__(self) -> None:
        if self.temperature_period_s <= 0:
            raise ValueError(f"temperature_period_s is {self.temperature_period_s}; it must be positive")
        for field in ("wander_ppb", "white_fm_ppb"):
            if getattr(self, field) < 0:
                raise ValueError(f"{field} is {getattr(self, field)}; a standard deviation is not negative")

    @property
    def constant(self) -> bool:
        """The frequency never changes."""
        return not (self.wander_ppb or self.white_fm_ppb or self.ageing_ppb_per_day or self.temperature_ppb)

    @classmethod
    def preset(cls, name: str, **changes: float) -> OscillatorModel:
        """A typical oscillator by name (see ``PRESETS``), with single values replaced. ValueError: no such name."""
        if name not in PRESETS:
            raise ValueError(f"no oscillator preset {name!r}; there are {', '.join(PRESETS)}")
        return replace(PRESETS[name], **changes)


#: Orders of magnitude for tests and labs, not the data of any product. Temperature: a room that swings over the day
#: (``cheap``: over an hour, a machine under changing load).
PRESETS: dict[str, OscillatorModel] = {
    "perfect": OscillatorModel(),
    "rubidium": OscillatorModel(
        0.05, wander_ppb=1e-5, white_fm_ppb=0.02, ageing_ppb_per_day=0.001, temperature_ppb=0.02
    ),
    "ocxo": OscillatorModel(20.0, wander_ppb=1e-4, white_fm_ppb=0.01, ageing_ppb_per_day=0.05, temperature_ppb=0.1),
    "tcxo": OscillatorModel(500.0, wander_ppb=0.02, white_fm_ppb=0.2, ageing_ppb_per_day=1.0, temperature_ppb=20.0),
    "cheap": OscillatorModel(
        30_000.0,
        wander_ppb=1.0,
        white_fm_ppb=5.0,
        ageing_ppb_per_day=10.0,
        temperature_ppb=500.0,
        temperature_period_s=3600.0,
    ),
}


class Oscillator:
    """Runs a model. ``rate`` is the fractional frequency error now in force, in 2**-64."""

    def __init__(self, model: OscillatorModel, seed: int = 0) -> None:
        self.model = model
        self._walk = random.Random(f"oscillator/{seed}/walk")
        self._white = random.Random(f"oscillator/{seed}/white")
        self._base_ppb = model.initial_frequency_ppb
        self._walk_ppb = 0.0
        #: whole seconds begun since the start; second 0 is the (partial) one in which the clock was made
        self.second = 0
        self.rate = self._sum()

    def next_second(self) -> int:
        """Enter the next second; returns the new ``rate``."""
        model = self.model
        self.second += 1
        if model.wander_ppb:
            self._walk_ppb += self._walk.gauss(0.0, model.wander_ppb)
        self.rate = self._sum()
        return self.rate

    def change(self, *, jump_ppb: float = 0.0, wander_ppb: float | None = None) -> int:
        """The frequency jumps now; the random walk's steps are of ``wander_ppb`` from now on. Returns the new rate."""
        if wander_ppb is not None:
            self.model = replace(self.model, wander_ppb=wander_ppb)
        self._base_ppb += jump_ppb
        self.rate += round(jump_ppb * UNITS_PER_PPB)
        return self.rate

    def warmth(self) -> float:
        """Where the temperature stands within its swing, -1 to 1."""
        model = self.model
        return math.sin(2.0 * math.pi * (self.second + 0.5) / model.temperature_period_s + model.temperature_phase_rad)

    def _sum(self) -> int:
        model = self.model
        ppb = self._base_ppb + self._walk_ppb
        if model.white_fm_ppb:
            ppb += self._white.gauss(0.0, model.white_fm_ppb)
        if model.ageing_ppb_per_day or model.temperature_ppb:
            middle_s = self.second + 0.5  # the value half way makes the second's phase right for a linear change
            ppb += model.ageing_ppb_per_day * middle_s / SECONDS_PER_DAY
            ppb += model.temperature_ppb * self.warmth()
        return round(ppb * UNITS_PER_PPB)
