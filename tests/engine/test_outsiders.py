"""Somebody else changes a clock: found out, told, counted; kept on with, or made way for."""

from __future__ import annotations

import pytest

from ptpstack.engine.effects import SetFrequency, StepClock
from ptpstack.engine.graph_status import clocks, explain_clocks
from ptpstack.engine.plan import ClockPlan
from ptpstack.servo.base import ServoState
from tests.engine.bench import Table, instance, plan
from tests.protocol.bench import GRANDMASTER, Peer

ONE = Peer(1, quality=GRANDMASTER)


def watched(policy: str = "keep") -> Table:
    table = Table(plan(instance("a"), clocks=(ClockPlan("clock", watched=True, on_foreign_change=policy),)))
    table.oscillator["clock"] = 9_000.0
    table.start()
    return table


def test_who_sets_up_a_clock_before_it_is_in_service_is_no_intruder() -> None:
    table = watched()
    table.run(3)
    table.frequency["clock"] = -4_000.0
    table.run(3)
    assert table.events("foreign-change") == []
    table.serve(ONE, 20)
    assert table.events("foreign-change") == []
    assert abs(table.error_ns["clock"]) < 100


def test_a_changed_frequency_is_told_counted_and_put_back() -> None:
    table = watched()
    table.serve(ONE, 30)
    right = table.frequency["clock"]
    table.clear()
    table.frequency["clock"] = right + 500.0
    table.run(1)
    (told,) = table.events("foreign-change")
    assert told["decision"]["code"] == "foreign-change"
    assert "somebody else set clock" in told["decision"]["reason"]
    assert table.frequency["clock"] == pytest.approx(right, abs=1)
    table.serve(ONE, 20)
    assert table.engine.edges["a"].servo.state is ServoState.LOCKED
    (row,) = clocks(table.engine, table.now)
    assert row["foreign"]["changes"] == 1
    assert any("somebody else" in s for s in explain_clocks(table.engine, table.now)[0]["sentences"])


def test_a_step_by_another_program_is_found_out_and_set_right() -> None:
    table = watched()
    table.serve(ONE, 30)
    table.clear()
    table.error_ns["clock"] += 2.5e9
    table.serve(ONE, 1)
    (told,) = table.events("foreign-change")
    assert "stepped clock by +2." in told["decision"]["reason"]
    table.serve(ONE, 20)
    assert len(table.commands(StepClock)) == 1
    assert abs(table.error_ns["clock"]) < 1_000
    (row,) = clocks(table.engine, table.now)
    assert row["foreign"]["steps"] == 1


def test_our_own_steps_and_frequencies_are_nobody_elses() -> None:
    table = watched()
    table.error_ns["clock"] = 7e9
    table.serve(ONE, 60)
    assert len(table.commands(StepClock)) == 1
    assert table.events("foreign-change") == []


def intrude(table: Table, seconds: int) -> None:
    for n in range(seconds):
        table.frequency["clock"] += 300.0 + n
        table.serve(ONE, 1)


def test_keep_goes_on_steering_however_often_and_tells_once_a_minute() -> None:
    table = watched()
    table.serve(ONE, 30)
    intrude(table, 30)
    assert table.engine.clocks["clock"].steering is not None
    assert len(table.events("foreign-change")) == 1
    (row,) = clocks(table.engine, table.now)
    assert row["foreign"]["changes"] >= 28


def test_yield_leaves_the_clock_alone_until_the_other_is_quiet() -> None:
    table = watched("yield")
    table.serve(ONE, 30)
    intrude(table, 10)
    clock = table.engine.clocks["clock"]
    assert clock.steering is None
    assert clock.decision.code == "left-alone"
    assert "stop the other program" in table.events("foreign-change")[-1]["decision"]["would_change"]
    table.clear()
    intrude(table, 90)
    assert table.commands(SetFrequency) == [], "as long as the other is at it"
    table.serve(ONE, 300)
    assert clock.steering is table.engine.edges["a"]
    assert abs(table.error_ns["clock"]) < 1_000


def test_a_card_that_was_pulled_out_and_comes_back_is_set_anew() -> None:
    table = watched()
    table.serve(ONE, 30)
    table.clear()
    table.frequency["clock"] = 0.0
    table.error_ns["clock"] = -8e9
    table.carry(table.engine.renewed("clock", 0.0, table.now))
    assert table.frequency["clock"] == pytest.approx(-9_000, abs=1)
    table.serve(ONE, 20)
    assert len(table.commands(StepClock)) == 1
    assert abs(table.error_ns["clock"]) < 1_000
    assert table.events("foreign-change") == []


def test_another_card_behind_the_same_name_is_learnt_from_scratch() -> None:
    table = watched()
    table.serve(ONE, 30)
    table.clear()
    # a bond's other member: nearly the right time, another oscillator
    table.frequency["clock"] = 0.0
    table.oscillator["clock"] = -14_000.0
    table.error_ns["clock"] = 3e3
    table.carry(table.engine.renewed("clock", 0.0, table.now, another=True))
    assert table.commands(SetFrequency) == [], "what the old one ran with says nothing of the new"
    assert table.engine.edges["a"].servo.state is not ServoState.LOCKED
    table.serve(ONE, 20)
    assert table.frequency["clock"] == pytest.approx(14_000, abs=5)
    assert abs(table.error_ns["clock"]) < 1_000
    assert table.events("foreign-change") == []
