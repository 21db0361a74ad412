"""What an engine is doing, as JSON-ready data: the one source of ``ptpstack status`` and the console."""

from __future__ import annotations

from typing import Any

from ptpstack.engine.engine import Engine
from ptpstack.engine.graph_status import clocks, references
from ptpstack.protocol.instance import Instance
from ptpstack.protocol.options import TimeProperties
from ptpstack.protocol.port import Port
from ptpstack.timebase.units import sns_to_float_ns
from ptpstack.wire.types import format_clock_identity


def status(engine: Engine, now: int) -> dict[str, Any]:
    return {
        "instances": [_instance(engine, instance, now) for instance in engine.instances.values()],
        "clocks": clocks(engine, now),
        "references": references(engine, now),
        "link_delay_service": None if engine.links is None else engine.links.view(),
        "transparent": [] if engine.bridges is None else engine.bridges.status(),
        "unrouted": {channel: dict(counter) for channel, counter in engine.unrouted.items()},
    }


def _instance(engine: Engine, instance: Instance, now: int) -> dict[str, Any]:
    options, data = instance.options, instance.data
    following = instance.following_port is not None
    edge = engine.edge_of(options.name)
    if not following:
        # a grandmaster's offset is that from its reference
        edge = engine.reference_edges.get(options.clock, edge)
    steered = engine.clocks[edge.clock]
    estimate = edge.servo.estimate(now)
    parent = data.parent
    default = data.default
    return {
        "name": options.name,
        "domain": options.domain,
        "sdo_id": options.sdo_id,
        "profile": options.profile,
        "clock": options.clock,
        "leading_clock": engine.leader_of(options.name),
        "clock_identity": format_clock_identity(instance.clock_identity),
        "priority1": default.priority1,
        "priority2": default.priority2,
        "quality": {
            "clock_class": default.quality.clock_class,
            "clock_accuracy": default.quality.clock_accuracy,
            "variance": default.quality.offset_scaled_log_variance,
        },
        "client_only": options.client_only,
        "is_grandmaster": instance.is_grandmaster,
        "grandmaster": {
            "identity": format_clock_identity(parent.grandmaster_identity),
            "clock_class": parent.grandmaster_quality.clock_class,
            "clock_accuracy": parent.grandmaster_quality.clock_accuracy,
            "variance": parent.grandmaster_quality.offset_scaled_log_variance,
            "priority1": parent.grandmaster_priority1,
            "priority2": parent.grandmaster_priority2,
        },
        "parent": str(parent.parent_port_identity),
        "parent_address": parent.protocol_address,
        "steps_removed": data.current.steps_removed,
        "synchronization_uncertain": data.current.synchronization_uncertain,
        "time_properties": _time_properties(data.time_properties),
        "time": _time(engine, instance, now),
        "estimate": None if estimate is None else estimate.as_dict(),
        "mean_path_delay_ns": edge.servo.path_delay_ns() if following else None,
        "servo": {
            "name": edge.servo.name,
            "state": edge.servo.state.value,
            "frequency_ppb": steered.frequency_ppb,
            "steers": steered.steering is edge and steered.steerable,
            "reason": edge.servo.reason,
        },
        "management": _management(instance),
        "ports": [_port(port, options.clock_of(port.options), now) for port in instance.ports],
        "foreign_masters": instance.foreign_masters(now),
    }


def _management(instance: Instance) -> dict[str, Any]:
    """What was set by management over what the reference says, and what was refused."""
    said = instance.settings
    return {
        "settings": {name: getattr(said, name) for name in type(said).__dataclass_fields__} if said else {},
        "subscribers": len(instance.management.subscriptions),
        "counters": dict(sorted(instance.management.counters.items())),
    }


def _port(port: Port, clock: str, now: int) -> dict[str, Any]:
    return {
        "number": port.number,
        "identity": str(port.identity),
        "channel": port.channel,
        "clock": clock,
        "interface": port.channel.rpartition("/")[0],
        "transport": port.channel.rpartition("/")[2],
        "state": port.state.name,
        "since_s": (now - port.since_ns) / 1e9,
        "enabled": port.ds.port_enable,
        "log_announce_interval": port.ds.log_announce_interval,
        "log_sync_interval": port.ds.log_sync_interval,
        "log_min_delay_req_interval": port.ds.log_min_delay_req_interval,
        "delay_mechanism": port.ds.delay_mechanism,
        **(_link(port) if port.ds.delay_mechanism in ("P2P", "COMMON_P2P") else {}),
        **_gptp(port),
        "announce_receipt_timeout": port.ds.announce_receipt_timeout,
        "server_only": port.ds.server_only,
        "security": None if port.security is None else port.security.as_dict(),
        "admission": port.admission.as_dict(),
        "unicast": unicast(port, now),
        "counters": _counters(port),
        "decision": None if port.decision is None else port.decision.as_dict(),
    }


def _link(port: Port) -> dict[str, Any]:
    ds, neighbor = port.ds, port.delay.neighbor
    return {
        "log_min_pdelay_req_interval": ds.log_min_pdelay_req_interval,
        "neighbor": None if neighbor is None else str(neighbor),
        "mean_link_delay_ns": None if neighbor is None else sns_to_float_ns(ds.mean_link_delay_sns),
        "neighbor_rate_ratio": ds.neighbor_rate_ratio,
    }


def _gptp(port: Port) -> dict[str, Any]:
    """IEEE 802.1AS: whether and why the port is asCapable, and how it sends Sync."""
    if port.gptp is None:
        return {}
    return {"gptp": {**port.gptp.as_dict(), "sync_locked": port.serving is not None and port.serving.sync_locked}}


def unicast(port: Port, now: int) -> dict[str, Any] | None:
    """Grants on both sides: what we have granted, and what we are granted. None: no unicast negotiation here."""
    service, discovery = port.unicast_service, port.unicast_discovery
    if service is None and discovery is None:
        return None
    return {
        "multicast": port.options.unicast.multicast,
        "service": None if service is None else service.view(now),
        "servers": [] if discovery is None else discovery.view(now),
    }


def _counters(port: Port) -> dict[str, int]:
    counters = dict(port.counters)
    if port.foreign.evicted:
        # Announces whose sender never came to qualify: it had to make room for another stranger
        counters["drop-foreign-master-evicted"] = port.foreign.evicted
    return dict(sorted(counters.items()))


def _time_properties(properties: TimeProperties) -> dict[str, Any]:
    return {name: getattr(properties, name) for name in TimeProperties.__dataclass_fields__}


def _time(engine: Engine, instance: Instance, now: int) -> dict[str, Any]:
    """Time scale and UTC of this instance, or why UTC cannot be told."""
    properties = instance.data.time_properties
    ptp_s = engine.clock_ptp_s(engine.leader_of(instance.options.name), now)
    if properties.ptp_timescale:
        if properties.current_utc_offset_valid:
            offset: int | None = properties.current_utc_offset
            reason = "currentUtcOffset of the grandmaster"
        else:
            offset = None
            reason = "the grandmaster does not call its currentUtcOffset valid"
    elif ptp_s is not None and engine.arb_offset_s(instance, ptp_s):
        offset = engine.arb_offset_s(instance, ptp_s)
        reason = 'the grandmaster has an arbitrary time scale, taken to be UTC (arb_is = "utc")'
    else:
        offset = None
        reason = (
            "the grandmaster announces an arbitrary time scale (ptpTimescale FALSE); if its clock holds UTC, as ptp4l "
            'with software time stamps does, say so with arb_is = "utc"'
        )
    return {
        "scale": "PTP" if properties.ptp_timescale else "ARB",
        "ptp_s": ptp_s,
        "utc_offset_s": offset,
        "utc_s": None if ptp_s is None or offset is None else ptp_s - offset,
        "reason": reason,
    }
