"""Import, export, import: the same data."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from ptpstack.config.load import loads
from ptpstack.linuxptp.exporter import export_site
from ptpstack.linuxptp.importer import Imported, import_site
from ptpstack.linuxptp.keys import Key, keys
from ptpstack.linuxptp.reader import parse_config, read_config
from ptpstack.linuxptp.settings import Settings

_TABLE = """[unicast_master_table]
table_id 7
logQueryInterval -2
UDPv4 192.0.2.1
UDPv6 2001:db8::1
L2 02:00:00:00:00:01
UDPv4 192.0.2.2
"""
#: values that ptpstack has, where the range of linuxptp is wider, and texts that mean something
_SPECIAL: dict[str, st.SearchStrategy[Any]] = {
    **dict.fromkeys(("logAnnounceInterval", "logMinPdelayReqInterval"), st.integers(-7, 10)),
    **dict.fromkeys(("logSyncInterval", "logMinDelayReqInterval", "operLogSyncInterval"), st.integers(-10, 10)),
    "clockClass": st.sampled_from([6, 7, 52, 135, 187, 248, 255]),
    "clockAccuracy": st.one_of(st.integers(0x17, 0x31), st.integers(0x80, 0xFE)),
    "clockIdentity": st.sampled_from(["001b21.fffe.aabbcc", "000000.0000.000000", "001B21FFFEAABBCC"]),
    "clock_servo": st.sampled_from(["pi", "linreg", "nullf"]),
    "delayAsymmetry": st.integers(-(10**9), 10**9),
    "ingressLatency": st.integers(-(10**9), 10**9),
    "egressLatency": st.integers(-(10**9), 10**9),
    "delay_mechanism": st.sampled_from(["E2E", "P2P", "Auto"]),
    "delay_filter_length": st.integers(1, 10_000),
    "pi_integral_const": st.floats(0, 10),
    "pi_proportional_const": st.floats(0, 10),
    **dict.fromkeys(("pi_proportional_exponent", "pi_integral_exponent"), st.floats(-10, 10)),
    **dict.fromkeys(("pi_proportional_scale", "pi_integral_scale"), st.floats(0, 10)),
    "step_threshold": st.floats(0, 1e8, allow_subnormal=False),
    "first_step_threshold": st.floats(0, 1e8, allow_subnormal=False),
    "time_stamping": st.sampled_from(["hardware", "software"]),
    "udp6_scope": st.integers(2, 14),
    "unicast_master_table": st.sampled_from([0, 7]),
    "unicast_req_duration": st.integers(10, 86_400),
    "userDescription": st.sampled_from(["gm;room", ";", "a b"]),
    "uds_address": st.sampled_from(["/run/a", "/var/run/ptp4l"]),
    "uds_ro_address": st.sampled_from(["/run/b", "/var/run/ptp4lro"]),
    "ptp_dst_mac": st.sampled_from(["01:1B:19:00:00:00", "01:80:c2:00:00:0e"]),
    "leapfile": st.just("/usr/share/zoneinfo/leap-seconds.list"),
    "user": st.just("ptp"),
    "spp": st.integers(-1, 255),
    "sa_file": st.just("/etc/linuxptp/sa"),
    "transportSpecific": st.sampled_from([0, 1, 2]),
    "servo_offset_threshold": st.integers(0, 10**9),
}
#: what is refused whatever else stands there, or is not told apart by linuxptp
_LEFT_OUT = ("follow_up_info", "clock_type", "BMCA", "inhibit_announce", "inhibit_delay_req")


def _values(key: Key) -> st.SearchStrategy[Any]:
    if key.name in _SPECIAL:
        return _SPECIAL[key.name]
    if key.choices:
        return st.sampled_from(key.choices)
    if key.type == "integer":
        assert key.low is not None
        assert key.high is not None
        return st.integers(int(key.low), int(key.high))
    if key.type == "float":
        return st.floats(key.low, key.high, allow_nan=False, allow_infinity=False)
    return st.just("text")


_NAMES = [
    k.name for k in keys().values() if k.ours and k.conversion not in ("none", "unneeded") and k.name not in _LEFT_OUT
]


@st.composite
def configurations(draw: st.DrawFn) -> str:
    def some(names: list[str], most: int) -> list[str]:
        chosen = draw(st.lists(st.sampled_from(names), max_size=most, unique=True))
        return [f"{name} {keys()[name].show(draw(_values(keys()[name])))}" for name in chosen]

    lines = ["[global]", *some(_NAMES, 12), _TABLE]
    if draw(st.booleans()):
        lines += ["BMCA noop", draw(st.sampled_from(["slaveOnly 1", "masterOnly 1"])), "inhibit_announce 1"]
        lines = [lines[0], *lines[-3:], *lines[1:-3]]
    own = [name for name in _NAMES if keys()[name].scope == "port"]
    for port in ("eth0", "eth1")[: draw(st.integers(1, 2))]:
        lines += [f"[{port}]", *some(own, 5)]
    return "\n".join(lines) + "\n"


def back(texts: list[str]) -> tuple[Any, Imported]:
    return import_site([Settings(parse_config(text.encode(), f"{n}.conf")) for n, text in enumerate(texts)])


@settings(max_examples=120, deadline=None, suppress_health_check=list(HealthCheck))
@given(configurations())
def test_round_trip(text: str) -> None:
    site, imported = back([text])
    assume(site is not None)
    assert site is not None
    exported = export_site(site)
    again, once_more = back([e.text for e in exported])
    assert once_more.refused == []
    assert once_more.document == imported.document
    assert again == site
    # what is written is what is meant: no more than once round is needed
    assert [e.text for e in export_site(again)] == [e.text for e in exported]


@pytest.mark.parametrize(
    "text",
    [
        "[global]\nclock_type E2E_TC\nlogging_level 7\n[a]\negressLatency 5\n[b]\n",
        "[global]\nclock_type P2P_TC\ndelay_mechanism P2P\nnetwork_transport L2\ndomainNumber 3\n[a]\n[b]\n",
        "[global]\nclock_type P2P_TC\ndelay_mechanism P2P\nclockIdentity 001b21.fffe.aabbcc\n[a]\n[b]\n",
        "[global]\nBMCA noop\ninhibit_announce 1\nslaveOnly 1\n[a]\n",
        "[global]\ntime_stamping software\nfree_running 1\n[a]\n[b]\n",
        "[global]\nphc_index 3\n[a]\n",
        "[global]\nsa_file /k\n[a]\nspp 3\nactive_key_id 9\n",
        "[global]\npower_profile.version 2011\npower_profile.grandmasterID 5\n[a]\n",
        "[global]\nmsg_interval_request 1\noperLogSyncInterval 2\n[a]\n[b]\noperLogSyncInterval 0\n",
    ],
)
def test_round_trip_of(text: str) -> None:
    site, imported = back([text])
    assert site is not None
    again, once_more = back([e.text for e in export_site(site)])
    assert (again, once_more.document) == (site, imported.document)


def test_two_instances() -> None:
    texts = ["[global]\ndomainNumber 1\n[a]\n", "[global]\ndomainNumber 2\nuds_address /run/two\n[a]\n"]
    site, imported = back(texts)
    assert site is not None
    files = export_site(site)
    assert [e.name for e in files] == ["domain1", "domain2"]
    again, once_more = back([e.text for e in files])
    assert (again, once_more.document) == (site, imported.document)
    # two ptp4l cannot share a socket
    assert "uds_address" not in files[0].text
    assert "uds_address /var/run/ptp4l.domain2" in files[1].text


def test_what_linuxptp_cannot_be_told_is_said() -> None:
    site = loads(
        "[node]\nseed = 4\n[[clock]]\ntype = 'simulated'\n[[instance]]\nsdo_id = 0x123\nprofile = 'unrestricted'\n"
        "performance_monitoring = true\n[[instance.acceptable_master]]\nclock_identity = '001b21.fffe.aabbcc'\n"
        "[[instance.port]]\ninterface = 'a'\npcp = 4\n[instance.servo]\nmax_slew_ppb = 7\n"
        "[instance.reference]\ntype = 'system'\n"
    )
    remarks = "\n".join(export_site(site)[0].remarks)
    for word in (
        *("simulated clock", "sdo_id", "performance_monitoring", "acceptable_master", "port.pcp", "max_slew_ppb"),
        *("reference", "node.seed", "estimator"),
    ):
        assert word in remarks


EXAMPLES = sorted(Path("/usr/share/doc/linuxptp/configs").glob("*.cfg"))


@pytest.mark.skipif(not EXAMPLES, reason="Debian's linuxptp is not installed")
@pytest.mark.parametrize("path", EXAMPLES or [Path()], ids=lambda p: p.stem)
def test_round_trip_of_what_debian_ships(path: Path) -> None:
    file = read_config(path)
    interfaces = [] if file.ports else ["eth0", "eth1"] if "TC" in path.name else ["eth0"]
    sets = [Settings(file, interfaces)]
    if sets[0].of_ts2phc:
        # a pulse needs the ptp4l beside it; what ts2phc reads is no part of the way back
        sets = [Settings(read_config(path.with_name("default.cfg")), list(file.ports))]
    site, imported = import_site(sets)
    if site is None:
        assert {finding.path.split()[0] for finding in imported.refused} <= {"clock_type", "follow_up_info"}
        return
    again, once_more = back([e.text for e in export_site(site)])
    assert (again, once_more.document) == (site, imported.document)
