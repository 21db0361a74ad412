"""TLVs about the sending port: PORT_COMMUNICATION_AVAILABILITY (16.9), PROTOCOL_ADDRESS, CUMULATIVE_RATE_RATIO (16.10),
L1_SYNC (Annex L). IEEE 1588-2019, not checked against the text."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import NamedTuple, Self

from ptpstack.wire.packing import check
from ptpstack.wire.tlv import Tlv
from ptpstack.wire.tlvs.base import FixedTlv, Layout, fixed, padded, too_short, unpadded


class PortAddress(NamedTuple):
    """PortAddress (5.3.6): networkProtocol 1 UDP/IPv4, 2 UDP/IPv6, 3 IEEE 802.3, and the address octets."""

    network_protocol: int
    address: bytes


@fixed("u8 u8", "syncMessageAvailability delayRespMessageAvailability")
@dataclass(slots=True)
class PortCommunicationAvailability(FixedTlv):
    """Bits of both: 0 multicast, 1 unicast, 2 unicast negotiation capable and enabled, 3 negotiation required."""

    sync_message_availability: int
    delay_resp_message_availability: int
    extra: bytes = b""
    tlv_type: int = 0x8002


@dataclass(slots=True)
class ProtocolAddress(Tlv):
    """PROTOCOL_ADDRESS."""

    port_address: PortAddress
    extra: bytes = b""
    tlv_type: int = 0x8003

    @classmethod
    def parse(cls, tlv_type: int, value: bytes, at: int) -> Self:
        if len(value) < 4:
            raise too_short(cls.__name__, at, len(value), 4)
        protocol, length = struct.unpack_from(">HH", value)
        end = 4 + length
        if end > len(value):
            raise too_short(cls.__name__, at, len(value), end)
        return cls(PortAddress(protocol, value[4:end]), unpadded(value, end), tlv_type)

    @property
    def value(self) -> bytes:
        protocol, address = self.port_address
        check(self.__class__.__name__, ("network_protocol", "addressLength"), "HH", (protocol, len(address)))
        return padded(struct.pack(">HH", protocol, len(address)) + address + self.extra)


@fixed("i32", "scaledCumulativeRateRatio")
@dataclass(slots=True)
class CumulativeRateRatio(FixedTlv):
    """``scaled_cumulative_rate_ratio`` = (ratio - 1) * 2**41."""

    scaled_cumulative_rate_ratio: int
    extra: bytes = b""
    tlv_type: int = 0x8007


#: L1Sync.capabilities bit 3: the extended part follows.
L1_SYNC_OPT_PARAMS_ENABLED = 0x08

_EXTENDED = Layout("u8 ti ts ti ts")


class L1SyncExtended(NamedTuple):
    """Flags: bit 0 TCT, bit 1 POV, bit 2 FOV. Offsets in 2**-16 ns, times in ns."""

    flags: int
    phase_offset_tx_sns: int
    phase_offset_tx_ns: int
    freq_offset_tx_sns: int
    freq_offset_tx_ns: int


@dataclass(slots=True)
class L1Sync(Tlv):
    """L1_SYNC. ``capabilities``: bit 0 TCR, 1 RCR, 2 CR, 3 OPE; ``state``: bit 0 ITC, 1 IRC, 2 IC.

    ``extended`` goes with OPE. Its 39 octets are padded to 40 because lengthField is even; sources differ on that.
    """

    capabilities: int
    state: int
    extended: L1SyncExtended | None = None
    extra: bytes = b""
    tlv_type: int = 0x8001

    @classmethod
    def parse(cls, tlv_type: int, value: bytes, at: int) -> Self:
        if len(value) < 2:
            raise too_short(cls.__name__, at, len(value), 2)
        if not value[0] & L1_SYNC_OPT_PARAMS_ENABLED:
            return cls(value[0], value[1], None, value[2:], tlv_type)
        end = 2 + _EXTENDED.size
        if len(value) < end:
            raise too_short(cls.__name__, at, len(value), end)
        extended = L1SyncExtended(*_EXTENDED.unpack(value, 2, at))
        return cls(value[0], value[1], extended, unpadded(value, end), tlv_type)

    @property
    def value(self) -> bytes:
        owner = self.__class__.__name__
        check(owner, ("capabilities", "state"), "BB", (self.capabilities, self.state))
        if (self.extended is not None) != bool(self.capabilities & L1_SYNC_OPT_PARAMS_ENABLED):
            raise ValueError(f"{owner}: capabilities bit 3 (OPE) and the presence of extended must agree")
        octets = bytes((self.capabilities, self.state))
        if self.extended is not None:
            octets += _EXTENDED.pack(f"{owner}.extended", L1SyncExtended._fields, self.extended)
        return padded(octets + self.extra)
