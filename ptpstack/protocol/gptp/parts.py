"""Which parts a port of IEEE 802.1AS has beside those of every port."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ptpstack.protocol.gptp.capable import Capability
from ptpstack.protocol.gptp.capable_messages import CapableMessages
from ptpstack.protocol.gptp.relay import Inlet
from ptpstack.protocol.gptp.sync_receipt import SyncReceipt
from ptpstack.protocol.options import GptpOptions
from ptpstack.protocol.part import Part

if TYPE_CHECKING:
    from ptpstack.protocol.port import Port


def gptp_parts(port: Port, options: GptpOptions, capability: Capability) -> tuple[Part, ...]:
    """In their order; what ``capability`` refuses no other part sees."""
    return (
        capability,
        *((CapableMessages(port, options, capability),) if options.capable_messages else ()),
        *((SyncReceipt(port, options.sync_receipt_timeout),) if options.sync_receipt_timeout else ()),
        Inlet(port, options.sync_receipt_timeout or 3),
    )
