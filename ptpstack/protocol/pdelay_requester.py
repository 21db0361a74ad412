"""Peer delay, the side that asks: one exchange at a time (IEEE 1588-2019 11.4; not checked against the text).

    t1 Pdelay_Req leaves    t2 it arrives at the neighbour    t3 Pdelay_Resp leaves there    t4 it arrives here
    meanLinkDelay = (r (t4 - t1) - (t3 - t2)) / 2,   r = neighborRateRatio

1. An answer belongs to the exchange when it names our port and its sequenceId; a Pdelay_Resp_Follow_Up also has to come
   from who sent the Pdelay_Resp. Stamp, Pdelay_Resp and Follow_Up may come in any order.
2. One formula for all answers: t3 - t2 is what the timestamps say plus both corrections. One-step, and two-step with
   the turnaround in the correction, have timestamps of 0 (11.4.2).
3. A new request ends the exchange before; what is missing then is counted. An answer that is late is no fault.
"""

from __future__ import annotations

import random
from collections import Counter
from dataclasses import dataclass, field
from typing import NamedTuple

from ptpstack.protocol.neighbor_rate import NeighborRate
from ptpstack.protocol.sync_receiver import representable
from ptpstack.timebase.units import SNS_PER_S
from ptpstack.wire.messages import PdelayResp, PdelayRespFollowUp
from ptpstack.wire.types import Flag, PortIdentity

#: Answers of so many different ports to one request are kept; more are the same fault.
MAX_RESPONDERS = 4
#: No link is this long: a clock was set between the stamps, or somebody makes them up.
ABSURD_SNS = SNS_PER_S


class CompletePdelay(NamedTuple):
    sequence_id: int
    responder: PortIdentity
    t1_sns: int
    #: None: the neighbour does not tell
    t2_sns: int | None
    t4_sns: int
    delay_sns: int


@dataclass(slots=True)
class _Answer:
    response: PdelayResp | None = None
    follow_up: PdelayRespFollowUp | None = None
    t4_sns: int = 0


@dataclass(slots=True)
class _Exchange:
    sequence_id: int
    t1_sns: int | None = None
    without_stamp: bool = False
    answers: dict[PortIdentity, _Answer] = field(default_factory=dict)
    #: who has sent a Pdelay_Resp, in order
    responders: list[PortIdentity] = field(default_factory=list)
    done: bool = False


class PdelayRequester:
    def __init__(self, rng: random.Random, counters: Counter[str], *, receipt_sign: int, asymmetry_sns: int) -> None:
        """``receipt_sign``: of the fraction of t2 in Pdelay_Resp: -1, but +1 by IEEE 802.1AS-2020 11.3.

        ``asymmetry_sns`` is added to the correction of Pdelay_Resp (11.6): it undoes what the request took off.
        """
        self._counters = counters
        self._receipt_sign = receipt_sign
        self._asymmetry_sns = asymmetry_sns
        self._exchange: _Exchange | None = None
        self._sequence_id = rng.randrange(0x10000)
        self.rate = NeighborRate(counters)
        self.neighbor: PortIdentity | None = None
        #: requests in a row that nobody, or more than one, has answered
        self.unanswered = 0
        self.several = 0

    def flush(self) -> None:
        """The clock was stepped, or the port begins anew."""
        self._exchange = None
        self.rate.clear()

    def begin(self) -> int:
        """A new request; returns its sequenceId."""
        self._close()
        self._sequence_id = (self._sequence_id + 1) & 0xFFFF
        self._exchange = _Exchange(self._sequence_id)
        return self._sequence_id

    def _close(self) -> None:
        exchange, self._exchange = self._exchange, None
        if exchange is None:
            return
        counters = self._counters
        self.unanswered = 0 if exchange.responders else self.unanswered + 1
        self.several = self.several + 1 if len(exchange.responders) > 1 else 0
        if exchange.done or exchange.without_stamp:
            return
        if not exchange.responders:
            counters["pdelay-resp-missing"] += 1
        elif exchange.t1_sns is None:
            counters["pdelay-req-without-stamp"] += 1
        elif len(exchange.responders) == 1:
            counters["pdelay-resp-without-follow-up"] += 1

    @property
    def responders(self) -> list[PortIdentity]:
        """Who has answered the present request."""
        return [] if self._exchange is None else self._exchange.responders

    # ---- what comes -------------------------------------------------------------------------------------------

    def transmitted(self, sequence_id: int, egress_sns: int | None) -> CompletePdelay | None:
        exchange = self._exchange
        if exchange is None or exchange.sequence_id != sequence_id:
            return None
        if egress_sns is None:
            self._counters["pdelay-req-without-stamp"] += 1
            exchange.without_stamp = True
            return None
        exchange.t1_sns = egress_sns
        return self._finish(exchange)

    def response(self, message: PdelayResp, t4_sns: int | None) -> CompletePdelay | None:
        """A Pdelay_Resp to our port; ``t4_sns`` is corrected for ingress latency."""
        exchange = self._answered(message)
        if exchange is None:
            return None
        if message.source in exchange.responders:
            self._counters["pdelay-resp-duplicate"] += 1
            return None
        if len(exchange.responders) >= MAX_RESPONDERS:
            return None
        exchange.responders.append(message.source)
        if t4_sns is None:
            self._counters["pdelay-resp-without-stamp"] += 1
            return None
        answer = exchange.answers.setdefault(message.source, _Answer())
        answer.response, answer.t4_sns = message, t4_sns
        return self._finish(exchange)

    def follow_up(self, message: PdelayRespFollowUp) -> CompletePdelay | None:
        """A Pdelay_Resp_Follow_Up to our port."""
        exchange = self._answered(message)
        if exchange is None:
            return None
        answer = exchange.answers.get(message.source)
        if answer is None:
            if len(exchange.answers) >= MAX_RESPONDERS:
                return None
            answer = exchange.answers[message.source] = _Answer()
        if answer.follow_up is not None:
            self._counters["pdelay-resp-duplicate"] += 1
            return None
        answer.follow_up = message
        return self._finish(exchange)

    def _answered(self, message: PdelayResp | PdelayRespFollowUp) -> _Exchange | None:
        exchange = self._exchange
        if exchange is None or exchange.sequence_id != message.sequence_id:
            self._counters["pdelay-resp-unmatched"] += 1
            return None
        if not representable(message.correction_sns):
            self._counters["correction-overflow"] += 1
            return None
        return exchange

    # ---- what it measures -------------------------------------------------------------------------------------

    def _finish(self, exchange: _Exchange) -> CompletePdelay | None:
        if exchange.done or exchange.t1_sns is None or len(exchange.responders) != 1:
            return None
        responder = exchange.responders[0]
        answer = exchange.answers.get(responder)
        if answer is None or answer.response is None:
            return None
        response, follow_up = answer.response, None
        if response.flags & Flag.TWO_STEP:
            follow_up = answer.follow_up
            if follow_up is None:
                return None
        exchange.done = True
        if responder != self.neighbor:
            self.neighbor = responder
            self.rate.clear()
        t2 = None
        turnaround = self._asymmetry_sns
        if follow_up is None:
            turnaround += response.correction_sns
        else:
            turnaround += (follow_up.response_origin_ns - response.request_receipt_ns) << 16
            turnaround += follow_up.correction_sns - self._receipt_sign * response.correction_sns
            if follow_up.response_origin_ns:
                t2 = (response.request_receipt_ns << 16) + self._receipt_sign * response.correction_sns
                self.rate.add((follow_up.response_origin_ns << 16) + follow_up.correction_sns, answer.t4_sns)
        interval = answer.t4_sns - exchange.t1_sns
        delay = (interval - turnaround + round(interval * (self.rate.ratio - 1.0))) // 2
        if not -ABSURD_SNS < delay < ABSURD_SNS:
            self._counters["pdelay-absurd"] += 1
            return None
        return CompletePdelay(exchange.sequence_id, responder, exchange.t1_sns, t2, answer.t4_sns, delay)
