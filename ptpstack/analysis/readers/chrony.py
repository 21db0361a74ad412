"""chrony's tracking.log and statistics.log (columns as in chrony.conf(5), version 4).

tracking.log: column 7 is the estimated offset of the clock (s, positive: fast), column 14 the largest error that chrony
allows for, taken as its bound. statistics.log: column 5 is the estimated offset against one source, one series for each
source; it comes with a standard deviation, which is no bound. Times are UTC, to the second.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, datetime

from ptpstack.analysis.errors import AnalysisError
from ptpstack.analysis.readers.contents import Contents, NotUnderstood, ReadOptions, Samples
from ptpstack.analysis.series import Mark, Series

_LINE = re.compile(r"\s*(\d{4}-\d\d-\d\d) (\d\d:\d\d:\d\d) +(\S+) +(.*)")
#: words of the banner that is repeated in each file
_TRACKING, _STATISTICS = "Freq ppm", "Est offset"
#: fields after the address
_TRACKING_FIELDS, _STATISTICS_FIELDS = 11, 10
_LEAP = "N+-?"


def looks_like(line: str) -> bool:
    return ("IP Address" in line and (_TRACKING in line or _STATISTICS in line)) or _fields(line) is not None


def _fields(line: str) -> tuple[str, str, list[str]] | None:
    """("tracking" or "statistics", address, fields after it) of a line of data."""
    match = _LINE.match(line)
    if match is None:
        return None
    fields = match[4].split()
    # tracking.log alone has the leap status among its fields
    if len(fields) >= _TRACKING_FIELDS - 1 and len(fields[4]) == 1 and fields[4] in _LEAP:
        return "tracking", match[3], fields
    return ("statistics", match[3], fields) if len(fields) >= _STATISTICS_FIELDS - 1 else None


def read(source: str, lines: Iterator[str], options: ReadOptions) -> Contents:
    bad = NotUnderstood()
    found: dict[str, Samples] = {}
    sources: list[Mark] = []
    start: datetime | None = None
    current = ""
    number = 0
    for number, line in enumerate(lines, 1):
        if not line.strip() or line.lstrip().startswith("=") or "IP Address" in line:
            continue
        entry = _fields(line)
        match = _LINE.match(line)
        try:
            if entry is None or match is None:
                raise ValueError(line)
            kind, address, fields = entry
            at = datetime.fromisoformat(f"{match[1]}T{match[2]}").replace(tzinfo=UTC)
            offset_ns = float(fields[3] if kind == "tracking" else fields[1]) * 1e9
            bound_ns = float(fields[10]) * 1e9 if kind == "tracking" and len(fields) > 10 else None
        except ValueError:
            bad.add(number, line)
            continue
        start = start or at
        t_s = (at - start).total_seconds()
        name = "chrony tracking" if kind == "tracking" else f"chrony {address}"
        found.setdefault(name, Samples()).add(t_s, offset_ns, bound_ns)
        if kind == "tracking" and address != current:
            sources.append(Mark(t_s, f"source {address}"))
            current = address
    if not found or start is None:
        raise AnalysisError(f"{source}: no line of tracking.log or statistics.log in {number} lines")
    notes = [
        *bad.notes(number),
        f"times count from {start:%Y-%m-%d %H:%M:%S} UTC and are whole seconds",
        "offsets are chrony's own estimates at its updates, not the true error",
    ]
    series = []
    for name, samples in found.items():
        tracking = name == "chrony tracking"
        events = tuple(sources) if tracking else ()
        bound = samples.bound_ns if tracking else None
        series.append(Series(name, samples.t_s, samples.value_ns, bound, events, "estimated offset"))
    if "chrony tracking" in found:
        notes.append("the bound is chrony's own maximum error since its last update")
    return Contents(source, "chrony", tuple(series), tuple(notes))
