"""PTP over UDP over IPv4 (IEEE 1588-2019 annex C, not checked against the text)."""

from __future__ import annotations

import errno
import socket
import struct
from functools import lru_cache

from ptpstack.net import device
from ptpstack.net.channel import ChannelError
from ptpstack.net.udp import PEERS_REMEMBERED, SocketAddress, UdpChannel

#: All messages but those of the peer delay mechanism.
PRIMARY_GROUP = "224.0.1.129"
#: Peer delay messages.
PEER_GROUP = "224.0.0.107"

_IP_PKTINFO = 8
_IP_MULTICAST_ALL = 49
_IP_UNICAST_IF = 50


@lru_cache(maxsize=PEERS_REMEMBERED)
def _checked(destination: str) -> str:
    try:
        return socket.inet_ntoa(socket.inet_pton(socket.AF_INET, destination))
    except OSError:
        raise ValueError(f"{destination!r} is not a dotted IPv4 address, which is what udp4 sends to") from None


class Udp4Channel(UdpChannel):
    """An interface's UDP/IPv4 channel. Made by ``ptpstack.net.open.open_channel``, which documents the parameters."""

    transport = "udp4"
    family = socket.AF_INET
    group = PRIMARY_GROUP
    peer_group = PEER_GROUP
    _packet_info = (socket.IPPROTO_IP, _IP_PKTINFO)

    def _find_addresses(self) -> bool:
        self.addresses = device.ipv4_addresses_of(self.interface)
        if not self.addresses:
            raise ChannelError(
                errno.EADDRNOTAVAIL,
                f"{self.interface}: it has no IPv4 address, which udp4 needs; give it one "
                f"(`ip address add 192.0.2.1/24 dev {self.interface}`) or use transport l2",
            )
        return len(self.addresses) > 1

    def _address(self, host: str, port: int) -> SocketAddress:
        return _checked(host), port

    def _prepare(self, sock: socket.socket, dscp: int, ttl: int, unicast_ttl: int) -> None:
        ip = socket.IPPROTO_IP
        sock.setsockopt(ip, socket.IP_MULTICAST_LOOP, 0)
        # Else a socket also gets the groups that others joined, on any interface.
        sock.setsockopt(ip, _IP_MULTICAST_ALL, 0)
        sock.setsockopt(ip, socket.IP_MULTICAST_TTL, ttl)
        sock.setsockopt(ip, socket.IP_TTL, unicast_ttl)
        # No address: the kernel takes the interface's present one, also after it changed.
        sock.setsockopt(ip, socket.IP_MULTICAST_IF, struct.pack("=4s4si", bytes(4), bytes(4), self.interface_index))
        sock.setsockopt(ip, socket.IP_TOS, dscp << 2)

    def _join(self, sock: socket.socket, group: str) -> None:
        membership = struct.pack("=4s4si", socket.inet_aton(group), bytes(4), self.interface_index)
        sock.setsockopt(socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP, membership)

    def _ask_for_packet_info(self, sock: socket.socket) -> None:
        sock.setsockopt(socket.IPPROTO_IP, _IP_PKTINFO, 1)

    def _keep_unicast_on_interface(self, sock: socket.socket) -> None:
        sock.setsockopt(socket.IPPROTO_IP, _IP_UNICAST_IF, struct.pack("!I", self.interface_index))

    def _time_to_live(self, hops: int) -> tuple[int, int, bytes]:
        return socket.IPPROTO_IP, socket.IP_TTL, struct.pack("i", hops)

    @staticmethod
    def _own_address(packet_info: bytes) -> bytes | None:
        # struct in_pktinfo: index, the local address, the header's destination; they differ for a group
        local, asked = packet_info[4:8], packet_info[8:12]
        return local if local == asked and len(packet_info) == 12 else None

    def _from_address(self, packed: bytes) -> tuple[int, int, bytes]:
        return socket.IPPROTO_IP, _IP_PKTINFO, struct.pack("=i4s4s", 0, packed, bytes(4))
