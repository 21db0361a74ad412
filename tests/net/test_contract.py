"""The contract of ptpstack.net.channel.Channel, over every transport, on a virtual cable with kernel stamps."""

from __future__ import annotations

import os
import select
import socket
import time
from collections.abc import Iterator

import pytest

from ptpstack.net.channel import Channel, TransmitStamp
from ptpstack.protocol.effects import PEER_DELAY
from ptpstack.wire.codec import decode, encode
from ptpstack.wire.messages import Sync
from ptpstack.wire.types import PortIdentity
from tests.net.beds import FOLLOW_UP, SYNC, Bed, bed, now, silence, stamps, take

pytestmark = pytest.mark.namespaces


@pytest.fixture(params=["udp4", "udp6", "l2"])
def cable(request: pytest.FixtureRequest) -> Iterator[Bed]:
    with bed(request.param) as made:
        yield made


def test_the_channel_says_what_it_is(cable: Bed) -> None:
    a: Channel = cable.open("a")
    assert a.name == f"va/{cable.transport}"
    assert a.interface == "va"
    assert a.stamping == "software"
    assert a.phc_index is None
    assert "hardware" in a.stamping_reason
    mac = a.mac.hex(":")
    assert mac in cable.a.ip("link show va")


def test_event_messages_are_stamped_both_ways(cable: Bed) -> None:
    a, b = cable.open("a"), cable.open("b")
    before = time.time_ns()
    a.send_event(SYNC, None, 77, now())
    (sent,) = stamps(a, 1)
    (received,) = take(b, 1)
    after = time.time_ns()
    assert sent.token == 77
    assert sent.missing == ""
    assert sent.stamp_ns is not None
    assert received.stamp_ns is not None
    assert before <= sent.stamp_ns <= received.stamp_ns <= after
    assert received.octets == SYNC + cable.trailer
    assert received.event is True
    assert received.source == cable.address("a", a)
    assert b.counters()["no_stamp"] == 0


def test_general_messages_use_up_no_stamp(cable: Bed) -> None:
    a, b = cable.open("a"), cable.open("b")
    for token in range(5):
        a.send_general(FOLLOW_UP, None)
        a.send_event(SYNC, None, token, now())
    assert [s.token for s in stamps(a, 5)] == [0, 1, 2, 3, 4]
    received = take(b, 10)
    assert [r.octets for r in received if r.event] == [SYNC + cable.trailer] * 5
    assert [r.octets for r in received if not r.event] == [FOLLOW_UP + cable.trailer] * 5
    assert a.counters()["sent"] == 10
    assert b.counters()["received"] == 10


def test_own_multicast_is_not_heard(cable: Bed) -> None:
    a, b = cable.open("a"), cable.open("b")
    a.send_event(SYNC, None, 1, now())
    a.send_general(FOLLOW_UP, None)
    assert len(take(b, 2)) == 2
    assert silence(a) == []


def test_unicast_and_both_groups_arrive(cable: Bed) -> None:
    a, b = cable.open("a"), cable.open("b")
    unicast = cable.address("b", b)
    for token, destination in enumerate((None, a.group, PEER_DELAY, unicast)):
        a.send_event(SYNC, destination, token, now())
        a.send_general(FOLLOW_UP, destination)
    received = take(b, 8)
    assert len(received) == 8
    assert sum(r.event for r in received) == 4
    assert sorted(s.token for s in stamps(a, 4)) == [0, 1, 2, 3]
    # The transmit socket shares the event port; unicast must still reach the receive socket, with its stamp.
    assert all(r.stamp_ns for r in received if r.event)


def test_a_burst_of_1000_loses_no_stamp_and_mixes_none_up(cable: Bed) -> None:
    a, b = cable.open("a", stamp_timeout_ns=2_000_000_000), cable.open("b")
    for token in range(5000, 6000):
        a.send_event(SYNC + token.to_bytes(4), None, token, now())
    found = stamps(a, 1000)
    assert [s.token for s in found] == list(range(5000, 6000))
    sent = {s.token: s.stamp_ns for s in found}
    received = {int.from_bytes(r.octets[len(SYNC) :][:4]): r.stamp_ns for r in take(b, 1000)}
    assert received.keys() == sent.keys()
    # Were stamps shifted by one message, some message would have left after it arrived.
    assert all(sent[token] <= received[token] for token in sent)
    assert a.counters()["tx_stamp_missing"] == 0


def test_receive_is_bounded(cable: Bed) -> None:
    a, b = cable.open("a"), cable.open("b")
    for token in range(10):
        a.send_event(SYNC, None, token, now())
    fileno = b.receive_filenos()[0]
    select.select([fileno], [], [], 1)
    assert len(b.receive(fileno, limit=4)) == 4
    assert len(b.receive(fileno, limit=64)) == 6
    assert b.receive(fileno) == []


def test_a_flood_does_not_cost_transmit_stamps(cable: Bed) -> None:
    """Receive queue and error queue share a buffer; ptpstack's stamps come back on a socket of their own."""
    a = cable.open("a", receive_buffer=1 << 16)
    flooder = os.fork()
    if flooder == 0:
        try:
            b = cable.open("b")
            for _ in range(100_000):
                b.send_general(SYNC, None) if cable.transport == "l2" else b._send(b._event_tx, SYNC, None, 319)
        finally:
            os._exit(0)
    try:
        token = 0
        found = []
        while os.waitpid(flooder, os.WNOHANG)[0] == 0:
            a.send_event(SYNC, None, token, now())
            token += 1
            time.sleep(0.001)
            found += a.transmit_stamps(now())
        flooder = 0
    finally:
        if flooder:
            os.kill(flooder, 9)
            os.waitpid(flooder, 0)
    found += stamps(a, token - len(found))
    assert token > 50
    assert [s.token for s in found] == list(range(token))
    assert all(s.stamp_ns for s in found)
    counters = a.counters()
    assert counters["tx_stamp_missing"] == 0
    # Nobody read a's input: it filled up, which is what this test is about.
    assert counters["kernel_drops"] > 50_000
    # What still fits in the queue is drained in bounded bites.
    assert 0 < len(a.receive(a.receive_filenos()[0])) <= 64


def test_TRN_15_junk_is_survived(cable: Bed) -> None:
    a, b = cable.open("a"), cable.open("b")
    junk = [b"\x00", b"\xff" * 1000, bytes(1400), b"\x0b"]
    for octets in junk:
        a.send_event(octets, None, 1, now()) if octets[0] & 15 < 8 else a.send_general(octets, None)
    received = take(b, len(junk))
    assert len(received) == len(junk)
    if cable.transport != "l2":
        assert {r.octets for r in received} == {octets + cable.trailer for octets in junk}
        with cable.a.entered(), socket.socket(cable.family, socket.SOCK_DGRAM) as sock:
            target = (cable.address("b", b), 319)
            sock.sendto(b"", target)
            sock.sendto(bytes(9000), target)  # fragmented, longer than any PTP message here
            sock.sendto(SYNC, target)
        assert len(take(b, 1)) == 1
        assert b.counters()["unusable"] == 2


def test_TRN_13_octets_behind_the_message_are_kept_and_ignored(cable: Bed) -> None:
    """Padding, or the six octets of a PRP link: the codec decides by messageLength, the channel cuts nothing."""
    a, b = cable.open("a"), cable.open("b")
    message = Sync(PortIdentity(bytes(range(8)), 1), 7, origin_ns=5)
    trailer = bytes.fromhex("0001a02c88fb")
    a.send_event(encode(message) + trailer, None, 1, now())
    (received,) = take(b, 1)
    assert received.octets == encode(message) + trailer + cable.trailer
    heard = decode(received.octets)
    assert isinstance(heard, Sync)
    assert (heard.sequence_id, heard.origin_ns, heard.trailing) == (7, 5, trailer + cable.trailer)


def test_a_link_that_is_down_is_counted_and_answered(cable: Bed) -> None:
    a, b = cable.open("a"), cable.open("b")
    cable.a.ip("link set va down")
    a.send_event(SYNC, None, 31, now())
    a.send_general(FOLLOW_UP, None)
    (answer,) = stamps(a, 1)
    assert answer.token == 31
    assert answer.stamp_ns is None
    assert answer.missing == "unsent"
    assert a.counters()["send_errors"] == 2
    assert "send:" in a.last_error
    for fileno in a.receive_filenos():
        assert a.receive(fileno) == []
    cable.a.ip("link set va up")
    deadline = time.monotonic() + 3
    while not take(b, 1, 0.05):
        a.send_event(SYNC, None, 32, now())
        assert time.monotonic() < deadline, "nothing arrives after the link came back"
    answer = next(s for s in stamps(a, 1) if s.token == 32 and s.stamp_ns)
    a.send_event(SYNC, None, 33, now())
    assert next(s for s in stamps(a, 1) if s.token == 33).stamp_ns


def test_error_queue_readiness_ends_when_drained(cable: Bed) -> None:
    a = cable.open("a")
    poll = select.poll()
    poll.register(a.stamp_fileno(), 0)
    assert poll.poll(0) == []
    a.send_event(SYNC, None, 1, now())
    ((fileno, what),) = poll.poll(1000)
    assert fileno == a.stamp_fileno()
    assert what & select.POLLERR
    assert not what & select.POLLIN
    stamps(a, 1)
    assert poll.poll(0) == []


def test_closing_twice_is_fine_and_use_after_it_does_no_harm(cable: Bed) -> None:
    a = cable.open("a")
    receivers = a.receive_filenos()
    descriptors = [*receivers, a.stamp_fileno()]
    a.send_event(SYNC, None, 1, now())
    a.close()
    # nobody waits for ever for what was under way
    assert a.next_stamp_deadline_ns() is None
    assert a.transmit_stamps(now() + 10**12) == []
    a.close()
    for fd in descriptors:
        with pytest.raises(OSError, match="Bad file"):
            os.fstat(fd)
    failed = a.counters()["send_errors"]
    a.send_general(FOLLOW_UP, None)
    a.send_general_all([FOLLOW_UP] * 20)
    a.send_event(SYNC, None, 2, now())
    assert a.counters()["send_errors"] == failed + 22
    # every token is answered, this one too
    assert a.next_stamp_deadline_ns() == 0
    assert a.transmit_stamps(now()) == [TransmitStamp(2, None, "unsent")]
    assert a.next_stamp_deadline_ns() is None
    assert [a.receive(fd) for fd in receivers] == [[], []][: len(receivers)]
    with pytest.raises(OSError, match="closed"):
        a.stamp_fileno()


def test_two_channels_on_one_interface_share_it(cable: Bed) -> None:
    a, b, second = cable.open("a"), cable.open("b"), cable.open("b")
    a.send_event(SYNC, None, 1, now())
    assert len(take(b, 1)) == 1
    assert len(take(second, 1)) == 1


def test_the_wrong_kind_of_destination_is_refused(cable: Bed) -> None:
    a = cable.open("a")
    wrong = "01:1b:19:00:00" if cable.transport == "l2" else "time.example"
    with pytest.raises(ValueError, match=wrong):
        a.send_general(FOLLOW_UP, wrong)
    with pytest.raises(ValueError, match=wrong):
        a.send_event(SYNC, wrong, 1, now())
    assert a.counters()["tx_stamp_waiting"] == 0


def test_a_stamp_that_does_not_come_is_reported_once(cable: Bed) -> None:
    a = cable.open("a", stamp_timeout_ns=1_000_000)
    # The kernel is told to stop stamping behind the channel's back, as a NIC that loses a stamp does.
    a._event_tx.setsockopt(socket.SOL_SOCKET, 65, 0)
    a.send_event(SYNC, None, 9, 1_000)
    assert a.next_stamp_deadline_ns() == 1_001_000
    assert a.transmit_stamps(1_000_999) == []
    (answer,) = a.transmit_stamps(1_001_000)
    assert (answer.token, answer.stamp_ns, answer.missing) == (9, None, "timeout")
    assert a.transmit_stamps(9_999_999) == []
    assert a.next_stamp_deadline_ns() is None
    assert a.counters()["tx_stamp_missing"] == 1


def test_a_late_stamp_is_counted_and_not_delivered(cable: Bed) -> None:
    a = cable.open("a", stamp_timeout_ns=1_000)
    a.send_event(SYNC, None, 9, 0)
    a._pending.overdue(1_000)
    time.sleep(0.01)
    assert stamps(a, 1, 0.05) == []
    assert a.counters()["tx_stamp_late"] == 1
