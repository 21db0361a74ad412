"""Negotiated unicast in simulated time: who serves whom, that nothing is multicast, chains and many clients."""

from __future__ import annotations

import pytest

from ptpstack.clocks.oscillator import OscillatorModel
from ptpstack.protocol.instance import Instance
from ptpstack.protocol.options import UnicastOptions, UnicastServer
from ptpstack.sim.build import make_node
from ptpstack.sim.delays import PathDelay
from ptpstack.sim.network import Segment, SimNode
from ptpstack.sim.scenario_file import load_scenario, parse_scenario
from ptpstack.sim.scene import build
from ptpstack.sim.world import World
from ptpstack.wire.codec import decode
from ptpstack.wire.messages import Message
from ptpstack.wire.types import ClockQuality, Flag

SERVER = UnicastOptions(serve=True, multicast=False, negotiation_required=True)


def instance_of(node: SimNode) -> Instance:
    return node.engine.instances["instance"]


def test_the_scenario_goes_from_server_to_server_and_back() -> None:
    scene = build(load_scenario("unicast"), 3)
    client = instance_of(scene.nodes["client"])
    heard: list[Message] = []
    scene.segments["bridge"].tap = lambda now, sender, octets: heard.append(decode(octets))
    followed = []
    for at in (500, 700, 1000, 1350, 1500):
        scene.world.run(at)
        followed.append(client.data.parent.protocol_address)
    assert followed == ["first", "second", "first", "second", "first"]
    assert heard
    assert all(message.flags & Flag.UNICAST for message in heard)
    assert abs(scene.measured.error_ns()) < 50


def test_a_chain_of_boundary_clocks_by_unicast() -> None:
    text = """
name = "chain"
title = "a chain"
length_s = 300
unicast = true
log_announce_interval = 0
log_sync_interval = -2
log_delay_req_interval = -2
node = [
    { name = "gm", role = "grandmaster" },
    { name = "bc", role = "boundary", frequency_ppb = 3000 },
    { name = "oc", role = "ordinary", frequency_ppb = -4000, initial_error_ns = 1000000 },
]
link = [{ nodes = ["gm", "bc"] }, { nodes = ["bc", "oc"] }]
"""
    scene = build(parse_scenario(text), 1)
    scene.world.run(300)
    assert instance_of(scene.nodes["bc"]).data.parent.protocol_address == "gm"
    assert instance_of(scene.nodes["oc"]).data.parent.protocol_address == "bc"
    assert instance_of(scene.nodes["oc"]).data.current.steps_removed == 2
    assert abs(scene.nodes["oc"].error_ns()) < 100


@pytest.mark.parametrize("clients", [40])
def test_many_clients_and_a_limit(clients: int) -> None:
    """As many as the first server takes go to it; the others find the second."""
    world = World()
    segment = Segment(world, default=PathDelay(1_000, jitter_ns=20, seed=1))
    quality = ClockQuality(6, 0x21, 0x4E5D)
    limited = UnicastOptions(True, multicast=False, negotiation_required=True, max_rate=30 * 18 + clients - 30)
    servers = [
        make_node(
            world,
            name,
            number,
            seed=number,
            quality=quality,
            priority1=number,
            port_options={"log_announce_interval": 0, "listen_first": False, "server_only": True, "unicast": options},
        )
        for number, (name, options) in enumerate((("gm1", limited), ("gm2", SERVER)), 1)
    ]
    table = UnicastOptions(servers=(UnicastServer("gm1"), UnicastServer("gm2")), multicast=False)
    nodes = [
        make_node(
            world,
            f"c{n}",
            100 + n,
            seed=100 + n,
            oscillator=OscillatorModel(1000.0 * n),
            client_only=True,
            port_options={
                "log_announce_interval": 0,
                "log_sync_interval": -4,
                "log_min_delay_req_interval": 0,
                "unicast": table,
            },
        )
        for n in range(clients)
    ]
    for index, node in enumerate((*servers, *nodes)):
        segment.attach(node, "p1/sim")
        node.start(0.01 * index)
    world.run(40)
    under = [instance_of(node).data.parent.protocol_address for node in nodes]
    assert under.count("gm1") == 30
    assert under.count("gm2") == clients - 30
    assert max(abs(node.error_ns()) for node in nodes) < 1_000
