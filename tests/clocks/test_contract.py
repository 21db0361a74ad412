"""What every clock keeps: ``clocks.base.Clock``, over all backends.

Nothing here steers the host's clock. In the guest of the hardware rig (``make hil``) it also runs over a PHC of the
kernel and over the guest's system clock, and there it does steer both.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import pytest

from ptpstack.clocks.base import Clock, ClockError
from ptpstack.clocks.phc import LinuxPhc
from ptpstack.clocks.simulated import ManualBase, RealtimeBase, SimulatedClock
from ptpstack.clocks.system import SystemClock
from ptpstack.timebase.leap import LeapTable
from tests.hil import rig as hil

from .fakes import FakeKernel

NS = 1 << 16
START_NS = 1_795_172_896 * 10**9


@dataclass
class Bench:
    clock: Clock
    #: let this much time pass
    wait_ns: Callable[[int], None]
    #: the time that passes meanwhile on an ideal clock, ns from any start
    passed_ns: Callable[[], int]
    #: CLOCK_REALTIME as the kernel would stamp a packet on it, or the PHC's own time
    stamp_ns: Callable[[], int]


def _sleep(ns: int) -> None:
    time.sleep(ns / 1e9)


def _manual() -> Bench:
    base = ManualBase(START_NS)
    return Bench(SimulatedClock(base, "tcxo", seed=3), base.advance_ns, base.now_ns, base.now_ns)


def _realtime() -> Bench:
    return Bench(SimulatedClock(RealtimeBase(), "perfect"), _sleep, time.monotonic_ns, time.time_ns)


def _phc() -> Bench:
    kernel = FakeKernel()
    return Bench(LinuxPhc("/dev/ptp0", kernel=kernel), kernel.advance_ns, lambda: kernel.true_ns, kernel.phc_ns)


def _fake_system() -> Bench:
    kernel = FakeKernel()
    clock = SystemClock(LeapTable.built_in(), read_only=False, kernel=kernel, user_hz=100)
    return Bench(clock, kernel.advance_ns, lambda: kernel.true_ns, kernel.realtime_ns)


def _system() -> Bench:
    return Bench(SystemClock(LeapTable.built_in()), _sleep, time.monotonic_ns, time.time_ns)


def _raw_ns() -> int:
    return time.clock_gettime_ns(time.CLOCK_MONOTONIC_RAW)


def _rig_phc() -> Bench:
    hil.load()
    clock = LinuxPhc("/dev/ptp0")
    clock.step(37 * 10**9 * NS)  # the module starts its clocks at UTC
    return Bench(clock, _sleep, _raw_ns, lambda: clock.now_sns() >> 16)


def _rig_system() -> Bench:
    hil.load()
    return Bench(SystemClock(LeapTable.built_in(), read_only=False), _sleep, _raw_ns, time.time_ns)


BENCHES = {
    "manual": _manual,
    "realtime": _realtime,
    "phc": _phc,
    "fake-system": _fake_system,
    "system": _system,
    "rig-phc": _rig_phc,
    "rig-system": _rig_system,
}
PARAMS = [pytest.param(name, marks=hil.marks if name.startswith("rig") else ()) for name in BENCHES]


@pytest.fixture(params=PARAMS)
def bench(request: pytest.FixtureRequest) -> Iterator[Bench]:
    bench = BENCHES[request.param]()
    yield bench
    bench.clock.close()


@pytest.fixture(params=[param for param in PARAMS if param.values != ("system",)])
def steered(request: pytest.FixtureRequest) -> Iterator[Bench]:
    bench = BENCHES[request.param]()
    yield bench
    bench.clock.close()
    if request.param == "rig-system":  # the next test finds the guest's clock as it was, to some us
        real = SystemClock(LeapTable.built_in(), read_only=False)
        real.set_frequency(0.0)
        reference = hil.snapshot()
        real.step((reference.reference - reference.realtime) * NS)


def test_it_says_what_it_is(bench: Bench) -> None:
    assert bench.clock.name
    assert bench.clock.kind in ("phc", "system", "simulated")
    assert bench.clock.capabilities.cross_method in ("precise", "extended", "offset", "sandwich", "exact")


def test_it_speaks_ptp_time(bench: Bench) -> None:
    reading = bench.clock.cross_reading()
    assert (reading.clock_sns >> 16) - reading.realtime_ns == pytest.approx(37 * 10**9, abs=1e6)


def gained(bench: Bench, action: Callable[[], object]) -> tuple[float, float]:
    """(what the clock gained on ideal time during ``action``, how sure that is), ns; safe on a busy machine."""

    def difference() -> tuple[int, int]:
        best = (0, 1 << 62)
        for _ in range(20):
            before = bench.passed_ns()
            clock_sns = bench.clock.now_sns()
            after = bench.passed_ns()
            if after - before < best[1]:
                best = (2 * clock_sns - (before + after) * NS, after - before)
        return best

    (first, first_width), _, (second, second_width) = difference(), action(), difference()
    return (second - first) / (2 * NS), (first_width + second_width) / 2 + 1.0


def test_time_goes_on(bench: Bench) -> None:
    before = bench.clock.now_sns()
    gain, unsure = gained(bench, lambda: bench.wait_ns(20_000_000))
    assert abs(gain) <= unsure + 20_000_000 * 1e-3
    assert bench.clock.now_sns() - before >= 20_000_000 * NS * 0.999


def test_a_stamp_is_on_the_clock_itself(bench: Bench) -> None:
    before = bench.clock.now_sns()
    stamp = bench.clock.stamp_sns(bench.stamp_ns())
    after = bench.clock.now_sns()
    assert before - 1000 * NS <= stamp <= after + 1000 * NS


def test_a_cross_reading_states_method_and_bound(bench: Bench) -> None:
    reading = bench.clock.cross_reading(7)
    assert reading.method == bench.clock.capabilities.cross_method
    assert 0 <= reading.bound_ns < 1e6


def test_frequency_reads_back_what_was_taken(steered: Bench) -> None:
    for ppb in (12_345.678, -0.02, 0.0, -54_321.0):
        took = steered.clock.set_frequency(ppb)
        assert took == pytest.approx(ppb, abs=0.0077)  # half of 2**-16 ppm
        assert steered.clock.frequency_ppb() == took


def test_frequency_is_absolute_and_positive_is_faster(steered: Bench) -> None:
    for ppb in (200_000.0, 200_000.0, -200_000.0):
        start = steered.passed_ns()
        steered.clock.set_frequency(ppb)
        gain, unsure = gained(steered, lambda: steered.wait_ns(50_000_000))
        most = steered.passed_ns() - start
        expected = sorted((50_000_000 * ppb * 1e-9, most * ppb * 1e-9))
        assert expected[0] - unsure - 100 <= gain <= expected[1] + unsure + 100


def test_frequency_is_clamped_to_the_range(steered: Bench) -> None:
    limit = steered.clock.capabilities.max_adjustment_ppb
    took = steered.clock.set_frequency(limit * 10)
    assert took == pytest.approx(limit, rel=1e-3)
    assert took <= limit
    assert steered.clock.set_frequency(-limit * 10) == -took


@pytest.mark.parametrize("delta_ns", [1_000_000, -1_000_000, 300_000_000, -300_000_000, 5 * 10**9, -5 * 10**9 - 7])
def test_a_step_moves_the_clock_by_that_much(steered: Bench, delta_ns: int) -> None:
    gain, unsure = gained(steered, lambda: steered.clock.step(delta_ns * NS))
    assert gain == pytest.approx(delta_ns, abs=unsure + 100)


def test_a_step_keeps_the_frequency(steered: Bench) -> None:
    took = steered.clock.set_frequency(777.0)
    steered.clock.step(10**9 * NS)
    assert steered.clock.frequency_ppb() == took


def test_a_foreign_frequency_is_told_from_ones_own(steered: Bench) -> None:
    assert steered.clock.foreign_frequency() is None, "nothing set yet"
    steered.clock.set_frequency(-321.0)
    assert steered.clock.foreign_frequency() is None
    steered.clock.step(NS)
    assert steered.clock.foreign_frequency() is None


def test_a_closed_clock_says_so(bench: Bench) -> None:
    bench.clock.close()
    bench.clock.close()
    for operation in (bench.clock.now_sns, bench.clock.cross_reading):
        with pytest.raises(ClockError, match=bench.clock.name) as caught:
            operation()
        assert "closed" in str(caught.value)


def test_a_read_only_system_clock_refuses_and_says_how_to_allow_it() -> None:
    clock = SystemClock(LeapTable.built_in())
    frequency = clock.frequency_ppb()
    for operation in (
        lambda: clock.set_frequency(1.0),
        lambda: clock.step(1),
        lambda: clock.set_tai_offset(37),
        lambda: clock.declare_synchronised(1.0, 1.0),
        clock.declare_unsynchronised,
    ):
        with pytest.raises(ClockError, match="read_only=False"):
            operation()
    assert clock.frequency_ppb() == frequency
    assert not clock.capabilities.can_step
    assert not clock.capabilities.can_adjust
