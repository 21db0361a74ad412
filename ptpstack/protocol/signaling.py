"""Signaling messages (IEEE 1588-2019 13.12, not checked against the text): whom they are for, and whose TLVs are."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from ptpstack.protocol.part import Part
from ptpstack.wire.messages import Message, Signaling
from ptpstack.wire.types import ALL_CLOCKS, ALL_PORTS

if TYPE_CHECKING:
    from ptpstack.protocol.port import Port


class SignalingDesk(Part):
    """Hands each TLV to the part that takes it; those that nobody takes are counted."""

    def __init__(self, port: Port, parts: Sequence[Part]) -> None:
        super().__init__(port)
        self.handlers = {Signaling: self._on_signaling}
        self._takers = [part for part in parts if part.signaling_tlvs]

    def _on_signaling(self, message: Message, ingress_sns: int | None, address: str, now: int) -> None:
        assert isinstance(message, Signaling)
        port = self.port
        clock, number = message.target
        if clock not in (port.identity.clock_identity, ALL_CLOCKS) or number not in (port.number, ALL_PORTS):
            port.counters["drop-signaling-target"] += 1
            return
        taken = 0
        for part in self._takers:
            tlvs = [tlv for tlv in message.tlvs if type(tlv) in part.signaling_tlvs]
            if tlvs:
                taken += len(tlvs)
                part.signaling(message, tlvs, address, now)
        if taken < len(message.tlvs):
            port.counters["drop-signaling-tlv"] += len(message.tlvs) - taken
