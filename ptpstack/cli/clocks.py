"""``ptpstack clocks``: every clock of this machine, what it can do and what it shows."""

from __future__ import annotations

import argparse
import json
import sys
import time
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ptpstack.clocks.survey import ClockReport

_EPILOG = """\
examples:
  ptpstack clocks                     the system clock and every PTP hardware clock
  ptpstack clocks --watch             again every second, until Ctrl-C
  ptpstack clocks --json | jq '.[] | {name, offset_ns, bound_ns}'

OFFSET is the clock minus the system clock, both as PTP time (TAI), with the bound of the reading and how it was taken:
precise (the hardware's own cross time stamp), extended, offset or sandwich (the system clock read round it, closer or
wider). Steers nothing. `ptpstack clock --help`: one clock, by hand.
"""


def add_parser(subparsers: argparse._SubParsersAction[Any]) -> None:
    parser = subparsers.add_parser(
        "clocks",
        help="the clocks of this machine, what they can do and what they show",
        description="Lists the system clock and all PTP hardware clocks: interfaces, abilities, time, offset against "
        "the system clock with its bound, frequency, and who may steer or does.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--watch", nargs="?", type=seconds, const=1.0, metavar="SECONDS", help="again and again")
    parser.add_argument("--json", action="store_true", help="machine-readable output (with --watch: one list per line)")
    parser.set_defaults(func=run)


def seconds(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not 0.05 <= value <= 86_400.0:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number of seconds from 0.05 to 86400")
    return value


def run(args: argparse.Namespace) -> int:
    """0; 1 when a clock that is there could not be read (its note says why)."""
    while True:
        reports, steered_by = look()
        if args.json:
            rows = [report.as_dict() | {"steered_by": steered_by.get(report.name)} for report in reports]
            print(json.dumps(rows, indent=None if args.watch else 2), flush=True)
        else:
            if args.watch and sys.stdout.isatty():
                print("\x1b[H\x1b[2J", end="")
            print("\n".join(render(reports, steered_by)), flush=True)
        if args.watch is None:
            return int(any(report.time_sns is None for report in reports))
        time.sleep(args.watch)


def look() -> tuple[list[ClockReport], dict[str, str]]:
    """All clocks, and who steers which as far as a running node tells."""
    from ptpstack.clocks.survey import survey
    from ptpstack.timebase.leap import LeapTable

    return survey(LeapTable.find(), _interfaces()), _steered_by()


def _interfaces() -> dict[int, list[str]]:
    """The interfaces of each PHC: the driver's word, which knows PHYs and switches too."""
    from ptpstack.net.abilities import query
    from ptpstack.net.interfaces import interface_names

    found: dict[int, list[str]] = {}
    for name in interface_names():
        index = query(name).phc_index
        if index >= 0:
            found.setdefault(index, []).append(name)
    return found


def _steered_by() -> dict[str, str]:
    from ptpstack.node.client import ControlClient, ControlUnavailable, default_socket

    try:
        with ControlClient(default_socket()) as client:
            status = client.request("status")
        return {clock["device"]: f"ptpstack {clock['steered_by']}" for clock in status["clocks"] if clock["steered_by"]}
    except (ControlUnavailable, ValueError, KeyError, TypeError):
        return {}  # no node, or one that does not tell


def render(reports: list[ClockReport], steered_by: dict[str, str]) -> list[str]:
    """A table; below it what to know about each clock."""
    from ptpstack.timebase.scales import format_ptp
    from ptpstack.timebase.units import format_ns

    rows = [("CLOCK", "DRIVER", "INTERFACES", "TIME", "OFFSET", "BY", "FREQUENCY", "CAN", "STEERED BY")]
    notes = []
    for report in reports:
        offset = "-"
        if report.offset_ns is not None and report.bound_ns is not None:
            offset = f"{format_ns(report.offset_ns)} ±{format_ns(report.bound_ns).lstrip('+')}"
        by = steered_by.get(report.name) or ("nobody known" if report.steerable else "-")
        rows.append(
            (
                report.name,
                report.driver,
                ",".join(report.interfaces) or "-",
                "-" if report.time_sns is None else format_ptp(report.time_sns >> 16, 6),
                offset,
                report.method or "-",
                "-" if report.frequency_ppb is None else f"{report.frequency_ppb:+.1f} ppb",
                _abilities(report),
                by,
            )
        )
        if not report.steerable:
            notes.append(f"{report.name}: you cannot steer it: {report.why_not}")
        notes += [f"{report.name}: {note}" for note in report.notes]
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]
    return lines + (["", *notes] if notes else [])


def _abilities(report: ClockReport) -> str:
    """``±62.5 ppm, 2 in, 2 out, 4 pins, pps, phase``."""
    caps = report.capabilities
    if caps is None:
        return "-"
    words = [f"±{caps.max_adjustment_ppb / 1000:g} ppm" if caps.max_adjustment_ppb else "read only"]
    words += [f"{n} {word}" for n, word in ((caps.external_timestamps, "in"), (caps.periodic_outputs, "out")) if n]
    words += [f"{caps.pins} pins"] if caps.pins else []
    words += [word for has, word in ((caps.pps, "pps"), (caps.adjust_phase, "phase")) if has]
    words += [f"vclocks {','.join(map(str, report.virtual_clocks))}"] if report.virtual_clocks else []
    return ", ".join(words)
