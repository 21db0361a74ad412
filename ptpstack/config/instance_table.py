"""An instance: from a validated ``[[instance]]``, its clocks and its profile to options."""

from __future__ import annotations

from ptpstack.config.clock_tables import clock_name, must_exist, reference_options
from ptpstack.config.findings import Report
from ptpstack.config.model import ChannelOptions, ClockOptions, InstanceSettings, ServoOptions
from ptpstack.config.option_tables import (
    acceptable_masters,
    alternate_timescales,
    bmca_of,
    expect_local_time,
    metadata,
    power,
)
from ptpstack.config.port_table import port_and_channel
from ptpstack.config.profile_use import ProfileCache, apply_profile
from ptpstack.config.profiles import Profile
from ptpstack.config.schema import GPTP, INSTANCE, PORT, UNICAST
from ptpstack.config.validate import Section
from ptpstack.protocol.management.access import writer_rule
from ptpstack.protocol.options import InstanceOptions, ManagementOptions, PortOptions
from ptpstack.wire.types import ACCURACY_UNKNOWN, ClockQuality

#: what management may set within the profile's range
_SETTABLE = (
    *("domain", "priority1", "priority2", "log_announce_interval", "announce_receipt_timeout"),
    *("log_sync_interval", "log_min_pdelay_req_interval"),
)

_PRIORITIES = ("priority1", "priority2")


def instance_settings(
    section: Section, clocks: tuple[ClockOptions, ...], profiles: ProfileCache, taken: set[str], report: Report
) -> InstanceSettings:
    profile = profiles.get(section, report)
    client_only: bool = section["client_only"]
    _in_profile(section, profile, report)
    bmca = bmca_of(section, profile)  # before the ports: they may get the desired state of their role
    ports = _ports(section, clocks, profile, report)
    expect_local_time(section, profile, report)
    clock_class = 255 if client_only else section["clock_class"] or profile.quality.free_running
    accuracy = section["clock_accuracy"]
    options = InstanceOptions(
        name=_name(section, taken),
        clock_identity=section["clock_identity"] or b"",
        ports=tuple(port for port, _ in ports),
        clock=clock_name(section, clocks, report),
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
        reference=reference_options(section.one("reference"), report),
        servo=ServoOptions(**section.one("servo").values),
        role=section["role"] or ("ordinary" if len(ports) < 2 else "boundary"),
        arb_is=section["arb_is"],
        profile_source=profile.source,
        feed_shm=section["feed_shm"],
        feed_sock=section["feed_sock"],
    )


def _in_profile(section: Section, profile: Profile, report: Report) -> None:
    """The profile's defaults and ranges; they speak of masters, and a client's own priority is not held to them."""
    own = profile.client_priority
    client_priorities = {key: own for key in _PRIORITIES if section["client_only"] and section[key] in (None, own)}
    section.values.update(dict.fromkeys(client_priorities))
    apply_profile(section, INSTANCE, profile, report)
    section.values.update(client_priorities)


def _ports(
    section: Section, clocks: tuple[ClockOptions, ...], profile: Profile, report: Report
) -> list[tuple[PortOptions, ChannelOptions]]:
    ports = []
    names = [clock.name for clock in clocks]
    for port in section.tables["port"]:
        if port["acceptable_masters_only"] is None:
            port.values["acceptable_masters_only"] = bool(section.tables["acceptable_master"])
        apply_profile(port, PORT, profile, report)
        apply_profile(port.one("unicast"), UNICAST, profile, report)
        apply_profile(port.one("gptp"), GPTP, profile, report)
        ports.append(port_and_channel(port, profile, section["role"], report))
        if port["clock"] is not None:
            must_exist(port["clock"], names, port, "clock", report)
    return ports


def _name(section: Section, taken: set[str]) -> str:
    """The name that the file gives, else one that nobody has."""
    name = section["name"] or f"domain{section['domain']}"
    if "name" not in section.given and name in taken:
        name = f"{name}-{section.path[-1]}"
    taken.add(name)
    return name


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
