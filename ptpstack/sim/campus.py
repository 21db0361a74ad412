"""A campus in simulated time: some hundreds of nodes, as large hospitals and universities have them.

Three grandmasters and the core switches share one segment; every core switch has its edge switches, every edge switch
its clients, each on a wire of its own. Core and edge switches are boundary clocks, clients ordinary clocks with TCXOs.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass

from ptpstack.clocks.oscillator import OscillatorModel
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


def build_campus(nodes: int = 500, seed: int = 1) -> Campus:
    """``nodes`` in all; ValueError when that leaves no client for each edge switch."""
    count = nodes - GRANDMASTERS - CORES - EDGES
    if count < EDGES:
        raise ValueError(f"{nodes} nodes leave {count} clients for {EDGES} edge switches: use {2 * EDGES + 6} or more")
    world = World()
    numbers = itertools.count(1)
    clients_of = [count // EDGES + (n < count % EDGES) for n in range(EDGES)]
    edges_of = [EDGES // CORES + (n < EDGES % CORES) for n in range(CORES)]
    quality = ClockQuality(CLASS_LOCKED, 0x21, GOOD_VARIANCE)
    grandmasters = [
        make_node(world, f"gm{n}", next(numbers), priority2=n, quality=quality, port_options={"listen_first": n > 1})
        for n in range(1, GRANDMASTERS + 1)
    ]

    def switch(name: str, ports: int) -> SimNode:
        oscillator = OscillatorModel.preset("ocxo")
        return make_node(world, name, next(numbers), ports, seed=seed_for(seed, name), oscillator=oscillator)

    cores = [switch(f"core{n}", 1 + edges) for n, edges in enumerate(edges_of, 1)]
    edges = [switch(f"edge{n}", 1 + clients) for n, clients in enumerate(clients_of, 1)]
    clients = [
        make_node(
            world,
            name := f"client{n}",
            next(numbers),
            seed=seed_for(seed, name),
            oscillator=OscillatorModel.preset("tcxo"),
            initial_error_ns=1e6,
            client_only=True,
        )
        for n in range(1, count + 1)
    ]
    core = Segment(world, "core", default=PathDelay(2_000, jitter_ns=50, seed=f"{seed}/core"))
    for node in (*grandmasters, *cores):
        core.attach(node, "p1/sim")
    _wire(world, seed, cores, edges, edges_of)
    _wire(world, seed, edges, clients, clients_of)
    for rank, layer in enumerate((grandmasters, cores, edges, clients)):
        for n, node in enumerate(layer):
            node.start(rank * _SPREAD_S + _SPREAD_S * n / len(layer))
    return Campus(world, grandmasters, cores, edges, clients)


def _wire(world: World, seed: int, uppers: list[SimNode], lowers: list[SimNode], counts: list[int]) -> None:
    """Each upper's ports from the second on, one wire to each of its lowers."""
    below = iter(lowers)
    for upper, count in zip(uppers, counts, strict=True):
        for port in range(2, count + 2):
            lower = next(below)
            name = f"{upper.name}-{lower.name}"
            wire = Segment(world, name, default=PathDelay(1_000, jitter_ns=20, seed=f"{seed}/{name}"))
            wire.attach(upper, f"p{port}/sim")
            wire.attach(lower, "p1/sim")
