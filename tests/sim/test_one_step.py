"""One-step transmission through whole engines: the NIC completes the frames, the true error is known."""

from __future__ import annotations

import statistics
from pathlib import Path
from typing import Any

import pytest

from ptpstack.engine.trace import RecordedEngine, replay
from ptpstack.protocol.effects import ONE_STEP
from ptpstack.sim.build import make_node
from ptpstack.sim.delays import PathDelay
from ptpstack.sim.network import Segment, SimNode
from ptpstack.sim.one_step import OneStepNic
from ptpstack.sim.world import World
from ptpstack.wire.codec import decode
from ptpstack.wire.messages import FollowUp, Message, PdelayResp, PdelayRespFollowUp, Sync
from ptpstack.wire.types import ClockQuality, Flag


def run(mechanism: str, *, one_step: bool, pdelay: bool = True) -> tuple[list[float], list[Message], SimNode]:
    """(true errors of the client after it has settled, all frames, the grandmaster)."""
    world = World()
    segment = Segment(world, default=PathDelay(1000))
    frames: list[Message] = []
    segment.tap = lambda elapsed, sender, octets: frames.append(decode(octets))
    port = {"delay_mechanism": mechanism, "listen_first": False}
    each: list[tuple[str, dict[str, Any]]] = [
        ("gm", {"quality": ClockQuality(6, 0x21, 0x4E5D)}),
        ("oc", {"client_only": True, "initial_error_ns": 5e6}),
    ]
    nodes = []
    for number, (name, options) in enumerate(each, 1):
        node = make_node(world, name, number, port_options=port, **options)
        if one_step:
            node.one_step = {"p1/sim": OneStepNic(pdelay=pdelay)}
        segment.attach(node, "p1/sim")
        node.start(0.1 * number)
        nodes.append(node)
    errors = []
    for second in range(30, 90):
        world.run(second)
        errors.append(nodes[1].error_ns())
    return errors, frames, nodes[0]


@pytest.mark.parametrize("mechanism", ["E2E", "P2P"])
def test_MSG_02_one_step_measures_what_two_step_measures(mechanism: str) -> None:
    one, frames, gm = run(mechanism, one_step=True)
    two, _, _ = run(mechanism, one_step=False)
    # the clocks' grain is 1 ns
    assert max(map(abs, one)) < 3
    assert statistics.fmean(one) == pytest.approx(statistics.fmean(two), abs=1)
    kinds = [type(frame) for frame in frames]
    assert kinds.count(Sync) > 80
    assert FollowUp not in kinds
    assert PdelayRespFollowUp not in kinds
    assert not any(frame.flags & Flag.TWO_STEP for frame in frames)
    assert all(frame.origin_ns > 0 for frame in frames if isinstance(frame, Sync))
    assert (PdelayResp in kinds) is (mechanism == "P2P")
    assert gm.engine.instances["instance"].ports[0].counters["tx-follow_up"] == 0


def test_a_nic_for_sync_alone_leaves_pdelay_resp_two_step() -> None:
    errors, frames, _ = run("P2P", one_step=True, pdelay=False)
    assert max(map(abs, errors)) < 3
    kinds = [type(frame) for frame in frames]
    assert FollowUp not in kinds
    assert kinds.count(PdelayRespFollowUp) == kinds.count(PdelayResp) > 0


def test_a_recorded_one_step_grandmaster_is_replayed(tmp_path: Path) -> None:
    path = tmp_path / "trace"
    world = World()
    node = make_node(world, "gm", 1, port_options={"listen_first": False}, quality=ClockQuality(6, 0x21, 0x4E5D))
    with path.open("w") as stream:
        node.engine = recorded = RecordedEngine(node.engine.plan, stream)
        node.one_step = {"p1/sim": OneStepNic(pdelay=False)}
        node.start(0.1)
        world.run(10)
        recorded.close_trace(world.elapsed_ns)
    assert recorded.instances["instance"].ports[0].counters["tx-sync"] > 5
    result = replay(str(path))
    assert result.identical, result.divergence
    assert ONE_STEP < 0, "no token of an engine is"
