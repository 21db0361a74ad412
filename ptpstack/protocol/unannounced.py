"""Following without Announce (static roles, such as the automotive profiles'): who sends Sync is the master.

1. A Sync stands for the Announce that its sender does not send, and vouches for nothing: clockClass 248, accuracy
   unknown, UTC unknown. The first one heard is followed until it falls silent.
2. Silence is measured as with Announce: the announce receipt timeout, restarted by every Sync of the parent.
"""

from __future__ import annotations

from ptpstack.protocol.following import Following
from ptpstack.protocol.options import UNKNOWN_QUALITY
from ptpstack.wire.messages import Announce, Message
from ptpstack.wire.types import Flag


class Unannounced(Following):
    def _on_sync(self, message: Message, ingress_sns: int | None, address: str, now: int) -> None:
        self._presume(message, address, now)
        super()._on_sync(message, ingress_sns, address, now)

    def _presume(self, sync: Message, address: str, now: int) -> None:
        """What the sender would have announced if it did."""
        port = self.port
        if sync.flags & Flag.ALTERNATE_MASTER:
            return
        if port.following and sync.source != port.parent:
            # nothing tells which of two is better
            return
        announce = Announce(
            sync.source,
            sync.sequence_id,
            domain=sync.domain,
            sdo_id=sync.sdo_id,
            flags=Flag.PTP_TIMESCALE,
            log_interval=port.ds.log_announce_interval,
            current_utc_offset=port.instance.data.own_time_properties.current_utc_offset,
            quality=UNKNOWN_QUALITY,
            grandmaster=sync.source.clock_identity,
        )
        port.announces.heard(announce, address, now)
