"""Whether the machine's own packet filter lets PTP through: the rules of nf_tables, followed with PTP's packets.

Rules of iptables-nft are rules of nf_tables. Those of the old iptables are read by its own program, where there is one.
"""

from __future__ import annotations

import errno
import socket
from dataclasses import dataclass

from ptpstack.doctor.findings import ERROR, NOTE, OK, WARNING, Finding, Unseen, kind
from ptpstack.doctor.machine import nftables
from ptpstack.doctor.machine.legacy_iptables import read_legacy
from ptpstack.doctor.machine.nftables import INET, IPV4, IPV6, NETDEV, Ruleset
from ptpstack.doctor.machine.packet_filter import ACCEPT, DROP, Octets, Packet, outcome
from ptpstack.doctor.machine.proc import read

FIREWALL_OPEN = kind("firewall-open", OK, "The packet filter lets PTP pass")
FIREWALL_DROPS = kind(
    "firewall-drops",
    ERROR,
    "The packet filter drops PTP",
    "Let UDP ports 319 and 320 pass in both directions (nft: `udp dport { 319, 320 } accept`; firewalld: "
    "`firewall-cmd --permanent --add-port=319-320/udp`), or EtherType 0x88F7 for 802.3.",
)
FIREWALL_MAY_DROP = kind(
    "firewall-may-drop",
    NOTE,
    "The packet filter may drop PTP, depending on what cannot be known here",
    "Look at the rule: it depends on addresses, marks, limits or the like.",
)
LEGACY_IPTABLES = kind(
    "legacy-iptables",
    NOTE,
    "There are rules of the old iptables that could not be read",
    "`iptables-legacy-save` shows them; UDP ports 319 and 320 must pass.",
)

#: hooks that a packet meets, in order
_IN = (((NETDEV, 0),), ((INET, 0), (IPV4, 0), (IPV6, 0)), ((INET, 1), (IPV4, 1), (IPV6, 1)))
_OUT = (((INET, 3), (IPV4, 3), (IPV6, 3)), ((INET, 4), (IPV4, 4), (IPV6, 4)), ((NETDEV, 1),))


@dataclass(frozen=True, slots=True)
class Firewall:
    interface: str
    ruleset: Ruleset
    #: the interface's number
    index: int = 0
    #: transports in use: configured or heard; empty: nobody knows
    used: frozenset[str] = frozenset()
    #: the tables that the old iptables has in use here and that could not be read
    legacy: tuple[str, ...] = ()


def look(interface: str, used: frozenset[str] = frozenset()) -> Firewall | Unseen:
    try:
        ruleset = nftables.read_ruleset()
    except OSError as error:
        if error.errno in (errno.EPERM, errno.EACCES):
            return Unseen("packet filter (nftables, iptables)", "needs CAP_NET_ADMIN", "run as root")
        ruleset = Ruleset()  # a kernel without nf_tables has no rules in it
    chains, unread = ruleset.chains, []
    for family, names in ((IPV4, "ip_tables_names"), (IPV6, "ip6_tables_names")):
        tables = read(f"/proc/thread-self/net/{names}").split()
        # asked only when the table is in use: asking would make it
        old = read_legacy(family) if "filter" in tables else Ruleset()
        chains += old.chains if old is not None else ()
        unread += tables if old is None else []
    index = socket.if_nametoindex(interface)
    return Firewall(interface, Ruleset(chains, ruleset.sets), index, used, tuple(unread))


def packets(interface: str, index: int = 0, *, inwards: bool) -> list[Packet]:
    """What PTP sends: event and general messages over IPv4, IPv6 and Ethernet."""
    came, goes = (interface, "") if inwards else ("", interface)
    found = []
    for port, class_ in ((319, "event"), (320, "general")):
        four: list[int | None] = [
            0x45,
            None,
            *[None] * 7,
            17,
            None,
            None,
            *[None] * 4,
            *socket.inet_aton("224.0.1.129"),
        ]
        six: list[int | None] = [None] * 6 + [17, None] + [None] * 16
        six += list(socket.inet_pton(socket.AF_INET6, "ff0e::181"))
        udp: Octets = [*port.to_bytes(2, "big"), *port.to_bytes(2, "big"), *[None] * 4]
        for name, ethertype, family, network in (("UDPv4", 0x0800, IPV4, four), ("UDPv6", 0x86DD, IPV6, six)):
            link: Octets = [None] * 12 + list(ethertype.to_bytes(2, "big"))
            headers = (link, network, udp)
            found.append(Packet(f"{class_} messages over {name}", name, ethertype, family, headers, came, goes, index))
    link = [*bytes.fromhex("011b19000000"), *[None] * 6, 0x88, 0xF7]
    found.append(Packet("802.3", "802.3", 0x88F7, 0, (link, [], []), came, goes, index))
    return found


def judge(firewall: Firewall) -> list[Finding]:
    """What is dropped of a transport in use is an error, of others a note; a warning where nobody knows which it is."""
    found = []
    name = firewall.interface
    for inwards in (True, False):
        way = "received" if inwards else "sent"
        told: dict[tuple[str, str, bool], list[str]] = {}
        for packet in packets(name, firewall.index, inwards=inwards):
            severity = ERROR if packet.transport in firewall.used else NOTE if firewall.used else WARNING
            for hooks in _IN if inwards else _OUT:
                families = (NETDEV,) if packet.ethertype == 0x88F7 else (NETDEV, INET, packet.family)
                met = [hook for hook in hooks if hook[0] in families]
                result = outcome(firewall.ruleset, met, packet)
                certain = ACCEPT not in result.ways
                if DROP in result.ways:
                    told.setdefault((result.where, severity if certain else NOTE, certain), []).append(packet.name)
                if certain:
                    break
        for (where, severity, certain), names in told.items():
            what = f"{', '.join(names)} ({way})"
            if certain:
                found.append(FIREWALL_DROPS(name, f"{where} drops {what}", severity=severity))
            else:
                found.append(FIREWALL_MAY_DROP(name, f"{where} may drop {what}"))
    if firewall.legacy:
        found.append(LEGACY_IPTABLES(name, f"tables in use: {', '.join(firewall.legacy)}"))
    if not any(f.id == FIREWALL_DROPS.id or f.id == FIREWALL_MAY_DROP.id for f in found):
        number = sum(len(chain.rules) for chain in firewall.ruleset.chains)
        found.append(FIREWALL_OPEN(name, f"{number} rules in {len(firewall.ruleset.chains)} chains"))
    return found
