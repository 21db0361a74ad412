"""From a validated document to a ``Site``; each kind of table is a module of its own."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

from ptpstack.config.clock_tables import clocks_of, edge_options
from ptpstack.config.findings import Report
from ptpstack.config.instance_table import instance_settings
from ptpstack.config.model import NodeOptions, Site
from ptpstack.config.profile_use import ProfileCache
from ptpstack.config.schema import NODE, SITE
from ptpstack.config.transparent_table import transparent_settings, with_inside
from ptpstack.config.validate import Section, validate

#: sockaddr_un.sun_path holds 108 octets with its closing zero.
_UNIX_PATH_MAX = 107


def build(document: Mapping[str, Any], report: Report, base: str | None = None) -> tuple[Site, Section]:
    """The site that ``document`` describes, and the validated sections (for cross checks).

    Findings go to ``report``; the site may be used only when ``report.failed`` is false. ``base`` is the directory that
    relative profile paths start from.
    """
    section = validate(document, SITE, (), report)
    clocks = clocks_of(section, report)
    profiles = ProfileCache(base)
    # Names that the file gives are taken before any is made up, wherever they stand.
    taken = {s["name"] for s in section.tables["instance"] if s["name"]}
    instances = tuple(instance_settings(s, clocks, profiles, taken, report) for s in section.tables["instance"])
    edges = tuple(edge_options(s) for s in section.tables["edge"])
    taken |= {s["name"] for s in section.tables["transparent"] if s["name"]}
    transparent = tuple(transparent_settings(s, clocks, taken, report) for s in section.tables["transparent"])
    transparent = tuple(with_inside(settings, instances) for settings in transparent)
    return Site(_node(section.one("node"), report), clocks, instances, edges, transparent), section


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
