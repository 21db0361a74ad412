"""Scenarios whose results are known from other programs: before a simulator is believed, it must give the same figures.

Common definition: the grandmaster's clock is perfect and serves from t = 0 with its Syncs at whole seconds. The client
starts at t = 5 s, 10 ms ahead and 50 ppm fast, with random-walk FM (``wander_ppb``: each second the frequency takes a
normal step of that sigma). Every packet takes ``base_ns`` plus an exponential part. E2E, two-step. The true error is
sampled at whole seconds, where the Syncs are: half way between two it is another figure.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field

from ptpstack.clocks.oscillator import OscillatorModel
from ptpstack.servo.options import ServoOptions
from ptpstack.sim.build import make_node
from ptpstack.sim.delays import PathDelay
from ptpstack.sim.network import Segment, SimNode
from ptpstack.sim.world import World
from ptpstack.wire.types import ClockQuality

CLIENT_STARTS_S = 5.0
CLIENT_ERROR_NS = 10_000_000
CLIENT_FREQUENCY_PPB = 50_000.0
BEST = ClockQuality(6, 0x21, 0x4E5D)


@dataclass(frozen=True, slots=True)
class Anchor:
    """One scenario. ``ptp4l_rms_ns``: what ptp4l 4.4 with its PI servo gives, measured by an independent simulator."""

    name: str
    wander_ppb: float
    log_interval: int
    length_s: int
    stats_from_s: int
    ptp4l_rms_ns: float
    base_ns: float = 1_000.0
    jitter_ns: float = 10.0
    servo: ServoOptions = field(default_factory=lambda: ServoOptions(type="pi", gains="hardware"))


_SOFTWARE = ServoOptions(type="pi", gains="linuxptp-software")

ANCHORS: dict[str, Anchor] = {
    anchor.name: anchor
    for anchor in (
        Anchor("a1", 1.0, 0, 4000, 1000, 10.9),
        Anchor("a2", 10.0, 0, 4000, 1000, 18.8),
        Anchor("a3", 1.0, -4, 2000, 500, 3.5),
        Anchor("b1", 10.0, 0, 4000, 1000, 2_790.0, 50_000.0, 10_000.0, _SOFTWARE),
    )
}


@dataclass(frozen=True, slots=True)
class Outcome:
    """True error of the client at whole seconds, ns: from ``stats_from_s`` to the end."""

    rms_ns: float
    mean_ns: float
    max_ns: float
    samples: int


@dataclass(slots=True)
class Scene:
    """A scenario that is ready to run: change paths, stop nodes, then ``world.run``."""

    world: World
    segment: Segment
    grandmaster: SimNode
    client: SimNode


def build(anchor: Anchor, seed: int) -> Scene:
    world = World()
    segment = Segment(world)
    interval = anchor.log_interval
    port = {"log_sync_interval": interval, "log_min_delay_req_interval": interval}
    grandmaster = make_node(world, "gm", 1, quality=BEST, port_options={**port, "listen_first": False}, grain_ns=1)
    client = make_node(
        world,
        "client",
        2,
        seed=seed,
        oscillator=OscillatorModel(CLIENT_FREQUENCY_PPB, wander_ppb=anchor.wander_ppb),
        initial_error_ns=CLIENT_ERROR_NS,
        servo=anchor.servo,
        port_options=port,
        grain_ns=1,
        client_only=True,
    )
    for number, (sender, receiver) in enumerate(((grandmaster, client), (client, grandmaster))):
        segment.attach(sender, "p1/sim")
        path = PathDelay(anchor.base_ns, jitter_ns=anchor.jitter_ns, seed=2 * seed + number)
        segment.paths[(sender.name, receiver.name)] = path
    grandmaster.start()
    client.start(CLIENT_STARTS_S)
    return Scene(world, segment, grandmaster, client)


def sample_each_second(world: World, length_s: int, read: Callable[[], float]) -> list[float]:
    """Run the world; ``read`` at every whole second."""
    samples = []
    for second in range(1, length_s + 1):
        world.run(second)
        samples.append(read())
    return samples


def outcome(samples: list[float]) -> Outcome:
    count = len(samples)
    return Outcome(
        math.sqrt(sum(x * x for x in samples) / count),
        sum(samples) / count,
        max(abs(x) for x in samples),
        count,
    )


def run(anchor: Anchor, seed: int) -> Outcome:
    """One seed of a scenario, a few seconds of computing."""
    scene = build(anchor, seed)
    samples = sample_each_second(scene.world, anchor.length_s, scene.client.error_ns)
    return outcome(samples[anchor.stats_from_s :])
