"""The campus: everybody follows through the switches, and its parts are what they are in the whole."""

from __future__ import annotations

import pytest

from ptpstack.sim.campus import CORES, EDGES, GRANDMASTERS, build_campus
from ptpstack.sim.network import SimNode

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


def test_too_small_a_campus_and_parts_that_are_none() -> None:
    with pytest.raises(ValueError, match="54 or more"):
        build_campus(50)
    with pytest.raises(ValueError, match="no part 2 of 2"):
        build_campus(NODES, part=2, parts=2)
