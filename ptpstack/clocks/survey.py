"""What each clock of this machine shows now: read once, by the best method, steered by nobody.

A clock is opened for writing where that is allowed (reading the frequency needs it on older kernels) and only read.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from typing import Any

from ptpstack.clocks.base import Capabilities, Clock, ClockError, CrossReading
from ptpstack.clocks.open import ClockDescription, describe_clocks
from ptpstack.clocks.phc import LinuxPhc
from ptpstack.clocks.system import SystemClock
from ptpstack.timebase.leap import LeapTable
from ptpstack.timebase.units import NS_PER_S

#: CAP_SYS_TIME as a bit of CapEff in /proc/self/status
_CAP_SYS_TIME = 1 << 25


@dataclass(frozen=True, slots=True)
class ClockReport:
    """``offset_ns``: the clock minus the system clock, both in PTP time, within ``bound_ns``. None: cannot be read."""

    name: str
    kind: str
    #: what the driver calls it
    driver: str
    interfaces: tuple[str, ...]
    time_sns: int | None
    offset_ns: float | None
    bound_ns: float | None
    method: str
    frequency_ppb: float | None
    capabilities: Capabilities | None
    #: whether this process may steer it, and why not
    steerable: bool
    why_not: str
    virtual_clocks: tuple[int, ...]
    physical: int | None
    #: what to know about it, one sentence each
    notes: tuple[str, ...]

    def as_dict(self) -> dict[str, Any]:
        fields = asdict(self)
        time_sns = fields.pop("time_sns")
        return {"name": fields.pop("name"), "time_ns": None if time_sns is None else time_sns >> 16, **fields}


def survey(
    leap: LeapTable,
    interfaces: Mapping[int, list[str]] | None = None,
    *,
    sysfs: str = "/sys",
    open_phc: Callable[..., LinuxPhc] = LinuxPhc,
) -> list[ClockReport]:
    """The system clock, then all PHCs by index. ``interfaces``: those of each PHC, by index, where more is known."""
    system = SystemClock(leap)
    reports = [_system(system)]
    for found in describe_clocks(sysfs):
        names = sorted({*found.interfaces, *(interfaces or {}).get(found.index, ())})
        reports.append(_phc(found, tuple(names), system, open_phc))
    return reports


def offset_of(reading: CrossReading, system: SystemClock) -> float:
    """A clock minus the system clock, ns, both in PTP time."""
    return (reading.clock_sns - system.stamp_sns(reading.realtime_ns)) / 65536.0


def _system(clock: SystemClock) -> ClockReport:
    status = clock.status()
    notes = []
    if not status.synchronised:
        notes.append("the kernel calls it unsynchronised: no program declares it right")
    if not status.tai_trusted:
        notes.append(f"the kernel's TAI offset is {status.tai_offset_s} s, so CLOCK_TAI is wrong; a leap table is used")
    may = _has_sys_time()
    return ClockReport(
        name=clock.name,
        kind=clock.kind,
        driver="CLOCK_REALTIME",
        interfaces=(),
        time_sns=clock.now_sns(),
        offset_ns=0.0,
        bound_ns=0.0,
        method="exact",
        frequency_ppb=status.frequency_ppb,
        capabilities=SystemClock(LeapTable.built_in(), read_only=not may).capabilities,
        steerable=may,
        why_not="" if may else "this process lacks CAP_SYS_TIME",
        virtual_clocks=(),
        physical=None,
        notes=tuple(notes),
    )


def _has_sys_time() -> bool:
    try:
        with open("/proc/self/status", encoding="ascii") as file:
            line = next(line for line in file if line.startswith("CapEff:"))
    except (OSError, StopIteration):
        return False
    return bool(int(line.split()[1], 16) & _CAP_SYS_TIME)


def _phc(
    found: ClockDescription, interfaces: tuple[str, ...], system: SystemClock, open_phc: Callable[..., LinuxPhc]
) -> ClockReport:
    notes = [found.warning] if found.warning else []
    writable = os.access(found.path, os.R_OK | os.W_OK)
    why_not = "" if writable else f"no right to write {found.path}"
    caps, reading, offset, frequency = None, None, None, None
    try:
        clock = open_phc(found.path, writable=writable)
    except ClockError as error:
        notes.append(str(error))
        why_not = why_not or "it cannot be opened"
    else:
        try:
            caps = clock.capabilities
            if not caps.can_adjust and writable:
                why_not = "the driver offers no adjustment"
            elif found.virtual_clocks:
                why_not = "virtual clocks run on it"
            reading = clock.cross_reading()
            offset = offset_of(reading, system)
            frequency = _frequency(clock)
            notes += _about(clock, offset, system)
        except ClockError as error:
            notes.append(str(error))
        finally:
            clock.close()
    return ClockReport(
        name=found.path,
        kind="phc",
        driver=found.name,
        interfaces=interfaces,
        time_sns=None if reading is None else reading.clock_sns,
        offset_ns=offset,
        bound_ns=None if reading is None else reading.bound_ns,
        method="" if reading is None else reading.method,
        frequency_ppb=frequency,
        capabilities=caps,
        steerable=caps is not None and not why_not,
        why_not=why_not,
        virtual_clocks=found.virtual_clocks,
        physical=found.physical,
        notes=tuple(notes),
    )


def _frequency(clock: Clock) -> float | None:
    try:
        return clock.frequency_ppb()
    except ClockError:
        return None  # opened for reading only on a kernel before 6.15


def _about(clock: LinuxPhc, offset_ns: float, system: SystemClock) -> list[str]:
    utc_offset_s = ((system.now_sns() >> 16) - system.cross_reading().realtime_ns + NS_PER_S // 2) // NS_PER_S
    notes = []
    if utc_offset_s and abs(offset_ns + utc_offset_s * NS_PER_S) < NS_PER_S:
        notes.append(f"it is {utc_offset_s} s behind: it counts UTC, and PTP wants TAI (nobody has set it yet?)")
    for method, why in clock.method_notes.items():
        if method != "precise":
            notes.append(f"readings by {method} are not in use: {why}")
    return notes
