"""Rows HDR-.. and MSG-.. of the conformance catalogue that concern behaviour; octets alone: tests/wire."""

from __future__ import annotations

import itertools
from dataclasses import replace

import pytest

from ptpstack.protocol.effects import Effect, Send
from ptpstack.protocol.options import TimeProperties
from ptpstack.wire.codec import decode, encode
from ptpstack.wire.messages import (
    Announce,
    DelayReq,
    DelayResp,
    FollowUp,
    Signaling,
    Sync,
)
from ptpstack.wire.tlv import Tlv
from ptpstack.wire.types import ALL_CLOCKS, ClockQuality, Flag, PortIdentity, TimeSource
from tests.protocol.bench import GRANDMASTER, Bench, Peer, S, identity, syncs

CLIENT = Peer(0x99)


def master(ports: int = 1, **options: object) -> Bench:
    bench = Bench(ports, **options)
    bench.run(12)
    assert set(bench.states()) == {"MASTER"}
    bench.clear()
    return bench


def client(**options: object) -> tuple[Bench, Peer]:
    bench, peer = Bench(**options), Peer(1, quality=GRANDMASTER)
    bench.follow(peer)
    bench.clear()
    return bench, peer


def replies(effects: list[Effect]) -> list[object]:
    return [decode(e.octets) for e in effects if isinstance(e, Send)]


def every_kind() -> list[object]:
    """A master and a client, a while: messages of all the types they send."""
    bench = master()
    bench.run(3)
    bench.receive(CLIENT.delay_req())
    sent: list[object] = list(bench.sent())
    slave, peer = client()
    for _ in range(4):
        slave.measure(peer)
        slave.run(1)
    return sent + list(slave.sent())


# ------------------------------------------------------------------------------------------------------- header


@pytest.mark.parametrize("number", [4, 5, 6, 7, 0xE, 0xF])
def test_HDR_02_reserved_message_types_get_no_reply_and_are_counted(number: int) -> None:
    bench = master()
    frame = bytearray(CLIENT.delay_req())
    frame[0] = frame[0] & 0xF0 | number
    assert bench.receive(bytes(frame)) == []
    assert bench.port().counters["drop-message-type"] == 1


@pytest.mark.parametrize("minor", [0, 1, 2, 15])
def test_HDR_04_a_sync_of_any_minor_version_is_measured(minor: int) -> None:
    bench, peer = client()
    origin = bench.now - 500
    bench.receive(peer.sync(minor_version=minor))
    (measured,) = syncs(bench.receive(peer.follow_up(origin, minor_version=minor)))
    assert measured.t2_sns - measured.t1_sns == 500 << 16


@pytest.mark.parametrize("minor", [0, 1])
def test_HDR_05_every_message_sent_has_the_configured_minor_version(minor: int) -> None:
    bench = master(minor_version=minor)
    bench.receive(CLIENT.delay_req())
    bench.receive(CLIENT.delay_req(tlvs=(Tlv(0x8008, b""),)))
    bench.run(3)
    octets = {e.octets[1] for e in bench.all(Send)}
    assert octets == {minor << 4 | 2}


def test_HDR_09_trailing_octets_do_not_change_what_is_measured() -> None:
    bench, peer = client()
    origin = bench.now - 700
    bench.receive(peer.sync() + bytes(16))
    (measured,) = syncs(bench.receive(peer.follow_up(origin) + b"\xff\xff"))
    assert measured.t2_sns - measured.t1_sns == 700 << 16


def test_HDR_12_flag_bits_without_meaning_for_the_type_are_sent_as_zero() -> None:
    allowed = {Sync: Flag.TWO_STEP, FollowUp: 0, DelayReq: 0, DelayResp: 0, Announce: 0x7F}
    seen = set()
    for message in every_kind():
        seen.add(type(message))
        assert message.flags & ~allowed[type(message)] == 0, message  # type: ignore[attr-defined,index]
    assert seen == set(allowed)


@pytest.mark.parametrize("bit", [0x0800, 0x1000, 0x8000, 0x0080])
def test_HDR_13_reserved_flag_bits_do_not_change_handling(bit: int) -> None:
    bench, peer = Bench(), Peer(1, quality=GRANDMASTER, flags=Flag.PTP_TIMESCALE | bit)
    bench.follow(peer)
    origin = bench.now - 300
    bench.receive(peer.sync(flags=Flag.TWO_STEP | bit))
    (measured,) = syncs(bench.receive(peer.follow_up(origin, flags=bit)))
    assert measured.t2_sns - measured.t1_sns == 300 << 16


@pytest.mark.parametrize("tlvs", [(), (Tlv(0x8008, b"\0\0"),)], ids=["plain", "with TLV"])
def test_HDR_14_unicast_flag_tells_how_the_message_goes_out(tlvs: tuple[Tlv, ...]) -> None:
    bench = master()
    (effect,) = bench.receive(CLIENT.delay_req(flags=Flag.UNICAST, tlvs=tlvs), address="10.0.0.9")
    assert isinstance(effect, Send)
    assert effect.destination == "10.0.0.9"
    assert decode(effect.octets).flags == Flag.UNICAST
    (effect,) = bench.receive(CLIENT.delay_req(tlvs=tlvs), address="10.0.0.9")
    assert isinstance(effect, Send)
    assert effect.destination is None
    assert decode(effect.octets).flags == 0


def test_HDR_15_two_step_flag_only_in_sync() -> None:
    for message in every_kind():
        assert bool(message.flags & Flag.TWO_STEP) == isinstance(message, Sync)  # type: ignore[attr-defined]


def test_HDR_17_message_type_specific_is_ignored() -> None:
    bench, peer = client()
    origin = bench.now
    bench.receive(peer.sync(message_type_specific=0xDEADBEEF))
    assert syncs(bench.receive(peer.follow_up(origin, message_type_specific=0xDEADBEEF)))


def test_HDR_18_source_port_identity_is_the_ports_own() -> None:
    bench = master(ports=3)
    bench.run(3)
    for number in (1, 2, 3):
        assert {m.source for m in bench.sent(port=number)} == {PortIdentity(identity(0x50), number)}


def test_HDR_19_sequence_ids_go_up_by_one_and_wrap() -> None:
    bench = Bench(port={"log_sync_interval": -7, "log_announce_interval": 0, "listen_first": False})
    bench.run(70_000 / 128)
    numbers = [m.sequence_id for m in bench.sent(Sync)]
    assert len(numbers) >= 70_000
    assert all((b - a) % 0x10000 == 1 for a, b in itertools.pairwise(numbers))
    announced = [m.sequence_id for m in bench.sent(Announce)]
    assert all((b - a) % 0x10000 == 1 for a, b in itertools.pairwise(announced))


def test_HDR_20_answers_copy_the_sequence_id() -> None:
    bench = master()
    bench.run(5)
    sent = bench.sent()
    pairs = [(a, b) for a, b in itertools.pairwise(sent) if isinstance(a, Sync)]
    assert len(pairs) >= 5
    for sync, follow_up in pairs:
        assert isinstance(follow_up, FollowUp)
        assert follow_up.sequence_id == sync.sequence_id
    for number in (0, 1, 0xFFFF):
        (answer,) = replies(bench.receive(CLIENT.delay_req(sequence_id=number)))
        assert isinstance(answer, DelayResp)
        assert answer.sequence_id == number


def test_HDR_21_control_field_of_what_is_sent() -> None:
    expected = {Sync: 0, DelayReq: 1, FollowUp: 2, DelayResp: 3, Announce: 5}
    for message in every_kind():
        assert message.control == expected[type(message)]  # type: ignore[attr-defined,index]


def test_HDR_22_a_sync_with_a_wrong_control_field_is_used() -> None:
    bench, peer = client()
    origin = bench.now
    bench.receive(peer.sync(control=5))
    assert syncs(bench.receive(peer.follow_up(origin, control=0)))


def test_HDR_23_delay_req_says_that_it_has_no_interval() -> None:
    bench, peer = client()
    bench.measure(peer)
    bench.run(4)
    assert {m.log_interval for m in bench.sent(DelayReq)} == {0x7F}


def test_HDR_24_multicast_messages_carry_the_ports_interval() -> None:
    bench = master(port={"log_announce_interval": -2, "log_sync_interval": -3, "log_min_delay_req_interval": -4})
    bench.receive(CLIENT.delay_req())
    bench.run(3)
    for kind, interval in ((Announce, -2), (Sync, -3), (FollowUp, -3), (DelayResp, -4)):
        assert {m.log_interval for m in bench.sent(kind)} == {interval}


def test_HDR_25_an_own_message_that_comes_back_is_dropped() -> None:
    bench = master()
    before = dict(bench.port().counters)
    for frame in (CLIENT.delay_req(), CLIENT.delay_req(tlvs=(Tlv(0x8008, b""),)), Peer(1).announce(priority1=0)):
        echo = bytearray(frame)
        echo[20:30] = identity(0x50) + b"\x00\x01"
        assert bench.receive(bytes(echo)) == []
    assert bench.port().counters["drop-own-message"] == before.get("drop-own-message", 0) + 3
    assert len(bench.port().foreign) == 0


# ----------------------------------------------------------------------------------------------------- contents


def test_MSG_01_and_03_two_step_sync_and_its_precise_origin() -> None:
    bench = master()
    egress = (1_700_000_000 * S + 123_456_789 << 16) + 0x4321
    bench.egress = lambda message: egress
    bench.run(1.5)
    (sync, *_), (follow_up, *_) = bench.sent(Sync), bench.sent(FollowUp)
    assert len(encode(sync)) == 44
    assert sync.origin_ns == 0
    assert sync.correction_sns == 0
    assert follow_up.precise_origin_ns == egress >> 16
    assert (follow_up.precise_origin_ns << 16) + follow_up.correction_sns == egress


def test_MSG_03_egress_latency_is_added_and_a_lost_stamp_sends_no_follow_up() -> None:
    bench = master(port={"egress_latency_ns": 100.25})
    bench.run(1.5)
    (when, _), *_ = bench.sent_at(Sync)
    (follow_up, *_) = bench.sent(FollowUp)
    assert (follow_up.precise_origin_ns << 16) + follow_up.correction_sns == (when << 16) + round(100.25 * 65536)
    bench.egress = lambda message: None
    bench.clear()
    bench.run(3)
    assert len(bench.sent(Sync)) == 3
    assert bench.sent(FollowUp) == []
    assert bench.port().counters["sync-sent-without-stamp"] == 3


def test_MSG_04_follow_up_repeats_the_identity_of_its_sync() -> None:
    bench = master(domain=24, sdo_id=0x123)
    bench.run(1.5)
    (sync, *_), (follow_up, *_) = bench.sent(Sync), bench.sent(FollowUp)
    for name in ("domain", "sdo_id", "source", "sequence_id"):
        assert getattr(sync, name) == getattr(follow_up, name)
    assert (sync.domain, sync.sdo_id) == (24, 0x123)


def test_MSG_05_delay_req_origin_is_zero() -> None:
    bench, peer = client()
    bench.measure(peer)
    bench.run(3)
    requests = bench.sent(DelayReq)
    assert requests
    assert {r.origin_ns for r in requests} == {0}


@pytest.mark.parametrize("tlvs", [(), (Tlv(0x8008, b"\0\0"),)], ids=["plain", "with TLV"])
def test_MSG_06_and_07_delay_resp_splits_t4_and_names_the_requester(tlvs: tuple[Tlv, ...]) -> None:
    bench = master()
    t4 = (1_700_000_000 * S + 999_999_999 << 16) + 0x8001
    (answer,) = replies(bench.receive(CLIENT.delay_req(correction_sns=0x10000, tlvs=tlvs), stamp=t4))
    assert isinstance(answer, DelayResp)
    assert answer.receive_ns == t4 >> 16
    assert answer.correction_sns == 0x10000 - 0x8001
    assert answer.requesting == CLIENT.identity


def test_MSG_11_and_14_announce_as_sent() -> None:
    bench = master()
    bench.run(3)
    announces = bench.sent(Announce)
    assert announces
    for message in announces:
        octets = encode(message)
        assert len(octets) == 64
        assert octets[46] == 0


def test_MSG_12_announce_comes_from_the_data_sets() -> None:
    own = TimeProperties(37, True, False, True, True, False, True, TimeSource.ATOMIC_CLOCK)
    quality = ClockQuality(13, 0x23, 0x1234)
    bench = master(quality=quality, priority1=11, priority2=12, time_properties=own)
    bench.run(3)
    message = bench.sent(Announce)[-1]
    assert (message.priority1, message.quality, message.priority2) == (11, quality, 12)
    assert (message.grandmaster, message.steps_removed) == (identity(0x50), 0)
    assert (message.current_utc_offset, message.time_source) == (37, TimeSource.ATOMIC_CLOCK)
    assert message.flags == (Flag.CURRENT_UTC_OFFSET_VALID | Flag.LEAP61 | Flag.PTP_TIMESCALE | Flag.TIME_TRACEABLE)
    bench.clear()
    bench.call("set_quality", quality, replace(own, leap61=False, leap59=True, frequency_traceable=True))
    bench.run(0.1)
    (message,) = bench.sent(Announce)
    assert message.flags & (Flag.LEAP59 | Flag.LEAP61 | Flag.FREQUENCY_TRACEABLE) == (
        Flag.LEAP59 | Flag.FREQUENCY_TRACEABLE
    )


@pytest.mark.parametrize("target", [PortIdentity(identity(7), 1), PortIdentity(ALL_CLOCKS, 0xFFFF)])
def test_MSG_16_signaling_changes_nothing_here_whoever_it_is_for(target: PortIdentity) -> None:
    bench, peer = client()
    before = (bench.states(), bench.instance.data.parent, dict(bench.port().timers))
    frame = encode(Signaling(peer.identity, 1, target=target, tlvs=(Tlv(4, bytes(6)),)))
    assert bench.receive(frame) == []
    assert (bench.states(), bench.instance.data.parent, dict(bench.port().timers)) == before
    assert bench.port().counters["drop-not-used"] == 1


def test_MSG_19_a_sync_with_a_pad_tlv_is_used() -> None:
    bench, peer = client()
    origin = bench.now
    pad = (Tlv(0x8008, bytes(6)),)
    bench.receive(peer.sync(tlvs=pad))
    assert syncs(bench.receive(peer.follow_up(origin, tlvs=pad)))


def test_MSG_20_and_21_a_frame_with_a_damaged_tlv_is_dropped_whole() -> None:
    bench = Bench()
    peer = Peer(1, quality=GRANDMASTER)
    for tlv, reason in (
        (b"\x12\x34\x00\x05" + bytes(5), "tlv-odd"),
        (b"\x12\x34\x00\xc8" + bytes(4), "tlv-beyond-end"),
    ):
        frame = peer.announce()
        damaged = frame[:2] + (64 + len(tlv)).to_bytes(2, "big") + frame[4:] + tlv
        for _ in range(3):
            bench.receive(damaged)
        assert bench.port().counters[f"drop-{reason}"] == 3
    assert len(bench.port().foreign) == 0


def test_MSG_22_an_unknown_tlv_does_not_keep_an_announce_from_counting() -> None:
    bench = Bench()
    bench.follow(Peer(1, quality=GRANDMASTER, tlvs=(Tlv(0x1234, b"\1\2"), Tlv(0x0008, identity(1)))))


@pytest.mark.parametrize("kind", [Signaling])
def test_messages_that_this_build_does_not_use_are_counted_and_not_answered(kind: type) -> None:
    bench = master()
    assert bench.receive(encode(kind(CLIENT.identity, 1))) == []
    assert bench.port().counters["drop-not-used"] == 1


@pytest.mark.parametrize("port", [0, 0xFFFF])
def test_a_source_port_number_that_no_port_has_is_dropped(port: int) -> None:
    bench = master()
    stranger = Peer(0x99, port)
    assert bench.receive(stranger.delay_req()) == []
    assert bench.receive(stranger.announce(priority1=0)) == []
    assert bench.port().counters["drop-source-port-number"] == 2


def test_a_stamp_before_the_epoch_is_counted_not_raised() -> None:
    """A PHC that starts at 0 has times before its epoch once latencies are taken off: nothing a Timestamp can say."""
    bench = master(port={"ingress_latency_ns": 500.0})
    assert bench.receive(CLIENT.delay_req(), stamp=100 << 16) == []
    assert bench.port().counters["stamp-out-of-range"] == 1
    bench.egress = lambda message: -1
    bench.run(1.5)
    assert bench.sent(Sync)
    assert bench.sent(FollowUp) == []
    assert bench.port().counters["stamp-out-of-range"] >= 2
