"""Profiles: the shipped ones are valid, and a wrong one is told so like any other file."""

from __future__ import annotations

import re
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ptpstack.config.data import parse_toml
from ptpstack.config.findings import ConfigError, Report, UnreadableError
from ptpstack.config.load import parse_site
from ptpstack.config.profiles import PROFILED, any_profile, build_profile, list_profiles, load_profile, quality_class
from ptpstack.config.schema import REFERENCE_STATES

ROOT = Path(__file__).parents[2]
SHIPPED = (
    "802-1as-2011",
    "802-1as-2020",
    "aes-r16",
    "aes67",
    "automotive",
    "c37-238-2011",
    "c37-238-2017",
    "default-e2e",
    "default-p2p",
    "g8265-1",
    "g8275-1",
    "g8275-2",
    "hospital-imaging",
    "hospital-research",
    "hospital-theatre",
    "iec61850-9-3",
    "rfc9760",
    "st2059-2",
    "unrestricted-static",
    "unrestricted-telecom",
    "unrestricted",
)


def test_list() -> None:
    assert list_profiles() == SHIPPED


@pytest.mark.parametrize("name", SHIPPED)
def test_shipped(name: str) -> None:
    profile = load_profile(name)
    assert (profile.name, profile.source) == (name, name)
    assert set(profile.parameters) == {spec.name for _, spec in PROFILED}
    assert all(p.default in p for p in profile.parameters.values())
    assert profile.default_transport in profile.transports
    classes = [quality_class(profile.quality, state) for state in REFERENCE_STATES]
    assert classes == sorted(classes)
    # the path of the file gives the same profile
    by_path = load_profile(str(ROOT / "profiles" / f"{name}.toml"))
    assert by_path.parameters == profile.parameters


def test_default_profile_is_annex_i() -> None:
    parameters = load_profile("default-e2e").parameters
    expected = {
        "log_announce_interval": (1, 0, 4),
        "announce_receipt_timeout": (3, 2, 10),
        "log_sync_interval": (0, -1, 1),
        "log_min_delay_req_interval": (0, 0, 5),
        "log_min_pdelay_req_interval": (0, 0, 5),
    }
    assert {n: (p.default, p.low, p.high) for n, p in parameters.items() if n in expected} == expected


def test_hospital_departments_share_one_channel_and_no_domain() -> None:
    profiles = [load_profile(n) for n in SHIPPED if n.startswith("hospital")]
    for name in ("ttl", "dscp_event", "dscp_general", "socket_priority"):
        assert len({p.parameters[name].default for p in profiles}) == 1
    ranges = sorted((p.parameters["domain"].low, p.parameters["domain"].high) for p in profiles)
    assert all(before[1] < after[0] for before, after in pairwise(ranges))


def test_no_code_knows_a_profile_by_name() -> None:
    """Rule 7. The schema's default, and the name in a hint, are data."""
    for path in (ROOT / "ptpstack").rglob("*.py"):
        text = path.read_text()
        assert not re.search(r"""profile(\.name|_source)?\s*(==|!=)\s*["']""", text), path
        assert not re.search(r"hospital-(theatre|imaging|research)", text) or path.parts[-2] == "cli", path


HEAD = 'name = "mine"\ntitle = "t"\n'


@pytest.mark.parametrize(
    ("text", "path", "line", "reason"),
    [
        ("title = 't'\n", "", None, "name is missing"),
        (HEAD.replace("mine", "My Own"), "name", 1, "not a profile name"),
        (HEAD + "identifier = '1'\n", "identifier", 3, "six octets"),
        (HEAD + "qualty = 1\n", "qualty", 3, "unknown"),
        (HEAD + "[instance]\ndomian = 1\n", "instance.domian", 4, "unknown"),
        (HEAD + "[instance]\ndomain = 1\n", "instance.domain", 4, "not a table"),
        (HEAD + "[instance]\ndomain = { min = 1 }\n", "instance.domain", 4, "default is missing"),
        (HEAD + "[instance]\ndomain = { default = 1, min = 2 }\n", "instance.domain", 4, "not in 2..255"),
        (HEAD + "[instance]\ndomain = { default = 999 }\n", "instance.domain.default", 4, "out of range"),
        (HEAD + "[instance]\ndomain = { default = 1, mix = 2 }\n", "instance.domain.mix", 4, "unknown"),
        (HEAD + "[port.ttl]\ndefault = 1\nmax = 999\n", "port.ttl.max", 5, "out of range"),
        (HEAD + "port = 1\n", "port", 3, "not a table"),
        (HEAD + "transport = 1\n", "transport", 3, "not a table"),
        (HEAD + "[transport]\nallowed = []\n", "transport.allowed", 4, "list of transports"),
        (HEAD + "[transport]\nallowed = [\n'udp4',\n'l3']\n", "transport.allowed[1]", 6, "not one of"),
        (HEAD + "[transport]\nallowed = ['l2']\ndefault = 'udp4'\n", "transport.default", 5, "not allowed"),
        (HEAD + "[quality]\nlocked = 255\n", "quality.locked", 4, "out of range"),
        (HEAD + "[behaviours]\nbmca = 'g8275'\n", "behaviours.bmca", 4, "not one of"),
        (HEAD + "[behaviours\n", "", 3, "not TOML"),
    ],
)
def test_wrong_profile(tmp_path: Path, text: str, path: str, line: int | None, reason: str) -> None:
    file = tmp_path / "mine.toml"
    file.write_text(text)
    with pytest.raises(ConfigError) as caught:
        load_profile(str(file))
    found = [f for f in caught.value.findings if f.path == path and reason in f.reason]
    assert [(f.line, f.file) for f in found] == [(line, str(file))]


def test_findings_of_a_profile_reach_the_site(tmp_path: Path) -> None:
    (tmp_path / "mine.toml").write_text(HEAD + "[quality]\nlocked = 0\n")
    text = '[[instance]]\nprofile = "./mine.toml"\n[[instance.port]]\ninterface = "a"\n' * 2
    site, found = parse_site(text, base=str(tmp_path))
    assert site is None
    assert [(f.path, f.line, f.file) for f in found if f.file] == [("quality.locked", 4, "./mine.toml")]
    assert "instance[0].profile" in {f.path for f in found}


def test_transport_must_be_allowed(tmp_path: Path) -> None:
    (tmp_path / "mine.toml").write_text(HEAD + "[transport]\nallowed = ['l2']\n")
    text = '[[instance]]\nprofile = "./mine.toml"\n[[instance.port]]\ninterface = "a"\n'
    site, _ = parse_site(text, base=str(tmp_path))
    assert site is not None
    assert site.instances[0].channels[0].transport == "l2"
    _, found = parse_site(text + 'transport = "udp4"\n', base=str(tmp_path))
    assert [(f.path, f.line) for f in found] == [("instance[0].port[0].transport", 5)]


def test_unreadable_profile() -> None:
    with pytest.raises(UnreadableError):
        load_profile("/nonexistent/mine.toml")


def test_any_profile_is_as_wide_as_the_schema() -> None:
    assert (any_profile().parameters["domain"].low, any_profile().parameters["domain"].high) == (0, 255)


@given(st.sampled_from(SHIPPED), st.data())
def test_mutated_profiles_raise_nothing(name: str, data: st.DataObject) -> None:
    octets = bytearray((ROOT / "profiles" / f"{name}.toml").read_bytes())
    for _ in range(3):
        at = data.draw(st.integers(0, len(octets) - 1))
        octets[at : at + data.draw(st.integers(0, 8))] = data.draw(st.binary(max_size=3))
    report = Report()
    document = parse_toml(bytes(octets), report)
    if document is None:
        assert report.failed
    else:
        build_profile(document, "x", report)


def test_PRF_17_the_power_profile_of_2011_tags_its_frames_and_asks_for_a_local_time() -> None:
    text = '[[instance]]\nprofile = "c37-238-2011"\nrole = "grandmaster"\n{}[[instance.port]]\ninterface = "eth1"\n{}'
    site, findings = parse_site(text.format("", ""))
    assert site is not None
    assert site.instances[0].channels[0].pcp == 4
    assert [(f.path, f.severity) for f in findings if "local time" in f.reason] == [("instance[0]", "warning")]
    local = '[[instance.alternate_time_offset]]\nkey = 0\nzone = "Europe/Berlin"\n'
    reference = '[instance.reference]\ntype = "declared"\nstate = "locked"\naccuracy = "100 ns"\n'
    reference += "[instance.power]\ngrandmaster_id = 7\n"
    site, findings = parse_site(text.format("", "pcp = 6\n" + local + reference))
    assert site is not None
    assert site.instances[0].channels[0].pcp == 6
    assert findings == []
