"""The rules of nf_tables, read by netlink (linux/netfilter/nf_tables.h): chains with hooks, rules, sets.

CAP_NET_ADMIN is needed. Rules of iptables-nft are there, too. Only what is needed to follow one packet is decoded.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass, field

from ptpstack.doctor.machine.netlink import NETFILTER, ask, attribute, attributes, text

_SUBSYSTEM = 10 << 8
_GETTABLE, _GETCHAIN, _GETRULE, _GETSET, _GETSETELEM = 1, 4, 7, 10, 13
INET, IPV4, NETDEV, BRIDGE, IPV6 = 1, 2, 5, 7, 10
FAMILIES = {INET: "inet", IPV4: "ip", NETDEV: "netdev", BRIDGE: "bridge", IPV6: "ip6"}
_DORMANT = 1
ACCEPT = 1

#: name of an expression, its attributes
Expression = tuple[str, dict[int, bytes]]


@dataclass(frozen=True, slots=True)
class SetElement:
    """``key`` .. ``key_end`` (None: a single value); ``data``: attributes of what a map says."""

    key: bytes
    key_end: bytes | None = None
    end_of_interval: bool = False
    data: bytes = b""


@dataclass(frozen=True, slots=True)
class Chain:
    """``hook`` and ``priority`` of a base chain, else None. ``accepts``: its policy."""

    family: int
    table: str
    name: str
    hook: int | None
    priority: int = 0
    device: str = ""
    accepts: bool = True
    type: str = "filter"
    rules: tuple[tuple[Expression, ...], ...] = ()

    def __str__(self) -> str:
        return f"{FAMILIES.get(self.family, str(self.family))} {self.table} {self.name}"


@dataclass(frozen=True, slots=True)
class Ruleset:
    chains: tuple[Chain, ...] = ()
    #: (family, table, set) -> elements
    sets: dict[tuple[int, str, str], tuple[SetElement, ...]] = field(default_factory=dict)

    def chain(self, beside: Chain, name: str) -> Chain | None:
        """The chain called ``name`` in the table of ``beside``."""
        return next(
            (c for c in self.chains if (c.family, c.table, c.name) == (beside.family, beside.table, name)), None
        )


def read_ruleset() -> Ruleset:
    """OSError: EPERM without CAP_NET_ADMIN, EPROTONOSUPPORT or the like where the kernel has no nf_tables."""
    dormant = set()
    for family, told in _dump(_GETTABLE):
        if told.get(2) and struct.unpack(">I", told[2])[0] & _DORMANT:
            dormant.add((family, text(told.get(1))))
    rules: dict[tuple[int, str, str], list[tuple[Expression, ...]]] = {}
    for family, rule in _dump(_GETRULE):
        key = (family, text(rule.get(1)), text(rule.get(2)))
        rules.setdefault(key, []).append(tuple(_expressions(rule.get(4, b""))))
    chains = []
    for family, chain in _dump(_GETCHAIN):
        table, name = text(chain.get(1)), text(chain.get(3))
        if (family, table) in dormant:
            continue
        hook = dict(attributes(chain.get(4, b"")))
        base = 1 in hook
        chains.append(
            Chain(
                family,
                table,
                name,
                struct.unpack(">I", hook[1])[0] if base else None,
                struct.unpack(">i", hook[2])[0] if 2 in hook else 0,
                text(hook.get(3)),
                struct.unpack(">I", chain[5])[0] == ACCEPT if 5 in chain else True,
                text(chain.get(7)) or "filter",
                tuple(rules.get((family, table, name), ())),
            )
        )
    return Ruleset(tuple(chains), _sets())


def _dump(kind: int, family: int = 0, body: bytes = b"") -> list[tuple[int, dict[int, bytes]]]:
    answers = ask(NETFILTER, _SUBSYSTEM | kind, struct.pack("=BBH", family, 0, 0) + body, dump=True)
    return [(answer[0], dict(attributes(answer[4:]))) for answer in answers]


def _expressions(octets: bytes) -> list[Expression]:
    found = []
    for _, element in attributes(octets):
        fields = dict(attributes(element))
        found.append((text(fields.get(1)), dict(attributes(fields.get(2, b"")))))
    return found


def _sets() -> dict[tuple[int, str, str], tuple[SetElement, ...]]:
    found = {}
    for family, one in _dump(_GETSET):
        table, name = text(one.get(1)), text(one.get(2))
        body = attribute(1, table.encode() + b"\0") + attribute(2, name.encode() + b"\0")
        elements: list[SetElement] = []
        for _, answer in _dump(_GETSETELEM, family, body):
            for _, element in attributes(answer.get(3, b"")):
                fields = dict(attributes(element))
                flags = struct.unpack(">I", fields[3])[0] if 3 in fields else 0
                key = dict(attributes(fields.get(1, b""))).get(1, b"")
                end = dict(attributes(fields[10])).get(1) if 10 in fields else None
                elements.append(SetElement(key, end, bool(flags & 1), fields.get(2, b"")))
        found[family, table, name] = tuple(elements)
    return found
