"""One-step messages: what leaves the port, what the NIC makes of it, and what does not follow."""

from __future__ import annotations

import pytest

from ptpstack.protocol.effects import ONE_STEP, PEER_DELAY, Send
from ptpstack.protocol.management.table import Alone, ChannelFacts
from ptpstack.sim.one_step import OneStepNic
from ptpstack.timebase.units import INTERVAL_MAX_SNS
from ptpstack.wire.codec import decode, encode
from ptpstack.wire.messages import FollowUp, PdelayReq, PdelayResp, PdelayRespFollowUp, Sync
from ptpstack.wire.types import Flag
from tests.protocol.bench import GRANDMASTER, Bench, Peer
from tests.protocol.test_management import local, request, values


class Nic(Alone):
    """Surroundings whose channels complete one-step messages."""

    def __init__(self, one_step: str) -> None:
        self.one_step = one_step

    def channel(self, name: str) -> ChannelFacts:
        return ChannelFacts(name, "l2", "hardware", 0, one_step=self.one_step)


def grandmaster(one_step: str, **port: object) -> Bench:
    made = Bench(quality=GRANDMASTER, port={"listen_first": False, **port})
    made.instance.management.around = Nic(one_step)
    return made


@pytest.mark.parametrize("able", ["sync", "p2p"])
def test_MSG_02_a_one_step_sync_holds_the_time_of_its_egress(able: str) -> None:
    """Whole ns in originTimestamp, the rest (and what lies between the NIC's stamp and the wire) in correctionField."""
    made = grandmaster(able, egress_latency_ns=30.5)
    made.run(3)
    sends = [s for s in made.all(Send) if s.octets[0] & 0x0F == 0]
    assert len(sends) > 2
    assert {s.token for s in sends} == {ONE_STEP}
    assert made.sent(FollowUp) == []
    before = decode(sends[0].octets)
    assert isinstance(before, Sync)
    assert (before.flags, before.origin_ns, before.correction_sns) == (0, 0, 61 << 15)
    egress = (7_000_000_000_123_456_789 << 16) + 0xC000
    left = decode(OneStepNic(pdelay=False).leaves(sends[0].octets, egress))
    assert isinstance(left, Sync)
    assert left.origin_ns == egress >> 16
    assert left.correction_sns == 0xC000 + (61 << 15)
    # what the receiver makes of it: the time at the wire
    assert (left.origin_ns << 16) + left.correction_sns == egress + (61 << 15)
    assert (left.sequence_id, left.source, left.log_interval) == (before.sequence_id, before.source, 0)


def test_HDR_15_the_two_step_flag_is_of_sync_that_a_follow_up_follows() -> None:
    for able, flag in (("", Flag.TWO_STEP), ("sync", 0)):
        made = grandmaster(able)
        made.run(2)
        assert {s.flags for s in made.sent(Sync)} == {flag}
        assert bool(made.sent(FollowUp)) is bool(flag)


def asked(able: str, **fields: int) -> tuple[Bench, Peer, bytes]:
    made, peer = grandmaster(able, delay_mechanism="P2P", ingress_latency_ns=100.0, egress_latency_ns=30.0), Peer(9)
    made.run(0.5)
    made.clear()
    request = peer.pdelay_req(**fields)
    made.receive(request)
    return made, peer, request


def test_P2P_03_a_one_step_answer_is_the_requests_correction_and_the_turnaround() -> None:
    made, peer, request = asked("p2p", correction_sns=77)
    (send,) = (s for s in made.all(Send) if s.octets[0] & 0x0F == 3)
    assert (send.token, send.destination) == (ONE_STEP, PEER_DELAY)
    assert made.sent(PdelayRespFollowUp) == []
    nic = OneStepNic(pdelay=True)
    nic.received(request, 1_000 << 16)
    answer = decode(nic.leaves(send.octets, (5_000 << 16) + 0x8000))
    assert isinstance(answer, PdelayResp)
    assert (answer.flags, answer.request_receipt_ns, answer.requesting) == (0, 0, peer.identity)
    # stamps are 100 ns late on the way in, and 30 ns early on the way out
    assert answer.correction_sns == 77 + ((5_000 - 1_000 + 130) << 16) + 0x8000


def test_P2P_03_a_correction_too_big_to_represent_stays_so() -> None:
    made, _, _ = asked("p2p", correction_sns=INTERVAL_MAX_SNS)
    assert made.sent(PdelayResp)[0].correction_sns == INTERVAL_MAX_SNS


def test_P2P_05_a_nic_for_one_step_sync_alone_answers_two_step() -> None:
    made, _, _ = asked("sync")
    assert made.sent(PdelayResp)[0].flags == Flag.TWO_STEP
    assert len(made.sent(PdelayRespFollowUp)) == 1
    assert {s.flags for s in made.sent(Sync)} <= {0}


def test_a_flood_of_requests_is_bounded_without_stamps_too() -> None:
    made = grandmaster("p2p", delay_mechanism="P2P")
    peer = Peer(9)
    for _ in range(200):
        made.receive(peer.pdelay_req())
    assert len(made.sent(PdelayResp)) == 64
    assert made.port().counters["drop-pdelay-req-flood"] == 136


def test_the_nic_answers_for_the_request_that_it_has_stamped() -> None:
    """For another one it changes nothing, rather than make up a turnaround."""
    nic, peer = OneStepNic(pdelay=True), Peer(9)
    nic.received(peer.pdelay_req(), 1_000 << 16)
    other = PdelayReq(Peer(8).identity, sequence_id=5)
    frame = encode(PdelayResp(Peer(2).identity, sequence_id=5, requesting=other.source))
    assert nic.leaves(frame, 5_000 << 16) == frame


@pytest.mark.parametrize(("able", "flag"), [("", 1), ("sync", 0), ("p2p", 0)])
def test_default_data_set_tells_whether_sync_is_two_step(able: str, flag: int) -> None:
    made = grandmaster(able)
    answer = local(made, request("DEFAULT_DATA_SET"))[0]
    assert values(answer)["twoStepFlag"] == flag
