"""Cross checks of the clock graph: edges that lead nowhere, loops, pulses that nobody can number."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from ptpstack.config.findings import Report, show
from ptpstack.engine.graph import groups, why_refused

if TYPE_CHECKING:
    from ptpstack.config.model import Site
    from ptpstack.config.validate import Section


def _edges(site: Site, sections: Section, report: Report) -> None:
    clocks = {clock.name: clock for clock in site.clocks}
    tied = groups(instance.options.clocks for instance in site.instances)
    before: list[tuple[str, str]] = []
    for index, (edge, section) in enumerate(zip(site.edges, sections.tables["edge"], strict=True)):
        known = True
        for key, name in (("from", edge.source), ("to", edge.target)):
            if section[key] is not None and name not in clocks:
                known = False
                near = report.suggest(name, clocks)
                steer = "" if key == "from" else " and steer = true"
                hint = f'did you mean "{near}"? ' if near else ""
                report.error(
                    section.at(key),
                    f"there is no clock {show(name)}",
                    f"{hint}declare it: [[clock]] with name = {show(name)}, "
                    + (f'type = "system"{steer}' if name == "system" else 'type = "phc" and its device'),
                )
        if not known or section["from"] is None or section["to"] is None:
            continue
        pair = (edge.source, edge.target)
        if pair in before:
            report.error(section.path, f"edge[{before.index(pair)}] is the same", "remove one of the two")
            continue
        why = why_refused(pair, before, tied)
        before.append(pair)
        if why:
            report.error(section.path, why, "remove the edge that is not meant")
            continue
        target = clocks[edge.target]
        steers = target.steer if target.steer is not None else target.type != "system"
        if not steers:
            report.error(
                section.at("to"),
                f"clock {show(edge.target)} is not steered, so it cannot follow",
                f"add steer = true to clock {show(edge.target)}, or remove edge[{index}]",
            )
        others = [i.options.name for i in site.instances if edge.target in i.options.clocks]
        if others:
            report.note(
                section.path,
                f"clock {show(edge.target)} has frames of {', '.join(map(show, others))} too: what they follow steers "
                "it first, and this edge watches meanwhile",
                "nothing, if that is meant: at most one edge steers a clock",
            )


def _edge_clocks(site: Site, sections: Section, report: Report) -> None:
    """A clock that no port has cannot be found by its interface."""
    ported = {name for i in site.instances for name in i.options.clocks}
    for clock, section in zip(site.clocks, sections.tables["clock"], strict=False):
        found = clock.type in ("system", "simulated") or clock.device is not None
        if not found and clock.name not in ported and any(clock.name in (e.source, e.target) for e in site.edges):
            report.error(
                section.path,
                f"clock {show(clock.name)} has no port whose interface could tell which it is",
                'add type = "phc" and device = "/dev/ptpN", or type = "system"',
            )


def _pulses(site: Site, sections: Section, report: Report) -> None:
    clocks = {clock.name: clock for clock in site.clocks}
    for instance, section in zip(site.instances, sections.tables["instance"], strict=True):
        reference = instance.reference
        if reference.type != "pps":
            continue
        where = section.one("reference")
        own = instance.options.clock
        kind = clocks[own].type if own in clocks else "auto"
        if kind == "system":
            report.error(
                where.at("type"),
                f"pulses are stamped by a PHC, and clock {show(own)} is the system clock",
                'give the instance a clock of type "phc"',
            )
        if own in clocks and clocks[own].steer is False:
            report.error(
                where.at("type"),
                f"clock {show(own)} is not steered, so its pulses lead to nothing",
                f"remove steer = false from clock {show(own)}",
            )
        if reference.tod == own and not reference.tod_error_s:
            report.error(
                where.at("tod"),
                "a clock cannot vouch for its own seconds",
                "say how far it may be off with tod_error_s, or name another clock",
            )
        elif reference.tod != "system" and reference.tod not in clocks:
            near = report.suggest(reference.tod, [*clocks, "system"])
            report.error(
                where.at("tod"),
                f"there is no clock {show(reference.tod)}",
                f'did you mean "{near}"?' if near else 'name a clock of this file, or "system"',
            )


GRAPH_CHECKS: tuple[Callable[[Site, Section, Report], None], ...] = (_edges, _edge_clocks, _pulses)
