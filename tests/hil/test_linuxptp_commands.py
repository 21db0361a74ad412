"""linuxptp's commands, as we speak them, on hardware clocks whose truth is known."""

from __future__ import annotations

import re
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from ptpstack.cli.main import main
from ptpstack.clocks.system import SystemClock
from ptpstack.node.feeds import ShmFeed
from ptpstack.timebase.leap import LeapTable
from tests.hil import rig as hil
from tests.hil.pairs import Pair, running_pair
from tests.netns import namespaces
from tools.hil.contest import reset_system_clock

pytestmark = hil.marks

OURS = [sys.executable, "-m", "ptpstack"]


@contextmanager
def running(log: Path, *command: str) -> Iterator[Callable[[str], list[str]]]:
    """Gives what finds lines in its log; ends it, and it must have gone on until then."""
    with log.open("w") as stream:
        process = subprocess.Popen(command, stdout=stream, stderr=stream)
    try:
        yield lambda pattern: re.findall(pattern, log.read_text(), re.MULTILINE)
        assert process.poll() is None, log.read_text()[-3000:]
    finally:
        process.terminate()
        process.wait(10)
        print(log.read_text()[-2000:])


@pytest.fixture
def system_clock() -> Iterator[None]:
    """The clocks of the next test begin with the system clock's time, and the truth with its TAI."""
    yield
    reset_system_clock()
    SystemClock(LeapTable.built_in(), read_only=False).set_tai_offset(0)


def test_phc2sys_one_clock_follows_another(rig: Callable[..., None], tmp_path: Path) -> None:
    hil.knob("phc0/osc_ppt", 5_000_000)
    hil.knob("phc1/osc_ppt", -20_000_000)
    command = [*OURS, "phc2sys", "-s", "hil0", "-c", "hil1", "-O", "0", "-R", "4", "-m", "-q"]
    with running(tmp_path / "log", *command) as lines:
        found = r"^phc2sys\[\d+\.\d{3}\]: hil1 phc offset +(-?\d+) s2 freq +([-+]\d+) delay +\d+$"
        hil.until(lambda: len(lines(found)) > 30, 60, "hil1 does not follow")
        truth = hil.snapshot()
        # 25 ppm slower than its source: that is what its clock is off by
        assert int(lines(found)[-1][1]) == pytest.approx(-25_000, abs=300)
    assert abs(truth.error(1) - truth.error(0)) < 100


def test_phc2sys_sets_utc_by_hand(rig: Callable[..., None], tmp_path: Path, system_clock: None) -> None:
    command = [*OURS, "phc2sys", "-s", "/dev/ptp0", "-O", "-37", "-R", "4", "-u", "4", "-m", "-q"]
    with running(tmp_path / "log", *command) as lines:
        found = r"^phc2sys\[[\d.]+\]: CLOCK_REALTIME rms +\d+ max +(\d+) freq +[-+]\d+ \+/- +\d+ delay +\d+ \+/- +\d+$"
        hil.until(lambda: len(lines(found)) > 5, 60, "the system clock does not follow")
        truth = hil.snapshot()
        assert int(lines(found)[-1]) < 20_000
    assert abs(truth.realtime + 37 * hil.NS_PER_S - truth.reading[0]) < 20_000


def test_phc2sys_feeds_and_sets_nothing(rig: Callable[..., None], tmp_path: Path) -> None:
    """-O 0: the hardware clock is taken to show UTC, and the system clock to be 2.5 s behind it."""
    hil.knob("phc0/osc_ppt", 0)
    assert main(["clock", "adj", "hil0", "--step", "2.5s"]) == 0
    before = hil.snapshot()
    command = [*OURS, "phc2sys", "-s", "hil0", "-O", "0", "-E", "ntpshm", "-M", "9", "-R", "4", "-m", "-q"]
    with running(tmp_path / "log", *command) as lines:
        hil.until(
            lambda: len(lines(r"CLOCK_REALTIME phc offset +-2[45]\d{8} s\d freq +\+0 delay")) > 8, 60, "no readings"
        )
        feed = ShmFeed(9)
        shared = feed._shared
        assert shared is not None
        assert (shared.valid, shared.count > 0) == (1, True)
        system_ns = shared.receive_s * hil.NS_PER_S + shared.receive_ns
        true_ns = shared.clock_s * hil.NS_PER_S + shared.clock_ns
        assert true_ns - system_ns == pytest.approx(2.5e9, abs=1e6)
        feed.close()
    truth = hil.snapshot()
    assert truth.realtime - truth.reference == pytest.approx(before.realtime - before.reference, abs=100_000)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("linuxptp")


@pytest.fixture
def pair(folder: Path) -> Iterator[Pair]:
    with running_pair(folder, "l2", management=True) as pair:
        pair.settle()
        yield pair


def test_phc2sys_automatic_follows_the_ports_of_a_node(pair: Pair, folder: Path, system_clock: None) -> None:
    socket = str(folder / "oc.uds")
    with running(folder / "auto.log", *OURS, "phc2sys", "-a", "-r", "-m", "-q", "-R", "4", "-z", socket) as lines:
        found = r"CLOCK_REALTIME phc offset +(-?\d+) s2"
        hil.until(lambda: len(lines(found)) > 20, 60, "phc2sys does not follow")
        truth = hil.snapshot()
        assert lines("selecting hil1 as the master clock$")
        ask = [*OURS, "pmc", "-b", "0", "-s", socket]
        subprocess.run([*ask, "COMMAND DISABLE_PORT"], check=True, timeout=30)
        hil.until(lambda: lines("nothing to synchronize"), 10, "phc2sys is not told of the port")
        before = len(lines(found))
        subprocess.run([*ask, "COMMAND ENABLE_PORT"], check=True, timeout=30)
        hil.until(lambda: len(lines(found)) > before + 8, 60, "phc2sys does not go on")
    # UTC: 37 s behind the client's PHC
    assert abs(truth.realtime + 37 * hil.NS_PER_S - truth.reading[1]) < 100_000


@pytest.mark.parametrize("whose", ["theirs", "ours"])
def test_phc2sys_automatic_beside_ptp4l(
    whose: str, rig: Callable[..., None], tmp_path: Path, system_clock: None
) -> None:
    """Both sides of the dialogue: a ptp4l of linuxptp 4, and ours, with hardware time stamps."""
    program = ["ptp4l"] if whose == "theirs" else [*OURS, "ptp4l"]
    hil.knob("phc1/osc_ppt", 10_000_000)
    common = ["-m", "-q", "-2", "--logSyncInterval=-2", "--logAnnounceInterval", "-1", "--tx_timestamp_timeout=100"]
    with namespaces("far") as made:
        far = made["far"]
        subprocess.run(["ip", "link", "set", "hil1", "netns", far.path], check=True)
        subprocess.run(["ip", "link", "set", "hil0", "up"], check=True)
        far.ip("link set hil1 up")
        gm = [*program, "-i", "hil0", *common, f"--uds_address={tmp_path}/gm"]
        inside = ["nsenter", f"--net={far.path}"]
        oc = [*inside, *program, "-i", "hil1", "-s", *common, f"--uds_address={tmp_path}/oc"]
        follow = [*inside, *OURS, "phc2sys", "-a", "-r", "-m", "-q", "-R", "4", "-z", f"{tmp_path}/oc"]
        with running(tmp_path / "gm.log", *gm), running(tmp_path / "oc.log", *oc) as port:
            hil.until(lambda: port(r"UNCALIBRATED to SLAVE on MASTER_CLOCK_SELECTED$"), 60, "the client does not lock")
            assert port(r"^ptp4l\[[\d.]+\]: selected /dev/ptp1 as PTP clock$")
            with running(tmp_path / "phc2sys.log", *follow) as lines:
                hil.until(lambda: len(lines("CLOCK_REALTIME phc offset +-?[0-9]+ s2")) > 20, 60, "no following")
                truth = hil.snapshot()
            assert port(r"^ptp4l\[[\d.]+\]: rms +\d+ max +\d+ freq +[-+]\d+ \+/- +\d+ delay +\d+ \+/- +\d+$")
    assert abs(truth.error(1) - truth.error(0)) < 2000
    apart = truth.realtime - truth.reading[1]
    assert min(abs(apart), abs(apart + 37 * hil.NS_PER_S)) < 100_000


def test_ts2phc_follows_the_pulse(rig: Callable[..., None], tmp_path: Path) -> None:
    hil.knob("phc0/osc_ppt", 3_000_000)
    config = tmp_path / "ts2phc.conf"
    config.write_text("[global]\nuse_syslog 0\nverbose 1\n[hil0]\nts2phc.pin_index 0\n")
    assert main(["clock", "set", "hil0", "system"]) == 0
    with running(tmp_path / "log", *OURS, "ts2phc", "-f", str(config), "-s", "generic") as lines:
        found = r"^ts2phc\[[\d.]+\]: /dev/ptp0 offset +(-?\d+) s2 freq +([-+]\d+)$"
        hil.until(lambda: len(lines(found)) > 25, 90, "ptp0 does not follow")
        truth = hil.snapshot()
        assert int(lines(found)[-1][1]) == pytest.approx(3_000, abs=300)
    # TAI, told by a system clock that counts UTC
    assert abs(truth.error(0) - 37 * hil.NS_PER_S) < 300
    time.sleep(0.1)


def test_phc_ctl_and_hwstamp_ctl(rig: Callable[..., None], capfd: pytest.CaptureFixture[str]) -> None:
    before = hil.snapshot()
    assert main(["phc_ctl", "-q", "hil0", "--", "adj", "-1.5", "freq", "100", "freq", "cmp", "caps"]) == 0
    said = capfd.readouterr().out
    truth = hil.snapshot()
    assert truth.error(0) - before.error(0) == pytest.approx(-1.5e9, abs=1e6)
    assert re.search(r"clock frequency offset is 100\.00\d+ppb", said)
    assert re.search(r"offset from CLOCK_REALTIME is 150000\d{4}ns|offset from CLOCK_REALTIME is 1499\d{6}ns", said)
    assert "2 external time stamp channels" in said
    assert main(["hwstamp_ctl", "-i", "hil0", "-t", "1", "-r", "12"]) == 0
    assert "new settings:\ntx_type 1\nrx_filter 12\n" in capfd.readouterr().out
    assert main(["hwstamp_ctl", "-i", "hil0", "-r", "0"]) == 0
    assert "new settings:\ntx_type 1\nrx_filter 0\n" in capfd.readouterr().out
