"""The following side of a port: Sync and Follow_Up of the parent, and of those who may become it.

A parent whose Announces are lost is given up, as it has to be. While nobody else is followed the clock holds over, and
Syncs of that former parent which still come are told as what they are: something overheard, that helps to hold over.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ptpstack.protocol.effects import SyncMeasured, SyncOverheard
from ptpstack.protocol.part import Part
from ptpstack.protocol.sync_receiver import CompleteSync, EarlySyncs, SyncReceiver
from ptpstack.wire.messages import FollowUp, Message, Sync
from ptpstack.wire.types import Flag, PortIdentity, PortState

if TYPE_CHECKING:
    from ptpstack.protocol.port import Port

#: For how many announce intervals the Syncs of a former parent are of use.
MUTE_INTERVALS = 8


class Following(Part):
    def __init__(self, port: Port) -> None:
        super().__init__(port)
        self.handlers = {Sync: self._on_sync, FollowUp: self._on_follow_up}
        self._receiver = SyncReceiver(port.counters)
        #: a former parent that announces nothing any longer, and until when its Syncs are used, ns
        self._mute: PortIdentity | None = None
        self._mute_until_ns = 0

    def entered(self, state: PortState, now: int) -> None:
        self._receiver.flush()
        self._mute = None
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

    def went_mute(self, parent: PortIdentity, now: int) -> None:
        """``parent`` was given up since it announces nothing; its Syncs may still come."""
        self._mute = parent
        self._mute_until_ns = now + MUTE_INTERVALS * self.port.announce_interval_ns

    def _is_mute(self, message: Message, now: int) -> bool:
        return message.source == self._mute and now < self._mute_until_ns and not message.flags & Flag.ALTERNATE_MASTER

    def _receiver_of(self, message: Message, early: EarlySyncs | None, now: int) -> SyncReceiver | None:
        if early is not None:
            return early.receiver
        if self._mute is not None and self._is_mute(message, now):
            return self._receiver
        return self._receiver if self.port.from_parent(message) else None

    def _on_sync(self, message: Message, ingress_sns: int | None, address: str, now: int) -> None:
        assert isinstance(message, Sync)
        port = self.port
        if ingress_sns is not None:
            ingress_sns -= port.ingress_latency_sns
        early = self._early_of(message)
        receiver = self._receiver_of(message, early, now)
        if receiver is not None:
            self._received(receiver.sync(message, ingress_sns, port.ds.delay_asymmetry_sns), message, early, now)

    def _on_follow_up(self, message: Message, ingress_sns: int | None, address: str, now: int) -> None:
        assert isinstance(message, FollowUp)
        early = self._early_of(message)
        receiver = self._receiver_of(message, early, now)
        if receiver is not None:
            self._received(receiver.follow_up(message), message, early, now)

    def _received(self, complete: CompleteSync | None, message: Message, early: EarlySyncs | None, now: int) -> None:
        if complete is None:
            return
        if early is not None:
            early.keep(complete, now)
        if self._mute is not None and self._is_mute(message, now):
            self.port.instance.emit(
                SyncOverheard(self.port.number, complete.t1_sns, complete.t2_sns, complete.correction_sns)
            )
        elif early is None:
            self._complete(complete, now, now)

    def _complete(self, complete: CompleteSync, now: int, received_ns: int) -> None:
        port = self.port
        log_interval = complete.log_interval
        if port.unicast_discovery is not None and port.unicast_discovery.selected is not None:
            # the message itself does not tell (13.3.2.14)
            log_interval = port.unicast_discovery.sync_complete(now)
        port.delay.sync_received(now)
        port.sync_completed(complete, now)
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
