"""Programs that steer the same clock, or speak PTP on the same interface: named, with how it is known.

1. The system clock is one for the whole machine, whatever the network namespace; a hardware clock is its device's.
   One program that steers a clock is as it should be; two are not. What may as well serve as follow is in the way
   only while it follows.
2. PTP programs are in each other's way only in one network namespace, on one interface, in one domain.
"""

from __future__ import annotations

from dataclasses import dataclass

from ptpstack.doctor.findings import ERROR, NOTE, OK, WARNING, Finding, kind
from ptpstack.doctor.machine import proc
from ptpstack.doctor.machine.programs import Program, programs
from ptpstack.net import abilities

NO_DAEMONS = kind("no-time-programs", OK, "No other program sets time here")
CLOCK_CONTESTED = kind(
    "clock-contested",
    ERROR,
    "Two programs steer one clock",
    "Leave it to one of them: stop the other (`systemctl disable --now ...`), or let it only watch (chronyd -x, "
    "ptp4l free_running 1 or serverOnly 1, no -r for phc2sys -a).",
)
CLOCK_TAKEN = kind(
    "clock-taken",
    ERROR,
    "The configuration wants to steer a clock that another program steers",
    "Stop that program, or take `steer = true` out of the configuration and let that program have the clock.",
)
CLOCK_STEERED = kind(
    "clock-steered",
    NOTE,
    "A program steers a clock of this machine",
    "As it should be, as long as nobody else does: do not tell a node to steer this clock beside it.",
)
CLOCK_WATCHED = kind("clock-only-watched", NOTE, "A time program runs and steers nothing")
TWO_PTP_PROGRAMS = kind(
    "two-ptp-programs",
    WARNING,
    "Two PTP programs speak on one interface",
    "In one domain they compete and answer each other's requests. Stop one, or give each a domain of its own.",
)


@dataclass(frozen=True, slots=True)
class Daemons:
    """``network``: our network namespace. ``wanted``: clocks that a configuration steers."""

    programs: tuple[Program, ...]
    network: str
    wanted: tuple[str, ...] = ()
    #: (interface, domain) where a program of this machine serves as master now: what serves follows nobody
    serving: frozenset[tuple[str, int]] = frozenset()

    def serves(self, program: Program) -> bool:
        """A master on all its interfaces."""
        where = {(interface, program.domain) for interface in program.interfaces}
        return bool(where) and program.network == self.network and where <= self.serving


def look(wanted: tuple[str, ...] = (), serving: frozenset[tuple[str, int]] = frozenset()) -> Daemons:
    return Daemons(tuple(programs(proc.processes(), phc_of)), proc.own_network(), wanted, serving)


def phc_of(interface: str) -> str:
    index = abilities.query(interface).phc_index
    return f"/dev/ptp{index}" if index >= 0 else ""


def judge(daemons: Daemons) -> list[Finding]:
    found = []
    steering: dict[str, list[Program]] = {}
    for program in daemons.programs:
        for clock in program.steers:
            steering.setdefault(clock, []).append(program)
        if not program.steers and program.kind == "ntp":
            found.append(CLOCK_WATCHED(str(program), program.how))
    for clock, by in steering.items():
        each = "; ".join(f"{program}: {program.how}" for program in by)
        if len(by) > 1:
            certain = sum(not program.if_client for program in by)
            following = sum(program.if_client and not daemons.serves(program) for program in by)
            severity = ERROR if certain > 1 else WARNING if certain + following > 1 else NOTE
            found.append(CLOCK_CONTESTED(clock, each, severity=severity))
        elif clock in daemons.wanted and by[0].name != "ptpstack":
            found.append(CLOCK_TAKEN(clock, each))
        else:
            found.append(CLOCK_STEERED(clock, each))
    here = [p for p in daemons.programs if p.kind == "ptp" and p.network and p.network == daemons.network]
    for number, one in enumerate(here):
        for other in here[number + 1 :]:
            shared = set(one.interfaces) & set(other.interfaces)
            told = one.interfaces and other.interfaces
            if (shared or not told) and (one.domain is None or other.domain is None or one.domain == other.domain):
                where = f"on {', '.join(sorted(shared))}" if shared else "perhaps on one interface (one does not tell)"
                text = f"{one} and {other}, in this network namespace, {where}, domain {_domain(one, other)}"
                found.append(TWO_PTP_PROGRAMS(", ".join(sorted(shared)) or "this machine", text))
    for program in here:
        where = ", ".join(program.interfaces) or "unknown interfaces"
        if not program.steers:
            found.append(CLOCK_WATCHED(str(program), f"PTP on {where}; {program.how}"))
    return found or [NO_DAEMONS("this machine", "none of the known names is among the processes")]


def _domain(one: Program, other: Program) -> str:
    known = one.domain if one.domain is not None else other.domain
    return "unknown" if known is None else str(known)
