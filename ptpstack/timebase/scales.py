"""Conversions between time scales, in whole integers.

1. PTP time (TAI seconds since 1970-01-01 00:00:00 TAI) is the middle: every scale converts to and from it.
2. GNSS scales have no leap seconds, so they need no table. UTC and NTP do: their offset is an argument here; where it
   comes from is ``leap.LeapTable``'s business.
3. A counter that rolls over is resolved against a base that the caller states; a raw week or era is never trusted.

IEEE 1588-2019 7.2 and annex B, not checked against the text; the numbers are computed from the scales' epochs.
"""

from __future__ import annotations

from typing import NamedTuple, Protocol

from ptpstack.timebase.calendar import Civil, format_iso, parse_iso, seconds_from_civil
from ptpstack.timebase.units import NS_PER_S

SECONDS_PER_WEEK = 604_800
#: NTP seconds (era 0 began at 1900-01-01 00:00:00 UTC) of the POSIX epoch.
NTP_POSIX_OFFSET_S = 2_208_988_800
NTP_ERA_S = 1 << 32


class UtcOffsets(Protocol):
    """What rendering needs of a leap second table."""

    def at_ptp(self, ptp_s: int) -> int: ...

    def is_leap_second(self, ptp_s: int) -> bool: ...

    def tai_minus_utc(self, utc_s: int) -> int: ...


# --- UTC -------------------------------------------------------------------------------------------------------------


def posix_from_ptp(ptp_s: int, tai_minus_utc: int) -> int:
    """UTC as POSIX seconds: PTP - currentUtcOffset."""
    return ptp_s - tai_minus_utc


def ptp_from_posix(posix_s: int, tai_minus_utc: int) -> int:
    """PTP seconds: POSIX + currentUtcOffset."""
    return posix_s + tai_minus_utc


def format_utc(ptp_ns: int, offsets: UtcOffsets, digits: int = 9) -> str:
    """A PTP instant as UTC, ``2016-12-31T23:59:60.000000000Z`` in an inserted second."""
    seconds, nanoseconds = divmod(ptp_ns, NS_PER_S)
    leap = offsets.is_leap_second(seconds)
    return format_iso(seconds - offsets.at_ptp(seconds), nanoseconds, digits, second_60=leap) + "Z"


def format_ptp(ptp_ns: int, digits: int = 9) -> str:
    """A PTP instant on its own scale: ``2026-01-01T00:00:37.000000000 TAI``."""
    seconds, nanoseconds = divmod(ptp_ns, NS_PER_S)
    return format_iso(seconds, nanoseconds, digits) + " TAI"


def parse_utc(text: str, offsets: UtcOffsets) -> int:
    """The PTP instant (ns) of a UTC time; second 60 is accepted where the table has one. ValueError otherwise."""
    civil, nanoseconds = parse_iso(text)
    if civil.second == 60:
        ptp_s = _inserted_second(civil, offsets)
        if not offsets.is_leap_second(ptp_s):
            raise ValueError(f"{text!r}: no leap second was inserted there, as far as the table knows")
    else:
        utc_s = seconds_from_civil(civil)
        ptp_s = utc_s + offsets.tai_minus_utc(utc_s)
        if ptp_s - offsets.at_ptp(ptp_s) != utc_s:
            raise ValueError(f"{text!r}: this second was left out of UTC (negative leap second)")
    return ptp_s * NS_PER_S + nanoseconds


def _inserted_second(civil: Civil, offsets: UtcOffsets) -> int:
    before = seconds_from_civil(civil._replace(second=59))
    return before + offsets.tai_minus_utc(before) + 1


# --- GNSS ------------------------------------------------------------------------------------------------------------


class GnssScale(NamedTuple):
    """A continuous scale that counts weeks. ``week_modulus``: where the broadcast week number rolls over."""

    name: str
    epoch_ptp_s: int
    week_modulus: int


#: QZSS counts as GPS does. The legacy navigation message carries 10 bits of week.
GPS = GnssScale("GPS", 315_964_819, 1024)
#: week 0 is GPS week 1024; the week number has 12 bits.
GALILEO = GnssScale("Galileo", 935_280_019, 4096)
BEIDOU = GnssScale("BeiDou", 1_136_073_633, 8192)


class WeekTime(NamedTuple):
    """Full week number (not rolled over) and second of week, 0..604799."""

    week: int
    tow_s: int


def gnss_from_ptp(ptp_s: int, scale: GnssScale) -> int:
    """Seconds since the scale's epoch (negative before it)."""
    return ptp_s - scale.epoch_ptp_s


def ptp_from_gnss(seconds: int, scale: GnssScale) -> int:
    return seconds + scale.epoch_ptp_s


def week_from_ptp(ptp_s: int, scale: GnssScale) -> WeekTime:
    """Week and second of week. Before the epoch the week is negative."""
    return WeekTime(*divmod(ptp_s - scale.epoch_ptp_s, SECONDS_PER_WEEK))


def ptp_from_week(week: int, tow_s: int, scale: GnssScale) -> int:
    """PTP seconds of a *full* week and second of week; ValueError when ``tow_s`` is not 0..604799."""
    if not 0 <= tow_s < SECONDS_PER_WEEK:
        raise ValueError(f"{scale.name} second of week {tow_s} is not 0..{SECONDS_PER_WEEK - 1}")
    return scale.epoch_ptp_s + week * SECONDS_PER_WEEK + tow_s


def ptp_from_broadcast_week(week: int, tow_s: int, scale: GnssScale, base_ptp_s: int) -> int:
    """PTP seconds of a week number as broadcast (rolled over): the first such week not before the base's week.

    ``base_ptp_s`` is a time that is certainly past: a build date, or what an operator configured.
    """
    base = week_from_ptp(base_ptp_s, scale).week
    return ptp_from_week(resolve_not_before(week, scale.week_modulus, base), tow_s, scale)


def resolve_not_before(raw: int, modulus: int, base: int) -> int:
    """The smallest value >= ``base`` that rolls over to ``raw``. ValueError when ``raw`` is not 0..modulus-1."""
    _check_raw(raw, modulus)
    return base + (raw - base) % modulus


def resolve_nearest(raw: int, modulus: int, base: int) -> int:
    """The value nearest to ``base`` that rolls over to ``raw``; of two equally near ones the earlier."""
    _check_raw(raw, modulus)
    half = (modulus - 1) // 2
    return base + (raw - base + modulus - 1 - half) % modulus - (modulus - 1 - half)


def _check_raw(raw: int, modulus: int) -> None:
    if not 0 <= raw < modulus:
        raise ValueError(f"{raw} is no counter of modulus {modulus}: expected 0..{modulus - 1}")


# --- NTP -------------------------------------------------------------------------------------------------------------


class NtpSeconds(NamedTuple):
    """Era and seconds field. Era 1 begins 2036-02-07T06:28:16Z with seconds 0."""

    era: int
    seconds: int


def ntp_from_posix(posix_s: int) -> NtpSeconds:
    return NtpSeconds(*divmod(posix_s + NTP_POSIX_OFFSET_S, NTP_ERA_S))


def posix_from_ntp(seconds: int, base_posix_s: int) -> int:
    """POSIX seconds of an NTP seconds field, in the era that brings it nearest to ``base_posix_s``."""
    return resolve_nearest(seconds, NTP_ERA_S, base_posix_s + NTP_POSIX_OFFSET_S) - NTP_POSIX_OFFSET_S


def ntp64_from_posix_ns(posix_ns: int) -> int:
    """The 32.32 timestamp, rounded down (a server's time stamp must not lie in the future)."""
    seconds, nanoseconds = divmod(posix_ns, NS_PER_S)
    return (ntp_from_posix(seconds).seconds << 32) | ((nanoseconds << 32) // NS_PER_S)


def posix_ns_from_ntp64(timestamp: int, base_posix_s: int) -> int:
    """POSIX ns of a 32.32 timestamp, rounded to nearest: a value of ``ntp64_from_posix_ns`` comes back exactly."""
    seconds = posix_from_ntp(timestamp >> 32, base_posix_s)
    return seconds * NS_PER_S + (((timestamp & 0xFFFF_FFFF) * NS_PER_S + (1 << 31)) >> 32)
