"""What took long to learn, and what of it is worth keeping: over a lost estimate, a step, a restart of the program."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(slots=True)
class Knowledge:
    #: frequency of the free oscillator (what it would do with a command of 0), ppb; None: not known
    oscillator_ppb: float | None = None
    #: its variance, ppb^2
    variance: float = 0.0
    #: wander, ppb per root second; None: not known
    wander_ppb: float | None = None
    #: notch of the blur, factor of the path's wander
    notch: int | None = None
    path_wander: float = 1.0
    #: noise level of each side, ns^2
    levels: dict[int, float] = field(default_factory=dict)

    def as_dict(self) -> dict[str, Any]:
        return {
            "oscillator_ppb": self.oscillator_ppb,
            "variance": self.variance,
            "wander_ppb": self.wander_ppb,
            "notch": self.notch,
            "path_wander": self.path_wander,
            "levels": {str(side): level for side, level in self.levels.items()},
        }

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Knowledge:
        """KeyError, TypeError or ValueError for what ``as_dict`` cannot have made."""
        numbers = {key: float(data[key]) for key in ("oscillator_ppb", "variance", "wander_ppb", "path_wander")}
        levels = {int(side): float(level) for side, level in data["levels"].items()}
        for name, number in (*numbers.items(), *levels.items()):
            if not math.isfinite(number) or (name != "oscillator_ppb" and number < 0.0):
                raise ValueError(f"{name} is {number}")
        if not set(levels) <= {-1, 0, 1}:
            raise ValueError(f"levels are of sides {sorted(levels)}")
        return cls(
            numbers["oscillator_ppb"],
            numbers["variance"],
            numbers["wander_ppb"],
            int(data["notch"]),
            numbers["path_wander"],
            levels,
        )

    def aged(self, age_s: float) -> Knowledge:
        """The same after ``age_s`` without looking: the frequency has walked on."""
        walked = (self.wander_ppb or 0.0) ** 2 * max(0.0, age_s)
        return Knowledge(
            self.oscillator_ppb,
            self.variance + walked,
            self.wander_ppb,
            self.notch,
            self.path_wander,
            dict(self.levels),
        )
