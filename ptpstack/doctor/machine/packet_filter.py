"""What nf_tables does to one packet: its rules followed with a packet of which some octets are known and some are not.

Three answers to "does it match": yes, no, unknown. An unknown match is followed both ways, so the outcome is a set:
{drop} is certain, {accept, drop} depends on what is not known here (addresses, limits, marks).
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from ptpstack.doctor.machine.netlink import attributes, text
from ptpstack.doctor.machine.nftables import Chain, Expression, Ruleset, SetElement
from ptpstack.doctor.machine.xtables import xt_match

ACCEPT, DROP = "accept", "drop"
_MAX_DEPTH = 16
#: octets of all registers of nf_tables together
_REGISTERS = 64
_MAX_STEPS = 20_000
_VERDICTS = {0: DROP, 1: ACCEPT, -1: "continue", -2: "break", -3: "jump", -4: "goto", -5: "return", 3: ACCEPT}
#: expressions that neither match nor decide
_NEUTRAL = frozenset({"counter", "log", "notrack", "dup", "last", "flow_offload"})
_META_PROTOCOL, _META_IIF, _META_OIF, _META_IIFNAME, _META_OIFNAME = 1, 4, 5, 6, 7
_META_IIFTYPE, _META_OIFTYPE, _ETHERNET = 8, 9, 1
_META_NFPROTO, _META_L4PROTO, _META_PKTTYPE = 15, 16, 19
_MULTICAST = 2
_CT_STATE, _CT_NEW = 0, 8
#: an octet that is not known
Octets = Sequence[int | None]


@dataclass(frozen=True, slots=True)
class Packet:
    """``headers``: link, network, transport octets. ``came_by``, ``goes_by``: interfaces, "" where there is none."""

    name: str
    #: as captured: ``UDPv4``, ``UDPv6``, ``802.3``
    transport: str
    ethertype: int
    family: int
    headers: tuple[Octets, Octets, Octets]
    came_by: str = ""
    goes_by: str = ""
    #: the kernel's number of that interface, 0: unknown
    index: int = 0


@dataclass(frozen=True, slots=True)
class Outcome:
    """``ways``: subset of {accept, drop}; ``where``: the rule or policy that drops."""

    ways: frozenset[str]
    where: str = ""


class _Register:
    """Values by 32-bit words; None: unknown."""

    def __init__(self) -> None:
        self._words: dict[int, Octets] = {}

    @staticmethod
    def _index(number: int) -> int:
        return number * 4 if number <= 4 else number - 4

    def put(self, number: int, value: Octets) -> None:
        start = self._index(number)
        for offset in range(0, max(len(value), 1), 4):
            word = list(value[offset : offset + 4])
            self._words[start + offset // 4] = word + [0] * (4 - len(word))

    def get(self, number: int, length: int) -> Octets:
        start = self._index(number)
        length = min(length, _REGISTERS)
        octets: list[int | None] = []
        for word in range(start, start + (length + 3) // 4):
            octets += self._words.get(word, [None] * 4)
        return octets[:length]


def _number(fields: dict[int, bytes], key: int, default: int = 0) -> int:
    return int.from_bytes(fields[key][:4], "big") if key in fields else default


def _value(octets: bytes) -> bytes:
    return dict(attributes(octets)).get(1, b"")


def outcome(ruleset: Ruleset, hooks: Sequence[tuple[int, int]], packet: Packet) -> Outcome:
    """Through the base chains of these (family, hook), in the order of their priorities."""
    ways: set[str] = {ACCEPT}
    where = ""
    chains = [c for c in ruleset.chains if c.hook is not None and (c.family, c.hook) in hooks and c.type != "nat"]
    for chain in sorted(chains, key=lambda c: c.priority):
        if chain.device and chain.device not in (packet.came_by, packet.goes_by):
            continue
        found, place = _Walk(ruleset, packet).base(chain)
        if DROP in found:
            ways.add(DROP)
            where = where or place
        if ACCEPT not in found:
            return Outcome(frozenset({DROP}), place)
    return Outcome(frozenset(ways), where)


class _Walk:
    def __init__(self, ruleset: Ruleset, packet: Packet) -> None:
        self._ruleset = ruleset
        self._packet = packet
        self._steps = 0
        self._place = ""

    def base(self, chain: Chain) -> tuple[set[str], str]:
        ways = self._through(chain, 0)
        if "return" in ways:
            ways.discard("return")
            if chain.accepts:
                ways.add(ACCEPT)
            else:
                ways.add(DROP)
                self._place = self._place or f"the policy of chain {chain} (drop)"
        return ways, self._place

    def _through(self, chain: Chain, depth: int) -> set[str]:
        """{accept, drop, return}: how the packet may leave the chain."""
        ways: set[str] = set()
        for number, rule in enumerate(chain.rules, 1):
            self._steps += 1
            if depth > _MAX_DEPTH or self._steps > _MAX_STEPS:
                return {ACCEPT, DROP}
            for matches, verdict, target in self._rule(rule, chain):
                if matches is False or verdict in ("", "continue", "break"):
                    continue
                if verdict in ("jump", "goto"):
                    other = self._ruleset.chain(chain, target)
                    left = self._through(other, depth + 1) if other is not None else {"return"}
                    if verdict == "jump":
                        ways |= left - {"return"}
                        ended = matches is True and "return" not in left
                    else:
                        ways |= left
                        ended = matches is True
                else:
                    ways.add(verdict)
                    if verdict == DROP and not self._place:
                        self._place = f"rule {number} of chain {chain}"
                    ended = matches is True
                if ended:
                    return ways
        return ways | {"return"}

    def _rule(self, rule: tuple[Expression, ...], chain: Chain) -> Iterator[tuple[bool | None, str, str]]:
        """(matches, verdict, target chain): one, or several for a verdict map with an unknown key."""
        registers = _Register()
        matches: bool | None = True
        for name, fields in rule:
            answer: bool | None = True
            if name == "payload":
                if 1 in fields:
                    registers.put(_number(fields, 1), self._payload(fields))
            elif name == "meta":
                if 1 in fields:
                    registers.put(_number(fields, 1), self._meta(_number(fields, 2)))
            elif name == "ct":
                state: Octets = list(struct.pack("=I", _CT_NEW))
                if 1 in fields:
                    registers.put(_number(fields, 1), state if _number(fields, 2) == _CT_STATE else [None] * 16)
            elif name == "bitwise":
                _bitwise(registers, fields)
            elif name == "cmp":
                wanted = _value(fields.get(3, b""))
                answer = _compare(registers.get(_number(fields, 1), len(wanted)), wanted, _number(fields, 2))
            elif name == "range":
                low, high = _value(fields.get(3, b"")), _value(fields.get(4, b""))
                have = _known(registers.get(_number(fields, 1), len(low)))
                answer = None if have is None else (low <= have <= high) == (_number(fields, 2) == 0)
            elif name == "lookup":
                answer, verdicts = self._lookup(registers, fields, chain)
                if verdicts:
                    for certain, verdict, target in verdicts:
                        yield (True if certain and matches else matches and None), verdict, target
                    return
            elif name == "immediate":
                verdict, target = _verdict(fields.get(2, b""))
                if verdict and _number(fields, 1) == 0:
                    yield matches, verdict, target
                    return
                registers.put(_number(fields, 1), list(_value(fields.get(2, b""))))
            elif name == "reject":
                yield matches, DROP, ""
                return
            elif name == "match":
                answer = self._xt_match(fields)
            elif name == "target":
                target = text(fields.get(1))
                if target in ("REJECT", "DROP"):
                    yield matches, DROP, ""
                    return
            elif name not in _NEUTRAL:
                answer = None
                if 1 in fields and len(fields[1]) == 4 and _number(fields, 1) < 24:
                    registers.put(_number(fields, 1), [None] * 16)
            if answer is False:
                return
            if answer is None:
                matches = None
        yield matches, "continue", ""

    def _payload(self, fields: dict[int, bytes]) -> Octets:
        base, offset, length = _number(fields, 2), _number(fields, 3), min(_number(fields, 4), _REGISTERS)
        header = self._packet.headers[base] if base < 3 else []
        octets = list(header[offset : offset + length])
        return octets + [None] * (length - len(octets))

    def _meta(self, key: int) -> Octets:
        packet = self._packet
        if key in (_META_IIFNAME, _META_OIFNAME):
            name = packet.came_by if key == _META_IIFNAME else packet.goes_by
            return list(name.encode().ljust(16, b"\0"))
        if key in (_META_IIF, _META_OIF):
            name = packet.came_by if key == _META_IIF else packet.goes_by
            return list(struct.pack("=I", packet.index if name else 0)) if packet.index or not name else [None] * 4
        if key in (_META_IIFTYPE, _META_OIFTYPE):
            return list(struct.pack("=H", _ETHERNET))
        if key == _META_PKTTYPE:
            return [_MULTICAST] if packet.came_by else [None]
        if key == _META_NFPROTO:
            return [packet.family]
        if key == _META_L4PROTO:
            return [17]
        if key == _META_PROTOCOL:
            return list(packet.ethertype.to_bytes(2, "big"))
        return [None] * 16

    def _lookup(
        self, registers: _Register, fields: dict[int, bytes], chain: Chain
    ) -> tuple[bool | None, list[tuple[bool, str, str]]]:
        elements = self._ruleset.sets.get((chain.family, chain.table, text(fields.get(1))))
        inverted = bool(_number(fields, 5) & 1)
        if not elements:
            return (None if elements is None else inverted), []
        key = _known(registers.get(_number(fields, 2), len(elements[0].key)))
        is_map = any(element.data for element in elements) and 3 in fields
        if key is None:
            each = [_verdict(element.data) for element in elements] if is_map else []
            return None, [(False, verdict, target) for verdict, target in dict.fromkeys(each) if verdict]
        element = _find(elements, key)
        if is_map and element is not None:
            verdict, target = _verdict(element.data)
            return True, [(True, verdict, target)] if verdict else []
        return (element is not None) != inverted, []

    def _xt_match(self, fields: dict[int, bytes]) -> bool | None:
        """A match of iptables that iptables-nft keeps as it is."""
        ports = _known(self._packet.headers[2][:4])
        source, destination = struct.unpack(">HH", ports) if ports is not None else (None, None)
        return xt_match(text(fields.get(1)), fields.get(3, b""), source, destination)


def _known(octets: Octets) -> bytes | None:
    known = [octet for octet in octets if octet is not None]
    return bytes(known) if len(known) == len(octets) else None


def _compare(have: Octets, wanted: bytes, operation: int) -> bool | None:
    if operation in (0, 1):
        # one octet that differs decides, whatever the unknown ones are
        if any(h is not None and h != w for h, w in zip(have, wanted, strict=True)):
            return operation == 1
        return None if None in have else operation == 0
    known = _known(have)
    if known is None:
        return None
    return {2: known < wanted, 3: known <= wanted, 4: known > wanted, 5: known >= wanted}.get(operation)


def _bitwise(registers: _Register, fields: dict[int, bytes]) -> None:
    length = min(_number(fields, 3), _REGISTERS)
    have = registers.get(_number(fields, 1), length)
    mask, flip = _value(fields.get(4, b"")), _value(fields.get(5, b""))
    if _number(fields, 6) != 0 or len(mask) != length or len(flip) != length:
        registers.put(_number(fields, 2), [None] * length)
        return
    out: list[int | None] = []
    for octet, m, f in zip(have, mask, flip, strict=True):
        out.append(f if m == 0 else None if octet is None else (octet & m) ^ f)
    registers.put(_number(fields, 2), out)


def _verdict(octets: bytes) -> tuple[str, str]:
    """(verdict, chain); ("", "") when the data are no verdict."""
    fields = dict(attributes(dict(attributes(octets)).get(2, b"")))
    if 1 not in fields:
        return "", ""
    return _VERDICTS.get(int.from_bytes(fields[1][:4], "big", signed=True), ACCEPT), text(fields.get(2))


def _find(elements: tuple[SetElement, ...], key: bytes) -> SetElement | None:
    for element in elements:
        if element.key_end is not None and element.key <= key <= element.key_end:
            return element
        if element.key == key and not element.end_of_interval and element.key_end is None:
            return element
    if any(element.end_of_interval for element in elements):
        # an interval set is a row of bounds: the last one that is not beyond the key says in or out
        below = [
            element for element in sorted(elements, key=lambda e: (e.key, e.end_of_interval)) if element.key <= key
        ]
        if below and not below[-1].end_of_interval:
            return below[-1]
    return None
