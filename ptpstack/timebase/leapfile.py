"""The ``leap-seconds.list`` format of IERS, NIST and the tz database: text -> checked entries.

1. Nothing is repaired: a file that fails one check is refused whole, with line, reason and fix.
2. The check sum covers numbers only (SHA-1 over update time, expiry and entries without white space or comments), so
   comments and spacing may differ between issuers.
3. In some issues the five words of the check sum lack their leading zeros; these files are good.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from typing import NamedTuple

from ptpstack.timebase.calendar import SECONDS_PER_DAY, civil_from_seconds, format_date
from ptpstack.timebase.scales import NTP_POSIX_OFFSET_S

#: A real file has 5 to 11 KB. The cap keeps a wrong path (a device, a log) from filling the memory.
MAX_FILE_OCTETS = 1 << 20
_FIRST = (2_272_060_800, 10)
_GET_ANOTHER = "get an intact copy of leap-seconds.list from IERS or from the operating system's tzdata"


class LeapFileError(ValueError):
    """A leap second file that cannot be used. ``line`` is 1-based, 0 = the file as a whole."""

    def __init__(self, path: str, line: int, reason: str, fix: str = _GET_ANOTHER) -> None:
        where = f"{path}:{line}" if line else path
        super().__init__(f"{where}: {reason}; {fix}")
        self.path = path
        self.line = line
        self.reason = reason
        self.fix = fix


class LeapEntry(NamedTuple):
    """From POSIX second ``utc_s`` on, TAI - UTC is ``tai_minus_utc``."""

    utc_s: int
    tai_minus_utc: int


class LeapFile(NamedTuple):
    """What a file says. Times in POSIX seconds."""

    entries: tuple[LeapEntry, ...]
    updated_s: int
    expires_s: int


def read_leap_file(path: str) -> str:
    """The text of the file, LeapFileError when it cannot be read. The only I/O of this room."""
    try:
        with open(path, "rb") as file:
            octets = file.read(MAX_FILE_OCTETS + 1)
    except OSError as error:
        reason = f"cannot be read ({error.strerror or error})"
        raise LeapFileError(path, 0, reason, "check the path and its permissions") from error
    if len(octets) > MAX_FILE_OCTETS:
        raise LeapFileError(path, 0, f"is larger than {MAX_FILE_OCTETS} octets, which no leap second file is")
    return octets.decode("ascii", errors="replace")


def parse_leap_file(text: str, path: str) -> LeapFile:
    """Parse and check. ``path`` is only for messages. LeapFileError on the first thing that is wrong."""
    parser = _Parser(path)
    for number, line in enumerate(text.splitlines(), start=1):
        parser.line(number, line)
    return parser.finish()


class _Parser:
    def __init__(self, path: str) -> None:
        self.path = path
        self.special: dict[str, tuple[int, str]] = {}
        self.entries: list[tuple[int, int, int]] = []  # line, NTP seconds, TAI-UTC

    def fail(self, line: int, reason: str, fix: str = _GET_ANOTHER) -> LeapFileError:
        return LeapFileError(self.path, line, reason, fix)

    def line(self, number: int, line: str) -> None:
        mark = line[:2]
        if mark in ("#$", "#@", "#h"):
            if mark in self.special:
                raise self.fail(number, f"a second {mark} line (the first is line {self.special[mark][0]})")
            self.special[mark] = (number, line[2:].strip())
            return
        fields = line.split("#", 1)[0].split()
        if not fields:
            return
        if len(fields) != 2:
            raise self.fail(number, f"expected 'NTP-seconds TAI-UTC', found {len(fields)} fields")
        self.entries.append((number, self.number(number, fields[0]), self.number(number, fields[1])))

    def number(self, line: int, text: str) -> int:
        # At most 12 digits: int() takes quadratic time on text without limit.
        if not text.isascii() or not text.isdigit() or len(text) > 12:
            raise self.fail(line, f"{text[:40]!r} is not a number of seconds")
        return int(text)

    def marked(self, mark: str, meaning: str) -> int:
        if mark not in self.special:
            raise self.fail(0, f"has no {mark} line ({meaning})")
        line, text = self.special[mark]
        return self.number(line, text)

    def finish(self) -> LeapFile:
        updated = self.marked("#$", "time of the last update")
        expires = self.marked("#@", "expiry")
        if not self.entries:
            raise self.fail(0, "has no entries")
        self.check_sum(updated, expires)
        if expires <= updated:
            raise self.fail(self.special["#@"][0], "expires before its last update")
        self.check_entries()
        entries = tuple(LeapEntry(ntp - NTP_POSIX_OFFSET_S, offset) for _, ntp, offset in self.entries)
        return LeapFile(entries, updated - NTP_POSIX_OFFSET_S, expires - NTP_POSIX_OFFSET_S)

    def check_sum(self, updated: int, expires: int) -> None:
        if "#h" not in self.special:
            raise self.fail(0, "has no #h line (SHA-1 check sum)")
        line, text = self.special["#h"]
        words = text.split()
        if len(words) != 5 or not all(len(w) <= 8 and all(c in "0123456789abcdefABCDEF" for c in w) for w in words):
            raise self.fail(line, "the check sum is not five hexadecimal words of up to 8 digits")
        stated = "".join(word.lower().zfill(8) for word in words)
        computed = leap_file_digest(updated, expires, ((ntp, offset) for _, ntp, offset in self.entries))
        if stated != computed:
            raise self.fail(line, f"the check sum does not match: the file states {stated}, its data give {computed}")

    def check_entries(self) -> None:
        line, ntp, offset = self.entries[0]
        if (ntp, offset) != _FIRST:
            raise self.fail(line, f"the first entry is {ntp} {offset}, expected {_FIRST[0]} {_FIRST[1]} (1972-01-01)")
        for (_, before_ntp, before), (line, ntp, offset) in zip(self.entries, self.entries[1:], strict=False):
            utc_s = ntp - NTP_POSIX_OFFSET_S
            if ntp <= before_ntp:
                raise self.fail(line, "this entry is not later than the one before it")
            if abs(offset - before) != 1:
                raise self.fail(line, f"TAI-UTC goes from {before} to {offset}; a leap second changes it by one")
            if utc_s % SECONDS_PER_DAY or civil_from_seconds(utc_s).day != 1:
                raise self.fail(line, f"{format_date(utc_s)} +{utc_s % SECONDS_PER_DAY} s is not the start of a month")


def leap_file_digest(updated_ntp: int, expires_ntp: int, entries: Iterable[tuple[int, int]]) -> str:
    """SHA-1 (40 hexadecimal digits) of a file's numbers, all in NTP seconds; entries are (NTP seconds, TAI-UTC)."""
    text = f"{updated_ntp}{expires_ntp}" + "".join(f"{ntp}{offset}" for ntp, offset in entries)
    # An integrity check against damage, defined by the format; nobody relies on it against an attacker.
    return hashlib.sha1(text.encode(), usedforsecurity=False).hexdigest()
