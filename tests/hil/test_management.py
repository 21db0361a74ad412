"""Programs of a current linuxptp (4.x) at our management socket; the clocks are the guest's."""

from __future__ import annotations

import re
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from ptpstack.clocks.system import SystemClock
from ptpstack.timebase.leap import LeapTable
from tests.hil import rig as hil
from tests.hil.pairs import Pair, running_pair
from tools.hil.contest import reset_system_clock

pytestmark = hil.marks

_OFFSET = re.compile(r"CLOCK_REALTIME phc offset\s+(-?\d+) s2")
_TOLD = re.compile(r"changed state|reconfiguring|nothing to synchronize")
_GET = re.compile(r"^\t(?:\[action\]|GET(?: \| \w+)*|GET) (\w+)", re.MULTILINE)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("management")


@pytest.fixture(scope="module")
def pair(folder: Path) -> Iterator[Pair]:
    with running_pair(folder, "l2", management=True) as pair:
        pair.settle()
        yield pair


def test_phc2sys_finds_the_clocks_by_our_socket_and_follows_the_client(pair: Pair, folder: Path) -> None:
    """The whole dialogue of phc2sys -a: DEFAULT_DATA_SET, SUBSCRIBE_EVENTS_NP, PORT_PROPERTIES_NP, PORT_HWCLOCK_NP,
    TIME_PROPERTIES_DATA_SET, and port states pushed while it runs.
    """
    log = folder / "phc2sys.log"
    with log.open("w") as stream:
        command = ["phc2sys", "-a", "-r", "-m", "-q", "-l", "7", "-R", "4", "-z", str(folder / "oc.uds")]
        phc2sys = subprocess.Popen(command, stdout=stream, stderr=stream)
        try:
            hil.until(lambda: len(_OFFSET.findall(log.read_text())) > 20, 60, "phc2sys does not lock")
            time.sleep(5)
            truth = hil.snapshot()
            assert phc2sys.poll() is None
            before = len(log.read_text())
            # pushed: the client's port goes down, and the source with it
            ask = [sys.executable, "-m", "ptpstack", "pmc", "-b", "0", "-s", str(folder / "oc.uds")]
            subprocess.run([*ask, "COMMAND DISABLE_PORT"], check=True, timeout=30)
            hil.until(lambda: _TOLD.search(log.read_text(), before), 10, "phc2sys is not told of the port")
            subprocess.run([*ask, "COMMAND ENABLE_PORT"], check=True, timeout=30)
        finally:
            phc2sys.terminate()
            phc2sys.wait(5)
            # the clocks of the next test begin with the system clock's time, and the truth with its TAI
            reset_system_clock()
            SystemClock(LeapTable.built_in(), read_only=False).set_tai_offset(0)
            print(log.read_text()[-3000:])
    offsets = [int(ns) for ns in _OFFSET.findall(log.read_text())]
    assert abs(offsets[20]) < 20_000
    # UTC: 37 s behind the client's PHC
    assert abs(truth.realtime + 37 * hil.NS_PER_S - truth.reading[1]) < 100_000


def test_every_get_of_pmc_4_is_answered(pair: Pair, folder: Path) -> None:
    known = subprocess.run(
        ["pmc", "-u", "-s", str(folder / "gm.uds")], input="help\n", capture_output=True, text=True, timeout=30
    ).stdout
    names = sorted(set(_GET.findall(known)))
    assert len(names) >= 30
    answers = subprocess.run(
        ["pmc", "-u", "-b", "0", "-s", str(folder / "gm.uds"), *(f"GET {name}" for name in names)],
        capture_output=True,
        text=True,
        timeout=60,
    ).stdout
    print(answers)
    parsed = set(re.findall(r"RESPONSE MANAGEMENT (\w+)", answers))
    # pmc shows no name for it
    assert set(names) - parsed <= {"NULL_MANAGEMENT"}
