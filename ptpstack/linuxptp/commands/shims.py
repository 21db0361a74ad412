"""Small programs with linuxptp's names that call ours: who has their folder first in PATH runs ptpstack."""

from __future__ import annotations

import contextlib
import os
import shlex
import sys
from pathlib import Path
from typing import NamedTuple

NAMES = ("ptp4l", "pmc", "phc2sys", "ts2phc", "phc_ctl", "hwstamp_ctl")
#: where the name alone would not do
_COMMANDS = {"pmc": "pmc --linuxptp"}
#: in the second line of every shim: what may be replaced and removed
MARK = "# ptpstack shim"


class Done(NamedTuple):
    """What became of one name: ``installed``, ``updated``, ``unchanged``, ``removed``, ``absent`` or ``refused``."""

    path: str
    what: str
    why: str = ""


def script(name: str) -> str:
    """What stands in the shim ``name``. It runs with this interpreter, wherever it is called from."""
    command = f"{shlex.quote(sys.executable)} -P -m ptpstack {_COMMANDS.get(name, name)}"
    return f'#!/bin/sh\n{MARK}: {name} runs ptpstack; made by ptpstack install-shims\nexec {command} "$@"\n'


def install(folder: str) -> list[Done]:
    """Make them, and the folder. What is there and is none of ours stays. OSError when the folder cannot be made."""
    os.makedirs(folder, mode=0o755, exist_ok=True)
    return [_install(Path(folder, name), script(name)) for name in NAMES]


def _install(path: Path, text: str) -> Done:
    before = _ours(path)
    if before is None:
        return Done(str(path), "refused", "something else is there; move it away, or choose another folder")
    if before == text and os.access(path, os.X_OK):
        return Done(str(path), "unchanged")
    fresh = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        # whoever calls it meanwhile finds the old one or the new one, never half of it
        fresh.write_text(text)
        fresh.chmod(0o755)
        fresh.replace(path)
    except OSError as error:
        with contextlib.suppress(OSError):
            fresh.unlink()
        return Done(str(path), "refused", error.strerror or str(error))
    return Done(str(path), "updated" if before else "installed")


def remove(folder: str) -> list[Done]:
    """Remove those that are ours, and the folder when nothing else is in it."""
    done = [_remove(Path(folder, name)) for name in NAMES]
    with contextlib.suppress(OSError):
        os.rmdir(folder)
    return done


def _remove(path: Path) -> Done:
    before = _ours(path)
    if before is None:
        return Done(str(path), "refused", "it is none of ours")
    if not before:
        return Done(str(path), "absent")
    try:
        path.unlink()
    except OSError as error:
        return Done(str(path), "refused", error.strerror or str(error))
    return Done(str(path), "removed")


def _ours(path: Path) -> str | None:
    """What stands in a shim of ours; "" when nothing is there; None when something else is."""
    if not os.path.lexists(path):
        return ""
    if path.is_symlink() or not path.is_file():
        return None
    try:
        text = path.read_text(errors="replace")
    except OSError:
        return None
    return text if text.startswith(f"#!/bin/sh\n{MARK}: ") else None
