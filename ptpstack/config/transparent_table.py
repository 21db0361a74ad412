"""[[transparent]]: a transparent clock."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from ptpstack.config.clock_tables import clock_name
from ptpstack.config.findings import Report
from ptpstack.config.model import ChannelOptions, ClockOptions, InstanceSettings, TransparentSettings
from ptpstack.config.option_tables import drop_ineffective
from ptpstack.config.schema import LINK_KEYS
from ptpstack.config.validate import Section
from ptpstack.protocol.options import TransparentOptions, TransparentPort


def transparent_settings(
    section: Section, clocks: tuple[ClockOptions, ...], taken: set[str], report: Report
) -> TransparentSettings:
    """``taken``: names that are no longer free; this one's is added."""
    ports = section.tables["port"]
    stamping = section["stamping"]
    mechanism = section["delay_mechanism"]
    if mechanism != "P2P":
        drop_ineffective(section, LINK_KEYS, f"the delay mechanism is {mechanism}", report)
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
        clock_name(section, clocks, report),
        section["syntonise"],
        mechanism,
        section["clock_identity"] or b"",
        time_inaccuracy_ns=section["time_inaccuracy_ns"],
        **{key: section[key] for key in LINK_KEYS},
    )
    return TransparentSettings(options, channels, stamping)


def with_inside(settings: TransparentSettings, instances: Sequence[InstanceSettings]) -> TransparentSettings:
    """With the instances that are inside: those that name the transparent clock as their interface."""
    name = settings.options.name
    inside = dict.fromkeys(c.name for i in instances for c in i.channels if c.interface == name)
    return replace(settings, options=replace(settings.options, inside=tuple(inside)))
