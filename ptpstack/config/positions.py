"""Where each key of a TOML document stands: tomllib gives values without lines, people need lines.

Only for text that tomllib has accepted: the scanner checks no rule of TOML 1.0, it follows them. Whatever it cannot
follow makes it give up with an empty answer, since a missing line is better than a wrong one.
"""

from __future__ import annotations

import re
import tomllib

from ptpstack.config.findings import Path

_BLANK = re.compile(r"(?:[ \t\r\n]|#[^\n]*)*")
_SPACE = re.compile(r"[ \t]*")
_BARE = re.compile(r"[A-Za-z0-9_-]+")
#: longest first; up to two quotes may stand before the closing three of a multi-line string.
_STRING = re.compile(
    r'"""(?:[^\\]|\\.)*?"""(?:"{0,2})' r"|'''.*?'''(?:'{0,2})" r'|"(?:[^"\\\n]|\\.)*"' r"|'[^'\n]*'",
    re.DOTALL,
)
_SCALAR = re.compile(r"\d{4}-\d\d-\d\d [0-9:][^\s,\]}#]*|[^\s,\]}#]+")


#: A site file nests six deep. Each place costs time and memory by its depth, so a hostile file must not go on for ever.
MAX_DEPTH = 64


class _LostError(Exception):
    pass


class _Scanner:
    def __init__(self, text: str) -> None:
        self.text = text
        self.at = 0
        self.line = 1
        self.found: dict[Path, int] = {}
        self.array_lengths: dict[Path, int] = {}

    def take(self, pattern: re.Pattern[str]) -> str:
        match = pattern.match(self.text, self.at)
        if match is None:
            raise _LostError
        self.at = match.end()
        text = match.group()
        self.line += text.count("\n")
        return text

    def peek(self, what: str) -> bool:
        return self.text.startswith(what, self.at)

    def expect(self, what: str) -> None:
        if not self.peek(what):
            raise _LostError
        self.at += len(what)

    def keys(self) -> list[str]:
        """A dotted key, such as ``a."b c".d``."""
        names: list[str] = []
        while True:
            self.take(_SPACE)
            if self.peek('"') or self.peek("'"):
                names.append(str(tomllib.loads(f"k = {self.take(_STRING)}")["k"]))
            else:
                names.append(self.take(_BARE))
            self.take(_SPACE)
            if not self.peek("."):
                return names
            self.at += 1

    def mark(self, path: Path, line: int) -> None:
        if len(path) > MAX_DEPTH:
            raise _LostError
        for end in range(1, len(path) + 1):
            self.found.setdefault(path[:end], line)

    def walk(self, names: list[str]) -> Path:
        """The path that a header means now: in an array of tables, its newest element."""
        path: Path = ()
        for name in names:
            path += (name,)
            if path in self.array_lengths:
                path += (self.array_lengths[path] - 1,)
        return path

    def header(self) -> Path:
        line = self.line
        if self.peek("[["):
            self.at += 2
            names = self.keys()
            self.expect("]]")
            array = (*self.walk(names[:-1]), names[-1])
            index = self.array_lengths.get(array, 0)
            self.array_lengths[array] = index + 1
            path: Path = (*array, index)
        else:
            self.at += 1
            path = self.walk(self.keys())
            self.expect("]")
        self.mark(path, line)
        return path

    def pair(self, prefix: Path) -> None:
        line = self.line
        path = prefix + tuple(self.keys())
        self.mark(path, line)
        self.expect("=")
        self.value(path)

    def value(self, path: Path) -> None:
        self.take(_SPACE)
        if self.peek("["):
            self.at += 1
            index = 0
            while True:
                self.take(_BLANK)
                if self.peek("]"):
                    self.at += 1
                    return
                self.mark((*path, index), self.line)
                self.value((*path, index))
                index += 1
                self.take(_BLANK)
                if self.peek(","):
                    self.at += 1
        elif self.peek("{"):
            self.at += 1
            while True:
                self.take(_SPACE)
                if self.peek("}"):
                    self.at += 1
                    return
                self.pair(path)
                self.take(_SPACE)
                if self.peek(","):
                    self.at += 1
        elif self.peek('"') or self.peek("'"):
            self.take(_STRING)
        else:
            self.take(_SCALAR)

    def document(self) -> dict[Path, int]:
        prefix: Path = ()
        while True:
            self.take(_BLANK)
            if self.at == len(self.text):
                return self.found
            if self.peek("["):
                prefix = self.header()
            else:
                self.pair(prefix)


def line_numbers(text: str) -> dict[Path, int]:
    """Line (from 1) of every table, key and array element in ``text``; {} when the text cannot be followed."""
    try:
        return _Scanner(text).document()
    except (_LostError, RecursionError, tomllib.TOMLDecodeError):
        return {}
