"""delayMechanism COMMON_P2P: the link is measured by the common service of the channel (IEEE 1588-2019 16.6; not
checked against the text), and this port is told.

1. The port asks for nothing itself. It answers the Pdelay_Req of its own domain: a neighbour may have no such service.
2. The service's messages are of no instance. Whether their stamps show the time of a master at the other end is not
   known here; the servo looks at that.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ptpstack.protocol.delay_p2p import SILENT, P2PDelay
from ptpstack.protocol.effects import LinkDelayMeasured
from ptpstack.protocol.timers import TIMER_PDELAY_REQ
from ptpstack.wire.messages import PdelayResp, PdelayRespFollowUp
from ptpstack.wire.types import PortIdentity, PortState

if TYPE_CHECKING:
    from ptpstack.protocol.port import Port

#: Requests in a row without an answer that leave a measurement valid.
ALLOWED_LOST = 3


class CommonDelay(P2PDelay):
    def __init__(self, port: Port) -> None:
        super().__init__(port)
        self.handlers = {k: v for k, v in self.handlers.items() if k not in (PdelayResp, PdelayRespFollowUp)}
        self._link: Port | None = None

    @property
    def neighbor(self) -> PortIdentity | None:
        """The link port at the other end: of the neighbour's service, not of an instance."""
        return None if self._link is None else self._link.delay.neighbor

    @property
    def valid(self) -> bool:  # type: ignore[override]
        """serviceMeasurementValid, as this port sees it."""
        return self._link is not None and self.port.state not in SILENT and measures(self._link)

    def entered(self, state: PortState, now: int) -> None:
        super().entered(state, now)
        if TIMER_PDELAY_REQ in self.port.timers:
            del self.port.timers[TIMER_PDELAY_REQ]

    def sync_received(self, now: int) -> None:
        """When is asked is the service's business."""

    def interval_changed(self, now: int) -> None:
        """Likewise."""

    def told(self, measured: LinkDelayMeasured, link: Port, now: int) -> None:
        """``link``, a port of the service, has measured."""
        port = self.port
        self._link = link
        if port.state in SILENT:
            return
        port.ds.mean_link_delay_sns = link.ds.mean_link_delay_sns
        port.ds.neighbor_rate_ratio = link.ds.neighbor_rate_ratio
        self._report(measured._replace(port=port.number), now)


def measures(link: Port) -> bool:
    """serviceMeasurementValid of a port of the service."""
    delay = link.delay
    return isinstance(delay, P2PDelay) and delay.neighbor is not None and delay.requester.unanswered <= ALLOWED_LOST
