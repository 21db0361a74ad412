"""A peer-to-peer transparent clock among neighbours that answer: what it measures, and what a Sync then carries."""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any, TypeVar

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ptpstack.protocol.effects import Send
from ptpstack.protocol.link_mean import CLEAN
from ptpstack.protocol.options import TransparentOptions, TransparentPort
from ptpstack.protocol.transparent.clock import TransparentClock
from ptpstack.protocol.transparent.link import SILENT
from ptpstack.wire.codec import decode, encode
from ptpstack.wire.messages import (
    DelayReq,
    FollowUp,
    Message,
    PdelayReq,
    PdelayResp,
    PdelayRespFollowUp,
    Sync,
)
from ptpstack.wire.own_envelope import from_here, group_envelope, transport_of
from ptpstack.wire.types import Flag, PortIdentity
from tests.protocol.bench import identity
from tests.protocol.test_transparent import (
    ANNOUNCE,
    CLIENT,
    MASTER,
    OTHER,
    PEERS,
    S,
    address,
    delay_resp,
    follow_up,
    frames,
    ns,
    sync,
)

US = PortIdentity(identity(9), 1)
M = TypeVar("M", bound=Message)


@dataclass
class Bench:
    """Ports ``m`` and ``a``; a neighbour at each answers ``delay[port]`` ns away, 10 us after it was asked.

    Events leave 1 us after they came, and messages of the clock itself at ``now``.
    """

    delay: dict[str, float] = field(default_factory=lambda: {"m": 500.0, "a": 800.0})
    asymmetry: dict[str, float] = field(default_factory=dict)
    options: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        ports = tuple(TransparentPort(name, self.asymmetry.get(name, 0.0)) for name in ("m", "a"))
        values = {"delay_mechanism": "P2P", "clock_identity": US.clock_identity, "transport": "l2", **self.options}
        self.clock = TransparentClock(TransparentOptions("tc", ports, **values))
        self.now = 100 * S
        self.sent: list[tuple[str, bytes, str]] = []
        #: who answers at a port
        self.neighbors = {"m": [MASTER], "a": [CLIENT]}
        self.two_step = True
        self._take(self.clock.start(self.now))

    def _take(self, sends: list[Send]) -> None:
        for send in sends:
            self.sent.append((send.channel, send.octets, str(send.destination)))
            if send.token is not None:
                kind = send.octets[0] & 0x0F
                stamp = self.now * 65536 + (1_000 << 16 if kind == 0 else 0)
                self._take(self.clock.transmitted(send.token, stamp, self.now))
            message = decode(send.octets) if send.octets[20:28] == US.clock_identity else None
            if isinstance(message, PdelayReq):
                for who in self.neighbors[send.channel]:
                    self._answer(send.channel, message, who)

    def _answer(self, port: str, asked: PdelayReq, who: PortIdentity) -> None:
        """The neighbour's clock shows 7 s more than ours; the longer way is the one towards us by the asymmetry."""
        way = self.delay[port]
        there = (self.now + 7 * S) * 65536 + round((way - self.asymmetry.get(port, 0.0)) * 65536)
        back = (self.now + 10_000) * 65536 + round(2 * way * 65536)
        scope: dict[str, Any] = {"domain": asked.domain, "requesting": asked.source}
        if self.two_step:
            receipt, origin = there >> 16, (there + (10_000 << 16)) >> 16
            response = PdelayResp(who, asked.sequence_id, flags=Flag.TWO_STEP, request_receipt_ns=receipt, **scope)
            self.put(port, encode(response), PEERS, back)
            after = PdelayRespFollowUp(
                who, asked.sequence_id, response_origin_ns=origin, correction_sns=asked.correction_sns, **scope
            )
            self.put(port, encode(after), PEERS)
        else:
            turnaround = asked.correction_sns + (10_000 << 16)
            response = PdelayResp(who, asked.sequence_id, correction_sns=turnaround, **scope)
            self.put(port, encode(response), PEERS, back)

    def put(self, port: str, octets: bytes, group: str = "011b19000000", stamp: int | None = None) -> None:
        if octets and octets[0] & 0x0F < 8 and stamp is None:
            stamp = self.now * 65536
        where = address({"m": 1, "a": 2}[port], group)
        self._take(self.clock.receive(port, octets, stamp, where, self.now))

    def run(self, seconds: float) -> None:
        end = self.now + round(seconds * S)
        while self.clock.due <= end:
            self.now = max(self.now, self.clock.due)
            self._take(self.clock.timer(self.now))
        self.now = end

    def got(self, port: str, kind: type[M]) -> list[M]:
        found = [decode(octets) for channel, octets, _ in self.sent if channel == port]
        return [message for message in found if type(message) is kind]

    def count(self, port: str, name: str) -> int:
        return self.clock.ports[port].counters[name]

    def shown(self, port: str) -> dict[str, Any]:
        return next(p for p in self.clock.status()["ports"] if p["channel"] == port)


def measured(**options: Any) -> Bench:
    bench = Bench(**options)
    bench.run(3)
    bench.sent.clear()
    return bench


@pytest.mark.parametrize("kind", [PdelayReq, PdelayResp, PdelayRespFollowUp])
@pytest.mark.parametrize("domain", [0, 24])
def test_TC_09_peer_delay_messages_end_at_the_port(kind: type[Message], domain: int) -> None:
    bench = measured()
    bench.put("m", encode(kind(MASTER, 5, domain=domain)), PEERS)
    assert not [octets for channel, octets, _ in bench.sent if channel == "a"]


def test_TC_09_nor_do_messages_of_end_to_end_pass() -> None:
    bench = measured()
    bench.put("a", encode(DelayReq(CLIENT, 9)))
    bench.put("m", delay_resp(9, CLIENT))
    assert bench.sent == []
    assert bench.count("a", "drop-e2e-on-p2p-clock") == bench.count("m", "drop-e2e-on-p2p-clock") == 1
    bench.put("m", encode(ANNOUNCE))
    assert [channel for channel, _, _ in bench.sent] == ["a"]


@pytest.mark.parametrize("two_step", [True, False])
@pytest.mark.parametrize("one_step_sync", [True, False])
def test_TC_10_a_sync_carries_the_residence_and_the_link_it_came_by(two_step: bool, one_step_sync: bool) -> None:
    bench = Bench()
    bench.two_step = two_step
    bench.run(3)
    for source, here, there, delay in ((MASTER, "m", "a", 500), (CLIENT, "a", "m", 800)):
        bench.sent.clear()
        if one_step_sync:
            bench.put(here, sync(source=source, flags=0, correction_sns=3 << 16))
        else:
            bench.put(here, sync(source=source, correction_sns=3 << 16))
            bench.put(here, follow_up(source=source))
        (passed,), (after,) = bench.got(there, Sync), bench.got(there, FollowUp)
        assert passed.correction_sns == 3 << 16
        assert ns(after.correction_sns) == 1_000 + delay


def test_TC_10_what_comes_by_a_link_that_is_not_measured_does_not_pass() -> None:
    bench = Bench()
    bench.neighbors["m"] = []
    bench.run(SILENT + 2)
    bench.sent.clear()
    bench.put("m", sync())
    bench.put("m", follow_up())
    assert bench.sent == []
    assert bench.count("m", "drop-sync-link-delay-unknown") == 2
    assert bench.shown("m")["mean_link_delay_ns"] is None
    assert "nobody answers" in bench.shown("m")["reason"]
    # what comes by another link is none of that
    bench.put("a", sync(source=CLIENT))
    assert len(bench.got("m", Sync)) == 1


def test_TC_10_a_neighbour_that_falls_silent_is_no_longer_believed() -> None:
    bench = measured()
    assert bench.shown("m")["mean_link_delay_ns"] == pytest.approx(500)
    bench.neighbors["m"] = []
    bench.run(SILENT + 2)
    bench.sent.clear()
    bench.put("m", sync())
    assert bench.sent == []
    assert bench.shown("m")["mean_link_delay_ns"] is None
    assert "nobody answers" in bench.shown("m")["reason"]
    bench.neighbors["m"] = [MASTER]
    bench.run(2)
    assert bench.shown("m")["reason"] == ""


def test_TC_11_every_port_measures_its_link_whoever_is_heard_there() -> None:
    bench = Bench()
    bench.run(10)
    for port, number in (("m", 1), ("a", 2)):
        requests = bench.got(port, PdelayReq)
        assert len(requests) in (10, 11)
        assert {m.source for m in requests} == {PortIdentity(US.clock_identity, number)}
        steps = {(b.sequence_id - a.sequence_id) & 0xFFFF for a, b in pairwise(requests)}
        assert steps == {1}
    assert bench.shown("m")["mean_link_delay_ns"] == 500.0
    assert bench.shown("a")["mean_link_delay_ns"] == 800.0
    assert bench.shown("a")["neighbor"] == str(CLIENT)
    assert {where for _, octets, where in bench.sent if octets[0] & 15 == 2} == {group_envelope("l2", peer_delay=True)}


def test_P2P_16_asymmetry_leaves_the_mean_alone_and_goes_into_the_sync() -> None:
    bench = measured(asymmetry={"m": 40.0})
    assert bench.shown("m")["mean_link_delay_ns"] == 500.0
    bench.put("m", sync())
    bench.put("m", follow_up())
    assert [ns(m.correction_sns) for m in bench.got("a", FollowUp)] == [1_000 + 500 + 40]
    bench.run(1)
    assert {m.correction_sns for m in bench.got("m", PdelayReq)} == {-40 << 16}


@pytest.mark.parametrize(("domain", "sdo_id"), [(0, 0), (24, 0), (0, 0x200)])
def test_P2P_02_and_05_a_neighbour_is_answered_in_the_domain_that_it_asks_in(domain: int, sdo_id: int) -> None:
    """The last is the common mean link delay service."""
    bench = measured()
    asked = PdelayReq(CLIENT, 77, domain=domain, sdo_id=sdo_id, correction_sns=9)
    bench.put("a", encode(asked), PEERS, (bench.now << 16) + 0x4000)
    (response,), (after,) = bench.got("a", PdelayResp), bench.got("a", PdelayRespFollowUp)
    assert response.flags & Flag.TWO_STEP
    assert (response.request_receipt_ns, response.correction_sns) == (bench.now, -0x4000)
    assert (after.response_origin_ns, after.correction_sns) == (bench.now, 9)
    for message in (response, after):
        assert (message.domain, message.sdo_id) == (domain, sdo_id)
        assert (message.sequence_id, message.requesting) == (77, CLIENT)
        assert message.source == PortIdentity(US.clock_identity, 2)
    assert {where for _, _, where in bench.sent} == {from_here(address(2, PEERS))}


def test_an_answer_goes_by_the_transport_and_with_the_tags_of_the_request() -> None:
    bench = measured()
    tagged = "0180c200000e" + "02" * 6 + "81008064" + "88f7"
    bench._take(bench.clock.receive("a", encode(PdelayReq(CLIENT, 7)), bench.now << 16, tagged, bench.now))
    assert {where for _, _, where in bench.sent} == {"0180c200000e" + "0" * 12 + "81008064" + "88f7"}
    bench.sent.clear()
    udp = group_envelope("udp4", peer_delay=True)
    udp = udp[:12] + "02" * 6 + udp[24:]
    bench._take(bench.clock.receive("a", encode(PdelayReq(CLIENT, 8)), bench.now << 16, udp, bench.now))
    assert {transport_of(where) for _, _, where in bench.sent} == {"udp4"}


def test_an_802_1AS_neighbour_is_not_told_that_its_time_may_pass() -> None:
    bench = measured()
    bench.put("a", encode(PdelayReq(CLIENT, 7, sdo_id=0x100)), PEERS)
    assert bench.sent == []
    assert bench.count("a", "drop-gptp-pdelay") == 1


def test_P2P_13_and_14_with_several_neighbours_nothing_passes_until_there_is_one_again() -> None:
    bench = measured()
    bench.neighbors["m"] = [MASTER, OTHER]
    bench.run(2)
    assert bench.shown("m")["mean_link_delay_ns"] is None
    assert "more than one port answers" in bench.shown("m")["reason"]
    bench.put("m", sync())
    assert not bench.got("a", Sync)
    bench.neighbors["m"] = [MASTER]
    bench.run(CLEAN + 1)
    assert bench.shown("m")["mean_link_delay_ns"] == 500.0
    bench.put("m", sync())
    assert len(bench.got("a", Sync)) == 1


def test_after_a_link_was_down_it_is_measured_anew() -> None:
    bench = measured()
    bench._take(bench.clock.link("m", False, bench.now))
    bench.run(3)
    assert not bench.got("m", PdelayReq)
    assert bench.shown("m")["reason"] == "the link is down"
    bench.delay["m"] = 900.0
    bench._take(bench.clock.link("m", True, bench.now))
    assert bench.shown("m")["reason"] == "not measured yet"
    bench.run(2)
    assert bench.shown("m")["mean_link_delay_ns"] == 900.0


def test_a_clock_that_was_stepped_voids_what_is_inside_and_goes_on() -> None:
    bench = measured()
    bench.put("m", sync())
    bench.clock.clock_stepped()
    bench.put("m", follow_up())
    assert not bench.got("a", FollowUp)
    bench.put("m", sync(8))
    bench.put("m", follow_up(8))
    assert len(bench.got("a", FollowUp)) == 1


def test_a_neighbour_in_another_domain_is_named_in_the_reason() -> None:
    bench = Bench()
    bench.neighbors["m"] = []
    bench.put("m", encode(PdelayReq(MASTER, 1, domain=24)), PEERS)
    bench.run(SILENT + 2)
    assert "asks in domain 24, by l2; this clock in domain 0, by l2" in bench.shown("m")["reason"]


@given(st.lists(st.tuples(frames, st.sampled_from(["m", "a"]), st.floats(0, 1.5)), max_size=12))
@settings(max_examples=60)
def test_P2P_nothing_that_comes_raises(story: list[tuple[bytes, str, float]]) -> None:
    bench = Bench()
    for octets, port, seconds in story:
        bench.put(port, octets, PEERS)
        bench.run(seconds)
    assert bench.clock.due <= bench.now + S
