"""A software bridge: frames pass between its ports; those with PTP inside are handed up instead, with their stamps.

1. What is no PTP passes untouched, to the port behind which its destination was heard, else to all others. Checksums
   and segments that the kernel has not finished go on as they are (PACKET_VNET_HDR); a VLAN tag that the kernel has
   taken off is put back.
2. PTP frames have their envelope (``wire.envelope``) as address, and are sent on by who has taken the time inside into
   account: ``destination`` is such an envelope, with the sender left open (``wire.own_envelope``) for our own.
3. Frames for one of our own addresses, and the link-local groups of bridges (01-80-C2-00-00-0x), are not passed on;
   peer delay messages, which use one of those groups, are PTP and go up.
4. There is no spanning tree: ports must not form a loop.
"""

from __future__ import annotations

import contextlib
import socket
import struct
from collections.abc import Callable

from ptpstack.net import abilities, device, timestamping
from ptpstack.net.abilities import Choice
from ptpstack.net.channel import ChannelError, Received
from ptpstack.net.packet import PacketChannel
from ptpstack.net.sockets import RECEIVE_BUFFER, explain, grow_receive_buffer
from ptpstack.protocol.effects import PEER_DELAY
from ptpstack.protocol.stations import Stations
from ptpstack.wire.envelope import close_frame, open_frame
from ptpstack.wire.own_envelope import group_envelope, is_open, link_local, sent_by, transport_of

ETH_P_ALL = 3
_PACKET_ADD_MEMBERSHIP, _PACKET_AUXDATA, _PACKET_VNET_HDR, _PACKET_IGNORE_OUTGOING = 1, 8, 15, 23
_PACKET_MR_PROMISC = 1
#: struct virtio_net_hdr before each frame, and where its csum_start is
_VNET = 10
_NEEDS_CHECKSUM = 1
_CHECKSUM_START = struct.Struct("=H")
_CHECKSUM_START_AT = 6
#: struct tpacket_auxdata: status, vlan_tci, vlan_tpid
_AUXDATA = struct.Struct("=I12xHH")
_VLAN_VALID, _TPID_VALID = 0x10, 0x40
_BUFFER = 70_000
_ANCILLARY = timestamping.ANCILLARY_SIZE + socket.CMSG_SPACE(_AUXDATA.size)
_LINK_LOCAL = bytes.fromhex("0180c20000")


class Bridge:
    def __init__(self, now_ns: Callable[[], int]) -> None:
        self._now_ns = now_ns
        self.ports: dict[str, BridgeChannel] = {}
        #: by MAC
        self._stations: Stations[bytes] = Stations()

    def pass_on(self, framed: memoryview, destination: bytes, source: bytes, port: BridgeChannel) -> None:
        """``framed``: a frame with its virtio_net_hdr in front, from ``port``."""
        now = self._now_ns()
        if not source[0] & 1:
            self._stations.heard(source, port.interface, now)
        if destination[:5] == _LINK_LOCAL and destination[5] < 16:
            return
        if any(destination == other.mac for other in self.ports.values()):
            return
        known = self._stations.port_of(destination, now)
        if known in self.ports:
            if known != port.interface:
                self.ports[known].send_framed(framed)
            return
        for other in self.ports.values():
            if other is not port:
                other.send_framed(framed)


class BridgeChannel(PacketChannel):
    """One port of a ``Bridge``. Made by ``open_bridge_port``."""

    transport = "bridge"

    def __init__(
        self,
        bridge: Bridge,
        interface: str,
        choice: Choice,
        *,
        stamp_timeout_ns: int | None = None,
        receive_buffer: int = RECEIVE_BUFFER,
    ) -> None:
        super().__init__(interface, choice, stamp_timeout_ns)
        self._bridge = bridge
        self._buffer = bytearray(_BUFFER)
        self._view = memoryview(self._buffer)
        self._passed = 0
        self._groups = {None: group_envelope("l2"), PEER_DELAY: group_envelope("l2", peer_delay=True)}
        try:
            self._rx = self._raw_socket()
            for option in (_PACKET_AUXDATA, _PACKET_VNET_HDR, _PACKET_IGNORE_OUTGOING):
                self._rx.setsockopt(timestamping.SOL_PACKET, option, 1)
            self.receive_buffer = grow_receive_buffer(self._rx, receive_buffer)
            timestamping.enable(self._rx, choice.stamping, transmit=False)
            membership = struct.pack("=iHH8x", self.interface_index, _PACKET_MR_PROMISC, 0)
            self._rx.setsockopt(timestamping.SOL_PACKET, _PACKET_ADD_MEMBERSHIP, membership)
            self._rx.bind((interface, ETH_P_ALL))
            self._receivers = {self._rx.fileno(): self._rx}

            self._open_transmitters(choice.stamping, receive_buffer)
            self._framed_tx = self._transmit_socket(0)
            self._framed_tx.setsockopt(timestamping.SOL_PACKET, _PACKET_VNET_HDR, 1)
        except OSError as error:
            self.close()
            raise explain(interface, self.transport, error) from error
        bridge.ports[interface] = self

    def receive(self, fileno: int, limit: int = 64) -> list[Received]:
        sock = self._receivers.get(fileno)
        self.drained = True
        if sock is None:  # closed in this very turn
            return []
        buffers = [self._buffer]
        out: list[Received] = []
        self.drained = False
        for _ in range(limit):
            try:
                length, ancillary, flags, _ = sock.recvmsg_into(buffers, _ANCILLARY)
            except BlockingIOError:
                self.drained = True
                break
            except OSError as error:  # such as ENETDOWN: reading it clears it
                self._note(error)
                break
            if length < _VNET + 14 or flags & int(socket.MSG_TRUNC):
                self._unusable += 1
                continue
            framed = _tagged(self._view[:length], ancillary)
            frame = bytes(framed[_VNET : _VNET + 1600])
            opened = open_frame(frame) if len(framed) <= _VNET + 1600 else None
            if opened is None:
                self._passed += 1
                self._bridge.pass_on(framed, frame[:6], frame[6:12], self)
                continue
            address, octets = opened
            if frame[:6] == self.mac:
                continue  # for this host, not through it
            event = octets[0] & 0x0F < 8
            stamp = timestamping.stamp_of(ancillary, self._index)
            if event and stamp is None:
                self._no_stamp += 1
            out.append(Received(octets, stamp, address, event))
        self._received += len(out)
        return out

    def _frame(self, octets: bytes, destination: str | None) -> bytes:
        envelope = self._groups.get(destination) or str(destination)
        if not is_open(envelope):
            return close_frame(envelope, octets)
        # one of our own; looked up each time, because a bridge hears nothing of addresses that change
        found = device.ipv4_addresses_of(self.interface)
        ipv4 = socket.inet_aton(found[0]) if found else b""
        event = octets[0] & 0x0F < 8
        # UDP over IPv6: two octets more (annex D)
        trailer = bytes(2) if transport_of(envelope) == "udp6" else b""
        return close_frame(sent_by(envelope, event, self.mac, ipv4, link_local(self.mac)), octets + trailer)

    def send_framed(self, framed: memoryview) -> None:
        """A frame of other traffic, with its virtio_net_hdr."""
        try:
            self._framed_tx.send(framed)
        except OSError as error:
            self._send_failed(error)

    def counters(self) -> dict[str, int]:
        return super().counters() | {"passed": self._passed}

    def close(self) -> None:
        if self._bridge.ports.get(self.interface) is self:
            del self._bridge.ports[self.interface]
        super().close()


def _tagged(framed: memoryview, ancillary: timestamping.Ancillary) -> memoryview:
    """The frame with the VLAN tag that the kernel has taken off."""
    for level, kind, octets in ancillary:
        if level == timestamping.SOL_PACKET and kind == _PACKET_AUXDATA and len(octets) >= _AUXDATA.size:
            status, tci, tpid = _AUXDATA.unpack_from(octets)
            if not status & _VLAN_VALID:
                break
            tag = (tpid if status & _TPID_VALID else 0x8100).to_bytes(2) + tci.to_bytes(2)
            head = bytearray(framed[:_VNET])
            if head[0] & _NEEDS_CHECKSUM:
                with contextlib.suppress(struct.error):
                    (start,) = _CHECKSUM_START.unpack_from(head, _CHECKSUM_START_AT)
                    _CHECKSUM_START.pack_into(head, _CHECKSUM_START_AT, start + 4)
            return memoryview(bytes(head) + framed[_VNET : _VNET + 12] + tag + framed[_VNET + 12 :])
    return framed


def open_bridge_port(bridge: Bridge, interface: str, *, stamping: str = "auto") -> BridgeChannel:
    """Make ``interface`` a port of ``bridge``. ChannelError as for ``net.open.open_channel``."""
    device.index_of(interface)
    choice = abilities.prepare(interface, "bridge", stamping)
    try:
        return BridgeChannel(bridge, interface, choice)
    except ChannelError:
        raise
    except OSError as error:
        raise explain(interface, "bridge", error) from error
