"""Every worked example: what it decodes to, field by field, and that writing that gives the same octets."""

from __future__ import annotations

import pytest

from ptpstack.wire.codec import MINIMUM_OCTETS, decode, encode, peek
from ptpstack.wire.messages import (
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
from ptpstack.wire.tlvs import (
    AcknowledgeCancelUnicastTransmission,
    AlternateTimeOffsetIndicator,
    CancelUnicastTransmission,
    FollowUpInformation,
    GptpCapable,
    GrantUnicastTransmission,
    InterfaceRate,
    L1Sync,
    ManagementErrorStatus,
    ManagementTlv,
    MessageIntervalRequest,
    PathTrace,
    PowerProfile2011,
    PowerProfile2017,
    RequestUnicastTransmission,
    RxSyncTiming,
    SlaveRxSyncTimingData,
    SynchronizationMetadata,
)
from ptpstack.wire.types import ALL_CLOCKS, ALL_PORTS, ClockQuality, Flag, PortIdentity
from tests.wire.examples import EXAMPLES

CLOCK_A = bytes.fromhex("001b21fffeaabbcc")
CLOCK_B = bytes.fromhex("001b21fffe112233")
A = PortIdentity(CLOCK_A, 1)
B = PortIdentity(CLOCK_B, 1)
ALL = PortIdentity(ALL_CLOCKS, ALL_PORTS)
#: 2026-01-01T00:00:00 UTC in PTP time
NEW_YEAR = 1767225637
S = 10**9

_ANNOUNCE_FLAGS = Flag.CURRENT_UTC_OFFSET_VALID | Flag.PTP_TIMESCALE | Flag.TIME_TRACEABLE | Flag.FREQUENCY_TRACEABLE


def announce(**fields: object) -> Message:
    common: dict[str, object] = {
        "flags": _ANNOUNCE_FLAGS,
        "log_interval": 1,
        "current_utc_offset": 37,
        "priority1": 128,
        "quality": ClockQuality(6, 0x21, 0x4E5D),
        "priority2": 128,
        "grandmaster": CLOCK_A,
        "time_source": 0x20,
    }
    return Announce(A, 5, **(common | fields))  # type: ignore[arg-type]


def signaling(source: PortIdentity, sequence_id: int, *tlvs: object, **fields: object) -> Message:
    return Signaling(source, sequence_id, tlvs=tlvs, **fields)  # type: ignore[arg-type]


def management(source: PortIdentity, target: PortIdentity, action: int, tlv: object) -> Message:
    return Management(source, 1, control=4, target=target, action=action, tlvs=(tlv,))  # type: ignore[arg-type]


def response(management_id: int, data: str) -> Message:
    return management(A, B, 2, ManagementTlv(management_id, bytes.fromhex(data)))


EXPECTED: dict[str, Message] = {
    "sync_two_step": Sync(A, 0x1234, flags=Flag.TWO_STEP, control=0, log_interval=0),
    "follow_up": FollowUp(
        A,
        0x1234,
        correction_sns=3 << 15,
        control=2,
        log_interval=0,
        precise_origin_ns=NEW_YEAR * S + 123456789,
    ),
    "sync_one_step": Sync(
        A,
        65535,
        correction_sns=-5 << 15,
        control=0,
        log_interval=0,
        origin_ns=NEW_YEAR * S,
    ),
    "delay_req": DelayReq(B, 7, control=1),
    "delay_resp": DelayResp(
        A,
        7,
        control=3,
        log_interval=0,
        receive_ns=NEW_YEAR * S + 500000123,
        requesting=B,
    ),
    "pdelay_req": PdelayReq(B, 9),
    "pdelay_resp": PdelayResp(
        A,
        9,
        flags=Flag.TWO_STEP,
        request_receipt_ns=NEW_YEAR * S + 600000000,
        requesting=B,
    ),
    "pdelay_resp_follow_up": PdelayRespFollowUp(
        A,
        9,
        response_origin_ns=NEW_YEAR * S + 600012000,
        requesting=B,
    ),
    "announce": announce(),
    "announce_path_trace_atoi": announce(
        tlvs=(PathTrace((CLOCK_A, CLOCK_B)), AlternateTimeOffsetIndicator(1, 3563, display_name="CET"))
    ),
    "announce_c37_238_2011": announce(log_interval=0, tlvs=(PowerProfile2011(0x42, 50, 200),)),
    "announce_c37_238_2017": announce(
        domain=254, log_interval=0, tlvs=(PowerProfile2017(0x42, total_time_inaccuracy_ns=250),)
    ),
    "signaling_request": signaling(
        B,
        1,
        RequestUnicastTransmission(0xB, 0, 300),
        RequestUnicastTransmission(0x0, -4, 300),
        RequestUnicastTransmission(0x9, -4, 300),
        domain=44,
        flags=Flag.UNICAST,
        target=ALL,
    ),
    "signaling_grant": signaling(
        A,
        1,
        GrantUnicastTransmission(0xB, 0, 300, flags=1),
        InterfaceRate(10**9, 64, 720),
        domain=44,
        flags=Flag.UNICAST,
        target=B,
    ),
    "signaling_cancel": signaling(
        A,
        2,
        CancelUnicastTransmission(0x0),
        domain=44,
        flags=Flag.UNICAST,
        target=B,
    ),
    "signaling_acknowledge_cancel": signaling(
        B,
        2,
        AcknowledgeCancelUnicastTransmission(0x0),
        domain=44,
        flags=Flag.UNICAST,
        target=A,
    ),
    "get_default_empty": management(B, ALL, 0, ManagementTlv(0x2000)),
    "get_default_full": management(B, ALL, 0, ManagementTlv(0x2000, bytes(20))),
    "response_default": response(0x2000, "0100 0001 80 f8fe ffff 80 001b21fffeaabbcc 00 00"),
    "set_priority1": management(B, ALL, 1, ManagementTlv(0x2005, bytes((100, 0)))),
    "error_wrong_value": management(A, B, 2, ManagementErrorStatus(0x0004, 0x2005, "range")),
    "response_current": response(0x2001, "0001 ffffffffffe70000 0000000003e80000"),
    "response_parent": response(0x2002, "001b21fffeaabbcc 0000 00 00 ffff 7fffffff 80 f8fe ffff 80 001b21fffeaabbcc"),
    "response_time_properties": response(0x2003, "0025 3c 20"),
    "response_port": response(0x2004, "001b21fffeaabbcc 0001 06 00 0000000000000000 01 03 00 01 00 12"),
    "response_clock_description": response(0x0001, EXAMPLES["response_clock_description"][54:].hex()),
    "as_follow_up": FollowUp(
        A,
        3,
        sdo_id=0x100,
        flags=Flag.PTP_TIMESCALE,
        control=2,
        log_interval=-3,
        precise_origin_ns=NEW_YEAR * S + 1,
        tlvs=(FollowUpInformation(0, 1),),
    ),
    "as_interval_request": signaling(
        A,
        3,
        MessageIntervalRequest(0, -3, 0, flags=6),
        sdo_id=0x100,
        flags=Flag.PTP_TIMESCALE,
        target=ALL,
    ),
    "as_gptp_capable": signaling(
        A,
        3,
        GptpCapable(),
        sdo_id=0x100,
        flags=Flag.PTP_TIMESCALE,
        target=ALL,
    ),
    "smpte_sm": management(
        A,
        ALL,
        3,
        SynchronizationMetadata(
            30000,
            1001,
            master_locking_status=4,
            time_address_flags=1,
            current_local_offset_s=3563,
            time_of_next_jam_s=NEW_YEAR + 86400,
            time_of_previous_jam_s=NEW_YEAR,
            previous_jam_local_offset_s=3563,
        ),
    ),
    "slave_rx_sync": signaling(
        A,
        3,
        SlaveRxSyncTimingData(A, (RxSyncTiming(0x1234, NEW_YEAR * S + 1, 0, 0, NEW_YEAR * S + 1000),)),
        target=ALL,
    ),
    "l1_sync": signaling(A, 3, L1Sync(7, 7), target=ALL),
}


def test_every_example_has_an_expectation() -> None:
    assert EXPECTED.keys() == EXAMPLES.keys()


@pytest.mark.parametrize("name", EXAMPLES)
def test_example_decodes_to_these_fields(name: str) -> None:
    message = decode(EXAMPLES[name])
    assert type(message) is type(EXPECTED[name])
    assert message == EXPECTED[name]


@pytest.mark.parametrize("name", EXAMPLES)
def test_example_is_what_these_fields_encode_to(name: str) -> None:
    assert encode(EXPECTED[name]).hex(" ", 4) == EXAMPLES[name].hex(" ", 4)


@pytest.mark.parametrize("name", EXAMPLES)
def test_example_with_trailing_octets(name: str) -> None:
    octets = EXAMPLES[name]
    message = decode(memoryview(bytearray(octets + b"\1\2\3")))
    assert message.trailing == b"\1\2\3"
    assert encode(message) == octets
    assert encode(message, trailing=True) == octets + b"\1\2\3"


@pytest.mark.parametrize("name", EXAMPLES)
def test_peek_agrees_with_decode(name: str) -> None:
    message = decode(EXAMPLES[name])
    assert peek(EXAMPLES[name]) == (message.type, message.domain, message.sdo_id)


def test_minimum_lengths_are_those_of_the_ten_messages() -> None:
    assert {kind.type.name: octets for kind, octets in MINIMUM_OCTETS.items()} == {
        "SYNC": 44,
        "DELAY_REQ": 44,
        "PDELAY_REQ": 54,
        "PDELAY_RESP": 54,
        "FOLLOW_UP": 44,
        "DELAY_RESP": 54,
        "PDELAY_RESP_FOLLOW_UP": 54,
        "ANNOUNCE": 64,
        "SIGNALING": 44,
        "MANAGEMENT": 48,
    }
