"""What every reader is given and gives back."""

from __future__ import annotations

import gzip
import io
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

from ptpstack.analysis.errors import AnalysisError
from ptpstack.analysis.series import Series

#: name on the command line for standard input
STDIN = "-"
_GZIP = b"\x1f\x8b"


@dataclass(frozen=True, slots=True)
class ReadOptions:
    """What the user says of a file; None: find out."""

    format: str | None = None
    #: a column's name, or its number from 1
    time_column: str | None = None
    value_columns: tuple[str, ...] = ()
    bound_column: str | None = None
    time_unit: str | None = None
    value_unit: str | None = None
    #: for files without times
    interval_s: float | None = None


@dataclass(frozen=True, slots=True)
class Contents:
    """The series of one file. ``notes``: what was assumed and what was not understood."""

    source: str
    format: str
    series: tuple[Series, ...]
    notes: tuple[str, ...] = ()


@dataclass(slots=True)
class NotUnderstood:
    """Counts lines that a reader could not make sense of, and keeps the first as an example."""

    count: int = 0
    example: str = ""

    def add(self, number: int, line: str) -> None:
        self.count += 1
        if not self.example:
            # as text that does nothing to a terminal
            text = "".join(c if c.isprintable() else "?" for c in line.strip())
            self.example = f"line {number}: {text if len(text) <= 60 else text[:57] + '...'}"

    def notes(self, of: int) -> list[str]:
        if not self.count:
            return []
        return [f"{self.count} of {of} lines not understood and left out (the first: {self.example})"]


@dataclass(slots=True)
class Samples:
    """A series while it is being read."""

    t_s: list[float] = field(default_factory=list)
    value_ns: list[float] = field(default_factory=list)
    bound_ns: list[float] = field(default_factory=list)

    def add(self, t_s: float, value_ns: float, bound_ns: float | None = None) -> None:
        self.t_s.append(t_s)
        self.value_ns.append(value_ns)
        self.bound_ns.append(float("nan") if bound_ns is None else bound_ns)


@contextmanager
def open_text(source: str) -> Iterator[IO[str]]:
    """A text stream: a file, a compressed file, or standard input. AnalysisError when it cannot be read."""
    try:
        if source == STDIN:
            yield sys.stdin
            return
        with Path(source).open("rb") as raw:
            packed = raw.peek(2)[:2] == _GZIP
            # what is no UTF-8 is shown, not refused: a log may hold anything
            with io.TextIOWrapper(
                gzip.GzipFile(fileobj=raw) if packed else raw, encoding="utf-8-sig", errors="backslashreplace"
            ) as text:
                yield text
    except (OSError, EOFError) as error:
        raise AnalysisError(f"{source}: {getattr(error, 'strerror', None) or error}") from error
