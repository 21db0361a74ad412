"""Grandmasters that start together: each has a reference and an instance on one clock from the first second."""

from __future__ import annotations

import random
from collections.abc import Callable

import pytest

from ptpstack.clocks.oscillator import OscillatorModel
from ptpstack.engine.plan import ReferencePlan
from ptpstack.servo.options import ServoOptions
from ptpstack.sim.build import make_node
from ptpstack.sim.delays import Noise, PathDelay
from ptpstack.sim.network import Segment, SimNode
from ptpstack.sim.world import World

#: 8 Syncs a second: an instance is past its probation before the reference has shown what it is worth
PORT = {
    "listen_first": False,
    "log_sync_interval": -3,
    "log_min_delay_req_interval": -3,
    "log_announce_interval": -2,
}


def two_grandmasters(seed: int, mean_ns: float) -> tuple[World, SimNode, SimNode]:
    """The first of them 2 us off at the start, the second 0.5 us; the wire between them is a soft one."""
    world = World()
    segment = Segment(world, default=PathDelay(30_000, noise=(Noise("gamma", mean_ns=mean_ns, shape=2.0),), seed=seed))
    nodes = []
    for number, (name, ppb, error_ns) in enumerate((("a", 5.0, 1_900.0), ("b", 3.0, 500.0)), 1):
        node = make_node(
            world,
            name,
            number,
            seed=seed + number,
            oscillator=OscillatorModel(ppb, wander_ppb=0.01),
            initial_error_ns=error_ns,
            priority2=10 * number,
            reference=ReferencePlan("clock", "measured", servo=ServoOptions(lock_threshold_ns=1_200.0)),
            port_options=PORT,
        )
        node.reference_error = readings(seed * 7 + number)
        segment.attach(node, "p1/sim")
        node.start(0.05 * number)
        nodes.append(node)
    return world, nodes[0], nodes[1]


def readings(seed: int) -> Callable[[], tuple[float, float]]:
    """Noise of 20 ns, a bound of 60 ns."""
    rng = random.Random(seed)
    return lambda: (rng.gauss(0.0, 20.0), 60.0)


@pytest.mark.parametrize("mean_ns", [3_000.0, 30_000.0])
@pytest.mark.parametrize("seed", range(6))
def test_a_reference_goes_its_own_way_after_sharing_the_start_with_an_instance(seed: int, mean_ns: float) -> None:
    """What the instance believed of the other grandmaster, which was slewing then, must not bend the reference."""
    world, first, second = two_grandmasters(seed, mean_ns)
    world.run(15)
    worst = [0.0, 0.0]
    for tick in range(151, 900):
        world.run(tick / 10)
        worst = [max(old, abs(node.error_ns())) for old, node in zip(worst, (first, second), strict=True)]
    assert max(worst) < 100.0
    steered = [
        event.data["decision"]["reason"].split(" steers")[0] for _, event in second.events if event.kind == "steering"
    ]
    assert steered[:3] == ["reference of clock", "instance", "reference of clock"]
