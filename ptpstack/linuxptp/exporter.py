"""A site as files of linuxptp: one ptp4l for each instance and each transparent clock.

What comes from an import goes back to the same data. What linuxptp cannot be told is a remark, by the path of the key.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from ptpstack.config.dump import site_as_dict
from ptpstack.config.model import Site
from ptpstack.config.profiles import load_profile
from ptpstack.config.schema import (
    CLOCK,
    GPTP,
    INSTANCE,
    MANAGEMENT,
    NODE,
    PORT,
    SERVO,
    TRANSPARENT,
    UNICAST,
    Table,
)
from ptpstack.linuxptp.convert import SIMPLE
from ptpstack.linuxptp.exporting import parts
from ptpstack.linuxptp.exporting.sheet import Sheet
from ptpstack.linuxptp.importing.servo import FORMULA
from ptpstack.linuxptp.keys import keys

#: keys that go over by other ways than ``ours`` of one row, or that say nothing to a peer or a person of linuxptp
_KNOWN = {
    "instance": {"name", "profile", "role", "clock", "external_port_configuration", "local_priority", "arb_is"},
    "port": {"interface", "stamping", "clock", "desired_state", "local_priority", "l2_group", "unicast", "listen_first"}
    | {"one_step", "several_peers"},
    "node": {"name", "control", "management", "management_read_only", "state_dir", "io_loop"},
    "clock": {"name", "type", "device", "steer"},
    "transparent": {"name", "clock", "delay_mechanism", "transport", "domain", "log_min_pdelay_req_interval"}
    | {"clock_identity", "stamping"},
    "servo": {"type", "delay_filter", "delay_filter_length", "kp", "ki", "time_stamping_noise", *FORMULA.values()},
}


@dataclass(frozen=True, slots=True)
class Exported:
    """One ptp4l: ``name`` of the instance, ``text`` of its file, ``options`` beside ``-f``, and what cannot be said."""

    name: str
    text: str
    options: tuple[str, ...]
    remarks: tuple[str, ...]


def export_site(site: Site) -> list[Exported]:
    """A file for each instance, then one for each transparent clock. ConfigError when a profile cannot be loaded."""
    document = site_as_dict(site)
    clocks = {clock["name"]: clock for clock in document["clock"]}
    made = [_instance(site, document, index, clocks) for index in range(len(site.instances))]
    made += [_transparent(table, document["node"], clocks) for table in document["transparent"]]
    return made


def _instance(site: Site, document: dict[str, Any], index: int, clocks: dict[str, dict[str, Any]]) -> Exported:
    settings, instance, node = site.instances[index], document["instance"][index], document["node"]
    sheet = Sheet(port["interface"] for port in instance["port"])
    behaviours = load_profile(settings.profile_source).behaviours
    if settings.options.client_only:
        instance = {k: v for k, v in instance.items() if k not in ("priority1", "priority2")}
    parts.simple(sheet, node, instance)
    parts.roles(sheet, settings, instance, behaviours["announce"] == "sent")
    parts.gptp(sheet, instance, behaviours)
    parts.stamps(sheet, clocks[instance["clock"]], instance)
    parts.groups(sheet, instance)
    parts.unicast(sheet, instance)
    parts.options(sheet, instance)
    parts.servo(sheet, instance["servo"])
    parts.feeds(sheet, instance)
    parts.sockets(sheet, node, settings.options.name if index else "")
    if instance["reference"]["type"] != "none":
        sheet.remark(
            f"instance.reference of type {instance['reference']['type']}: linuxptp has ts2phc, phc2sys and clockClass"
        )
    tables: list[tuple[Table, Mapping[str, Any], str]] = [
        (NODE, node, "node"),
        (CLOCK, clocks[instance["clock"]], "clock"),
        (INSTANCE, instance, "instance"),
        (MANAGEMENT, instance["management"], "management"),
        (SERVO, instance["servo"], "servo"),
    ]
    for port in instance["port"]:
        tables += [
            (PORT, port, "port"),
            (UNICAST, port.get("unicast", {}), "unicast"),
            (GPTP, port.get("gptp", {}), "gptp"),
        ]
    parameters = load_profile(settings.profile_source).parameters
    for table, values, name in tables:
        for remark in _unsaid(table, values, name, parameters):
            sheet.remark(remark)
    for edge in document["edge"]:
        sheet.remark(f"edge {edge['from']} to {edge['to']}: run phc2sys for it")
    return Exported(settings.options.name, sheet.text, tuple(sheet.options), tuple(sheet.remarks))


def _unsaid(table: Table, values: Mapping[str, Any], name: str, parameters: Mapping[str, Any]) -> Iterator[str]:
    """Keys that are not the default and that no row of the table takes over."""
    taken = {key.ours for key in keys().values() if key.ours and key.conversion not in ("none", "unneeded")}
    for key, value in values.items():
        if f"{name}.{key}" in taken or key in _KNOWN.get(name, ()) or isinstance(value, dict):
            continue
        if isinstance(value, list) and value and isinstance(value[0], dict):
            if key != "port":
                yield f"{name}.{key}"
        elif not _is_default(table, key, value, parameters):
            yield f"{name}.{key} = {value}"


def _is_default(table: Table, key: str, value: Any, parameters: Mapping[str, Any]) -> bool:
    if key in parameters:
        return bool(value == parameters[key].default)
    try:
        default = table.field(key).default
    except KeyError:
        return True
    # worked out by ptpstack when nothing is said: what it is then is no wish
    return bool(value == default or (default is None and value in (False, "no", [], ())))


def _transparent(table: dict[str, Any], node: dict[str, Any], clocks: dict[str, dict[str, Any]]) -> Exported:
    ports = {port["interface"]: port for port in table["port"]}
    sheet = Sheet(ports)
    kind = table["delay_mechanism"]
    sheet.put("clock_type", f"{kind}_TC")
    sheet.put("delay_mechanism", kind)
    if kind == "P2P":
        sheet.put("network_transport", SIMPLE["transport"].theirs(table["transport"]))
        sheet.put("domainNumber", str(table["domain"]))
        sheet.put("logMinPdelayReqInterval", str(table["log_min_pdelay_req_interval"]))
    sheet.put("clockIdentity", table.get("clock_identity"))
    for key, name in (
        ("delayAsymmetry", "delay_asymmetry_ns"),
        ("ingressLatency", "ingress_latency_ns"),
        ("egressLatency", "egress_latency_ns"),
    ):
        sheet.put_ports(key, {interface: str(round(port[name])) for interface, port in ports.items()})
    if table["stamping"] != "auto":
        sheet.put("time_stamping", table["stamping"], named=True)
    clock = clocks[table["clock"]]
    if clock.get("steer") is False or (clock.get("steer") is None and table["stamping"] == "software"):
        sheet.put("free_running", "1")
    parts.node(sheet, node)
    for remark in _unsaid(TRANSPARENT, table, "transparent", {}):
        sheet.remark(remark)
    return Exported(table["name"], sheet.text, tuple(sheet.options), tuple(sheet.remarks))
