"""``[instance.port.unicast]``: what it becomes, what of it is refused, and what a profile says about it."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from ptpstack.config.dump import dumps
from ptpstack.config.findings import ERROR, NOTE, WARNING, ConfigError, Finding
from ptpstack.config.load import loads, parse_site
from ptpstack.config.model import Site
from ptpstack.config.profiles import load_profile
from ptpstack.engine.plan import ClockPlan, EnginePlan, InstancePlan, plan_as_dict, plan_from_dict
from ptpstack.protocol.options import UnicastOptions, UnicastServer

HEAD = '[[instance]]\n[[instance.port]]\ninterface = "eth1"\n'
U = "[instance.port.unicast]\n"
S = "[[instance.port.unicast.server]]\n"
HERE = "instance[0].port[0].unicast"


def unicast(text: str, head: str = HEAD) -> UnicastOptions:
    site = loads(head + text)
    assert loads(dumps(site)) == site
    return site.instances[0].options.ports[0].unicast


def found(text: str, head: str = HEAD) -> list[Finding]:
    return [f for f in parse_site(head + text)[1] if f.severity != NOTE]


def test_off_unless_asked_for() -> None:
    assert unicast("") == UnicastOptions()
    assert not unicast("").active
    assert unicast(U) == UnicastOptions()


def test_a_client_takes_no_part_in_multicast_unless_told() -> None:
    options = unicast(S + 'address = "192.0.2.1"\n' + S + 'address = "192.0.2.2"\nlocal_priority = 5\n')
    assert options.servers == (UnicastServer("192.0.2.1"), UnicastServer("192.0.2.2", 5))
    assert not options.multicast
    assert not options.serve
    assert unicast(U + "multicast = true\n" + S + 'address = "192.0.2.1"\n').multicast


def test_a_server_requires_negotiation_when_it_does_not_serve_by_multicast() -> None:
    both = unicast(U + "serve = true\n")
    assert (both.multicast, both.negotiation_required) == (True, False)
    only = unicast(U + "serve = true\nmulticast = false\n")
    assert (only.multicast, only.negotiation_required) == (False, True)
    open_to_all = unicast(U + "serve = true\nmulticast = false\nnegotiation_required = false\n")
    assert not open_to_all.negotiation_required


@pytest.mark.parametrize(
    ("transport", "written", "meant"),
    [
        ("udp4", "192.0.2.1", "192.0.2.1"),
        ("l2", "02:00:00:00:00:AB", "02:00:00:00:00:ab"),
        ("l2", "02-00-00-00-00-ab", "02:00:00:00:00:ab"),
    ],
)
def test_addresses_are_those_of_the_transport(transport: str, written: str, meant: str) -> None:
    head = HEAD + f'transport = "{transport}"\n'
    assert unicast(S + f'address = "{written}"\n', head).servers[0].address == meant


CASES: dict[str, tuple[str, str, str, str, str]] = {
    "no address": (S, f"{HERE}.server[0]", ERROR, "address is missing", "add address"),
    "host name": (S + 'address = "gm.example"\n', f"{HERE}.server[0].address", ERROR, "IPv4", "in figures"),
    "other kind": (S + 'address = "2001:db8::1"\n', f"{HERE}.server[0].address", ERROR, "IPv4", "in figures"),
    "group": (S + 'address = "224.0.1.129"\n', f"{HERE}.server[0].address", ERROR, "one station", "in figures"),
    "everybody": (S + 'address = "255.255.255.255"\n', f"{HERE}.server[0].address", ERROR, "one station", ""),
    "priority": (
        S + 'address = "192.0.2.1"\nlocal_priority = 0\n',
        f"{HERE}.server[0].local_priority", ERROR, "0 is out of range", "1..255",
    ),
    "twice": ((S + 'address = "192.0.2.1"\n') * 2, HERE, ERROR, "both 192.0.2.1", "remove one"),
    "local priority without meaning": (
        S + 'address = "192.0.2.1"\nlocal_priority = 5\n',
        f"{HERE}.server[0].local_priority", WARNING, 'BMCA "default" knows no localPriority', "alternate_priority1",
    ),
    "mute": (U + "multicast = false\n", f"{HERE}.multicast", ERROR, "neither serves nor asks", "serve = true"),
    "durations": (
        U + "serve = true\nmin_duration_s = 100\nmax_duration_s = 50\n",
        f"{HERE}.min_duration_s", ERROR, "100 s is more than", "make it less",
    ),
    "query": (
        U + "log_query_interval = 5\n" + S + 'address = "192.0.2.1"\n',
        f"{HERE}.log_query_interval", ERROR, "5 is more than", "at most",
    ),
    "serving keys of a client": (
        U + "max_clients = 5\n" + S + 'address = "192.0.2.1"\n',
        f"{HERE}.max_clients", WARNING, "has no effect: the port does not serve", "",
    ),
    "asking keys of a server": (
        U + "serve = true\nduration_s = 60\n", f"{HERE}.duration_s", WARNING, "no effect: no server is given", ""
    ),
    "hybrid without multicast": (
        U + "unicast_delay_req = true\nmulticast = false\nserve = true\n",
        f"{HERE}.unicast_delay_req", WARNING, "every Delay_Req is unicast", "",
    ),
    "misspelt": (U + "server = true\n", f"{HERE}.server", ERROR, "list of tables", "[[instance.port.unicast.server]]"),
    "unknown": (U + "max_client = 1\n", f"{HERE}.max_client", ERROR, "unknown key", '"max_clients"'),
}  # fmt: skip


@pytest.mark.parametrize("name", CASES)
def test_finding(name: str) -> None:
    text, path, severity, reason, fix = CASES[name]
    (finding,) = found(text)
    assert (finding.path, finding.severity) == (path, severity)
    assert reason in finding.reason
    assert fix in finding.fix


def test_roles_that_contradict_it() -> None:
    client = '[[instance]]\nclient_only = true\n[[instance.port]]\ninterface = "eth1"\n'
    assert [f.path for f in found(U + "serve = true\n", client)] == [f"{HERE}.serve"]
    server_only = HEAD + "server_only = true\n"
    assert [f.path for f in found(S + 'address = "192.0.2.1"\n', server_only)] == [HERE]


PROFILE = """
name = "mine"
title = "mine"
[unicast]
duration_s = { default = 300, min = 60, max = 1000 }
min_duration_s = { default = 60, min = 60, max = 1000 }
max_duration_s = { default = 1000, min = 60, max = 1000 }
log_min_sync_interval = { default = -4, min = -4, max = 0 }
[behaviours]
unicast_negotiation = "%s"
"""


def with_profile(tmp_path: Path, behaviour: str = "optional") -> str:
    path = tmp_path / "mine.toml"
    path.write_text(PROFILE % behaviour)
    return f'[[instance]]\nprofile = "{path}"\n[[instance.port]]\ninterface = "eth1"\n'


def test_a_profile_gives_durations_and_rates_with_their_ranges(tmp_path: Path) -> None:
    head = with_profile(tmp_path)
    serving = unicast(U + "serve = true\n", head)
    assert (serving.min_duration_s, serving.max_duration_s, serving.log_min_sync_interval) == (60, 1000, -4)
    asking = unicast(S + 'address = "192.0.2.1"\n', head)
    assert asking.duration_s == 300
    (finding,) = found(U + "duration_s = 30\n" + S + 'address = "192.0.2.1"\n', head)
    assert (finding.path, finding.severity) == (f"{HERE}.duration_s", ERROR)
    assert "60..1000 s" in finding.reason


TELECOM = '[[instance]]\nprofile = "g8275-2"\ndomain = %d\n[[instance.port]]\ninterface = "eth1"\n'


def test_PRF_12_durations_of_the_telecom_profiles() -> None:
    for name in ("g8275-2", "g8265-1"):
        parameters = load_profile(name).parameters
        for key in ("duration_s", "min_duration_s", "max_duration_s"):
            assert (parameters[key].low, parameters[key].high) == (60, 1000)
        assert parameters["duration_s"].default == 300
    serving = unicast(U + "serve = true\n", TELECOM % 44)
    assert (serving.min_duration_s, serving.max_duration_s) == (60, 1000)
    assert (serving.multicast, serving.negotiation_required) == (False, True)


def test_PRF_13_domains_of_the_telecom_profile() -> None:
    for domain, good in ((43, False), (44, True), (63, True), (64, False)):
        assert (found(U + "serve = true\n", TELECOM % domain) == []) is good


def test_a_profile_may_require_it() -> None:
    (silent,) = found("", TELECOM % 44)
    assert "neither serves nor asks" in silent.reason
    assert any(
        "negotiated unicast only" in f.reason for f in found(U + "serve = true\nmulticast = true\n", TELECOM % 44)
    )


def test_a_profile_may_prohibit_it(tmp_path: Path) -> None:
    head = with_profile(tmp_path, "prohibited")
    assert found("", head) == []
    for text in (U + "serve = true\n", S + 'address = "192.0.2.1"\n'):
        (finding,) = found(text, head)
        assert finding.severity == ERROR
        assert "prohibits unicast negotiation" in finding.reason


def test_a_wrong_profile_says_where(tmp_path: Path) -> None:
    path = tmp_path / "bad.toml"
    path.write_text(
        'name = "bad"\ntitle = "bad"\n[unicast]\nduration = { default = 1 }\nduration_s = { default = 0 }\n'
    )
    with pytest.raises(ConfigError) as raised:
        load_profile(str(path))
    paths = {f.path for f in raised.value.findings}
    assert "unicast.duration" in paths
    assert any(p.startswith("unicast.duration_s") for p in paths)


def test_the_examples_of_the_page_are_valid() -> None:
    page = (Path(__file__).parents[2] / "docs" / "unicast.md").read_text()
    examples = re.findall(r"```toml\n(.*?)```", page, re.S)
    assert len(examples) == 2
    for example in examples:
        assert loads(example).instances[0].options.ports[0].unicast.active


def test_a_plan_carries_it_through_a_trace() -> None:
    site: Site = loads(HEAD + S + 'address = "192.0.2.1"\nlocal_priority = 3\n')
    made = EnginePlan((InstancePlan(site.instances[0].options),), (ClockPlan("clock"),))
    assert plan_from_dict(plan_as_dict(made)) == made
