"""``phc2sys``: clocks follow a clock (-s, -c), or whatever a ptp4l's port states say (-a)."""

from __future__ import annotations

import math
import signal
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from types import FrameType

from ptpstack.config.findings import ConfigError
from ptpstack.config.model import ServoOptions
from ptpstack.linuxptp.commands import common
from ptpstack.linuxptp.commands.common import FAILED, Failed, Usage
from ptpstack.linuxptp.commands.follow import SYSTEM, Follower, Graph, Way
from ptpstack.linuxptp.commands.log import INFO, NOTICE, WARNING, CommandLog
from ptpstack.linuxptp.commands.ptp4l_link import Port, Ptp4lLink, UtcOffset
from ptpstack.linuxptp.phc2sys import FEEDS, Phc2sys, parse, servo_named
from ptpstack.linuxptp.settings import Settings
from ptpstack.node.management_client import ManagementUnavailable
from ptpstack.timebase.units import NS_PER_S
from ptpstack.wire.types import PortState

USAGE = """\
usage: phc2sys -a [-r] [-r] [OPTION...]
       phc2sys -s CLOCK [-c CLOCK]... [-O SECONDS | -w] [OPTION...]

which clocks: a PTP hardware clock (/dev/ptp0), an interface (its clock), or CLOCK_REALTIME
  -a           as the ports of ptp4l say: the clock of its slave port is the source, those of the others follow
  -r           CLOCK_REALTIME follows, too; twice: and is the source while no port is a slave
  -s CLOCK     source (-i is the same)
  -c CLOCK     sink (default CLOCK_REALTIME); repeatable
  -O SECONDS   sink minus source (0)
  -w           wait for ptp4l, and take TAI - UTC from it
how:
  -E SERVO     pi, linreg, nullf, or ntpshm and refclock_sock, which feed ntpd or chronyd (default: the estimator)
  -P KP -I KI  constants of pi (0.7 and 0.3)
  -S SECONDS   step threshold (never)         -F SECONDS  the same of the first update (0.00002)
  -R HZ        updates a second (1); the nearest power of two is used
  -N NUMBER    readings of an update (5)      -L PPB      read and not used, see docs/linuxptp-commands.md
  -M NUMBER    NTP SHM segment (0)            -u NUMBER   updates of a summary (0: a line for each)
ptp4l:
  -n DOMAIN    its domain (0)                 -z PATH     its socket (/var/run/ptp4l)
others:
  -f FILE      configuration                  -l LEVEL    log level, 0 to 7 (6)
  -t TAG       tag of log messages            -m          log to the terminal
  -q           do not log to syslog           -x          read and not used: leap seconds are handled by themselves
  -v           version                        -h          this text
  --KEY=VALUE  any key of the configuration

examples:
  phc2sys -a -r -m                               beside a ptp4l, with hardware time stamps
  phc2sys -s eth0 -c CLOCK_REALTIME -w -m
  phc2sys -s eth0 -O -37 -E ntpshm -M 2 -m       for ntpd and chronyd; sets nothing
A node of ptpstack needs none of this: ports on several clocks are tied by themselves, and an [[edge]] does the rest.
"""
_RETRY_NS = NS_PER_S


@dataclass(slots=True)
class Asked:
    program: Phc2sys
    log: CommandLog
    way: Way
    #: devices, or CLOCK_REALTIME
    source: str
    sinks: list[str]
    #: clocks by the names they were given
    labels: dict[str, str]

    @property
    def settings(self) -> Settings:
        return self.program.settings


def main(arguments: Sequence[str]) -> int:
    """0 clean end, 255 wrong command line, or it cannot be done."""
    try:
        program = parse(arguments)
        if program.shows == "-v":
            return common.show_version()
        if program.shows or program.refusal:
            raise Usage(program.refusal if not program.shows else "")
        asked = _asked(program)
    except Usage as error:
        return common.ran("phc2sys", USAGE, error)
    except (ConfigError, Failed) as error:
        print(f"phc2sys: {error}", file=sys.stderr)
        return FAILED
    try:
        return (_Automatic(asked) if program.automatic else _Manual(asked)).run()
    except (Failed, ManagementUnavailable) as error:
        return common.failed(asked.log, error)


def _asked(program: Phc2sys) -> Asked:
    """Failed for a clock that is not there."""
    settings = program.settings
    log = CommandLog.of("phc2sys", settings)
    way = way_of(settings, round(-math.log2(program.rate_hz)), program.readings, program.summary)
    names = [] if program.automatic else [program.source, *program.steers]
    devices = [name if name == SYSTEM else common.device_of(name) for name in names]
    labels = dict(zip(devices, names, strict=True))
    return Asked(program, log, way, devices[0] if devices else "", devices[1:], labels)


def way_of(settings: Settings, log_interval: int, samples: int, summary: int) -> Way:
    """Servo and feeds from keys: who names no servo and no constant of one gets our own. Usage."""
    kind = servo_named(settings)
    feeding = kind in FEEDS
    servo = ServoOptions(
        type="pi" if feeding else kind or "estimator",
        kp=settings.real("pi_proportional_const") or (0.7 if kind == "pi" else 0.0),
        ki=settings.real("pi_integral_const") or (0.3 if kind == "pi" else 0.0),
        first_step_threshold_ns=settings.real("first_step_threshold") * 1e9,
        step_threshold_ns=settings.real("step_threshold") * 1e9,
    )
    return Way(
        servo,
        max(-7, min(10, log_interval)),
        samples,
        summary,
        feeding,
        settings.number("ntpshm_segment") if kind == "ntpshm" else None,
        settings.text("refclock_sock_address") if kind == "refclock_sock" else None,
    )


# ---- ptp4l ----------------------------------------------------------------------------------------------------------


def connected(asked: Asked) -> Ptp4lLink:
    """A ptp4l that answers, however long that takes."""
    settings, log = asked.settings, asked.log
    told = ""
    while True:
        link: Ptp4lLink | None = None
        try:
            link = Ptp4lLink(
                common.socket_of(settings), settings.number("domainNumber"), settings.number("transportSpecific")
            )
            link.learn()
            return link
        except ManagementUnavailable as error:
            why = str(error)
            if link is not None:
                link.close()
        log.log(NOTICE, "Waiting for ptp4l...")
        if why != told:
            log.log(INFO, why)
            told = why
        time.sleep(1.0)


def end_of_program(number: int, frame: FrameType | None) -> None:
    # through every finally: the socket of ours is removed
    raise SystemExit(0)


class _Program:
    def __init__(self, asked: Asked) -> None:
        self.asked, self.log = asked, asked.log
        self.follower = Follower(asked.log, asked.way, self.tick)
        self.link: Ptp4lLink | None = None
        self._due_ns = 0

    def run(self) -> int:
        before = signal.signal(signal.SIGTERM, end_of_program)
        try:
            self.begin()
            self.follower.run()
            return 0
        finally:
            signal.signal(signal.SIGTERM, before)
            if self.link is not None:
                self.link.close()

    def begin(self) -> None:
        raise NotImplementedError

    def changed(self) -> None:
        """Port states are others."""

    def tick(self, now: int) -> int | None:
        """Keep being told by ptp4l; when to come again."""
        if self.link is None:
            return None
        if now >= self._due_ns:
            try:
                self._due_ns = self.link.renew(now)
            except ManagementUnavailable as error:
                self.log.log(WARNING, f"ptp4l is not to be heard: {error}")
                self._due_ns = now + _RETRY_NS
        return self._due_ns

    def listen(self, link: Ptp4lLink) -> None:
        self.link = link
        # not from a node's turn: what is heard may end that node
        self.follower.loop.add_reader(link.fileno(), lambda fd: self.changed() if link.heard() else None)

    def system_offset_s(self, utc: UtcOffset) -> int | None:
        """Of a time that ptp4l keeps: the table's, or what it says, or nothing for an arbitrary time scale."""
        if utc.offset_s is None:
            self.log.log(WARNING, "ptp4l has an arbitrary time scale: its clocks and CLOCK_REALTIME are kept the same")
            return 0
        if not utc.valid:
            self.log.log(
                NOTICE, f"ptp4l does not call its UTC offset of {utc.offset_s} s valid; it is taken nevertheless"
            )
        return None if utc.valid else utc.offset_s


class _Manual(_Program):
    def begin(self) -> None:
        asked, program = self.asked, self.asked.program
        # of the system clock: what its time lacks to be the source's
        given = 0 if program.offset_s is None else program.offset_s
        offset: int | None = given if asked.source == SYSTEM else -given
        if program.waits:
            link = connected(asked)
            self._await_synchronised(link)
            if program.offset_s is None:
                offset = self.system_offset_s(link.utc_offset())
            self.listen(link)
        devices = [clock for clock in asked.sinks if clock != SYSTEM]
        if given and asked.source != SYSTEM and devices:
            raise Failed(f"-O {given}: {devices[0]} and {asked.source} keep the same time scale; use -O 0")
        sinks = tuple(dict.fromkeys(sink for sink in asked.sinks if sink != asked.source))
        if not sinks:
            self.log.log(NOTICE, "nothing to synchronize: source and sink are the same clock")
            self.follower.idle()
            return
        self.follower.follow(Graph(asked.source, sinks, offset, asked.labels))

    def _await_synchronised(self, link: Ptp4lLink) -> None:
        while not any(port.state in (PortState.SLAVE, PortState.MASTER) for port in link.ports.values()):
            self.log.log(NOTICE, "Waiting for ptp4l...")
            time.sleep(1.0)
            link.learn()

    def tick(self, now: int) -> int | None:
        due = super().tick(now)
        # with nothing to do and nobody to hear, only a signal ends the wait
        return now + NS_PER_S if due is None and self.follower.node is None else due


class _Automatic(_Program):
    """Source and sinks by the states of ptp4l's ports."""

    #: when to choose again; None: it is chosen
    _again_ns: int | None = None

    def begin(self) -> None:
        link = connected(self.asked)
        if not any(port.phc is not None for port in link.ports.values()):
            link.close()
            raise Failed("no suitable ports available: none has hardware time stamps")
        self.listen(link)
        self.changed()

    def changed(self) -> None:
        self._again_ns = None
        try:
            self._choose()
        except ManagementUnavailable as error:
            self.log.log(WARNING, f"ptp4l is not to be heard: {error}")
            self._again_ns = self.follower.loop.now_ns() + _RETRY_NS
            # what was followed leads no longer
            self.follower.leave()
            self.follower.idle()

    def tick(self, now: int) -> int | None:
        due = super().tick(now)
        # with a node this is its turn, and it cannot be ended there
        if self._again_ns is not None and now >= self._again_ns and self.follower.node is None:
            self.changed()
        return due if due is None or self._again_ns is None else min(due, self._again_ns)

    def _choose(self) -> None:
        assert self.link is not None
        ports = list(self.link.ports.values())
        self.log.log(NOTICE, "reconfiguring after port state change")
        source, sinks = choose(ports, self.asked.program.system)
        if not source or not sinks:
            self.log.log(NOTICE, "nothing to synchronize")
            self.follower.leave()
            self.follower.idle()
            return
        utc = self.link.utc_offset()
        labels = {f"/dev/ptp{port.phc}": port.interface for port in reversed(ports)}
        for sink in sinks:
            self.log.log(NOTICE, f"selecting {labels.get(sink, sink)} for synchronization")
        self.log.log(NOTICE, f"selecting {labels.get(source, source)} as the master clock")
        self.follower.follow(Graph(source, sinks, self.system_offset_s(utc), labels))


def choose(ports: Sequence[Port], system: int) -> tuple[str, tuple[str, ...]]:
    """(source or "", sinks): the clock of the port that is SLAVE leads; CLOCK_REALTIME while none is, where it may."""
    clocks: dict[str, set[PortState]] = {}
    for port in ports:
        if port.phc is not None:
            clocks.setdefault(f"/dev/ptp{port.phc}", set()).add(port.state)
    slaves = [clock for clock, states in clocks.items() if PortState.SLAVE in states]
    settling = any(PortState.UNCALIBRATED in states for states in clocks.values())
    masters = tuple(clock for clock, states in clocks.items() if states & {PortState.MASTER, PortState.PRE_MASTER})
    if slaves:
        others = tuple(clock for clock in clocks if clock != slaves[0])
        return slaves[0], (*others, *((SYSTEM,) if system else ()))
    if settling or system < 2 or not masters:
        return "", ()
    return SYSTEM, masters
