"""Cross checks: what is right key by key and wrong together. Needs no machine; see ``machine`` for what does."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import fields

from ptpstack.config.findings import Path, Report, show, show_path
from ptpstack.config.gptp import gptp_checks
from ptpstack.config.graph_checks import GRAPH_CHECKS
from ptpstack.config.inside_checks import inside_checks
from ptpstack.config.model import ChannelOptions, InstanceSettings, Site
from ptpstack.config.option_checks import OPTION_CHECKS
from ptpstack.config.security_checks import authentication
from ptpstack.config.unicast import unicast_checks
from ptpstack.config.validate import Section

#: clockClass values with a meaning (7.6.2.5, table 4): fixed ones, and the ranges left to alternate profiles.
_CLASSES = frozenset({6, 7, 13, 14, 52, 58, 187, 193, 248, 255, *range(68, 123), *range(133, 171), *range(216, 233)})


def _pairs(site: Site, sections: Section) -> Iterator[tuple[InstanceSettings, Section]]:
    return zip(site.instances, sections.tables["instance"], strict=True)


def _presence(site: Site, sections: Section, report: Report) -> None:
    if not site.instances and not site.transparent:
        report.error((), "there is no instance", "add [[instance]] and below it [[instance.port]] with an interface")
    for transparent, section in zip(site.transparent, sections.tables["transparent"], strict=True):
        if len(transparent.channels) < 2:
            report.error(
                section.path,
                f"a transparent clock passes frames between ports, and has {len(transparent.channels)}",
                'give it two or more [[transparent.port]], each with interface = "..."',
            )
    _bridged_once(site, sections, report)
    for instance, section in _pairs(site, sections):
        if not instance.channels:
            report.error(
                section.path, "the instance has no port", 'add [[instance.port]] with interface = "..." below it'
            )


def _bridged_once(site: Site, sections: Section, report: Report) -> None:
    """An interface of a transparent clock belongs to it alone."""
    used = {c.interface: f"instance {show(i.options.name)}" for i in site.instances for c in i.channels}
    for transparent, section in zip(site.transparent, sections.tables["transparent"], strict=True):
        for channel, port in zip(transparent.channels, section.tables["port"], strict=True):
            if channel.interface in used:
                report.error(
                    port.at("interface"),
                    f"{show(channel.interface)} is used by {used[channel.interface]} too",
                    "give each port of a transparent clock an interface of its own",
                )
            used[channel.interface] = f"transparent clock {show(transparent.options.name)}"


def _names(site: Site, sections: Section, report: Report) -> None:
    for table, names in (
        ("clock", [c.name for c in site.clocks]),
        ("instance", [i.options.name for i in site.instances]),
        ("transparent", [t.options.name for t in site.transparent]),
    ):
        seen: dict[str, int] = {}
        for index, section in enumerate(sections.tables[table]):
            first = seen.setdefault(names[index], index)
            if first != index:
                report.error(
                    section.at("name"),
                    f"{show(names[index])} is the name of {table}[{first}] too",
                    "give each a name of its own",
                )


def used_clocks(site: Site) -> set[str]:
    """Every clock that an instance, a port, an edge or a reference names."""
    used = {name for i in site.instances for name in (i.options.clock, *i.options.clocks)}
    used |= {transparent.options.clock for transparent in site.transparent}
    used |= {name for edge in site.edges for name in (edge.source, edge.target)}
    return used | {i.reference.tod for i in site.instances if i.reference.type == "pps"}


def _clocks(site: Site, sections: Section, report: Report) -> None:
    seen: dict[str, str] = {}
    for clock, section in zip(site.clocks, sections.tables["clock"], strict=False):
        hardware = "the system clock" if clock.type == "system" else clock.device if clock.type == "phc" else None
        if hardware is not None:
            first = seen.setdefault(hardware, clock.name)
            if first != clock.name:
                report.error(
                    section.path,
                    f"clock {show(first)} is {hardware} too",
                    "declare it once and name it from each instance",
                )
        if clock.name not in used_clocks(site):
            report.warning(
                section.path,
                f"no instance uses clock {show(clock.name)}",
                f"remove it, or give an instance clock = {show(clock.name)}",
            )


def _client_only(site: Site, sections: Section, report: Report) -> None:
    for instance, section in _pairs(site, sections):
        options = instance.options
        if section["clock_class"] is not None:
            _clock_class(section["clock_class"], options.client_only, section, report)
        if not options.client_only:
            continue
        if instance.role == "grandmaster":
            report.error(
                section.at("role"),
                "a grandmaster cannot be client only",
                'remove client_only, or use role = "ordinary"',
            )
        if len(options.ports) > 1:
            report.error(
                section.at("client_only"),
                f"only an ordinary clock can be client only (8.2.1.4.4); this has {len(options.ports)} ports",
                "remove client_only, or keep one port",
            )
        for port in section.tables["port"]:
            if port["server_only"]:
                report.error(
                    port.at("server_only"),
                    "the instance is client only: this port could be neither master nor client",
                    "remove server_only or the instance's client_only",
                )
        if instance.reference.type != "none":
            report.warning(
                section.one("reference").path,
                "a client-only instance never uses its reference",
                "remove [instance.reference] or client_only",
            )


def _clock_class(value: int, client_only: bool, section: Section, report: Report) -> None:
    where = section.at("clock_class")
    if client_only and value <= 127:
        report.error(
            where,
            f"clockClass {value} means never a client, client_only means always one",
            "remove clock_class; a client-only instance has 255",
        )
    elif client_only and value != 255:
        report.warning(where, "has no effect: a client-only instance has clockClass 255", "remove it")
    elif not client_only and value == 255:
        report.error(
            where, "clockClass 255 is for client-only instances (7.6.2.5)", "add client_only = true, or use 248"
        )
    elif value not in _CLASSES:
        report.warning(
            where,
            f"clockClass {value} is reserved (7.6.2.5)",
            "use 6, 7, 52, 187 or 248 unless another profile defines it",
        )


def _roles(site: Site, sections: Section, report: Report) -> None:
    for instance, section in _pairs(site, sections):
        count = len(instance.channels)
        where = section.at("role") if "role" in section.given else section.path
        if instance.role == "boundary" and count == 1:
            report.warning(
                where, "a boundary clock with one port passes nothing on", 'add a port, or use role = "ordinary"'
            )
        if instance.role == "ordinary" and count > 1:
            report.error(where, f"an ordinary clock has one port, this has {count}", 'use role = "boundary"')
        if instance.role == "grandmaster" and instance.reference.type == "none" and not instance.options.client_only:
            report.warning(
                where,
                f"a grandmaster without reference announces clockClass {instance.options.quality.clock_class}",
                "add [instance.reference], or accept that any better clock takes over",
            )
        if (
            instance.role == "boundary"
            and count > 1
            and all(port.server_only for port in instance.options.ports)
            and instance.reference.type == "none"
        ):
            report.warning(
                where,
                "every port is server only and there is no reference: it can follow nothing",
                "clear server_only on the port towards the master",
            )


def _ports(site: Site, sections: Section, report: Report) -> None:
    for instance, section in _pairs(site, sections):
        seen: dict[str, int] = {}
        interfaces: dict[str, int] = {}
        for index, (channel, port) in enumerate(zip(instance.channels, section.tables["port"], strict=True)):
            if port["interface"] is None:
                continue
            first = seen.setdefault(channel.name, index)
            other = interfaces.setdefault(channel.interface, index)
            if first != index:
                report.error(
                    port.at("interface"),
                    f"port[{first}] of this instance is on {channel.name} too",
                    "use another interface, or remove one of the two",
                )
            elif other != index:
                report.warning(
                    port.at("interface"),
                    f"port[{other}] of this instance is on {channel.interface} too, by another transport",
                    "two ports on one wire hear each other: one will be PASSIVE",
                )


def _used_channels(site: Site, sections: Section) -> Iterator[tuple[ChannelOptions, InstanceSettings, Section]]:
    for instance, section in _pairs(site, sections):
        for channel, port in zip(instance.channels, section.tables["port"], strict=True):
            if port["interface"] is not None:
                yield channel, instance, port


def _shared_channels(site: Site, sections: Section, report: Report) -> None:
    """Instances on one channel share its sockets: they must want the same of them, and be told apart by domain."""
    first: dict[str, tuple[ChannelOptions, InstanceSettings, Section]] = {}
    domains: dict[tuple[str, int, int], InstanceSettings] = {}
    for channel, instance, port in _used_channels(site, sections):
        begun, owner, owner_port = first.setdefault(channel.name, (channel, instance, port))
        options = instance.options
        same = domains.setdefault((channel.name, options.domain, options.sdo_id), instance)
        unsure = any({"domain", "sdo_id"} & s.bad for s in sections.tables["instance"])
        if same is not instance and not unsure:
            report.error(
                port.path,
                f"{channel.name} carries domain {options.domain}, sdoId {options.sdo_id} "
                f"of instance {show(same.options.name)} already",
                "give one of them another domain or interface: their frames could not be told apart",
            )
        if owner is instance or channel == begun:
            continue
        for spec in fields(ChannelOptions):
            mine, theirs = getattr(channel, spec.name), getattr(begun, spec.name)
            if mine != theirs:
                report.error(
                    port.at(spec.name),
                    f"{show(mine)}, but {show_path(owner_port.path)} on the same {channel.name} has {show(theirs)}",
                    "give both the same value: a channel has one set of sockets",
                )


def _identities(site: Site, sections: Section, report: Report) -> None:
    seen: dict[tuple[bytes, int, int], str] = {}
    for instance, section in _pairs(site, sections):
        options = instance.options
        if options.clock_identity:
            key = (options.clock_identity, options.domain, options.sdo_id)
            first = seen.setdefault(key, options.name)
            if first != options.name:
                report.error(
                    section.at("clock_identity"),
                    f"instance {show(first)} of the same domain has it too",
                    "give each instance of a domain its own (7.5.2.2)",
                )


#: what a port of that kind of clock must be stamped by
_STAMPING_OF = {"phc": "hardware", "system": "software", "simulated": "software"}


def _stamping(site: Site, sections: Section, report: Report) -> None:
    for channel, instance, port in _used_channels(site, sections):
        name = port["clock"] or instance.options.clock
        kind = next((c.type for c in site.clocks if c.name == name), "auto")
        wanted = _STAMPING_OF.get(kind)
        if wanted is not None and channel.stamping not in ("auto", wanted):
            report.error(
                port.at("stamping"),
                f"{channel.stamping} time stamps are not of clock {show(name)}, whose type is {kind}",
                f'use stamping = "{wanted}" or "auto", or another clock',
            )


def _steering(site: Site, sections: Section, report: Report) -> None:
    """Rule 9 of the architecture: at most one edge steers a clock."""
    by_clock: dict[str, list[tuple[str, Path]]] = {}
    for instance, section in _pairs(site, sections):
        for name in instance.options.clocks or (instance.options.clock,):
            by_clock.setdefault(name, []).append((instance.options.name, section.path))
    for clock in site.clocks:
        users = by_clock.get(clock.name, [])
        may_steer = clock.steer if clock.steer is not None else clock.type != "system"
        if len(users) > 1 and may_steer:
            names = ", ".join(show(name) for name, _ in users)
            report.note(
                users[1][1],
                f"instances {names} share clock {show(clock.name)}: the first in file order that has "
                "a usable master steers it, the others measure",
                "put the one you trust most first, or give them clocks of their own",
            )
        following = [i for i in site.instances if clock.name in i.options.clocks and i.role != "grandmaster"]
        if following and not may_steer:
            report.note(
                by_clock[clock.name][0][1],
                f"clock {show(clock.name)} is not steered: its offset is measured only",
                f"add steer = true to clock {show(clock.name)} to let ptpstack set it",
            )


CHECKS: tuple[Callable[[Site, Section, Report], None], ...] = (
    _presence,
    _names,
    _clocks,
    _client_only,
    _roles,
    _ports,
    _shared_channels,
    _identities,
    _stamping,
    _steering,
    authentication,
    *OPTION_CHECKS,
    inside_checks,
    unicast_checks,
    gptp_checks,
    *GRAPH_CHECKS,
)


def cross_check(site: Site, sections: Section, report: Report) -> None:
    """Run every cross check; ``sections`` is what ``build`` returned with ``site``."""
    for check in CHECKS:
        check(site, sections, report)
