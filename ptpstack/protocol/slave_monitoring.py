"""Slave event monitoring (IEEE 1588-2019 16.11, not checked against the text): a client tells what it measures.

1. Raw time stamps only, as they came, so that a monitor can judge for itself: Syncs received, Delay_Reqs sent.
2. Every M-th event is told, N of them in one Signaling message to all; what is unsent when the parent changes is gone.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ptpstack.protocol.interval_requests import EVERYBODY
from ptpstack.protocol.options import MONITORS
from ptpstack.protocol.part import Part
from ptpstack.protocol.sync_receiver import CompleteSync
from ptpstack.wire.tlvs.monitoring import (
    RxSyncTiming,
    SlaveRxSyncTimingData,
    SlaveTxEventTimestamps,
    TxEventTimestamp,
)
from ptpstack.wire.types import MessageType, PortState

if TYPE_CHECKING:
    from ptpstack.protocol.port import Port

RX_SYNC_TIMING, TX_EVENT_TIMESTAMPS = MONITORS
_EVENTS = (MessageType.DELAY_REQ, MessageType.PDELAY_REQ)


class SlaveMonitoring(Part):
    """slaveMonitoringPortDS (16.11.6)."""

    def __init__(self, port: Port) -> None:
        super().__init__(port)
        self._syncs: list[RxSyncTiming] = []
        self._sent: dict[MessageType, list[TxEventTimestamp]] = {kind: [] for kind in _EVENTS}
        self._sync_count = 0
        self._sent_count = dict.fromkeys(_EVENTS, 0)

    def entered(self, state: PortState, now: int) -> None:
        self.flush()

    def flush(self) -> None:
        self._syncs.clear()
        for records in self._sent.values():
            records.clear()

    def sync_heard(self, sync: CompleteSync, now: int) -> None:
        port, options = self.port, self.port.options
        if RX_SYNC_TIMING not in options.monitor:
            return
        self._sync_count += 1
        if self._sync_count % options.monitor_every:
            return
        # fractions of a ns: the corrections hold what the timestamps cannot
        correction = sync.correction_sns + (sync.t1_sns & 0xFFFF) - (sync.t2_sns & 0xFFFF)
        record = RxSyncTiming(sync.sequence_id, sync.t1_sns >> 16, correction, 0, sync.t2_sns >> 16)
        self._syncs.append(record)
        if len(self._syncs) >= options.monitor_events:
            port.send_signaling([SlaveRxSyncTimingData(port.parent, tuple(self._syncs))], EVERYBODY)
            self._syncs.clear()

    def event_sent(self, kind: MessageType, key: Any, egress_sns: int) -> None:
        port, options = self.port, self.port.options
        if TX_EVENT_TIMESTAMPS not in options.monitor or kind not in _EVENTS:
            return
        self._sent_count[kind] += 1
        if self._sent_count[kind] % options.monitor_every:
            return
        records = self._sent[kind]
        records.append(TxEventTimestamp(key, egress_sns >> 16))
        if len(records) >= options.monitor_events:
            port.send_signaling([SlaveTxEventTimestamps(port.identity, kind, tuple(records))], EVERYBODY)
            records.clear()
