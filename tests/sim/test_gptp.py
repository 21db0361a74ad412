"""IEEE 802.1AS through whole engines: a chain of relays in simulated time, where the true error is known."""

from __future__ import annotations

import json
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from ptpstack.clocks.oscillator import OscillatorModel
from ptpstack.engine.explain import explain
from ptpstack.engine.status import status
from ptpstack.engine.trace import RecordedEngine, replay
from ptpstack.engine.trace_file import open_for_writing
from ptpstack.protocol.options import GptpOptions
from ptpstack.sim.build import make_node
from ptpstack.sim.delays import PathDelay
from ptpstack.sim.network import Segment, SimNode
from ptpstack.sim.runner import run
from ptpstack.sim.scenario_file import load_scenario
from ptpstack.sim.world import World
from ptpstack.wire.types import ClockQuality
from tests.sim.test_networks import instance_of, states

INSTANCE: dict[str, Any] = {"bmca": "802.1AS", "sdo_id": 0x100, "path_trace": True}
PORT: dict[str, Any] = {
    "delay_mechanism": "P2P",
    "log_announce_interval": 0,
    "log_sync_interval": -3,
    "listen_first": False,
    "gptp": GptpOptions(),
}


def chain(world: World, relays: int, delay_ns: float = 500.0) -> list[SimNode]:
    """Grandmaster, relays whose oscillators are 50 ppm off and whose clocks are milliseconds off, an end."""
    gm = make_node(world, "gm", 1, quality=ClockQuality(6, 0x21, 0x4E5D), port_options=PORT, **INSTANCE)
    nodes = [gm]
    for n in range(1, relays + 2):
        last = n > relays
        node = make_node(
            world,
            f"n{n}",
            1 + n,
            1 if last else 2,
            seed=n,
            port_options=PORT,
            oscillator=OscillatorModel(50_000.0 * (-1) ** n),
            initial_error_ns=1e6 * n,
            client_only=last,
            **INSTANCE,
        )
        segment = Segment(world, default=PathDelay(delay_ns))
        segment.attach(nodes[-1], "p1/sim" if nodes[-1] is gm else "p2/sim")
        segment.attach(node, "p1/sim")
        nodes.append(node)
    for n, node in enumerate(nodes):
        node.start(0.1 * n)
    return nodes


@pytest.mark.parametrize("relays", [0, 1, 7])
def test_the_end_of_a_chain_is_right_within_seconds(relays: int) -> None:
    world = World()
    nodes = chain(world, relays)
    world.run(12 + relays)
    assert states(nodes[-1]) == ["SLAVE"]
    for node in nodes[1:]:
        assert abs(node.error_ns() - nodes[0].error_ns()) < 5
    for node in nodes[1:-1]:
        assert states(node) == ["SLAVE", "MASTER"]
    assert instance_of(nodes[-1]).data.current.steps_removed == relays + 1


def test_the_cumulative_rate_of_the_last_relay_is_that_of_its_own_oscillator() -> None:
    """The grandmaster's seconds in those of the free oscillator, whatever the relays before are."""
    world = World()
    nodes = chain(world, 3)
    world.run(30)
    for n, node in enumerate(nodes[1:-1], 1):
        instance = instance_of(node)
        heard = instance.relay.newest(instance.data.parent.parent_port_identity)
        assert heard is not None
        assert abs(heard.rate_ratio - 1 / (1 + 50e-6 * (-1) ** n)) < 3e-9


def test_a_neighbour_too_far_away_is_shown_and_explained() -> None:
    world = World()
    nodes = chain(world, 1, delay_ns=900.0)
    world.run(20)
    for node in nodes:
        assert set(states(node)) == {"LISTENING"}
        for port in status(node.engine, world.elapsed_ns)["instances"][0]["ports"]:
            assert port["gptp"]["as_capable"] is False
            assert port["gptp"]["decision"]["code"] == "not-as-capable-delay"
            assert "meanLinkDelay 900 ns is above 800 ns" in port["gptp"]["decision"]["reason"]
    (instance,) = explain(nodes[1].engine, world.elapsed_ns)["instances"]
    assert "not asCapable: meanLinkDelay 900 ns is above 800 ns" in instance["ports"][0]["remarks"][0]


def test_relays_take_the_better_grandmaster_and_the_old_one_back() -> None:
    world = World()
    nodes = chain(world, 2)
    world.run(15)
    nodes[0].stop()
    world.run(30)
    # nobody is left who is better: the relay next to where it was serves its own clock (the end may not)
    assert states(nodes[1])[1] == "MASTER"
    assert states(nodes[-1]) == ["SLAVE"]
    assert instance_of(nodes[-1]).data.parent.grandmaster_identity == instance_of(nodes[1]).clock_identity


def test_PRF_29_what_a_node_keeps_of_its_links_a_later_one_takes_up() -> None:
    world = World()
    _, end = chain(world, 0)
    world.run(10)
    kept = json.loads(json.dumps(end.engine.keep(world.elapsed_ns)))
    assert set(kept["clock"]["links"]) == {"instance/1"}
    world = World()
    _, end = chain(world, 0)
    world.run(0.15)
    aged = {name: {**entry, "age_s": 1.0} for name, entry in kept.items()}
    end.engine.resume(aged, world.elapsed_ns)
    assert abs(instance_of(end).ports[0].ds.mean_link_delay_sns / 65536 - 500) < 1
    damaged = {"clock": {**aged["clock"], "links": {"instance/1": {"neighbor": "nobody"}}}}
    effects = end.engine.resume(damaged, world.elapsed_ns)
    assert any("the link of instance/1 is not used" in str(effect) for effect in effects)


def test_static_roles_in_a_row() -> None:
    """Automotive: nobody announces, every link is called capable, and each port does what it was told."""
    world = World()
    port = {**PORT, "announce": False, "gptp": GptpOptions(as_capable="assumed", capable_messages=False)}
    roles = (("master",), ("slave", "master"), ("slave", "master"), ("slave",))
    nodes = [
        make_node(
            world,
            f"n{n}",
            1 + n,
            len(desired),
            seed=n,
            port_options=port,
            port_each=[{"desired_state": state} for state in desired],
            oscillator=OscillatorModel(40_000.0 * (-1) ** n),
            initial_error_ns=2e6 * n,
            **{**INSTANCE, "bmca": "external", "path_trace": False},
        )
        for n, desired in enumerate(roles)
    ]
    for n, (left, right) in enumerate(pairwise(nodes)):
        segment = Segment(world, default=PathDelay(500))
        segment.attach(left, "p1/sim" if n == 0 else "p2/sim")
        segment.attach(right, "p1/sim")
    for n, each in enumerate(nodes):
        each.start(0.05 * n)
    world.run(10)
    assert [states(each) for each in nodes] == [["MASTER"], ["SLAVE", "MASTER"], ["SLAVE", "MASTER"], ["SLAVE"]]
    for each in nodes[1:]:
        assert abs(each.error_ns() - nodes[0].error_ns()) < 20
        assert instance_of(each).ports[0].counters["rx-announce"] == 0


def test_what_a_relay_does_can_be_replayed(tmp_path: Path) -> None:
    world = World()
    path = tmp_path / "relay.trace"
    nodes = chain(world, 1)
    relay = nodes[1]
    recorded = RecordedEngine(relay.engine.plan, open_for_writing(str(path)))
    relay.engine = recorded
    world.run(20)
    recorded.close_trace(world.elapsed_ns)
    assert states(relay) == ["SLAVE", "MASTER"]
    result = replay(str(path))
    assert result.identical, result.divergence
    assert result.inputs > 500


@pytest.mark.slow
def test_the_chain_that_ships_keeps_its_limits() -> None:
    scenario = load_scenario("gptp-chain")
    outcome = run(scenario, 1, keep_series=False)
    for expected in scenario.expect:
        assert expected.must is not None
        assert outcome.figures[expected.figure] <= expected.must, expected.figure
