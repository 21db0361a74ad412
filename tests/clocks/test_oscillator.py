"""The oscillator does what the model says, statistically; seeds are fixed, so each test has one outcome."""

import itertools
import math
import statistics

import pytest

from ptpstack.clocks.oscillator import PRESETS, UNITS_PER_PPB, Oscillator, OscillatorModel
from ptpstack.clocks.simulated import ManualBase, SimulatedClock

S = 10**9


def frequencies(model: OscillatorModel, seconds: int, seed: int = 1) -> list[float]:
    oscillator = Oscillator(model, seed)
    return [oscillator.rate / UNITS_PER_PPB] + [oscillator.next_second() / UNITS_PER_PPB for _ in range(seconds)]


def test_wander_is_a_normal_step_of_sigma_w_each_second() -> None:
    series = frequencies(OscillatorModel(100.0, wander_ppb=10.0), 40_000)
    steps = [b - a for a, b in itertools.pairwise(series)]
    assert series[0] == pytest.approx(100.0)
    assert abs(statistics.fmean(steps)) < 4 * 10.0 / math.sqrt(len(steps))
    assert statistics.pstdev(steps) == pytest.approx(10.0, rel=0.02)
    within = sum(abs(step) < 10.0 for step in steps) / len(steps)
    assert within == pytest.approx(0.6827, abs=0.01)
    lagged = sum(a * b for a, b in itertools.pairwise(steps)) / len(steps)
    assert abs(lagged) < 4 * 100.0 / math.sqrt(len(steps)), "steps must not depend on each other"


def test_wander_makes_the_phase_of_a_held_clock_err_by_w_root_t_cubed_over_3() -> None:
    """The holdover anchor: w = 1e-10 gives 1.83 us after 1000 s."""
    errors = []
    for seed in range(300):
        base = ManualBase(0)
        clock = SimulatedClock(base, OscillatorModel(wander_ppb=0.1), seed=seed)
        base.set_ns(1000 * S)
        errors.append(clock.error_sns() / 65536)
    rms = math.sqrt(statistics.fmean(e * e for e in errors))
    assert rms == pytest.approx(0.1 * math.sqrt(1000**3 / 3), rel=0.13)  # 3 sigma of 300 samples


def test_white_fm_is_independent_from_second_to_second() -> None:
    series = frequencies(OscillatorModel(white_fm_ppb=5.0), 20_000)
    assert statistics.pstdev(series) == pytest.approx(5.0, rel=0.02)
    lagged = sum(a * b for a, b in itertools.pairwise(series)) / len(series)
    assert abs(lagged) < 4 * 25.0 / math.sqrt(len(series))


def test_ageing_makes_a_parabola() -> None:
    base = ManualBase(0)
    clock = SimulatedClock(base, OscillatorModel(2.0, ageing_ppb_per_day=24.0))
    base.set_ns(86_400 * S)
    # 2 ppb for a day, and half of 24 ppb/day over a day
    assert clock.error_sns() / 65536 == pytest.approx((2.0 + 12.0) * 86_400, rel=1e-9)
    assert clock.oscillator_ppb() == pytest.approx(26.0, abs=0.001)


def test_temperature_swings_and_returns() -> None:
    model = OscillatorModel(temperature_ppb=30.0, temperature_period_s=1000.0, temperature_phase_rad=math.pi / 2)
    series = frequencies(model, 1000)
    assert (max(series), min(series)) == (pytest.approx(30.0, abs=0.01), pytest.approx(-30.0, abs=0.01))
    assert series[0] == pytest.approx(series[1000])
    assert series[500] == pytest.approx(-series[0])
    assert abs(statistics.fmean(series[:1000])) < 1e-6


def test_the_same_seed_is_the_same_oscillator() -> None:
    model = PRESETS["cheap"]
    assert frequencies(model, 100, 7) == frequencies(model, 100, 7)
    assert frequencies(model, 100, 7) != frequencies(model, 100, 8)


def test_one_noise_does_not_change_another() -> None:
    walk = frequencies(OscillatorModel(wander_ppb=1.0), 500)
    white = frequencies(OscillatorModel(white_fm_ppb=1.0), 500)
    both = frequencies(OscillatorModel(wander_ppb=1.0, white_fm_ppb=1.0), 500)
    assert both == pytest.approx([a + b for a, b in zip(walk, white, strict=True)], abs=1e-9)


def test_presets_get_better_in_order() -> None:
    assert set(PRESETS) == {"perfect", "rubidium", "ocxo", "tcxo", "cheap"}
    order = [PRESETS[name] for name in ("perfect", "rubidium", "ocxo", "tcxo", "cheap")]
    for better, worse in itertools.pairwise(order):
        assert better.wander_ppb < worse.wander_ppb
        assert better.ageing_ppb_per_day < worse.ageing_ppb_per_day
        assert better.initial_frequency_ppb < worse.initial_frequency_ppb
    assert PRESETS["perfect"].constant
    assert OscillatorModel.preset("ocxo", initial_frequency_ppb=1.0).wander_ppb == PRESETS["ocxo"].wander_ppb


def test_bad_models() -> None:
    with pytest.raises(ValueError, match="perfect, rubidium"):
        OscillatorModel.preset("quartz")
    with pytest.raises(ValueError, match="wander_ppb"):
        OscillatorModel(wander_ppb=-1.0)
    with pytest.raises(ValueError, match="temperature_period_s"):
        OscillatorModel(temperature_period_s=0.0)
