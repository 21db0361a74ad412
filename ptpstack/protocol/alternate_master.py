"""Alternate master (IEEE 1588-2019 17.3, not checked against the text): who would serve next shows itself.

1. A PASSIVE port announces what it would as a master, with alternateMasterFlag, so that nobody takes it for one.
2. At most numberOfAlternateMasters do so on a path: a port is silent while it hears that many better ones.
3. Sync of alternate masters is not sent.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ptpstack.protocol.announce import candidate
from ptpstack.protocol.comparison import Candidate
from ptpstack.protocol.foreign import FOREIGN_MASTER_WINDOW_INTERVALS, ForeignMaster
from ptpstack.protocol.part import Part
from ptpstack.wire.messages import Announce
from ptpstack.wire.types import Flag, PortIdentity, PortState

if TYPE_CHECKING:
    from ptpstack.protocol.port import Port

TIMER_ALTERNATE = "alternate-announce"
#: Alternate masters that are remembered; more than anybody allows
CAPACITY = 32


class AlternateMaster(Part):
    """alternateMasterPortDS (8.2.20)."""

    def __init__(self, port: Port) -> None:
        super().__init__(port)
        self.timers = {TIMER_ALTERNATE: self._due}
        self._sequence = port.rng.randrange(0x10000)
        #: other alternate masters heard here, and when last
        self._heard: dict[PortIdentity, tuple[Candidate, int]] = {}

    def entered(self, state: PortState, now: int) -> None:
        self._heard.clear()
        if state is PortState.PASSIVE:
            # others that were here before are heard first
            self.port.timers[TIMER_ALTERNATE] = now + self.port.announce_interval_ns

    def announce_heard(self, announce: Announce, now: int) -> None:
        if not announce.flags & Flag.ALTERNATE_MASTER or announce.source.clock_identity == self.port.identity[0]:
            return
        if announce.source in self._heard or len(self._heard) < CAPACITY:
            record = ForeignMaster(announce.source, announce, now)
            self._heard[announce.source] = candidate(record, self.port.identity), now

    def _due(self, now: int, due: int) -> None:
        port = self.port
        interval = port.announce_interval_ns
        port.repeat(TIMER_ALTERNATE, now, due, interval)
        window = FOREIGN_MASTER_WINDOW_INTERVALS * interval
        for sender in [s for s, (_, heard) in self._heard.items() if now - heard > window]:
            del self._heard[sender]
        self._sequence = (self._sequence + 1) & 0xFFFF
        message = port.new(Announce, self._sequence, port.ds.log_announce_interval)
        port.instance.fill_announce(message)
        message.flags |= Flag.ALTERNATE_MASTER
        # as those compare it who hear it, and as we compare them
        own = candidate(ForeignMaster(port.identity, message, now), port.identity)
        best_of = port.instance.bmca.best_of
        better = sum(best_of([own, other]) is other for other, _ in self._heard.values())
        if better < port.options.alternate_masters:
            port.send_general(message)
