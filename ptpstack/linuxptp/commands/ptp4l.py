"""``ptp4l``: a node of ours from ptp4l's options and files, with its socket and its log."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace

from ptpstack.config.findings import ConfigError
from ptpstack.config.model import Site
from ptpstack.linuxptp.commands import common
from ptpstack.linuxptp.commands.common import FAILED, Usage
from ptpstack.linuxptp.commands.lines import PortLines, Steadiness
from ptpstack.linuxptp.commands.log import ERROR, INFO, WARNING, CommandLog
from ptpstack.linuxptp.importer import import_site
from ptpstack.linuxptp.keys import ValueRefusedError, keys, renamed
from ptpstack.linuxptp.reader import ConfigFile, Setting, parse_config, read_config
from ptpstack.linuxptp.settings import SHORT_OPTIONS, Settings, option, short
from ptpstack.node.control import ControlSocketError
from ptpstack.node.errors import AssemblyError
from ptpstack.node.keyring import KeyFileError
from ptpstack.node.run import Runner, StartError
from ptpstack.node.service import CAPABILITIES, PrivilegeError, effective_capabilities
from ptpstack.timebase.units import NS_PER_S

USAGE = """\
usage: ptp4l [OPTION...]

  -A -E -P   delay mechanism: auto, end to end (default), peer to peer
  -2 -4 -6   network transport: IEEE 802.3, UDP over IPv4 (default), UDP over IPv6
  -H -S -L   time stamps: hardware (default, else the kernel's), software, legacy (refused)
  -f FILE    configuration (- is the standard input)
  -i IF      interface; repeatable
  -p DEV     PTP hardware clock (default: that of the interface)
  -s         client only
  -l LEVEL   log level, 0 to 7 (6)
  -m         log to the terminal
  -q         do not log to syslog
  -v         version
  -h         this text
  --KEY=VALUE, --KEY VALUE   any key of the configuration, over [global] of the file

examples:
  ptp4l -i eth0 -m
  ptp4l -f /etc/linuxptp/ptp4l.conf -i eth1 -S -s --summary_interval 4
beside the socket of pmc (uds_address) there is one of ptpstack's own:
  ptpstack status --control /var/run/ptp4l.control
`ptpstack import-linuxptp FILE` shows what is made of a file, docs/linuxptp-commands.md what differs.
"""


@dataclass(slots=True)
class Asked:
    """A command line: settings, and nothing that they do not say."""

    settings: Settings
    log: CommandLog


def main(arguments: Sequence[str]) -> int:
    """0 clean end, 255 could not start."""
    try:
        given, rest = common.options(arguments, "AEP246HSLf:i:p:sl:mqvh", [f"{name}=" for name in _long_names()])
        flags = dict(given)
        if "-v" in flags:
            return common.show_version()
        if "-h" in flags:
            raise Usage
        if rest:
            raise Usage(f"{rest[0]!r} is no option")
        asked = _asked(given)
        if not asked.settings.ports:
            raise Usage("no interface: add -i IF, or a section [IF] to the file")
    except Usage as error:
        return common.ran("ptp4l", USAGE, error)
    except ConfigError as error:
        print(f"ptp4l: {error}", file=sys.stderr)
        return FAILED
    return _run(asked)


def _long_names() -> list[str]:
    return [*keys(), *renamed()]


def _asked(given: Sequence[tuple[str, str]]) -> Asked:
    file, interfaces, phc, said = ConfigFile(""), [], "", list[Setting]()
    try:
        for flag, value in given:
            if flag == "-f":
                file = parse_config(sys.stdin.buffer.read(), "-") if value == "-" else read_config(value)
            elif flag == "-i":
                if not value:
                    raise Usage("-i names no interface")
                interfaces.append(value)
            elif flag == "-p":
                phc = common.device_of(value) if not value.startswith("/") else value
            elif flag.startswith("--"):
                said.append(option(flag[2:], value))
            elif flag == "-l" or flag[1:] in SHORT_OPTIONS:
                said.append(short(flag[1:], value))
    except (ValueRefusedError, common.Failed) as error:
        fix = f"; {error.fix}" if isinstance(error, ValueRefusedError) else ""
        raise Usage(f"{flag} {value}: {error}{fix}") from None
    settings = Settings(file, interfaces, said, phc)
    log = CommandLog.of("ptp4l", settings)
    return Asked(settings, log)


def _run(asked: Asked) -> int:
    settings, log = asked.settings, asked.log
    site, imported = import_site([settings])
    for finding in imported.findings:
        # what is refused is for who has no log to look into, too
        text = str(finding)
        if finding in imported.refused:
            print(f"ptp4l: {text}", file=sys.stderr)
        else:
            log.log(INFO, text)
    if site is None:
        return FAILED
    site = _fitted(site, settings, log)
    try:
        runner = _runner(site, log)
    except (StartError, KeyFileError, AssemblyError, ControlSocketError, PrivilegeError) as error:
        return common.failed(log, error)
    _speak(runner, settings, log)
    return runner.run()


def _fitted(site: Site, settings: Settings, log: CommandLog) -> Site:
    """What a site of ptp4l is beside its configuration: no state kept, its own sockets, no clock it may not set."""
    node = site.node
    if node.management is not None and not settings.named("uds_ro_address"):
        # as the default names are to each other; two of ptp4l on one machine name their first one only
        node = replace(node, management_read_only=f"{node.management}ro")
    node = replace(node, state_dir="off", control=f"{common.socket_of(settings)}.control")
    clocks = site.clocks
    if not effective_capabilities() >> CAPABILITIES["CAP_SYS_TIME"] & 1:
        steered = [c for c in clocks if c.steer is not False and c.type in ("auto", "system")]
        if steered:
            log.log(WARNING, "without CAP_SYS_TIME the system clock is only measured; run as root to let it be steered")
        clocks = tuple(replace(c, steer=None if c.type == "auto" else False) if c in steered else c for c in clocks)
    return replace(site, node=node, clocks=clocks)


def _runner(site: Site, log: CommandLog) -> Runner:
    try:
        return Runner(site, journal=log)
    except (AssemblyError, ControlSocketError) as error:
        node = site.node
        paths = (node.control, node.management, node.management_read_only)
        if node.management is None or not any(path and path in str(error) for path in paths):
            raise
        # ptp4l takes such a socket away from who has it; the other one may be one that somebody relies on
        log.log(ERROR, f"no management socket: {error}")
        node = replace(node, control=f"{node.control}.{os.getpid()}", management=None, management_read_only=None)
        return Runner(replace(site, node=node), journal=log)


def _speak(runner: Runner, settings: Settings, log: CommandLog) -> None:
    """Let the log have ptp4l's lines."""
    node = runner.node
    lines = PortLines(
        node.engine,
        log.log,
        settings.number("summary_interval"),
        Steadiness(settings.real("servo_offset_threshold"), settings.number("servo_num_offset_values")),
    )
    log.lines = lines.event
    node.engine.steering.watchers.append(lines.measured)
    for clock in node.clocks.values():
        if clock.kind == "phc":
            log.log(INFO, f"selected {clock.name} as PTP clock")
    due = 0

    def look_round(now: int) -> int:
        nonlocal due
        if now >= due:
            due = now + NS_PER_S
            for name in node.engine.instances:
                for severity, text in lines.new_masters(name, now):
                    log.log(severity, text)
        return due

    node.periodic.append(look_round)
