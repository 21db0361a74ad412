"""Organisation TLVs of profiles: power (IEEE C37.238, organizationId 1C-12-9D), media (SMPTE ST 2059-2, 68-97-E8) and
telecom (ITU-T, 00-19-A7). None checked against the texts."""

from __future__ import annotations

from dataclasses import dataclass

from ptpstack.wire.tlvs.base import FixedTlv, fixed


@fixed(
    "u16 u32 u32 u16",
    "grandmasterID grandmasterTimeInaccuracy networkTimeInaccuracy reserved",
    prefix=bytes.fromhex("1c129d000001"),
)
@dataclass(slots=True)
class PowerProfile2011(FixedTlv):
    """C37.238-2011; inaccuracies in ns."""

    grandmaster_id: int
    grandmaster_time_inaccuracy_ns: int
    network_time_inaccuracy_ns: int
    reserved: int = 0
    extra: bytes = b""
    tlv_type: int = 0x0003


@fixed("u16 u32 u32 u16", "grandmasterID reserved1 totalTimeInaccuracy reserved2", prefix=bytes.fromhex("1c129d000002"))
@dataclass(slots=True)
class PowerProfile2017(FixedTlv):
    """C37.238-2017; inaccuracy in ns."""

    grandmaster_id: int
    reserved1: int = 0
    total_time_inaccuracy_ns: int = 0
    reserved2: int = 0
    extra: bytes = b""
    tlv_type: int = 0x0003


@fixed(
    "u32 u32 u8 u8 i32 i32 u48 u48 u48 i32 u8 u8",
    "defaultSystemFrameRateNumerator defaultSystemFrameRateDenominator masterLockingStatus timeAddressFlags"
    " currentLocalOffset jumpSeconds timeOfNextJump timeOfNextJam timeOfPreviousJam previousJamLocalOffset"
    " daylightSaving leapSecondJump",
    prefix=bytes.fromhex("6897e8000001"),
)
@dataclass(slots=True)
class SynchronizationMetadata(FixedTlv):
    """SMPTE ST 2059-2 SM. Local time = PTP time + ``current_local_offset_s``, so it contains the -37 of TAI - UTC.

    ``master_locking_status``: 0 not in use, 1 free run, 2 cold locking, 3 warm locking, 4 locked.
    ``time_address_flags``: bit 0 drop frame, bit 1 colour frame. Times and offsets in seconds.
    """

    frame_rate_numerator: int
    frame_rate_denominator: int
    master_locking_status: int = 0
    time_address_flags: int = 0
    current_local_offset_s: int = 0
    jump_s: int = 0
    time_of_next_jump_s: int = 0
    time_of_next_jam_s: int = 0
    time_of_previous_jam_s: int = 0
    previous_jam_local_offset_s: int = 0
    daylight_saving: int = 0
    leap_second_jump: int = 0
    extra: bytes = b""
    tlv_type: int = 0x0003


@fixed(
    "u64 u16 u16",
    "interfaceBitPeriod numberBitsBeforeTimestamp numberBitsAfterTimestamp",
    prefix=bytes.fromhex("0019a7000002"),
)
@dataclass(slots=True)
class InterfaceRate(FixedTlv):
    """ITU-T G.8275.2 interface rate; the bit period in attoseconds (1 Gb/s: 10**9)."""

    interface_bit_period_as: int
    number_bits_before_timestamp: int
    number_bits_after_timestamp: int
    extra: bytes = b""
    tlv_type: int = 0x0003
