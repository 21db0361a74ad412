"""What a simulated path does to a frame."""

from __future__ import annotations

import random
from dataclasses import dataclass, field


@dataclass(slots=True)
class PathDelay:
    """One direction of a path: base + queueing noise (ns); now and then a late frame, or a lost one.

    Mutable on purpose: a scenario changes a path while the world runs.
    """

    base_ns: float = 1_000.0
    #: mean of the exponential part
    jitter_ns: float = 0.0
    gaussian_ns: float = 0.0
    loss: float = 0.0
    late_share: float = 0.0
    late_ns: float = 0.0
    seed: int = 0
    cut: bool = False
    _rng: random.Random = field(init=False, repr=False)

    def __post_init__(self) -> None:
        self._rng = random.Random(self.seed)

    def draw_ns(self) -> int | None:
        """Delay of the next frame, or None when it is lost."""
        if self.cut:
            return None
        rng = self._rng
        if self.loss and rng.random() < self.loss:
            return None
        delay = self.base_ns
        if self.jitter_ns:
            delay += rng.expovariate(1.0) * self.jitter_ns
        if self.gaussian_ns:
            delay += rng.gauss(0.0, self.gaussian_ns)
        if self.late_share and rng.random() < self.late_share:
            delay += self.late_ns
        return max(0, round(delay))
