"""A site back as TOML: the effective configuration, every value that matters written out.

``loads(dumps(site)) == site``. Keys that do nothing (a simulated clock's on a PHC) and values that are worked out at
start are left out. Ranges come from the profile again, so a site of a profile file needs that file.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import fields
from typing import Any

from ptpstack.config.model import (
    ClockOptions,
    EdgeOptions,
    InstanceSettings,
    NodeOptions,
    ReferenceOptions,
    Site,
    TransparentSettings,
)
from ptpstack.config.quantities import format_accuracy, format_time_source
from ptpstack.config.schema import (
    LINK_KEYS,
    MECHANISM_KEYS,
    PPS_KEYS,
    SIMULATED_CLOCK_KEYS,
    TRANSPORT_KEYS,
    UNICAST_ASKING_KEYS,
    UNICAST_SERVING_KEYS,
)
from ptpstack.protocol.options import ManagementOptions, PortOptions, SyncMetadataOptions, UnicastOptions
from ptpstack.wire.types import format_clock_identity

_BARE_KEY = re.compile(r"[A-Za-z0-9_-]+")
_ESCAPES = {'"': '\\"', "\\": "\\\\", "\n": "\\n", "\t": "\\t", "\r": "\\r"}


def _members(options: Any, leave_out: tuple[str, ...] = ()) -> dict[str, Any]:
    """Members of a dataclass that are set."""
    values = {f.name: getattr(options, f.name) for f in fields(options) if f.name not in leave_out}
    return {name: value for name, value in values.items() if value is not None}


def _clock(clock: ClockOptions) -> dict[str, Any]:
    return _members(clock, () if clock.type == "simulated" else SIMULATED_CLOCK_KEYS)


def _reference(reference: ReferenceOptions) -> dict[str, Any]:
    if reference.type == "none":
        return {"type": "none"}
    ineffective = () if reference.type == "simulated" else ("noise_ns",)
    values = _members(reference, ineffective + (("log_interval",) if reference.type == "pps" else PPS_KEYS))
    values["time_source"] = format_time_source(reference.time_source)
    values["accuracy"] = format_accuracy(reference.accuracy)
    return values


def _instance(instance: InstanceSettings) -> dict[str, Any]:
    options = instance.options
    document: dict[str, Any] = {
        "name": options.name,
        "profile": instance.profile_source,
        "role": instance.role,
        "domain": options.domain,
        "sdo_id": options.sdo_id,
        "priority1": options.priority1,
        "priority2": options.priority2,
        "clock_class": options.quality.clock_class,
        "clock_accuracy": format_accuracy(options.quality.clock_accuracy),
        "variance": options.quality.offset_scaled_log_variance,
        "client_only": options.client_only,
        "max_steps_removed": options.max_steps_removed,
        "clock": options.clock,
        "arb_is": instance.arb_is,
        "minor_version": options.minor_version,
        "local_priority": options.local_priority,
        "wait_to_restore_s": options.wait_to_restore_s,
        "external_port_configuration": options.bmca == "external",
    }
    if options.clock_identity:
        document["clock_identity"] = format_clock_identity(options.clock_identity)
    document |= {key: value for key in ("feed_shm", "feed_sock") if (value := getattr(instance, key)) is not None}
    if options.client_only:
        # Both are what client_only makes them; a profile's ranges do not speak of them.
        del document["clock_class"]
    document["port"] = []
    for channel, port in zip(instance.channels, options.ports, strict=True):
        values = _members(channel) | _port(port)
        if channel.transport == "l2":
            values["l2_group"] = "non-forwardable" if port.link_local else "forwardable"
        for key, transports in TRANSPORT_KEYS.items():
            if channel.transport not in transports:
                del values[key]
        for key, mechanisms in MECHANISM_KEYS.items():
            if port.delay_mechanism not in mechanisms:
                del values[key]
        document["port"].append(values)
    document["boundary_holdover_limit_ns"] = options.boundary_holdover_limit_ns
    document["performance_monitoring"] = options.performance_monitoring
    document["path_trace"] = options.path_trace
    document["acceptable_master"] = [
        _members(master) | {"clock_identity": format_clock_identity(master.clock_identity)}
        for master in options.acceptable_masters
    ]
    document["alternate_time_offset"] = [
        {"key": t.key, "name": t.name} | ({"zone": t.zone} if t.zone else {"utc_offset_s": t.offsets[0][1]})
        for t in options.alternate_timescales
    ]
    power = options.power
    document["power"] = {"edition": "none"} if power is None else _members(power) | {"edition": str(power.edition)}
    if options.sync_metadata is not None:
        document["sync_metadata"] = _sync_metadata(options.sync_metadata)
    for table in ("acceptable_master", "alternate_time_offset"):
        if not document[table]:
            del document[table]
    document["reference"] = _reference(instance.reference)
    document["servo"] = _members(instance.servo)
    document["management"] = _management(options.management)
    return document


def _management(management: ManagementOptions) -> dict[str, Any]:
    values: dict[str, Any] = {"network": management.network}
    if management.writers:
        values["writers"] = list(management.writers)
    if management.user_description:
        values["user_description"] = management.user_description
    return values


#: Members of PortOptions that are no keys of the schema: made from others, or the profile's.
_NOT_KEYS = (
    "unicast",
    "gptp",
    "channel",
    "foreign_master_capacity",
    "announce",
    "link_local",
    "requestable_sync",
    "requestable_announce",
    "requestable_pdelay",
    "monitor",
)


def _sync_metadata(metadata: SyncMetadataOptions) -> dict[str, Any]:
    zone = metadata.timescale
    values: dict[str, Any] = {"zone": zone.zone} if zone.zone else {"utc_offset_s": zone.offsets[0][1]}
    values |= {"frame_rate": "{}/{}".format(*metadata.frame_rate), "drop_frame": metadata.drop_frame}
    if metadata.daily_jam_s is not None:
        hours, rest = divmod(metadata.daily_jam_s, 3600)
        values["daily_jam"] = f"{hours:02}:{rest // 60:02}:{rest % 60:02}"
    return values


def _port(port: PortOptions) -> dict[str, Any]:
    values = _members(port, _NOT_KEYS)
    if port.monitor:
        values["monitor"] = list(port.monitor)
    for name in ("clock", "desired_state"):
        if not values[name]:
            del values[name]
    for name in ("allow_sources", "deny_sources"):
        values[name] = list(values[name])
    if port.gptp is not None:
        # whether they are sent, and asCapable measured, is the profile's to say
        values["gptp"] = _members(port.gptp, ("as_capable", "capable_messages"))
    return values | ({"unicast": _unicast(port.unicast)} if port.unicast.active else {})


def _unicast(unicast: UnicastOptions) -> dict[str, Any]:
    ineffective = () if unicast.serve else UNICAST_SERVING_KEYS
    values = _members(unicast, ("servers", *ineffective, *(() if unicast.servers else UNICAST_ASKING_KEYS)))
    return values | ({"server": [_members(server) for server in unicast.servers]} if unicast.servers else {})


def _edge(edge: EdgeOptions) -> dict[str, Any]:
    values = {"from": edge.source, "to": edge.target} | _members(edge, ("source", "target", "servo"))
    return values | {"servo": _members(edge.servo)}


def _transparent(transparent: TransparentSettings) -> dict[str, Any]:
    options = transparent.options
    ports = [
        {"interface": channel.interface} | _members(port, ("channel",))
        for channel, port in zip(transparent.channels, options.ports, strict=True)
    ]
    values = _members(
        options, ("ports", "clock_identity", "inside", *(() if options.delay_mechanism == "P2P" else LINK_KEYS))
    )
    if options.clock_identity:
        values["clock_identity"] = format_clock_identity(options.clock_identity)
    return values | {"stamping": transparent.stamping, "port": ports}


def _sockets(node: NodeOptions) -> dict[str, Any]:
    """None is a choice here, and not what is worked out when nothing is said."""
    return {"management_read_only": "off"} if node.management and node.management_read_only is None else {}


def site_as_dict(site: Site) -> dict[str, Any]:
    """The site as a TOML document: plain dicts, lists, text and numbers."""
    return {
        "node": _members(site.node) | _sockets(site.node),
        "clock": [_clock(clock) for clock in site.clocks],
        "instance": [_instance(instance) for instance in site.instances],
        "edge": [_edge(edge) for edge in site.edges],
        "transparent": [_transparent(transparent) for transparent in site.transparent],
    }


def dumps(site: Site) -> str:
    """The site as TOML text."""
    return dump_document(site_as_dict(site))


def _key(name: str) -> str:
    return name if _BARE_KEY.fullmatch(name) else _value(name)


def _value(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return str(int(value))
    if isinstance(value, float):
        return repr(value)
    if isinstance(value, str):
        text = "".join(_ESCAPES.get(c) or (c if c >= " " and c != "\x7f" else f"\\u{ord(c):04x}") for c in value)
        return f'"{text}"'
    if isinstance(value, list):
        return "[" + ", ".join(_value(entry) for entry in value) + "]"
    raise TypeError(f"cannot write {type(value).__name__} as TOML")


def dump_document(document: Mapping[str, Any], header: str = "") -> str:
    """A document of tables, arrays of tables, text, numbers and arrays of those as TOML text. TypeError for others."""
    lines: list[str] = []
    tables: list[str] = []
    for name, value in document.items():
        path = f"{header}.{_key(name)}" if header else _key(name)
        if isinstance(value, Mapping):
            tables.append(f"[{path}]\n{dump_document(value, path)}")
        elif isinstance(value, list) and value and all(isinstance(entry, Mapping) for entry in value):
            tables.extend(f"[[{path}]]\n{dump_document(entry, path)}" for entry in value)
        else:
            lines.append(f"{_key(name)} = {_value(value)}\n")
    return "".join(lines) + "".join(f"\n{table}" for table in tables)
