"""The namespace helper itself: nothing is left, also when the test run is killed."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.netns import namespaces

pytestmark = pytest.mark.namespaces

ROOT = Path(__file__).resolve().parents[1]
VICTIM = """
import sys, time
from tests.netns import namespaces
with namespaces("x") as ns:
    child = ns["x"].popen("sleep", "60")
    print(child.pid, flush=True)
    time.sleep(60)
"""


def test_namespaces_are_apart_and_the_caller_comes_home() -> None:
    home = os.readlink("/proc/thread-self/ns/net")
    with namespaces("a", "b") as ns:
        seen = set()
        for namespace in ns.values():
            with namespace.entered():
                seen.add(os.readlink("/proc/thread-self/ns/net"))
        assert len(seen | {home}) == 3
        assert ns["a"].call(os.readlink, "/proc/thread-self/ns/net") in seen
        with pytest.raises(ZeroDivisionError):
            ns["a"].call(divmod, 1, 0)
        with pytest.raises(RuntimeError, match="namespace b"):
            ns["b"].ip("link set nothing up")
    assert os.readlink("/proc/thread-self/ns/net") == home


def test_a_killed_run_leaves_no_process() -> None:
    with namespaces("probe"):
        pass  # skips when there can be none
    with subprocess.Popen([sys.executable, "-c", VICTIM], cwd=ROOT, stdout=subprocess.PIPE, text=True) as run:
        assert run.stdout is not None
        child = int(run.stdout.readline())
        assert Path(f"/proc/{child}").exists()
        run.send_signal(signal.SIGKILL)
    end = time.monotonic() + 5
    while Path(f"/proc/{child}/cmdline").exists() and Path(f"/proc/{child}/cmdline").read_text():
        assert time.monotonic() < end, "the child of the killed run is still there"
        time.sleep(0.01)
