"""The estimator where the path is measured by peer delay: side 0, the delay alone."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import pytest

from ptpstack.servo.base import Request, ServoState
from tests.servo.test_estimator import START, Course, S, exponential


@dataclass
class Linked(Course):
    """Sync once a second, and a peer delay: the mean of one wait in each direction.

    ``theirs``: how far the neighbour's stamps of Pdelay_Req are off its Syncs at a time, ns; None: it tells none.
    """

    theirs: Callable[[float], float] | None = None

    def run(self, seconds: int, *, silent: bool = False) -> None:
        for _ in range(seconds):
            begin = round(self.t)
            self.frequency += self.rng.gauss(0.0, self.wander)
            if not silent:
                sent = ((START + begin * S) << 16) + round(self.master * 65536)
                self.until(begin + (1_000.0 + self.wait(begin, 1)) / S)
                self.obey(self.servo.sync(sent, self.clock(), 0, self.now))
                self.until(begin + 0.4)
                there, back = self.wait(self.t, -1), self.wait(self.t, 1)
                delay = round((1_000.0 + (there + back) / 2.0) * 65536)
                request = None
                if self.theirs is not None:
                    t2 = self.now + 1_000.0 + there + self.master + self.theirs(self.t)
                    request = Request(self.clock(), (START << 16) + round(t2 * 65536), 0)
                self.obey(self.servo.link_delay(self.clock(), delay, self.now, request))
            self.until(begin + 1.0 - 1e-6)
            estimate = self.servo.estimate(self.now)
            if estimate is not None and estimate.statistical_ns is not None:
                assert estimate.bound_ns is not None
                self.samples.append(
                    (self.t, self.error - self.master, estimate.value_ns, estimate.statistical_ns, estimate.bound_ns)
                )
            if begin > 60:
                self.fastest = max(self.fastest, abs(self.frequency + self.command))
            self.until(begin + 1.0)


@pytest.mark.parametrize("seed", [1, 2])
def test_the_floors_of_sync_and_link_are_one(seed: int) -> None:
    """The mean of two waits has no sharp floor; taken for one wait it would shift the offset by a quarter of it."""
    course = Linked(exponential(10.0, seed), seed=seed)
    course.run(2000)
    part = course.since(500)
    assert abs(sum(s[1] for s in part) / len(part)) < 1.5
    assert course.rms(500) < 7.5
    assert course.held(500) >= 0.999
    assert course.servo.path_delay_ns() == pytest.approx(1_000.0, abs=5.0)


@pytest.mark.parametrize("by", [60.0, 1_000.0, 100_000.0, -600.0])
def test_a_link_of_another_length_is_delay_and_not_offset(by: float) -> None:
    noise = exponential(10.0)
    course = Linked(lambda t, side: noise(t, side) + (by if t >= 700 else 0.0))
    course.run(1000)
    assert course.peak(700) < 80.0
    assert course.servo.path_delay_ns() == pytest.approx(1_000.0 + by, abs=15.0)
    assert {"delay", "step"} & set(course.verdicts)


def test_a_path_longer_in_one_direction_is_shared_as_in_any_two_way_exchange() -> None:
    noise = exponential(10.0)
    course = Linked(lambda t, side: noise(t, side) + (10_000.0 if t >= 700 and side > 0 else 0.0))
    course.run(1000)
    assert course.samples[-1][1] == pytest.approx(-5_000.0, abs=60.0)
    assert course.fastest < 3_000.0
    part = course.since(300)
    assert all(abs(error - value) <= total for _, error, value, _, total in part), "the sum of both parts holds"


@pytest.mark.parametrize("told", [True, False])
@pytest.mark.parametrize("by", [5_000.0, -5_000.0])
def test_another_master_moves_sync_alone(told: bool, by: float) -> None:
    course = Linked(exponential(10.0))
    course.run(700)
    if told:
        course.servo.new_master(course.now)
    course.master = by
    course.run(200)
    assert course.verdicts[0] == "clock"
    assert abs(course.samples[-1][1]) < 40.0
    assert course.servo.path_delay_ns() == pytest.approx(1_000.0, abs=10.0)
    assert course.fastest < 3_000.0


@pytest.mark.parametrize("by", [1_000.0, -1_000.0])
def test_an_oscillator_that_jumps_is_followed_and_named(by: float) -> None:
    course = Linked(exponential(10.0))
    course.run(700)
    course.frequency += by
    course.run(100)
    assert "clock" in course.verdicts or "line" in course.verdicts
    assert course.peak(700) < 8_000.0
    assert course.peak(740) < 80.0


def test_a_clock_that_changes_from_delay_req_to_peer_delay_stays_locked() -> None:
    course = Linked(exponential(10.0))
    Course.run(course, 300)
    course.run(300)
    assert course.servo.state is ServoState.LOCKED
    Course.run(course, 300)
    assert course.servo.state is ServoState.LOCKED
    assert course.verdicts == []
    assert course.peak(100) < 80.0
    assert course.held(100) >= 0.995


def test_what_was_learnt_with_peer_delay_is_kept() -> None:
    course = Linked(exponential(10.0))
    course.run(500)
    kept = course.servo.keep(course.now)
    assert kept is not None
    assert set(kept["levels"]) == {"1", "0"}
    again = Linked(exponential(10.0, 8), frequency=course.frequency)
    again.command = course.command
    again.servo.resume(kept, 10.0, course.command)
    again.run(100)
    assert again.servo.state is ServoState.LOCKED
    assert again.peak(20) < 80.0


# ----------------------------------------------------------------------------- a neighbour that is the master itself


@pytest.mark.parametrize("seed", [1, 2])
def test_a_neighbour_of_one_clock_shows_ours_from_both_sides(seed: int) -> None:
    course = Linked(exponential(10.0, seed), seed=seed, theirs=lambda t: 0.0)
    course.run(1500)
    assert set(course.servo._filter.directions) == {1, -1}
    assert course.verdicts == ["neighbor"]
    assert course.rms(500) < 5.0
    assert course.held(500) >= 0.999


@pytest.mark.parametrize(
    "theirs",
    [lambda t: 200.0, lambda t: -200.0, lambda t: 1e9 + 3_000.0 * t, lambda t: 50.0 * t - 50_000.0],
    ids=["200 ns ahead", "200 ns behind", "another time", "drifts through"],
)
def test_stamps_of_another_clock_are_not_used(theirs: Callable[[float], float]) -> None:
    course = Linked(exponential(10.0), theirs=theirs)
    course.run(1500)
    assert set(course.servo._filter.directions) == {1, 0}
    part = course.since(300)
    assert abs(sum(s[1] for s in part) / len(part)) < 2.0
    assert course.rms(300) < 8.0
    assert course.peak(300) < 120.0


def test_a_neighbour_that_begins_to_stamp_by_another_clock_is_found_out() -> None:
    course = Linked(exponential(10.0), theirs=lambda t: 0.0 if t < 700 else 400.0)
    course.run(1200)
    assert course.verdicts.count("neighbor") == 2
    assert set(course.servo._filter.directions) == {1, 0}
    assert course.peak(500) < 500.0
    assert course.peak(760) < 100.0


def test_an_oscillator_that_jumps_is_seen_from_both_sides() -> None:
    course = Linked(exponential(10.0), theirs=lambda t: 0.0)
    course.run(700)
    course.frequency += 1_000.0
    course.run(100)
    assert "clock" in course.verdicts
    assert course.peak(700) < 2_500.0
    assert course.peak(720) < 60.0
