"""Which parts a port has, by its options."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ptpstack.protocol.alternate_master import AlternateMaster
from ptpstack.protocol.interval_requests import IntervalRequests
from ptpstack.protocol.part import Part
from ptpstack.protocol.signaling import SignalingDesk
from ptpstack.protocol.slave_monitoring import SlaveMonitoring
from ptpstack.protocol.sync_metadata import SyncMetadata

if TYPE_CHECKING:
    from ptpstack.protocol.port import Port


def parts_of(port: Port) -> tuple[Part, ...]:
    """In the order in which they hear of a new state: a Sync that was kept may be followed by a request at once, and
    discovery says where to. Parts that others ask something are made by the port before.
    """
    options, metadata = port.options, port.instance.options.sync_metadata
    asked = options.honour_interval_requests or options.operational_log_sync_interval is not None
    parts = (
        port.announces,
        port.unicast_discovery,
        port.delay,
        port.sending,
        port.serving,
        port.receiving,
        port.unicast_service,
        port.unicast_rules if options.unicast.active else None,
        IntervalRequests(port) if asked else None,
        SlaveMonitoring(port) if options.monitor else None,
        SyncMetadata(port, metadata) if metadata is not None else None,
        AlternateMaster(port) if options.alternate_masters else None,
    )
    made = tuple(part for part in parts if part is not None)
    return (*made, SignalingDesk(port, made)) if any(part.signaling_tlvs for part in made) else made
