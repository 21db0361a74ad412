"""``phc_ctl DEVICE -- COMMAND...``: a clock by hand, several commands in one go."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence

from ptpstack.clocks.base import ClockError
from ptpstack.clocks.phc import LinuxPhc
from ptpstack.clocks.system import SystemClock
from ptpstack.linuxptp.commands import common
from ptpstack.linuxptp.commands.common import FAILED, Failed, Usage
from ptpstack.linuxptp.commands.log import ERROR, INFO, NOTICE, WARNING, CommandLog
from ptpstack.timebase.units import NS_PER_S

USAGE = """\
usage: phc_ctl [-l LEVEL] [-q] [-Q] DEVICE [--] [COMMAND...]

DEVICE is a PTP hardware clock (/dev/ptp0), an interface (its clock), or CLOCK_REALTIME.
commands, done one after the other; seconds may have a fraction:
  set [SECONDS]   set the clock (default: to the time of CLOCK_REALTIME)
  get             show its time
  adj SECONDS     step it by so much
  freq [PPB]      set its frequency, or show it
  cmp             compare it with CLOCK_REALTIME
  caps            what it can do (default when no command is given)
  wait SECONDS    do nothing for so long
options:
  -l LEVEL  log level, 0 to 7 (6)    -q  not to syslog    -Q  not to the terminal
  -v  version    -h  this text
examples:
  phc_ctl eth0 get
  phc_ctl /dev/ptp0 -- set adj -0.5 cmp
"""
_TAKES_NUMBER = frozenset({"set", "adj", "freq", "wait"})


def main(arguments: Sequence[str]) -> int:
    """0 done, 255 wrong command line or no such clock. A clock's refusal is logged, and the next command done."""
    try:
        given, rest = common.options(arguments, "l:qQvh")
        flags = dict(given)
        if "-v" in flags:
            return common.show_version()
        if "-h" in flags:
            raise Usage
        if not rest:
            raise Usage("which device? Such as phc_ctl eth0 get")
        log = CommandLog(
            "phc_ctl",
            level=common.whole("-l", flags.get("-l", str(INFO)), 0, 7),
            verbose="-Q" not in flags,
            use_syslog="-q" not in flags,
        )
        commands = list(_commands(rest[1:] or ["caps"]))
    except Usage as error:
        return common.ran("phc_ctl", USAGE, error)
    try:
        clock = common.open_named(rest[0])
    except Failed as error:
        log.log(ERROR, str(error))
        return FAILED
    try:
        for name, value in commands:
            try:
                _DO[name](clock, value, log)
            except ClockError as error:
                log.log(ERROR, f"{name}: {error}")
        return 0
    finally:
        clock.close()


def _commands(words: Sequence[str]) -> Iterator[tuple[str, float | None]]:
    left = list(words)
    while left:
        name = left.pop(0)
        if name not in _DO:
            raise Usage(f"unknown command {name}")
        value = None
        if name in _TAKES_NUMBER and left and left[0] not in _DO:
            value = common.number(name, left.pop(0), -1e18, 1e18)
        if value is None and name in ("adj", "wait"):
            raise Usage(f"{name}: how many seconds?")
        yield name, value


_Clock = LinuxPhc | SystemClock


def _time(ns: int) -> str:
    return f"{ns // NS_PER_S}.{ns % NS_PER_S:09d} or {time.ctime(ns // NS_PER_S)}\n"


def _set(clock: _Clock, value: float | None, log: CommandLog) -> None:
    if value is None:
        # twice: drivers that read, add and write err by microseconds
        for _ in range(2):
            reading = clock.cross_reading(9)
            clock.step((reading.realtime_ns << 16) - reading.clock_sns)
    else:
        clock.step((round(value * NS_PER_S) << 16) - clock.now_sns())
    log.log(NOTICE, f"set clock time to {_time(clock.now_sns() >> 16)}")


def _get(clock: _Clock, value: float | None, log: CommandLog) -> None:
    log.log(NOTICE, f"clock time is {_time(clock.now_sns() >> 16)}")


def _adj(clock: _Clock, value: float | None, log: CommandLog) -> None:
    assert value is not None
    clock.step(round(value * NS_PER_S) << 16)
    log.log(NOTICE, f"adjusted clock by {value:f} seconds")


def _freq(clock: _Clock, value: float | None, log: CommandLog) -> None:
    if value is None:
        log.log(NOTICE, f"clock frequency offset is {clock.frequency_ppb():f}ppb")
    else:
        log.log(NOTICE, f"adjusted clock frequency offset to {clock.set_frequency(value):f}ppb")


def _cmp(clock: _Clock, value: float | None, log: CommandLog) -> None:
    reading = clock.cross_reading(9)
    offset_ns = ((reading.realtime_ns << 16) - reading.clock_sns) >> 16
    about = "" if reading.method in ("precise", "extended", "offset") else "approximately "
    log.log(NOTICE, f"offset from CLOCK_REALTIME is {about}{offset_ns}ns\n")


def _caps(clock: _Clock, value: float | None, log: CommandLog) -> None:
    if not isinstance(clock, LinuxPhc):
        log.log(WARNING, f"{clock.name} is not a PHC device.")
        return
    able = clock.capabilities
    rows: tuple[tuple[str, str], ...] = (
        (f"{able.max_adjustment_ppb:.0f}", "maximum frequency adjustment (ppb)"),
        ("0", "programable alarms"),
        (f"{able.external_timestamps}", "external time stamp channels"),
        (f"{able.periodic_outputs}", "programmable periodic signals"),
        (f"{able.pins}", "configurable input/output pins"),
        ("has" if able.pps else "doesn't have", "pulse per second support"),
        ("has" if able.cross_method == "precise" else "doesn't have", "cross timestamping support"),
    )
    if able.adjust_phase:
        rows = (*rows, ("has", "adjust phase support"), (f"{able.max_phase_ns}", "maximum offset adjustment (ns)"))
    log.log(NOTICE, "\ncapabilities:\n" + "\n".join(f"  {amount} {what}" for amount, what in rows) + "\n")


def _wait(clock: _Clock, value: float | None, log: CommandLog) -> None:
    assert value is not None
    time.sleep(max(0.0, value))
    log.log(NOTICE, f"process slept for {value:f} seconds\n")


_DO = {"set": _set, "get": _get, "adj": _adj, "freq": _freq, "cmp": _cmp, "caps": _caps, "wait": _wait}
