"""Deviations of synthetic noise have the slope and the level that theory gives (NIST SP 1065, section 3)."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import pytest

from ptpstack.analysis.deviations import by_tau, deviations
from ptpstack.analysis.series import Floats
from tests.analysis.data import gridded, random_walk_fm, white_fm, white_pm

AT = (1, 2, 4, 8, 16, 32, 64, 128, 256)


def slope(x: Floats, kind: str) -> float:
    (found,) = deviations(gridded(x), (kind,), AT)
    tau, value = by_tau(found)
    return float(np.polyfit(np.log(tau), np.log(value), 1)[0])


@pytest.mark.parametrize(
    ("noise", "kind", "expected"),
    [
        (white_pm, "oadev", -1.0),
        (white_pm, "mdev", -1.5),
        (white_pm, "tdev", -0.5),
        (white_pm, "ohdev", -1.0),
        (white_fm, "adev", -0.5),
        (white_fm, "oadev", -0.5),
        (white_fm, "mdev", -0.5),
        (white_fm, "tdev", 0.5),
        (white_fm, "tierms", 0.5),
        (white_fm, "hdev", -0.5),
        (random_walk_fm, "oadev", 0.5),
        (random_walk_fm, "mdev", 0.5),
        (random_walk_fm, "tdev", 1.5),
        (random_walk_fm, "ohdev", 0.5),
    ],
)
def test_slopes(noise: Callable[[int, int], Floats], kind: str, expected: float) -> None:
    found = [slope(noise(60_000, seed), kind) for seed in range(4)]
    assert sum(found) / len(found) == pytest.approx(expected, abs=0.06)


def test_levels() -> None:
    """sigma = 1 ns: ADEV(1) of white PM is sqrt(3) ns/s, of white FM 1 ns/s; TDEV(1) of white PM is sigma."""
    pm, fm = gridded(white_pm(200_000, 5)), gridded(white_fm(200_000, 6))
    (adev_pm,), (tdev_pm,), (adev_fm,) = (
        deviations(s, (k,), (1,)) for s, k in ((pm, "oadev"), (pm, "tdev"), (fm, "oadev"))
    )
    assert adev_pm.points[0].value == pytest.approx(math.sqrt(3.0) * 1e-9, rel=0.01)
    assert tdev_pm.points[0].value == pytest.approx(1.0, rel=0.01)
    assert adev_fm.points[0].value == pytest.approx(1e-9, rel=0.01)


def test_a_frequency_error_is_not_seen_by_allan_nor_a_drift_by_hadamard() -> None:
    t = np.arange(10_000.0)
    noise = white_pm(10_000, 7)
    for kind, systematic in (("oadev", 5.0 * t), ("ohdev", 1e-4 * t * t)):
        (clean,), (biased,) = (deviations(gridded(x), (kind,), (1, 10, 100)) for x in (noise, noise + systematic))
        for a, b in zip(clean.points, biased.points, strict=True):
            assert b.value == pytest.approx(a.value, rel=1e-3)
