"""One-step messages: the NIC puts the time of egress into the frame as it leaves (IEEE 1588-2019 9.5.9, 11.4.2; not
checked against the text). No Follow_Up comes after it, and no transmit stamp comes back.

1. Only the NIC can: what software wrote into a frame before it is sent would be the time of writing.
2. In a Sync the NIC fills originTimestamp, and adds the fraction to the correction if it knows one. To a Pdelay_Resp's
   correction it adds t3 - t2, having stamped the Pdelay_Req itself.
3. What lies between its stamps and the wire is in correctionField beforehand.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ptpstack.timebase.units import INTERVAL_MAX_SNS, saturate_interval
from ptpstack.wire.codec import encode
from ptpstack.wire.messages import PdelayResp, Sync
from ptpstack.wire.types import Flag, MessageType

if TYPE_CHECKING:
    from ptpstack.protocol.pdelay_responder import Request
    from ptpstack.protocol.port import Port


def send_sync(port: Port, sequence_id: int, log_interval: int, destination: str | None) -> None:
    message = port.new(Sync, sequence_id, log_interval)
    message.flags = 0 if destination is None else Flag.UNICAST
    message.correction_sns = port.egress_latency_sns
    port.send_one_step(encode(message), MessageType.SYNC, destination)


def send_pdelay_resp(port: Port, request: Request) -> None:
    response = port.new(PdelayResp, request.sequence_id, 0x7F)
    response.flags = request.flags
    response.requesting = request.requesting
    correction = request.correction_sns
    if correction != INTERVAL_MAX_SNS:  # "too big to represent" stays so
        correction = saturate_interval(correction + port.ingress_latency_sns + port.egress_latency_sns)
    response.correction_sns = correction
    port.send_one_step(encode(response), MessageType.PDELAY_RESP, request.address)
