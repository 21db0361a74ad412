"""What every clock with inputs and outputs keeps: ``clocks.base.PinClock``, over all backends.

Each is 7 ppm fast and gets a 1PPS of perfect time, 40 ns late, into input 0.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import pytest

from ptpstack.clocks.base import ClockError, PinClock
from ptpstack.clocks.oscillator import OscillatorModel
from ptpstack.clocks.phc import LinuxPhc
from ptpstack.clocks.pulses import Pulse
from ptpstack.clocks.simulated import ManualBase, SimulatedClock
from tests.hil import rig as hil

NS = 1 << 16
S = 10**9
RATE = 7e-6
LATE_NS = 40


@dataclass
class Bench:
    clock: PinClock
    wait_s: Callable[[float], None]
    #: (perfect time, the clock's true error), ns, now
    truth: Callable[[], tuple[int, float]]
    #: (clock time, perfect time), ns, of the edges of an output
    edges: Callable[[int], list[tuple[int, int]]]

    def error_at(self, perfect_ns: int) -> float:
        now_ns, error_ns = self.truth()
        return error_ns - RATE * (now_ns - perfect_ns)


def _simulated() -> Bench:
    base = ManualBase(1_795_172_896 * S + 123_456_789)
    clock = SimulatedClock(base, OscillatorModel(RATE * 1e9), initial_error_ns=250.0)
    clock.connect(0, Pulse(offset_ns=LATE_NS))

    def truth() -> tuple[int, float]:
        return clock.truth_sns() >> 16, clock.error_sns() / NS

    def edges(channel: int) -> list[tuple[int, int]]:
        return [(clock_sns >> 16, truth_sns >> 16) for clock_sns, truth_sns in clock.output_edges(channel)]

    return Bench(clock, lambda s: base.advance_ns(round(s * S)), truth, edges)


def _rig() -> Bench:
    hil.load()
    hil.knob("phc0/osc_ppt", round(RATE * 1e12))
    hil.knob("phc0/pps_offset_ns", LATE_NS)
    clock = LinuxPhc("/dev/ptp0")

    def truth() -> tuple[int, float]:
        now = hil.snapshot()
        return now.reference, float(now.error(0))

    return Bench(clock, time.sleep, truth, lambda channel: hil.edges(f"phc0/perout{channel}"))


BENCHES = {"simulated": _simulated, "rig-phc": _rig}


@pytest.fixture(params=["simulated", pytest.param("rig-phc", marks=hil.marks)])
def bench(request: pytest.FixtureRequest) -> Iterator[Bench]:
    bench = BENCHES[request.param]()
    yield bench
    bench.clock.close()


def test_it_says_what_it_has(bench: Bench) -> None:
    caps = bench.clock.capabilities
    assert (caps.external_timestamps, caps.periodic_outputs) == (2, 2)


def test_each_pulse_is_stamped_once_and_where_it_is(bench: Bench) -> None:
    grant = bench.clock.request_external_timestamps(0)
    assert (grant.channel, grant.edge, grant.enabled, grant.strict, grant.note) == (0, "rising", True, True, "")
    bench.wait_s(3.2)
    events = bench.clock.read_external_timestamps()
    assert len(events) in (3, 4)
    stamps = [event.clock_sns >> 16 for event in events]
    seconds = [(stamp_ns + S // 2) // S for stamp_ns in stamps]
    assert seconds == list(range(seconds[0], seconds[0] + len(seconds)))
    for event, stamp_ns in zip(events, stamps, strict=True):
        second = (stamp_ns + S // 2) // S * S
        assert event.channel == 0
        assert stamp_ns - second == pytest.approx(LATE_NS + bench.error_at(second), abs=3)
    assert bench.clock.read_external_timestamps() == []


def test_off_is_off_and_old_pulses_do_not_come_back(bench: Bench) -> None:
    bench.clock.request_external_timestamps(0)
    bench.wait_s(2.2)
    assert not bench.clock.request_external_timestamps(0, enable=False).enabled
    bench.wait_s(2)
    assert bench.clock.read_external_timestamps() == []
    bench.clock.request_external_timestamps(0)
    bench.wait_s(1.1)
    assert len(bench.clock.read_external_timestamps()) in (1, 2)


def test_an_input_without_a_signal_is_silent(bench: Bench) -> None:
    bench.clock.request_external_timestamps(1)
    bench.wait_s(2)
    assert bench.clock.read_external_timestamps() == []


def test_stamps_follow_a_step_of_the_clock(bench: Bench) -> None:
    bench.clock.request_external_timestamps(0)
    bench.wait_s(1.1)
    before = bench.clock.read_external_timestamps()[-1].clock_sns
    bench.clock.step(-(10 * S + 500) * NS)
    bench.wait_s(1.1)
    after = bench.clock.read_external_timestamps()[-1].clock_sns
    seconds = round((after - before) / NS / S) + 10  # one, or two when a pulse came just after the first look
    assert seconds in (1, 2)
    assert (after - before) / NS - (seconds - 10) * S == pytest.approx(-500 + seconds * RATE * S, abs=5)


@pytest.mark.parametrize("period_ns", [S, S // 4])
def test_an_output_has_its_edges_where_the_clock_says(bench: Bench, period_ns: int) -> None:
    grant = bench.clock.set_periodic_output(1, period_ns=period_ns)
    start_ns = grant.start_sns >> 16
    assert start_ns % S == 0
    bench.wait_s(4.1)
    edges = bench.edges(1)
    assert len(edges) >= 2 * S // period_ns
    assert [clock_ns for clock_ns, _ in edges] == [start_ns + k * period_ns for k in range(len(edges))]
    for clock_ns, perfect_ns in edges:
        assert clock_ns - perfect_ns == pytest.approx(bench.error_at(perfect_ns), abs=3)
    assert bench.clock.set_periodic_output(1, period_ns=0).period_ns == 0


def test_channels_that_are_not_there_are_refused(bench: Bench) -> None:
    for operation in (
        lambda: bench.clock.request_external_timestamps(2),
        lambda: bench.clock.set_periodic_output(2, period_ns=S),
    ):
        with pytest.raises(ClockError, match=bench.clock.name):
            operation()
