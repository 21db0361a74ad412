"""PTP over UDP over IPv6 (IEEE 1588-2019 annex D, not checked against the text).

Two octets follow every message sent, uncounted by messageLength: hardware on the way that writes a correction makes up
for it there and leaves the UDP checksum, which IPv6 insists on, alone. A received message may come with or without.

The source address is the kernel's choice among the interface's: link-local for the peer delay group, the widest there
is for the primary one. A link-local address is enough.
"""

from __future__ import annotations

import errno
import socket
import struct
from functools import lru_cache
from typing import Any

from ptpstack.net import device
from ptpstack.net.abilities import Choice
from ptpstack.net.channel import ChannelError
from ptpstack.net.udp import PEERS_REMEMBERED, SocketAddress, UdpChannel

#: Scope of the primary group (RFC 4291): 2 link, 5 site, 8 organisation, 14 global.
DEFAULT_SCOPE = 14
#: Peer delay messages: always of the link.
PEER_GROUP = "ff02::6b"

_IPV6_MULTICAST_ALL = 29
_IPV6_UNICAST_IF = 76
_INTERFACE = struct.Struct("=16si")


@lru_cache(maxsize=PEERS_REMEMBERED)
def _checked(destination: str) -> str:
    try:
        return socket.inet_ntop(socket.AF_INET6, socket.inet_pton(socket.AF_INET6, destination))
    except OSError:
        raise ValueError(f"{destination!r} is not an IPv6 address, which is what udp6 sends to") from None


def primary_group(scope: int) -> str:
    """FF0X::181: all messages but those of the peer delay mechanism."""
    return f"ff0{scope:x}::181"


class Udp6Channel(UdpChannel):
    """An interface's UDP/IPv6 channel. Made by ``ptpstack.net.open.open_channel``, which documents the parameters."""

    transport = "udp6"
    family = socket.AF_INET6
    peer_group = PEER_GROUP
    trailer = bytes(2)
    _packet_info = (socket.IPPROTO_IPV6, socket.IPV6_PKTINFO)

    def __init__(self, interface: str, choice: Choice, *, scope: int = DEFAULT_SCOPE, **options: Any) -> None:
        self.group = primary_group(scope)
        super().__init__(interface, choice, **options)

    def _find_addresses(self) -> bool:
        self.addresses = device.ipv6_addresses_of(self.interface)
        if not self.addresses:
            raise ChannelError(
                errno.EADDRNOTAVAIL,
                f"{self.interface}: it has no IPv6 address that is ready for use, which udp6 needs; a link-local one "
                "appears a second or two after the link, unless IPv6 is switched off "
                f"(`sysctl net.ipv6.conf.{self.interface}.disable_ipv6`); or use transport udp4 or l2",
            )
        return True  # one of the link, and others may be configured at any time

    def _address(self, host: str, port: int) -> SocketAddress:
        # the kernel needs the interface for addresses of the link, and ignores it for others
        return _checked(host), port, 0, self.interface_index

    def _prepare(self, sock: socket.socket, dscp: int, ttl: int, unicast_ttl: int) -> None:
        ip = socket.IPPROTO_IPV6
        # IPv4 on these ports is for the channels of udp4
        sock.setsockopt(ip, socket.IPV6_V6ONLY, 1)
        sock.setsockopt(ip, socket.IPV6_MULTICAST_LOOP, 0)
        # Else a socket also gets the groups that others joined, on any interface.
        sock.setsockopt(ip, _IPV6_MULTICAST_ALL, 0)
        sock.setsockopt(ip, socket.IPV6_MULTICAST_HOPS, ttl)
        sock.setsockopt(ip, socket.IPV6_UNICAST_HOPS, unicast_ttl)
        sock.setsockopt(ip, socket.IPV6_MULTICAST_IF, self.interface_index)
        sock.setsockopt(ip, socket.IPV6_TCLASS, dscp << 2)

    def _join(self, sock: socket.socket, group: str) -> None:
        membership = _INTERFACE.pack(socket.inet_pton(socket.AF_INET6, group), self.interface_index)
        sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_JOIN_GROUP, membership)

    def _ask_for_packet_info(self, sock: socket.socket) -> None:
        sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_RECVPKTINFO, 1)

    def _keep_unicast_on_interface(self, sock: socket.socket) -> None:
        sock.setsockopt(socket.IPPROTO_IPV6, _IPV6_UNICAST_IF, struct.pack("!I", self.interface_index))

    def _time_to_live(self, hops: int) -> tuple[int, int, bytes]:
        return socket.IPPROTO_IPV6, socket.IPV6_HOPLIMIT, struct.pack("i", hops)

    @staticmethod
    def _own_address(packet_info: bytes) -> bytes | None:
        return packet_info[:16] if packet_info[0] != 0xFF and len(packet_info) == _INTERFACE.size else None

    def _from_address(self, packed: bytes) -> tuple[int, int, bytes]:
        return socket.IPPROTO_IPV6, socket.IPV6_PKTINFO, _INTERFACE.pack(packed, self.interface_index)
