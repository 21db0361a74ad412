"""The priority code point (PCP) of the 802.1Q tag, as far as it is ours to say.

1. On a VLAN interface the kernel writes the tag: its egress map makes a PCP of SO_PRIORITY. The map is the machine's
   configuration; it is read, and a priority that gives the wanted PCP is chosen. It is never changed.
2. On any other interface frames have no tag. Over Ethernet (l2) ptpstack writes one itself, of VLAN 0: priority only,
   and receivers take such a frame as an untagged one. Over UDP the kernel writes the header, so there is no PCP.
"""

from __future__ import annotations

import errno

from ptpstack.net.channel import ChannelError
from ptpstack.net.layers import layers_of

_TPID = b"\x81\x00"


def socket_priority(interface: str, transport: str, pcp: int | None, priority: int) -> tuple[int, bytes]:
    """(SO_PRIORITY to use, 802.1Q tag to put into each frame or b""). ChannelError where ``pcp`` cannot be had."""
    if pcp is None:
        return priority, b""
    vlan = next((layer for layer in layers_of(interface) if layer.kind == "vlan"), None)
    if vlan is None:
        if transport == "l2":
            return priority, _TPID + (pcp << 13).to_bytes(2)
        raise ChannelError(
            errno.EOPNOTSUPP,
            f"{interface}: pcp = {pcp} cannot be had: it is no VLAN interface, so its UDP frames carry no 802.1Q tag; "
            f"use one (`ip link add link {interface} name {interface}.5 type vlan id 5 egress-qos-map {pcp}:{pcp}`), "
            "transport l2, or dscp_event and dscp_general instead",
        )
    if vlan.egress.get(priority, 0) == pcp:
        return priority, b""
    suitable = sorted(number for number, mapped in vlan.egress.items() if mapped == pcp)
    if pcp == 0 and vlan.egress.get(0, 0) == 0:
        suitable.insert(0, 0)
    if not suitable:
        raise ChannelError(
            errno.EOPNOTSUPP,
            f"{interface}: pcp = {pcp} cannot be had: no priority is mapped to it on {vlan.name}; add one "
            f"(`ip link set dev {vlan.name} type vlan egress-qos-map {pcp}:{pcp}`)",
        )
    return suitable[0], b""
