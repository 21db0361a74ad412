"""Each profile that ships, against ptp4l with that profile's settings: it follows us, and we follow it."""

from __future__ import annotations

import re
from functools import partial
from pathlib import Path
from statistics import mean
from typing import Any, NamedTuple

import pytest

from ptpstack.config.profiles import Profile, load_profile
from ptpstack.wire.capture import CapturedFrame, read_capture
from ptpstack.wire.codec import decode
from ptpstack.wire.encapsulation import PtpPayload, extract
from ptpstack.wire.messages import Announce, DelayReq, DelayResp, FollowUp, Message, PdelayReq, Sync
from ptpstack.wire.tlvs.announce import AlternateTimeOffsetIndicator
from ptpstack.wire.tlvs.profiles import PowerProfile2011, PowerProfile2017
from tests.interop.bench import Bench, Outcome, identity, need_peers, pause, together, until
from tests.interop.frames import judge_frames

pytestmark = [pytest.mark.interop, pytest.mark.namespaces, pytest.mark.slow]

WITHIN_S = 60.0
#: how long our sending is watched
WATCH_S = 8.0
CONFIGS = Path("/usr/share/doc/linuxptp/configs")

SITE = """\
[node]
state_dir = "off"
[[clock]]
type = "simulated"
oscillator = "perfect"
[[instance]]
profile = "{profile}"
{more}
[[instance.port]]
interface = "{interface}"
"""
REFERENCE = '[instance.reference]\ntype = "declared"\nstate = "locked"\naccuracy = "100 ns"\n'

#: what ptp4l is given beside the intervals; a file is an example configuration that the Debian package ships
PROFILES: dict[str, dict[str, Any]] = {
    "default-e2e": {},
    "g8275-1": {"file": "G.8275.1.cfg"},
    "aes67": {"dscp_event": 46, "dscp_general": 46},
    "aes-r16": {"dscp_event": 46, "dscp_general": 46},
    "st2059-2": {"dscp_event": 46, "dscp_general": 46},
    "rfc9760": {"dscp_event": 46, "dscp_general": 46},
    "default-p2p": {},
    "iec61850-9-3": {},
    "c37-238-2011": {},
    # ptp4l 3 has no domain above 127
    "c37-238-2017": {"domainNumber": 93},
}

DOMAINS = {"c37-238-2017": "domain = 93\n"}
#: tables of ours that a profile expects of a grandmaster
OURS = {
    "st2059-2": '[instance.sync_metadata]\nzone = "Europe/Berlin"\nframe_rate = "25"\ndaily_jam = "02:00"\n',
    "c37-238-2011": "[instance.power]\ngrandmaster_id = 7\n"
    '[[instance.alternate_time_offset]]\nkey = 0\nzone = "Europe/Berlin"\n',
}


def their_options(profile: Profile) -> dict[str, Any]:
    options = dict(PROFILES[profile.name])
    file = options.pop("file", None)
    values = {name: parameter.default for name, parameter in profile.parameters.items()}
    own = {
        "domainNumber": values["domain"],
        "logAnnounceInterval": values["log_announce_interval"],
        "announceReceiptTimeout": values["announce_receipt_timeout"],
        "logSyncInterval": values["log_sync_interval"],
        "logMinDelayReqInterval": values["log_min_delay_req_interval"],
        "logMinPdelayReqInterval": values["log_min_pdelay_req_interval"],
        "delay_mechanism": profile.behaviours["delay_mechanism"],
    }
    if file is not None:
        # the file says it, but for the domain
        text = (CONFIGS / file).read_text()
        own = {"domainNumber": values["domain"]}
        own |= dict(m.groups() for m in re.finditer(r"^(\w[\w.]*)[ \t]+(\S+)[ \t]*$", text, re.MULTILINE))
        own.pop("network_transport")
    # every measurement is reported, not their statistics
    return own | options | {"summary_interval": values["log_sync_interval"]}


class Watched(NamedTuple):
    profile: Profile
    capture: Path


def we_serve(name: str, bench: Bench) -> Watched:
    profile = load_profile(name)
    a, b = bench.namespace("ours"), bench.namespace("theirs")
    bench.wire(a, "v0", b, "v1")
    bench.capture(a, "v0")
    text = (
        SITE.format(profile=name, interface="v0", more=DOMAINS.get(name, "") + 'role = "grandmaster"')
        + REFERENCE
        + OURS.get(name, "")
    )
    ours = bench.site(a, text)
    theirs = bench.ptp4l(b, "v1", transport=profile.default_transport, slaveOnly=1, **their_options(profile))
    ours.ready()
    until("they follow us", lambda: theirs.grandmaster() == ours.grandmaster(), WITHIN_S)
    until("they measure", lambda: len(theirs.offsets()) > 2, WITHIN_S)
    pause(WATCH_S)
    return Watched(profile, bench.captures[0])


def they_serve(name: str, bench: Bench) -> None:
    profile = load_profile(name)
    a, b = bench.namespace("ours"), bench.namespace("theirs")
    bench.wire(a, "v0", b, "v1")
    bench.capture(a, "v0")
    ours = bench.site(
        a, SITE.format(profile=name, interface="v0", more=DOMAINS.get(name, "") + 'client_only = true\narb_is = "utc"')
    )
    theirs = bench.ptp4l(b, "v1", transport=profile.default_transport, clockClass=6, **their_options(profile))
    ours.ready()
    until("we follow them and lock", lambda: ours.port_states() == ["SLAVE"], WITHIN_S)
    assert ours.grandmaster() == identity(theirs.get("DEFAULT_DATA_SET")["clockIdentity"])
    # and our time is theirs: that of this machine
    assert abs(ours.error_ns()) < 1e9


SCENARIOS: dict[str, Any] = {f"{name}: we serve": partial(we_serve, name) for name in PROFILES}
SCENARIOS |= {f"{name}: they serve": partial(they_serve, name) for name in PROFILES}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Any:
    return tmp_path_factory.mktemp("profiles")


@pytest.fixture(scope="module")
def runs(folder: Any) -> dict[str, Outcome]:
    need_peers()
    return together(SCENARIOS, folder, at_once=3)


@pytest.mark.parametrize("case", SCENARIOS)
def test_ptp4l_with_the_profiles_settings_agrees(runs: dict[str, Outcome], case: str) -> None:
    runs[case].get()


def test_every_frame_we_sent_is_well_formed(runs: dict[str, Outcome], folder: Any) -> None:
    seen = judge_frames(runs.values(), folder)
    assert all(seen[kind] for kind in ("ANNOUNCE", "SYNC", "FOLLOW_UP", "DELAY_REQ", "DELAY_RESP"))
    assert seen["MANAGEMENT"], "no synchronization metadata of ST 2059-2"


# ---- what a profile asks of our frames -----------------------------------------------------------------------------


def frames(watched: Watched) -> list[tuple[CapturedFrame, PtpPayload, Message]]:
    found = []
    for frame in read_capture(watched.capture):
        payload = extract(frame)
        assert isinstance(payload, PtpPayload)
        found.append((frame, payload, decode(payload.octets)))
    return found


def interval_s(watched: Watched, kind: type[Message]) -> float:
    """Mean time between messages of a kind. The first two Announces of a new master are close together."""
    times = [frame.time_ns for frame, _, message in frames(watched) if isinstance(message, kind)][2:]
    assert len(times) > 3
    assert times[0] is not None
    assert times[-1] is not None
    return (times[-1] - times[0]) / 1e9 / (len(times) - 1)


@pytest.mark.parametrize("name", PROFILES)
def test_our_intervals_are_those_of_the_profile(runs: dict[str, Outcome], name: str) -> None:
    watched: Watched = runs[f"{name}: we serve"].get()
    for kind, key in ((Announce, "log_announce_interval"), (Sync, "log_sync_interval")):
        assert interval_s(watched, kind) == pytest.approx(2.0 ** watched.profile.parameters[key].default, rel=0.3)


def test_PRF_05_the_rates_of_g8275_1(runs: dict[str, Outcome]) -> None:
    watched: Watched = runs["g8275-1: we serve"].get()
    assert interval_s(watched, Announce) == pytest.approx(1 / 8, rel=0.3)
    assert interval_s(watched, Sync) == pytest.approx(1 / 16, rel=0.3)
    # what their requests are to keep to
    intervals = {m.log_interval for _, _, m in frames(watched) if isinstance(m, DelayResp)}
    assert intervals == {-4}


def test_PRF_06_g8275_1_uses_the_group_that_bridges_keep_without_tag_and_without_unicast(
    runs: dict[str, Outcome],
) -> None:
    for frame, payload, message in frames(runs["g8275-1: we serve"].get()):
        assert payload.destination == "01:80:c2:00:00:0e"
        assert frame.octets[12:14] == b"\x88\xf7"
        assert not message.flags & 0x0400


def test_PRF_26_aes67_rates_and_marking(runs: dict[str, Outcome]) -> None:
    watched: Watched = runs["aes67: we serve"].get()
    assert interval_s(watched, Sync) == pytest.approx(1 / 8, rel=0.3)
    assert interval_s(watched, Announce) == pytest.approx(2, rel=0.3)
    assert {frame.octets[15] >> 2 for frame, _, _ in frames(watched)} == {46}


def test_PRF_27_enterprise_announces_and_synchronises_by_multicast_and_answers_as_asked(
    runs: dict[str, Outcome],
) -> None:
    watched: Watched = runs["rfc9760: we serve"].get()
    kinds = {type(m): payload.destination for _, payload, m in frames(watched)}
    assert kinds == dict.fromkeys((Announce, Sync, FollowUp, DelayResp), "224.0.1.129")
    assert DelayReq not in kinds
    assert mean(m.flags & 0x0400 for _, _, m in frames(watched)) == 0


def test_PRF_18_the_power_profile_measures_its_links_once_a_second_and_needs_no_tlv(runs: dict[str, Outcome]) -> None:
    watched: Watched = runs["iec61850-9-3: we serve"].get()
    for kind in (Announce, Sync, PdelayReq):
        assert interval_s(watched, kind) == pytest.approx(1, rel=0.3)
    assert all(m.tlvs == () for _, _, m in frames(watched))
    assert {payload.destination for _, payload, m in frames(watched) if isinstance(m, PdelayReq)} == {
        "01:80:c2:00:00:0e"
    }


def test_PRF_16_the_power_profile_of_2017_says_how_wrong_its_time_may_be(runs: dict[str, Outcome]) -> None:
    announced = [m for _, _, m in frames(runs["c37-238-2017: we serve"].get()) if isinstance(m, Announce)]
    assert announced
    assert all(m.tlvs == (PowerProfile2017(0, total_time_inaccuracy_ns=250),) for m in announced)


def test_PRF_17_the_power_profile_of_2011_has_priority_tags_and_its_tlv_first(runs: dict[str, Outcome]) -> None:
    watched: Watched = runs["c37-238-2011: we serve"].get()
    announced = [m for _, _, m in frames(watched) if isinstance(m, Announce)]
    assert announced
    assert all(m.tlvs[0] == PowerProfile2011(7, 250, 0) for m in announced)
    assert all(isinstance(m.tlvs[1], AlternateTimeOffsetIndicator) and len(m.tlvs) == 2 for m in announced)
    ours = [frame.octets for frame, _, m in frames(watched) if isinstance(m, Announce)]
    assert {octets[12:16] for octets in ours} == {bytes.fromhex("81008000")}  # priority 4, VLAN 0
