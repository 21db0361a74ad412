"""AUTHENTICATION on a port: what is signed, what is refused and why, replays, keys that change."""

from __future__ import annotations

import hashlib
import hmac
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ptpstack.config.keys import KeyStore
from ptpstack.config.sa_file import ALGORITHMS, AssociationEntry, KeyEntry
from ptpstack.protocol.replay_window import MAX_STREAMS, ReplayWindow
from ptpstack.protocol.security import association_as_dict, association_from_dict
from ptpstack.wire.codec import decode, encode
from ptpstack.wire.messages import DelayReq, DelayResp, FollowUp, Management, Sync
from ptpstack.wire.tlvs.management import ManagementTlv
from ptpstack.wire.tlvs.security import Authentication
from ptpstack.wire.types import MessageType, PortIdentity, PortState
from tests.protocol.bench import GRANDMASTER, Bench, Peer, S, identity

SECRETS = {1: b"k" * 32, 2: b"a longer secret of the second key"}


def entry(*key_ids: int, spp: int = 5, **settings: Any) -> AssociationEntry:
    keys = {n: KeyEntry(n, ALGORITHMS["SHA256-128"], SECRETS[n]) for n in key_ids}
    return AssociationEntry(spp, keys=keys, **settings)


def give(bench: Bench, *entries: AssociationEntry) -> None:
    store = KeyStore(entries)
    bench.instance.security.mac = store
    bench.instance.security.associations = {a.spp: a for a in store.associations}


def secured(*entries: AssociationEntry, **port: Any) -> Bench:
    bench = Bench(port={"spp": 5, **port})
    give(bench, *(entries or (entry(1),)))
    return bench


def signed(octets: bytes, key: int = 1, *, spp: int = 5, indicator: int = 0, mutable: bool = False) -> bytes:
    """``octets`` with an AUTHENTICATION TLV, made by other means than those under test."""
    tlv = bytes.fromhex("80090016") + bytes((spp, indicator)) + key.to_bytes(4, "big")
    whole = octets[:2] + (len(octets) + 26).to_bytes(2, "big") + octets[4:] + tlv
    covered = whole[:8] + bytes(8) + whole[16:] if mutable else whole
    return whole + hmac.new(SECRETS.get(key, b"?"), covered, hashlib.sha256).digest()[:16]


def counters(bench: Bench) -> dict[str, int]:
    return {name: n for name, n in bench.port().counters.items() if "auth" in name or "key" in name}


def grandmaster(bench: Bench) -> Bench:
    bench.run(10)
    assert bench.port().state is PortState.MASTER
    return bench


def test_SEC_01_what_is_sent_ends_with_an_authentication_tlv_over_all_before_its_icv() -> None:
    bench = grandmaster(secured())
    request = Peer(2).delay_req()
    bench.receive(signed(request))
    sent = [effect.octets for _, effect in bench.effects if hasattr(effect, "octets")]
    assert {decode(octets).type for octets in sent} == {
        MessageType.ANNOUNCE,
        MessageType.SYNC,
        MessageType.FOLLOW_UP,
        MessageType.DELAY_RESP,
    }
    for octets in sent:
        assert int.from_bytes(octets[2:4], "big") == len(octets)
        assert octets[-26:-16] == bytes.fromhex("8009 0016 05 00 00000001")
        assert octets[-16:] == hmac.new(SECRETS[1], octets[:-16], hashlib.sha256).digest()[:16]
    assert bench.port().security.use[1].signed == len(sent)  # type: ignore[union-attr]


def test_a_follow_up_is_signed_with_the_time_that_it_carries() -> None:
    bench = grandmaster(secured())
    follow_ups = [e.octets for _, e in bench.effects if hasattr(e, "octets") and e.octets[0] & 15 == 8]
    assert len({octets[-16:] for octets in follow_ups}) == len(follow_ups) > 3
    for octets in follow_ups:
        message = decode(octets)
        assert isinstance(message, FollowUp)
        assert message.precise_origin_ns > 0


@pytest.mark.parametrize("at", [0, 6, 12, 33, 40, 63, 65, 68, 69, 70, -1])
def test_SEC_02_a_wrong_icv_is_discarded_silently(at: int) -> None:
    bench = secured()
    octets = bytearray(signed(Peer(2).announce()))
    # bits that leave a well-formed frame of this domain
    octets[at] ^= 0x10 if at == 0 else 0x01
    assert bench.receive(bytes(octets)) == []
    assert not list(bench.port().foreign)
    assert sum(counters(bench).values()) == 1


def test_SEC_02_a_wrong_icv_is_counted_for_its_key() -> None:
    bench = secured(entry(1, 2))
    good = signed(Peer(2).announce(), 2)
    bench.receive(good[:-1] + bytes((good[-1] ^ 1,)))
    assert counters(bench) == {"drop-auth-icv": 1}
    assert [(k["id"], k["wrong"]) for k in bench.port().security.as_dict()["keys"]] == [(1, 0), (2, 1)]  # type: ignore[union-attr]


def test_SEC_03_a_wrong_spp_or_key_is_discarded() -> None:
    bench = secured()
    bench.receive(signed(Peer(2).announce(), spp=6))
    bench.receive(signed(Peer(2).announce(), 2))
    assert counters(bench) == {"drop-auth-spp": 1, "drop-auth-key": 1}
    assert not list(bench.port().foreign)


def test_SEC_04_a_sequence_id_that_was_accepted_is_refused_and_a_late_one_taken_once() -> None:
    bench = secured()
    peer = Peer(2)
    frames = [signed(peer.announce(sequence_id=(65534 + n) & 0xFFFF)) for n in range(4)]
    for octets in (frames[0], frames[2], frames[1]):  # over the wrap, and out of order
        bench.receive(octets)
    assert counters(bench) == {}
    for octets in frames[:3]:
        bench.receive(octets)
    bench.receive(signed(peer.announce(sequence_id=65000)))
    assert counters(bench) == {"drop-auth-replay": 4}
    bench.receive(frames[3])
    assert counters(bench) == {"drop-auth-replay": 4}


def test_SEC_04_a_sender_that_starts_again_is_heard_when_its_silence_is_over() -> None:
    bench = secured()
    bench.receive(signed(Peer(2).announce(sequence_id=30000)))
    bench.run(1)
    bench.receive(signed(Peer(2).announce(sequence_id=5)))
    assert counters(bench) == {"drop-auth-replay": 1}
    bench.run(8)
    bench.receive(signed(Peer(2).announce(sequence_id=6)))
    assert counters(bench) == {"drop-auth-replay": 1}


def test_SEC_04_streams_are_told_apart_and_answers_are_not_counted() -> None:
    bench = grandmaster(secured())
    for number in (2, 3):
        bench.receive(signed(Peer(number).announce(sequence_id=7)))
        bench.receive(signed(Peer(number).delay_req(sequence_id=7)))
    # answers repeat the numbers of what they answer: two of one number are for two clients
    for number in (4, 5):
        asked = decode(Peer(number).delay_req(sequence_id=9))
        bench.receive(signed(Peer(2).delay_resp(asked, 1)))
    assert counters(bench) == {}


def test_SEC_04_a_window_of_zero_looks_for_no_replays() -> None:
    bench = secured(entry(1, seqid_window=0))
    octets = signed(Peer(2).announce())
    for _ in range(3):
        bench.receive(octets)
    assert counters(bench) == {}


def test_SEC_05_a_correction_field_that_may_change_is_left_out_of_the_icv() -> None:
    bench = grandmaster(secured(entry(1, allow_mutable=True)))
    for _, effect in bench.effects:
        if hasattr(effect, "octets"):
            octets = effect.octets
            covered = octets[:8] + bytes(8) + octets[16:-16]
            assert octets[-16:] == hmac.new(SECRETS[1], covered, hashlib.sha256).digest()[:16]
    octets = signed(Peer(2).delay_req(), mutable=True)
    bench.receive(octets[:8] + (0x123456).to_bytes(8, "big") + octets[16:])  # a transparent clock was on the way
    assert bench.sent(DelayResp)[-1].correction_sns == 0x123456
    strict = grandmaster(secured())
    octets = signed(Peer(2).delay_req())
    strict.receive(octets[:8] + (0x123456).to_bytes(8, "big") + octets[16:])
    assert strict.sent(DelayResp) == []
    assert counters(strict) == {"drop-auth-icv": 1}


def test_SEC_06_a_frame_without_the_tlv_is_discarded() -> None:
    bench = grandmaster(secured())
    bench.receive(Peer(2).announce())
    bench.receive(Peer(2).delay_req())
    assert counters(bench) == {"drop-unauthenticated": 2}
    assert bench.sent(DelayResp) == []
    assert not list(bench.port().foreign)


def test_the_short_cut_for_delay_req_is_off_where_there_is_authentication() -> None:
    assert secured().port().delay.plain_requests == frozenset()
    assert Bench().port().delay.plain_requests
    bench = grandmaster(secured(allow_unauthenticated="yes"))
    bench.receive(Peer(2).delay_req())
    assert isinstance(bench.sent(DelayResp)[-1].tlvs[-1], Authentication)


def test_SEC_07_delayed_processing_is_refused() -> None:
    bench = secured()
    bench.receive(signed(Peer(2).announce(), indicator=0x04))
    bench.receive(signed(Peer(2).announce(), indicator=0x02))
    assert counters(bench) == {"drop-auth-not-immediate": 2}
    bench.receive(signed(Peer(2).announce()))
    assert len(list(bench.port().foreign)) == 1


def test_an_icv_of_another_length_and_a_tlv_behind_are_refused() -> None:
    bench = secured()
    good = signed(Peer(2).announce())
    longer = good[:2] + (len(good) + 2).to_bytes(2, "big") + good[4:66] + b"\x00\x18" + good[68:] + b"\0\0"
    bench.receive(longer)
    padded = good[:2] + (len(good) + 4).to_bytes(2, "big") + good[4:] + bytes.fromhex("80080000")
    bench.receive(padded)
    assert counters(bench) == {"drop-auth-length": 1, "drop-auth-not-last": 1}


def test_octets_behind_message_length_do_not_matter() -> None:
    bench = secured()
    bench.receive(signed(Peer(2).announce()) + b"\0\0")
    assert len(list(bench.port().foreign)) == 1


def test_unauthenticated_frames_until_the_first_that_verifies() -> None:
    bench = secured(allow_unauthenticated="until-first")
    bench.receive(Peer(2).announce())
    assert counters(bench) == {"rx-unauthenticated": 1}
    forged = signed(Peer(3).announce())
    bench.receive(forged[:-1] + bytes((forged[-1] ^ 1,)))  # proves nothing
    bench.receive(Peer(2).announce())
    bench.receive(signed(Peer(3).announce()))
    bench.receive(Peer(2).announce())
    assert counters(bench) == {"rx-unauthenticated": 2, "drop-auth-icv": 1, "drop-unauthenticated": 1}


def test_a_wrong_frame_is_refused_also_where_unauthenticated_ones_are_used() -> None:
    bench = secured(allow_unauthenticated="yes")
    bench.receive(signed(Peer(2).announce(), 2))
    bench.receive(Peer(2).announce())
    assert counters(bench) == {"drop-auth-key": 1, "rx-unauthenticated": 1}


def test_a_client_follows_by_signed_frames_alone() -> None:
    bench = secured()
    peer = Peer(2, quality=GRANDMASTER)
    for _ in range(3):
        bench.receive(signed(peer.announce()))
        bench.run(1)
    assert bench.port().state is PortState.UNCALIBRATED
    bench.receive(signed(peer.sync()))
    effects = bench.receive(signed(peer.follow_up(bench.now)))
    assert [type(e).__name__ for e in effects] == ["SyncMeasured"]
    bench.run(3)
    request = bench.sent(DelayReq)[0]
    effects = bench.receive(signed(peer.delay_resp(request, bench.now)))
    assert "DelayMeasured" in [type(e).__name__ for e in effects]


def test_keys_change_with_an_overlap_and_no_gap() -> None:
    bench = grandmaster(secured(entry(1)))

    def last_key() -> int:
        bench.run(2)
        tlv = bench.sent(Sync)[-1].tlvs[-1]
        assert isinstance(tlv, Authentication)
        return tlv.key_id

    def accepted(key: int) -> bool:
        before = len(bench.sent(DelayResp))
        bench.receive(signed(Peer(9).delay_req(sequence_id=bench.now // S), key))
        return len(bench.sent(DelayResp)) > before

    assert (last_key(), accepted(1), accepted(2)) == (1, True, False)
    give(bench, entry(2, 1))  # the new key is known, the old one still stands last
    assert last_key() == 1
    assert accepted(2)
    bench.run(1)
    assert accepted(1)
    give(bench, entry(1, 2))
    assert last_key() == 2
    assert accepted(1)
    give(bench, entry(2))
    assert (last_key(), accepted(1)) == (2, False)


def test_a_port_may_name_the_key_that_signs_and_is_mute_without_it() -> None:
    bench = grandmaster(secured(entry(1, 2), active_key_id=1))
    assert bench.port().security.signing_key == 1  # type: ignore[union-attr]
    give(bench, entry(2))
    bench.clear()
    bench.run(4)
    assert bench.effects == []
    assert counters(bench)["tx-without-key"] > 3
    assert bench.instance._awaited == {}  # no stamp is waited for


def test_a_port_without_any_association_says_and_believes_nothing() -> None:
    bench = Bench(port={"spp": 5})
    bench.run(20)
    bench.receive(signed(Peer(2).announce()))
    assert bench.sent() == []
    assert counters(bench).keys() == {"tx-without-key", "drop-auth-no-association"}


def test_what_is_shown_of_a_port_holds_no_secret() -> None:
    bench = grandmaster(secured(entry(1, 2)))
    shown = repr(bench.port().security.as_dict()) + repr(bench.instance.security.mac) + repr(entry(1, 2))  # type: ignore[union-attr]
    for secret in SECRETS.values():
        assert secret.decode() not in shown
        assert secret.hex() not in shown


def test_an_association_passes_through_a_trace_in_its_order() -> None:
    (association,) = KeyStore([entry(2, 1, seqid_window=9, allow_mutable=True)]).associations
    again = association_from_dict(association_as_dict(association))
    assert again == association
    assert list(again.keys) == [2, 1]
    assert replace(again, spp=1) != association


STREAM = (PortIdentity(b"12345678", 1), 0, False)


@given(st.lists(st.integers(0, 0xFFFF), max_size=60), st.integers(1, 40))
def test_no_number_is_accepted_twice_while_the_sender_is_remembered(numbers: list[int], window: int) -> None:
    replays = ReplayWindow()
    accepted: set[int] = set()
    newest: int | None = None
    for number in numbers:
        taken = replays.accept(STREAM, number, window, 10, 0)
        # where this number stands when the counter is counted on past its end
        place = number if newest is None else newest + ((number - newest + 0x8000) & 0xFFFF) - 0x8000
        if newest is not None and place - newest == -0x8000:
            assert not taken
        elif taken:
            assert place not in accepted
            assert newest is None or place >= newest - window
            accepted.add(place)
            newest = place if newest is None else max(newest, place)


@given(st.integers(0, 0xFFFF), st.lists(st.integers(1, 0x7FFF), max_size=40), st.integers(1, 30))
def test_numbers_that_go_forward_are_always_accepted(first: int, steps: list[int], window: int) -> None:
    replays = ReplayWindow()
    number = first
    assert replays.accept(STREAM, number, window, 10, 0)
    for step in steps:
        number = (number + step) & 0xFFFF
        assert replays.accept(STREAM, number, window, 10, 0)
        assert not replays.accept(STREAM, number, window, 10, 0)


def test_what_is_remembered_of_senders_is_bounded() -> None:
    replays = ReplayWindow()
    for n in range(MAX_STREAMS + 10):
        assert replays.accept((PortIdentity(n.to_bytes(8, "big"), 1), 0, False), 1, 3, 1000, n)
    assert len(replays._streams) == MAX_STREAMS
    assert not replays.accept((PortIdentity((MAX_STREAMS).to_bytes(8, "big"), 1), 0, False), 1, 3, 10**6, MAX_STREAMS)


def _get(source: Peer, target: bytes, **fields: Any) -> bytes:
    tlvs = (ManagementTlv(0x2000, b""),)
    return encode(Management(source.identity, 1, target=PortIdentity(target, 0xFFFF), tlvs=tlvs, **fields))


def test_management_is_verified_answered_signed_and_signed_anew_where_it_is_handed_on() -> None:
    bench = Bench(2, port={"spp": 5})
    give(bench, entry(1))
    bench.run(10)
    bench.clear()
    asker = Peer(2)
    bench.receive(_get(asker, identity(0x50)))
    assert bench.sent(Management) == []
    bench.receive(signed(_get(asker, identity(0x50))))
    bench.receive(signed(_get(Peer(3), identity(0x77), boundary_hops=2, starting_boundary_hops=2)))
    octets = [e.octets for _, e in bench.effects if hasattr(e, "octets") and e.octets[0] & 15 == 13]
    assert len(octets) == 2
    for frame in octets:
        assert frame[-16:] == hmac.new(SECRETS[1], frame[:-16], hashlib.sha256).digest()[:16]
    answer, handed_on = (decode(frame) for frame in octets)
    assert isinstance(answer, Management)
    assert answer.action == 2
    assert isinstance(handed_on, Management)
    assert handed_on.boundary_hops == 1
    assert sum(isinstance(tlv, Authentication) for tlv in handed_on.tlvs) == 1


#: the Sync of a grandmaster with spp 1 and keyID 7, up to its ICV; the ICVs were made with OpenSSL's command line
_WHOLE = bytes.fromhex(
    "0012004600000200000000000000000000000000001b21fffeaabbcc0001123400000000000000000000000080090016010000000007"
)


@pytest.mark.parametrize(
    ("algorithm", "secret", "icv"),
    [
        ("SHA256-128", bytes(range(32)), "7a916b1018ba133541ef5788c1bade94"),
        ("AES128", bytes(range(16)), "c9fcc0fa46d22102a3238addd6873e27"),
    ],
)
def test_SEC_01_octet_for_octet_as_another_program_makes_it(algorithm: str, secret: bytes, icv: str) -> None:
    if algorithm == "AES128":
        pytest.importorskip("cryptography")
    bench = Bench(port={"spp": 1})
    key = KeyEntry(7, ALGORITHMS[algorithm], secret)
    give(bench, AssociationEntry(1, keys={7: key}))
    security = bench.port().security
    assert security is not None
    plain = _WHOLE[:2] + b"\x00\x2c" + _WHOLE[4:44]
    assert security.sign(plain) == _WHOLE + bytes.fromhex(icv)
    bench.receive(_WHOLE + bytes.fromhex(icv))
    assert security.use[7].verified == 1
