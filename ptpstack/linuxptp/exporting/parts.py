"""What ``importing`` has special modules for, back again."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from ptpstack.config.model import InstanceSettings
from ptpstack.linuxptp.convert import SIMPLE
from ptpstack.linuxptp.exporting.sheet import Sheet, ports_of
from ptpstack.linuxptp.importer import SOCKET, SOCKET_READ_ONLY
from ptpstack.linuxptp.importing.gptp import KEYS as GPTP_KEYS
from ptpstack.linuxptp.importing.ports import OPERATIONAL
from ptpstack.linuxptp.importing.servo import FORMULA
from ptpstack.linuxptp.keys import keys

_DEVICE = re.compile(r"/dev/ptp(\d+)")
_WORDS = {"udp4": "UDPv4", "udp6": "UDPv6", "l2": "L2"}
#: 3.1.1 knows these by their old names only
_NEW_NAMES = ("clientOnly", "serverOnly")


def simple(sheet: Sheet, node: dict[str, Any], instance: dict[str, Any]) -> None:
    """The words of ``as`` that ``convert`` knows."""
    tables = {"node": node, "instance": instance, **{name: instance[name] for name in ("management", "power", "servo")}}
    ports = ports_of(instance)
    for key in keys().values():
        if key.conversion not in SIMPLE or not key.ours or "ptp4l" not in key.by or key.name in _NEW_NAMES:
            continue
        table, _, name = key.ours.partition(".")
        theirs = SIMPLE[key.conversion].theirs
        if table in tables:
            value = tables[table].get(name)
            sheet.put(key.name, None if value is None else theirs(value))
        else:
            where = {i: port.get("unicast", {}) if table == "unicast" else port for i, port in ports.items()}
            sheet.put_ports(
                key.name, {i: theirs(v[name]) if v.get(name) is not None else None for i, v in where.items()}
            )


def node(sheet: Sheet, values: dict[str, Any]) -> None:
    """Keys of the process alone."""
    for key in keys().values():
        table, _, name = key.ours.partition(".")
        if table == "node" and key.conversion in SIMPLE and "ptp4l" in key.by and values.get(name) is not None:
            sheet.put(key.name, SIMPLE[key.conversion].theirs(values[name]))


def roles(sheet: Sheet, settings: InstanceSettings, instance: dict[str, Any], announces: bool) -> None:
    if settings.options.bmca == "itu-alternate":
        sheet.put("dataset_comparison", "G.8275.x")
        sheet.put("G.8275.defaultDS.localPriority", str(instance["local_priority"]))
        priorities = {i: str(port["local_priority"]) for i, port in ports_of(instance).items()}
        sheet.put_ports("G.8275.portDS.localPriority", priorities)
    elif settings.options.bmca == "g8265.1":
        sheet.remark("the master selection of G.8265.1: linuxptp has none, the default comparison takes its place")
    elif settings.options.bmca == "external":
        _told(sheet, instance, announces)
    if instance["sdo_id"] & 0xFF:
        sheet.remark(f"sdo_id {instance['sdo_id']}: linuxptp has its upper four bits only")


def _told(sheet: Sheet, instance: dict[str, Any], announces: bool) -> None:
    states = {port.get("desired_state") for port in instance["port"]}
    if states == {"slave"}:
        sheet.put("slaveOnly", "1")
    elif states == {"master"}:
        sheet.put("masterOnly", "1")
    else:
        sheet.remark("ports told to be master, slave and passive: linuxptp has one role for all")
    sheet.put("BMCA", "noop")
    if not announces:
        sheet.put("inhibit_announce", "1")
        if states == {"slave"}:
            sheet.put("ignore_source_id", "1")


def stamps(sheet: Sheet, clock: dict[str, Any], instance: dict[str, Any]) -> None:
    words = {port["stamping"] for port in instance["port"]}
    if len(words) > 1:
        sheet.remark("stamping: ports differ, and linuxptp has one for all: that of the first port is written")
    stamping = instance["port"][0]["stamping"]
    one_step = {port["one_step"] for port in instance["port"]}
    if one_step == {"yes"}:
        peer = all(port["delay_mechanism"] in ("P2P", "COMMON_P2P") for port in instance["port"])
        sheet.put("time_stamping", "p2p1step" if peer else "onestep", named=True)
    elif stamping != "auto":
        sheet.put("time_stamping", stamping, named=True)
    if one_step not in ({"no"}, {"yes"}):
        sheet.remark("one_step: linuxptp has yes or no for all ports")
    if any(port["delay_mechanism"] == "COMMON_P2P" for port in instance["port"]):
        sheet.remark("COMMON_P2P: linuxptp needs a CMLDS server process")
    steer = clock.get("steer")
    sheet.put("free_running", "1" if steer is False or (steer is None and stamping == "software") else "0")
    kind = clock["type"]
    device = clock.get("device")
    if kind == "phc" and device:
        number = _DEVICE.fullmatch(device)
        if number:
            sheet.put("phc_index", number[1])
        else:
            sheet.options += ["-p", device]
    elif kind == "simulated":
        sheet.remark("a simulated clock: linuxptp has none")
    if (instance["arb_is"] == "utc") != (stamping == "software") and len(instance["port"]) == 1:
        sheet.remark(f"arb_is {instance['arb_is']}: linuxptp has UTC with software stamps, else not")


def groups(sheet: Sheet, instance: dict[str, Any]) -> None:
    texts = {
        i: "01:80:C2:00:00:0E" if port.get("l2_group") == "non-forwardable" else None
        for i, port in ports_of(instance).items()
    }
    sheet.put_ports("ptp_dst_mac", texts)


def unicast(sheet: Sheet, instance: dict[str, Any]) -> None:
    tables: dict[str, str | None] = {}
    alone: dict[str, str | None] = {}
    for interface, port in ports_of(instance).items():
        own = port.get("unicast", {})
        servers = own.get("server", [])
        alone[interface] = "1" if own.get("serve") and not own["multicast"] else None
        tables[interface] = None
        if not servers:
            continue
        if own["multicast"]:
            sheet.remark(f"{interface}: unicast servers and multicast together; linuxptp asks its servers only")
        if any(server["local_priority"] != 128 for server in servers):
            sheet.remark(f"{interface}: local_priority of unicast servers")
        lines = [f"logQueryInterval {own['log_query_interval']}"]
        lines += [f"{_WORDS[port['transport']]} {server['address']}" for server in servers]
        tables[interface] = str(sheet.table(lines))
    sheet.put_ports("inhibit_multicast_service", alone)
    sheet.put_ports("unicast_master_table", tables)


def gptp(sheet: Sheet, instance: dict[str, Any], behaviours: Mapping[str, str]) -> None:
    """IEEE 802.1AS, where the profile is one of it."""
    if behaviours.get("gptp", "none") == "none":
        return
    sheet.put("follow_up_info", "1")
    if behaviours["as_capable"] == "assumed":
        sheet.put("asCapable", "true")
    ports = ports_of(instance)
    for key, name in GPTP_KEYS.items():
        sheet.put_ports(key, {interface: str(round(port["gptp"][name])) for interface, port in ports.items()})


def options(sheet: Sheet, instance: dict[str, Any]) -> None:
    """Security, interval requests, power."""
    ports = ports_of(instance)
    sheet.put_ports("spp", {i: str(p["spp"]) if p.get("spp") is not None else None for i, p in ports.items()})
    for interface, port in ports.items():
        if port.get("spp") is not None and not port.get("active_key_id"):
            sheet.remark(f"{interface}: active_key_id: linuxptp wants the key named that signs")
    asked = {i: p.get("operational_log_sync_interval") for i, p in ports.items()}
    sheet.put_ports("msg_interval_request", {i: None if v is None else "1" for i, v in asked.items()})
    sheet.put_ports("operLogSyncInterval", {i: None if v is None else str(v) for i, v in asked.items()})
    slower = {i: p.get(OPERATIONAL) if asked[i] is not None else None for i, p in ports.items()}
    sheet.put_ports("operLogPdelayReqInterval", {i: None if v is None else str(v) for i, v in slower.items()})
    power = instance["power"]
    edition = power["edition"]
    if edition != "none":
        sheet.put("power_profile.version", edition)
        sheet.put("power_profile.grandmasterID", str(power["grandmaster_id"]))
        names = {"2011.grandmasterTimeInaccuracy": "time", "2011.networkTimeInaccuracy": "network"}
        names = names if edition == "2011" else {"2017.totalTimeInaccuracy": "time"}
        for key, name in names.items():
            value = power[f"{name}_inaccuracy_ns"]
            sheet.put(f"power_profile.{key}", str(-1 if value == 0xFFFFFFFF else min(value, 0x7FFFFFFF)))


def servo(sheet: Sheet, values: dict[str, Any]) -> None:
    kind = values["type"]
    if kind == "estimator":
        sheet.remark("the estimator: linuxptp has its PI servo instead")
        return
    sheet.put("clock_servo", kind, named=True)
    sheet.put("delay_filter", values["delay_filter"])
    sheet.put("delay_filter_length", str(values["delay_filter_length"]))
    if kind == "pi":
        for key, name in (("pi_proportional_const", "kp"), ("pi_integral_const", "ki")):
            sheet.put(key, repr(values[name]))
        for key, name in FORMULA.items():
            if values.get(name) is not None:
                sheet.put(key, repr(values[name]))


def feeds(sheet: Sheet, instance: dict[str, Any]) -> None:
    """chronyd or ntpd instead of a clock: servos of linuxptp, which free_running would leave out."""
    shm, sock = instance.get("feed_shm"), instance.get("feed_sock")
    if shm is None and sock is None:
        return
    sheet.put("free_running", "0", named=True)
    sheet.put("clock_servo", "refclock_sock" if shm is None else "ntpshm", named=True)
    sheet.remark("feed: linuxptp steers no clock while it feeds")
    if shm is not None:
        sheet.put("ntpshm_segment", str(shm), named=True)
        if sock is not None:
            sheet.remark("feed_sock: linuxptp has one feed, here feed_shm")
    else:
        sheet.put("refclock_sock_address", sock, named=True)


def sockets(sheet: Sheet, node: dict[str, Any], name: str) -> None:
    """``name``: of an instance that is not the first, whose ptp4l needs sockets of its own."""
    path, read_only = node.get("management"), node.get("management_read_only")
    if path is None:
        sheet.remark("no management socket: ptp4l always has one, here its usual one")
        path, read_only = SOCKET, None
    if name:
        path, read_only = f"{path}.{name}", f"{path}.{name}ro"
    if path != SOCKET:
        sheet.put("uds_address", path)
    if read_only in (None, "off"):
        sheet.remark("no read-only management socket: linuxptp 4 always has one, here its usual one")
    elif read_only != SOCKET_READ_ONLY:
        sheet.put("uds_ro_address", str(read_only))
