"""A client on a bond whose members have a PHC each: what becomes of it when the active member changes.

The bond's members (hil0, hil2) are wired to a bridge (hil1, hil3), and so is the grandmaster (hil5, by hil4).
"""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.hil import rig as hil
from tests.hil.pairs import GRANDMASTER, Here
from tests.netns import namespaces
from tests.node.nodes import RunningNode

pytestmark = hil.marks

CLIENT = """
[node]
name = "oc"
[[clock]]
name = "nic"
{clock}
[[instance]]
client_only = true
profile = "unrestricted"
[[instance.port]]
interface = "bond0"
transport = "l2"
log_announce_interval = -1
log_min_delay_req_interval = -2
"""
#: how far off the truth the client may be: frames are stamped on either side of a bridge in software, which computes
NEAR_NS = 20_000


def ip(arguments: str) -> None:
    subprocess.run(["ip", *arguments.split()], check=True)


def activate(member: str) -> None:
    ip(f"link set bond0 type bond active_slave {member}")


@pytest.fixture(scope="module")
def grandmaster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningNode]:
    hil.load(6)
    for phc, error in enumerate((3_000_000, 0, -15_000_000, 0, 0, 7_000_000)):
        hil.knob(f"phc{phc}/osc_ppt", error)
    subprocess.run(["modprobe", "-a", "bonding", "bridge"], check=True)
    with namespaces("bridge", "gm") as ns:
        bridge, gm = ns["bridge"], ns["gm"]
        bridge.ip("link add br0 type bridge forward_delay 0 mcast_snooping 0")
        bridge.ip("link set br0 up")
        for name in ("hil1", "hil3", "hil4"):
            ip(f"link set {name} netns {bridge.path}")
            bridge.ip(f"link set {name} master br0 up")
        ip(f"link set hil5 netns {gm.path}")
        gm.ip("link set hil5 up")
        ip("link add bond0 type bond mode active-backup miimon 50")
        for name in ("hil0", "hil2"):
            ip(f"link set {name} master bond0")
        ip("link set bond0 up")
        folder = tmp_path_factory.mktemp("bond")
        site = folder / "gm.toml"
        text = GRANDMASTER.format(transport="l2").replace("/dev/ptp0", "/dev/ptp5").replace("hil0", "hil5")
        site.write_text(
            text.replace("egress_latency_ns = 300\ningress_latency_ns = 120\n", "log_announce_interval = -1\n")
        )
        node = RunningNode(gm, folder, "gm", "run", str(site)).ready()
        yield node
        node.stop()
        ip("link del bond0")
        for where, names in ((bridge, ("hil1", "hil3", "hil4")), (gm, ("hil5",))):
            for name in names:
                where.ip(f"link set {name} netns 1")


def client(folder: Path, clock: str = 'type = "auto"') -> RunningNode:
    activate("hil0")
    site = folder / "oc.toml"
    site.write_text(CLIENT.format(clock=clock))
    return RunningNode(Here(), folder, "oc", "run", str(site)).ready()  # type: ignore[arg-type]


def error_ns(phc: int) -> int:
    truth = hil.snapshot()
    return truth.error(phc) - truth.error(5)


def follows(node: RunningNode, phc: int) -> None:
    """Wait until it does, with that clock."""

    def locked() -> bool:
        servo = node.status()["instances"][0]["servo"]["state"]
        return node.port_state() == "SLAVE" and servo == "locked" and abs(error_ns(phc)) < NEAR_NS

    hil.until(locked, 60, f"does not follow with PHC {phc}")


def changed(node: RunningNode, times: int) -> None:
    hil.until(lambda: node.status()["channels"][0]["member_changes"] == times, 5, "the change went unseen")


def test_the_active_member_is_followed_and_its_clock_used(grandmaster: RunningNode, tmp_path: Path) -> None:
    node = client(tmp_path)
    try:
        follows(node, 0)
        for turn, (member, phc) in enumerate((("hil2", 2), ("hil0", 0)), 1):
            activate(member)
            changed(node, turn)
            channel = node.status()["channels"][0]
            assert (channel["stack"], channel["stamping"], channel["problem"]) == (["bond0", member], "hardware", "")
            assert node.status()["clocks"][0]["device"] == f"/dev/ptp{phc}"
            # Set to the time of the clock before it, and the port is still a client's.
            assert abs(error_ns(phc)) < 1_000_000
            assert node.port_state() in ("SLAVE", "UNCALIBRATED")
            follows(node, phc)
            assert f"bond0/l2: {member} is active instead of" in node.words()
        assert "set to the time of that" in node.words()
        # A member whose link breaks is changed for the other by the kernel itself.
        ip("link set hil0 down")
        changed(node, 3)
        follows(node, 2)
        ip("link set hil0 up")
        command = [sys.executable, "-m", "ptpstack", "status", "--control", node.socket]
        shown = subprocess.run(command, check=True, capture_output=True, text=True).stdout
        assert "bond0/l2: another member became active 3x, now hil2" in " ".join(shown.split())
        assert node.process.poll() is None
    finally:
        node.stop()


def test_a_clock_that_is_named_is_not_changed(grandmaster: RunningNode, tmp_path: Path) -> None:
    node = client(tmp_path, 'type = "phc"\ndevice = "/dev/ptp0"')
    try:
        follows(node, 0)
        activate("hil2")
        hil.until(lambda: node.status()["channels"][0]["problem"], 5, "the port goes on with the wrong clock")
        assert "stamps on /dev/ptp2, not on /dev/ptp0" in node.status()["channels"][0]["problem"]
        assert "the configuration says that the clock is /dev/ptp0" in node.words()
        time.sleep(1)
        activate("hil0")
        follows(node, 0)
    finally:
        node.stop()
