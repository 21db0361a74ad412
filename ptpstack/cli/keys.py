"""``ptpstack keys``: what a running node signs and verifies with."""

from __future__ import annotations

import argparse
import json
from typing import Any

from rich.console import Console
from rich.table import Table

from ptpstack.cli.node_access import NodeRefused, add_control_option, ask, understood

_EPILOG = """\
The keys themselves are never shown. How to change them without a gap: docs/security.md.

exit status: 0 answered, 1 the file cannot be used (the keys stay as they were), 2 no node answers

examples:
  ptpstack keys                          keys of each port, which one signs, how often each was used
  ptpstack keys --reload                 read the file again, as SIGHUP does
  ptpstack keys --json | jq '.ports[].keys[] | select(.wrong > 0)'
"""


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = subparsers.add_parser(
        "keys",
        help="the keys a node signs and verifies with, what they were used for; read the file again",
        description="Security associations of a running node: which key signs, how often each was used.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add_control_option(parser)
    parser.add_argument("--reload", action="store_true", help="first read the file of security associations again")
    parser.add_argument("--json", action="store_true", help="one JSON object")
    parser.set_defaults(func=run)


def run(args: argparse.Namespace) -> int:
    try:
        result = ask(args.control, "reload-keys" if args.reload else "keys")
        if args.json:
            print(json.dumps(result, indent=2))
        else:
            with understood(args.control):
                _render(result)
    except NodeRefused as refused:
        return refused.status
    return 0


def _render(result: dict[str, Any]) -> None:
    console = Console(highlight=False)
    if result["file"] is None:
        console.print("this node has no sa_file: it neither signs nor verifies")
        return
    console.print(result["file"], markup=False)
    table = Table(box=None, pad_edge=False, header_style="bold", padding=(0, 2, 0, 0))
    for name in ("PORT", "SPP", "KEY", "ALGORITHM", ""):
        table.add_column(name)
    for name in ("SIGNED", "VERIFIED", "WRONG"):
        table.add_column(name, justify="right")
    for port in result["ports"]:
        for key in port["keys"]:
            table.add_row(
                f"{port['instance']}/{port['port']}",
                str(port["spp"]),
                str(key["id"]),
                key["algorithm"],
                "signs" if key["signs"] else "",
                *(str(key[name]) for name in ("signed", "verified", "wrong")),
            )
    console.print(table)
