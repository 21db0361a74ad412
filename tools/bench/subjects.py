"""What is measured: ptpstack and ptp4l as grandmasters, each started in a namespace of its own."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.netns import Namespace, die_with_parent, namespaces, veth
from tools.bench import procfs

REPOSITORY = Path(__file__).resolve().parents[2]
INTERFACE = "gm0"
PEER_INTERFACE = "peer0"


class BenchError(Exception):
    """A measurement that cannot be made: what is missing, and what to do."""


@dataclass(frozen=True)
class Subject:
    """``name``: ``ptpstack`` or ``ptp4l``."""

    name: str

    def command(self, directory: Path, log_sync_interval: int, *, quick_election: bool) -> list[str]:
        """``quick_election``: shorter waiting before it serves, where what is measured is not the waiting."""
        if self.name == "ptpstack":
            return [
                *(sys.executable, "-m", "ptpstack", "gm", "-i", INTERFACE, "--stamping", "software", "--server-only"),
                *("--sync", str(log_sync_interval), "--profile", "unrestricted"),
                *("--control", str(directory / "control.sock")),
            ]
        config = directory / "ptp4l.conf"
        lines = [
            "[global]",
            "masterOnly 1",  # what 3.1.1 calls serverOnly
            "free_running 1",
            "time_stamping software",
            "network_transport UDPv4",
            f"logSyncInterval {log_sync_interval}",
            f"uds_address {directory}/ptp4l.sock",
        ]
        if quick_election:
            lines += ["logAnnounceInterval 0", "announceReceiptTimeout 2"]
        config.write_text("\n".join(lines) + "\n")
        return ["ptp4l", "-f", str(config), "-i", INTERFACE, "-m", "-q"]


def available(names: list[str]) -> list[Subject]:
    """The subjects by name. BenchError when one is not installed."""
    for name in names:
        if name == "ptp4l" and shutil.which("ptp4l") is None:
            raise BenchError("no ptp4l in PATH: install linuxptp, or measure alone with --subjects ptpstack")
    return [Subject(name) for name in names]


def ptp4l_version() -> str | None:
    if shutil.which("ptp4l") is None:
        return None
    return subprocess.run(["ptp4l", "-v"], capture_output=True, text=True, check=False).stdout.strip() or None


@dataclass
class Running:
    """A subject at work. ``started_ns``: CLOCK_REALTIME just before it was started."""

    subject: Subject
    process: subprocess.Popen[bytes]
    peer: Namespace
    directory: Path
    started_ns: int

    @property
    def pid(self) -> int:
        return self.process.pid

    def cpu_ns(self) -> int:
        return procfs.cpu_ns(self.pid)

    def check(self) -> None:
        """BenchError, with its own last words, when it has ended."""
        if self.process.poll() is not None:
            words = (self.directory / "log").read_text(errors="replace").strip().splitlines()[-3:]
            raise BenchError(f"{self.subject.name} ended with status {self.process.returncode}: {' | '.join(words)}")


@contextlib.contextmanager
def running(
    subject: Subject,
    *,
    log_sync_interval: int = 0,
    quick_election: bool = True,
    cpu: int | None = None,
    real_time: bool = False,
) -> Iterator[Running]:
    """``subject`` as a grandmaster at one end of a cable; ``peer`` is the namespace at the other end."""
    with contextlib.ExitStack() as stack:
        ns = stack.enter_context(namespaces("gm", "peer"))
        veth(ns["gm"], INTERFACE, ns["peer"], PEER_INTERFACE, "10.0.0.1/24", "10.0.0.2/24")
        directory = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="ptpstack-bench-")))
        command = subject.command(directory, log_sync_interval, quick_election=quick_election)
        log = stack.enter_context(open(directory / "log", "wb"))

        def in_child() -> None:
            die_with_parent()
            if cpu is not None:
                os.sched_setaffinity(0, {cpu})
            if real_time:
                os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(10))

        arguments: dict[str, Any] = {"stdin": subprocess.DEVNULL, "stdout": log, "stderr": log, "cwd": REPOSITORY}
        with ns["gm"].entered():
            started_ns = time.time_ns()
            process = subprocess.Popen(command, preexec_fn=in_child, **arguments)
        try:
            yield Running(subject, process, ns["peer"], directory, started_ns)
        finally:
            process.terminate()
            try:
                process.wait(5)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
