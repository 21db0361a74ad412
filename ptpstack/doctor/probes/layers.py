"""What an interface stands on, and what that means for time stamps: VLAN, bond, macvlan."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ptpstack.doctor.findings import ERROR, NOTE, WARNING, Finding, kind
from ptpstack.net import abilities
from ptpstack.net.layers import Layer, describe, layers_of

VLAN = kind(
    "vlan",
    NOTE,
    "PTP on a VLAN: the parent stamps",
    "Hardware stamps are set up on the parent. To mark event messages, map a socket priority to a PCP "
    "(`ip link set dev INTERFACE type vlan egress-qos-map 6:6`) or give the port `pcp`.",
)
BOND = kind(
    "bond",
    NOTE,
    "PTP on a bond: the active member stamps",
    "A change of the active member changes the hardware clock, unless all members have the same one.",
)
BOND_CLOCKS = kind(
    "bond-different-clocks",
    WARNING,
    "The members of a bond have different hardware clocks",
    "A fail-over moves PTP to another clock. Use members of one NIC, or let the node keep the members' clocks "
    "together.",
)
BOND_SPREADS = kind(
    "bond-spreads",
    WARNING,
    "The bond sends over any of its members",
    "Nobody can say which NIC stamps, and delays differ by member: use mode active-backup for PTP, or run PTP on a "
    "member itself (802.3).",
)
BOND_WITHOUT_MEMBER = kind(
    "bond-without-member", ERROR, "The bond has no active member", "Give it a member that has a link."
)
STACKED = kind(
    "stacked-interface",
    NOTE,
    "The interface stands on another one",
    "Inside a container or network namespace the lower interface may be out of reach, and with it hardware stamps.",
)


@dataclass(frozen=True, slots=True)
class Stack:
    """``layers`` from the interface down. ``member_clocks``: PHC index of each member of a bond (-1: none)."""

    layers: tuple[Layer, ...]
    member_clocks: tuple[tuple[str, int], ...] = ()


def look(interface: str) -> Stack:
    layers = layers_of(interface)
    members = next((_members(layer.name) for layer in layers if layer.kind == "bond"), ())
    return Stack(layers, tuple((name, abilities.query(name).phc_index) for name in members))


def _members(bond: str) -> Sequence[str]:
    try:
        with open(f"/sys/class/net/{bond}/bonding/slaves") as file:
            return tuple(file.read().split())
    except OSError:
        return ()


def judge(stack: Stack) -> list[Finding]:
    found = []
    name = stack.layers[0].name
    text = describe(stack.layers)
    for layer in stack.layers:
        if layer.kind == "spreading bond":
            found.append(BOND_SPREADS(name, text))
        elif layer.kind == "bond" and not layer.lower:
            found.append(BOND_WITHOUT_MEMBER(name, text))
        elif layer.kind == "bond":
            clocks = {index for _, index in stack.member_clocks}
            each = ", ".join(f"{m}: {f'/dev/ptp{i}' if i >= 0 else 'none'}" for m, i in stack.member_clocks)
            found.append(BOND(name, text))
            if len(clocks) > 1:
                found.append(BOND_CLOCKS(name, f"{text}; {each}"))
        elif layer.kind == "vlan":
            mapped = (
                ", ".join(f"{p}:{c}" for p, c in sorted(layer.egress.items())) or "none, so event messages have PCP 0"
            )
            found.append(VLAN(name, f"{text or f'VLAN {layer.vlan_id}'}; priority map: {mapped}"))
        elif layer.kind in ("macvlan", "ipvlan"):
            below = text or f"{layer.name} is a {layer.kind} whose lower interface is in another network namespace"
            found.append(STACKED(name, below))
    return found
