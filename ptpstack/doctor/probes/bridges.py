"""The Linux bridge that an interface is, or is a port of: IGMP snooping and its querier, spanning tree, who gets UDP.

Asked of route netlink, which answers for the own network namespace; sysfs shows that in which it was mounted.
"""

from __future__ import annotations

import socket
import struct
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass

from ptpstack.doctor.findings import ERROR, NOTE, OK, WARNING, Finding, kind
from ptpstack.doctor.machine import netlink

SNOOPING_WITHOUT_QUERIER = kind(
    "snooping-without-querier",
    WARNING,
    "IGMP snooping without a querier",
    "Memberships are forgotten after some minutes (260 s) and PTP over UDP stops there, in this bridge or in switches "
    "behind it. Give the network one querier (`ip link set dev BRIDGE type bridge mcast_querier 1`, or a switch or "
    "router), or switch snooping off on all (`mcast_snooping 0`).",
)
QUERIER_PRESENT = kind("querier-present", OK, "IGMP snooping has a querier")
BRIDGE_PORT_BLOCKED = kind(
    "bridge-port-blocked",
    ERROR,
    "Spanning tree does not forward on this port",
    "PTP over UDP does not pass. Wait for the forward delay, or look for a loop.",
)
BRIDGE_PORT = kind(
    "bridge-port",
    NOTE,
    "The interface is a port of a bridge",
    "UDP goes to the bridge and not to sockets on the port: use 802.3 on the port, or UDP on the bridge.",
)
UDP_ON_BRIDGE_PORT = kind(
    "udp-on-bridge-port",
    ERROR,
    "PTP over UDP is configured on a port of a bridge",
    "It would receive nothing: the bridge takes UDP. Use transport l2 on the port, or put UDP on the bridge itself.",
)

_GETLINK = 18
_IFNAME, _MASTER, _LINKINFO = 3, 10, 18
_KIND, _DATA, _PORT_KIND, _PORT_DATA = 1, 2, 4, 5
_SNOOPING, _QUERIER, _QUERIER_STATE = 23, 25, 47
_PORT_STATE = 1
_STATES = ("disabled", "listening", "learning", "forwarding", "blocking")


@dataclass(frozen=True, slots=True)
class Bridge:
    """``port``: state of the interface as a port, "" when it is the bridge itself. ``other_querier``: one was heard."""

    interface: str
    bridge: str
    port: str
    snooping: bool
    querier: bool
    other_querier: bool = False
    #: transports that a configuration wants on the interface
    transports: tuple[str, ...] = ()


def look(interface: str, transports: Sequence[str] = ()) -> Bridge | None:
    """None: no bridge. OSError when netlink does not answer."""
    link = _link(socket.if_nametoindex(interface))
    info = dict(netlink.attributes(link.get(_LINKINFO, b"")))
    port = ""
    if netlink.text(info.get(_KIND)) != "bridge":
        if netlink.text(info.get(_PORT_KIND)) != "bridge" or _MASTER not in link:
            return None
        state = dict(netlink.attributes(info.get(_PORT_DATA, b""))).get(_PORT_STATE, b"\3")[0]
        port = _STATES[state] if state < len(_STATES) else str(state)
        link = _link(struct.unpack("=I", link[_MASTER])[0])
        info = dict(netlink.attributes(link.get(_LINKINFO, b"")))
    data = dict(netlink.attributes(info.get(_DATA, b"")))
    return Bridge(
        interface,
        netlink.text(link.get(_IFNAME)),
        port,
        bool(data.get(_SNOOPING, b"\0")[0]),
        bool(data.get(_QUERIER, b"\0")[0]),
        bool(data.get(_QUERIER_STATE)),
        tuple(transports),
    )


def _link(index: int) -> dict[int, bytes]:
    answer = netlink.ask(netlink.ROUTE, _GETLINK, struct.pack("=BxHiII", 0, 0, index, 0, 0))
    with suppress(IndexError):
        return dict(netlink.attributes(answer[0][16:]))
    return {}


def judge(bridge: Bridge | None) -> list[Finding]:
    if bridge is None:
        return []
    found = []
    name = bridge.interface
    where = f"{name} is a port of {bridge.bridge}" if bridge.port else f"{name} is a bridge"
    if bridge.port:
        if bridge.port != "forwarding":
            found.append(BRIDGE_PORT_BLOCKED(name, f"{where}, state {bridge.port}"))
        if any(transport.startswith("udp") for transport in bridge.transports):
            found.append(UDP_ON_BRIDGE_PORT(name, f"{where}; configured: {', '.join(bridge.transports)}"))
        else:
            found.append(BRIDGE_PORT(name, where))
    if bridge.snooping and not bridge.querier and not bridge.other_querier:
        found.append(
            SNOOPING_WITHOUT_QUERIER(bridge.bridge, f"{bridge.bridge}: mcast_snooping 1, mcast_querier 0, none heard")
        )
    elif bridge.snooping:
        own = "the bridge itself" if bridge.querier else "another one was heard"
        found.append(QUERIER_PRESENT(bridge.bridge, f"{bridge.bridge}: {own}"))
    return found
