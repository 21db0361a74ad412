"""Paths: each noise has the mean and spread it claims, and processes do not disturb each other."""

from __future__ import annotations

import math
import statistics

import pytest

from ptpstack.sim.delays import Noise, PathDelay, Spells

COUNT = 20_000


def draws(path: PathDelay, count: int = COUNT) -> list[float]:
    drawn = [path.draw_ns(float(n)) for n in range(count)]
    return [float(d) for d in drawn if d is not None]


@pytest.mark.parametrize(
    ("noise", "mean", "sigma"),
    [
        (Noise("exponential", mean_ns=500), 500, 500),
        (Noise("gaussian", sigma_ns=300), 0, 300),
        (Noise("bimodal", mean_ns=1000, share=0.4), 400, 490),
        (Noise("gamma", mean_ns=1000, shape=2), 1000, 707),
        # M/M/1: mean wait load / (1 - load) services, variance load (2 - load) / (1 - load)^2 services squared
        (Noise("queueing", mean_ns=100, load=0.5, hops=4), 400, math.sqrt(4 * 3) * 100),
    ],
)
def test_a_noise_is_what_it_says(noise: Noise, mean: float, sigma: float) -> None:
    values = draws(PathDelay(10_000, noise=(noise,), seed=1))
    assert statistics.fmean(values) - 10_000 == pytest.approx(mean, abs=5 * sigma / math.sqrt(COUNT))
    assert statistics.pstdev(values) == pytest.approx(sigma, rel=0.05)


def test_a_load_that_swings() -> None:
    noise = Noise("queueing", mean_ns=100, load=0.4, load_swing=0.3, period_s=400.0)
    path = PathDelay(0, noise=(noise,), seed=1)
    busy = [path.draw_ns(100.0 + 400 * n) or 0 for n in range(4000)]
    idle = [path.draw_ns(300.0 + 400 * n) or 0 for n in range(4000)]
    assert statistics.fmean(busy) == pytest.approx(100 * 0.7 / 0.3, rel=0.15)
    assert statistics.fmean(idle) == pytest.approx(100 * 0.1 / 0.9, rel=0.25)


def test_a_queue_that_never_ends_is_refused() -> None:
    with pytest.raises(ValueError, match="busy"):
        Noise("queueing", mean_ns=1, load=0.8, load_swing=0.2)
    with pytest.raises(ValueError, match="exponential"):
        Noise("expontial")


def test_losing_frames_does_not_change_the_delay_of_the_others() -> None:
    noise = (Noise("exponential", mean_ns=50), Noise("gaussian", sigma_ns=20))
    plain = [PathDelay(1000, noise=noise, seed=3).draw_ns()]
    whole, lossy = PathDelay(1000, noise=noise, seed=3), PathDelay(1000, noise=noise, seed=3, loss=0.3, late_share=0.1)
    pairs = [(whole.draw_ns(), lossy.draw_ns()) for _ in range(1000)]
    kept = [(a, b) for a, b in pairs if b is not None]
    assert 600 < len(kept) < 800
    assert all(a == b for a, b in kept)
    assert pairs[0][0] == plain[0]


def test_late_frames() -> None:
    values = draws(PathDelay(1000, late_share=0.1, late_ns=5000, seed=2))
    assert set(values) == {1000.0, 6000.0}
    assert values.count(6000.0) / COUNT == pytest.approx(0.1, abs=0.01)


def test_spells_come_and_go() -> None:
    path = PathDelay(0, noise=(Noise("exponential", mean_ns=10),), spells=Spells(80.0, 20.0, 100.0), seed=4)
    values = draws(path)
    loud = sum(v > 150 for v in values)
    # a fifth of the time; in a spell e^-0.15 of the delays are beyond 150 ns, else nearly none
    assert loud / COUNT == pytest.approx(0.2 * math.exp(-0.15), rel=0.25)


def test_a_factor_scales_what_is_random_only() -> None:
    quiet, loud = (PathDelay(1000, noise=(Noise("exponential", mean_ns=1000),), seed=5) for _ in range(2))
    loud.noise_factor = 3.0
    for _ in range(100):
        a, b = quiet.draw_ns(), loud.draw_ns()
        assert a is not None
        assert b is not None
        assert b - 1000 == pytest.approx(3 * (a - 1000), abs=2)
