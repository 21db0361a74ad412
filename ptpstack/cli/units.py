"""``ptpstack units``: the systemd units that ship with ptpstack."""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path

import ptpstack
from ptpstack.config.data import shipped
from ptpstack.config.findings import suggest

_EPILOG = """\
examples:
  ptpstack units                                     list them
  ptpstack units --print ptpstack.service            show one
  ptpstack units --install /etc/systemd/system       write them there; then: systemctl daemon-reload

Printed and installed units start the very ptpstack that writes them, by its absolute path.
"""

#: what a shipped unit starts; a package that installs into /usr/bin may leave it so
_PLACEHOLDER = "/usr/bin/env ptpstack"
#: directories that ProtectHome=yes and PrivateTmp=yes hide from the service
_HIDDEN = ("/home", "/root", "/run/user", "/tmp", "/var/tmp")


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = subparsers.add_parser(
        "units",
        help="list, print or install the systemd units",
        description="List, print or install the systemd units. Starts and enables nothing.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    choice = parser.add_mutually_exclusive_group()
    choice.add_argument("--print", metavar="NAME", help="write one unit to stdout")
    choice.add_argument("--install", metavar="DIR", help="write all units into an existing directory")
    parser.add_argument("--force", action="store_true", help="with --install: replace units that differ")
    parser.set_defaults(func=run)


def _fail(message: str) -> int:
    print(f"ptpstack units: {message}", file=sys.stderr)
    return 1


def _executable() -> str:
    """How to start this very ptpstack, as words of a unit's ExecStart=."""
    called = os.path.abspath(sys.argv[0]) if os.path.basename(sys.argv[0]) == "ptpstack" else ""
    # not resolved: a virtual environment's interpreter is a link out of it
    beside = os.path.join(os.path.dirname(os.path.abspath(sys.executable)), "ptpstack")
    for path in (called, beside):
        if path and os.path.isfile(path) and os.access(path, os.X_OK):
            return _quoted(path)
    return f"{_quoted(os.path.abspath(sys.executable))} -m ptpstack"


def _quoted(path: str) -> str:
    text = path.replace("\\", "\\\\").replace('"', '\\"').replace("%", "%%").replace("$", "$$")
    return f'"{text}"' if any(c.isspace() or c in "\\\"';" for c in path) else text


def _hidden() -> str:
    """A place that the service needs and would not see, or ""."""
    for path in (os.path.abspath(sys.executable), os.path.abspath(ptpstack.__file__)):
        if any(os.path.realpath(path).startswith(f"{d}/") or path.startswith(f"{d}/") for d in _HIDDEN):
            return path
    return ""


def _install(units: dict[str, str], folder: Path, force: bool) -> int:
    if not folder.is_dir():
        return _fail(f"{folder} is not a directory; create it, or give another")
    try:
        # All or nothing: look at every file before the first is written.
        differing = [
            name
            for name, unit in units.items()
            if (folder / name).exists() and (folder / name).read_bytes() != unit.encode()
        ]
        if differing and not force:
            return _fail(
                f"{', '.join(differing)} in {folder} differ from what would be written; "
                "nothing was changed. Move your changes to a drop-in (systemctl edit), or use --force"
            )
        for name, unit in units.items():
            temporary = folder / f".{name}.{os.getpid()}"
            try:
                temporary.write_text(unit, encoding="utf-8")
                temporary.chmod(0o644)
                temporary.replace(folder / name)
            finally:
                temporary.unlink(missing_ok=True)
            print(folder / name)
    except OSError as error:
        return _fail(f"{error.filename or folder}: {error.strerror}; check permissions and space")
    hidden = _hidden()
    if hidden:
        print(
            f"ptpstack units: warning: {hidden} lies where ProtectHome=yes or PrivateTmp=yes hide it from the service; "
            "install ptpstack elsewhere (python3 -m venv /opt/ptpstack, then its bin/pip install), or relax that in a "
            "drop-in (systemctl edit)",
            file=sys.stderr,
        )
    return 0


def run(args: argparse.Namespace) -> int:
    """Exit status: 0 done, 1 not done (stderr says why)."""
    executable = _executable()
    units = {
        name: unit.read_text(encoding="utf-8").replace(_PLACEHOLDER, executable)
        for name, unit in shipped("systemd", ".service").items()
    }
    if not units:
        return _fail("this installation lacks its units; install ptpstack from its wheel, or run from a checkout")
    if args.install is not None:
        return _install(units, Path(args.install), args.force)
    if args.print is None:
        print("\n".join(units))
        return 0
    if args.print not in units:
        near = suggest(args.print, units)
        hint = f'did you mean "{near}"?' if near else "there are: " + ", ".join(units)
        return _fail(f"there is no unit {args.print!r}; {hint}")
    print(units[args.print], end="")
    return 0
