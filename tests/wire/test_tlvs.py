"""Known TLVs one by one: the shortest that is whole, one octet pair less, and one more."""

from __future__ import annotations

from dataclasses import replace

import pytest

from ptpstack.wire import tlvs as t
from ptpstack.wire.codec import decode, encode
from ptpstack.wire.errors import MalformedFrame
from ptpstack.wire.messages import Announce, Signaling, Sync
from ptpstack.wire.tlv import Tlv
from ptpstack.wire.tlvs.organization import ORGANIZATION_TLV_NAMES
from ptpstack.wire.types import PortIdentity

SOURCE = PortIdentity(bytes.fromhex("001b21fffeaabbcc"), 1)

#: tlvType, octets the value begins with, least lengthField.
LAYOUTS = [
    (0x0001, "", 2),
    (0x0002, "", 8),
    (0x0003, "", 6),
    (0x4000, "", 6),
    (0x8000, "", 6),
    (0x0004, "", 6),
    (0x0005, "", 8),
    (0x0006, "", 2),
    (0x0007, "", 2),
    (0x0008, "", 0),
    (0x0009, "", 16),
    (0x4001, "", 84),
    (0x7F00, "", 10),
    (0x8001, "", 2),
    (0x8001, "08", 40),
    (0x8002, "", 2),
    (0x8003, "", 4),
    (0x8003, "00010004", 8),
    (0x8003, "0003ffff00000000", None),
    (0x8004, "", 10),
    (0x8005, "", 12),
    (0x8006, "", 12),
    (0x8007, "", 4),
    (0x8008, "", 0),
    (0x8009, "", 6),
    (0x0003, "0080c2000001", 28),
    (0x0003, "0080c2000002", 12),
    (0x8000, "0080c2000004", 12),
    (0x0003, "0080c2000004", 12),
    (0x8000, "0080c2000005", 10),
    (0x0003, "0080c2000005", 10),
    (0x0003, "1c129d000001", 18),
    (0x0003, "1c129d000002", 18),
    (0x0003, "6897e8000001", 48),
    (0x0003, "0019a7000002", 18),
]


def carrying(tlv_type: int, value: bytes) -> bytes:
    octets = encode(Sync(SOURCE, 1, tlvs=(Tlv(0x1234, value),)))
    return octets[:44] + tlv_type.to_bytes(2, "big") + octets[46:]


@pytest.mark.parametrize(("tlv_type", "begin", "least"), LAYOUTS)
def test_least_length(tlv_type: int, begin: str, least: int | None) -> None:
    head = bytes.fromhex(begin)
    for length in range((len(head) + 1) & ~1, 120, 2):
        octets = carrying(tlv_type, (head + bytes(120))[:length])
        if least is None or length < least:
            with pytest.raises(MalformedFrame) as caught:
                decode(octets)
            assert caught.value.reason == "tlv-short"
            assert 44 <= caught.value.offset <= len(octets)
        else:
            message = decode(octets)
            assert type(message.tlvs[0]) is not Tlv
            assert encode(message) == octets


def test_what_lies_behind_a_layout_is_extra() -> None:
    (tlv,) = decode(carrying(0x0004, bytes.fromhex("b0000000012c") + b"more")).tlvs
    assert tlv == t.RequestUnicastTransmission(0xB, 0, 300, extra=b"more")


def test_reserved_nibbles_and_octets_are_kept() -> None:
    (tlv,) = decode(carrying(0x0005, bytes.fromhex("b5000000012ca5ff"))).tlvs
    assert tlv == t.GrantUnicastTransmission(0xB, 0, 300, flags=0xFF, reserved=(5, 0xA5))
    assert isinstance(tlv, t.GrantUnicastTransmission)
    assert tlv.renewal_invited
    assert not replace(tlv, flags=0xFE).renewal_invited


def test_cancel_flags_of_the_2019_edition() -> None:
    (tlv,) = decode(carrying(0x0006, bytes.fromhex("9300"))).tlvs
    assert tlv == t.CancelUnicastTransmission(0x9, flags=3)


def test_gptp_capable_of_early_stacks_comes_back_under_its_own_type() -> None:
    octets = carrying(0x0003, bytes.fromhex("0080c2000004") + bytes(6))
    (tlv,) = decode(octets).tlvs
    assert tlv == t.GptpCapable(tlv_type=0x0003)
    assert encode(decode(octets)) == octets


def test_a_layout_under_another_tlv_type_is_only_an_organization_extension() -> None:
    (tlv,) = decode(carrying(0x4000, bytes.fromhex("1c129d000001"))).tlvs
    assert tlv == t.OrganizationExtension(b"\x1c\x12\x9d", b"\0\0\1", b"", 0x4000)


def test_timestamps_inside_tlvs_are_checked_too() -> None:
    good = t.SlaveTxEventTimestamps(SOURCE, 1, (t.TxEventTimestamp(7, 5),))
    octets = encode(Signaling(SOURCE, 1, tlvs=(good,)))
    assert decode(octets).tlvs == (good,)
    with pytest.raises(MalformedFrame) as caught:
        decode(octets[:-4] + (10**9).to_bytes(4, "big"))
    assert caught.value.reason == "timestamp"
    assert caught.value.offset == len(octets) - 4


def test_half_a_record_is_kept_and_not_read() -> None:
    value = bytes(12) + bytes(12) + b"halves"
    (tlv,) = decode(carrying(0x8006, value)).tlvs
    assert isinstance(tlv, t.SlaveTxEventTimestamps)
    assert len(tlv.records) == 1
    assert tlv.extra == b"halves"


def test_error_status_with_and_without_text() -> None:
    bare = t.ManagementErrorStatus(2, 0x2005)
    empty = t.ManagementErrorStatus(2, 0x2005, "")
    assert bare.value.hex() == "0002200500000000"
    assert empty.value.hex() == "00022005000000000000"
    for tlv in (bare, empty):
        assert decode(carrying(2, tlv.value)).tlvs == (tlv,)


def test_authentication_without_optional_fields_is_all_icv() -> None:
    tlv = t.Authentication(1, 42, b"0123456789abcdef")
    assert tlv.icv == b"0123456789abcdef"
    assert tlv.value.hex().startswith("01000000002a")


def test_authentication_with_optional_fields_needs_their_lengths() -> None:
    tlv = t.Authentication(1, 42, b"KKKKSSRR" + b"icv!" * 4, sec_param_indicator=0x07)
    assert tlv.icv is None
    parts = tlv.split(disclosed_key=4, sequence_no=2, res=2)
    assert parts == (b"KKKK", b"SS", b"RR", b"icv!" * 4)
    only_sequence = replace(tlv, sec_param_indicator=0x02).split(disclosed_key=4, sequence_no=2, res=2)
    assert only_sequence == (b"", b"KK", b"", b"KKSSRR" + b"icv!" * 4)
    with pytest.raises(ValueError, match="need 100 octets"):
        tlv.split(disclosed_key=100)


def test_l1_sync_extended() -> None:
    extended = t.L1SyncExtended(7, -5, 10**18, 6, 10**18 + 1)
    tlv = t.L1Sync(0x0F, 0x07, extended)
    assert len(tlv.value) == 40
    assert decode(carrying(0x8001, tlv.value)).tlvs == (tlv,)
    with pytest.raises(ValueError, match="OPE"):
        _ = t.L1Sync(0x07, 0x07, extended).value


def test_scaled_ns_is_signed_96_bits() -> None:
    tlv = t.FollowUpInformation(last_gm_phase_change_sns=-1)
    assert tlv.value[12:24] == b"\xff" * 12
    with pytest.raises(ValueError, match="96-bit"):
        _ = t.FollowUpInformation(last_gm_phase_change_sns=1 << 95).value


@pytest.mark.parametrize(
    ("tlv", "field"),
    [
        (t.RequestUnicastTransmission(16, 0, 0), "message_type"),
        (t.RequestUnicastTransmission(0, 128, 0), "log_inter_message_period"),
        (t.RequestUnicastTransmission(0, 0, 1 << 32), "duration_s"),
        (t.RequestUnicastTransmission(0, 0, 0, reserved=16), "reserved"),
        (t.GrantUnicastTransmission(0, 0, 0, flags=256), "flags"),
        (t.CancelUnicastTransmission(0, flags=16), "flags"),
        (t.PathTrace((bytes(7),)), r"path\[0\]"),
        (t.ManagementTlv(0x10000), "management_id"),
        (t.CumulativeRateRatio(1 << 31), "scaled_cumulative_rate_ratio"),
        (t.OrganizationExtension(b"ab", b"abc"), "organization_id"),
        (t.GptpCapableMessageIntervalRequest(0, b"12"), "reserved"),
        (t.AlternateTimeOffsetIndicator(1, 0, 0, 1 << 48), "time_of_next_jump_s"),
        (t.SlaveTxEventTimestamps(PortIdentity(b"", 1), 1), "clock_identity"),
        (t.SlaveTxEventTimestamps(SOURCE, 1, (t.TxEventTimestamp(1, -1),)), "event_egress_ns"),
        (t.Pad(bytes(0x10000)), "lengthField"),
        (Tlv(0x10000), "tlv_type"),
    ],
)
def test_a_field_out_of_range_is_named(tlv: Tlv, field: str) -> None:
    with pytest.raises(ValueError, match=field):
        encode(Announce(SOURCE, 1, tlvs=(tlv,)))


def test_message_longer_than_its_length_field() -> None:
    pads = (t.Pad(bytes(40000)), t.Pad(bytes(40000)))
    with pytest.raises(ValueError, match="messageLength ends at 65535"):
        encode(Announce(SOURCE, 1, tlvs=pads))


@pytest.mark.parametrize(
    ("fields", "named"),
    [
        ({"sdo_id": 0x1000}, "sdo_id"),
        ({"sdo_id": -1}, "sdo_id"),
        ({"minor_version": 16}, "minor_version"),
        ({"domain": 256}, "domain"),
        ({"flags": 0x10000}, "flags"),
        ({"correction_sns": 1 << 63}, "correction_sns"),
        ({"message_type_specific": -1}, "message_type_specific"),
        ({"log_interval": 128}, "log_interval"),
        ({"control": 256}, "control"),
        ({"source": PortIdentity(bytes(7), 1)}, r"source\.clock_identity"),
        ({"source": PortIdentity(bytes(8), 65536)}, r"source\.port_number"),
        ({"grandmaster": bytes(9)}, "grandmaster"),
        ({"origin_ns": 1.5}, "origin_ns"),
        ({"priority1": 256}, "priority1"),
        ({"current_utc_offset": 32768}, "current_utc_offset"),
        ({"quality": (256, 0, 0)}, r"quality\.clock_class"),
    ],
)
def test_a_header_or_body_field_out_of_range_is_named(fields: dict[str, object], named: str) -> None:
    with pytest.raises(ValueError, match=named):
        encode(replace(Announce(SOURCE, 1), **fields))  # type: ignore[arg-type]


def test_encode_refuses_what_is_no_message() -> None:
    with pytest.raises(TypeError, match="str"):
        encode("sync")  # type: ignore[arg-type]


def test_names() -> None:
    assert t.tlv_name(0x8004) == "SLAVE_RX_SYNC_TIMING_DATA"
    assert t.tlv_name(0x4ABC) == "reserved, propagate"
    assert all(t.tlv_name(number) != "unknown" for number in range(0x10000))
    assert len(ORGANIZATION_TLV_NAMES) == 11


def test_unknown_tlvs_compare_by_type_and_value() -> None:
    assert Tlv(1, b"ab") == Tlv(1, b"ab")
    assert Tlv(1, b"ab") != Tlv(2, b"ab")
    assert Tlv(1, b"\x20\x05") != t.ManagementTlv(0x2005)
    assert repr(Tlv(0x1234, b"\1")) == "Tlv(tlv_type=0x1234, value=bytes.fromhex('01'))"
