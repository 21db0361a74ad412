"""tools.bench: its arithmetic, and one quick run of everything."""

from __future__ import annotations

import json

import pytest

from tests.netns import unavailable
from tools.bench.__main__ import main
from tools.bench.measures import Row, grid_lateness, quantile
from tools.bench.report import as_dict, table
from tools.bench.subjects import BenchError


@pytest.mark.parametrize("drift_ns", [0, 40])
def test_lateness_is_against_the_senders_own_grid_also_over_a_loss_and_the_wrap_of_sequence_ids(drift_ns: int) -> None:
    interval_ns = 7_812_500
    places = [place for place in range(101) if place != 50]  # one was lost
    late = [1000 if place == 30 else 0 for place in places]
    syncs = [
        ((0xFFF0 + place) & 0xFFFF, 10**18 + place * (interval_ns + drift_ns) + x)
        for place, x in zip(places, late, strict=True)
    ]
    lateness, errors, drift_ppm = grid_lateness(syncs, interval_ns)
    assert lateness == pytest.approx(late, abs=1e-3)
    assert sorted(errors)[-2:] == [1000 - drift_ns, 1000 + drift_ns]
    assert drift_ppm == pytest.approx(drift_ns / interval_ns * 1e6)


def test_too_few_syncs_are_an_error_and_no_figure() -> None:
    with pytest.raises(BenchError, match="only 2 Syncs"):
        grid_lateness([(0, 1), (1, 2)], 1)


def test_quantiles() -> None:
    assert quantile([float(x) for x in range(100)], 0.5) == 50
    assert quantile([3, 1, 2], 0.99) == 3
    assert quantile([4], 0.0) == 4


def test_a_row_is_judged_by_its_ratio_or_by_its_value() -> None:
    row = Row("x", "us", {"ptpstack": [1.0, 9.0, 2.0], "ptp4l": [1.0, 1.0, 1.0]}, target=1.5, target_is_ratio=True)
    assert row.ratio == 2.0
    assert row.met is False
    row.target_is_ratio = False
    row.target = 2.0
    assert row.met is True
    alone = Row("y", "s", {"ptpstack": [1.0]}, target=1.3, target_is_ratio=True)
    assert alone.met is None
    assert "MISSED" not in table([row, alone])
    assert as_dict([alone], {})["rows"][0]["medians"] == {"ptpstack": 1.0}


@pytest.mark.namespaces
def test_a_quick_run_gives_sane_figures(capsys: pytest.CaptureFixture[str]) -> None:
    reason = unavailable()
    if reason is not None:
        pytest.skip(reason)
    assert main(["--quick", "--json", "--quiet", "--subjects", "ptpstack"]) == 0
    result = json.loads(capsys.readouterr().out)
    rows = {row["name"]: row["medians"]["ptpstack"] for row in result["rows"]}
    assert 1 < rows["CPU per Delay_Req answered, flood"] < 1000
    assert 8 < rows["resident memory after 1 s"] < 200
    assert 0.02 < rows["process start to first Announce"] < 15
    assert 0 <= rows["lateness p50 at 128 Sync/s"] <= rows["lateness p99 at 128 Sync/s"]
    paced = next(row for row in result["rows"] if row["name"].endswith("1000/s"))
    assert paced["detail"]["ptpstack answered share"][0] > 0.9
