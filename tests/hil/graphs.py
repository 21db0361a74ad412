"""What the tests of the clock graph on the rig share: nodes, waiting, truth, pieces of site files."""

from __future__ import annotations

import math
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from ptpstack.clocks.system import SystemClock
from ptpstack.timebase.leap import LeapTable
from tests.hil import rig as hil
from tests.hil.pairs import Here
from tests.netns import Namespace
from tests.node.nodes import RunningNode

S = 10**9


@pytest.fixture
def utc() -> Iterator[None]:
    """The rig's perfect time begins as CLOCK_TAI: without an offset in the kernel it is the guest's UTC."""
    kernel = SystemClock(LeapTable.built_in(), read_only=False)
    kernel.set_tai_offset(0)
    yield
    kernel.declare_unsynchronised()
    kernel.set_frequency(0.0)


@contextmanager
def node(folder: Path, name: str, text: str, where: Namespace | None = None) -> Iterator[RunningNode]:
    site = folder / f"{name}.toml"
    site.write_text(text)
    running = RunningNode(where or Here(), folder, name, "run", str(site)).ready()  # type: ignore[arg-type]
    try:
        yield running
    finally:
        if running.process.poll() is None:
            running.stop()


def wait_for(probe: Callable[[], object], seconds: float, running: RunningNode) -> None:
    """As seldom as will do: in the guest every question costs."""
    end = time.monotonic() + seconds
    while not probe():
        assert time.monotonic() < end, f"nothing within {seconds} s\n{running.words()}"
        time.sleep(0.5)


def locked(running: RunningNode) -> bool:
    return bool(running.status()["references"][0]["state"] == "locked")


def follows(running: RunningNode, clock: str = "system") -> bool:
    return bool(clock_of(running, clock)["edges"][-1]["state"] == "locked")


def clock_of(running: RunningNode, name: str) -> dict[str, Any]:
    return next(clock for clock in running.status()["clocks"] if clock["name"] == name)


def sample(seconds: float, error: Callable[[hil.Truth], float], every_s: float = 0.5) -> list[float]:
    errors = []
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        errors.append(error(hil.snapshot()))
        time.sleep(every_s)
    return errors


def tai_error(truth: hil.Truth) -> int:
    """/dev/ptp0 against perfect TAI, ns: the reference of the rig begins as the guest's UTC."""
    return truth.error(0) - 37 * S


def rms(values: list[float]) -> float:
    return math.sqrt(sum(v * v for v in values) / len(values))


def up(*interfaces: str) -> None:
    for name in interfaces:
        subprocess.run(["ip", "link", "set", name, "up"], check=True)


NIC = """
[[clock]]
name = "nic"
type = "phc"
device = "/dev/ptp0"
"""

PORT = """
[[instance]]
role = "grandmaster"
profile = "unrestricted"
clock = "nic"
[[instance.port]]
interface = "hil0"
transport = "l2"
"""

DECLARED = """
[instance.reference]
type = "declared"
state = "locked"
time_source = "gnss"
accuracy = "100 ns"
"""

SYSTEM = """
[[clock]]
name = "system"
type = "system"
steer = true
"""
TO_SYSTEM = '[[edge]]\nfrom = "nic"\nto = "system"\n'


def utc_error(truth: hil.Truth) -> float:
    """The system clock against the PHC it follows, ns; whole seconds (TAI - UTC) left out."""
    difference = truth.realtime - truth.reading[0]
    return difference - round(difference / S) * S
