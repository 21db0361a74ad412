"""What rules do to PTP's packets, followed without a kernel: three-valued matches, jumps, sets, maps, iptables-nft."""

from __future__ import annotations

import struct

import pytest

from ptpstack.doctor.machine import legacy_iptables
from ptpstack.doctor.machine.nftables import INET, IPV4, NETDEV, Chain, Expression, Ruleset, SetElement
from ptpstack.doctor.machine.packet_filter import Packet, outcome
from ptpstack.doctor.machine.xtables import xt_match
from ptpstack.doctor.probes import firewall

EVENT = next(p for p in firewall.packets("eth0", 3, inwards=True) if p.name == "event messages over UDPv4")
GENERAL = next(p for p in firewall.packets("eth0", 3, inwards=True) if p.name == "general messages over UDPv4")
HOOK = ((INET, 1),)


def attribute(kind: int, value: bytes) -> bytes:
    return struct.pack("=HH", 4 + len(value), kind) + value + bytes(-len(value) % 4)


def number(value: int) -> bytes:
    return struct.pack(">I", value & 0xFFFFFFFF)


def expression(name: str, **fields: bytes) -> Expression:
    return name, {int(key[1:]): value for key, value in fields.items()}


def data(octets: bytes) -> bytes:
    return attribute(1, octets)


def verdict_data(code: int, chain: str = "") -> bytes:
    inner = attribute(1, number(code)) + (attribute(2, chain.encode() + b"\0") if chain else b"")
    return attribute(2, inner)


def verdict(code: int, chain: str = "") -> Expression:
    return expression("immediate", _1=number(0), _2=verdict_data(code, chain))


DROP, ACCEPT, RETURN = verdict(0), verdict(1), verdict(-5)
PORT = expression("payload", _1=number(1), _2=number(2), _3=number(2), _4=number(2))
UNKNOWN = expression("limit")


def equals(octets: bytes, operation: int = 0) -> Expression:
    return expression("cmp", _1=number(1), _2=number(operation), _3=data(octets))


def meta(key: int) -> Expression:
    return expression("meta", _1=number(1), _2=number(key))


def rules(
    *rules_: tuple[Expression, ...], accepts: bool = True, **others: tuple[tuple[Expression, ...], ...]
) -> Ruleset:
    base = Chain(INET, "t", "input", 1, accepts=accepts, rules=rules_)
    return Ruleset((base, *(Chain(INET, "t", name, None, rules=rows) for name, rows in others.items())))


def ways(ruleset: Ruleset, packet: Packet = EVENT) -> str:
    return "|".join(sorted(outcome(ruleset, HOOK, packet).ways))


def test_no_rules_and_policies() -> None:
    assert ways(Ruleset()) == "accept"
    assert ways(rules()) == "accept"
    assert ways(rules(accepts=False)) == "drop"


def test_a_port() -> None:
    one = rules((PORT, equals(b"\x01\x3f"), DROP))
    assert (ways(one), ways(one, GENERAL)) == ("drop", "accept")
    other = rules((PORT, equals(b"\x01\x3f", 1), DROP))
    assert (ways(other), ways(other, GENERAL)) == ("accept", "drop")


def test_what_is_not_known_goes_both_ways() -> None:
    assert ways(rules((UNKNOWN, DROP))) == "accept|drop"
    assert ways(rules((UNKNOWN, ACCEPT), accepts=False)) == "accept|drop"
    source = expression("payload", _1=number(1), _2=number(1), _3=number(12), _4=number(4))
    assert ways(rules((source, equals(bytes(4)), DROP))) == "accept|drop"
    destination = expression("payload", _1=number(1), _2=number(1), _3=number(16), _4=number(4))
    assert ways(rules((destination, equals(bytes((224, 0, 1, 129))), DROP))) == "drop"


def test_the_usual_workstation_rules_drop_ptp() -> None:
    """Loopback, established connections and ssh are let in, nothing else: common, and deadly for PTP."""
    established = expression(
        "bitwise", _1=number(1), _2=number(1), _3=number(4), _4=data(struct.pack("=I", 6)), _5=data(bytes(4))
    )
    state = expression("ct", _1=number(1), _2=number(0))
    ruleset = rules(
        (meta(4), equals(struct.pack("=I", 1)), ACCEPT),
        (state, established, equals(bytes(4), 1), ACCEPT),
        (meta(16), equals(b"\x06"), PORT, equals(b"\0\x16"), ACCEPT),
        accepts=False,
    )
    assert ways(ruleset) == "drop"
    assert "policy" in outcome(ruleset, HOOK, EVENT).where


def test_interfaces_by_name() -> None:
    eth0 = (meta(6), equals(b"eth0".ljust(16, b"\0")), DROP)
    eth1 = (meta(6), equals(b"eth1".ljust(16, b"\0")), DROP)
    assert ways(rules(eth0)) == "drop"
    assert ways(rules(eth1)) == "accept"


def test_jumps_return_and_gotos_do_not() -> None:
    jump, goto = verdict(-3, "other"), verdict(-4, "other")
    assert ways(rules((jump,), (DROP,), other=((RETURN,),))) == "drop"
    assert ways(rules((goto,), (DROP,), other=((RETURN,),))) == "accept"
    assert ways(rules((jump,), (DROP,), other=((ACCEPT,),))) == "accept"
    assert ways(rules((jump,), other=((PORT, equals(b"\x01\x3f"), DROP),))) == "drop"
    looping = rules((jump,), other=((jump,),))
    assert ways(looping) == "accept|drop"


@pytest.mark.parametrize(
    ("elements", "way"),
    [
        ((SetElement(b"\x01\x3f"), SetElement(b"\x01\x40")), "drop"),
        ((SetElement(b"\0\x50"),), "accept"),
        # an interval set as the kernel gives it: 300..400, then its end
        (
            (
                SetElement(b"\0\0", end_of_interval=True),
                SetElement(b"\x01\x2c"),
                SetElement(b"\x01\x91", end_of_interval=True),
            ),
            "drop",
        ),
        ((SetElement(b"\x01\x2c"), SetElement(b"\x01\x30", end_of_interval=True)), "accept"),
        ((SetElement(b"\x01\x2c", b"\x01\x50"),), "drop"),
    ],
)
def test_sets(elements: tuple[SetElement, ...], way: str) -> None:
    lookup = expression("lookup", _1=b"ports\0", _2=number(1))
    ruleset = Ruleset(rules((PORT, lookup, DROP)).chains, {(INET, "t", "ports"): elements})
    assert ways(ruleset) == way


def test_verdict_maps() -> None:
    lookup = expression("lookup", _1=b"map\0", _2=number(1), _3=number(0))
    elements = (SetElement(b"\x01\x3f", data=verdict_data(0)), SetElement(b"\x01\x40", data=verdict_data(1)))
    ruleset = Ruleset(rules((PORT, lookup)).chains, {(INET, "t", "map"): elements})
    assert (ways(ruleset), ways(ruleset, GENERAL)) == ("drop", "accept")


def test_iptables_nft_keeps_some_matches_as_they_are() -> None:
    info = struct.pack("=HHHHBx", 0, 0xFFFF, 319, 319, 0)
    match = expression("match", _1=b"udp\0", _3=info)
    target = expression("target", _1=b"REJECT\0")
    ruleset = rules((match, target))
    assert (ways(ruleset), ways(ruleset, GENERAL)) == ("drop", "accept")
    inverted = rules((expression("match", _1=b"udp\0", _3=struct.pack("=HHHHBx", 0, 0xFFFF, 319, 320, 2)), target))
    assert ways(inverted) == "accept"
    assert ways(rules((expression("match", _1=b"owner\0", _3=bytes(20)), target))) == "accept|drop"


def test_a_later_chain_drops_what_an_earlier_one_let_pass() -> None:
    first = Chain(INET, "a", "input", 1, priority=-10, rules=((ACCEPT,),))
    second = Chain(INET, "b", "input", 1, priority=10, accepts=False)
    assert ways(Ruleset((second, first))) == "drop"


def test_nat_chains_and_other_devices_do_not_count() -> None:
    nat = Chain(INET, "n", "input", 1, type="nat", accepts=False)
    assert ways(Ruleset((nat,))) == "accept"
    device = Chain(NETDEV, "d", "ingress", 0, device="eth1", accepts=False)
    assert outcome(Ruleset((device,)), ((NETDEV, 0),), EVENT).ways == {"accept"}


def test_what_the_probe_says() -> None:
    device = Chain(NETDEV, "d", "ingress", 0, device="eth0", rules=((meta(1), equals(b"\x88\xf7"), DROP),))
    (dropped,) = [
        f for f in firewall.judge(firewall.Firewall("eth0", Ruleset((device,)), 3)) if f.id == "firewall-drops"
    ]
    assert dropped.evidence == "rule 1 of chain netdev d ingress drops 802.3 (received)"
    legacy = firewall.judge(firewall.Firewall("eth0", Ruleset(), 3, legacy=("filter",)))
    assert {f.id for f in legacy} == {"legacy-iptables", "firewall-open"}


def test_what_is_not_in_use_is_a_note() -> None:
    drop_all = Ruleset((Chain(INET, "t", "input", 1, accepts=False),))
    severities = {
        used: sorted(f.severity for f in firewall.judge(firewall.Firewall("eth0", drop_all, 3, frozenset(used))))
        for used in ((), ("UDPv4",), ("802.3",))
    }
    assert severities == {(): ["warning"], ("UDPv4",): ["error", "note"], ("802.3",): ["note"]}


@pytest.mark.parametrize(
    ("name", "info", "answer"),
    [
        ("udp", struct.pack("=HHHHBx", 0, 0xFFFF, 320, 320, 0), False),
        ("udp", struct.pack("=HHHHBx", 319, 319, 0, 0xFFFF, 1), False),
        ("multiport", struct.pack("=BB15H15BB", 1, 2, 319, 320, *[0] * 13, *[0] * 15, 0), True),
        ("multiport", struct.pack("=BB15H15BB", 1, 2, 300, 400, *[0] * 13, 1, *[0] * 14, 0), True),
        ("multiport", struct.pack("=BB15H15BB", 1, 1, 80, *[0] * 14, *[0] * 15, 1), True),
        ("conntrack", bytes(146) + struct.pack("=HHHH", 1, 0, 2 | 4, 0), False),
        ("conntrack", bytes(146) + struct.pack("=HHHH", 1 | 1 << 13, 0, 8, 0), True),
        ("conntrack", bytes(146) + struct.pack("=HHHH", 1 | 2, 0, 8, 0), None),
        ("conntrack", b"short", None),
        ("owner", b"", None),
    ],
)
def test_matches_of_iptables(name: str, info: bytes, answer: bool | None) -> None:
    assert xt_match(name, info, 319, 319) is answer


#: as iptables-legacy-save writes it
WORKSTATION = """\
# Generated by iptables-save v1.8.9 on Fri Nov 20 20:00:00 2026
*filter
:INPUT DROP [0:0]
:FORWARD ACCEPT [0:0]
:OUTPUT ACCEPT [0:0]
:X - [0:0]
-A INPUT -i lo -j ACCEPT
-A INPUT -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT
-A INPUT -p tcp -m tcp --dport 22 -j ACCEPT
-A INPUT -j X
-A X -p udp -m udp --dport 67:68 -j ACCEPT
{more}COMMIT
"""


@pytest.mark.parametrize(
    ("more", "way"),
    [
        ("", "drop"),
        ('-A X -p udp -m multiport --dports 123,319:320 -m comment --comment "a PTP" -j ACCEPT\n', "accept"),
        ("-A X -d 224.0.0.0/4 -j ACCEPT\n", "accept"),
        ("-A X ! -d 224.0.0.0/4 -j ACCEPT\n", "drop"),
        ("-A X -i eth+ -p udp -m udp --dport 319 -j ACCEPT\n", "accept"),
        ("-A X -m recent --rcheck --name a -j ACCEPT\n", "accept|drop"),
        ('-A X -j LOG --log-prefix "dropped: "\n', "drop"),
        ("-A X -p udp -m state --state NEW -j ACCEPT\n", "accept"),
    ],
)
def test_the_old_iptables(more: str, way: str) -> None:
    ruleset = legacy_iptables.parse(WORKSTATION.format(more=more))
    assert "|".join(sorted(outcome(ruleset, ((IPV4, 1),), EVENT).ways)) == way
    assert outcome(ruleset, ((IPV4, 3),), EVENT).ways == {"accept"}
