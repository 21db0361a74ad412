"""Columns: CSV with commas, semicolons or tabs, or numbers apart by spaces; with a header, or without.

A header tells what the columns are: one word of each name is looked at (``t_s``, ``true_error_ns``, ``Offset [us]``).
What it does not tell is guessed, and said. Units of a name: s, ms, us, ns, ps; without one, times are seconds and
values ns. Without a header, two or more columns are time and value (and bound), and one is values an interval apart.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from ptpstack.analysis.errors import AnalysisError
from ptpstack.analysis.readers.contents import STDIN, Contents, NotUnderstood, ReadOptions
from ptpstack.analysis.series import Series

UNITS_S = {"s": 1.0, "sec": 1.0, "seconds": 1.0, "ms": 1e-3, "us": 1e-6, "µs": 1e-6, "ns": 1e-9, "ps": 1e-12}
TIME_UNITS_S = UNITS_S | {"min": 60.0, "h": 3600.0, "d": 86400.0, "mjd": 86400.0}
_TIME = {"t", "time", "elapsed", "timestamp", "epoch", "date", "datetime", "mjd", "utc", "tai", "now"}
_VALUE = {"offset", "error", "te", "x", "tie", "phase", "value"}
_BOUND = {"bound", "uncertainty", "maxerror"}
#: words that make another quantity of an offset: an offset's frequency, its deviation
_OTHER = {"freq", "frequency", "delay", "sd", "std", "rate", "ppb", "count"}


@dataclass(slots=True)
class _Column:
    name: str
    index: int
    scale: float


def read(source: str, lines: Iterator[str], options: ReadOptions) -> Contents:
    header, header_is_comment, number, first, lines = _beginning(lines)
    if first is None:
        raise AnalysisError(f"{source}: no line of data: not a single number, and no log or trace that is known")
    separator = _separator(first)
    notes: list[str] = []
    cells = _cells(first, separator)
    names = None if header is None else _cells(header, _separator(header))
    if names is not None and len(names) != len(cells):
        if not header_is_comment:
            notes.append(f"the line before the data has {len(names)} columns, the data {len(cells)}: no header")
        names = None
    time, values, bounds = _columns(source, names, cells, options, notes)
    rows = _Rows(time, values, bounds)
    rows.add(number, first, separator)
    for offset, line in enumerate(lines, 1):
        if line.strip() and not line.lstrip().startswith("#"):
            rows.add(number + offset, line, separator)
    return _contents(source, rows, options, notes)


def _beginning(lines: Iterator[str]) -> tuple[str | None, bool, int, str | None, Iterator[str]]:
    """(header, whether it was a comment, number of the first line of data, that line, the rest)."""
    header: str | None = None
    comment = False
    for number, line in enumerate(lines, 1):
        text = line.strip()
        if not text:
            continue
        if text.startswith("#"):
            # the last comment before the data may be the header
            header, comment = text.lstrip("# ") or header, True
        elif _is_data(text):
            return header, comment, number, line, lines
        else:
            header, comment = text, False
    return header, comment, 0, None, lines


def _is_data(text: str) -> bool:
    """The last cell is a number, or empty beside one: a header ends in a word."""
    return any(_number(cell) is not None for cell in _cells(text, _separator(text)))


def _separator(line: str) -> str | None:
    return next((s for s in (";", "\t", ",") if s in line), None)


def _cells(line: str, separator: str | None) -> list[str]:
    cells = [cell.strip().strip('"') for cell in line.strip().split(separator)]
    # beside semicolons a comma is a decimal point
    return [cell.replace(",", ".") for cell in cells] if separator == ";" else cells


def _number(cell: str) -> float | None:
    try:
        return float(cell)
    except ValueError:
        return None


# ---- which column is what --------------------------------------------------------------------------------------


def _words(name: str) -> list[str]:
    return [word for word in re.split(r"[^0-9a-zµ]+", name.lower()) if word]


def _columns(
    source: str, names: list[str] | None, sample: list[str], options: ReadOptions, notes: list[str]
) -> tuple[_Column | None, list[_Column], dict[int, _Column]]:
    """(time, values, bound of the value at that index). Time is None for values an interval apart."""
    count = len(sample)
    time = _named(source, names, count, options.time_column) if options.time_column else None
    values = [_named(source, names, count, name) for name in options.value_columns]
    bound = _named(source, names, count, options.bound_column) if options.bound_column else None
    if names is None:
        if time is None and count > 1:
            time = 0
        if not values:
            values = [1] if count > 1 and time == 0 else [0]
            if count > 1:
                notes.append("no header: column 1 taken as time, column 2 as value")
        if bound is None and count > 2 and not options.value_columns and not options.time_column:
            notes.append(f"columns from 3 on passed over ({count} in all); --bound-column 3 makes one the bound")
        names = [f"column {k + 1}" for k in range(count)]
    else:
        words = [set(_words(name)) for name in names]
        if time is None:
            time = next((k for k, w in enumerate(words) if w & _TIME and not w & (_VALUE | _BOUND)), None)
        if not values:
            values = [k for k, w in enumerate(words) if w & _VALUE and not w & (_BOUND | _OTHER) and k != time]
        if not values:
            raise AnalysisError(
                f"{source}: which column is the time error? There are {', '.join(names)}: say --value-column NAME"
            )
        if time is None and options.interval_s is None:
            raise AnalysisError(
                f"{source}: which column is the time? There are {', '.join(names)}: say --time-column NAME, or "
                "--interval SECONDS for samples that far apart"
            )
    time_column = None if time is None else _Column(names[time], time, 1.0)
    if time_column is not None:
        unit_notes: list[str] = []
        time_column.scale = _unit(source, time_column.name, options.time_unit, TIME_UNITS_S, "s", "time", unit_notes)
        # a date needs no unit
        notes += [] if _number(sample[time_column.index]) is None else unit_notes
    columns = []
    for index in values:
        scale = _unit(source, names[index], options.value_unit, UNITS_S, "ns", "value", notes) * 1e9
        columns.append(_Column(names[index], index, scale))
    bounds = {}
    for column in columns:
        found = bound if bound is not None else _bound_of(names, column, len(columns))
        if found is not None:
            scale = _unit(source, names[found], options.value_unit, UNITS_S, "ns", "bound", notes) * 1e9
            bounds[column.index] = _Column(names[found], found, scale)
    passed_over = [
        name
        for k, name in enumerate(names)
        if k not in {time, *(c.index for c in columns), *(b.index for b in bounds.values())}
    ]
    if passed_over and options.value_columns == () and not names[0].startswith("column "):
        notes.append(f"columns passed over: {', '.join(passed_over)}")
    return time_column, columns, bounds


def _named(source: str, names: list[str] | None, count: int, wanted: str) -> int:
    if names is not None and wanted in names:
        return names.index(wanted)
    if wanted.isdigit() and 1 <= int(wanted) <= count:
        return int(wanted) - 1
    there = ", ".join(names) if names is not None else f"columns 1 to {count} (no header)"
    raise AnalysisError(f"{source}: there is no column {wanted!r}; there are {there}")


def _bound_of(names: Sequence[str], column: _Column, values: int) -> int | None:
    """The bound that goes with a value: the only one, or the one whose other words are the same."""
    bounds = [k for k, name in enumerate(names) if set(_words(name)) & _BOUND]
    if values == 1 and len(bounds) == 1:
        return bounds[0]
    whose = set(_words(column.name)) - _VALUE - set(UNITS_S)
    same = [k for k in bounds if set(_words(names[k])) - _BOUND - _VALUE - set(UNITS_S) == whose]
    return same[0] if len(same) == 1 else None


def _unit(
    source: str, name: str, said: str | None, units: dict[str, float], default: str, what: str, notes: list[str]
) -> float:
    if said is not None:
        if said not in units:
            raise AnalysisError(f"{source}: there is no unit {said!r} for a {what}; there are {', '.join(units)}")
        return units[said]
    # the last word of a name is its unit, when there is one beside it
    found = next((word for word in reversed(_words(name)) if word in units and (word != "t")), None)
    if found is not None and (len(_words(name)) > 1 or found == "mjd"):
        return units[found]
    note = f"no unit in {name!r}: taken as {default} (--{'time' if what == 'time' else 'value'}-unit says otherwise)"
    if note not in notes:
        notes.append(note)
    return units[default]


# ---- rows ------------------------------------------------------------------------------------------------------


class _Rows:
    def __init__(self, time: _Column | None, values: list[_Column], bounds: dict[int, _Column]) -> None:
        self.time, self.values, self.bounds = time, values, bounds
        self.t: list[float] = []
        self.x: list[list[float]] = [[] for _ in values]
        self.b: list[list[float]] = [[] for _ in values]
        self.lines = 0
        self.bad = NotUnderstood()
        self._base: int | None = None
        self.dates = False

    def add(self, number: int, line: str, separator: str | None) -> None:
        self.lines += 1
        cells = _cells(line, separator)
        try:
            t = float(len(self.t)) if self.time is None else self._time(cells[self.time.index])
            x = [_value(cells[c.index], c.scale) for c in self.values]
            b = [
                _value(cells[self.bounds[c.index].index], self.bounds[c.index].scale) if c.index in self.bounds else 0.0
                for c in self.values
            ]
        except (ValueError, IndexError):
            self.bad.add(number, line)
            return
        self.t.append(t)
        for k in range(len(x)):
            self.x[k].append(x[k])
            self.b[k].append(b[k])

    def _time(self, cell: str) -> float:
        """Seconds from the whole unit of the first time: exact also for a date in ns, which no float holds."""
        whole, point, fraction = cell.partition(".")
        if whole.lstrip("+-").isdigit() and (fraction.isdigit() or not fraction):
            integer = int(whole)
            self._base = integer if self._base is None else self._base
            part = float("0." + fraction) if point and fraction else 0.0
            assert self.time is not None
            return (integer - self._base + (-part if whole.startswith("-") else part)) * self.time.scale
        assert self.time is not None
        if (number := _number(cell)) is not None:
            self._base = 0 if self._base is None else self._base
            return (number - self._base) * self.time.scale
        at = datetime.fromisoformat(cell)
        at = at.replace(tzinfo=UTC) if at.tzinfo is None else at
        microseconds = round((at - datetime(1970, 1, 1, tzinfo=UTC)).total_seconds()) * 10**6 + at.microsecond
        microseconds -= 10**6 if at.microsecond >= 500000 else 0
        self._base = microseconds if self._base is None else self._base
        self.dates = True
        return (microseconds - self._base) / 1e6


def _value(cell: str, scale: float) -> float:
    # an empty cell is a sample that is missing, not a line that is wrong
    return float(cell) * scale if cell else float("nan")


def _contents(source: str, rows: _Rows, options: ReadOptions, notes: list[str]) -> Contents:
    notes += rows.bad.notes(rows.lines)
    if not rows.t:
        raise AnalysisError(f"{source}: none of its {rows.lines} lines could be understood ({rows.bad.example})")
    interval = 1.0 if options.interval_s is None else options.interval_s
    if rows.time is None and options.interval_s is None:
        notes.append("no times: samples taken as 1 s apart (--interval says otherwise)")
    start = next((t for t in rows.t if math.isfinite(t)), 0.0)
    times = [t * interval for t in rows.t] if rows.time is None else [t - start for t in rows.t]
    if rows.time is not None and len(rows.values):
        names = ", ".join(column.name for column in rows.values)
        notes.insert(0, f"time {rows.time.name!r}, time error {names}")
    series = []
    for k, column in enumerate(rows.values):
        if not any(map(math.isfinite, rows.x[k])):
            notes.append(f"column {column.name!r} holds no number: left out")
            continue
        bound = rows.b[k] if column.index in rows.bounds else None
        name = column.name if len(rows.values) > 1 else "standard input" if source == STDIN else Path(source).name
        series.append(Series(name, times, rows.x[k], bound))
    if not series:
        raise AnalysisError(f"{source}: no number in {', '.join(column.name for column in rows.values)}")
    return Contents(source, "csv", tuple(series), tuple(notes))
