"""One node of a running lab: its process, its control connection, its log."""

from __future__ import annotations

import contextlib
import ctypes
import re
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import ptpstack
from ptpstack.lab import linux, ptp4l
from ptpstack.lab.control import ControlClient
from ptpstack.lab.errors import LabError
from ptpstack.lab.netns import Network
from ptpstack.lab.privilege import CAP_SYS_TIME
from ptpstack.lab.process import Child, spawn
from ptpstack.lab.rundir import RunDirectory
from ptpstack.lab.sitefile import site_for, to_toml
from ptpstack.lab.topology import Host, Node

#: how the daemon under test is started; the site file is added
NODE_COMMAND = (sys.executable, "-m", "ptpstack", "run")
_TAIL_OCTETS = 8192
_TAIL_LINES = 15
_PR_CAPBSET_DROP = 24


class Worker:
    """``control`` and ``events`` are None while there is no connection (yet)."""

    def __init__(
        self,
        node: Node,
        host: Host,
        run: RunDirectory,
        network: Network,
        node_command: Sequence[str],
        directory: str,
    ) -> None:
        self.node = node
        self.child: Child | None = None
        self.control: ControlClient | None = None
        self.events: ControlClient | None = None
        self.paused = False
        #: monotonic time since which there has been no connection, s
        self.silent_since_s = 0.0
        #: this silence has been reported already
        self.silence_reported = False
        #: it has been told to go: its end is no incident
        self.may_end = False
        self.answered = False
        self._host = host
        self._directory = directory
        self._run = run
        self._network = network
        self._node_command = node_command
        self._log_position = 0
        self._log_rest = b""
        self._argv = self._prepare()

    @property
    def speaks_control(self) -> bool:
        return self.node.kind == "ptpstack"

    @property
    def running(self) -> bool:
        return self.child is not None

    def _prepare(self) -> list[str]:
        run, node = self._run, self.node
        if node.kind == "ptpstack":
            path = run.path / f"{node.label}.toml"
            path.write_text(to_toml(site_for(node, run.socket(node.label), self._directory)))
            return [*self._node_command, str(path)]
        if node.kind == "ptp4l":
            path = run.path / f"{node.label}.conf"
            path.write_text(
                ptp4l.with_sockets(node.config, str(run.socket(node.label)), read_only_socket=_ptp4l_major() >= 4)
            )
            return ptp4l.command_line(str(path), node.config, self._host)
        return list(node.command)

    def start(self) -> None:
        """LabError when it runs already or the program is missing."""
        if self.child is not None:
            raise LabError(f"{self.node.label} runs already (pid {self.child.pid})")
        # a killed node leaves its socket behind: connecting to it must not look like an answer
        with contextlib.suppress(FileNotFoundError):
            self._run.socket(self.node.label).unlink()
        pid = self._network.pid(self._host.name)
        source = str(Path(ptpstack.__file__).resolve().parent.parent)
        # the nodes run the ptpstack that this lab is a part of, installed or not
        extra = {"PYTHONPATH": source, "PYTHONUNBUFFERED": "1"} if self.speaks_control else None
        with Path(f"/proc/{pid}/ns/net").open("rb") as network:
            descriptor = network.fileno()
            self.child = spawn(
                self._run,
                self.node.label,
                self._argv,
                enter=lambda: _enter(descriptor),
                log=self._run.log(self.node.label),
                cwd=self._run.path,
                extra_environment=extra,
            )
        self.silent_since_s = time.monotonic()
        self.paused = self.silence_reported = self.may_end = False

    def connect(self) -> bool:
        """Try to reach the control socket; True when a new connection stands."""
        if self.control is not None or self.child is None or not self.speaks_control:
            return False
        try:
            self.control = ControlClient(self._run.socket(self.node.label))
            self.events = ControlClient(self._run.socket(self.node.label), stream=True)
        except OSError:
            self.disconnect()
            return False
        return True

    def disconnect(self) -> None:
        for client in (self.control, self.events):
            if client is not None:
                client.close()
        if self.control is not None:
            self.silent_since_s = time.monotonic()
        self.control = self.events = None

    def signal(self, number: int) -> None:
        if self.child is None:
            raise LabError(f"{self.node.label} does not run")
        self.child.signal(number)

    def end(self, timeout_s: float) -> int | None:
        """Reap it, by force after ``timeout_s``. None when it was not running."""
        self.disconnect()
        if self.child is None:
            return None
        status = self.child.reap(timeout_s)
        self.child = None
        return status

    def new_log_lines(self) -> list[str]:
        """Complete lines logged since the last call."""
        try:
            with self._run.log(self.node.label).open("rb") as log:
                log.seek(self._log_position)
                data = log.read(1 << 20)
        except FileNotFoundError:
            return []
        self._log_position += len(data)
        *lines, self._log_rest = (self._log_rest + data).split(b"\n")
        return [line.decode(errors="replace") for line in lines]

    def log_tail(self) -> tuple[str, ...]:
        try:
            with self._run.log(self.node.label).open("rb") as log:
                log.seek(0, 2)
                log.seek(max(0, log.tell() - _TAIL_OCTETS))
                text = log.read().decode(errors="replace")
        except FileNotFoundError:
            return ()
        return tuple(text.splitlines()[-_TAIL_LINES:])


def _enter(network: int) -> None:
    """Between fork and exec: the host's namespace, a /sys that fits it, and no way to the host's clock."""
    linux.setns(network, linux.CLONE_NEWNET)
    linux.private_sysfs()
    # gone from the bounding set, CAP_SYS_TIME cannot come back by exec: whatever runs here, the host's clock is safe
    ctypes.CDLL(None).prctl(_PR_CAPBSET_DROP, CAP_SYS_TIME, 0, 0, 0)


def _ptp4l_major() -> int:
    try:
        output = subprocess.run(["ptp4l", "-v"], capture_output=True, text=True, timeout=5, check=False).stdout
    except FileNotFoundError as error:
        raise LabError("a node of this lab is ptp4l, and there is no such program here. Install linuxptp") from error
    except subprocess.TimeoutExpired:
        return 0
    match = re.match(r"v?(\d+)\.", output.strip())
    return int(match[1]) if match else 0
