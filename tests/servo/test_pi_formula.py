"""The constants of a PI servo: kp and ki by Sync interval, from the formula, from parts of it, or fixed."""

from __future__ import annotations

import pytest

from ptpstack.servo.options import ServoOptions
from ptpstack.servo.pi import PiController


def constants(options: ServoOptions, interval_s: float) -> tuple[float, float]:
    controller = PiController(options, 1e6)
    controller.set_interval(interval_s)
    return controller.kp, controller.ki


def test_parts_of_the_formula() -> None:
    # 0.7 x 0.25^-0.3 is 1.06, below 0.7 / 0.25
    assert constants(ServoOptions(type="pi"), 0.25) == pytest.approx((0.7 * 0.25**-0.3, 0.3 * 0.25**0.4))
    given = ServoOptions(type="pi", kp_scale=0.2, kp_exponent=0.0, ki_scale=0.5, ki_exponent=1.0)
    assert constants(given, 0.25) == pytest.approx((0.2, 0.125))
    capped = ServoOptions(type="pi", kp_norm_max=0.1, ki_norm_max=0.01)
    assert constants(capped, 2.0) == pytest.approx((0.05, 0.005))


def test_a_fixed_constant_is_no_formula() -> None:
    options = ServoOptions(type="pi", gains="linuxptp-software", kp=0.4, kp_scale=0.2)
    assert constants(options, 1.0) == pytest.approx((0.4, 0.001))
