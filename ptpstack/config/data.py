"""Files that ship with ptpstack: found in an installed wheel and in a source checkout alike, read with a limit."""

from __future__ import annotations

import os
import re
import stat
import tomllib
from collections.abc import Callable
from pathlib import Path as FilePath
from typing import TYPE_CHECKING, Any

from ptpstack.config.findings import ERROR, Finding, Report, UnreadableError, show
from ptpstack.config.positions import line_numbers

if TYPE_CHECKING:
    from importlib.resources.abc import Traversable

#: A site of 64 instances with 64 ports each, every key given, is below this.
MAX_FILE = 1 << 20

#: directory in the wheel (ptpstack/_data/...) -> directory in a checkout
_CHECKOUT = {"profiles": "profiles", "systemd": "packaging"}

_POSITION = re.compile(r"\s*\(at line (\d+), column (\d+)\)")


def shipped(kind: str, suffix: str) -> dict[str, Traversable]:
    """The shipped files of ``kind`` (``profiles``, ``systemd``) by name; {} when the installation lacks them."""
    package: Traversable = FilePath(__file__).parents[1]
    if not package.is_dir():
        # imported from an archive; only then worth its import, which costs more than reading all profiles
        from importlib.resources import files

        package = files("ptpstack")
    folder = package.joinpath("_data", kind)
    if not folder.is_dir():
        folder = FilePath(str(package)).parent / _CHECKOUT[kind]
    if not folder.is_dir():
        return {}
    found = {entry.name: entry for entry in folder.iterdir() if entry.name.endswith(suffix) and entry.is_file()}
    return dict(sorted(found.items()))


def read_file(
    path: str | os.PathLike[str], refused: Callable[[os.stat_result], tuple[str, str] | None] | None = None
) -> bytes:
    """The octets of a regular file of at most MAX_FILE; UnreadableError otherwise.

    ``refused`` looks at the open file and may say (why it will not do, what to do).
    """
    name = os.fspath(path)

    def refuse(reason: str, fix: str) -> UnreadableError:
        return UnreadableError([Finding(ERROR, "", reason, fix)], show(name).strip('"'))

    try:
        # Not blocking: opening a FIFO by mistake must not hang.
        descriptor = os.open(name, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise refuse(f"cannot be read: {reason}", "give the path of an existing, readable file") from None
    found = os.fstat(descriptor)
    objection = None if refused is None else refused(found)
    if not stat.S_ISREG(found.st_mode):
        objection = ("is not a regular file", "give the path of a text file")
    if objection is not None:
        os.close(descriptor)
        raise refuse(*objection)
    with os.fdopen(descriptor, "rb") as stream:
        try:
            octets = stream.read(MAX_FILE + 1)
        except OSError as error:
            raise refuse(f"cannot be read: {error.strerror}", "check the file system") from None
    if len(octets) > MAX_FILE:
        raise refuse(f"is larger than {MAX_FILE} octets", "split it, or check that it is the right file")
    return octets


def parse_toml(octets: bytes, report: Report) -> dict[str, Any] | None:
    """The document, and its line numbers into ``report``; None after a finding about its syntax."""
    try:
        text = octets.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = octets.count(b"\n", 0, error.start) + 1
        report.findings.append(
            Finding(ERROR, "", f"octet {error.start} is not UTF-8", "save the file as UTF-8", line, report.file)
        )
        return None
    try:
        document = tomllib.loads(text)
    except RecursionError:
        reason, line = "arrays or tables are nested too deeply", 0
    except ValueError as error:  # TOMLDecodeError, and int() on a number of thousands of digits
        message = str(error)
        position = _POSITION.search(message)
        line = int(position[1]) if position else (text.count("\n") + 1 if "end of document" in message else 0)
        column = f", column {position[2]}" if position else ""
        reason = f"not TOML{column}: {_POSITION.sub('', message)}"
    else:
        report.lines = line_numbers(text.replace("\r\n", "\n"))
        return document
    fix = "correct the syntax there (https://toml.io/en/v1.0.0); text goes in quotes, one key to a line"
    report.findings.append(Finding(ERROR, "", reason, fix, line or None, report.file))
    return None
