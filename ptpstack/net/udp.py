"""PTP over UDP: what IPv4 and IPv6 have in common, which is all but addresses and the numbers of socket options.

Sockets: event-RX (319, stamped), event-TX (319, stamped, receives nothing), general (320, receives, sends to the
groups), reply (320, sends to single addresses, receives nothing).

Replies have a socket of their own because a datagram to a neighbour that does not answer ARP or neighbour discovery is
kept by the kernel for seconds, at the expense of its socket's send buffer: whoever asks under invented addresses would
stop Announce and Follow_Up. Event-TX sends to single addresses, too (unicast_service.py says how little to those that
nobody answers for); both have a large send buffer, so that single addresses do not take each other's room.

The transmit sockets are *not* bound to the device: the kernel then prefers the receive socket, which is, for unicast to
their port. Their unicast and multicast interface options keep what they send on the interface all the same.
"""

from __future__ import annotations

import errno
import socket
import struct
from typing import Any

from ptpstack.net import timestamping
from ptpstack.net.abilities import Choice
from ptpstack.net.channel import Received
from ptpstack.net.sockets import (
    DROP_ALL,
    RECEIVE_BUFFER,
    SEND_BUFFER,
    SO_SELECT_ERR_QUEUE,
    SocketChannel,
    attach_filter,
    awaited,
    bind_to_device,
    explain,
    grow_receive_buffer,
    grow_send_buffer,
)
from ptpstack.protocol.effects import ONE_STEP, PEER_DELAY

EVENT_PORT = 319
GENERAL_PORT = 320

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
#: Peers whose asked-for address is remembered on an interface with several addresses.
PEERS_REMEMBERED = 4096

#: Behind a one-step message, where there is no other trailer: by these NICs make up for the changed checksum.
_ONE_STEP_TRAILER = bytes(2)

#: What a socket's sendto() takes.
SocketAddress = tuple[Any, ...]
ControlMessages = list[tuple[int, int, bytes]]


def _has_segmentation(sock: socket.socket) -> bool:
    """Asked beforehand: a kernel that does not know the control message ignores it and sends one long datagram."""
    try:
        return sock.getsockopt(socket.IPPROTO_UDP, _UDP_SEGMENT) == 0
    except OSError:
        return False


class UdpChannel(SocketChannel):
    """The half of a UDP channel that does not depend on the version of IP. Subclasses know addresses and options."""

    family: socket.AddressFamily
    #: addresses of the primary and of the peer delay group
    group: str
    peer_group: str
    #: octets behind every message, which messageLength does not count
    trailer = b""
    #: level and type of the control message that tells which address a datagram came to
    _packet_info: tuple[int, int]

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
        self._several = self._find_addresses()
        self._group_at = {port: self._address(self.group, port) for port in (EVENT_PORT, GENERAL_PORT)}
        self._peer_group_at = {port: self._address(self.peer_group, port) for port in (EVENT_PORT, GENERAL_PORT)}
        # Peer delay messages go to the next node and no further, whatever the channel's time to live.
        self._to_peer: ControlMessages = [self._time_to_live(1)] if ttl != 1 else []
        #: peer -> packed address of ours that it last asked; insertion order is age
        self._asked: dict[str, bytes] = {}
        hops = (ttl, unicast_ttl)
        try:
            self._event_rx = self._socket(dscp_event, hops, priority)
            self._general = self._socket(dscp_general, hops, priority)
            for sock in (self._event_rx, self._general):
                bind_to_device(sock, interface)
            # Only once no other interface's datagrams can slip in:
            timestamping.enable(self._event_rx, choice.stamping, transmit=False)
            granted = []
            for sock, port in ((self._event_rx, EVENT_PORT), (self._general, GENERAL_PORT)):
                granted.append(grow_receive_buffer(sock, receive_buffer))
                if self._several:
                    self._ask_for_packet_info(sock)
                sock.bind(("", port))
                for group in (self.group, self.peer_group):
                    self._join(sock, group)
            self.receive_buffer = min(granted)
            self._receivers = {s.fileno(): s for s in (self._event_rx, self._general)}

            self._segmentation = _has_segmentation(self._general)

            self._reply = self._socket(dscp_general, hops, priority)
            self._event_tx = self._socket(dscp_event, hops, priority)
            for sock in (self._reply, self._event_tx):
                attach_filter(sock, DROP_ALL)
                grow_send_buffer(sock, SEND_BUFFER)
                self._keep_unicast_on_interface(sock)
            self._reply.bind(("", GENERAL_PORT))
            grow_receive_buffer(self._event_tx, receive_buffer)
            self._event_tx.setsockopt(socket.SOL_SOCKET, SO_SELECT_ERR_QUEUE, 1)
            timestamping.enable(self._event_tx, choice.stamping, transmit=True)
            self._event_tx.bind(("", EVENT_PORT))
        except OSError as error:
            self.close()
            raise explain(interface, self.transport, error) from error
        self._event_fileno = self._event_rx.fileno()

    # ---- what depends on the version of IP --------------------------------------------------------------------

    def _find_addresses(self) -> bool:
        """Whether the interface has, or may come to have, several addresses. ChannelError when it has none."""
        raise NotImplementedError

    def _address(self, host: str, port: int) -> SocketAddress:
        """``host`` is a numeric address, else ValueError: a name would make sendto() ask the DNS, and wait."""
        raise NotImplementedError

    def _prepare(self, sock: socket.socket, dscp: int, ttl: int, unicast_ttl: int) -> None:
        """The options that every socket of the channel has."""
        raise NotImplementedError

    def _join(self, sock: socket.socket, group: str) -> None:
        raise NotImplementedError

    def _ask_for_packet_info(self, sock: socket.socket) -> None:
        raise NotImplementedError

    def _keep_unicast_on_interface(self, sock: socket.socket) -> None:
        raise NotImplementedError

    def _time_to_live(self, hops: int) -> tuple[int, int, bytes]:
        raise NotImplementedError

    @staticmethod
    def _own_address(packet_info: bytes) -> bytes | None:
        """The packed address of ours that a datagram came to; None when it was a group."""
        raise NotImplementedError

    def _from_address(self, packed: bytes) -> tuple[int, int, bytes]:
        """The control message that sends from an address of ours."""
        raise NotImplementedError

    # ---- the channel ------------------------------------------------------------------------------------------

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
        if token == ONE_STEP and not self.trailer:
            octets += _ONE_STEP_TRAILER
        try:
            self._send(self._stamped_socket(), octets, destination, EVENT_PORT)
        except OSError as error:
            self._send_failed(error)
            self._pending.failed(awaited(token), error.errno or 0)
            return
        self._pending.sent(awaited(token), now_ns)
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
        trailer = self.trailer
        segment = struct.pack("=H", len(frames[0]) + len(trailer))
        try:
            self._general.sendmsg(
                [trailer.join(frames) + trailer],
                [(socket.IPPROTO_UDP, _UDP_SEGMENT, segment)],
                0,
                self._group_at[GENERAL_PORT],
            )
        except OSError as error:
            # Whatever is wrong shows when they go one by one.
            self._segmentation = error.errno not in _NO_SEGMENTATION
            super().send_general_all(frames)
            return
        self._sent += len(frames)

    def _send(self, sock: socket.socket, octets: bytes, destination: str | None, port: int) -> None:
        octets += self.trailer
        if destination is None:
            sock.sendto(octets, self._group_at[port])
        elif destination == PEER_DELAY:
            sock.sendmsg([octets], self._to_peer, 0, self._peer_group_at[port])
        else:
            address = self._address(destination, port)
            ours = self._asked.get(destination)
            if ours is None:
                sock.sendto(octets, address)
            else:
                sock.sendmsg([octets], [self._from_address(ours)], 0, address)

    def _remember(self, peer: str, ancillary: ControlMessages) -> None:
        """Which of our addresses ``peer`` asked: replies must come from that one."""
        wanted = self._packet_info
        for level, kind, octets in ancillary:
            if (level, kind) == wanted:
                ours = self._own_address(octets)
                if ours is not None:
                    if peer not in self._asked and len(self._asked) >= PEERS_REMEMBERED:
                        del self._asked[next(iter(self._asked))]
                    self._asked[peer] = ours
                return

    def _socket(self, dscp: int, hops: tuple[int, int], priority: int) -> socket.socket:
        sock = self._add(socket.socket(self.family, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC))
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self._prepare(sock, dscp, *hops)
        # After the DSCP, which sets a priority of its own (IPv4).
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_PRIORITY, priority)
        return sock
