"""The first seconds: a robust straight line through the first packets, until the filter can take over.

Packets (side, t, value) obey value = side (phase + f (t - t0)) + d + wait. Two forward and one other packet determine
the three unknowns exactly. From five packets on, every such exact fit (at most some 200) is tried, the one with the
smallest h-th absolute residual is kept (least median of squares: almost half of the packets may be late), and its
inliers are fitted by least squares.

The filter takes over when there are eight inliers, four forward and three other, the newest of each among them; but not
while the residuals are much larger than the noise that shows between neighbours (second differences): then it is the
master that still moves.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import combinations, product
from math import sqrt

from ptpstack.servo.estimator.direction import KEPT, Observed

_ROBUST_FROM = 5
_MOST_FITS = 200
_INLIER = 6.0
_INLIER_LEAST_NS = 3.0
_READY = 8
_READY_FORWARD = 4
_READY_OTHER = 3
#: Residuals this many times larger than the noise of neighbours: the master moves.
_MOVES = 16.0
#: Fits that are refused for that reason; then it is taken for an oscillator that wanders that much.
_PATIENCE = 8
_FORGOTTEN = 3
#: A frequency that walks by q (ppb per root second) leaves residuals of about this many q span^1.5 about a line.
_WALK = 0.1


@dataclass(frozen=True, slots=True)
class Fit:
    """A straight line: phase (ns) and frequency (ppb) at ``t`` (s), delay (ns), and how good it is."""

    t: float
    phase: float
    frequency: float
    delay: float
    #: variance of the residuals, ns^2
    variance: float
    inliers: int
    #: enough, and good enough, for the filter to go on
    ready: bool
    #: random walk of the frequency that would explain residuals which noise does not, ppb per root second; 0: noise
    #: does
    wander: float
    #: tt, tf, td, ff, fd, dd
    covariance: tuple[float, float, float, float, float, float]


class Startup:
    def __init__(self, direct: bool) -> None:
        self._direct = direct
        self._kept: deque[Observed] = deque(maxlen=KEPT)
        self._refused = 0
        self.packets = 0

    def add(self, seen: Observed) -> None:
        if len(self._kept) == KEPT and not self._direct:
            self._thin()
        self._kept.append(seen)
        self.packets += 1

    def _thin(self) -> None:
        """Where one direction speaks far more often than the other, its crowd must not push the other's packets out:
        of that direction, the one goes that its neighbours miss least.
        """
        kept = self._kept
        forward = [p for p in kept if p.side > 0]
        other = [p for p in kept if p.side <= 0]
        if len(forward) <= _READY_FORWARD:
            crowd = other
        elif len(other) <= _READY_OTHER:
            crowd = forward
        else:
            return
        least = min(range(1, len(crowd) - 1), key=lambda i: crowd[i + 1].t - crowd[i - 1].t)
        kept.remove(crowd[least])

    def clear(self) -> None:
        self._kept.clear()
        self._refused = 0

    def fit(self, grain2: float) -> Fit | None:
        """The line through what was seen, at the time of the newest packet; None while there is too little."""
        packets = list(self._kept)
        forward = sum(1 for p in packets if p.side > 0)
        other = len(packets) - forward
        if forward < 2 or (other < 1 and not self._direct):
            return None
        t = max(p.t for p in packets)
        chosen: Sequence[Observed] = packets
        if len(packets) >= _ROBUST_FROM:
            chosen = self._inliers(packets, t, grain2)
        solved = _least_squares(chosen, t, self._direct)
        if solved is None:
            return None
        (phase, frequency, delay), inverse = solved
        unknowns = 2 if self._direct else 3
        residuals = [_residual(p, t, phase, frequency, delay) for p in chosen]
        variance = sum(r * r for r in residuals) / max(1, len(chosen) - unknowns) + grain2
        newest = {p.side: p for p in packets}
        sides = [p.side for p in chosen]
        ready = (
            len(chosen) >= _READY
            and sum(1 for s in sides if s > 0) >= _READY_FORWARD
            and (self._direct or sum(1 for s in sides if s <= 0) >= _READY_OTHER)
            and all(any(p is q for q in chosen) for p in newest.values())
        )
        wander = 0.0
        scale = 1.5 * max(variance, 0.1)
        if ready:
            between = noise_between(packets)
            if between is not None and variance > _MOVES * between + 9.0 * grain2 + 1.0:
                if self._refused < _PATIENCE:
                    # perhaps the master was stepped meanwhile: the older packets speak of another time
                    self._refused += 1
                    ready = False
                    for _ in range(_FORGOTTEN):
                        self._kept.popleft()
                else:
                    span = t - min(p.t for p in packets)
                    wander = sqrt(variance) / (_WALK * span**1.5)
                    variance = between + grain2
        tt, tf, td, ff, fd, dd = (scale * c for c in inverse)
        covariance = (tt, tf, td, ff, fd, dd)
        return Fit(t, phase, frequency, delay, variance, len(chosen), ready, wander, covariance)

    def fit_known(self, frequency: float, variance: float, level: float) -> Fit | None:
        """With a frequency that is known from before (ppb, ppb^2) one packet of each direction is enough.

        ``level``: usual noise of a packet, ns^2.
        """
        newest = {p.side: p for p in self._kept}
        ahead = newest.get(1)
        back = newest.get(-1, newest.get(0))
        if ahead is None or (back is None and not self._direct):
            return None
        if self._direct or back is None:
            return Fit(ahead.t, ahead.value, frequency, 0.0, level, 1, True, 0.0, (level, 0.0, 0.0, variance, 0.0, 0.0))
        t = max(ahead.t, back.t)
        forward = ahead.value + frequency * (t - ahead.t)
        reverse = back.value + back.side * frequency * (t - back.t)
        phase, delay = (
            ((forward - reverse) / 2.0, (forward + reverse) / 2.0) if back.side else (forward - reverse, reverse)
        )
        room = level + variance * (ahead.t - back.t) ** 2
        return Fit(t, phase, frequency, delay, level, 2, True, 0.0, (room, 0.0, 0.0, variance, 0.0, room))

    def _inliers(self, packets: list[Observed], t: float, grain2: float) -> list[Observed]:
        best: tuple[float, tuple[float, float, float]] | None = None
        h = (len(packets) + 4) // 2
        for triple in _triples(packets, self._direct):
            solved = _least_squares(triple, t, self._direct)
            if solved is None:
                continue
            state = solved[0]
            residuals = sorted(abs(_residual(p, t, *state)) for p in packets)
            score = residuals[min(h, len(residuals)) - 1]
            if best is None or score < best[0]:
                best = (score, state)
        if best is None:
            return packets
        limit = _INLIER * best[0] + _INLIER_LEAST_NS + 2.0 * sqrt(grain2)
        return [p for p in packets if abs(_residual(p, t, *best[1])) <= limit]


def _triples(packets: list[Observed], direct: bool) -> list[tuple[Observed, ...]]:
    forward = [p for p in packets if p.side > 0]
    pairs = list(combinations(forward, 2))
    if direct:
        made: list[tuple[Observed, ...]] = list(pairs)
    else:
        made = [(a, b, c) for (a, b), c in product(pairs, [p for p in packets if p.side <= 0])]
    step = -(-len(made) // _MOST_FITS)
    return made[:: max(1, step)]


def _residual(p: Observed, t: float, phase: float, frequency: float, delay: float) -> float:
    return p.value - p.side * (phase + frequency * (p.t - t)) - delay


def _least_squares(
    packets: Sequence[Observed], t: float, direct: bool
) -> tuple[tuple[float, float, float], tuple[float, float, float, float, float, float]] | None:
    """(phase, frequency, delay) at ``t`` and the inverse normal matrix; None when the packets do not determine them.

    The normal equations are scaled in time so that their elements are of one size.
    """
    span = max(abs(p.t - t) for p in packets)
    if span <= 0.0:
        return None
    # columns: side, side * (p.t - t) / span, 1
    a = b = c = e = g = y0 = y1 = y2 = 0.0
    n = float(len(packets))
    reference = packets[0].value if packets[0].side >= 0 else -packets[0].value
    for p in packets:
        s, x = float(p.side), p.side * (p.t - t) / span
        value = p.value - p.side * reference
        a += s * s
        b += s * x
        c += s
        e += x * x
        g += x
        y0 += s * value
        y1 += x * value
        y2 += value
    if direct:
        determinant = a * e - b * b
        if determinant <= 1e-9 * a * e:
            return None
        phase = (e * y0 - b * y1) / determinant
        slope = (a * y1 - b * y0) / determinant
        return (
            (phase + reference, slope / span, 0.0),
            (e / determinant, -b / determinant / span, 0.0, a / determinant / span / span, 0.0, 0.0),
        )
    c00, c01, c02 = e * n - g * g, c * g - b * n, b * g - c * e
    determinant = a * c00 + b * c01 + c * c02
    if determinant <= 1e-9 * a * e * n:
        return None
    c11, c12, c22 = a * n - c * c, b * c - a * g, a * e - b * b
    phase = (c00 * y0 + c01 * y1 + c02 * y2) / determinant
    slope = (c01 * y0 + c11 * y1 + c12 * y2) / determinant
    delay = (c02 * y0 + c12 * y1 + c22 * y2) / determinant
    return (
        (phase + reference, slope / span, delay),
        (
            c00 / determinant,
            c01 / determinant / span,
            c02 / determinant,
            c11 / determinant / span / span,
            c12 / determinant / span,
            c22 / determinant,
        ),
    )


def second_differences(packets: Iterable[Observed]) -> list[float]:
    """Squares (ns^2) of how far the middle of three consecutive packets of a direction lies from the line through its
    neighbours, scaled to the variance of one packet. A moving clock hardly touches them.
    """
    squares = []
    by_side: dict[int, list[Observed]] = {}
    for packet in packets:
        by_side.setdefault(packet.side, []).append(packet)
    for line in by_side.values():
        line.sort(key=lambda p: p.t)
        for before, middle, after in zip(line, line[1:], line[2:], strict=False):
            gap = after.t - before.t
            if gap <= 0.0:
                continue
            w = (middle.t - before.t) / gap
            error = middle.value - before.value * (1.0 - w) - after.value * w
            squares.append(error * error / (1.0 + w * w + (1.0 - w) * (1.0 - w)))
    return squares


def noise_between(packets: Iterable[Observed]) -> float | None:
    """Noise variance as it shows between neighbours, ns^2: 2.2 times the median of squares, as for normal noise."""
    squares = sorted(second_differences(packets))
    return 2.2 * squares[len(squares) // 2] if len(squares) >= 3 else None
