"""``ptpstack explain``: why the node does what it does."""

from __future__ import annotations

import argparse
import json
from typing import Any

from rich.console import Console

from ptpstack.cli.node_access import NodeRefused, add_control_option, ask, understood

_EPILOG = """\
exit status: 0 answered, 1 no such instance or port, 2 no node answers

examples:
  ptpstack explain                       every instance and port
  ptpstack explain 2                     port 2
  ptpstack explain theatres/1            port 1 of instance theatres
  ptpstack explain --json                the decisions with all their inputs
"""


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = subparsers.add_parser(
        "explain",
        help="why ports are in their states, who is grandmaster and why, what is in the way",
        description="Why is this port in this state, why is that clock the grandmaster, what stops us from "
        "synchronising, who steers each clock: the decisions, with what they were made from.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add_control_option(parser)
    parser.add_argument("port", nargs="?", metavar="[INSTANCE/]PORT", help="only this port, or this instance")
    parser.add_argument("--json", action="store_true", help="one JSON object")
    parser.set_defaults(func=run)


def _target(text: str | None) -> tuple[str | None, int | None]:
    """``2`` is a port, ``theatres`` an instance, ``theatres/2`` a port of it."""
    if text is None:
        return None, None
    instance, _, number = text.rpartition("/")
    if number.isdigit():
        return (instance or None), int(number)
    return text, None


def run(args: argparse.Namespace) -> int:
    instance, port = _target(args.port)
    try:
        result = ask(args.control, "explain", instance=instance, port=port)
        if args.json:
            print(json.dumps(result, indent=2))
        else:
            with understood(args.control):
                _render_all(result)
    except NodeRefused as refused:
        return refused.status
    return 0


def _render_all(result: dict[str, Any]) -> None:
    console = Console(highlight=False, soft_wrap=True)
    for position, entry in enumerate(result["instances"]):
        if position:
            console.print()
        _render(console, entry)
    for clock in result["clocks"]:
        console.print()
        console.print(f"clock {clock['name']}", style="bold", markup=False)
        for sentence in clock["sentences"]:
            console.print(f"  {sentence}.", markup=False)


def _render(console: Console, entry: dict[str, Any]) -> None:
    console.print(f"{entry['name']} (domain {entry['domain']})", style="bold", markup=False)
    console.print(f"  Grandmaster: {entry['grandmaster']}.", markup=False)
    for line in entry["synchronisation"]:
        console.print(f"  Synchronisation: {line}.", markup=False)
    for port in entry["ports"]:
        console.print(f"  {port['sentence']}.", markup=False)
        decision = port["decision"] or {}
        for loser in decision.get("lost", ()):
            console.print(f"      not chosen: {loser}", markup=False)
        if port["would_change"]:
            console.print(f"      would change with: {port['would_change']}", markup=False)
        for remark in port["remarks"]:
            console.print(f"      {remark}", markup=False)
    for master in entry["foreign_masters"]:
        console.print(
            f"  heard on port {master['port']}: {master['sender']} ({master['address']}), grandmaster "
            f"{master['grandmasterIdentity']}, priority1 {master['priority1']}, class {master['clockClass']}, "
            f"accuracy {master['clockAccuracy']}, variance {master['offsetScaledLogVariance']}, priority2 "
            f"{master['priority2']}, {master['stepsRemoved']} steps; {_qualified(master)}",
            markup=False,
        )


def _qualified(master: dict[str, Any]) -> str:
    if master["qualified"]:
        return f"qualified, last heard {master['age_s']:.1f} s ago"
    return f"not qualified (two Announces within four intervals are needed; {master['heard']} heard so far)"
