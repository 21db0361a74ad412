import pytest
from hypothesis import given
from hypothesis import strategies as st

from ptpstack.timebase.calendar import Civil, seconds_from_civil
from ptpstack.timebase.leap import LeapTable
from ptpstack.timebase.scales import (
    BEIDOU,
    GALILEO,
    GPS,
    NTP_ERA_S,
    GnssScale,
    WeekTime,
    format_ptp,
    format_utc,
    gnss_from_ptp,
    ntp64_from_posix_ns,
    ntp_from_posix,
    parse_utc,
    posix_from_ntp,
    posix_from_ptp,
    posix_ns_from_ntp64,
    ptp_from_broadcast_week,
    ptp_from_gnss,
    ptp_from_posix,
    ptp_from_week,
    resolve_nearest,
    resolve_not_before,
    week_from_ptp,
)

NEW_YEAR_2026 = 1_767_225_600
TABLE = LeapTable.built_in()


def test_TIM_01_ptp_seconds_are_posix_plus_offset() -> None:
    assert ptp_from_posix(NEW_YEAR_2026, 37) == 1_767_225_637
    assert posix_from_ptp(1_767_225_637, 37) == NEW_YEAR_2026
    assert seconds_from_civil(Civil(2026, 1, 1)) == NEW_YEAR_2026


@pytest.mark.parametrize(
    ("scale", "utc_epoch", "tai_minus_utc"),
    [
        (GPS, Civil(1980, 1, 6), 19),
        (GALILEO, Civil(1999, 8, 21, 23, 59, 47), 32),
        (BEIDOU, Civil(2006, 1, 1), 33),
    ],
)
def test_epochs_are_those_of_the_scales(scale: GnssScale, utc_epoch: Civil, tai_minus_utc: int) -> None:
    utc_s = seconds_from_civil(utc_epoch)
    assert TABLE.tai_minus_utc(utc_s) == tai_minus_utc
    assert scale.epoch_ptp_s == utc_s + tai_minus_utc
    assert ptp_from_gnss(0, scale) == scale.epoch_ptp_s


def test_the_example_of_2026() -> None:
    assert gnss_from_ptp(1_767_225_637, GPS) == 1_451_260_818
    assert week_from_ptp(1_767_225_637, GPS) == WeekTime(2399, 345_618)
    assert week_from_ptp(1_767_225_637, GALILEO) == WeekTime(2399 - 1024, 345_618)
    # BDT = GPS - 14 s, and its week 0 is GPS week 1356
    assert week_from_ptp(1_767_225_637, BEIDOU) == WeekTime(2399 - 1356, 345_604)


@pytest.mark.parametrize("scale", [GPS, GALILEO, BEIDOU])
@given(ptp_s=st.integers(0, (1 << 48) - 1))
def test_week_round_trip(scale: GnssScale, ptp_s: int) -> None:
    week, tow_s = week_from_ptp(ptp_s, scale)
    assert ptp_from_week(week, tow_s, scale) == ptp_s


@pytest.mark.parametrize("tow_s", [-1, 604_800])
def test_second_of_week_is_checked(tow_s: int) -> None:
    with pytest.raises(ValueError, match=r"0\.\.604799"):
        ptp_from_week(2399, tow_s, GPS)


def test_TIM_22_gps_week_rollover_is_resolved_by_the_base() -> None:
    for rollover, week in ((Civil(1999, 8, 22), 1024), (Civil(2019, 4, 7), 2048), (Civil(2038, 11, 21), 3072)):
        midnight_gps = seconds_from_civil(rollover) + 19
        assert week_from_ptp(midnight_gps, GPS) == (week, 0)
        base = midnight_gps - 100 * 604_800
        assert ptp_from_broadcast_week(1023, 604_799, GPS, base) == midnight_gps - 1
        assert ptp_from_broadcast_week(0, 0, GPS, base) == midnight_gps
    # the same raw week means another time with another base
    old, new = (ptp_from_broadcast_week(351, 345_618, GPS, seconds_from_civil(Civil(y, 1, 1))) for y in (2000, 2020))
    assert new - old == 1024 * 604_800
    assert new == 1_767_225_637


def test_TIM_22_a_raw_week_is_never_trusted() -> None:
    with pytest.raises(ValueError, match=r"0\.\.1023"):
        ptp_from_broadcast_week(2399, 0, GPS, 1_767_225_637)


@given(base=st.integers(-(10**6), 10**6), modulus=st.integers(1, 10_000), raw=st.integers(0, 9_999))
def test_resolving_is_congruent_and_in_range(base: int, modulus: int, raw: int) -> None:
    raw %= modulus
    later = resolve_not_before(raw, modulus, base)
    assert later % modulus == raw
    assert base <= later < base + modulus
    near = resolve_nearest(raw, modulus, base)
    assert near % modulus == raw
    assert abs(near - base) * 2 <= modulus
    assert (near - base) * 2 != modulus  # of two equally near ones the earlier


def test_TIM_23_ntp_era_crossing_2036() -> None:
    assert ntp_from_posix(NEW_YEAR_2026) == (0, 3_976_214_400)
    end = seconds_from_civil(Civil(2036, 2, 7, 6, 28, 16))
    assert ntp_from_posix(end - 1) == (0, NTP_ERA_S - 1)
    assert ntp_from_posix(end) == (1, 0)
    for base in (end - 10**8, end, end + 10**8):
        assert posix_from_ntp(0, base) == end
        assert posix_from_ntp(NTP_ERA_S - 1, base) == end - 1
    with pytest.raises(ValueError, match="4294967295"):
        posix_from_ntp(NTP_ERA_S, 0)


@given(st.integers(-(10**18), 10**19))
def test_TIM_23_ntp_timestamps_keep_the_nanosecond(posix_ns: int) -> None:
    stamp = ntp64_from_posix_ns(posix_ns)
    assert 0 <= stamp < 1 << 64
    assert posix_ns_from_ntp64(stamp, posix_ns // 10**9 + 12_345_678) == posix_ns


def test_TIM_20_seconds_beyond_32_bits() -> None:
    beyond = (1 << 32) + 1
    assert posix_from_ptp(beyond, 37) == beyond - 37
    assert format_utc(beyond * 10**9, TABLE, 0) == "2106-02-07T06:27:40Z"
    assert parse_utc("2106-02-07T06:27:40Z", TABLE) == beyond * 10**9


def test_TIM_21_carry_out_of_the_nanoseconds() -> None:
    second = 1_767_225_637 * 10**9
    assert format_utc(second + 999_999_999, TABLE) == "2026-01-01T00:00:00.999999999Z"
    assert format_utc(second + 999_999_999 + 1, TABLE) == "2026-01-01T00:00:01.000000000Z"
    assert ntp64_from_posix_ns(10**9 - 1) >> 32 == ntp64_from_posix_ns(0) >> 32
    assert ntp64_from_posix_ns(10**9) & 0xFFFFFFFF == 0


def test_utc_has_a_second_60() -> None:
    first = 1_483_228_837 * 10**9
    shown = [format_utc(first + k * 10**9, TABLE, 0)[10:] for k in (-2, -1, 0, 1)]
    assert shown == ["T23:59:59Z", "T23:59:60Z", "T00:00:00Z", "T00:00:01Z"]
    assert format_utc(first - 1, TABLE, 9) == "2016-12-31T23:59:60.999999999Z"
    assert format_ptp(first, 0) == "2017-01-01T00:00:37 TAI"


@given(st.integers(63_072_010 * 10**9, 4 * 10**18))
def test_utc_text_round_trip(ptp_ns: int) -> None:
    assert parse_utc(format_utc(ptp_ns, TABLE), TABLE) == ptp_ns


def test_utc_text_round_trip_at_every_leap_second() -> None:
    for entry in TABLE.entries[1:]:
        for k in (-2, -1, 0, 1):
            ptp_ns = (entry.utc_s + entry.tai_minus_utc + k) * 10**9 + 5
            assert parse_utc(format_utc(ptp_ns, TABLE), TABLE) == ptp_ns


def test_a_second_60_that_never_was() -> None:
    with pytest.raises(ValueError, match="no leap second"):
        parse_utc("2025-12-31T23:59:60Z", TABLE)
    with pytest.raises(ValueError, match="no leap second"):
        parse_utc("2016-12-31T23:58:60Z", TABLE)
