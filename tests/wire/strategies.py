"""Hypothesis strategies: any message, any TLV, as the field ranges allow."""

from __future__ import annotations

import struct

from hypothesis import strategies as st

from ptpstack.wire import tlvs as t
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
from ptpstack.wire.tlv import Tlv
from ptpstack.wire.tlvs.base import FixedTlv
from ptpstack.wire.tlvs.registry import PARSERS
from ptpstack.wire.types import ClockQuality, PortIdentity


def uint(bits: int) -> st.SearchStrategy[int]:
    return st.integers(0, (1 << bits) - 1)


def sint(bits: int) -> st.SearchStrategy[int]:
    return st.integers(-(1 << bits - 1), (1 << bits - 1) - 1)


def octets(count: int) -> st.SearchStrategy[bytes]:
    return st.binary(min_size=count, max_size=count)


instants = st.integers(0, (1 << 48) * 10**9 - 1)
identities = st.builds(PortIdentity, octets(8), uint(16))
#: an even number of octets
evens = st.binary(max_size=6).map(lambda value: value[: len(value) & ~1])
#: doubles whose equality is that of their octets
doubles = octets(8).map(lambda value: struct.unpack(">d", value)[0]).filter(lambda value: value == value)
#: text that a PTPText can be decoded to: any octets
texts = st.binary(max_size=40).map(lambda value: value.decode("utf-8", "surrogateescape"))

_TOKENS = {
    "u8": uint(8),
    "i8": sint(8),
    "u16": uint(16),
    "i16": sint(16),
    "u32": uint(32),
    "i32": sint(32),
    "u64": uint(64),
    "i64": sint(64),
    "ti": sint(64),
    "ci": octets(8),
    "f64": doubles,
    "ts": instants,
    "pid": identities,
    "u48": uint(48),
    "i96": sint(96),
}

FIXED_TLVS: tuple[type[FixedTlv], ...] = (
    t.CumulativeRateRatio,
    t.EnhancedAccuracyMetrics,
    t.FollowUpInformation,
    t.GptpCapable,
    t.GptpCapableMessageIntervalRequest,
    t.InterfaceRate,
    t.MessageIntervalRequest,
    t.PortCommunicationAvailability,
    t.PowerProfile2011,
    t.PowerProfile2017,
    t.SynchronizationMetadata,
)


def fixed_tlv(kind: type[FixedTlv]) -> st.SearchStrategy[Tlv]:
    fields = [_TOKENS[token] if token in _TOKENS else octets(int(token[1:])) for token in kind.LAYOUT.tokens]
    # the layout may end on an odd octet: extra makes the value even
    odd = (len(kind.PREFIX) + kind.LAYOUT.size) & 1
    extra = evens.map(lambda value: value + b"\1" * odd)
    return st.builds(kind, *fields, extra)


def _record_tuples(kind: type, *fields: st.SearchStrategy[object]) -> st.SearchStrategy[object]:
    return st.lists(st.builds(kind, *fields), max_size=3).map(tuple)


_NIBBLE = uint(4)
TLVS: dict[str, st.SearchStrategy[Tlv]] = {kind.__name__: fixed_tlv(kind) for kind in FIXED_TLVS} | {
    "RequestUnicastTransmission": st.builds(t.RequestUnicastTransmission, _NIBBLE, sint(8), uint(32), _NIBBLE, evens),
    "GrantUnicastTransmission": st.builds(
        t.GrantUnicastTransmission, _NIBBLE, sint(8), uint(32), uint(8), st.tuples(_NIBBLE, uint(8)), evens
    ),
    "CancelUnicastTransmission": st.builds(t.CancelUnicastTransmission, _NIBBLE, _NIBBLE, uint(8), evens),
    "AcknowledgeCancelUnicastTransmission": st.builds(
        t.AcknowledgeCancelUnicastTransmission, _NIBBLE, _NIBBLE, uint(8), evens
    ),
    "ManagementTlv": st.builds(t.ManagementTlv, uint(16), evens),
    "ManagementErrorStatus": st.builds(t.ManagementErrorStatus, uint(16), uint(16), st.none() | texts, uint(32)),
    "PathTrace": st.builds(t.PathTrace, st.lists(octets(8), max_size=4).map(tuple), evens),
    "AlternateTimeOffsetIndicator": st.builds(
        t.AlternateTimeOffsetIndicator, uint(8), sint(32), sint(32), uint(48), texts
    ),
    "SlaveRxSyncTimingData": st.builds(
        t.SlaveRxSyncTimingData,
        identities,
        _record_tuples(t.RxSyncTiming, uint(16), instants, sint(64), sint(32), instants),
        evens,
    ),
    "SlaveRxSyncComputedData": st.builds(
        t.SlaveRxSyncComputedData,
        identities,
        uint(8),
        _record_tuples(t.RxSyncComputed, uint(16), sint(64), sint(64), sint(32)),
        uint(8),
        evens,
    ),
    "SlaveTxEventTimestamps": st.builds(
        t.SlaveTxEventTimestamps,
        identities,
        uint(8),
        _record_tuples(t.TxEventTimestamp, uint(16), instants),
        uint(8),
        evens,
    ),
    "SlaveDelayTimingData": st.builds(
        t.SlaveDelayTimingData,
        identities,
        _record_tuples(t.DelayTiming, uint(16), instants, sint(64), instants),
        evens,
    ),
    "ProtocolAddress": st.builds(t.ProtocolAddress, st.builds(t.PortAddress, uint(16), st.binary(max_size=16))),
    "L1Sync": st.builds(t.L1Sync, uint(8).map(lambda value: value & ~8), uint(8), st.none(), evens)
    | st.builds(
        t.L1Sync,
        uint(8).map(lambda value: value | 8),
        uint(8),
        st.builds(t.L1SyncExtended, uint(8), sint(64), instants, sint(64), instants),
    ),
    "Authentication": st.builds(
        t.Authentication, uint(8), uint(32), st.binary(max_size=40).map(lambda v: v[: len(v) & ~1]), uint(8)
    ),
    "Pad": st.builds(t.Pad, evens),
    "OrganizationExtension": st.builds(
        t.OrganizationExtension,
        octets(3).filter(lambda value: value.hex() not in ("0080c2", "1c129d", "6897e8", "0019a7")),
        octets(3),
        evens,
        st.sampled_from([0x0003, 0x4000, 0x8000]),
    ),
    "Tlv": st.builds(Tlv, uint(16).filter(lambda number: number not in PARSERS), evens),
}

any_tlv = st.one_of(*TLVS.values())

_HEADER = {
    "source": identities,
    "sequence_id": uint(16),
    "domain": uint(8),
    "sdo_id": uint(12),
    "flags": uint(16),
    "correction_sns": sint(64),
    "log_interval": sint(8),
    "control": uint(8),
    "minor_version": uint(4),
    "message_type_specific": uint(32),
    "tlvs": st.lists(any_tlv, max_size=2).map(tuple),
    "trailing": st.binary(max_size=8),
}

MESSAGES: dict[str, st.SearchStrategy[Message]] = {
    kind.__name__: st.builds(kind, **_HEADER, **body)  # type: ignore[arg-type]
    for kind, body in (
        (Sync, {"origin_ns": instants}),
        (DelayReq, {"origin_ns": instants}),
        (FollowUp, {"precise_origin_ns": instants}),
        (DelayResp, {"receive_ns": instants, "requesting": identities}),
        (PdelayReq, {"origin_ns": instants, "reserved": octets(10)}),
        (PdelayResp, {"request_receipt_ns": instants, "requesting": identities}),
        (PdelayRespFollowUp, {"response_origin_ns": instants, "requesting": identities}),
        (
            Announce,
            {
                "origin_ns": instants,
                "current_utc_offset": sint(16),
                "reserved": uint(8),
                "priority1": uint(8),
                "quality": st.builds(ClockQuality, uint(8), uint(8), uint(16)),
                "priority2": uint(8),
                "grandmaster": octets(8),
                "steps_removed": uint(16),
                "time_source": uint(8),
            },
        ),
        (Signaling, {"target": identities}),
        (
            Management,
            {
                "target": identities,
                "starting_boundary_hops": uint(8),
                "boundary_hops": uint(8),
                "action": uint(8),
                "reserved": uint(8),
            },
        ),
    )
}
