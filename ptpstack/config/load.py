"""The doors of this room: a site from a file, from a command line, or only what is wrong with it."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import Any

from ptpstack.config.build import build
from ptpstack.config.checks import cross_check
from ptpstack.config.data import parse_toml, read_file
from ptpstack.config.findings import ConfigError, Finding, Report, show
from ptpstack.config.machine import machine_check
from ptpstack.config.model import Site
from ptpstack.config.schema import CLOCK, INSTANCE, NODE, PORT, REFERENCE, SERVO, TRANSPARENT

#: What a command-line role means: the role of the instance, and what it implies.
ROLES: dict[str, dict[str, Any]] = {
    "gm": {"instance": {"role": "grandmaster"}, "reference": {"type": "system"}},
    "bc": {"instance": {"role": "boundary"}},
    "oc": {"instance": {"role": "ordinary"}},
}
_LONG_ROLES = {"grandmaster": "gm", "boundary": "bc", "ordinary": "oc", "transparent": "tc"}

#: Short names of command-line options that stand for keys.
_ALIASES = {"phc": "clock_device"}


def parse_document(
    document: Mapping[str, Any], base: str | None = None, *, offline: bool = True, report: Report | None = None
) -> tuple[Site | None, list[Finding]]:
    """``parse_site`` of a document that is parsed already; ``report`` knows its lines, if it has any."""
    report = Report() if report is None else report
    site, sections = build(document, report, base)
    cross_check(site, sections, report)
    if not offline:
        machine_check(site, sections, report)
    return (None if report.failed else site), report.sorted()


def parse_site(
    text: str | bytes, base: str | None = None, *, offline: bool = True
) -> tuple[Site | None, list[Finding]]:
    """The site in TOML ``text`` (None when it has errors) and every finding, in the order of the file.

    ``base`` is the directory relative profile paths start from. With ``offline`` False, what this machine lacks is
    found too. Never raises for what the text contains.
    """
    report = Report()
    document = parse_toml(text.encode("utf-8", "surrogatepass") if isinstance(text, str) else text, report)
    if document is None:
        return None, report.sorted()
    return parse_document(document, base, offline=offline, report=report)


def read_site(path: str | os.PathLike[str], *, offline: bool = True) -> tuple[Site | None, list[Finding]]:
    """``parse_site`` of a file. UnreadableError when it cannot be read at all."""
    base = os.path.dirname(os.path.abspath(os.fspath(path)))
    return parse_site(read_file(path), base, offline=offline)


def load_site(path: str | os.PathLike[str]) -> Site:
    """The site in the file at ``path``. ConfigError with every finding, UnreadableError (a subclass) if unreadable."""
    site, findings = read_site(path)
    if site is None:
        raise ConfigError(findings, os.fspath(path))
    return site


def check_site(path: str | os.PathLike[str], *, offline: bool = True) -> list[Finding]:
    """Everything worth saying about the file; no errors among it means that ``load_site`` will succeed.

    UnreadableError when it cannot be read at all.
    """
    return read_site(path, offline=offline)[1]


def loads(text: str | bytes, base: str | None = None) -> Site:
    """The site in TOML ``text``; ConfigError with every finding."""
    site, findings = parse_site(text, base=base)
    if site is None:
        raise ConfigError(findings)
    return site


def _place(key: str, document: dict[str, dict[str, Any]], value: Any, report: Report) -> None:
    """Put an override where it belongs: a key of instance, port or node, or ``<table>_<key>`` of another."""
    name = _ALIASES.get(key, key)
    for table in (INSTANCE, PORT, NODE):
        if any(name == spec.name for spec in table.fields):
            document[table.name][name] = value
            return
    for table in (CLOCK, REFERENCE, SERVO, NODE):
        prefix, _, rest = name.partition("_")
        if prefix == table.name and any(rest == spec.name for spec in table.fields):
            document[table.name][rest] = value
            return
    known = [spec.name for table in (INSTANCE, PORT, NODE) for spec in table.fields]
    known += [f"{t.name}_{spec.name}" for t in (CLOCK, REFERENCE, SERVO, NODE) for spec in t.fields] + list(_ALIASES)
    near = report.suggest(name, known)
    fix = f'did you mean "{near}"?' if near else "see docs/configuration.md for what there is"
    report.error((key,), "unknown option", fix)


def document_for_roles(role: str, interfaces: Sequence[str], **overrides: Any) -> dict[str, Any]:
    """The site document that a command line such as ``ptpstack bc -i eth1 -i eth2`` stands for; see site_for_roles."""
    report = Report()
    short = _LONG_ROLES.get(role, role)
    if short not in (*ROLES, "tc"):
        near = report.suggest(role, (*ROLES, *_LONG_ROLES))
        hint = f'did you mean "{near}"? ' if near else ""
        report.error(("role",), f"{show(role)} is not a role", f"{hint}use gm, bc, oc or tc")
        raise ConfigError(report.sorted())
    if short == "tc":
        return _transparent_document(interfaces, overrides, report)
    tables: dict[str, dict[str, Any]] = {t.name: {} for t in (NODE, CLOCK, INSTANCE, PORT, REFERENCE, SERVO)}
    for name, content in ROLES[short].items():
        tables[name].update(content)
    for key, value in overrides.items():
        if value is not None:
            _place(key, tables, value, report)
    if report.failed:
        raise ConfigError(report.sorted())
    if "device" in tables["clock"]:
        tables["clock"].setdefault("type", "phc")
    instance = tables["instance"] | {"port": [tables["port"] | {"interface": name} for name in interfaces]}
    for name in ("reference", "servo"):
        if tables[name]:
            instance[name] = tables[name]
    document: dict[str, Any] = {"instance": [instance]}
    if tables["node"]:
        document["node"] = tables["node"]
    if tables["clock"]:
        document["clock"] = [tables["clock"]]
    return document


def _transparent_document(interfaces: Sequence[str], overrides: Mapping[str, Any], report: Report) -> dict[str, Any]:
    transparent: dict[str, Any] = {"port": [{"interface": name} for name in interfaces]}
    document: dict[str, Any] = {"transparent": [transparent]}
    for key, value in overrides.items():
        if value is None:
            continue
        prefix, _, rest = key.partition("_")
        if key in TRANSPARENT.names:
            transparent[key] = value
        elif prefix == CLOCK.name and rest in CLOCK.names:
            document.setdefault("clock", [{}])[0][rest] = value
        else:
            report.error((key,), "is no option of a transparent clock", "see docs/transparent.md for what there is")
    if report.failed:
        raise ConfigError(report.sorted())
    return document


def site_for_roles(role: str, interfaces: Sequence[str], **overrides: Any) -> Site:
    """A site with one instance, for command lines; the same validation as a file's.

    ``role`` is ``gm``, ``bc``, ``oc`` (or the long names). ``overrides`` are keys of the schema: those of instance,
    port (applied to every port) and node by their own name, others as ``clock_type``, ``servo_kp``,
    ``reference_state``, ``node_name``; ``phc`` is ``clock_device``. None means "not given". A grandmaster's reference
    is the system clock, free-running, unless overridden: nobody has said that its time is right. ConfigError with
    every finding; for warnings on success use ``parse_document(document_for_roles(...))``.
    """
    site, findings = parse_document(document_for_roles(role, interfaces, **overrides))
    if site is None:
        raise ConfigError(findings)
    return site
