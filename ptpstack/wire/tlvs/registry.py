"""The tlvType registry (IEEE 1588-2019 14.1, table 52; not checked against the text): name, layout, propagation.

A boundary clock re-sends unchanged on its master ports what its parent's Announce carries in 0x4000..0x7FFF, known or
not (14.2). Everything else it drops, except where the TLV's own clause says so: those rows are marked here.
"""

from __future__ import annotations

from collections.abc import Callable
from enum import Enum
from typing import NamedTuple

from ptpstack.wire.tlv import Tlv
from ptpstack.wire.tlvs.announce import AlternateTimeOffsetIndicator, EnhancedAccuracyMetrics, PathTrace
from ptpstack.wire.tlvs.management import ManagementErrorStatus, ManagementTlv
from ptpstack.wire.tlvs.monitoring import (
    SlaveDelayTimingData,
    SlaveRxSyncComputedData,
    SlaveRxSyncTimingData,
    SlaveTxEventTimestamps,
)
from ptpstack.wire.tlvs.organization import parse_organization
from ptpstack.wire.tlvs.port import CumulativeRateRatio, L1Sync, PortCommunicationAvailability, ProtocolAddress
from ptpstack.wire.tlvs.security import Authentication, Pad
from ptpstack.wire.tlvs.unicast import (
    AcknowledgeCancelUnicastTransmission,
    CancelUnicastTransmission,
    GrantUnicastTransmission,
    RequestUnicastTransmission,
)

Parser = Callable[[int, bytes, int], Tlv]


class Propagation(Enum):
    """What a boundary clock does with a TLV on its parent's Announce."""

    NO = "no"
    #: attached to its own Announce as it came, in the order it came.
    UNCHANGED = "unchanged"
    #: the option's clause says what goes out instead (its own list, its own sums); nothing when the option is off.
    REWRITTEN = "rewritten"


class TlvKind(NamedTuple):
    """One row. ``parse(tlvType, value octets, their offset in the message)``; None: kept as ``Tlv``."""

    name: str
    propagation: Propagation = Propagation.NO
    parse: Parser | None = None


_NO, _UNCHANGED, _REWRITTEN = Propagation.NO, Propagation.UNCHANGED, Propagation.REWRITTEN

TLV_KINDS: dict[int, TlvKind] = {
    0x0001: TlvKind("MANAGEMENT", _NO, ManagementTlv.parse),
    0x0002: TlvKind("MANAGEMENT_ERROR_STATUS", _NO, ManagementErrorStatus.parse),
    0x0003: TlvKind("ORGANIZATION_EXTENSION", _NO, parse_organization),
    0x0004: TlvKind("REQUEST_UNICAST_TRANSMISSION", _NO, RequestUnicastTransmission.parse),
    0x0005: TlvKind("GRANT_UNICAST_TRANSMISSION", _NO, GrantUnicastTransmission.parse),
    0x0006: TlvKind("CANCEL_UNICAST_TRANSMISSION", _NO, CancelUnicastTransmission.parse),
    0x0007: TlvKind("ACKNOWLEDGE_CANCEL_UNICAST_TRANSMISSION", _NO, AcknowledgeCancelUnicastTransmission.parse),
    0x0008: TlvKind("PATH_TRACE", _REWRITTEN, PathTrace.parse),
    0x0009: TlvKind("ALTERNATE_TIME_OFFSET_INDICATOR", _UNCHANGED, AlternateTimeOffsetIndicator.parse),
    0x2000: TlvKind("AUTHENTICATION (2008, experimental)"),
    0x2001: TlvKind("AUTHENTICATION_CHALLENGE (2008, experimental)"),
    0x2002: TlvKind("SECURITY_ASSOCIATION_UPDATE (2008, experimental)"),
    0x2003: TlvKind("CUM_FREQ_SCALE_FACTOR_OFFSET (2008, experimental)"),
    0x21FE: TlvKind("NetSync Monitor request (linuxptp)"),
    0x21FF: TlvKind("NetSync Monitor response (linuxptp)"),
    0x4000: TlvKind("ORGANIZATION_EXTENSION_PROPAGATE", _UNCHANGED, parse_organization),
    0x4001: TlvKind("ENHANCED_ACCURACY_METRICS", _REWRITTEN, EnhancedAccuracyMetrics.parse),
    0x7F00: TlvKind("SLAVE_DELAY_TIMING_DATA_NP (linuxptp)", _UNCHANGED, SlaveDelayTimingData.parse),
    0x8000: TlvKind("ORGANIZATION_EXTENSION_DO_NOT_PROPAGATE", _NO, parse_organization),
    0x8001: TlvKind("L1_SYNC", _NO, L1Sync.parse),
    0x8002: TlvKind("PORT_COMMUNICATION_AVAILABILITY", _NO, PortCommunicationAvailability.parse),
    0x8003: TlvKind("PROTOCOL_ADDRESS", _NO, ProtocolAddress.parse),
    0x8004: TlvKind("SLAVE_RX_SYNC_TIMING_DATA", _NO, SlaveRxSyncTimingData.parse),
    0x8005: TlvKind("SLAVE_RX_SYNC_COMPUTED_DATA", _NO, SlaveRxSyncComputedData.parse),
    0x8006: TlvKind("SLAVE_TX_EVENT_TIMESTAMPS", _NO, SlaveTxEventTimestamps.parse),
    0x8007: TlvKind("CUMULATIVE_RATE_RATIO", _NO, CumulativeRateRatio.parse),
    0x8008: TlvKind("PAD", _NO, Pad.parse),
    0x8009: TlvKind("AUTHENTICATION", _NO, Authentication.parse),
}

#: what the codec looks up for each TLV.
PARSERS: dict[int, Parser] = {number: kind.parse for number, kind in TLV_KINDS.items() if kind.parse is not None}

#: names of ranges for the types not listed above: (first, last, name).
_RANGES = (
    (0x0000, 0x0000, "reserved"),
    (0x000A, 0x1FFF, "reserved"),
    (0x2004, 0x202F, "experimental"),
    (0x2030, 0x3FFF, "reserved"),
    (0x4002, 0x7EFF, "reserved, propagate"),
    (0x7F01, 0x7FFF, "experimental, propagate"),
    (0x800A, 0xFFEF, "reserved, do not propagate"),
    (0xFFF0, 0xFFFF, "reserved"),
)


def tlv_name(tlv_type: int) -> str:
    """The registry's name of ``tlv_type``, or that of the range it lies in."""
    kind = TLV_KINDS.get(tlv_type)
    if kind is not None:
        return kind.name
    for first, last, name in _RANGES:
        if first <= tlv_type <= last:
            return name
    return "unknown"


def propagation(tlv_type: int) -> Propagation:
    """What a boundary clock does with ``tlv_type`` on its parent's Announce."""
    kind = TLV_KINDS.get(tlv_type)
    if kind is not None:
        return kind.propagation
    return Propagation.UNCHANGED if 0x4000 <= tlv_type <= 0x7FFF else Propagation.NO


def propagates(tlv_type: int) -> bool:
    """Whether a boundary clock attaches a TLV of this type to its own Announce exactly as it came."""
    return propagation(tlv_type) is Propagation.UNCHANGED
