"""Message interval requests (IEEE 802.1AS-2020 10.6.4.3, not checked against the text): a peer asks for others.

1. A master does as asked within the limits of its port, or not at all; every request is counted either way. How often
   the link is measured may be asked of any port that does. Under IEEE 802.1AS only the neighbour may ask.
2. A client asks once its servo has locked, and asks for the initial interval again when it no longer is. It sees by the
   Syncs that come whether it was heard, and repeats itself, more and more rarely.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from ptpstack.protocol.part import Part
from ptpstack.protocol.sync_receiver import CompleteSync
from ptpstack.wire.messages import Signaling
from ptpstack.wire.tlv import Tlv
from ptpstack.wire.tlvs.ieee802_1as import (
    COMPUTE_MEAN_LINK_DELAY,
    COMPUTE_NEIGHBOR_RATE_RATIO,
    INTERVAL_INITIAL,
    INTERVAL_STOP,
    INTERVAL_UNCHANGED,
    MessageIntervalRequest,
)
from ptpstack.wire.types import ALL_CLOCKS, ALL_PORTS, PortIdentity, PortState

if TYPE_CHECKING:
    from ptpstack.protocol.port import Port

EVERYBODY = PortIdentity(ALL_CLOCKS, ALL_PORTS)
#: Between two requests for the same: at first, and at most.
FIRST_AGAIN_NS, LAST_AGAIN_NS = 2_000_000_000, 64_000_000_000


class IntervalRequests(Part):
    def __init__(self, port: Port) -> None:
        super().__init__(port)
        self._asked_ns = -LAST_AGAIN_NS
        self._again_ns = FIRST_AGAIN_NS
        #: what the Syncs of the parent had before we asked for anything
        self._initial: int | None = None
        if port.options.honour_interval_requests:
            self.signaling_tlvs = frozenset({MessageIntervalRequest})

    # ---- master -----------------------------------------------------------------------------------------------

    def signaling(self, message: Signaling, tlvs: Sequence[Tlv], address: str, now: int) -> None:
        if self.port.gptp is not None and not self.port.from_neighbor(message):
            return
        for tlv in tlvs:
            assert isinstance(tlv, MessageIntervalRequest)
            self._do(tlv, now)

    def _do(self, request: MessageIntervalRequest, now: int) -> None:
        port, options = self.port, self.port.options
        self._do_link(request.link_delay_interval, now)
        serving, ds = port.serving, port.ds
        if serving is None:
            # nothing is sent to the group: there is no interval to change
            port.counters["interval-request-refused"] += 1
            return
        before = (ds.log_sync_interval, ds.log_announce_interval, serving.sync_stopped, serving.announce_stopped)
        sync = self._wanted(request.time_sync_interval, options.log_sync_interval, options.requestable_sync)
        if sync is not None:
            serving.sync_stopped = sync == INTERVAL_STOP
            ds.log_sync_interval = ds.log_sync_interval if serving.sync_stopped else sync
        announce = self._wanted(request.announce_interval, options.log_announce_interval, options.requestable_announce)
        if announce is not None:
            serving.announce_stopped = announce == INTERVAL_STOP
            ds.log_announce_interval = ds.log_announce_interval if serving.announce_stopped else announce
        after = (ds.log_sync_interval, ds.log_announce_interval, serving.sync_stopped, serving.announce_stopped)
        if after != before:
            port.counters["interval-request-done"] += 1
            serving.intervals_changed(now)

    def _do_link(self, value: int, now: int) -> None:
        port, options = self.port, self.port.options
        wanted = self._wanted(value, options.log_min_pdelay_req_interval, options.requestable_pdelay)
        if wanted is not None:
            self._measure_link(port.ds.log_min_pdelay_req_interval if wanted == INTERVAL_STOP else wanted, now)
            if port.delay.stopped != (wanted == INTERVAL_STOP):
                port.delay.stopped = wanted == INTERVAL_STOP
                port.delay.interval_changed(now)

    def _measure_link(self, log_interval: int, now: int) -> None:
        ds = self.port.ds
        if ds.log_min_pdelay_req_interval != log_interval:
            ds.log_min_pdelay_req_interval = log_interval
            self.port.counters["pdelay-interval-changed"] += 1
            self.port.delay.interval_changed(now)

    def _wanted(self, value: int, initial: int, limits: tuple[int, int]) -> int | None:
        """The interval to have, INTERVAL_STOP, or None: leave it."""
        if value == INTERVAL_UNCHANGED:
            return None
        if value == INTERVAL_INITIAL:
            return initial
        if value == INTERVAL_STOP or limits[0] <= value <= limits[1]:
            return value
        self.port.counters["interval-request-refused"] += 1
        return None

    # ---- client -----------------------------------------------------------------------------------------------

    def sync_heard(self, sync: CompleteSync, now: int) -> None:
        locked = self.port.state is PortState.SLAVE and self.port.instance.upstream.locked
        options = self.port.options
        own = options.operational_log_pdelay_req_interval
        if own is not None:
            self._measure_link(own if locked else options.log_min_pdelay_req_interval, now)
        wanted = options.operational_log_sync_interval
        if wanted is None:
            return
        if locked:
            if sync.log_interval != wanted:
                if self._initial is None:
                    self._initial = sync.log_interval
                self._ask(wanted, now)
            else:
                self._again_ns = FIRST_AGAIN_NS
        elif self._initial is not None and sync.log_interval == wanted:
            self._ask(INTERVAL_INITIAL, now)
        else:
            self._initial = None
            self._again_ns = FIRST_AGAIN_NS

    def _ask(self, interval: int, now: int) -> None:
        if now < self._asked_ns + self._again_ns:
            return
        self._again_ns = min(2 * self._again_ns, LAST_AGAIN_NS)
        self._asked_ns = now
        flags = COMPUTE_NEIGHBOR_RATE_RATIO | COMPUTE_MEAN_LINK_DELAY
        self.port.send_signaling([MessageIntervalRequest(time_sync_interval=interval, flags=flags)], EVERYBODY)
