"""Leap second tables: TIM-02..09 as far as tables and arithmetic go."""

from pathlib import Path

import pytest

from ptpstack.timebase.calendar import Civil, seconds_from_civil
from ptpstack.timebase.leap import LeapFileError, LeapState, LeapTable
from ptpstack.timebase.leapfile import MAX_FILE_OCTETS, leap_file_digest
from ptpstack.timebase.scales import NTP_POSIX_OFFSET_S, format_utc, parse_utc

from .data import data_folder

DAY = 86_400
NEW_YEAR_2017 = 1_483_228_837  # PTP seconds
BUILT_IN = LeapTable.built_in()


@pytest.fixture
def leap_data() -> Path:
    return data_folder("leap")


def list_text(
    extra: list[tuple[int, int]] | None = None, *, drop: int = 0, updated: int | None = None, expires: int | None = None
) -> str:
    """A list with correct check sum: the built-in history, less ``drop`` entries, plus ``extra`` (POSIX s, TAI-UTC)."""
    entries = [(e.utc_s, e.tai_minus_utc) for e in BUILT_IN.entries]
    entries = entries[: len(entries) - drop] + (extra or [])
    ntp = [(utc_s + NTP_POSIX_OFFSET_S, offset) for utc_s, offset in entries]
    updated = (BUILT_IN.updated_s if updated is None else updated) + NTP_POSIX_OFFSET_S
    expires = (BUILT_IN.expires_s if expires is None else expires) + NTP_POSIX_OFFSET_S
    digest = leap_file_digest(updated, expires, ntp)
    words = " ".join(digest[i : i + 8] for i in range(0, 40, 8))
    lines = [
        "# made for a test",
        f"#$\t{updated}",
        f"#@ {expires}",
        "#",
        *(f"{a}\t{b}\t# entry" for a, b in ntp),
        f"#h {words}",
    ]
    return "\n".join(lines) + "\n"


def posix(year: int, month: int, day: int) -> int:
    return seconds_from_civil(Civil(year, month, day))


INSERTED = LeapTable.parse(list_text([(posix(2027, 1, 1), 38)]), "inserted.list")
DELETED = LeapTable.parse(list_text([(posix(2027, 1, 1), 36)]), "deleted.list")


def test_the_built_in_table_has_the_check_sum_that_its_issuer_published() -> None:
    entries = [(e.utc_s + NTP_POSIX_OFFSET_S, e.tai_minus_utc) for e in BUILT_IN.entries]
    digest = leap_file_digest(BUILT_IN.updated_s + NTP_POSIX_OFFSET_S, BUILT_IN.expires_s + NTP_POSIX_OFFSET_S, entries)
    assert digest == "a9bad14584c31c70758402aab37bfd545923836a"


def test_the_newest_list_is_the_built_in_table(leap_data: Path) -> None:
    table = LeapTable.load(str(leap_data / "leap-seconds-2026.list"))
    assert table.entries == BUILT_IN.entries
    assert (table.updated_s, table.expires_s) == (BUILT_IN.updated_s, BUILT_IN.expires_s)
    assert table.source.endswith("leap-seconds-2026.list")


def test_a_check_sum_without_leading_zeros_is_good(leap_data: Path) -> None:
    path = leap_data / "leap-seconds-hash-unpadded.list"
    assert " cdd22f1 " in path.read_text()
    table = LeapTable.load(str(path))
    assert table.entries == BUILT_IN.entries[:-1]  # issued before the leap second of 2017
    assert table.status(posix(2016, 12, 31)).state is LeapState.EXPIRED


def test_TIM_02_the_offset_is_37_until_a_file_says_otherwise() -> None:
    assert BUILT_IN.tai_minus_utc(posix(2016, 12, 31) + DAY - 1) == 36
    assert BUILT_IN.tai_minus_utc(posix(2017, 1, 1)) == 37
    assert BUILT_IN.tai_minus_utc(posix(2060, 1, 1)) == 37
    assert INSERTED.tai_minus_utc(posix(2027, 1, 1) - 1) == 37
    assert INSERTED.tai_minus_utc(posix(2027, 1, 1)) == 38


def flags_on(table: LeapTable, event_ptp_s: int, flags: tuple[bool, bool], day_length: int) -> None:
    start = event_ptp_s - day_length
    none = (False, False)
    assert [table.leap_flags(s) for s in (start - DAY, start - 1, start)] == [none, none, flags]
    assert [table.leap_flags(s) for s in (event_ptp_s - 1, event_ptp_s)] == [flags, none]
    assert format_utc(start * 10**9, table, 0).endswith("T00:00:00Z")


def test_TIM_03_leap61_in_the_last_utc_day_only() -> None:
    flags_on(INSERTED, posix(2027, 1, 1) + 38, (False, True), 86_401)


def test_TIM_04_leap59_in_the_last_utc_day_only() -> None:
    flags_on(DELETED, posix(2027, 1, 1) + 36, (True, False), 86_399)


def test_TIM_05_offset_and_flag_change_together_at_midnight_of_2017() -> None:
    seen = [(BUILT_IN.at_ptp(s), BUILT_IN.leap_flags(s)[1]) for s in range(NEW_YEAR_2017 - 3, NEW_YEAR_2017 + 2)]
    assert seen == [(36, True), (36, True), (36, True), (37, False), (37, False)]


def test_TIM_06_no_second_has_the_new_offset_and_the_old_flag() -> None:
    for table, event in ((INSERTED, posix(2027, 1, 1) + 38), (DELETED, posix(2027, 1, 1) + 36)):
        before, after = table.at_ptp(event - 1), table.at_ptp(event)
        for s in range(event - 100, event + 100):
            assert (table.at_ptp(s) == before) == any(table.leap_flags(s))
            assert table.at_ptp(s) in (before, after)


def test_TIM_07_ptp_is_continuous_while_utc_inserts_and_leaves_out() -> None:
    event = posix(2027, 1, 1) + 38
    numbers = [INSERTED.posix_from_ptp(s) - posix(2027, 1, 1) for s in range(event - 3, event + 2)]
    assert numbers == [-2, -1, 0, 0, 1]
    assert [INSERTED.is_leap_second(s) for s in range(event - 3, event + 2)] == [False, False, True, False, False]
    event = posix(2027, 1, 1) + 36
    assert [DELETED.posix_from_ptp(s) - posix(2027, 1, 1) for s in range(event - 2, event + 2)] == [-3, -2, 0, 1]
    assert not any(DELETED.is_leap_second(s) for s in range(event - 5, event + 5))
    with pytest.raises(ValueError, match="left out"):
        parse_utc("2026-12-31T23:59:59Z", DELETED)


def test_TIM_08_an_expired_table_is_not_usable_and_says_so() -> None:
    expiry = BUILT_IN.expires_s
    assert BUILT_IN.status(expiry - 100 * DAY).state is LeapState.VALID
    soon = BUILT_IN.status(expiry - 10 * DAY)
    assert (soon.state, soon.usable) == (LeapState.EXPIRING_SOON, True)
    assert "in 10 days" in soon.message
    assert BUILT_IN.status(expiry - 1).usable
    over = BUILT_IN.status(expiry)
    assert (over.state, over.usable, over.remaining_s) == (LeapState.EXPIRED, False, 0)
    assert "2027-06-28" in over.message
    assert "built-in" in over.message
    never_set = BUILT_IN.status(0)
    assert (never_set.state, never_set.usable) == (LeapState.BEFORE_TABLE, False)


def test_TIM_09_never_both_flags() -> None:
    for table in (BUILT_IN, INSERTED, DELETED):
        for entry in table.entries[1:]:
            for s in range(entry.utc_s - 2 * DAY, entry.utc_s + DAY, 3600):
                assert table.leap_flags(s) != (True, True)


def test_next_event() -> None:
    event = INSERTED.next_event(NEW_YEAR_2017)
    assert event is not None
    assert (event.utc_s, event.before, event.after, event.inserted) == (posix(2027, 1, 1), 37, 38, True)
    assert INSERTED.next_event(event.ptp_s - 1) == event
    assert INSERTED.next_event(event.ptp_s) is None
    assert BUILT_IN.next_event(NEW_YEAR_2017) is None
    first = BUILT_IN.next_event(0)
    assert first is not None
    assert first.after == 11


def test_posix_round_trip_at_every_row() -> None:
    for entry in BUILT_IN.entries:
        assert BUILT_IN.ptp_from_posix(entry.utc_s) == entry.utc_s + entry.tai_minus_utc
        assert BUILT_IN.posix_from_ptp(entry.utc_s + entry.tai_minus_utc) == entry.utc_s


def damage(text: str, old: str, new: str) -> str:
    assert text.count(old) == 1, old
    return text.replace(old, new)


def resum(text: str) -> str:
    """The text with the check sum that its numbers have now."""
    lines = [line for line in text.splitlines() if not line.startswith("#h")]
    marks = {line[:2]: int(line[2:]) for line in lines if line[:2] in ("#$", "#@")}
    pairs = [line.split("#")[0].split() for line in lines if line[:1] != "#"]
    digest = leap_file_digest(marks["#$"], marks["#@"], [(int(a), int(b)) for a, b in pairs])
    return "\n".join([*lines, "#h " + " ".join(digest[i : i + 8] for i in range(0, 40, 8))])


GOOD = list_text()
BROKEN = {
    "one digit changed": (damage(GOOD, "3692217600\t37", "3692217600\t38"), 33, "check sum does not match"),
    "no check sum": (GOOD[: GOOD.index("#h")], 0, "no #h line"),
    "check sum of four words": (GOOD.rstrip().rsplit(" ", 1)[0], 33, "five hexadecimal words"),
    "check sum twice": (GOOD + GOOD[GOOD.index("#h") :], 34, "a second #h line"),
    "no update": (GOOD.replace("#$", "# "), 0, "no #$ line"),
    "no expiry": (GOOD.replace("#@", "# "), 0, "no #@ line"),
    "no entries": ("#$ 3\n#@ 4\n#h 0 0 0 0 0\n", 0, "no entries"),
    "empty": ("", 0, "no #$ line"),
    "html": ("<html><body>404 not found</body></html>\n", 1, "found 3 fields"),
    "not a number": (damage(GOOD, "2272060800\t10", "2272060800\tten"), 5, "'ten' is not a number"),
    "a huge number": (damage(GOOD, "2272060800\t10", "9" * 5000 + "\t10"), 5, "not a number of seconds"),
    "expires before update": (list_text(expires=BUILT_IN.updated_s - 1), 3, "expires before"),
    "starts late": (resum(damage(GOOD, "2272060800\t10\t# entry\n", "")), 5, "first entry"),
    "out of order": (list_text([(posix(2010, 1, 1), 38)]), 33, "not later"),
    "jump of two": (list_text([(posix(2027, 1, 1), 39)]), 33, "from 37 to 39"),
    "no change": (list_text([(posix(2027, 1, 1), 37)]), 33, "from 37 to 37"),
    "not at midnight": (list_text([(posix(2027, 1, 1) + 5, 38)]), 33, "not the start of a month"),
    "mid month": (list_text([(posix(2027, 1, 15), 38)]), 33, "not the start of a month"),
    "another history": (list_text([(posix(2016, 7, 1), 37)], drop=1), 0, "where history has"),
    "history forgotten": (list_text(drop=1), 0, "lacks the leap second of 2017-01-01"),
}


@pytest.mark.parametrize("case", BROKEN)
def test_a_bad_file_is_refused_with_path_line_reason_and_fix(case: str) -> None:
    text, line, reason = BROKEN[case]
    with pytest.raises(LeapFileError) as caught:
        LeapTable.parse(text, "some.list")
    assert caught.value.line == line
    assert reason in caught.value.reason
    assert caught.value.fix
    assert str(caught.value).startswith(f"some.list:{line}: " if line else "some.list: ")


def test_an_old_file_that_ends_before_a_later_leap_second_is_good() -> None:
    old = list_text(drop=1, updated=posix(2016, 1, 11), expires=posix(2016, 12, 28))
    assert LeapTable.parse(old, "old.list").tai_minus_utc(posix(2026, 1, 1)) == 36


def test_load_reports_what_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(LeapFileError, match="No such file"):
        LeapTable.load(str(tmp_path / "none.list"))
    big = tmp_path / "big.list"
    big.write_bytes(b"#" * (MAX_FILE_OCTETS + 1))
    with pytest.raises(LeapFileError, match="larger than"):
        LeapTable.load(str(big))
    binary = tmp_path / "binary.list"
    binary.write_bytes(bytes(range(256)))
    with pytest.raises(LeapFileError):
        LeapTable.load(str(binary))


def test_find_takes_the_table_that_expires_last_and_says_which(tmp_path: Path) -> None:
    stale, fresh, bad = (tmp_path / name for name in ("stale.list", "fresh.list", "bad.list"))
    stale.write_text(list_text(updated=posix(2025, 1, 6), expires=posix(2025, 12, 28)))
    fresh.write_text(list_text([(posix(2027, 7, 1), 38)], updated=posix(2027, 1, 6), expires=posix(2027, 12, 28)))
    bad.write_text("garbage\n")
    paths = [str(p) for p in (bad, stale, fresh)]
    found = LeapTable.find(paths)
    assert found.source == str(fresh)
    assert any("bad.list:1" in note for note in found.notes)
    fallback = LeapTable.find(paths[:2])
    assert fallback.source == "built-in"
    assert fallback.entries == BUILT_IN.entries
    assert any(note.startswith("used: built-in") for note in fallback.notes)
    assert any("stale.list" in note for note in fallback.notes)


def test_find_prefers_a_file_as_new_as_the_built_in_table(tmp_path: Path) -> None:
    same = tmp_path / "same.list"
    same.write_text(GOOD)
    assert LeapTable.find([str(same)]).source == str(same)


def test_find_on_this_machine_never_raises() -> None:
    assert LeapTable.find().tai_minus_utc(posix(2026, 1, 1)) == 37
