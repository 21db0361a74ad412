"""The other end of the cable: asks with Delay_Req and counts the answers, or listens and notes when frames came.

The answers are dropped by a filter in the socket (its drop counter is the count of answers): on a veth pair the
sender pays for much of the receiver's work, and a receiver that does little is the nearest to a real NIC.
"""

from __future__ import annotations

import socket
import struct
import time
from collections.abc import Iterator

from ptpstack.net.sockets import attach_filter, kernel_drops
from ptpstack.wire.codec import encode
from ptpstack.wire.messages import DelayReq
from ptpstack.wire.types import PortIdentity
from tests.netns import Namespace

GROUP = "224.0.1.129"
SYNC, DELAY_RESP, ANNOUNCE = 0x0, 0x9, 0xB
_SO_TIMESTAMPNS = 35
#: Requests under way at once: fewer than fill a receive buffer of default size (255), so that ptp4l, whose transmit
#: stamps share that buffer, is measured at work and not while it recovers from a fault.
WINDOW = 128
_LOST_AFTER_NS = 20_000_000

#: drop (and count) what has messageType 9; payload begins behind the UDP header
_DROP_DELAY_RESP = (
    (0x30, 0, 0, 8),  # ldb [8]
    (0x54, 0, 0, 0x0F),  # and 0x0f
    (0x15, 0, 1, DELAY_RESP),  # jeq
    (0x06, 0, 0, 0),
    (0x06, 0, 0, 0xFFFFFFFF),
)


def _udp(port: int, interface: str, *, join: bool) -> socket.socket:
    sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    membership = struct.pack("=4s4si", socket.inet_aton(GROUP), bytes(4), socket.if_nametoindex(interface))
    sock.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF, membership)
    sock.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_LOOP, 0)
    sock.bind(("", port))
    if join:
        sock.setsockopt(socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP, membership)
    return sock


class Asker:
    """Sends multicast Delay_Req and counts Delay_Resp."""

    def __init__(self, namespace: Namespace, interface: str) -> None:
        with namespace.entered():
            self._requests = _udp(319, interface, join=False)
            self._answers = _udp(320, interface, join=True)
        self._requests.connect((GROUP, 319))
        attach_filter(self._answers, _DROP_DELAY_RESP)
        me = PortIdentity(bytes.fromhex("02a0fffe00000001"), 1)
        self._frames = [encode(DelayReq(me, sequence, log_interval=0x7F)) for sequence in range(1024)]

    def answered(self) -> int:
        """Delay_Resp so far."""
        return kernel_drops(self._answers)

    def wait_for_service(self, timeout_s: float) -> bool:
        """Ask now and then until somebody answers."""
        limit = time.monotonic() + timeout_s
        while time.monotonic() < limit:
            before = self.answered()
            self._requests.send(self._frames[0])
            time.sleep(0.05)
            if self.answered() > before:
                return True
        return False

    def flood(self, duration_ns: int) -> None:
        """As fast as the answers come, ``WINDOW`` requests under way at once."""
        send, frames = self._requests.send, self._frames
        clock = time.monotonic_ns
        end = clock() + duration_ns
        sent = 0
        base = answered = self.answered()
        progress = clock()
        while (now := clock()) < end:
            seen = self.answered()
            if seen != answered:
                answered, progress = seen, now
            elif now - progress > _LOST_AFTER_NS:
                base, sent, progress = answered, 0, now  # what is under way is lost: start anew
            for _ in range(min(16, WINDOW - (sent - (answered - base)))):
                send(frames[sent & 1023])
                sent += 1

    def paced(self, rate: int, duration_ns: int) -> int:
        """Evenly, ``rate`` a second; returns how many were sent."""
        send, frames = self._requests.send, self._frames
        clock = time.monotonic_ns
        gap = 1_000_000_000 // rate
        due = clock()
        end = due + duration_ns
        sent = 0
        while due < end:
            ahead = due - clock()
            if ahead > 150_000:
                time.sleep((ahead - 100_000) / 1e9)
            while clock() < due:
                pass
            send(frames[sent & 1023])
            sent += 1
            due += gap
        return sent

    def settle(self) -> None:
        """Wait until no more answers come."""
        before = -1
        while (now := self.answered()) != before:
            before = now
            time.sleep(0.02)

    def close(self) -> None:
        self._requests.close()
        self._answers.close()


class Listener:
    """Notes when the kernel received each frame (CLOCK_REALTIME ns)."""

    def __init__(self, namespace: Namespace, interface: str, port: int) -> None:
        with namespace.entered():
            self._sock = _udp(port, interface, join=True)
        self._sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)
        self._sock.setsockopt(socket.SOL_SOCKET, _SO_TIMESTAMPNS, 1)

    def frames(self, timeout_s: float) -> Iterator[tuple[int, bytes]]:
        """(stamp, octets) as they come, for ``timeout_s`` from now."""
        limit = time.monotonic() + timeout_s
        while (left := limit - time.monotonic()) > 0:
            self._sock.settimeout(left)
            try:
                octets, ancillary, _, _ = self._sock.recvmsg(2048, 128)
            except TimeoutError:
                return
            for level, kind, data in ancillary:
                if level == socket.SOL_SOCKET and kind == _SO_TIMESTAMPNS and octets:
                    seconds, nanoseconds = struct.unpack("=qq", data)
                    yield seconds * 1_000_000_000 + nanoseconds, octets

    def first(self, message_type: int, timeout_s: float) -> int | None:
        """The stamp of the first frame of a type; None when there was none in time."""
        for stamp, octets in self.frames(timeout_s):
            if octets[0] & 0x0F == message_type:
                return stamp
        return None

    def close(self) -> None:
        self._sock.close()
