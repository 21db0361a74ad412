"""``ptpstack import-linuxptp``: a site file from linuxptp's configuration, and what was wrong with that."""

from __future__ import annotations

import argparse
import json
import os
import sys
from typing import TYPE_CHECKING

from ptpstack.config.findings import ConfigError, Finding
from ptpstack.linuxptp.importer import Imported, import_settings
from ptpstack.linuxptp.importing.draft import DIFFERS, KEPT, NOT_NEEDED
from ptpstack.linuxptp.keys import ValueRefusedError
from ptpstack.linuxptp.phc2sys import Phc2sys, parse_phc2sys
from ptpstack.linuxptp.reader import parse_config, read_config
from ptpstack.linuxptp.settings import SHORT_OPTIONS, Settings, option, short

if TYPE_CHECKING:
    from ptpstack.linuxptp.lint import Suspicion
    from ptpstack.linuxptp.reader import Setting

EXIT_DONE, EXIT_REFUSED, EXIT_UNREADABLE = 0, 1, 2

_EPILOG = """\
Each file is one ptp4l and becomes one instance, all in one site file; a file of ts2phc gives the instance on its
interface a pulse for reference. The report says of each setting what became of it, and what is probably a mistake
in the original. docs/linuxptp.md goes through every key.

exit status: 0 done, 1 linuxptp or ptpstack cannot do what a file says, 2 a file cannot be read

examples:
  ptpstack import-linuxptp /etc/linuxptp/ptp4l.conf -i eth1 -o site.toml
  ptpstack import-linuxptp ptp4l.conf -i eth1 -s -S              with the options that ptp4l was started with
  ptpstack import-linuxptp ptp4l.conf -i eth1 --set priority1=10 --phc2sys '-a -r'
  ptpstack import-linuxptp domain0.cfg domain1.cfg -i eth1       two ptp4l in one process from now on
  ptpstack import-linuxptp --json ptp4l.conf | jq '.suspicions[]'
"""


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = subparsers.add_parser(
        "import-linuxptp",
        help="a site file from ptp4l.conf, with what differs and what was wrong",
        description="Make a site file of linuxptp's configuration, and judge that. Nothing is run, nothing is changed.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("files", metavar="FILE", nargs="+", help="configuration of ptp4l or ts2phc; - is stdin")
    parser.add_argument("-i", dest="interfaces", metavar="IFACE", action="append", default=[], help="as ptp4l -i")
    parser.add_argument("-o", dest="output", metavar="OUT.toml", help="where to write it; default: stdout")
    parser.add_argument("-p", dest="phc", metavar="DEVICE", default="", help="as ptp4l -p")
    for letter in SHORT_OPTIONS:
        if letter not in "mq":
            parser.add_argument(f"-{letter}", dest="short", action="append_const", const=letter, help=argparse.SUPPRESS)
    parser.add_argument(
        "--set", dest="options", metavar="KEY=VALUE", action="append", default=[], help="as ptp4l --KEY=VALUE"
    )
    parser.add_argument(
        "--phc2sys", metavar="OPTIONS", action="append", default=[], help="options of a phc2sys beside it, in quotes"
    )
    parser.add_argument("--all", action="store_true", help="report the settings, too, that are simply taken over")
    parser.add_argument("--json", action="store_true", help="one JSON object")
    parser.set_defaults(func=run)


def run(args: argparse.Namespace) -> int:
    """Exit status: 0 done, 1 refused, 2 cannot read."""
    try:
        sets, programs = _read(args)
    except ConfigError as error:
        return _fail(args, list(error.findings), error.source)
    from ptpstack.linuxptp.lint import judge

    imported = import_settings(sets, phc2sys=programs)
    suspicions = judge(sets, programs)
    status = EXIT_REFUSED if imported.refused else EXIT_DONE
    if status == EXIT_DONE and args.output:
        try:
            _write(args.output, imported.text)
        except OSError as error:
            print(f"{args.output}: {error.strerror}", file=sys.stderr)
            return EXIT_UNREADABLE
    if args.json:
        print(_as_json(imported, suspicions))
        return status
    # stdout belongs to the site when no other place is given for it
    stream = sys.stdout if args.output else sys.stderr
    for line in _report(imported, suspicions, args.all):
        print(line, file=stream)
    if status == EXIT_DONE and not args.output:
        print(imported.text.lstrip("\n"), end="")
    elif status == EXIT_DONE:
        print(f"written to {args.output}; next: ptpstack check {args.output}", file=stream)
    return status


def _read(args: argparse.Namespace) -> tuple[list[Settings], list[Phc2sys]]:
    """ConfigError with all findings of all files."""
    findings: list[Finding] = []
    sets, programs = [], []
    given = _options(args, findings)
    for path in args.files:
        try:
            file = parse_config(sys.stdin.buffer.read(), "-") if path == "-" else read_config(path)
            sets.append(Settings(file, args.interfaces, given, args.phc))
        except ConfigError as error:
            findings += [Finding(f.severity, f.path, f.reason, f.fix, f.line, f.file or path) for f in error.findings]
    for text in args.phc2sys:
        try:
            programs.append(parse_phc2sys(text))
        except ConfigError as error:
            findings += error.findings
    if findings:
        raise ConfigError(findings)
    return sets, programs


def _options(args: argparse.Namespace, findings: list[Finding]) -> list[Setting]:
    given = [short(letter) for letter in args.short or ()]
    for text in args.options:
        name, equals, value = text.partition("=")
        try:
            given.append(option(name.lstrip("-"), value))
        except ValueRefusedError as error:
            fix = error.fix if equals else "write --set key=value"
            findings.append(Finding("error", f"--set {text}", error.reason, fix))
    return given


def _write(path: str, text: str) -> None:
    """Never over a file that is there."""
    with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o644), "w", encoding="utf-8") as stream:
        stream.write(text.lstrip("\n"))


def _place(finding: Finding) -> str:
    place = f"{finding.file}:{finding.line}" if finding.line else finding.file
    return ": ".join(part for part in (place, finding.severity, finding.path) if part)


def _fail(args: argparse.Namespace, findings: list[Finding], source: str) -> int:
    unreadable = all("cannot be read" in f.reason or "regular file" in f.reason for f in findings)
    if args.json:
        print(json.dumps({"ok": False, "findings": [f.as_dict() for f in findings]}, indent=2))
    else:
        for finding in findings:
            print(f"{_place(finding)}: {finding.reason}\n    fix: {finding.fix}", file=sys.stderr)
        if any("[timemaster]" in f.reason or "ntp_program" in f.reason for f in findings):
            print("this is a file of timemaster: import the ptp4l.conf of each of its domains", file=sys.stderr)
        if not unreadable:
            print("linuxptp refuses this too", file=sys.stderr)
    return EXIT_UNREADABLE if unreadable else EXIT_REFUSED


def _report(imported: Imported, suspicions: list[Suspicion], everything: bool) -> list[str]:
    lines = []
    kept = [row for row in imported.rows if row.outcome == KEPT]
    idle = [row for row in imported.rows if row.outcome == NOT_NEEDED]
    lines.append(f"{len(kept)} settings taken over, {len(idle)} not needed")
    if everything:
        for row in sorted((*kept, *idle), key=lambda r: (r.setting.file, r.setting.line or 0)):
            into = f" -> {row.ours}" if row.ours else f": {row.remark}" if row.remark else ""
            lines.append(f"  {row.setting.place}: {row.setting.spelled} {row.setting.text}: {row.outcome}{into}")
    differing = [row for row in imported.rows if row.outcome == DIFFERS]
    notes = [f for f in imported.findings if f.severity != "error" and not f.file]
    if differing or notes:
        lines.append("differs:")
        lines += [f"  {r.setting.place}: {r.setting.spelled} {r.setting.text}: {r.remark}" for r in differing]
        lines += [f"  {f.path}: {f.reason}" for f in notes]
    warnings = [f for f in imported.findings if f.severity == "warning"]
    if suspicions or warnings:
        lines.append("probably a mistake, or worth knowing:")
        lines += [f"  {_place(f)}: {f.reason}\n    fix: {f.fix}" for f in warnings]
        for s in suspicions:
            place = f"{s.file}:{s.line}" if s.line else s.file
            shown = f"{place}: {s.severity}: {s.evidence}" if place != s.evidence else f"{s.severity}: {s.evidence}"
            lines.append(f"  {shown}: {s.reason} [{s.rule}]\n    fix: {s.fix}")
    if imported.refused:
        lines.append("refused, so nothing is written:")
        lines += [f"  {_place(f)}: {f.reason}\n    fix: {f.fix}" for f in imported.refused]
    return lines


def _as_json(imported: Imported, suspicions: list[Suspicion]) -> str:
    return json.dumps(
        {
            "ok": not imported.refused,
            "site": None if imported.refused else imported.text,
            "settings": [row.as_dict() for row in imported.rows],
            "findings": [f.as_dict() for f in imported.findings],
            "suspicions": [s.as_dict() for s in suspicions],
        },
        indent=2,
    )
