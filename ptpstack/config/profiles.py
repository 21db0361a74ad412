"""Profiles: TOML files of defaults, ranges, a quality table and named behaviours. Data, never code.

A profile file holds::

    name, title, identifier (profileIdentifier, IEEE 1588-2019 20.3.3, not checked against the text), client_priority
    [instance], [port], [unicast], [gptp]   parameter = { default, min, max } for every profiled key of the schema
    [transport]             default, allowed
    [quality]               clockClass by state of the reference; boundary_... of boundary clocks without a master
    [behaviours]            named variants; BEHAVIOURS lists what there is
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ptpstack.config.data import parse_toml, read_file, shipped
from ptpstack.config.findings import ERROR, ConfigError, Finding, Path, Report, show, suggest
from ptpstack.config.schema import (
    CHOICE,
    GPTP,
    INSTANCE,
    INTEGER,
    PORT,
    REFERENCE_STATES,
    TEXT,
    UNICAST,
    Field,
    Table,
)
from ptpstack.config.validate import Section, check_unknown, check_value, describe_range, validate
from ptpstack.protocol.options import QualityTable

SUFFIX = ".toml"

#: Named behaviours a profile can ask for, with the variants that exist; the first is what a silent profile gets.
BEHAVIOURS: dict[str, tuple[str, ...]] = {
    "bmca": ("default", "itu-alternate", "g8265.1", "external", "802.1AS"),
    "delay_mechanism": ("E2E", "P2P", "COMMON_P2P", "AUTO"),
    "other_delay_mechanisms": ("allowed", "refused"),
    # server-only: a grandmaster never follows, unless its port says server_only = false (G.8275.1 masterOnly)
    "grandmaster_ports": ("elected", "server-only"),
    # IEEE 802.1AS: time-aware systems, by the edition of 2011 or of 2020
    "gptp": ("none", "2011", "2020"),
    # assumed: static networks (automotive), whose links are what they are
    "as_capable": ("measured", "assumed"),
    # none: static roles; Announce is neither sent nor needed
    "announce": ("sent", "none"),
    # Ethernet: the group that all messages go to
    "l2_group": ("forwardable", "non-forwardable"),
    # 802.1AS-2020 10.6.4.3
    "interval_requests": ("ignored", "honoured"),
    # IEEE C37.238 on Announce
    "power_tlv": ("none", "2011", "2017"),
    # 802.1Q priority of frames sent; VLAN 0 where the interface is no VLAN (`pcp` overrides it)
    "priority_tag": ("none", "4"),
    # ALTERNATE_TIME_OFFSET_INDICATOR on a grandmaster's Announce
    "local_time": ("optional", "expected"),
    # SMPTE ST 2059-2: expected of a grandmaster
    "sync_metadata": ("optional", "expected"),
    # 16.2
    "path_trace": ("off", "on"),
    # 16.1
    "unicast_negotiation": ("optional", "required", "prohibited"),
}

#: The tables with parameters that a profile may set.
_TABLES = (INSTANCE, PORT, UNICAST, GPTP)
#: (table, field) of every parameter that a profile may set.
PROFILED: tuple[tuple[Table, Field], ...] = tuple(
    (table, spec) for table in _TABLES for spec in table.fields if spec.profiled and spec.kind == INTEGER
)

_TRANSPORTS = PORT.field("transport").choices
_IDENTIFIER = re.compile(r"[0-9A-F]{2}(-[0-9A-F]{2}){5}")
_NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,63}")


@dataclass(frozen=True, slots=True)
class Parameter:
    """Default and range of one parameter under a profile."""

    default: int
    low: int
    high: int
    unit: str = ""

    def __contains__(self, value: int) -> bool:
        return self.low <= value <= self.high

    @property
    def range(self) -> str:
        return describe_range(self.low, self.high, self.unit)


@dataclass(frozen=True, slots=True)
class Profile:
    """A validated profile. ``source`` is what ``load_profile`` was given, made absolute when it was a path."""

    name: str
    title: str
    identifier: str
    parameters: Mapping[str, Parameter]
    transports: tuple[str, ...]
    default_transport: str
    quality: QualityTable
    behaviours: Mapping[str, str]
    client_priority: int
    source: str

    def as_dict(self) -> dict[str, Any]:
        return {
            "name": self.name,
            "title": self.title,
            "identifier": self.identifier,
            "source": self.source,
            "parameters": {
                name: {"default": p.default, "min": p.low, "max": p.high, "unit": p.unit}
                for name, p in self.parameters.items()
            },
            "transports": list(self.transports),
            "default_transport": self.default_transport,
            "quality": {state: quality_class(self.quality, state) for state in REFERENCE_STATES}
            | {
                "boundary-holdover": self.quality.boundary_holdover or None,
                "boundary-out-of-spec": self.quality.boundary_out_of_spec or None,
            },
            "behaviours": dict(self.behaviours),
            "client_priority": self.client_priority,
        }


def quality_class(table: QualityTable, state: str) -> int:
    """clockClass of a grandmaster whose reference is in ``state`` (one of REFERENCE_STATES; KeyError otherwise)."""
    classes = (table.locked, table.holdover, table.holdover_out_of_spec, table.free_running)
    return dict(zip(REFERENCE_STATES, classes, strict=True))[state]


_HEAD = Table(
    "profile",
    "",
    (
        Field("name", TEXT, "Name of the profile.", required=True),
        Field("title", TEXT, "One line about it.", required=True),
        Field("identifier", TEXT, "ProfileIdentifier, six octets as 00-1B-19-00-01-00.", "00-00-00-00-00-00"),
        Field("client_priority", INTEGER, "Priority1 and priority2 of client-only instances.", 255, 0, 255),
    ),
)

#: 1..254: 0 is reserved, 255 is what client-only instances announce to nobody.
_QUALITY = Table(
    "quality",
    "",
    tuple(
        Field(state.replace("-", "_"), INTEGER, f"ClockClass when {state}.", default, 1, 254)
        for state, default in zip(REFERENCE_STATES, (6, 7, 52, 248), strict=True)
    )
    + tuple(
        Field(name, INTEGER, f"ClockClass of a boundary clock {when}; 0: its own stays.", 0, 0, 254)
        for name, when in (
            ("boundary_holdover", "in holdover within its limit"),
            ("boundary_out_of_spec", "in holdover beyond its limit"),
        )
    ),
)

_BEHAVIOURS = Table(
    "behaviours",
    "",
    tuple(Field(name, CHOICE, "Variant.", variants[0], choices=variants) for name, variants in BEHAVIOURS.items()),
)


def _fallback(spec: Field) -> Parameter:
    """What holds for a parameter that the profile does not mention: the schema's default and full range."""
    assert spec.low is not None
    assert spec.high is not None
    return Parameter(int(spec.default), int(spec.low), int(spec.high), spec.unit)


def _parameter(content: Any, spec: Field, path: Path, report: Report) -> Parameter:
    fallback = _fallback(spec)
    if not isinstance(content, dict):
        report.error(
            path, f"{show(content)} is not a table", f"write {spec.name} = {{ default = .., min = .., max = .. }}"
        )
        return fallback
    check_unknown(content, ("default", "min", "max"), path, report, spec.name)
    values = {}
    for key, missing in (("default", fallback.default), ("min", fallback.low), ("max", fallback.high)):
        value = check_value(content[key], spec, (*path, key), report) if key in content else None
        values[key] = missing if value is None else int(value)
    if "default" not in content:
        report.error(path, "the default is missing", "add default = ..")
    elif not values["min"] <= values["default"] <= values["max"]:
        report.error(
            path, f"the default {values['default']} is not in {values['min']}..{values['max']}", "widen the range"
        )
    return Parameter(values["default"], values["min"], values["max"], spec.unit)


def _parameters(document: Mapping[str, Any], report: Report) -> dict[str, Parameter]:
    found: dict[str, Parameter] = {}
    for table in _TABLES:
        content = document.get(table.name, {})
        specs = {spec.name: spec for owner, spec in PROFILED if owner is table}
        if not isinstance(content, dict):
            report.error((table.name,), f"{show(content)} is not a table", f"write [{table.name}]")
            content = {}
        check_unknown(content, tuple(specs), (table.name,), report, f"[{table.name}] of a profile")
        for name, spec in specs.items():
            found[name] = (
                _parameter(content[name], spec, (table.name, name), report) if name in content else _fallback(spec)
            )
    return found


def _transports(document: Mapping[str, Any], report: Report) -> tuple[str, tuple[str, ...]]:
    content = document.get("transport", {})
    path: Path = ("transport",)
    if not isinstance(content, dict):
        report.error(path, f"{show(content)} is not a table", "write [transport] with default and allowed")
        content = {}
    check_unknown(content, ("default", "allowed"), path, report, "[transport]")
    raw = content.get("allowed", list(_TRANSPORTS))
    if not isinstance(raw, list) or not raw:
        report.error((*path, "allowed"), f"{show(raw)} is not a list of transports", f"use some of {list(_TRANSPORTS)}")
        raw = list(_TRANSPORTS)
    spec = PORT.field("transport")
    checked = [check_value(entry, spec, (*path, "allowed", index), report) for index, entry in enumerate(raw)]
    allowed = tuple(dict.fromkeys(entry for entry in checked if entry)) or _TRANSPORTS
    default = check_value(content["default"], spec, (*path, "default"), report) if "default" in content else None
    if default is not None and default not in allowed:
        report.error((*path, "default"), f"{show(default)} is not allowed by this profile", "add it to allowed")
    return default or allowed[0], allowed


def _sub(document: Mapping[str, Any], table: Table, report: Report) -> Section:
    return validate(document.get(table.name, {}), table, (table.name,), report)


def build_profile(document: Mapping[str, Any], source: str, report: Report) -> Profile:
    """A Profile from a parsed document; findings go to ``report``, and what was wrong has its fallback."""
    tables = (*(table.name for table in _TABLES), "transport", "quality", "behaviours")
    check_unknown(document, _HEAD.names + tables, (), report, "the profile")
    head = validate({k: v for k, v in document.items() if k in _HEAD.names}, _HEAD, (), report)
    name = head["name"] or "unnamed"
    if head["name"] and not _NAME.fullmatch(name):
        report.error(("name",), f"{show(name)} is not a profile name", "use small letters, digits and hyphens")
    if not _IDENTIFIER.fullmatch(head["identifier"]):
        report.error(("identifier",), f"{show(head['identifier'])} is not six octets", "write 00-1B-19-00-01-00")
    quality = _sub(document, _QUALITY, report)
    default_transport, transports = _transports(document, report)
    return Profile(
        name=name,
        title=head["title"] or "",
        identifier=head["identifier"],
        parameters=_parameters(document, report),
        transports=transports,
        default_transport=default_transport,
        quality=QualityTable(**quality.values),
        behaviours=_sub(document, _BEHAVIOURS, report).values,
        client_priority=head["client_priority"],
        source=source,
    )


def any_profile() -> Profile:
    """The schema's own defaults and full ranges: stands in for a profile that could not be loaded."""
    return build_profile({"name": "none", "title": "none"}, "none", Report())


def list_profiles() -> tuple[str, ...]:
    """Names of the profiles that ship with ptpstack, sorted."""
    return tuple(name.removesuffix(SUFFIX) for name in shipped("profiles", SUFFIX))


def is_path(name: str) -> bool:
    """Whether ``profile = name`` means a file, not a shipped profile."""
    return "/" in name or name.endswith(SUFFIX)


def load_profile(name_or_path: str, base: str | os.PathLike[str] | None = None) -> Profile:
    """A profile by name, or by path (absolute, or relative to ``base``, default the working directory).

    Raises ConfigError with everything that is wrong (findings name the file), UnreadableError when it cannot be read.
    """
    if is_path(name_or_path):
        source = os.path.abspath(os.path.join(base or "", name_or_path))
        octets = read_file(source)
        label = name_or_path
    else:
        known = shipped("profiles", SUFFIX)
        entry = known.get(name_or_path + SUFFIX)
        if entry is None:
            names = [name.removesuffix(SUFFIX) for name in known]
            near = suggest(name_or_path, names)
            hint = f'did you mean "{near}"? ' if near else ""
            have = ", ".join(names) or "none, the installation is incomplete"
            fix = f'{hint}there are: {have}; a file of your own is given as a path ("./my.toml")'
            raise ConfigError([Finding(ERROR, "", f"there is no profile {show(name_or_path)}", fix)])
        octets, source, label = entry.read_bytes(), name_or_path, entry.name
    report = Report(file=label)
    document = parse_toml(octets, report)
    if document is None:
        raise ConfigError(report.sorted(), label)
    profile = build_profile(document, source, report)
    if report.failed:
        raise ConfigError(report.sorted(), label)
    return profile
