"""The following side of a port: Sync and Follow_Up of the parent, and of those who may become it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ptpstack.protocol.effects import SyncMeasured
from ptpstack.protocol.part import Part
from ptpstack.protocol.sync_receiver import CompleteSync, EarlySyncs, SyncReceiver
from ptpstack.wire.messages import FollowUp, Message, Sync
from ptpstack.wire.types import Flag, PortState

if TYPE_CHECKING:
    from ptpstack.protocol.port import Port


class Following(Part):
    def __init__(self, port: Port) -> None:
        super().__init__(port)
        self.handlers = {Sync: self._on_sync, FollowUp: self._on_follow_up}
        self._receiver = SyncReceiver(port.counters)

    def entered(self, state: PortState, now: int) -> None:
        self._receiver.flush()
        if self.port.following:
            self._take_up_early(now)

    def flush(self) -> None:
        self._receiver.flush()
        for record in self.port.foreign:
            if record.early is not None:
                record.early.flush()

    def _take_up_early(self, now: int) -> None:
        """Go on with what the new parent has sent before it was accepted."""
        record = self.port.foreign.get(self.port.parent)
        if record is None or record.early is None:
            return
        early, record.early = record.early, None
        self._receiver = early.receiver
        for complete, received_ns in early.take(now):
            self._complete(complete, now, received_ns)

    def _early_of(self, message: Message) -> EarlySyncs | None:
        """Where to keep a Sync or Follow_Up of somebody who may become the parent; None when it is not for keeping."""
        if self.port.following or message.flags & Flag.ALTERNATE_MASTER:
            return None
        record = self.port.foreign.get(message.source)
        if record is None:
            return None
        if record.early is None:
            record.early = EarlySyncs(self.port.counters)
        return record.early

    def _on_sync(self, message: Message, ingress_sns: int | None, address: str, now: int) -> None:
        assert isinstance(message, Sync)
        port = self.port
        if ingress_sns is not None:
            ingress_sns -= port.ingress_latency_sns
        early = self._early_of(message)
        if early is not None:
            early.keep(early.receiver.sync(message, ingress_sns, port.ds.delay_asymmetry_sns), now)
        elif port.from_parent(message):
            self._complete(self._receiver.sync(message, ingress_sns, port.ds.delay_asymmetry_sns), now, now)

    def _on_follow_up(self, message: Message, ingress_sns: int | None, address: str, now: int) -> None:
        assert isinstance(message, FollowUp)
        early = self._early_of(message)
        if early is not None:
            early.keep(early.receiver.follow_up(message), now)
        elif self.port.from_parent(message):
            self._complete(self._receiver.follow_up(message), now, now)

    def _complete(self, complete: CompleteSync | None, now: int, received_ns: int) -> None:
        if complete is None:
            return
        port = self.port
        log_interval = complete.log_interval
        if port.unicast_discovery is not None and port.unicast_discovery.selected is not None:
            # the message itself does not tell (13.3.2.14)
            log_interval = port.unicast_discovery.sync_complete(now)
        port.delay.sync_received(now)
        port.instance.emit(
            SyncMeasured(
                port.number,
                port.parent,
                complete.sequence_id,
                complete.t1_sns,
                complete.t2_sns,
                complete.correction_sns,
                log_interval,
                received_ns,
            )
        )
