"""Which kind of file is this?"""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable, Iterator

from ptpstack.analysis.errors import AnalysisError
from ptpstack.analysis.readers import chrony, linuxptp, table, trace
from ptpstack.analysis.readers.contents import STDIN, Contents, ReadOptions, open_text

#: how the log of a ptpstack node says what it is
_JOURNAL = re.compile(r"(<\d>)?(\d\d:\d\d:\d\d\.\d{3} )?ptpstack \d[\w.]*, node ")
#: lines that are looked at to find out
_HEAD = 200

Reader = Callable[[str, Iterator[str], ReadOptions], Contents]

#: format -> (reader of lines, what it is). A trace is read by its own function.
FORMATS: dict[str, tuple[Reader | None, str]] = {
    "csv": (table.read, "columns: time, offset or error, perhaps a bound"),
    "linuxptp": (linuxptp.read, "log of ptp4l, phc2sys or ts2phc"),
    "chrony": (chrony.read, "chrony's tracking.log or statistics.log"),
    "trace": (None, "what `ptpstack run --record` wrote"),
}


def read(source: str, options: ReadOptions) -> Contents:
    """The series of a file (``-``: standard input). AnalysisError when there are none, or it cannot be read."""
    if options.format is not None and options.format not in FORMATS:
        raise AnalysisError(f"there is no format {options.format!r}; there are {', '.join(FORMATS)}")
    with open_text(source) as stream:
        head = list(itertools.islice(stream, _HEAD))
        kind = options.format or _kind(source, head)
        if kind != "trace":
            reader = FORMATS[kind][0]
            assert reader is not None
            return reader(source, itertools.chain(head, stream), options)
    if source == STDIN:
        raise AnalysisError("a trace is read from a file, not from standard input")
    return trace.read(source)


def _kind(source: str, head: list[str]) -> str:
    first = next((line.strip() for line in head if line.strip()), "")
    if not first:
        raise AnalysisError(f"{source}: it is empty")
    if first.startswith('["ptpstack-trace"'):
        return "trace"
    if first.startswith("{"):
        raise AnalysisError(_json(source, "".join(head)))
    if any(_JOURNAL.match(line) for line in head):
        raise AnalysisError(
            f"{source}: the log of a ptpstack node tells events and no offsets; record the node (`ptpstack run SITE "
            "--record FILE`) and analyse the trace"
        )
    if any(linuxptp.looks_like(line) for line in head):
        return "linuxptp"
    if any(chrony.looks_like(line) for line in head):
        return "chrony"
    return "csv"


def _json(source: str, text: str) -> str:
    if "ptpstack-lab-report" in text:
        return (
            f"{source}: a lab report holds statistics, not the samples they were made of. Analyse what the nodes "
            "wrote: `ptpstack lab run NAME --keep-logs DIR`, then the ptp4l logs in DIR; or record a node with --record"
        )
    return f"{source}: JSON without a series. `ptpstack analyze` reads {', '.join(FORMATS)}"
