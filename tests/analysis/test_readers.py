"""Tables and logs: what is taken, what is guessed, what is left out, and that each of it is told."""

from __future__ import annotations

import gzip
import math
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ptpstack.analysis.errors import AnalysisError
from ptpstack.analysis.readers import Contents, ReadOptions, read


def parse(path: Path, text: str, **options: object) -> Contents:
    path.write_text(text, encoding="utf-8")
    return read(str(path), ReadOptions(**options))  # type: ignore[arg-type]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "file.txt"


# ---- tables ------------------------------------------------------------------------------------------------------


def test_a_header_says_what_the_columns_are(path: Path) -> None:
    found = parse(path, "t_s,true_error_ns,bound_ns,freq_ppb\n0,1,5,9\n1,-2,6,9\n2,3,,9\n")
    assert found.format == "csv"
    (series,) = found.series
    assert series.name == "file.txt"
    assert series.kind == "time error"
    assert list(series.t_s) == [0.0, 1.0, 2.0]
    assert list(series.value_ns) == [1.0, -2.0, 3.0]
    assert series.bound_ns is not None
    assert list(series.bound_ns)[:2] == [5.0, 6.0]
    assert math.isnan(series.bound_ns[2])
    assert "columns passed over: freq_ppb" in found.notes


@pytest.mark.parametrize(
    ("header", "first", "second"),
    [
        ("time,offset (us)", "0,0.001", "1,0.002"),
        ("elapsed_ms;offset [ns]", "0;1,0", "1000;2,0"),
        ("time_ns\terror_ps", "1700000000000000001\t1000", "1700000001000000001\t2000"),
        ("Timestamp,x", "2026-01-01T00:00:00Z,1", "2026-01-01T00:00:01Z,2"),
        ("# t value", "0 1", "1 2"),
        ("mjd,te_s", "60000,1e-9", "60000.0000115740740741,2e-9"),
        ("epoch,te", "1700000000.25,1", "1700000001.25,2"),
    ],
)
def test_units_dates_and_separators(path: Path, header: str, first: str, second: str) -> None:
    (series,) = parse(path, f"{header}\n{first}\n{second}\n").series
    assert series.t_s[1] - series.t_s[0] == pytest.approx(1.0, abs=1e-9)
    assert list(series.value_ns) == pytest.approx([1.0, 2.0])


def test_absolute_nanoseconds_are_exact(path: Path) -> None:
    """No float holds them: 1700000000 s in ns has steps of 256."""
    (series,) = parse(path, "time_ns,offset\n1700000000000000001,5\n1700000000000000002,6\n").series
    assert series.t_s[1] == pytest.approx(1e-9, rel=1e-6)


def test_several_value_columns_are_several_series_each_with_its_bound(path: Path) -> None:
    found = parse(path, "t_s,ours_error_ns,ours_bound_ns,theirs_error_ns\n0,1,5,2\n1,2,5,3\n")
    ours, theirs = found.series
    assert (ours.name, theirs.name) == ("ours_error_ns", "theirs_error_ns")
    assert ours.bound_ns is not None
    assert list(ours.bound_ns) == [5.0, 5.0]
    assert theirs.bound_ns is None


def test_without_a_header_and_with_one_column(path: Path) -> None:
    found = parse(path, "# made by a counter\n1.5e-9\n2.5e-9\n", value_unit="s", interval_s=0.5)
    (series,) = found.series
    assert list(series.t_s) == [0.0, 0.5]
    assert list(series.value_ns) == pytest.approx([1.5, 2.5])
    plain = parse(path, "1.5\n2.5\n")
    assert list(plain.series[0].t_s) == [0.0, 1.0]
    assert any("taken as 1 s apart" in note for note in plain.notes)
    assert any("taken as ns" in note for note in plain.notes)


def test_columns_can_be_named_or_numbered(path: Path) -> None:
    text = "when,a,b\n10,1,7\n11,2,8\n"
    (series,) = parse(path, text, time_column="when", value_columns=("b",), bound_column="2", value_unit="us").series
    assert list(series.value_ns) == [7000.0, 8000.0]
    assert series.bound_ns is not None
    assert list(series.bound_ns) == [1000.0, 2000.0]
    (series,) = parse(path, "10 1 7\n11 2 8\n", time_column="1", value_columns=("3",)).series
    assert list(series.value_ns) == [7.0, 8.0]


def test_lines_that_are_not_understood_are_counted_and_shown(path: Path) -> None:
    found = parse(path, "t_s,offset_ns\n0,1\nrubbish\n2,3\n3,x\n4\n5,6\n")
    (series,) = found.series
    assert list(series.t_s) == [0.0, 2.0, 5.0]
    assert "3 of 6 lines not understood and left out (the first: line 3: rubbish)" in found.notes


def test_an_empty_cell_is_a_missing_sample(path: Path) -> None:
    (series,) = parse(path, "t_s,offset_ns\n0,1\n1,\n2,3\n").series
    assert math.isnan(series.value_ns[1])
    assert len(series) == 3


@pytest.mark.parametrize(
    ("text", "options", "message"),
    [
        ("t,temperature\n0,1\n", {}, "which column is the time error\\? There are t, temperature"),
        ("offset_ns,b\n0,1\n", {}, "which column is the time\\?.*--interval"),
        ("t,offset\n0,1\n", {"value_columns": ("x",)}, "no column 'x'; there are t, offset"),
        ("t,offset\n0,1\n", {"value_unit": "m"}, "no unit 'm' for a value"),
        ("t,offset\n", {}, "no line of data"),
        ("", {}, "it is empty"),
        ("t,offset\n0,1\n", {"format": "xls"}, "no format 'xls'"),
        ('{"schema": "ptpstack-lab-report/1"}', {}, "lab report holds statistics.*--keep-logs"),
        ("12:00:00.000 ptpstack 0.1.0, node gm, pid 7, epoll loop\n", {}, "no offsets; record the node"),
    ],
)
def test_what_cannot_be_read_says_why(path: Path, text: str, options: dict[str, object], message: str) -> None:
    with pytest.raises(AnalysisError, match=message):
        parse(path, text, **options)


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(AnalysisError, match="No such file"):
        read(str(tmp_path / "none"), ReadOptions())


def test_a_compressed_table(tmp_path: Path) -> None:
    path = tmp_path / "te.csv.gz"
    path.write_bytes(gzip.compress(b"t_s,offset_ns\n0,1\n1,2\n"))
    assert list(read(str(path), ReadOptions()).series[0].value_ns) == [1.0, 2.0]
    path.write_bytes(path.read_bytes()[:-12])
    with pytest.raises(AnalysisError):
        read(str(path), ReadOptions())


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(
    st.lists(
        st.sampled_from(["0,1", "t,offset", ",", ";", "nan,inf", "#", "a b", "1e400,2", "-5.5,3", "[", "{"]), max_size=8
    )
)
def test_whatever_is_in_a_table_it_is_read_or_refused(path: Path, lines: list[str]) -> None:
    try:
        found = parse(path, "\n".join(lines))
    except AnalysisError:
        return
    assert all(len(series) for series in found.series)


# ---- linuxptp ----------------------------------------------------------------------------------------------------

PTP4L = """\
ptp4l[10702.798]: port 1 (eth0): new foreign master 3e164a.fffe.0bba3c-1
ptp4l[10704.798]: port 1 (eth0): LISTENING to UNCALIBRATED on RS_SLAVE
ptp4l[10706.798]: master offset       -389 s0 freq     -49 path delay      1261
ptp4l[10707.798]: master offset       -248 s2 freq    +229 path delay      1349
ptp4l[10707.798]: port 1 (eth0): UNCALIBRATED to SLAVE on MASTER_CLOCK_SELECTED
phc2sys[10707.900]: CLOCK_REALTIME phc offset        12 s2 freq   +1000 delay    500
ptp4l[10708.798]: master offset        218 s2 freq     +30 path delay      1349
"""


def test_a_log_of_ptp4l_and_phc2sys(path: Path) -> None:
    found = parse(path, PTP4L)
    assert found.format == "linuxptp"
    master, phc = found.series
    assert (master.name, phc.name) == ("ptp4l master", "phc2sys CLOCK_REALTIME phc")
    assert list(master.t_s) == pytest.approx([0.0, 1.0, 2.0])
    assert list(master.value_ns) == [-389.0, -248.0, 218.0]
    assert list(phc.t_s) == pytest.approx([1.102])
    assert [mark.text for mark in master.events] == ["servo locked", "port 1 UNCALIBRATED to SLAVE"]
    assert phc.events == ()
    assert master.kind == "estimated offset"
    assert any("not the true error" in note for note in found.notes)


@pytest.mark.parametrize(
    "line",
    [
        "Nov 20 13:00:00 host ptp4l: [{t}] master offset {x} s2 freq +1 path delay 5",
        "Nov 20 13:00:00 host ptp4l[815]: [{t}] [ptp4l.0.config] master offset {x} s2 freq +1 path delay 5",
        "ts2phc[{t}]: [ts2phc.0.config] eth0 master offset {x} s2 freq -0",
        "ts2phc[{t}]: /dev/ptp0 offset {x} s3 freq +2",
        "phc2sys[{t}]: eth0 sys offset {x} s2 freq +37 delay 1520",
        "ptp4l[{t}]: master offset {x} s2 freq -9",
    ],
)
def test_every_form_of_an_offset(path: Path, line: str) -> None:
    text = "".join(line.format(t=f"{100 + k}.500", x=-7 * k) + "\n" for k in range(3))
    found = parse(path, text)
    assert found.format == "linuxptp"
    (series,) = found.series
    assert list(series.t_s) == [0.0, 1.0, 2.0]
    assert list(series.value_ns) == [0.0, -7.0, -14.0]


def test_summaries_alone_are_refused_with_what_they_say(path: Path) -> None:
    text = "ptp4l[10.1]: rms   3 max   22 freq -3456 +/- 15 delay 789 +/- 2\n" * 3
    with pytest.raises(
        AnalysisError, match=r"3 summary lines \(rms 3 ns together, largest max 22 ns\).*summary_interval"
    ):
        parse(path, text)


def test_summaries_among_offsets_are_left_out_and_told(path: Path) -> None:
    found = parse(path, PTP4L + "phc2sys[10709.1]: CLOCK_REALTIME rms 4 max 9 freq +1 +/- 2 delay 5 +/- 0\nhello\n")
    assert found.notes[0].startswith("1 summary line (rms 4 ns")
    assert found.notes[1] == "passed over: 0 other lines of linuxptp, 1 line of something else"


def test_a_restarted_host_is_another_series(path: Path) -> None:
    found = parse(path, PTP4L + PTP4L.replace("[107", "[1"))
    names = [series.name for series in found.series]
    assert names == [
        "ptp4l master",
        "phc2sys CLOCK_REALTIME phc",
        "ptp4l master (run 2)",
        "phc2sys CLOCK_REALTIME phc (run 2)",
    ]
    assert list(found.series[2].t_s) == pytest.approx([0.0, 1.0, 2.0])
    assert any("stamps went back" in note for note in found.notes)


def test_a_log_without_offsets(path: Path) -> None:
    with pytest.raises(AnalysisError, match="without a single offset"):
        parse(path, PTP4L.splitlines()[1] + "\n")


# ---- chrony ------------------------------------------------------------------------------------------------------

TRACKING = """\
============================================================
   Date (UTC) Time IP Address St Freq ppm Skew ppm  Offset L Co  sd Rem. corr. Root delay Root disp. Max. error
============================================================
2026-08-22 23:59:52 203.0.113.15 2 -3.541 0.075 -8.621e-06 N 2 2.940e-03 -2.084e-04 1.534e-02  3.472e-04  8.304e-03
2026-08-23 00:00:08 203.0.113.15 2 -3.541 0.075 1.500e-06 N 2 2.940e-03 -2.084e-04 1.534e-02  3.472e-04  8.000e-03
2026-08-23 00:00:24 PPS0 1 -3.541 0.075 1.000e-09 + 1 2.940e-03 -2.084e-04 1.534e-02  3.472e-04  1.000e-06
cut
"""
STATISTICS = """\
   Date (UTC) Time     IP Address    Std dev'n Est offset  Offset sd  Diff freq   Est skew  Stress  Ns  Bs  Nr  Asym
2026-08-10 05:40:50 203.0.113.15     6.261e-03 -3.247e-03  2.220e-03  1.874e-06  1.080e-06 7.8e-02  16   0   8  0.00
2026-08-10 05:40:51 2001:db8::1      6.261e-03  4.000e-03  2.220e-03  1.874e-06  1.080e-06 7.8e-02  16   0   8  0.00
2026-08-10 05:41:50 203.0.113.15     6.261e-03 -3.347e-03  2.220e-03  1.874e-06  1.080e-06 7.8e-02  16   0   8  0.00
"""


@pytest.mark.parametrize("banner", [True, False])
def test_tracking_log(path: Path, banner: bool) -> None:
    found = parse(path, TRACKING if banner else "".join(TRACKING.splitlines(True)[3:]))
    assert found.format == "chrony"
    (series,) = found.series
    assert list(series.t_s) == [0.0, 16.0, 32.0]
    assert list(series.value_ns) == pytest.approx([-8621.0, 1500.0, 1.0])
    assert series.bound_ns is not None
    assert list(series.bound_ns) == pytest.approx([8.304e6, 8e6, 1000.0])
    assert [mark.text for mark in series.events] == ["source 203.0.113.15", "source PPS0"]
    assert "1 of" in found.notes[0]
    assert "cut" in found.notes[0]


def test_statistics_log_has_a_series_for_each_source(path: Path) -> None:
    one, two = parse(path, STATISTICS).series
    assert (one.name, two.name) == ("chrony 203.0.113.15", "chrony 2001:db8::1")
    assert list(one.value_ns) == pytest.approx([-3.247e6, -3.347e6])
    assert list(one.t_s) == [0.0, 60.0]
    assert list(two.t_s) == [1.0]
    assert one.bound_ns is None


def test_a_header_of_another_width_is_not_used_and_told(path: Path) -> None:
    found = parse(path, "time,offset,bound\n0 1\n1 2\n")
    assert "the line before the data has 3 columns, the data 2: no header" in found.notes
    assert "no header: column 1 taken as time, column 2 as value" in found.notes


def test_a_column_without_a_number_is_left_out_and_told(path: Path) -> None:
    found = parse(path, "t_s,a_offset_ns,b_offset_ns\n0,,1\nnan,,2\n2,,3\n")
    assert [series.name for series in found.series] == ["b_offset_ns"]
    assert "column 'a_offset_ns' holds no number: left out" in found.notes
    with pytest.raises(AnalysisError, match="no number in a_offset_ns"):
        parse(path, "t_s,a_offset_ns\n0,\n1,\n")
