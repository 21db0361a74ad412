"""Rows P2P-.. of the conformance catalogue: who asks and answers, what is measured, several answers to one request."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import pytest

from ptpstack.protocol.delay_p2p import RECOVERY_NS, P2PDelay
from ptpstack.protocol.effects import PEER_DELAY, Effect, LinkDelayMeasured, Send
from ptpstack.protocol.link_mean import CLEAN
from ptpstack.protocol.pdelay_responder import BURST, MAX_PENDING, PER_SECOND
from ptpstack.timebase.units import INTERVAL_MAX_SNS
from ptpstack.wire.codec import decode
from ptpstack.wire.messages import DelayReq, DelayResp, Message, PdelayReq, PdelayResp, PdelayRespFollowUp
from ptpstack.wire.types import Flag, MessageType, PortIdentity, PortState
from tests.protocol import test_management as management
from tests.protocol.bench import GRANDMASTER, START, Bench, Peer, S, delays, identity, links, syncs
from tests.protocol.test_management import SET
from tests.protocol.test_state_machine import in_state

SILENT = ("INITIALIZING", "FAULTY", "DISABLED")


def bench(ports: int = 1, **options: Any) -> Bench:
    port = {"delay_mechanism": "P2P", **options.pop("port", {})}
    return Bench(ports, port=port, **options)


def client(**options: Any) -> tuple[Bench, Peer]:
    made, peer = bench(**options), Peer(1, quality=GRANDMASTER)
    made.follow(peer)
    made.clear()
    return made, peer


def request(made: Bench, port: int = 1) -> PdelayReq:
    """The next Pdelay_Req of the bench, sent and stamped."""
    made.clear()
    while not made.sent(PdelayReq, port):
        made.run(((made.instance.next_deadline() or 0) - made.now) / 1e9)
    return made.sent(PdelayReq, port)[-1]


def answer(
    made: Bench, peer: Peer, asked: PdelayReq, *, there_ns: int, turnaround_ns: int, back_ns: int, clock_ns: int = 0
) -> list[Effect]:
    """The neighbour's two-step answer, after ``there_ns``, by a clock that is ``clock_ns`` ahead."""
    t2 = made.now + there_ns + clock_ns
    made.run((there_ns + turnaround_ns + back_ns) / 1e9)
    effects = made.receive(peer.pdelay_resp(asked, t2))
    return effects + made.receive(peer.pdelay_follow_up(asked, t2 + turnaround_ns))


ACTIVE = [s for s in PortState if s.name not in SILENT]


def peer_to_peer(state: PortState) -> Bench:
    return in_state(state, port={"delay_mechanism": "P2P"})


# ------------------------------------------------------------------------------------------------------- asking


@pytest.mark.parametrize("state", ACTIVE, ids=lambda s: s.name)
def test_P2P_01_and_02_active_ports_ask_and_answer(state: PortState) -> None:
    made = peer_to_peer(state)
    made.run(2.5)
    made.receive(Peer(9).pdelay_req())
    assert made.port().state is state
    assert len(made.sent(PdelayReq, 1)) in (2, 3)
    assert [type(m) for m in made.sent(port=1)][-2:] == [PdelayResp, PdelayRespFollowUp]


@pytest.mark.parametrize("log_interval", [-2, 0, 2])
def test_P2P_01_requests_at_the_interval(log_interval: int) -> None:
    made = bench(port={"log_min_pdelay_req_interval": log_interval})
    made.run(40 * 2.0**log_interval)
    times = [when for when, _ in made.sent_at(PdelayReq)]
    assert len(times) == 41
    assert all(b - a >= 2.0**log_interval * S for a, b in pairwise(times))


@pytest.mark.parametrize("state", [PortState.FAULTY, PortState.DISABLED], ids=lambda s: s.name)
def test_P2P_01_and_02_a_port_that_is_off_neither_asks_nor_answers(state: PortState) -> None:
    made = peer_to_peer(state)
    made.run(10)
    made.receive(Peer(7).pdelay_req())
    assert made.sent(port=1) == []


def test_P2P_01_a_change_of_state_does_not_disturb_the_interval() -> None:
    made = bench()
    peer = Peer(1, quality=GRANDMASTER)
    made.run(1.5)
    made.follow(peer)
    made.run(0.6)
    made.measure(peer)
    made.locked()
    made.silence(peer)
    made.run(30)
    assert made.states() == ["MASTER"]
    times = [when for when, _ in made.sent_at(PdelayReq)]
    assert times == [START + n * S for n in range(len(times))]
    assert len(times) > 25


def test_P2P_12_silence_is_counted_and_requests_go_on() -> None:
    made, _ = client()
    missing = made.port().counters["pdelay-resp-missing"]
    made.run(20)
    assert len(made.sent(PdelayReq)) == 20
    assert made.port().counters["pdelay-resp-missing"] == missing + 20
    assert made.port().state is PortState.UNCALIBRATED


def test_P2P_17_the_sequence_counts_and_answers_copy_it() -> None:
    made, peer = client()
    made.run(5)
    numbers = [m.sequence_id for m in made.sent(PdelayReq)]
    assert all((b - a) & 0xFFFF == 1 for a, b in pairwise(numbers))
    made.clear()
    made.receive(peer.pdelay_req(sequence_id=0xBEEF))
    assert [m.sequence_id for m in made.sent()] == [0xBEEF, 0xBEEF]


def test_MSG_08_and_MSG_09_and_MSG_10_and_HDR_23_lengths_fields_and_destination() -> None:
    made, peer = client()
    request(made)
    made.run(0.1)
    made.receive(peer.pdelay_req())
    sends = [e for e in made.all(Send) if e.octets[0] & 0x0F in (2, 3, 0xA)]
    assert [len(s.octets) for s in sends] == [54, 54, 54]
    assert [s.destination for s in sends] == [PEER_DELAY] * 3
    assert [s.token is None for s in sends] == [False, False, True]
    asked, response, follow_up = (decode(s.octets) for s in sends)
    assert isinstance(asked, PdelayReq)
    assert isinstance(response, PdelayResp)
    assert isinstance(follow_up, PdelayRespFollowUp)
    assert asked.reserved == bytes(10)
    assert {m.log_interval for m in (asked, response, follow_up)} == {0x7F}
    assert {m.control for m in (asked, response, follow_up)} == {5}
    assert [m.flags for m in (asked, response, follow_up)] == [0, Flag.TWO_STEP, 0]
    assert response.requesting == follow_up.requesting == peer.identity


# ---------------------------------------------------------------------------------------------------- answering


@pytest.mark.parametrize(("sdo_id", "sign"), [(0, -1), (0x100, 1)])
def test_P2P_05_and_06_and_07_fractions_and_the_requests_correction(sdo_id: int, sign: int) -> None:
    """1588 takes the fraction of t2 off in Pdelay_Resp, 802.1AS (majorSdoId 1) adds it; t3's is always added."""
    made = bench(sdo_id=sdo_id)
    made.run(0.5)
    made.clear()
    t2, t3 = (made.clock_sns + 0x4000, made.clock_sns + 5000 * 65536 + 0x8000)
    made.egress = lambda message: t3
    made.receive(Peer(9).pdelay_req(sdo_id=sdo_id, correction_sns=77), stamp=t2)
    response, follow_up = made.sent()
    assert isinstance(response, PdelayResp)
    assert isinstance(follow_up, PdelayRespFollowUp)
    assert (response.request_receipt_ns, response.correction_sns) == (t2 >> 16, sign * 0x4000)
    assert (follow_up.response_origin_ns, follow_up.correction_sns) == (t3 >> 16, 77 + 0x8000)
    # what a requester makes of it
    turnaround = (follow_up.response_origin_ns - response.request_receipt_ns) << 16
    assert turnaround + follow_up.correction_sns - sign * response.correction_sns == t3 - t2 + 77


def test_P2P_05_a_correction_too_big_to_represent_stays_so() -> None:
    made = bench()
    made.receive(Peer(9).pdelay_req(correction_sns=INTERVAL_MAX_SNS))
    assert made.sent(PdelayRespFollowUp)[0].correction_sns == INTERVAL_MAX_SNS


def test_P2P_05_latencies_have_their_signs() -> None:
    made = bench(port={"ingress_latency_ns": 100.0, "egress_latency_ns": 30.0})
    made.run(0.5)
    made.clear()
    made.receive(Peer(9).pdelay_req())
    response, follow_up = made.sent(PdelayResp)[0], made.sent(PdelayRespFollowUp)[0]
    assert response.request_receipt_ns == made.now - 100
    assert follow_up.response_origin_ns == made.now + 30


def test_P2P_18_a_unicast_request_is_answered_unicast() -> None:
    made, peer = client()
    made.receive(peer.pdelay_req(flags=Flag.UNICAST), address="10.0.0.7")
    sends = made.all(Send)
    assert [s.destination for s in sends] == ["10.0.0.7"] * 2
    assert [decode(s.octets).flags for s in sends] == [Flag.TWO_STEP | Flag.UNICAST, Flag.UNICAST]


@pytest.mark.parametrize("kind", ["no ingress stamp", "no egress stamp", "before 1970"])
def test_P2P_02_without_stamps_there_is_no_answer_to_be_wrong_about(kind: str) -> None:
    made, peer = client()
    stamp: int | str | None = "now"
    if kind == "no ingress stamp":
        stamp = None
    elif kind == "before 1970":
        stamp = -1
    else:
        made.egress = lambda message: None
    made.receive(peer.pdelay_req(), stamp=stamp)
    assert made.sent(PdelayRespFollowUp) == []
    assert len(made.sent(PdelayResp)) == (kind == "no egress stamp")
    counter = {"no ingress stamp": "pdelay-req-received-without-stamp", "before 1970": "stamp-out-of-range"}.get(
        kind, "pdelay-resp-sent-without-stamp"
    )
    assert made.port().counters[counter] == 1


def test_two_neighbours_with_the_same_sequence_get_their_own_follow_ups() -> None:
    made = bench()
    made.held = []
    for number in (8, 9):
        made.receive(Peer(number).pdelay_req(sequence_id=5))
    first, second = made.held
    for send, t3_ns in ((second, 9), (first, 8)):
        made.clear()
        made.stamp(send, t3_ns << 16)
        (follow_up,) = made.sent(PdelayRespFollowUp)
        assert follow_up.requesting.clock_identity == identity(follow_up.response_origin_ns)


def test_a_flood_of_requests_is_answered_up_to_a_rate_and_waits_are_bounded() -> None:
    made, peer = client()
    for _ in range(10_000):
        made.now += S // 10_000
        made.receive(peer.pdelay_req())
    assert len(made.sent(PdelayResp)) <= BURST + PER_SECOND
    assert made.port().counters["drop-pdelay-req-flood"] >= 10_000 - BURST - PER_SECOND
    # stamps that never come back
    made.held = []
    made.now += S
    for _ in range(200):
        made.receive(peer.pdelay_req())
    delay = made.port().delay
    assert isinstance(delay, P2PDelay)
    assert len(delay.responder._pending) <= MAX_PENDING
    # and the port goes on when they are too old
    made.now += 2 * S
    (send,) = made.receive(peer.pdelay_req())
    assert isinstance(send, Send)
    assert send.octets[0] & 0x0F == MessageType.PDELAY_RESP


# ---------------------------------------------------------------------------------------------------- measuring


def test_P2P_08_mean_link_delay_by_the_formula() -> None:
    """t: 0, 500, 1500, 2000 ns -> 500; whatever the neighbour's clock shows."""
    for clock_ns in (0, 5_000_000_000, -37_000_000_000):
        made, peer = client()
        (m,) = links(
            answer(made, peer, request(made), there_ns=500, turnaround_ns=1000, back_ns=500, clock_ns=clock_ns)
        )
        assert m.delay_sns == 500 << 16
        assert m.responder == peer.identity
        assert made.port().ds.mean_link_delay_sns == 500 << 16


@pytest.mark.parametrize("variant", ["one-step", "two-step A", "two-step B"])
def test_P2P_03_and_04_one_step_and_both_two_step_variants_are_understood(variant: str) -> None:
    made, peer = client()
    asked = request(made)
    t2 = made.now + 700
    made.run(4_000e-9)
    turnaround = (4_000 - 2 * 700) << 16
    if variant == "one-step":
        effects = made.receive(peer.pdelay_resp(asked, 0, flags=0, correction_sns=turnaround + 0x1000))
    elif variant == "two-step A":
        assert links(made.receive(peer.pdelay_resp(asked, 0))) == []
        effects = made.receive(peer.pdelay_follow_up(asked, 0, correction_sns=turnaround + 0x1000))
    else:
        assert links(made.receive(peer.pdelay_resp(asked, t2, correction_sns=-0x4000))) == []
        t3 = t2 + 2_600
        effects = made.receive(peer.pdelay_follow_up(asked, t3, correction_sns=0x4000 + 0x5000))
        # t2 has a fraction of 0x4000, t3 one of 0x9000: the turnaround is 0x5000 longer than it says in ns
    (m,) = links(effects)
    assert m.delay_sns == (700 << 16) - (0x800 if variant != "two-step B" else 0x2800)


def test_P2P_04_a_one_step_answer_does_not_wait_for_a_follow_up() -> None:
    made, peer = client()
    asked = request(made)
    made.run(2e-6)
    assert len(links(made.receive(peer.pdelay_resp(asked, 0, flags=0, correction_sns=1000 << 16)))) == 1
    assert links(made.receive(peer.pdelay_follow_up(asked, 5, correction_sns=9))) == []


@pytest.mark.parametrize("what", ["sequence", "port", "clock"])
def test_P2P_09_answers_to_others_are_ignored(what: str) -> None:
    made, peer = client()
    asked = request(made)
    other = {
        "sequence": {"sequence_id": (asked.sequence_id + 1) & 0xFFFF},
        "port": {"requesting": PortIdentity(asked.source.clock_identity, 9)},
        "clock": {"requesting": PortIdentity(identity(0x99), 1)},
    }[what]
    assert made.receive(peer.pdelay_resp(asked, made.now, **other)) == []
    assert made.receive(peer.pdelay_follow_up(asked, made.now, **other)) == []
    name = "pdelay-resp-unmatched" if what == "sequence" else "pdelay-resp-for-others"
    assert made.port().counters[name] == 2
    assert len(links(answer(made, peer, asked, there_ns=500, turnaround_ns=1000, back_ns=500))) == 1


def test_P2P_10_a_follow_up_may_come_before_its_response() -> None:
    made, peer = client()
    asked = request(made)
    sent = made.now
    made.run(2000e-9)
    assert made.receive(peer.pdelay_follow_up(asked, sent + 1500)) == []
    (m,) = links(made.receive(peer.pdelay_resp(asked, sent + 500)))
    assert m.delay_sns == 500 << 16


def test_P2P_10_the_transmit_stamp_may_come_last() -> None:
    made, peer = client()
    made.held = []
    asked, t1 = request(made), made.now
    made.run(2e-6)
    made.receive(peer.pdelay_resp(asked, t1 + 500))
    assert links(made.receive(peer.pdelay_follow_up(asked, t1 + 1500))) == []
    (m,) = links(made.stamp(made.held[-1], t1 << 16))
    assert m.delay_sns == 500 << 16


def test_P2P_11_a_follow_up_of_another_port_is_ignored() -> None:
    made, peer = client()
    asked = request(made)
    made.run(2e-6)
    made.receive(peer.pdelay_resp(asked, made.now - 1500))
    for stranger in (Peer(1, 2), Peer(5)):
        assert made.receive(stranger.pdelay_follow_up(asked, made.now)) == []
    assert len(links(made.receive(peer.pdelay_follow_up(asked, made.now - 500)))) == 1


def test_P2P_15_the_turnaround_is_corrected_for_the_rate() -> None:
    """A neighbour 100 ppm fast and 10 ms of turnaround: 500 ns of error without the ratio."""
    made, peer = client()
    measured = []
    for _ in range(12):
        asked = request(made)
        t1 = made.now
        made.run(10_001_000e-9)

        def theirs(ns: int) -> int:
            return ns + (ns - START) // 10_000

        made.receive(peer.pdelay_resp(asked, theirs(t1 + 500)))
        measured += links(made.receive(peer.pdelay_follow_up(asked, theirs(t1 + 10_000_500))))
    delays_ns = [m.delay_sns / 65536 for m in measured]
    assert delays_ns[0] == pytest.approx(0, abs=2)
    assert delays_ns[-1] == pytest.approx(500, abs=2)
    assert made.port().ds.neighbor_rate_ratio == pytest.approx(1.0001, abs=1e-8)


def test_P2P_15_a_neighbour_that_is_set_does_not_spoil_the_ratio() -> None:
    made, peer = client()
    for n in range(12):
        clock_ns = 0 if n < 6 else 86_400 * S
        (m,) = links(
            answer(made, peer, request(made), there_ns=500, turnaround_ns=10_000_000, back_ns=500, clock_ns=clock_ns)
        )
        assert m.delay_sns / 65536 == pytest.approx(500, abs=1)
    assert made.port().counters["neighbor-rate-implausible"] == 1


@pytest.mark.parametrize("asymmetry_ns", [1000.0, -250.0])
def test_P2P_16_asymmetry_leaves_the_delay_and_lowers_the_offset(asymmetry_ns: float) -> None:
    made, peer = client(port={"delay_asymmetry_ns": asymmetry_ns})
    asked = request(made)
    assert asked.correction_sns == -round(asymmetry_ns * 65536)
    sent = made.now
    made.run(2000e-9)
    made.receive(peer.pdelay_resp(asked, sent + 500))
    (m,) = links(made.receive(peer.pdelay_follow_up(asked, sent + 1500, correction_sns=asked.correction_sns)))
    assert m.delay_sns == 500 << 16
    (s,) = syncs(made.measure(peer, delay_ns=500))
    assert (s.t2_sns - s.t1_sns - s.correction_sns - m.delay_sns) / 65536 == -asymmetry_ns


def test_P2P_22_the_offset_uses_the_mean_link_delay() -> None:
    made, peer = client()
    (m,) = links(answer(made, peer, request(made), there_ns=800, turnaround_ns=1000, back_ns=800))
    (s,) = syncs(made.measure(peer, delay_ns=800 + 45))
    assert (s.t2_sns - s.t1_sns - s.correction_sns - m.delay_sns) >> 16 == 45


def test_what_is_measured_before_a_master_is_followed_is_kept_for_it() -> None:
    made, peer = bench(), Peer(1, quality=GRANDMASTER)
    for _ in range(3):
        assert links(answer(made, peer, request(made), there_ns=500, turnaround_ns=1000, back_ns=500)) == []
    made.follow(peer)
    assert [m.delay_sns >> 16 for m in made.all(LinkDelayMeasured)] == [500] * 3


def test_a_step_of_the_clock_ends_the_exchange_under_way() -> None:
    made, peer = client()
    asked = request(made)
    made.ptp_offset_ns += 10 * S
    made.instance.clock_stepped()
    assert links(answer(made, peer, asked, there_ns=500, turnaround_ns=1000, back_ns=500)) == []
    assert len(links(answer(made, peer, request(made), there_ns=500, turnaround_ns=1000, back_ns=500))) == 1


def test_an_absurd_answer_is_counted_and_not_used() -> None:
    made, peer = client()
    asked = request(made)
    made.receive(peer.pdelay_resp(asked, 0))
    assert links(made.receive(peer.pdelay_follow_up(asked, 2**47 * S))) == []
    assert made.port().counters["pdelay-absurd"] == 1
    assert made.port().ds.mean_link_delay_sns == 0


# ------------------------------------------------------------------------------------------------ several answers


def crowd(made: Bench, *peers: Peer) -> list[Effect]:
    """All of them answer the next request; in every order of their two frames."""
    asked, effects = request(made), []
    sent = made.now
    made.run(2e-6)
    for peer in peers:
        effects += made.receive(peer.pdelay_resp(asked, sent + 500))
    for peer in peers:
        effects += made.receive(peer.pdelay_follow_up(asked, sent + 1500))
    return links(effects)  # type: ignore[return-value]


def test_P2P_13_two_responders_make_the_measurement_invalid() -> None:
    made, peer = client()
    other = Peer(0x66)
    assert len(crowd(made, peer)) == 1
    for n in range(1, 5):
        assert crowd(made, peer, other) == []
        assert made.port().counters["pdelay-several-peers"] == n
    # one answer alone is not believed at once
    for _ in range(CLEAN):
        assert crowd(made, peer) == []
    assert len(crowd(made, peer)) == 1
    assert made.port().state is PortState.UNCALIBRATED


def test_P2P_13_and_14_a_port_may_be_faulty_instead_and_comes_back_by_itself() -> None:
    made, peer = client(port={"several_peers": "fault"})
    other = Peer(0x66)
    for _ in range(3):
        crowd(made, peer, other)
    made.run(1.1)
    port = made.port()
    assert port.state is PortState.FAULTY
    assert port.decision is not None
    assert port.decision.code == "several-peers"
    assert port.counters["peer-isolated"] == 1
    made.silence(peer)
    made.clear()
    made.run(RECOVERY_NS / 1e9 - 2)
    assert port.state is PortState.FAULTY
    assert made.sent() == []
    made.run(3)
    assert port.state.name not in SILENT
    assert len(made.sent(PdelayReq)) >= 1


def test_P2P_14_recovery_waits_for_the_link() -> None:
    made, peer = client(port={"several_peers": "fault"})
    for _ in range(3):
        crowd(made, peer, Peer(0x66))
    made.run(1.1)
    made.call("link", 1, False)
    made.run(60)
    assert made.port().state is PortState.FAULTY
    made.call("link", 1, True)
    assert made.port().state is PortState.LISTENING


def test_another_neighbour_is_told_apart_from_several() -> None:
    made, peer = client()
    assert len(crowd(made, peer)) == 1
    assert len(crowd(made, Peer(0x66))) == 1
    assert made.port().counters["pdelay-new-neighbor"] == 1
    assert made.port().counters["pdelay-several-peers"] == 0


# ------------------------------------------------------------------------------------------------ the other mechanism


def test_E2E_17_a_port_with_peer_delay_answers_no_delay_req_and_asks_none() -> None:
    made = bench()
    made.run(10)
    assert made.states() == ["MASTER"]
    made.clear()
    made.receive(Peer(9).delay_req())
    assert made.sent(DelayResp) == []
    assert made.port().counters["drop-e2e-on-p2p-port"] == 1
    made, peer = client()
    for _ in range(10):
        made.measure(peer)
        made.run(1)
    assert made.sent(DelayReq) == []


def test_a_port_with_end_to_end_delay_answers_no_pdelay_req_and_asks_none() -> None:
    made = Bench()
    made.run(10)
    made.clear()
    made.receive(Peer(9).pdelay_req())
    made.run(10)
    kinds: set[type[Message]] = {type(m) for m in made.sent()}
    assert not kinds & {PdelayReq, PdelayResp, PdelayRespFollowUp}
    assert made.port().counters["drop-p2p-on-e2e-port"] == 1


def test_P2P_21_mean_link_delay_of_a_port_with_end_to_end_delay_is_0() -> None:
    made, peer = Bench(), Peer(1, quality=GRANDMASTER)
    made.follow(peer)
    made.measure(peer)
    asked = DelayReq(made.port().identity, 1)
    made.receive(peer.pdelay_resp(asked, 5))
    assert made.port().ds.mean_link_delay_sns == 0


def test_BC_13_ports_of_both_mechanisms_in_one_clock() -> None:
    made = Bench(2, port_each=({"delay_mechanism": "P2P"}, {}), quality=GRANDMASTER)
    made.run(10)
    made.clear()
    for number in (1, 2):
        made.receive(Peer(9).pdelay_req(), number)
        made.receive(Peer(9).delay_req(), number)
    assert [type(m) for m in made.sent(port=1)] == [PdelayResp, PdelayRespFollowUp]
    assert [type(m) for m in made.sent(port=2)] == [DelayResp]
    assert delays([e for _, e in made.effects]) == []


# ------------------------------------------------------------------------------------------------------ automatic


def test_an_automatic_port_measures_end_to_end_until_a_neighbour_asks() -> None:
    made, peer = client(port={"delay_mechanism": "AUTO"})
    for _ in range(3):
        made.measure(peer)
        made.run(1)
    assert {type(m) for m in made.sent()} == {DelayReq}
    assert made.port().ds.delay_mechanism == "E2E"
    made.clear()
    made.receive(peer.pdelay_req())
    assert made.port().ds.delay_mechanism == "P2P"
    assert [type(m) for m in made.sent()] == [PdelayResp, PdelayRespFollowUp]
    made.clear()
    for _ in range(3):
        made.measure(peer)
        made.run(1)
    assert {type(m) for m in made.sent()} == {PdelayReq}
    (m,) = links(answer(made, peer, request(made), there_ns=500, turnaround_ns=1000, back_ns=500))
    assert m.delay_sns == 500 << 16
    assert made.port().delay.neighbor == peer.identity


def test_an_automatic_master_answers_what_it_is_asked() -> None:
    made = Bench(port={"delay_mechanism": "AUTO"})
    made.run(10)
    made.clear()
    made.receive(Peer(9).delay_req())
    made.receive(Peer(9).pdelay_req())
    made.receive(Peer(9).delay_req())
    assert [type(m) for m in made.sent()] == [DelayResp, PdelayResp, PdelayRespFollowUp]
    assert made.port().counters["drop-e2e-on-p2p-port"] == 1


def test_an_automatic_port_begins_anew_with_its_link() -> None:
    made, peer = client(port={"delay_mechanism": "AUTO"})
    made.receive(peer.pdelay_req())
    made.call("link", 1, False)
    assert made.port().ds.delay_mechanism == "E2E"
    made.call("link", 1, True)
    made.clear()
    made.run(10)
    assert made.sent(PdelayReq) == []


# ------------------------------------------------------------------------------------------------------- management


def test_management_shows_the_link_and_sets_the_interval() -> None:
    made, peer = client()
    (m,) = links(answer(made, peer, request(made), there_ns=500, turnaround_ns=1000, back_ns=500))
    shown = management.values(management.local(made, management.request("PORT_DATA_SET"))[0])
    assert shown["meanLinkDelay"] == m.delay_sns == 500 << 16
    assert (shown["delayMechanism"], shown["logMinPdelayReqInterval"]) == (2, 0)
    wanted = management.request("LOG_MIN_PDELAY_REQ_INTERVAL", SET, values={"logMinPdelayReqInterval": -1})
    assert management.values(management.local(made, wanted)[0]) == {"logMinPdelayReqInterval": -1}
    made.clear()
    made.run(10)
    assert len(made.sent(PdelayReq)) in (20, 21)


def test_management_sets_the_mechanism_and_the_port_begins_anew() -> None:
    made = Bench()
    made.run(10)
    for name, code, asks in (("P2P", 2, True), ("E2E", 1, False)):
        wanted = management.request("DELAY_MECHANISM", SET, values={"delayMechanism": code})
        assert management.values(management.local(made, wanted)[0]) == {"delayMechanism": code}
        assert made.port().ds.delay_mechanism == name
        made.clear()
        made.run(20)
        assert bool(made.sent(PdelayReq)) is asks
