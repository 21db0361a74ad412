"""Deviations against published results: NBS-14, Stable32 on PHASE.DAT, and each other."""

from __future__ import annotations

import numpy as np
import pytest

from ptpstack.analysis.deviations import FREQUENCY, TITLES, deviations
from tests.analysis.data import NBS14_PHASE, gridded, nbs14_phase, phase_dat
from tests.timebase.data import data_folder

#: NIST SP 1065 (Riley), tables of the 1000-point set: tau 1, 10, 100
NBS14_1000 = {
    "adev": (2.922319e-01, 9.965736e-02, 3.897804e-02),
    "oadev": (2.922319e-01, 9.159953e-02, 3.241343e-02),
    "mdev": (2.922319e-01, 6.172376e-02, 2.170921e-02),
    "hdev": (2.943883e-01, 1.052754e-01, 3.910860e-02),
    "ohdev": (2.943883e-01, 9.581083e-02, 3.237638e-02),
    "tdev": (1.687202e-01, 3.563623e-01, 1.253382e00),
}
#: the same of the classic set of ten phases: tau 1, 2
NBS14_10 = {
    "adev": (91.22945, 115.8082),
    "oadev": (91.22945, 85.95287),
    "mdev": (91.22945, 74.78849),
    "hdev": (70.80608, 116.7980),
    "ohdev": (70.80607, 85.61487),
    "tdev": (52.67135, 86.35831),
}
#: Stable32's MTIE of PHASE.DAT by averaging factor (from the tests of allantools)
STABLE32_MTIE = {
    1: 0.50597,
    3: 1.2984,
    7: 2.2922,
    15: 2.9949,
    31: 4.4550,
    63: 6.5989,
    127: 6.8061,
    255: 7.8205,
    511: 7.8205,
}
_BOTH = ("adev", "oadev", "mdev", "hdev", "ohdev", "tdev")
STABLE32_FILES = [*((kind, which) for kind in _BOTH for which in ("", "_octave")), ("tierms", "")]


def _scale(kind: str) -> float:
    """Phase is given in ns and the published deviations are of the same numbers in s."""
    return 1e9 if kind in FREQUENCY else 1.0


@pytest.mark.parametrize("kind", NBS14_1000)
def test_nbs14_1000_points(kind: str) -> None:
    (found,) = deviations(gridded(nbs14_phase()), (kind,), (1, 10, 100))
    values = [p.value * _scale(kind) for p in found.points]
    assert values == pytest.approx(NBS14_1000[kind], rel=1e-6)


@pytest.mark.parametrize("kind", NBS14_10)
def test_nbs14_ten_points(kind: str) -> None:
    (found,) = deviations(gridded(np.array(NBS14_PHASE)), (kind,), (1, 2))
    values = [p.value * _scale(kind) for p in found.points]
    assert values == pytest.approx(NBS14_10[kind], rel=1e-5)


def test_stable32_mtie() -> None:
    (found,) = deviations(gridded(phase_dat()), ("mtie",), STABLE32_MTIE)
    assert {round(p.tau_s): p.value for p in found.points} == pytest.approx(STABLE32_MTIE, rel=5e-5)


def _stable32(name: str) -> dict[int, tuple[int, float]]:
    """averaging factor -> (terms, sigma) of a result file."""
    rows = {}
    for line in (data_folder("stability") / f"phase_dat_{name}.txt").read_text().splitlines():
        if line.strip() and not line.startswith("#"):
            cells = line.split()
            rows[int(cells[0])] = (int(cells[2]), float(cells[3] if len(cells) == 4 else cells[5]))
    assert rows
    return rows


@pytest.mark.parametrize(("kind", "which"), STABLE32_FILES)
def test_stable32_files(kind: str, which: str) -> None:
    """Every tau of Stable32's files: five digits of the deviation, and the number of terms."""
    x = np.loadtxt(data_folder("stability") / "PHASE.DAT")
    expected = _stable32(kind + which)
    (found,) = deviations(gridded(x), (kind,), expected)
    assert len(found.points) == len(expected)
    for point in found.points:
        terms, sigma = expected[round(point.tau_s)]
        assert point.value * _scale(kind) == pytest.approx(sigma, rel=6e-5), point
        assert point.terms == terms, point


def test_phase_dat_is_the_nbs14_set() -> None:
    x = np.loadtxt(data_folder("stability") / "PHASE.DAT")
    assert x == pytest.approx(phase_dat(), abs=1e-9)


@pytest.mark.parametrize("interval_s", [0.125, 1.0, 16.0])
def test_deviations_of_frequency_go_with_the_interval(interval_s: float) -> None:
    """The same phases further apart: frequency deviations shrink, those of time stay."""
    once = {d.kind: d for d in deviations(gridded(nbs14_phase()), list(TITLES), (1, 10))}
    for found in deviations(gridded(nbs14_phase(), interval_s), list(TITLES), (1, 10)):
        factor = 1.0 / interval_s if found.kind in FREQUENCY else 1.0
        for point, reference in zip(found.points, once[found.kind].points, strict=True):
            assert point.tau_s == pytest.approx(reference.tau_s * interval_s)
            assert point.value == pytest.approx(reference.value * factor, rel=1e-9)


def test_an_unknown_deviation_is_refused() -> None:
    with pytest.raises(ValueError, match="there is no deviation 'sdev'"):
        deviations(gridded(nbs14_phase()), ("sdev",))
