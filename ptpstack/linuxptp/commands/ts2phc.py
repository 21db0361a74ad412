"""``ts2phc``: PTP hardware clocks follow a pulse per second that their inputs stamp."""

from __future__ import annotations

import contextlib
import signal
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field

from ptpstack.clocks.base import Clock, ClockError
from ptpstack.clocks.phc import LinuxPhc
from ptpstack.clocks.system import SystemClock
from ptpstack.config.findings import ConfigError
from ptpstack.config.model import NodeOptions, Site
from ptpstack.engine.discipline import Edge
from ptpstack.engine.plan import ClockPlan, EnginePlan, ReferencePlan
from ptpstack.linuxptp.commands import common
from ptpstack.linuxptp.commands.common import FAILED, Failed, Usage
from ptpstack.linuxptp.commands.follow import Follower, Way
from ptpstack.linuxptp.commands.lines import servo_letter
from ptpstack.linuxptp.commands.log import INFO, NOTICE, CommandLog
from ptpstack.linuxptp.commands.phc2sys import end_of_program, way_of
from ptpstack.linuxptp.keys import ValueRefusedError, keys, renamed
from ptpstack.linuxptp.reader import ConfigFile, Setting, read_config
from ptpstack.linuxptp.settings import Settings, option, short
from ptpstack.node.assembly import Parts
from ptpstack.node.plans import servo_options
from ptpstack.servo.base import Command
from ptpstack.timebase.leap import LeapTable
from ptpstack.timebase.leapfile import LeapFileError
from ptpstack.timebase.units import NS_PER_S
from ptpstack.wire.types import TimeSource

USAGE = """\
usage: ts2phc [OPTION...]

  -c CLOCK   sink: a PTP hardware clock (/dev/ptp0), or an interface (its clock); repeatable
  -s SOURCE  generic: a pulse from outside, whose second CLOCK_REALTIME tells (default)
             a clock: it makes the pulse at its output, and tells the second
             nmea: not read; give CLOCK_REALTIME to chronyd, and use generic
  -f FILE    configuration; each section [CLOCK] is a sink, or the source with ts2phc.master 1
  -l LEVEL   log level, 0 to 7 (6)    -m  log to the terminal    -q  do not log to syslog
  -v         version                  -h  this text
  --KEY=VALUE  any key of the configuration, such as --ts2phc.pin_index=1

examples:
  ts2phc -c eth0 -s generic -m
  ts2phc -c /dev/ptp1 -s /dev/ptp0 --ts2phc.pin_index 0 -m
A node of ptpstack has this as the reference of a clock: [instance.reference] type = "pps".
"""
#: how far the system clock may be off to tell a second, s; who starts ts2phc says that it is right
_SECOND_S = 0.3
_PULSE_NS = 500_000_000


@dataclass(slots=True)
class Asked:
    settings: Settings
    log: CommandLog
    way: Way
    #: generic, or a device
    source: str = "generic"
    sinks: list[str] = field(default_factory=list)
    #: device -> its section, or the name it was given by
    names: dict[str, str] = field(default_factory=dict)

    def number(self, key: str, device: str) -> int:
        return self.settings.number(f"ts2phc.{key}", self.names.get(device, ""))

    def text(self, key: str, device: str) -> str:
        return self.settings.text(f"ts2phc.{key}", self.names.get(device, ""))


def main(arguments: Sequence[str]) -> int:
    """0 clean end, 255 wrong command line, or it cannot be done."""
    try:
        given, rest = common.options(arguments, "ac:f:hl:mqs:v", [f"{name}=" for name in (*keys(), *renamed())])
        flags = dict(given)
        if "-v" in flags:
            return common.show_version()
        if "-h" in flags:
            raise Usage
        if rest:
            raise Usage(f"{rest[0]!r} is no option")
        if "-a" in flags:
            raise Usage("-a: the ports of a node of ptpstack are tied by themselves; for a ptp4l use phc2sys -a")
        asked = _asked(given)
    except Usage as error:
        return common.ran("ts2phc", USAGE, error)
    except (ConfigError, Failed) as error:
        print(f"ts2phc: {error}", file=sys.stderr)
        return FAILED
    before = signal.signal(signal.SIGTERM, end_of_program)
    try:
        return _run(asked)
    except Failed as error:
        return common.failed(asked.log, error)
    finally:
        signal.signal(signal.SIGTERM, before)


def _asked(given: Sequence[tuple[str, str]]) -> Asked:
    file, said, source, sinks = ConfigFile(""), list[Setting](), "", list[str]()
    for flag, value in given:
        try:
            if flag.startswith("--"):
                said.append(option(flag[2:], value))
            elif flag in ("-l", "-m", "-q"):
                said.append(short(flag[1:], value))
            elif flag == "-f":
                file = read_config(value)
        except ValueRefusedError as error:
            raise Usage(f"{flag} {value}: {error}; {error.fix}") from None
        source = value if flag == "-s" else source
        if flag == "-c":
            sinks.append(value)
    settings = Settings(file, (), said)
    for section in file.ports:
        if not settings.number("ts2phc.master", section):
            sinks.append(section)
        elif not source:
            source = section
    source = source or "generic"
    if source == "nmea":
        raise Usage("-s nmea: NMEA is not read; let chronyd set CLOCK_REALTIME from the receiver, and use -s generic")
    if not sinks:
        raise Usage("no sink: give -c CLOCK, or a section [CLOCK] in the file")
    log = CommandLog.of("ts2phc", settings)
    asked = Asked(settings, log, way_of(settings, 0, 5, 0))
    for name in sinks:
        device = common.device_of(name)
        asked.names[device] = name
        asked.sinks.append(device)
    if source != "generic":
        asked.source = common.device_of(source)
        asked.names[asked.source] = source
    return asked


def _run(asked: Asked) -> int:
    follower = Follower(asked.log, asked.way, lambda now: None)
    opened: list[Clock] = []
    try:
        parts = _parts(asked, opened)
    except (ClockError, LeapFileError) as error:
        for clock in opened:
            clock.close()
        raise Failed(str(error)) from None
    labels = {_name(device): device for device in asked.sinks}

    def measured(edge: Edge, command: Command | None, now: int) -> None:
        estimate = edge.servo.estimate(now)
        if estimate is not None and follower.node is not None:
            frequency = 0.0 - follower.node.engine.clocks[edge.clock].frequency_ppb
            letter = servo_letter(edge.servo, command, False)
            text = f"{labels[edge.clock]} offset {round(estimate.value_ns):10} {letter} freq {frequency:+7.0f}"
            asked.log.log(INFO, text)

    try:
        follower.start(parts, labels, measured)
        follower.run()
        return 0
    finally:
        _silence(asked, opened)


def _silence(asked: Asked, opened: Sequence[Clock]) -> None:
    """No pulses from a source that nobody keeps any more."""
    for clock in opened:
        if isinstance(clock, LinuxPhc) and clock.name == asked.source:
            with contextlib.suppress(ClockError):
                clock.set_periodic_output(asked.number("channel", asked.source), period_ns=0)
            clock.close()


def _name(device: str) -> str:
    return device.rpartition("/")[2]


def _parts(asked: Asked, opened: list[Clock]) -> Parts:
    """ClockError, LeapFileError."""
    path = asked.settings.text("leapfile")
    leap = LeapTable.load(path) if path else LeapTable.find()
    teller: Clock = SystemClock(leap) if asked.source == "generic" else _source(asked, opened)
    clocks: dict[str, Clock] = {}
    plans, references = [], []
    for device in asked.sinks:
        name = _name(device)
        clock = LinuxPhc(device)
        opened.append(clock)
        clocks[name] = clock
        plans.append(
            ClockPlan(
                name,
                clock.capabilities.can_adjust,
                clock.capabilities.max_adjustment_ppb,
                "" if clock.capabilities.can_adjust else f"{device} offers no frequency adjustment",
            )
        )
        references.append(_reference(asked, device, "" if asked.source == "generic" else _name(asked.source)))
    site = Site(NodeOptions(name="ts2phc", state_dir="off"), (), ())
    plan = EnginePlan((), tuple(plans), tuple(references), leap=leap, name="ts2phc")
    return Parts(site, plan, {}, clocks, {}, {}, [], times_of_day=dict.fromkeys(clocks, teller))


def _reference(asked: Asked, device: str, teller: str) -> ReferencePlan:
    edge = asked.text("extts_polarity", device)
    return ReferencePlan(
        _name(device),
        "pps",
        "locked",
        TimeSource.GNSS,
        servo=servo_options(asked.way.servo, "hardware"),
        channel=asked.number("channel", device),
        # with nothing said, linuxptp sets pin 0; here the pin that has the function is found
        pin=asked.number("pin_index", device) if asked.settings.named("ts2phc.pin_index") else None,
        # what is no pulse is told by where it falls
        edge="rising" if edge == "both" else edge,
        # added to a stamp there, and here what a stamp is late by
        delay_ns=-float(asked.number("extts_correction", device)),
        tod=teller or "system",
        tod_error_s=_SECOND_S,
    )


def _source(asked: Asked, opened: list[Clock]) -> Clock:
    """The clock that makes the pulse, making it."""
    source = LinuxPhc(asked.source)
    opened.append(source)
    width = asked.settings.number("ts2phc.pulsewidth")
    grant = source.set_periodic_output(
        asked.number("channel", asked.source),
        period_ns=NS_PER_S,
        pin=asked.number("pin_index", asked.source) if asked.settings.named("ts2phc.pin_index") else None,
        pulse_ns=width if 0 < width < NS_PER_S else _PULSE_NS,
    )
    asked.log.log(NOTICE, f"{asked.source} makes a pulse per second at output {grant.channel}")
    return source
