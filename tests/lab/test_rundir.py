"""Run directories and the sweep: what a dead runner left goes, what anybody else has stays."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from ptpstack.lab import linux
from ptpstack.lab.errors import LabError
from ptpstack.lab.rundir import MARKER, RunDirectory, marked_processes, sweep


def sleeper(lab_id: str | None) -> subprocess.Popen[bytes]:
    """A process with the marker (or without), in the state of one that has outlived its runner."""
    environment = {**os.environ, **({MARKER: lab_id} if lab_id else {})}
    process = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"], env=environment)
    while not linux.environment_of(process.pid):
        time.sleep(0.001)  # exec has begun, its environment is not yet in place
    return process


def dead_runner(base: Path, lab_id: str = "999999999-1") -> Path:
    path = base / f"ptpstack-lab-{lab_id}"
    path.mkdir()
    record = {"lab": lab_id, "pid": 999_999_999, "start_time": 1, "boot": linux.boot_id()}
    (path / "run.json").write_text(json.dumps(record))
    return path


def test_create(tmp_path: Path) -> None:
    run = RunDirectory.create(tmp_path)
    assert run.path.stat().st_mode & 0o777 == 0o700
    assert run.path.name == f"ptpstack-lab-{os.getpid()}-{linux.start_time(os.getpid())}"
    second = RunDirectory.create(tmp_path)
    assert second.path != run.path
    run.remove()
    assert not run.path.exists()


def test_a_live_runner_is_left_alone(tmp_path: Path) -> None:
    run = RunDirectory.create(tmp_path)
    assert sweep([tmp_path]) == []
    assert run.path.exists()


def test_a_dead_runner_is_swept_with_its_processes(tmp_path: Path) -> None:
    path = dead_runner(tmp_path)
    left, stranger = sleeper("999999999-1"), sleeper("999999999-2")
    try:
        swept = sweep([tmp_path])
        assert [entry.directory for entry in swept] == [path]
        assert str(left.pid) in str(swept[0])
        assert left.wait(5) == -signal.SIGKILL
        assert stranger.poll() is None, "another lab's process is no business of this sweep"
        assert not path.exists()
        assert sweep([tmp_path]) == []
    finally:
        left.kill()
        stranger.kill()
        left.wait()
        stranger.wait()


def test_a_pid_used_again_is_a_dead_runner(tmp_path: Path) -> None:
    run = RunDirectory.create(tmp_path)
    record = json.loads((run.path / "run.json").read_text())
    (run.path / "run.json").write_text(json.dumps({**record, "start_time": record["start_time"] - 1}))
    assert len(sweep([tmp_path])) == 1


@pytest.mark.parametrize("record", ["", "[]", "{}", '{"lab": "other", "pid": 1}', '{"lab": "999999999-1", "pid": "1"}'])
def test_a_directory_without_a_good_record_is_left_alone(tmp_path: Path, record: str) -> None:
    path = dead_runner(tmp_path)
    (path / "run.json").write_text(record)
    assert sweep([tmp_path]) == []
    assert path.exists()


def test_a_link_is_not_followed(tmp_path: Path) -> None:
    target = dead_runner(tmp_path)
    base = tmp_path / "base"
    base.mkdir()
    (base / target.name).symlink_to(target)
    assert sweep([base]) == []
    assert target.exists()


def test_kill_exactly_needs_start_time_and_marker() -> None:
    process = sleeper("here-1")
    try:
        started = linux.start_time(process.pid)
        assert started is not None
        assert (process.pid, started) in list(marked_processes("here-1"))
        assert not linux.kill_exactly(process.pid, started + 1, (MARKER, "here-1"))
        assert not linux.kill_exactly(process.pid, started, (MARKER, "here-2"))
        assert process.poll() is None
        assert linux.kill_exactly(process.pid, started, (MARKER, "here-1"))
        assert process.wait(5) == -signal.SIGKILL
        assert not linux.kill_exactly(process.pid, started, (MARKER, "here-1"))
    finally:
        process.kill()
        process.wait()


def test_too_long_a_socket_path_is_said(tmp_path: Path) -> None:
    base = tmp_path / ("x" * 90)
    base.mkdir()
    with pytest.raises(LabError, match="XDG_RUNTIME_DIR"):
        RunDirectory.create(base).socket("node")
