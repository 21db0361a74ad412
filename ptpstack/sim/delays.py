"""What a simulated path does to a frame: base + noise; now and then a late frame, or a lost one.

1. Each process (every noise, loss, lateness, spells) draws from a generator of its own, so that switching one on or
   changing it does not reshuffle the others.
2. A noise is drawn for every frame, lost or not, for the same reason.
3. Delays are ns; a delay below zero counts as zero.
"""

from __future__ import annotations

import math
import random
from collections.abc import Callable
from dataclasses import dataclass, field

NOISE_KINDS = ("exponential", "gaussian", "bimodal", "gamma", "queueing")


@dataclass(frozen=True, slots=True)
class Noise:
    """One process that adds to the delay of a frame.

    ``exponential``: ``mean_ns``. ``gaussian``: ``sigma_ns``, also below the base. ``bimodal``: with probability
    ``share`` the frame takes ``mean_ns`` more, the longer of two ways. ``gamma``: ``shape`` queues in a row with
    ``mean_ns`` together. ``queueing``: ``hops`` switches, each with a server that is busy for ``load`` (0..1) of the
    time and needs ``mean_ns`` for a frame (M/M/1): a frame waits with probability ``load``, then an exponential time
    of mean ``mean_ns / (1 - load)``; the load swings by ``load_swing`` with ``period_s``.
    """

    kind: str = "exponential"
    mean_ns: float = 0.0
    sigma_ns: float = 0.0
    share: float = 0.0
    shape: float = 1.0
    hops: int = 1
    load: float = 0.0
    load_swing: float = 0.0
    period_s: float = 86_400.0

    def __post_init__(self) -> None:
        if self.kind not in NOISE_KINDS:
            raise ValueError(f"no noise {self.kind!r}; there are {', '.join(NOISE_KINDS)}")
        if (
            self.kind == "queueing"
            and not 0 <= self.load - abs(self.load_swing) <= self.load + abs(self.load_swing) < 1
        ):
            raise ValueError(
                f"load {self.load} with a swing of {self.load_swing} leaves 0..1: a port that is always busy"
            )


def _drawer(noise: Noise, rng: random.Random) -> Callable[[float], float]:
    """A function of the time (s) that draws one delay, ns."""
    mean, sigma, kind = noise.mean_ns, noise.sigma_ns, noise.kind
    if kind == "exponential":
        # not expovariate(1 / mean): the draw stays the same when the mean is changed
        uniform, log = rng.random, math.log
        return lambda now_s: -log(1.0 - uniform()) * mean
    if kind == "gaussian":
        return lambda now_s: rng.gauss(0.0, sigma)
    if kind == "bimodal":
        return lambda now_s: mean if rng.random() < noise.share else 0.0
    if kind == "gamma":
        return lambda now_s: rng.gammavariate(noise.shape, mean / noise.shape)

    def queue(now_s: float) -> float:
        load = noise.load + noise.load_swing * math.sin(2.0 * math.pi * now_s / noise.period_s)
        total = 0.0
        for _ in range(noise.hops):
            busy, wait = rng.random(), rng.random()
            if busy < load:
                total += -math.log(1.0 - wait) * mean / (1.0 - load)
        return total

    return queue


@dataclass(frozen=True, slots=True)
class Spells:
    """For ``last_s`` the noise is ``factor`` times as large; then it is quiet again, for ``every_s`` on average."""

    every_s: float
    last_s: float
    factor: float


@dataclass(slots=True)
class PathDelay:
    """One direction of a path. Mutable on purpose: a scenario changes a path while the world runs."""

    base_ns: float = 1_000.0
    #: mean of an exponential part: short for a ``Noise`` of that kind
    jitter_ns: float = 0.0
    loss: float = 0.0
    late_share: float = 0.0
    late_ns: float = 0.0
    seed: int | str = 0
    cut: bool = False
    noise: tuple[Noise, ...] = ()
    spells: Spells | None = None
    #: all noise times this
    noise_factor: float = 1.0
    _drawers: list[Callable[[float], float]] = field(init=False, repr=False)
    _lost: random.Random = field(init=False, repr=False)
    _late: random.Random = field(init=False, repr=False)
    _spell: random.Random = field(init=False, repr=False)
    _spell_from_s: float = field(init=False, repr=False, default=math.inf)
    _spell_to_s: float = field(init=False, repr=False, default=-math.inf)

    def __post_init__(self) -> None:
        noise = self.noise
        if self.jitter_ns:
            noise = (Noise("exponential", self.jitter_ns), *noise)
        self._drawers = [
            _drawer(one, random.Random(f"path/{self.seed}/{one.kind}/{number}")) for number, one in enumerate(noise)
        ]
        self._lost = random.Random(f"path/{self.seed}/loss")
        self._late = random.Random(f"path/{self.seed}/late")
        self._spell = random.Random(f"path/{self.seed}/spells")
        if self.spells is not None:
            self._spell_from_s = self._spell.expovariate(1.0) * self.spells.every_s
            self._spell_to_s = self._spell_from_s + self.spells.last_s

    def draw_ns(self, now_s: float = 0.0) -> int | None:
        """Delay of a frame that leaves at ``now_s``, or None when it is lost."""
        added = 0.0
        for draw in self._drawers:
            added += draw(now_s)
        if self.spells is not None:
            added *= self._spell_factor(now_s)
        delay = self.base_ns + added * self.noise_factor
        if self.late_share and self._late.random() < self.late_share:
            delay += self.late_ns
        if self.cut or (self.loss and self._lost.random() < self.loss):
            return None
        return round(delay) if delay > 0.0 else 0

    def _spell_factor(self, now_s: float) -> float:
        assert self.spells is not None
        while now_s >= self._spell_to_s:
            self._spell_from_s = self._spell_to_s + self._spell.expovariate(1.0) * self.spells.every_s
            self._spell_to_s = self._spell_from_s + self.spells.last_s
        return self.spells.factor if now_s >= self._spell_from_s else 1.0
