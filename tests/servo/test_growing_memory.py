"""Software stamps: the controller starts as a line fitted to all samples so far, and ends with its fixed gains."""

from __future__ import annotations

import random
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ptpstack.servo.options import GAINS, LINUXPTP_HARDWARE, SOFTWARE, PiGains, ServoOptions
from ptpstack.servo.pi import PiAction, PiController


def line_end(samples: list[float]) -> tuple[float, float]:
    """Value at the last sample, and slope, of the least-squares line through ``samples`` (one each second)."""
    n = len(samples)
    middle = (n - 1) / 2
    mean = sum(samples) / n
    slope = sum((i - middle) * v for i, v in enumerate(samples)) / sum((i - middle) ** 2 for i in range(n))
    return mean + slope * (n - 1 - middle), slope


@given(st.lists(st.floats(-1000, 1000), min_size=3, max_size=40))
def test_the_gains_fit_a_line_through_all_samples(samples: list[float]) -> None:
    unlimited = replace(SOFTWARE, kp_norm_max=1.0, ki_norm_max=1.0)
    value, slope = samples[1], samples[1] - samples[0]
    for index, sample in enumerate(samples[2:], 2):
        kp, ki = unlimited.of_sample(index, 1.0)
        residual = sample - (value + slope)
        value, slope = value + slope + kp * residual, slope + ki * residual
        assert (value, slope) == pytest.approx(line_end(samples[: index + 1]), abs=1e-6)


def follow(gains: PiGains, monkeypatch: pytest.MonkeyPatch, seed: int, phase_ns: float, count: int = 24) -> list[float]:
    """True errors of a clock that runs 3 ppm fast and is measured with 600 ns of noise, after each correction."""
    monkeypatch.setitem(GAINS, "software", gains)
    rng = random.Random(seed)
    controller = PiController(ServoOptions(gains="software"), 500_000.0)
    phase, correction, errors = phase_ns, 0.0, []
    for second in range(count):
        measured = phase + rng.gauss(0.0, 600.0)
        answer = controller.sample(measured, second * 1_000_000_000 << 16)
        if answer.action is PiAction.STEP:
            phase -= measured
        if answer.action is not PiAction.WAIT:
            correction = answer.frequency_ppb
        phase += 3_000.0 + correction
        errors.append(abs(phase))
    return errors


@pytest.mark.parametrize("phase_ns", [15_000.0, 5e6])
def test_it_settles_sooner_than_the_fixed_gains(phase_ns: float, monkeypatch: pytest.MonkeyPatch) -> None:
    fixed = replace(SOFTWARE, growing_memory=False)

    def early(gains: PiGains) -> float:
        return sum(max(follow(gains, monkeypatch, seed, phase_ns)[4:12]) for seed in range(60)) / 60

    assert early(SOFTWARE) < 0.75 * early(fixed)


def test_in_the_end_the_gains_are_the_fixed_ones(monkeypatch: pytest.MonkeyPatch) -> None:
    controller = PiController(ServoOptions(gains="software"), 500_000.0)
    answers = [controller.sample(0.0, second * 1_000_000_000 << 16) for second in range(30)]
    assert answers[-1].action is PiAction.ADJUST
    before = controller.drift_ppb
    answer = controller.sample(1_000.0, 30 * 1_000_000_000 << 16)
    assert before - answer.frequency_ppb == pytest.approx(1_000.0 * (controller.kp + controller.ki))


@pytest.mark.parametrize(
    "options",
    [ServoOptions(gains="hardware"), ServoOptions(gains="linuxptp-software"), ServoOptions(gains="software", kp=0.2)],
    ids=["hardware", "linuxptp-software", "constants of the configuration"],
)
def test_who_asks_for_constants_gets_them(options: ServoOptions) -> None:
    controller = PiController(options, 500_000.0)
    at = 0
    while not controller.running:
        controller.sample(0.0, at << 16)
        at += 1_000_000_000
    for _ in range(5):
        before = controller.drift_ppb
        answer = controller.sample(1_000.0, at << 16)
        at += 1_000_000_000
        assert before - answer.frequency_ppb == pytest.approx(1_000.0 * (controller.kp + controller.ki))
    assert not LINUXPTP_HARDWARE.growing_memory
