"""Slave event monitoring (IEEE 1588-2019 16.11, not checked against the text) and linuxptp's companion 0x7F00.

Each is a head that says whose events these are, and as many records as the length allows. Octets that do not make a
whole record are kept in ``extra``.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, NamedTuple, Self

from ptpstack.wire.tlv import Tlv
from ptpstack.wire.tlvs.base import Layout, too_short
from ptpstack.wire.types import PortIdentity


class RxSyncTiming(NamedTuple):
    """One Sync as a slave saw it. Rate offset: (ratio - 1) * 2**41."""

    sequence_id: int
    sync_origin_ns: int
    total_correction_sns: int
    scaled_cumulative_rate_offset: int
    sync_event_ingress_ns: int


class RxSyncComputed(NamedTuple):
    """What a slave computed from one Sync. Which fields hold is in the TLV's ``computed_flags``."""

    sequence_id: int
    offset_from_master_sns: int
    mean_path_delay_sns: int
    scaled_neighbor_rate_ratio: int


class TxEventTimestamp(NamedTuple):
    """When a Delay_Req or Pdelay_Req left."""

    sequence_id: int
    event_egress_ns: int


class DelayTiming(NamedTuple):
    """One delay request and its answer (linuxptp)."""

    sequence_id: int
    delay_origin_ns: int
    total_correction_sns: int
    delay_response_ns: int


class RecordsTlv(Tlv):
    """Head, then records."""

    __slots__ = ()

    HEAD: ClassVar[Layout]
    RECORD: ClassVar[Layout]
    #: names of the head's fields, and of the head and record fields in the standard.
    HEAD_FIELDS: ClassVar[tuple[str, ...]]
    HEAD_NAMES: ClassVar[tuple[str, ...]]
    RECORD_NAMES: ClassVar[tuple[str, ...]]
    MAKE: ClassVar[Any]

    records: tuple[Any, ...]
    extra: bytes

    @classmethod
    def _split(cls, value: bytes, at: int) -> tuple[Sequence[Any], tuple[Any, ...], bytes]:
        start, step = cls.HEAD.size, cls.RECORD.size
        if len(value) < start:
            raise too_short(cls.__name__, at, len(value), start)
        end = len(value) - (len(value) - start) % step
        records = tuple(cls.MAKE(*cls.RECORD.unpack(value, i, at)) for i in range(start, end, step))
        return cls.HEAD.unpack(value, 0, at), records, value[end:]

    @property
    def value(self) -> bytes:
        owner = self.__class__.__name__
        parts = [self.HEAD.pack(owner, self.HEAD_FIELDS, [getattr(self, name) for name in self.HEAD_FIELDS])]
        for index, record in enumerate(self.records):
            parts.append(self.RECORD.pack(f"{owner}.records[{index}]", self.MAKE._fields, record))
        parts.append(self.extra)
        return b"".join(parts)


@dataclass(slots=True)
class SlaveRxSyncTimingData(RecordsTlv):
    """SLAVE_RX_SYNC_TIMING_DATA; ``source`` sent the Syncs."""

    HEAD: ClassVar = Layout("pid")
    HEAD_FIELDS: ClassVar = ("source",)
    HEAD_NAMES: ClassVar = ("sourcePortIdentity",)
    RECORD: ClassVar = Layout("u16 ts ti i32 ts")
    RECORD_NAMES: ClassVar = (
        "sequenceId",
        "syncOriginTimestamp",
        "totalCorrectionField",
        "scaledCumulativeRateOffset",
        "syncEventIngressTimestamp",
    )
    MAKE: ClassVar = RxSyncTiming

    source: PortIdentity
    records: tuple[RxSyncTiming, ...] = ()
    extra: bytes = b""
    tlv_type: int = 0x8004

    @classmethod
    def parse(cls, tlv_type: int, value: bytes, at: int) -> Self:
        (source,), records, extra = cls._split(value, at)
        return cls(source, records, extra, tlv_type)


@dataclass(slots=True)
class SlaveRxSyncComputedData(RecordsTlv):
    """SLAVE_RX_SYNC_COMPUTED_DATA. ``computed_flags`` bit 0 rate ratio, bit 1 delay, bit 2 offset are valid."""

    HEAD: ClassVar = Layout("pid u8 u8")
    HEAD_FIELDS: ClassVar = ("source", "computed_flags", "reserved")
    HEAD_NAMES: ClassVar = ("sourcePortIdentity", "computedFlags", "reserved")
    RECORD: ClassVar = Layout("u16 ti ti i32")
    RECORD_NAMES: ClassVar = ("sequenceId", "offsetFromMaster", "meanPathDelay", "scaledNeighborRateRatio")
    MAKE: ClassVar = RxSyncComputed

    source: PortIdentity
    computed_flags: int = 0
    records: tuple[RxSyncComputed, ...] = ()
    reserved: int = 0
    extra: bytes = b""
    tlv_type: int = 0x8005

    @classmethod
    def parse(cls, tlv_type: int, value: bytes, at: int) -> Self:
        (source, flags, reserved), records, extra = cls._split(value, at)
        return cls(source, flags, records, reserved, extra, tlv_type)


@dataclass(slots=True)
class SlaveTxEventTimestamps(RecordsTlv):
    """SLAVE_TX_EVENT_TIMESTAMPS. ``event_message_type`` is octet 14: messageType low, reserved nibble high."""

    HEAD: ClassVar = Layout("pid u8 u8")
    HEAD_FIELDS: ClassVar = ("source", "event_message_type", "reserved")
    HEAD_NAMES: ClassVar = ("sourcePortIdentity", "eventMessageType", "reserved")
    RECORD: ClassVar = Layout("u16 ts")
    RECORD_NAMES: ClassVar = ("sequenceId", "eventEgressTimestamp")
    MAKE: ClassVar = TxEventTimestamp

    source: PortIdentity
    event_message_type: int
    records: tuple[TxEventTimestamp, ...] = ()
    reserved: int = 0
    extra: bytes = b""
    tlv_type: int = 0x8006

    @classmethod
    def parse(cls, tlv_type: int, value: bytes, at: int) -> Self:
        (source, message_type, reserved), records, extra = cls._split(value, at)
        return cls(source, message_type, records, reserved, extra, tlv_type)


@dataclass(slots=True)
class SlaveDelayTimingData(RecordsTlv):
    """SLAVE_DELAY_TIMING_DATA_NP: linuxptp's own, in the experimental range."""

    HEAD: ClassVar = Layout("pid")
    HEAD_FIELDS: ClassVar = ("source",)
    HEAD_NAMES: ClassVar = ("sourcePortIdentity",)
    RECORD: ClassVar = Layout("u16 ts ti ts")
    RECORD_NAMES: ClassVar = (
        "sequenceId",
        "delayOriginTimestamp",
        "totalCorrectionField",
        "delayResponseTimestamp",
    )
    MAKE: ClassVar = DelayTiming

    source: PortIdentity
    records: tuple[DelayTiming, ...] = ()
    extra: bytes = b""
    tlv_type: int = 0x7F00

    @classmethod
    def parse(cls, tlv_type: int, value: bytes, at: int) -> Self:
        (source,), records, extra = cls._split(value, at)
        return cls(source, records, extra, tlv_type)
