"""The PI controller on sequences whose answers are worked out by hand, and the filters against naive ones."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ptpstack.servo.controller import Action
from ptpstack.servo.delay_filter import MovingAverage, MovingMedian
from ptpstack.servo.options import LINUXPTP_HARDWARE, LINUXPTP_SOFTWARE, ServoOptions
from ptpstack.servo.pi import PiController

SECOND = 65536 * 10**9


def controller(limit: float = 500_000.0, **options: float) -> PiController:
    return PiController(ServoOptions(**{"kp": 0.7, "ki": 0.3, **options}), limit)  # type: ignore[arg-type]


def test_the_first_two_samples_give_the_frequency() -> None:
    pi = controller()
    assert pi.sample(1000.0, 0).action is Action.WAIT
    answer = pi.sample(1300.0, SECOND)
    assert answer.action is Action.ADJUST
    # 300 ns in a second: the clock runs 300 ppb fast
    assert answer.frequency_ppb == pytest.approx(-300.0)
    assert pi.running


def test_then_it_is_proportional_and_integral() -> None:
    pi = controller()
    pi.sample(1000.0, 0)
    pi.sample(1300.0, SECOND)
    drift = -300.0
    for n, offset in enumerate((100.0, -40.0, 7.5, 0.0), 2):
        answer = pi.sample(offset, n * SECOND)
        drift -= 0.3 * offset
        assert answer.frequency_ppb == pytest.approx(drift - 0.7 * offset)
        assert pi.drift_ppb == pytest.approx(drift)


def test_the_first_samples_must_lie_far_enough_apart() -> None:
    """0.016 / ki seconds: with ki 0.001 that is 16 s."""
    pi = controller(ki=0.001)
    pi.sample(0.0, 0)
    for n in range(1, 16):
        answer = pi.sample(10.0 * n, n * SECOND)
        assert answer.action is Action.WAIT
        assert "of 16.0 s" in answer.reason
    answer = pi.sample(160.0, 16 * SECOND)
    assert answer.action is Action.ADJUST
    assert answer.frequency_ppb == pytest.approx(-10.0)


def test_a_first_offset_beyond_the_threshold_is_stepped() -> None:
    pi = controller(first_step_threshold_ns=20_000.0)
    pi.sample(20_100.0, 0)
    answer = pi.sample(20_001.0, SECOND)
    assert answer.action is Action.STEP
    assert answer.frequency_ppb == pytest.approx(99.0)
    below = controller(first_step_threshold_ns=20_000.0)
    below.sample(20_100.0, 0)
    assert below.sample(19_999.0, SECOND).action is Action.ADJUST


def test_only_the_very_first_start_uses_the_first_threshold() -> None:
    pi = controller(first_step_threshold_ns=20_000.0)
    pi.sample(0.0, 0)
    pi.sample(0.0, SECOND)
    pi.restart()
    pi.sample(50_000.0, 2 * SECOND)
    assert pi.sample(50_000.0, 3 * SECOND).action is Action.ADJUST


def test_a_step_threshold_starts_it_anew() -> None:
    pi = controller(step_threshold_ns=1000.0)
    pi.sample(0.0, 0)
    pi.sample(0.0, SECOND)
    answer = pi.sample(1001.0, 2 * SECOND)
    assert answer.action is Action.WAIT
    assert "beyond step_threshold" in answer.reason
    assert not pi.running
    pi.sample(1001.0, 3 * SECOND)
    assert pi.sample(1001.0, 4 * SECOND).action is Action.STEP


def test_a_clock_that_went_backwards_starts_it_anew() -> None:
    pi = controller()
    pi.sample(0.0, 10 * SECOND)
    answer = pi.sample(0.0, 9 * SECOND)
    assert answer.action is Action.WAIT
    assert "backwards" in answer.reason
    # the one that went backwards is the first of a new start
    assert pi.sample(5.0, 10 * SECOND).frequency_ppb == pytest.approx(-5.0)


def test_the_output_is_clamped_and_the_integral_stands_still_meanwhile() -> None:
    pi = controller(limit=1000.0)
    pi.sample(0.0, 0)
    pi.sample(0.0, SECOND)
    for n in range(2, 50):
        assert pi.sample(5000.0, n * SECOND).frequency_ppb == -1000.0
    assert pi.drift_ppb == 0.0
    assert pi.sample(-10.0, 50 * SECOND).frequency_ppb == pytest.approx(10.0)


def test_the_smaller_limit_counts() -> None:
    for limit, own in ((100.0, 1000.0), (1000.0, 100.0)):
        pi = controller(limit=limit, max_frequency_ppb=own)
        pi.start_from(500.0)
        assert pi.drift_ppb == 100.0


@pytest.mark.parametrize(
    ("gains", "interval", "kp", "ki"),
    [
        (LINUXPTP_HARDWARE, 1.0, 0.7, 0.3),
        (LINUXPTP_HARDWARE, 0.125, 0.7 * 0.125**-0.3, 0.3 * 0.125**0.4),
        (LINUXPTP_HARDWARE, 8.0, 0.7 / 8, 0.3 / 8),
        (LINUXPTP_SOFTWARE, 1.0, 0.1, 0.001),
        (LINUXPTP_SOFTWARE, 64.0, 0.7 / 64, 0.3 / 64),
    ],
)
def test_gains_by_interval(gains: object, interval: float, kp: float, ki: float) -> None:
    name = "hardware" if gains is LINUXPTP_HARDWARE else "linuxptp-software"
    pi = PiController(ServoOptions(gains=name), 1e6)
    pi.set_interval(interval)
    assert (pi.kp, pi.ki) == pytest.approx((kp, ki))
    assert gains.at(interval) == pytest.approx((kp, ki))  # type: ignore[attr-defined]


@given(st.floats(-9, 7), st.sampled_from([LINUXPTP_HARDWARE, LINUXPTP_SOFTWARE]))
def test_the_loop_is_stable_at_every_interval(log_interval: float, gains: object) -> None:
    """Poles of the sampled loop inside the unit circle: z^2 - (2 - (kp + ki) T) z + 1 - kp T."""
    t = 2.0**log_interval
    kp, ki = gains.at(t)  # type: ignore[attr-defined]
    b, c = -(2 - (kp + ki) * t), 1 - kp * t
    root = complex(b * b / 4 - c) ** 0.5
    assert max(abs(-b / 2 + root), abs(-b / 2 - root)) < 1


# ------------------------------------------------------------------------------------------------------ filters

lengths = st.integers(1, 12)
samples = st.lists(st.integers(-(1 << 62), 1 << 62), min_size=1, max_size=60)


@given(lengths, samples)
def test_moving_median_is_the_median_of_the_window(length: int, values: list[int]) -> None:
    median = MovingMedian(length)
    for n, value in enumerate(values, 1):
        window = sorted(values[max(0, n - length) : n])
        middle = len(window) // 2
        expected = window[middle] if len(window) % 2 else (window[middle - 1] + window[middle]) // 2
        assert median.add(value) == expected
    median.clear()
    assert median.add(values[0]) == values[0]


@given(lengths, samples)
def test_moving_average_is_the_mean_of_the_window(length: int, values: list[int]) -> None:
    average = MovingAverage(length)
    for n, value in enumerate(values, 1):
        window = values[max(0, n - length) : n]
        assert average.add(value) == sum(window) // len(window)
    average.clear()
    assert average.add(values[0]) == values[0]
