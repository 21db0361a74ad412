"""Local times from the zone files of the machine, as lists of changes that anything without files can carry."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from functools import lru_cache

from ptpstack.config.findings import Report, show
from ptpstack.config.validate import Section
from ptpstack.protocol.options import AlternateTimescale

#: Changes are listed for these years. A node that runs longer needs a restart, or keeps the last offset.
FIRST_YEAR, LAST_YEAR = 2025, 2050
#: displayName of ALTERNATE_TIME_OFFSET_INDICATOR (16.3.3)
MAX_NAME = 10


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


def alternate_timescale(entry: Section, report: Report) -> AlternateTimescale | None:
    """What an ``[[instance.alternate_time_offset]]`` means; None after a finding."""
    zone, fixed = entry["zone"], entry["utc_offset_s"]
    if (zone is None) == (fixed is None):
        if not {"zone", "utc_offset_s", "key"} & entry.bad:
            report.error(entry.path, "needs either a zone or a utc_offset_s", 'add zone = "Europe/Berlin"')
        return None
    try:
        offsets = ((0, fixed),) if zone is None else changes_of(zone)
    except KeyError:
        report.error(
            entry.at("zone"),
            f"this machine has no time zone {show(zone)}",
            "use a name as in `timedatectl list-timezones`, and install the package tzdata",
        )
        return None
    name = entry["name"] or ("local" if zone is None else zone.rpartition("/")[2])[:MAX_NAME]
    if len(name) > MAX_NAME:
        report.error(entry.at("name"), f"{show(name)} has more than {MAX_NAME} characters", "shorten it (16.3.3)")
        return None
    return AlternateTimescale(entry["key"] or 0, name, offsets, zone or "")
