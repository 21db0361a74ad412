"""A grandmaster's quality follows its reference; leap seconds in Announce around a real midnight; rows TIM-..."""

from __future__ import annotations

import itertools
from dataclasses import replace

import pytest

from ptpstack.engine.effects import ReadReference, SetFrequency
from ptpstack.engine.plan import ReferencePlan
from ptpstack.engine.reference import ReferenceState
from ptpstack.protocol.options import AlternateTimescale, QualityTable
from ptpstack.timebase.leap import LeapTable
from ptpstack.timebase.leapfile import LeapEntry
from ptpstack.wire.messages import Announce
from ptpstack.wire.tlvs.announce import AlternateTimeOffsetIndicator
from ptpstack.wire.types import ClockQuality, Flag, TimeSource
from tests.engine.bench import Table, instance, plan
from tests.protocol.bench import S

#: 2017-01-01T00:00:00 UTC
MIDNIGHT_2017 = 1_483_228_800
UTC_2026 = 1_767_225_600
KNOWN = Flag.CURRENT_UTC_OFFSET_VALID | Flag.PTP_TIMESCALE | Flag.TIME_TRACEABLE | Flag.FREQUENCY_TRACEABLE


def grandmaster(
    reference: ReferencePlan, *, ptp_s: int = UTC_2026 + 37, leap: LeapTable | None = None, **options: object
) -> Table:
    fields = {} if leap is None else {"leap": leap}
    table = Table(
        plan(instance("gm", port={"listen_first": False}, **options), references=(reference,), **fields),  # type: ignore[arg-type]
        ptp_s=ptp_s,
    )
    table.start()
    return table


def measured(**fields: object) -> ReferencePlan:
    return ReferencePlan("clock", "measured", accuracy=0x21, variance=0x4E5D, **fields)  # type: ignore[arg-type]


def last(table: Table) -> Announce:
    return table.announces()[-1][1]


def test_TIM_11_and_17_a_locked_grandmaster() -> None:
    table = grandmaster(measured())
    table.run(0.5)
    before = last(table)
    assert before.quality == ClockQuality(248, 0xFE, 0xFFFF)
    assert before.flags == Flag.PTP_TIMESCALE
    assert before.time_source == TimeSource.INTERNAL_OSCILLATOR
    table.run(10)
    locked = last(table)
    assert locked.quality == ClockQuality(6, 0x21, 0x4E5D)
    assert locked.flags == KNOWN
    assert (locked.time_source, locked.current_utc_offset) == (TimeSource.GNSS, 37)


def test_TIM_12_and_17_holdover_in_and_out_of_specification() -> None:
    table = grandmaster(measured(holdover_spec_s=60.0), quality_table=QualityTable(holdover_out_of_spec=187))
    table.run(10)
    table.carry(table.engine.declare_reference("clock", "holdover", None, table.now))
    since = table.now
    table.run(0.1)
    # 100 ns of the reference, and the servo's bound
    assert last(table).quality == ClockQuality(7, 0x22, 0xFFFF)
    assert last(table).flags == KNOWN
    assert last(table).time_source == TimeSource.INTERNAL_OSCILLATOR
    table.run(59)
    assert last(table).quality.clock_class == 7
    table.clear()
    table.run(2)
    when, first = table.announces()[0]
    while first.quality.clock_class == 7:
        table.effects = [e for e in table.effects if e[0] > when]
        when, first = table.announces()[0]
    # an Announce is not repeated sooner than an eighth of its interval
    assert 60 * S <= when - since <= 60 * S + 250_000_000
    # a minute without the reference has made the bound larger
    assert first.quality.clock_class == 187
    assert 0x22 < first.quality.clock_accuracy < 0x26
    assert first.flags == Flag.PTP_TIMESCALE
    # the reference is not read meanwhile, and nothing steers: what is held may be held on
    assert all("hold" in c.reason and abs(c.ppb) < 0.1 for c in table.commands(SetFrequency))
    assert table.commands(ReadReference) == []


def test_TIM_13_a_reference_that_comes_back_counts_after_the_servo_has_locked() -> None:
    table = grandmaster(measured())
    table.run(10)
    table.carry(table.engine.declare_reference("clock", "holdover", None, table.now))
    table.run(20)
    table.error_ns["clock"] += 200_000.0
    table.carry(table.engine.declare_reference("clock", "locked", None, table.now))
    table.run(0.5)
    assert table.engine.references["clock"].state is ReferenceState.HOLDOVER
    assert last(table).quality.clock_class == 7
    table.run(60)
    assert last(table).quality.clock_class == 6
    assert abs(table.error_ns["clock"]) < 100
    told = table.events("reference")
    assert [e["state"] for e in told] == ["locked", "holdover", "holdover", "locked"]
    assert "signal is back" in told[2]["decision"]["reason"]


def test_a_reading_that_comes_in_after_the_signal_was_lost_is_not_used() -> None:
    table = grandmaster(measured())
    table.run(10)
    table.carry(table.engine.declare_reference("clock", "holdover", None, table.now))
    table.clear()
    now = table.clock_sns("clock")
    assert table.carry(table.engine.reading("clock", now, now + (5_000_000 << 16), 1.0, table.now)) == []
    assert not table.engine.reference_edges["clock"].usable
    assert last_state(table) is ReferenceState.HOLDOVER


def last_state(table: Table) -> ReferenceState:
    return table.engine.references["clock"].state


def test_a_reference_that_never_gave_a_signal_is_free_running() -> None:
    table = grandmaster(measured(state="free-running"))
    table.run(20)
    assert last(table).quality == ClockQuality(248, 0xFE, 0xFFFF)
    assert table.commands(SetFrequency) == []


def test_a_declared_reference_is_believed_at_once_and_degrades_on_the_operators_word() -> None:
    table = grandmaster(ReferencePlan("clock", accuracy=0x21, variance=0x4E5D))
    table.run(1)
    assert last(table).quality == ClockQuality(6, 0x21, 0x4E5D)
    table.clear()
    table.carry(table.engine.declare_reference("clock", "free-running", None, table.now))
    table.run(0.25)
    assert last(table).quality == ClockQuality(248, 0xFE, 0xFFFF)
    assert not last(table).flags & Flag.TIME_TRACEABLE
    table.carry(table.engine.declare_reference("clock", "locked", 13, table.now))
    table.run(0.25)
    assert last(table).quality.clock_class == 13
    with pytest.raises(ValueError, match="nonsense"):
        table.engine.declare_reference("clock", "nonsense", None, table.now)
    with pytest.raises(KeyError):
        table.engine.declare_reference("other", "locked", None, table.now)


def test_a_reference_that_is_not_primary_never_makes_class_6() -> None:
    table = grandmaster(measured(primary=False, time_source=TimeSource.NTP))
    table.run(10)
    message = last(table)
    assert message.quality == ClockQuality(248, 0x21, 0xFFFF)
    assert message.flags == Flag.PTP_TIMESCALE | Flag.CURRENT_UTC_OFFSET_VALID
    assert message.time_source == TimeSource.NTP


def test_BMC_33_two_instances_of_one_clock_degrade_together() -> None:
    table = Table(
        plan(
            instance("a", port={"listen_first": False}),
            instance("b", domain=24, port={"listen_first": False}, quality_table=QualityTable(holdover=135)),
            references=(measured(),),
        ),
        ptp_s=UTC_2026 + 37,
    )
    table.start()
    table.run(10)
    table.clear()
    table.carry(table.engine.declare_reference("clock", "holdover", None, table.now))
    table.run(0)
    classes = {m.domain: m.quality.clock_class for _, m in table.announces()}
    assert classes == {0: 7, 24: 135}


# -------------------------------------------------------------------------------------------------- leap seconds


def around_midnight(table: Table) -> list[tuple[float, Announce]]:
    """Announces with their PTP time relative to the first PTP second of 2017 (s)."""
    new_year = MIDNIGHT_2017 + 37
    return [((when + table.epoch_ns) / S - new_year, message) for when, message in table.announces()]


def at_2016(seconds_before: int, **fields: object) -> Table:
    """A locked grandmaster that starts so many seconds before 2017 begins."""
    reference = ReferencePlan("clock", accuracy=0x21)
    table = grandmaster(reference, ptp_s=MIDNIGHT_2017 + 37 - seconds_before, **fields)  # type: ignore[arg-type]
    table.run(2 * seconds_before)
    return table


def test_TIM_05_and_06_offset_and_flag_change_together_at_midnight() -> None:
    table = at_2016(60)
    announced = around_midnight(table)
    assert len(announced) >= 60
    for at, message in announced[2:]:
        expected = (36, True) if at < 0 else (37, False)
        said = (message.current_utc_offset, bool(message.flags & Flag.LEAP61))
        # the grandmaster looks at its clock once a second: in the second after midnight the old pair may still go out
        assert said == expected or (0 <= at < 1 and said == (36, True)), (at, said)
        assert message.flags & Flag.CURRENT_UTC_OFFSET_VALID
        assert not message.flags & Flag.LEAP59
    # told within two announce intervals, and sooner: a change is announced at once
    first = min(at for at, message in announced if message.current_utc_offset == 37 and at > -50)
    assert 0 <= first <= 1.01


def test_TIM_18_and_19_local_time_goes_through_the_leap_second_with_utc() -> None:
    table = at_2016(60, alternate_timescales=(AlternateTimescale(1, "CET", ((0, 3600),)),))
    for at, message in around_midnight(table)[2:]:
        (tlv,) = message.tlvs
        assert isinstance(tlv, AlternateTimeOffsetIndicator)
        before = (3600 - 36, -1, MIDNIGHT_2017 + 37)
        expected = before if at < 0 else (3600 - 37, 0, 0)
        said = (tlv.current_offset_s, tlv.jump_s, tlv.time_of_next_jump_s)
        assert said == expected or (0 <= at < 1 and said == before), (at, said)


def test_TIM_03_leap61_is_raised_on_the_last_day_only() -> None:
    day = 86_400
    for before_s, expected in ((2 * day, False), (day + 120, False), (day - 60, True), (60, True), (-60, False)):
        table = grandmaster(ReferencePlan("clock"), ptp_s=MIDNIGHT_2017 + 37 - before_s)
        table.run(5)
        assert bool(last(table).flags & Flag.LEAP61) == expected, before_s


def test_TIM_04_and_09_a_second_left_out_raises_leap59_and_never_both() -> None:
    real = LeapTable.built_in()
    entries = (*real.entries[:-1], LeapEntry(MIDNIGHT_2017, 35))
    table = Table(
        plan(
            instance("gm", port={"listen_first": False}),
            references=(ReferencePlan("clock"),),
            leap=replace(real, entries=entries),
        ),
        ptp_s=MIDNIGHT_2017 + 36 - 60,
    )
    table.start()
    table.run(120)
    seen = {(m.current_utc_offset, m.flags & (Flag.LEAP59 | Flag.LEAP61)) for _, m in table.announces()[2:]}
    assert seen == {(36, Flag.LEAP59), (35, 0)}


def test_TIM_07_ptp_time_runs_on_across_the_leap_second() -> None:
    table = at_2016(20)
    follow_ups = table.precise_origins()
    gaps = {b - a for a, b in itertools.pairwise(follow_ups)}
    assert len(follow_ups) >= 39
    assert gaps == {S}


def test_TIM_08_an_expired_table_makes_the_offset_invalid() -> None:
    real = LeapTable.built_in()
    for expires_s, valid in ((UTC_2026 + 86_400, True), (UTC_2026 - 86_400, False)):
        table = grandmaster(ReferencePlan("clock"), leap=replace(real, expires_s=expires_s))
        table.run(5)
        message = last(table)
        assert bool(message.flags & Flag.CURRENT_UTC_OFFSET_VALID) == valid
        assert message.current_utc_offset == 37
        assert message.flags & Flag.TIME_TRACEABLE


def test_TIM_08_a_table_that_expires_while_running() -> None:
    real = LeapTable.built_in()
    table = grandmaster(ReferencePlan("clock"), leap=replace(real, expires_s=UTC_2026 + 10))
    table.run(5)
    assert last(table).flags & Flag.CURRENT_UTC_OFFSET_VALID
    table.run(10)
    assert not last(table).flags & Flag.CURRENT_UTC_OFFSET_VALID


def test_TIM_02_the_offset_of_today_is_37() -> None:
    table = grandmaster(ReferencePlan("clock"))
    table.run(5)
    assert last(table).current_utc_offset == 37


def test_readings_that_stop_end_in_holdover_by_themselves() -> None:
    table = grandmaster(measured(holdover_spec_s=100.0))
    table.run(10)
    assert last(table).quality.clock_class == 6
    table.mute.add("clock")
    table.run(30)
    assert last(table).quality == ClockQuality(7, 0x23, 0xFFFF)
    assert "no longer locked" in table.engine.references["clock"].decision.reason
    table.run(120)
    assert last(table).quality.clock_class == 52
    table.mute.clear()
    table.run(15)
    assert last(table).quality.clock_class == 6
    assert last(table).quality.clock_accuracy > 0x21, "the offsets of the return still count"
    table.run(120)
    assert last(table).quality == ClockQuality(6, 0x21, 0x4E5D)


def test_a_reference_that_the_clock_cannot_follow_is_not_vouched_for() -> None:
    table = grandmaster(measured())
    table.run(60)
    table.error_ns["clock"] += 1e9
    table.run(20)
    assert last(table).quality.clock_class == 7


def test_one_failed_reading_changes_nothing() -> None:
    table = grandmaster(measured())
    table.run(10)
    table.broken.add("clock")
    table.run(1)
    table.broken.clear()
    table.run(10)
    assert last(table).quality.clock_class == 6
    assert table.engine.clocks["clock"].steering is table.engine.reference_edges["clock"]
    assert table.events("reading-failed")


def test_a_reference_that_is_not_primary_claims_what_its_bound_allows_in_holdover() -> None:
    table = grandmaster(measured(primary=False))
    table.run(10)
    assert last(table).quality.clock_accuracy == 0x21
    table.mute.add("clock")
    table.run(30)
    assert last(table).quality.clock_accuracy == 0x23
    assert last(table).quality.clock_class == 248


def test_a_declared_reference_may_change_its_accuracy() -> None:
    table = grandmaster(ReferencePlan("clock", accuracy=0x26, primary=False))
    table.run(1)
    assert last(table).quality.clock_accuracy == 0x26
    table.carry(table.engine.declare_reference("clock", "locked", None, table.now, 0x2F))
    table.run(0.25)
    assert last(table).quality.clock_accuracy == 0x2F


def test_lifting_a_forced_class_looks_at_the_servo_again() -> None:
    table = grandmaster(measured())
    table.run(10)
    table.carry(table.engine.declare_reference("clock", "locked", 6, table.now))
    table.mute.add("clock")
    table.run(30)
    assert last(table).quality.clock_class == 6, "the operator's word"
    table.carry(table.engine.declare_reference("clock", "locked", None, table.now))
    table.run(3)
    assert last(table).quality.clock_class == 7
    table.mute.clear()
    table.run(15)
    assert last(table).quality.clock_class == 6


def test_locked_with_a_class_after_holdover_takes_readings_again() -> None:
    table = grandmaster(measured())
    table.run(10)
    table.carry(table.engine.declare_reference("clock", "holdover", None, table.now))
    table.run(5)
    table.carry(table.engine.declare_reference("clock", "locked", 6, table.now))
    before = table.engine.reference_edges["clock"].measurements
    table.run(10)
    assert table.engine.reference_edges["clock"].measurements > before + 5
