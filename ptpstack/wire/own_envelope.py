"""Envelopes of messages that a bridge sends itself, among those that pass it (``envelope``).

As long as an envelope is text its sender is left open (a MAC of zeros); who sends it puts itself there (``sent_by``).
"""

from __future__ import annotations

from ptpstack.wire.envelope import ETHERTYPE_PTP, EVENT_PORT, GENERAL_PORT, IPV4, IPV6, TAGS, UDP

#: instead of the sender
OPEN = "0" * 12
_SENDER = slice(12, 24)
#: destination MAC and IP address of all messages, and of those of the peer delay mechanism
_GROUPS: dict[str, tuple[tuple[str, str], tuple[str, str]]] = {
    "l2": (("011b19000000", ""), ("0180c200000e", "")),
    "udp4": (("01005e000181", "e0000181"), ("01005e00006b", "e000006b")),
    "udp6": (
        ("333300000181", "ff0e" + "0" * 24 + "0181"),
        ("33330000006b", "ff02" + "0" * 24 + "006b"),
    ),
}
#: the first octets of 224.0.0.x
_LINK_GROUPS = bytes((224, 0, 0))
_TRANSPORT_OF = {ETHERTYPE_PTP: "l2", IPV4: "udp4", IPV6: "udp6"}
#: ports and length of UDP are filled in; a checksum that is not 0 is wanted
_UDP_HEADER = "00000000" + "0000" + "0001"


def group_envelope(transport: str, *, peer_delay: bool = False) -> str:
    """To the group of ``transport`` (``l2``, ``udp4``, ``udp6``), of this link only where that is IP: TTL 1."""
    mac, ip = _GROUPS[transport][peer_delay]
    if transport == "l2":
        return f"{mac}{OPEN}{ETHERTYPE_PTP:04x}"
    if transport == "udp4":
        return f"{mac}{OPEN}{IPV4:04x}" + f"450000000000400001{UDP:02x}0000" + "00000000" + ip + _UDP_HEADER
    return f"{mac}{OPEN}{IPV6:04x}" + f"600000000000{UDP:02x}01" + "0" * 32 + ip + _UDP_HEADER


def from_here(envelope: str) -> str:
    """To where ``envelope`` went, by the same transport and with the same tags, but sent by us."""
    return envelope[: _SENDER.start] + OPEN + envelope[_SENDER.stop :]


def is_open(envelope: str) -> bool:
    return envelope[_SENDER] == OPEN


def is_group(envelope: str) -> bool:
    return bool(int(envelope[1], 16) & 1)


def sender_of(envelope: str) -> str:
    """MAC, as ``aa:bb:cc:dd:ee:ff``."""
    return bytes.fromhex(envelope[_SENDER]).hex(":")


def _ethertype_at(head: bytes | bytearray) -> int:
    at = 12
    while int.from_bytes(head[at : at + 2], "big") in TAGS:
        at += 4
    return at


def transport_of(envelope: str) -> str:
    """``l2``, ``udp4`` or ``udp6``."""
    head = bytes.fromhex(envelope)
    at = _ethertype_at(head)
    return _TRANSPORT_OF[int.from_bytes(head[at : at + 2], "big")]


def sent_by(envelope: str, event: bool, mac: bytes, ipv4: bytes, ipv6: bytes) -> str:
    """With the sender that was left open; ``event``: the message is one. Addresses packed.

    ``ipv4`` b"": there is none. Hosts take a message to a group of the link (224.0.0.x) from nobody, others not: these
    come from a link-local address made of the MAC (169.254.x.y, RFC 3927).
    """
    head = bytearray.fromhex(envelope)
    head[6:12] = mac
    at = _ethertype_at(head)
    ethertype = int.from_bytes(head[at : at + 2], "big")
    if ethertype == ETHERTYPE_PTP:
        return head.hex()
    if ethertype == IPV4:
        to_link = head[at + 18 : at + 21] == _LINK_GROUPS
        head[at + 14 : at + 18] = ipv4 or (bytes(4) if to_link else bytes((169, 254, mac[4] % 254 + 1, mac[5])))
    else:
        head[at + 10 : at + 26] = ipv6
    head[-8:-6] = (EVENT_PORT if event else GENERAL_PORT).to_bytes(2, "big")
    return head.hex()


def link_local(mac: bytes) -> bytes:
    """The IPv6 address that an interface makes of its MAC (RFC 4291 2.5.1)."""
    return bytes.fromhex("fe80000000000000") + bytes((mac[0] ^ 2,)) + mac[1:3] + b"\xff\xfe" + mac[3:]
