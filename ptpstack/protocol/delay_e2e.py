"""End-to-end delay: the requesting side, and the part of a port that asks and answers.

IEEE 1588-2019 11.3, 9.5.11; not checked against the text.

A few requests may be under way at once; each waits for its own transmit stamp and its own response, in either order.
"""

from __future__ import annotations

import random
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from ptpstack.protocol.delay_responder import DelayResponder
from ptpstack.protocol.effects import DelayMeasured
from ptpstack.protocol.part import DelayMechanism
from ptpstack.protocol.sync_receiver import representable
from ptpstack.timebase.units import log_interval_ns
from ptpstack.wire.codec import encode
from ptpstack.wire.messages import DelayReq, DelayResp, Message, PdelayReq, PdelayResp, PdelayRespFollowUp
from ptpstack.wire.types import Flag, MessageType, PortState

if TYPE_CHECKING:
    from ptpstack.protocol.port import Port

TIMER_DELAY_REQ = "delay-req"

#: A request without an answer is forgotten after this time.
RESPONSE_WAIT_NS = 5_000_000_000
MAX_OUTSTANDING = 16
#: A master's idea of the request interval outside this range is ignored (own limit, as in linuxptp).
LOG_INTERVAL_RANGE = range(-10, 23)


class CompleteDelay(NamedTuple):
    sequence_id: int
    t3_sns: int
    t4_sns: int
    correction_sns: int


@dataclass(slots=True)
class _Request:
    sent_ns: int
    t3_sns: int | None = None
    t4_sns: int | None = None
    correction_sns: int = 0


class DelayRequester:
    def __init__(self, rng: random.Random, counters: Counter[str]) -> None:
        self._rng = rng
        self._counters = counters
        self._requests: dict[int, _Request] = {}
        self._sequence_id = rng.randrange(0x10000)

    def flush(self) -> None:
        """Forget what is under way: another parent, or the clock was stepped."""
        self._requests.clear()

    def next_interval_ns(self, log_interval: int) -> int:
        """Uniform in (0, 2 x 2**log_interval s] (9.5.11.2)."""
        return int(self._rng.random() * 2 * log_interval_ns(log_interval)) + 1

    def begin(self, now: int) -> int:
        """A new request; returns its sequenceId."""
        while self._requests:
            oldest = next(iter(self._requests))
            if len(self._requests) < MAX_OUTSTANDING and now - self._requests[oldest].sent_ns <= RESPONSE_WAIT_NS:
                break
            request = self._requests.pop(oldest)
            self._counters["delay-resp-missing" if request.t4_sns is None else "delay-req-without-stamp"] += 1
        self._sequence_id = (self._sequence_id + 1) & 0xFFFF
        self._requests[self._sequence_id] = _Request(now)
        return self._sequence_id

    def transmitted(self, sequence_id: int, egress_sns: int | None) -> CompleteDelay | None:
        request = self._requests.get(sequence_id)
        if request is None:
            return None
        if egress_sns is None:
            self._counters["delay-req-without-stamp"] += 1
            del self._requests[sequence_id]
            return None
        request.t3_sns = egress_sns
        return self._finish(sequence_id, request)

    def expects(self, sequence_id: int) -> bool:
        """A request with this sequenceId waits for its response."""
        request = self._requests.get(sequence_id)
        return request is not None and request.t4_sns is None

    def response(self, message: DelayResp) -> CompleteDelay | None:
        request = self._requests.get(message.sequence_id)
        if request is None or request.t4_sns is not None:
            self._counters["delay-resp-unmatched"] += 1
            return None
        if not representable(message.correction_sns):
            self._counters["correction-overflow"] += 1
            return None
        request.t4_sns = message.receive_ns << 16
        request.correction_sns = message.correction_sns
        return self._finish(message.sequence_id, request)

    def _finish(self, sequence_id: int, request: _Request) -> CompleteDelay | None:
        if request.t3_sns is None or request.t4_sns is None:
            return None
        del self._requests[sequence_id]
        return CompleteDelay(sequence_id, request.t3_sns, request.t4_sns, request.correction_sns)


class E2EDelay(DelayMechanism):
    """Delay_Req to the parent, Delay_Resp to everybody who asks."""

    def __init__(self, port: Port) -> None:
        super().__init__(port)
        self.handlers = {
            DelayReq: self._on_delay_req,
            DelayResp: self._on_delay_resp,
            PdelayReq: self._on_peer_delay,
            PdelayResp: self._on_peer_delay,
            PdelayRespFollowUp: self._on_peer_delay,
        }
        self.timers = {TIMER_DELAY_REQ: self._delay_req_due}
        self.stamps = {MessageType.DELAY_REQ: self._delay_req_sent}
        self.requester = DelayRequester(port.rng, port.counters)
        self.responder = DelayResponder(
            port.instance.options, port.ds, port.ingress_latency_sns, port.counters, port.group
        )
        self.plain_requests = self.responder.plain_requests
        if port.options.unicast.active:
            self.responder.refuses = port.unicast_rules.refuses_delay_req
        #: by whether it goes to one address
        self._templates: dict[bool, bytes] = {}

    def answer_plain(self, octets: bytes, ingress_sns: int | None, address: str) -> tuple[bytes, str | None] | None:
        return self.responder.answer_plain(octets, ingress_sns, address)

    def entered(self, state: PortState, now: int) -> None:
        self.requester.flush()
        if state is PortState.MASTER or self.port.following:
            # the interval is our own setting again, not what a former parent asked for
            self.port.ds.log_min_delay_req_interval = self.port.options.log_min_delay_req_interval

    def flush(self) -> None:
        self.requester.flush()

    def sync_received(self, now: int) -> None:
        if TIMER_DELAY_REQ not in self.port.timers:
            # the first request goes out at once: nobody gains by waiting for the delay
            self.port.timers[TIMER_DELAY_REQ] = now

    def _delay_req_due(self, now: int, due: int) -> None:
        port = self.port
        terms = self._terms(now)
        if terms is None:
            # nobody answers as yet: the next Sync asks again
            return
        destination, log_interval = terms
        port.timers[TIMER_DELAY_REQ] = now + self.requester.next_interval_ns(log_interval)
        unicast = destination is not None
        template = self._templates.get(unicast)
        if template is None:
            message = port.new(DelayReq, 0, 0x7F)
            message.flags = Flag.UNICAST if unicast else 0
            message.correction_sns = -port.ds.delay_asymmetry_sns
            template = self._templates[unicast] = encode(message)
        port.send_event(template, self.requester.begin(now), MessageType.DELAY_REQ, destination)

    def _terms(self, now: int) -> tuple[str | None, int] | None:
        """Where Delay_Req go (None: to the group), and how often, log2 s. None: nowhere for now."""
        port = self.port
        discovery = port.unicast_discovery
        if discovery is not None and discovery.selected is not None:
            return discovery.delay_resp(now)
        unicast = port.options.unicast.unicast_delay_req
        address = port.instance.data.parent.protocol_address if unicast else ""
        return address or None, port.ds.log_min_delay_req_interval

    def _delay_req_sent(self, sequence_id: int, egress_sns: int | None) -> None:
        self._complete(self.requester.transmitted(sequence_id, egress_sns))

    def _on_delay_resp(self, message: Message, ingress_sns: int | None, address: str, now: int) -> None:
        assert isinstance(message, DelayResp)
        port = self.port
        if message.requesting != port.identity:
            # somebody else's answer: ordinary multicast traffic, not an error
            port.counters["delay-resp-for-others"] += 1
            return
        if not port.from_parent(message):
            return
        if (
            self.requester.expects(message.sequence_id)
            and not message.flags & Flag.UNICAST
            and message.log_interval in LOG_INTERVAL_RANGE
        ):
            port.ds.log_min_delay_req_interval = message.log_interval
        self._complete(self.requester.response(message))

    def _complete(self, complete: CompleteDelay | None) -> None:
        if complete is not None and self.port.following:
            self.port.instance.emit(DelayMeasured(self.port.number, self.port.parent, *complete))

    def _on_delay_req(self, message: Message, ingress_sns: int | None, address: str, now: int) -> None:
        assert isinstance(message, DelayReq)
        answer = self.responder.answer(message, ingress_sns)
        if answer is not None:
            self.port.send_general(answer, address if answer.flags & Flag.UNICAST else None)

    def _on_peer_delay(self, message: Message, ingress_sns: int | None, address: str, now: int) -> None:
        """A port with end-to-end delay neither answers Pdelay_Req nor asks."""
        self.port.counters["drop-p2p-on-e2e-port"] += 1
