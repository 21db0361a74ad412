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


TABLES = '[[instance]]\n{}\n[[instance.port]]\ninterface = "eth1"\n{}\n'


def test_tables_of_an_instance_are_read_and_written_back() -> None:
    text = TABLES.format(
        "path_trace = true",
        '[[instance.acceptable_master]]\nclock_identity = "001b21.fffe.aabbcc"\nalternate_priority1 = 3\n'
        '[[instance.alternate_time_offset]]\nkey = 1\nzone = "Europe/Berlin"\n'
        '[[instance.alternate_time_offset]]\nkey = 2\nname = "plant"\nutc_offset_s = 7200\n',
    )
    site = loads(text)
    options = site.instances[0].options
    assert options.path_trace
    assert options.ports[0].acceptable_masters_only
    assert options.acceptable_masters[0].alternate_priority1 == 3
    assert [(t.key, t.name, t.zone) for t in options.alternate_timescales] == [
        (1, "Berlin", "Europe/Berlin"),
        (2, "plant", ""),
    ]
    assert loads(dumps(site)) == site


@pytest.mark.parametrize(
    ("port", "tables", "path", "reason"),
    [
        ("", "[[instance.alternate_time_offset]]\nkey = 1\n", "alternate_time_offset[0]", "either a zone or"),
        (
            "",
            '[[instance.alternate_time_offset]]\nkey = 1\nzone = "Europe/Atlantis"\n',
            "alternate_time_offset[0].zone",
            "no time zone",
        ),
        (
            "",
            '[[instance.alternate_time_offset]]\nkey = 1\nutc_offset_s = 0\nname = "much too long"\n',
            "alternate_time_offset[0].name",
            "more than 10",
        ),
        (
            "",
            "[[instance.alternate_time_offset]]\nkey = 1\nutc_offset_s = 0\n" * 2,
            "alternate_time_offset[1]",
            "same key",
        ),
        ("acceptable_masters_only = true", "", "port[0].acceptable_masters_only", "would follow nobody"),
    ],
)
def test_what_is_wrong_with_tables_of_an_instance(port: str, tables: str, path: str, reason: str) -> None:
    found = site_errors(TABLES.format("", port + "\n" + tables))
    assert [p for p, _ in found] == [f"instance[0].{path}"]
    assert reason in found[0][1]


# ---------------------------------------------------------------------------------------------------- profiles


def profile_errors(profile: str, instance: str = "", port: str = "") -> list[str]:
    text = f'[[instance]]\nprofile = "{profile}"\n{instance}\n[[instance.port]]\ninterface = "eth1"\n{port}\n'
    return [path for path, _ in site_errors(text)]


@pytest.mark.parametrize(("domain", "fine"), [(23, False), (24, True), (43, True), (44, False)])
def test_PRF_04_domains_of_g8275_1(domain: int, fine: bool) -> None:
    assert profile_errors("g8275-1", f"domain = {domain}") == ([] if fine else ["instance[0].domain"])


def test_g8275_1_has_one_rate_one_transport_and_one_priority1() -> None:
    for name, value in (("log_announce_interval", -2), ("log_sync_interval", -3), ("log_min_delay_req_interval", 0)):
        assert profile_errors("g8275-1", port=f"{name} = {value}") == [f"instance[0].port[0].{name}"]
    assert profile_errors("g8275-1", port='transport = "udp4"') == ["instance[0].port[0].transport"]
    assert profile_errors("g8275-1", "priority1 = 1") == ["instance[0].priority1"]


def test_g8275_1_ports_of_a_grandmaster_never_follow_unless_told_so() -> None:
    text = '[[instance]]\nprofile = "g8275-1"\nrole = "{}"\n[[instance.port]]\ninterface = "eth1"\n{}\n'
    for role, line, expected in (
        ("grandmaster", "", True),
        ("grandmaster", "server_only = false", False),
        ("ordinary", "", False),
    ):
        port = loads(text.format(role, line)).instances[0].options.ports[0]
        assert port.server_only == expected
        assert port.link_local
    assert not loads(text.format("ordinary", 'l2_group = "forwardable"')).instances[0].options.ports[0].link_local


def test_sync_metadata_of_st2059_2_are_read_written_back_and_missed() -> None:
    head = '[[instance]]\nprofile = "st2059-2"\nrole = "grandmaster"\n[[instance.port]]\ninterface = "eth1"\n'
    table = '[instance.sync_metadata]\nzone = "Asia/Shanghai"\nframe_rate = "30000/1001"\ndaily_jam = "02:30"\n'
    site = loads(head + table)
    told = site.instances[0].options.sync_metadata
    assert told is not None
    assert (told.frame_rate, told.daily_jam_s, told.timescale.offsets[0][1]) == ((30000, 1001), 9000, 8 * 3600)
    assert loads(dumps(site)) == site
    assert any("frame rate and local time" in f.reason for f in parse_site(head)[1])
    assert not any("frame rate and local time" in f.reason for f in parse_site(head + table)[1])
    for line, key in (
        ('frame_rate = "0"', "frame_rate"),
        ('daily_jam = "24:00"', "daily_jam"),
        ('zone = "X/Y"', "zone"),
    ):
        wrong = "\n".join([line, *(row for row in table.splitlines()[1:] if key not in row)])
        found = site_errors(f"{head}[instance.sync_metadata]\n{wrong}\n")
        assert [path for path, _ in found] == [f"instance[0].sync_metadata.{key}"]


@pytest.mark.parametrize(("name", "low", "high"), [("log_announce_interval", -3, 1), ("log_sync_interval", -7, -1)])
def test_PRF_24_ranges_of_st2059_2(name: str, low: int, high: int) -> None:
    site = loads('[[instance]]\nprofile = "st2059-2"\n[[instance.port]]\ninterface = "eth1"\n')
    assert site.instances[0].options.domain == 127
    for value, fine in ((low - 1, False), (low, True), (high, True), (high + 1, False)):
        assert profile_errors("st2059-2", port=f"{name} = {value}") == ([] if fine else [f"instance[0].port[0].{name}"])
