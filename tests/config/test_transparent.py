"""Transparent clocks in a site file and on a command line."""

from __future__ import annotations

import pytest

from ptpstack.config.dump import dumps
from ptpstack.config.findings import ERROR, ConfigError
from ptpstack.config.load import loads, parse_site, site_for_roles

TC = '[[transparent]]\n[[transparent.port]]\ninterface = "eth0"\n[[transparent.port]]\ninterface = "eth1"\n'


def test_defaults_and_round_trip() -> None:
    site = loads(TC + "delay_asymmetry_ns = -30.5\n")
    (transparent,) = site.transparent
    assert site.instances == ()
    assert (transparent.options.name, transparent.options.clock, transparent.options.syntonise) == ("tc", "clock", True)
    assert [port.channel for port in transparent.options.ports] == ["eth0/bridge", "eth1/bridge"]
    assert [port.delay_asymmetry_ns for port in transparent.options.ports] == [0.0, -30.5]
    assert loads(dumps(site)) == site


def test_several_have_names_of_their_own() -> None:
    site = loads(TC + TC.replace("eth0", "eth2").replace("eth1", "eth3"))
    assert [t.options.name for t in site.transparent] == ["tc", "tc-2"]


def test_it_stands_beside_instances_on_other_interfaces() -> None:
    site = loads(TC + '[[instance]]\n[[instance.port]]\ninterface = "eth2"\n')
    assert (len(site.instances), len(site.transparent)) == (1, 1)


@pytest.mark.parametrize(
    ("text", "path", "reason"),
    [
        (TC[: TC.rindex("[[")], "transparent[0]", "passes frames between ports, and has 1"),
        (TC.replace("eth1", "eth0"), "transparent[0].port[1].interface", '"eth0" is used by transparent clock'),
        (
            TC + '[[instance]]\n[[instance.port]]\ninterface = "eth1"\n',
            "transparent[0].port[1].interface",
            '"eth1" is used by instance "domain0"',
        ),
        (TC.replace("]]\n", ']]\nclock = "nowhere"\n', 1), "transparent[0].clock", 'there is no clock "nowhere"'),
        (TC.replace("]]\n", "]]\nsyntonize = true\n", 1), "transparent[0].syntonize", "unknown key"),
    ],
)
def test_what_is_wrong_is_said_where(text: str, path: str, reason: str) -> None:
    site, findings = parse_site(text)
    assert site is None
    (finding,) = [f for f in findings if f.severity == ERROR]
    assert finding.path == path
    assert reason in finding.reason
    assert finding.fix


def test_from_a_command_line() -> None:
    site = site_for_roles("tc", ["eth0", "eth1"], clock_type="simulated", stamping="software")
    assert [c.transport for c in site.transparent[0].channels] == ["bridge", "bridge"]
    assert site.transparent[0].stamping == "software"
    assert site.clocks[0].type == "simulated"
    with pytest.raises(ConfigError, match="no option of a transparent clock"):
        site_for_roles("tc", ["eth0", "eth1"], priority1=5)


def test_a_peer_to_peer_clock() -> None:
    keys = 'delay_mechanism = "P2P"\ntransport = "l2"\ndomain = 254\nclock_identity = "0201fffe00000001"\n'
    site = loads(TC.replace("]]\n", "]]\n" + keys, 1))
    options = site.transparent[0].options
    assert (options.delay_mechanism, options.transport, options.domain) == ("P2P", "l2", 254)
    assert options.clock_identity == bytes.fromhex("0201fffe00000001")
    assert loads(dumps(site)) == site


def test_what_only_a_clock_that_measures_links_has_is_said_to_do_nothing() -> None:
    _, findings = parse_site(TC.replace("]]\n", "]]\ndomain = 5\n", 1))
    assert [(f.path, f.reason) for f in findings if "no effect" in f.reason] == [
        ("transparent[0].domain", "has no effect: the delay mechanism is E2E")
    ]


INSIDE = TC + '[[instance]]\nclient_only = true\n[[instance.port]]\ninterface = "tc"\ntransport = "l2"\n'


def test_an_instance_inside() -> None:
    site = loads(INSIDE)
    assert site.transparent[0].options.inside == ("tc/l2",)
    assert site.inside == {"tc/l2"}
    assert loads(dumps(site)) == site
    assert loads(TC).transparent[0].options.inside == ()


@pytest.mark.parametrize(
    ("text", "path", "reason"),
    [
        (
            INSIDE.replace("]]\n", ']]\ndelay_mechanism = "P2P"\n', 1),
            "instance[0].port[0].delay_mechanism",
            'is E2E, and transparent clock "tc" is P2P',
        ),
        (
            INSIDE.replace("client_only = true\n", "") + '[[instance.port]]\ninterface = "eth2"\n',
            "instance[0]",
            "has that as its only port, and this has 2",
        ),
        (
            INSIDE.replace("]]\n", ']]\nclock = "a"\n', 1).replace("client_only", 'clock = "b"\nclient_only')
            + '[[clock]]\nname = "a"\ntype = "simulated"\n[[clock]]\nname = "b"\ntype = "simulated"\n',
            "instance[0].clock",
            'is "b", and transparent clock "tc" has "a"',
        ),
        (
            INSIDE.replace('"l2"', '"udp4"') + "[instance.port.unicast]\nunicast_delay_req = true\n",
            "instance[0].port[0].unicast",
            "by multicast only",
        ),
    ],
)
def test_what_an_instance_inside_cannot_be(text: str, path: str, reason: str) -> None:
    site, findings = parse_site(text)
    assert site is None
    (finding,) = [f for f in findings if f.severity == ERROR]
    assert finding.path == path
    assert reason in finding.reason
    assert finding.fix


def test_what_it_adds_to_the_tlv_of_a_power_profile() -> None:
    site = loads(TC.replace("]]\n", "]]\ntime_inaccuracy_ns = 50\n", 1))
    assert site.transparent[0].options.time_inaccuracy_ns == 50
    assert loads(dumps(site)) == site
