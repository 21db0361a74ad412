"""The run directory: sockets, logs and a record of what was started, so that the next run can sweep after a dead one.

Layout of ``ptpstack-lab-<pid>-<start time>/`` (mode 0700): ``run.json`` (who runs it), ``processes.jsonl`` (what it
started, one line each), then one log and one control socket for each node.
"""

from __future__ import annotations

import json
import os
import shutil
import stat
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ptpstack.lab import linux
from ptpstack.lab.errors import LabError

#: every process of a lab carries this variable with the lab's id.
MARKER = "PTPSTACK_LAB"
_PREFIX = "ptpstack-lab-"
#: sun_path has 108 octets including the terminating zero (unix(7)).
_SOCKET_PATH_LIMIT = 107


def base_directories() -> list[Path]:
    """Where run directories may lie, best first: $XDG_RUNTIME_DIR, /run (when writable), the temporary directory."""
    candidates = [Path(os.environ["XDG_RUNTIME_DIR"])] if os.environ.get("XDG_RUNTIME_DIR") else []
    candidates += [Path("/run"), Path(tempfile.gettempdir())]
    return [path for path in dict.fromkeys(candidates) if path.is_dir() and os.access(path, os.W_OK | os.X_OK)]


@dataclass(frozen=True, slots=True)
class RunDirectory:
    """An open run directory. ``lab_id`` is the value of the marker variable."""

    path: Path
    lab_id: str

    @classmethod
    def create(cls, base: Path | None = None) -> RunDirectory:
        pid = os.getpid()
        started = linux.start_time(pid)
        bases = [base] if base is not None else base_directories()
        if not bases:
            raise LabError(
                "no directory for the lab's sockets and logs: $XDG_RUNTIME_DIR, /run and the temporary directory are "
                "not writable. Set XDG_RUNTIME_DIR to a directory of yours"
            )
        # several labs after one another in one process (tests) need names of their own
        for number in range(1000):
            lab_id = f"{pid}-{started}" + (f"-{number}" if number else "")
            path = bases[0] / f"{_PREFIX}{lab_id}"
            try:
                path.mkdir(mode=0o700)
            except FileExistsError:
                continue
            except OSError as error:
                raise LabError(f"cannot make the run directory {path}: {error}. Set XDG_RUNTIME_DIR") from error
            record = {"lab": lab_id, "pid": pid, "start_time": started, "boot": linux.boot_id()}
            (path / "run.json").write_text(json.dumps(record) + "\n")
            return cls(path, lab_id)
        raise LabError(
            f"{bases[0]} already holds 1000 run directories of this process; remove them with `ptpstack lab sweep`"
        )

    def record_process(self, name: str, pid: int) -> None:
        entry = {"name": name, "pid": pid, "start_time": linux.start_time(pid)}
        with (self.path / "processes.jsonl").open("a") as out:
            out.write(json.dumps(entry) + "\n")

    def socket(self, node: str) -> Path:
        path = self.path / f"{node}.sock"
        if len(os.fsencode(path)) > _SOCKET_PATH_LIMIT:
            raise LabError(
                f"the control socket's path {path} has more than {_SOCKET_PATH_LIMIT} octets, the limit of Unix "
                "sockets. Set XDG_RUNTIME_DIR to a shorter directory or shorten the node's label"
            )
        return path

    def log(self, node: str) -> Path:
        return self.path / f"{node}.log"

    def remove(self) -> None:
        shutil.rmtree(self.path, ignore_errors=True)


@dataclass(frozen=True, slots=True)
class Swept:
    """What a sweep removed: the dead runner's directory and the processes that had outlived it."""

    directory: Path
    processes: tuple[str, ...]

    def __str__(self) -> str:
        killed = f", killed {', '.join(self.processes)}" if self.processes else ", no process was left"
        return f"swept {self.directory} of a runner that is dead{killed}"


def sweep(bases: list[Path] | None = None) -> list[Swept]:
    """Remove what dead runners of this user left: processes with their marker, then the directory.

    A directory whose runner lives, belongs to somebody else, or has no readable record is left alone.
    """
    swept = []
    for base in base_directories() if bases is None else bases:
        for path in sorted(base.glob(f"{_PREFIX}*")):
            record = _record_of(path)
            if record is None or _alive(record):
                continue
            killed = _kill_marked(str(record["lab"]))
            shutil.rmtree(path, ignore_errors=True)
            swept.append(Swept(path, tuple(killed)))
    return swept


def marked_processes(lab_id: str | None = None) -> Iterator[tuple[int, int]]:
    """(pid, start time) of the processes that carry the marker; of one lab, or of any."""
    for entry in os.listdir("/proc"):
        if not entry.isdigit():
            continue
        value = linux.environment_of(int(entry)).get(MARKER)
        if value is None or (lab_id is not None and value != lab_id):
            continue
        started = linux.start_time(int(entry))
        if started is not None:
            yield int(entry), started


def _record_of(path: Path) -> dict[str, Any] | None:
    try:
        info = path.lstat()
        if not stat.S_ISDIR(info.st_mode) or info.st_uid != os.geteuid():
            return None
        record = json.loads((path / "run.json").read_text())
    except (OSError, ValueError):
        return None
    # the directory's name must agree with its record: a copied or made-up record must not aim the sweep elsewhere
    if not isinstance(record, dict) or path.name != f"{_PREFIX}{record.get('lab')}":
        return None
    return record if isinstance(record.get("pid"), int) else None


def _alive(record: dict[str, Any]) -> bool:
    return record.get("boot") == linux.boot_id() and linux.start_time(record["pid"]) == record.get("start_time")


def _kill_marked(lab_id: str) -> list[str]:
    return [
        f"pid {pid}"
        for pid, started in list(marked_processes(lab_id))
        if pid != os.getpid() and linux.kill_exactly(pid, started, (MARKER, lab_id))
    ]
