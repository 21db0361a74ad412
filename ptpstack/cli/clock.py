"""``ptpstack clock``: one clock, by hand. Each action is one call of ``clocks``; the words around it are ours."""

from __future__ import annotations

import argparse
import re
import sys
from importlib import import_module
from typing import Any

from ptpstack.cli.clock_common import Refused, frequency, interval
from ptpstack.cli.clocks import seconds

_EPILOG = """\
CLOCK is /dev/ptp0, ptp0, the name of an interface (its PTP hardware clock), or `system`.

examples:
  ptpstack clock get eth1                          time, offset against the system clock, frequency
  ptpstack clock set ptp0 system                   to the system clock's time, as TAI
  ptpstack clock set ptp0 2026-11-20T12:00:00Z
  ptpstack clock adj ptp0 --step -1.5ms            step; --frequency +25ppm; --phase 20ns
  ptpstack clock cmp ptp0 ptp1 --count 10          one clock against another, with bound and rate
  ptpstack clock extts ptp0 0 --pin 1              time stamps of the edges at input 0, until Ctrl-C
  ptpstack clock perout ptp0 0 --period 1s         a 1PPS at output 0; --off switches it off
  ptpstack clock pins ptp0 --set 1=extts:0         what the pins do; give one its function
  ptpstack clock pps ptp0 on                       feed the kernel's /dev/ppsN
  ptpstack clock vclocks ptp0 2                    two virtual clocks on it

Two programs that steer one clock fight: stop what steers it first (`ptpstack clocks` shows a running node's).
The system clock is steered only with --yes-the-system-clock.
"""


def add_parser(subparsers: argparse._SubParsersAction[Any]) -> None:
    parser = subparsers.add_parser(
        "clock",
        help="read, set, steer and compare one clock; its inputs, outputs and pins",
        description="One clock by hand: read, set, step, steer, compare; its inputs, outputs and pins.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    actions = parser.add_subparsers(dest="action", metavar="ACTION", required=True)

    def action(name: str, text: str, do: str) -> argparse.ArgumentParser:
        made: argparse.ArgumentParser = actions.add_parser(
            name, help=text, description=text[0].upper() + text[1:] + "."
        )
        made.add_argument("clock", metavar="CLOCK", help="/dev/ptpN, ptpN, an interface, or system")
        made.add_argument("--json", action="store_true", help="machine-readable output")
        made.set_defaults(do=do)
        # "-1.5ms" is an amount and not an option, although it is no plain number
        made._negative_number_matcher = re.compile(r"^-\.?\d")
        return made

    action("get", "time, offset against the system clock, and frequency", "clock_time.get")
    one = action("set", "set the time", "clock_time.set_")
    one.add_argument("time", metavar="TIME", help="system, a UTC time (2026-11-20T12:00:00Z), or PTP seconds")
    _permission(one)
    one = action("adj", "step the clock, set its frequency, or adjust its phase", "clock_time.adj")
    what = one.add_mutually_exclusive_group(required=True)
    what.add_argument("--step", type=interval, metavar="TIME", help="such as -1.5ms, 20ns, +3s")
    what.add_argument("--frequency", type=frequency, metavar="RATE", help="such as 25ppm, -300ppb; absolute")
    what.add_argument("--phase", type=interval, metavar="TIME", help="through the hardware's phase input")
    _permission(one)
    one = action("cmp", "compare a clock with another", "clock_time.cmp")
    one.add_argument("other", metavar="OTHER", nargs="?", default="system", help="the other clock (default: system)")
    one.add_argument("--count", type=int, default=1, help="readings to show (1); 0: until Ctrl-C")
    one.add_argument("--interval", type=seconds, default=1.0, metavar="SECONDS", help="between readings (1)")
    one.add_argument("--samples", type=int, default=9, help="readings of each burst, 1 to 25 (9)")
    one = action("extts", "time stamps of the edges at an input", "clock_pins.extts")
    one.add_argument("channel", type=int, help="the input's number")
    one.add_argument("--pin", type=int, help="the pin to use (default: the one that has the function, or a free one)")
    one.add_argument("--edge", choices=("rising", "falling", "both"), default="rising")
    one.add_argument("--count", type=int, default=0, help="stop after so many edges (default: until Ctrl-C)")
    one.add_argument("--timeout", type=seconds, default=None, metavar="SECONDS", help="give up when none comes so long")
    one = action("perout", "a periodic output", "clock_pins.perout")
    one.add_argument("channel", type=int, help="the output's number")
    what = one.add_mutually_exclusive_group(required=True)
    what.add_argument("--period", type=interval, metavar="TIME", help="such as 1s, 100us")
    what.add_argument("--off", action="store_true", help="switch it off")
    one.add_argument("--pulse", type=interval, metavar="TIME", help="length of the pulse (default: the driver's)")
    one.add_argument("--start", metavar="TIME", help="the first edge: UTC or PTP seconds (default: in two seconds)")
    one.add_argument("--pin", type=int, help="the pin to use (default: the one that has the function, or a free one)")
    one = action("pins", "what the pins do", "clock_pins.pins")
    one.add_argument("--set", metavar="PIN=FUNCTION[:CHANNEL]", help="none, extts, perout or physync")
    one = action("pps", "feed the kernel's PPS device from the clock", "clock_pins.pps")
    one.add_argument("state", choices=("on", "off"))
    one = action("vclocks", "virtual clocks on a clock: list them, or set how many there are", "clock_pins.vclocks")
    one.add_argument("number", type=int, nargs="?", help="how many there are to be; 0: none")
    parser.set_defaults(func=run)


def _permission(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--yes-the-system-clock", action="store_true", help="allow steering the system clock")


def run(args: argparse.Namespace) -> int:
    """0 done, 1 refused or failed (stderr says why), 2 the command line is wrong."""
    try:
        module, name = args.do.split(".")
        result: int = getattr(import_module(f"ptpstack.cli.{module}"), name)(args)
        return result
    except (OSError, ValueError, Refused) as error:
        print(f"ptpstack clock {args.action}: {error}", file=sys.stderr)
        return 1
