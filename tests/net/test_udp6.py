"""What only UDP over IPv6 has: scopes, trailing octets, link-local addresses, addresses that are not ready."""

from __future__ import annotations

import errno
import os
import socket
import struct
from collections.abc import Iterator

import pytest

from ptpstack.net.channel import ChannelError
from ptpstack.net.open import open_channel
from ptpstack.protocol.effects import PEER_DELAY
from tests.net.beds import FOLLOW_UP, PDELAY_RESP_FOLLOW_UP, SYNC, Bed, bed, now, silence, stamps, take
from tests.netns import Namespace, namespaces, veth

pytestmark = pytest.mark.namespaces


@pytest.fixture
def cable() -> Iterator[Bed]:
    with bed("udp6") as made:
        yield made


def capture(namespace: Namespace, interface: str) -> socket.socket:
    with namespace.entered():
        sock = socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, socket.htons(0x86DD))
        sock.bind((interface, 0x86DD))
    sock.settimeout(2)
    return sock


def datagrams(sock: socket.socket, count: int) -> list[tuple[str, str, int, int, int, bytes]]:
    """(source, destination, port, DSCP, hop limit, payload) of each UDP datagram."""
    seen = []
    while len(seen) < count:
        packet = sock.recv(2048)
        if packet[6] == socket.IPPROTO_UDP:
            word = struct.unpack_from("!I", packet)[0]
            ends = [socket.inet_ntop(socket.AF_INET6, packet[at : at + 16]) for at in (8, 24)]
            port, length = struct.unpack_from("!HH", packet, 42)
            payload = packet[48 : 40 + length]
            seen.append((ends[0], ends[1], port, word >> 22 & 0x3F, packet[7], payload))
    return seen


@pytest.mark.parametrize("scope", [2, 5, 8, 14])
def test_TRN_06_scope_of_the_primary_group_and_peer_delay_group(cable: Bed, scope: int) -> None:
    a = cable.open("a", udp6_scope=scope, dscp_event=46, dscp_general=10, ttl=5, unicast_ttl=33)
    b = cable.open("b", udp6_scope=scope)
    with capture(cable.b, "vb") as sock:
        a.send_event(SYNC, None, 1, now())
        a.send_general(FOLLOW_UP, None)
        a.send_event(SYNC, PEER_DELAY, 2, now())
        a.send_general(PDELAY_RESP_FOLLOW_UP, PEER_DELAY)
        a.send_event(SYNC, "fd00:9::2", 3, now())
        seen = datagrams(sock, 5)
    group = f"ff0{scope:x}::181"
    # The source is the kernel's choice for the scope: of the link where the destination is.
    source = "fe80::1" if scope == 2 else "fd00:9::1"
    assert [datagram[:5] for datagram in seen] == [
        (source, group, 319, 46, 5),
        (source, group, 320, 10, 5),
        ("fe80::1", "ff02::6b", 319, 46, 1),
        ("fe80::1", "ff02::6b", 320, 10, 1),
        ("fd00:9::1", "fd00:9::2", 319, 46, 33),
    ]
    assert len(take(b, 5)) == 5


def test_TRN_04_both_groups_are_joined(cable: Bed) -> None:
    cable.open("b", udp6_scope=5)
    groups = cable.b.ip("-6 maddress show dev vb")
    assert "ff05::181" in groups
    assert "ff02::6b" in groups


def test_a_group_that_was_not_joined_is_not_heard(cable: Bed) -> None:
    b, narrow = cable.open("b"), cable.open("b", udp6_scope=5)
    a = cable.open("a")
    a.send_event(SYNC, "ff05::181", 1, now())
    a.send_event(SYNC + b"x", None, 2, now())
    assert [r.octets[:-2] for r in take(b, 1)] == [SYNC + b"x"]
    assert [r.octets[:-2] for r in take(narrow, 1)] == [SYNC]
    assert silence(b) == silence(narrow) == []


def test_TRN_07_two_octets_follow_and_may_be_missing(cable: Bed) -> None:
    a, b = cable.open("a"), cable.open("b")
    with capture(cable.b, "vb") as sock:
        a.send_event(SYNC, None, 1, now())
        a.send_general(FOLLOW_UP, None)
        a.send_general_all([FOLLOW_UP] * 20)
        payloads = [datagram[5] for datagram in datagrams(sock, 2)]
    assert payloads == [SYNC + bytes(2), FOLLOW_UP + bytes(2)]
    # messageLength is the sender's: it does not count them
    assert [r.octets for r in take(b, 22)] == [SYNC + bytes(2)] + [FOLLOW_UP + bytes(2)] * 21
    with cable.a.entered(), socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as sock:
        sock.sendto(SYNC, ("fd00:9::2", 319))
        sock.sendto(SYNC + b"\xab\xcd", ("fd00:9::2", 319))
    assert [r.octets for r in take(b, 2)] == [SYNC, SYNC + b"\xab\xcd"]


def test_a_link_local_address_is_enough_and_can_be_answered() -> None:
    with namespaces("a", "b") as ns:
        veth(ns["a"], "va", ns["b"], "vb")
        for side, host in (("a", 1), ("b", 2)):
            ns[side].ip(f"address add fe80::{host}/64 dev v{side} nodad")
        made = Bed(ns["a"], ns["b"], "udp6")
        a, b = made.open("a"), made.open("b")
        a.send_event(SYNC, None, 1, now())
        (heard,) = take(b, 1)
        assert heard.source == "fe80::1"
        b.send_general(FOLLOW_UP, heard.source)
        assert [r.source for r in take(a, 1)] == ["fe80::2"]
        assert stamps(a, 1)[0].stamp_ns
        a.close()
        b.close()


def test_replies_come_from_the_address_that_was_asked(cable: Bed) -> None:
    cable.b.ip("address add fd00:9::77/64 dev vb nodad")
    b = cable.open("b")
    with cable.a.entered():
        client = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
    with client:
        client.settimeout(2)
        client.bind(("fd00:9::1", 320))
        for asked in ("fd00:9::77", "fd00:9::2"):
            client.sendto(SYNC, (asked, 319))
            (request,) = take(b, 1)
            assert request.source == "fd00:9::1"
            b.send_general(FOLLOW_UP, request.source)
            octets, source = client.recvfrom(2048)
            assert octets == FOLLOW_UP + bytes(2)
            assert source[:2] == (asked, 320)


def test_udp4_and_udp6_side_by_side_do_not_hear_each_other(cable: Bed) -> None:
    six, a = cable.open("b"), cable.open("a")
    with cable.b.entered():
        four = open_channel("vb", "udp4")
    with cable.a.entered():
        sender = open_channel("va", "udp4")
    try:
        a.send_event(SYNC + b"6", None, 1, now())
        sender.send_event(SYNC + b"4", None, 1, now())
        assert [r.octets for r in take(six, 1)] == [SYNC + b"6" + bytes(2)]
        assert [r.octets for r in take(four, 1)] == [SYNC + b"4"]
        assert silence(six, 0.02) == silence(four, 0.02) == []
    finally:
        four.close()
        sender.close()


def test_without_a_ready_address_the_error_says_so() -> None:
    with namespaces("a", "b") as ns:
        veth(ns["a"], "va", ns["b"], "vb", "10.9.0.1/24", "10.9.0.2/24")

        def refusal() -> ChannelError:
            with ns["a"].entered(), pytest.raises(ChannelError, match=r"va: it has no IPv6 address that is ready") as e:
                open_channel("va", "udp6")
            return e.value

        assert refusal().errno == errno.EADDRNOTAVAIL
        # Being checked for duplicates; the check takes longer than the test.
        ns["a"].run("sysctl", "-qw", "net.ipv6.conf.va.dad_transmits=100")
        ns["a"].ip("address add fe80::1/64 dev va")
        assert "disable_ipv6" in str(refusal())
        ns["a"].ip("address add fe80::3/64 dev va nodad")
        with ns["a"].entered():
            channel = open_channel("va", "udp6")
        assert channel.addresses == ["fe80::3"]  # type: ignore[union-attr]
        channel.close()


def test_opening_leaks_no_descriptor_when_it_fails(cable: Bed) -> None:
    with cable.a.entered(), socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as greedy:
        greedy.bind(("", 320))
        before = sorted(os.listdir("/proc/self/fd"))
        with pytest.raises(ChannelError, match=r"va: UDP port 319 or 320 is taken.*ss -lunp"):
            open_channel("va", "udp6")
        assert sorted(os.listdir("/proc/self/fd")) == before


@pytest.mark.parametrize("scope", [0, 15])
def test_reserved_scopes_are_refused(scope: int) -> None:
    with pytest.raises(ValueError, match="udp6_scope"):
        open_channel("lo", "udp6", udp6_scope=scope)
