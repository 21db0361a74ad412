"""``ptpstack analyze`` as a user runs it."""

from __future__ import annotations

import io
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ptpstack.analysis.render import NOTHING
from ptpstack.cli.main import main
from tests.analysis.data import phase_dat, white_pm


@pytest.fixture
def table(tmp_path: Path) -> Path:
    path = tmp_path / "te.csv"
    x = 3.0 * white_pm(3000, 1) + 2.0
    rows = "".join(f"{k},{value!r},15\n" for k, value in enumerate(x.tolist()))
    path.write_text("t_s,error_ns,bound_ns\n" + rows)
    return path


def run(capsys: pytest.CaptureFixture[str], *arguments: object) -> tuple[int, str, str]:
    status = main(["analyze", *map(str, arguments)])
    captured = capsys.readouterr()
    # rich folds at 80 columns
    return status, " ".join(captured.out.split()), captured.err


def run_json(capsys: pytest.CaptureFixture[str], *arguments: object) -> Any:
    main(["analyze", *map(str, arguments), "--json"])
    return json.loads(capsys.readouterr().out)


def test_a_table_of_figures(capsys: pytest.CaptureFixture[str], table: Path) -> None:
    status, out, err = run(capsys, table)
    assert (status, err) == (0, "")
    for part in (
        "te.csv: time error, 3000 samples over 2999 s, every 1 s",
        "within bound 100.000 % of 3000",
        "MTIE",
        "cTE",
    ):
        assert part in out, part


def test_json_says_the_same_and_more(capsys: pytest.CaptureFixture[str], table: Path) -> None:
    found = run_json(capsys, table, "--mask", "g8273.2-class-a")
    assert found["schema"] == "ptpstack-analysis/1"
    (file,) = found["files"]
    (series,) = file["series"]
    assert series["figures"]["count"] == 3000
    assert series["figures"]["mean_ns"] == pytest.approx(2.0, abs=0.3)
    assert series["grid"] == {
        "interval_s": 1.0,
        "start_s": 0.0,
        "span_s": 2999.0,
        "samples": 3000,
        "stretches": 1,
        "filled": 0,
        "left_out": 0,
    }
    tdev = series["deviations"]["tdev"]
    assert tdev["unit"] == "ns"
    assert tdev["value"][0] == pytest.approx(3.0, rel=0.05)
    assert len(tdev["tau_s"]) == len(tdev["value"]) == len(tdev["terms"])
    (verdict,) = series["masks"]
    assert verdict["passed"] is True
    assert "not checked against the text" in verdict["provenance"]


def test_the_known_set_through_the_command(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    """PHASE.DAT as Stable32 has it: one column, seconds."""
    path = tmp_path / "PHASE.DAT"
    np.savetxt(path, phase_dat(), header="PHASE.DAT")
    (series,) = run_json(capsys, path, "--value-unit", "s", "--interval", "1")["files"][0]["series"]
    oadev = dict(zip(series["deviations"]["oadev"]["tau_s"], series["deviations"]["oadev"]["value"], strict=True))
    assert oadev[10.0] == pytest.approx(9.159953e-02, rel=1e-6)


def test_a_broken_mask_is_status_1_and_says_where(capsys: pytest.CaptureFixture[str], table: Path) -> None:
    status, out, _ = run(capsys, table, "--mask", "g8272-prtc-b")
    assert status == 1
    assert "g8272-prtc-b: FAIL" in out
    assert "times the limit (TDEV at 1 s)" in out


def test_a_kept_mask_is_status_0(capsys: pytest.CaptureFixture[str], table: Path) -> None:
    status, out, _ = run(capsys, table, "--mask", "g8273.2-class-a")
    assert status == 0
    assert "g8273.2-class-a: PASS" in out
    assert "margin" in out


def test_the_masks_are_listed(capsys: pytest.CaptureFixture[str]) -> None:
    status, out, _ = run(capsys, "--masks")
    assert status == 0
    for name in ("g8272-prtc-a", "g8272-prtc-b", "g811.1-eprc-a", "g8262-eec-1", "g8262-eec-2", "g8273.2-class-d"):
        assert name in out
    assert "DOUBTFUL" in out
    listed = json.loads(_json_of_masks(capsys))
    assert all(one["checked_against_the_text"] is False for one in listed)


def _json_of_masks(capsys: pytest.CaptureFixture[str]) -> str:
    assert main(["analyze", "--masks", "--json"]) == 0
    return capsys.readouterr().out


def test_a_part_of_the_record(capsys: pytest.CaptureFixture[str], table: Path) -> None:
    (series,) = run_json(capsys, table, "--from", 1000, "--to", 1999)["files"][0]["series"]
    assert (series["figures"]["count"], series["figures"]["from_s"], series["figures"]["to_s"]) == (
        1000,
        1000.0,
        1999.0,
    )
    status, _, err = run(capsys, table, "--from", 5000)
    assert status == 2
    assert "the record ends at 2999 s" in err


def test_a_plot_is_written(capsys: pytest.CaptureFixture[str], table: Path, tmp_path: Path) -> None:
    path = tmp_path / "out.png"
    assert run(capsys, table, "--plot", path, "--mask", "g8272-prtc-b")[0] == 1
    assert path.read_bytes().startswith(b"\x89PNG")
    status, _, err = run(capsys, table, "--plot", tmp_path / "out.doc")
    assert status == 2
    assert ".png, .svg, .pdf" in err


def test_two_files_keep_their_names(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    line = "ptp4l[{}.0]: master offset 5 s2 freq +1 path delay 5\n"
    for name in ("one.log", "two.log"):
        (tmp_path / name).write_text("".join(line.format(k) for k in range(10)))
    files = run_json(capsys, tmp_path / "one.log", tmp_path / "two.log")["files"]
    assert [f["series"][0]["name"] for f in files] == ["one.log: ptp4l master", "two.log: ptp4l master"]


def test_standard_input(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, table: Path) -> None:
    monkeypatch.setattr(sys, "stdin", io.StringIO(table.read_text()))
    status, out, _ = run(capsys, "-")
    assert status == 0
    assert "standard input: time error, 3000 samples" in out


def test_gaps_are_told(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    path = tmp_path / "te.csv"
    times = [*range(100), *range(300, 500)]
    path.write_text("t_s,error_ns\n" + "".join(f"{t},1.0\n" for t in times))
    _, out, _ = run(capsys, path)
    assert "1 gap of more than 5 missing samples (the longest 201 s)" in out
    assert "of the 2 stretches between, taken together; the longest is 199 s" in out
    _, out, _ = run(capsys, path, "--max-gap", 300)
    assert "200 missing samples (40.00%) filled" in out


def test_another_time_scale_is_noticed(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    path = tmp_path / "te.csv"
    path.write_text("t_s,error_ns\n" + "".join(f"{t},{-37_000_000_000 + t}\n" for t in range(100)))
    _, out, _ = run(capsys, path)
    assert "another time scale (UTC against TAI is 37 s)" in out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["none.csv"], "No such file"),
        ([], "which file?"),
        (["none.csv", "--mask", "g8272"], "there is no mask 'g8272'"),
    ],
)
def test_mistakes_are_status_2(
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    arguments: list[str],
    message: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    status, _, err = run(capsys, *arguments)
    assert status == 2
    assert message in err
    assert "Traceback" not in err


WITHOUT = """
import sys
class Missing:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {names!r}:
            raise ModuleNotFoundError(f"No module named {{name!r}}", name=name)
sys.meta_path.insert(0, Missing())
from ptpstack.cli.main import main
sys.exit(main(["analyze", *{arguments!r}]))
"""


def without(names: list[str], *arguments: object) -> subprocess.CompletedProcess[str]:
    code = WITHOUT.format(names=names, arguments=[str(a) for a in arguments])
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)


def test_without_the_extra_a_sentence_says_what_to_install(table: Path, tmp_path: Path) -> None:
    result = without(["numpy", "scipy", "matplotlib", "allantools"], table)
    assert result.returncode == 3
    assert result.stderr == "ptpstack analyze: analysis needs numpy: pip install 'ptpstack[analysis]'\n"
    result = without(["matplotlib"], table, "--plot", tmp_path / "p.png")
    assert result.returncode == 3
    assert "a plot needs matplotlib: pip install 'ptpstack[analysis]'" in result.stderr


def test_without_allantools_the_rest_is_still_there(table: Path) -> None:
    result = without(["allantools"], table, "--mask", "g8272-prtc-a")
    assert result.returncode == 0
    out = " ".join(result.stdout.split())
    assert "only MTIE and TIErms: a deviation of frequency or TDEV needs allantools" in out
    assert f"TDEV {NOTHING} {NOTHING} {NOTHING} not judged" in out
    assert "MTIE" in out


def test_a_start_up_among_the_figures_is_noticed(capsys: pytest.CaptureFixture[str], table: Path) -> None:
    assert "start-up" not in run(capsys, table)[1]
    text = table.read_text().splitlines()
    text[3] = "2,1000000,15"
    table.write_text("\n".join(text))
    assert "a start-up is in these figures (--from leaves it out)" in run(capsys, table)[1]
    assert "start-up" not in run(capsys, table, "--from", 10)[1]


def test_a_mask_on_estimates_says_what_it_is_worth(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    path = tmp_path / "ptp4l.log"
    path.write_text("".join(f"ptp4l[{k}.0]: master offset {k % 3} s2 freq +1 path delay 5\n" for k in range(100)))
    assert "a mask is for true time error" in run(capsys, path, "--mask", "g8272-prtc-a")[1]
    assert "a mask is for true time error" not in run(capsys, path)[1]
