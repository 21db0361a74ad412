"""Source rules and limits of a port: who is listened to, how much of each kind, and who is never touched by it."""

from __future__ import annotations

import ipaddress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ptpstack.config.load import loads, parse_site
from ptpstack.protocol.admission import MAX_ADDRESSES, STORE_NS, Bucket, SourceRules, parse_source
from ptpstack.wire.codec import encode
from ptpstack.wire.messages import DelayResp, Management, Signaling
from ptpstack.wire.types import PortIdentity, PortState
from tests.protocol.bench import GRANDMASTER, Bench, Peer, S, identity


def master(**port: Any) -> Bench:
    bench = Bench(port=port)
    bench.run(10)
    assert bench.port().state is PortState.MASTER
    bench.clear()
    return bench


def count(bench: Bench, name: str) -> int:
    return bench.port().counters[name]


def test_every_kind_of_source_is_understood() -> None:
    assert parse_source("192.0.2.7") == ipaddress.ip_network("192.0.2.7/32")
    assert parse_source("192.0.2.9/24") == ipaddress.ip_network("192.0.2.0/24")
    assert parse_source("FE80::/10") == ipaddress.ip_network("fe80::/10")
    assert parse_source("02:00:00:00:00:0A") == "02:00:00:00:00:0a"
    assert parse_source("001b21.fffe.aabbcc") == bytes.fromhex("001b21fffeaabbcc")
    # eight pairs are an IPv6 address, too: here they are what they look like
    assert parse_source("00:1b:21:ff:fe:aa:bb:cc") == bytes.fromhex("001b21fffeaabbcc")


@given(st.text(max_size=40))
def test_any_other_text_is_refused_with_a_value_error(text: str) -> None:
    try:
        source = parse_source(text)
    except ValueError:
        return
    assert isinstance(source, (str, bytes, ipaddress.IPv4Network, ipaddress.IPv6Network))


@pytest.mark.parametrize(
    ("allow", "deny", "address", "identity_octets", "permitted"),
    [
        ((), ("10.0.0.0/8",), "10.1.2.3", b"", False),
        ((), ("10.0.0.0/8",), "11.1.2.3", b"", True),
        (("10.0.0.0/8",), ("10.1.0.0/16",), "10.1.2.3", b"", False),
        (("10.0.0.0/8",), ("10.1.0.0/16",), "10.2.2.3", b"", True),
        (("10.0.0.0/8",), (), "fe80::1", b"", False),
        (("fe80::/10",), (), "fe80::1%eth0", b"", True),
        (("02:00:00:00:00:01",), (), "02:00:00:00:00:01", b"", True),
        (("02:00:00:00:00:01",), (), "02:00:00:00:00:02", b"", False),
        ((identity(7).hex(),), (), "10.0.0.1", identity(7), True),
        ((identity(7).hex(),), (), "10.0.0.1", identity(8), False),
        ((), (identity(7).hex(),), "10.0.0.1", identity(7), False),
        (("10.0.0.1",), (identity(7).hex(),), "10.0.0.1", identity(7), False),
    ],
)
def test_deny_comes_first_and_allow_shuts_out_the_rest(
    allow: tuple[str, ...], deny: tuple[str, ...], address: str, identity_octets: bytes, permitted: bool
) -> None:
    octets = bytes(20) + (identity_octets or bytes(8)) + bytes(16)
    rules = SourceRules(allow, deny)
    assert [rules.permit(octets, address) for _ in range(2)] == [permitted] * 2  # worked out, and remembered


def test_what_is_remembered_of_addresses_is_bounded() -> None:
    rules = SourceRules((), ("10.0.0.0/8",))
    for n in range(3 * MAX_ADDRESSES):
        assert rules.permit(bytes(44), str(ipaddress.ip_address(0x0B000000 + n)))
    assert len(rules._known) <= MAX_ADDRESSES
    assert not rules.permit(bytes(44), "10.0.0.1")


def test_frames_of_a_denied_source_are_neither_used_nor_answered() -> None:
    bench = master(deny_sources=("10.0.0.6",))
    for address in ("10.0.0.6", "10.0.0.7"):
        bench.receive(Peer(2).delay_req(), address=address)
        bench.receive(Peer(3).announce(), address=address)
    assert count(bench, "drop-source") == 2
    assert len(bench.sent(DelayResp)) == 1
    assert [record.address for record in bench.port().foreign] == ["10.0.0.7"]


def test_the_short_cut_for_delay_req_is_off_only_where_it_would_pass_by_a_rule() -> None:
    assert Bench().port().delay.plain_requests
    assert Bench(port={"limit_announce": 5}).port().delay.plain_requests
    for rule in ({"limit_delay_req": 5}, {"deny_sources": ("10.0.0.6",)}, {"allow_sources": ("10.0.0.6",)}):
        assert not Bench(port=rule).port().delay.plain_requests


def test_delay_requests_above_the_limit_are_not_answered() -> None:
    bench = master(limit_delay_req=10)
    peer = Peer(2)
    for _ in range(100):
        bench.receive(peer.delay_req())
    assert len(bench.sent(DelayResp)) == 20  # two seconds' worth
    assert count(bench, "drop-limit-delay-req") == 80
    for _ in range(50):
        bench.now += S // 10
        bench.receive(peer.delay_req())
    assert len(bench.sent(DelayResp)) == 70
    assert count(bench, "drop-limit-delay-req") == 80


def test_strangers_that_flood_announce_take_nothing_from_a_known_master() -> None:
    bench = Bench(port={"limit_announce": 4})
    known = Peer(2, quality=GRANDMASTER)
    bench.receive(known.announce())
    for _ in range(20):
        for stranger in range(100, 150):
            bench.receive(Peer(stranger).announce(sequence_id=1))
        bench.now += S
        bench.receive(known.announce())
    assert count(bench, "drop-limit-announce") > 500
    record = bench.port().foreign.get(known.identity)
    assert record is not None
    assert record.received == 21
    assert bench.port().parent == known.identity


def test_one_identity_that_floods_announce_is_held_to_its_own_share() -> None:
    bench = Bench(port={"limit_announce": 4})
    peer = Peer(2)
    for _ in range(1000):
        bench.receive(peer.announce())
    assert count(bench, "rx-announce") == 1 + 8  # as a stranger, then as one that is known
    assert count(bench, "drop-limit-announce") == 991


@pytest.mark.parametrize(("kind", "name"), [(Signaling, "signaling"), (Management, "management")])
def test_signaling_and_management_are_limited_each_for_itself(kind: Any, name: str) -> None:
    bench = master(**{f"limit_{name}": 3})
    octets = encode(kind(PortIdentity(identity(2), 1), 1))
    for _ in range(10):
        bench.receive(octets)
    assert count(bench, f"drop-limit-{name}") == 4
    bench.receive(Peer(3).announce())
    bench.receive(Peer(3).delay_req())
    assert len(bench.sent(DelayResp)) == 1


def test_the_defaults_let_pass_what_a_large_network_sends() -> None:
    bench = master()
    peers = [Peer(n) for n in range(2, 66)]
    # 64 masters that announce eight times a second, and nobody fits into the table for long
    for tick in range(80):
        bench.now += S // 8
        for peer in peers:
            bench.receive(peer.announce(sequence_id=tick))
    assert not [name for name in bench.port().counters if name.startswith("drop-limit")]


def test_a_limit_of_zero_is_none() -> None:
    bench = master(limit_announce=0)
    peer = Peer(2)
    for _ in range(3000):
        bench.receive(peer.announce())
    assert not count(bench, "drop-limit-announce")


@given(st.integers(1, 2000), st.lists(st.integers(0, 3 * S), max_size=200))
def test_a_bucket_never_gives_more_than_its_rate_and_what_was_in_store(rate: int, pauses: list[int]) -> None:
    bucket = Bucket(rate, 0)
    now = taken = 0
    for pause in pauses:
        now += pause
        taken += bucket.take(now)
        cost = S // rate
        assert taken * cost <= now + max(STORE_NS, cost)


@given(st.integers(1, 2000), st.integers(1, 500))
def test_a_bucket_always_gives_what_comes_at_its_rate(rate: int, frames: int) -> None:
    bucket = Bucket(rate, 0)
    assert all(bucket.take(n * S // rate) for n in range(frames))


SITE = '[[instance]]\n[[instance.port]]\ninterface = "eth1"\n'


def test_rules_in_a_site_file() -> None:
    text = SITE + 'allow_sources = ["10.0.0.0/8", "001b21.fffe.aabbcc"]\nlimit_delay_req = 500\n'
    port = loads(text).instances[0].options.ports[0]
    assert port.allow_sources == ("10.0.0.0/8", "001b21.fffe.aabbcc")
    assert (port.deny_sources, port.limit_delay_req, port.limit_announce) == ((), 500, 1000)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ('deny_sources = ["nobody"]', '"nobody" is not a source; give an address'),
        ('deny_sources = "10.0.0.1"', "not a list"),
        ('deny_sources = ["10.0.0.300"]', "is not a source"),
        ("limit_announce = -1", "0..1000000"),
    ],
)
def test_rules_that_are_none_are_findings(text: str, words: str) -> None:
    assert any(words in str(finding) for finding in parse_site(SITE + text)[1])
