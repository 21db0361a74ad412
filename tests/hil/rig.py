"""The hardware rig as tests see it: knobs and truth of the module hilptp, which is loaded anew as each test wants it.

Runs in the guest of ``tools/hil/run`` only; everywhere else these tests skip.
"""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

FOLDER = Path("/sys/kernel/debug/hilptp")
IN_THE_GUEST = bool(os.environ.get("HIL")) and FOLDER.exists()
NS_PER_S = 10**9

#: marks for a module or a test that needs the rig
marks = [
    pytest.mark.hardware,
    pytest.mark.skipif(not IN_THE_GUEST, reason="no PTP hardware here (`make hil` runs this in a guest that has it)"),
]


@dataclass(frozen=True)
class Truth:
    """All clocks at one instant, ns. ``raw`` is CLOCK_MONOTONIC_RAW, ``reference`` perfect time."""

    raw: int
    realtime: int
    reference: int
    #: by the rig's number of the PHC
    reading: dict[int, int]

    def error(self, phc: int) -> int:
        """PHC minus perfect time."""
        return self.reading[phc] - self.reference


def snapshot() -> Truth:
    values: dict[str, int] = {}
    reading = {}
    for line in (FOLDER / "snapshot").read_text().splitlines():
        words = line.split()
        if words[0].startswith("phc"):
            reading[int(words[0].removeprefix("phc"))] = int(words[3])
        elif len(words) == 2:
            values[words[0]] = int(words[1])
    return Truth(values["raw"], values["real"], values["ref"], reading)


def knob(path: str, value: int | None = None) -> int:
    """Write a knob, or read it: ``phc0/osc_ppt``, ``port1/drop_txts``; docs/hil.md lists them."""
    file = FOLDER / path
    if value is None:
        return int(file.read_text())
    file.write_text(str(value))
    return value


def edges(path: str) -> list[tuple[int, int]]:
    """(clock time, perfect time), ns, of an output's edges: ``phc0/perout0``, ``phc0/pps``."""
    rows = [list(map(int, line.split())) for line in (FOLDER / path).read_text().splitlines()]
    return [(row[1], row[2]) for row in rows]


def load(ports: int = 2, phc_of: str = "", **parameters: int) -> None:
    """Fresh ports and clocks: nothing is left of what was set before."""
    subprocess.run(["rmmod", "hilptp"], check=True)
    extra = ([f"phc_of={phc_of}"] if phc_of else []) + [f"{name}={value}" for name, value in parameters.items()]
    subprocess.run(["insmod", os.environ["HIL_MODULE"], f"ports={ports}", *extra], check=True)


@pytest.fixture
def rig() -> Callable[..., None]:
    """``rig(ports=4, phc_of="0,1,1,2")``; two ports with a PHC each when a test does not call it."""
    load()
    return load


@contextmanager
def knobs(**values: int) -> Iterator[None]:
    """Set knobs for a while; ``phc0__fail=1`` is ``phc0/fail``."""
    paths = {name.replace("__", "/"): value for name, value in values.items()}
    before = {path: knob(path) for path in paths}
    for path, value in paths.items():
        knob(path, value)
    try:
        yield
    finally:
        for path, value in before.items():
            knob(path, value)


def until(condition: Callable[[], object], seconds: float = 5.0, what: str = "") -> None:
    """Wait for something to become true (guest time)."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, what or "waited in vain"
        time.sleep(0.01)
