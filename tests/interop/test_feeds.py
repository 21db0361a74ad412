"""chronyd takes its time from us by SOCK and by SHM. It runs with -x and without CAP_SYS_TIME: it sets nothing."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.interop.bench import Bench, Missed, Process, environment, need_peers, until
from tests.interop.peers import UNTOUCHED
from tests.netns import Namespace

pytestmark = [pytest.mark.interop, pytest.mark.namespaces]

#: how far the master is ahead of the clock that all namespaces share
AHEAD_S = 0.05

MASTER = f"""
[[clock]]
type = "simulated"
oscillator = "perfect"
initial_error_ns = {AHEAD_S * 1e9}
[[instance]]
role = "grandmaster"
profile = "unrestricted"
[[instance.port]]
interface = "eth0"
log_announce_interval = -2
log_sync_interval = -3
log_min_delay_req_interval = -3
"""
FOLLOWER = """
[[instance]]
client_only = true
profile = "unrestricted"
arb_is = "utc"
feed_shm = {shm}
feed_sock = "{sock}"
[[instance.port]]
interface = "eth0"
log_announce_interval = -2
log_sync_interval = -3
log_min_delay_req_interval = -3
"""


def follow_by_site(bench: Bench, where: Namespace, sock: Path, shm: int) -> None:
    bench.site(where, FOLLOWER.format(shm=shm, sock=sock))


def follow_by_ptp4l(bench: Bench, where: Namespace, sock: Path, shm: int) -> None:
    """Two of them, for linuxptp has one feed."""
    intervals = (f"--log{name}Interval={log2}" for name, log2 in (("Announce", -2), ("Sync", -3), ("MinDelayReq", -3)))
    words = ["ptp4l", "-i", "eth0", "-s", "-S", "-m", "-q", *intervals]
    feeds = (
        ["--clock_servo", "refclock_sock", f"--refclock_sock_address={sock}"],
        ["--clock_servo=ntpshm", f"--ntpshm_segment={shm}", "--slaveOnly=1"],
    )
    for name, feed in zip("ab", feeds, strict=True):
        command = [*UNTOUCHED, sys.executable, "-m", "ptpstack", *words, *feed, f"--uds_address={bench.folder}/{name}"]
        bench.run_beside(where, command, f"ptp4l-{name}")


@pytest.mark.parametrize("follow", [follow_by_site, follow_by_ptp4l])
def test_chronyd_reads_the_masters_time_from_both_feeds(
    follow: Callable[[Bench, Namespace, Path, int], None], tmp_path: Path
) -> None:
    need_peers()
    if shutil.which("chronyd") is None:
        pytest.skip("not installed: chronyd (Debian: chrony)")
    shm = 16 + os.getpid() % 200
    tmp_path.chmod(0o750)  # chronyd puts its socket in no folder that is open to all
    try:
        with Bench(tmp_path) as bench:
            ours, masters = bench.namespace("follower"), bench.namespace("master")
            bench.wire(masters, "eth0", ours, "eth0")
            bench.site(masters, MASTER)
            daemon = _chronyd(bench, tmp_path, shm)
            follow(bench, ours, tmp_path / "sock", shm)
            for name in ("SOCK", "SHM"):

                def told(name: str = name) -> float | None:
                    return _offset_s(tmp_path, name)

                try:
                    offset_s = until(f"samples of {name} at chronyd", told, 30.0)
                except Missed as error:
                    error.add_note(bench.logs())
                    raise
                # chronyc: how far the system clock is ahead of the source
                assert offset_s == pytest.approx(-AHEAD_S, abs=0.002), name
            assert "Disabled control of system clock" in daemon.text()
    finally:
        subprocess.run(["ipcrm", "-M", hex(0x4E545030 + shm)], check=False, capture_output=True)


def _chronyd(bench: Bench, folder: Path, shm: int) -> Process:
    # noselect: what chronyd has selected, it adds to its own idea of the time, and then there is no offset left
    config = folder / "chrony.conf"
    config.write_text(
        f"refclock SOCK {folder}/sock refid SOCK poll 0 filter 4 noselect\n"
        f"refclock SHM {shm} refid SHM poll 0 filter 4 noselect\n"
        f"bindcmdaddress {folder}/command\nport 0\ncmdport 0\npidfile {folder}/pid\n"
    )
    namespace = bench.namespace("chrony")
    command = [*UNTOUCHED, "chronyd", "-x", "-d", "-u", "root", "-f", str(config)]
    daemon = bench.run_beside(namespace, command, "chronyd")
    until(f"chronyd's socket ({daemon.text()})", (folder / "sock").exists, 10.0)
    return daemon


def _offset_s(folder: Path, refid: str) -> float | None:
    """chronyc's last sample of a source; None while it has none."""
    done = subprocess.run(
        ["chronyc", "-h", str(folder / "command"), "-c", "-n", "sources"],
        capture_output=True,
        text=True,
        timeout=20,
        env=environment(),
        check=False,
    )
    for line in done.stdout.splitlines():
        fields = line.split(",")
        if fields[2] == refid and int(fields[5], 8) > 0o7:
            return float(fields[7])
    return None
