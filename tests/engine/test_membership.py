"""Instances that come and go while an engine runs: the others do not notice, and a trace of it replays."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from ptpstack.engine.engine import Engine
from ptpstack.engine.plan import InstancePlan, instance_as_dict
from ptpstack.engine.trace import RecordedEngine, replay
from ptpstack.engine.trace_file import open_for_writing
from ptpstack.protocol.effects import Send
from ptpstack.servo.base import ServoState
from ptpstack.sim.build import make_node
from ptpstack.sim.delays import PathDelay
from ptpstack.sim.network import Segment
from ptpstack.sim.world import World
from ptpstack.wire.codec import decode
from ptpstack.wire.messages import Announce
from ptpstack.wire.types import ClockQuality, PortState
from tests.engine.bench import Table, instance, plan
from tests.protocol.bench import Peer, identity


def added(name: str, domain: int = 5, **options: Any) -> dict[str, Any]:
    return instance_as_dict(instance(name, domain=domain, clock_identity=identity(0x60 + domain), **options))


def admit(table: Table, plan_: dict[str, Any], after: tuple[str, ...] = ()) -> None:
    table.carry(table.engine.add_instance(plan_, after, table.now))


def remove(table: Table, name: str) -> None:
    table.carry(table.engine.remove_instance(name, table.now))


def announces(table: Table, domain: int) -> int:
    messages = [decode(e.octets) for _, e in table.effects if isinstance(e, Send)]
    return sum(isinstance(m, Announce) and m.domain == domain for m in messages)


def test_an_instance_that_comes_serves_and_one_that_goes_is_silent() -> None:
    table = Table(plan(instance("a", domain=1)))
    table.start()
    table.run(20)
    admit(table, added("b"))
    table.effects.clear()
    table.run(20)
    assert announces(table, 5) >= 5
    assert announces(table, 1) >= 9
    remove(table, "b")
    table.effects.clear()
    table.run(20)
    assert announces(table, 5) == 0
    assert announces(table, 1) >= 9
    assert list(table.engine.instances) == ["a"]
    assert list(table.engine.edges) == ["a"]
    # its frames are those of a stranger's domain now
    table.carry(
        table.engine.receive(
            "p1",
            Peer(
                2,
            ).announce(domain=5),
            None,
            "",
            table.now,
        )
    )
    assert table.engine.unrouted["p1"]["drop-domain-or-sdo-id"] == 1
    admit(table, added("b"))
    table.run(20)
    assert announces(table, 5) >= 5


def test_stamps_find_the_instance_that_came_later() -> None:
    table = Table(plan(instance("a", domain=1), instance("x", domain=2)))
    table.start()
    admit(table, added("b"))
    admit(table, added("c", 6))
    table.run(30)
    for name in ("a", "x", "b", "c"):
        counters = table.engine.instances[name].ports[0].counters
        assert counters["tx-follow_up"] == counters["tx-sync"] > 3


def test_instances_on_one_channel_keep_out_of_each_others_way() -> None:
    table = Table(plan(instance("a", domain=1), instance("x", domain=2)))
    table.start()
    remove(table, "a")
    admit(table, added("b"))
    offsets = [i.ports[0].transmit_offset_ns for i in table.engine.instances.values()]
    assert len(set(offsets)) == 2


def test_the_place_in_the_order_of_steering_is_that_of_the_configuration() -> None:
    engine = Engine(plan(instance("a", domain=1), instance("c", domain=3)))
    engine.start(0)
    engine.add_instance(added("b", 2), ("c",), 0)
    engine.add_instance(added("d", 4), (), 0)
    assert [edge.name for edge in engine.clocks["clock"].edges] == ["a", "b", "c", "d"]


@pytest.mark.parametrize(
    ("plan_", "words"),
    [
        (added("a"), "there is an instance a already"),
        (added("b", 1), "instance a has its domain on p1"),
        (added("b", clock="other"), "a clock|one clock"),
    ],
)
def test_what_cannot_come_in_is_refused_and_changes_nothing(plan_: dict[str, Any], words: str) -> None:
    engine = Engine(plan(instance("a", domain=1)))
    engine.start(0)
    with pytest.raises(ValueError, match=words):
        engine.add_instance(plan_, (), 0)
    assert list(engine.instances) == ["a"]
    assert [edge.name for edge in engine.clocks["clock"].edges] == ["a"]


def test_who_is_not_there_cannot_go() -> None:
    engine = Engine(plan(instance("a")))
    with pytest.raises(KeyError):
        engine.remove_instance("b", 0)


def test_a_client_stays_locked_while_another_domain_comes_and_goes_and_it_replays(tmp_path: Path) -> None:
    world = World()
    segment = Segment(world, default=PathDelay(1000, jitter_ns=50, seed=3))
    gm = make_node(world, "gm", 1, quality=ClockQuality(6, 0x21, 0x4E5D), port_options={"listen_first": False})
    path = tmp_path / "x.trace"
    node = make_node(world, "oc", 9, seed=5)
    engine = RecordedEngine(node.engine.plan, open_for_writing(str(path)))
    node.engine = engine
    for member in (gm, node):
        segment.attach(member, "p1/sim")
    gm.start()
    node.start(0.5)
    world.run(40)
    (name,) = engine.instances
    (edge,) = engine.instance_edges[name].values()
    assert edge.servo.state is ServoState.LOCKED
    clock = edge.clock
    other = instance_as_dict(instance("other", domain=9, clock=clock, channel="p1/sim", clock_identity=identity(0x70)))
    node.perform(engine.add_instance(other, (), world.elapsed_ns))
    world.run(60)
    assert engine.instances["other"].ports[0].state is PortState.MASTER
    node.perform(engine.remove_instance("other", world.elapsed_ns))
    world.run(80)
    assert edge.servo.state is ServoState.LOCKED
    assert engine.instances[name].ports[0].state is PortState.SLAVE
    # the one that steers goes: the clock holds over, and who comes instead takes on from there
    kept = instance_as_dict(InstancePlan(engine.instances[name].options, engine.plans[name].servo))
    node.perform(engine.remove_instance(name, world.elapsed_ns))
    frequency = engine.clocks[clock].frequency_ppb
    assert [e.retired for e in engine.clocks[clock].edges] == [True]
    world.run(90)
    assert engine.clocks[clock].frequency_ppb == pytest.approx(frequency, abs=100)
    node.perform(engine.add_instance(kept, (), world.elapsed_ns))
    world.run(130)
    new = engine.instance_edges[name][clock]
    assert engine.clocks[clock].steering is new
    assert new.servo.state is ServoState.LOCKED
    engine.close_trace(world.elapsed_ns)
    result = replay(str(path))
    assert result.identical
    assert result.counts["add_instance"] == 2
    assert result.counts["remove_instance"] == 2
