"""Which programs set time, and which clocks each of them steers, from its command line, its file and what it has open.

Only the command lines and files of others are read. A claim comes with how it is known.
"""

from __future__ import annotations

import getopt
import os
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

from ptpstack.config.findings import ConfigError, UnreadableError
from ptpstack.doctor.machine.proc import CAP_SYS_TIME, Process, own_network
from ptpstack.linuxptp.keys import ValueRefusedError, keys, renamed
from ptpstack.linuxptp.reader import ConfigFile, Setting, read_config
from ptpstack.linuxptp.settings import Settings, option

SYSTEM = "the system clock"

#: name in /proc -> what people call it
NTP_PROGRAMS = {
    "chronyd": "chronyd",
    "ntpd": "ntpd",
    "openntpd": "openntpd",
    "systemd-timesyn": "systemd-timesyncd",
    "ntp-daemon": "ntpd-rs",
}
PTP_PROGRAMS = {
    **{name: name for name in ("ptp4l", "ptpd", "ptpd2", "sfptpd", "statime", "ptpstack")},
    "statime-linux": "statime",
}
CLOCK_PROGRAMS = {"phc2sys": "phc2sys", "ts2phc": "ts2phc"}
_NODE_COMMANDS = frozenset({"run", "gm", "bc", "oc", "tc"})
#: linuxptp's programs, which ptpstack has as commands, too -> kind
_LINUXPTP = {"ptp4l": "ptp", "phc2sys": "clock", "ts2phc": "clock"}

#: interface -> /dev/ptpN, "" when it has none
PhcOf = Callable[[str], str]


@dataclass(frozen=True, slots=True)
class Program:
    """``steers``: clocks; ``how``: how that is known. ``interfaces``, ``domain``: of a PTP program, where it tells."""

    name: str
    pid: int
    kind: str
    network: str
    steers: tuple[str, ...]
    how: str
    interfaces: tuple[str, ...] = ()
    domain: int | None = None
    #: it steers only while it follows a master, and it may as well serve
    if_client: bool = False

    def __str__(self) -> str:
        return f"{self.name} (pid {self.pid})"


def programs(processes: Iterable[Process], phc_of: PhcOf) -> list[Program]:
    """The time programs among ``processes``. A child process of the same program is left out."""
    found: dict[int, Program] = {}
    parents: dict[int, int] = {}
    for process in processes:
        name = _name(process)
        if name is None:
            continue
        kind, called = name
        # names of interfaces mean something in their own network namespace only
        lookup = phc_of if process.network in ("", own_network()) else _nothing
        told = _STEERS.get(called, _by_rights)(process, lookup)
        steers, how = told.steers, told.how
        opened = [path for path in process.clocks or () if path not in steers]
        # the others say by their options which clock they steer, and open some only to read them
        if opened and called in PTP_PROGRAMS.values() and called != "ptp4l":
            steers, how = (*steers, *opened), f"{how}; it has {', '.join(opened)} open for writing"
        if SYSTEM in steers and not (process.may(CAP_SYS_TIME) and process.same_user_namespace):
            steers = tuple(clock for clock in steers if clock != SYSTEM)
            how = "it has no CAP_SYS_TIME, so it cannot set the system clock"
        known = (told.interfaces, told.domain, told.if_client)
        found[process.pid] = Program(called, process.pid, kind, process.network, steers, how, *known)
        parents[process.pid] = process.parent
    return [p for pid, p in found.items() if not (parents[pid] in found and found[parents[pid]].name == p.name)]


def _name(process: Process) -> tuple[str, str] | None:
    for kind, table in (("ntp", NTP_PROGRAMS), ("ptp", PTP_PROGRAMS), ("clock", CLOCK_PROGRAMS)):
        if process.name in table:
            called = table[process.name]
            if called != "ptpstack":
                return kind, called
    if process.name == "ptpstack" or process.name.startswith("python"):
        command = _words(process.argv)[:1]
        if command and command[0] in _NODE_COMMANDS:
            return "ptp", "ptpstack"
        if command and command[0] in _LINUXPTP:
            return _LINUXPTP[command[0]], command[0]
    return None


def _words(argv: tuple[str, ...]) -> tuple[str, ...]:
    """The command of ptpstack and its arguments; () when it is none."""
    for number, word in enumerate(argv):
        rest = argv[number + 1 :]
        if (os.path.basename(word) == "ptpstack" or word.endswith("ptpstack/__main__.py")) and rest:
            return rest
    return ()


class _Told(NamedTuple):
    """What a program is told by its command line and file."""

    steers: tuple[str, ...]
    how: str
    interfaces: tuple[str, ...] = ()
    domain: int | None = None
    if_client: bool = False


def _by_rights(process: Process, phc_of: PhcOf) -> _Told:
    return _Told((SYSTEM,), "that is what it is for, and it has CAP_SYS_TIME")


def _arguments(process: Process) -> list[str]:
    """What follows the program's name, which an interpreter and options of its own may stand before."""
    argv = process.argv
    wanted = _words(argv)[:1] if process.name == "ptpstack" or process.name.startswith("python") else (process.name,)
    at = next((number for number, word in enumerate(argv) if os.path.basename(word) in wanted), 0)
    return list(argv[at + 1 :])


def _chronyd(process: Process, phc_of: PhcOf) -> _Told:
    try:
        given, _ = getopt.gnu_getopt(
            [word for word in _arguments(process) if not word.startswith("--")], "46DdF:f:hL:l:mnP:pqQrRst:Uu:vx"
        )
    except getopt.GetoptError:
        return _Told((SYSTEM,), "that is what it is for; whether its command line forbids it is not known")
    options = {key for key, _ in given}
    if options & {"-x", "-Q", "-p"}:
        return _Told((), "it was started with -x (or -Q, -p), so it does not touch the clock")
    return _by_rights(process, phc_of)


def _linuxptp(process: Process, short: str) -> tuple[list[tuple[str, str]], Settings, str] | None:
    """Options of a program of linuxptp, what holds by them and its file, and what is not known of that. None: its
    command line is not one that is understood."""
    long = [f"{name}=" for name in (*keys(), *renamed())]
    try:
        options = getopt.gnu_getopt(_arguments(process), short, long)[0]
    except getopt.GetoptError:
        return None
    file, said, unknown = ConfigFile(""), list[Setting](), ""
    for key, value in options:
        if key == "-f":
            try:
                file, unknown = read_config(_inside(process, value)), ""
            except ConfigError as error:
                why = "cannot be read" if isinstance(error, UnreadableError) else "has errors, or is of a newer one"
                file, unknown = ConfigFile(""), f"; its file {value} {why}"
        elif key.startswith("--"):
            with suppress(ValueRefusedError):
                said.append(option(key[2:], value))
    return options, Settings(file, [value for key, value in options if key == "-i"], said), unknown


_NOT_UNDERSTOOD = _Told((), "its command line is not understood, so it is not known what it steers")


def _fed(settings: Settings, options: Sequence[tuple[str, str]] = ()) -> str:
    """The feed of another program that stands where a servo would steer; "" when there is none."""
    servo = dict(options).get("-E") or settings.text("clock_servo")
    return f"{servo}: it feeds another program, and steers nothing" if servo in ("ntpshm", "refclock_sock") else ""


def _phc2sys(process: Process, phc_of: PhcOf) -> _Told:
    told = _linuxptp(process, "arc:d:s:E:P:I:S:F:R:N:O:L:M:i:u:wn:xz:l:t:mqvhf:T:A:")
    if told is None:
        return _NOT_UNDERSTOOD
    options, settings, unknown = told
    if feed := _fed(settings, options):
        return _Told((), feed + unknown)
    targets = [value for key, value in options if key == "-c"]
    clocks = tuple(_clock(target, phc_of) for target in targets)
    flags = [key for key, _ in options]
    if not clocks and "-a" in flags:
        clocks = (SYSTEM,) if "-r" in flags else ()
        how = "-a -r: whatever ptp4l follows, the system clock included" if clocks else "-a: hardware clocks only"
    else:
        clocks = clocks or (SYSTEM,)
        how = f"-c {' '.join(targets)}" if targets else "it has no -c, so it is the system clock"
    return _Told(clocks, f"command line: {how}{unknown}")


def _ts2phc(process: Process, phc_of: PhcOf) -> _Told:
    told = _linuxptp(process, "ac:f:hi:l:mqs:t:v")
    if told is None:
        return _NOT_UNDERSTOOD
    options, settings, unknown = told
    targets = [value for key, value in options if key == "-c"]
    sections = [name for name in settings.file.ports if not settings.number("ts2phc.master", name)]
    names = dict.fromkeys((*targets, *sections))
    where = [*(["-c"] if targets else []), *(["sections of its file"] if sections else [])]
    how = f"command line: {' and '.join(where) or 'no clock is named'}"
    return _Told(tuple(_clock(name, phc_of) for name in names), how + unknown)


def _clock(target: str, phc_of: PhcOf) -> str:
    if target == "CLOCK_REALTIME":
        return SYSTEM
    return target if target.startswith("/dev/") else phc_of(target) or f"the clock of {target}"


def _nothing(interface: str) -> str:
    return ""


def _ptp4l(process: Process, phc_of: PhcOf) -> _Told:
    told = _linuxptp(process, "AEPH246SLf:i:p:sl:mqvh")
    if told is None:
        return _NOT_UNDERSTOOD
    options, settings, unknown = told
    # these win over the file
    flags = {key for key, _ in options}
    names, number = settings.ports, settings.number("domainNumber")
    if feed := _fed(settings):
        return _Told((), feed + unknown, names, number)
    if settings.number("free_running"):
        return _Told((), "free_running 1: it steers nothing", names, number)
    if all(settings.number("serverOnly", name) for name in names or ("",)):
        return _Told((), "serverOnly 1: it steers nothing", names, number)
    only = "-s" in flags or bool(settings.number("clientOnly"))
    when = ("client only" if only else "as long as it is a client") + unknown
    software = "-S" in flags or ("-H" not in flags and settings.text("time_stamping") == "software")
    if software:
        return _Told((SYSTEM,), f"software time stamps: it steers the system clock, {when}", names, number, not only)
    clocks = tuple(dict.fromkeys(clock for name in names if (clock := phc_of(name)))) or process.clocks or ()
    return _Told(clocks, f"hardware time stamps: it steers its interface's clock, {when}", names, number, not only)


def _inside(process: Process, path: str) -> Path:
    """A path as that process means it."""
    base = Path(f"/proc/{process.pid}/root" if path.startswith("/") else f"/proc/{process.pid}/cwd")
    return base / path.lstrip("/")


def _ptpstack(process: Process, phc_of: PhcOf) -> _Told:
    from ptpstack.config.load import read_site

    words = _words(process.argv)
    interfaces = [after for word, after in pairwise(words) if word in ("-i", "--interface")]
    how = "command line"
    clocks: list[str] = [SYSTEM] if "--steer" in words else []
    domain = next((after for word, after in pairwise(words) if word == "--domain"), "0")
    number = int(domain) if domain.isdigit() else None
    if words[0] == "run":
        how, number = "site file", None
        try:
            site, _ = read_site(_inside(process, words[1]))
        except (OSError, ValueError, IndexError):
            site = None
        if site is not None:
            interfaces = [channel.interface for channel in site.channels]
            clocks = [SYSTEM for clock in site.clocks if clock.type == "system" and clock.steers("system")]
            clocks += [clock.device for clock in site.clocks if clock.device and clock.steers("phc")]
            if len({instance.options.domain for instance in site.instances}) == 1:
                number = site.instances[0].options.domain
    return _Told(tuple(dict.fromkeys(clocks)), how, tuple(dict.fromkeys(interfaces)), number)


_STEERS: dict[str, Callable[[Process, PhcOf], _Told]] = {
    "chronyd": _chronyd,
    "phc2sys": _phc2sys,
    "ts2phc": _ts2phc,
    "ptp4l": _ptp4l,
    "ptpstack": _ptpstack,
}
