"""TLVs of IEEE 802.1AS (gPTP); organizationId 00-80-C2. Clauses of 802.1AS-2020, not checked against the text.

The gPTP-capable pair travels under tlvType 0x8000; early stacks used 0x0003, which is accepted too.
"""

from __future__ import annotations

from dataclasses import dataclass

from ptpstack.wire.tlvs.base import FixedTlv, fixed

#: special values of the intervals in the two requests (10.6.4.3).
INTERVAL_UNCHANGED = -128
INTERVAL_INITIAL = 126
INTERVAL_STOP = 127

#: MessageIntervalRequest.flags. Some stacks use bits 0 and 1 for the first two.
COMPUTE_NEIGHBOR_RATE_RATIO = 0x02
COMPUTE_MEAN_LINK_DELAY = 0x04
ONE_STEP_RECEIVE_CAPABLE = 0x08


@fixed(
    "i32 u16 i96 i32",
    "cumulativeScaledRateOffset gmTimeBaseIndicator lastGmPhaseChange scaledLastGmFreqChange",
    prefix=bytes.fromhex("0080c2000001"),
)
@dataclass(slots=True)
class FollowUpInformation(FixedTlv):
    """Follow_Up information. Rate offsets: (ratio - 1) * 2**41; ``last_gm_phase_change_sns``: ScaledNs, 2**-16 ns."""

    cumulative_scaled_rate_offset: int = 0
    gm_time_base_indicator: int = 0
    last_gm_phase_change_sns: int = 0
    scaled_last_gm_freq_change: int = 0
    extra: bytes = b""
    tlv_type: int = 0x0003


@fixed(
    "i8 i8 i8 u8 u16",
    "linkDelayInterval timeSyncInterval announceInterval flags reserved",
    prefix=bytes.fromhex("0080c2000002"),
)
@dataclass(slots=True)
class MessageIntervalRequest(FixedTlv):
    """Message interval request; intervals log2 s or one of the special values."""

    link_delay_interval: int = INTERVAL_UNCHANGED
    time_sync_interval: int = INTERVAL_UNCHANGED
    announce_interval: int = INTERVAL_UNCHANGED
    flags: int = 0
    reserved: int = 0
    extra: bytes = b""
    tlv_type: int = 0x0003


@fixed("i8 u8 u32", "logGptpCapableMessageInterval flags reserved", prefix=bytes.fromhex("0080c2000004"))
@dataclass(slots=True)
class GptpCapable(FixedTlv):
    """gPTP-capable."""

    log_gptp_capable_message_interval: int = 0
    flags: int = 0
    reserved: int = 0
    extra: bytes = b""
    tlv_type: int = 0x8000


@fixed("i8 o3", "logGptpCapableMessageInterval reserved", prefix=bytes.fromhex("0080c2000005"))
@dataclass(slots=True)
class GptpCapableMessageIntervalRequest(FixedTlv):
    """gPTP-capable message interval request (10.6.4.5)."""

    log_gptp_capable_message_interval: int = INTERVAL_UNCHANGED
    reserved: bytes = bytes(3)
    extra: bytes = b""
    tlv_type: int = 0x8000
