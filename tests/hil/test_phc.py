"""LinuxPhc on the kernel's own PTP core, over clocks whose true error is known."""

from __future__ import annotations

import errno
import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from ptpstack.clocks.base import ClockError
from ptpstack.clocks.open import describe_clocks
from ptpstack.clocks.phc import METHODS, LinuxPhc
from tests.hil import rig as hil

pytestmark = hil.marks

NS = 1 << 16
S = 10**9


@pytest.fixture
def phc(rig: Callable[..., None]) -> Iterator[LinuxPhc]:
    clock = LinuxPhc("/dev/ptp0")
    yield clock
    clock.close()


def error_at(reference_ns: int, phc: int, rate: float) -> float:
    """The clock's true error when perfect time was ``reference_ns``; ``rate``: how much faster it runs."""
    now = hil.snapshot()
    return now.error(phc) - rate * (now.reference - reference_ns)


# -- what it is -------------------------------------------------------------------------------------------------------


def test_capabilities(phc: LinuxPhc) -> None:
    caps = phc.capabilities
    assert (caps.max_adjustment_ppb, caps.cross_method) == (62_499_999.0, "precise")
    assert (caps.external_timestamps, caps.periodic_outputs, caps.pins, caps.pps) == (2, 2, 4, True)
    assert (caps.adjust_phase, caps.max_phase_ns) == (True, 1_000_000)


def test_a_plain_driver(rig: Callable[..., None]) -> None:
    rig(no_extended=1)
    clock = LinuxPhc("/dev/ptp0")
    caps = clock.capabilities
    assert (caps.cross_method, caps.pins, caps.adjust_phase) == ("extended", 0, False)
    with pytest.raises(ClockError, match="no phase input"):
        clock.adjust_phase(5)
    with pytest.raises(ClockError, match="has none"):
        clock.set_pin(0, "extts", 0)
    # no pins to set: the input is wired
    assert clock.request_external_timestamps(1).pin is None
    clock.close()


def test_the_inventory_knows_virtual_clocks(phc: LinuxPhc) -> None:
    Path("/sys/class/ptp/ptp0/n_vclocks").write_text("2")
    try:
        by_index = {clock.index: clock for clock in describe_clocks()}
        assert (by_index[0].name, by_index[0].virtual_clocks) == ("hilptp0", (2, 3))
        assert "virtual clocks" in by_index[0].warning
        assert [by_index[n].physical for n in (0, 1, 2, 3)] == [None, None, 0, 0]
        virtual = LinuxPhc("/dev/ptp2")
        assert virtual.set_frequency(1000.0) == pytest.approx(1000.0, abs=0.01)
        virtual.step(S * NS)
        assert virtual.capabilities.external_timestamps == 0
        with pytest.raises(ClockError, match="n_vclocks") as caught:
            phc.step(NS)
        assert caught.value.errno == errno.EBUSY
        virtual.close()
    finally:
        Path("/sys/class/ptp/ptp0/n_vclocks").write_text("0")
    phc.step(NS)


# -- readings ---------------------------------------------------------------------------------------------------------


def reading_error(clock: LinuxPhc, method: str | None, samples: int) -> tuple[float, float]:
    """(reading minus truth, its bound), ns. Truth: PHC and CLOCK_REALTIME of one instant, just after."""
    reading = clock.cross_reading(samples, method)
    truth = hil.snapshot()
    offset_ns = truth.reading[0] - truth.realtime
    return (reading.clock_sns - ((reading.realtime_ns + offset_ns) << 16)) / NS, reading.bound_ns


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize(("delay_ns", "jitter_ns"), [(0, 0), (500, 1000)])
def test_every_method_is_right_within_its_bound(phc: LinuxPhc, method: str, delay_ns: int, jitter_ns: int) -> None:
    with hil.knobs(phc0__read_delay_ns=delay_ns, phc0__read_jitter_ns=jitter_ns):
        for _ in range(20):
            error, bound = reading_error(phc, method, 5)
            # CLOCK_REALTIME and the reference differ by the NTP code's rounding: a ns or two
            assert abs(error) <= bound + 2
            assert bound < 20_000
        assert phc.cross_reading(9, method).method == method


def test_the_method_falls_back_while_running(phc: LinuxPhc) -> None:
    with hil.knobs(phc0__fail=16):
        assert [phc.cross_reading().method for _ in range(3)] == ["extended"] * 3
    assert "EIO" in phc.method_notes["precise"]
    assert phc.capabilities.cross_method == "extended"


# -- steering ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("ppb", [12_345.678, -50_000.0, 0.5])
def test_the_frequency_is_what_was_taken(phc: LinuxPhc, ppb: float) -> None:
    took = phc.set_frequency(ppb)
    before = hil.snapshot()
    time.sleep(4)
    after = hil.snapshot()
    rate = (after.error(0) - before.error(0)) / (after.raw - before.raw) * 1e9
    assert rate == pytest.approx(took, abs=0.3)


@pytest.mark.parametrize("delta_ns", [1, -1, 999_999_999, -300_000_001, 5 * S + 3])
def test_a_step_is_exact(phc: LinuxPhc, delta_ns: int) -> None:
    before = hil.snapshot().error(0)
    phc.step(delta_ns * NS)
    assert abs(hil.snapshot().error(0) - before - delta_ns) <= 1


def test_phase_input(phc: LinuxPhc) -> None:
    before = hil.snapshot().error(0)
    phc.adjust_phase(-777)
    assert hil.knob("phc0/n_adjphase") == 1
    assert abs(hil.snapshot().error(0) - before + 777) <= 1
    with pytest.raises(ClockError, match="at most"):
        phc.adjust_phase(1_000_001)


def test_a_foreign_frequency_is_found(phc: LinuxPhc) -> None:
    other = LinuxPhc("/dev/ptp0")
    other.set_frequency(5.0)
    assert phc.foreign_frequency() is None, "nothing of ours to compare with yet"
    phc.set_frequency(-1000.0)
    assert phc.foreign_frequency() is None
    other.set_frequency(77.0)
    assert phc.foreign_frequency() == pytest.approx(77.0, abs=0.01)
    phc.set_frequency(-1000.0)
    assert phc.foreign_frequency() is None
    assert other.foreign_frequency() == pytest.approx(-1000.0, abs=0.01)
    other.close()


# -- inputs -----------------------------------------------------------------------------------------------------------


def collect(clock: LinuxPhc, count: int, seconds: float = 8.0) -> list[tuple[int, int]]:
    """(channel, PTP time in ns) of the next events, as an event loop reads them."""
    import select

    poll = select.poll()
    poll.register(clock.fileno(), select.POLLIN)
    found: list[tuple[int, int]] = []
    end = time.monotonic() + seconds
    while len(found) < count and time.monotonic() < end:
        if poll.poll(500):
            found += [(event.channel, event.clock_sns >> 16) for event in clock.read_external_timestamps()]
    return found


def test_pulses_are_stamped_where_they_are(phc: LinuxPhc) -> None:
    hil.knob("phc0/osc_ppt", 5_000_000)
    hil.knob("phc0/pps_offset_ns", 40)
    grant = phc.request_external_timestamps(0)
    assert (grant.pin, grant.edge, grant.strict, grant.alone, grant.note) == (0, "rising", True, True, "")
    assert (phc.pins()[0].function, phc.pins()[0].channel) == ("extts", 0)
    events = collect(phc, 4)
    assert [channel for channel, _ in events] == [0] * 4
    for _, stamp_ns in events:
        second = (stamp_ns + S // 2) // S * S
        assert stamp_ns - second == pytest.approx(40 + error_at(second, 0, 5e-6), abs=3)
    phc.request_external_timestamps(0, enable=False)
    assert collect(phc, 1, 2.5) == []


def test_nothing_waits_and_nothing_blocks(phc: LinuxPhc) -> None:
    begin = time.monotonic()
    assert phc.read_external_timestamps() == []
    assert time.monotonic() - begin < 0.1


def test_what_waited_before_is_thrown_away_but_not_of_others(phc: LinuxPhc) -> None:
    hil.knob("phc0/pps_mask", 3)
    phc.request_external_timestamps(1, pin=2)
    phc.request_external_timestamps(0, pin=0)
    assert sorted(channel for channel, _ in collect(phc, 4)) == [0, 0, 1, 1]
    time.sleep(2.5)
    phc.request_external_timestamps(0, pin=0)
    waiting = phc.read_external_timestamps()
    assert [event.channel for event in waiting] == [1] * len(waiting)
    assert len(waiting) >= 2


def test_a_queue_of_ones_own(phc: LinuxPhc) -> None:
    """Another program's inputs do not come to us, nor ours to it."""
    hil.knob("phc0/pps_mask", 3)
    other = LinuxPhc("/dev/ptp0")
    other.request_external_timestamps(1)
    phc.request_external_timestamps(0)
    assert {channel for channel, _ in collect(phc, 3)} == {0}
    assert {event.channel for event in other.read_external_timestamps()} == {1}
    other.close()


def test_a_driver_that_reports_both_edges_says_so(phc: LinuxPhc) -> None:
    hil.knob("phc0/loose_edges", 1)
    grant = phc.request_external_timestamps(0)
    assert (grant.edge, grant.strict) == ("both", False)
    assert "both may come" in grant.note
    phases = [stamp_ns % S for _, stamp_ns in collect(phc, 4)]
    rising = [phase for phase in phases if phase < 1e6 or phase > S - 1e6]
    assert len(rising) == 2
    assert all(0.09 * S < phase < 0.11 * S for phase in phases if phase not in rising)


def test_refusals_name_what_there_is(phc: LinuxPhc) -> None:
    for operation, words in (
        (lambda: phc.request_external_timestamps(2), r"no input 2; it has 2 \(0 to 1\)"),
        (lambda: phc.set_periodic_output(2, period_ns=S), "no output 2"),
        (lambda: phc.set_pin(4, "extts", 0), "no programmable pin 4"),
    ):
        with pytest.raises(ClockError, match=words):
            operation()
    reader = LinuxPhc("/dev/ptp0", writable=False)
    with pytest.raises(ClockError, match="for reading only"):
        reader.request_external_timestamps(0)
    assert [pin.name for pin in reader.pins()] == ["SDP0", "SDP1", "SDP2", "SDP3"]
    reader.close()


# -- outputs ----------------------------------------------------------------------------------------------------------


def test_an_output_has_its_edges_where_it_says(phc: LinuxPhc) -> None:
    hil.knob("phc0/osc_ppt", -20_000_000)
    grant = phc.set_periodic_output(0, period_ns=S // 4, pulse_ns=S // 10)
    assert (grant.pin, grant.pulse_ns) == (0, None)
    assert "length of the pulse" in grant.note, "this driver has no duty cycle"
    time.sleep(4)
    found = hil.edges("phc0/perout0")
    assert len(found) >= 8
    for number, (clock_ns, perfect_ns) in enumerate(found):
        assert clock_ns == (grant.start_sns >> 16) + number * S // 4
        assert clock_ns - perfect_ns == pytest.approx(error_at(perfect_ns, 0, -2e-5), abs=3)
    phc.set_periodic_output(0, period_ns=0)
    count = len(hil.edges("phc0/perout0"))
    time.sleep(2)
    assert len(hil.edges("phc0/perout0")) == count


def test_an_output_is_set_again_after_a_step(phc: LinuxPhc) -> None:
    phc.set_periodic_output(1, period_ns=S)
    phc.step(-3600 * S * NS)
    phc.set_periodic_output(1, period_ns=S)
    time.sleep(4)
    found = hil.edges("phc0/perout1")
    assert len(found) >= 2
    assert all(clock_ns % S == 0 for clock_ns, _ in found)
    assert found[0][0] - found[0][1] == pytest.approx(-3600 * S, abs=1000)


def test_the_pps_of_the_clock(phc: LinuxPhc) -> None:
    phc.enable_pps(True)
    time.sleep(3.2)
    seconds, sequence = Path("/sys/class/pps/pps0/assert").read_text().strip().split("#")
    assert int(sequence) == len(hil.edges("phc0/pps")) in (3, 4)
    assert float(seconds) > 1e9
    phc.enable_pps(False)
    count = len(hil.edges("phc0/pps"))
    time.sleep(2)
    assert len(hil.edges("phc0/pps")) <= count


def test_pins_can_be_moved(phc: LinuxPhc) -> None:
    phc.set_pin(3, "perout", 1)
    grant = phc.set_periodic_output(1, period_ns=S)
    assert grant.pin == 3
    phc.set_pin(3, "none")
    assert [pin.function for pin in phc.pins()] == ["none"] * 4


def test_the_check_for_real_hardware_passes_here(rig: Callable[..., None], capsys: pytest.CaptureFixture[str]) -> None:
    from tools.phc_check import main

    assert main("/dev/ptp0") == 0, capsys.readouterr().out


# -- trouble ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("bit", "operation", "words"),
    [
        (1, lambda c: c.now_sns(), "read failed"),
        (4, lambda c: c.set_frequency(1.0), "set the frequency"),
        (8, lambda c: c.step(NS), "step by"),
    ],
)
def test_hardware_that_does_not_answer(
    phc: LinuxPhc, bit: int, operation: Callable[[LinuxPhc], object], words: str
) -> None:
    with hil.knobs(phc0__fail=bit), pytest.raises(ClockError, match=words) as caught:
        operation(phc)
    assert (caught.value.errno, caught.value.gone) == (errno.EIO, False)
    assert "dmesg" in str(caught.value)
    operation(phc)


def test_a_clock_that_is_pulled_out_and_comes_back(phc: LinuxPhc) -> None:
    phc.set_frequency(123.0)
    phc.request_external_timestamps(0)
    hil.knob("phc0/present", 0)
    assert not os.path.exists("/dev/ptp0")
    for operation in (
        phc.now_sns,
        phc.cross_reading,
        phc.frequency_ppb,
        phc.foreign_frequency,
        phc.read_external_timestamps,
        phc.pins,
        lambda: phc.set_frequency(1.0),
        lambda: phc.step(NS),
        lambda: phc.request_external_timestamps(0),
        lambda: phc.set_periodic_output(0, period_ns=S),
    ):
        with pytest.raises(ClockError) as caught:
            operation()
        assert caught.value.gone, str(caught.value)
    phc.close()
    with pytest.raises(ClockError):
        phc.reopen()
    hil.knob("phc0/present", 1)
    phc.reopen()
    assert phc.frequency_ppb() == 0.0
    assert phc.foreign_frequency() is None
    assert phc.cross_reading().method == "precise"
    phc.request_external_timestamps(0)
    assert len(collect(phc, 2)) == 2


def test_a_clock_that_comes_back_while_the_old_one_is_open_has_another_number(phc: LinuxPhc) -> None:
    hil.knob("phc0/present", 0)
    hil.knob("phc0/present", 1)
    names = {clock.name: clock.path for clock in describe_clocks()}
    assert names["hilptp0"] == "/dev/ptp2"
    phc.reopen(names["hilptp0"])
    assert phc.name == "/dev/ptp2"
    assert phc.now_sns() > 0
