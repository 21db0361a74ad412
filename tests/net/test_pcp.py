"""The priority code point, and what an interface stands on, as far as this kernel has such interfaces."""

from __future__ import annotations

import errno
import socket
from collections.abc import Iterator
from typing import Any

import pytest
from pyroute2.netlink.rtnl.ifinfmsg import ifinfmsg

from ptpstack.net import pcp
from ptpstack.net.channel import ChannelError
from ptpstack.net.layers import Layer, describe, layers_of, parse
from ptpstack.net.open import open_channel
from ptpstack.protocol.effects import PEER_DELAY
from tests.net.beds import FOLLOW_UP, SYNC, Bed, bed, now, take
from tests.netns import namespaces, veth


@pytest.fixture
def cable() -> Iterator[Bed]:
    with bed("l2") as made:
        yield made


def link(**attributes: Any) -> bytes:
    """An RTM_NEWLINK message as the kernel writes it, made by pyroute2."""
    message = ifinfmsg()
    message["header"]["type"] = 16
    message["attrs"] = list(attributes.items())
    message.encode()
    return bytes(message.data)


@pytest.mark.namespaces
@pytest.mark.parametrize("value", [0, 4, 7])
def test_TRN_11_a_priority_tag_of_ours_is_sent_and_one_of_vlan_0_is_taken_for_none(cable: Bed, value: int) -> None:
    a, b = cable.open("a", pcp=value), cable.open("b")
    with cable.a.entered():
        tap = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3))
    with tap:
        tap.bind(("va", 3))
        tap.settimeout(2)
        a.send_event(SYNC, None, 1, now())
        a.send_general(FOLLOW_UP, PEER_DELAY)
        tag = b"\x81\x00" + (value << 13).to_bytes(2) + b"\x88\xf7"
        assert tap.recv(2048) == bytes.fromhex("011b19000000") + a.mac + tag + SYNC
        assert tap.recv(2048) == bytes.fromhex("0180c200000e") + a.mac + tag + FOLLOW_UP
    received = take(b, 2)
    assert [r.octets for r in received] == [SYNC, FOLLOW_UP]
    assert received[0].stamp_ns


@pytest.mark.namespaces
@pytest.mark.parametrize("transport", ["udp4", "udp6"])
def test_udp_without_a_vlan_has_no_pcp_and_the_error_says_what_to_do(transport: str) -> None:
    with bed(transport) as cable:
        with pytest.raises(ChannelError, match=r"va: pcp = 4 cannot be had: it is no VLAN.*egress-qos-map 4:4") as e:
            cable.open("a", pcp=4)
        assert e.value.errno == errno.EOPNOTSUPP


@pytest.mark.parametrize("value", [-1, 8])
def test_a_pcp_out_of_range_is_refused(value: int) -> None:
    with pytest.raises(ValueError, match="pcp is 0 to 7"):
        open_channel("lo", "l2", pcp=value)


@pytest.mark.parametrize(
    ("egress", "wanted", "priority", "chosen"),
    [
        ({4: 4}, 4, 0, 4),
        ({2: 4, 6: 4}, 4, 6, 6),  # the configured priority does it
        ({2: 4, 6: 4}, 4, 5, 2),
        ({4: 4}, 0, 0, 0),
        ({4: 4}, 0, 4, 0),
        ({0: 3, 1: 1}, 0, 7, 7),  # what is not mapped is 0
        ({4: 4}, 5, 0, None),
        ({0: 3}, 0, 0, None),
    ],
)
def test_the_egress_map_is_read_and_a_priority_chosen(
    monkeypatch: pytest.MonkeyPatch, egress: dict[int, int], wanted: int, priority: int, chosen: int | None
) -> None:
    layers = (Layer("eth0.5", "vlan", 2, 5, egress), Layer("eth0", "", 0, None, {}))
    monkeypatch.setattr(pcp, "layers_of", lambda interface: layers)
    if chosen is None:
        with pytest.raises(ChannelError, match=r"ip link set dev eth0.5 type vlan egress-qos-map"):
            pcp.socket_priority("eth0.5", "udp4", wanted, priority)
    else:
        assert pcp.socket_priority("eth0.5", "udp4", wanted, priority) == (chosen, b"")


def test_link_messages_of_vlans_and_bonds() -> None:
    vlan = {
        "attrs": [
            ("IFLA_VLAN_ID", 5),
            ("IFLA_VLAN_EGRESS_QOS", {"attrs": [("IFLA_VLAN_QOS_MAPPING", {"from": 6, "to": 4})]}),
        ]
    }
    info = {"attrs": [("IFLA_INFO_KIND", "vlan"), ("IFLA_INFO_DATA", vlan)]}
    message = link(IFLA_IFNAME="eth0.5", IFLA_LINK=7, IFLA_LINKINFO=info)
    assert parse(message) == Layer("eth0.5", "vlan", 7, 5, {6: 4})
    elsewhere = link(IFLA_IFNAME="eth0.5", IFLA_LINK=7, IFLA_LINK_NETNSID=0, IFLA_LINKINFO=info)
    assert parse(elsewhere).lower == 0
    bond = {
        "attrs": [
            ("IFLA_INFO_KIND", "bond"),
            ("IFLA_INFO_DATA", {"attrs": [("IFLA_BOND_MODE", 1), ("IFLA_BOND_ACTIVE_SLAVE", 9)]}),
        ]
    }
    assert parse(link(IFLA_IFNAME="bond0", IFLA_LINKINFO=bond)) == Layer("bond0", "bond", 9, None, {})
    lacp = {"attrs": [("IFLA_INFO_KIND", "bond"), ("IFLA_INFO_DATA", {"attrs": [("IFLA_BOND_MODE", 4)]})]}
    spreading = parse(link(IFLA_IFNAME="bond0", IFLA_LINKINFO=lacp))
    assert (spreading.kind, spreading.lower) == ("spreading bond", 0)
    assert describe((spreading,)) == "bond0 spreads frames over its members"
    plain = parse(link(IFLA_IFNAME="eth0"))
    assert plain == Layer("eth0", "", 0, None, {})
    assert describe((parse(message), Layer("bond0", "bond", 9, None, {}), plain)) == (
        "eth0.5 is VLAN 5 on bond0, bond0's active member is eth0"
    )
    assert describe((Layer("bond0", "bond", 0, None, {}),)) == "bond0 has no active member"
    assert describe((plain,)) == ""
    for cut in range(len(message)):
        parse(message[:cut])


@pytest.mark.namespaces
def test_layers_as_the_kernel_tells_them() -> None:
    with namespaces("a", "b") as ns:
        veth(ns["a"], "va", ns["b"], "vb")
        ns["a"].ip("link add link va name upper type macvlan mode bridge")
        with ns["a"].entered():
            layers = layers_of("upper")
            assert [(layer.name, layer.kind) for layer in layers] == [("upper", "macvlan"), ("va", "veth")]
            assert describe(layers) == "upper is a macvlan on va"
            assert [layer.name for layer in layers_of("nix0")] == ["nix0"]
        ns["a"].ip(f"link set upper netns {ns['b'].path}")
        with ns["b"].entered():
            assert [layer.name for layer in layers_of("upper")] == ["upper"], "its parent is elsewhere"


@pytest.mark.namespaces
def test_a_channel_says_what_it_stands_on() -> None:
    with namespaces("a", "b") as ns:
        veth(ns["a"], "va", ns["b"], "vb")
        ns["a"].ip("link add link va name upper type macvlan mode bridge")
        ns["a"].ip("link set upper up")
        with ns["a"].entered():
            channel = open_channel("upper", "l2")
        assert channel.stack == ("upper", "va")
        assert channel.stamping_reason.endswith("(upper is a macvlan on va)")
        channel.close()
