"""Cross checks of options: who may be told what to be, tables whose entries contradict each other."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from ptpstack.config.findings import Report, show
from ptpstack.config.link_checks import common_links
from ptpstack.config.one_step_checks import one_step
from ptpstack.protocol.options import MONITORS

if TYPE_CHECKING:
    from ptpstack.config.model import Site
    from ptpstack.config.validate import Section


def _external(site: Site, sections: Section, report: Report) -> None:
    """17.6: desired states for every port, and nothing that decides beside them."""
    for instance, section in zip(site.instances, sections.tables["instance"], strict=True):
        told = instance.options.bmca == "external"
        for port in section.tables["port"]:
            if told and port["desired_state"] is None:
                report.error(
                    port.path,
                    "external port configuration needs to know what this port is to be",
                    'add desired_state = "master", "slave" or "passive"',
                )
            if not told and port["desired_state"] is not None:
                report.error(
                    port.at("desired_state"),
                    "has a meaning with external_port_configuration only",
                    "add external_port_configuration = true to the instance, or remove it",
                )
            if told and port["server_only"]:
                report.error(
                    port.at("server_only"),
                    "masterOnly is FALSE with external port configuration (17.6)",
                    'remove it: desired_state = "master" says the same',
                )
        if told and instance.options.client_only:
            report.error(
                section.at("client_only"),
                "slaveOnly is FALSE with external port configuration (17.6)",
                'remove it: desired_state = "slave" says the same',
            )


def _tables(site: Site, sections: Section, report: Report) -> None:
    """What is a table of entries by key has each key once."""
    for instance, section in zip(site.instances, sections.tables["instance"], strict=True):
        for table, keys in (
            ("acceptable_master", ("clock_identity", "port_number")),
            ("alternate_time_offset", ("key",)),
        ):
            seen: dict[tuple[object, ...], int] = {}
            for index, entry in enumerate(section.tables[table]):
                first = seen.setdefault(tuple(entry[key] for key in keys), index)
                if first != index:
                    report.error(entry.path, f"{table}[{first}] is for the same {keys[0]}", "remove one of the two")
        if instance.options.alternate_timescales and instance.reference.type == "none":
            report.warning(
                section.tables["alternate_time_offset"][0].path,
                "without a reference UTC is not known, so no local time is announced",
                "add [instance.reference], or remove it",
            )
        if instance.options.acceptable_masters:
            continue
        for port in section.tables["port"]:
            if port["acceptable_masters_only"]:
                report.error(
                    port.at("acceptable_masters_only"),
                    "the instance has no [[instance.acceptable_master]]: this port would follow nobody",
                    "add masters, or remove it",
                )


def _monitoring(site: Site, sections: Section, report: Report) -> None:
    for _, section in zip(site.instances, sections.tables["instance"], strict=True):
        for port in section.tables["port"]:
            for name in sorted(set(port["monitor"] or ()) - set(MONITORS)):
                report.error(port.at("monitor"), f"{show(name)} cannot be told", f"use {' and '.join(MONITORS)}")


def _one_way_roles(site: Site, sections: Section, report: Report) -> None:
    """ITU-T G.8265.1: a clock serves or follows, never both."""
    for instance, section in zip(site.instances, sections.tables["instance"], strict=True):
        options = instance.options
        if options.bmca == "g8265.1" and instance.role != "grandmaster" and not options.client_only:
            report.error(
                section.at("role") if "role" in section.given else section.path,
                "the G.8265.1 selection knows servers and clients only, and this instance is neither",
                'add client_only = true, or role = "grandmaster"',
            )


OPTION_CHECKS: tuple[Callable[[Site, Section, Report], None], ...] = (
    _external,
    _tables,
    _monitoring,
    _one_way_roles,
    one_step,
    common_links,
)
