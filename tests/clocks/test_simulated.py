import statistics
from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ptpstack.clocks import simulated
from ptpstack.clocks.base import ClockError
from ptpstack.clocks.oscillator import PRESETS, Oscillator, OscillatorModel
from ptpstack.clocks.simulated import ManualBase, RealtimeBase, SimulatedClock

S = 10**9
NS = 1 << 16
NOISY = OscillatorModel(1000.0, wander_ppb=50.0, white_fm_ppb=20.0, ageing_ppb_per_day=1e5, temperature_ppb=100.0)
instants = st.integers(0, 25 * S)


def reference_error_sns(commands: list[tuple[int, float | None, int]], start_ns: int, at_ns: int) -> int:
    """The error by fractions, from the definition: oscillator per base second plus command, integrated."""
    oscillator = Oscillator(NOISY, 5)
    rates = [oscillator.rate] + [oscillator.next_second() for _ in range(60)]
    error, frequency, now = Fraction(0), 0, start_ns
    for when, ppb, step_sns in [*[c for c in commands if c[0] <= at_ns], (at_ns, None, 0)]:
        while now < when:
            end = min(when, (now // S + 1) * S)
            error += Fraction((end - now) * (rates[now // S - start_ns // S] + frequency), 1 << 48)
            now = end
        error += step_sns
        if ppb is not None:
            frequency = round(round(ppb * 65.536) * Fraction(1 << 64, 65_536_000_000))
    return error.__floor__()


commands_strategy = st.lists(
    st.tuples(instants, st.one_of(st.none(), st.floats(-1e5, 1e5)), st.integers(-(10**15), 10**15)), max_size=6
).map(lambda commands: sorted(commands, key=lambda c: c[0]))


@settings(max_examples=150, deadline=None)
@given(commands=commands_strategy, reads=st.lists(instants, max_size=8), start=st.integers(0, S))
def test_the_error_is_the_integral_of_the_frequencies_bit_for_bit(
    commands: list[tuple[int, float | None, int]], reads: list[int], start: int
) -> None:
    commands = [(when + start, ppb, step) for when, ppb, step in commands]
    base = ManualBase(start)
    clock = SimulatedClock(base, NOISY, seed=5)
    events = sorted([(c[0], 0, c) for c in commands] + [(r + start, 1, None) for r in reads], key=lambda e: e[:2])
    for when, _, command in events:
        base.set_ns(when)
        if command is None:
            assert clock.error_sns() == reference_error_sns(commands, start, when)
            assert clock.now_sns() == clock.truth_sns() + clock.error_sns()
            continue
        if command[1] is not None:
            clock.set_frequency(command[1])
        clock.step(command[2])
    base.set_ns(start + 26 * S)
    for when in [r + start for r in reads] + [start + 26 * S]:  # all of the past, at last
        assert clock.error_sns(when) == reference_error_sns(commands, start, when)
        assert clock.stamp_sns(when) == clock.truth_sns(when) + clock.error_sns(when)


@given(reads=st.lists(st.integers(0, 40 * S)))
def test_reading_changes_nothing(reads: list[int]) -> None:
    base = ManualBase(0)
    watched, alone = (SimulatedClock(base, "cheap", seed=9) for _ in range(2))
    for when in sorted(reads):
        base.set_ns(when)
        watched.now_sns()
        watched.cross_reading()
    base.set_ns(40 * S)
    assert watched.now_sns() == alone.now_sns()


def test_truth_is_the_ptp_time_of_the_base() -> None:
    base = ManualBase(1_767_225_600 * S)
    clock = SimulatedClock(base, "perfect")
    assert clock.now_sns() == clock.truth_sns() == 1_767_225_637 * S * NS
    assert SimulatedClock(base, tai_offset_s=0).now_sns() == 1_767_225_600 * S * NS


def test_initial_error_and_frequency() -> None:
    base = ManualBase(5 * S)
    clock = SimulatedClock(base, "perfect", initial_error_ns=10_000_000, initial_frequency_ppb=50_000.0)
    assert clock.error_sns() == 10_000_000 * NS
    assert clock.true_frequency_ppb() == pytest.approx(50_000.0)
    base.advance_ns(10 * S)
    assert clock.error_sns() / NS == pytest.approx(10_000_000 + 500_000)
    assert clock.set_frequency(-50_000.0) == -50_000.0
    before = clock.error_sns()
    base.advance_ns(1000 * S)
    assert clock.error_sns() == before


def test_a_stamp_from_before_a_command_is_in_the_old_time_base() -> None:
    base = ManualBase(100 * S)
    clock = SimulatedClock(base, "perfect", initial_frequency_ppb=1000.0)
    base.advance_ns(S)
    old = clock.stamp_sns(base.now_ns() - 1)
    clock.step(5 * S * NS)
    clock.set_frequency(-400_000.0)
    assert clock.stamp_sns(base.now_ns() - 1) == old
    assert clock.stamp_sns(base.now_ns()) == pytest.approx(old + (5 * S + 1) * NS, abs=2 * NS)
    base.advance_ns(S)
    assert clock.stamp_sns(base.now_ns() - S - 1) == old
    assert clock.error_sns(base.now_ns() - S // 2) == clock.error_sns(base.now_ns() - S) + round(-399e-6 * S / 2 * NS)


def test_a_stamp_slightly_ahead_of_the_base_does_not_disturb_the_oscillator() -> None:
    def run(ahead_ns: int) -> int:
        base = ManualBase(0)
        clock = SimulatedClock(base, "cheap", seed=4)
        for _ in range(20):
            base.advance_ns(S * 3 // 10)
            clock.stamp_sns(base.now_ns() + ahead_ns)
            clock.set_frequency(base.now_ns() % 1000)
        return clock.error_sns()

    assert run(0) == run(5 * S)


def test_a_base_set_back_keeps_the_clock_whole() -> None:
    class Settable:
        ns = 100 * S

        def now_ns(self) -> int:
            return self.ns

    base = Settable()
    clock = SimulatedClock(base, "cheap", seed=4)
    base.ns += 10 * S
    late = clock.error_sns()
    base.ns -= 5 * S  # somebody steps CLOCK_REALTIME
    middle = clock.error_sns()
    clock.step(1000 * NS)
    assert clock.error_sns() == middle + 1000 * NS
    base.ns += 5 * S
    assert clock.error_sns() == late + 1000 * NS
    base.ns -= 500 * S
    clock.set_frequency(1.0)
    assert abs(clock.error_sns()) < S * NS


def test_history_is_bounded_and_covers_30_s() -> None:
    base = ManualBase(0)
    clock = SimulatedClock(base, "tcxo", seed=2)
    errors = {}
    for k in range(40_000):
        base.advance_ns(10_000_000)
        clock.set_frequency(k % 100)
        errors[base.now_ns()] = clock.error_sns()
    assert len(clock._starts) == len(clock._segments) <= 30 * 101 + simulated._HISTORY_CHECK
    for when in list(errors)[-2990::100]:
        assert clock.error_sns(when) == errors[when]


def test_segments_stay_under_the_limit_whatever_happens(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(simulated, "_HISTORY_LIMIT", 2000)
    base = ManualBase(0)
    clock = SimulatedClock(base)
    for _ in range(5000):
        base.advance_ns(1)
        clock.step(1)
    assert len(clock._starts) <= 2001
    assert clock.error_sns() == 5000


def test_a_base_that_was_set_far_ahead_is_an_error_not_a_hang() -> None:
    base = ManualBase(0)
    clock, constant = SimulatedClock(base, "ocxo"), SimulatedClock(base, "perfect")
    base.set_ns(400 * 86_400 * S)
    with pytest.raises(ClockError, match="399 days ahead"):
        clock.now_sns()
    assert constant.error_sns() == 0


def test_frequency_range_and_resolution() -> None:
    clock = SimulatedClock(ManualBase(0), max_adjustment_ppb=1000.0)
    assert clock.set_frequency(5000.0) == pytest.approx(1000.0)
    assert clock.set_frequency(-5000.0) == pytest.approx(-1000.0)
    assert clock.set_frequency(0.02) == 1 / 65.536
    with pytest.raises(ValueError, match="backwards"):
        SimulatedClock(ManualBase(0), max_adjustment_ppb=1e9)


def test_grain_floors_stamps_only() -> None:
    base = ManualBase(123_456_789)
    clock = SimulatedClock(base, grain_ns=8, initial_error_ns=0.5)
    assert clock.stamp_sns(123_456_789) == (37 * S + 123_456_784) * NS
    assert clock.now_sns() == (37 * S + 123_456_789) * NS + NS // 2


def test_stamp_noise_is_normal_and_belongs_to_the_stamp() -> None:
    base = ManualBase(0)
    clock, other = (SimulatedClock(base, noise_ns=20.0, seed=seed) for seed in (1, 2))
    times = range(0, 20_000 * 1000, 1000)
    noise = [(clock.stamp_sns(t) - clock.truth_sns(t)) / NS for t in times]
    assert abs(statistics.fmean(noise)) < 4 * 20 / 20_000**0.5
    assert statistics.pstdev(noise) == pytest.approx(20.0, rel=0.02)
    assert [(clock.stamp_sns(t) - clock.truth_sns(t)) / NS for t in times] == noise
    assert clock.stamp_sns(5) != other.stamp_sns(5)


def test_read_noise_stays_inside_the_stated_bound() -> None:
    clock = SimulatedClock(ManualBase(0), read_noise_ns=30.0, seed=1)
    readings = [clock.cross_reading(1) for _ in range(2000)]
    errors = [(r.clock_sns - 37 * S * NS) / NS for r in readings]
    assert all(r.bound_ns == 30.0 and abs(e) <= 30.0 for r, e in zip(readings, errors, strict=True))
    assert max(errors) > 29
    assert min(errors) < -29
    exact = SimulatedClock(ManualBase(0)).cross_reading()
    assert (exact.clock_sns, exact.bound_ns, exact.method) == (37 * S * NS, 0.0, "exact")


def test_manual_base_never_goes_back() -> None:
    base = ManualBase(10)
    with pytest.raises(ValueError, match="from 10 to 9"):
        base.set_ns(9)
    with pytest.raises(ValueError, match="cannot go back"):
        base.advance_ns(-1)
    assert base.now_ns() == 10


def test_over_real_time_two_clocks_can_disagree() -> None:
    base = RealtimeBase()
    right, wrong = SimulatedClock(base), SimulatedClock(base, initial_error_ns=1e9)
    stamp = base.now_ns()
    assert wrong.stamp_sns(stamp) - right.stamp_sns(stamp) == S * NS


@pytest.mark.parametrize("name", list(PRESETS))
def test_every_preset_runs(name: str) -> None:
    base = ManualBase(0)
    clock = SimulatedClock(base, name)
    base.set_ns(100 * S)
    assert abs(clock.error_sns()) <= 100 * 40_000 * NS


def test_bad_arguments() -> None:
    with pytest.raises(ValueError, match="no oscillator preset 'quartz'"):
        SimulatedClock(ManualBase(0), "quartz")
    with pytest.raises(ValueError, match="cannot be negative"):
        SimulatedClock(ManualBase(0), grain_ns=-1)
