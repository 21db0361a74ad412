"""The command ``simulate``: tables, JSON, exit statuses, and what it says to mistakes."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from ptpstack.cli.main import main
from ptpstack.sim.scenario_file import ANCHORS, builtin_scenarios, scenario_text


def short(tmp_path: Path, name: str = "a1", tail: str = "") -> str:
    """A built-in scenario cut to two minutes, with other limits."""
    text = scenario_text(name)
    head = text[: text.index("[[expect]]")].replace("4000", "120").replace("= 1000\n", "= 60\n", 1)
    path = tmp_path / f"{name}.toml"
    path.write_text(head + tail, encoding="utf-8")
    return str(path)


EASY = '[[expect]]\nfigure = "rms_ns"\nmust = 1000\n'
HARD = '[[expect]]\nfigure = "rms_ns"\nmust = 0.001\ngoal = 5000\n'


def test_list(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["simulate", "--list"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines[: len(ANCHORS)]] == list(ANCHORS)
    assert len(lines) == len(builtin_scenarios())
    assert main(["simulate", "--list", "--json"]) == 0
    assert len(json.loads(capsys.readouterr().out)) == len(lines)


def test_show_is_the_file(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["simulate", "c1", "--show"]) == 0
    assert capsys.readouterr().out == scenario_text("c1")


def test_a_met_and_a_missed_must(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["simulate", short(tmp_path, tail=EASY), "--servo", "pi", "--seeds", "2"]) == 0
    out = capsys.readouterr().out
    assert "<= 1.00 us ok" in out
    assert out.rstrip().endswith("every must is met")
    assert main(["simulate", short(tmp_path, tail=HARD), "--servo", "pi", "--seeds", "1"]) == 1
    out = capsys.readouterr().out
    assert "<= 0.001 ns MISSED" in out
    assert "<= 5.00 us ok" in out
    assert "MISSED a1, pi: rms is" in out


def test_json_and_the_seeds_it_was_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = short(tmp_path, tail=EASY)
    assert main(["simulate", path, "--servo", "pi", "--seeds", "2", "--first-seed", "7", "--json"]) == 0
    [report] = json.loads(capsys.readouterr().out)
    [servo] = report["servos"]
    assert servo["servo"] == "pi"
    assert [seed["seed"] for seed in servo["seeds"]] == [7, 8]
    assert servo["verdicts"][0]["must"] is True
    assert servo["figures"]["rms_ns"] == pytest.approx(sum(s["figures"]["rms_ns"] for s in servo["seeds"]) / 2)


def test_plot_shows_error_estimate_and_events(tmp_path: Path) -> None:
    event = '[[event]]\nat_s = 80\nkind = "noise"\nlink = "gm-client"\nfactor = 10\n'
    path, plot = short(tmp_path, tail=EASY + event), tmp_path / "error.svg"
    assert main(["simulate", path, "--servo", "pi,estimator", "--seeds", "1", "--plot", str(plot)]) == 0
    text = plot.read_text(encoding="utf-8")
    for words in ("pi: true error", "estimator: true error", "estimator: estimate", "noise of gm-client x 10"):
        assert words in text


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["a1", "a2", "--plot", "x.png"], "not 2"),
        (["a1", "--plot", "x.gif"], ".png or .svg"),
        (["a1", "--plot", "nowhere/x.png"], "no such directory"),
    ],
)
def test_a_plot_that_cannot_be(arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["simulate", *arguments]) == 2
    assert message in capsys.readouterr().err


def test_more_processes_give_the_same(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = short(tmp_path, tail=EASY)
    answers = []
    for jobs in ("1", "2"):
        assert main(["simulate", path, "--servo", "pi", "--seeds", "3", "--jobs", jobs, "--json"]) == 0
        [report] = json.loads(capsys.readouterr().out)
        answers.append([seed["figures"] for seed in report["servos"][0]["seeds"]])
    assert answers[0] == answers[1]


def test_many_scenarios_make_one_table(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    paths = [short(tmp_path, name, EASY) for name in ("a1", "a2", "i1", "j1")]
    main(["simulate", *paths, "--servo", "pi", "--seeds", "1"])
    out = capsys.readouterr().out
    head, *table = [line for line in out.splitlines() if line.startswith(("scenario ", "a1 ", "a2 ", "i1 ", "j1 "))]
    assert head.split()[:4] == ["scenario", "servo", "figure", "ours"]
    assert [row.split()[:3] for row in table] == [[name, "pi", "rms"] for name in ("a1", "a2", "i1", "j1")]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "no scenario given"),
        (["a11"], 'did you mean "a1"?'),
        (["a1", "--servo", "pid"], "no servo 'pid'"),
        (["nowhere/x.toml"], "No such file"),
    ],
)
def test_what_cannot_be_done(arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["simulate", *arguments]) == 2
    captured = capsys.readouterr()
    assert message in captured.err
    assert captured.out == ""


def test_every_mistake_of_a_file_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = short(tmp_path, tail='[[expect]]\nfigure = "rsm_ns"\nmust = -1\n[[event]]\nat_s = 5\nkind = "bang"\n')
    assert main(["simulate", path]) == 2
    err = capsys.readouterr().err
    assert 'did you mean "rms_ns"?' in err
    assert '"bang" is not one of the values' in err
    assert "(line " in err
