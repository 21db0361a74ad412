"""Two clocks compared through readings that cannot be taken at one moment."""

from __future__ import annotations

from typing import Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ptpstack.clocks.base import Clock, ClockError, CrossReading
from ptpstack.clocks.simulated import ManualBase, SimulatedClock
from ptpstack.engine.pairs import at_moment, compare

NS = 1 << 16


class Ticking:
    """A PHC of constant rate over CLOCK_REALTIME; each reading takes ``cost_ns`` of that."""

    kind = "phc"

    def __init__(self, time: list[int], offset_ns: int, ppb: int, cost_ns: int = 40_000) -> None:
        self.time, self.offset_ns, self.ppb, self.cost_ns = time, offset_ns, ppb, cost_ns

    def at(self, realtime_ns: int) -> int:
        return (realtime_ns + self.offset_ns << 16) + (realtime_ns - START << 16) * self.ppb // 10**9

    def cross_reading(self, samples: int = 5) -> CrossReading:
        self.time[0] += self.cost_ns
        return CrossReading(self.at(self.time[0]), self.time[0], 100.0, "fake", samples)


class System:
    kind = "system"

    def __init__(self, tai_offset_s: int = 37) -> None:
        self.tai_ns = tai_offset_s * 10**9

    def stamp_sns(self, stamp_ns: int) -> int:
        return stamp_ns + self.tai_ns << 16


START = 1_800_000_000 * 10**9


def clock(made: object) -> Clock:
    return cast(Clock, cast(Any, made))


@given(st.integers(-500_000, 500_000), st.integers(-500_000, 500_000), st.integers(1, 10**6))
def test_the_rate_of_clocks_that_are_read_one_after_the_other_cancels(a: int, b: int, cost_ns: int) -> None:
    time = [START]
    source, target = Ticking(time, 1_000, a, cost_ns), Ticking(time, -5_000, b, cost_ns)
    clock_sns, source_sns, bound_ns = compare(clock(source), clock(target), 5)
    moment = START + 2 * cost_ns
    assert clock_sns == target.at(moment)
    assert abs(source_sns - source.at(moment)) <= 2
    assert bound_ns == 200.0


def test_the_system_clock_needs_no_reading_of_its_own() -> None:
    time = [START]
    phc = Ticking(time, 37 * 10**9 + 250, 0)
    assert compare(clock(phc), clock(System()), 5) == (START + 40_000 + 37 * 10**9 << 16, phc.at(START + 40_000), 100.0)
    clock_sns, source_sns, bound_ns = compare(clock(System()), clock(phc), 5)
    assert (clock_sns - source_sns, bound_ns) == (250 * NS, 100.0)


def test_a_time_that_was_set_between_two_readings_is_no_comparison() -> None:
    before, after = CrossReading(0, 1_000, 1.0, ""), CrossReading(0, 2_000, 1.0, "")
    with pytest.raises(ClockError, match="was set between"):
        at_moment(before, after, 2_001)
    with pytest.raises(ClockError):
        at_moment(after, before, 1_500)


def test_simulated_clocks_of_one_base() -> None:
    base = ManualBase(START)
    one = SimulatedClock(base, initial_error_ns=123.0)
    two = SimulatedClock(base, initial_error_ns=-77.0, read_noise_ns=5.0)
    clock_sns, source_sns, bound_ns = compare(one, two, 5)
    assert abs((clock_sns - source_sns) / NS + 200) <= 5
    assert bound_ns == 5.0
