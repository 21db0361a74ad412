"""``ptpstack export-linuxptp``: a file of linuxptp for each instance of a site."""

from __future__ import annotations

import argparse
import json
import os
import re
import shlex
import sys

from ptpstack.config.findings import ConfigError
from ptpstack.config.load import load_site
from ptpstack.linuxptp.exporter import Exported, export_site

EXIT_DONE, EXIT_ERRORS = 0, 1

_EPILOG = """\
One ptp4l has one instance: several make several files. What linuxptp cannot be told is listed.

exit status: 0 done, 1 the site file has errors or a file cannot be written

examples:
  ptpstack export-linuxptp site.toml                     to stdout, with remarks on stderr
  ptpstack export-linuxptp site.toml -o /etc/linuxptp    NAME.conf there for each instance
  ptpstack export-linuxptp --json site.toml | jq -r '.files[].remarks[]'
"""


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = subparsers.add_parser(
        "export-linuxptp",
        help="ptp4l.conf from a site file, with what linuxptp cannot be told",
        description="Write linuxptp's configuration for each instance of a site file.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("site", metavar="SITE.toml", help="the site file")
    parser.add_argument("-o", dest="output", metavar="DIR", help="directory for NAME.conf; default: stdout")
    parser.add_argument("--json", action="store_true", help="one JSON object")
    parser.set_defaults(func=run)


def _name(exported: Exported) -> str:
    return re.sub(r"[^A-Za-z0-9_.-]", "_", exported.name) + ".conf"


def run(args: argparse.Namespace) -> int:
    """Exit status: 0 done, 1 errors."""
    try:
        made = export_site(load_site(args.site))
    except ConfigError as error:
        print(error, file=sys.stderr)
        return EXIT_ERRORS
    if args.json:
        files = [
            {"name": _name(e), "text": e.text, "options": list(e.options), "remarks": list(e.remarks)} for e in made
        ]
        print(json.dumps({"files": files}, indent=2))
        return EXIT_DONE
    for exported in made:
        path = os.path.join(args.output or "", _name(exported))
        if args.output:
            try:
                with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o644), "w", encoding="utf-8") as stream:
                    stream.write(exported.text)
            except OSError as error:
                print(f"{path}: {error.strerror}", file=sys.stderr)
                return EXIT_ERRORS
        else:
            print(f"# {path}" if len(made) > 1 else "", end="\n" if len(made) > 1 else "")
            print(exported.text, end="")
        options = f" {shlex.join(exported.options)}" if exported.options else ""
        print(f"{exported.name}: ptp4l -f {path}{options}", file=sys.stderr)
        for remark in exported.remarks:
            print(f"{exported.name}: not said: {remark}", file=sys.stderr)
    return EXIT_DONE
