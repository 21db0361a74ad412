"""Data sets with known answers: NBS-14 and noise of known slope."""

from __future__ import annotations

import numpy as np

from ptpstack.analysis.series import EvenSeries, Floats, Series, even

#: NBS Monograph 140 annex 8.E, phase; its nine differences are the frequency data
NBS14_PHASE = (0.0, 103.11111, 123.22222, 157.33333, 166.44444, 48.55555, -96.33333, -2.22222, 111.88889, 0.0)


def nbs14_frequency() -> Floats:
    """The 1000-point set: a linear congruential generator, as fractions of its modulus."""
    numbers = [1234567890]
    for _ in range(999):
        numbers.append(16807 * numbers[-1] % 2147483647)
    # the first ones are published with the set
    assert numbers[1:4] == [395529916, 1209410747, 633705974]
    return np.array(numbers) / 2147483647


def nbs14_phase() -> Floats:
    return np.concatenate(([0.0], np.cumsum(nbs14_frequency())))


def phase_dat() -> Floats:
    """Stable32's PHASE.DAT: the same frequency data less their mean."""
    frequency = nbs14_frequency()
    return np.concatenate(([0.0], np.cumsum(frequency - frequency.mean())))


def gridded(x: Floats, interval_s: float = 1.0) -> EvenSeries:
    return even(Series("test", np.arange(len(x)) * interval_s, x))


def white_pm(count: int, seed: int) -> Floats:
    return np.random.default_rng(seed).normal(size=count)


def white_fm(count: int, seed: int) -> Floats:
    return np.cumsum(white_pm(count, seed))


def random_walk_fm(count: int, seed: int) -> Floats:
    return np.cumsum(white_fm(count, seed))
