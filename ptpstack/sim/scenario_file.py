"""Scenario files: TOML in, ``Scenario`` out, or every finding with path, line, reason and fix.

Built-in scenarios are such files in ``scenarios/`` beside this module. docs/simulator.md describes the format.
"""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from importlib import resources
from pathlib import Path
from typing import Any

from ptpstack.clocks.oscillator import PRESETS, OscillatorModel
from ptpstack.config.data import parse_toml, read_file
from ptpstack.config.findings import ERROR, ConfigError, Finding, Report, show, suggest
from ptpstack.config.profiles import load_profile
from ptpstack.config.validate import Section, validate
from ptpstack.servo.delay_filter import DELAY_FILTERS
from ptpstack.servo.options import GAINS, ServoOptions
from ptpstack.sim.delays import Noise, Spells
from ptpstack.sim.figures import FIGURES
from ptpstack.sim.scenario import (
    EVENT_KEYS,
    PASSING,
    EventSpec,
    Expectation,
    Holdover,
    LinkSpec,
    NodeSpec,
    PathSpec,
    Published,
    Readings,
    Scenario,
)
from ptpstack.sim.schema import SCENARIO

#: what ``anchors`` stands for: the scenarios with published figures of other programs, in this order
ANCHORS = ("a1", "a2", "a3", "b1", "b2", "c1", "c2", "d1", "d2", "e1", "e3", "e5", "g1", "h1", "i1", "j1")
_RATES = ("log_sync_interval", "log_delay_req_interval", "log_announce_interval", "announce_receipt_timeout")
_PORT_KEY = {"log_delay_req_interval": "log_min_delay_req_interval"}
_OSCILLATOR = ("wander_ppb", "white_fm_ppb", "ageing_ppb_per_day", "temperature_ppb", "temperature_period_s",
               "temperature_phase_rad")  # fmt: skip


@cache
def builtin_scenarios() -> tuple[str, ...]:
    """Names of the scenarios that come with ptpstack, sorted."""
    folder = resources.files("ptpstack.sim").joinpath("scenarios")
    return tuple(sorted(e.name[: -len(".toml")] for e in folder.iterdir() if e.name.endswith(".toml")))


def scenario_text(name_or_path: str) -> str:
    """The TOML of a built-in scenario or of a file."""
    if name_or_path in builtin_scenarios():
        return resources.files("ptpstack.sim").joinpath("scenarios", f"{name_or_path}.toml").read_text(encoding="utf-8")
    return read_file(name_or_path).decode("utf-8", "replace")


def load_scenario(name_or_path: str) -> Scenario:
    """A built-in scenario by name, or a file by path. ConfigError holds everything that is wrong."""
    names = builtin_scenarios()
    if name_or_path in names:
        return parse_scenario(scenario_text(name_or_path), f"built-in scenario {name_or_path}")
    path = Path(name_or_path)
    if "/" not in name_or_path and not path.suffix and not path.exists():
        near = suggest(name_or_path, (*names, "anchors"))
        fix = f'did you mean "{near}"?' if near else "`ptpstack simulate --list` shows what there is"
        raise ConfigError([Finding(ERROR, "", f"there is no scenario {show(name_or_path)}", fix)])
    return parse_scenario(read_file(path), name_or_path)


def parse_scenario(text: str | bytes, source: str = "") -> Scenario:
    """TOML text to ``Scenario``; ConfigError with every finding."""
    report = Report()
    document = parse_toml(text.encode("utf-8", "surrogatepass") if isinstance(text, str) else text, report)
    scenario = (
        None if document is None else _Reader(report).scenario(validate(document, SCENARIO, (), report), document)
    )
    if scenario is None or report.failed:
        raise ConfigError(report.sorted(), source)
    return scenario


class _Reader:
    """Sections that are well formed, into a scenario that makes sense."""

    def __init__(self, report: Report) -> None:
        self.report = report

    def scenario(self, root: Section, document: dict[str, Any]) -> Scenario | None:
        report = self.report
        nodes = tuple(self.node(s) for s in root.tables["node"])
        self.unique(root.tables["node"], [n.name for n in nodes], "node")
        if not nodes:
            report.error(("node",), "there is no node", 'add [[node]] with name = "..." and role = "..."')
        links = tuple(self.link(s, nodes) for s in root.tables["link"])
        self.unique(root.tables["link"], [link.name for link in links], "link")
        self.wiring(root, nodes, links)
        measured = root["measured"] or (nodes[-1].name if nodes else "")
        self.known(measured, [n.name for n in nodes], root.at("measured"), "node")
        length = root["length_s"]
        stats = length / 4 if root["stats_from_s"] is None else root["stats_from_s"]
        if stats >= length:
            report.error(
                root.at("stats_from_s"), f"{stats:g} leaves nothing of length_s = {length:g}", "make it smaller"
            )
        if root["sample_phase_s"] >= root["sample_every_s"]:
            report.error(
                root.at("sample_phase_s"),
                f"{root['sample_phase_s']:g} is not within sample_every_s = {root['sample_every_s']:g}",
                "make it smaller",
            )
        events = tuple(self.event(s, nodes, links, length) for s in root.tables["event"])
        rates, domain, sdo_id = self.rates(root)
        servo = self.servo(root.one("servo"))
        holdover = self.holdover(root.one("holdover"), length) if "holdover" in document else None
        expect = tuple(self.expectation(s) for s in root.tables["expect"])
        published = tuple(self.published(s) for s in root.tables["published"])
        if report.failed:
            return None
        return Scenario(
            name=root["name"],
            title=root["title"],
            nodes=nodes,
            links=links,
            length_s=length,
            stats_from_s=stats,
            measured=measured,
            events=tuple(sorted(events, key=lambda e: e.at_s)),
            sample_every_s=root["sample_every_s"],
            sample_phase_s=root["sample_phase_s"],
            delay_mechanism=root["delay_mechanism"],
            one_step=root["one_step"],
            unicast=root["unicast"],
            gptp=root["gptp"],
            domain=domain,
            sdo_id=sdo_id,
            servo=replace(ServoOptions(), **servo),
            lock_limit_ns=root["lock_limit_ns"],
            holdover=holdover,
            expect=expect,
            published=published,
            **rates,
        )

    # ---- small things -----------------------------------------------------------------------------------------

    def unique(self, sections: list[Section], names: list[str], what: str) -> None:
        for index, (section, name) in enumerate(zip(sections, names, strict=True)):
            if name in names[:index]:
                self.report.error(section.at("name"), f"there are two {what}s {show(name)}", "rename one")

    def known(self, name: str, names: list[str], path: tuple[str | int, ...], what: str) -> None:
        if name not in names:
            near = self.report.suggest(name, names)
            fix = f'did you mean "{near}"?' if near else "there are: " + (", ".join(names) or "none")
            self.report.error(path, f"there is no {what} {show(name)}", fix)

    def rates(self, root: Section) -> tuple[dict[str, int], int, int]:
        """Intervals, domain and sdoId: as given, else the profile's, else the default profile's."""
        chosen: dict[str, Any] = {}
        if root["profile"] is not None:
            try:
                parameters = load_profile(root["profile"]).parameters
            except ConfigError as error:
                for finding in error.findings:
                    self.report.error(root.at("profile"), finding.reason, finding.fix)
            else:
                chosen = {key: parameters[_PORT_KEY.get(key, key)].default for key in (*_RATES, "domain", "sdo_id")}
        for key in (*_RATES, "domain", "sdo_id"):
            if root[key] is not None:
                chosen[key] = root[key]
        rates = {key: chosen[key] for key in _RATES if chosen.get(key) is not None}
        return rates, chosen.get("domain") or 0, chosen.get("sdo_id") or 0

    def servo(self, section: Section) -> dict[str, Any]:
        given = {key: section[key] for key in section.given - section.bad}
        for key, choices in (("gains", GAINS), ("delay_filter", DELAY_FILTERS)):
            if key in given:
                self.known(given[key], list(choices), section.at(key), key.replace("_", " "))
        return given

    # ---- nodes and links --------------------------------------------------------------------------------------

    def node(self, section: Section) -> NodeSpec:
        model: OscillatorModel = PRESETS[section["oscillator"]]
        changes = {key: section[key] for key in _OSCILLATOR if section[key] is not None}
        if section["frequency_ppb"] is not None:
            changes["initial_frequency_ppb"] = section["frequency_ppb"]
        readings = section.one("readings")
        return NodeSpec(
            name=section["name"] or "",
            role=section["role"] or "",
            start_s=section["start_s"],
            oscillator=replace(model, **changes),
            temperature_sensor=section["temperature_sensor"],
            initial_error_ns=section["initial_error_ns"],
            grain_ns=section["grain_ns"],
            stamp_noise_ns=section["stamp_noise_ns"],
            max_adjustment_ppb=section["max_adjustment_ppb"],
            priority1=section["priority1"],
            priority2=section["priority2"],
            clock_accuracy=section["clock_accuracy"],
            readings=Readings(**readings.values) if readings.given or section["role"] == "clock" else None,
            port={_PORT_KEY.get(key, key): section[key] for key in _RATES if section[key] is not None},
            servo=self.servo(section.one("servo")),
        )

    def link(self, section: Section, nodes: tuple[NodeSpec, ...]) -> LinkSpec:
        names: tuple[str, ...] = section["nodes"] or ()
        for name in names:
            self.known(name, [n.name for n in nodes], section.at("nodes"), "node")
        if "nodes" not in section.bad and len(set(names)) < max(2, len(names)):
            self.report.error(section.at("nodes"), "a link needs two different nodes or more", "name each of them once")
        common = self.path(section, PathSpec())
        return LinkSpec(
            name=section["name"] or "-".join(names),
            nodes=names,
            forward=self.path(section.one("forward"), common),
            reverse=self.path(section.one("reverse"), common),
        )

    def path(self, section: Section, base: PathSpec) -> PathSpec:
        given: dict[str, Any] = {
            key: section[key] for key in ("base_ns", "loss", "late_share", "late_ns") if section[key] is not None
        }
        if section.tables["noise"]:
            given["noise"] = tuple(n for s in section.tables["noise"] if (n := self.noise(s)) is not None)
        spells = section.one("spells")
        if spells.given:
            given["spells"] = Spells(**spells.values)
        return replace(base, **given)

    def noise(self, section: Section) -> Noise | None:
        if section.bad or section["kind"] is None:
            return None
        try:
            return Noise(**section.values)
        except ValueError as error:
            self.report.error(
                section.path, str(error), "keep load + load_swing below 1 and load - load_swing at 0 or more"
            )
            return None

    def wiring(self, root: Section, nodes: tuple[NodeSpec, ...], links: tuple[LinkSpec, ...]) -> None:
        for section, node in zip(root.tables["node"], nodes, strict=True):
            count = sum(node.name in link.nodes for link in links)
            if node.role == "ordinary" and count > 1:
                self.report.error(
                    section.at("role"),
                    f"{node.name} is on {count} links; an ordinary clock has one port",
                    "use boundary",
                )
            elif node.role == "clock" and count:
                self.report.error(
                    section.at("role"),
                    f"{node.name} is on a link, but takes no part in PTP",
                    "use ordinary or boundary",
                )
            elif node.role in ("grandmaster", "boundary", "ordinary") and not count:
                self.report.error(section.at("role"), f"{node.name} is on no link", "add a [[link]] with it")
            if node.readings is not None and node.role in ("ordinary", "boundary"):
                self.report.error(
                    (*section.path, "readings"),
                    f"{node.name} follows a master; readings are for role clock or grandmaster",
                    "leave them out, or change the role",
                )

    # ---- what happens, and what is expected -------------------------------------------------------------------

    def event(
        self, section: Section, nodes: tuple[NodeSpec, ...], links: tuple[LinkSpec, ...], length: float
    ) -> EventSpec:
        report = self.report
        kind = section["kind"]
        if kind is None:
            return EventSpec(0.0, "cut")
        needed = EVENT_KEYS[kind]
        for key in needed:
            if key not in section.given:
                report.error(section.path, f"{key} is missing", f"an event of kind {kind} needs {' and '.join(needed)}")
        allowed = {"at_s", "kind", "for_s", "every_s", *needed, *(("direction",) if "link" in needed else ())}
        for key in sorted(section.given - allowed):
            report.error(
                section.at(key),
                f"an event of kind {kind} has no {key}",
                f"leave it out; it needs {' and '.join(needed)}",
            )
        if section["node"] is not None:
            self.known(section["node"], [n.name for n in nodes], section.at("node"), "node")
        if section["link"] is not None:
            self.known(section["link"], [link.name for link in links], section.at("link"), "link")
        if section["for_s"] and kind not in PASSING:
            report.error(section.at("for_s"), f"an event of kind {kind} does not end", "leave for_s out")
        if section["every_s"] and section["every_s"] <= section["for_s"]:
            report.error(
                section.at("every_s"), "it would happen again before it has ended", "make it larger than for_s"
            )
        if (section["at_s"] or 0.0) >= length:
            report.error(section.at("at_s"), f"that is after the end at {length:g} s", "make it earlier")
        values = {key: value for key, value in section.values.items() if value is not None}
        return EventSpec(**values)

    def holdover(self, section: Section, length: float) -> Holdover:
        start, end = section["from_s"], section["to_s"]
        if start is None or end is None or not start < end <= length:
            self.report.error(
                section.path, "from_s and to_s do not make a stretch of the run", f"0 <= from_s < to_s <= {length:g}"
            )
            return Holdover(0.0, 1.0)
        return Holdover(start, end, section["limit_ns"])

    def expectation(self, section: Section) -> Expectation:
        if section["must"] is None and section["goal"] is None:
            self.report.error(section.path, "neither must nor goal is given", "give at least one of them")
        return Expectation(
            section["figure"] or "rms_ns", section["must"], section["goal"], section["near"], section["over"] or ""
        )

    def published(self, section: Section) -> Published:
        figures = {name: section[name] for name in FIGURES if section[name] is not None}
        if not figures:
            self.report.error(section.path, "no figure is given", "add at least one, such as rms_ns = 10.9")
        return Published(section["name"] or "", figures, section["source"] or "", section["reproduced_by"] or "")
