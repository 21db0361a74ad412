"""What the commands have in common: options as getopt reads them, clocks by the names that linuxptp knows."""

from __future__ import annotations

import getopt
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

from ptpstack import __version__

if TYPE_CHECKING:
    from ptpstack.clocks.phc import LinuxPhc
    from ptpstack.clocks.system import SystemClock
    from ptpstack.linuxptp.commands.log import CommandLog
    from ptpstack.linuxptp.settings import Settings

#: linuxptp's programs end with -1 when they cannot do what they were asked for
FAILED = 255
SYSTEM = "CLOCK_REALTIME"
#: ptp4l's socket up to 3.1.1; later versions leave a link there
SOCKET = "/var/run/ptp4l"


class Usage(Exception):
    """The command line is wrong; the text says how. Empty: only the usage was asked for."""


class Failed(Exception):
    """It cannot be done: why, and what to do."""


def options(arguments: Sequence[str], short: str, long: Sequence[str] = ()) -> tuple[list[tuple[str, str]], list[str]]:
    """(options, the rest), options anywhere before ``--``. Usage."""
    try:
        return getopt.gnu_getopt(list(arguments), short, list(long))
    except getopt.GetoptError as error:
        raise Usage(str(error)) from None


def number(name: str, text: str, low: float, high: float) -> float:
    """Usage when it is none, or out of range."""
    try:
        value = float(text)
    except ValueError:
        raise Usage(f"{name}: {text!r} is not a number of {low:g}..{high:g}") from None
    if not low <= value <= high:
        raise Usage(f"{name}: {text} is out of the range {low:g}..{high:g}")
    return value


def whole(name: str, text: str, low: int, high: int) -> int:
    """As ``number``; 010 is eight and 0x10 sixteen, as in C."""
    digits = text.lstrip("+-")
    try:
        value = int(text, 8 if digits.startswith("0") and digits.isdigit() else 0)
    except ValueError:
        raise Usage(f"{name}: {text!r} is not a whole number of {low}..{high}") from None
    if not low <= value <= high:
        raise Usage(f"{name}: {text} is out of the range {low}..{high}")
    return value


def ran(name: str, usage: str, error: Exception) -> int:
    """The exit status for a command line that is wrong (``error`` says how), or asked for the usage only."""
    wrong = bool(str(error))
    if wrong:
        print(f"{name}: {error}", file=sys.stderr)
    print(usage, file=sys.stderr if wrong else sys.stdout)
    return FAILED if wrong else 0


def failed(log: CommandLog, error: Exception) -> int:
    """The exit status for what cannot be done. Who did not ask for a log on the terminal is told there as well."""
    from ptpstack.linuxptp.commands.log import ERROR

    log.log(ERROR, str(error))
    if not log.verbose:
        print(f"{log.name}: {error}", file=sys.stderr)
    return FAILED


def socket_of(settings: Settings) -> str:
    """The path of ptp4l's socket."""
    return settings.text("uds_address") if settings.named("uds_address") else SOCKET


def show_version() -> int:
    print(f"ptpstack {__version__}")
    return 0


def device_of(name: str) -> str:
    """The PHC device of a name: itself, or the one that stamps for an interface. Failed."""
    if name.startswith("/"):
        return name
    if name.startswith("ptp") and name[3:].isdigit():
        return f"/dev/{name}"
    # here and below: ptp4l does without, and starts the sooner
    from ptpstack.net import abilities, device
    from ptpstack.net.channel import ChannelError

    try:
        device.index_of(name)
    except (ChannelError, OSError) as error:
        raise Failed(f"unknown clock {name}: {error}") from None
    index = abilities.query(name).phc_index
    if index < 0:
        raise Failed(f"unknown clock {name}: interface {name} has no PTP hardware clock (`ptpstack interfaces`)")
    return f"/dev/ptp{index}"


def open_named(name: str, *, writable: bool = True) -> LinuxPhc | SystemClock:
    """A clock by linuxptp's names for it. CLOCK_REALTIME is what it shows, UTC: no offset is taken from it. Failed."""
    from ptpstack.clocks.base import ClockError
    from ptpstack.clocks.phc import LinuxPhc
    from ptpstack.clocks.system import SystemClock

    try:
        if name.upper() == SYSTEM:
            return SystemClock(0, read_only=not writable, name=SYSTEM)
        return LinuxPhc(device_of(name), writable=writable)
    except ClockError as error:
        raise Failed(str(error)) from None
