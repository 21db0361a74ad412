"""phc2sys beside ptp4l."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence

from ptpstack.config.findings import ERROR, WARNING
from ptpstack.linuxptp.commands.common import SYSTEM
from ptpstack.linuxptp.lint.rule import Suspicion, can_follow
from ptpstack.linuxptp.phc2sys import Phc2sys
from ptpstack.linuxptp.settings import Settings

Found = Iterator[tuple[Phc2sys, str, str]]
Check = Callable[[Sequence[Settings], Sequence[Phc2sys]], Found]
#: name -> (severity, what it is about, the check), as ``rule.RULES``
COMPANION_RULES: dict[str, tuple[str, str, Check]] = {}


def _rule(name: str, severity: str) -> Callable[[Check], Check]:
    def take(check: Check) -> Check:
        COMPANION_RULES[name] = (severity, (check.__doc__ or "").partition("\n")[0], check)
        return check

    return take


def judge(sets: Sequence[Settings], programs: Sequence[Phc2sys]) -> list[Suspicion]:
    return [
        Suspicion(name, severity, reason, fix, program.text, None, program.text)
        for name, (severity, _, check) in COMPANION_RULES.items()
        for program, reason, fix in check(sets, programs)
    ]


@_rule("phc2sys-offset", WARNING)
def _offset(sets: Sequence[Settings], programs: Sequence[Phc2sys]) -> Found:
    """PHC to system clock by hand without -w or -O: off by 37 s."""
    for p in programs:
        by_hand = not p.automatic and p.source not in ("", SYSTEM) and SYSTEM in p.steers
        if by_hand and not p.waits and p.offset_s in (None, 0):
            yield p, "a PHC has TAI and the system clock UTC: it ends 37 s off", "add -w, or -O -37, or use -a -r"


@_rule("phc2sys-offset-sign", WARNING)
def _sign(sets: Sequence[Settings], programs: Sequence[Phc2sys]) -> Found:
    """-O with the wrong sign."""
    for p in programs:
        to_system = p.source not in ("", SYSTEM) and SYSTEM in p.steers
        wrong = (to_system and (p.offset_s or 0) > 0) or (p.source == SYSTEM and (p.offset_s or 0) < 0)
        if wrong and not p.automatic:
            yield p, "-O is the sink minus the source: TAI to UTC is negative", f"use -O {-(p.offset_s or 0)}"


@_rule("phc2sys-twice", ERROR)
def _twice(sets: Sequence[Settings], programs: Sequence[Phc2sys]) -> Found:
    """Two phc2sys that steer one clock."""
    counts = Counter(clock for p in programs for clock in set(p.steers))
    for p in programs[1:]:
        shared = [clock for clock in p.steers if counts[clock] > 1]
        if shared:
            yield p, f"another one steers {shared[0]} too: they pull it to and fro", "run one of them"


@_rule("phc2sys-software", WARNING)
def _software(sets: Sequence[Settings], programs: Sequence[Phc2sys]) -> Found:
    """phc2sys beside a ptp4l with software stamps, which steers the system clock itself."""
    software = [s for s in sets if s.text("time_stamping") == "software" and not s.number("free_running")]
    for p in programs:
        if software and SYSTEM in p.steers and p.source != SYSTEM:
            name = software[0].file.path
            yield p, f"{name} has software stamps: ptp4l steers the system clock itself", "do not run phc2sys"


@_rule("phc2sys-waits-for-ever", WARNING)
def _waits(sets: Sequence[Settings], programs: Sequence[Phc2sys]) -> Found:
    """phc2sys that asks ptp4l at another domain, transportSpecific or socket."""
    for p in programs:
        if not (p.automatic or p.waits):
            continue
        for s in sets:
            domain = s.number("domainNumber")
            if domain not in p.domains:
                yield p, f"{s.file.path} has domain {domain}: ptp4l never answers", f"add -n {domain}"
            path = s.text("uds_address")
            if s.named("uds_address") and path not in (p.sockets or ["/var/run/ptp4l", "/var/run/ptp/ptp4l"]):
                yield p, f"{s.file.path} has its socket at {path}", f"add -z {path}"
            port = s.ports[0] if s.ports else ""
            number = s.number("transportSpecific", port)
            if number != p.settings.number("transportSpecific"):
                yield p, f"{s.file.path} has transportSpecific {number}", f"add --transportSpecific={number}"


@_rule("phc2sys-automatic-idle", WARNING)
def _idle(sets: Sequence[Settings], programs: Sequence[Phc2sys]) -> Found:
    """-a without -r on a machine with one PHC steers nothing."""
    for p in programs:
        if p.automatic and not p.system and all(len(s.ports) < 2 for s in sets):
            yield p, "-a without -r leaves the system clock alone, and there is no other", "add -r"
        if p.automatic and (p.source or p.sinks):
            yield p, "-a finds its clocks by itself, and refuses -s and -c", "remove them, or -a"


@_rule("phc2sys-backwards", WARNING)
def _backwards(sets: Sequence[Settings], programs: Sequence[Phc2sys]) -> Found:
    """The system clock steers the PHC of a ptp4l that follows a master."""
    for p in programs:
        for s in sets:
            if p.source == SYSTEM and set(p.sinks) & set(s.ports) and s.number("clientOnly") and can_follow(s):
                yield p, f"{s.file.path} steers that clock by its master", "swap -s and -c, and add -w"


@_rule("phc2sys-rate", WARNING)
def _rate(sets: Sequence[Settings], programs: Sequence[Phc2sys]) -> Found:
    """Corrections so rare that the clock wanders in between."""
    for p in programs:
        if p.rate_hz < 1 / 16:
            yield p, f"a correction every {1 / p.rate_hz:g} s", "use -R 1 or more"
