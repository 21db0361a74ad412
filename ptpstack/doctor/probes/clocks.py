"""The system clock as the kernel keeps it (adjtimex, read only), and the PTP hardware clocks."""

from __future__ import annotations

import time
from dataclasses import dataclass

from ptpstack.clocks.base import ClockError
from ptpstack.clocks.survey import ClockReport, survey
from ptpstack.clocks.system import SystemClock, SystemStatus
from ptpstack.doctor.findings import ERROR, NOTE, OK, WARNING, Finding, kind
from ptpstack.timebase.leap import LeapTable
from ptpstack.timebase.units import NS_PER_S, format_ns

SYSTEM_CLOCK_FINE = kind("system-clock-fine", OK, "The system clock is plausible")
SYSTEM_CLOCK_IMPLAUSIBLE = kind(
    "system-clock-implausible",
    ERROR,
    "The system clock shows a date that cannot be",
    "Set it (by hand or NTP) before PTP: a grandmaster fed by it would announce this date.",
)
SYSTEM_CLOCK_UNDECLARED = kind(
    "system-clock-unsynchronised",
    NOTE,
    "Nobody declares the system clock right",
    "A grandmaster whose reference is the system clock serves what nobody vouches for: run an NTP client or steer it.",
)
SYSTEM_CLOCK_AT_LIMIT = kind(
    "system-clock-at-limit",
    WARNING,
    "The system clock is steered to the limit of its frequency",
    "Two programs pull at it, the oscillator is broken, or in a virtual machine the TSC frequency is wrong.",
)
TAI_UNSET = kind(
    "tai-offset-unset",
    NOTE,
    "The kernel's TAI offset is not set",
    "CLOCK_TAI shows UTC on this machine. ptpstack does not rely on it; programs that do are 37 s wrong. chronyd "
    "(leapsectz right/UTC) and ptpstack (when it steers the system clock) set it.",
)
TAI_WRONG = kind(
    "tai-offset-wrong",
    WARNING,
    "The kernel's TAI offset is wrong",
    "Some program has set it from an old leap second table. Find it and update its table; programs that use CLOCK_TAI "
    "are off by whole seconds.",
)
LEAP_ARMED = kind(
    "leap-second-armed", NOTE, "The kernel will insert or delete a leap second at the end of this UTC day"
)
LEAP_ARMED_WRONGLY = kind(
    "leap-second-armed-wrongly",
    ERROR,
    "The kernel is about to apply a leap second that is not announced",
    "Some program has set the flag; find it (ntpd, chronyd, a PTP client of a wrong master). The clock will be a "
    "second "
    "wrong from midnight UTC on.",
)
PHC_UNSET = kind(
    "hardware-clock-unset",
    NOTE,
    "A PTP hardware clock has never been set",
    "It counts from 1970 or from power-on: the node that steers it sets it.",
)
PHC_ON_UTC = kind(
    "hardware-clock-on-utc",
    NOTE,
    "A PTP hardware clock shows UTC",
    "PTP wants TAI. A hypervisor's clock always shows UTC; else somebody forgot an offset (phc2sys -O, timescale).",
)

#: before this nobody ran this program: 2025-01-01
_EARLIEST_S = 1_735_689_600
#: and after it no leap second table reaches: 2080-01-01
_LATEST_S = 3_471_292_800
_LIMIT_PPB = 495_000.0


@dataclass(frozen=True, slots=True)
class Clocks:
    """``reports``: of the PTP hardware clocks. ``known_tai``: TAI - UTC of the table, s."""

    status: SystemStatus
    now_ns: int
    known_tai: int
    leap_today: int = 0
    reports: tuple[ClockReport, ...] = ()


def look(leap: LeapTable) -> Clocks:
    """OSError when the kernel does not answer."""
    status = SystemClock(leap).status()
    now_ns = time.time_ns()
    try:
        reports = tuple(report for report in survey(leap) if report.kind == "phc")
    except ClockError:
        reports = ()
    flags = leap.leap_flags(leap.ptp_from_posix(now_ns // NS_PER_S))
    return Clocks(status, now_ns, leap.tai_minus_utc(now_ns // NS_PER_S), int(flags[1]) - int(flags[0]), reports)


def judge(clocks: Clocks) -> list[Finding]:
    found = []
    status, now_s = clocks.status, clocks.now_ns // NS_PER_S
    name = "system clock"
    if not _EARLIEST_S <= now_s < _LATEST_S:
        shown = time.strftime("%Y-%m-%d", time.gmtime(max(0, now_s)))
        found.append(SYSTEM_CLOCK_IMPLAUSIBLE(name, f"it shows {shown}"))
    if not status.synchronised:
        found.append(SYSTEM_CLOCK_UNDECLARED(name, "the kernel calls it unsynchronised (STA_UNSYNC)"))
    if abs(status.frequency_ppb) >= _LIMIT_PPB:
        found.append(SYSTEM_CLOCK_AT_LIMIT(name, f"frequency correction {status.frequency_ppb / 1000:+.1f} ppm"))
    if status.tai_offset_s == 0:
        found.append(TAI_UNSET(name, "adjtimex: tai 0"))
    elif not status.tai_trusted:
        text = f"adjtimex: tai {status.tai_offset_s}, the leap second table has {clocks.known_tai}"
        found.append(TAI_WRONG(name, text))
    if status.leap_pending:
        text = f"{'insert' if status.leap_pending > 0 else 'delete'} at the next midnight UTC"
        make = LEAP_ARMED if status.leap_pending == clocks.leap_today else LEAP_ARMED_WRONGLY
        found.append(make(name, text))
    for report in clocks.reports:
        if report.time_sns is None or report.offset_ns is None:
            continue
        if report.time_sns >> 16 < _EARLIEST_S * NS_PER_S <= clocks.now_ns:
            found.append(PHC_UNSET(report.name, f"{report.driver}: {(report.time_sns >> 16) / 1e9:.0f} s since 1970"))
        elif abs(report.offset_ns + clocks.known_tai * NS_PER_S) < NS_PER_S / 2:
            text = f"{report.driver}: {format_ns(report.offset_ns)} from the system clock's TAI"
            found.append(PHC_ON_UTC(report.name, text))
    if not any(finding.severity in (ERROR, WARNING) for finding in found):
        text = f"frequency {status.frequency_ppb / 1000:+.3f} ppm, maximum error {format_ns(status.max_error_ns)}"
        found.append(SYSTEM_CLOCK_FINE(name, text))
    return found
