"""A restart is a holdover: what an engine keeps, what a later one takes up, what it refuses."""

from __future__ import annotations

import json
import math
from typing import Any

import pytest

from ptpstack.engine.effects import SetFrequency
from ptpstack.engine.plan import ClockPlan, EdgePlan, ReferencePlan
from tests.engine.bench import Table, instance, plan
from tests.protocol.bench import GRANDMASTER, Peer

ONE = Peer(1, quality=GRANDMASTER)


def table_of() -> Table:
    table = Table(
        plan(
            instance("a", clock="nic"),
            clocks=(ClockPlan("nic"), ClockPlan("system")),
            edges=(EdgePlan("nic", "system"),),
        )
    )
    table.oscillator.update(nic=31_000.0, system=-12_000.0)
    table.start()
    return table


def kept_after(seconds: int) -> dict[str, Any]:
    table = table_of()
    table.serve(ONE, seconds, clock="nic")
    kept: dict[str, Any] = json.loads(json.dumps(table.engine.keep(table.now)))
    return kept


def test_nothing_is_kept_of_clocks_nobody_has_learnt() -> None:
    assert table_of().engine.keep(0) == {}


def test_a_clock_starts_with_the_frequency_that_was_learnt() -> None:
    kept = kept_after(60)
    assert kept["nic"]["frequency_ppb"] == pytest.approx(-31_000, abs=20)
    assert set(kept["nic"]["edges"]) == {"a"}
    assert set(kept["system"]["edges"]) == {"nic -> system"}
    later = table_of()
    aged = {name: {**entry, "age_s": 300.0} for name, entry in kept.items()}
    later.carry(later.engine.resume(aged, later.now))
    assert later.frequency["nic"] == pytest.approx(-31_000, abs=20)
    assert later.frequency["system"] == pytest.approx(12_000, abs=50)
    assert all("learnt 300 s ago" in e["reason"] for e in later.events("drift-file"))
    # without a master it runs on like that: free, and at the right rate
    later.run(100)
    assert abs(later.error_ns["nic"]) < 3_000


def test_a_first_step_is_still_owed_after_a_restart() -> None:
    kept = kept_after(60)
    later = table_of()
    later.carry(later.engine.resume({n: {**e, "age_s": 9.0} for n, e in kept.items()}, later.now))
    later.error_ns["nic"] = -4e9
    later.serve(ONE, 20, clock="nic")
    assert abs(later.error_ns["nic"]) < 1_000


@pytest.mark.parametrize(
    "entry",
    [
        {"frequency_ppb": math.nan, "edges": {}, "age_s": 1.0},
        {"frequency_ppb": 9e9, "edges": {}, "age_s": 1.0},
        {"frequency_ppb": 1.0, "edges": {}, "age_s": -1.0},
        {"frequency_ppb": "fast", "edges": {}, "age_s": 1.0},
        {"frequency_ppb": 1.0, "edges": 5, "age_s": 1.0},
        {"edges": {}},
        "nonsense",
    ],
)
def test_what_cannot_be_is_refused_and_told(entry: Any) -> None:
    table = table_of()
    table.carry(table.engine.resume({"nic": entry, "no such clock": entry}, table.now))
    (told,) = table.events("drift-file")
    assert told["clock"] == "nic"
    assert "not used" in told["reason"]
    assert table.commands(SetFrequency) == []
    table.serve(ONE, 20, clock="nic")
    assert abs(table.error_ns["nic"]) < 1_000


@pytest.mark.parametrize("memory", [{"nonsense": 1}, {"servo": "another"}, 5])
def test_a_servo_of_another_kind_keeps_the_frequency_and_not_the_memory(memory: Any) -> None:
    table = table_of()
    entry = {"frequency_ppb": -31_000.0, "edges": {"a": memory}, "age_s": 1.0}
    table.carry(table.engine.resume({"nic": entry}, table.now))
    assert table.frequency["nic"] == -31_000.0
    assert "what the servo of a kept is not used" in table.events("drift-file")[-1]["reason"]
    table.serve(ONE, 20, clock="nic")
    assert abs(table.error_ns["nic"]) < 1_000


def test_a_clock_that_is_only_read_is_not_set() -> None:
    table = Table(
        plan(
            instance("a"),
            clocks=(ClockPlan("clock", False, why_not_steerable="by order"),),
            references=(ReferencePlan("clock"),),
        )
    )
    table.start()
    kept = {"clock": {"frequency_ppb": 5.0, "edges": {}, "age_s": 1.0}}
    table.carry(table.engine.resume(kept, table.now))
    assert table.commands(SetFrequency) == []
