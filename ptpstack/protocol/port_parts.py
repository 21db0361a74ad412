"""Which parts a port has, by its options."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ptpstack.protocol.part import Part
from ptpstack.protocol.serving import Serving
from ptpstack.protocol.signaling import SignalingDesk

if TYPE_CHECKING:
    from ptpstack.protocol.port import Port


def parts_of(port: Port, transmit_offset_ns: int) -> tuple[Part, ...]:
    """In the order in which they hear of a new state: a Sync that was kept may be followed by a request at once, and
    discovery says where to. Parts that others ask something are made by the port before.
    """
    options = port.options
    parts = (
        port.unicast_discovery,
        port.delay,
        port.sending,
        Serving(port, transmit_offset_ns) if options.unicast.multicast else None,
        port.receiving,
        port.unicast_service,
        port.unicast_rules if options.unicast.active else None,
    )
    made = tuple(part for part in parts if part is not None)
    return (*made, SignalingDesk(port, made)) if any(part.signaling_tlvs for part in made) else made
