"""Leap second tables: the one a node would use, and the files other programs of this machine may use."""

from __future__ import annotations

import time
from dataclasses import dataclass

from ptpstack.doctor.findings import ERROR, NOTE, OK, WARNING, Finding, kind
from ptpstack.timebase.calendar import format_date
from ptpstack.timebase.leap import SYSTEM_FILES, LeapFileError, LeapState, LeapTable

LEAP_FINE = kind("leap-table-fine", OK, "The leap second table is valid")
LEAP_EXPIRED = kind(
    "leap-table-expired",
    ERROR,
    "The leap second table has expired",
    "Install a newer leap-seconds.list (package tzdata, or from IERS) and reload: a grandmaster may no longer call its "
    "currentUtcOffset valid.",
)
LEAP_EXPIRING = kind(
    "leap-table-expiring",
    WARNING,
    "The leap second table expires soon",
    "Install a newer leap-seconds.list (package tzdata, or from IERS) in time.",
)
LEAP_UNUSABLE = kind(
    "leap-file-unusable",
    ERROR,
    "The leap second file of the configuration cannot be used",
    "Mend or replace the file, or remove leap_file to use the table built in.",
)
LEAP_OTHER_EXPIRED = kind(
    "leap-file-of-others-expired",
    NOTE,
    "A leap second file of this machine has expired",
    "ptpstack does not use it, but chronyd, ptp4l, phc2sys and ts2phc may: update the package tzdata.",
)


@dataclass(frozen=True, slots=True)
class Leap:
    """``table``: what a node would use, None when ``error`` is in the way. ``others``: (path, expiry) of other "
    "files."""

    table: LeapTable | None
    now_s: int
    error: str = ""
    configured: bool = False
    others: tuple[tuple[str, int], ...] = ()


def look(leap_file: str | None) -> Leap:
    others = []
    for path in SYSTEM_FILES:
        try:
            others.append((path, LeapTable.load(path).expires_s))
        except LeapFileError:
            continue
    now_s = int(time.time())
    if leap_file is None:
        return Leap(LeapTable.find(), now_s, others=tuple(others))
    try:
        return Leap(LeapTable.load(leap_file), now_s, configured=True, others=tuple(others))
    except LeapFileError as error:
        return Leap(None, now_s, str(error), configured=True, others=tuple(others))


def judge(leap: Leap) -> list[Finding]:
    found = []
    if leap.table is None:
        found.append(LEAP_UNUSABLE("leap seconds", leap.error))
    else:
        status = leap.table.status(leap.now_s)
        make = {LeapState.EXPIRED: LEAP_EXPIRED, LeapState.EXPIRING_SOON: LEAP_EXPIRING}.get(status.state, LEAP_FINE)
        if status.state is not LeapState.BEFORE_TABLE:  # the clock is the trouble then, and says so itself
            found.append(make("leap seconds", status.message.partition("; install")[0]))
    used = leap.table.source if leap.table is not None else ""
    for path, expires_s in leap.others:
        if expires_s <= leap.now_s and path != used:
            found.append(LEAP_OTHER_EXPIRED(path, f"it expired {format_date(expires_s)}"))
    return found
