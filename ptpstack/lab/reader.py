"""Reading a TOML table while collecting everything that is wrong with it, each with path, reason and fix."""

from __future__ import annotations

import difflib
import os
from collections.abc import Iterable, Mapping
from typing import Any

from ptpstack.config.data import parse_toml, read_file
from ptpstack.config.findings import Finding, Report, UnreadableError
from ptpstack.lab.errors import Problem


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """``Did you mean "x"?`` or the list of what is known."""
    choices = list(known)
    close = difflib.get_close_matches(word, choices, n=1, cutoff=0.5)
    if close:
        return f'Did you mean "{close[0]}"?'
    return "Known: " + ", ".join(choices) if choices else "None exists yet"


class NotTomlError(ValueError):
    """A file or text that holds no TOML document. ``reason`` continues a sentence, ``fix`` is one."""

    def __init__(self, findings: Iterable[Finding]) -> None:
        first = next(iter(findings))
        line = f"line {first.line}: " if first.line else ""
        self.reason = f"{line}{first.reason}"
        self.fix = first.fix[:1].upper() + first.fix[1:]
        super().__init__(self.reason)


def read_document(path: str | os.PathLike[str]) -> dict[str, Any]:
    """The TOML document in a regular file of ordinary size; NotTomlError says what is in the way."""
    try:
        return document_of(read_file(path))
    except UnreadableError as error:
        raise NotTomlError(error.findings) from None


def document_of(text: str | bytes) -> dict[str, Any]:
    """The document that is TOML ``text``; NotTomlError otherwise, also when it is nested without end."""
    report = Report()
    document = parse_toml(text.encode("utf-8", "surrogatepass") if isinstance(text, str) else text, report)
    if document is None:
        raise NotTomlError(report.findings)
    return document


class Table:
    """One table of the file. Each getter notes a problem and returns the default when the value will not do."""

    def __init__(self, values: Mapping[str, Any], path: str, problems: list[Problem]) -> None:
        self._values = values
        self._path = path
        self._problems = problems
        self._known: list[str] = []

    def at(self, key: str = "") -> str:
        return ".".join(part for part in (self._path, key) if part)

    def problem(self, key: str, reason: str, fix: str) -> None:
        self._problems.append(Problem(self.at(key) or "(file)", reason, fix))

    def has(self, key: str) -> bool:
        return key in self._values

    def raw(self, key: str) -> Any:
        self._known.append(key)
        return self._values.get(key)

    def text(self, key: str, default: str | None = None) -> str:
        """A string; required when there is no default."""
        value = self.raw(key)
        if isinstance(value, str) and (value or default is not None):
            return value
        if value is not None:
            self.problem(key, f"expected text, got {value!r}", 'Write it in double quotes, such as "gm-a"')
        elif default is None:
            self.problem(key, "is missing", f'Add {key} = "..."')
        return default or ""

    def number(self, key: str, default: float | None = None, *, least: float = 0.0) -> float:
        """A number of at least ``least``; required when there is no default."""
        value = self.raw(key)
        if isinstance(value, (int, float)) and not isinstance(value, bool):
            if least <= value < float("inf"):
                return float(value)
            self.problem(key, f"{value} is out of range", f"Use a finite number of at least {least:g}")
        elif value is not None:
            self.problem(key, f"expected a number, got {value!r}", "Write it without quotes, such as 12.5")
        elif default is None:
            self.problem(key, "is missing", f"Add {key} = 10.0")
        return least if default is None else default

    def integer(self, key: str, low: int, high: int) -> int | None:
        value = self.raw(key)
        if value is None or (isinstance(value, int) and not isinstance(value, bool) and low <= value <= high):
            return value
        self.problem(key, f"expected a whole number {low}..{high}, got {value!r}", "Correct or remove it")
        return None

    def choice(self, key: str, choices: tuple[str, ...], default: str | None = None) -> str:
        value = self.text(key, default)
        if value and value not in choices:
            self.problem(key, f'"{value}" is not one of them', did_you_mean(value, choices))
            return choices[0]
        return value

    def tables(self, key: str) -> list[Table]:
        value = self.raw(key)
        if value is None:
            return []
        if not isinstance(value, list):
            self.problem(key, "expected tables", f"Write [[{self.at(key)}]] with double brackets")
            return []
        found = []
        for index, entry in enumerate(value):
            if isinstance(entry, dict):
                found.append(Table(entry, self.at(f"{key}[{index}]"), self._problems))
            else:
                self.problem(f"{key}[{index}]", f"expected a table, got {entry!r}", f"Write [[{self.at(key)}]]")
        return found

    def refuse_unknown(self) -> None:
        """Call last: every key that no getter has asked for is a problem."""
        for key in self._values:
            if key not in self._known:
                self.problem(key, "is not known here", did_you_mean(key, dict.fromkeys(self._known)))
