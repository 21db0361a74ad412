"""PTP over IEEE 802.3 Ethernet (IEEE 1588-2019 annex E, not checked against the text): EtherType 0x88F7.

Sockets: one receive socket for both message classes (stamped), event-TX (stamped, protocol 0 so that it receives
nothing), general-TX (not stamped, so that it uses up none of the numbers under which stamps come back).
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
    BpfInstruction,
    SocketChannel,
    attach_filter,
    explain,
    grow_receive_buffer,
)
from ptpstack.protocol.effects import PEER_DELAY

ETHERTYPE = 0x88F7
#: All messages but those of the peer delay mechanism.
PRIMARY_GROUP = "01:1b:19:00:00:00"
#: Peer delay messages; bridges do not forward it.
PEER_GROUP = "01:80:c2:00:00:0e"

_PACKET_ADD_MEMBERSHIP = 1
_PACKET_MR_MULTICAST = 0
_HEADER = 14
_MSG_TRUNC = int(socket.MSG_TRUNC)
_ANCILLARY_SIZE = timestamping.ANCILLARY_SIZE

#: Only frames for this station or a group: others come up in promiscuous mode, and frames of a VLAN that has no
#: interface of its own are marked PACKET_OTHERHOST (3), our own PACKET_OUTGOING (4).
_FOR_US: tuple[BpfInstruction, ...] = (
    (0x28, 0, 0, 0xFFFFF004),  # ldh [SKF_AD_OFF + SKF_AD_PKTTYPE]
    (0x35, 1, 0, 3),  # jge 3: drop
    (0x06, 0, 0, 0xFFFFFFFF),  # accept whole
    (0x06, 0, 0, 0),  # drop
)


@lru_cache(maxsize=4096)
def _packed(destination: str) -> bytes:
    parts = destination.replace("-", ":").split(":")
    try:
        octets = bytes(int(part, 16) for part in parts if len(part) in (1, 2))
    except ValueError:
        octets = b""
    if len(parts) != 6 or len(octets) != 6:
        raise ValueError(f"{destination!r} is not a MAC address such as 01:1b:19:00:00:00, which is what l2 sends to")
    return octets


@lru_cache(maxsize=4096)
def _formatted(mac: bytes) -> str:
    return mac.hex(":")


class L2Channel(SocketChannel):
    """An interface's Ethernet channel. Made by ``ptpstack.net.open.open_channel``, which documents the parameters."""

    transport = "l2"
    group = PRIMARY_GROUP
    peer_group = PEER_GROUP

    def __init__(
        self,
        interface: str,
        choice: Choice,
        *,
        tag: bytes = b"",
        priority: int = 0,
        stamp_timeout_ns: int | None = None,
        receive_buffer: int = RECEIVE_BUFFER,
    ) -> None:
        super().__init__(interface, choice, stamp_timeout_ns)
        kind, _ = device.hardware_address_of(interface)
        if kind != device.ARPHRD_ETHER:
            raise ChannelError(
                errno.EAFNOSUPPORT,
                f"{interface}: it is not an Ethernet interface (hardware type {kind}), which l2 needs; use udp4",
            )
        #: 802.1Q tag of every frame sent; received ones come without, the kernel takes it off
        self._tag = tag
        self._prefixes: dict[str | None, bytes] = {
            None: self._prefix(PRIMARY_GROUP),
            PEER_DELAY: self._prefix(PEER_GROUP),
        }
        try:
            # Protocol 0 until it is bound to the interface, else frames of other interfaces leak in between.
            self._rx = self._add(socket.socket(socket.AF_PACKET, socket.SOCK_RAW | socket.SOCK_CLOEXEC, 0))
            attach_filter(self._rx, _FOR_US)
            self.receive_buffer = grow_receive_buffer(self._rx, receive_buffer)
            timestamping.enable(self._rx, choice.stamping, transmit=False)
            for group in (PRIMARY_GROUP, PEER_GROUP):
                membership = struct.pack("=iHH8s", self.interface_index, _PACKET_MR_MULTICAST, 6, _packed(group))
                self._rx.setsockopt(timestamping.SOL_PACKET, _PACKET_ADD_MEMBERSHIP, membership)
            self._rx.bind((interface, ETHERTYPE))
            self._receivers = {self._rx.fileno(): self._rx}

            self._event_tx = self._transmit_socket(priority)
            grow_receive_buffer(self._event_tx, receive_buffer)
            self._event_tx.setsockopt(socket.SOL_SOCKET, SO_SELECT_ERR_QUEUE, 1)
            timestamping.enable(self._event_tx, choice.stamping, transmit=True)
            self._general_tx = self._transmit_socket(priority)
        except OSError as error:
            self.close()
            raise explain(interface, self.transport, error) from error

    def receive(self, fileno: int, limit: int = 64) -> list[Received]:
        sock = self._receivers.get(fileno)
        self.drained = True
        if sock is None:  # closed in this very turn
            return []
        receive = sock.recvmsg_into
        buffer = self._buffer
        view = self._view
        buffers = [buffer]
        index = self._index
        stamp_of = timestamping.stamp_of
        make = tuple.__new__
        out: list[Received] = []
        self.drained = False
        # This is the path a flood takes: no object is made per frame but the tuple itself.
        for _ in range(limit):
            try:
                length, ancillary, flags, _ = receive(buffers, _ANCILLARY_SIZE)
            except BlockingIOError:
                self.drained = True
                break
            except OSError as error:  # such as ENETDOWN: reading it clears it
                self._note(error)
                break
            if length <= _HEADER or flags & _MSG_TRUNC:
                self._unusable += 1
                continue
            event = buffer[_HEADER] & 0x0F < 8
            stamp = stamp_of(ancillary, index)
            if event and stamp is None:
                self._no_stamp += 1
            out.append(make(Received, (bytes(view[_HEADER:length]), stamp, _formatted(bytes(view[6:12])), event)))
        self._received += len(out)
        return out

    def send_event(self, octets: bytes, destination: str | None, token: int, now_ns: int) -> None:
        prefix = self._prefixes.get(destination) or self._prefix(str(destination))
        try:
            self._stamped_socket().send(prefix + octets)
        except OSError as error:
            self._send_failed(error)
            self._pending.failed(token, error.errno or 0)
            return
        self._pending.sent(token, now_ns)
        self._sent += 1

    def send_general(self, octets: bytes, destination: str | None) -> None:
        prefix = self._prefixes.get(destination) or self._prefix(str(destination))
        try:
            self._stamped_socket()  # says so when the channel is closed
            self._general_tx.send(prefix + octets)
        except OSError as error:
            self._send_failed(error)
            return
        self._sent += 1

    def _prefix(self, destination: str) -> bytes:
        return _packed(destination) + self.mac + self._tag + ETHERTYPE.to_bytes(2)

    def _transmit_socket(self, priority: int) -> socket.socket:
        sock = self._add(socket.socket(socket.AF_PACKET, socket.SOCK_RAW | socket.SOCK_CLOEXEC, 0))
        attach_filter(sock, DROP_ALL)
        sock.bind((self.interface, 0))
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_PRIORITY, priority)
        return sock
