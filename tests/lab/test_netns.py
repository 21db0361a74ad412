"""Namespaces come, are wired as told, and go, also when their runner is killed."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from ptpstack.lab.errors import LabError
from ptpstack.lab.netns import Network
from ptpstack.lab.rundir import RunDirectory, marked_processes, sweep
from ptpstack.lab.topology_file import parse_topology
from tests.lab.beds import FAKE_NODE, bed, fake, host, needs_namespaces

pytestmark = [pytest.mark.namespaces, needs_namespaces]

COMMAND = '[[node]]\nhost = "h0"\nkind = "command"\ncommand = ["true"]\n'


def inside(pid: int, *argv: str) -> str:
    return subprocess.run(["nsenter", "-t", str(pid), "-n", *argv], capture_output=True, text=True, check=True).stdout


def interfaces() -> set[str]:
    return set(os.listdir("/sys/class/net"))


def test_ten_hosts_in_less_than_two_seconds_and_nothing_left(tmp_path: Path) -> None:
    before = interfaces()
    topology = parse_topology(bed(*(host(f"h{n}") for n in range(10)), host("p", "h3:eth1"), COMMAND))
    run = RunDirectory.create(tmp_path)
    began = time.monotonic()
    network = Network(topology, run)
    try:
        assert time.monotonic() - began < 2.0
        assert interfaces() == before, "nothing may appear in the host's namespace"
        bridge = inside(network.pid("sw"), "ip", "-d", "-o", "link", "show", "br0")
        for setting in ("forward_delay 0", "stp_state 0", "mcast_snooping 0", "state UP"):
            assert setting in bridge
        third = inside(network.pid("h3"), "ip", "-o", "addr")
        assert "10.77.0.4/24" in third
        assert "10.78.0.1/24" in third
        # ready at once, for PTP over IPv6; a switch needs none
        assert "inet6 fe80" in third
        assert "tentative" not in third
        assert "inet6 fe80" not in inside(network.pid("sw"), "ip", "-o", "addr")
        mac = topology.host("h3").links[0].mac.hex(":")
        assert mac in inside(network.pid("h3"), "ip", "link", "show", "eth0")
        assert len(list(marked_processes(run.lab_id))) == 12
    finally:
        network.close()
    assert list(marked_processes(run.lab_id)) == []
    assert interfaces() == before


def test_links_go_down_and_up(tmp_path: Path) -> None:
    network = Network(parse_topology(bed(host("h0"), COMMAND)), RunDirectory.create(tmp_path))
    try:
        network.set_link("h0", "eth0", up=False)
        assert "state DOWN" in inside(network.pid("h0"), "ip", "link", "show", "eth0")
        network.set_link("h0", "eth0", up=True)
        assert "state UP" in inside(network.pid("h0"), "ip", "link", "show", "eth0")
        with pytest.raises(LabError, match="it has eth0"):
            network.set_link("h0", "eth1", up=True)
    finally:
        network.close()


RUNNER = """
import sys
from pathlib import Path
from ptpstack.lab.runner import run_lab
from ptpstack.lab.topology_file import parse_topology
class Watch:
    def update(self, recording, now_s):
        if now_s > 0.3 and not self.told:
            self.told = True
            print("running", flush=True)
    told = False
    def message(self, text):
        pass
run_lab(parse_topology(sys.argv[1]), observer=Watch(), node_command=sys.argv[3:], base_directory=Path(sys.argv[2]))
"""


def test_sigkill_to_the_runner_leaves_nothing(tmp_path: Path) -> None:
    before = interfaces()
    text = bed(fake("gm", "priority2 = 1"), fake("oc", "client_only = true"), duration=60.0)
    argv = [sys.executable, "-c", RUNNER, text, str(tmp_path), *FAKE_NODE]
    runner = subprocess.Popen(argv, stdout=subprocess.PIPE, cwd=Path(__file__).parents[2])
    try:
        assert runner.stdout is not None
        assert runner.stdout.readline() == b"running\n"
        directory = next(tmp_path.glob("ptpstack-lab-*"))
        lab_id = directory.name.removeprefix("ptpstack-lab-")
        assert len(list(marked_processes(lab_id))) == 5, "three namespaces and two nodes"
    finally:
        runner.kill()
        assert runner.wait() == -signal.SIGKILL
        runner.stdout.close()
    limit = time.monotonic() + 5.0
    while list(marked_processes(lab_id)) and time.monotonic() < limit:
        time.sleep(0.01)
    assert list(marked_processes(lab_id)) == []
    assert interfaces() == before
    assert [entry.directory for entry in sweep([tmp_path])] == [directory]
    assert list(tmp_path.iterdir()) == []
