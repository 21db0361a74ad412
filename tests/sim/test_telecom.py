"""ITU-T G.8275.1 in simulated time: a T-GM, a T-BC and a T-TSC, with options as the profile makes them."""

from __future__ import annotations

from ptpstack.clocks.oscillator import OscillatorModel
from ptpstack.config.load import loads
from ptpstack.protocol.options import InstanceOptions
from ptpstack.sim.build import make_node
from ptpstack.sim.delays import PathDelay
from ptpstack.sim.network import Segment, SimNode
from ptpstack.sim.world import World
from ptpstack.wire.types import ClockQuality
from tests.sim.test_networks import instance_of, states

T_GM = ClockQuality(6, 0x21, 0x4E5D)


def options(role: str, ports: int = 1, more: str = "") -> InstanceOptions:
    """What the profile makes of a clock of this role."""
    text = f'[[instance]]\nprofile = "g8275-1"\nrole = "{role}"\n{more}\n'
    text += "".join(f'[[instance.port]]\ninterface = "eth{n}"\n' for n in range(1, ports + 1))
    return loads(text).instances[0].options


def node(world: World, name: str, number: int, wanted: InstanceOptions, **fields: object) -> SimNode:
    kept = ("domain", "priority1", "priority2", "bmca", "quality_table", "client_only", "boundary_holdover_limit_ns")
    port = wanted.ports[0]
    names = ("log_announce_interval", "log_sync_interval", "log_min_delay_req_interval", "server_only", "link_local")
    return make_node(
        world,
        name,
        number,
        len(wanted.ports),
        port_options={key: getattr(port, key) for key in (*names, "listen_first")},
        **{key: getattr(wanted, key) for key in kept},
        **fields,  # type: ignore[arg-type]
    )


def test_PRF_11_the_classes_of_a_boundary_clock_that_has_lost_its_grandmaster() -> None:
    world = World()
    gm = node(world, "gm", 1, options("grandmaster"), quality=T_GM)
    drifting = OscillatorModel(800.0, wander_ppb=0.5)
    bc = node(world, "bc", 2, options("boundary", 2, "boundary_holdover_limit_ns = 400"), oscillator=drifting, seed=3)
    end = node(world, "end", 3, options("ordinary", more="client_only = true"), oscillator=OscillatorModel(-300.0))
    up, down = (Segment(world, default=PathDelay(1_000, jitter_ns=5, seed=n)) for n in (1, 2))
    up.attach(gm, "p1/sim")
    up.attach(bc, "p1/sim")
    down.attach(bc, "p2/sim")
    down.attach(end, "p1/sim")
    for n, each in enumerate((gm, bc, end)):
        each.start(0.01 + 0.3 * n)
    world.run(60)
    assert states(gm) == ["MASTER"]
    assert states(bc) == ["SLAVE", "MASTER"]
    assert states(end) == ["SLAVE"]
    assert instance_of(end).data.parent.grandmaster_quality == T_GM
    assert abs(end.error_ns()) < 200
    gm.stop()
    seen: list[int] = []
    for second in range(61, 400):
        world.run(second)
        quality = instance_of(end).data.parent.grandmaster_quality
        if not seen or seen[-1] != quality.clock_class:
            seen.append(quality.clock_class)
        if quality.clock_class == 135:
            assert abs(bc.error_ns()) < 400
    assert seen == [135, 165]
    assert states(bc) == ["MASTER", "MASTER"]


def test_PRF_10_two_grandmasters_of_equal_quality_are_active_and_each_serves_its_side() -> None:
    world = World()
    left = node(world, "left", 1, options("grandmaster"), quality=T_GM)
    right = node(world, "right", 2, options("grandmaster"), quality=T_GM)
    bcs = [node(world, f"bc{n}", 10 + n, options("boundary", 2), seed=n) for n in range(4)]
    for (a, b), ports in {
        (left, bcs[0]): ("p1", "p1"),
        (bcs[0], bcs[1]): ("p2", "p1"),
        (bcs[1], bcs[2]): ("p2", "p1"),
        (bcs[2], bcs[3]): ("p2", "p1"),
        (bcs[3], right): ("p2", "p1"),
    }.items():
        segment = Segment(world, default=PathDelay(1_000))
        segment.attach(a, f"{ports[0]}/sim")
        segment.attach(b, f"{ports[1]}/sim")
    for n, each in enumerate((left, right, *bcs)):
        each.start(0.01 + 0.11 * n)
    world.run(60)
    assert states(left) == states(right) == ["MASTER"]
    grandmasters = [instance_of(bc).data.parent.grandmaster_identity for bc in bcs]
    assert grandmasters[0] == instance_of(left).clock_identity
    assert grandmasters[3] == instance_of(right).clock_identity
    # each follows the nearer one, and where the two meet one side is silent or both serve: nobody follows his own time
    assert [instance_of(bc).data.current.steps_removed for bc in bcs] == [1, 2, 2, 1]
    assert len(set(grandmasters)) == 2
