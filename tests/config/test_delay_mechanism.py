"""The delay mechanism of a port: the profile's, or another where the profile allows it."""

from __future__ import annotations

import pytest

from ptpstack.config.dump import dumps
from ptpstack.config.findings import ERROR, Finding
from ptpstack.config.load import parse_site, site_for_roles
from ptpstack.config.model import Site
from ptpstack.config.profiles import load_profile
from ptpstack.protocol.options import PortOptions


def look(port: str, profile: str = "default-e2e") -> tuple[Site, list[Finding]]:
    return parse_site(f'[[instance]]\nprofile = "{profile}"\n[[instance.port]]\ninterface = "eth1"\n{port}')


def site(port: str, profile: str = "default-e2e") -> Site:
    made, findings = look(port, profile)
    assert findings == []
    return made


def port_of(made: Site) -> PortOptions:
    return made.instances[0].options.ports[0]


def test_PRF_02_the_default_profile_of_peer_delay() -> None:
    profile = load_profile("default-p2p")
    p = profile.parameters["log_min_pdelay_req_interval"]
    assert (p.default, p.low, p.high) == (0, 0, 5)
    assert profile.identifier == "00-1B-19-00-02-00"
    port = port_of(site("", "default-p2p"))
    assert (port.delay_mechanism, port.log_min_pdelay_req_interval) == ("P2P", 0)


def test_a_profile_names_the_mechanism_and_may_allow_another() -> None:
    assert port_of(site("")).delay_mechanism == "E2E"
    made = site('delay_mechanism = "P2P"\nlog_min_pdelay_req_interval = 2\nseveral_peers = "fault"')
    port = port_of(made)
    assert (port.delay_mechanism, port.log_min_pdelay_req_interval, port.several_peers) == ("P2P", 2, "fault")
    assert parse_site(dumps(made))[0] == made


@pytest.mark.parametrize(
    ("profile", "mechanism"), [("hospital-theatre", "P2P"), ("hospital-imaging", "P2P"), ("default-p2p", "E2E")]
)
def test_a_profile_may_refuse_another(profile: str, mechanism: str) -> None:
    (finding,) = look(f'delay_mechanism = "{mechanism}"', profile)[1]
    assert finding.severity == ERROR
    assert finding.path == "instance[0].port[0].delay_mechanism"
    assert f"not for {mechanism}" in finding.reason


@pytest.mark.parametrize(
    ("mechanism", "key"),
    [
        ("E2E", "log_min_pdelay_req_interval = 1"),
        ("E2E", 'several_peers = "fault"'),
        ("P2P", "log_min_delay_req_interval = 1"),
    ],
)
def test_a_key_of_the_other_mechanism_is_told_to_have_no_effect(mechanism: str, key: str) -> None:
    (finding,) = look(f'delay_mechanism = "{mechanism}"\n{key}')[1]
    assert finding.severity != ERROR
    assert finding.path.endswith(key.split(" ")[0])
    assert mechanism in finding.reason


def test_roles_take_it_from_the_command_line() -> None:
    made = site_for_roles("gm", ["lo"], delay_mechanism="P2P", log_min_pdelay_req_interval=3)
    assert (port_of(made).delay_mechanism, port_of(made).log_min_pdelay_req_interval) == ("P2P", 3)
