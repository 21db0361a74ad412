"""The campus: everybody follows through the switches, and its parts are what they are in the whole."""

from __future__ import annotations

import pytest

from ptpstack.sim.build import make_node
from ptpstack.sim.campus import CORES, EDGES, GRANDMASTERS, build_campus
from ptpstack.sim.delays import PathDelay
from ptpstack.sim.network import Segment, SimNode
from ptpstack.sim.world import World

NODES = 100


def states(node: SimNode) -> list[str]:
    return [port.state.name for port in node.engine.instances["instance"].ports]


def test_everybody_follows() -> None:
    campus = build_campus(NODES)
    assert len(campus.nodes) == NODES
    assert (len(campus.grandmasters), len(campus.cores), len(campus.edges)) == (GRANDMASTERS, CORES, EDGES)
    campus.world.run(90)
    assert [states(gm) for gm in campus.grandmasters] == [["MASTER"], ["PASSIVE"], ["PASSIVE"]]
    for node in (*campus.cores, *campus.edges):
        assert states(node) == ["SLAVE"] + ["MASTER"] * (len(states(node)) - 1)
    assert {tuple(states(client)) for client in campus.clients} == {("SLAVE",)}
    assert all(abs(node.error_ns()) < 2000 for node in campus.nodes)


def test_a_part_does_what_it_does_in_the_whole() -> None:
    whole = build_campus(NODES)
    parts = [build_campus(NODES, part=part, parts=2) for part in range(2)]
    for world in (whole.world, *(part.world for part in parts)):
        world.run(60)
    errors = {node.name: node.error_ns() for node in whole.nodes}
    assert len(parts[0].clients) + len(parts[1].clients) == len(whole.clients)
    for part in parts:
        assert {node.name: node.error_ns() for node in part.nodes}.items() <= errors.items()


def test_worlds_below_do_what_they_would_do_in_one_world(monkeypatch: pytest.MonkeyPatch) -> None:
    # constant delays: with jitter, which frame gets which draw depends on who is run first
    monkeypatch.setattr("ptpstack.sim.campus.PathDelay", lambda base_ns, **_: PathDelay(base_ns))
    apart = build_campus(NODES)
    with monkeypatch.context() as patch:
        patch.setattr("ptpstack.sim.campus.World", lambda above=None: above or World())
        together = build_campus(NODES)
    assert apart.clients[0].world is not apart.world
    assert together.clients[0].world is together.world
    apart.world.run(37)
    apart.world.run(61)
    together.world.run(61)
    for one, other in zip(apart.nodes, together.nodes, strict=True):
        assert one.error_ns() == other.error_ns(), one.name
        assert states(one) == states(other)
        assert [at for at, _ in one.events] == [at for at, _ in other.events]
    assert apart.world.events == together.world.events


def test_nothing_from_below_but_what_is_answered_at_once_reaches_a_node_above() -> None:
    above = World()
    below = World(above=above)
    nodes = [make_node(above, "upper", 1), make_node(below, "lower", 2)]
    wire = Segment(below)
    for node in nodes:
        wire.attach(node, "p1/sim")
        node.start()
    above.run(20)
    assert states(nodes[0]) == ["MASTER"]
    heard = dict(nodes[0].engine.instances["instance"].ports[0].counters)
    assert "rx-announce" not in heard
    assert heard["rx-delay_req"] == heard["tx-delay_resp"] > 10
    assert states(nodes[1]) == ["SLAVE"]


def test_too_small_a_campus_and_parts_that_are_none() -> None:
    with pytest.raises(ValueError, match="54 or more"):
        build_campus(50)
    with pytest.raises(ValueError, match="no part 2 of 2"):
        build_campus(NODES, part=2, parts=2)
