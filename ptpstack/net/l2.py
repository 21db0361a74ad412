"""PTP over IEEE 802.3 Ethernet (IEEE 1588-2019 annex E, not checked against the text): EtherType 0x88F7."""

from __future__ import annotations

import errno
import socket
import struct
from functools import lru_cache

from ptpstack.net import device, timestamping
from ptpstack.net.abilities import Choice
from ptpstack.net.channel import ChannelError, Received
from ptpstack.net.packet import PEER_GROUP, PRIMARY_GROUP, PacketChannel
from ptpstack.net.sockets import RECEIVE_BUFFER, BpfInstruction, attach_filter, explain, grow_receive_buffer
from ptpstack.protocol.effects import PEER_DELAY

ETHERTYPE = 0x88F7

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


class L2Channel(PacketChannel):
    """An interface's Ethernet channel. Made by ``ptpstack.net.open.open_channel``, which documents the parameters."""

    transport = "l2"

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
            self._rx = self._raw_socket()
            attach_filter(self._rx, _FOR_US)
            self.receive_buffer = grow_receive_buffer(self._rx, receive_buffer)
            timestamping.enable(self._rx, choice.stamping, transmit=False)
            for group in (PRIMARY_GROUP, PEER_GROUP):
                membership = struct.pack("=iHH8s", self.interface_index, _PACKET_MR_MULTICAST, 6, _packed(group))
                self._rx.setsockopt(timestamping.SOL_PACKET, _PACKET_ADD_MEMBERSHIP, membership)
            self._rx.bind((interface, ETHERTYPE))
            self._receivers = {self._rx.fileno(): self._rx}

            self._open_transmitters(choice.stamping, receive_buffer, priority)
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

    def _frame(self, octets: bytes, destination: str | None) -> bytes:
        return (self._prefixes.get(destination) or self._prefix(str(destination))) + octets

    def _prefix(self, destination: str) -> bytes:
        return _packed(destination) + self.mac + self._tag + ETHERTYPE.to_bytes(2)
