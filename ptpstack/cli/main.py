"""``ptpstack``: one program, one command for each thing a person does."""

from __future__ import annotations

import argparse
import contextlib
import os
import sys
from collections.abc import Sequence

from ptpstack import __version__

EPILOG = """\
examples:
  ptpstack gm -i eth1                    a grandmaster on a NIC of its own
  ptpstack bc -i swp1 -i swp2 -i swp3    a boundary clock on a Linux switch
  ptpstack oc -i eth0 --client-only      an ordinary clock that only follows
  ptpstack run site.toml                 several domains in one process, from a file
  ptpstack check site.toml               everything that is wrong with the file, and how to mend it
  ptpstack status --watch                what the running node is doing
  ptpstack explain                       why it is doing that
  ptpstack lab run hospital --live       a hospital's time network in namespaces on this machine
"""

#: commands that read their own command line, as linuxptp's programs do
LINUXPTP = "linuxptp"
#: modules of ptpstack.cli with ``add_parser``, imported only when their command is used (start-up time is part of
#: the time to the first Announce): command -> (module, one-line help)
COMMANDS: dict[str, tuple[str, str]] = {
    "run": ("run", "run a node from a site file"),
    "gm": ("run", "run a grandmaster"),
    "tc": ("run", "run a transparent clock"),
    "bc": ("run", "run a boundary clock"),
    "oc": ("run", "run an ordinary clock"),
    "check": ("check", "check a site file: every finding with path, reason and fix"),
    "status": ("status", "what the running node is doing"),
    "explain": ("explain", "why ports are in their states, who is grandmaster and why, what is in the way"),
    "performance": ("performance", "what instances have measured, by quarter of an hour (Annex J)"),
    "reference": ("reference", "tell a running grandmaster how its reference is"),
    "pmc": ("pmc", "ask PTP nodes for their data sets, and set them (management messages)"),
    "ptp4l": (LINUXPTP, "run a node as linuxptp's ptp4l: its options, files, socket and log"),
    "phc2sys": (LINUXPTP, "clocks follow clocks, as linuxptp's phc2sys"),
    "ts2phc": (LINUXPTP, "clocks follow a pulse per second, as linuxptp's ts2phc"),
    "phc_ctl": (LINUXPTP, "a clock by hand, as linuxptp's phc_ctl"),
    "hwstamp_ctl": (LINUXPTP, "a NIC's time stamping, as linuxptp's hwstamp_ctl"),
    "install-shims": ("install_shims", "ptp4l, pmc, phc2sys and the others as names of ours in a folder"),
    "apply": ("apply", "change the configuration of a running node, with a way back"),
    "keys": ("keys", "the keys a node signs and verifies with, what they were used for; read the file again"),
    "doctor": ("doctor", "look at this machine and its PTP network the way an expert would"),
    "interfaces": ("interfaces", "network interfaces, their time stamping abilities, and what would be used"),
    "clocks": ("clocks", "the clocks of this machine, what they can do and what they show"),
    "clock": ("clock", "read, set, steer and compare one clock; its inputs, outputs and pins"),
    "profiles": ("profiles", "the PTP profiles that are there"),
    "lab": ("lab", "network-namespace test beds"),
    "simulate": ("simulate", "run scenarios in simulated time and hold the servos against their limits"),
    "replay": ("replay", "replay a recorded trace and compare every decision"),
    "analyze": ("analyze", "time error statistics, deviations, masks and plots of a log, a trace or a table"),
    "decode": ("decode", "every PTP frame of a capture, as a person reads it"),
    "import-linuxptp": ("linuxptp_import", "a site file from ptp4l.conf, with what differs and what was wrong"),
    "export-linuxptp": ("linuxptp_export", "ptp4l.conf from a site file, with what linuxptp cannot be told"),
    "units": ("units", "systemd units: list, print, install"),
}


def _load(module: str, subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    from importlib import import_module

    import_module(f"ptpstack.cli.{module}").add_parser(subparsers)


def build_parser(command: str | None) -> argparse.ArgumentParser:
    """A parser that knows ``command`` in full and the others by name."""
    parser = argparse.ArgumentParser(
        prog="ptpstack",
        description="PTP grandmaster, boundary clock and ordinary clock for Linux (IEEE 1588).",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=f"ptpstack {__version__}")
    subparsers = parser.add_subparsers(dest="command", metavar="COMMAND", required=True)
    if command in COMMANDS:
        _load(COMMANDS[command][0], subparsers)
    else:
        for name, (_, text) in COMMANDS.items():
            subparsers.add_parser(name, help=text)
    return parser


def _joined(arguments: Sequence[str]) -> list[str]:
    """``--phc2sys OPTIONS`` as one word: argparse takes a value that begins with a dash for options of ours."""
    words: list[str] = []
    for word in arguments:
        if words and words[-1] == "--phc2sys":
            words[-1] += f"={word}"
        else:
            words.append(word)
    return words


def main(argv: Sequence[str] | None = None) -> int:
    arguments = list(sys.argv[1:] if argv is None else argv)
    command = next((a for a in arguments if not a.startswith("-")), None)
    if command is not None and command not in COMMANDS:
        import difflib  # for mistakes only

        near = difflib.get_close_matches(command, COMMANDS, 1)
        hint = f"did you mean {near[0]!r}?" if near else "`ptpstack --help` lists them"
        print(f"ptpstack: there is no command {command!r}; {hint}", file=sys.stderr)
        return 2
    foreign = command is not None and COMMANDS[command][0] == LINUXPTP
    try:
        options = None if foreign else build_parser(command).parse_args(_joined(arguments))
    except SystemExit as end:
        # as linuxptp's pmc ends
        if end.code == 2 and command == "pmc" and "--linuxptp" in arguments:
            return 255
        raise
    try:
        if options is None:
            from ptpstack.cli.linuxptp import run

            result = run(str(command), arguments[arguments.index(str(command)) + 1 :])
        else:
            result = options.func(options)
        sys.stdout.flush()
        return result
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:
        # the reader (head, less) has seen enough
        with contextlib.suppress(OSError):
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 141


if __name__ == "__main__":
    sys.exit(main())
