"""What only Ethernet has: groups in the NIC's filter, padding, frames that are not for us."""

from __future__ import annotations

import socket
from collections.abc import Iterator

import pytest

from ptpstack.net.channel import ChannelError
from ptpstack.protocol.effects import PEER_DELAY
from tests.net.beds import FOLLOW_UP, SYNC, Bed, bed, now, silence, stamps, take

pytestmark = pytest.mark.namespaces

ETHERTYPE = b"\x88\xf7"
FOREIGN = bytes.fromhex("020000000099")


@pytest.fixture
def cable() -> Iterator[Bed]:
    with bed("l2") as made:
        yield made


def send_raw(cable: Bed, *frames: bytes) -> None:
    with cable.a.entered(), socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0) as sock:
        sock.bind(("va", 0))
        for frame in frames:
            sock.send(frame)


def test_both_groups_are_in_the_filter_of_the_interface(cable: Bed) -> None:
    cable.open("b")
    groups = cable.b.ip("maddress show dev vb")
    assert "01:1b:19:00:00:00" in groups
    assert "01:80:c2:00:00:0e" in groups


def test_TRN_08_and_09_the_frame_on_the_wire(cable: Bed) -> None:
    a = cable.open("a")
    with cable.b.entered():
        sock = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(0x88F7))
    with sock:
        sock.bind(("vb", 0x88F7))
        sock.settimeout(2)
        a.send_event(SYNC, None, 1, now())
        a.send_general(FOLLOW_UP, "01-80-C2-00-00-0E")
        a.send_event(SYNC, PEER_DELAY, 2, now())
        a.send_general(FOLLOW_UP, PEER_DELAY)
        assert sock.recv(2048) == bytes.fromhex("011b19000000") + a.mac + ETHERTYPE + SYNC
        for message in (FOLLOW_UP, SYNC, FOLLOW_UP):
            assert sock.recv(2048) == bytes.fromhex("0180c200000e") + a.mac + ETHERTYPE + message


def test_TRN_10_padding_is_kept(cable: Bed) -> None:
    b = cable.open("b")
    message = bytes.fromhex("0012002c") + bytes(40)
    send_raw(cable, bytes.fromhex("011b19000000") + FOREIGN + ETHERTYPE + message + bytes(2))
    (received,) = take(b, 1)
    assert received.octets == message + bytes(2)
    assert received.source == "02:00:00:00:00:99"


def test_TRN_12_any_message_is_taken_from_either_group(cable: Bed) -> None:
    b = cable.open("b")
    announce, request = bytes.fromhex("0b120040") + bytes(60), bytes.fromhex("02120036") + bytes(50)
    send_raw(
        cable,
        *(
            bytes.fromhex(g) + FOREIGN + ETHERTYPE + m
            for m, g in (
                (announce, "0180c200000e"),
                (request, "011b19000000"),
            )
        ),
    )
    assert [r.octets for r in take(b, 2)] == [announce, request]


def test_frames_for_others_are_not_ours_even_in_promiscuous_mode(cable: Bed) -> None:
    b = cable.open("b")
    cable.b.ip("link set vb promisc on")
    send_raw(
        cable,
        bytes.fromhex("0200deadbeef") + FOREIGN + ETHERTYPE + SYNC,
        bytes.fromhex("011b19000000") + FOREIGN + b"\x88\xf6" + SYNC,
        b.mac + FOREIGN + ETHERTYPE + SYNC + b"mine",
    )
    assert [r.octets for r in take(b, 1)] == [SYNC + b"mine"]
    assert silence(b) == []


def test_a_frame_without_payload_is_counted(cable: Bed) -> None:
    b = cable.open("b")
    send_raw(
        cable,
        bytes.fromhex("011b19000000") + FOREIGN + ETHERTYPE,
        bytes.fromhex("011b19000000") + FOREIGN + ETHERTYPE + SYNC,
    )
    assert [r.octets for r in take(b, 1)] == [SYNC]
    assert b.counters()["unusable"] == 1


def test_without_stamping_frames_arrive_unstamped_and_counted(cable: Bed) -> None:
    a, b = cable.open("a"), cable.open("b")
    b._rx.setsockopt(socket.SOL_SOCKET, 65, 0)
    a.send_event(SYNC, None, 1, now())
    a.send_general(FOLLOW_UP, None)
    received = take(b, 2)
    assert [r.stamp_ns for r in received] == [None, None]
    assert b.counters()["no_stamp"] == 1
    assert b.counters()["received"] == 2


def test_too_long_a_message_is_answered_and_stamps_stay_matched(cable: Bed) -> None:
    a = cable.open("a")
    a.send_event(bytes(5000), None, 1, now())
    a.send_event(SYNC, None, 2, now())
    answers = stamps(a, 2)
    assert {(s.token, s.missing) for s in answers} == {(1, "unsent"), (2, "")}


def test_a_full_queue_does_not_shift_later_stamps(cable: Bed) -> None:
    """A send refused by the queue (ENOBUFS) has used up a stamp number in the kernel; one refused earlier has not."""
    a, b = cable.open("a"), cable.open("b")
    a.send_event(SYNC, None, 1, now())
    assert [s.token for s in stamps(a, 1)] == [1]
    assert len(take(b, 1)) == 1
    if cable.a.run("tc", *["qdisc", "add", "dev", "va", "root", "pfifo", "limit", "0"], check=False).returncode:
        pytest.skip("this kernel has no pfifo that can be made to refuse")
    a.send_event(SYNC, None, 2, now())
    assert [(s.token, s.missing) for s in stamps(a, 1)] == [(2, "unsent")]
    assert "buffer" in a.last_error.lower()
    cable.a.run("tc", *["qdisc", "delete", "dev", "va", "root"])
    for token in (3, 4, 5):
        a.send_event(SYNC + bytes([token]), None, token, now())
        (sent,) = stamps(a, 1)
        (received,) = take(b, 1)
        assert received.octets[-1] == token
        assert sent.token == token
        assert sent.stamp_ns is not None
        assert received.stamp_ns is not None
        # Of this very frame: a microsecond or so before its arrival, and not the stamp of the one before.
        assert sent.stamp_ns <= received.stamp_ns
        assert a.counters()["tx_stamp_waiting"] == 0
    assert a.counters()["tx_stamp_missing"] == 1


def test_interface_removed_under_an_open_channel(cable: Bed) -> None:
    a = cable.open("a")
    cable.a.ip("link delete va")
    for fileno in a.receive_filenos():
        assert a.receive(fileno) == []
    a.send_event(SYNC, None, 4, now())
    assert [(s.token, s.missing) for s in stamps(a, 1)] == [(4, "unsent")]
    assert a.counters()["socket_errors"] + a.counters()["send_errors"] >= 1


def test_one_step_is_refused_where_the_kernel_stamps(cable: Bed) -> None:
    with pytest.raises(ChannelError, match="va: no one-step transmission: only a NIC can put the time into a frame"):
        cable.open("a", one_step="yes")
    channel = cable.open("a", one_step="auto")
    assert (channel.stamping, channel.one_step) == ("software", "")
