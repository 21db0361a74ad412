"""What is wrong with authentication and source rules as a whole: cross checks, and the key file on this machine."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from ptpstack.config.findings import ConfigError, Report, show
from ptpstack.config.model import Site
from ptpstack.config.sa_file import AssociationEntry, read_associations
from ptpstack.config.validate import Section
from ptpstack.protocol.options import InstanceOptions, PortOptions
from ptpstack.protocol.security import Association


def _ports(site: Site, sections: Section) -> Iterator[tuple[InstanceOptions, PortOptions, Section]]:
    for instance, section in zip(site.instances, sections.tables["instance"], strict=True):
        for port, port_section in zip(instance.options.ports, section.tables["port"], strict=True):
            yield instance.options, port, port_section


def authentication(site: Site, sections: Section, report: Report) -> None:
    secured = False
    for options, port, section in _ports(site, sections):
        secured |= port.spp is not None
        if port.spp is None:
            for key, default in (("active_key_id", None), ("allow_unauthenticated", "no")):
                if key in section.given and section[key] != default:
                    report.warning(section.at(key), "has no effect: the port has no spp", "add spp, or remove it")
        elif site.node.sa_file is None:
            report.error(
                section.at("spp"),
                f"spp {port.spp} is a security association, and no file of them is named",
                "add sa_file to [node]",
            )
        elif options.minor_version == 0:
            report.error(
                section.at("spp"),
                "AUTHENTICATION is of PTP 2.1, and the instance sends minorVersionPTP 0",
                "remove minor_version from the instance, or spp from the port",
            )
    if site.node.sa_file is not None and not secured:
        report.warning(
            sections.one("node").at("sa_file"), "has no effect: no port has an spp", "add spp to a port, or remove it"
        )


def missing_keys(site: Site, entries: Mapping[int, AssociationEntry | Association]) -> list[str]:
    """Ports whose association or key the file lacks, in sentences."""
    missing: list[str] = []
    for instance in site.instances:
        for number, port in enumerate(instance.options.ports, 1):
            if port.spp is None:
                continue
            where = f"instance {instance.options.name}, port {number}"
            entry = entries.get(port.spp)
            if entry is None:
                have = ", ".join(map(str, entries))
                missing.append(f"{where}: there is no association with spp {port.spp}; the file has spp {have}")
            elif port.active_key_id is not None and port.active_key_id not in entry.keys:
                have = ", ".join(map(str, entry.keys))
                missing.append(
                    f"{where}: active_key_id {port.active_key_id} is no key of spp {port.spp}, which has {have}"
                )
    return missing


def key_file(site: Site, sections: Section, report: Report) -> None:
    """Whether this machine has the keys that the site names. Warnings: the file may be meant for another machine."""
    path = site.node.sa_file
    if path is None:
        return
    where = sections.one("node").at("sa_file")
    try:
        entries, notes = read_associations(path)
    except ConfigError as error:
        for finding in error.findings:
            place = f", line {finding.line}" if finding.line else ""
            report.warning(where, f"{show(path)}{place}: {finding.reason}", finding.fix)
        return
    for sentence in missing_keys(site, entries):
        report.warning(where, sentence, "add it to the file, or correct the port")
    for note in notes:
        report.warning(where, note, "replace it on every node")
