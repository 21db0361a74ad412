"""Files that traces lie in: plain, or compressed when the name ends in ``.gz``."""

from __future__ import annotations

import errno
import gzip
import io
import os
from typing import IO

#: traces of former runs that are kept beside the present one
KEPT = 9


def open_for_writing(path: str) -> IO[str]:
    """A new trace file; line by line, so that little is lost when the process dies.

    What ``path`` holds already is overwritten: see ``move_aside``. OSError when it cannot be written, or is no file.
    """
    if os.path.exists(path) and not os.path.isfile(path):
        # a pipe without a reader would make everything wait
        raise FileExistsError(errno.EEXIST, "it exists and is not a file", path)
    if path.endswith(".gz"):
        return io.TextIOWrapper(gzip.open(path, "wb"), encoding="ascii")
    return open(path, "w", encoding="ascii", buffering=1)


def move_aside(path: str) -> str:
    """Rename a trace that lies at ``path`` already (``x.trace`` to ``x.trace.1``, ``x.gz`` to ``x.1.gz``), and older
    ones by one number each, so that ``KEPT`` of them stay. Returns its new name, "" when there was nothing to keep.

    OSError when it cannot be renamed: then nothing was overwritten.
    """
    if not os.path.isfile(path) or os.path.getsize(path) == 0:
        return ""
    stem, suffix = (path[:-3], ".gz") if path.endswith(".gz") else (path, "")
    names = [path, *(f"{stem}.{number}{suffix}" for number in range(1, KEPT + 1))]
    free = next((n for n, name in enumerate(names) if not os.path.lexists(name)), KEPT)
    for number in range(free, 0, -1):
        os.replace(names[number - 1], names[number])
    return names[1]


def open_for_reading(path: str) -> IO[str]:
    if path.endswith(".gz"):
        return io.TextIOWrapper(gzip.open(path, "rb"), encoding="ascii")
    return open(path, encoding="ascii")
