"""``ptpstack performance``: figures of delays and offset by quarter of an hour, from a running node."""

from __future__ import annotations

import argparse
import json
from typing import Any

from ptpstack.cli.node_access import NodeRefused, add_control_option, ask, understood
from ptpstack.timebase.units import format_ns

_EPILOG = """\
Instances with performance_monitoring = true are monitored. Index 0 is the current quarter, 1..96 are those before it,
97 is the current day and 98 the day before.

exit status: 0 answered, 1 no such instance, or it is not monitored, 2 no node answers

examples:
  ptpstack performance                   the current quarter, the one before, and the day
  ptpstack performance --all theatres    every quarter of instance theatres
  ptpstack performance --json            everything, in ns
"""

_COLUMNS = (
    ("master_slave_delay", "master to slave"),
    ("slave_master_delay", "slave to master"),
    ("mean_path_delay", "mean path delay"),
    ("offset_from_master", "offset"),
)


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = subparsers.add_parser(
        "performance",
        help="what instances have measured, by quarter of an hour (Annex J)",
        description="Average and extremes of measured delays and offset by quarter of an hour, a day back.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add_control_option(parser)
    parser.add_argument("instance", nargs="?", metavar="INSTANCE", help="only this one")
    parser.add_argument("--all", action="store_true", help="every quarter there is")
    parser.add_argument("--json", action="store_true", help="one JSON object")
    parser.set_defaults(func=run)


def run(args: argparse.Namespace) -> int:
    try:
        result = ask(args.control, "performance", instance=args.instance)
        if args.json:
            print(json.dumps(result, indent=2))
        else:
            with understood(args.control):
                print("\n".join(lines(result, args.all)))
    except NodeRefused as refused:
        return refused.status
    return 0


def lines(result: dict[str, Any], every: bool = False) -> list[str]:
    """A table for each monitored instance."""
    if not result["instances"]:
        return ["no instance is monitored; give one performance_monitoring = true"]
    out: list[str] = []
    for instance in result["instances"]:
        out.append(f"instance {instance['name']}" + ("" if instance["records"] else ": nothing measured yet"))
        if instance["records"]:
            out.append(f"  {'period':<18}" + "".join(f"{title:>34}" for _, title in _COLUMNS))
        for record in instance["records"]:
            if every or record["index"] in (0, 1, 97, 98):
                out.append(f"  {_period(record):<18}" + "".join(f"{_figures(record[k]):>34}" for k, _ in _COLUMNS))
    return out


def _period(record: dict[str, Any]) -> str:
    index = record["index"]
    name = {0: "this quarter", 97: "this day", 98: "the day before"}.get(index, f"quarter -{index}")
    return name + ("" if record["complete"] or index in (0, 97) else " (cut)")


def _figures(figures: dict[str, float] | None) -> str:
    if figures is None:
        return "-"
    low, high = format_ns(figures["minimum"]), format_ns(figures["maximum"])
    return f"{format_ns(figures['average'])} ({low}..{high})"
