"""meanLinkDelay from complete Pdelay exchanges: of one neighbour, and only while there is but one.

IEEE 1588-2019 11.4.4; not checked against the text.

When several ports answer one request (a switch that knows no PTP lies between), no measurement counts until ``CLEAN``
requests in a row have had one answer.
"""

from __future__ import annotations

from collections import Counter, deque

from ptpstack.protocol.pdelay_requester import CompletePdelay
from ptpstack.wire.types import PortIdentity

#: Requests in a row with a single answer until measurements count again.
CLEAN = 3
#: meanLinkDelay is the median of so many.
MEDIAN = 9


class LinkMean:
    def __init__(self, counters: Counter[str]) -> None:
        self._counters = counters
        self._recent: deque[int] = deque(maxlen=MEDIAN)
        #: requests with a single answer that are still owed
        self._owed = 0
        self.neighbor: PortIdentity | None = None

    def clear(self) -> None:
        """The link was down, or the port out of service."""
        self._recent.clear()
        self.neighbor = None
        self._owed = 0

    def next_request(self, responders: int) -> None:
        """Another request comes; so many have answered the one before."""
        if responders == 1 and self._owed:
            self._owed -= 1

    def several(self) -> None:
        """A second port has answered the present request."""
        self._counters["pdelay-several-peers"] += 1
        self._owed = CLEAN

    def add(self, complete: CompletePdelay) -> int | None:
        """meanLinkDelay with this exchange, 2**-16 ns; None: it does not count."""
        if self._owed:
            self._counters["pdelay-not-used"] += 1
            return None
        if complete.responder != self.neighbor:
            if self.neighbor is not None:
                self._counters["pdelay-new-neighbor"] += 1
            self.neighbor = complete.responder
            self._recent.clear()
        self._recent.append(complete.delay_sns)
        return self.mean_sns

    @property
    def doubted(self) -> bool:
        """Several ports have answered lately."""
        return self._owed > 0

    @property
    def mean_sns(self) -> int | None:
        """2**-16 ns; None: not measured, or not to be believed now."""
        if self._owed or not self._recent:
            return None
        return sorted(self._recent)[len(self._recent) // 2]
