"""The known TLVs, one family to a module; ``registry`` says what there is and what a boundary clock hands on."""

from ptpstack.wire.tlvs.announce import AlternateTimeOffsetIndicator, EnhancedAccuracyMetrics, PathTrace
from ptpstack.wire.tlvs.ieee802_1as import (
    FollowUpInformation,
    GptpCapable,
    GptpCapableMessageIntervalRequest,
    MessageIntervalRequest,
)
from ptpstack.wire.tlvs.management import ManagementErrorStatus, ManagementTlv
from ptpstack.wire.tlvs.monitoring import (
    DelayTiming,
    RxSyncComputed,
    RxSyncTiming,
    SlaveDelayTimingData,
    SlaveRxSyncComputedData,
    SlaveRxSyncTimingData,
    SlaveTxEventTimestamps,
    TxEventTimestamp,
)
from ptpstack.wire.tlvs.organization import OrganizationExtension
from ptpstack.wire.tlvs.port import (
    CumulativeRateRatio,
    L1Sync,
    L1SyncExtended,
    PortAddress,
    PortCommunicationAvailability,
    ProtocolAddress,
)
from ptpstack.wire.tlvs.profiles import InterfaceRate, PowerProfile2011, PowerProfile2017, SynchronizationMetadata
from ptpstack.wire.tlvs.registry import TLV_KINDS, Propagation, TlvKind, propagates, propagation, tlv_name
from ptpstack.wire.tlvs.security import Authentication, AuthenticationParts, Pad
from ptpstack.wire.tlvs.unicast import (
    AcknowledgeCancelUnicastTransmission,
    CancelUnicastTransmission,
    GrantUnicastTransmission,
    RequestUnicastTransmission,
)

__all__ = [
    "TLV_KINDS",
    "AcknowledgeCancelUnicastTransmission",
    "AlternateTimeOffsetIndicator",
    "Authentication",
    "AuthenticationParts",
    "CancelUnicastTransmission",
    "CumulativeRateRatio",
    "DelayTiming",
    "EnhancedAccuracyMetrics",
    "FollowUpInformation",
    "GptpCapable",
    "GptpCapableMessageIntervalRequest",
    "GrantUnicastTransmission",
    "InterfaceRate",
    "L1Sync",
    "L1SyncExtended",
    "ManagementErrorStatus",
    "ManagementTlv",
    "MessageIntervalRequest",
    "OrganizationExtension",
    "Pad",
    "PathTrace",
    "PortAddress",
    "PortCommunicationAvailability",
    "PowerProfile2011",
    "PowerProfile2017",
    "Propagation",
    "ProtocolAddress",
    "RequestUnicastTransmission",
    "RxSyncComputed",
    "RxSyncTiming",
    "SlaveDelayTimingData",
    "SlaveRxSyncComputedData",
    "SlaveRxSyncTimingData",
    "SlaveTxEventTimestamps",
    "SynchronizationMetadata",
    "TlvKind",
    "TxEventTimestamp",
    "propagates",
    "propagation",
    "tlv_name",
]
