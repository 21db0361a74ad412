"""Peer-to-peer: every port measures its link, and a Sync carries the delay of the one that it came by.

IEEE 1588-2019 10.3; not checked against the text.

1. Peer delay messages end at the port.
2. A Sync that comes by a link of unknown delay does not pass: what follows it could only be wrong.
3. Delay_Req and Delay_Resp do not pass: paths are not measured here, links are.
"""

from __future__ import annotations

import random
from typing import TYPE_CHECKING, Any

from ptpstack.protocol.timers import NEVER
from ptpstack.protocol.transparent.link import PeerLink
from ptpstack.protocol.transparent.mechanism import Mechanism
from ptpstack.protocol.transparent.passage import Port
from ptpstack.wire.codec import decode
from ptpstack.wire.errors import MalformedFrame
from ptpstack.wire.messages import PdelayReq, PdelayResp, PdelayRespFollowUp
from ptpstack.wire.own_envelope import is_group
from ptpstack.wire.types import MessageType

if TYPE_CHECKING:
    from ptpstack.protocol.transparent.clock import TransparentClock


class PeerToPeer(Mechanism):
    def __init__(self, clock: TransparentClock, rng: random.Random) -> None:
        super().__init__(clock)
        self.handlers = {
            MessageType.DELAY_REQ: self._end_to_end,
            MessageType.DELAY_RESP: self._end_to_end,
            MessageType.PDELAY_REQ: self._peer_delay,
            MessageType.PDELAY_RESP: self._peer_delay,
            MessageType.PDELAY_RESP_FOLLOW_UP: self._peer_delay,
        }
        self._links = {port.channel: PeerLink(clock, port, rng) for port in clock.ports.values() if not port.inside}

    def link_delay_sns(self, port: Port) -> int | None:
        return 0 if port.inside else self._links[port.channel].mean_sns

    def start(self, now: int) -> None:
        for link in self._links.values():
            link.begin(now)

    def link(self, port: Port, now: int) -> None:
        link = self._links[port.channel]
        link.forget()
        if port.up:
            link.begin(now)

    def clock_stepped(self) -> None:
        for link in self._links.values():
            link.flush()

    def timer(self, now: int) -> None:
        for channel, link in self._links.items():
            if self.clock.ports[channel].up and link.due_ns <= now:
                link.ask(now)

    @property
    def due(self) -> int:
        ports = self.clock.ports
        return min((link.due_ns for channel, link in self._links.items() if ports[channel].up), default=NEVER)

    def status(self, port: Port) -> dict[str, Any]:
        return {} if port.inside else self._links[port.channel].status()

    # ---- messages ---------------------------------------------------------------------------------------------

    def _end_to_end(self, port: Port, octets: bytes, ingress_sns: int | None, address: str, now: int) -> None:
        port.counters["drop-e2e-on-p2p-clock"] += 1

    def _peer_delay(self, port: Port, octets: bytes, ingress_sns: int | None, address: str, now: int) -> None:
        link = self._links.get(port.channel)
        if link is None or not is_group(address):
            port.counters["drop-pdelay-not-to-us"] += 1
            return
        try:
            message = decode(octets)
        except MalformedFrame as error:
            port.counters[f"drop-{error.reason}"] += 1
            return
        if isinstance(message, PdelayRespFollowUp):
            link.follow_up(message)
        elif ingress_sns is None:
            port.counters["drop-event-without-stamp"] += 1
        elif isinstance(message, PdelayReq):
            link.request(message, ingress_sns, address, now)
        elif isinstance(message, PdelayResp):
            link.response(message, ingress_sns)
