"""Simulated pulses into a simulated clock, and what its outputs do: the same interface as a hardware clock's pins."""

from __future__ import annotations

import errno
import statistics

import pytest

from ptpstack.clocks.base import ClockError
from ptpstack.clocks.oscillator import OscillatorModel
from ptpstack.clocks.pulses import Pulse
from ptpstack.clocks.simulated import ManualBase, SimulatedClock

NS = 1 << 16
S = 10**9
START = 1_795_172_896 * S + 250_000_000


@pytest.fixture
def base() -> ManualBase:
    return ManualBase(START)


def fast(base: ManualBase, ppb: float = 10_000.0, **arguments: float) -> SimulatedClock:
    return SimulatedClock(base, OscillatorModel(ppb), **arguments)


def test_a_pulse_is_stamped_by_the_clock_where_it_is(base: ManualBase) -> None:
    clock = fast(base, initial_error_ns=500.0)
    clock.connect(0, Pulse(offset_ns=40.0))
    clock.request_external_timestamps(0)
    base.advance_ns(3 * S)
    events = clock.read_external_timestamps()
    assert [event.channel for event in events] == [0, 0, 0]
    for number, event in enumerate(events):
        after_s = 0.75 + number
        second = (START // S + 37 + 1 + number) * S
        assert (event.clock_sns - second * NS) / NS == pytest.approx(540 + after_s * 10_000, abs=1.5)
    assert clock.read_external_timestamps() == []


def test_it_does_not_matter_when_one_asks(base: ManualBase) -> None:
    other = ManualBase(START)
    often, once = (fast(b, seed=3, noise_ns=5.0) for b in (base, other))
    for clock in (often, once):
        clock.connect(1, Pulse(noise_ns=20.0, seed=9))
        clock.request_external_timestamps(1)
    collected = []
    for _ in range(200):
        base.advance_ns(50_000_000)
        collected += often.read_external_timestamps()
    other.advance_ns(10 * S)
    assert once.read_external_timestamps() == collected
    assert len(collected) == 10


def test_the_noise_is_what_it_is_said_to_be(base: ManualBase) -> None:
    clock = fast(base, 0.0)
    clock.connect(0, Pulse(period_ns=1_000_000, noise_ns=20.0))
    clock.request_external_timestamps(0)
    found = []
    for _ in range(40):
        base.advance_ns(100_000_000)
        found += [(e.clock_sns >> 16) % 1_000_000 for e in clock.read_external_timestamps()]
    errors = [(f + 500_000) % 1_000_000 - 500_000 for f in found]
    assert len(errors) == 4000
    assert statistics.pstdev(errors) == pytest.approx(20.0, rel=0.05)


def test_a_cable_may_be_out_and_in_again(base: ManualBase) -> None:
    clock = fast(base)
    pulse = clock.connect(0, Pulse())
    clock.request_external_timestamps(0)
    assert clock.next_edge_ns() == (START // S + 1) * S
    base.advance_ns(2 * S)
    assert len(clock.read_external_timestamps()) == 2
    pulse.connected = False
    assert clock.next_edge_ns() is None
    base.advance_ns(5 * S)
    assert clock.read_external_timestamps() == []
    pulse.connected = True
    base.advance_ns(2 * S)
    assert len(clock.read_external_timestamps()) == 2


def test_an_input_that_is_not_asked_for_gives_nothing(base: ManualBase) -> None:
    clock = fast(base)
    clock.connect(0, Pulse())
    base.advance_ns(3 * S)
    assert clock.read_external_timestamps() == []
    clock.request_external_timestamps(0)
    base.advance_ns(S)
    assert len(clock.read_external_timestamps()) == 1, "nothing from before"
    base.advance_ns(S)
    clock.request_external_timestamps(0, enable=False)
    base.advance_ns(S)
    assert clock.read_external_timestamps() == []


def test_an_unread_queue_keeps_the_newest(base: ManualBase) -> None:
    clock = fast(base)
    clock.connect(0, Pulse(period_ns=100_000_000))
    clock.request_external_timestamps(0)
    base.advance_ns(20 * S)
    events = clock.read_external_timestamps()
    assert len(events) == 128
    assert (events[-1].clock_sns >> 16) - (START + 20 * S + 37 * S) == pytest.approx(200_000, abs=51_000_000)


def test_an_output_has_its_edges_where_the_clock_says(base: ManualBase) -> None:
    clock = fast(base, -20_000.0)
    grant = clock.set_periodic_output(0, period_ns=S // 2)
    base.advance_ns(10 * S)
    edges = clock.output_edges(0)
    assert [clock_sns for clock_sns, _ in edges] == [grant.start_sns + k * (S // 2) * NS for k in range(len(edges))]
    for clock_sns, truth_sns in edges:
        assert clock_sns - truth_sns == pytest.approx(clock.error_sns((truth_sns >> 16) - 37 * S), abs=2 * NS)
    assert len(edges) >= 16
    clock.set_periodic_output(0, period_ns=0)
    assert clock.output_edges(0) == []


def test_an_intruder_is_found(base: ManualBase) -> None:
    clock = fast(base)
    clock.intrude(5.0)
    assert clock.foreign_frequency() is None, "nothing of ours to compare with yet"
    clock.set_frequency(-100.0)
    clock.intrude(77.0)
    assert clock.foreign_frequency() == pytest.approx(77.0, abs=0.01)
    assert clock.frequency_ppb() == clock.foreign_frequency()
    clock.set_frequency(-100.0)
    assert clock.foreign_frequency() is None


def test_refusals(base: ManualBase) -> None:
    clock = fast(base)
    for operation in (
        lambda: clock.request_external_timestamps(2),
        lambda: clock.set_periodic_output(-1, period_ns=S),
        lambda: clock.connect(2, Pulse()),
    ):
        with pytest.raises(ClockError, match="it has 2") as caught:
            operation()
        assert caught.value.errno == errno.EINVAL
    with pytest.raises(ClockError, match="next_edge_ns"):
        clock.fileno()
    with pytest.raises(ValueError, match="at least"):
        Pulse(period_ns=10)
    clock.close()
    with pytest.raises(ClockError, match="closed"):
        clock.read_external_timestamps()
