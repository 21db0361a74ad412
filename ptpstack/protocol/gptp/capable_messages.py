"""gPTP-capable messages (IEEE 802.1AS-2020 10.4): each end of a link tells the other that it speaks gPTP.

1. Sent whenever peer delay works, whatever the port's role: one end has to begin.
2. A neighbour that stops saying so is not asCapable after gPtpCapableReceiptTimeout of its intervals.
3. It may ask for another interval (10.6.4.5). What others than the neighbour say is not heard.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from ptpstack.protocol.gptp.capable import Capability
from ptpstack.protocol.interval_requests import EVERYBODY
from ptpstack.protocol.options import GptpOptions
from ptpstack.protocol.part import Part
from ptpstack.timebase.units import log_interval_ns
from ptpstack.wire.messages import Signaling
from ptpstack.wire.tlv import Tlv
from ptpstack.wire.tlvs.ieee802_1as import (
    INTERVAL_INITIAL,
    INTERVAL_STOP,
    INTERVAL_UNCHANGED,
    GptpCapable,
    GptpCapableMessageIntervalRequest,
)
from ptpstack.wire.types import PortState

if TYPE_CHECKING:
    from ptpstack.protocol.port import Port

TIMER_SAY, TIMER_HEAR = "gptp-capable", "gptp-capable-receipt"
#: intervals that are sent and believed, log2 s
POSSIBLE = range(-3, 5)
_SILENT = (PortState.INITIALIZING, PortState.FAULTY, PortState.DISABLED)


class CapableMessages(Part):
    def __init__(self, port: Port, options: GptpOptions, capability: Capability) -> None:
        super().__init__(port)
        self.timers = {TIMER_SAY: self._say, TIMER_HEAR: self._silence}
        self.signaling_tlvs = frozenset({GptpCapable, GptpCapableMessageIntervalRequest})
        self._options, self._capability = options, capability
        self._log_interval: int | None = options.log_capable_interval
        self._say_ns = 0
        #: until when the neighbour's word holds, ns
        self._until_ns: int | None = None

    def entered(self, state: PortState, now: int) -> None:
        if state in _SILENT:
            self._until_ns = None
            self._log_interval = self._options.log_capable_interval
            return
        self._arm(max(now, self._say_ns))
        if self._until_ns is not None:
            self.port.timers[TIMER_HEAR] = max(now, self._until_ns)

    def _arm(self, due: int) -> None:
        if self._log_interval is not None:
            self._say_ns = self.port.timers[TIMER_SAY] = due

    def _say(self, now: int, due: int) -> None:
        interval = self._log_interval
        assert interval is not None
        self._arm(now + log_interval_ns(interval))
        if self._capability.link_fit:
            self.port.send_signaling([GptpCapable(log_gptp_capable_message_interval=interval)], EVERYBODY)

    def _silence(self, now: int, due: int) -> None:
        self.port.counters["gptp-capable-receipt-timeout"] += 1
        self._until_ns = None
        self._capability.heard_capable(False, now)

    def signaling(self, message: Signaling, tlvs: Sequence[Tlv], address: str, now: int) -> None:
        if not self.port.from_neighbor(message):
            return
        for tlv in tlvs:
            if isinstance(tlv, GptpCapable):
                interval = tlv.log_gptp_capable_message_interval
                self._heard(interval if interval in POSSIBLE else self._options.log_capable_interval, now)
            elif isinstance(tlv, GptpCapableMessageIntervalRequest):
                self._asked(tlv.log_gptp_capable_message_interval, now)

    def _heard(self, interval: int, now: int) -> None:
        self._until_ns = now + self._options.capable_receipt_timeout * log_interval_ns(interval)
        self.port.timers[TIMER_HEAR] = self._until_ns
        self._capability.heard_capable(True, now)

    def _asked(self, interval: int, now: int) -> None:
        if interval == INTERVAL_UNCHANGED:
            return
        if interval == INTERVAL_STOP:
            self._log_interval = None
            if TIMER_SAY in self.port.timers:
                del self.port.timers[TIMER_SAY]
            return
        if interval != INTERVAL_INITIAL and interval not in POSSIBLE:
            self.port.counters["interval-request-refused"] += 1
            return
        self._log_interval = self._options.log_capable_interval if interval == INTERVAL_INITIAL else interval
        self._arm(now)
