"""What people and scripts get to read."""

from __future__ import annotations

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ptpstack.wire import tlvs as t
from ptpstack.wire.codec import decode
from ptpstack.wire.describe import describe, describe_tlv, message_type_name, one_line
from ptpstack.wire.management import management_error_name, management_id_name
from ptpstack.wire.management.rows import MANAGEMENT_IDS, describe_data
from ptpstack.wire.messages import Announce, Signaling, Sync
from ptpstack.wire.types import PortIdentity
from ptpstack.wire.values import accuracy_text, duration_text, instant_text, safe_text
from tests.wire.examples import EXAMPLES
from tests.wire.strategies import MESSAGES

SOURCE = PortIdentity(bytes.fromhex("001b21fffeaabbcc"), 1)


def lines(name: str) -> str:
    return one_line(decode(EXAMPLES[name]))


@pytest.mark.parametrize("name", EXAMPLES)
def test_every_example_is_json(name: str) -> None:
    described = describe(decode(EXAMPLES[name]))
    assert json.loads(json.dumps(described, allow_nan=False)) == described
    assert described["messageLength"] == len(EXAMPLES[name])


@pytest.mark.parametrize("name", MESSAGES)
def test_any_message_is_json_and_one_printable_line(name: str) -> None:
    @given(MESSAGES[name])
    @settings(max_examples=25, deadline=None)
    def readable(message: Sync) -> None:
        json.dumps(describe(message), allow_nan=False)
        assert one_line(message).isprintable()

    readable()


def test_follow_up() -> None:
    described = describe(decode(EXAMPLES["follow_up"]))
    assert described["messageType"] == "Follow_Up"
    assert described["correctionField"] == {"raw": 98304, "ns": 1.5, "text": "1.5 ns"}
    assert described["preciseOriginTimestamp"] == {
        "secondsField": 1767225637,
        "nanosecondsField": 123456789,
        "text": "2026-01-01T00:00:37.123456789",
    }
    assert lines("follow_up") == (
        "Follow_Up seq 4660 dom 0 from 001b21.fffe.aabbcc-1 time 2026-01-01T00:00:37.123456789 corr 1.5 ns log 0"
    )


def test_sync() -> None:
    assert lines("sync_two_step") == "Sync seq 4660 dom 0 from 001b21.fffe.aabbcc-1 two-step log 0"
    assert lines("sync_one_step").endswith("one-step time 2026-01-01T00:00:37.000000000 corr -2.5 ns log 0")


def test_announce() -> None:
    described = describe(decode(EXAMPLES["announce"]))
    assert described["grandmasterClockQuality"] == {
        "clockClass": 6,
        "clockAccuracy": {"raw": 0x21, "meaning": "100 ns"},
        "offsetScaledLogVariance": 0x4E5D,
    }
    assert described["timeSource"] == {"raw": 0x20, "meaning": "GNSS"}
    assert described["flagField"] == {
        "raw": 0x3C,
        "set": ["currentUtcOffsetValid", "ptpTimescale", "timeTraceable", "frequencyTraceable"],
    }
    assert "class 6 acc 0x21 (100 ns) var 0x4E5D p2 128 steps 0 GNSS utc +37" in lines("announce")


def test_announce_tlvs() -> None:
    path, alternate = describe(decode(EXAMPLES["announce_path_trace_atoi"]))["tlvs"]
    assert path["pathSequence"] == ["001b21.fffe.aabbcc", "001b21.fffe.112233"]
    assert alternate["displayName"] == "CET"
    assert alternate["currentOffset"] == 3563
    assert "[PATH_TRACE 001b21.fffe.aabbcc > 001b21.fffe.112233]" in lines("announce_path_trace_atoi")


def test_unicast_negotiation() -> None:
    line = lines("signaling_request")
    assert "to *-*" in line
    assert "unicast" in line
    assert "[REQUEST Announce log 0 for 300 s] [REQUEST Sync log -4 for 300 s] [REQUEST Delay_Resp" in line
    assert "[CANCEL Sync]" in lines("signaling_cancel")
    grant = describe(decode(EXAMPLES["signaling_grant"]))["tlvs"][0]
    assert grant["renewalInvited"] is True


def test_management_data_sets() -> None:
    def data(name: str) -> dict[str, object]:
        tlv = describe(decode(EXAMPLES[name]))["tlvs"][0]
        return tlv["dataField"]  # type: ignore[no-any-return]

    default = data("response_default")
    assert default["flags"] == {"raw": 1, "set": ["twoStepFlag"]}
    assert (default["numberPorts"], default["clockClass"], default["priority2"]) == (1, 248, 128)
    assert default["clockIdentity"] == "001b21.fffe.aabbcc"
    current = data("response_current")
    assert current["offsetFromMaster"] == {"raw": -25 * 65536, "ns": -25.0, "text": "-25 ns"}
    assert current["meanDelay"] == {"raw": 65536000, "ns": 1000.0, "text": "1 µs"}
    parent = data("response_parent")
    assert parent["parentPortIdentity"] == "001b21.fffe.aabbcc-0"
    assert parent["observedParentClockPhaseChangeRate"] == 0x7FFFFFFF
    properties = data("response_time_properties")
    assert (properties["currentUtcOffset"], properties["timeSource"]) == (37, {"raw": 0x20, "meaning": "GNSS"})
    assert properties["flags"] == {
        "raw": 0x3C,
        "set": ["currentUtcOffsetValid", "ptpTimescale", "timeTraceable", "frequencyTraceable"],
    }
    assert describe_data(0x2003, bytes((0, 37, 0x84, 0x20)))["flags"] == {
        "raw": 0x84,
        "set": ["currentUtcOffsetValid", "0x80"],
    }
    port = data("response_port")
    assert port["portState"] == {"raw": 6, "meaning": "MASTER"}
    assert port["delayMechanism"] == {"raw": 1, "meaning": "E2E"}
    assert port["versionNumber"] == 0x12
    assert data("set_priority1")["priority1"] == 100
    assert data("get_default_empty") == {"octets": ""}
    assert "GET [DEFAULT_DATA_SET 0 octets]" in lines("get_default_empty")
    assert "[WRONG_VALUE on PRIORITY1 'range']" in lines("error_wrong_value")


def test_layouts_have_the_lengths_of_the_standard() -> None:
    lengths = {0x2000: 20, 0x2001: 18, 0x2002: 32, 0x2003: 4, 0x2004: 26, 0x200F: 10, 0x2011: 4, 0x201D: 4,
               0x2021: 16, 0x4000: 12, 0x4001: 20, 0xC000: 50, 0xC001: 8, 0xC002: 8, 0xC003: 66, 0xC005: 266,
               0xC007: 90, 0xC009: 16, 0xC00A: 16, 0xC00B: 16, 0xC00C: 24, 0xC00D: 10}  # fmt: skip
    lengths |= dict.fromkeys((0x0000, 0x0003, 0x0004, 0x0007, 0x200D, 0x200E), 0)
    variable = {0x0001, 0x0002, 0x0006, 0x2015, 0x2017, 0x2018, 0x201A, 0x201F, 0xC004, 0xC008}
    for number, row in MANAGEMENT_IDS.items():
        assert row.size == (None if number in variable else lengths.get(number, 2)), row.name


@given(st.sampled_from(sorted(MANAGEMENT_IDS)), st.binary(max_size=64))
def test_any_data_field_can_be_shown(management_id: int, data: bytes) -> None:
    described = describe_data(management_id, data)
    assert described["octets"] == data.hex()
    json.dumps(described, allow_nan=False)


def test_a_damaged_time_in_a_data_field_is_said() -> None:
    assert "nanosecondsField" in describe_data(0x200F, b"\xff" * 10)["malformed"]


def test_ranges_of_ids() -> None:
    assert management_id_name(0x2000) == "DEFAULT_DATA_SET"
    assert management_id_name(0xC123) == "implementation specific 0xC123"
    assert management_id_name(0xE000) == "profile specific 0xE000"
    assert management_id_name(0x9000) == "reserved 0x9000"
    assert management_error_name(6) == "NOT_SUPPORTED"
    assert management_error_name(0xC000) == "implementation specific 0xC000"
    assert management_error_name(0xE000) == "profile specific 0xE000"
    assert management_error_name(0) == "reserved 0x0000"
    assert message_type_name(4) == "reserved 0x4"


def test_text_of_a_stranger_cannot_drive_a_terminal() -> None:
    tlv = t.AlternateTimeOffsetIndicator(1, 0, display_name="\x1b[2J\udcff名")
    shown = describe_tlv(tlv)["displayName"]
    assert shown == "\\x1b[2J\ufffd名"
    assert safe_text("a\nb") == "a\\nb"
    error = t.ManagementErrorStatus(4, 0x2005, "\x1b]0;x\x07")
    assert one_line(Signaling(SOURCE, 1, tlvs=(error,))).isprintable()


def test_numbers_json_has_none_for() -> None:
    tlv = t.EnhancedAccuracyMetrics(var_gm_inaccuracy=float("inf"), var_dynamic_inaccuracy=float("nan"))
    described = describe_tlv(tlv)
    assert described["varGmInaccuracy"] == "inf"
    assert described["varDynamicInaccuracy"] == "nan"


def test_authentication_and_address_and_l1() -> None:
    plain = describe_tlv(t.Authentication(1, 2, b"\xaa" * 16))
    assert plain["ICV"] == "aa" * 16
    optional = describe_tlv(t.Authentication(1, 2, b"\xaa" * 16, 2))
    assert "ICV" not in optional
    assert optional["secParamIndicator"]["set"] == ["SP"]
    address = describe_tlv(t.ProtocolAddress(t.PortAddress(1, bytes((192, 0, 2, 1)))))
    assert address["networkProtocol"] == {"raw": 1, "meaning": "UDP/IPv4"}
    l1 = describe_tlv(t.L1Sync(0x0F, 0x01, t.L1SyncExtended(2, 65536, 0, 0, 0)))
    assert l1["capabilities"]["set"] == ["TCR", "RCR", "CR", "OPE"]
    assert l1["phaseOffsetTx"]["ns"] == 1.0
    records = describe(decode(EXAMPLES["slave_rx_sync"]))["tlvs"][0]
    assert records["records"][0]["sequenceId"] == 0x1234


@pytest.mark.parametrize(
    ("ns", "text"),
    [
        (0, "0"),
        (5, "0.000000005 s"),
        (1767225637 * 10**9, "2026-01-01T00:00:37.000000000"),
        (((1 << 48) - 1) * 10**9, "281474976710655.000000000 s"),
    ],
)
def test_instants(ns: int, text: str) -> None:
    assert instant_text(ns) == text


def test_durations_and_accuracies() -> None:
    assert duration_text(-2.5) == "-2.5 ns"
    assert duration_text(12250) == "12.25 µs"
    assert duration_text(-3e6) == "-3 ms"
    assert duration_text(2e9) == "2 s"
    assert accuracy_text(0x20) == "25 ns"
    assert accuracy_text(0x17) == "1 ps"
    assert accuracy_text(0x31) == "worse than 10 s"
    assert accuracy_text(0xFE) == "unknown"
    assert accuracy_text(0x80) == "profile specific"
    assert accuracy_text(0x00) == "reserved"
    too_big = describe(Announce(SOURCE, 1, correction_sns=(1 << 63) - 1))["correctionField"]
    assert too_big["text"] == "too big to represent"
