"""Every kind of finding: its place, its line, and that it says what to do."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from ptpstack.config.findings import ERROR, NOTE, WARNING, ConfigError, Finding, Report, show, show_path, suggest
from ptpstack.config.load import loads, parse_site

HEAD = '[[instance]]\n[[instance.port]]\ninterface = "eth1"\n'  # lines 1..3


def findings(text: str) -> list[Finding]:
    return parse_site(text)[1]


def one(text: str, path: str) -> Finding:
    """The only finding at ``path``."""
    found = [f for f in findings(text) if f.path == path]
    assert len(found) == 1, findings(text)
    assert found[0].fix
    assert "\n" not in str(found[0])
    return found[0]


def test_smallest_site_has_nothing_to_say() -> None:
    assert findings(HEAD) == []


@dataclass(frozen=True)
class Case:
    text: str
    path: str
    severity: str
    line: int | None
    reason: str
    fix: str = ""


BC = '[[instance]]\n[[instance.port]]\ninterface = "eth1"\n[[instance.port]]\ninterface = "eth2"\n'  # 1..5
AS = '[[instance]]\nprofile = "802-1as-2020"\n[[instance.port]]\ninterface = "eth1"\n'  # 1..4
CASES = {
    # keys and values
    "unknown table": Case(HEAD + "[nod]\n", "nod", ERROR, 4, "unknown table", 'did you mean "node"?'),
    "unknown key": Case("[node]\nnmae = 1\n" + HEAD, "node.nmae", ERROR, 2, "unknown key", 'did you mean "name"?'),
    "unknown key, hyphen": Case("[node]\nlog-level = 1\n" + HEAD, "node.log-level", ERROR, 2, "unknown", '"log_level"'),
    "nothing near": Case("[node]\nzzzz = 1\n" + HEAD, "node.zzzz", ERROR, 2, "unknown key", "known are: name"),
    "enum": Case(
        HEAD + 'transport = "upd4"\n', "instance[0].port[0].transport", ERROR, 4, '"upd4"', 'did you mean "udp4"?'
    ),
    "enum, case": Case(
        HEAD + 'transport = "UDP4"\n', "instance[0].port[0].transport", ERROR, 4, '"UDP4"', 'did you mean "udp4"?'
    ),
    "range": Case("[node]\nscheduling_priority = 100\n" + HEAD, "node.scheduling_priority", ERROR, 2, "100", "0..99"),
    "not text": Case("[node]\nname = 1\n" + HEAD, "node.name", ERROR, 2, "not text", "quotes"),
    "empty text": Case('[node]\nname = ""\n' + HEAD, "node.name", ERROR, 2, "empty", "1.."),
    "not an integer": Case(HEAD + "ttl = 1.0\n", "instance[0].port[0].ttl", ERROR, 4, "whole number", "1..255"),
    "bool is no integer": Case(HEAD + "ttl = true\n", "instance[0].port[0].ttl", ERROR, 4, "true is not", "1..255"),
    "huge integer": Case(HEAD + f"ttl = 0x{'f' * 9999}\n", "instance[0].port[0].ttl", ERROR, 4, "bits", "1..255"),
    "huge number": Case(
        HEAD + f"delay_asymmetry_ns = 0x{'f' * 9999}\n", "instance[0].port[0].delay_asymmetry_ns", ERROR, 4, "bits"
    ),
    "nan": Case(HEAD + "[instance.servo]\nkp = nan\n", "instance[0].servo.kp", ERROR, 5, "not finite", "0..10"),
    "not a number": Case(HEAD + '[instance.servo]\nkp = "1"\n', "instance[0].servo.kp", ERROR, 5, "not a number"),
    "not a boolean": Case("[[instance]]\nclient_only = 1\n", "instance[0].client_only", ERROR, 2, "neither", "quotes"),
    "interface name": Case(
        '[[instance]]\n[[instance.port]]\ninterface = "a/b"\n', "instance[0].port[0].interface", ERROR, 3, "a/b", "15"
    ),
    "interface missing": Case(
        '[[instance]]\n[[instance.port]]\ntransport = "l2"\n', "instance[0].port[0]", ERROR, 2, "missing", "interface ="
    ),
    "accuracy": Case(
        HEAD + '[instance.reference]\ntype = "declared"\nstate = "locked"\naccuracy = "fine"\n',
        "instance[0].reference.accuracy", ERROR, 7, '"fine"', '"100 ns"',
    ),
    "accuracy code": Case('[[instance]]\nclock_accuracy = 5\n', "instance[0].clock_accuracy", ERROR, 2, "5", "0x17"),
    "time source": Case(
        HEAD + '[instance.reference]\ntype = "system"\ntime_source = "gsnn"\n',
        "instance[0].reference.time_source", ERROR, 6, '"gsnn"', "gnss",
    ),
    "identity": Case('[[instance]]\nclock_identity = "00"\n', "instance[0].clock_identity", ERROR, 2, "clockIdentity"),
    "identity reserved": Case(
        '[[instance]]\nclock_identity = "ffffff.ffff.ffffff"\n', "instance[0].clock_identity", ERROR, 2, "reserved"
    ),
    # shape
    "table for array": Case("[instance]\n", "instance", ERROR, 1, "list of tables", "[[instance]]"),
    "array for table": Case("[[node]]\n" + HEAD, "node", ERROR, 1, "one node only", "[node]"),
    "value for table": Case("node = 1\n" + HEAD, "node", ERROR, 1, "table is expected", "[node]"),
    "no port": Case("[[instance]]\n", "instance[0]", ERROR, 1, "no port", "[[instance.port]]"),
    "no instance": Case("[node]\n", "", ERROR, None, "no instance", "[[instance]]"),
    "too many": Case("[[clock]]\n" * 65 + HEAD, "clock", ERROR, 1, "too many", "64"),
    # profile
    "no such profile": Case(
        '[[instance]]\nprofile = "hospital-theater"\n', "instance[0].profile", ERROR, 2, "no profile", '"hospital-theatre"'
    ),
    "profile file missing": Case(
        '[[instance]]\nprofile = "./none.toml"\n', "instance[0].profile", ERROR, 2, "cannot be read", "path"
    ),
    "domain outside profile": Case(
        '[[instance]]\nprofile = "hospital-theatre"\ndomain = 0\n', "instance[0].domain", ERROR, 3, "outside", "unrestricted"
    ),
    "interval outside profile": Case(
        HEAD + "log_sync_interval = -4\n", "instance[0].port[0].log_sync_interval", ERROR, 4, "-1..1", "unrestricted"
    ),
    "timeout outside profile": Case(
        HEAD + "announce_receipt_timeout = 11\n", "instance[0].port[0].announce_receipt_timeout", ERROR, 4, "2..10"
    ),
    "timeout below all": Case(
        HEAD + "announce_receipt_timeout = 1\n", "instance[0].port[0].announce_receipt_timeout", ERROR, 4, "1", "2..255"
    ),
    # client only
    "client only grandmaster": Case(
        '[[instance]]\nrole = "grandmaster"\nclient_only = true\n', "instance[0].role", ERROR, 2, "cannot be client only"
    ),
    "client only, two ports": Case(
        BC.replace("[[instance]]\n", "[[instance]]\nclient_only = true\n"),
        "instance[0].client_only", ERROR, 2, "2 ports", "one port",
    ),
    "client only, class 6": Case(
        "[[instance]]\nclient_only = true\nclock_class = 6\n", "instance[0].clock_class", ERROR, 3, "never a client"
    ),
    "client only, class 248": Case(
        "[[instance]]\nclient_only = true\nclock_class = 248\n", "instance[0].clock_class", WARNING, 3, "no effect"
    ),
    "client only, server only": Case(
        "[[instance]]\nclient_only = true\n[[instance.port]]\ninterface = 'e'\nserver_only = true\n",
        "instance[0].port[0].server_only", ERROR, 5, "neither",
    ),
    "client only, reference": Case(
        '[[instance]]\nclient_only = true\n[instance.reference]\ntype = "system"\n',
        "instance[0].reference", WARNING, 3, "never uses",
    ),
    "class 0": Case("[[instance]]\nclock_class = 0\n", "instance[0].clock_class", ERROR, 2, "0", "1..255"),
    "class 255": Case("[[instance]]\nclock_class = 255\n", "instance[0].clock_class", ERROR, 2, "255", "248"),
    "class reserved": Case("[[instance]]\nclock_class = 5\n", "instance[0].clock_class", WARNING, 2, "reserved"),
    # roles
    "boundary, one port": Case('[[instance]]\nrole = "boundary"\n' + HEAD[13:], "instance[0].role", WARNING, 2, "nothing on"),
    "ordinary, two ports": Case(
        BC.replace("[[instance]]\n", '[[instance]]\nrole = "ordinary"\n'), "instance[0].role", ERROR, 2, "one port"
    ),
    "grandmaster, no reference": Case(
        '[[instance]]\nrole = "grandmaster"\n' + HEAD[13:], "instance[0].role", WARNING, 2, "clockClass 248"
    ),
    "all server only": Case(
        BC.replace('"eth1"\n', '"eth1"\nserver_only = true\n') + "server_only = true\n",
        "instance[0]", WARNING, 1, "follow nothing",
    ),
    # channels
    "port twice": Case(
        HEAD + HEAD[13:], "instance[0].port[1].interface", ERROR, 5, "port[0] of this instance is on eth1/udp4"
    ),
    "interface twice": Case(
        HEAD + HEAD[13:] + 'transport = "l2"\n', "instance[0].port[1].interface", WARNING, 5, "another transport"
    ),
    "domain twice": Case(HEAD + HEAD, "instance[1].port[0]", ERROR, 5, "domain 0", "another domain"),
    "stamping differs": Case(
        HEAD + "[[instance]]\ndomain = 1\n[[instance.port]]\ninterface = 'eth1'\nstamping = 'software'\n",
        "instance[1].port[0].stamping", ERROR, 8, "eth1/udp4", "same value",
    ),
    "ttl differs": Case(
        HEAD + "[[instance]]\ndomain = 1\n[[instance.port]]\ninterface = 'eth1'\nttl = 2\n",
        "instance[1].port[0].ttl", ERROR, 8, "eth1/udp4", "same value",
    ),
    "dscp differs": Case(
        HEAD + "[[instance]]\ndomain = 1\n[[instance.port]]\ninterface = 'eth1'\ndscp_event = 2\n",
        "instance[1].port[0].dscp_event", ERROR, 8, "eth1/udp4", "same value",
    ),
    "no effect on l2": Case(
        HEAD + "transport = 'l2'\nttl = 2\n", "instance[0].port[0].ttl", WARNING, 5, "no effect", "remove"
    ),
    "no effect on udp4": Case(
        HEAD + "udp6_scope = 5\n", "instance[0].port[0].udp6_scope", WARNING, 4, "the transport is udp4", "remove"
    ),
    "a reserved scope": Case(
        HEAD + "transport = 'udp6'\nudp6_scope = 15\n", "instance[0].port[0].udp6_scope", ERROR, 5, "15", "2..14"
    ),
    "no such pcp": Case(HEAD + "pcp = 8\n", "instance[0].port[0].pcp", ERROR, 4, "8", "0..7"),
    "pcp differs": Case(
        HEAD + "[[instance]]\ndomain = 1\n[[instance.port]]\ninterface = 'eth1'\npcp = 2\n",
        "instance[1].port[0].pcp", ERROR, 8, "eth1/udp4", "same value",
    ),
    # names and clocks
    "instance name twice": Case(
        "[[instance]]\nname = 'a'\n[[instance]]\nname = 'a'\n", "instance[1].name", ERROR, 4, "instance[0]"
    ),
    "clock name twice": Case(HEAD + "[[clock]]\n[[clock]]\n", "clock[1].name", ERROR, 5, "clock[0]"),
    "unknown clock": Case(
        HEAD + "[[clock]]\nname = 'nic'\n[[instance]]\nclock = 'nik'\n", "instance[1].clock", ERROR, 7, "nik", '"nic"?'
    ),
    "clock not named": Case(
        HEAD + "[[clock]]\nname = 'a'\n[[clock]]\nname = 'b'\n", "instance[0]", ERROR, 1, "names none", '"a", "b"'
    ),
    "clock not used": Case(
        HEAD + "[[clock]]\nname = 'a'\n[[clock]]\nname = 'b'\n", "clock[1]", WARNING, 6, "no instance uses"
    ),
    "one PHC twice": Case(
        HEAD + "[[clock]]\nname='a'\ntype='phc'\ndevice='/dev/ptp0'\n[[clock]]\nname='b'\ntype='phc'\ndevice='/dev/ptp0'\n"
        "[[instance]]\nclock = 'a'\n[[instance]]\nclock = 'b'\n",
        "clock[1]", ERROR, 8, "/dev/ptp0", "once",
    ),
    "phc without device": Case(HEAD + "[[clock]]\ntype = 'phc'\n", "clock[0]", NOTE, 4, "no device"),
    "device without phc": Case(HEAD + "[[clock]]\ndevice = '/dev/ptp0'\n", "clock[0].device", WARNING, 5, "no effect"),
    "oscillator, not simulated": Case(HEAD + "[[clock]]\noscillator = 'ocxo'\n", "clock[0].oscillator", WARNING, 5, "auto"),
    "system clock, hardware stamps": Case(
        HEAD + "stamping = 'hardware'\n[[clock]]\ntype = 'system'\nsteer = true\n",
        "instance[0].port[0].stamping", ERROR, 4, "hardware time stamps", "software",
    ),
    "phc, software stamps": Case(
        HEAD + "stamping = 'software'\n[[clock]]\ntype = 'phc'\ndevice = '/dev/ptp0'\n",
        "instance[0].port[0].stamping", ERROR, 4, "software time stamps", "hardware",
    ),
    "clock only measured": Case(HEAD + "[[clock]]\ntype = 'system'\n", "instance[0]", NOTE, 1, "measured only", "steer"),
    "shared steering": Case(
        HEAD + HEAD.replace("[[instance]]\n", "[[instance]]\ndomain = 1\n", 1), "instance[1]", NOTE, 4, "steers it", "first"
    ),
    "identity twice": Case(
        "[[instance]]\nclock_identity = '001b21.fffe.000001'\n[[instance]]\nclock_identity = '001b21fffe000001'\n",
        "instance[1].clock_identity", ERROR, 4, "domain0",
    ),
    # reference
    "reference none": Case(
        HEAD + "[instance.reference]\nstate = 'locked'\n", "instance[0].reference.state", WARNING, 5, "type is none"
    ),
    "declared without state": Case(
        HEAD + "[instance.reference]\ntype = 'declared'\n", "instance[0].reference", WARNING, 4, "free-running"
    ),
    "locked, accuracy unknown": Case(
        HEAD + "[instance.reference]\ntype = 'declared'\nstate = 'locked'\n",
        "instance[0].reference", NOTE, 4, "unknown accuracy",
    ),
    "noise, not simulated": Case(
        HEAD + "[instance.reference]\ntype = 'system'\nnoise_ns = 1\n",
        "instance[0].reference.noise_ns", WARNING, 6, "not simulated",
    ),
    "management path": Case(f"[node]\nmanagement = '/{'x' * 107}'\n" + HEAD, "node.management", ERROR, 2, "107"),
    "read-only twin without management": Case("[node]\nmanagement_read_only = '/x'\n" + HEAD, "node.management_read_only", WARNING, 2, "no effect"),
    "writers": Case(HEAD + "[instance.management]\nwriters = ['10.0.0.0/33']\n", "instance[0].management.writers", ERROR, 5, "10.0.0.0/33", "10.0.0.0/24"),
    "control path": Case(f"[node]\ncontrol = '/{'x' * 107}'\n" + HEAD, "node.control", ERROR, 2, "107"),
    # syntax
    "syntax": Case("[[instance]]\nname = \n", "", ERROR, 2, "column 8", "toml.io"),
    "end of document": Case('a = """\nb', "", ERROR, 2, "not TOML"),
    "key twice": Case("[node]\nname='a'\nname='b'\n", "", ERROR, 3, "not TOML"),
    "long integer": Case("a = " + "9" * 5000, "", ERROR, None, "not TOML"),
    "deep": Case("a = " + "[" * 100_000, "", ERROR, None, "too deep"),
    # IEEE 802.1AS
    "gptp keys without gptp": Case(HEAD + "[instance.port.gptp]\nsync_locked = false\n", "instance[0].port[0].gptp.sync_locked", WARNING, 5, "not one of IEEE 802.1AS", "802-1as-2020"),
    "gptp, software stamps": Case(AS + 'stamping = "software"\n', "instance[0].port[0].stamping", WARNING, 5, "will not be asCapable", "delay_threshold_ns"),
    "gptp, tag": Case(AS + "pcp = 6\n", "instance[0].port[0].pcp", ERROR, 5, "no tag", "remove"),
    "gptp, udp": Case(AS + 'transport = "udp4"\n', "instance[0].port[0].transport", ERROR, 5, "not allowed by profile", "l2"),
    "gptp, end to end": Case(AS + 'delay_mechanism = "E2E"\n', "instance[0].port[0].delay_mechanism", ERROR, 5, "is for P2P", "P2P"),
    "gptp, alternate masters": Case(AS + "alternate_masters = 1\n", "instance[0].port[0].alternate_masters", ERROR, 5, "no alternate masters", "remove"),
    "gptp, no path trace": Case(AS.replace("[[instance.port]]", "path_trace = false\n[[instance.port]]"), "instance[0].path_trace", ERROR, 3, "path trace", "remove"),
    "gptp, two clocks": Case('[[clock]]\nname = "a"\n[[clock]]\nname = "b"\n' + AS.replace("[[instance.port]]", 'clock = "a"\n[[instance.port]]') + 'clock = "a"\n[[instance.port]]\ninterface = "eth2"\nclock = "b"\n', "instance[0]", WARNING, 5, "2 clocks", "one network card"),
}  # fmt: skip


@pytest.mark.parametrize("name", CASES)
def test_finding(name: str) -> None:
    case = CASES[name]
    finding = one(case.text, case.path)
    assert (finding.severity, finding.line) == (case.severity, case.line)
    assert case.reason in finding.reason
    assert case.fix in finding.fix
    if case.severity == ERROR:
        with pytest.raises(ConfigError) as caught:
            loads(case.text)
        assert finding in caught.value.findings


def test_everything_is_collected_in_the_order_of_the_file() -> None:
    text = (
        "[node]\nname = 1\nx = 2\n[[instance]]\ndomain = 999\n[[instance.port]]\nttl = 0\n[instance.servo]\nkp = -1\n"
    )
    lines = [f.line for f in findings(text)]
    assert lines == [2, 3, 5, 6, 7, 9]


def test_a_wrong_value_causes_no_second_finding() -> None:
    """Both domains are wrong: their stand-ins are equal, which is nobody's fault."""
    text = HEAD.replace("\n", "\ndomain = 999\n", 1) * 2
    assert [f.path for f in findings(text) if f.severity == ERROR] == ["instance[0].domain", "instance[1].domain"]


def test_not_utf8_gives_the_line() -> None:
    _, found = parse_site(b"[node]\nname = '\xff'\n")
    assert [(f.line, f.severity) for f in found] == [(2, ERROR)]
    assert "UTF-8" in found[0].reason


def test_messages_are_printable() -> None:
    _, found = parse_site('"\\u001b[2J" = 1\n[node]\nlog_level = "\\u001b[2J\\u202e"\n')
    assert found
    assert all(str(f).isprintable() for f in found)


def test_suggestions_are_bounded() -> None:
    """Twenty thousand unknown keys are all reported; looking for near names stops being tried."""
    text = "".join(f"nam{i} = 1\n" for i in range(20_000))
    found = [f for f in findings(text) if f.reason.startswith("unknown key")]
    assert len(found) == 20_000


def test_show() -> None:
    assert show("a\nb") == '"a\\nb"'
    assert show(True) == "true"
    assert show({}) == "a table"
    assert len(show("x" * 1000)) <= 60
    assert show_path(("a", 0, "b c", 1)) == 'a[0]."b c"[1]'


def test_suggest() -> None:
    assert suggest("Domian", ["domain", "name"]) == "domain"
    assert suggest("xyz", ["domain"]) is None


def test_line_of_the_nearest_table() -> None:
    report = Report({("a",): 3})
    assert report.line_of(("a", "b", 0)) == 3
    assert report.line_of(("c",)) is None
