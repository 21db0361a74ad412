"""delayMechanism by what is heard: end to end until a Pdelay_Req comes, peer delay from then on.

A link that went down begins anew: its other end may be another. portDS.delayMechanism is the one in use.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ptpstack.protocol.delay_e2e import TIMER_DELAY_REQ, E2EDelay
from ptpstack.protocol.delay_p2p import SILENT, P2PDelay
from ptpstack.protocol.part import DelayMechanism
from ptpstack.wire.messages import Message, PdelayReq
from ptpstack.wire.types import PortIdentity, PortState

if TYPE_CHECKING:
    from ptpstack.protocol.port import Port


class AutoDelay(DelayMechanism):
    def __init__(self, port: Port) -> None:
        super().__init__(port)
        self._e2e, self._p2p = E2EDelay(port), P2PDelay(port)
        self._used: E2EDelay | P2PDelay = self._e2e
        self.handlers = dict.fromkeys({**self._e2e.handlers, **self._p2p.handlers}, self._on_message)
        self.timers = {**self._e2e.timers, **self._p2p.timers}
        self.stamps = {**self._e2e.stamps, **self._p2p.stamps}
        self.plain_requests = self._e2e.plain_requests
        port.ds.delay_mechanism = "E2E"

    @property
    def neighbor(self) -> PortIdentity | None:
        return self._used.neighbor

    def answer_plain(self, octets: bytes, ingress_sns: int | None, address: str) -> tuple[bytes, str | None] | None:
        return self._e2e.answer_plain(octets, ingress_sns, address) if self._used is self._e2e else None

    def entered(self, state: PortState, now: int) -> None:
        if state in SILENT and self._used is self._p2p:
            self._p2p.entered(state, now)
            self._used = self._e2e
            self.port.ds.delay_mechanism = "E2E"
        self._used.entered(state, now)

    def flush(self) -> None:
        self._e2e.flush()
        self._p2p.flush()

    def sync_received(self, now: int) -> None:
        self._used.sync_received(now)

    def _on_message(self, message: Message, ingress_sns: int | None, address: str, now: int) -> None:
        if isinstance(message, PdelayReq) and self._used is self._e2e:
            self._to_peer_delay(now)
        self._used.handlers[type(message)](message, ingress_sns, address, now)

    def _to_peer_delay(self, now: int) -> None:
        port = self.port
        port.counters["delay-mechanism-now-p2p"] += 1
        if TIMER_DELAY_REQ in port.timers:
            del port.timers[TIMER_DELAY_REQ]
        self._e2e.flush()
        self._used = self._p2p
        port.ds.delay_mechanism = "P2P"
        self._p2p.entered(port.state, now)
