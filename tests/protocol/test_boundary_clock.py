"""Rows BC-.. of the conformance catalogue that concern the stateful core."""

from __future__ import annotations

import itertools

from ptpstack.protocol.options import TimeProperties
from ptpstack.wire.codec import encode
from ptpstack.wire.messages import Announce, Signaling, Sync
from ptpstack.wire.tlv import Tlv
from ptpstack.wire.tlvs import AlternateTimeOffsetIndicator
from ptpstack.wire.types import ALL_CLOCKS, Flag, PortIdentity
from tests.protocol.bench import GRANDMASTER, Bench, Peer, S, identity

FLAGS = Flag.PTP_TIMESCALE | Flag.CURRENT_UTC_OFFSET_VALID | Flag.TIME_TRACEABLE


def boundary(ports: int = 3, **upstream: object) -> tuple[Bench, Peer]:
    bench = Bench(ports)
    peer = Peer(1, **{"quality": GRANDMASTER, "priority1": 9, "priority2": 8, "flags": FLAGS, **upstream})
    bench.follow(peer)
    bench.run(20)
    bench.locked()
    assert bench.states() == ["SLAVE"] + ["MASTER"] * (ports - 1)
    bench.clear()
    return bench, peer


def test_BC_01_nothing_is_forwarded() -> None:
    bench, peer = boundary()
    frames = [peer.sync(), peer.follow_up(bench.now), peer.delay_req(), peer.announce()]
    for frame in frames:
        bench.receive(frame, 1)
    bench.run(5)
    sent = bench.sent()
    assert sent
    assert {m.source.clock_identity for m in sent} == {identity(0x50)}
    assert not {encode(m) for m in sent} & set(frames)


def test_BC_02_and_03_announce_downstream_has_one_step_more_and_the_grandmasters_fields() -> None:
    bench, _ = boundary(steps_removed=3, grandmaster=identity(7), current_utc_offset=36, time_source=0x20)
    bench.run(3)
    for port in (2, 3):
        message = bench.sent(Announce, port)[-1]
        assert message.steps_removed == 4
        assert message.grandmaster == identity(7)
        assert message.quality == GRANDMASTER
        assert (message.priority1, message.priority2) == (9, 8)
        assert (message.current_utc_offset, message.time_source) == (36, 0x20)
        assert message.flags == FLAGS


def test_BC_04_one_clock_identity_and_a_port_number_each() -> None:
    bench, _ = boundary()
    bench.run(3)
    assert {m.source for m in bench.sent()} == {PortIdentity(identity(0x50), 2), PortIdentity(identity(0x50), 3)}


def test_BC_05_only_one_port_follows() -> None:
    bench = Bench(3)
    for port in (1, 2, 3):
        bench.hear(Peer(port, priority1=10 - port), port=port)
    bench.run(20)
    assert bench.states() == ["MASTER", "MASTER", "UNCALIBRATED"]


def test_BC_09_signaling_is_not_forwarded() -> None:
    bench, peer = boundary()
    everybody = PortIdentity(ALL_CLOCKS, 0xFFFF)
    assert bench.receive(encode(Signaling(peer.identity, 1, target=everybody, tlvs=(Tlv(4, bytes(6)),)))) == []


def test_BC_12_a_change_upstream_passes_at_once() -> None:
    bench, peer = boundary()
    bench.receive(peer.announce(flags=FLAGS | Flag.LEAP61, current_utc_offset=36))
    bench.run(0)
    for port in (2, 3):
        (message,) = bench.sent(Announce, port)
        assert message.flags == FLAGS | Flag.LEAP61
        assert message.current_utc_offset == 36
    bench.clear()
    bench.receive(peer.announce(flags=FLAGS | Flag.LEAP61, current_utc_offset=36))
    bench.run(0)
    assert bench.sent(Announce) == []


def test_BC_14_synchronization_uncertain_propagates() -> None:
    bench, peer = boundary()
    bench.run(3)
    assert not bench.sent(Announce)[-1].flags & Flag.SYNCHRONIZATION_UNCERTAIN
    bench.receive(peer.announce(flags=FLAGS | Flag.SYNCHRONIZATION_UNCERTAIN))
    bench.run(0.25)
    assert bench.sent(Announce)[-1].flags & Flag.SYNCHRONIZATION_UNCERTAIN
    assert bench.instance.data.parent.synchronization_uncertain
    bench.receive(peer.announce())
    bench.run(0.25)
    assert not bench.sent(Announce)[-1].flags & Flag.SYNCHRONIZATION_UNCERTAIN


def test_BC_14_a_boundary_clock_that_has_not_locked_says_so_itself() -> None:
    bench, _ = boundary()
    bench.locked(False)
    bench.run(3)
    assert bench.sent(Announce)[-1].flags & Flag.SYNCHRONIZATION_UNCERTAIN
    bench.locked()
    bench.run(3)
    assert not bench.sent(Announce)[-1].flags & Flag.SYNCHRONIZATION_UNCERTAIN


def test_an_arbitrary_time_scale_is_handed_on_without_leap_flags() -> None:
    bench, _ = boundary(flags=Flag.LEAP61 | Flag.LEAP59 | Flag.CURRENT_UTC_OFFSET_VALID)
    bench.run(3)
    assert bench.sent(Announce)[-1].flags == Flag.CURRENT_UTC_OFFSET_VALID


def test_a_boundary_clock_that_loses_its_parent_serves_its_own_time_and_says_so() -> None:
    bench, peer = boundary()
    bench.silence(peer)
    bench.run(10)
    assert bench.states() == ["MASTER"] * 3
    message = bench.sent(Announce, 2)[-1]
    assert (message.grandmaster, message.steps_removed) == (identity(0x50), 0)
    assert message.flags == Flag.PTP_TIMESCALE
    assert bench.instance.data.time_properties == TimeProperties()
    syncs = [when for when, _ in bench.sent_at(Sync, 2)]
    assert max(b - a for a, b in itertools.pairwise(syncs)) <= S


def _handed_on(bench: Bench, peer: Peer, *tlvs: Tlv) -> list[tuple[int, bytes]]:
    """TLVs of our Announce on a MASTER port while the parent's carries ``tlvs``."""
    peer.fields["tlvs"] = tlvs
    bench.run(4)
    bench.clear()
    bench.run(3)
    announces = bench.sent(Announce, port=2)
    assert announces
    return [(t.tlv_type, t.value) for t in announces[-1].tlvs]


def test_MSG_23_and_25_tlvs_that_propagate_are_attached_unknown_or_not_and_in_their_order() -> None:
    bench, peer = boundary()
    first, second = Tlv(0x4ABC, b"\x01\x02\x03\x04"), Tlv(0x7F05, b"")
    assert _handed_on(bench, peer, first, second) == [(0x4ABC, first.value), (0x7F05, b"")]
    # the newest Announce of the parent counts
    assert _handed_on(bench, peer) == []


def test_MSG_24_other_tlvs_are_not_handed_on() -> None:
    bench, peer = boundary()
    assert _handed_on(bench, peer, Tlv(0x0FFF, b"\0\0"), Tlv(0x8ABC, b"\0\0"), Tlv(0x0003, bytes(8))) == []


def test_BC_10_alternate_time_offsets_are_handed_on() -> None:
    bench, peer = boundary()
    offset = AlternateTimeOffsetIndicator(key=1, current_offset_s=3563, display_name="CET")
    assert _handed_on(bench, peer, offset) == [(0x0009, offset.value)]


def test_nothing_of_a_former_parent_is_handed_on() -> None:
    bench, peer = boundary()
    assert _handed_on(bench, peer, Tlv(0x4ABC, b"\0\0"))
    bench.silence(peer)
    bench.run(30)
    assert bench.instance.is_grandmaster
    assert bench.sent(Announce)[-1].tlvs == ()
