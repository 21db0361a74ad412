"""The serving side of a port to its multicast group: when Announce and Sync are due (IEEE 1588-2019 9.5; not checked
against the text). What they are made of: sending.py.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ptpstack.protocol.part import Part
from ptpstack.timebase.units import log_interval_ns
from ptpstack.wire.types import PortState

if TYPE_CHECKING:
    from ptpstack.protocol.port import Port

#: A new master repeats its first Announce after this share of an interval, so that a take-over fits into the announce
#: receipt timeout + 1 intervals.
SECOND_ANNOUNCE = 0.125

TIMER_ANNOUNCE = "announce"
TIMER_SYNC = "sync"


class Serving(Part):
    #: syncLocked (802.1AS-2020 10.2.5.15): it sends when Syncs come in, and not by its own timer
    sync_locked = False

    def __init__(self, port: Port, transmit_offset_ns: int) -> None:
        """``transmit_offset_ns``: see ``Port``."""
        super().__init__(port)
        self.timers = {TIMER_ANNOUNCE: self._announce_due, TIMER_SYNC: self._sync_due}
        self._transmit_offset_ns = transmit_offset_ns
        #: as long as a peer has asked for it (802.1AS-2020 10.6.4.3)
        self.sync_stopped = self.announce_stopped = False
        self._announce_sequence = port.rng.randrange(0x10000)
        self._sync_sequence = port.rng.randrange(0x10000)
        self._announces_sent = 0
        self._announced_ns = -(1 << 62)

    def entered(self, state: PortState, now: int) -> None:
        if state is PortState.MASTER:
            if self.port.options.announce and not self.announce_stopped:
                self.port.timers[TIMER_ANNOUNCE] = now + self._transmit_offset_ns
            if not self.sync_stopped:
                self.port.timers[TIMER_SYNC] = now + self._transmit_offset_ns
            self._announces_sent = 0

    def intervals_changed(self, now: int) -> None:
        """Other intervals hold from now on, or something was stopped or begins again."""
        if self.port.state is not PortState.MASTER:
            return
        for timer, stopped in ((TIMER_SYNC, self.sync_stopped), (TIMER_ANNOUNCE, self.announce_stopped)):
            if timer in self.port.timers:
                del self.port.timers[timer]
            if not stopped and (timer == TIMER_SYNC or self.port.options.announce):
                self.port.timers[timer] = now + self._transmit_offset_ns

    def announce_changed(self, now: int) -> None:
        """Say it now, but not faster than a new master repeats its first."""
        port = self.port
        if port.state is PortState.MASTER and port.options.announce and not self.announce_stopped:
            due = max(now, self._announced_ns + int(port.announce_interval_ns * SECOND_ANNOUNCE))
            port.timers[TIMER_ANNOUNCE] = min(due, port.timers.get(TIMER_ANNOUNCE, due))

    def _announce_due(self, now: int, due: int) -> None:
        self._announces_sent += 1
        interval = self.port.announce_interval_ns
        if self._announces_sent == 1:
            interval = int(interval * SECOND_ANNOUNCE)
        self._announced_ns = now
        self.port.repeat(TIMER_ANNOUNCE, now, due, interval)
        self._announce_sequence = (self._announce_sequence + 1) & 0xFFFF
        sending = self.port.sending
        sending.announce(sending.announce_template(self.port.ds.log_announce_interval), self._announce_sequence)

    def _sync_due(self, now: int, due: int) -> None:
        port = self.port
        port.repeat(TIMER_SYNC, now, due, log_interval_ns(port.ds.log_sync_interval))
        if port.instance.upstream.withholds_sync(now):
            port.counters["sync-withheld"] += 1
            return
        self._sync_sequence = (self._sync_sequence + 1) & 0xFFFF
        port.sending.sync(self._sync_sequence)
