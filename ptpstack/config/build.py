"""From a validated document to a ``Site``: profile defaults and ranges, values that depend on others."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

from ptpstack.config.findings import ConfigError, Report, show
from ptpstack.config.model import (
    ChannelOptions,
    ClockOptions,
    EdgeOptions,
    InstanceSettings,
    NodeOptions,
    ReferenceOptions,
    ServoOptions,
    Site,
    TransparentSettings,
)
from ptpstack.config.option_tables import (
    acceptable_masters,
    alternate_timescales,
    bmca_of,
    drop_ineffective,
    metadata,
    port_options,
    power,
)
from ptpstack.config.profiles import PROFILED, Profile, any_profile, load_profile
from ptpstack.config.schema import (
    INSTANCE,
    MECHANISM_KEYS,
    NODE,
    PORT,
    PPS_KEYS,
    SIMULATED_CLOCK_KEYS,
    SITE,
    TRANSPORT_KEYS,
    UNICAST,
    Table,
)
from ptpstack.config.unicast import unicast_options
from ptpstack.config.validate import Section, validate
from ptpstack.protocol.management.access import writer_rule
from ptpstack.protocol.options import (
    InstanceOptions,
    ManagementOptions,
    PortOptions,
    TransparentOptions,
    TransparentPort,
)
from ptpstack.wire.types import ACCURACY_UNKNOWN, ClockQuality, TimeSource

#: sockaddr_un.sun_path holds 108 octets with its closing zero.
_UNIX_PATH_MAX = 107

#: what management may set within the profile's range
_SETTABLE = (
    *("domain", "priority1", "priority2", "log_announce_interval", "announce_receipt_timeout"),
    *("log_sync_interval", "log_min_pdelay_req_interval"),
)

_PRIORITIES = ("priority1", "priority2")


def _clock(section: Section, report: Report) -> ClockOptions:
    kind = section["type"]
    values = dict(section.values)
    if kind != "simulated":
        drop_ineffective(section, SIMULATED_CLOCK_KEYS, f"the clock's type is {kind}, not simulated", report)
        values = {k: v for k, v in values.items() if k not in SIMULATED_CLOCK_KEYS}
    if kind != "phc":
        drop_ineffective(section, ("device",), f"the clock's type is {kind}, not phc", report)
        values["device"] = None
    elif values["device"] is None and "device" not in section.given:
        report.note(section.path, "no device: the PHC of the port's interface will be used", "give device to pin it")
    return ClockOptions(**values)


def _clocks(site: Section, report: Report) -> tuple[ClockOptions, ...]:
    clocks = tuple(_clock(section, report) for section in site.tables["clock"])
    return clocks or (ClockOptions(),)


def _clock_name(section: Section, clocks: tuple[ClockOptions, ...], report: Report) -> str:
    """The clock an instance reads: the one it names, else the only one."""
    names = [clock.name for clock in clocks]
    wanted: str | None = section["clock"]
    ports = [port.values.get("clock") for port in section.tables["port"]]
    if wanted is None:
        if ports and all(ports):
            return str(ports[0])
        if len(names) > 1 and "clock" not in section.given:
            have = ", ".join(show(n) for n in names)
            report.error(
                section.path,
                f"{len(names)} clocks are declared and the instance names none",
                f"add clock = one of {have}",
            )
        return names[0]
    _must_exist(wanted, names, section, "clock", report)
    return wanted


def _must_exist(wanted: str, names: list[str], section: Section, key: str, report: Report) -> None:
    if wanted not in names:
        near = report.suggest(wanted, names)
        hint = f'did you mean "{near}"? ' if near else ""
        have = ", ".join(show(n) for n in names)
        report.error(section.at(key), f"there is no clock {show(wanted)}", f"{hint}declared: {have}")


class _ProfileCache:
    """Each profile is read once per site; its findings are reported once, at the first instance that names it."""

    def __init__(self, base: str | None) -> None:
        self.base = base
        self.loaded: dict[str, Profile] = {}

    def get(self, section: Section, report: Report) -> Profile:
        name = section["profile"]
        if name not in self.loaded:
            try:
                self.loaded[name] = load_profile(name, self.base)
            except ConfigError as error:
                self._explain(section, name, error, report)
                self.loaded[name] = any_profile()
        return self.loaded[name]

    @staticmethod
    def _explain(section: Section, name: str, error: ConfigError, report: Report) -> None:
        for finding in error.findings:
            if finding.file:
                report.findings.append(finding)
        own = [f for f in error.findings if not f.file]
        for finding in own:
            reason = f"profile {show(name)} {finding.reason}" if error.source else finding.reason
            report.error(section.at("profile"), reason, finding.fix)
        if not own:
            report.error(
                section.at("profile"), f"profile {show(name)} has errors", "correct that file, see its findings"
            )


def _apply_profile(section: Section, table: Table, profile: Profile, report: Report) -> None:
    """Fill in the profile's defaults; what the file gives must be in the profile's range."""
    for owner, spec in PROFILED:
        if owner is not table:
            continue
        parameter = profile.parameters[spec.name]
        value = section[spec.name]
        if value is None:
            section.values[spec.name] = parameter.default
        elif value not in parameter:
            report.error(
                section.at(spec.name),
                f"{value} is outside profile {show(profile.name)}, which allows {parameter.range}",
                'use a value in that range, or a profile that allows it ("unrestricted", or a file of your own)',
            )


def _reference(section: Section, report: Report) -> ReferenceOptions:
    kind = section["type"]
    if kind == "none":
        keys = ("state", "time_source", "accuracy", "holdover_spec_s", "holdover_limit_ns", "noise_ns", "log_interval")
        drop_ineffective(section, keys + PPS_KEYS, "the reference's type is none", report)
        return ReferenceOptions()
    values = dict(section.values)
    if kind != "simulated":
        drop_ineffective(section, ("noise_ns",), f"the reference's type is {kind}, not simulated", report)
        values["noise_ns"] = 0.0
    if kind != "pps":
        drop_ineffective(section, PPS_KEYS, f"the reference's type is {kind}, not pps", report)
        values = {k: v for k, v in values.items() if k not in PPS_KEYS}
    else:
        drop_ineffective(section, ("log_interval",), "pulses come once a second", report)
        values["log_interval"] = 0
    if values["state"] is None:
        values["state"] = "locked" if kind in ("simulated", "pps") else "free-running"
        if kind == "declared":
            report.warning(section.path, "a declared reference without state is free-running", 'add state = "locked"')
    if values["time_source"] is None:
        values["time_source"] = int(TimeSource.INTERNAL_OSCILLATOR)
    if values["accuracy"] is None:
        values["accuracy"] = ACCURACY_UNKNOWN
        if values["state"] == "locked":
            report.note(
                section.path,
                "locked with unknown accuracy: loses against any master that states one",
                'add accuracy = "100 ns" or whatever is true',
            )
    return ReferenceOptions(**values)


def _port(section: Section, profile: Profile, role: str | None, report: Report) -> tuple[PortOptions, ChannelOptions]:
    transport = section["transport"]
    if transport is None:
        transport = profile.default_transport
    elif transport not in profile.transports:
        allowed = ", ".join(profile.transports)
        report.error(
            section.at("transport"),
            f"{show(transport)} is not allowed by profile {show(profile.name)}",
            f"use one of: {allowed}",
        )
    values = section.values
    server_only = values["server_only"]
    if server_only is None:
        never = profile.behaviours["grandmaster_ports"] == "server-only"
        server_only = never and role == "grandmaster" and values["desired_state"] is None
    if transport != "l2":
        drop_ineffective(section, ("l2_group",), f"the transport is {transport}", report)
    ineffective = [key for key, transports in TRANSPORT_KEYS.items() if transport not in transports]
    drop_ineffective(section, ineffective, f"the transport is {transport}", report)
    effective = {key: values[key] for key in TRANSPORT_KEYS if key not in ineffective}
    channel = ChannelOptions(
        interface=values["interface"] or "?",
        transport=transport,
        stamping=values["stamping"],
        socket_priority=values["socket_priority"],
        pcp=values["pcp"],
        **effective,
    )
    mechanism = _delay_mechanism(section, profile, report)
    port = PortOptions(
        channel=channel.name,
        log_announce_interval=values["log_announce_interval"],
        announce_receipt_timeout=values["announce_receipt_timeout"],
        log_sync_interval=values["log_sync_interval"],
        log_min_delay_req_interval=values["log_min_delay_req_interval"],
        log_min_pdelay_req_interval=values["log_min_pdelay_req_interval"],
        delay_mechanism=mechanism,
        several_peers=values["several_peers"],
        server_only=server_only,
        listen_first=(
            values["listen_first"]
            if values["listen_first"] is not None
            else not (role == "grandmaster" or server_only or values["desired_state"] == "master")
        ),
        delay_asymmetry_ns=values["delay_asymmetry_ns"],
        ingress_latency_ns=values["ingress_latency_ns"],
        egress_latency_ns=values["egress_latency_ns"],
        clock=values["clock"] or "",
        local_priority=values["local_priority"],
        **port_options(section, profile, transport),
        spp=values["spp"],
        active_key_id=values["active_key_id"] if values["spp"] is not None else None,
        allow_unauthenticated=values["allow_unauthenticated"] if values["spp"] is not None else "no",
        allow_sources=values["allow_sources"] or (),
        deny_sources=values["deny_sources"] or (),
        limit_delay_req=values["limit_delay_req"],
        limit_announce=values["limit_announce"],
        limit_signaling=values["limit_signaling"],
        limit_management=values["limit_management"],
        unicast=unicast_options(section.one("unicast"), transport, profile, report),
    )
    return port, channel


def _management(section: Section, profile: Profile, report: Report) -> ManagementOptions:
    writers = section["writers"] or ()
    try:
        writer_rule(writers)
    except ValueError as error:
        report.error(section.at("writers"), str(error), "write addresses, or networks such as 10.0.0.0/24")
    return ManagementOptions(
        network=section["network"],
        writers=writers,
        user_description=section["user_description"] or "",
        profile_identity=bytes.fromhex(profile.identifier.replace("-", "")),
        ranges=tuple((name, p.low, p.high) for name, p in sorted(profile.parameters.items()) if name in _SETTABLE),
    )


def _delay_mechanism(section: Section, profile: Profile, report: Report) -> str:
    own: str = profile.behaviours["delay_mechanism"]
    wanted: str = section["delay_mechanism"] or own
    if wanted != own and profile.behaviours["other_delay_mechanisms"] == "refused":
        report.error(
            section.at("delay_mechanism"),
            f"profile {show(profile.name)} is for {own}, not for {wanted}",
            f'use delay_mechanism = "{own}", or another profile (`ptpstack profiles`)',
        )
    unused = [key for key, mechanisms in MECHANISM_KEYS.items() if wanted not in mechanisms]
    drop_ineffective(section, unused, f"the delay mechanism is {wanted}", report)
    return wanted


def _instance(
    section: Section, clocks: tuple[ClockOptions, ...], profiles: _ProfileCache, taken: set[str], report: Report
) -> InstanceSettings:
    profile = profiles.get(section, report)
    client_only: bool = section["client_only"]
    # The ranges of a profile speak of masters: a client's own default must not be held against them.
    own = profile.client_priority
    client_priorities = {key: own for key in _PRIORITIES if client_only and section[key] in (None, own)}
    section.values.update(dict.fromkeys(client_priorities))
    _apply_profile(section, INSTANCE, profile, report)
    section.values.update(client_priorities)
    ports = []
    bmca = bmca_of(section, profile)
    masters = section.tables["acceptable_master"]
    for port_section in section.tables["port"]:
        if port_section["acceptable_masters_only"] is None:
            port_section.values["acceptable_masters_only"] = bool(masters)
        _apply_profile(port_section, PORT, profile, report)
        _apply_profile(port_section.one("unicast"), UNICAST, profile, report)
        ports.append(_port(port_section, profile, section["role"], report))
        if port_section["clock"] is not None:
            _must_exist(port_section["clock"], [clock.name for clock in clocks], port_section, "clock", report)
    clock_class = 255 if client_only else section["clock_class"] or profile.quality.free_running
    accuracy = section["clock_accuracy"]
    name = section["name"] or f"domain{section['domain']}"
    if "name" not in section.given and name in taken:
        name = f"{name}-{section.path[-1]}"
    taken.add(name)
    options = InstanceOptions(
        name=name,
        clock_identity=section["clock_identity"] or b"",
        ports=tuple(port for port, _ in ports),
        clock=_clock_name(section, clocks, report),
        profile=profile.name,
        domain=section["domain"],
        sdo_id=section["sdo_id"],
        priority1=section["priority1"],
        priority2=section["priority2"],
        quality=ClockQuality(clock_class, ACCURACY_UNKNOWN if accuracy is None else accuracy, section["variance"]),
        quality_table=profile.quality,
        client_only=client_only,
        max_steps_removed=section["max_steps_removed"],
        minor_version=section["minor_version"],
        bmca=bmca,
        local_priority=section["local_priority"],
        wait_to_restore_s=section["wait_to_restore_s"],
        boundary_holdover_limit_ns=section["boundary_holdover_limit_ns"],
        path_trace=profile.behaviours["path_trace"] == "on" if section["path_trace"] is None else section["path_trace"],
        acceptable_masters=acceptable_masters(section),
        performance_monitoring=section["performance_monitoring"],
        power=power(section, profile, report),
        sync_metadata=metadata(section, profile, report),
        alternate_timescales=alternate_timescales(section, report),
        management=_management(section.one("management"), profile, report),
    )
    return InstanceSettings(
        options=options,
        channels=tuple(channel for _, channel in ports),
        reference=_reference(section.one("reference"), report),
        servo=ServoOptions(**section.one("servo").values),
        role=section["role"] or ("ordinary" if len(ports) < 2 else "boundary"),
        arb_is=section["arb_is"],
        profile_source=profile.source,
    )


def _node(section: Section, report: Report) -> NodeOptions:
    read_write, read_only = section["management"], section["management_read_only"]
    if read_write in (None, "off"):
        read_write = None
        if read_only not in (None, "off"):
            report.warning(section.at("management_read_only"), "has no effect without management", "give management")
        read_only = None
    elif read_only is None:
        read_only = f"{read_write}-ro"
    elif read_only == "off":
        read_only = None
    section.values |= {"management": read_write, "management_read_only": read_only}
    for key in ("control", "management", "management_read_only"):
        if len(os.fsencode(section[key] or "")) > _UNIX_PATH_MAX:
            report.error(
                section.at(key),
                f"is longer than {_UNIX_PATH_MAX} octets, which Unix sockets allow",
                "use a shorter path",
            )
    return NodeOptions(**{spec.name: section[spec.name] for spec in NODE.fields})


def _edge(section: Section) -> EdgeOptions:
    return EdgeOptions(
        source=section["from"] or "?",
        target=section["to"] or "?",
        log_interval=section["log_interval"],
        samples=section["samples"],
        always=section["always"],
        servo=ServoOptions(**section.one("servo").values),
    )


def _transparent(
    section: Section, clocks: tuple[ClockOptions, ...], taken: set[str], report: Report
) -> TransparentSettings:
    ports = section.tables["port"]
    stamping = section["stamping"]
    channels = tuple(ChannelOptions(port["interface"] or "?", "bridge", stamping) for port in ports)
    names = ("tc", *(f"tc-{number}" for number in range(2, len(taken) + 3)))
    name = section["name"] or next(name for name in names if name not in taken)
    taken.add(name)
    options = TransparentOptions(
        name,
        tuple(
            TransparentPort(
                channel.name,
                port["delay_asymmetry_ns"],
                port["ingress_latency_ns"],
                port["egress_latency_ns"],
            )
            for port, channel in zip(ports, channels, strict=True)
        ),
        _clock_name(section, clocks, report),
        section["syntonise"],
    )
    return TransparentSettings(options, channels, stamping)


def build(document: Mapping[str, Any], report: Report, base: str | None = None) -> tuple[Site, Section]:
    """The site that ``document`` describes, and the validated sections (for cross checks).

    Findings go to ``report``; the site may be used only when ``report.failed`` is false. ``base`` is the directory that
    relative profile paths start from.
    """
    section = validate(document, SITE, (), report)
    clocks = _clocks(section, report)
    profiles = _ProfileCache(base)
    # Names that the file gives are taken before any is made up, wherever they stand.
    taken = {s["name"] for s in section.tables["instance"] if s["name"]}
    instances = tuple(_instance(s, clocks, profiles, taken, report) for s in section.tables["instance"])
    edges = tuple(_edge(s) for s in section.tables["edge"])
    taken |= {s["name"] for s in section.tables["transparent"] if s["name"]}
    transparent = tuple(_transparent(s, clocks, taken, report) for s in section.tables["transparent"])
    return Site(_node(section.one("node"), report), clocks, instances, edges, transparent), section
