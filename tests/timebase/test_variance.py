import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ptpstack.protocol.options import InstanceOptions
from ptpstack.timebase.variance import ptp_variance_s2, scaled_log_variance, variance_from_scaled_log

from .data import data_folder


def test_TIM_15_the_coded_example() -> None:
    assert scaled_log_variance(1.414e-15) == 0x4EAC


def test_TIM_15_second_differences_ignore_a_constant_frequency() -> None:
    assert ptp_variance_s2([5.0 + 3.0 * k for k in range(10)]) == 0.0
    # x = 0, 0, 1 us, 0: second differences 1 and -2 us: (1 + 4) / (6 * 2) us^2
    assert ptp_variance_s2([0.0, 0.0, 1000.0, 0.0]) == pytest.approx(5e-12 / 12)


def test_TIM_15_agrees_with_stable32() -> None:
    folder = data_folder("stability")
    lines = (folder / "PHASE.DAT").read_text().splitlines()
    phase_s = [float(line) for line in lines if line.strip() and not line.startswith("#")]
    rows = (line.split() for line in (folder / "phase_dat_adev.txt").read_text().splitlines())
    # At a tau of one interval Stable32's Allan deviation uses the same 999 second differences.
    adev = next(float(row[5]) for row in rows if row and row[0] == "1")
    assert len(phase_s) == 1001
    variance = ptp_variance_s2([x * 1e9 for x in phase_s])
    assert variance == pytest.approx(adev**2 / 3, rel=1e-3)


def test_TIM_16_not_computed_is_0xFFFF() -> None:
    assert scaled_log_variance(None) == 0xFFFF
    assert scaled_log_variance(ptp_variance_s2([1.0, 2.0])) == 0xFFFF
    assert variance_from_scaled_log(0xFFFF) is None
    options = InstanceOptions("x", bytes(8), ())
    assert options.quality.offset_scaled_log_variance == 0xFFFF


@given(st.floats(1e-38, 1e38))
def test_the_code_never_claims_more_stability_than_there_is(variance: float) -> None:
    stated = variance_from_scaled_log(scaled_log_variance(variance))
    assert stated is not None
    assert variance <= stated * (1 + 1e-9)
    assert stated <= variance * 2 ** (1 / 256) * (1 + 1e-9)


def test_ends_of_the_range() -> None:
    assert scaled_log_variance(0.0) == 0
    assert scaled_log_variance(1e-300) == 0
    assert scaled_log_variance(math.inf) == scaled_log_variance(1e300) == 0xFFFE
    for bad in (-1.0, math.nan):
        with pytest.raises(ValueError, match="a variance is not"):
            scaled_log_variance(bad)
    with pytest.raises(ValueError, match="65535"):
        variance_from_scaled_log(0x10000)
