"""Peer delay, the side that answers: Pdelay_Resp with t2, then Pdelay_Resp_Follow_Up with t3 (two-step).

IEEE 1588-2019 11.4.2 c, d; not checked against the text. Whole ns are in the timestamps; the fraction of t2 is taken
off in the correction of Pdelay_Resp (IEEE 802.1AS adds it), that of t3 and the request's correction are in the
Follow_Up.

A flood of requests is answered up to a rate, and only so many answers wait for their transmit stamp.
"""

from __future__ import annotations

from collections import Counter
from typing import NamedTuple

from ptpstack.timebase.units import INTERVAL_MAX_SNS, NS_PER_S, TIMESTAMP_END_SNS, saturate_interval
from ptpstack.wire.types import PortIdentity

#: Answers that may wait for their transmit stamp, and how long they do.
MAX_PENDING = 32
PENDING_NS = NS_PER_S
#: Answers in a burst, and in a second: one neighbour asks 128 times a second at most.
BURST = 64
PER_SECOND = 256


class Request(NamedTuple):
    """A Pdelay_Req that is being answered."""

    requesting: PortIdentity
    sequence_id: int
    correction_sns: int
    #: flagField of the answers: unicast or nothing
    flags: int
    #: where the answers go; None: to everybody
    address: str | None
    received_ns: int


class PdelayResponder:
    def __init__(self, counters: Counter[str], *, receipt_sign: int) -> None:
        """``receipt_sign``: see ``PdelayRequester``."""
        self._counters = counters
        self._receipt_sign = receipt_sign
        self._pending: dict[int, Request] = {}
        self._key = 0
        self._allowed = float(BURST)
        self._allowed_at_ns = 0

    def flush(self) -> None:
        self._pending.clear()

    def begin(self, request: Request, t2_sns: int | None) -> tuple[int, int, int] | None:
        """(key of its stamp, requestReceiptTimestamp in ns, correction) of the Pdelay_Resp.

        None, and counted: there is no answer. ``t2_sns`` is corrected for ingress latency.
        """
        if t2_sns is None:
            self._counters["pdelay-req-received-without-stamp"] += 1
            return None
        if not 0 <= t2_sns < TIMESTAMP_END_SNS:
            self._counters["stamp-out-of-range"] += 1
            return None
        if not self._admits(request.received_ns):
            self._counters["drop-pdelay-req-flood"] += 1
            return None
        self._key += 1
        self._pending[self._key] = request
        return self._key, t2_sns >> 16, self._receipt_sign * (t2_sns & 0xFFFF)

    def _admits(self, now: int) -> bool:
        pending = self._pending
        while pending:
            oldest = next(iter(pending))
            if now - pending[oldest].received_ns < PENDING_NS:
                break
            del pending[oldest]
            self._counters["pdelay-resp-sent-without-stamp"] += 1
        self._allowed = min(BURST, self._allowed + (now - self._allowed_at_ns) * PER_SECOND / NS_PER_S)
        self._allowed_at_ns = now
        if len(pending) >= MAX_PENDING or self._allowed < 1.0:
            return False
        self._allowed -= 1.0
        return True

    def answered(self, key: int) -> None:
        """No stamp comes, and no Pdelay_Resp_Follow_Up follows."""
        self._pending.pop(key, None)

    def transmitted(self, key: int, egress_sns: int | None) -> tuple[Request, int, int] | None:
        """(request, responseOriginTimestamp in ns, correction) of the Pdelay_Resp_Follow_Up; None: there is none."""
        request = self._pending.pop(key, None)
        if request is None:
            return None
        if egress_sns is None:
            self._counters["pdelay-resp-sent-without-stamp"] += 1
            return None
        if not 0 <= egress_sns < TIMESTAMP_END_SNS:
            self._counters["stamp-out-of-range"] += 1
            return None
        correction = request.correction_sns
        if correction != INTERVAL_MAX_SNS:  # "too big to represent" stays so
            correction = saturate_interval(correction + (egress_sns & 0xFFFF))
        return request, egress_sns >> 16, correction
