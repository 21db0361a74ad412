"""``ptpstack interfaces``: every interface, what it can do, and what ptpstack would use and why."""

from __future__ import annotations

import argparse
import json
import sys
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ptpstack.net.interfaces import InterfaceReport

_EPILOG = """\
examples:
  ptpstack interfaces                 all interfaces
  ptpstack interfaces eth1 eth2       only these
  ptpstack interfaces --json eth1     the same facts for programs

Changes nothing and needs no privilege. What the NIC is set to at present is shown where the driver tells.
"""


def add_parser(subparsers: argparse._SubParsersAction[Any]) -> None:
    parser = subparsers.add_parser(
        "interfaces",
        help="network interfaces, their time stamping, and what ptpstack would use",
        description="Lists network interfaces: addresses, link, time stamping, PTP hardware clock, and which time "
        "stamps ptpstack would use on each, with the reason.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("names", nargs="*", metavar="NAME", help="only these interfaces")
    parser.add_argument("--json", action="store_true", help="machine-readable output")
    parser.set_defaults(func=run)


def run(args: argparse.Namespace) -> int:
    """0, or 1 when an interface that was asked for cannot be shown (the others are shown)."""
    from ptpstack.net.interfaces import report, report_all

    reports: list[InterfaceReport] = []
    problems: list[str] = []
    try:
        if args.names:
            for name in args.names:
                try:
                    reports.append(report(name))
                except OSError as error:
                    problems.append(error.strerror or f"{name}: {error}")
        else:
            reports = report_all()
    finally:
        for problem in problems:
            print(f"ptpstack interfaces: {problem}", file=sys.stderr)
    if args.json:
        print(json.dumps([entry.as_dict() for entry in reports], indent=2))
    else:
        for line in render(reports):
            print(line)
    return 1 if problems else 0


def render(reports: list[InterfaceReport]) -> list[str]:
    """A table of facts; below it, for each interface and transport, what would be used and why."""
    if not reports:
        return []
    rows = [("NAME", "LINK", "ADDRESSES", "MAC", "STAMPS", "PHC", "DRIVER")]
    for entry in reports:
        phc = "-" if entry.phc_index is None else f"ptp{entry.phc_index} {entry.phc_name}".strip()
        above = "".join(
            (
                f" in {entry.master}" if entry.master else "",
                f" on {','.join(entry.lower)}" if entry.lower else "",
                f" vlan {entry.vlan}" if entry.vlan is not None else "",
                f" active {entry.active_member}" if entry.active_member else "",
            )
        )
        stamps = [word for word, has in (("hw", entry.hardware_stamps), ("sw", entry.software_stamps)) if has]
        rows.append(
            (
                entry.name,
                entry.link + above,
                " ".join(entry.ipv4 + entry.ipv6) or "-",
                entry.mac or "-",
                "+".join(stamps) or "none",
                phc,
                entry.driver or "-",
            )
        )
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]
    lines += ["", "ptpstack would use:"]
    name_width = max(len(entry.name) for entry in reports)
    for entry in reports:
        for advice in entry.advice:
            verdict = advice.reason if advice.stamping else f"nothing: {advice.reason}"
            lines.append(f"  {entry.name.ljust(name_width)}  {advice.transport.ljust(4)}  {verdict}")
        if entry.present_setting:
            lines.append(f"  {' ' * name_width}        the NIC is set to: {entry.present_setting}")
    return lines
