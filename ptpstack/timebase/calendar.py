"""The Gregorian calendar in integers, for every second that PTP's 48-bit field can name.

``datetime`` ends in the year 9999 and knows no second 60; PTP reaches the year 8.9 million and has leap seconds.
The algorithm counts years from 1 March, so that the leap day is the last day of its year.
"""

from __future__ import annotations

import re
from typing import NamedTuple

SECONDS_PER_DAY = 86_400
_DAYS_PER_ERA = 146_097  # 400 Gregorian years
_EPOCH_SHIFT = 719_468  # days from 0000-03-01 to 1970-01-01


class Civil(NamedTuple):
    """A calendar date and time of day. ``second`` is 60 in an inserted leap second."""

    year: int
    month: int
    day: int
    hour: int = 0
    minute: int = 0
    second: int = 0


def days_from_civil(year: int, month: int, day: int) -> int:
    """Days since 1970-01-01. ValueError when there is no such day."""
    if not 1 <= month <= 12 or not 1 <= day <= days_in_month(year, month):
        raise ValueError(f"there is no day {year:04d}-{month:02d}-{day:02d}")
    shifted = year - (month <= 2)
    era, year_of_era = divmod(shifted, 400)
    day_of_year = (153 * ((month + 9) % 12) + 2) // 5 + day - 1
    day_of_era = year_of_era * 365 + year_of_era // 4 - year_of_era // 100 + day_of_year
    return era * _DAYS_PER_ERA + day_of_era - _EPOCH_SHIFT


def days_in_month(year: int, month: int) -> int:
    if month == 2:
        return 29 if year % 4 == 0 and (year % 100 != 0 or year % 400 == 0) else 28
    return 30 if month in (4, 6, 9, 11) else 31


def civil_from_seconds(seconds: int) -> Civil:
    """Date and time of day ``seconds`` (86400 to the day, negative allowed) after 1970-01-01 00:00:00."""
    days, rest = divmod(seconds, SECONDS_PER_DAY)
    era, day_of_era = divmod(days + _EPOCH_SHIFT, _DAYS_PER_ERA)
    year_of_era = (day_of_era - day_of_era // 1460 + day_of_era // 36_524 - day_of_era // 146_096) // 365
    day_of_year = day_of_era - (365 * year_of_era + year_of_era // 4 - year_of_era // 100)
    month_from_march = (5 * day_of_year + 2) // 153
    month = month_from_march + 3 if month_from_march < 10 else month_from_march - 9
    year = year_of_era + era * 400 + (month <= 2)
    day = day_of_year - (153 * month_from_march + 2) // 5 + 1
    return Civil(year, month, day, rest // 3600, rest % 3600 // 60, rest % 60)


def seconds_from_civil(civil: Civil) -> int:
    """The inverse of ``civil_from_seconds``; second 60 counts on into the next minute. ValueError out of range."""
    year, month, day, hour, minute, second = civil
    if not (0 <= hour <= 23 and 0 <= minute <= 59 and 0 <= second <= 60):
        raise ValueError(f"there is no time of day {hour:02d}:{minute:02d}:{second:02d}")
    return days_from_civil(year, month, day) * SECONDS_PER_DAY + hour * 3600 + minute * 60 + second


def format_date(seconds: int) -> str:
    """``2026-11-20``"""
    civil = civil_from_seconds(seconds)
    return f"{civil.year:04d}-{civil.month:02d}-{civil.day:02d}"


def format_iso(seconds: int, nanoseconds: int = 0, digits: int = 9, *, second_60: bool = False) -> str:
    """``2026-11-20T10:59:30.123456789`` without a zone; ``digits`` of the fraction (0..9) are cut, not rounded.

    ``second_60``: ``seconds`` is the number of the second that *follows* the inserted one; render :60 instead.
    """
    if not 0 <= nanoseconds < 1_000_000_000:
        raise ValueError(f"nanoseconds {nanoseconds} are not 0..999999999")
    if not 0 <= digits <= 9:
        raise ValueError(f"a fraction has 0..9 digits here, not {digits}")
    civil = civil_from_seconds(seconds - second_60)
    second = civil.second + second_60
    text = f"{civil.year:04d}-{civil.month:02d}-{civil.day:02d}T{civil.hour:02d}:{civil.minute:02d}:{second:02d}"
    return f"{text}.{nanoseconds:09d}"[: len(text) + 1 + digits] if digits else text


_ISO = re.compile(r"(\d{4,})-(\d\d)-(\d\d)[T ](\d\d):(\d\d):(\d\d)(?:\.(\d{1,9}))?(Z?)", re.ASCII)


def parse_iso(text: str) -> tuple[Civil, int]:
    """``2016-12-31T23:59:60.5Z`` -> (Civil, nanoseconds). ValueError says what was expected."""
    match = _ISO.fullmatch(text.strip())
    if match is None:
        raise ValueError(f"{text!r} is not a time like 2016-12-31T23:59:60.5Z")
    civil = Civil(*(int(match[i]) for i in range(1, 7)))
    seconds_from_civil(civil)
    return civil, int((match[7] or "0").ljust(9, "0"))
