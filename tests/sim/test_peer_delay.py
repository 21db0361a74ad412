"""Peer delay through a whole engine: locked, shown, and explained when it cannot work."""

from __future__ import annotations

from typing import Any

from ptpstack.engine.explain import explain
from ptpstack.engine.status import status
from ptpstack.sim.build import make_node
from ptpstack.sim.delays import PathDelay
from ptpstack.sim.network import Segment, SimNode
from ptpstack.sim.world import World
from ptpstack.wire.types import ClockQuality

GRANDMASTER = {"quality": ClockQuality(6, 0x21, 0x4E5D)}
P2P = {"delay_mechanism": "P2P"}


def segment_of(world: World, *members: tuple[str, dict[str, Any], dict[str, Any]]) -> list[SimNode]:
    """Nodes on one segment of 1 us: name, options of the instance, options of the port."""
    segment = Segment(world, default=PathDelay(1000))
    nodes = []
    for number, (name, options, port) in enumerate(members, 1):
        node = make_node(world, name, number, initial_error_ns=5e6 * (number > 1), port_options=port, **options)
        segment.attach(node, "p1/sim")
        node.start(0.1 * number)
        nodes.append(node)
    return nodes


def port_of(node: SimNode, now: int) -> dict[str, Any]:
    port: dict[str, Any] = status(node.engine, now)["instances"][0]["ports"][0]
    return port


def remarks(node: SimNode, now: int) -> str:
    (instance,) = explain(node.engine, now)["instances"]
    return "\n".join(instance["ports"][0]["remarks"] + instance["synchronisation"])


def test_a_link_is_measured_from_both_ends_and_shown() -> None:
    world = World()
    gm, oc = segment_of(world, ("gm", GRANDMASTER, P2P), ("oc", {"client_only": True}, P2P))
    world.run(60)
    assert abs(oc.error_ns()) < 5
    for node, other in ((gm, oc), (oc, gm)):
        port = port_of(node, world.elapsed_ns)
        assert port["delay_mechanism"] == "P2P"
        assert abs(port["mean_link_delay_ns"] - 1000) < 2
        assert port["neighbor"] == str(other.engine.instances["instance"].ports[0].identity)
        assert abs(port["neighbor_rate_ratio"] - 1) < 1e-6
    assert "neighbor" not in port_of(segment_of(World(), ("x", {}, {}))[0], 0)


def test_ends_that_differ_are_explained_on_both_sides() -> None:
    world = World()
    gm, oc = segment_of(world, ("gm", GRANDMASTER, P2P), ("oc", {"client_only": True}, {}))
    world.run(40)
    assert oc.engine.instances["instance"].following_port is not None
    assert "does it use E2E?" in remarks(oc, world.elapsed_ns)
    assert "this port's delay mechanism is E2E" in remarks(oc, world.elapsed_ns)
    assert remarks(gm, world.elapsed_ns).count("somebody here has delay_mechanism E2E") == 1


def test_three_on_a_segment_measure_no_link_and_say_so() -> None:
    world = World()
    client = {"client_only": True}
    nodes = segment_of(world, ("gm", GRANDMASTER, P2P), ("a", client, P2P), ("b", client, P2P))
    world.run(40)
    for node in nodes:
        assert port_of(node, world.elapsed_ns)["counters"]["pdelay-several-peers"] > 30
        assert "a switch or hub that knows no PTP" in remarks(node, world.elapsed_ns)


def test_an_automatic_end_takes_what_the_other_has() -> None:
    world = World()
    auto = {"delay_mechanism": "AUTO"}
    (_, oc) = segment_of(world, ("gm", GRANDMASTER, P2P), ("oc", {"client_only": True}, auto))
    world.run(60)
    assert port_of(oc, world.elapsed_ns)["delay_mechanism"] == "P2P"
    assert abs(oc.error_ns()) < 5
    world = World()
    (_, oc) = segment_of(world, ("gm", GRANDMASTER, auto), ("oc", {"client_only": True}, {}))
    world.run(60)
    assert port_of(oc, world.elapsed_ns)["delay_mechanism"] == "E2E"
    assert abs(oc.error_ns()) < 5
