"""``ptpstack reference``: tell a running grandmaster how its reference is."""

from __future__ import annotations

import argparse
import json

from ptpstack.cli.node_access import NodeRefused, add_control_option, ask, understood

_EPILOG = """\
A declared reference takes the state as it is. For a measured one (simulated GNSS) ``locked`` means that its signal is
back; the class returns once the servo has locked again.

exit status: 0 done, 1 refused, 2 no node answers

examples:
  ptpstack reference holdover                        the antenna was taken down: class 7, then 52 or 187
  ptpstack reference free-running --clock-class 248
  ptpstack reference locked
"""


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = subparsers.add_parser(
        "reference",
        help="tell a running grandmaster how its reference is",
        description="Change the state of a grandmaster's reference: clockClass, accuracy and traceability follow, and "
        "the network elects anew where that matters.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add_control_option(parser)
    parser.add_argument("state", choices=("locked", "holdover", "holdover-out-of-spec", "free-running"))
    parser.add_argument("--clock-class", type=int, metavar="N", help="announce this class instead of the state's own")
    parser.add_argument("--instance", metavar="NAME", help="only the clock of this instance")
    parser.add_argument("--json", action="store_true")
    parser.set_defaults(func=run)


def run(args: argparse.Namespace) -> int:
    try:
        result = ask(args.control, "reference", state=args.state, clock_class=args.clock_class, instance=args.instance)
        if args.json:
            print(json.dumps(result))
        else:
            with understood(args.control):
                for reference in result["references"]:
                    print(f"reference of {reference['clock']}: {reference['state']}")
    except NodeRefused as refused:
        return refused.status
    return 0
