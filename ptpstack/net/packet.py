"""What channels that send whole Ethernet frames have in common: their sockets and how a frame leaves.

One receive socket for both message classes, made by each channel itself; event-TX (stamped, protocol 0 so that it
receives nothing); general-TX (not stamped, so that it uses up none of the numbers under which stamps come back).
"""

from __future__ import annotations

import socket

from ptpstack.net import timestamping
from ptpstack.net.sockets import (
    DROP_ALL,
    SO_SELECT_ERR_QUEUE,
    SocketChannel,
    attach_filter,
    awaited,
    grow_receive_buffer,
)

#: All messages but those of the peer delay mechanism.
PRIMARY_GROUP = "01:1b:19:00:00:00"
#: Peer delay messages; bridges do not forward it.
PEER_GROUP = "01:80:c2:00:00:0e"


class PacketChannel(SocketChannel):
    group = PRIMARY_GROUP
    peer_group = PEER_GROUP

    def _frame(self, octets: bytes, destination: str | None) -> bytes:
        """The frame that takes a PTP message to ``destination`` (``Channel.send_event``)."""
        raise NotImplementedError

    def _raw_socket(self) -> socket.socket:
        # Protocol 0 until it is bound to the interface, else frames of other interfaces leak in between.
        return self._add(socket.socket(socket.AF_PACKET, socket.SOCK_RAW | socket.SOCK_CLOEXEC, 0))

    def _transmit_socket(self, priority: int) -> socket.socket:
        sock = self._raw_socket()
        attach_filter(sock, DROP_ALL)
        sock.bind((self.interface, 0))
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_PRIORITY, priority)
        return sock

    def _open_transmitters(self, stamping: str, receive_buffer: int, priority: int = 0) -> None:
        self._event_tx = self._transmit_socket(priority)
        grow_receive_buffer(self._event_tx, receive_buffer)
        self._event_tx.setsockopt(socket.SOL_SOCKET, SO_SELECT_ERR_QUEUE, 1)
        timestamping.enable(self._event_tx, stamping, transmit=True)
        self._general_tx = self._transmit_socket(priority)

    def send_event(self, octets: bytes, destination: str | None, token: int, now_ns: int) -> None:
        frame = self._frame(octets, destination)
        try:
            self._stamped_socket().send(frame)
        except OSError as error:
            self._send_failed(error)
            self._pending.failed(awaited(token), error.errno or 0)
            return
        self._pending.sent(awaited(token), now_ns)
        self._sent += 1

    def send_general(self, octets: bytes, destination: str | None) -> None:
        frame = self._frame(octets, destination)
        try:
            self._stamped_socket()  # says so when the channel is closed
            self._general_tx.send(frame)
        except OSError as error:
            self._send_failed(error)
            return
        self._sent += 1
