"""Whatever is heard, the judges answer: nothing from the network makes the doctor fail."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ptpstack.doctor.examine import catalogue
from ptpstack.doctor.findings import OK, Finding, by_severity
from ptpstack.doctor.machine.nftables import INET, Chain, Ruleset
from ptpstack.doctor.probes import firewall
from ptpstack.doctor.traffic import exchanges, masters, mechanisms, scale, stamps
from ptpstack.doctor.traffic.census import Census
from ptpstack.doctor.traffic.expected import Expected
from ptpstack.doctor.traffic.expected import judge as expect
from ptpstack.doctor.traffic.listen import Heard
from ptpstack.timebase.leap import LeapTable
from ptpstack.wire.capture import read_capture
from ptpstack.wire.codec import encode
from ptpstack.wire.encapsulation import PtpPayload, extract
from ptpstack.wire.messages import (
    Announce,
    DelayReq,
    DelayResp,
    FollowUp,
    PdelayReq,
    PdelayResp,
    PdelayRespFollowUp,
    Signaling,
    Sync,
)
from ptpstack.wire.types import ClockQuality, PortIdentity

KNOWN = {row.id for row in catalogue()}
TABLE = LeapTable.built_in()
EXPECTED = tuple(
    Expected("eth0", transport, domain, 0, mechanism, True)
    for transport, domain, mechanism in (("udp4", 0, "E2E"), ("l2", 1, "P2P"), ("udp6", 24, "AUTO"))
)

#: few speakers, domains and sequence numbers, so that messages meet
headers = {
    "source": st.builds(PortIdentity, st.sampled_from([bytes(7) + b"\1", bytes(7) + b"\2"]), st.just(1)),
    "sequence_id": st.integers(0, 3),
    "domain": st.sampled_from([0, 1]),
    "sdo_id": st.sampled_from([0, 0x100]),
    "flags": st.integers(0, 0xFFFF),
    "correction_sns": st.integers(-(1 << 63), (1 << 63) - 1),
    "log_interval": st.integers(-128, 127),
    "minor_version": st.integers(0, 15),
}
times = st.one_of(st.just(0), st.integers(0, (1 << 48) * 10**9 - 1))
answers = {**headers, "requesting": headers["source"]}
messages = st.one_of(
    st.builds(
        Announce,
        **headers,
        current_utc_offset=st.integers(-(1 << 15), (1 << 15) - 1),
        quality=st.builds(ClockQuality, st.integers(0, 255), st.integers(0, 255), st.integers(0, 0xFFFF)),
        grandmaster=st.binary(min_size=8, max_size=8),
        steps_removed=st.integers(0, 0xFFFF),
        time_source=st.integers(0, 255),
    ),
    st.builds(Sync, **headers, origin_ns=times),
    st.builds(FollowUp, **headers, precise_origin_ns=times),
    st.builds(DelayReq, **headers),
    st.builds(DelayResp, **answers),
    st.builds(PdelayReq, **headers),
    st.builds(PdelayResp, **answers),
    st.builds(PdelayRespFollowUp, **answers),
    st.builds(Signaling, **headers),
)

#: where a frame is heard: transport, source, destination, VLANs, sent by us
places = st.sampled_from(
    [
        ("UDPv4", "10.0.0.2", "224.0.1.129", (), False),
        ("UDPv4", "10.0.0.2", "10.0.0.1", (), False),
        ("UDPv6", "fe80::1", "ff0e::181", (), True),
        ("802.3", "02:00:00:00:00:01", "01:1b:19:00:00:00", (5,), False),
        ("802.3", "02:00:00:00:00:02", "02:00:00:00:00:03", (), False),
    ]
)


def judged(census: Census, now_s: int) -> list[Finding]:
    found = masters.judge(census) + exchanges.judge(census) + mechanisms.judge(census)
    found += scale.judge(census, scale.Time(TABLE, now_s))
    return found + expect(census, EXPECTED) + stamps.judge(census, frozenset({"eth0"}))


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    st.lists(
        st.tuples(st.one_of(messages.map(encode), st.binary(max_size=80)), places, st.integers(0, 1 << 40)), max_size=40
    )
)
def test_anything_heard_is_judged(heard: list[tuple[bytes, tuple[str, str, str, tuple[int, ...], bool], int]]) -> None:
    census = Census()
    for octets, (transport, source, destination, vlans, outgoing), at in heard * 4:
        payload = PtpPayload(octets, transport, source, destination, vlans=vlans)
        census.take(Heard("eth0", payload, 1_700_000_000_000_000_000 + at, None, outgoing, "02:00:00:00:00:01"))
    for finding in by_severity(judged(census, 1_700_000_000)):
        assert finding.id in KNOWN
        assert finding.evidence
        assert finding.subject


def test_real_captures_of_healthy_networks_are_no_faults(test_data: Path) -> None:
    for name in ("ptp-ethernet-e2e", "ptp-management", "ptp-udp4-e2e", "ptp-udp4-nanosecond"):
        census = Census()
        for captured in read_capture(test_data / "ptp" / f"{name}.pcap"):
            payload = extract(captured)
            if isinstance(payload, PtpPayload):
                mac = captured.octets[6:12].hex(":")
                census.take(Heard("eth0", payload, captured.time_ns or 0, None, False, mac))
        assert census.frames
        found = masters.judge(census) + exchanges.judge(census) + mechanisms.judge(census)
        found += scale.judge(census, scale.Time(TABLE, census.ended_ns // 1_000_000_000))
        assert [f for f in found if f.severity not in (OK, "note")] == [], name


NAMES = (
    "payload",
    "meta",
    "ct",
    "bitwise",
    "cmp",
    "range",
    "lookup",
    "immediate",
    "reject",
    "match",
    "target",
    "limit",
)
fields = st.dictionaries(
    st.integers(1, 7), st.one_of(st.binary(max_size=12), st.integers(0, 24).map(lambda n: n.to_bytes(4, "big")))
)
rules = st.lists(st.lists(st.tuples(st.sampled_from(NAMES), fields), max_size=4).map(tuple), max_size=4).map(tuple)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(rules, st.booleans())
def test_any_rules_are_followed(planted: Any, accepts: bool) -> None:
    chain = Chain(INET, "t", "input", 1, accepts=accepts, rules=planted)
    found = firewall.judge(firewall.Firewall("eth0", Ruleset((chain,)), 3))
    assert {finding.id for finding in found} <= {"firewall-open", "firewall-drops", "firewall-may-drop"}
    assert found
