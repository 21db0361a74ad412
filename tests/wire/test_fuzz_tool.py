"""A short run of the fuzzer; the long ones are started by hand."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

TOOL = Path(__file__).resolve().parents[2] / "tools" / "fuzz_wire.py"


def run(*options: str) -> subprocess.CompletedProcess[str]:
    environment = {name: value for name, value in os.environ.items() if name != "PTPSTACK_TEST_DATA"}
    return subprocess.run(
        [sys.executable, str(TOOL), *options], capture_output=True, text=True, timeout=120, env=environment
    )


def test_a_hundred_thousand_damaged_frames() -> None:
    done = run("--count", "100000", "--seed", "3")
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("100,000 frames in ")
    decoded = re.search(r"([\d,]+) decoded", done.stdout)
    assert decoded is not None
    # a fuzzer that only makes rubbish, or none, tests nothing
    assert 20_000 < int(decoded[1].replace(",", "")) < 80_000
    reasons = set(re.findall(r"[a-z][a-z0-9-]+", done.stdout.split("malformed:")[1]))
    assert reasons == {
        "short-header",
        "version-1",
        "version",
        "message-type",
        "short-message",
        "truncated",
        "timestamp",
        "tlv-stray",
        "tlv-odd",
        "tlv-beyond-end",
        "tlv-short",
    }


def test_a_run_is_repeatable_and_can_be_bounded_by_time() -> None:
    first, second = (run("--count", "3000", "--seed", "9").stdout.splitlines()[1] for _ in range(2))
    assert first == second
    assert run("--count", "3000", "--seed", "10").stdout.splitlines()[1] != first
    assert run("--seconds", "0.2").returncode == 0
    assert run("--count", "0").returncode == 2
