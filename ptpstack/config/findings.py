"""What is wrong with a configuration, where, why, and what to do about it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

#: A place in a TOML document: table names and keys as text, positions in arrays as numbers.
Path = tuple[str | int, ...]

ERROR = "error"
WARNING = "warning"
NOTE = "note"

_BARE_KEY = re.compile(r"[A-Za-z0-9_-]{1,64}")
#: Suggestions cost time; a file of nothing but unknown keys must not make ``check`` slow.
_SUGGESTION_LIMIT = 200


@dataclass(frozen=True, slots=True)
class Finding:
    """``path`` reads like ``instance[0].port[1].transport``; ``line`` counts from 1, None when it is not known.

    ``file`` is set when the finding is not in the file that was asked for (a profile, for example).
    """

    severity: str
    path: str
    reason: str
    fix: str
    line: int | None = None
    file: str = ""

    def __str__(self) -> str:
        file = f"{self.file}: " if self.file else ""
        where = f"{self.path} (line {self.line})" if self.path and self.line else self.path
        if not where and self.line:
            where = f"line {self.line}"
        place = f" {where}:" if where else ""
        return f"{file}{self.severity}:{place} {self.reason}; {self.fix}"

    def as_dict(self) -> dict[str, Any]:
        return {
            "severity": self.severity,
            "path": self.path,
            "line": self.line,
            "reason": self.reason,
            "fix": self.fix,
            "file": self.file,
        }


class ConfigError(ValueError):
    """A configuration that cannot be used; ``findings`` holds everything found, warnings too."""

    def __init__(self, findings: Iterable[Finding], source: str = "") -> None:
        self.findings: tuple[Finding, ...] = tuple(findings)
        self.source = source
        errors = [str(f) for f in self.findings if f.severity == ERROR]
        head = f"{source}: " if source else ""
        super().__init__(f"{head}{len(errors)} error{'s' if len(errors) != 1 else ''}\n" + "\n".join(errors))


class UnreadableError(ConfigError):
    """The file could not be read at all (missing, no permission, not a regular file, too large)."""


def show(value: Any) -> str:
    """``value`` for a message: one line, printable, at most about 60 characters."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        text = repr(value[:80])
        text = '"' + text[1:-1].replace('"', '\\"') + '"'
    elif isinstance(value, int) and value.bit_length() > 200:
        return f"a number of {value.bit_length()} bits"
    elif isinstance(value, list):
        return f"an array of {len(value)}"
    elif isinstance(value, dict):
        return "a table"
    else:
        text = str(value)
    return text if len(text) <= 60 else text[:56] + '..."'[: 4 if isinstance(value, str) else 3]


def show_path(path: Path) -> str:
    """``instance[0].port[1].transport``."""
    parts: list[str] = []
    for step in path:
        if isinstance(step, int):
            parts.append(f"[{step}]")
        else:
            name = step if _BARE_KEY.fullmatch(step) else show(step)
            parts.append(f".{name}" if parts else name)
    return "".join(parts)


def suggest(word: str, candidates: Iterable[str]) -> str | None:
    """The candidate that ``word`` was most likely meant to be, or None when nothing is near."""
    names = list(candidates)
    folded = {name.casefold().replace("-", "_"): name for name in names}
    wanted = word[:64].casefold().replace("-", "_")
    if wanted in folded:
        return folded[wanted]
    import difflib  # for mistakes only

    near = difflib.get_close_matches(wanted, folded, n=1, cutoff=0.6)
    return folded[near[0]] if near else None


@dataclass(slots=True)
class Report:
    """Collects findings; knows the line of every place in the file."""

    lines: Mapping[Path, int] = field(default_factory=dict)
    file: str = ""
    findings: list[Finding] = field(default_factory=list)
    _suggestions: int = 0

    def line_of(self, path: Path) -> int | None:
        """The line of ``path``, else of the nearest table around it that has one."""
        for end in range(len(path), 0, -1):
            if path[:end] in self.lines:
                return self.lines[path[:end]]
        return None

    def add(self, severity: str, path: Path, reason: str, fix: str) -> None:
        self.findings.append(Finding(severity, show_path(path), reason, fix, self.line_of(path), self.file))

    def error(self, path: Path, reason: str, fix: str) -> None:
        self.add(ERROR, path, reason, fix)

    def warning(self, path: Path, reason: str, fix: str) -> None:
        self.add(WARNING, path, reason, fix)

    def note(self, path: Path, reason: str, fix: str) -> None:
        self.add(NOTE, path, reason, fix)

    def suggest(self, word: str, candidates: Iterable[str]) -> str | None:
        self._suggestions += 1
        return suggest(word, candidates) if self._suggestions <= _SUGGESTION_LIMIT else None

    @property
    def failed(self) -> bool:
        return any(f.severity == ERROR for f in self.findings)

    def sorted(self) -> list[Finding]:
        """Own file first and in the order of its lines; findings without a line come last."""
        return sorted(self.findings, key=lambda f: (f.file != self.file, f.line is None, f.line or 0))
