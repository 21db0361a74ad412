import datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ptpstack.timebase.calendar import (
    Civil,
    civil_from_seconds,
    days_from_civil,
    format_iso,
    parse_iso,
    seconds_from_civil,
)


@given(st.datetimes(min_value=datetime.datetime(1, 1, 1), max_value=datetime.datetime(9999, 12, 31, 23, 59, 59)))
def test_agrees_with_datetime(when: datetime.datetime) -> None:
    when = when.replace(microsecond=0)
    seconds = round((when - datetime.datetime(1970, 1, 1)) / datetime.timedelta(seconds=1))
    assert civil_from_seconds(seconds) == when.timetuple()[:6]
    assert seconds_from_civil(Civil(*when.timetuple()[:6])) == seconds


@given(st.integers(-(10**12), (1 << 48) - 1))
def test_round_trip_over_all_of_ptp(seconds: int) -> None:
    assert seconds_from_civil(civil_from_seconds(seconds)) == seconds


def test_the_last_ptp_second() -> None:
    assert civil_from_seconds((1 << 48) - 1).year == 8_921_556


@pytest.mark.parametrize(
    ("year", "month", "day"), [(2023, 2, 29), (1900, 2, 29), (2026, 13, 1), (2026, 4, 31), (2026, 1, 0)]
)
def test_no_such_day(year: int, month: int, day: int) -> None:
    with pytest.raises(ValueError, match="there is no day"):
        days_from_civil(year, month, day)


def test_fraction_is_cut() -> None:
    assert format_iso(0, 999_999_999, 3) == "1970-01-01T00:00:00.999"
    assert format_iso(0, 999_999_999, 0) == "1970-01-01T00:00:00"
    with pytest.raises(ValueError, match="999999999"):
        format_iso(0, 1_000_000_000)
    with pytest.raises(ValueError, match="digits"):
        format_iso(0, 0, 10)


def test_parse() -> None:
    assert parse_iso("2016-12-31T23:59:60.5Z") == (Civil(2016, 12, 31, 23, 59, 60), 500_000_000)


@pytest.mark.parametrize(
    "text",
    ["", "2016-12-31", "2016-12-31T24:00:00Z", "2016-12-31T23:59:61Z", "2016-02-30T00:00:00Z", "٢٠١٦-12-31T00:00:00"],
)
def test_parse_refuses(text: str) -> None:
    with pytest.raises(ValueError, match=r"not a time|there is no"):
        parse_iso(text)
