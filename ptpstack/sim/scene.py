"""A scenario made alive: nodes on segments in a world, and everything that will happen to them.

Seeds: whatever is random has a generator of its own, named by the scenario's seed and by what it is for, so that one
node, path or noise more or less leaves the others as they were.
"""

from __future__ import annotations

import random
import zlib
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from ptpstack.engine.plan import ReferencePlan
from ptpstack.protocol.options import GptpOptions, UnicastOptions, UnicastServer
from ptpstack.servo.options import ServoOptions
from ptpstack.sim.build import make_node
from ptpstack.sim.delays import PathDelay
from ptpstack.sim.network import Segment, SimNode
from ptpstack.sim.one_step import OneStepNic
from ptpstack.sim.scenario import EventSpec, LinkSpec, NodeSpec, PathSpec, Readings, Scenario
from ptpstack.sim.world import World
from ptpstack.wire.types import ClockQuality

CLASS_LOCKED = 6
#: offsetScaledLogVariance that good grandmasters announce
GOOD_VARIANCE = 0x4E5D


def seed_for(seed: int, what: str) -> int:
    """A seed of its own for ``what`` in the run ``seed``; the same on every machine."""
    return (seed << 32) | zlib.crc32(what.encode())


@dataclass(slots=True)
class Scene:
    scenario: Scenario
    seed: int
    world: World
    nodes: dict[str, SimNode]
    segments: dict[str, Segment]
    #: what has happened so far: (elapsed s, sentence)
    happened: list[tuple[float, str]]

    @property
    def measured(self) -> SimNode:
        return self.nodes[self.scenario.measured]


def build(scenario: Scenario, seed: int, servo: str | None = None) -> Scene:
    """``servo``: the type for every node that follows; None is the engine's (or the file's) own."""
    world = World()
    scene = Scene(scenario, seed, world, {}, {}, [])
    links_of = {node.name: [link for link in scenario.links if node.name in link.nodes] for node in scenario.nodes}
    for number, spec in enumerate(scenario.nodes, 1):
        unicast = _unicast(scenario, spec, links_of[spec.name])
        scene.nodes[spec.name] = _node(scene, spec, number, len(links_of[spec.name]), servo, unicast)
    for link in scenario.links:
        segment = scene.segments[link.name] = Segment(world, link.name)
        for name in link.nodes:
            segment.attach(scene.nodes[name], f"p{1 + links_of[name].index(link)}/sim")
        for sender in link.nodes:
            for receiver in link.nodes:
                if sender != receiver:
                    path = link.forward if sender == link.nodes[0] else link.reverse
                    key = f"{link.name}/{sender}/{receiver}"
                    segment.paths[(sender, receiver)] = _path(path, f"{seed}/{key}")
    for event in scenario.events:
        _schedule(scene, event, event.at_s)
    for spec in scenario.nodes:
        scene.nodes[spec.name].start(spec.start_s)
    return scene


#: who asks whom for unicast service
_SERVED_BY = {"ordinary": ("grandmaster", "boundary"), "boundary": ("grandmaster",)}


def _unicast(scenario: Scenario, spec: NodeSpec, links: list[LinkSpec]) -> UnicastOptions:
    """A node is known to others by its name: that is its address, too."""
    if not scenario.unicast:
        return UnicastOptions()
    near = {name for link in links for name in link.nodes} - {spec.name}
    roles = _SERVED_BY.get(spec.role, ())
    servers = tuple(UnicastServer(n.name) for n in scenario.nodes if n.name in near and n.role in roles)
    return UnicastOptions(spec.role != "ordinary", servers, multicast=False, negotiation_required=True)


def _node(scene: Scene, spec: NodeSpec, number: int, ports: int, servo: str | None, unicast: UnicastOptions) -> SimNode:
    scenario = scene.scenario
    options = replace(scenario.servo, **spec.servo)
    if servo is not None:
        options = replace(options, type=servo)
    port: dict[str, object] = {
        "log_sync_interval": scenario.log_sync_interval,
        "log_min_delay_req_interval": scenario.log_delay_req_interval,
        "log_announce_interval": scenario.log_announce_interval,
        "announce_receipt_timeout": scenario.announce_receipt_timeout,
        "delay_mechanism": scenario.delay_mechanism,
        "unicast": unicast,
        **spec.port,
    }
    instance: dict[str, Any] = {"domain": scenario.domain, "sdo_id": scenario.sdo_id}
    if scenario.gptp:
        port |= {"delay_mechanism": "P2P", "listen_first": False, "gptp": GptpOptions()}
        instance |= {"bmca": "802.1AS", "sdo_id": 0x100, "path_trace": True}
    if spec.role == "grandmaster":
        port["listen_first"] = False
        instance["quality"] = ClockQuality(CLASS_LOCKED, spec.clock_accuracy, GOOD_VARIANCE)
    elif spec.role == "ordinary":
        instance["client_only"] = True
    if spec.role != "ordinary":
        instance |= {"priority1": spec.priority1, "priority2": spec.priority2}
    node = make_node(
        scene.world,
        spec.name,
        number,
        ports,
        seed=seed_for(scene.seed, spec.name),
        oscillator=spec.oscillator,
        temperature_sensor=spec.temperature_sensor,
        initial_error_ns=spec.initial_error_ns,
        servo=options,
        reference=_reference(spec, options),
        port_options=port,
        grain_ns=spec.grain_ns,
        stamp_noise_ns=spec.stamp_noise_ns,
        max_adjustment_ppb=spec.max_adjustment_ppb,
        **instance,
    )
    if scenario.one_step:
        node.one_step = {f"p{n}/sim": OneStepNic(pdelay=True) for n in range(1, ports + 1)}
    if spec.readings is not None:
        node.reference_error = _burst(spec.readings, f"{scene.seed}/{spec.name}")
    return node


def _reference(spec: NodeSpec, servo: ServoOptions) -> ReferencePlan | None:
    if spec.readings is None:
        return None
    return ReferencePlan(
        "clock",
        type="measured",
        accuracy=spec.clock_accuracy,
        variance=GOOD_VARIANCE,
        log_interval=spec.readings.log_interval,
        servo=servo,
    )


def _burst(readings: Readings, name: str) -> Callable[[], tuple[float, float]]:
    """One burst of readings: (error, bound) in ns."""
    noise, window = random.Random(f"readings/{name}/noise"), random.Random(f"readings/{name}/window")

    def read() -> tuple[float, float]:
        burst = [
            (readings.window_ns + window.random() * readings.window_jitter_ns, noise.gauss(0.0, readings.noise_ns))
            for _ in range(readings.count)
        ]
        shortest, error = min(burst)
        if readings.pick == "mean":
            error = sum(e for _, e in burst) / len(burst)
        return error, shortest / 2.0

    return read


def _path(spec: PathSpec, seed: str) -> PathDelay:
    return PathDelay(
        spec.base_ns,
        loss=spec.loss,
        late_share=spec.late_share,
        late_ns=spec.late_ns,
        noise=spec.noise,
        spells=spec.spells,
        seed=seed,
    )


# ---- what happens ---------------------------------------------------------------------------------------------------


def _schedule(scene: Scene, event: EventSpec, at_s: float) -> None:
    def happen() -> None:
        undo = _do(scene, event)
        scene.happened.append((at_s, event.sentence()))
        if event.for_s and undo is not None:
            scene.world.after_start(at_s + event.for_s, undo)
        if event.every_s:
            _schedule(scene, event, at_s + event.every_s)

    scene.world.after_start(at_s, happen)


def _do(scene: Scene, event: EventSpec) -> Callable[[], None] | None:
    """Let it happen; what undoes it."""
    if event.link:
        paths = _directions(scene, event)
        if event.kind == "path":
            return _change(paths, lambda p, sign: _move(p, sign * event.change_ns))
        if event.kind == "noise":
            return _change(paths, lambda p, sign: _scale(p, event.factor**sign))
        before = {id(p): (p.loss, p.cut) for p in paths}

        def restore() -> None:
            for path in paths:
                path.loss, path.cut = before[id(path)]

        for path in paths:
            if event.kind == "loss":
                path.loss = event.share
            else:
                path.cut = True
        return restore
    node = scene.nodes[event.node]
    clock = node.clocks["clock"]
    if event.kind == "silent":
        return _silence(scene, event.node)
    if event.kind == "restart":
        node.stop()
        return node.restart
    if event.kind == "wander":
        clock.change_oscillator(wander_ppb=event.wander_ppb)
        return None
    if event.kind == "jump":
        clock.change_oscillator(jump_ppb=event.jump_ppb)
        return lambda: clock.change_oscillator(jump_ppb=-event.jump_ppb)
    clock.step(round(event.step_ns * 65536))
    return None


def _directions(scene: Scene, event: EventSpec) -> list[PathDelay]:
    link: LinkSpec = next(one for one in scene.scenario.links if one.name == event.link)
    first = link.nodes[0]
    return [
        path
        for (sender, _), path in scene.segments[link.name].paths.items()
        if event.direction == "both" or (event.direction == "forward") == (sender == first)
    ]


def _change(paths: list[PathDelay], change: Callable[[PathDelay, int], None]) -> Callable[[], None]:
    for path in paths:
        change(path, 1)

    def undo() -> None:
        for path in paths:
            change(path, -1)

    return undo


def _move(path: PathDelay, change_ns: float) -> None:
    path.base_ns += change_ns


def _scale(path: PathDelay, factor: float) -> None:
    path.noise_factor *= factor


def _silence(scene: Scene, name: str) -> Callable[[], None]:
    """Nothing that this node sends or is sent gets through; it runs on."""
    paths = [
        path
        for segment in scene.segments.values()
        for pair, path in segment.paths.items()
        if name in pair and not path.cut
    ]
    for path in paths:
        path.cut = True

    def undo() -> None:
        for path in paths:
            path.cut = False

    return undo
