"""``ptpstack apply``: another configuration for a running node."""

from __future__ import annotations

import argparse
import json
import os
import re
import sys
from typing import Any

from ptpstack.cli.check import render
from ptpstack.cli.node_access import NodeRefused, add_control_option, ask, understood
from ptpstack.config.data import read_file
from ptpstack.config.findings import ERROR, WARNING, UnreadableError
from ptpstack.config.load import read_site

EXIT_RESTART = 3
_UNITS = {"s": 1, "m": 60, "h": 3600, "": 1}

_EPILOG = """\
Priorities, intervals, timeouts, keys, source rules, limits and whole instances are taken on without disturbing a servo;
for the rest the answer says that a restart is needed, and why. See docs/live-configuration.md.

exit status: 0 done, 1 refused (the file has errors, nothing waits, not permitted), 2 no node answers, or the file
cannot be read, 3 done, but some of it needs a restart

examples:
  ptpstack apply --dry-run site.toml              what would change, in words
  ptpstack apply site.toml                        for good
  ptpstack apply --confirm-within 5m site.toml    taken back in five minutes, unless
  ptpstack apply --confirm                        it was right
  ptpstack apply --roll-back                      take it back now
  ptpstack apply --dry-run --json site.toml | jq '.changes[] | select(.live | not) | .words'
"""


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = subparsers.add_parser(
        "apply",
        help="change the configuration of a running node, with a way back",
        description="Compare a site file with what the node runs with, check it, and take on what can be taken on.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add_control_option(parser)
    what = parser.add_mutually_exclusive_group(required=True)
    what.add_argument("site", nargs="?", metavar="SITE.toml", help="the file to apply")
    what.add_argument("--confirm", action="store_true", help="keep the change that waits for it")
    what.add_argument("--roll-back", action="store_true", help="take back the change that waits for its confirmation")
    parser.add_argument("--dry-run", action="store_true", help="only say what would change")
    parser.add_argument(
        "--confirm-within",
        type=_seconds,
        metavar="TIME",
        help="take it back after this time (90s, 5m, 1h) unless confirmed",
    )
    parser.add_argument("--json", action="store_true", help="one JSON object")
    parser.set_defaults(func=run)


def _seconds(text: str) -> int:
    match = re.fullmatch(r"([0-9]{1,6})([smh]?)", text)
    seconds = int(match[1]) * _UNITS[match[2]] if match else 0
    if not 1 <= seconds <= 86_400:
        raise argparse.ArgumentTypeError(f"{text!r} is not a time such as 90s, 5m or 1h (at most a day)")
    return seconds


def run(args: argparse.Namespace) -> int:
    try:
        if args.confirm or args.roll_back:
            result = ask(args.control, "confirm" if args.confirm else "roll-back")
            return _settled(args, result)
        request = _request(args)
        if request is None:
            return 1
        result = ask(args.control, "apply", **request)
        if args.json:
            print(json.dumps(result, indent=2))
        else:
            with understood(args.control):
                _render(result)
        return EXIT_RESTART if result["needs_restart"] and not args.dry_run else 0
    except UnreadableError as error:
        print(f"ptpstack: {error}", file=sys.stderr)
        return 2
    except NodeRefused as refused:
        return refused.status


def _settled(args: argparse.Namespace, result: dict[str, Any]) -> int:
    if args.json:
        print(json.dumps(result, indent=2))
    else:
        with understood(args.control):
            for change in result.get("changes", ()):
                print(change["words"])
            print(f"{result['file']}: {'confirmed' if args.confirm else 'taken back'}")
    return 0


def _request(args: argparse.Namespace) -> dict[str, Any] | None:
    """None when the file has errors, which have been told then."""
    path: str = args.site
    site, findings = read_site(path)
    for finding in findings:
        if finding.severity in (ERROR, WARNING):
            print(render(finding, path), file=sys.stderr)
    if site is None:
        print(f"{path}: nothing was changed", file=sys.stderr)
        return None
    where = os.path.abspath(path)
    return {
        "text": read_file(path).decode("utf-8", "replace"),
        "base": os.path.dirname(where),
        "file": where,
        "dry_run": args.dry_run,
        "confirm_within_s": args.confirm_within,
    }


def _render(result: dict[str, Any]) -> None:
    changes = result["changes"]
    live = [change for change in changes if change["live"]]
    later = [change for change in changes if not change["live"]]
    if not changes:
        print(f"{result['file']}: this is what the node runs with")
    for change in live:
        print(change["words"])
    for change in later:
        print(f"needs a restart: {change['words']}\n    why: {change['why']}")
    if result["dry_run"]:
        print(f"would change {len(live)}, {len(later)} would need a restart; nothing was done")
    elif live:
        print(f"{len(live)} changed" + (f", {len(later)} left for a restart" if later else ""))
    if result["confirm_within_s"]:
        print(f"taken back in {result['confirm_within_s']} s, unless: ptpstack apply --confirm")
