"""A log that nobody reads costs lines, never time."""

from __future__ import annotations

import fcntl
import io
import os
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from ptpstack.node.journal import Journal
from tests.netns import Namespace, namespaces, veth
from tests.node.nodes import RunningNode, wait_for

_F_SETPIPE_SZ = 1031


@pytest.fixture
def pipe() -> Iterator[tuple[int, int]]:
    read, write = os.pipe()
    fcntl.fcntl(write, _F_SETPIPE_SZ, 4096)
    yield read, write
    os.close(read)
    os.close(write)


def test_a_full_pipe_does_not_block_and_what_is_missing_is_told(pipe: tuple[int, int]) -> None:
    read, write = pipe
    with os.fdopen(os.dup(write), "w") as stream:
        journal = Journal(stream=stream)
        journal.LINES_PER_SECOND = 10_000
        start = time.monotonic()
        for number in range(500):
            journal.log(6, f"line {number} " + "x" * 100)
        assert time.monotonic() - start < 2
        lost = journal.unwritten
        assert lost > 400
        assert os.get_blocking(write)
        first = os.read(read, 65536)
        assert b"line 0 " in first
        assert first.endswith(b"\n")
        journal.log(6, "somebody reads again")
        words = os.read(read, 65536).decode()
        assert f"{lost} lines are missing here" in words
        assert "somebody reads again" in words
        journal.log(6, "and on")
        assert "missing" not in os.read(read, 65536).decode()


def test_a_long_line_is_cut_rather_than_waited_for(pipe: tuple[int, int]) -> None:
    read, write = pipe
    with os.fdopen(os.dup(write), "w") as stream:
        Journal(stream=stream).log(6, "x" * 100_000)
        got = os.read(read, 65536)
    assert got.endswith(b"x\n")
    assert len(got) <= 4096


def test_a_reader_that_went_is_survived() -> None:
    read, write = os.pipe()
    os.close(read)
    with os.fdopen(write, "w") as stream:
        journal = Journal(stream=stream)
        journal.log(6, "nobody")
        assert journal.unwritten == 1


def test_memory_and_the_rate_limit() -> None:
    stream = io.StringIO()
    journal = Journal(stream=stream)
    while int(time.time() * 10) % 10 > 2:  # not across a second's end
        time.sleep(0.01)
    for number in range(100):
        journal.log(6, f"line {number}")
    assert stream.getvalue().count("\n") == journal.LINES_PER_SECOND
    assert journal.unwritten == 0


@pytest.fixture
def lonely() -> Iterator[Namespace]:
    with namespaces("a", "b") as ns:
        veth(ns["a"], "va", ns["b"], "vb", "10.7.0.1/24", "10.7.0.2/24")
        yield ns["a"]


@pytest.mark.namespaces
def test_a_node_whose_log_nobody_reads_serves_on(lonely: Namespace, tmp_path: Path, pipe: tuple[int, int]) -> None:
    socket = str(tmp_path / "gm.sock")
    node = RunningNode.__new__(RunningNode)
    node.socket, node.log = socket, tmp_path / "none.log"
    node.process = lonely.popen(
        *(sys.executable, "-m", "ptpstack", "gm", "-i", "va", "--simulated", "perfect", "--reference", "declared"),
        *("--control", socket),
        stderr=pipe[1],
    )
    wait_for(lambda: Path(socket).exists() and node.ask("status"), 15)
    for number in range(60):
        assert node.ask("reference", state=("holdover", "locked")[number % 2])
    assert node.stop() == 0
