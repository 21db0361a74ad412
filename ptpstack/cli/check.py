"""``ptpstack check``: everything that is wrong with a site file."""

from __future__ import annotations

import argparse
import json
import sys
from collections import Counter
from typing import TYPE_CHECKING, Any

from ptpstack.config.dump import dumps, site_as_dict
from ptpstack.config.findings import ERROR, NOTE, WARNING, Finding, UnreadableError
from ptpstack.config.load import read_site

if TYPE_CHECKING:
    from ptpstack.config.model import Site

EXIT_FINE, EXIT_ERRORS, EXIT_UNREADABLE = 0, 1, 2

_EPILOG = """\
exit status: 0 no errors (warnings and notes allowed), 1 errors, 2 the file cannot be read

examples:
  ptpstack check /etc/ptpstack/site.toml
  ptpstack check --offline site.toml                 a file meant for another machine
  ptpstack check --print-effective site.toml         the same site with every default written out
  ptpstack check --json site.toml | jq '.findings[] | select(.severity == "error")'
"""


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = subparsers.add_parser(
        "check",
        help="check a site file: every finding with line, reason and fix",
        description="Check a site file without running it. Nothing is changed.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("site", metavar="SITE.toml", help="the file to check")
    parser.add_argument("--json", action="store_true", help="one JSON object")
    parser.add_argument(
        "--offline", action="store_true", help="do not ask whether this machine has what the file names"
    )
    parser.add_argument("--print-effective", action="store_true", help="write the effective configuration to stdout")
    parser.set_defaults(func=run)


def render(finding: Finding, path: str) -> str:
    """Two lines, the first in the ``file:line: severity:`` form that editors jump to."""
    place = f"{finding.file or path}:{finding.line}" if finding.line else finding.file or path
    where = f" {finding.path}:" if finding.path else ""
    return f"{place}: {finding.severity}:{where} {finding.reason}\n    fix: {finding.fix}"


def summary(findings: list[Finding]) -> str:
    """``2 errors, 1 warning``; ``fine`` when there is nothing."""
    counts = Counter(finding.severity for finding in findings)
    parts = [f"{counts[s]} {s}{'s' if counts[s] > 1 else ''}" for s in (ERROR, WARNING, NOTE) if counts[s]]
    return ", ".join(parts) or "fine"


def _as_json(path: str, site: Site | None, findings: list[Finding], effective: bool) -> str:
    result: dict[str, Any] = {"file": path, "ok": site is not None, "findings": [f.as_dict() for f in findings]}
    if effective:
        result["effective"] = None if site is None else site_as_dict(site)
    return json.dumps(result, indent=2)


def run(args: argparse.Namespace) -> int:
    """Exit status: 0 fine, 1 errors, 2 cannot read."""
    path: str = args.site
    site: Site | None = None
    try:
        site, findings = read_site(path, offline=args.offline)
        status = EXIT_FINE if site is not None else EXIT_ERRORS
    except UnreadableError as error:
        findings, status = list(error.findings), EXIT_UNREADABLE
    if args.json:
        print(_as_json(path, site, findings, args.print_effective))
        return status
    # stdout belongs to the effective configuration when it is asked for, so that it can go into a file
    stream = sys.stderr if args.print_effective else sys.stdout
    for finding in findings:
        print(render(finding, path), file=stream)
    print(f"{path}: {summary(findings)}", file=stream)
    if args.print_effective and site is not None:
        print(dumps(site), end="")
    return status
