"""An instance inside a transparent clock: what it must have in common with that, and what it cannot have."""

from __future__ import annotations

from collections.abc import Iterator

from ptpstack.config.findings import Report, show
from ptpstack.config.model import InstanceSettings, Site, TransparentSettings
from ptpstack.config.validate import Section


def _inside(site: Site, sections: Section) -> Iterator[tuple[InstanceSettings, Section, TransparentSettings, Section]]:
    """(instance, its section, transparent clock, section of the port that is inside)."""
    named = {transparent.options.name: transparent for transparent in site.transparent}
    for instance, section in zip(site.instances, sections.tables["instance"], strict=True):
        for channel, port in zip(instance.channels, section.tables["port"], strict=True):
            if channel.interface in named:
                yield instance, section, named[channel.interface], port


def inside_checks(site: Site, sections: Section, report: Report) -> None:
    for instance, section, transparent, port in _inside(site, sections):
        name, options = transparent.options.name, instance.options
        if len(instance.channels) > 1:
            report.error(
                section.path,
                f"an instance inside transparent clock {show(name)} has that as its only port, and this has "
                f"{len(instance.channels)}",
                "leave the others out: what it sends goes out by all ports of the transparent clock",
            )
            continue
        (own,) = options.ports
        if options.clock_of(own) != transparent.options.clock:
            report.error(
                section.at("clock"),
                f"is {show(options.clock_of(own))}, and transparent clock {show(name)} has "
                f"{show(transparent.options.clock)}: its frames are stamped by that",
                f"use clock = {show(transparent.options.clock)}",
            )
        mechanism = transparent.options.delay_mechanism
        if own.delay_mechanism != mechanism:
            report.error(
                port.at("delay_mechanism"),
                f"is {own.delay_mechanism}, and transparent clock {show(name)} is {mechanism}",
                f'use delay_mechanism = "{mechanism}" (or a profile that has it), or change the transparent clock',
            )
        if instance.channels[0].one_step != "no":
            report.error(
                port.at("one_step"),
                f"what an instance inside transparent clock {show(name)} sends leaves by several NICs at several times",
                "remove it",
            )
        if own.unicast.active:
            report.error(
                port.at("unicast"),
                f"an instance inside transparent clock {show(name)} speaks by multicast only",
                "leave unicast out, or give it an interface of its own",
            )
