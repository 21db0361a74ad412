"""A TOML document against a schema table: types, ranges, names. Collects findings; never raises for what is in it."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from ptpstack.config.findings import Path, Report, show
from ptpstack.config.quantities import parse_accuracy, parse_time_source
from ptpstack.config.schema import (
    ACCURACY,
    BOOLEAN,
    CHOICE,
    IDENTITY,
    INTEGER,
    INTERFACE,
    MAX_TABLES,
    NAMES,
    NUMBER,
    SOURCES,
    TEXT,
    TIME_SOURCE,
    Field,
    Table,
)
from ptpstack.protocol.admission import parse_source
from ptpstack.wire.types import ALL_CLOCKS, parse_clock_identity

MAX_TEXT = 4096


class _BadError(Exception):
    """Why a value will not do, and what would."""

    def __init__(self, reason: str, fix: str) -> None:
        super().__init__(reason)
        self.reason = reason
        self.fix = fix


@dataclass(slots=True)
class Section:
    """One table after validation: every key of the schema has a value (None: not given, no fixed default)."""

    path: Path
    values: dict[str, Any] = field(default_factory=dict)
    given: set[str] = field(default_factory=set)
    #: keys given with a value that would not do: their value here is a stand-in, not to be judged further
    bad: set[str] = field(default_factory=set)
    tables: dict[str, list[Section]] = field(default_factory=dict)

    def __getitem__(self, key: str) -> Any:
        return self.values[key]

    def at(self, key: str) -> Path:
        return (*self.path, key)

    def one(self, table: str) -> Section:
        """The section of a table that is not an array."""
        return self.tables[table][0]


def describe_range(low: float | None, high: float | None, unit: str = "") -> str:
    """``0..4``, ``at least 0``, ``any``; with its unit."""
    suffix = f" {unit}" if unit else ""
    if low is not None and high is not None:
        return f"{_limit(low)}..{_limit(high)}{suffix}"
    if low is not None:
        return f"at least {_limit(low)}{suffix}"
    if high is not None:
        return f"at most {_limit(high)}{suffix}"
    return "any"


def _limit(value: float) -> str:
    return str(value) if isinstance(value, int) else f"{value:.15g}"


def _in_range(value: float, spec: Field) -> None:
    if (spec.low is not None and value < spec.low) or (spec.high is not None and value > spec.high):
        allowed = describe_range(spec.low, spec.high, spec.unit)
        raise _BadError(f"{show(value)} is out of range", f"use {allowed}")


def _text(value: Any, spec: Field) -> str:
    if not isinstance(value, str):
        raise _BadError(f"{show(value)} is not text", "write it in quotes")
    if not value or len(value) > MAX_TEXT or not value.isprintable():
        raise _BadError(
            f"{show(value)} is empty, too long or holds control characters", f"use 1..{MAX_TEXT} printable characters"
        )
    return value


def _integer(value: Any, spec: Field) -> int:
    if isinstance(value, bool) or not isinstance(value, int):
        fix = f"use {describe_range(spec.low, spec.high, spec.unit)}"
        raise _BadError(f"{show(value)} is not a whole number", f"{fix}, without quotes or decimal point")
    _in_range(value, spec)
    return value


def _number(value: Any, spec: Field) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise _BadError(f"{show(value)} is not a number", f"use {describe_range(spec.low, spec.high, spec.unit)}")
    if isinstance(value, float) and not math.isfinite(value):
        raise _BadError(f"{show(value)} is not finite", f"use {describe_range(spec.low, spec.high, spec.unit)}")
    _in_range(value, spec)  # before float(): an int may be too large for one
    return float(value)


def _boolean(value: Any, spec: Field) -> bool:
    if not isinstance(value, bool):
        raise _BadError(f"{show(value)} is neither true nor false", "write true or false, without quotes")
    return value


def _interface(value: Any, spec: Field) -> str:
    name = _text(value, spec)
    # The kernel's own rule (dev_valid_name): at most 15 octets, no slash, colon or space, not "." or "..".
    if len(name.encode()) > 15 or name in {".", ".."} or any(c in "/:" or c.isspace() for c in name):
        raise _BadError(
            f"{show(name)} cannot be the name of a network interface",
            "give 1..15 characters without slash, colon or space, as in `ip link`",
        )
    return name


def _names(value: Any, spec: Field) -> tuple[str, ...]:
    if not isinstance(value, list) or not all(isinstance(name, str) for name in value):
        raise _BadError(f"{show(value)} is not a list of names", 'write names in brackets, such as ["gm", "client"]')
    if len(value) > MAX_TABLES:
        raise _BadError(f"{len(value)} names are too many", f"use at most {MAX_TABLES}")
    return tuple(_text(name, spec) for name in value)


def _sources(value: Any, spec: Field) -> tuple[str, ...]:
    names = _names(value, spec)
    for name in names:
        try:
            parse_source(name)
        except ValueError as error:
            raise _BadError(f"{show(name)} is not a source", str(error)) from None
    return names


def _quantity(parse: Callable[[int | str], int]) -> Callable[[Any, Field], int]:
    def check(value: Any, spec: Field) -> int:
        if isinstance(value, bool) or not isinstance(value, (int, str)):
            raise _BadError(
                f"{show(value)} is not {'an' if spec.kind[0] in 'aeiou' else 'a'} {spec.kind}",
                "give a text or a whole number",
            )
        try:
            return parse(value)
        except ValueError as error:
            raise _BadError(f"{show(value)} is not valid here", str(error)) from None

    return check


def _identity(value: Any, spec: Field) -> bytes:
    text = _text(value, spec)
    try:
        identity = parse_clock_identity(text)
    except ValueError:
        raise _BadError(
            f"{show(text)} is not a clockIdentity", 'give 16 hexadecimal digits, such as "001b21.fffe.aabbcc"'
        ) from None
    if identity in (bytes(8), ALL_CLOCKS):
        raise _BadError(
            f"{show(text)} is reserved (all zeros or all ones)", "give an identity of your own, or leave it out"
        )
    return identity


_CHECKS: dict[str, Callable[[Any, Field], Any]] = {
    TEXT: _text,
    INTEGER: _integer,
    NUMBER: _number,
    BOOLEAN: _boolean,
    CHOICE: _text,
    INTERFACE: _interface,
    NAMES: _names,
    SOURCES: _sources,
    ACCURACY: _quantity(parse_accuracy),
    TIME_SOURCE: _quantity(parse_time_source),
    IDENTITY: _identity,
}


def check_value(value: Any, spec: Field, path: Path, report: Report) -> Any:
    """``value`` as ``spec`` wants it, or None after a finding."""
    try:
        checked = _CHECKS[spec.kind](value, spec)
    except _BadError as bad:
        report.error(path, bad.reason, bad.fix)
        return None
    if spec.kind == CHOICE and checked not in spec.choices:
        near = report.suggest(checked, spec.choices)
        hint = f'did you mean "{near}"? ' if near else ""
        report.error(path, f"{show(checked)} is not one of the values", f"{hint}use one of: " + ", ".join(spec.choices))
        return None
    return checked


def check_unknown(document: Mapping[str, Any], known: tuple[str, ...], path: Path, report: Report, where: str) -> None:
    """A finding for each key of ``document`` that is not in ``known``."""
    for key in document:
        if key not in known:
            near = report.suggest(key, known)
            fix = f'did you mean "{near}"?' if near else "known are: " + ", ".join(known)
            report.error(
                (*path, key), f"unknown {'table' if isinstance(document[key], (dict, list)) else 'key'} in {where}", fix
            )


def validate(document: Any, table: Table, path: Path, report: Report) -> Section:
    """``document`` (what tomllib gave for this table) as a Section; defaults stand in for what was wrong or absent."""
    section = Section(path)
    where = f"[{table.name}]" if table.name else "the file"
    if not isinstance(document, dict):
        report.error(path, f"{show(document)} stands where a table is expected", f"write a table {where}")
        document = {}
    check_unknown(document, table.names, path, report, where)
    for spec in table.fields:
        value = None
        if spec.name in document:
            section.given.add(spec.name)
            value = check_value(document[spec.name], spec, (*path, spec.name), report)
            if value is None:
                section.bad.add(spec.name)
        elif spec.required:
            report.error(path, f"{spec.name} is missing", f"add {spec.name} = ...: {spec.doc[0].lower()}{spec.doc[1:]}")
        if value is None and not spec.profiled:
            value = spec.default
        section.values[spec.name] = value
    for child in table.tables:
        section.tables[child.name] = _children(document, child, path, report)
    return section


def _children(document: Mapping[str, Any], child: Table, path: Path, report: Report) -> list[Section]:
    content = document.get(child.name)
    here = (*path, child.name)
    if not child.array:
        if isinstance(content, list):
            report.error(here, f"there is one {child.name} only", f"write [{show_header(here)}] with single brackets")
            content = {}
        return [validate({} if content is None else content, child, here, report)]
    if content is None:
        return []
    if not isinstance(content, list):
        report.error(here, f"{child.name} is a list of tables", f"write [[{show_header(here)}]] with double brackets")
        content = [content] if isinstance(content, dict) else []
    if len(content) > MAX_TABLES:
        report.error(here, f"{len(content)} tables are too many", f"use at most {MAX_TABLES}")
        content = content[:MAX_TABLES]
    return [validate(entry, child, (*here, index), report) for index, entry in enumerate(content)]


def show_header(path: Path) -> str:
    """The name as it stands in a TOML header: ``instance.port``."""
    return ".".join(step for step in path if isinstance(step, str))
