"""The estimator where it once went wrong: each test is a course on which it got lost, stuck or too sure of itself."""

from __future__ import annotations

import heapq
import math
import random
from dataclasses import dataclass

import pytest

from ptpstack.servo.base import Command, ServoState
from ptpstack.servo.estimator.direction import Direction
from ptpstack.servo.estimator.hypothesis import Hypothesis, observe
from ptpstack.servo.estimator.servo import EstimatorServo
from ptpstack.servo.options import ServoOptions
from tests.servo.test_estimator import START, Course, S, exponential


@dataclass
class Readings(Course):
    """Direct readings of a reference, one a second, with normal noise."""

    noise: float = 20.0

    def run(self, seconds: int, *, silent: bool = False) -> None:
        for _ in range(seconds):
            begin = round(self.t)
            self.frequency += self.rng.gauss(0.0, self.wander)
            offset = self.error + self.rng.gauss(0.0, self.noise)
            self.obey(self.servo.reading(self.clock(), round(offset * 65536), 500.0, self.now))
            self.until(begin + 1.0 - 1e-6)
            estimate = self.servo.estimate(self.now)
            if estimate is not None and estimate.statistical_ns is not None:
                assert estimate.bound_ns is not None
                self.samples.append((self.t, self.error, estimate.value_ns, estimate.statistical_ns, estimate.bound_ns))
            self.until(begin + 1.0)


def test_readings_that_run_away_are_a_frequency_and_not_noise() -> None:
    course = Readings(exponential(0.0))
    course.run(600)
    course.frequency += 1_000.0
    course.run(400)
    assert course.peak(600) < 8_000.0, "a few seconds at 1 ppm until it is believed"
    assert course.peak(630) < 150.0
    assert course.verdicts == ["clock"]
    assert course.held(600) > 0.98


def test_readings_of_an_oscillator_that_is_none_are_not_taken_for_noise() -> None:
    course = Readings(exponential(0.0), wander=1_000.0)
    course.run(1200)
    assert course.rms(300) < 1_600.0, "no worse than a PI servo"
    assert course.held(300) >= 0.999


def test_readings_that_become_noisy_to_both_sides_are_noise() -> None:
    course = Readings(exponential(0.0))
    course.run(600)
    course.noise = 2_000.0
    course.run(400)
    assert "noise" in course.verdicts
    assert course.peak(620) < 4_000.0
    assert course.held(620) > 0.99


def test_a_path_that_grows_and_shrinks_every_minute_is_delay_each_time() -> None:
    noise = exponential(10.0)
    course = Course(lambda t, side: noise(t, side) + (100_000.0 if t > 400 and (t // 60) % 2 else 0.0))
    course.run(1500)
    assert set(course.verdicts) == {"delay"}, "no contradiction with the physics while a run is being collected"
    assert course.peak(400) < 60.0
    assert course.held(400) >= 0.999


def test_an_event_does_not_teach_the_noise() -> None:
    course = Course(exponential(10.0))
    course.run(600)
    course.master += 1e6
    course.run(20)
    assert "clock" in course.verdicts
    levels = [math.sqrt(d.level) for d in course.servo._filter.directions.values()]
    assert max(levels) < 30.0, "ns, under noise of 10 ns"


def test_a_small_jump_of_frequency_shows_in_both_directions_at_once() -> None:
    course = Course(exponential(10.0))
    course.run(800)
    course.frequency += 20.0
    course.run(200)
    assert course.peak(800) < 90.0, "ns; 127 when one direction alone had to convince"
    assert course.held(800) >= 0.99


def test_a_direction_that_speaks_every_8_s_beside_8_syncs_a_second_is_heard() -> None:
    rng, waits = random.Random(3), exponential(10.0)
    course = Course(waits)
    for step in range(8 * 120):
        at = step / 8.0
        course.until(at + (1_000.0 + waits(at, 1)) / S)
        sent = (START << 16) + round(at * S * 65536)
        course.obey(course.servo.sync(sent, course.clock(), 0, course.now))
        if step % 64 == 20:
            course.until(at + rng.uniform(0.01, 0.1))
            t3, left = course.clock(), course.t
            course.until(left + (1_000.0 + waits(left, -1)) / S)
            course.obey(course.servo.delay(t3, (START << 16) + round(course.t * S * 65536), 0, course.now))
    assert course.servo.state is ServoState.LOCKED
    estimate = course.servo.estimate(course.now)
    assert estimate is not None
    assert estimate.statistical_ns is not None
    assert estimate.statistical_ns < 100.0


@pytest.mark.parametrize("latest_s", [5.0, 20.0])
def test_a_delay_resp_that_comes_late_is_no_clock_that_was_set(latest_s: float) -> None:
    rng, waits = random.Random(4), exponential(10.0)
    course = Course(waits)
    on_the_way: list[tuple[float, int, int, int]] = []

    def deliver(until: float) -> None:
        while on_the_way and on_the_way[0][0] <= until:
            at, _, t3, t4 = heapq.heappop(on_the_way)
            course.until(max(at, course.t))
            course.obey(course.servo.delay(t3, t4, 0, course.now))

    for second in range(900):
        course.frequency += course.rng.gauss(0.0, 1.0)
        arrival = second + (1_000.0 + waits(second, 1)) / S
        deliver(arrival)
        course.until(arrival)
        course.obey(course.servo.sync((START << 16) + ((second * S) << 16), course.clock(), 0, course.now))
        leaves = second + rng.uniform(0.1, 0.9)
        deliver(leaves)
        course.until(leaves)
        t4 = (START << 16) + round((leaves * S + 1_000.0 + waits(leaves, -1)) * 65536)
        heapq.heappush(on_the_way, (leaves + rng.uniform(0.0, latest_s), second, course.clock(), t4))
        deliver(second + 1.0 - 1e-6)
        course.until(second + 1.0 - 1e-6)
        if second > 400:
            assert abs(course.error) < 200.0
    assert "set" not in course.verdicts
    assert course.servo.state is ServoState.LOCKED


def test_a_kept_frequency_that_is_10_ppm_wrong_is_thrown_away() -> None:
    before = Course(exponential(10.0))
    before.run(600)
    kept = before.servo.keep(before.now)
    assert kept is not None
    course = Course(exponential(10.0, 9), 2)
    course.frequency, course.error, course.command = before.frequency + 10_000.0, 0.0, before.command
    course.servo = EstimatorServo(ServoOptions(), max_frequency_ppb=1e6)
    course.servo.take_over(course.command)
    course.servo.resume(kept, 30.0, course.command)
    course.run(300)
    assert course.verdicts == ["clock", "restart"]
    assert course.peak(30) < 60.0
    assert course.held(5) >= 0.99


def test_looks_below_nothing_count() -> None:
    """With a grain of 1 us and noise of 10 ns, the square of a residual less the grain's variance is as often below."""
    rng = random.Random(5)
    direction = Direction(1)
    direction.set_level(100.0, 8)
    for _ in range(4_000):
        rounding = rng.uniform(-500.0, 500.0)
        direction.learn(rounding**2 - 1e6 / 12.0 + 100.0, 10.0)
    assert math.sqrt(direction.level) < 80.0, "ns; 180 when they were cut off at 0"
    direction.most = 25.0
    direction.learn(1e6, 10.0)
    assert direction.level <= 25.0


def test_one_huge_variance_does_not_raise_the_level() -> None:
    direction = Direction(1)
    direction.set_level(100.0, 400)
    direction.learn(100.0, 1e12)
    assert direction.level == pytest.approx(100.0, rel=0.2)


def test_rounding_never_leaves_a_covariance_that_is_none() -> None:
    broken = Hypothesis()
    broken.q, broken.tt, broken.tf, broken.td = 1.0, 1e4, -1e9, -1e12
    broken.ff, broken.fd, broken.dd = 1e3, 1e6, 1e4
    broken.share = 0.0
    assert broken.expected(1) > 0.0
    for side in (1, -1, 1, -1):
        value = side * broken.phase + broken.d + 50.0
        _, v, s, *_ = observe(broken, [], 0.0, 0.0, side, value, 0.0, 100.0, 1.0, 1.0, 0.02)
        assert v > 0.0
        assert s > 0.0
    assert min(broken.tt, broken.ff, broken.dd) >= 0.0
    assert broken.td**2 <= broken.tt * broken.dd * 1.0001


def test_a_master_that_rounds_to_the_nearest_lies_within_the_whole_bound() -> None:
    """Stamps are taken to be rounded down; which it is nobody can see, so half a grain is in the systematic part."""
    grain = 10_000 << 16
    waits = exponential(10.0)
    rng = random.Random(8)
    course = Course(waits)
    inside: list[bool] = []

    def near(sns: int) -> int:
        return (sns + grain // 2) // grain * grain

    for second in range(300):
        leaves = second + rng.uniform(0.0, 0.01)
        course.until(leaves + (1_000.0 + waits(second, 1)) / S)
        sent = near((START << 16) + round(leaves * S * 65536))
        course.obey(course.servo.sync(sent, course.clock(), 0, course.now))
        course.until(second + rng.uniform(0.1, 0.9))
        t3 = course.clock()
        arrives = course.t + (1_000.0 + waits(second, -1)) / S
        course.until(arrives)
        course.obey(course.servo.delay(t3, near((START << 16) + round(arrives * S * 65536)), 0, course.now))
        course.until(second + 1.0 - 1e-6)
        estimate = course.servo.estimate(course.now)
        if second > 60:
            assert estimate is not None
            assert estimate.bound_ns is not None
            inside.append(abs(estimate.value_ns - course.error) <= estimate.bound_ns)
    assert all(inside)


def test_a_packet_of_the_other_kind_begins_anew() -> None:
    servo = EstimatorServo(ServoOptions(), max_frequency_ppb=1e6)
    servo.reading(START << 16, 0, 1.0, 0)
    answer = servo.delay((START << 16) + 1, (START << 16) + 2, 0, 1)
    assert answer is None or isinstance(answer, Command)
    assert servo.estimate(2) is None
