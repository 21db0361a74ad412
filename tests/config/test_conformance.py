"""Rows of the conformance catalogue that the configuration keeps: ranges of the default profile."""

from __future__ import annotations

import pytest

from ptpstack.config.dump import dumps
from ptpstack.config.findings import ERROR
from ptpstack.config.load import loads, parse_site

HEAD = '[[instance]]\nprofile = "default-e2e"\n[[instance.port]]\ninterface = "eth1"\n'


def errors(line: str) -> list[str]:
    return [f.path for f in parse_site(HEAD + line)[1] if f.severity == ERROR]


@pytest.mark.parametrize(
    ("name", "low", "high"),
    [
        ("log_announce_interval", 0, 4),
        ("log_sync_interval", -1, 1),
        ("log_min_delay_req_interval", 0, 5),
        ("announce_receipt_timeout", 2, 10),
    ],
)
def test_PRF_03_ranges_of_the_default_profile_are_enforced(name: str, low: int, high: int) -> None:
    for value in (low, high):
        assert errors(f"{name} = {value}\n") == []
    for value in (low - 1, high + 1):
        assert errors(f"{name} = {value}\n") == [f"instance[0].port[0].{name}"]


@pytest.mark.parametrize("timeout", [0, 1])
def test_FSM_20_a_timeout_below_two_is_refused(timeout: int) -> None:
    line = f"announce_receipt_timeout = {timeout}\n"
    assert errors(line) == ["instance[0].port[0].announce_receipt_timeout"]
    unrestricted = HEAD.replace("default-e2e", "unrestricted") + line
    assert [f.path for f in parse_site(unrestricted)[1] if f.severity == ERROR]


# ------------------------------------------------------------------------------------------ options of an instance


def site_errors(text: str) -> list[tuple[str, str]]:
    return [(f.path, f.reason) for f in parse_site(text)[1] if f.severity == ERROR]


EXTERNAL = "[[instance]]\nexternal_port_configuration = true\n"


def test_external_port_configuration_gives_ports_the_state_of_their_role() -> None:
    for role, state, listen in (("grandmaster", "master", False), ("ordinary", "slave", True)):
        site = loads(EXTERNAL + f'role = "{role}"\n[[instance.port]]\ninterface = "eth1"\n')
        options = site.instances[0].options
        assert options.bmca == "external"
        assert (options.ports[0].desired_state, options.ports[0].listen_first) == (state, listen)
        assert loads(dumps(site)) == site


def test_a_boundary_clock_must_say_what_each_port_is_to_be() -> None:
    text = EXTERNAL + '[[instance.port]]\ninterface = "eth1"\n[[instance.port]]\ninterface = "eth2"\n'
    found = site_errors(text)
    assert [path for path, _ in found] == ["instance[0].port[0]", "instance[0].port[1]"]
    states = text.replace('"eth1"\n', '"eth1"\ndesired_state = "slave"\n') + 'desired_state = "master"\n'
    assert [p.desired_state for p in loads(states).instances[0].options.ports] == ["slave", "master"]


@pytest.mark.parametrize(
    ("instance", "port", "path", "reason"),
    [
        ("", 'desired_state = "slave"', "instance[0].port[0].desired_state", "with external_port_configuration only"),
        ("external_port_configuration = true\nclient_only = true", "", "instance[0].client_only", "slaveOnly is FALSE"),
        (
            "external_port_configuration = true",
            "server_only = true",
            "instance[0].port[0].server_only",
            "masterOnly is FALSE",
        ),
    ],
)
def test_external_port_configuration_and_its_contradictions(instance: str, port: str, path: str, reason: str) -> None:
    found = site_errors(f'[[instance]]\n{instance}\n[[instance.port]]\ninterface = "eth1"\n{port}\n')
    assert [p for p, _ in found] == [path]
    assert reason in found[0][1]
