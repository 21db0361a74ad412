"""Many answers in one call are, on the wire, what they would be one by one."""

from __future__ import annotations

import errno
import socket
from collections.abc import Iterator
from typing import Any

import pytest

from ptpstack.net.channel import Channel
from ptpstack.net.open import open_channel
from ptpstack.net.sockets import SEND_BUFFER
from ptpstack.net.udp4 import Udp4Channel
from tests.netns import namespaces, veth

pytestmark = pytest.mark.namespaces


@pytest.fixture(params=["udp4", "l2"])
def pair(request: pytest.FixtureRequest) -> Iterator[tuple[Channel, Channel]]:
    with namespaces("a", "b") as ns:
        veth(ns["a"], "va", ns["b"], "vb", "10.0.0.1/24", "10.0.0.2/24")
        ends = []
        for name in ("a", "b"):
            with ns[name].entered():
                ends.append(open_channel(f"v{name}", request.param, stamping="software"))
        yield ends[0], ends[1]
        for end in ends:
            end.close()


def arrived(channel: Channel) -> list[bytes]:
    found: list[bytes] = []
    for fd in channel.receive_filenos():
        while frames := channel.receive(fd):
            found += [frame.octets for frame in frames]
    return found


def frames(count: int) -> list[bytes]:
    return [b"\x09\x12" + number.to_bytes(4, "big") + bytes(48) for number in range(count)]


@pytest.mark.parametrize("count", [1, 2, 7, 8, 9, 64, 65, 200])
def test_all_arrive_once_whole_and_in_order(pair: tuple[Channel, Channel], count: int) -> None:
    a, b = pair
    a.send_general_all(frames(count))
    assert arrived(b) == frames(count)
    assert a.counters()["sent"] == count
    assert a.counters()["send_errors"] == 0


class Refusing:
    """The general socket of a device that cannot segment (or is busy): only single datagrams pass."""

    def __init__(self, sock: socket.socket, number: int) -> None:
        self._sock, self._number, self.refused = sock, number, 0

    def sendmsg(self, *_: Any) -> int:
        self.refused += 1
        raise OSError(self._number, "no")

    def __getattr__(self, name: str) -> Any:
        return getattr(self._sock, name)


@pytest.mark.parametrize("pair", ["udp4"], indirect=True)
@pytest.mark.parametrize(("number", "asked"), [(errno.EIO, 1), (errno.EINVAL, 1), (errno.ENOBUFS, 3)])
def test_a_device_that_cannot_segment_costs_nothing_but_the_gain(
    pair: tuple[Udp4Channel, Udp4Channel], number: int, asked: int
) -> None:
    a, b = pair
    refusing = Refusing(a._general, number)
    a._general = refusing  # type: ignore[assignment]
    for _ in range(3):
        a.send_general_all(frames(20))
        assert arrived(b) == frames(20)
    # after a final no it is not asked again, after a passing trouble it is
    assert refusing.refused == asked
    assert a.counters()["sent"] == 60


@pytest.mark.parametrize("pair", ["udp4"], indirect=True)
def test_replies_to_invented_addresses_do_not_stop_what_goes_to_the_group(
    pair: tuple[Udp4Channel, Udp4Channel],
) -> None:
    a, b = pair
    # nobody there answers ARP: the kernel keeps these. A few hundred addresses do not take the room of the others
    for number in range(4000):
        a.send_general(frames(1)[0], f"10.0.0.{10 + number % 200}")
    if a._reply.getsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF) >= SEND_BUFFER:  # it was granted (CAP_NET_ADMIN)
        assert a.counters()["send_errors"] == 0
        a.send_general(frames(1)[0], "10.0.0.2")
        assert len(arrived(b)) == 1
    # many more do, until the send buffer is full
    for number in range(80_000):
        a.send_general(frames(1)[0], f"10.0.0.{10 + number % 240}")
    assert a.counters()["send_errors"] > 0
    before = a.counters()["send_errors"]
    a.send_general(frames(2)[1], None)
    a.send_general_all(frames(20))
    assert a.counters()["send_errors"] == before
    assert [f for f in arrived(b) if len(f) == 54] == [frames(2)[1], *frames(20)]


def test_a_channel_says_whether_something_is_left(pair: tuple[Channel, Channel]) -> None:
    a, b = pair
    fd = b.receive_filenos()[-1]
    a.send_general_all(frames(5))
    assert (len(b.receive(fd, 3)), b.drained) == (3, False)
    # exactly as many as are there: not known yet
    assert (len(b.receive(fd, 2)), b.drained) == (2, False)
    assert (b.receive(fd, 1), b.drained) == ([], True)
    a.send_general_all(frames(2))
    assert (len(b.receive(fd, 8)), b.drained) == (2, True)
