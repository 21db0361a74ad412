"""An estimate is a value, a bound and where it comes from; nobody here passes a bare offset around."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Estimate:
    """An offset (this clock minus its reference, ns) and how wrong it may be.

    ``statistical_ns`` covers noise, oscillator and staleness; ``systematic_ns`` covers what no two-way
    exchange can see (path asymmetry: at most half the round trip). The two are kept apart and added.
    ``None`` as statistical part means "no bound can be stated yet", never a made-up one.
    """

    value_ns: float
    statistical_ns: float | None
    systematic_ns: float
    provenance: str

    @property
    def bound_ns(self) -> float | None:
        """Worst case distance of the truth from ``value_ns``, or None while it is unknown."""
        return None if self.statistical_ns is None else self.statistical_ns + self.systematic_ns

    def as_dict(self) -> dict[str, Any]:
        return {
            "value_ns": self.value_ns,
            "statistical_ns": self.statistical_ns,
            "systematic_ns": self.systematic_ns,
            "bound_ns": self.bound_ns,
            "provenance": self.provenance,
        }
