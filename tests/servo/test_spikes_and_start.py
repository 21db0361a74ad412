"""What keeps software time stamps usable: single spikes are set aside, and the start weighs all samples alike."""

from __future__ import annotations

import random
from dataclasses import replace
from statistics import median

import pytest

from ptpstack.servo.controller import Action
from ptpstack.servo.options import GAINS, SOFTWARE, ServoOptions
from ptpstack.servo.pi import PiController
from ptpstack.servo.spike_gate import SpikeGate


def test_one_spike_is_set_aside_and_the_next_ordinary_offset_taken() -> None:
    gate = SpikeGate(6.0)
    ordinary = [100.0, -80.0, 30.0, -120.0, 60.0, 90.0, -40.0, 10.0]
    assert all(gate.admits(x) for x in ordinary)
    assert not gate.admits(15_000.0)
    assert gate.admits(50.0)
    assert gate.rejected == 1


def test_a_third_in_a_row_is_news() -> None:
    gate = SpikeGate(6.0)
    for x in (100.0, -80.0, 30.0, -120.0, 60.0, 90.0, -40.0, 10.0):
        gate.admits(x)
    assert [gate.admits(5_000.0) for _ in range(3)] == [False, False, True]


def test_zero_lets_everything_pass() -> None:
    gate = SpikeGate(0.0)
    assert all(gate.admits(x) for x in (1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1e9))


def _residual_ppb(gains: str, seed: int, samples: int) -> float:
    """Frequency error left after ``samples`` of a clock 30 ppm off, 1 us of jitter, one sample a second."""
    rng = random.Random(seed)
    controller = PiController(ServoOptions(gains=gains), 1e6)
    offset, oscillator, command = 5e6, 30_000.0, 0.0
    for second in range(1, samples + 1):
        offset += oscillator + command
        measured = offset + rng.gauss(0.0, 1000.0)
        answer = controller.sample(measured, second * 65536 * 10**9)
        if answer.action is Action.STEP:
            offset -= measured
        if answer.action is not Action.WAIT:
            command = answer.frequency_ppb
    return abs(oscillator + controller.drift_ppb)


def test_the_start_with_falling_gains_knows_the_frequency_sooner(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without it the small integral gain takes long to forget what two noisy samples said."""
    monkeypatch.setitem(GAINS, "plain", replace(SOFTWARE, least_squares_start=False))
    ours = median(_residual_ppb("software", seed, 12) for seed in range(60))
    plain = median(_residual_ppb("plain", seed, 12) for seed in range(60))
    assert ours < 0.8 * plain


@pytest.mark.parametrize("interval_s", [1.0, 0.125])
def test_an_offset_too_small_to_step_is_no_frequency(interval_s: float) -> None:
    """8 us at the start, not stepped: left where it is, the fit would take it for a frequency and swing."""
    controller = PiController(ServoOptions(gains="software"), 500_000.0)
    controller.set_interval(interval_s)
    offset, command, answers, errors = 8_000.0, 0.0, [], []
    for number in range(1, round(20 / interval_s)):
        offset += (1_000.0 + command) * interval_s
        answer = controller.sample(offset, round(number * interval_s * 1e9) << 16)
        answers.append(answer.action)
        if answer.action is not Action.WAIT:
            command = answer.frequency_ppb
            errors.append(abs(offset))
    assert Action.STEP not in answers
    assert all(error < 6_000.0 for error in errors[round(2 / interval_s) :])
    assert errors[-1] < 1_000.0


def test_hardware_constants_begin_with_the_frequency_alone() -> None:
    """As linuxptp does: what was measured against it stays comparable."""
    controller = PiController(ServoOptions(gains="hardware"), 500_000.0)
    controller.sample(15_000.0, 0)
    answer = controller.sample(15_000.0, 1_000_000_000 << 16)
    assert answer.action is Action.ADJUST
    assert answer.frequency_ppb == 0.0
