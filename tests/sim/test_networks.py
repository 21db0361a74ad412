"""Whole networks in simulated time: failover among grandmasters, chains of boundary clocks, true error throughout."""

from __future__ import annotations

import itertools

import pytest

from ptpstack.clocks.oscillator import OscillatorModel
from ptpstack.engine.plan import ReferencePlan
from ptpstack.protocol.effects import PEER_DELAY
from ptpstack.protocol.instance import Instance
from ptpstack.sim.build import identity, make_node
from ptpstack.sim.delays import PathDelay
from ptpstack.sim.network import Segment, SimNode
from ptpstack.sim.world import World
from ptpstack.wire.codec import decode
from ptpstack.wire.messages import Announce, FollowUp
from ptpstack.wire.types import ClockQuality

BEST = ClockQuality(6, 0x21, 0x4E5D)
S = 1_000_000_000


def instance_of(node: SimNode) -> Instance:
    return node.engine.instances["instance"]


def states(node: SimNode) -> list[str]:
    return [p.state.name for p in instance_of(node).ports]


def grandmaster_of(node: SimNode) -> bytes:
    return instance_of(node).data.parent.grandmaster_identity


# ----------------------------------------------------------------------------------------------------- failover


def three_grandmasters(seed: int, log_announce: int) -> tuple[World, list[SimNode], SimNode]:
    world = World()
    segment = Segment(world, default=PathDelay(1_000, jitter_ns=20, seed=seed))
    port = {"log_announce_interval": log_announce}
    masters = [
        make_node(world, f"gm{n}", n, seed=seed * 10 + n, quality=BEST, priority2=n, port_options=port)
        for n in (1, 2, 3)
    ]
    client = make_node(
        world,
        "client",
        9,
        seed=seed,
        oscillator=OscillatorModel(12_000.0, wander_ppb=0.5),
        client_only=True,
        port_options=port,
    )
    for node in (*masters, client):
        segment.attach(node, "p1/sim")
    for n, node in enumerate((*masters, client)):
        node.start(0.01 + 0.37 * n)
    return world, masters, client


@pytest.mark.parametrize("seed", range(1, 7))
@pytest.mark.parametrize("log_announce", [0, 1])
def test_a_lost_grandmaster_is_replaced_within_the_timeout_and_one_interval(seed: int, log_announce: int) -> None:
    """Three grandmasters; the best dies, then the next: each time the client follows another in good time."""
    world, masters, client = three_grandmasters(seed, log_announce)
    interval = 2**log_announce
    world.run(120)
    assert [states(m)[0] for m in masters] == ["MASTER", "PASSIVE", "PASSIVE"]
    assert grandmaster_of(client) == identity(1)
    assert states(client) == ["SLAVE"]
    worst = 0.0
    for dead, successor in ((0, 2), (1, 3)):
        killed_at = 120.0 + dead * 60 + 0.173 * seed
        world.run(killed_at)
        masters[dead].stop()
        followed_at = None
        at = killed_at
        while at < killed_at + 60 - 1:
            at += 0.05
            world.run(at)
            worst = max(worst, abs(client.error_ns()))
            if followed_at is None and grandmaster_of(client) == identity(successor):
                followed_at = at
        assert followed_at is not None
        # announceReceiptTimeout (3) + 1 intervals after the last Announce, which came at most one interval before
        assert followed_at - killed_at <= (3 + 1) * interval + 0.06
        assert states(client) == ["SLAVE"]
    assert worst < 10_000
    steps = [e for _, e in client.events if e.kind == "clock-step"]
    assert all(at < 100 for at, e in client.events if e.kind == "clock-step"), steps


def test_the_best_takes_over_again_when_it_comes_back() -> None:
    world, masters, client = three_grandmasters(1, 0)
    world.run(60)
    segment = masters[0].segments["p1/sim"]
    for other in ("gm2", "gm3", "client"):
        segment.paths[("gm1", other)] = PathDelay(cut=True)
    world.run(90)
    assert grandmaster_of(client) == identity(2)
    segment.paths.clear()
    worst = 0.0
    for second in range(91, 151):
        world.run(second)
        worst = max(worst, abs(client.error_ns()))
    assert grandmaster_of(client) == identity(1)
    assert [states(m)[0] for m in masters] == ["MASTER", "PASSIVE", "PASSIVE"]
    assert worst < 10_000
    # a segment never hands a frame back to its sender
    assert {instance_of(n).ports[0].counters["drop-own-message"] for n in (*masters, client)} == {0}


# -------------------------------------------------------------------------------------------------------- chains


def chain(length: int, seed: int = 1) -> tuple[World, list[SimNode]]:
    """A grandmaster, ``length`` boundary clocks, an ordinary clock; every link 1 us + exp(10 ns)."""
    world = World()
    nodes = [make_node(world, "gm", 1, quality=BEST, port_options={"listen_first": False})]
    for n in range(length):
        oscillator = OscillatorModel(5_000.0 * (n + 1), wander_ppb=1.0)
        nodes.append(make_node(world, f"bc{n}", 10 + n, 2, seed=seed * 100 + n, oscillator=oscillator))
    nodes.append(
        make_node(world, "oc", 99, seed=seed * 100 + 50, oscillator=OscillatorModel(-9_000.0), client_only=True)
    )
    for n, (upper, lower) in enumerate(itertools.pairwise(nodes)):
        segment = Segment(world, f"s{n}", default=PathDelay(1_000, jitter_ns=10, seed=seed * 1000 + n))
        segment.attach(upper, "p1/sim" if n == 0 else "p2/sim")
        segment.attach(lower, "p1/sim")
    for node in nodes:
        node.start()
    return world, nodes


def test_a_chain_of_boundary_clocks_counts_its_steps_and_keeps_time() -> None:
    world, nodes = chain(3)
    world.run(300)
    worst = dict.fromkeys([n.name for n in nodes], 0.0)
    for second in range(301, 601):
        world.run(second)
        for node in nodes:
            worst[node.name] = max(worst[node.name], abs(node.error_ns()))
    assert [instance_of(n).data.current.steps_removed for n in nodes] == [0, 1, 2, 3, 4]
    assert {grandmaster_of(n) for n in nodes} == {identity(1)}
    assert [states(n) for n in nodes] == [["MASTER"]] + [["SLAVE", "MASTER"]] * 3 + [["SLAVE"]]
    assert not any(instance_of(n).data.current.synchronization_uncertain for n in nodes)
    assert all(error < 500 for error in worst.values()), worst


def test_a_chain_that_loses_its_grandmaster_goes_on_together() -> None:
    world, nodes = chain(2)
    world.run(200)
    nodes[0].stop()
    world.run(400)
    assert len({grandmaster_of(n) for n in nodes[1:]}) == 1
    assert states(nodes[1]) == ["MASTER", "MASTER"]
    first, *others = nodes[1:]
    assert all(abs(n.error_ns() - first.error_ns()) < 2_000 for n in others)


def test_a_ring_of_boundary_clocks_breaks_its_loop() -> None:
    """Two boundary clocks with two links between them: one port goes passive, and takes over when the link is cut."""
    world = World()
    gm = make_node(world, "gm", 1, quality=BEST, port_options={"listen_first": False})
    upper = make_node(world, "upper", 2, 3, oscillator=OscillatorModel(3_000.0))
    lower = make_node(world, "lower", 3, 2, oscillator=OscillatorModel(-4_000.0))
    links = [Segment(world, f"s{n}", default=PathDelay(1_000, jitter_ns=10, seed=n)) for n in range(3)]
    for segment, ends in zip(
        links, [((gm, 1), (upper, 1)), ((upper, 2), (lower, 1)), ((upper, 3), (lower, 2))], strict=True
    ):
        for node, port in ends:
            segment.attach(node, f"p{port}/sim")
    for node in (gm, upper, lower):
        node.start()
    world.run(120)
    assert states(upper) == ["SLAVE", "MASTER", "MASTER"]
    assert states(lower) == ["SLAVE", "PASSIVE"]
    links[1].default.cut = True
    lower.set_link("p1/sim", False)
    world.run(121)
    assert states(lower)[0] == "FAULTY"
    assert states(lower)[1] in ("UNCALIBRATED", "SLAVE")
    world.run(180)
    assert states(lower) == ["FAULTY", "SLAVE"]
    assert abs(lower.error_ns()) < 500


@pytest.mark.parametrize("step_ns", [50_000, -50_000])
def test_BC_15_a_step_upstream_is_no_step_downstream(step_ns: int) -> None:
    """The boundary clock follows by frequency: the times it serves never jump and never go back."""
    world, (gm, bc, _) = chain(1)
    served: list[tuple[int, int]] = []

    def tap(elapsed: int, sender: str, octets: bytes) -> None:
        message = decode(octets)
        if sender == "bc0" and isinstance(message, FollowUp):
            served.append((elapsed, message.precise_origin_ns))

    bc.segments["p2/sim"].tap = tap
    world.run(100)
    gm.clocks["clock"].step(step_ns << 16)
    served.clear()
    world.run(400)
    # what each interval between two Syncs is wrong by: the steered frequency, no jump of 50 us
    jumps = [abs((t - s) - (b - a)) for (a, s), (b, t) in itertools.pairwise(served)]
    assert len(jumps) >= 298
    assert max(jumps) < 0.9 * abs(step_ns)
    assert all(t > s for (_, s), (_, t) in itertools.pairwise(served))
    assert abs(bc.error_ns() - step_ns) < 500
    assert [at for at, e in bc.events if e.kind == "clock-step" and at > 100] == []


# ----------------------------------------------------------------------------------------------- the wire, tapped


def test_a_degrading_grandmaster_hands_over_without_silence() -> None:
    """clockClass 6 -> 52: the next takes over, and no client is left without a master in between."""
    world = World()
    segment = Segment(world, default=PathDelay(1_000, jitter_ns=10))
    reference = ReferencePlan("clock", accuracy=BEST.clock_accuracy, variance=BEST.offset_scaled_log_variance)
    first = make_node(world, "gm1", 1, reference=reference)
    second = make_node(world, "gm2", 2, reference=reference)
    client = make_node(world, "client", 9, client_only=True)
    for node in (first, second, client):
        segment.attach(node, "p1/sim")
        node.start()
    world.run(60)
    heard: list[tuple[int, str, int]] = []

    def tap(elapsed: int, sender: str, octets: bytes) -> None:
        message = decode(octets)
        if isinstance(message, Announce):
            heard.append((elapsed, sender, message.quality.clock_class))

    segment.tap = tap
    now = world.elapsed_ns
    first.perform(first.engine.declare_reference("clock", "holdover-out-of-spec", None, now))
    world.run(90)
    # told at once, and the other announces itself within the receipt timeout it was passive by
    assert heard[0] == (heard[0][0], "gm1", 52)
    assert heard[0][0] - now < S // 10
    assert grandmaster_of(client) == identity(2)
    assert states(first) == ["PASSIVE"]
    assert abs(client.error_ns()) < 500
    assert [at for at, e in client.events if e.kind == "clock-step"] == []


@pytest.mark.parametrize(
    ("destination", "reached"), [(None, {"b", "c"}), (PEER_DELAY, {"b", "c"}), ("c", {"c"}), ("nobody", set())]
)
def test_a_segment_carries_to_groups_and_to_one(destination: str | None, reached: set[str]) -> None:
    world = World()
    segment = Segment(world, default=PathDelay(1_000))
    nodes = {name: make_node(world, name, n) for n, name in enumerate("abc", 1)}
    heard: set[str] = set()
    for name, node in nodes.items():
        segment.attach(node, "p1/sim")
        node.deliver = lambda channel, octets, source, name=name: heard.add(name)  # type: ignore[method-assign,misc]
    segment.carry(nodes["a"], bytes(44), destination, world.now_ns)
    world.run(0.01)
    assert heard == reached
