"""One pulse per second: which edges count, which second they are, and what becomes of the clock without them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ptpstack.engine.plan import ReferencePlan
from ptpstack.engine.pulses import Pulses
from ptpstack.engine.reference import ReferenceState
from ptpstack.timebase.units import SNS_PER_S
from tests.engine.bench import Table, instance, plan
from tests.protocol.bench import S

UTC_2026 = 1_767_225_600
NS = 1 << 16


def pps(**fields: object) -> Table:
    reference = ReferencePlan("clock", "pps", accuracy=0x21, variance=0x4E5D, **fields)  # type: ignore[arg-type]
    table = Table(plan(instance("gm", port={"listen_first": False}), references=(reference,)), ptp_s=UTC_2026 + 37)
    table.epoch_ns += 300_000_000
    table.start()
    return table


def pulses(table: Table, seconds: int, *, late_ns: float = 0.0, width_s: float = 0.0, channel: int = 0) -> None:
    """Pulses at every full second of truth, stamped by the clock, and (``width_s``) their ends."""
    for _ in range(seconds):
        truth = table.epoch_ns + table.now
        to_next = S - truth % S
        table.run(to_next / S)
        stamp = table.clock_sns("clock") + round(late_ns * NS)
        table.carry(table.engine.pulse("clock", channel, stamp, table.now))
        if width_s:
            table.run(width_s)
            stamp = table.clock_sns("clock") + round(late_ns * NS)
            table.carry(table.engine.pulse("clock", channel, stamp, table.now))


def counters(table: Table) -> dict[str, int]:
    return dict(table.engine.on_references.pulses["clock"].counters)


def state(table: Table) -> ReferenceState:
    return table.engine.references["clock"].state


def test_a_clock_locks_to_pulses_that_another_clock_numbers() -> None:
    table = pps(delay_ns=250.0)
    table.error_ns["clock"] = -86_400e9 * 3 + 123_456_789.0
    table.oscillator["clock"] = 17_000.0
    pulses(table, 40, late_ns=250.0)
    assert state(table) is ReferenceState.LOCKED
    assert abs(table.error_ns["clock"]) < 20
    assert table.announces()[-1][1].quality.clock_class == 6
    assert counters(table)["pulses-first"] == 1


def test_the_cable_delay_is_taken_off() -> None:
    table = pps(delay_ns=0.0)
    pulses(table, 40, late_ns=250.0)
    assert table.error_ns["clock"] == pytest.approx(-250, abs=20)


@pytest.mark.parametrize("bound_ns", [None, 0.5e9])
def test_a_time_of_day_that_is_not_known_well_enough_is_refused(bound_ns: float | None) -> None:
    table = pps()
    table.error_ns["clock"] = -5e9
    table.tod_bound_ns = bound_ns
    pulses(table, 10)
    assert state(table) is ReferenceState.FREE_RUNNING
    assert table.error_ns["clock"] == -5e9
    assert counters(table)["pulses-without-number"] >= 8
    assert "0.4 s is needed" in table.events("pulses")[-1]["reason"]
    # the kernel's clock is synchronised by and by
    table.tod_bound_ns = 0.1e9
    pulses(table, 40)
    assert state(table) is ReferenceState.LOCKED
    assert abs(table.error_ns["clock"]) < 20


def test_a_time_of_day_that_is_a_third_of_a_second_off_still_names_the_second() -> None:
    table = pps(tod_error_s=0.35)
    table.error_ns["clock"] = 40e9
    table.tod_error_ns = 0.33e9
    table.tod_bound_ns = None
    pulses(table, 40)
    assert abs(table.error_ns["clock"]) < 20


def test_half_way_between_two_seconds_is_no_number() -> None:
    table = pps()
    table.tod_error_ns = 0.45e9
    pulses(table, 10)
    assert "half-way" in table.events("pulses")[-1]["reason"]
    assert state(table) is ReferenceState.FREE_RUNNING


def test_both_edges_of_a_pulse_are_told_apart() -> None:
    """Drivers that cannot choose an edge report both; the one that ends a pulse comes soon after."""
    table = pps()
    table.error_ns["clock"] = 3e9
    pulses(table, 40, width_s=0.1)
    assert state(table) is ReferenceState.LOCKED
    assert abs(table.error_ns["clock"]) < 20
    assert counters(table)["pulses-double"] >= 38


def test_glitches_are_rejected_and_counted() -> None:
    table = pps()
    pulses(table, 30)
    used = counters(table)["pulses"]
    for at in (0.2, 0.7, 0.9):
        pulses(table, 1)
        table.run(at)
        table.carry(table.engine.pulse("clock", 0, table.clock_sns("clock"), table.now))
    pulses(table, 3)
    found = counters(table)
    assert found["pulses"] == used + 6
    assert found["pulses-double"] + found["pulses-off-grid"] == 3
    assert abs(table.error_ns["clock"]) < 20
    assert state(table) is ReferenceState.LOCKED


def test_pulses_that_stop_end_in_holdover_and_come_back() -> None:
    table = pps()
    table.oscillator["clock"] = 8_000.0
    pulses(table, 40)
    table.run(3)
    assert state(table) is ReferenceState.LOCKED, "two missing pulses are bridged"
    table.run(4)
    assert state(table) is ReferenceState.HOLDOVER
    table.run(60)
    assert abs(table.error_ns["clock"]) < 200
    assert table.announces()[-1][1].quality.clock_class == 7
    # the time of day is wrong by hours meanwhile: the clock itself knows the seconds
    table.tod_error_ns = 7_200e9
    pulses(table, 20)
    assert state(table) is ReferenceState.LOCKED
    assert abs(table.error_ns["clock"]) < 20
    assert counters(table)["pulses-missing"] >= 60


def test_another_channel_is_not_the_reference() -> None:
    table = pps(channel=1)
    pulses(table, 5, channel=0)
    assert counters(table) == {"pulses-other-channel": 5}
    pulses(table, 20, channel=1)
    assert state(table) is ReferenceState.LOCKED


def test_a_receiver_that_has_moved_its_second_is_followed_only_when_it_insists() -> None:
    table = pps()
    pulses(table, 40)
    moved = 0.25
    found = []
    for _ in range(14):
        truth = table.epoch_ns + table.now
        table.run((S - (truth - round(moved * S)) % S) / S)
        table.carry(table.engine.pulse("clock", 0, table.clock_sns("clock"), table.now))
        found.append(counters(table).get("pulses-new-grid", 0))
    assert found[:9] == [0] * 9
    assert found[-1] == 1


def test_a_clock_that_was_set_by_others_asks_for_the_number_again() -> None:
    source = Pulses(0.0)
    source.time_of_day(100 * SNS_PER_S, 100 * SNS_PER_S, 1e6, 0)
    source.edge(101 * SNS_PER_S, None, 0)
    assert source.edge(102 * SNS_PER_S, None, 0) == 102 * SNS_PER_S
    source.stepped(None)
    assert source.wants_time_of_day(None, 0)
    source.edge(5 * SNS_PER_S, None, 0)
    assert source.edge(6 * SNS_PER_S, None, 0) is None
    assert "nothing tells" in source.why_not


def test_a_step_of_our_own_keeps_the_count() -> None:
    source = Pulses(0.0)
    source.time_of_day(100 * SNS_PER_S, 1000 * SNS_PER_S, 1e6, 0)
    source.edge(101 * SNS_PER_S, None, 0)
    assert source.edge(102 * SNS_PER_S, None, 0) == 1002 * SNS_PER_S
    source.stepped(900 * SNS_PER_S)
    assert source.edge(1003 * SNS_PER_S, None, 0) == 1003 * SNS_PER_S


@given(
    st.integers(-(10**6), 10**6),
    st.floats(-5e-4, 5e-4),
    st.floats(-0.3, 0.3),
    st.lists(st.integers(1, 5), min_size=3, max_size=20),
)
def test_the_number_of_a_pulse_is_always_right_or_there_is_none(
    error_s: int, rate: float, tod_error_s: float, gaps: list[int]
) -> None:
    """Whatever the clock shows, within 500 ppm, with pulses missing, and a time of day that is 0.3 s off at most."""
    source = Pulses(0.0)
    truth = 1_000_000

    def clock(at_s: float) -> int:
        whole = int(at_s)
        part = (at_s - whole) + rate * (at_s - 1_000_000)
        return (whole + error_s) * SNS_PER_S + round(part * SNS_PER_S)

    source.time_of_day(clock(truth), truth * SNS_PER_S + round(tod_error_s * SNS_PER_S), 0.31e9, 0)
    used = 0
    for gap in gaps:
        truth += gap
        answer = source.edge(clock(truth), None, 0)
        if answer is not None:
            used += 1
            assert answer == truth * SNS_PER_S
    assert used >= len(gaps) - 1
