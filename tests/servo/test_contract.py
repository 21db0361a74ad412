"""The contract of servo.base.Servo, over every servo there is: a new one joins by adding its factory to FACTORIES.

The clock here errs by a constant frequency and obeys commands exactly; the path has a known delay. What is asked for is
what an owner relies on: signs, no command while watching, the clamp, holdover, bounds. How well a servo filters is not
the contract's business.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from dataclasses import replace

import pytest

from ptpstack.servo.base import Command, Servo, ServoState
from ptpstack.servo.classic import ClassicServo
from ptpstack.servo.estimator.servo import EstimatorServo
from ptpstack.servo.options import ServoOptions

S = 1_000_000_000
START = 1_767_225_637 * S

Factory = Callable[[ServoOptions, float, bool], Servo]

FACTORIES: dict[str, Factory] = {
    "pi": lambda options, limit, steering: ClassicServo(
        replace(options, type="pi"), max_frequency_ppb=limit, steering=steering
    ),
    "estimator": lambda options, limit, steering: EstimatorServo(options, max_frequency_ppb=limit, steering=steering),
    "linreg": lambda options, limit, steering: ClassicServo(
        replace(options, type="linreg"), max_frequency_ppb=limit, steering=steering
    ),
    "pi, average": lambda options, limit, steering: ClassicServo(
        replace(options, type="pi", delay_filter="moving_average"), max_frequency_ppb=limit, steering=steering
    ),
    "pi, software": lambda options, limit, steering: ClassicServo(
        replace(options, type="pi", gains="software"), max_frequency_ppb=limit, steering=steering
    ),
}


class Rig:
    """A clock under a servo: error and frequency known exactly, exchanges with a perfect master."""

    #: the path is measured by peer delay, not by Delay_Req
    peer = False

    def __init__(
        self,
        factory: Factory,
        *,
        error_ns: float = 0.0,
        oscillator_ppb: float = 0.0,
        delay_ns: int = 1000,
        steering: bool = True,
        limit: float = 500_000.0,
        options: ServoOptions | None = None,
    ) -> None:
        self.servo = factory(options or ServoOptions(), limit, steering)
        self.error_ns = error_ns
        self.oscillator_ppb = oscillator_ppb
        self.command_ppb = 0.0
        self.delay_ns = delay_ns
        self.interval_s = 1.0
        self.master_error_ns = 0.0
        self.now = 0
        self.again_at: int | None = None
        self.commands: list[Command] = []
        self.steps: list[int] = []
        if steering:
            self.servo.take_over(0.0)

    def clock_sns(self) -> int:
        return ((START + self.now) << 16) + round(self.error_ns * 65536)

    def pass_time(self, seconds: float) -> None:
        """Let the clock run; a servo that asked to be called again is."""
        end = self.now + round(seconds * S)
        while self.again_at is not None and self.again_at <= end:
            at, self.again_at = max(self.again_at, self.now), None
            self._run_until(at)
            self.obey(self.servo.timer(self.now))
        self._run_until(end)

    def _run_until(self, at: int) -> None:
        self.error_ns += (self.oscillator_ppb + self.command_ppb) * (at - self.now) / S
        self.now = at

    def obey(self, command: Command | None) -> None:
        if command is None:
            return
        self.commands.append(command)
        self.again_at = command.again_at_ns
        if command.frequency_ppb is not None:
            self.command_ppb = command.frequency_ppb
            self.servo.commanded(self.clock_sns(), command.frequency_ppb, 0, self.now)
        if command.step_sns:
            self.steps.append(command.step_sns)
            self.error_ns += command.step_sns / 65536
            self.servo.clock_stepped()
            self.servo.commanded(self.clock_sns(), self.command_ppb, command.step_sns, self.now)

    def master_sns(self, at: int) -> int:
        return ((START + at) << 16) + round(self.master_error_ns * 65536)

    def sync(self) -> Command | None:
        t1 = self.master_sns(self.now - self.delay_ns)
        return self.servo.sync(t1, self.clock_sns(), 0, self.now)

    def delay(self) -> Command | None:
        t3 = self.clock_sns()
        if self.peer:
            return self.servo.link_delay(t3, self.delay_ns << 16, self.now)
        return self.servo.delay(t3, self.master_sns(self.now + self.delay_ns), 0, self.now)

    def run(self, exchanges: int) -> None:
        for _ in range(exchanges):
            self.obey(self.sync())
            self.pass_time(self.interval_s / 4)
            self.obey(self.delay())
            self.pass_time(self.interval_s * 3 / 4)


@pytest.fixture(params=[False, True], ids=["E2E", "P2P"], autouse=True)
def mechanism(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Rig, "peer", request.param)


@pytest.fixture(params=FACTORIES.values(), ids=FACTORIES)
def factory(request: pytest.FixtureRequest) -> Factory:
    made: Factory = request.param
    return made


# ------------------------------------------------------------------------------------------------------- signs


@pytest.mark.parametrize("error_ns", [400.0, -400.0])
def test_offset_is_this_clock_minus_its_master(factory: Factory, error_ns: float) -> None:
    rig = Rig(factory, error_ns=error_ns, steering=False)
    rig.run(6)
    estimate = rig.servo.estimate(rig.now)
    assert estimate is not None
    assert estimate.value_ns == pytest.approx(error_ns, abs=2)
    assert rig.servo.path_delay_ns() == pytest.approx(1000, abs=2)


@pytest.mark.parametrize("error_ns", [5_000.0, -5_000.0])
def test_a_clock_ahead_is_slowed_and_a_clock_behind_hurried(factory: Factory, error_ns: float) -> None:
    rig = Rig(factory, error_ns=error_ns)
    rig.run(8)
    frequencies = [c.frequency_ppb for c in rig.commands if c.frequency_ppb]
    assert frequencies
    assert math.copysign(1, frequencies[0]) == -math.copysign(1, error_ns)


@pytest.mark.parametrize("ppb", [50_000.0, -50_000.0])
def test_a_fast_oscillator_gets_a_negative_frequency(factory: Factory, ppb: float) -> None:
    rig = Rig(factory, oscillator_ppb=ppb)
    rig.run(200)
    assert rig.command_ppb == pytest.approx(-ppb, abs=20)
    assert abs(rig.error_ns) < 100


def test_delay_asymmetry_is_not_invented(factory: Factory) -> None:
    rig = Rig(factory, delay_ns=123_456, steering=False)
    rig.run(12)
    assert rig.servo.path_delay_ns() == pytest.approx(123_456, abs=1)
    estimate = rig.servo.estimate(rig.now)
    assert estimate is not None
    assert abs(estimate.value_ns) < 2


# ------------------------------------------------------------------------------------------------------- steps


@pytest.mark.parametrize("error_ns", [10_000_000.0, -37e9])
def test_a_large_first_offset_is_stepped_away_once(factory: Factory, error_ns: float) -> None:
    rig = Rig(factory, error_ns=error_ns, oscillator_ppb=20_000.0)
    rig.run(100)
    assert len(rig.steps) == 1
    assert math.copysign(1, rig.steps[0]) == -math.copysign(1, error_ns)
    assert abs(rig.error_ns) < 1_000


def test_below_the_first_step_threshold_nothing_is_stepped(factory: Factory) -> None:
    rig = Rig(factory, error_ns=19_000.0)
    rig.run(100)
    assert rig.steps == []
    assert abs(rig.error_ns) < 500


def test_once_running_nothing_is_stepped_without_a_threshold(factory: Factory) -> None:
    rig = Rig(factory)
    rig.run(20)
    rig.master_error_ns = 1_000_000.0
    rig.run(200)
    assert rig.steps == []


def test_once_running_a_step_threshold_is_obeyed(factory: Factory) -> None:
    rig = Rig(factory, options=ServoOptions(step_threshold_ns=50_000.0))
    rig.run(20)
    rig.master_error_ns = 1_000_000.0
    rig.run(100)
    assert len(rig.steps) == 1
    assert rig.error_ns == pytest.approx(1_000_000, abs=2_000)


# ------------------------------------------------------------------------------------------- watching, the clamp


def test_a_watcher_commands_nothing_whatever_it_sees(factory: Factory) -> None:
    rig = Rig(factory, error_ns=5e9, oscillator_ppb=30_000.0, steering=False)
    rig.run(30)
    lost = rig.servo.lost(rig.now)
    for command in [*rig.commands, lost, rig.servo.timer(rig.now)]:
        assert command is None or (command.frequency_ppb is None and not command.step_sns)
    assert not rig.servo.steering


def test_a_watcher_takes_over_from_the_frequency_the_clock_has(factory: Factory) -> None:
    """Somebody else has steered: the first command of the new one does not throw that away."""
    rig = Rig(factory, oscillator_ppb=40_000.0, steering=False)
    rig.command_ppb = -40_000.0
    rig.run(10)
    rig.servo.take_over(-40_000.0)
    assert rig.servo.steering
    rig.run(20)
    assert rig.commands
    assert all(c.frequency_ppb is None or abs(c.frequency_ppb + 40_000) < 500 for c in rig.commands)
    assert abs(rig.error_ns) < 500
    rig.servo.watch_only()
    rig.commands.clear()
    rig.run(10)
    assert rig.commands == []


@pytest.mark.parametrize(("limit", "own"), [(10_000.0, 500_000.0), (500_000.0, 10_000.0)])
def test_the_frequency_stays_inside_the_clocks_and_the_own_limit(factory: Factory, limit: float, own: float) -> None:
    rig = Rig(factory, oscillator_ppb=90_000.0, limit=limit, options=ServoOptions(max_frequency_ppb=own))
    rig.run(60)
    frequencies = [c.frequency_ppb for c in rig.commands if c.frequency_ppb is not None]
    assert min(frequencies) == -10_000
    assert max(frequencies) <= 10_000


def test_the_clamp_does_not_wind_up(factory: Factory) -> None:
    """Long at the limit with a growing offset; once the oscillator is sane again, the way back is not overshot."""
    rig = Rig(factory, limit=10_000.0)
    rig.run(10)
    rig.oscillator_ppb = 15_000.0
    rig.run(60)
    rig.oscillator_ppb = 0.0
    away = abs(rig.error_ns)
    assert away > 100_000
    rig.run(400)
    assert abs(rig.error_ns) < 1_000


# ----------------------------------------------------------------------------------- loss, holdover, another master


def test_a_locked_servo_that_loses_its_master_holds_the_frequency(factory: Factory) -> None:
    rig = Rig(factory, oscillator_ppb=25_000.0)
    rig.run(200)
    assert rig.servo.state is ServoState.LOCKED
    rig.obey(rig.servo.lost(rig.now))
    assert rig.servo.state is ServoState.HOLDOVER
    before = rig.error_ns
    rig.pass_time(100)
    assert abs(rig.error_ns - before) < 2_000
    assert rig.command_ppb == pytest.approx(-25_000, abs=20)


def test_holdover_ends_in_lock_without_a_step_or_a_kick(factory: Factory) -> None:
    rig = Rig(factory, oscillator_ppb=25_000.0)
    rig.run(200)
    rig.obey(rig.servo.lost(rig.now))
    rig.pass_time(50)
    rig.commands.clear()
    rig.steps.clear()
    rig.servo.new_master(rig.now)
    rig.run(20)
    assert rig.servo.state is ServoState.LOCKED
    assert rig.steps == []
    assert all(c.frequency_ppb is None or abs(c.frequency_ppb + 25_000) < 500 for c in rig.commands)


def test_losing_a_master_before_lock_is_no_holdover(factory: Factory) -> None:
    rig = Rig(factory)
    rig.run(1)
    rig.servo.lost(rig.now)
    assert rig.servo.state is ServoState.UNLOCKED


def test_a_new_master_by_another_path_gives_no_kick(factory: Factory) -> None:
    rig = Rig(factory, oscillator_ppb=25_000.0)
    rig.run(200)
    rig.commands.clear()
    rig.servo.new_master(rig.now)
    assert rig.servo.state is not ServoState.LOCKED
    rig.delay_ns = 80_000
    rig.run(30)
    assert rig.servo.state is ServoState.LOCKED
    assert abs(rig.error_ns) < 200
    assert all(c.frequency_ppb is None or abs(c.frequency_ppb + 25_000) < 200 for c in rig.commands)


def test_a_new_master_during_the_start_does_not_mix_two_clocks(factory: Factory) -> None:
    """One sample of a master a second ahead, the next of a good one: their difference is no frequency."""
    rig = Rig(factory)
    rig.master_error_ns = 1e9
    rig.obey(rig.sync())
    rig.pass_time(0.25)
    rig.obey(rig.delay())
    rig.pass_time(0.75)
    rig.obey(rig.sync())
    rig.pass_time(0.5)
    rig.servo.new_master(rig.now)
    rig.master_error_ns = 0.0
    rig.pass_time(0.5)
    rig.run(60)
    assert all(c.frequency_ppb is None or abs(c.frequency_ppb) < 1_000 for c in rig.commands)
    assert abs(rig.error_ns) < 1_000


def test_a_step_of_somebody_else_during_the_start_is_no_frequency(factory: Factory) -> None:
    rig = Rig(factory, error_ns=1e9)
    rig.sync()
    rig.pass_time(0.5)
    rig.delay()
    rig.pass_time(0.5)
    rig.sync()
    rig.error_ns = 0.0
    rig.servo.clock_stepped()
    rig.pass_time(1)
    rig.run(60)
    assert all(c.frequency_ppb is None or abs(c.frequency_ppb) < 1_000 for c in rig.commands)
    assert rig.steps == []


# ------------------------------------------------------------------------------------------------ estimate, bound


def test_nothing_is_estimated_before_it_can_be(factory: Factory) -> None:
    rig = Rig(factory)
    assert rig.servo.estimate(0) is None
    rig.sync()
    assert rig.servo.estimate(rig.now) is None
    assert rig.servo.path_delay_ns() is None
    assert rig.servo.state is ServoState.UNLOCKED


def test_a_locked_estimate_has_a_bound_that_holds_the_truth(factory: Factory) -> None:
    rig = Rig(factory, oscillator_ppb=10_000.0)
    rig.run(100)
    assert rig.servo.state is ServoState.LOCKED
    estimate = rig.servo.estimate(rig.now)
    assert estimate is not None
    assert estimate.bound_ns is not None
    assert estimate.statistical_ns is not None
    assert estimate.systematic_ns >= 0
    assert abs(estimate.value_ns - rig.error_ns) <= estimate.bound_ns
    assert estimate.provenance


def test_the_bound_grows_while_nothing_is_heard(factory: Factory) -> None:
    rig = Rig(factory, oscillator_ppb=10_000.0)
    rig.run(100)
    rig.obey(rig.servo.lost(rig.now))
    bounds = []
    for _ in range(4):
        rig.pass_time(100)
        estimate = rig.servo.estimate(rig.now)
        assert estimate is not None
        assert estimate.bound_ns is not None
        bounds.append(estimate.bound_ns)
    assert bounds == sorted(bounds)


def test_a_step_of_somebody_else_invalidates_the_estimate(factory: Factory) -> None:
    rig = Rig(factory, steering=False)
    rig.run(10)
    rig.servo.clock_stepped()
    assert rig.servo.estimate(rig.now) is None
    rig.error_ns += 5_000
    rig.run(3)
    estimate = rig.servo.estimate(rig.now)
    assert estimate is not None
    assert estimate.value_ns == pytest.approx(5_000, abs=5)


# ---------------------------------------------------------------------------------------------------- intervals


@pytest.mark.parametrize("log_interval", [-5, -3, 0, 2])
def test_any_sync_interval_ends_in_lock(factory: Factory, log_interval: int) -> None:
    rig = Rig(factory, error_ns=3_000.0, oscillator_ppb=20_000.0)
    rig.interval_s = 2.0**log_interval
    rig.servo.set_sync_interval(log_interval)
    rig.run(max(200, round(40 / rig.interval_s)))
    assert rig.servo.state is ServoState.LOCKED
    assert abs(rig.error_ns) < 200


def test_a_change_of_interval_while_locked_gives_no_kick(factory: Factory) -> None:
    rig = Rig(factory, oscillator_ppb=20_000.0)
    rig.run(200)
    for log_interval in (-4, 2, 0):
        rig.commands.clear()
        rig.interval_s = 2.0**log_interval
        rig.servo.set_sync_interval(log_interval)
        rig.run(60)
        assert rig.servo.state is ServoState.LOCKED
        assert all(c.frequency_ppb is None or abs(c.frequency_ppb + 20_000) < 200 for c in rig.commands)


# ------------------------------------------------------------------------------------------------------ readings


def test_direct_readings_steer_too(factory: Factory) -> None:
    rig = Rig(factory, error_ns=50_000_000.0, oscillator_ppb=-30_000.0)
    for _ in range(150):
        clock = rig.clock_sns()
        rig.obey(rig.servo.reading(clock, round(rig.error_ns * 65536), 5.0, rig.now))
        rig.pass_time(1)
    assert len(rig.steps) == 1
    assert abs(rig.error_ns) < 100
    assert rig.servo.state is ServoState.LOCKED
    estimate = rig.servo.estimate(rig.now)
    assert estimate is not None
    assert rig.servo.path_delay_ns() is None


def test_every_command_has_a_reason(factory: Factory) -> None:
    rig = Rig(factory, error_ns=1e7, oscillator_ppb=9_000.0)
    rig.run(30)
    assert rig.commands
    assert all(c.reason for c in rig.commands)
    assert rig.servo.reason
    assert rig.servo.name


def test_a_master_lost_before_the_lock_leaves_no_last_correction_behind(factory: Factory) -> None:
    rig = Rig(factory, oscillator_ppb=1_000.0)
    rig.run(60)
    held = rig.command_ppb
    rig.master_error_ns = 2_000_000.0
    while abs(rig.command_ppb - held) < 10_000:  # a gate may set the first aside
        rig.run(1)
    hurried = abs(rig.command_ppb - held)
    rig.obey(rig.servo.lost(rig.now))
    # what the integral took on since, not the whole correction
    assert abs(rig.command_ppb - held) < 0.6 * hurried


def test_the_bound_grows_without_measurements(factory: Factory) -> None:
    rig = Rig(factory, oscillator_ppb=1_000.0)
    rig.run(60)
    rig.obey(rig.servo.lost(rig.now))
    bounds = []
    for _ in range(3):
        estimate = rig.servo.estimate(rig.now)
        assert estimate is not None
        assert estimate.bound_ns is not None
        bounds.append(estimate.bound_ns)
        rig.pass_time(600)
    assert bounds[0] < bounds[1] < bounds[2]
    assert bounds[2] - bounds[1] > 1.5 * (bounds[1] - bounds[0]), "faster than linear: the frequency walks"


def test_a_path_not_known_yet_does_not_make_the_bound_smaller(factory: Factory) -> None:
    rig = Rig(factory)
    rig.run(20)
    rig.obey(rig.servo.lost(rig.now))
    before = rig.servo.estimate(rig.now)
    rig.servo.new_master(rig.now)
    after = rig.servo.estimate(rig.now)
    assert before is not None
    assert before.bound_ns is not None
    assert after is None or after.bound_ns is None or after.bound_ns > before.bound_ns


# ------------------------------------------------------------------------------------------- ahead, and afterwards


def test_the_bound_ahead_starts_at_the_present_one_and_never_falls(factory: Factory) -> None:
    rig = Rig(factory, oscillator_ppb=2_000.0)
    assert rig.servo.bound_after(10.0, rig.now) is None
    rig.run(60)
    estimate = rig.servo.estimate(rig.now)
    assert estimate is not None
    ahead = [rig.servo.bound_after(s, rig.now) for s in (0.0, 1.0, 60.0, 3600.0, 86_400.0)]
    bounds = [bound for bound in ahead if bound is not None]
    assert len(bounds) == len(ahead)
    assert bounds[0] == pytest.approx(estimate.statistical_ns)
    assert bounds == sorted(bounds)
    assert bounds[-1] > 2 * bounds[0]


def test_what_is_kept_survives_json_and_is_taken_by_a_new_servo(factory: Factory) -> None:
    rig = Rig(factory, oscillator_ppb=2_000.0)
    assert rig.servo.keep(rig.now) is None, "nothing has been learnt yet"
    rig.run(60)
    kept = rig.servo.keep(rig.now)
    assert kept is not None
    again = Rig(factory, oscillator_ppb=2_000.0, steering=False)
    again.command_ppb = rig.command_ppb
    again.servo.resume(json.loads(json.dumps(kept)), 120.0, rig.command_ppb)
    again.servo.take_over(rig.command_ppb, learnt_ppb=20.0)
    again.run(20)
    assert again.servo.state is ServoState.LOCKED
    assert abs(again.command_ppb + 2_000.0) < 1.0
    with pytest.raises((KeyError, TypeError, ValueError)):
        Rig(factory).servo.resume({"nonsense": 1}, 120.0, 0.0)
