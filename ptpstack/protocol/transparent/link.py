"""The link at one port of a peer-to-peer transparent clock: measured from here, and answered to who measures it there.

IEEE 1588-2019 10.3, 11.4; not checked against the text.

1. Pdelay_Req goes out on every port, whoever is master, in the clock's own domain: one measurement is for all domains.
2. A Pdelay_Req of any domain is answered in that domain, by the transport and with the VLAN tags that it came with.
3. An IEEE 802.1AS neighbour gets no answer: it would take this clock for one that its Syncs may pass.
"""

from __future__ import annotations

import random
from typing import TYPE_CHECKING, Any

from ptpstack.protocol.link_mean import LinkMean
from ptpstack.protocol.pdelay_requester import CompletePdelay, PdelayRequester
from ptpstack.protocol.pdelay_responder import PdelayResponder, Request
from ptpstack.protocol.transparent.passage import Port
from ptpstack.timebase.units import log_interval_ns
from ptpstack.wire.codec import encode
from ptpstack.wire.messages import PdelayReq, PdelayResp, PdelayRespFollowUp
from ptpstack.wire.own_envelope import from_here, group_envelope, transport_of
from ptpstack.wire.types import Flag, PortIdentity

if TYPE_CHECKING:
    from ptpstack.protocol.transparent.clock import TransparentClock

_GPTP = 1
#: Requests in a row without an answer after which the delay is no longer known, and that is told as the reason.
SILENT = 3


class PeerLink:
    def __init__(self, clock: TransparentClock, port: Port, rng: random.Random) -> None:
        self._clock = clock
        self._port = port
        options = clock.options
        self.identity = PortIdentity(options.clock_identity, port.number)
        self.mean = LinkMean(port.counters)
        self._requester = PdelayRequester(rng, port.counters, receipt_sign=-1, asymmetry_sns=port.asymmetry_sns)
        self._responder = PdelayResponder(port.counters, receipt_sign=-1)
        self._envelope = group_envelope(options.transport, peer_delay=True)
        self._interval_ns = log_interval_ns(options.log_min_pdelay_req_interval)
        #: ports of one clock, and clocks that were switched on together, do not all ask at once
        self._phase_ns = rng.randrange(self._interval_ns)
        self.due_ns = 0
        #: domain and transport in which the neighbour asks
        self._asked_in: tuple[int, str] | None = None

    @property
    def mean_sns(self) -> int | None:
        """meanLinkDelay, as long as the neighbour goes on answering."""
        return self.mean.mean_sns if self._requester.unanswered <= SILENT else None

    def begin(self, now: int) -> None:
        """The port is up."""
        self.due_ns = now + self._phase_ns

    def forget(self) -> None:
        """The port is down: the next neighbour may be another one."""
        self.flush()
        self.mean.clear()
        self._asked_in = None

    def flush(self) -> None:
        """The clock was stepped: stamps from before mean nothing after."""
        self._requester.flush()
        self._responder.flush()

    # ---- asking -----------------------------------------------------------------------------------------------

    def ask(self, now: int) -> None:
        due = self.due_ns + self._interval_ns
        self.due_ns = due if due > now else now + self._interval_ns
        self.mean.next_request(len(self._requester.responders))
        options = self._clock.options
        sequence_id = self._requester.begin()
        message = PdelayReq(
            self.identity,
            sequence_id,
            domain=options.domain,
            correction_sns=-self._port.asymmetry_sns,
        )
        self._clock.send_own(self._port, encode(message), self._envelope, lambda s: self._request_sent(sequence_id, s))

    def _request_sent(self, sequence_id: int, egress_sns: int | None) -> None:
        self._complete(self._requester.transmitted(sequence_id, egress_sns))

    def response(self, message: PdelayResp, ingress_sns: int) -> None:
        if not self._for_us(message):
            return
        before = len(self._requester.responders)
        complete = self._requester.response(message, ingress_sns)
        if before == 1 and len(self._requester.responders) == 2:
            self.mean.several()
        self._complete(complete)

    def follow_up(self, message: PdelayRespFollowUp) -> None:
        if self._for_us(message):
            self._complete(self._requester.follow_up(message))

    def _for_us(self, message: PdelayResp | PdelayRespFollowUp) -> bool:
        if message.requesting == self.identity:
            return True
        self._port.counters["pdelay-resp-for-others"] += 1
        return False

    def _complete(self, complete: CompletePdelay | None) -> None:
        if complete is not None and self.mean.add(complete) is not None:
            self._clock.link_measured(self._port, complete)

    # ---- answering --------------------------------------------------------------------------------------------

    def request(self, message: PdelayReq, ingress_sns: int, address: str, now: int) -> None:
        if message.sdo_id >> 8 == _GPTP:
            self._port.counters["drop-gptp-pdelay"] += 1
            return
        self._asked_in = (message.domain, transport_of(address))
        request = Request(message.source, message.sequence_id, message.correction_sns, 0, from_here(address), now)
        begun = self._responder.begin(request, ingress_sns)
        if begun is None:
            return
        key, receipt_ns, correction = begun
        response = PdelayResp(
            self.identity,
            message.sequence_id,
            flags=Flag.TWO_STEP,
            correction_sns=correction,
            request_receipt_ns=receipt_ns,
            requesting=message.source,
            **_scope(message),
        )
        self._clock.send_own(
            self._port, encode(response), from_here(address), lambda stamp: self._response_sent(key, stamp, message)
        )

    def _response_sent(self, key: int, egress_sns: int | None, asked: PdelayReq) -> None:
        stamped = self._responder.transmitted(key, egress_sns)
        if stamped is None:
            return
        request, origin_ns, correction = stamped
        follow_up = PdelayRespFollowUp(
            self.identity,
            request.sequence_id,
            correction_sns=correction,
            response_origin_ns=origin_ns,
            requesting=request.requesting,
            **_scope(asked),
        )
        self._clock.send_own(self._port, encode(follow_up), str(request.address))

    # ---- views ------------------------------------------------------------------------------------------------

    def why_not_measured(self) -> str:
        """Why there is no meanLinkDelay, or ""."""
        if self.mean_sns is not None:
            return ""
        if not self._port.up:
            return "the link is down"
        if self._requester.several:
            return "more than one port answers: between here and the neighbour is a switch that knows no peer delay"
        if self._requester.unanswered <= SILENT:
            return "not measured yet"
        own = (self._clock.options.domain, self._clock.options.transport)
        if self._asked_in is None or self._asked_in == own:
            return "nobody answers: the neighbour has to measure peer delay, too"
        return (
            "nobody answers: the neighbour asks in domain {}, by {}; this clock in domain {}, by {}: set domain and "
            "transport to those of the neighbour".format(*self._asked_in, *own)
        )

    def status(self) -> dict[str, Any]:
        mean_sns, neighbor = self.mean_sns, self.mean.neighbor
        return {
            "neighbor": None if neighbor is None else str(neighbor),
            "mean_link_delay_ns": None if mean_sns is None else mean_sns / 65536.0,
            "neighbor_rate_ratio": self._requester.rate.ratio,
            "reason": self.why_not_measured(),
        }


def _scope(request: PdelayReq) -> dict[str, Any]:
    """What an answer has in common with its request."""
    return {
        "domain": request.domain,
        "sdo_id": request.sdo_id,
        "minor_version": request.minor_version,
    }
