"""What the actions of ``ptpstack clock`` share: names of clocks, amounts with units, opening, printing."""

from __future__ import annotations

import argparse
import json
from typing import TYPE_CHECKING, Any

from ptpstack.timebase.units import NS_PER_S

if TYPE_CHECKING:
    from ptpstack.clocks.phc import LinuxPhc
    from ptpstack.clocks.system import SystemClock

_UNITS = {"ns": 1, "us": 1000, "ms": 10**6, "s": NS_PER_S}
_RATES = {"ppb": 1.0, "ppm": 1000.0}


class Refused(Exception):
    """The command ends with status 1; its text goes to stderr."""


def interval(text: str) -> int:
    """``1.5ms`` in ns, exactly."""
    number, factor = _split(text, _UNITS)
    if number is None or (number * factor) % 1:
        raise argparse.ArgumentTypeError(f"{text!r} is no time in whole ns; write it as 20ns, -1.5ms, 3s")
    return int(number * factor)


def frequency(text: str) -> float:
    number, factor = _split(text, _RATES)
    if number is None:
        raise argparse.ArgumentTypeError(f"{text!r} is no frequency; write it as 25ppm or -300ppb")
    return float(number * factor)


def _split(text: str, units: dict[str, Any]) -> tuple[Any, Any]:
    """(number, factor of its unit), exact; (None, 0) when it is not of that shape."""
    from fractions import Fraction

    for unit in sorted(units, key=len, reverse=True):
        if text.endswith(unit):
            try:
                return Fraction(text[: -len(unit)].strip()), Fraction(units[unit])
            except (ValueError, ZeroDivisionError):
                break
    return None, 0


def path_of(name: str) -> str:
    """The device of a clock's or interface's name. Refused: there is none."""
    if name.startswith("/"):
        return name
    if name.startswith("ptp") and name[3:].isdigit():
        return f"/dev/{name}"
    from ptpstack.net import abilities, device

    device.index_of(name)
    index = abilities.query(name).phc_index
    if index < 0:
        raise Refused(f"{name} has no PTP hardware clock; `ptpstack clocks` lists those that are there")
    return f"/dev/ptp{index}"


def open_system(args: argparse.Namespace) -> SystemClock:
    from ptpstack.clocks.system import SystemClock
    from ptpstack.timebase.leap import LeapTable

    return SystemClock(LeapTable.find(), read_only=not getattr(args, "yes_the_system_clock", False))


def open_clock(args: argparse.Namespace, name: str, *, writable: bool) -> LinuxPhc | SystemClock:
    if name == "system":
        if writable and not args.yes_the_system_clock:
            raise Refused(
                "this is the clock that every program of this machine lives by; add --yes-the-system-clock if that is "
                "what you want"
            )
        return open_system(args)
    return open_phc(name, writable=writable)


def open_phc(name: str, *, writable: bool = True) -> LinuxPhc:
    from ptpstack.clocks.phc import LinuxPhc

    if name == "system":
        raise Refused("the system clock has no inputs, outputs, pins or virtual clocks; name a PTP hardware clock")
    return LinuxPhc(path_of(name), writable=writable)


def open_readable(name: str) -> LinuxPhc:
    """Writable where that is allowed: older kernels tell the frequency only then."""
    import os

    return open_phc(name, writable=os.access(path_of(name), os.R_OK | os.W_OK))


def say(args: argparse.Namespace, facts: dict[str, Any], text: str) -> int:
    print(json.dumps(facts) if args.json else text, flush=True)
    return 0


def instant_ns(text: str, system: SystemClock) -> int:
    """PTP time, ns, of ``system``, a UTC time or PTP seconds. ValueError."""
    from fractions import Fraction

    from ptpstack.timebase.leap import LeapTable
    from ptpstack.timebase.scales import parse_utc

    if text == "system":
        return system.now_sns() >> 16
    try:
        return int(Fraction(text) * NS_PER_S)
    except (ValueError, ZeroDivisionError):
        return parse_utc(text, LeapTable.find())
