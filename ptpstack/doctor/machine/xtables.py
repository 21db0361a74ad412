"""Matches of iptables in the kernel's own layout (linux/netfilter/xt_*.h), as iptables-nft leaves them in rules."""

from __future__ import annotations

import struct
from collections.abc import Callable

#: source port and destination port of the packet, None where it has none
Ports = tuple[int | None, int | None]

#: connection state of a packet that belongs to no known connection, as multicast is: NEW
_NEW = 8
_CONNTRACK_STATE = 1
#: written as -m state
_STATE_ALIAS = 1 << 13
#: xt_conntrack_mtinfo: match flags, inverted flags and the mask of states stand behind eight addresses and five ports
_CONNTRACK_FLAGS_AT = 146
_SOURCE, _DESTINATION, _EITHER = 0, 1, 2
_MAX_PORTS = 15


def xt_match(name: str, info: bytes, source: int | None, destination: int | None) -> bool | None:
    """Whether match ``name`` with its data takes a UDP packet that begins something; None: cannot be told."""
    judge = _MATCHES.get(name)
    try:
        return judge(info, (source, destination)) if judge is not None else None
    except struct.error:
        return None


def _udp(info: bytes, ports: Ports) -> bool | None:
    source_low, source_high, low, high, inverted = struct.unpack_from("=HHHHB", info)
    source, destination = ports
    if source is None or destination is None:
        return False
    from_it = bool(source_low <= source <= source_high) != bool(inverted & 1)
    return from_it and bool(low <= destination <= high) != bool(inverted & 2)


def _multiport(info: bytes, ports: Ports) -> bool | None:
    flags, count = struct.unpack_from("=BB", info)
    numbers = struct.unpack_from(f"={_MAX_PORTS}H", info, 2)
    ranges = info[2 + 2 * _MAX_PORTS : 2 + 3 * _MAX_PORTS]
    inverted = info[2 + 3 * _MAX_PORTS] if len(info) > 2 + 3 * _MAX_PORTS else 0
    wanted = {_SOURCE: ports[:1], _DESTINATION: ports[1:], _EITHER: ports}.get(flags)
    if wanted is None or count > _MAX_PORTS:
        return None
    hit, number = False, 0
    while number < count:
        low = high = numbers[number]
        if ranges[number] and number + 1 < count:
            number += 1
            high = numbers[number]
        hit = hit or any(port is not None and low <= port <= high for port in wanted)
        number += 1
    return hit != bool(inverted)


def _conntrack(info: bytes, ports: Ports) -> bool | None:
    flags, inverted = struct.unpack_from("=HH", info, _CONNTRACK_FLAGS_AT)
    # the mask has 8 bits in older revisions, 16 in newer ones; the states that there are fit into 8
    mask = info[_CONNTRACK_FLAGS_AT + 4]
    if flags & ~_STATE_ALIAS != _CONNTRACK_STATE:
        return None
    return bool(mask & _NEW) != bool(inverted & _CONNTRACK_STATE)


def _state(info: bytes, ports: Ports) -> bool | None:
    return bool(struct.unpack_from("=I", info)[0] & _NEW)


_MATCHES: dict[str, Callable[[bytes, Ports], bool | None]] = {
    "udp": _udp,
    "tcp": lambda info, ports: False,
    "icmp": lambda info, ports: False,
    "icmp6": lambda info, ports: False,
    "multiport": _multiport,
    "conntrack": _conntrack,
    "state": _state,
    "comment": lambda info, ports: True,
}
