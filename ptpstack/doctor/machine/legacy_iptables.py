"""The old iptables, read by its own program (``iptables-legacy-save``) and turned into rules as nf_tables has them.

What an option of a rule asks and is not understood here counts as unknown: it may match.
"""

from __future__ import annotations

import ipaddress
import shlex
import struct
import subprocess
from collections.abc import Callable

from ptpstack.doctor.machine.netlink import attribute
from ptpstack.doctor.machine.nftables import IPV4, IPV6, Chain, Expression, Ruleset

HOOKS = {"INPUT": 1, "OUTPUT": 3}
UNKNOWN: Expression = ("unknown", {})
_IIFNAME, _OIFNAME, _L4PROTO = 6, 7, 16
_PROTOCOLS = {"udp": 17, "tcp": 6, "icmp": 1, "ipv6-icmp": 58, "icmpv6": 58, "igmp": 2}
_VERDICTS = {"DROP": 0, "REJECT": 0, "ACCEPT": 1, "RETURN": -5}
_STATES = {"INVALID": 1, "ESTABLISHED": 2, "RELATED": 4, "NEW": 8, "UNTRACKED": 64}
#: options that decide nothing
_ASIDE = frozenset({"-m", "--comment", "--reject-with", "--log-prefix", "--log-level", "--set-xmark", "-c"})


def read_legacy(family: int) -> Ruleset | None:
    """The filter table; None when the program is missing, refuses, or speaks of nf_tables."""
    six = "6" if family == IPV6 else ""
    for program in (f"ip{six}tables-legacy-save", f"ip{six}tables-save"):
        try:
            done = subprocess.run([program, "-t", "filter"], capture_output=True, text=True, timeout=10)
        except (OSError, subprocess.TimeoutExpired):
            continue
        if done.returncode == 0 and "nf_tables" not in done.stdout.partition("\n")[0]:
            return parse(done.stdout, family)
    return None


def parse(text: str, family: int = IPV4) -> Ruleset:
    """The chains of the text that iptables-save writes for one table."""
    policies: dict[str, bool] = {}
    rules: dict[str, list[tuple[Expression, ...]]] = {}
    lines = text.splitlines()
    for line in lines:
        if line.startswith(":"):
            name, policy = line[1:].split()[:2]
            policies[name] = policy != "DROP"
            rules[name] = []
    for line in lines:
        if line.startswith("-A "):
            words = shlex.split(line)[1:]
            rules.setdefault(words[0], []).append(_rule(words[1:], rules))
    name_of = "old iptables, filter"
    return Ruleset(
        tuple(
            Chain(family, name_of, name, HOOKS.get(name), accepts=policies.get(name, True), rules=tuple(rows))
            for name, rows in rules.items()
        )
    )


def _rule(words: list[str], chains: dict[str, list[tuple[Expression, ...]]]) -> tuple[Expression, ...]:
    expressions: list[Expression] = []
    end: list[Expression] = []
    inverted, at = False, 0
    while at < len(words):
        word = words[at]
        at += 1
        if word == "!":
            inverted = True
            continue
        values = []
        while at < len(words) and not words[at].startswith("-") and words[at] != "!":
            values.append(words[at])
            at += 1
        value = values[0] if values else ""
        if word in ("-j", "-g"):
            end = _target(word, value, chains)
        elif word not in _ASIDE:
            make = _OPTIONS.get(word)
            try:
                expressions += [UNKNOWN] if make is None else make(value, inverted)
            except (ValueError, KeyError, struct.error):
                expressions.append(UNKNOWN)
        inverted = False
    return (*expressions, *end)


def _number(value: int) -> bytes:
    return struct.pack(">I", value & 0xFFFFFFFF)


def _compare(octets: bytes, inverted: bool) -> Expression:
    return "cmp", {1: _number(1), 2: _number(int(inverted)), 3: attribute(1, octets)}


def _meta(key: int) -> Expression:
    return "meta", {1: _number(1), 2: _number(key)}


def _payload(base: int, offset: int, length: int) -> Expression:
    return "payload", {1: _number(1), 2: _number(base), 3: _number(offset), 4: _number(length)}


def _protocol(value: str, inverted: bool) -> list[Expression]:
    if value == "all":
        return []
    number = int(value) if value.isdigit() else _PROTOCOLS[value]
    return [_meta(_L4PROTO), _compare(bytes([number]), inverted)]


def _interface(key: int) -> Callable[[str, bool], list[Expression]]:
    def make(value: str, inverted: bool) -> list[Expression]:
        octets = value[:-1].encode() if value.endswith("+") else value.encode().ljust(16, b"\0")
        return [_meta(key), _compare(octets, inverted)]

    return make


def _destination(value: str, inverted: bool) -> list[Expression]:
    network = ipaddress.IPv4Network(value, strict=False)
    mask = {1: _number(1), 2: _number(1), 3: _number(4)}
    mask |= {4: attribute(1, network.netmask.packed), 5: attribute(1, bytes(4))}
    return [_payload(1, 16, 4), ("bitwise", mask), _compare(network.network_address.packed, inverted)]


def _port(offset: int) -> Callable[[str, bool], list[Expression]]:
    def make(value: str, inverted: bool) -> list[Expression]:
        low, _, high = value.partition(":")
        bounds = [struct.pack(">H", int(bound)) for bound in (low or "0", high or ("65535" if ":" in value else low))]
        fields = {1: _number(1), 2: _number(int(inverted)), 3: attribute(1, bounds[0]), 4: attribute(1, bounds[1])}
        return [_payload(2, offset, 2), ("range", fields)]

    return make


def _ports(flags: int) -> Callable[[str, bool], list[Expression]]:
    def make(value: str, inverted: bool) -> list[Expression]:
        numbers, ranges = [], []
        for item in value.split(","):
            low, colon, high = item.partition(":")
            numbers += [int(low), int(high)] if colon else [int(low)]
            ranges += [1, 0] if colon else [0]
        filled = [*numbers, *[0] * (15 - len(numbers))], [*ranges, *[0] * (15 - len(ranges))]
        info = struct.pack("=BB15H15BB", flags, len(numbers), *filled[0], *filled[1], int(inverted))
        return [("match", {1: b"multiport\0", 3: info})]

    return make


def _state(value: str, inverted: bool) -> list[Expression]:
    mask = sum(_STATES[state] for state in value.split(","))
    return [("match", {1: b"state\0", 3: struct.pack("=I", mask ^ (0xFF if inverted else 0))})]


_OPTIONS: dict[str, Callable[[str, bool], list[Expression]]] = {
    "-p": _protocol,
    "-i": _interface(_IIFNAME),
    "-o": _interface(_OIFNAME),
    "-d": _destination,
    "--sport": _port(0),
    "--dport": _port(2),
    "--sports": _ports(0),
    "--dports": _ports(1),
    "--ports": _ports(2),
    "--ctstate": _state,
    "--state": _state,
}


def _target(word: str, value: str, chains: dict[str, list[tuple[Expression, ...]]]) -> list[Expression]:
    if value in _VERDICTS:
        inner = attribute(1, _number(_VERDICTS[value]))
    elif value in chains:
        inner = attribute(1, _number(-4 if word == "-g" else -3)) + attribute(2, value.encode() + b"\0")
    else:
        return []  # LOG and its like: the next rule follows
    return [("immediate", {1: _number(0), 2: attribute(2, inner)})]
