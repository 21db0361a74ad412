"""Readings from bursts of sandwiches whose truth is known."""

from __future__ import annotations

import errno
import random
import statistics
from collections.abc import Callable

import pytest

from ptpstack.clocks.burst import Burst, mean_of_pairs
from ptpstack.clocks.phc_abi import Sandwich

NS = 1 << 16
START = 1_795_172_896 * 10**9
OFFSET = 37 * 10**9 + 123


def burst(rng: random.Random, sides: Callable[[random.Random], tuple[int, int]], noise: float, count: int = 5):
    """``sides``: how long the ways to the register and back take."""
    now = START + rng.randrange(10**9)
    made = []
    for _ in range(count):
        before = now
        there, back = sides(rng)
        made.append(Sandwich(before, before + there + OFFSET + round(rng.gauss(0, noise)), before + there + back))
        now += there + back
    return made


def errors(sides: Callable[[random.Random], tuple[int, int]], noise: float, bursts: int = 600) -> tuple[Burst, dict]:
    """Standard deviations over ``bursts`` after 100 to learn, by way of combining."""
    rng = random.Random(7)
    learning = Burst()
    found: dict[str, list[float]] = {"burst": [], "mean": [], "shortest": []}
    for number in range(bursts):
        made = burst(rng, sides, noise)
        reading = learning.combine(made, "extended")
        if number < 100:
            continue
        found["burst"].append((reading.clock_sns - ((reading.realtime_ns + OFFSET) << 16)) / NS)
        middles = [(2 * (s.phc_ns - OFFSET) - s.before_ns - s.after_ns) / 2 for s in made]
        found["mean"].append(statistics.fmean(middles))
        found["shortest"].append(middles[min(range(5), key=lambda k: made[k].after_ns - made[k].before_ns)])
        assert abs(found["burst"][-1]) <= reading.bound_ns + 4 * noise
    return learning, {way: statistics.pstdev(values) for way, values in found.items()}


def symmetric(rng: random.Random) -> tuple[int, int]:
    way = round(abs(rng.gauss(500, 250)))
    return way, way


def one_sided(rng: random.Random) -> tuple[int, int]:
    return 100, 100 + (round(rng.expovariate(1 / 400)) if rng.random() < 0.5 else 0)


def test_when_the_width_says_nothing_all_count_alike() -> None:
    learning, found = errors(symmetric, 10.0)
    assert found["burst"] == pytest.approx(found["mean"], rel=0.1)
    assert found["burst"] < 0.55 * found["shortest"]
    assert learning.noise_ns == pytest.approx(10.0, rel=0.4)
    assert learning.share < 0.1


def test_when_the_width_says_all_the_narrow_ones_count() -> None:
    learning, found = errors(one_sided, 2.0)
    assert found["burst"] < 0.2 * found["mean"]
    assert found["burst"] < 1.15 * found["shortest"]
    assert learning.share == pytest.approx(1.0, abs=0.15)


def test_a_clock_that_runs_at_another_rate_adds_nothing() -> None:
    """500 ppm over a burst of 100 us would be 25 ns at its far end."""
    made = []
    for k in range(5):
        before = START + k * 25_000
        middle = k * 25_000 + 5_000
        made.append(Sandwich(before, START + OFFSET + round(middle * 1.0005), before + 10_000))
    reading = Burst().combine(made, "extended")
    elapsed = reading.realtime_ns - START
    error = reading.clock_sns - ((START + OFFSET) << 16) - round(elapsed * 1.0005 * NS)
    assert abs(error) / NS <= 1.0


def test_the_bound_is_what_all_sandwiches_prove() -> None:
    # Each by itself leaves 200 ns open; together they say: 20 ns behind to 100 ns ahead.
    made = [
        Sandwich(START, START + OFFSET + 100, START + 200),
        Sandwich(START + 200, START + OFFSET + 380, START + 400),
    ]
    reading = Burst().combine(made, "extended")
    offset = (reading.clock_sns - ((reading.realtime_ns + OFFSET) << 16)) / NS
    assert offset == pytest.approx(40.0)
    assert reading.bound_ns == pytest.approx(60.0, abs=2.0)


def test_a_single_reading_is_its_own_middle() -> None:
    reading = Burst().combine([Sandwich(START, START + OFFSET + 51, START + 100)], "offset")
    assert (reading.realtime_ns, reading.clock_sns) == (START + 50, (START + OFFSET + 51) * NS)
    assert (reading.bound_ns, reading.samples, reading.method) == (51.0, 1, "offset")


def test_a_clock_stepped_in_the_middle_of_a_burst_has_a_wide_bound() -> None:
    made = [Sandwich(START, START + OFFSET, START + 100), Sandwich(START + 100, START + OFFSET + 10**9, START + 200)]
    assert Burst().combine(made, "extended").bound_ns > 10**8


def test_no_usable_sandwich() -> None:
    with pytest.raises(OSError, match="stepped") as caught:
        Burst().combine([Sandwich(START, START, START - 1)], "offset")
    assert caught.value.errno == errno.EAGAIN


def test_hardware_cross_time_stamps_are_averaged_at_one_instant() -> None:
    """A clock 400 ppm fast: 20 us of burst are 8 ns of drift, which is no scatter."""
    pairs = [(START + OFFSET + k * 5000 + 2 * k, START + k * 5000) for k in range(5)]
    reading = mean_of_pairs(pairs)
    assert (reading.realtime_ns, reading.clock_sns) == (START + 10_000, (START + OFFSET + 10_004) * NS)
    assert reading.bound_ns == pytest.approx(1.0)
    pairs[2] = (pairs[2][0] + 10, pairs[2][1])
    assert 7.0 <= mean_of_pairs(pairs).bound_ns <= 11.0
    assert mean_of_pairs(pairs[:1]).bound_ns == 1.0
