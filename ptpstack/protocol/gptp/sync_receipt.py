"""Sync receipt timeout (10.7.3.1): a grandmaster whose Syncs stay away is given up, whatever it announces.

The interval is that of the Syncs themselves (syncReceiptTimeoutTimeInterval). It runs from the first Sync on.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ptpstack.protocol.decision import Decision
from ptpstack.protocol.part import Part
from ptpstack.protocol.sync_receiver import CompleteSync
from ptpstack.timebase.units import log_interval_ns

if TYPE_CHECKING:
    from ptpstack.protocol.port import Port

TIMER_SYNC_RECEIPT = "sync-receipt"
#: logMessageInterval of a Sync that is believed
_BELIEVED = range(-10, 11)


class SyncReceipt(Part):
    def __init__(self, port: Port, timeout: int) -> None:
        """``timeout``: syncReceiptTimeout, intervals."""
        super().__init__(port)
        self.timers = {TIMER_SYNC_RECEIPT: self._expired}
        self._timeout = timeout
        self._log_interval = port.ds.log_sync_interval

    def sync_heard(self, sync: CompleteSync, now: int) -> None:
        if not self.port.following:
            return
        believed = sync.log_interval in _BELIEVED
        self._log_interval = sync.log_interval if believed else self.port.ds.log_sync_interval
        self.port.timers[TIMER_SYNC_RECEIPT] = now + self._timeout * log_interval_ns(self._log_interval)

    def _expired(self, now: int, due: int) -> None:
        port = self.port
        port.counters["sync-receipt-timeout"] += 1
        decision = Decision(
            "sync-timeout",
            f"no Sync for {self._timeout} sync intervals from {port.parent}",
            {"syncReceiptTimeout": self._timeout, "logSyncInterval": self._log_interval},
            (str(port.parent),),
            "an Announce of that or another grandmaster",
        )
        port.announces.lost(now, decision)
