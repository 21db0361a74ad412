"""A software bridge between namespaces: other traffic passes untouched, PTP comes up with its stamps."""

from __future__ import annotations

import contextlib
import select
import socket
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from ptpstack.net.bridge import Bridge, BridgeChannel, open_bridge_port
from ptpstack.net.channel import Received
from ptpstack.protocol.effects import PEER_DELAY
from ptpstack.wire.envelope import open_frame
from tests.net.beds import FOLLOW_UP, SYNC, stamping_switched_on
from tests.netns import Namespace, namespaces, veth

pytestmark = pytest.mark.namespaces
ETH_P_ALL = 3


@dataclass
class Bed:
    """Stations ``a``, ``b``, ``c`` around a bridge, which a thread runs."""

    stations: dict[str, Namespace]
    ports: dict[str, BridgeChannel]

    def __post_init__(self) -> None:
        self.ptp: list[tuple[str, Received]] = []
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def _run(self) -> None:
        while not self._ended.is_set():
            where = {fd: name for name, port in self.ports.items() for fd in port.receive_filenos()}
            with contextlib.suppress(OSError):  # closed by a test meanwhile
                for fd in select.select(list(where), [], [], 0.02)[0]:
                    self.ptp += [(where[fd], frame) for frame in self.ports[where[fd]].receive(fd)]

    def close(self) -> None:
        self._ended.set()
        self._thread.join()
        for port in self.ports.values():
            port.close()

    def socket(self, station: str, kind: int = socket.SOCK_DGRAM) -> socket.socket:
        with self.stations[station].entered():
            sock = socket.socket(socket.AF_INET, kind)
        sock.settimeout(5)
        return sock

    def raw(self, station: str) -> socket.socket:
        with self.stations[station].entered():
            sock = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(ETH_P_ALL))
            sock.bind(("v" + station, ETH_P_ALL))
        sock.settimeout(1)
        return sock

    def mac(self, station: str) -> bytes:
        with self.raw(station) as sock:
            return bytes(sock.getsockname()[4])


@pytest.fixture
def bed() -> Iterator[Bed]:
    with contextlib.ExitStack() as stack:
        ns = stack.enter_context(namespaces("bridge", "a", "b", "c"))
        stack.enter_context(stamping_switched_on())
        bridge = Bridge(time.monotonic_ns)
        ports = {}
        for number, name in enumerate("abc", 1):
            veth(ns["bridge"], "p" + name, ns[name], "v" + name, f"10.99.{number}.9/24", f"10.8.0.{number}/24")
            with ns["bridge"].entered():
                ports[name] = open_bridge_port(bridge, "p" + name, stamping="software")
        made = Bed(ns, ports)
        stack.callback(made.close)
        yield made


def until_seen(bed: Bed, count: int) -> list[tuple[str, Received]]:
    end = time.monotonic() + 5
    while len(bed.ptp) < count and time.monotonic() < end:
        time.sleep(0.01)
    return bed.ptp


def heard(sock: socket.socket, source: bytes) -> list[bytes]:
    """Frames from ``source`` that arrive until it is silent."""
    found = []
    with contextlib.suppress(TimeoutError):
        while True:
            frame = sock.recv(4096)
            if frame[6:12] == source:
                found.append(frame)
    return found


def test_datagrams_pass_both_ways_with_checksums_that_hold(bed: Bed) -> None:
    with bed.socket("a") as a, bed.socket("b") as b:
        b.bind(("", 5000))
        for size in (1, 100, 1400):
            a.sendto(bytes(size), ("10.8.0.2", 5000))
            octets, source = b.recvfrom(2000)
            assert octets == bytes(size)
            b.sendto(b"back", source)
            assert a.recv(100) == b"back"


def test_a_long_stream_passes_whole(bed: Bed) -> None:
    """TCP between the stations' own stacks hands over segments of tens of kilobytes that nobody has checksummed."""
    sent = bytes(range(256)) * 8_000
    with bed.socket("a", socket.SOCK_STREAM) as a, bed.socket("b", socket.SOCK_STREAM) as listener:
        listener.bind(("", 5001))
        listener.listen()
        a.connect(("10.8.0.2", 5001))
        b, _ = listener.accept()
        writer = threading.Thread(target=a.sendall, args=(sent,))
        writer.start()
        got = bytearray()
        b.settimeout(10)
        while len(got) < len(sent):
            got += b.recv(1 << 16)
        writer.join()
        b.close()
    assert got == sent
    assert all(port.counters()["send_errors"] == 0 for port in bed.ports.values())


def test_a_station_that_was_heard_is_served_by_its_port_alone(bed: Bed) -> None:
    a, b = bed.mac("a"), bed.mac("b")
    with bed.raw("a") as from_a, bed.raw("b") as at_b, bed.raw("c") as at_c:
        from_a.send(b"\xff" * 6 + a + b"\x88\xb5" + b"here is a")
        at_b.send(a + b + b"\x88\xb5" + b"here is b")
        time.sleep(0.1)
        from_a.send(b + a + b"\x88\xb5" + b"for b alone")
        assert [f[14:] for f in heard(at_b, a) if f[12:14] == b"\x88\xb5"] == [b"here is a", b"for b alone"]
        assert [f[14:] for f in heard(at_c, a) if f[12:14] == b"\x88\xb5"] == [b"here is a"]
        assert [f for f in heard(at_c, b) if f[12:14] == b"\x88\xb5"] == []


def test_tagged_frames_keep_their_tag(bed: Bed) -> None:
    a = bed.mac("a")
    tagged = b"\xff" * 6 + a + bytes.fromhex("8100a00588b5") + b"in a VLAN"
    with bed.raw("a") as from_a, bed.raw("b") as at_b:
        at_b.setsockopt(263, 8, 1)
        from_a.send(tagged)
        end = time.monotonic() + 3
        while time.monotonic() < end:
            frame, ancillary, _, _ = at_b.recvmsg(4096, 256)
            if frame[6:12] == a and b"in a VLAN" in frame:
                break
        # the kernel takes the tag off and tells it beside
        (tci,) = [int.from_bytes(o[16:18], "little") for level, kind, o in ancillary if (level, kind) == (263, 8)]
        assert tci == 0xA005
        assert frame[12:] == b"\x88\xb5in a VLAN"


def test_link_local_groups_and_our_own_addresses_do_not_pass(bed: Bed) -> None:
    a = bed.mac("a")
    with bed.raw("a") as from_a, bed.raw("b") as at_b:
        for destination in (bytes.fromhex("0180c2000000"), bytes.fromhex("0180c200000e"), bed.ports["a"].mac):
            from_a.send(destination + a + b"\x88\xb5" + b"not to pass")
        from_a.send(bytes.fromhex("0180c2000010") + a + b"\x88\xb5" + b"to pass")
        assert [f[14:] for f in heard(at_b, a) if f[12:14] == b"\x88\xb5"] == [b"to pass"]


def test_ptp_comes_up_with_its_envelope_and_stamp_and_leaves_by_hand(bed: Bed) -> None:
    a = bed.mac("a")
    with bed.raw("a") as from_a, bed.raw("b") as at_b:
        frame = bytes.fromhex("011b19000000") + a + b"\x88\xf7" + SYNC
        from_a.send(frame)
        ((port, received),) = until_seen(bed, 1)
        assert port == "a"
        assert received.octets == SYNC
        assert received.event
        assert received.stamp_ns is not None
        assert abs(received.stamp_ns - time.time_ns()) < 60e9
        assert open_frame(frame) == (received.source, SYNC)
        assert heard(at_b, a) == []
        bed.ports["b"].send_event(SYNC, received.source, 5, time.monotonic_ns())
        bed.ports["b"].send_general(FOLLOW_UP, received.source)
        assert [f[14:] for f in heard(at_b, a)] == [SYNC, FOLLOW_UP]
        (stamp,) = bed.ports["b"].transmit_stamps(time.monotonic_ns())
        assert stamp.token == 5
        assert stamp.stamp_ns is not None
        assert stamp.stamp_ns > received.stamp_ns


def test_messages_of_its_own_go_to_the_groups(bed: Bed) -> None:
    with bed.raw("b") as at_b:
        bed.ports["b"].send_general(FOLLOW_UP, None)
        bed.ports["b"].send_general(FOLLOW_UP, PEER_DELAY)
        found = heard(at_b, bed.ports["b"].mac)
    assert [f[:6].hex() for f in found if f[12:14] == b"\x88\xf7"] == ["011b19000000", "0180c200000e"]


def test_an_interface_that_is_closed_leaves_the_bridge(bed: Bed) -> None:
    bed.ports["c"].close()
    with bed.socket("a") as a, bed.socket("b") as b:
        b.bind(("", 5000))
        a.sendto(b"still", ("10.8.0.2", 5000))
        assert b.recv(100) == b"still"
