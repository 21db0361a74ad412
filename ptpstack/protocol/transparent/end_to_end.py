"""End-to-end: what measures paths passes, too, and its answers carry how long it was inside (10.2.2, not checked)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ptpstack.protocol.transparent.frames import (
    REQUESTING,
    SOURCE,
    as_two_step,
    follower,
    is_two_step,
    key_of,
    response_key,
    without_timestamp,
)
from ptpstack.protocol.transparent.mechanism import Mechanism
from ptpstack.protocol.transparent.passage import Carrier, Port
from ptpstack.wire.types import MessageType

if TYPE_CHECKING:
    from ptpstack.protocol.transparent.clock import TransparentClock


class EndToEnd(Mechanism):
    def __init__(self, clock: TransparentClock) -> None:
        super().__init__(clock)
        self.handlers = {
            MessageType.DELAY_REQ: self._request,
            MessageType.DELAY_RESP: self._delay_resp,
            MessageType.PDELAY_REQ: self._request,
            MessageType.PDELAY_RESP: self._pdelay_resp,
            MessageType.PDELAY_RESP_FOLLOW_UP: self._pdelay_follow_up,
        }

    def _request(self, port: Port, octets: bytes, ingress_sns: int | None, address: str, now: int) -> None:
        key = key_of(octets[0] & 0x0F, octets, octets[SOURCE])
        self.clock.enter(key, port, octets, ingress_sns, address, now)

    def _delay_resp(self, port: Port, octets: bytes, ingress_sns: int | None, address: str, now: int) -> None:
        request = self.clock.passage(key_of(MessageType.DELAY_REQ, octets, octets[REQUESTING]))
        if request is None:
            port.counters["drop-delay-resp-without-request"] += 1
            return
        if request.ingress == port.channel:
            # asked and answered on the same side
            self.clock.forward(port, octets, None, address, now)
            return
        targets = self.clock.targets(port.channel, address, now)
        self.clock.carry(Carrier(octets, address, targets, ((request, port.channel),), -port.asymmetry_sns))

    def _pdelay_resp(self, port: Port, octets: bytes, ingress_sns: int | None, address: str, now: int) -> None:
        self.clock.enter(response_key(octets), port, as_two_step(octets), ingress_sns, address, now)
        if not is_two_step(octets):
            # no timestamp: the turnaround is in the response's own correctionField
            made = without_timestamp(follower(octets, MessageType.PDELAY_RESP_FOLLOW_UP, 54, 5))
            self._pdelay_follow_up(port, made, None, address, now)

    def _pdelay_follow_up(self, port: Port, octets: bytes, ingress_sns: int | None, address: str, now: int) -> None:
        """The residences of request and response; the asymmetry of the responder's port is in both, once each sign."""
        request = self.clock.passage(key_of(MessageType.PDELAY_REQ, octets, octets[REQUESTING]))
        response = self.clock.passage(response_key(octets))
        if request is None or response is None or response.ingress != port.channel:
            port.counters["drop-pdelay-follow-up-without-exchange"] += 1
            return
        if request.ingress == port.channel:
            self.clock.forward(port, octets, None, address, now)
            return
        for target in response.left:
            needs = ((request, port.channel), (response, target))
            self.clock.carry(Carrier(octets, address, (target,), needs, 0))
