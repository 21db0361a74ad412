"""Which parts a port has, by its options. What most ports do not have is loaded with the first that has it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from ptpstack.protocol.delay_e2e import E2EDelay
from ptpstack.protocol.options import DELAY_MECHANISMS
from ptpstack.protocol.part import DelayMechanism, NoDelay, Part
from ptpstack.protocol.sending import Sending
from ptpstack.protocol.serving import Serving
from ptpstack.protocol.signaling import SignalingDesk

if TYPE_CHECKING:
    from ptpstack.protocol.gptp.capable import Capability
    from ptpstack.protocol.port import Port
    from ptpstack.protocol.unicast_discovery import UnicastDiscovery
    from ptpstack.protocol.unicast_service import UnicastService


def parts_of(port: Port) -> tuple[Part, ...]:
    """In the order in which they hear of a new state: a Sync that was kept may be followed by a request at once, and
    discovery says where to. Parts that others ask something are made by the port before.
    """
    parts = (
        port.announces,
        port.unicast_discovery,
        port.delay,
        port.sending,
        port.serving,
        port.receiving,
        port.unicast_service,
        port.unicast_rules if port.options.unicast.active else None,
        *_optional(port),
    )
    made = tuple(part for part in parts if part is not None)
    return (*made, SignalingDesk(port, made)) if any(part.signaling_tlvs for part in made) else made


def _optional(port: Port) -> Iterator[Part]:
    options, metadata = port.options, port.instance.options.sync_metadata
    operational = (options.operational_log_sync_interval, options.operational_log_pdelay_req_interval)
    if options.honour_interval_requests or operational != (None, None):
        from ptpstack.protocol.interval_requests import IntervalRequests

        yield IntervalRequests(port)
    if options.monitor:
        from ptpstack.protocol.slave_monitoring import SlaveMonitoring

        yield SlaveMonitoring(port)
    if metadata is not None:
        from ptpstack.protocol.sync_metadata import SyncMetadata

        yield SyncMetadata(port, metadata)
    if options.alternate_masters:
        from ptpstack.protocol.alternate_master import AlternateMaster

        yield AlternateMaster(port)
    if options.gptp is not None and port.gptp is not None:
        from ptpstack.protocol.gptp.parts import gptp_parts

        yield from gptp_parts(port, options.gptp, port.gptp)


def capability(port: Port) -> Capability | None:
    """Whether a port of IEEE 802.1AS is asCapable; None: it is one of IEEE 1588."""
    if port.options.gptp is None:
        return None
    from ptpstack.protocol.gptp.capable import Capability

    return Capability(port, port.options.gptp)


def sending(port: Port) -> Sending:
    if port.options.gptp is None:
        return Sending(port)
    from ptpstack.protocol.gptp.relay import GptpSending

    return GptpSending(port)


def serving(port: Port, transmit_offset_ns: int) -> Serving:
    """``transmit_offset_ns``: see ``Port``."""
    if port.options.gptp is None:
        return Serving(port, transmit_offset_ns)
    from ptpstack.protocol.gptp.relay import GptpServing

    return GptpServing(port, transmit_offset_ns, port.options.gptp.sync_locked)


def delay_mechanism(port: Port) -> DelayMechanism:
    """The part for ``PortOptions.delay_mechanism``, one of ``options.DELAY_MECHANISMS``."""
    match port.options.delay_mechanism:
        case "E2E":
            return E2EDelay(port)
        case "P2P":
            from ptpstack.protocol.delay_p2p import P2PDelay

            return P2PDelay(port)
        case "COMMON_P2P":
            from ptpstack.protocol.delay_common import CommonDelay

            return CommonDelay(port)
        case "AUTO":
            from ptpstack.protocol.delay_auto import AutoDelay

            return AutoDelay(port)
        case "NONE":
            return NoDelay(port)
        case other:
            raise ValueError(f"delay mechanism {other!r} is none of {', '.join(DELAY_MECHANISMS)}")


def unicast_service(port: Port) -> UnicastService:
    from ptpstack.protocol.unicast_service import UnicastService

    return UnicastService(port)


def unicast_discovery(port: Port) -> UnicastDiscovery:
    from ptpstack.protocol.unicast_discovery import UnicastDiscovery

    return UnicastDiscovery(port)
