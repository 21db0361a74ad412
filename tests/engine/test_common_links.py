"""The common mean link delay service: who measures, who is told, and what a frame of it looks like."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from ptpstack.engine.engine import Engine
from ptpstack.engine.plan import InstancePlan
from ptpstack.engine.status import status
from ptpstack.engine.trace import RecordedEngine, replay
from ptpstack.protocol.management.table import Origin, Refusal, Request
from ptpstack.protocol.neighbor_rate import scaled_rate_ratio
from ptpstack.protocol.options import InstanceOptions, PortOptions
from ptpstack.servo.options import ServoOptions
from ptpstack.sim.build import identity, make_node
from ptpstack.sim.delays import PathDelay
from ptpstack.sim.network import Segment, SimNode
from ptpstack.sim.one_step import OneStepNic
from ptpstack.sim.world import World
from ptpstack.wire.codec import decode, encode
from ptpstack.wire.messages import Announce, Message, PdelayReq, PdelayResp, PdelayRespFollowUp, Sync
from ptpstack.wire.types import ClockQuality, PortIdentity, PortState

QUALITY = ClockQuality(6, 0x21, 0x4E5D)
PEER_MESSAGES = (PdelayReq, PdelayResp, PdelayRespFollowUp)


class Net:
    """Two nodes on a link of 1000 ns. ``domains``: (domain, delay mechanism at the one, at the other)."""

    def __init__(self, *domains: tuple[int, str, str], ppb: float = 0.0, **port: Any) -> None:
        self.world = World()
        self.segment = Segment(self.world, default=PathDelay(1000))
        self.frames: list[tuple[str, Message]] = []
        self.segment.tap = lambda elapsed, sender, octets: self.frames.append((sender, decode(octets)))
        self.gm = self._node("gm", 1, [(d, m) for d, m, _ in domains], ppb, {"listen_first": False, **port})
        self.oc = self._node("oc", 2, [(d, m) for d, _, m in domains], 0.0, port)

    def _node(self, name: str, number: int, each: list[tuple[int, str]], ppb: float, port: dict[str, Any]) -> SimNode:
        node = make_node(self.world, name, number, initial_error_ns=1e6 * (number - 1))
        plans = []
        for domain, mechanism in each:
            options = InstanceOptions(
                name=f"domain-{domain}",
                clock_identity=identity(number),
                ports=(PortOptions(channel="p1/sim", delay_mechanism=mechanism, **port),),
                domain=domain,
                **({"quality": QUALITY} if name == "gm" else {"client_only": True}),
            )
            plans.append(InstancePlan(options, ServoOptions()))
        self.plan = replace(node.engine.plan, instances=tuple(plans))
        if ppb:
            node.clocks["clock"].change_oscillator(jump_ppb=ppb)
        made = SimNode(self.world, name, Engine(self.plan), node.clocks)
        self.segment.attach(made, "p1/sim")
        made.start(0.1 * number)
        return made

    def run(self, seconds: float) -> None:
        self.world.run(self.world.elapsed_ns / 1e9 + seconds)

    def peer(self, sender: str, kind: type[Message] | tuple[type[Message], ...] = PEER_MESSAGES) -> list[Message]:
        return [m for who, m in self.frames if who == sender and isinstance(m, kind)]

    def status(self, node: SimNode) -> dict[str, Any]:
        return status(node.engine, self.world.elapsed_ns)


def common(*domains: int, **port: Any) -> Net:
    return Net(*((d, "COMMON_P2P", "COMMON_P2P") for d in domains), **port)


def test_P2P_19_one_measurement_with_sdo_id_0x200_domain_0_is_for_all_domains() -> None:
    net = common(0, 7, 20)
    net.run(60)
    for name in ("gm", "oc"):
        asked = net.peer(name, PdelayReq)
        assert 50 < len(asked) < 70  # one a second: not one for each domain
        assert {(m.sdo_id, m.domain) for m in net.peer(name)} == {(0x200, 0)}
        assert {m.source.port_number for m in net.peer(name)} == {1}
    for instance in net.status(net.oc)["instances"]:
        (port,) = instance["ports"]
        assert port["state"] == "SLAVE"
        assert port["mean_link_delay_ns"] == pytest.approx(1000, abs=2)
        assert port["neighbor"] == str(PortIdentity(identity(1), 1))
        assert instance["mean_path_delay_ns"] == pytest.approx(1000, abs=2)
    assert abs(net.oc.error_ns()) < 5


def test_P2P_19_the_service_is_shown_with_its_users() -> None:
    net = common(0, 7)
    net.run(30)
    service = net.status(net.gm)["link_delay_service"]
    assert service["clock_identity"] == identity(1).hex()
    (link,) = service["links"]
    assert (link["channel"], link["state"], link["valid"]) == ("p1/sim", "PASSIVE", True)
    assert link["mean_link_delay_ns"] == pytest.approx(1000, abs=2)
    assert link["users"] == ["domain-0", "domain-7"]
    plain = Net((0, "P2P", "P2P"))
    assert plain.status(plain.gm)["link_delay_service"] is None


def test_P2P_20_an_instance_that_measures_by_itself_does_so_beside_the_service() -> None:
    """Domain 0 with the service, domain 7 in instance mode: each in its own domain and sdoId."""
    net = Net((0, "COMMON_P2P", "COMMON_P2P"), (7, "P2P", "P2P"))
    net.run(40)
    assert {(m.sdo_id, m.domain) for m in net.peer("oc")} == {(0x200, 0), (0, 7)}
    for instance in net.status(net.oc)["instances"]:
        assert instance["ports"][0]["mean_link_delay_ns"] == pytest.approx(1000, abs=2)
    assert net.status(net.oc)["link_delay_service"]["links"][0]["users"] == ["domain-0"]


def test_P2P_20_a_neighbour_without_the_service_is_answered_in_its_own_domain() -> None:
    net = Net((0, "COMMON_P2P", "P2P"))
    net.run(40)
    answers = [m for m in net.peer("gm", PdelayResp) if (m.sdo_id, m.domain) == (0, 0)]
    assert len(answers) > 30
    (port,) = net.status(net.oc)["instances"][0]["ports"]
    assert port["mean_link_delay_ns"] == pytest.approx(1000, abs=2)
    assert abs(net.oc.error_ns()) < 5
    # the other way nobody answers: nothing is known, and said to be known
    (link,) = net.status(net.gm)["link_delay_service"]["links"]
    assert (link["valid"], link["mean_link_delay_ns"], link["neighbor"]) == (False, None, None)


def test_neighbor_rate_ratio_and_asymmetry_reach_the_ports() -> None:
    net = Net((0, "COMMON_P2P", "COMMON_P2P"), ppb=20_000, delay_asymmetry_ns=100.0)
    net.run(12)
    port = net.oc.engine.instances["domain-0"].ports[0]
    (link,) = net.status(net.oc)["link_delay_service"]["links"]
    assert port.ds.neighbor_rate_ratio == link["neighbor_rate_ratio"]
    assert link["scaled_neighbor_rate_ratio"] == scaled_rate_ratio(port.ds.neighbor_rate_ratio)
    assert {m.correction_sns for m in net.peer("oc", PdelayReq)} == {-100 << 16}
    net.run(60)
    # the mean stays; the measured offset goes down by it, so the clock goes up
    assert net.status(net.oc)["instances"][0]["ports"][0]["mean_link_delay_ns"] == pytest.approx(1000, abs=2)
    truth = net.oc.error_ns() - net.gm.error_ns()
    assert truth == pytest.approx(100, abs=5)


def test_the_scaled_ratio_is_a_32_bit_number_of_two_to_the_minus_41() -> None:
    assert scaled_rate_ratio(1.0) == 0
    assert scaled_rate_ratio(1.0 + 1e-6) == round(1e-6 * 2**41)
    assert scaled_rate_ratio(2.0) == (1 << 31) - 1
    assert scaled_rate_ratio(0.5) == -(1 << 31)


def test_it_asks_as_often_as_who_wants_it_most_often() -> None:
    net = common(0)
    engine = Engine(
        replace(
            net.plan,
            instances=tuple(
                InstancePlan(
                    replace(
                        net.plan.instances[0].options,
                        name=f"d{domain}",
                        domain=domain,
                        ports=(PortOptions("p1/sim", delay_mechanism="COMMON_P2P", log_min_pdelay_req_interval=log),),
                    ),
                    ServoOptions(),
                )
                for domain, log in ((0, 2), (1, -1), (2, 0))
            ),
        )
    )
    assert status(engine, 0)["link_delay_service"]["links"][0]["log_min_pdelay_req_interval"] == -1


def test_a_link_that_goes_down_is_measured_anew() -> None:
    net = common(0, 7)
    net.run(30)
    net.oc.set_link("p1/sim", False)
    (link,) = net.status(net.oc)["link_delay_service"]["links"]
    assert (link["state"], link["valid"]) == ("FAULTY", False)
    assert [i["ports"][0]["mean_link_delay_ns"] for i in net.status(net.oc)["instances"]] == [None, None]
    # silence is noticed at the other end
    net.run(10)
    assert net.status(net.gm)["link_delay_service"]["links"][0]["valid"] is False
    net.oc.set_link("p1/sim", True)
    net.run(20)
    for instance in net.status(net.oc)["instances"]:
        assert instance["ports"][0]["mean_link_delay_ns"] == pytest.approx(1000, abs=2)
    assert net.status(net.gm)["link_delay_service"]["links"][0]["valid"] is True


def test_a_step_of_the_clock_ends_exchanges_of_the_service_too() -> None:
    net = common(0)
    net.run(20)
    # the client begins with a step
    links = net.oc.engine.links
    assert links is not None
    assert links.instance.ports[0].epoch == net.oc.engine.instances["domain-0"].ports[0].epoch > 0
    assert net.status(net.oc)["instances"][0]["ports"][0]["mean_link_delay_ns"] == pytest.approx(1000, abs=2)


def test_domain_0_of_its_sdo_id_is_taken_where_it_is() -> None:
    net = common(0)
    other = InstancePlan(InstanceOptions("other", identity(9), (PortOptions("p1/sim"),), sdo_id=0x200), ServoOptions())
    with pytest.raises(ValueError, match="domain 0 of sdoId 0x200 is that of the common mean link delay service"):
        Engine(replace(net.plan, instances=(*net.plan.instances, other)))


def test_instances_that_come_later_find_it_or_are_refused() -> None:
    net = common(0)
    net.run(20)
    engine, options = net.oc.engine, net.plan.instances[0].options
    engine.admit(InstancePlan(replace(options, name="late", domain=9), ServoOptions()), (), net.world.elapsed_ns)
    assert status(engine, 0)["link_delay_service"]["links"][0]["users"] == ["domain-0", "late"]
    far = replace(options, name="far", domain=9, ports=(replace(options.ports[0], channel="p2/sim"),))
    with pytest.raises(ValueError, match="has no port on p2/sim"):
        engine.admit(InstancePlan(far, ServoOptions()), (), net.world.elapsed_ns)


def test_a_recorded_run_is_replayed(tmp_path: Path) -> None:
    net = common(0, 7)
    path = tmp_path / "trace"
    with path.open("w") as stream:
        net.oc.engine = recorded = RecordedEngine(net.plan, stream)
        net.run(20)
        recorded.close_trace(net.world.elapsed_ns)
    assert net.status(net.oc)["link_delay_service"]["links"][0]["valid"]
    result = replay(str(path))
    assert result.identical, result.divergence
    assert result.complete


def test_another_interval_of_a_user_is_taken_on() -> None:
    net = common(0, 7)
    net.run(20)
    net.oc.engine.instances["domain-7"].ports[0].ds.log_min_pdelay_req_interval = -2
    net.run(5)
    net.frames.clear()
    net.run(20)
    assert 70 < len(net.peer("oc", PdelayReq)) < 90


def test_its_answers_are_one_step_where_the_nic_completes_them() -> None:
    net = common(0)
    net.gm.one_step = {"p1/sim": OneStepNic(pdelay=True)}
    net.run(40)
    assert net.peer("gm", PdelayRespFollowUp) == []
    assert {m.flags for m in net.peer("gm", PdelayResp)} == {0}
    assert net.status(net.oc)["instances"][0]["ports"][0]["mean_link_delay_ns"] == pytest.approx(1000, abs=2)
    assert abs(net.oc.error_ns()) < 5


def test_flooded_service_leaves_the_instances_alone() -> None:
    """Strangers' frames of sdoId 0x200: what no link port takes is dropped and counted, and nobody follows by it."""
    net = common(0)
    net.run(20)
    engine, now = net.oc.engine, net.world.elapsed_ns
    stranger = PortIdentity(identity(0x99), 1)
    for sequence in range(300):
        for message in (
            PdelayReq(stranger, sequence, sdo_id=0x200),
            Announce(stranger, sequence, sdo_id=0x200, grandmaster=stranger.clock_identity, priority1=1),
            Sync(stranger, sequence, sdo_id=0x200),
        ):
            engine.receive("p1/sim", encode(message), net.oc.clocks["clock"].now_sns(), "x", now)
    assert engine.links is not None
    link = engine.links.instance.ports[0]
    assert link.state is PortState.PASSIVE
    assert link.counters["drop-pdelay-req-flood"] > 200
    assert link.counters["tx-pdelay_resp"] < 100
    assert engine.instances["domain-0"].ports[0].state is PortState.SLAVE
    net.run(20)
    assert abs(net.oc.error_ns()) < 5


def test_the_servo_finds_out_that_the_service_shows_the_masters_clock() -> None:
    net = common(0)
    net.run(60)
    verdicts = [event.data for _, event in net.oc.events if "Pdelay_Req" in str(event.data)]
    assert verdicts
    assert "stamps Pdelay_Req by the clock of its Syncs" in str(verdicts[-1])


def test_management_leaves_the_service_as_its_users_need_it() -> None:
    net = Net((0, "COMMON_P2P", "COMMON_P2P"))
    net.run(5)
    links = net.gm.engine.links
    assert links is not None
    request = Request(links.instance.management, links.instance, links.instance.ports[0], Origin(0, "", "rw"), 0)
    for change in (lambda: request.rebuild(bmca="default"), lambda: request.rebuild_port(delay_mechanism="E2E")):
        with pytest.raises(Refusal, match="link delay service"):
            change()
    assert links.instance.ports[0].state is PortState.PASSIVE


def test_an_interval_that_is_asked_of_a_user_of_the_service_starts_no_measurement_of_its_own() -> None:
    net = Net((0, "COMMON_P2P", "COMMON_P2P"))
    net.run(5)
    port = net.oc.engine.instances["domain-0"].ports[0]
    port.delay.interval_changed(0)
    before = len([m for m in net.peer("oc", PdelayReq) if m.sdo_id == 0])
    net.run(5)
    assert len([m for m in net.peer("oc", PdelayReq) if m.sdo_id == 0]) == before == 0
