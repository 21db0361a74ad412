"""From a captured frame to the PTP octets in it, and why there are none.

Ethernet (802.1Q and QinQ tags), Linux cooked captures v1 and v2, raw IP, BSD loopback; IPv4, IPv6; UDP ports 319 and
320; EtherType 0x88F7 (IEEE 1588-2019 Annexes C, D, E). Fragments are not put together: PTP messages do not come in any.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from ptpstack.wire.capture import CapturedFrame
from ptpstack.wire.envelope import (
    ETHERTYPE_PTP,
    EVENT_PORT,
    GENERAL_PORT,
    IPV4,
    IPV6,
    MAX_TAGS,
    TAGS,
    UDP,
)

#: IPv6 extension headers that only have to be stepped over: hop-by-hop, routing, destination options.
_STEP_OVER = frozenset((0, 43, 60))
_FRAGMENT, _AUTHENTICATION = 44, 51
_MAX_EXTENSIONS = 8


class PtpPayload(NamedTuple):
    """PTP octets (from the header on, with whatever pads them) and how they travelled."""

    octets: bytes
    #: "UDPv4", "UDPv6" or "802.3".
    transport: str
    #: addresses as text: IP, or MAC with 802.3; "" where the capture does not hold them.
    source: str
    destination: str
    #: UDP ports; 0 with 802.3.
    source_port: int = 0
    destination_port: int = 0
    #: VLAN identifiers, outermost first.
    vlans: tuple[int, ...] = ()


class NotPtp(NamedTuple):
    """No PTP in this frame. ``reason``: ``other`` (another protocol), ``fragment``, ``short``, ``link-type``,
    ``ip-header``, ``udp-length``, ``extension-headers``."""

    reason: str
    detail: str = ""


def extract(frame: CapturedFrame) -> PtpPayload | NotPtp:
    """The PTP payload of ``frame``."""
    link = _LINKS.get(frame.link_type)
    if link is None:
        return NotPtp("link-type", f"link type {frame.link_type} is not understood")
    return link(frame.octets)


def format_mac(octets: bytes) -> str:
    """``01:1b:19:00:00:00``."""
    return octets.hex(":")


def format_ipv6(octets: bytes) -> str:
    """RFC 5952 text of 16 octets."""
    words = [int.from_bytes(octets[i : i + 2], "big") for i in range(0, 16, 2)]
    best, length, start = -1, 1, 0
    while start < 8:
        end = start
        while end < 8 and words[end] == 0:
            end += 1
        if end - start > length:
            best, length = start, end - start
        start = max(end, start + 1)
    if best < 0:
        return ":".join(f"{word:x}" for word in words)
    head = ":".join(f"{word:x}" for word in words[:best])
    tail = ":".join(f"{word:x}" for word in words[best + length :])
    return f"{head}::{tail}"


# ------------------------------------------------------------------------------------------------- link layers


def _ethernet(octets: bytes) -> PtpPayload | NotPtp:
    if len(octets) < 14:
        return NotPtp("short", f"{len(octets)} octets of Ethernet")
    return _by_ethertype(octets, 12, format_mac(octets[6:12]), format_mac(octets[:6]))


def _by_ethertype(octets: bytes, at: int, source: str, destination: str) -> PtpPayload | NotPtp:
    """``octets[at:]`` begin with an EtherType, perhaps that of a tag."""
    vlans: list[int] = []
    ethertype = int.from_bytes(octets[at : at + 2], "big")
    at += 2
    while ethertype in TAGS:
        if len(vlans) == MAX_TAGS:
            return NotPtp("other", f"more than {MAX_TAGS} VLAN tags")
        if at + 4 > len(octets):
            return NotPtp("short", "frame ends within a VLAN tag")
        vlans.append(int.from_bytes(octets[at : at + 2], "big") & 0x0FFF)
        ethertype = int.from_bytes(octets[at + 2 : at + 4], "big")
        at += 4
    if ethertype == ETHERTYPE_PTP:
        return PtpPayload(octets[at:], "802.3", source, destination, vlans=tuple(vlans))
    if ethertype == IPV4:
        found = _ipv4(octets[at:])
    elif ethertype == IPV6:
        found = _ipv6(octets[at:])
    else:
        return NotPtp("other", f"EtherType 0x{ethertype:04X}")
    return found._replace(vlans=tuple(vlans)) if isinstance(found, PtpPayload) else found


def _cooked(octets: bytes) -> PtpPayload | NotPtp:
    """LINKTYPE_LINUX_SLL: the sender's address only."""
    if len(octets) < 16:
        return NotPtp("short", f"{len(octets)} octets of cooked capture")
    length = min(int.from_bytes(octets[4:6], "big"), 8)
    return _by_ethertype(octets, 14, format_mac(octets[6 : 6 + length]), "")


def _cooked2(octets: bytes) -> PtpPayload | NotPtp:
    """LINKTYPE_LINUX_SLL2: the EtherType stands first, the payload 20 octets in."""
    if len(octets) < 20:
        return NotPtp("short", f"{len(octets)} octets of cooked capture")
    source = format_mac(octets[12 : 12 + min(octets[11], 8)])
    return _by_ethertype(octets[:2] + octets[20:], 0, source, "")


def _raw_ip(octets: bytes) -> PtpPayload | NotPtp:
    if not octets:
        return NotPtp("short", "no octets")
    version = octets[0] >> 4
    if version == 4:
        return _ipv4(octets)
    if version == 6:
        return _ipv6(octets)
    return NotPtp("ip-header", f"IP version {version}")


def _loopback(octets: bytes) -> PtpPayload | NotPtp:
    """LINKTYPE_NULL and LINKTYPE_LOOP: an address family in the byte order of whoever captured, then IP."""
    if len(octets) < 4:
        return NotPtp("short", f"{len(octets)} octets of loopback")
    family = min(int.from_bytes(octets[:4], "big"), int.from_bytes(octets[:4], "little"))
    if family == 2:
        return _ipv4(octets[4:])
    if family in (10, 24, 28, 30):  # AF_INET6 of Linux, NetBSD/OpenBSD, FreeBSD, macOS
        return _ipv6(octets[4:])
    return NotPtp("other", f"address family {family}")


_LINKS: dict[int, Callable[[bytes], PtpPayload | NotPtp]] = {
    0: _loopback,
    1: _ethernet,
    12: _raw_ip,
    14: _raw_ip,
    101: _raw_ip,
    108: _loopback,
    113: _cooked,
    228: _raw_ip,
    229: _raw_ip,
    276: _cooked2,
}


# ---------------------------------------------------------------------------------------------------- IP, UDP


def _ipv4(octets: bytes) -> PtpPayload | NotPtp:
    if len(octets) < 20:
        return NotPtp("short", f"{len(octets)} octets of IPv4")
    header = (octets[0] & 0x0F) * 4
    total = int.from_bytes(octets[2:4], "big")
    if octets[0] >> 4 != 4 or header < 20 or total < header:
        return NotPtp("ip-header", f"IPv4 header of {header} octets in a packet of {total}")
    if octets[9] != UDP:
        return NotPtp("other", f"IP protocol {octets[9]}")
    if int.from_bytes(octets[6:8], "big") & 0x3FFF:  # more fragments, or an offset
        return NotPtp("fragment", "IPv4 fragment")
    source = ".".join(str(octet) for octet in octets[12:16])
    destination = ".".join(str(octet) for octet in octets[16:20])
    return _udp(octets[header:total], "UDPv4", source, destination)


def _ipv6(octets: bytes) -> PtpPayload | NotPtp:
    if len(octets) < 40:
        return NotPtp("short", f"{len(octets)} octets of IPv6")
    if octets[0] >> 4 != 6:
        return NotPtp("ip-header", f"IP version {octets[0] >> 4} under the EtherType of IPv6")
    end = 40 + int.from_bytes(octets[4:6], "big")
    following = octets[6]
    at = 40
    for _ in range(_MAX_EXTENSIONS):
        if following == UDP:
            return _udp(octets[at:end], "UDPv6", format_ipv6(octets[8:24]), format_ipv6(octets[24:40]))
        if at + 8 > len(octets):
            return NotPtp("short", "frame ends within the IPv6 headers")
        if following == _FRAGMENT:
            if int.from_bytes(octets[at + 2 : at + 4], "big") & 0xFFF9:
                return NotPtp("fragment", "IPv6 fragment")
            length = 8
        elif following == _AUTHENTICATION:
            length = (octets[at + 1] + 2) * 4
        elif following in _STEP_OVER:
            length = (octets[at + 1] + 1) * 8
        else:
            return NotPtp("other", f"IP protocol {following}")
        following = octets[at]
        at += length
    return NotPtp("extension-headers", f"more than {_MAX_EXTENSIONS} IPv6 extension headers")


def _udp(octets: bytes, transport: str, source: str, destination: str) -> PtpPayload | NotPtp:
    if len(octets) < 8:
        return NotPtp("short", f"{len(octets)} octets of UDP")
    source_port = int.from_bytes(octets[:2], "big")
    destination_port = int.from_bytes(octets[2:4], "big")
    if destination_port not in (EVENT_PORT, GENERAL_PORT):
        return NotPtp("other", f"UDP port {destination_port}")
    length = int.from_bytes(octets[4:6], "big")
    if length < 8:
        return NotPtp("udp-length", f"UDP length {length}")
    return PtpPayload(octets[8:length], transport, source, destination, source_port, destination_port)
