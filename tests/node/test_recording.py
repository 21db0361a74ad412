"""Recording never stands in the way: full disks, killed nodes, traces that are there already, inputs that raise."""

from __future__ import annotations

import errno
import io
import os
import resource
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from ptpstack.engine.trace import RecordedEngine, TraceError, read_trace, replay
from ptpstack.engine.trace_file import KEPT, move_aside, open_for_writing
from tests.engine.bench import instance, plan
from tests.netns import Namespace, namespaces, veth
from tests.node.nodes import RunningNode, wait_for

S = 1_000_000_000


class Disk(io.StringIO):
    """Takes ``room`` characters, then is full."""

    def __init__(self, room: int) -> None:
        super().__init__()
        self.room = room

    def write(self, text: str) -> int:
        self.room -= len(text)
        if self.room < 0:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return super().write(text)


def run(engine: RecordedEngine, seconds: int) -> list[str]:
    """Events of a start and of ``seconds`` turns of housekeeping."""
    effects = engine.start(0, {})
    for second in range(seconds):
        effects += engine.timer(second * S)
    return [effect.kind for effect in effects if type(effect).__name__ == "Event"]


def test_a_full_disk_ends_the_recording_and_nothing_else() -> None:
    whole = io.StringIO()
    engine = RecordedEngine(plan(instance("i")), whole)
    expected = run(engine, 20)
    assert "record-failed" not in expected
    # wherever it happens: exactly one event more, and every decision as without it
    length = len(whole.getvalue())
    first = whole.getvalue().index("\n") + 1
    for room in range(first, length, max(1, (length - first) // 25)):
        engine = RecordedEngine(plan(instance("i")), Disk(room))
        events = run(engine, 20)
        assert events.count("record-failed") == 1
        assert [e for e in events if e != "record-failed"] == expected
        assert "No space left" in engine.trace_problem
        engine.close_trace(20 * S)


def test_a_disk_that_is_full_from_the_start_is_told_at_once() -> None:
    with pytest.raises(OSError, match="No space left"):
        RecordedEngine(plan(instance("i")), Disk(10))


def test_closing_on_a_full_disk_raises_nothing() -> None:
    class LateDisk(io.StringIO):
        def close(self) -> None:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    engine = RecordedEngine(plan(instance("i")), LateDisk())
    run(engine, 2)
    engine.close_trace(3 * S)
    assert "end of the trace is missing" in engine.trace_problem


@pytest.mark.parametrize("suffix", ["trace", "trace.gz"])
def test_what_is_on_disk_lacks_no_more_than_a_second(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / suffix
    engine = RecordedEngine(plan(instance("i")), open_for_writing(str(path)))
    run(engine, 10)
    # not closed: what a killed process leaves is what lies in the file now
    cut = tmp_path / f"cut.{suffix}"
    cut.write_bytes(path.read_bytes())
    result = replay(str(cut))
    assert result.identical
    assert not result.complete
    assert result.last_ns >= 8 * S
    engine.close_trace(10 * S)
    assert replay(str(path)).complete


def test_an_existing_trace_is_moved_aside(tmp_path: Path) -> None:
    for name, second in (("x.trace", "x.trace.2"), ("x.gz", "x.2.gz")):
        path = tmp_path / name
        assert move_aside(str(path)) == ""
        path.write_text("")
        assert move_aside(str(path)) == ""
        for number in range(KEPT + 3):
            path.write_text(str(number))
            first = move_aside(str(path))
            assert Path(first).read_text() == str(number)
            assert not path.exists()
        assert (tmp_path / second).read_text() == str(KEPT + 1)
    assert len(list(tmp_path.iterdir())) == 2 * KEPT


def test_a_trace_is_written_to_files_only(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(OSError, match="not a file"):
        open_for_writing(str(tmp_path / "pipe"))


def recorded_refusal(path: Path) -> list[str]:
    engine = RecordedEngine(plan(instance("i")), open_for_writing(str(path)))
    engine.start(0, {})
    with pytest.raises(KeyError):
        engine.declare_reference("nowhere", "locked", None, S)
    engine.timer(2 * S)
    engine.close_trace(3 * S)
    return path.read_text().splitlines()


def test_an_input_that_raised_is_compared(tmp_path: Path) -> None:
    path = tmp_path / "raised.trace"
    lines = recorded_refusal(path)
    assert [record[2:] for _, record in read_trace(str(path)) if record[0] == "raised"] == [["KeyError", "'nowhere'"]]
    result = replay(str(path))
    assert result.identical
    assert result.complete
    where = next(n for n, line in enumerate(lines) if line.startswith('["raised"'))
    # raised something else then
    path.write_text(
        "\n".join([*lines[:where], lines[where].replace("KeyError", "TypeError"), *lines[where + 1 :]]) + "\n"
    )
    result = replay(str(path))
    assert result.divergence is not None
    assert result.divergence.recorded == ["TypeError", "'nowhere'"]
    # did not raise then, as far as the trace says
    path.write_text("\n".join([*lines[:where], *lines[where + 1 :]]) + "\n")
    with pytest.raises(TraceError, match=f"line {where}: an input no engine can have had"):
        replay(str(path))
    # raised then, and does not now
    started = next(n for n, line in enumerate(lines) if line.startswith('["in",2000000000,"timer"'))
    path.write_text("\n".join([*lines[: started + 1], '["raised",2000000000,"ValueError","x"]']) + "\n")
    result = replay(str(path))
    assert result.divergence is not None
    assert result.divergence.recorded == ["ValueError", "x"]


@pytest.fixture
def lonely() -> Iterator[Namespace]:
    with namespaces("a", "b") as ns:
        veth(ns["a"], "va", ns["b"], "vb", "10.7.0.1/24", "10.7.0.2/24")
        yield ns["a"]


@pytest.mark.namespaces
def test_a_node_outlives_its_full_disk_and_keeps_old_traces(lonely: Namespace, tmp_path: Path) -> None:
    trace = tmp_path / "gm.trace"
    trace.write_text("the trace of last night\n")
    # a limit on file sizes fails a write as a full disk does
    node = RunningNode(
        lonely,
        tmp_path,
        "gm",
        *(
            "gm",
            "-i",
            "va",
            "--simulated",
            "perfect",
            "--profile",
            "unrestricted",
            "--sync",
            "-4",
            "--record",
            str(trace),
        ),
    ).ready()
    resource.prlimit(node.process.pid, resource.RLIMIT_FSIZE, (60_000, 60_000))
    assert "kept as" in node.words()
    assert (tmp_path / "gm.trace.1").read_text() == "the trace of last night\n"
    wait_for(lambda: node.status()["record_problem"], 30, node.words)
    sent = node.status()["channels"][0]["counters"]["sent"]
    wait_for(lambda: node.status()["channels"][0]["counters"]["sent"] > sent + 20, 10, node.words)
    assert "recording ended: File too large" in node.words()
    assert node.stop() == 0
    assert replay(str(trace)).identical


@pytest.mark.namespaces
def test_a_start_that_fails_leaves_the_trace_alone(lonely: Namespace, tmp_path: Path) -> None:
    trace = tmp_path / "gm.trace"
    trace.write_text("the trace of last night\n")
    site = tmp_path / "site.toml"
    site.write_text('[node]\nuser = "nobody-of-that-name"\n[[instance]]\nport = [{ interface = "va" }]\n')
    node = RunningNode(lonely, tmp_path, "x", "run", str(site), "--record", str(trace))
    assert node.process.wait(10) == 1
    assert "there is no user" in node.words()
    assert trace.read_text() == "the trace of last night\n"


@pytest.mark.namespaces
def test_a_killed_node_leaves_a_good_compressed_trace(lonely: Namespace, tmp_path: Path) -> None:
    trace = tmp_path / "gm.trace.gz"
    node = RunningNode(
        lonely, tmp_path, "gm", "gm", "-i", "va", "--simulated", "perfect", "--record", str(trace)
    ).ready()
    wait_for(lambda: node.status()["uptime_s"] > 3, 10)
    node.process.send_signal(signal.SIGKILL)
    node.process.wait(10)
    result = replay(str(trace))
    assert result.identical
    assert result.last_ns - result.first_ns >= 1.5 * S
