"""Whether the kernel lets a master's datagrams in: reverse path filter, addresses, limits.

A route to the groups is not needed: PTP programs name the interface, and Linux then sends by it anyhow.
"""

from __future__ import annotations

import ipaddress
import socket
import struct
from dataclasses import dataclass

from ptpstack.doctor.findings import ERROR, WARNING, Finding, kind
from ptpstack.doctor.machine import netlink
from ptpstack.doctor.machine.proc import read
from ptpstack.net import device

NO_IPV4 = kind(
    "no-ipv4-address",
    ERROR,
    "PTP over IPv4 is configured on an interface without an IPv4 address",
    "Give it an address, or use transport l2 or udp6: without one no group can be joined and nothing sent.",
)
REVERSE_PATH = kind(
    "reverse-path-filter",
    WARNING,
    "The reverse path filter drops a master's datagrams",
    "`sysctl net.ipv4.conf.INTERFACE.rp_filter=2` (loose; the larger of `all` and the interface counts), or a route to "
    "the master's address by this interface.",
)
TOO_MANY_GROUPS = kind(
    "group-limit",
    WARNING,
    "The limit of multicast groups of a socket is low",
    "`sysctl net.ipv4.igmp_max_memberships=20` or more.",
)

_GETROUTE = 26
_DST, _OIF = 1, 4


@dataclass(frozen=True, slots=True)
class Multicast:
    """``reached_by``: IPv4 source heard -> interface of the route to it, "" when there is none."""

    interface: str
    addresses: tuple[str, ...] = ()
    #: the larger of net.ipv4.conf.all and that of the interface
    rp_filter: int = 0
    reached_by: tuple[tuple[str, str], ...] = ()
    max_groups: int = 20
    transports: tuple[str, ...] = ()


def look(interface: str, sources: frozenset[str] = frozenset(), transports: tuple[str, ...] = ()) -> Multicast:
    strict = [_number(f"/proc/sys/net/ipv4/conf/{name}/rp_filter") for name in ("all", interface)]
    addresses = tuple(device.ipv4_addresses_of(interface))
    return Multicast(
        interface,
        addresses,
        max(strict),
        tuple((source, _route(source)) for source in sorted(sources)),
        _number("/proc/sys/net/ipv4/igmp_max_memberships", 20),
        transports,
    )


def _number(path: str, default: int = 0) -> int:
    text = read(path).strip()
    return int(text) if text.isdigit() else default


def _route(address: str) -> str:
    """The interface by which the kernel would send to ``address``."""
    body = struct.pack("=BBBBBBBBI", socket.AF_INET, 32, 0, 0, 0, 0, 0, 0, 0)
    try:
        answer = netlink.ask(
            netlink.ROUTE, _GETROUTE, body + netlink.attribute(_DST, ipaddress.IPv4Address(address).packed)
        )
        out = dict(netlink.attributes(answer[0][12:])).get(_OIF)
        return socket.if_indextoname(struct.unpack("=I", out)[0]) if out else ""
    except (OSError, IndexError, ValueError):
        return ""


def judge(multicast: Multicast) -> list[Finding]:
    found = []
    name = multicast.interface
    if "udp4" in multicast.transports and not multicast.addresses:
        found.append(NO_IPV4(name, "it has no IPv4 address; configured: udp4"))
    if multicast.max_groups < 4:
        found.append(TOO_MANY_GROUPS(name, f"net.ipv4.igmp_max_memberships is {multicast.max_groups}"))
    if multicast.rp_filter == 1:
        for source, by in multicast.reached_by:
            if by != name:
                way = f"the route to it leads by {by}" if by else "there is no route to it"
                found.append(REVERSE_PATH(name, f"rp_filter 1 (strict); {source} sends PTP here, and {way}"))
    return found
