"""The parts of the estimator, each against something that is known by other means."""

from __future__ import annotations

import math
import random
from math import erf, exp, log, pi, sqrt

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ptpstack.servo.estimator.bound import Bound
from ptpstack.servo.estimator.control import drive
from ptpstack.servo.estimator.direction import Direction, Observed
from ptpstack.servo.estimator.grain import Grain
from ptpstack.servo.estimator.hypothesis import Hypothesis, observe
from ptpstack.servo.estimator.knowledge import Knowledge
from ptpstack.servo.estimator.ledger import Ledger
from ptpstack.servo.estimator.likelihood import mean_of_two, one_sided
from ptpstack.servo.estimator.oscillator import SPACING_S, OscillatorRecord
from ptpstack.servo.estimator.startup import Startup, noise_between

DAY = 86_400.0
#: what a hypothesis believes
STATE = ("phase", "f", "d", "tt", "tf", "td", "ff", "fd", "dd", "evidence")


# --------------------------------------------------------------------------------------------------- likelihood


def by_numbers(nu: float, variance: float, beta: float) -> tuple[float, float, float]:
    """Posterior mean, variance and log evidence by the trapezium rule."""
    sigma = sqrt(variance)
    low, high = min(nu, 0.0) - 14 * sigma - 14 * min(beta, sigma), nu
    n = 40_000
    step = (high - low) / n
    mass = first = second = 0.0
    for i in range(n + 1):
        v = low + i * step
        density = exp(-v * v / (2 * variance)) / sqrt(2 * pi * variance) * exp(-(nu - v) / beta) / beta
        density *= 0.5 if i in (0, n) else 1.0
        mass += density
        first += v * density
        second += v * v * density
    mean = first / mass
    return mean, second / mass - mean * mean, log(mass * step)


@pytest.mark.parametrize(
    ("nu", "variance", "beta"),
    [(0.0, 1.0, 1.0), (5.0, 1.0, 1.0), (-3.0, 4.0, 1.5), (30.0, 9.0, 10.0), (2.0, 100.0, 5.0), (0.5, 0.01, 10.0)],
)
def test_the_posterior_is_that_of_a_numerical_integration(nu: float, variance: float, beta: float) -> None:
    mean, left, evidence = one_sided(nu, variance, beta)
    expected = by_numbers(nu, variance, beta)
    assert mean == pytest.approx(expected[0], rel=1e-4, abs=1e-4)
    assert left == pytest.approx(expected[1], rel=1e-3)
    assert evidence == pytest.approx(expected[2], rel=1e-4, abs=1e-4)


@pytest.mark.parametrize("beta", [0.5, 3.0, 20.0, 300.0])
@pytest.mark.parametrize("variance", [1.0, 40.0])
@pytest.mark.parametrize("nu", [-12.0, -1.0, 0.0, 2.0, 15.0, 60.0])
def test_the_mean_of_two_waits_by_numbers(nu: float, variance: float, beta: float) -> None:
    sigma, b = sqrt(variance), beta / 2
    high = min(nu, 14 * sigma + variance / b)
    low = min(nu, 0.0) - 14 * sigma - 14 * min(b, sigma)
    n = 40_000
    step = (high - low) / n
    moments = [0.0, 0.0, 0.0]
    for i in range(n + 1):
        v = low + i * step
        density = exp(-v * v / (2 * variance)) / sqrt(2 * pi * variance) * (nu - v) / b**2 * exp(-(nu - v) / b)
        density *= 0.5 if i in (0, n) else 1.0
        moments = [m + density * v**k for k, m in enumerate(moments)]
    expected = moments[1] / moments[0]
    mean, left, evidence = mean_of_two(nu, variance, beta)
    assert mean == pytest.approx(expected, rel=1e-3, abs=1e-3)
    assert left == pytest.approx(moments[2] / moments[0] - expected**2, rel=1e-2)
    assert evidence == pytest.approx(log(moments[0] * step), rel=1e-3, abs=1e-3)


@given(st.floats(-1e9, 1e9), st.floats(1e-3, 1e12), st.floats(0.0, 1e9))
def test_the_mean_of_two_waits_never_fails(nu: float, variance: float, beta: float) -> None:
    mean, left, evidence = mean_of_two(nu, variance, beta)
    assert all(math.isfinite(x) for x in (mean, left, evidence))
    assert 0.0 <= left <= variance * (1 + 1e-6)


def test_without_waits_it_is_a_kalman_update() -> None:
    mean, left, evidence = one_sided(3.0, 4.0, 0.0)
    assert (mean, left) == (3.0, 0.0)
    assert evidence == pytest.approx(-0.5 * (9 / 4 + log(4)) - 0.5 * log(2 * pi))


@given(st.floats(-1e9, 1e9), st.floats(1e-3, 1e12), st.floats(0.0, 1e9))
def test_it_never_fails_and_a_late_packet_pulls_by_no_more_than_a_constant(
    nu: float, variance: float, beta: float
) -> None:
    mean, left, evidence = one_sided(nu, variance, beta)
    assert all(math.isfinite(x) for x in (mean, left, evidence))
    assert 0.0 <= left <= variance * (1 + 1e-9)
    if beta * beta >= 0.0036 * variance:
        assert mean <= variance / beta * (1 + 1e-9)


# --------------------------------------------------------------------------------------------------- hypothesis


def test_prediction_adds_what_a_random_walk_of_frequency_does() -> None:
    h = Hypothesis()
    h.q, h.tt, h.tf, h.ff, h.f = 2.0, 5.0, 1.0, 3.0, 7.0
    h.predict(4.0, 0.0)
    assert h.phase == 28.0
    assert h.tt == pytest.approx(5 + 4 * (2 + 4 * 3) + 4 * 64 / 3)
    assert h.tf == pytest.approx(1 + 4 * 3 + 4 * 16 / 2)
    assert h.ff == pytest.approx(3 + 4 * 4)


def test_prediction_does_not_depend_on_how_it_is_cut() -> None:
    once, often = Hypothesis(), Hypothesis()
    for h in (once, often):
        h.q, h.tt, h.ff, h.f, h.fd, h.td, h.dd = 1.5, 2.0, 0.5, 3.0, 0.1, 0.2, 9.0
    once.predict(10.0, 0.3)
    for _ in range(10):
        often.predict(1.0, 0.3)
    for name in ("phase", "f", "tt", "tf", "td", "ff", "dd"):
        assert getattr(once, name) == pytest.approx(getattr(often, name)), name


def test_a_packet_taken_later_is_a_prediction_and_a_packet() -> None:
    """The neighbours are carried on with the packet, the chosen one before it."""
    rng = random.Random(1)
    once, twice = Hypothesis(), Hypothesis()
    for h in (once, twice):
        h.share = 0.2
        h.q, h.x, h.tt, h.ff, h.dd = 1.5, 0.3, 100.0, 10.0, 50.0
    for n in range(50):
        dt, value = rng.uniform(0.1, 2.0), rng.gauss(0.0, 30.0)
        twice.predict(dt, 0.3)
        observe(twice, [once], dt, 0.3, 1 - 2 * (n % 2), value, 0.0, 60.0, 1.0, 4.0, 0.02)
    assert twice.f != 0.0
    assert all(getattr(once, name) == getattr(twice, name) for name in STATE)


def test_both_directions_later_move_the_delay_and_not_the_phase() -> None:
    h = Hypothesis()
    h.tt, h.dd, h.ff = 100.0, 100.0, 1.0
    for _ in range(200):
        for side in (1, -1):
            observe(h, [], 0.0, 0.0, side, 500.0, 0.0, 1.0, 1.0, 0.0, 0.02)
    assert h.d == pytest.approx(500.0, abs=1.0)
    assert h.phase == pytest.approx(0.0, abs=1.0)


# ---------------------------------------------------------------------------------------------- ledger and grain


def test_the_ledger_integrates_commands_and_knows_the_past() -> None:
    ledger = Ledger()
    start = 1_700_000_000 * 10**9 << 16
    assert ledger.seconds(start) == 0.0
    ledger.commanded(10.0, 100.0)
    ledger.commanded(20.0, -50.0)
    assert ledger.at(5.0) == 0.0
    assert ledger.at(15.0) == pytest.approx(500.0)
    assert ledger.at(22.0) == pytest.approx(1000.0 - 100.0)
    step = -(3 * 10**9 << 16)
    ledger.stepped(step)
    # a stamp after the step is where it would have been without
    assert ledger.seconds(start + step + (30 * 10**9 << 16)) == pytest.approx(30.0)
    assert ledger.at(15.0) == pytest.approx(500.0)


def test_the_grain_is_that_of_the_stamps_and_not_of_the_intervals() -> None:
    rng = random.Random(1)
    eight, regular = Grain(), Grain()
    for n in range(40):
        eight.add((rng.randrange(10**12) + n * 10**12) // 8 * 8 << 16)
        regular.add(n * 10**9 << 16)
    assert eight.ns == 8.0
    assert regular.ns == 0.0


# -------------------------------------------------------------------------------------------------------- start


def packets(rng: random.Random, count: int, *, phase: float, f: float, d: float, wait: float) -> list[Observed]:
    made = []
    for n in range(count):
        for side, t in ((1, float(n)), (-1, n + rng.random())):
            made.append(Observed(side, t, side * (phase + f * t) + d + rng.expovariate(1.0) * wait))
    return made


def test_a_start_finds_phase_frequency_and_delay_among_outliers() -> None:
    rng = random.Random(3)
    start = Startup(direct=False)
    seen = packets(rng, 6, phase=2e6, f=45_000.0, d=900.0, wait=10.0)
    seen[3].value += 100_000.0
    seen[6].value += 1e6
    for packet in seen:
        start.add(packet)
    fit = start.fit(0.0)
    assert fit is not None
    assert fit.frequency == pytest.approx(45_000.0, abs=20.0)
    assert fit.phase - fit.frequency * fit.t == pytest.approx(2e6, abs=60.0)
    assert fit.delay == pytest.approx(910.0, abs=30.0)
    assert fit.inliers == 10


def test_two_forward_and_one_other_packet_are_enough_for_a_first_look() -> None:
    start = Startup(direct=False)
    start.add(Observed(1, 0.0, 1500.0))
    start.add(Observed(-1, 0.5, -450.0))
    assert start.fit(0.0) is None
    start.add(Observed(1, 1.0, 1400.0))
    fit = start.fit(0.0)
    assert fit is not None
    # phase 1000 falling by 100 a second, delay 500: exact, and not enough to go on with
    assert (fit.phase, fit.frequency, fit.delay) == pytest.approx((900.0, -100.0, 500.0))
    assert not fit.ready


def test_with_a_known_frequency_a_pair_is_enough() -> None:
    start = Startup(direct=False)
    start.add(Observed(1, 10.0, 1500.0))
    start.add(Observed(-1, 10.5, -450.0))
    fit = start.fit_known(-100.0, 1.0, 25.0)
    assert fit is not None
    assert fit.ready
    assert (fit.t, fit.phase, fit.delay) == pytest.approx((10.5, 950.0, 500.0))


def test_noise_between_neighbours_does_not_see_a_moving_clock() -> None:
    rng = random.Random(4)
    moving = [Observed(1, float(n), 3000.0 * n + rng.gauss(0.0, 5.0)) for n in range(400)]
    between = noise_between(moving)
    assert between is not None
    assert sqrt(between) == pytest.approx(5.0, rel=0.15)


# --------------------------------------------------------------------------------------------------------- level


def test_the_level_is_learnt_about_the_floor_and_forgets_noise_that_has_ended() -> None:
    direction = Direction(1, level=1e6, looks=8)
    for _ in range(64):
        direction.learn(100.0, 1.0)
    assert direction.level < 3_000.0, "a hundredth of what was believed: noise has ended"
    for _ in range(2_000):
        direction.learn(100.0, 1.0)
    assert direction.level == pytest.approx(100.0, rel=0.02)


# ------------------------------------------------------------------------------------------------------- control


@pytest.mark.parametrize("sign", [1.0, -1.0])
def test_a_small_phase_goes_quickly_and_exactly(sign: float) -> None:
    wanted = drive(sign * 3.0, 1234.0, 1.0, 1e6, 50_000.0)
    assert wanted.ends_in_s is not None
    assert (wanted.frequency_ppb + 1234.0) * wanted.ends_in_s == pytest.approx(-sign * 3.0)
    assert wanted.ends_in_s <= 0.1 + 1e-9


@pytest.mark.parametrize(("phase", "most"), [(1_000.0, 2_000.0), (8_000.0, 2_500.0), (1e6, 50_000.0), (1e9, 50_000.0)])
def test_large_phases_are_slewed_within_the_caps(phase: float, most: float) -> None:
    wanted = drive(phase, 0.0, 1.0, 1e6, 50_000.0)
    assert -wanted.frequency_ppb == pytest.approx(most, rel=0.26)
    assert -wanted.frequency_ppb <= 50_000.0


def test_the_clocks_range_is_kept() -> None:
    assert drive(1e6, 9_900.0, 1.0, 10_000.0, 50_000.0).frequency_ppb == -10_000.0
    out_of_reach = drive(1e3, 20_000.0, 1.0, 10_000.0, 50_000.0)
    assert (out_of_reach.frequency_ppb, out_of_reach.ends_in_s) == (-10_000.0, None)


# ------------------------------------------------------------------------------------- oscillator and knowledge


def test_the_allowance_covers_a_days_swing_that_nobody_has_seen_yet() -> None:
    """A sine of temperature from its steepest point, and from its extremum, against the allowance for its walk."""
    record = OscillatorRecord()
    q, amplitude = 1e-4, 0.1
    for hours in (0.5, 3, 12, 24):
        t = hours * 3600.0
        w = 2 * pi / DAY
        steepest = amplitude * (1 - math.cos(w * t)) / w
        extremum = amplitude * (t - math.sin(w * t) / w)
        assert record.allowance_ns(t, q) > max(steepest, extremum), hours


def test_a_swing_that_was_seen_takes_the_place_of_the_allowance() -> None:
    record = OscillatorRecord()
    before = record.swing_ppb(1.0)
    t = 0.0
    while t < 2 * DAY:
        record.note(t, 5.0 * math.sin(2 * pi * t / DAY), 0.01)
        t += SPACING_S / 3
    assert before > 2_000.0
    assert record.swing_ppb(0.001) == pytest.approx(15.0, rel=0.02)
    assert abs(record.ageing_ppb_per_s()) * DAY < 0.1


def test_a_frequency_that_was_not_well_known_is_no_swing() -> None:
    record = OscillatorRecord()
    record.note(0.0, 40.0, 20.0)
    record.note(SPACING_S, 1.0, 0.1)
    record.note(2 * SPACING_S, 1.3, 0.01)
    assert record.swing_ppb(0.0) < 1.0


def test_ageing_is_found_under_a_daily_swing() -> None:
    record = OscillatorRecord()
    for n in range(4 * 144):
        t = n * SPACING_S
        record.note(t, 0.5 * t / DAY + 3.0 * math.sin(2 * pi * t / DAY), 0.01)
    assert record.ageing_ppb_per_s() * DAY == pytest.approx(0.5, rel=0.1)


def test_notes_survive_a_restart_with_their_age() -> None:
    record, again = OscillatorRecord(), OscillatorRecord()
    for n in range(200):
        record.note(n * SPACING_S, float(n), 0.5)
    again.resume(record.keep(200 * SPACING_S), 1000.0)
    assert again.span_s == record.span_s
    assert again.swing_ppb(0.0) == record.swing_ppb(0.0)
    again.note(0.0, 200.0, 0.5)
    assert again.span_s == pytest.approx(200 * SPACING_S + 1000.0)


def test_knowledge_ages_and_refuses_nonsense() -> None:
    known = Knowledge(-12.0, 4.0, 0.5, 7, 1.0, {1: 100.0, -1: 120.0})
    assert Knowledge.from_dict(known.as_dict()) == known
    assert known.aged(100.0).variance == pytest.approx(4.0 + 25.0)
    for change in ({"variance": -1.0}, {"wander_ppb": math.nan}, {"levels": {"5": 1.0}}, {"notch": "x"}):
        with pytest.raises((KeyError, TypeError, ValueError)):
            Knowledge.from_dict({**known.as_dict(), **change})


def test_the_bound_grows_with_misfit_and_with_recent_corrections() -> None:
    calm, upset = Bound(direct=False), Bound(direct=False)
    for _ in range(100):
        calm.saw(10.0, 100.0, 0.0)
        upset.saw(60.0, 100.0, 0.0)
    assert upset.statistical_ns(25.0, 0.0, 0.0) > 2 * calm.statistical_ns(25.0, 0.0, 0.0)
    before = calm.statistical_ns(25.0, 0.0, 0.0)
    calm.corrected(40.0)
    assert calm.statistical_ns(25.0, 0.0, 0.0) == pytest.approx(before + 60.0)


def test_normal_noise_lies_within_the_bound() -> None:
    bound = Bound(direct=True)
    limit = bound.statistical_ns(1.0, 0.0, 0.0)
    assert erf(limit / sqrt(2)) > 0.9999


def test_what_a_degree_does_is_learnt_and_then_a_swing_is_none() -> None:
    record = OscillatorRecord()
    rng = random.Random(9)
    for n in range(60):
        celsius = 25.0 + 5.0 * math.sin(2 * pi * n * SPACING_S / DAY)
        record.warmed(celsius)
        record.note(n * SPACING_S, 100.0 + 4.0 * (celsius - 25.0) + rng.gauss(0.0, 0.05), 0.05)
    assert record.per_degree == pytest.approx(4.0, rel=0.02)
    assert record.swing_ppb(1e-4) < 1.0
    assert record.warmed(record.celsius + 2.0 if record.celsius is not None else 0.0) == pytest.approx(8.0, rel=0.02)


def test_a_walk_beside_a_sensor_is_no_dependence() -> None:
    """A random walk looks like any slow curve for a while: most seeds must not be taken in."""
    taken_in = 0
    for seed in range(40):
        rng = random.Random(seed)
        record, frequency = OscillatorRecord(), 0.0
        for n in range(100):
            frequency += rng.gauss(0.0, 1.0)
            record.warmed(25.0 + 5.0 * math.sin(2 * pi * n * SPACING_S / DAY))
            record.note(n * SPACING_S, frequency, 0.05)
        taken_in += record.per_degree != 0.0
    assert taken_in <= 4
