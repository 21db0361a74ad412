"""Sites: what comes out, from files and command lines, and back to TOML."""

from __future__ import annotations

import os
import tomllib
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, find, given, settings
from hypothesis import strategies as st

from ptpstack.config.dump import dump_document, dumps, site_as_dict
from ptpstack.config.findings import ERROR, WARNING, ConfigError, UnreadableError
from ptpstack.config.load import check_site, load_site, loads, parse_site, site_for_roles
from ptpstack.config.machine import interface_names
from ptpstack.config.model import ClockOptions
from ptpstack.config.profiles import list_profiles
from ptpstack.config.quantities import format_accuracy, format_time_source, parse_accuracy, parse_time_source
from ptpstack.config.schema import (
    ACCURACY,
    BOOLEAN,
    CHOICE,
    IDENTITY,
    INTEGER,
    INTERFACE,
    NUMBER,
    SITE,
    TIME_SOURCE,
    Field,
    Table,
)
from ptpstack.wire.types import CLOCK_ACCURACY_NS, ClockQuality

EXAMPLES = sorted((Path(__file__).parents[2] / "docs" / "examples").glob("*.toml"))
SMALLEST = '[[instance]]\n[[instance.port]]\ninterface = "eth1"\n'


def test_defaults() -> None:
    site = loads(SMALLEST)
    instance = site.instances[0]
    assert site.clocks == (ClockOptions(),)
    assert (instance.role, instance.options.name, instance.options.clock) == ("ordinary", "domain0", "clock")
    assert instance.options.quality == ClockQuality(248, 0xFE, 0xFFFF)
    assert instance.options.clock_identity == b""
    port = instance.options.ports[0]
    assert (port.channel, port.log_announce_interval, port.log_sync_interval) == ("eth1/udp4", 1, 0)
    assert instance.channels[0].name == port.channel


def test_profile_gives_defaults() -> None:
    site = loads(SMALLEST.replace("\n", '\nprofile = "hospital-theatre"\n', 1))
    instance = site.instances[0]
    assert (instance.options.domain, instance.options.profile) == (10, "hospital-theatre")
    assert instance.options.ports[0].log_sync_interval == -3
    assert instance.channels[0].dscp_event == 46


def test_client_only_is_ranked_last() -> None:
    options = loads(SMALLEST.replace("\n", "\nclient_only = true\n", 1)).instances[0].options
    assert (options.priority1, options.priority2, options.quality.clock_class) == (255, 255, 255)
    own = loads(SMALLEST.replace("\n", "\nclient_only = true\npriority1 = 7\n", 1)).instances[0].options
    assert (own.priority1, own.priority2) == (7, 255)


def test_system_clock_is_left_alone_unless_told() -> None:
    assert not ClockOptions().steers("system")
    assert ClockOptions().steers("phc")
    assert ClockOptions(steer=True).steers("system")
    assert not ClockOptions(steer=False).steers("simulated")


def test_shared_channel_is_listed_once() -> None:
    site = loads(SMALLEST + SMALLEST.replace("\n", "\ndomain = 1\n", 1))
    assert [c.name for c in site.channels] == ["eth1/udp4"]
    assert [i.options.name for i in site.instances] == ["domain0", "domain1"]


def test_made_up_names_avoid_given_ones() -> None:
    site = loads(SMALLEST + SMALLEST.replace("\n", "\ndomain = 1\nname = 'domain0'\n", 1))
    assert [i.options.name for i in site.instances] == ["domain0-0", "domain0"]


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda p: p.stem)
def test_examples_are_fine(path: Path) -> None:
    assert [f for f in check_site(path) if f.severity in (ERROR, WARNING)] == []
    site = load_site(path)
    assert loads(dumps(site)) == site


def test_there_are_examples() -> None:
    assert {p.stem for p in EXAMPLES} >= {"grandmaster", "boundary", "client", "hospital"}


def test_roles() -> None:
    gm = site_for_roles("gm", ["eth1"], phc="/dev/ptp0", priority1=100)
    assert (gm.instances[0].role, gm.instances[0].reference.type, gm.instances[0].options.priority1) == (
        "grandmaster",
        "system",
        100,
    )
    assert (gm.clocks[0].type, gm.clocks[0].device) == ("phc", "/dev/ptp0")
    assert gm.instances[0].reference.state == "free-running"
    bc = site_for_roles("boundary", ["eth1", "eth2"], transport="l2", node_name="x", servo_kp=0.5)
    assert [c.name for c in bc.channels] == ["eth1/l2", "eth2/l2"]
    assert (bc.node.name, bc.instances[0].servo.kp) == ("x", 0.5)
    oc = site_for_roles("oc", ["eth1"], client_only=True, domain=None)
    assert oc.instances[0].options.client_only


@pytest.mark.parametrize(
    ("role", "interfaces", "overrides", "reason"),
    [
        ("gmm", ["eth1"], {}, "is not a role"),
        ("gm", [], {}, "no port"),
        ("gm", ["a/b"], {}, "cannot be the name"),
        ("oc", ["eth1", "eth2"], {}, "ordinary clock has one port"),
        ("gm", ["eth1"], {"priorty1": 1}, 'did you mean "priority1"'),
        ("gm", ["eth1"], {"clock_tpye": "phc"}, 'did you mean "clock_type"'),
        ("gm", ["eth1"], {"domain": 200}, "outside profile"),
        ("gm", ["eth1"], {"client_only": True}, "cannot be client only"),
        ("gm", ["eth1"], {"profile": "defualt-e2e"}, 'did you mean "default-e2e"'),
    ],
)
def test_roles_are_checked_like_files(role: str, interfaces: list[str], overrides: dict[str, Any], reason: str) -> None:
    with pytest.raises(ConfigError, match=reason) as caught:
        site_for_roles(role, interfaces, **overrides)
    assert all(f.line is None for f in caught.value.findings)


def test_unreadable(tmp_path: Path) -> None:
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    large = tmp_path / "large.toml"
    large.write_bytes(b"#" * (1 << 21))
    for path in (tmp_path / "none.toml", tmp_path, fifo, large, "/dev/null", "a\0b"):
        with pytest.raises(UnreadableError) as caught:
            load_site(path)
        assert caught.value.findings[0].fix


def test_profile_path_is_relative_to_the_site(tmp_path: Path) -> None:
    (tmp_path / "mine.toml").write_text('name = "mine"\ntitle = "t"\n[instance]\ndomain = { default = 7 }\n')
    (tmp_path / "site.toml").write_text(SMALLEST.replace("\n", '\nprofile = "mine.toml"\n', 1))
    site = load_site(tmp_path / "site.toml")
    assert (site.instances[0].options.domain, site.instances[0].options.profile) == (7, "mine")
    assert loads(dumps(site)) == site


def test_machine_findings() -> None:
    name = interface_names()[0]
    text = SMALLEST.replace("eth1", "nosuch0") + (
        "[[clock]]\ntype='phc'\ndevice='/nonexistent'\n[node]\nuser='no such user'\nleap_file='/nonexistent/x'\n"
        "control='/nonexistent/y'\n"
    )
    site, found = parse_site(text, offline=False)
    assert site is not None
    places = {(f.path, f.severity) for f in found}
    for path in ("instance[0].port[0].interface", "clock[0].device", "node.user", "node.leap_file", "node.control"):
        assert (path, WARNING) in places
    assert parse_site(SMALLEST.replace("eth1", name), offline=False)[1] == []


def test_accuracy_is_never_better_than_said() -> None:
    for text, code in {
        "100 ns": 0x21,
        "101ns": 0x22,
        "2.5 us": 0x24,
        "1 ps": 0x17,
        "11 s": 0x31,
        "unknown": 0xFE,
    }.items():
        assert parse_accuracy(text) == code
    for code in [*CLOCK_ACCURACY_NS, 0x31, 0x80, 0xFD, 0xFE]:
        assert parse_accuracy(format_accuracy(code)) == code
    for code in range(256):
        assert parse_time_source(format_time_source(code)) == code


GOOD: dict[str, tuple[Any, ...]] = {
    "profile": (*list_profiles(), "unrestricted"),
    "clock": ("clock",),
    "name": ("clock", "b"),
    INTERFACE: ("eth1", "eth2", "eth3"),
    ACCURACY: ("100 ns", "unknown", 0x21, "3 ms"),
    TIME_SOURCE: ("gnss", "ptp", 0x12),
    IDENTITY: ("0011223344556677", "001122.fffe.334455"),
}


def value_for(spec: Field) -> st.SearchStrategy[Any]:
    """Mostly values a field takes, sometimes anything."""
    if spec.kind == CHOICE:
        good: st.SearchStrategy[Any] = st.sampled_from(spec.choices)
    elif spec.kind == BOOLEAN:
        good = st.booleans()
    elif spec.kind == INTEGER:
        good = st.integers(int(spec.low or 0), int(spec.high or 255))
    elif spec.kind == NUMBER:
        good = st.floats(spec.low, spec.high)
    else:
        good = st.sampled_from(GOOD.get(spec.name, GOOD.get(spec.kind, ("a", "b"))))
    odd = st.one_of(st.none(), st.integers(), st.floats(), st.text(max_size=5), st.lists(st.integers(), max_size=2))
    return st.integers(0, 200).flatmap(lambda n: odd.map(lambda v: "odd" if v is None else v) if n == 200 else good)


def table_strategy(table: Table) -> st.SearchStrategy[dict[str, Any]]:
    parts: dict[str, st.SearchStrategy[Any]] = {spec.name: value_for(spec) for spec in table.fields}
    needed = {name: parts.pop(name) for name in [s.name for s in table.fields if s.required]}
    for child in table.tables:
        inner = table_strategy(child)
        target = needed if child.name in ("instance", "port") else parts
        target[child.name] = st.lists(inner, min_size=1, max_size=2) if child.array else inner
    return st.fixed_dictionaries(needed, optional=parts)


@settings(max_examples=150, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large], deadline=None)
@given(table_strategy(SITE))
def test_random_documents_give_findings_or_a_site_that_round_trips(document: dict[str, Any]) -> None:
    text = dump_document(document)
    site, found = parse_site(text)
    assert (site is None) == any(f.severity == ERROR for f in found)
    if site is not None:
        assert loads(dumps(site)) == site
        again = parse_site(dumps(site))[1]
        assert not [f for f in again if "no effect" in f.reason]


EXAMPLE_TEXT = [path.read_text() for path in EXAMPLES]


@settings(max_examples=200, deadline=None)
@given(st.sampled_from(EXAMPLE_TEXT), st.data())
def test_mutated_files_raise_nothing(text: str, data: st.DataObject) -> None:
    octets = bytearray(text.encode())
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(octets) - 1))
        kind = data.draw(st.integers(0, 2))
        if kind == 0:
            octets[at : at + data.draw(st.integers(1, 30))] = b""
        elif kind == 1:
            octets[at] = data.draw(st.integers(0, 255))
        else:
            octets[at:at] = data.draw(
                st.sampled_from([b"[", b"]", b'"', b"\n", b"= ", b"{", b"[[instance]]\n", b"9" * 20])
            )
        octets = octets or bytearray(b"\n")
    site, found = parse_site(bytes(octets))
    assert (site is None) == any(f.severity == ERROR for f in found)
    line_count = octets.count(b"\n") + 1
    assert all(f.line is None or 1 <= f.line <= line_count for f in found)


def test_random_documents_are_not_all_wrong() -> None:
    """Guards the round trip above against testing nothing."""
    find(table_strategy(SITE), lambda document: parse_site(dump_document(document))[0] is not None)


def test_effective_configuration_is_the_document() -> None:
    site = loads(SMALLEST)
    assert tomllib.loads(dumps(site)) == site_as_dict(site)


def test_a_key_of_another_delay_mechanism_becomes_its_default() -> None:
    site = loads('[[instance]]\n[[instance.port]]\ninterface = "eth1"\nlog_min_pdelay_req_interval = 1\n')
    assert site.instances[0].options.ports[0].log_min_pdelay_req_interval == 0
    assert loads(dumps(site)) == site
