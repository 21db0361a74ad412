"""Local times from the zone files of the machine, as lists of changes that anything without files can carry."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from functools import lru_cache

from ptpstack.config.findings import Report, show
from ptpstack.config.validate import Section
from ptpstack.protocol.options import AlternateTimescale, SyncMetadataOptions

#: Changes are listed for these years. A node that runs longer needs a restart, or keeps the last offset.
FIRST_YEAR, LAST_YEAR = 2025, 2050
#: displayName of ALTERNATE_TIME_OFFSET_INDICATOR (16.3.3)
MAX_NAME = 10

_RATE = re.compile(r"(\d{1,10})(?:/(\d{1,10}))?")
_CLOCK = re.compile(r"([01]\d|2[0-3]):([0-5]\d)(?::([0-5]\d))?")


@lru_cache(maxsize=64)
def changes_of(zone: str) -> tuple[tuple[int, int], ...]:
    """(POSIX second, local - UTC in s) for every change of the years above, the first for their beginning.

    KeyError for a zone that this machine does not have.
    """
    import zoneinfo

    try:
        info = zoneinfo.ZoneInfo(zone)
    except (KeyError, ValueError, OSError) as error:
        raise KeyError(zone) from error

    def offset_at(posix_s: int) -> int:
        offset = datetime.fromtimestamp(posix_s, info).utcoffset()
        assert offset is not None
        return int(offset / timedelta(seconds=1))

    now = int(datetime(FIRST_YEAR, 1, 1, tzinfo=UTC).timestamp())
    end = int(datetime(LAST_YEAR + 1, 1, 1, tzinfo=UTC).timestamp())
    found = [(now, offset_at(now))]
    # no zone changes twice within a week and back
    week = 7 * 86_400
    while now < end:
        low, high = now, now + week
        if offset_at(high) != found[-1][1]:
            while high - low > 1:
                middle = (low + high) // 2
                low, high = (low, middle) if offset_at(middle) != found[-1][1] else (middle, high)
            found.append((high, offset_at(high)))
        now += week
    return tuple(found)


def _offsets(entry: Section, report: Report) -> tuple[tuple[int, int], ...] | None:
    """The changes of a table's ``zone``, or its fixed offset; None after a finding."""
    zone, fixed = entry["zone"], entry["utc_offset_s"]
    if (zone is None) == (fixed is None):
        if not {"zone", "utc_offset_s"} & entry.bad:
            report.error(entry.path, "needs either a zone or a utc_offset_s", 'add zone = "Europe/Berlin"')
        return None
    try:
        return ((0, fixed),) if zone is None else changes_of(zone)
    except KeyError:
        report.error(
            entry.at("zone"),
            f"this machine has no time zone {show(zone)}",
            "use a name as in `timedatectl list-timezones`, and install the package tzdata",
        )
        return None


def sync_metadata(section: Section, report: Report) -> SyncMetadataOptions | None:
    """What ``[instance.sync_metadata]`` means; None when it is not there, or after a finding."""
    if not section.given:
        return None
    offsets = _offsets(section, report)
    rate = _RATE.fullmatch(section["frame_rate"])
    if rate is None or not 0 < int(rate[1]) < 1 << 32 or not 0 < int(rate[2] or 1) < 1 << 32:
        report.error(section.at("frame_rate"), f"{show(section['frame_rate'])} is no frame rate", 'write "30000/1001"')
        return None
    jam_s = None
    if section["daily_jam"] is not None:
        jam = _CLOCK.fullmatch(section["daily_jam"])
        if jam is None:
            report.error(
                section.at("daily_jam"),
                f"{show(section['daily_jam'])} is no time of day",
                'write "02:00" or "02:00:00"',
            )
            return None
        jam_s = int(jam[1]) * 3600 + int(jam[2]) * 60 + int(jam[3] or 0)
    if offsets is None:
        return None
    timescale = AlternateTimescale(0, "local", offsets, section["zone"] or "")
    return SyncMetadataOptions(timescale, (int(rate[1]), int(rate[2] or 1)), section["drop_frame"], jam_s)


def alternate_timescale(entry: Section, report: Report) -> AlternateTimescale | None:
    """What an ``[[instance.alternate_time_offset]]`` means; None after a finding."""
    offsets, zone = _offsets(entry, report), entry["zone"]
    if offsets is None:
        return None
    name = entry["name"] or ("local" if zone is None else zone.rpartition("/")[2])[:MAX_NAME]
    if len(name) > MAX_NAME:
        report.error(entry.at("name"), f"{show(name)} has more than {MAX_NAME} characters", "shorten it (16.3.3)")
        return None
    return AlternateTimescale(entry["key"] or 0, name, offsets, zone or "")
