"""PTP over UDP over IPv4 (IEEE 1588-2019 annex C, not checked against the text).

Sockets: event-RX (319, stamped), event-TX (319, stamped, receives nothing), general (320, receives, sends to the
groups), reply (320, sends to single addresses, receives nothing).

Replies have a socket of their own because a datagram to a neighbour that does not answer ARP is kept by the kernel for
seconds, at the expense of its socket's send buffer: whoever asks under invented addresses would stop Announce and
Follow_Up.

The transmit sockets are *not* bound to the device: the kernel then prefers the receive socket, which is, for unicast to
their port. IP_UNICAST_IF and IP_MULTICAST_IF keep what it sends on the interface all the same.
"""

from __future__ import annotations

import errno
import socket
import struct
from functools import lru_cache

from ptpstack.net import device, timestamping
from ptpstack.net.abilities import Choice
from ptpstack.net.channel import ChannelError, Received
from ptpstack.net.sockets import (
    DROP_ALL,
    RECEIVE_BUFFER,
    SO_SELECT_ERR_QUEUE,
    SocketChannel,
    attach_filter,
    bind_to_device,
    explain,
    grow_receive_buffer,
)
from ptpstack.protocol.effects import PEER_DELAY

EVENT_PORT = 319
GENERAL_PORT = 320
#: All messages but those of the peer delay mechanism.
PRIMARY_GROUP = "224.0.1.129"
#: Peer delay messages; never forwarded: TTL 1 whatever the channel's.
PEER_GROUP = "224.0.0.107"

_IP_PKTINFO = 8
_IP_MULTICAST_ALL = 49
_IP_UNICAST_IF = 50
_MSG_TRUNC = int(socket.MSG_TRUNC)
_ANCILLARY_SIZE = timestamping.ANCILLARY_SIZE
#: Linux 4.18: one send of many datagrams of one length, cut up by the kernel or the NIC.
_UDP_SEGMENT = 103
#: Fewer are sent one by one: it costs little then, and a capture on a virtual interface, which shows such a send before
#: it is cut up, stays readable at ordinary load.
_SEGMENT_FROM = 8
_MAX_SEGMENTS = 64
#: The device or the route cannot do it (no checksum offload, for one), and will not the next time.
_NO_SEGMENTATION = frozenset({errno.EIO, errno.EINVAL, errno.EOPNOTSUPP, errno.ENOPROTOOPT, errno.EMSGSIZE})
_PEER_TTL_1 = [(socket.IPPROTO_IP, socket.IP_TTL, struct.pack("i", 1))]
#: Peers whose asked-for address is remembered on an interface with several addresses.
_PEERS_REMEMBERED = 4096


@lru_cache(maxsize=_PEERS_REMEMBERED)
def _checked(destination: str) -> str:
    # A host name would make sendto() ask the DNS, and wait.
    try:
        return socket.inet_ntoa(socket.inet_pton(socket.AF_INET, destination))
    except OSError:
        raise ValueError(f"{destination!r} is not a dotted IPv4 address, which is what udp4 sends to") from None


def _has_segmentation(sock: socket.socket) -> bool:
    """Asked beforehand: a kernel that does not know the control message ignores it and sends one long datagram."""
    try:
        return sock.getsockopt(socket.IPPROTO_UDP, _UDP_SEGMENT) == 0
    except OSError:
        return False


class Udp4Channel(SocketChannel):
    """An interface's UDP/IPv4 channel. Made by ``ptpstack.net.open.open_channel``, which documents the parameters."""

    transport = "udp4"
    group = PRIMARY_GROUP
    peer_group = PEER_GROUP

    def __init__(
        self,
        interface: str,
        choice: Choice,
        *,
        ttl: int = 1,
        unicast_ttl: int = 64,
        dscp_event: int = 46,
        dscp_general: int = 34,
        priority: int = 0,
        stamp_timeout_ns: int | None = None,
        receive_buffer: int = RECEIVE_BUFFER,
    ) -> None:
        super().__init__(interface, choice, stamp_timeout_ns)
        self.addresses = device.ipv4_addresses_of(interface)
        if not self.addresses:
            raise ChannelError(
                errno.EADDRNOTAVAIL,
                f"{interface}: it has no IPv4 address, which udp4 needs; give it one "
                f"(`ip address add 192.0.2.1/24 dev {interface}`) or use transport l2",
            )
        self._ttl = ttl
        self._several = len(self.addresses) > 1
        #: peer -> packed address of ours that it last asked; insertion order is age
        self._asked: dict[str, bytes] = {}
        try:
            self._event_rx = self._socket(EVENT_PORT, dscp_event, ttl, unicast_ttl, priority)
            self._general = self._socket(GENERAL_PORT, dscp_general, ttl, unicast_ttl, priority)
            for sock in (self._event_rx, self._general):
                bind_to_device(sock, interface)
            # Only once no other interface's datagrams can slip in:
            timestamping.enable(self._event_rx, choice.stamping, transmit=False)
            granted = []
            for sock, port in ((self._event_rx, EVENT_PORT), (self._general, GENERAL_PORT)):
                granted.append(grow_receive_buffer(sock, receive_buffer))
                if self._several:
                    sock.setsockopt(socket.IPPROTO_IP, _IP_PKTINFO, 1)
                sock.bind(("", port))
                for group in (PRIMARY_GROUP, PEER_GROUP):
                    membership = struct.pack("=4s4si", socket.inet_aton(group), bytes(4), self.interface_index)
                    sock.setsockopt(socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP, membership)
            self.receive_buffer = min(granted)
            self._receivers = {s.fileno(): s for s in (self._event_rx, self._general)}

            self._segmentation = _has_segmentation(self._general)

            self._reply = self._socket(GENERAL_PORT, dscp_general, ttl, unicast_ttl, priority)
            self._event_tx = self._socket(EVENT_PORT, dscp_event, ttl, unicast_ttl, priority)
            for sock in (self._reply, self._event_tx):
                attach_filter(sock, DROP_ALL)
                sock.setsockopt(socket.IPPROTO_IP, _IP_UNICAST_IF, struct.pack("!I", self.interface_index))
            self._reply.bind(("", GENERAL_PORT))
            grow_receive_buffer(self._event_tx, receive_buffer)
            self._event_tx.setsockopt(socket.SOL_SOCKET, SO_SELECT_ERR_QUEUE, 1)
            timestamping.enable(self._event_tx, choice.stamping, transmit=True)
            self._event_tx.bind(("", EVENT_PORT))
        except OSError as error:
            self.close()
            raise explain(interface, self.transport, error) from error
        self._event_fileno = self._event_rx.fileno()

    def receive(self, fileno: int, limit: int = 64) -> list[Received]:
        sock = self._receivers.get(fileno)
        self.drained = True
        if sock is None:  # closed in this very turn
            return []
        event = fileno == self._event_fileno
        receive = sock.recvmsg_into
        buffer = self._buffer
        view = self._view
        buffers = [buffer]
        several = self._several
        index = self._index
        stamp_of = timestamping.stamp_of
        make = tuple.__new__
        out: list[Received] = []
        self.drained = False
        # This is the path a flood takes: no object is made per datagram but the tuple itself.
        for _ in range(limit):
            try:
                length, ancillary, flags, address = receive(buffers, _ANCILLARY_SIZE)
            except BlockingIOError:
                self.drained = True
                break
            except OSError as error:  # such as ENETDOWN: reading it clears it
                self._note(error)
                break
            if not length or flags & _MSG_TRUNC:
                self._unusable += 1
                continue
            if (buffer[0] & 0x0F < 8) is not event:
                self._wrong_port += 1
                continue
            stamp = None
            if event:
                stamp = stamp_of(ancillary, index)
                if stamp is None:
                    self._no_stamp += 1
            if several:
                self._remember(address[0], ancillary)
            out.append(make(Received, (bytes(view[:length]), stamp, address[0], event)))
        self._received += len(out)
        return out

    def send_event(self, octets: bytes, destination: str | None, token: int, now_ns: int) -> None:
        try:
            self._send(self._stamped_socket(), octets, destination, EVENT_PORT)
        except OSError as error:
            self._send_failed(error)
            self._pending.failed(token, error.errno or 0)
            return
        self._pending.sent(token, now_ns)
        self._sent += 1

    def send_general(self, octets: bytes, destination: str | None) -> None:
        try:
            self._stamped_socket()  # says so when the channel is closed
            sock = self._general if destination is None or destination == PEER_DELAY else self._reply
            self._send(sock, octets, destination, GENERAL_PORT)
        except OSError as error:
            self._send_failed(error)
            return
        self._sent += 1

    def send_general_all(self, frames: list[bytes]) -> None:
        if self._event_tx is None or not self._segmentation or not _SEGMENT_FROM <= len(frames) <= _MAX_SEGMENTS:
            super().send_general_all(frames)
            return
        segment = struct.pack("=H", len(frames[0]))
        try:
            self._general.sendmsg(
                [b"".join(frames)], [(socket.IPPROTO_UDP, _UDP_SEGMENT, segment)], 0, (PRIMARY_GROUP, GENERAL_PORT)
            )
        except OSError as error:
            # Whatever is wrong shows when they go one by one.
            self._segmentation = error.errno not in _NO_SEGMENTATION
            super().send_general_all(frames)
            return
        self._sent += len(frames)

    def _send(self, sock: socket.socket, octets: bytes, destination: str | None, port: int) -> None:
        if destination is None:
            sock.sendto(octets, (PRIMARY_GROUP, port))
        elif destination == PEER_DELAY:
            if self._ttl == 1:
                sock.sendto(octets, (PEER_GROUP, port))
            else:
                sock.sendmsg([octets], _PEER_TTL_1, 0, (PEER_GROUP, port))
        else:
            address = (_checked(destination), port)
            ours = self._asked.get(destination)
            if ours is None:
                sock.sendto(octets, address)
            else:
                source = struct.pack("=i4s4s", 0, ours, bytes(4))
                sock.sendmsg([octets], [(socket.IPPROTO_IP, _IP_PKTINFO, source)], 0, address)

    def _remember(self, peer: str, ancillary: list[tuple[int, int, bytes]]) -> None:
        """Which of our addresses ``peer`` asked: replies must come from that one."""
        for level, kind, octets in ancillary:
            if level == socket.IPPROTO_IP and kind == _IP_PKTINFO and len(octets) == 12:
                ours, asked = octets[4:8], octets[8:12]
                if ours == asked:  # else it came to a multicast group
                    if peer not in self._asked and len(self._asked) >= _PEERS_REMEMBERED:
                        del self._asked[next(iter(self._asked))]
                    self._asked[peer] = ours
                return

    def _socket(self, port: int, dscp: int, ttl: int, unicast_ttl: int, priority: int) -> socket.socket:
        sock = self._add(socket.socket(socket.AF_INET, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC))
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_LOOP, 0)
        # Else a socket also gets the groups that others joined, on any interface.
        sock.setsockopt(socket.IPPROTO_IP, _IP_MULTICAST_ALL, 0)
        sock.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_TTL, ttl)
        sock.setsockopt(socket.IPPROTO_IP, socket.IP_TTL, unicast_ttl)
        # No address: the kernel takes the interface's present one, also after it changed.
        interface = struct.pack("=4s4si", bytes(4), bytes(4), self.interface_index)
        sock.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF, interface)
        sock.setsockopt(socket.IPPROTO_IP, socket.IP_TOS, dscp << 2)
        # After IP_TOS, which sets a priority of its own.
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_PRIORITY, priority)
        return sock
