"""What only UDP over IPv4 has: ports, DSCP, TTL, several addresses, interfaces side by side."""

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
    with bed("udp4") as made:
        yield made


def capture(namespace: Namespace, interface: str) -> socket.socket:
    with namespace.entered():
        sock = socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, socket.htons(0x0800))
        sock.bind((interface, 0x0800))
    sock.settimeout(2)
    return sock


def test_TRN_14_the_wrong_class_on_a_port_is_dropped_and_counted(cable: Bed) -> None:
    b = cable.open("b")
    with cable.a.entered(), socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.sendto(FOLLOW_UP, ("10.9.0.2", 319))
        sock.sendto(SYNC, ("10.9.0.2", 320))
        sock.sendto(SYNC, ("10.9.0.2", 319))
        sock.sendto(FOLLOW_UP, ("10.9.0.2", 320))
    received = take(b, 2)
    assert [(r.octets, r.event) for r in received] == [(SYNC, True), (FOLLOW_UP, False)]
    assert b.counters()["wrong_port"] == 2


def test_TRN_01_and_02_and_03_dscp_ttl_ports_and_groups_on_the_wire(cable: Bed) -> None:
    a = cable.open("a", dscp_event=46, dscp_general=10, ttl=5, unicast_ttl=33)
    cable.open("b")
    with capture(cable.b, "vb") as sock:
        a.send_event(SYNC, None, 1, now())
        a.send_general(FOLLOW_UP, None)
        a.send_event(SYNC, PEER_DELAY, 2, now())
        a.send_general(PDELAY_RESP_FOLLOW_UP, PEER_DELAY)
        a.send_event(SYNC, "10.9.0.2", 3, now())
        seen = []
        while len(seen) < 5:
            packet = sock.recv(2048)
            if packet[9] == socket.IPPROTO_UDP:
                dscp, ttl = packet[1] >> 2, packet[8]
                source, target = struct.unpack_from("!HH", packet, 20)
                seen.append((socket.inet_ntoa(packet[16:20]), source, target, dscp, ttl))
    assert seen == [
        ("224.0.1.129", 319, 319, 46, 5),
        ("224.0.1.129", 320, 320, 10, 5),
        ("224.0.0.107", 319, 319, 46, 1),
        ("224.0.0.107", 320, 320, 10, 1),
        ("10.9.0.2", 319, 319, 46, 33),
    ]


def test_socket_priority_is_what_was_asked(cable: Bed) -> None:
    a = cable.open("a", priority=5, dscp_event=46)
    assert a._event_tx.getsockopt(socket.SOL_SOCKET, socket.SO_PRIORITY) == 5
    assert a._general.getsockopt(socket.SOL_SOCKET, socket.SO_PRIORITY) == 5


def test_TRN_04_both_groups_are_joined(cable: Bed) -> None:
    cable.open("b")
    groups = cable.b.ip("-4 maddress show dev vb")
    assert "224.0.1.129" in groups
    assert "224.0.0.107" in groups


def test_TRN_16_a_checksum_of_zero_is_none(cable: Bed) -> None:
    b = cable.open("b")
    with capture(cable.b, "vb") as sock, cable.a.entered(), socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
        sender.setsockopt(socket.SOL_SOCKET, 11, 1)  # SO_NO_CHECK
        sender.sendto(SYNC, ("10.9.0.2", 319))
        packet = sock.recv(2048)
    assert (packet[9], packet[26:28]) == (socket.IPPROTO_UDP, bytes(2))
    assert [r.octets for r in take(b, 1)] == [SYNC]


def test_a_group_that_was_not_joined_is_not_heard(cable: Bed) -> None:
    b = cable.open("b")
    # Somebody else in this namespace joins another PTP group on the same interface.
    with cable.b.entered():
        other = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    with other:
        index = struct.pack("=4s4si", socket.inet_aton("224.0.1.130"), bytes(4), b.interface_index)
        other.setsockopt(socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP, index)
        a = cable.open("a")
        a.send_event(SYNC, "224.0.1.130", 1, now())
        a.send_event(SYNC + b"x", None, 2, now())
        assert [r.octets for r in take(b, 1)] == [SYNC + b"x"]
        assert silence(b) == []


def test_replies_come_from_the_address_that_was_asked(cable: Bed) -> None:
    cable.b.ip("address add 10.9.0.77/24 dev vb")
    b = cable.open("b")
    assert b.addresses == ["10.9.0.2", "10.9.0.77"]
    with cable.a.entered():
        client = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    with client:
        client.settimeout(2)
        client.bind(("10.9.0.1", 320))
        for asked in ("10.9.0.77", "10.9.0.2"):
            client.sendto(SYNC, (asked, 319))
            (request,) = take(b, 1)
            assert request.source == "10.9.0.1"
            b.send_general(FOLLOW_UP, request.source)
            octets, source = client.recvfrom(2048)
            assert octets == FOLLOW_UP
            assert source == (asked, 320)


def test_channels_of_two_interfaces_do_not_hear_each_other() -> None:
    with namespaces("a", "b") as ns:
        veth(ns["a"], "va", ns["b"], "vb", "10.9.0.1/24", "10.9.0.2/24")
        veth(ns["a"], "wa", ns["b"], "wb", "10.9.1.1/24", "10.9.1.2/24")
        channels = []
        try:
            for side, name in (("a", "va"), ("a", "wa"), ("b", "vb"), ("b", "wb")):
                with ns[side].entered():
                    channels.append(open_channel(name, "udp4"))
            va, wa, vb, wb = channels
            va.send_event(SYNC + b"v", None, 1, now())
            wa.send_event(SYNC + b"w", "10.9.1.2", 2, now())
            va.send_general(FOLLOW_UP + b"v", "10.9.0.2")
            assert {r.octets for r in take(vb, 2)} == {SYNC + b"v", FOLLOW_UP + b"v"}
            assert [r.octets for r in take(wb, 1)] == [SYNC + b"w"]
            assert silence(vb, 0.02) == silence(wb, 0.02) == []
            assert [s.token for s in stamps(va, 1)] == [1]
            assert [s.token for s in stamps(wa, 1)] == [2]
        finally:
            for channel in channels:
                channel.close()


def test_refusals_name_the_interface_the_reason_and_the_way_out() -> None:
    with namespaces("a", "b") as ns:
        veth(ns["a"], "va", ns["b"], "vb")
        with ns["a"].entered():
            with pytest.raises(ChannelError, match=r"va: it has no IPv4 address.*ip address add.*l2") as caught:
                open_channel("va", "udp4")
            assert caught.value.errno == errno.EADDRNOTAVAIL
            with pytest.raises(ChannelError, match=r"nix0: there is no such interface.*ptpstack interfaces"):
                open_channel("nix0", "udp4")
            with pytest.raises(ChannelError, match=r"lo: it is not an Ethernet interface"):
                open_channel("lo", "l2")
            with pytest.raises(ChannelError, match=r"va: no hardware stamps: .*stamping = auto"):
                open_channel("va", "l2", stamping="hardware")
            with pytest.raises(ChannelError, match="cannot be the name"):
                open_channel("a-name-that-is-too-long", "l2")


@pytest.mark.parametrize(
    "options",
    [{"ttl": 0}, {"ttl": 256}, {"dscp_event": 64}, {"dscp_general": -1}, {"priority": 16}, {"stamping": "hard"}],
)
def test_parameters_out_of_range_are_refused(options: dict[str, object]) -> None:
    with pytest.raises(ValueError, match=next(iter(options))):
        open_channel("lo", "udp4", **options)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="udp4, udp6, l2"):
        open_channel("lo", "udp5")


def _open_unprivileged(transport: str) -> tuple[int | None, str]:
    os.setgroups([])
    os.setresuid(65534, 65534, 65534)
    try:
        open_channel("va", transport).close()
    except ChannelError as error:
        return error.errno, error.strerror or ""
    return None, "opened"


@pytest.mark.parametrize("transport", ["udp4", "udp6", "l2"])
def test_without_rights_the_error_names_the_capability(transport: str) -> None:
    with bed(transport) as cable:
        number, text = cable.a.call(_open_unprivileged, transport)
    assert number in (errno.EPERM, errno.EACCES)
    assert text.startswith("va: not permitted")
    assert ("CAP_NET_RAW" if transport == "l2" else "CAP_NET_BIND_SERVICE") in text


def test_a_port_taken_by_somebody_who_does_not_share(cable: Bed) -> None:
    with cable.a.entered(), socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as greedy:
        greedy.bind(("", 320))
        with pytest.raises(ChannelError, match=r"va: UDP port 319 or 320 is taken.*ss -lunp"):
            open_channel("va", "udp4")


def test_opening_leaks_no_descriptor_when_it_fails(cable: Bed) -> None:
    with cable.a.entered(), socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as greedy:
        greedy.bind(("", 320))
        before = sorted(os.listdir("/proc/self/fd"))
        for _ in range(3):
            with pytest.raises(ChannelError):
                open_channel("va", "udp4")
        assert sorted(os.listdir("/proc/self/fd")) == before
