"""A campus in simulated time: some hundreds of nodes, as large hospitals and universities have them.

Three grandmasters and the core switches share one segment; every core switch has its edge switches, every edge switch
its clients, each on a wire of its own. Core and edge switches are boundary clocks, clients ordinary clocks with TCXOs.

What is below a switch never changes what is above it: a boundary clock answers Delay_Req and remembers nothing of it.

**Worlds.** So every edge switch and every client has a world of its own, below that of what it follows (``world``).

**Parts.** And so the edge switches with their clients can be shared out among processes, each of which has the
grandmasters and the core to itself; every node does exactly what it does in the whole.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass

from ptpstack.clocks.oscillator import OscillatorModel
from ptpstack.servo.options import ServoOptions
from ptpstack.sim.build import make_node
from ptpstack.sim.delays import PathDelay
from ptpstack.sim.network import Segment, SimNode
from ptpstack.sim.scene import CLASS_LOCKED, GOOD_VARIANCE, seed_for
from ptpstack.sim.world import World
from ptpstack.wire.types import ClockQuality

GRANDMASTERS = 3
CORES = 3
EDGES = 24
#: Switches that serve are on before the clients are; a building is not switched on in one second either.
_SPREAD_S = 5.0


@dataclass(slots=True)
class Campus:
    world: World
    grandmasters: list[SimNode]
    cores: list[SimNode]
    edges: list[SimNode]
    clients: list[SimNode]

    @property
    def nodes(self) -> list[SimNode]:
        return [*self.grandmasters, *self.cores, *self.edges, *self.clients]


def build_campus(
    nodes: int = 500, seed: int = 1, *, servo: ServoOptions | None = None, part: int = 0, parts: int = 1
) -> Campus:
    """``nodes`` in all; of ``parts`` the one with the edge switches ``part``, ``part + parts``...

    ValueError when ``nodes`` leaves no client for each edge switch, or there is no such part.
    """
    count = nodes - GRANDMASTERS - CORES - EDGES
    if count < EDGES:
        raise ValueError(f"{nodes} nodes leave {count} clients for {EDGES} edge switches: use {2 * EDGES + 6} or more")
    if not 0 <= part < parts <= EDGES:
        raise ValueError(f"there is no part {part} of {parts}; {EDGES} edge switches make up to {EDGES} parts")
    world = World()
    quality = ClockQuality(CLASS_LOCKED, 0x21, GOOD_VARIANCE)
    campus = Campus(world, [], [], [], [])
    numbers = itertools.count(1)

    def ready(layer: list[SimNode], node: SimNode, rank: int, index: int, of: int) -> SimNode:
        layer.append(node)
        node.start(rank * _SPREAD_S + _SPREAD_S * index / of)
        return node

    def switch(home: World, layer: list[SimNode], name: str, ports: int, rank: int, index: int, of: int) -> SimNode:
        oscillator = OscillatorModel.preset("ocxo")
        node = make_node(
            home, name, next(numbers), ports, seed=seed_for(seed, name), oscillator=oscillator, servo=servo
        )
        return ready(layer, node, rank, index, of)

    core = Segment(world, "core")
    for n in range(GRANDMASTERS):
        options = {"listen_first": n > 0}
        node = make_node(world, f"gm{n + 1}", next(numbers), priority2=n + 1, quality=quality, port_options=options)
        core.attach(ready(campus.grandmasters, node, 0, n, GRANDMASTERS), "p1/sim")
    for n in range(CORES):
        node = switch(world, campus.cores, f"core{n + 1}", 1 + len(range(n, EDGES, CORES)), 1, n, CORES)
        core.attach(node, "p1/sim")
    for sender, receiver in itertools.permutations((*campus.grandmasters, *campus.cores), 2):
        pair = (sender.name, receiver.name)
        core.paths[pair] = PathDelay(2_000, jitter_ns=50, seed=f"{seed}/core/{pair}")
    first = 0
    for n in range(EDGES):
        below = count // EDGES + (n < count % EDGES)
        # the numbers of nodes do not depend on who is here
        numbers = itertools.count(1 + GRANDMASTERS + CORES + n + first)
        if n % parts == part:
            edge = switch(World(above=world), campus.edges, f"edge{n + 1}", 1 + below, 2, n, EDGES)
            _wire(seed, campus.cores[n % CORES], 2 + n // CORES, edge)
            for k in range(below):
                name = f"client{first + k + 1}"
                client = make_node(
                    World(above=edge.world),
                    name,
                    next(numbers),
                    seed=seed_for(seed, name),
                    oscillator=OscillatorModel.preset("tcxo"),
                    initial_error_ns=1e6,
                    servo=servo,
                    client_only=True,
                )
                _wire(seed, edge, 2 + k, ready(campus.clients, client, 3, first + k, count))
        first += below
    return campus


def _wire(seed: int, upper: SimNode, port: int, lower: SimNode) -> None:
    """A wire from a port of ``upper`` to the first of ``lower``."""
    name = f"{upper.name}-{lower.name}"
    wire = Segment(lower.world, name)
    for sender, receiver in ((upper, lower), (lower, upper)):
        path = PathDelay(1_000, jitter_ns=20, seed=f"{seed}/{sender.name}/{receiver.name}")
        wire.paths[(sender.name, receiver.name)] = path
    wire.attach(upper, f"p{port}/sim")
    wire.attach(lower, "p1/sim")
