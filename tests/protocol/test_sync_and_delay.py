"""Rows SYN-.. and E2E-.. of the conformance catalogue: which Sync and Delay_Resp count, and what they measure.

Offsets and delays are computed here from the measured time stamps by the formulas of 11.2 and 11.3, so that a servo's
filters do not stand between a row and its figure; where the row is about the formula itself, the servo is asked.
"""

from __future__ import annotations

from itertools import pairwise

import pytest

from ptpstack.protocol.delay_e2e import MAX_OUTSTANDING, RESPONSE_WAIT_NS, E2EDelay
from ptpstack.protocol.effects import Effect, Send
from ptpstack.servo.classic import ClassicServo
from ptpstack.servo.options import ServoOptions
from ptpstack.timebase.units import INTERVAL_MAX_SNS, INTERVAL_MIN_SNS
from ptpstack.wire.codec import decode
from ptpstack.wire.messages import DelayReq, DelayResp
from ptpstack.wire.tlv import Tlv
from ptpstack.wire.types import Flag, PortIdentity
from tests.protocol.bench import GRANDMASTER, Bench, Peer, S, delays, identity, syncs

FOREIGN = Peer(0x77)


def client(**options: object) -> tuple[Bench, Peer]:
    bench, peer = Bench(**options), Peer(1, quality=GRANDMASTER)  # type: ignore[arg-type]
    bench.follow(peer)
    bench.clear()
    return bench, peer


def forward_ns(effects: list[Effect]) -> float:
    """Forward delay plus offset of the only Sync measured."""
    (m,) = syncs(effects)
    return (m.t2_sns - m.t1_sns - m.correction_sns) / 65536


def request(bench: Bench, peer: Peer) -> DelayReq:
    """The next Delay_Req of the bench, sent (and stamped)."""
    bench.measure(peer)
    bench.clear()
    while not bench.sent(DelayReq):
        bench.run(0.05)
    (first, *_) = bench.sent(DelayReq)
    return first


# --------------------------------------------------------------------------------------------------------- Sync


@pytest.mark.parametrize("stranger", [FOREIGN, Peer(1, 2)], ids=["another clock", "another port of the parent"])
def test_SYN_01_only_the_parents_sync_counts(stranger: Peer) -> None:
    bench, peer = client()
    assert bench.measure(stranger) == []
    assert bench.port().counters["drop-not-parent"] == 2
    assert len(syncs(bench.measure(peer))) == 1


def test_SYN_02_a_master_does_not_measure_sync() -> None:
    bench = Bench()
    bench.run(10)
    assert bench.states() == ["MASTER"]
    assert bench.measure(FOREIGN) == []
    assert bench.port().counters["drop-state"] == 2


@pytest.mark.parametrize(
    ("source", "sequence"), [(Peer(1), 8), (Peer(1), 6), (Peer(1, 2), 7), (FOREIGN, 7)],
    ids=["next", "previous", "other port", "other clock"],
)  # fmt: skip
def test_SYN_03_follow_up_must_match_source_and_sequence(source: Peer, sequence: int) -> None:
    bench, peer = client()
    bench.receive(peer.sync(sequence_id=7))
    assert bench.receive(source.follow_up(bench.now, sequence_id=sequence)) == []
    assert len(syncs(bench.receive(peer.follow_up(bench.now, sequence_id=7)))) == 1


def test_SYN_04_follow_up_may_come_before_its_sync() -> None:
    bench, peer = client()
    assert bench.receive(peer.follow_up(bench.now - 400, sequence_id=7)) == []
    assert forward_ns(bench.receive(peer.sync(sequence_id=7))) == 400


def test_SYN_05_a_duplicate_follow_up_changes_nothing() -> None:
    bench, peer = client()
    assert len(syncs(bench.measure(peer, sequence_id=7))) == 1
    assert bench.receive(peer.follow_up(bench.now - 999, sequence_id=7)) == []
    assert bench.port().counters["follow-up-duplicate"] == 1
    bench.run(1)
    assert forward_ns(bench.measure(peer, delay_ns=300)) == 300


def test_SYN_06_a_late_follow_up_of_an_older_sync_is_ignored() -> None:
    bench, peer = client()
    bench.receive(peer.sync(sequence_id=7))
    bench.run(1)
    bench.receive(peer.sync(sequence_id=8))
    assert bench.port().counters["sync-without-follow-up"] == 1
    assert bench.receive(peer.follow_up(bench.now - S, sequence_id=7)) == []
    assert forward_ns(bench.receive(peer.follow_up(bench.now - 250, sequence_id=8))) == 250
    assert bench.receive(peer.follow_up(bench.now - S, sequence_id=7)) == []
    assert bench.port().counters["follow-up-late"] == 1


def test_SYN_06_late_is_told_across_the_wrap() -> None:
    bench, peer = client()
    bench.measure(peer, sequence_id=0)
    bench.receive(peer.sync(sequence_id=0))
    assert bench.receive(peer.follow_up(bench.now, sequence_id=0xFFFF)) == []
    assert bench.port().counters["follow-up-late"] == 1


def test_SYN_07_a_two_step_sync_alone_measures_nothing() -> None:
    bench, peer = client()
    for _ in range(10):
        assert syncs(bench.receive(peer.sync())) == []
        bench.run(1)
    assert bench.port().counters["sync-without-follow-up"] == 9


def test_SYN_07_a_sync_without_ingress_stamp_is_counted_and_not_used() -> None:
    bench, peer = client()
    bench.receive(peer.sync(), stamp=None)
    assert bench.receive(peer.follow_up(bench.now)) == []
    assert bench.port().counters["sync-without-stamp"] == 1


def test_SYN_08_a_one_step_sync_counts_at_once_and_a_follow_up_after_it_does_not() -> None:
    bench, peer = client()
    assert forward_ns(bench.receive(peer.sync(sequence_id=7, flags=0, origin_ns=bench.now - 600))) == 600
    assert bench.receive(peer.follow_up(bench.now - 1, sequence_id=7)) == []
    assert bench.port().counters["follow-up-duplicate"] == 1


def test_SYN_08_a_follow_up_before_its_one_step_sync_is_not_kept_for_another() -> None:
    bench, peer = client()
    bench.receive(peer.follow_up(bench.now - 400, sequence_id=7))
    assert len(syncs(bench.receive(peer.sync(sequence_id=7, flags=0, origin_ns=bench.now)))) == 1
    assert bench.receive(peer.sync(sequence_id=7)) == []


def test_SYN_09_offset_is_t2_minus_t1_minus_delay_minus_corrections() -> None:
    """The worked example: 10 us each way, this clock 5 us ahead."""
    servo = ClassicServo(ServoOptions(type="pi"))
    t0 = 100 * S << 16
    us = 1000 << 16
    servo.sync(t0, t0 + 15 * us, 0, 0)
    servo.delay(101 * S << 16, (101 * S << 16) + 5 * us, 0, 0)
    # the next Sync, with 2 + 3 us of residence on its way
    t1 = 102 * S << 16
    servo.sync(t1, t1 + 20 * us, 5 * us, S)
    estimate = servo.estimate(S)
    assert estimate is not None
    assert estimate.value_ns == 5000
    assert servo.path_delay_ns() == 10_000


def test_SYN_09_corrections_of_sync_and_follow_up_add_up() -> None:
    bench, peer = client()
    origin = bench.now - 10_000
    bench.receive(peer.sync(correction_sns=2000 << 16))
    (m,) = syncs(bench.receive(peer.follow_up(origin, correction_sns=3000 << 16)))
    assert m.correction_sns == 5000 << 16
    assert (m.t2_sns - m.t1_sns - m.correction_sns) >> 16 == 5000


def test_SYN_10_and_11_negative_corrections_and_fractions_are_kept() -> None:
    bench, peer = client()
    origin = bench.now
    bench.receive(peer.sync(correction_sns=-0x28000))
    (m,) = syncs(bench.receive(peer.follow_up(origin, correction_sns=0x8000)))
    assert m.correction_sns == -0x20000
    bench.run(1)
    stamp = bench.clock_sns + 0x8000
    bench.receive(peer.sync(correction_sns=0x8000), stamp=stamp)
    assert forward_ns(bench.receive(peer.follow_up(bench.now, correction_sns=0x4000))) == 0.5 - 0.75


@pytest.mark.parametrize("extreme", [INTERVAL_MAX_SNS, INTERVAL_MIN_SNS])
def test_SYN_12_a_correction_too_big_to_represent_spoils_the_sample(extreme: int) -> None:
    bench, peer = client()
    bench.receive(peer.sync(correction_sns=extreme))
    assert bench.receive(peer.follow_up(bench.now)) == []
    bench.receive(peer.sync())
    assert bench.receive(peer.follow_up(bench.now, correction_sns=extreme)) == []
    assert bench.port().counters["correction-overflow"] == 2
    bench.run(1)
    (m,) = syncs(bench.measure(peer))
    assert m.correction_sns == 0
    # one below the extreme is a number like any other, and two of them do not wrap
    bench.receive(peer.sync(correction_sns=INTERVAL_MAX_SNS - 1))
    (m,) = syncs(bench.receive(peer.follow_up(bench.now, correction_sns=INTERVAL_MAX_SNS - 1)))
    assert m.correction_sns == 2 * (INTERVAL_MAX_SNS - 1)


def test_SYN_13_one_and_two_step_may_alternate() -> None:
    bench, peer = client()
    for n in range(6):
        if n % 2:
            effects = bench.receive(peer.sync(flags=0, origin_ns=bench.now - 100))
        else:
            effects = bench.measure(peer, delay_ns=100)
        assert forward_ns(effects) == 100
        bench.run(1)


def test_SYN_14_a_sync_of_an_alternate_master_is_ignored() -> None:
    bench, peer = client()
    bench.receive(peer.sync(flags=Flag.TWO_STEP | Flag.ALTERNATE_MASTER))
    assert bench.receive(peer.follow_up(bench.now)) == []
    assert bench.receive(peer.sync(flags=Flag.ALTERNATE_MASTER, origin_ns=bench.now)) == []
    assert bench.port().counters["drop-alternate-master"] == 2


def test_SYN_15_a_change_of_master_forgets_what_waited() -> None:
    bench, _ = client()
    peer = bench.speakers[0].peer
    better = Peer(2, priority1=1)
    bench.receive(peer.sync(sequence_id=7))
    bench.receive(better.announce())
    bench.receive(better.announce())
    # the first Follow_Up of the new master has the number of the old one's Sync
    assert bench.receive(better.follow_up(bench.now, sequence_id=7)) == []
    assert forward_ns(bench.receive(better.sync(sequence_id=7))) == 0


def test_a_step_of_the_clock_forgets_a_sync_that_waits() -> None:
    bench, peer = client()
    bench.receive(peer.sync(sequence_id=7))
    bench.instance.clock_stepped()
    assert bench.receive(peer.follow_up(bench.now, sequence_id=7)) == []


# ---------------------------------------------------------------------------------------------------- Delay_Resp


def test_E2E_01_a_response_with_another_sequence_id_is_ignored() -> None:
    bench, peer = client()
    req = request(bench, peer)
    for wrong in (req.sequence_id + 1, req.sequence_id - 1):
        assert bench.receive(peer.delay_resp(req, bench.now, sequence_id=wrong & 0xFFFF)) == []
    assert bench.port().counters["delay-resp-unmatched"] == 2
    assert len(delays(bench.receive(peer.delay_resp(req, bench.now)))) == 1


@pytest.mark.parametrize("other", [PortIdentity(identity(0x50), 2), PortIdentity(identity(0x51), 1)])
def test_E2E_02_a_response_for_somebody_else_is_ignored(other: PortIdentity) -> None:
    bench, peer = client()
    req = request(bench, peer)
    assert bench.receive(peer.delay_resp(req, bench.now, requesting=other, log_interval=5)) == []
    assert bench.port().ds.log_min_delay_req_interval == 0
    assert len(delays(bench.receive(peer.delay_resp(req, bench.now)))) == 1


def test_E2E_03_a_response_of_somebody_else_is_ignored() -> None:
    bench, peer = client()
    req = request(bench, peer)
    for stranger in (FOREIGN, Peer(1, 2)):
        assert bench.receive(stranger.delay_resp(req, bench.now, log_interval=5)) == []
    assert bench.port().ds.log_min_delay_req_interval == 0
    assert len(delays(bench.receive(peer.delay_resp(req, bench.now)))) == 1


def test_E2E_04_mean_path_delay_by_the_formula() -> None:
    """t = 100 s, 10 us each way plus 7 us of residence each, 5 us ahead: 10 us, with corrections taken off."""
    bench, peer = client()
    us = 1000
    origin = bench.now - (10 + 7 - 0) * us - 5 * us
    bench.receive(peer.sync(correction_sns=4 * us << 16))
    (m,) = syncs(bench.receive(peer.follow_up(origin, correction_sns=3 * us << 16)))
    bench.clear()
    bench.run(0)
    (req,) = bench.sent(DelayReq)
    t4 = bench.now - 5 * us + 17 * us
    (d,) = delays(bench.receive(peer.delay_resp(req, t4, correction_sns=7 * us << 16)))
    mean = (m.t2_sns - d.t3_sns + d.t4_sns - m.t1_sns - m.correction_sns - d.correction_sns) / 2 / 65536
    assert mean == 10 * us
    assert (m.t2_sns - m.t1_sns - m.correction_sns) / 65536 - mean == 5 * us
    servo = ClassicServo(ServoOptions(type="pi"))
    servo.sync(m.t1_sns, m.t2_sns, m.correction_sns, 0)
    servo.delay(d.t3_sns, d.t4_sns, d.correction_sns, 0)
    assert servo.path_delay_ns() == 10 * us


@pytest.mark.parametrize("asymmetry_ns", [0.0, 1000.0, -250.5])
def test_E2E_05_asymmetry_lowers_the_offset_and_leaves_the_delay(asymmetry_ns: float) -> None:
    """t_ms = mean + A, t_sm = mean - A; the Delay_Req itself carries -A, the master copies it into its answer."""
    bench, peer = client(port={"delay_asymmetry_ns": asymmetry_ns})
    (m,) = syncs(bench.measure(peer, delay_ns=10_000))
    bench.clear()
    bench.run(0)
    (req,) = bench.sent(DelayReq)
    assert req.correction_sns == -round(asymmetry_ns * 65536)
    (d,) = delays(bench.receive(peer.delay_resp(req, bench.now + 10_000, correction_sns=req.correction_sns)))
    mean = (m.t2_sns - d.t3_sns + d.t4_sns - m.t1_sns - m.correction_sns - d.correction_sns) / 2 / 65536
    assert mean == 10_000
    assert (m.t2_sns - m.t1_sns - m.correction_sns) / 65536 - mean == -asymmetry_ns


def test_E2E_05_ingress_and_egress_latency_have_their_signs() -> None:
    """Egress stamp = captured + latency, ingress stamp = captured - latency (7.3.4.2)."""
    bench, peer = client(port={"ingress_latency_ns": 100.0, "egress_latency_ns": 30.0})
    (m,) = syncs(bench.measure(peer))
    assert m.t2_sns == bench.clock_sns - (100 << 16)
    bench.clear()
    bench.run(0)
    (req,) = bench.sent(DelayReq)
    (d,) = delays(bench.receive(peer.delay_resp(req, bench.now)))
    assert d.t3_sns == bench.clock_sns + (30 << 16)


def test_E2E_06_the_turnaround_is_corrected_for_the_rate() -> None:
    """A clock 100 ppm fast, 0.5 s between t2 and t3: uncorrected, the delay would come out 25 us wrong."""
    servo = ClassicServo(ServoOptions(type="pi"))
    start, delay = 100 * S, 10_000

    def local(ns: int) -> int:
        return (start + round((ns - start) * 1.0001)) << 16

    for n in range(3):
        t = start + n * S
        servo.sync(t << 16, local(t + delay), 0, 0)
    t3 = start + 2 * S + S // 2
    servo.delay(local(t3), (t3 + delay) << 16, 0, 0)
    path = servo.path_delay_ns()
    assert path is not None
    assert abs(path - delay) < 10


@pytest.mark.parametrize(("interval", "taken"), [(2, 2), (-4, -4), (0x7F, 0), (-128, 0), (100, 0), (23, 0), (-11, 0)])
def test_E2E_07_and_09_a_multicast_response_sets_the_interval_unless_it_is_absurd(interval: int, taken: int) -> None:
    bench, peer = client()
    req = request(bench, peer)
    bench.receive(peer.delay_resp(req, bench.now, log_interval=interval))
    assert bench.port().ds.log_min_delay_req_interval == taken


def test_E2E_08_a_unicast_response_leaves_the_interval() -> None:
    bench, peer = client()
    req = request(bench, peer)
    bench.receive(peer.delay_resp(req, bench.now, log_interval=3, flags=Flag.UNICAST))
    assert bench.port().ds.log_min_delay_req_interval == 0
    bench.receive(peer.delay_resp(req, bench.now, log_interval=0x7F))
    assert bench.port().ds.log_min_delay_req_interval == 0


def test_E2E_07_the_interval_is_the_own_setting_again_for_another_parent() -> None:
    bench, peer = client()
    bench.receive(peer.delay_resp(request(bench, peer), bench.now, log_interval=4))
    better = Peer(2, priority1=1)
    bench.receive(better.announce())
    bench.receive(better.announce())
    assert bench.port().ds.log_min_delay_req_interval == 0


@pytest.mark.parametrize("tlvs", [(), (Tlv(0x8008, b""),)], ids=["plain", "with TLV"])
def test_E2E_10_a_response_carries_the_ports_interval_or_0x7F_in_unicast(tlvs: tuple[Tlv, ...]) -> None:
    bench = Bench(port={"log_min_delay_req_interval": 3})
    bench.run(10)
    for flags, interval in ((0, 3), (Flag.UNICAST, 0x7F)):
        (effect,) = bench.receive(FOREIGN.delay_req(flags=flags, tlvs=tlvs))
        assert isinstance(effect, Send)
        assert decode(effect.octets).log_interval == interval


@pytest.mark.parametrize("tlvs", [(), (Tlv(0x8008, b""),)], ids=["plain", "with TLV"])
def test_E2E_11_a_requests_correction_comes_back(tlvs: tuple[Tlv, ...]) -> None:
    bench = Bench()
    bench.run(10)
    for correction in (0x12345, -0x12345, INTERVAL_MAX_SNS):
        (effect,) = bench.receive(FOREIGN.delay_req(correction_sns=correction, tlvs=tlvs))
        assert isinstance(effect, Send)
        answer = decode(effect.octets)
        assert isinstance(answer, DelayResp)
        assert answer.correction_sns == correction


def test_E2E_12_without_responses_sync_goes_on_and_requests_too() -> None:
    bench, peer = client()
    bench.measure(peer)
    bench.run(100)
    assert 70 <= len(bench.sent(DelayReq)) <= 140
    assert len(syncs(bench.measure(peer))) == 1
    assert bench.port().counters["delay-resp-missing"] >= 60
    delay = bench.port().delay
    assert isinstance(delay, E2EDelay)
    requester = delay.requester
    assert len(requester._requests) <= MAX_OUTSTANDING


def test_E2E_12_a_request_too_old_is_forgotten() -> None:
    bench, peer = client(port={"log_min_delay_req_interval": 0})
    req = request(bench, peer)
    bench.run(RESPONSE_WAIT_NS / S + 5)
    assert bench.receive(peer.delay_resp(req, bench.now)) == []


def test_E2E_13_a_duplicate_response_is_ignored() -> None:
    bench, peer = client()
    req = request(bench, peer)
    assert len(delays(bench.receive(peer.delay_resp(req, bench.now)))) == 1
    assert bench.receive(peer.delay_resp(req, bench.now + 99)) == []
    assert bench.port().counters["delay-resp-unmatched"] == 1


def test_E2E_13_a_response_before_the_transmit_stamp_waits_for_it() -> None:
    bench, peer = client()
    bench.egress = lambda message: None
    tokens = []
    original = bench.instance.transmitted
    bench.instance.transmitted = lambda token, stamp, now: tokens.append(token) or []  # type: ignore[method-assign,assignment,func-returns-value]
    req = request(bench, peer)
    assert bench.receive(peer.delay_resp(req, bench.now + 50)) == []
    assert bench.receive(peer.delay_resp(req, bench.now + 60)) == []
    (measured,) = delays(original(tokens[0], bench.clock_sns, bench.now))
    assert measured.t4_sns - measured.t3_sns == 50 << 16


def test_E2E_14_and_16_a_step_between_the_stamps_spoils_the_exchange() -> None:
    # step between t3 and the response
    bench, peer = client()
    req = request(bench, peer)
    bench.ptp_offset_ns -= 3 * S
    bench.instance.clock_stepped()
    assert bench.receive(peer.delay_resp(req, bench.now)) == []
    # step between sending and the arrival of the transmit stamp
    bench, peer = client()
    held: list[tuple[int, int]] = []
    original = bench.instance.transmitted
    bench.instance.transmitted = lambda token, stamp, now: held.append((token, bench.clock_sns)) or []  # type: ignore[method-assign,assignment,func-returns-value]
    req = request(bench, peer)
    bench.instance.clock_stepped()
    assert original(*held[0], bench.now) == []
    assert bench.port().counters["stamp-before-step"] == 1
    assert bench.receive(peer.delay_resp(req, bench.now)) == []


def test_E2E_14_a_masters_follow_up_never_carries_a_stamp_from_before_a_step() -> None:
    bench = Bench()
    bench.run(10)
    held: list[tuple[int, int]] = []
    original = bench.instance.transmitted
    bench.instance.transmitted = lambda token, stamp, now: held.append((token, bench.clock_sns)) or []  # type: ignore[method-assign,assignment,func-returns-value]
    bench.run(1)
    bench.instance.clock_stepped()
    assert original(*held[-1], bench.now) == []


@pytest.mark.parametrize("log_interval", [-3, 0, 2])
def test_E2E_15_the_mean_rate_of_requests_obeys_the_minimum(log_interval: int) -> None:
    bench, peer = client(port={"log_min_delay_req_interval": log_interval})
    bench.measure(peer)
    bench.run(1020 * 2.0**log_interval)
    times = [when for when, _ in bench.sent_at(DelayReq)]
    gaps = [b - a for a, b in pairwise(times)]
    assert len(gaps) >= 900
    assert sum(gaps) / len(gaps) / S >= 0.95 * 2.0**log_interval
