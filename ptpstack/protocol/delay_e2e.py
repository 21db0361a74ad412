"""End-to-end delay: the requesting side (IEEE 1588-2019 11.3, 9.5.11; not checked against the text).

A few requests may be under way at once; each waits for its own transmit stamp and its own response, in either order.
"""

from __future__ import annotations

import random
from collections import Counter
from dataclasses import dataclass
from typing import NamedTuple

from ptpstack.protocol.sync_receiver import representable
from ptpstack.timebase.units import log_interval_ns
from ptpstack.wire.messages import DelayResp

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
        if not self.expects(message.sequence_id):
            self._counters["delay-resp-unmatched"] += 1
            return None
        request = self._requests[message.sequence_id]
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
