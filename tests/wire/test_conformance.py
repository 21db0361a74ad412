"""Rows HDR-.. and MSG-.. of the conformance catalogue that concern octets alone. The rows about behaviour (replies,
sequence counters, intervals, whom a message is for) are the protocol's."""

from __future__ import annotations

from dataclasses import replace

import pytest

from ptpstack.wire.codec import MINIMUM_OCTETS, decode, encode, peek
from ptpstack.wire.errors import MalformedFrame
from ptpstack.wire.messages import (
    CONTROL_FIELD,
    Announce,
    DelayReq,
    DelayResp,
    FollowUp,
    Management,
    Message,
    PdelayReq,
    PdelayResp,
    PdelayRespFollowUp,
    Signaling,
    Sync,
)
from ptpstack.wire.tlv import Tlv
from ptpstack.wire.tlvs import (
    AlternateTimeOffsetIndicator,
    ManagementErrorStatus,
    Pad,
    PathTrace,
    Propagation,
    RequestUnicastTransmission,
    propagates,
    propagation,
)
from ptpstack.wire.types import ClockQuality, MessageType, PortIdentity
from tests.wire.examples import EXAMPLES

SOURCE = PortIdentity(bytes.fromhex("001b21fffeaabbcc"), 1)
OTHER = PortIdentity(bytes.fromhex("001b21fffe112233"), 3)
KINDS = tuple(MINIMUM_OCTETS)
BY_TYPE = {kind.type: kind for kind in KINDS}


def changed(octets: bytes, **at: int) -> bytes:
    """``octets`` with octet N set: ``changed(x, o6=1)``."""
    copy = bytearray(octets)
    for name, value in at.items():
        copy[int(name[1:])] = value
    return bytes(copy)


def with_tlvs(octets: bytes, tlvs: bytes) -> bytes:
    """``octets`` and TLV octets behind, messageLength set."""
    return octets[:2] + (len(octets) + len(tlvs)).to_bytes(2, "big") + octets[4:] + tlvs


def refused(octets: bytes) -> MalformedFrame:
    with pytest.raises(MalformedFrame) as caught:
        decode(octets)
    return caught.value


SYNC = EXAMPLES["sync_two_step"]
ANNOUNCE = EXAMPLES["announce"]


# ------------------------------------------------------------------------------------------------------ header


def test_HDR_01_major_sdo_id_is_the_upper_nibble() -> None:
    octets = encode(Sync(SOURCE, 1, sdo_id=0x1AB))
    assert octets[0] == 0x10
    assert octets[5] == 0xAB
    assert decode(octets).sdo_id == 0x1AB
    assert encode(Sync(SOURCE, 1, sdo_id=0x100))[0] == 0x10


@pytest.mark.parametrize("number", [4, 5, 6, 7, 14, 15])
def test_HDR_02_reserved_message_types_are_refused(number: int) -> None:
    error = refused(changed(SYNC + bytes(64), o0=number))
    assert (error.reason, error.offset) == ("message-type", 0)


@pytest.mark.parametrize("version", [0, 1, 3, 15])
def test_HDR_03_other_versions_are_refused(version: int) -> None:
    octets = changed(SYNC, o1=0x10 | version)
    error = refused(octets)
    assert (error.reason, error.offset) == ("version-1" if version == 1 else "version", 1)
    with pytest.raises(MalformedFrame):
        peek(octets)


@pytest.mark.parametrize("minor", [0, 1, 2, 15])
def test_HDR_04_any_minor_version_is_accepted(minor: int) -> None:
    octets = changed(SYNC, o1=minor << 4 | 2)
    message = decode(octets)
    assert message.minor_version == minor
    assert replace(message, minor_version=1) == decode(SYNC)
    assert encode(message) == octets


def test_HDR_05_versions_sent() -> None:
    assert encode(Sync(SOURCE, 1))[1] == 0x12
    assert encode(Sync(SOURCE, 1, minor_version=0))[1] == 0x02


@pytest.mark.parametrize("kind", KINDS)
def test_HDR_06_message_length_covers_header_body_and_tlvs(kind: type[Message]) -> None:
    bare = encode(kind(SOURCE, 1))
    assert int.from_bytes(bare[2:4], "big") == len(bare) == MINIMUM_OCTETS[kind]
    padded = encode(kind(SOURCE, 1, tlvs=(Pad(bytes(6)), Pad())))
    assert int.from_bytes(padded[2:4], "big") == len(padded) == len(bare) + 14


@pytest.mark.parametrize("name", EXAMPLES)
def test_HDR_07_message_length_beyond_the_octets_is_refused(name: str) -> None:
    assert refused(EXAMPLES[name][:-1]).reason == "truncated"


@pytest.mark.parametrize("kind", KINDS)
def test_HDR_08_message_length_below_the_minimum_of_its_type_is_refused(kind: type[Message]) -> None:
    octets = encode(kind(SOURCE, 1))
    too_few = (len(octets) - 1).to_bytes(2, "big")
    assert refused(octets[:2] + too_few + octets[4:]).reason == "short-message"
    assert refused(octets[:2] + too_few + octets[4:-1]).reason == "short-message"
    assert refused(octets[:2] + b"\0\0" + octets[4:]).reason == "short-message"


@pytest.mark.parametrize("size", range(34))
def test_HDR_08_fewer_than_34_octets_are_refused(size: int) -> None:
    error = refused(ANNOUNCE[:size])
    assert (error.reason, error.offset) == ("short-header", size)
    with pytest.raises(MalformedFrame):
        peek(ANNOUNCE[:size])


@pytest.mark.parametrize("count", [1, 2, 3, 4, 6, 16])
@pytest.mark.parametrize("fill", [0x00, 0xFF])
def test_HDR_09_octets_after_message_length_change_nothing(count: int, fill: int) -> None:
    for octets in EXAMPLES.values():
        behind = bytes([fill]) * count
        message = decode(octets + behind)
        assert message.trailing == behind
        assert replace(message, trailing=b"") == decode(octets)


def test_HDR_10_and_11_domain_and_sdo_id_are_seen_before_decoding() -> None:
    octets = changed(SYNC, o0=0x10, o4=254, o5=5)
    assert peek(octets) == (0, 254, 0x105)
    assert peek(memoryview(octets)) == (0, 254, 0x105)
    # peek does not look further: a reserved messageType and a wrong length are for decode
    assert peek(changed(octets, o0=0x27, o3=1)) == (7, 254, 0x205)


@pytest.mark.parametrize("kind", KINDS)
def test_HDR_13_every_flag_bit_survives_and_changes_nothing_else(kind: type[Message]) -> None:
    plain = kind(SOURCE, 1)
    for bit in range(16):
        octets = encode(replace(plain, flags=1 << bit))
        assert octets[6:8] == (1 << bit).to_bytes(2, "big")
        assert replace(decode(octets), flags=0) == plain


def test_HDR_16_correction_is_signed() -> None:
    octets = SYNC[:8] + bytes.fromhex("fffffffffffd8000") + SYNC[16:]
    assert decode(octets).correction_sns == -5 * 2**15  # -2.5 ns
    for value in (-(2**63), -1, 0, 2**63 - 1):
        assert decode(encode(Sync(SOURCE, 1, correction_sns=value))).correction_sns == value


def test_HDR_17_message_type_specific_is_kept_and_is_zero_by_default() -> None:
    octets = SYNC[:16] + bytes.fromhex("deadbeef") + SYNC[20:]
    message = decode(octets)
    assert message.message_type_specific == 0xDEADBEEF
    assert replace(message, message_type_specific=0) == decode(SYNC)
    assert encode(Sync(SOURCE, 1))[16:20] == bytes(4)


def test_HDR_18_source_port_identity_lies_at_20() -> None:
    octets = encode(Sync(PortIdentity(bytes(range(8)), 0x1234), 1))
    assert octets[20:30] == bytes(range(8)) + b"\x12\x34"


@pytest.mark.parametrize("number", [0, 1, 65534, 65535])
def test_HDR_19_sequence_id_is_16_bits(number: int) -> None:
    assert decode(encode(Sync(SOURCE, number))).sequence_id == number


def test_HDR_19_sequence_id_does_not_wrap_by_itself() -> None:
    with pytest.raises(ValueError, match=r"Sync\.sequence_id: 65536"):
        encode(Sync(SOURCE, 65536))


def test_HDR_21_control_field_per_type() -> None:
    sent = [CONTROL_FIELD.get(MessageType(number), 5) for number in (0, 1, 2, 3, 8, 9, 10, 11, 12, 13)]
    assert sent == [0, 1, 5, 5, 2, 3, 5, 5, 5, 4]
    for number, kind in BY_TYPE.items():
        control = CONTROL_FIELD.get(number, 5)
        assert encode(kind(SOURCE, 1, control=control))[32] == control


@pytest.mark.parametrize("control", [0, 1, 5, 255])
def test_HDR_22_wrong_control_field_is_accepted(control: int) -> None:
    message = decode(changed(SYNC, o32=control))
    assert isinstance(message, Sync)
    assert message.control == control


@pytest.mark.parametrize("interval", [-128, -8, 0, 0x7F])
def test_HDR_23_log_message_interval_is_signed(interval: int) -> None:
    octets = encode(DelayReq(SOURCE, 1, log_interval=interval))
    assert octets[33] == interval & 0xFF
    assert decode(octets).log_interval == interval


TIMED = [kind for kind in KINDS if kind not in (Signaling, Management)]


@pytest.mark.parametrize("kind", TIMED)
def test_HDR_26_nanoseconds_of_a_second_or_more_are_refused(kind: type[Message]) -> None:
    octets = encode(kind(SOURCE, 1))
    highest = octets[:40] + (10**9 - 1).to_bytes(4, "big") + octets[44:]
    assert encode(decode(highest)) == highest
    for ns in (10**9, 2**32 - 1):
        error = refused(octets[:40] + ns.to_bytes(4, "big") + octets[44:])
        assert (error.reason, error.offset) == ("timestamp", 40)


def test_HDR_26_timestamp_has_48_bits_of_seconds() -> None:
    last = (2**48 - 1) * 10**9 + 10**9 - 1
    octets = encode(FollowUp(SOURCE, 1, precise_origin_ns=last))
    assert octets[34:44].hex() == "ffffffffffff3b9ac9ff"
    assert decode(octets) == FollowUp(SOURCE, 1, precise_origin_ns=last)
    for ns in (last + 1, -1):
        with pytest.raises(ValueError, match=r"FollowUp\.precise_origin_ns"):
            encode(FollowUp(SOURCE, 1, precise_origin_ns=ns))


@pytest.mark.parametrize("length", [0, 1, 2, 127, 128, 254, 255])
def test_HDR_27_ptp_text_of_any_length(length: int) -> None:
    tlv = ManagementErrorStatus(4, 0x2005, "x" * length)
    octets = encode(Management(SOURCE, 1, tlvs=(tlv,)))
    assert len(octets) % 2 == 0
    assert octets[60] == length
    assert decode(octets).tlvs == (tlv,)


def test_HDR_27_ptp_text_counts_octets_not_characters() -> None:
    tlv = AlternateTimeOffsetIndicator(1, 28800, display_name="北京")
    octets = encode(Announce(SOURCE, 1, tlvs=(tlv,)))
    assert octets[64 + 4 + 15] == 6
    assert decode(octets).tlvs == (tlv,)
    with pytest.raises(ValueError, match=r"display_name: 300 octets"):
        encode(Announce(SOURCE, 1, tlvs=(replace(tlv, display_name="北" * 100),)))


def test_HDR_27_ptp_text_that_is_not_utf8_or_too_long_for_its_tlv() -> None:
    value = bytes(15) + b"\x03\xff\x00\x80" + b"\0"
    octets = with_tlvs(ANNOUNCE, b"\0\x09" + len(value).to_bytes(2, "big") + value)
    assert encode(decode(octets)) == octets
    cut = bytes(15) + b"\x04\xff\x00\x80" + b"\0"
    decode(with_tlvs(ANNOUNCE, b"\0\x09" + len(cut).to_bytes(2, "big") + cut))
    beyond = bytes(15) + b"\x05\xff\x00\x80" + b"\0"
    error = refused(with_tlvs(ANNOUNCE, b"\0\x09" + len(beyond).to_bytes(2, "big") + beyond))
    assert error.reason == "tlv-short"


# ---------------------------------------------------------------------------------------------------- messages


def test_MSG_01_sync_is_44_octets() -> None:
    assert len(encode(Sync(SOURCE, 1, origin_ns=5))) == 44


def test_MSG_06_and_07_delay_resp_layout() -> None:
    octets = encode(DelayResp(SOURCE, 1, receive_ns=(7 << 32) * 10**9 + 9, requesting=OTHER))
    assert octets[34:44].hex() == "00070000000000000009"
    assert octets[44:54] == OTHER.clock_identity + b"\0\x03"


def test_MSG_08_pdelay_req_has_ten_reserved_octets() -> None:
    octets = encode(PdelayReq(SOURCE, 1))
    assert len(octets) == 54
    assert octets[44:54] == bytes(10)
    dirty = octets[:44] + bytes(range(10))
    assert encode(decode(dirty)) == dirty


@pytest.mark.parametrize("kind", [PdelayResp, PdelayRespFollowUp])
def test_MSG_09_and_10_pdelay_responses(kind: type[PdelayResp] | type[PdelayRespFollowUp]) -> None:
    octets = encode(kind(SOURCE, 1, requesting=OTHER))
    assert len(octets) == 54
    assert octets[44:54] == OTHER.clock_identity + b"\0\x03"


def test_MSG_11_and_14_announce_layout() -> None:
    message = Announce(
        SOURCE,
        1,
        current_utc_offset=37,
        priority1=1,
        quality=ClockQuality(6, 0x21, 0x4E5D),
        priority2=2,
        grandmaster=bytes(range(8)),
        steps_removed=0x0102,
        time_source=0x20,
    )
    octets = encode(message)
    assert len(octets) == 64
    assert octets[44:].hex(" ") == "00 25 00 01 06 21 4e 5d 02 00 01 02 03 04 05 06 07 01 02 20"
    assert decode(changed(octets, o46=0xA5)) == replace(message, reserved=0xA5)


@pytest.mark.parametrize("offset", [-32768, -5, 0, 37, 32767])
def test_MSG_13_current_utc_offset_is_signed(offset: int) -> None:
    octets = encode(Announce(SOURCE, 1, current_utc_offset=offset))
    assert octets[44:46] == offset.to_bytes(2, "big", signed=True)
    decoded = decode(octets)
    assert isinstance(decoded, Announce)
    assert decoded.current_utc_offset == offset


def test_MSG_15_signaling_has_a_target_and_tlvs() -> None:
    octets = encode(Signaling(SOURCE, 1, target=OTHER, tlvs=(RequestUnicastTransmission(0, 0, 300),)))
    assert octets[34:44] == OTHER.clock_identity + b"\0\x03"
    assert octets[44:48] == bytes.fromhex("00040006")


def test_MSG_18_management_reserved_fields() -> None:
    octets = encode(Management(SOURCE, 1, target=OTHER, starting_boundary_hops=3, boundary_hops=2, action=4))
    assert octets[44:48] == bytes((3, 2, 4, 0))
    dirty = changed(octets, o46=0xF4, o47=0x99)
    assert encode(decode(dirty)) == dirty


@pytest.mark.parametrize("kind", KINDS)
def test_MSG_19_tlvs_are_allowed_on_any_message(kind: type[Message]) -> None:
    message = kind(SOURCE, 1, tlvs=(Pad(bytes(2)), Tlv(0x1234, b"ab")))
    assert decode(encode(message)) == message


def test_MSG_20_odd_length_field_is_refused() -> None:
    error = refused(with_tlvs(ANNOUNCE, bytes.fromhex("00080005") + bytes(5)))
    assert (error.reason, error.offset) == ("tlv-odd", 66)
    with pytest.raises(ValueError, match="even"):
        encode(Announce(SOURCE, 1, tlvs=(Tlv(0x1234, b"abc"),)))


def test_MSG_21_length_field_beyond_the_end_is_refused() -> None:
    error = refused(with_tlvs(ANNOUNCE, bytes.fromhex("000800c8") + bytes(4)))
    assert (error.reason, error.offset) == ("tlv-beyond-end", 66)
    # octets that are there, but behind messageLength, do not count
    assert refused(with_tlvs(ANNOUNCE, bytes.fromhex("00080008")) + bytes(8)).reason == "tlv-beyond-end"


@pytest.mark.parametrize("count", [1, 2, 3])
def test_MSG_21_stray_octets_after_the_last_tlv_are_refused(count: int) -> None:
    error = refused(with_tlvs(ANNOUNCE, bytes.fromhex("80080000") + bytes(count)))
    assert (error.reason, error.offset) == ("tlv-stray", 68)


def test_MSG_22_unknown_tlv_is_kept_and_the_rest_read() -> None:
    tlvs = (Tlv(0x1234, b"\1\2\3\4"), PathTrace((bytes(8), bytes(range(8)))))
    octets = encode(Announce(SOURCE, 1, tlvs=tlvs))
    assert decode(octets).tlvs == tlvs
    assert type(decode(octets).tlvs[0]) is Tlv


@pytest.mark.parametrize("number", [0x4000, 0x4ABC, 0x7EFF, 0x7F00, 0x7FFF, 0x0009])
def test_MSG_23_types_a_boundary_clock_hands_on(number: int) -> None:
    assert propagates(number)


@pytest.mark.parametrize("number", [0x0000, 0x0003, 0x0FFF, 0x2004, 0x3FFF, 0x8000, 0x8ABC, 0x8008, 0xFFFF])
def test_MSG_24_types_a_boundary_clock_drops(number: int) -> None:
    assert propagation(number) is Propagation.NO


@pytest.mark.parametrize("number", [0x0008, 0x4001])
def test_MSG_24_types_with_a_rule_of_their_own(number: int) -> None:
    assert propagation(number) is Propagation.REWRITTEN
    assert not propagates(number)


def test_MSG_25_tlv_order_is_kept() -> None:
    tlvs = (Tlv(0x4ABD, b"b"*2), Tlv(0x4ABC, b"a"*2), Pad(), Tlv(0x4ABD, b"c"*2))  # fmt: skip
    assert decode(encode(Announce(SOURCE, 1, tlvs=tlvs))).tlvs == tlvs


@pytest.mark.parametrize("length", [0, 2, 100, 1000])
def test_MSG_26_pad_of_any_even_length(length: int) -> None:
    octets = encode(DelayReq(SOURCE, 1, tlvs=(Pad(b"\xa5" * length),)))
    assert len(octets) == 48 + length
    assert decode(octets).tlvs == (Pad(b"\xa5" * length),)


def test_MSG_27_tlvs_of_one_signaling_in_order() -> None:
    message = decode(EXAMPLES["signaling_request"])
    kinds = [tlv.message_type for tlv in message.tlvs if isinstance(tlv, RequestUnicastTransmission)]
    assert kinds == [0xB, 0x0, 0x9]
