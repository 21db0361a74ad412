"""`ptpstack lab` with files that are none, and places that take no files."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path

import pytest

from ptpstack.cli.main import main
from tests.lab.beds import needs_namespaces

LAB = """
name = "short"
duration_s = 1.0
[[switch]]
name = "sw"
[[host]]
name = "a"
[[host.link]]
interface = "eth0"
to = "sw"
[[node]]
host = "a"
kind = "command"
command = ["sleep", "100"]
"""
SITE = 'name = "x"\n[[switch]]\nname = "sw"\n[[host]]\nname = "a"\n[[host.link]]\ninterface = "eth0"\nto = "sw"\n'


@pytest.fixture
def lab(tmp_path: Path) -> str:
    path = tmp_path / "short.toml"
    path.write_text(LAB)
    return str(path)


def nested(levels: int) -> str:
    return "x = " + "[" * levels + "]" * levels + "\n"


@pytest.mark.parametrize("command", ["check", "show", "run"])
@pytest.mark.parametrize(
    ("kind", "words"),
    [
        ("fifo", "not a regular file"),
        ("/dev/zero", "not a regular file"),
        ("directory", "not a regular file"),
        ("missing", "No such file"),
        ("deep", "nested too deeply"),
        ("large", "larger than"),
        ("latin", "not UTF-8"),
        ("syntax", "line 1: not TOML"),
    ],
)
def test_what_is_no_topology_is_said_in_a_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], command: str, kind: str, words: str
) -> None:
    path = tmp_path / f"{kind.strip('/').replace('/', '-')}.toml"
    if kind == "fifo":
        os.mkfifo(path)
    elif kind == "directory":
        path.mkdir()
    elif kind == "/dev/zero":
        path = Path(kind)
    elif kind != "missing":
        contents = {"deep": nested(100_000).encode(), "large": b"#" * (2 << 20), "latin": b"x = '\xe4'", "syntax": b"x"}
        path.write_bytes(contents[kind])
    start = time.monotonic()
    assert main(["lab", command, str(path)]) == 2
    assert time.monotonic() - start < 10
    out, err = capsys.readouterr()
    assert words in err
    assert "Traceback" not in out + err


@pytest.mark.parametrize("levels", [100, 200, 300, 400, 450, 480, 1000, 5000])
@pytest.mark.parametrize("where", ["topology", "site", "file", "text"])
def test_nesting_is_refused_wherever_it_stands(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], levels: int, where: str
) -> None:
    path = tmp_path / "deep.toml"
    deep = nested(levels)
    node = '[[node]]\nhost = "a"\n'
    if where == "topology":
        path.write_text(deep + SITE)
    elif where == "site":
        path.write_text(
            SITE + node + "[node.site]\n" + deep + '[[node.site.instance]]\nport = [{interface = "eth0"}]\n'
        )
    elif where == "file":
        (tmp_path / "site.toml").write_text(deep + '[[instance]]\nport = [{interface = "eth0"}]\n')
        path.write_text(SITE + node + 'site = "site.toml"\n')
    else:
        path.write_text(SITE + node + "site = '''\n" + deep + "[[instance]]\nport = [{interface = \"eth0\"}]\n'''\n")
    assert main(["lab", "check", str(path)]) == 2
    assert "problem" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("option", "place", "words"),
    [
        ("--keep-logs", "file", "logs cannot be kept in"),
        ("--keep-logs", "file/below", "logs cannot be kept in"),
        ("--keep-logs", "/proc/nowhere", "logs cannot be kept in"),
        ("--json", "directory", "the report cannot be written to"),
        ("--json", "file/below", "the report cannot be written to"),
        ("--json", "fifo", "the report cannot be written to"),
    ],
)
def test_places_that_take_no_files_are_found_before_the_run(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], lab: str, option: str, place: str, words: str
) -> None:
    (tmp_path / "file").write_text("")
    (tmp_path / "directory").mkdir()
    os.mkfifo(tmp_path / "fifo")
    start = time.monotonic()
    assert main(["lab", "run", lab, option, str(tmp_path / place)]) == 3
    assert time.monotonic() - start < 1, "the lab has run first"
    out, err = capsys.readouterr()
    assert words in err
    assert "Traceback" not in out + err


@needs_namespaces
@pytest.mark.namespaces
def test_a_report_that_cannot_be_written_is_still_shown(capsys: pytest.CaptureFixture[str], lab: str) -> None:
    assert main(["lab", "run", lab, "--json", "/dev/full"]) == 1
    out, err = capsys.readouterr()
    assert "could not be written to /dev/full: No space left" in err
    assert "short" in out


@needs_namespaces
@pytest.mark.namespaces
def test_logs_that_cannot_be_kept_at_the_end_cost_no_report(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], lab: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("ptpstack.lab.runner._keep", full)
    assert main(["lab", "run", lab, "--keep-logs", str(tmp_path / "logs"), "--json", str(tmp_path / "r.json")]) == 0
    assert "not all logs could be kept" in capsys.readouterr().out
    assert any("could be kept" in note for note in json.loads((tmp_path / "r.json").read_text())["notes"])
