"""``ptpstack install-shims``: linuxptp's command names for scripts that know no others."""

from __future__ import annotations

import argparse
import json
import sys

from ptpstack.linuxptp.commands import shims

_EPILOG = """\
Makes ptp4l, pmc, phc2sys, ts2phc, phc_ctl and hwstamp_ctl in DIR. Give them a folder of their own, never one where
linuxptp's are (such as /usr/sbin): what is there and is none of ours is left alone.

examples:
  ptpstack install-shims /opt/ptpstack/shims
  PATH=/opt/ptpstack/shims:$PATH ./my-ptp4l-script
  ptpstack install-shims --remove /opt/ptpstack/shims

exit status: 0 all is as asked for; 1 something was refused.
"""


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = subparsers.add_parser(
        "install-shims",
        help="ptp4l, pmc, phc2sys and the others as names of ours in a folder",
        description="Programs with linuxptp's names that run ptpstack, in a folder of their own.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("folder", metavar="DIR", help="where to make them; it is made when it is not there")
    parser.add_argument("--remove", action="store_true", help="remove them, and DIR when it is empty then")
    parser.add_argument("--json", action="store_true", help="machine-readable output")
    parser.set_defaults(func=run)


def run(options: argparse.Namespace) -> int:
    try:
        done = shims.remove(options.folder) if options.remove else shims.install(options.folder)
    except OSError as error:
        print(f"ptpstack install-shims: {options.folder}: {error.strerror}", file=sys.stderr)
        return 1
    if options.json:
        print(json.dumps([each._asdict() for each in done]))
    else:
        for each in done:
            print(f"{each.what:<9} {each.path}" + (f": {each.why}" if each.why else ""))
        if not options.remove:
            print(f"use them:  PATH={options.folder}:$PATH")
    return 1 if any(each.what == "refused" for each in done) else 0
