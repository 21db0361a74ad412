"""Alternate master (17.3): who announces himself as the next, and how many do."""

from __future__ import annotations

import pytest

from ptpstack.clocks.oscillator import OscillatorModel
from ptpstack.sim.build import make_node
from ptpstack.sim.delays import PathDelay
from ptpstack.sim.network import Segment
from ptpstack.sim.world import World
from ptpstack.wire.codec import decode
from ptpstack.wire.messages import Announce, Sync
from ptpstack.wire.types import ClockQuality, Flag
from tests.protocol.bench import GRANDMASTER, Bench, Peer, identity
from tests.sim.test_networks import instance_of, states


@pytest.mark.parametrize(("number", "announcing"), [(0, []), (1, [2]), (2, [2, 3]), (5, [2, 3, 4])])
def test_SEC_15_of_four_grandmasters_the_next_ones_announce_themselves_up_to_the_number(
    number: int, announcing: list[int]
) -> None:
    world = World()
    segment = Segment(world, default=PathDelay(1_000))
    port = {"log_announce_interval": 0, "alternate_masters": number}
    nodes = [make_node(world, f"gm{n}", n, quality=GRANDMASTER, priority2=n, port_options=port) for n in (1, 2, 3, 4)]
    client = make_node(world, "client", 9, client_only=True, oscillator=OscillatorModel(), port_options=port)
    for n, node in enumerate((*nodes, client)):
        segment.attach(node, "p1/sim")
        node.start(0.01 + 0.1 * n)
    world.run(30)
    heard: dict[str, set[bool]] = {}

    def tap(elapsed: int, sender: str, octets: bytes) -> None:
        message = decode(octets)
        if isinstance(message, (Announce, Sync)):
            heard.setdefault(sender, set()).add(bool(message.flags & Flag.ALTERNATE_MASTER))
            assert isinstance(message, Announce) or sender == "gm1"

    segment.tap = tap
    world.run(60)
    assert heard == {"gm1": {False}, **{f"gm{n}": {True} for n in announcing}}
    # nobody takes them for masters
    assert [states(node)[0] for node in nodes] == ["MASTER", "PASSIVE", "PASSIVE", "PASSIVE"]
    assert instance_of(client).data.parent.grandmaster_identity == nodes[0].engine.instances["instance"].clock_identity


def alternates(bench: Bench) -> list[Announce]:
    return [m for m in bench.sent(Announce) if m.flags & Flag.ALTERNATE_MASTER]


def passive() -> tuple[Bench, Peer]:
    bench = Bench(quality=ClockQuality(7, 0x21, 0x4E5D), port={"alternate_masters": 1})
    master = Peer(1, quality=GRANDMASTER)
    bench.hear(master)
    bench.run(20)
    assert bench.states() == ["PASSIVE"]
    return bench, master


def test_an_alternate_master_announces_itself_and_a_better_one_silences_it_until_it_is_gone() -> None:
    bench, _ = passive()
    assert alternates(bench)[-1].grandmaster == identity(0x50)
    better = Peer(2, quality=GRANDMASTER, flags=Flag.ALTERNATE_MASTER | Flag.PTP_TIMESCALE)
    bench.hear(better)
    bench.run(3)
    bench.clear()
    bench.run(20)
    assert alternates(bench) == []
    bench.silence(better)
    bench.run(20)
    assert alternates(bench)


def test_a_worse_one_does_not_silence_it_and_a_master_is_none() -> None:
    bench, master = passive()
    bench.hear(Peer(2, priority1=200, flags=Flag.ALTERNATE_MASTER))
    bench.clear()
    bench.run(10)
    assert len(alternates(bench)) >= 4
    bench.silence(master)
    bench.run(20)
    assert bench.states() == ["MASTER"]
    bench.clear()
    bench.run(10)
    assert alternates(bench) == []
    assert bench.sent(Announce)


def test_invented_alternate_masters_are_remembered_up_to_a_limit() -> None:
    bench, _ = passive()
    for n in range(1000, 1200):
        bench.receive(Peer(n, flags=Flag.ALTERNATE_MASTER).announce())
    part = next(p for p in bench.port()._parts if hasattr(p, "_heard"))
    assert len(part._heard) == 32  # type: ignore[attr-defined]
