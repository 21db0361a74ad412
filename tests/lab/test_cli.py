"""``ptpstack lab`` as a command, also as an ordinary user inside a user namespace."""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import pty
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from ptpstack.cli import lab
from ptpstack.lab import privilege
from ptpstack.lab.errors import LabError
from ptpstack.lab.linux import CLONE_NEWUSER
from tests.lab.beds import bed, fake, host, needs_namespaces

ROOT = Path(__file__).parents[2]
SLEEPER = '[[node]]\nhost = "h"\nkind = "command"\ncommand = ["sleep", "100"]\n'


def command(*argv: str) -> int:
    parser = argparse.ArgumentParser()
    lab.add_parser(parser.add_subparsers())
    args = parser.parse_args(["lab", *argv])
    return int(args.func(args))


def test_list(capsys: pytest.CaptureFixture[str]) -> None:
    assert command("list") == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines] == sorted(line.split()[0] for line in lines)
    assert any(line.startswith("hospital") for line in lines)


def test_show(capsys: pytest.CaptureFixture[str]) -> None:
    assert command("show", "hospital") == 0
    shown = capsys.readouterr().out
    for word in ("[core]", "[ward]", "theatre-cam:eth0", "kill gm-a", "boundary clock", "10.77.1.2/24"):
        assert word in shown
    assert command("show", "chain") == 0
    assert "bc:eth0" in capsys.readouterr().out


def test_check(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    good, bad = tmp_path / "good.toml", tmp_path / "bad.toml"
    good.write_text(bed(host("h"), SLEEPER))
    bad.write_text(bed(host("h", "swi"), SLEEPER))
    assert command("check", str(good)) == 0
    assert "fine (1 hosts, 1 nodes, 0 events)" in capsys.readouterr().out
    assert command("check", str(bad)) == 2
    told = capsys.readouterr().err
    assert "host[0].link[0].to" in told
    assert 'fix: Did you mean "sw"?' in told
    assert command("check", str(bad), "--json") == 2
    body = json.loads(capsys.readouterr().out)
    assert body["ok"] is False
    assert body["problems"][0]["path"] == "host[0].link[0].to"


def test_check_looks_into_the_sites(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "lab.toml"
    path.write_text(bed(fake("gm", "rolle = 'grandmaster'")))
    assert command("check", str(path)) == 2
    assert "node[0].site.instance[0].rolle" in capsys.readouterr().err


@pytest.mark.parametrize("argv", [["run", "pair", "--for", "0"], ["run", "pair", "--rate", "100"], ["run"]])
def test_bad_arguments(argv: list[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        command(*argv)
    assert caught.value.code == 2


def test_no_such_lab_and_no_such_place(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert command("run", "hospitl") == 2
    assert 'Did you mean "hospital"?' in capsys.readouterr().err
    assert command("run", "pair", "--json", str(tmp_path / "no" / "report.json")) == 3
    assert "cannot be written" in capsys.readouterr().err


def test_without_a_subcommand(capsys: pytest.CaptureFixture[str]) -> None:
    assert command() == 2
    assert "examples:" in capsys.readouterr().out


def test_sweep_says_when_there_is_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("ptpstack.lab.rundir.base_directories", lambda: [tmp_path])
    assert command("sweep") == 0
    assert "nothing to sweep" in capsys.readouterr().out


@pytest.mark.namespaces
@needs_namespaces
def test_run_with_json_on_stdout(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    path = tmp_path / "lab.toml"
    path.write_text(bed(host("h"), SLEEPER))
    assert command("run", str(path), "--for", "1", "--live", "--json", "-") == 0
    captured = capsys.readouterr()
    body = json.loads(captured.out)
    assert body["name"] == "bed"
    assert body["duration_s"] == pytest.approx(1.0, abs=0.2)
    assert "Everything ran as it was told to" in captured.err, "people read stderr then"
    path.write_text(path.read_text().replace('"sleep", "100"', '"false"'))
    assert (
        command("run", str(path), "--for", "1", "--json", str(tmp_path / "r.json"), "--keep-logs", str(tmp_path / "l"))
        == 1
    )
    assert json.loads((tmp_path / "r.json").read_text())["incidents"]
    assert (tmp_path / "l" / "h.log").exists()


@pytest.mark.namespaces
@needs_namespaces
def test_the_live_view_on_a_terminal(tmp_path: Path) -> None:
    """In a pseudo terminal of 80x24: alternate screen on, frames, alternate screen off, then the report."""
    path = tmp_path / "lab.toml"
    path.write_text(bed(host("h"), SLEEPER))
    code = (
        "import argparse, sys; from ptpstack.cli import lab; p = argparse.ArgumentParser();"
        "lab.add_parser(p.add_subparsers()); a = p.parse_args(); sys.exit(a.func(a))"
    )
    pid, terminal = pty.fork()
    if pid == 0:
        environment = {**os.environ, "XDG_RUNTIME_DIR": str(tmp_path), "PYTHONPATH": str(ROOT), "TERM": "xterm"}
        environment |= {"COLUMNS": "80", "LINES": "24"}
        argv = [sys.executable, "-c", code, "lab", "run", str(path), "--for", "1", "--live"]
        os.execve(sys.executable, argv, environment)
    seen = b""
    with contextlib.suppress(OSError):  # EIO is how a pseudo terminal says that its other side has gone
        while chunk := os.read(terminal, 65536):
            seen += chunk
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
    os.close(terminal)
    on, off = seen.index(b"\x1b[?1049h"), seen.index(b"\x1b[?1049l")
    assert on < seen.index(b"waiting for the nodes") < off < seen.index(b"Everything ran as it was told to")


def unprivileged_python() -> str | None:
    """A Python that nobody may run (the one of the tests may lie in root's home) and that is new enough."""
    code = "import sys; sys.exit(sys.version_info < (3, 11))"
    for python in dict.fromkeys([sys.executable, "/usr/bin/python3", shutil.which("python3") or ""]):
        if python and subprocess.run(as_nobody(python, "-c", code), capture_output=True, check=False).returncode == 0:
            return python
    return None


def as_nobody(*argv: str) -> list[str]:
    return [
        "setpriv",
        "--reuid=65534",
        "--regid=65534",
        "--clear-groups",
        "--inh-caps=-all",
        "--bounding-set=-all",
        *argv,
    ]


@pytest.mark.namespaces
@pytest.mark.skipif(os.geteuid() != 0, reason="becomes an ordinary user, which only root can")
@pytest.mark.skipif(shutil.which("setpriv") is None, reason="setpriv (util-linux) is not installed")
def test_an_ordinary_user_runs_a_lab_in_a_user_namespace(tmp_path: Path) -> None:
    python = unprivileged_python()
    if python is None:
        pytest.skip("no Python 3.11 that an ordinary user may run")
    if privilege.forbidding_sysctls():
        pytest.skip(f"this kernel wants {privilege.forbidding_sysctls()} for it")
    base = Path("/tmp") / f"lab-{os.getpid()}"
    base.mkdir(mode=0o755)
    try:
        os.chown(base, 65534, 65534)
        (base / "lab.toml").write_text(bed(host("h"), SLEEPER, host("p", "h:eth1")))
        packages = [path for path in sys.path if path.endswith("site-packages")]
        environment = {
            "PATH": os.environ["PATH"],
            "XDG_RUNTIME_DIR": str(base),
            "PYTHONPATH": os.pathsep.join([str(ROOT), *packages]),
            "PYTHONDONTWRITEBYTECODE": "1",
        }
        code = (
            "import argparse, sys; from ptpstack.cli import lab; p = argparse.ArgumentParser();"
            "lab.add_parser(p.add_subparsers()); a = p.parse_args(); sys.exit(a.func(a))"
        )
        argv = as_nobody(python, "-c", code, "lab", "run", str(base / "lab.toml"), "--for", "1", "--json", "-")
        done = subprocess.run(argv, capture_output=True, text=True, env=environment, cwd="/", timeout=30, check=False)
        assert done.returncode == 0, done.stderr
        assert json.loads(done.stdout)["failed"] is False
        assert [path.name for path in base.iterdir()] == ["lab.toml"]
    finally:
        shutil.rmtree(base)


def test_the_sysctls_that_forbid_are_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in (("kernel/unprivileged_userns_clone", "0"), ("user/max_user_namespaces", "63000")):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(value + "\n")
    assert privilege.forbidding_sysctls(tmp_path) == ["kernel.unprivileged_userns_clone=1"]

    def refuse(flags: int) -> None:
        assert flags & CLONE_NEWUSER
        raise OSError(1, "unshare: Operation not permitted")

    monkeypatch.setattr(privilege, "can_make_namespaces", lambda: False)
    monkeypatch.setattr("ptpstack.lab.linux.unshare", refuse)
    monkeypatch.setattr("threading.active_count", lambda: 1)
    monkeypatch.setattr(privilege, "forbidding_sysctls", lambda: ["kernel.unprivileged_userns_clone=1"])
    with pytest.raises(LabError, match=r"sysctl -w kernel\.unprivileged_userns_clone=1"):
        privilege.gain_namespaces()
    monkeypatch.setattr(privilege, "forbidding_sysctls", list)
    with pytest.raises(LabError, match="Run it as root"):
        privilege.gain_namespaces()
