"""Leap seconds: which TAI - UTC holds when, what comes next, and for how long that is known.

1. A table is immutable and knows where it came from and when it expires. After its expiry it still answers with the
   last offset it knows, and ``status`` says that nobody should announce that as valid.
2. Questions in UTC are asked in POSIX seconds (``utc_s``), in PTP time in PTP seconds (``ptp_s``). Only PTP seconds
   can name the inserted second.
3. No I/O except in ``load`` and ``find``.

IEEE 1588-2019 7.2.4 and 9.4, not checked against the text.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import Enum
from typing import NamedTuple

from ptpstack.timebase.calendar import SECONDS_PER_DAY, format_date
from ptpstack.timebase.leapfile import LeapEntry, LeapFile, LeapFileError, parse_leap_file, read_leap_file

__all__ = ["LeapEntry", "LeapEvent", "LeapFileError", "LeapState", "LeapStatus", "LeapTable"]

#: Where distributions keep the list of the tz database, then where administrators put their own.
SYSTEM_FILES = (
    "/usr/share/zoneinfo/leap-seconds.list",
    "/etc/leap-seconds.list",
    "/etc/ntp/leap-seconds.list",
    "/var/lib/ntp/leap-seconds.list",
)

#: A new list appears five months before the old one expires: two months of warning leave time to react.
EXPIRY_WARNING_S = 60 * SECONDS_PER_DAY

# The IERS list updated 2026-07-06, which expires 2027-06-28. POSIX seconds; the first offset is 10 s, each adds one.
# fmt: off
_BUILT_IN_STARTS = (
    63072000, 78796800, 94694400, 126230400, 157766400, 189302400, 220924800, 252460800, 283996800, 315532800,
    362793600, 394329600, 425865600, 489024000, 567993600, 631152000, 662688000, 709948800, 741484800, 773020800,
    820454400, 867715200, 915148800, 1136073600, 1230768000, 1341100800, 1435708800, 1483228800,
)
# fmt: on
_BUILT_IN = LeapFile(
    tuple(LeapEntry(utc_s, 10 + index) for index, utc_s in enumerate(_BUILT_IN_STARTS)),
    updated_s=1_783_323_897,
    expires_s=1_814_140_800,
)


class LeapState(Enum):
    VALID = "valid"
    EXPIRING_SOON = "expiring-soon"
    EXPIRED = "expired"
    #: the question is about a time before 1972, when UTC did not differ from TAI by whole seconds: a clock never set
    BEFORE_TABLE = "before-table"


@dataclass(frozen=True, slots=True)
class LeapStatus:
    """How far the table can be trusted at a moment. ``usable``: currentUtcOffsetValid may be TRUE."""

    state: LeapState
    message: str
    remaining_s: int

    @property
    def usable(self) -> bool:
        return self.state in (LeapState.VALID, LeapState.EXPIRING_SOON)


class LeapEvent(NamedTuple):
    """A leap second. The new offset holds from ``utc_s`` (POSIX), which is ``ptp_s`` on PTP's scale."""

    utc_s: int
    ptp_s: int
    before: int
    after: int

    @property
    def inserted(self) -> bool:
        """True: the last UTC minute has 61 s (leap61). False: 59 s (leap59)."""
        return self.after > self.before

    @property
    def day_start_ptp_s(self) -> int:
        """PTP second at which the UTC day begins that ends with this leap second."""
        return self.utc_s - SECONDS_PER_DAY + self.before


@dataclass(frozen=True)
class LeapTable:
    """TAI - UTC over time. Make one by ``built_in()``, ``load(path)``, ``find()`` or ``parse(text, path)``."""

    entries: tuple[LeapEntry, ...]
    updated_s: int
    expires_s: int
    #: ``built-in`` or the file's path
    source: str
    #: what ``find`` saw on the way, one sentence each
    notes: tuple[str, ...] = ()
    _utc_starts: tuple[int, ...] = field(init=False, repr=False, compare=False)
    _ptp_starts: tuple[int, ...] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        if not self.entries:
            raise ValueError("a leap second table has at least one entry")
        object.__setattr__(self, "_utc_starts", tuple(entry.utc_s for entry in self.entries))
        object.__setattr__(self, "_ptp_starts", tuple(entry.utc_s + entry.tai_minus_utc for entry in self.entries))

    # -- sources ------------------------------------------------------------------------------------------------------

    @classmethod
    def built_in(cls) -> LeapTable:
        """The table this program was shipped with. It expires like any other."""
        return cls(_BUILT_IN.entries, _BUILT_IN.updated_s, _BUILT_IN.expires_s, "built-in")

    @classmethod
    def parse(cls, text: str, path: str) -> LeapTable:
        """A table from the text of a ``leap-seconds.list``; LeapFileError when anything in it is wrong."""
        parsed = parse_leap_file(text, path)
        _check_history(parsed, path)
        return cls(parsed.entries, parsed.updated_s, parsed.expires_s, path)

    @classmethod
    def load(cls, path: str) -> LeapTable:
        """Read and check a ``leap-seconds.list``. LeapFileError, also when the file cannot be read."""
        return cls.parse(read_leap_file(path), path)

    @classmethod
    def find(cls, paths: Sequence[str] = SYSTEM_FILES) -> LeapTable:
        """The table that expires last among the readable good files of ``paths`` and the built-in one; never raises.

        On a tie the file wins. ``notes`` says of every candidate what became of it.
        """
        candidates: list[LeapTable] = []
        notes: list[str] = []
        for path in paths:
            try:
                candidates.append(cls.load(path))
            except LeapFileError as error:
                notes.append(f"not used: {error}")
        candidates.append(cls.built_in())
        best = max(candidates, key=lambda table: table.expires_s)
        notes.extend(
            f"{'used' if table is best else 'not used, another expires later'}: "
            f"{table.source}, expires {format_date(table.expires_s)}"
            for table in candidates
        )
        return cls(best.entries, best.updated_s, best.expires_s, best.source, tuple(notes))

    # -- questions ----------------------------------------------------------------------------------------------------

    def tai_minus_utc(self, utc_s: int) -> int:
        """TAI - UTC (s) at POSIX second ``utc_s``. Before 1972: the first offset, 10 s (see ``status``)."""
        return self.entries[max(0, bisect_right(self._utc_starts, utc_s) - 1)].tai_minus_utc

    def at_ptp(self, ptp_s: int) -> int:
        """TAI - UTC (s) at PTP second ``ptp_s``; in the inserted second :60 the old offset still holds."""
        return self.entries[max(0, bisect_right(self._ptp_starts, ptp_s) - 1)].tai_minus_utc

    def is_leap_second(self, ptp_s: int) -> bool:
        """True in an inserted second, 23:59:60."""
        index = bisect_right(self._ptp_starts, ptp_s + 1) - 1
        return (
            index > 0
            and self._ptp_starts[index] == ptp_s + 1
            and self.entries[index].tai_minus_utc > self.entries[index - 1].tai_minus_utc
        )

    def ptp_from_posix(self, utc_s: int) -> int:
        """PTP seconds of a POSIX second. A POSIX number that stands for two seconds (:60 and :00) means the later."""
        return utc_s + self.tai_minus_utc(utc_s)

    def posix_from_ptp(self, ptp_s: int) -> int:
        """POSIX seconds of a PTP second; :60 gets the number of the second after it."""
        return ptp_s - self.at_ptp(ptp_s)

    def next_event(self, ptp_s: int) -> LeapEvent | None:
        """The first leap second that is not over at ``ptp_s``, or None when the table knows of none."""
        index = max(1, bisect_right(self._ptp_starts, ptp_s))
        return self._event(index) if index < len(self.entries) else None

    def _event(self, index: int) -> LeapEvent:
        before, entry = self.entries[index - 1], self.entries[index]
        # The moment of change: the old offset's midnight plus the inserted second, or minus the one left out.
        return LeapEvent(entry.utc_s, entry.utc_s + entry.tai_minus_utc, before.tai_minus_utc, entry.tai_minus_utc)

    def leap_flags(self, ptp_s: int) -> tuple[bool, bool]:
        """(leap59, leap61) for Announce: set only within the UTC day that ends with the event, never both (9.4)."""
        event = self.next_event(ptp_s)
        if event is None or ptp_s < event.day_start_ptp_s:
            return False, False
        return not event.inserted, event.inserted

    def status(self, utc_s: int, warning_s: int = EXPIRY_WARNING_S) -> LeapStatus:
        """Whether the table may be relied on at POSIX second ``utc_s``."""
        remaining = self.expires_s - utc_s
        until = (
            f"the leap second table ({self.source}) expire{'s' if remaining > 0 else 'd'} {format_date(self.expires_s)}"
        )
        renew = "install a newer leap-seconds.list (tzdata) and reload"
        if utc_s < self.entries[0].utc_s:
            message = f"the time asked about, {format_date(utc_s)}, is before 1972: that clock has never been set"
            return LeapStatus(LeapState.BEFORE_TABLE, message, remaining)
        if remaining <= 0:
            message = (
                f"{until}; TAI-UTC {self.tai_minus_utc(utc_s)} s is the last known value, not a valid one; {renew}"
            )
            return LeapStatus(LeapState.EXPIRED, message, remaining)
        if remaining <= warning_s:
            message = f"{until}, in {-(-remaining // SECONDS_PER_DAY)} days; {renew}"
            return LeapStatus(LeapState.EXPIRING_SOON, message, remaining)
        return LeapStatus(LeapState.VALID, until, remaining)


def _check_history(parsed: LeapFile, path: str) -> None:
    """Leap seconds that have happened cannot differ from file to file: a file that disagrees is damaged or made up."""
    fix = "use a list issued by IERS or the tz database"
    for known, stated in zip(_BUILT_IN.entries, parsed.entries, strict=False):
        if known != stated:
            reason = f"says TAI-UTC {stated.tai_minus_utc} s from {format_date(stated.utc_s)}, where history has "
            raise LeapFileError(path, 0, f"{reason}{known.tai_minus_utc} s from {format_date(known.utc_s)}", fix)
    missing = _BUILT_IN.entries[len(parsed.entries) :]
    if missing and missing[0].utc_s < parsed.updated_s:
        raise LeapFileError(path, 0, f"lacks the leap second of {format_date(missing[0].utc_s)}", fix)
