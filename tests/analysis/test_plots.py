"""Plots: written in each format, with what a person has to see in them."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import numpy as np
import pytest

from ptpstack.analysis.deviations import deviations
from ptpstack.analysis.errors import AnalysisError, MissingPackageError
from ptpstack.analysis.masks import mask
from ptpstack.analysis.plots import plot_deviation, plot_report, plot_time_error
from ptpstack.analysis.report import analyse
from ptpstack.analysis.series import Mark, Series
from tests.analysis.data import gridded, white_fm, white_pm


def series(count: int = 2000, name: str = "oc1", scale: float = 1.0) -> Series:
    t = np.arange(float(count))
    return Series(name, t, scale * white_pm(count, 1), np.full(count, 4.0 * scale), (Mark(500.0, "master gone"),))


def text(path: Path) -> str:
    """The words in an SVG."""
    return "\n".join(re.findall(r"<text[^>]*>([^<]*)</text>", path.read_text()))


@pytest.mark.parametrize("suffix", [".png", ".svg", ".pdf"])
def test_every_format_is_written(tmp_path: Path, suffix: str) -> None:
    start = {".png": b"\x89PNG", ".svg": b"<?xml", ".pdf": b"%PDF"}[suffix]
    for number, path in enumerate(tmp_path / f"{n}{suffix}" for n in range(3)):
        if number == 0:
            plot_time_error([series()], path)
        elif number == 1:
            plot_deviation([("a", deviations(gridded(white_fm(500, 1)), ("mtie",))[0])], path)
        else:
            plot_report([analyse(series())], path)
        assert path.read_bytes().startswith(start)
        assert path.stat().st_size > 5000


def test_the_picture_says_what_it_shows(tmp_path: Path) -> None:
    path = tmp_path / "p.svg"
    plot_time_error([series(), series(name="ptp4l")], path, title="scenario a1")
    words = text(path)
    for word in (
        "scenario a1",
        "oc1",
        "oc1: bound",
        "ptp4l",
        "time error / ns",
        "time / min",
        "histogram",
        "master gone",
    ):
        assert word in words, word


def test_events_can_be_given(tmp_path: Path) -> None:
    path = tmp_path / "p.svg"
    plot_time_error([series()], path, events=[Mark(100.0, "link down"), Mark(101.0, "link up"), Mark(9e9, "never")])
    words = text(path)
    # two on the same spot become one
    assert "link down, link up" in words
    assert "master gone" not in words
    assert "never" not in words


def test_many_events_are_counted(tmp_path: Path) -> None:
    path = tmp_path / "p.svg"
    plot_time_error([series()], path, events=[Mark(40.0 * k, f"event {k}") for k in range(40)])
    assert "and 26 more events" in text(path)


def test_a_large_start_is_cut_off_marked_and_counted(tmp_path: Path) -> None:
    path = tmp_path / "p.svg"
    x = white_pm(2000, 1)
    x[:10] = 1e7
    plot_time_error([Series("a", np.arange(2000.0), x)], path)
    words = text(path)
    assert re.search(r"1[0-2] samples beyond the picture, the largest \+10 ms", words)
    assert "time error / ns" in words


@pytest.mark.parametrize(("scale", "unit"), [(1e3, "µs"), (1e6, "ms"), (1e9, "s")])
def test_units_fit_the_values(tmp_path: Path, scale: float, unit: str) -> None:
    path = tmp_path / "p.svg"
    plot_time_error([series(scale=scale)], path)
    assert f"time error / {unit}" in text(path)


def test_more_samples_than_dots(tmp_path: Path) -> None:
    path = tmp_path / "p.svg"
    plot_time_error([series(100_000)], path)
    assert "lines: means of 66 samples; shades: their range" in text(path)
    assert path.stat().st_size < 1_500_000


def test_a_mask_and_how_far_it_is_broken(tmp_path: Path) -> None:
    chosen = mask("g8272-prtc-a")
    loud, quiet = gridded(5.0 * white_pm(20_000, 1)), gridded(white_pm(20_000, 1))
    path = tmp_path / "p.svg"
    plot_deviation([("loud", deviations(loud, ("tdev",))[0])], path, [chosen])
    assert "limit: g8272-prtc-a" in text(path)
    assert re.search(r"1\.6\d x the limit at 1 s", text(path))
    plot_deviation([("quiet", deviations(quiet, ("tdev",))[0])], path, [chosen])
    assert re.search(r"within the limit, 6\d % left at 1 s", text(path))


def test_a_report_draws_the_filtered_series_for_the_limits_that_are_of_it(tmp_path: Path) -> None:
    chosen = mask("g8273.2-class-c")
    path = tmp_path / "p.svg"
    plot_report([analyse(series(scale=30.0), masks=[chosen])], path, [chosen], "title")
    words = text(path)
    assert "oc1, dTE_L" in words
    assert "x the limit at" in words


@pytest.mark.parametrize("count", [1, 2, 3, 5])
def test_few_samples_are_drawn_too(tmp_path: Path, count: int) -> None:
    path = tmp_path / "p.svg"
    plot_report([analyse(series(count))], path)
    assert "oc1" in text(path)


def test_a_value_that_never_changes(tmp_path: Path) -> None:
    path = tmp_path / "p.svg"
    plot_report([analyse(Series("flat", np.arange(100.0), np.full(100, 7.0)))], path)
    plot_report([analyse(Series("zero", np.arange(100.0), np.zeros(100)))], path)
    assert "zero" in text(path)


def test_what_cannot_be_drawn_or_written(tmp_path: Path) -> None:
    with pytest.raises(AnalysisError, match=r"written as \.png, \.svg, \.pdf"):
        plot_time_error([series()], tmp_path / "p.gif")
    with pytest.raises(AnalysisError, match="no sample to draw"):
        plot_time_error([Series("a", [], [])], tmp_path / "p.png")
    with pytest.raises(AnalysisError, match="no deviation to draw"):
        plot_deviation([], tmp_path / "p.png")
    with pytest.raises(AnalysisError, match="cannot be written"):
        plot_time_error([series()], tmp_path / "none" / "p.png")


def test_without_matplotlib_a_sentence_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(MissingPackageError, match=r"a plot needs matplotlib.*pip install 'ptpstack\[analysis\]'"):
        plot_time_error([series()], tmp_path / "p.png")


def test_a_gap_is_not_drawn_over(tmp_path: Path) -> None:
    """The path of the line has as many beginnings as there are stretches."""
    t = np.concatenate((np.arange(0.0, 100.0), np.arange(200.0, 300.0)))
    path = tmp_path / "p.svg"
    plot_time_error([Series("a", t, white_pm(200, 1))], path)
    parted = re.findall(r'<path d="(M[^"]*L[^"]*M[^"]*)"[^>]*stroke: #0072b2', path.read_text())
    assert any(line.count("M") == 2 and line.count("L") > 150 for line in parted)


def test_bins_of_whole_nanoseconds_hold_equally_many() -> None:
    from ptpstack.analysis.draw_time import _bins

    x = np.arange(-100.0, 101.0)
    counts, _ = np.histogram(x, bins=_bins(x, -100.0, 100.0))
    assert set(counts[:-1]) == {3}
    assert len(_bins(x + 0.25, -100.0, 100.0)) == 81


def test_names_are_text_and_nothing_else(tmp_path: Path) -> None:
    """A $ begins a formula in matplotlib, and a label that begins with _ is left out of a legend."""
    path = tmp_path / "p.svg"
    one = Series("_a $\\frac{$ \x1b[31m", np.arange(100.0), white_pm(100, 1), None, (Mark(50.0, "cost $5 and $6"),))
    plot_report([analyse(one)], path, title="100 $ of {time}$")
    words = text(path)
    assert "_a $\\frac{$ ?[31m" in words
    assert "cost $5 and $6" in words
    assert "100 $ of {time}$" in words


def test_a_bound_far_above_the_values_is_told_and_does_not_flatten_them(tmp_path: Path) -> None:
    path = tmp_path / "p.svg"
    t = np.arange(1000.0)
    plot_time_error([Series("a", t, white_pm(1000, 1), np.full(1000, 1100.0))], path)
    assert "a: bound (about 1100 ns, beyond the picture)" in text(path)
    assert re.search(r"time error / ns", text(path))
    assert "1000" not in text(path).split()
    plot_time_error([Series("a", t, white_pm(1000, 1), np.full(1000, 8.0))], path)
    assert "beyond" not in text(path)
