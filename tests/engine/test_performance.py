"""Performance monitoring (Annex J): figures, quarters, days, and a monitored engine."""

from __future__ import annotations

import statistics

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ptpstack.cli.performance import lines
from ptpstack.engine.performance import PERIOD_NS, TODAY, YESTERDAY, Figures, performance
from ptpstack.protocol.effects import DelayMeasured, SyncMeasured
from ptpstack.sim.build import make_node
from ptpstack.sim.delays import PathDelay
from ptpstack.sim.network import Segment, SimNode
from ptpstack.sim.world import World
from tests.engine.bench import Table, instance, plan
from tests.protocol.bench import GRANDMASTER, Peer

values = st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=30)


@given(values, values)
def test_figures_are_those_of_all_values_however_they_came_together(first: list[float], second: list[float]) -> None:
    a, b = Figures(), Figures()
    for value in first:
        a.add(value)
    for value in second:
        b.add(value)
    a.join(b)
    told = a.as_dict()
    assert told is not None
    both = first + second
    assert told["average"] == pytest.approx(statistics.fmean(both), abs=1e-3)
    assert (told["minimum"], told["maximum"]) == (min(both), max(both))
    assert told["std_dev"] == pytest.approx(statistics.pstdev(both), abs=1e-2)


def test_nothing_seen_is_nothing_said() -> None:
    assert Figures().as_dict() is None


def monitored() -> Table:
    table = Table(plan(instance("gm", client_only=True, performance_monitoring=True)))
    table.start()
    return table


def test_quarters_and_days_are_kept_and_counted() -> None:
    """Delays of 1000 + n ns in quarter n, from effects that are handed in as the engine hands them on."""
    table = monitored()
    monitor = table.engine.monitors["gm"]
    parent = Peer(1).identity
    for quarter in range(200):
        for second in (1, 500):
            now = quarter * PERIOD_NS + second * 10**9
            delay = (1000 + quarter) << 16
            monitor.saw(SyncMeasured(1, parent, 1, 0, delay + (5 << 16), 5 << 16, 0, now), now)
            monitor.saw(DelayMeasured(1, parent, 1, 0, delay, 0), now)
    records = {r["index"]: r for r in monitor.records(now)}
    assert sorted(records) == [*range(99)]
    assert records[0]["master_slave_delay"]["average"] == 1199
    assert not records[0]["complete"]
    for index in (1, 50, 96):
        assert records[index]["complete"]
        assert records[index]["slave_master_delay"]["average"] == 1199 - index
        assert records[index]["samples"]["slave_master_delay"] == 2
    # days of 96 quarters: 0..95, 96..191, and what has come since
    assert records[YESTERDAY]["complete"]
    assert records[YESTERDAY]["master_slave_delay"]["minimum"] == 1096
    assert records[YESTERDAY]["master_slave_delay"]["maximum"] == 1191
    assert records[YESTERDAY]["samples"]["master_slave_delay"] == 192
    assert records[TODAY]["master_slave_delay"]["minimum"] == 1192
    assert records[TODAY]["samples"]["master_slave_delay"] == 16
    assert not records[TODAY]["complete"]


def test_an_empty_quarter_is_not_valid_and_a_day_of_silence_begins_anew() -> None:
    table = monitored()
    monitor = table.engine.monitors["gm"]
    sync = SyncMeasured(1, Peer(1).identity, 1, 0, 1 << 16, 0, 0, 0)
    assert monitor.records(0) == []
    monitor.saw(sync, 0)
    monitor.saw(sync, 2 * PERIOD_NS)
    records = {r["index"]: r for r in monitor.records(2 * PERIOD_NS)}
    assert [records[n]["valid"] for n in (0, 1, 2)] == [True, False, True]
    monitor.saw(sync, 200 * PERIOD_NS)
    assert [r["index"] for r in monitor.records(200 * PERIOD_NS)] == [0, TODAY]


def network() -> tuple[World, SimNode]:
    world = World()
    segment = Segment(world, default=PathDelay(2_000, jitter_ns=20, seed=1))
    gm = make_node(world, "gm", 1, quality=GRANDMASTER)
    client = make_node(world, "client", 2, client_only=True, performance_monitoring=True)
    for node in (gm, client):
        segment.attach(node, "p1/sim")
        node.start(0.01)
    return world, client


def test_a_client_knows_its_path() -> None:
    world, client = network()
    world.run(1000)
    told = performance(client.engine, None, world.elapsed_ns)
    assert [entry["name"] for entry in told] == ["instance"]
    records = {r["index"]: r for r in told[0]["records"]}
    for parameter in ("master_slave_delay", "slave_master_delay", "mean_path_delay"):
        assert records[0][parameter]["average"] == pytest.approx(2_000, abs=60)
    assert abs(records[0]["offset_from_master"]["average"]) < 20
    assert records[1]["complete"]
    text = "\n".join(lines({"instances": told}))
    assert "this quarter" in text
    assert "quarter -1" in text


def test_who_is_not_monitored_says_so() -> None:
    table = Table(plan(instance("a"), instance("b", domain=1, performance_monitoring=True)))
    assert performance(table.engine, None, 0) == [{"name": "b", "records": []}]
    with pytest.raises(ValueError, match="not monitored"):
        performance(table.engine, "a", 0)
    with pytest.raises(ValueError, match="there is no instance c"):
        performance(table.engine, "c", 0)
    assert lines({"instances": []}) == ["no instance is monitored; give one performance_monitoring = true"]
