"""What an interface stands on: a VLAN on its parent, a bond on its active member.

Asked of route netlink, one request for each layer, answered by the kernel at once; no privilege is needed. Where there
is no answer (no netlink, a parent in another network namespace) an interface counts as standing on its own.
"""

from __future__ import annotations

import socket
import struct
import sys
from collections.abc import Iterator
from contextlib import closing, suppress
from itertools import pairwise
from typing import NamedTuple

_RTM_NEWLINK = 16
_RTM_GETLINK = 18
_NLM_F_REQUEST = 1
_HEADER = struct.Struct("=IHHII")
_INFO = struct.Struct("=BxHiII")
_IFNAME, _LINK, _LINKINFO, _LINK_NETNSID = 3, 5, 18, 37
_INFO_KIND, _INFO_DATA = 1, 2
_VLAN_ID, _VLAN_EGRESS = 1, 3
_BOND_MODE, _BOND_ACTIVE = 1, 2
_ACTIVE_BACKUP = 1
_TYPE = 0x3FFF
#: More than anybody stacks; ends a loop that cannot be.
_DEPTH = 8
#: Kinds that hand time stamping requests down to what they stand on.
_ON_PARENT = frozenset({"vlan", "macvlan"})


class Layer(NamedTuple):
    """One interface.

    ``kind``: the kernel's word, "" for a plain device; ``bond`` in active-backup mode only, else ``spreading bond``:
    frames leave by any member, so none of them is the one that stamps. ``lower``: index of what it stands on (parent,
    active member), 0 when it is a device of its own. ``vlan_id`` and ``egress`` (SO_PRIORITY -> PCP, where that is not
    0) are those of a VLAN.
    """

    name: str
    kind: str
    lower: int
    vlan_id: int | None
    egress: dict[int, int]


def _attributes(octets: bytes) -> Iterator[tuple[int, bytes]]:
    offset = 0
    while offset + 4 <= len(octets):
        length, kind = struct.unpack_from("=HH", octets, offset)
        if length < 4:
            return
        yield kind & _TYPE, octets[offset + 4 : offset + length]
        offset += (length + 3) & ~3


def _number(octets: bytes | None) -> int:
    return int.from_bytes(octets, sys.byteorder) if octets else 0


def parse(message: bytes) -> Layer:
    """An RTM_NEWLINK message, its header included."""
    top = dict(_attributes(message[_HEADER.size + _INFO.size :]))
    info = dict(_attributes(top.get(_LINKINFO, b"")))
    kind = info.get(_INFO_KIND, b"").rstrip(b"\0").decode(errors="replace")
    data = dict(_attributes(info.get(_INFO_DATA, b"")))
    lower, vlan_id, egress = 0, None, {}
    if kind == "bond" and _number(data.get(_BOND_MODE)) == _ACTIVE_BACKUP:
        lower = _number(data.get(_BOND_ACTIVE))
    elif kind == "bond":
        kind = "spreading bond"
    elif kind in _ON_PARENT and _LINK_NETNSID not in top:
        lower = _number(top.get(_LINK))
    if kind == "vlan":
        vlan_id = _number(data.get(_VLAN_ID))
        mappings = (value for _, value in _attributes(data.get(_VLAN_EGRESS, b"")) if len(value) == 8)
        egress = dict(struct.unpack("=II", value) for value in mappings)
    return Layer(top.get(_IFNAME, b"").rstrip(b"\0").decode(errors="replace"), kind, lower, vlan_id, egress)


def _ask(index: int) -> Layer | None:
    with suppress(OSError), closing(socket.socket(socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_CLOEXEC)) as sock:
        sock.settimeout(1)
        request = _HEADER.pack(_HEADER.size + _INFO.size, _RTM_GETLINK, _NLM_F_REQUEST, 1, 0)
        sock.sendto(request + _INFO.pack(0, 0, index, 0, 0), (0, 0))
        answer = sock.recv(1 << 16)
        if len(answer) > _HEADER.size and _HEADER.unpack_from(answer)[1] == _RTM_NEWLINK:
            return parse(answer)
    return None


def layers_of(interface: str) -> tuple[Layer, ...]:
    """``interface`` and what is below it, down to a device of its own. Never empty, never raises."""
    found: list[Layer] = []
    with suppress(OSError):
        index = socket.if_nametoindex(interface)
        while index and len(found) < _DEPTH and (layer := _ask(index)) is not None:
            found.append(layer)
            index = layer.lower
    return tuple(found) or (Layer(interface, "", 0, None, {}),)


def describe(layers: tuple[Layer, ...]) -> str:
    """``eth0.5 is VLAN 5 on bond0, bond0's active member is eth1``; "" for an interface that stands on its own."""
    words = []
    for layer, below in pairwise(layers):
        if layer.kind == "bond":
            words.append(f"{layer.name}'s active member is {below.name}")
        elif layer.kind == "vlan":
            words.append(f"{layer.name} is VLAN {layer.vlan_id} on {below.name}")
        else:
            words.append(f"{layer.name} is a {layer.kind} on {below.name}")
    last = layers[-1]
    if last.kind == "bond":
        words.append(f"{last.name} has no active member")
    elif last.kind == "spreading bond":
        words.append(f"{last.name} spreads frames over its members")
    return ", ".join(words)
