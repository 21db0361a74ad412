"""Which programs set time, and which clocks each of them steers, from its command line, its file and what it has open.

Only the command lines and files of others are read. A claim comes with how it is known.
"""

from __future__ import annotations

import getopt
import os
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

from ptpstack.doctor.machine.proc import CAP_SYS_TIME, Process, own_network, read

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
            return (kind, called) if called != "ptpstack" or _node_words(process.argv) else None
    if process.name.startswith("python") and _node_words(process.argv):
        return "ptp", "ptpstack"
    return None


def _node_words(argv: tuple[str, ...]) -> tuple[str, ...]:
    """The command and arguments of a ptpstack node; () when it is none."""
    for number, word in enumerate(argv):
        rest = argv[number + 1 :]
        if (os.path.basename(word) == "ptpstack" or word.endswith("ptpstack/__main__.py")) and rest:
            return rest if rest[0] in _NODE_COMMANDS else ()
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


def _options(process: Process, short: str) -> list[tuple[str, str]]:
    arguments = list(process.argv[1:])
    try:
        return getopt.gnu_getopt([word for word in arguments if not word.startswith("--")], short)[0]
    except getopt.GetoptError:
        return []


def _chronyd(process: Process, phc_of: PhcOf) -> _Told:
    options = {key for key, _ in _options(process, "46DdF:f:hL:l:mnP:pqQrRst:Uu:vx")}
    if options & {"-x", "-Q", "-p"}:
        return _Told((), "it was started with -x (or -Q, -p), so it does not touch the clock")
    return _by_rights(process, phc_of)


def _phc2sys(process: Process, phc_of: PhcOf) -> _Told:
    options = _options(process, "arc:d:s:E:P:I:S:F:R:N:O:L:M:i:u:wn:xz:l:t:mqvhf:T:A:")
    targets = [value for key, value in options if key == "-c"]
    clocks = tuple(_clock(target, phc_of) for target in targets)
    keys = [key for key, _ in options]
    if not clocks and "-a" in keys:
        clocks = (SYSTEM,) if "-r" in keys else ()
        how = "-a -r: whatever ptp4l follows, the system clock included" if clocks else "-a: hardware clocks only"
    else:
        clocks = clocks or (SYSTEM,)
        how = f"-c {' '.join(targets)}" if targets else "it has no -c, so it is the system clock"
    return _Told(clocks, f"command line: {how}")


def _ts2phc(process: Process, phc_of: PhcOf) -> _Told:
    targets = [value for key, value in _options(process, "c:f:hi:l:mqs:t:v") if key == "-c"]
    return _Told(tuple(_clock(target, phc_of) for target in targets), "command line: -c")


def _clock(target: str, phc_of: PhcOf) -> str:
    if target == "CLOCK_REALTIME":
        return SYSTEM
    return target if target.startswith("/dev/") else phc_of(target) or f"the clock of {target}"


def _nothing(interface: str) -> str:
    return ""


def _ptp4l(process: Process, phc_of: PhcOf) -> _Told:
    options = _options(process, "AEPH246Sf:i:p:sl:mqvh")
    settings: dict[str, str] = {}
    interfaces = [value for key, value in options if key == "-i"]
    for path in [value for key, value in options if key == "-f"]:
        for section, key, value in linuxptp_settings(read(_inside(process, path))):
            if section == "global":
                settings[key] = value
            elif key == "" and "." not in section and section not in ("unicast_master_table",):
                interfaces.append(section)
    keys = {key for key, _ in options}
    if "-S" in keys:
        settings["time_stamping"] = "software"
    if "-H" in keys:
        settings["time_stamping"] = "hardware"
    for word, following in zip(process.argv[1:], (*process.argv[2:], ""), strict=False):
        if word.startswith("--"):
            key, equals, value = word[2:].partition("=")
            settings[key] = value if equals else following
    names = tuple(dict.fromkeys(interfaces))
    domain = settings.get("domainNumber", "0")
    number = int(domain) if domain.isdigit() else None
    if settings.get("free_running") == "1":
        return _Told((), "free_running 1: it steers nothing", names, number)
    if "1" in (settings.get("serverOnly"), settings.get("masterOnly")):
        return _Told((), "serverOnly 1: it steers nothing", names, number)
    only = "-s" in keys or "1" in (settings.get("clientOnly"), settings.get("slaveOnly"))
    when = "client only" if only else "as long as it is a client"
    if settings.get("time_stamping", "hardware") == "software":
        return _Told((SYSTEM,), f"software time stamps: it steers the system clock, {when}", names, number, not only)
    clocks = tuple(dict.fromkeys(clock for name in names if (clock := phc_of(name)))) or process.clocks or ()
    return _Told(clocks, f"hardware time stamps: it steers its interface's clock, {when}", names, number, not only)


def linuxptp_settings(text: str) -> list[tuple[str, str, str]]:
    """(section, key, value) of a linuxptp file; a section itself comes as (section, "", "")."""
    section, found = "global", []
    for line in text.splitlines():
        words = line.partition("#")[0].split(None, 1)
        if words and (head := re.fullmatch(r"\[(.+)\]", " ".join(words))):
            section = head[1].strip()
            found.append((section, "", ""))
        elif words:
            found.append((section, words[0], words[1].strip() if len(words) > 1 else ""))
    return found


def _inside(process: Process, path: str) -> Path:
    """A path as that process means it."""
    base = Path(f"/proc/{process.pid}/root" if path.startswith("/") else f"/proc/{process.pid}/cwd")
    return base / path.lstrip("/")


def _ptpstack(process: Process, phc_of: PhcOf) -> _Told:
    from ptpstack.config.load import read_site

    words = _node_words(process.argv)
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
