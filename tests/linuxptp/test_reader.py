"""The grammar, as Debian's ptp4l 3.1.1 was seen to take it."""

from __future__ import annotations

import pytest

from ptpstack.config.findings import ConfigError
from ptpstack.linuxptp.keys import ValueRefusedError, find, keys
from ptpstack.linuxptp.reader import parse_config
from ptpstack.linuxptp.settings import Settings, option, short


def read(text: str) -> Settings:
    return Settings(parse_config(text.encode(), "x.conf"))


def refused(text: str | bytes) -> list[tuple[int | None, str]]:
    with pytest.raises(ConfigError) as caught:
        parse_config(text.encode() if isinstance(text, str) else text, "x.conf")
    return [(f.line, f.reason) for f in caught.value.findings]


def test_all_keys_are_there_and_their_defaults_are_values() -> None:
    assert len(keys()) == 152
    outside = []
    for key in keys().values():
        assert key.scope in ("global", "port")
        assert key.by
        try:
            assert key.parse(key.show(key.default)) == key.default
        except ValueRefusedError:
            outside.append(key.name)
    # linuxptp's own way to say "not given"
    assert outside == ["ts2phc.perout_phase", "ts2phc.pulsewidth"]


@pytest.mark.parametrize(
    ("line", "value"),
    [
        ("priority1 010", 8),
        ("priority1 0x10", 16),
        ("priority1 0X10", 16),
        ("priority1\t\t5\t", 5),
        ("   priority1   5  ", 5),
        ("priority1\v5\r", 5),
        ("priority1 5\0junk", 5),
        ("logSyncInterval -3", -3),
        ("logSyncInterval +3", 3),
        ("logSyncInterval -0", 0),
        ("step_threshold 2e-5", 2e-5),
        ("step_threshold 0x1p-3", 0.125),
        ("step_threshold .5", 0.5),
        ("step_threshold 1.", 1.0),
        ("network_transport l2", "L2"),
        ("fault_reset_interval asap", -128),
        ("fault_badpeernet_interval ASAP", 0),
        ("productDescription a;b # c", "a;b # c"),
    ],
)
def test_values_that_are_taken(line: str, value: object) -> None:
    settings = read(f"[global]\n{line}\n")
    (setting,) = settings.all
    assert setting.value == value
    assert setting.line == 2


@pytest.mark.parametrize(
    "line",
    [
        "priority1 5 # five",
        "priority1 = 5",
        "priority1=5",
        "priority1",
        "priority1 abc",
        "priority1 1.5",
        "priority1 08",
        "priority1 0x",
        "priority1 5x",
        "priority1 300",
        "priority1 0b1",
        "Priority1 5",
        "priority3 5",
        "max_frequency 99999999999",
        "step_threshold -1",
        "step_threshold 1,5",
        "step_threshold 1.0s",
        "step_threshold inf",
        "step_threshold 1e400",
        "step_threshold 1e-400",
        "free_running yes",
        'network_transport "L2"',
        "network_transport ethernet",
        "ts2phc.pulsewidth 1",
        "; comment",
        "message_tag",
    ],
)
def test_lines_that_are_refused(line: str) -> None:
    assert [where for where, _ in refused(f"[global]\n{line}\n")] == [2]


def test_every_error_is_found_with_its_line() -> None:
    found = refused("priority1 5\n[global]\npriority1 300\n\n# x\n[eth0]\npriority1 5\n[]\n")
    assert [line for line, _ in found] == [1, 3, 7, 8]


@pytest.mark.parametrize(
    ("header", "port"),
    [
        ("[golbal]", "golbal"),
        ("[ global ]", "global"),
        ("[global] # all", "global"),
        ("[global", "global"),
        ("[eth0]x", "eth0"),
        ("[[eth0]]", "eth0"),
        ("[eth0 eth1]", "eth0"),
        ("[a]b]", "a"),
        ("[security_association]", "security_associa"),
        ("[UNICAST_MASTER_TABLE]x", "UNICAST_MASTER_T"),
    ],
)
def test_any_other_bracket_is_a_port(header: str, port: str) -> None:
    assert read(f"[global]\n{header}\n").ports == (port,)


@pytest.mark.parametrize("header", ["[global]", "[GLOBAL]", "  [Global]  "])
def test_the_global_section_has_no_case(header: str) -> None:
    assert read(f"{header}\npriority1 5\n").number("priority1") == 5


def test_a_long_line_becomes_several() -> None:
    assert refused("[global]\n# " + "a" * 1100 + "\n")[0][0] == 3
    # a line that fills the buffer shifts the numbers of the others
    assert refused("[global]\n#" + "a" * 1022 + "\nzzz 1\n")[0][0] == 4
    assert refused("[global]\n#" + "a" * 1021 + "\nzzz 1\n")[0][0] == 3


def test_unicast_tables() -> None:
    text = """[unicast_master_table]
table_id 010
logQueryInterval 2 x
peer_address 192.0.2.9
udpv4 192.0.2.1 # first
UDPv4 10.1
UDPv6 2001:DB8::1
L2 0:11:22:33:44:5
[eth0]
unicast_master_table 10
"""
    table = read(text).table(10)
    assert table is not None
    assert (table.log_query_interval, table.peer_address) == (2, "192.0.2.9")
    assert [(s.transport, s.address) for s in table.servers] == [
        ("udp4", "192.0.2.1"),
        ("udp4", "10.0.0.1"),
        ("udp6", "2001:db8::1"),
        ("l2", "00:11:22:33:44:05"),
    ]


@pytest.mark.parametrize(
    "lines",
    [
        "table_id 0",
        "table_id x",
        "table_id",
        "UDPv4 192.0.2.1",
        "table_id 1\nUDPv4 gm.example",
        "table_id 1\nUDPv4 192.0.2.1#c",
        "table_id 1\nUDPv6 192.0.2.1",
        "table_id 1\nUDPv6 fe80::1%eth0",
        "table_id 1\nL2 00-11-22-33-44-55",
        "table_id 1\nlogqueryinterval 2",
        "table_id 1\nlogQueryInterval 200",
        "table_id 1\nlogQueryInterval x",
        "table_id 1\nfoo 1",
        "table_id 1\n[unicast_master_table]\ntable_id 1",
    ],
)
def test_unicast_tables_that_are_refused(lines: str) -> None:
    assert len(refused(f"[unicast_master_table]\n{lines}\n")) == 1


def test_precedence() -> None:
    file = parse_config(b"[global]\ndelay_mechanism P2P\nlogSyncInterval 1\n[eth1]\nlogSyncInterval -2\n[eth0]\n", "x")
    settings = Settings(file, ["eth0", "eth2"], [short("E"), option("logSyncInterval", "3")])
    assert settings.ports == ("eth0", "eth2", "eth1")
    assert settings.text("delay_mechanism", "eth1") == "E2E"
    assert [settings.number("logSyncInterval", port) for port in ("", *settings.ports)] == [3, 3, 3, -2]


def test_old_names() -> None:
    settings = read("[global]\nslaveOnly 1\npi_offset_const 0.5\n[e]\nmasterOnly 1\n")
    assert settings.number("clientOnly") == 1
    assert settings.real("step_threshold") == 0.5
    assert settings.number("serverOnly", "e") == 1


def test_long_options_may_be_shortened() -> None:
    assert option("priority1", "7").value == 7
    assert option("domainN", "7").key == "domainNumber"
    for name, text in (("prio", "7"), ("priorityX", "7"), ("priority1", "300")):
        with pytest.raises(ValueRefusedError):
            option(name, text)


def test_unknown_keys_get_a_suggestion() -> None:
    with pytest.raises(ConfigError) as caught:
        parse_config(b"[global]\ndomainNumer 5\n")
    assert "domainNumber" in caught.value.findings[0].fix
    assert find("nothing") is None
