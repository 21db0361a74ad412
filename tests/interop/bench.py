"""A bench for scenarios with real peers: namespaces, wires, nodes of ours, ptp4l, and captures of what we send.

Everything a scenario starts ends with it, and with the test run however that ends: each process asks the kernel to be
killed with the thread that made it (so a scenario stays in one thread), and namespaces have no names.

ptp4l always runs with ``free_running 1`` and software time stamps: it reads CLOCK_REALTIME and sets nothing. Such a
client never leaves UNCALIBRATED; what it measures is in its log.
"""

from __future__ import annotations

import contextlib
import json
import math
import os
import re
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import pytest

from ptpstack.node.client import ControlClient, ControlUnavailable
from tests import netns
from tests.netns import Namespace, veth

REPOSITORY = Path(__file__).resolve().parents[2]
T = TypeVar("T")

#: pmc and ptp4l write an identity as 46b0ab.fffe.443f16
_PMC_LINE = re.compile(r"^\t\t(\S+)\s+(\S+)\s*$")
_PMC_HEAD = re.compile(r"^\t(\S+) seq \d+ RESPONSE MANAGEMENT (\S+)")
_OFFSET_LINE = re.compile(r"master offset\s+(-?\d+) s\d freq\s+[-+]\d+ path delay\s+(-?\d+)")

_abort = threading.Event()


def need_peers() -> None:
    """Skip, saying why, where the foreign programs or namespaces are missing."""
    missing = [
        name for name in ("ptp4l", "pmc", "tcpdump", "tshark") if shutil.which(name, path=_search_path()) is None
    ]
    if missing:
        pytest.skip(f"not installed: {', '.join(missing)} (Debian: linuxptp tcpdump tshark)")
    if os.geteuid() != 0:
        pytest.skip("foreign daemons and captures in namespaces need root")
    reason = netns.unavailable()
    if reason is not None:
        pytest.skip(reason)


def _search_path() -> str:
    return os.environ.get("PATH", os.defpath) + ":/usr/sbin:/sbin"


def environment(**extra: str) -> dict[str, str]:
    return {**os.environ, "PATH": _search_path(), "PYTHONPATH": str(REPOSITORY), "LC_ALL": "C", **extra}


class Missed(AssertionError):
    """Something did not come to pass in time: what, and how things stood."""


def until(what: str, condition: Callable[[], T | None], within_s: float, every_s: float = 0.1) -> T:
    """Poll until ``condition()`` is truthy and return that; Missed with ``what`` after ``within_s``."""
    deadline = time.monotonic() + within_s
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > deadline:
            raise Missed(f"not within {within_s:g} s: {what}")
        pause(every_s)


def pause(seconds: float) -> None:
    if _abort.wait(seconds):
        raise Missed("the test run was interrupted")


def identity(text: str) -> str:
    """16 lower-case hexadecimal digits, from any way of writing a clockIdentity."""
    return re.sub(r"[^0-9a-f]", "", text.lower())


class Process:
    """A program in a namespace with its output in a file."""

    def __init__(self, command: list[str], namespace: Namespace, log: Path, **environ: str) -> None:
        self.log = log
        self.command = command
        with open(log, "wb") as stream:
            self.popen = namespace.popen(
                *command, stdin=subprocess.DEVNULL, stdout=stream, stderr=stream, env=environment(**environ)
            )
        self.started = time.monotonic()

    def text(self) -> str:
        return self.log.read_text(errors="replace")

    def lines(self) -> list[str]:
        return self.text().splitlines()

    def alive(self) -> bool:
        return self.popen.poll() is None

    def wait(self, within_s: float = 10.0) -> int:
        """The exit status."""
        until(f"the end of {self.command[0]}", lambda: not self.alive(), within_s, 0.02)
        return int(self.popen.returncode)

    def kill(self) -> None:
        """At once, with no chance to say goodbye."""
        self.popen.kill()
        self.popen.wait()

    def stop(self) -> None:
        if self.alive():
            self.popen.send_signal(signal.SIGTERM)
            try:
                self.popen.wait(5)
            except subprocess.TimeoutExpired:
                self.kill()


class Ptp4l(Process):
    def __init__(
        self,
        namespace: Namespace,
        interfaces: list[str],
        transport: str,
        folder: Path,
        name: str,
        options: dict[str, Any],
        sections: str = "",
    ) -> None:
        self.namespace = namespace
        self.uds = str(folder / f"{name}.uds")
        self._folder, self._name, self._asked = folder, name, 0
        self._domain = str(options.get("domainNumber", 0))
        self._major_sdo_id = str(options.get("transportSpecific", 0))
        settings = {
            "free_running": 1,
            "time_stamping": "software",
            "network_transport": {"udp4": "UDPv4", "udp6": "UDPv6", "l2": "L2"}[transport],
            "uds_address": self.uds,
            "freq_est_interval": 0,
            # a busy machine hands out transmit stamps late; the default of 10 ms would make that a fault
            "tx_timestamp_timeout": 500,
            "fault_reset_interval": -2,
            "logAnnounceInterval": 0,
            **options,
        }
        config = folder / f"{name}.cfg"
        config.write_text(
            "[global]\n"
            + "".join(f"{key} {value}\n" for key, value in settings.items())
            + "".join(f"[{interface}]\n" for interface in interfaces)
            + sections
        )
        super().__init__(["ptp4l", "-f", str(config), "-m", "-l", "6"], namespace, folder / f"{name}.log")

    def pmc(self, *requests: str) -> dict[str, list[dict[str, str]]]:
        """What the daemon answers: TLV name -> one dictionary for each responding port, with ``from``."""
        self._asked += 1
        mine = self._folder / f"{self._name}.pmc{self._asked}"
        done = subprocess.run(
            [
                "pmc",
                "-u",
                "-b",
                "0",
                "-d",
                self._domain,
                "-t",
                self._major_sdo_id,
                "-s",
                self.uds,
                "-i",
                str(mine),
                *requests,
            ],
            capture_output=True,
            text=True,
            timeout=30,
            env=environment(),
        )
        mine.unlink(missing_ok=True)
        answers: dict[str, list[dict[str, str]]] = {}
        for line in done.stdout.splitlines():
            head = _PMC_HEAD.match(line)
            if head:
                answers.setdefault(head[2], []).append({"from": head[1]})
            elif (member := _PMC_LINE.match(line)) and answers:
                answers[next(reversed(answers))][-1][member[1]] = member[2]
        return answers

    def get(self, *names: str) -> dict[str, str]:
        """The members of these data sets (first answer of each) together; {} while it does not answer all."""
        answers = self.pmc(*(f"GET {name}" for name in names))
        if any(name not in answers for name in names):
            return {}
        return {key: value for name in names for key, value in answers[name][0].items()}

    def grandmaster(self) -> str:
        return identity(self.get("PARENT_DATA_SET").get("grandmasterIdentity", ""))

    def port_states(self) -> list[str]:
        """In the order of ports."""
        ports = self.pmc("GET PORT_DATA_SET").get("PORT_DATA_SET", [])
        return [p["portState"] for p in sorted(ports, key=lambda p: int(p["portIdentity"].rpartition("-")[2]))]

    def offsets(self) -> list[tuple[int, int]]:
        """(offset, path delay) in ns of every measurement that it reported."""
        return [(int(m[1]), int(m[2])) for m in _OFFSET_LINE.finditer(self.text())]


class Node(Process):
    """A ptpstack process."""

    def __init__(self, namespace: Namespace, arguments: list[str], folder: Path, name: str, **environ: str) -> None:
        self.control = str(folder / f"{name}.sock")
        super().__init__(
            [sys.executable, "-m", "ptpstack", *arguments, "--control", self.control],
            namespace,
            folder / f"{name}.log",
            **environ,
        )

    def ask(self, cmd: str, **arguments: Any) -> Any:
        with ControlClient(self.control, timeout_s=20.0) as client:
            return client.request(cmd, **arguments)

    def ready(self, within_s: float = 20.0) -> Node:
        """Wait until it serves its control socket."""

        def answering() -> bool:
            if not self.alive():
                raise Missed(f"the node ended: {self.text().strip()}")
            try:
                return bool(self.ask("status"))
            except ControlUnavailable:
                return False

        until("a node that answers", answering, within_s)
        return self

    def instance(self, index: int = 0) -> dict[str, Any]:
        instances: list[dict[str, Any]] = self.ask("status")["instances"]
        return instances[index]

    def grandmaster(self) -> str:
        return identity(self.instance()["grandmaster"]["identity"])

    def port_states(self) -> list[str]:
        return [port["state"] for port in self.instance()["ports"]]

    def error_ns(self) -> float:
        """True error of the (first) simulated clock against TAI."""
        return float(self.ask("truth")["clocks"][0]["error_ns"])

    def locked(self) -> bool:
        instance = self.instance()
        return instance["servo"]["state"] == "locked" and any(p["state"] == "SLAVE" for p in instance["ports"])


@dataclass
class Bench:
    """One scenario's things. Use as a context manager; what it holds ends with it."""

    folder: Path
    captures: list[Path] = field(default_factory=list)
    _stack: contextlib.ExitStack = field(default_factory=contextlib.ExitStack)
    _wires: int = 0
    _processes: list[Process] = field(default_factory=list)

    def __enter__(self) -> Bench:
        self.folder.mkdir(parents=True, exist_ok=True)
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def namespace(self, name: str) -> Namespace:
        namespace = Namespace(name)
        self._stack.callback(namespace.close)
        return namespace

    def wire(self, a: Namespace, name_a: str, b: Namespace, name_b: str) -> None:
        """A cable with a subnet of its own: a has address .1, b has .2."""
        self._wires += 1
        veth(a, name_a, b, name_b, f"10.77.{self._wires}.1/24", f"10.77.{self._wires}.2/24")
        for end, (namespace, interface) in enumerate(((a, name_a), (b, name_b)), 1):
            namespace.ip(f"address add fd00:77:{self._wires}::{end}/64 dev {interface} nodad")

    def _running(self, process: Process) -> None:
        self._processes.append(process)
        self._stack.callback(process.stop)

    def ptp4l(
        self,
        namespace: Namespace,
        *interfaces: str,
        transport: str = "udp4",
        name: str = "",
        sections: str = "",
        **options: Any,
    ) -> Ptp4l:
        """``sections``: what follows the settings of ``[global]`` and the interfaces in its configuration."""
        name = name or f"ptp4l-{namespace.name}"
        daemon = Ptp4l(namespace, list(interfaces), transport, self.folder, name, options, sections)
        self._running(daemon)
        return daemon

    def node(
        self, namespace: Namespace, *arguments: str, name: str = "", environ: Mapping[str, str] | None = None
    ) -> Node:
        node = Node(namespace, list(arguments), self.folder, name or f"node-{namespace.name}", **(environ or {}))
        self._running(node)
        return node

    def site(self, namespace: Namespace, text: str, *arguments: str, name: str = "") -> Node:
        """A node from a site file."""
        name = name or f"node-{namespace.name}"
        path = self.folder / f"{name}.toml"
        path.write_text(text)
        return self.node(namespace, "run", str(path), *arguments, name=name)

    def run_beside(self, namespace: Namespace, command: list[str], name: str) -> Process:
        """Any other program."""
        process = Process(command, namespace, self.folder / f"{name}.log")
        self._running(process)
        return process

    def capture(self, namespace: Namespace, interface: str) -> None:
        """Every PTP frame sent on ``interface`` from now until the scenario ends."""
        path = self.folder / f"{namespace.name}-{interface}.pcap"
        # -Z root: giving up root would also cancel its promise to die with us
        command = f"tcpdump -Z root -n -U -Q out -i {interface} -w {path}".split()
        log = path.with_suffix(".tcpdump")
        dump = Process([*command, "ether proto 0x88f7 or udp port 319 or udp port 320 or vlan"], namespace, log)
        self._running(dump)
        until(f"a capture on {interface}", lambda: "listening on" in dump.text(), 20.0, 0.02)
        self.captures.append(path)

    def logs(self) -> str:
        """The end of everybody's log, for a failure's report."""
        return "\n".join(
            f"--- {' '.join(p.command)[-160:]}\n" + "\n".join(p.lines()[-25:])
            for p in self._processes
            if p.log.exists()
        )


@dataclass
class Outcome:
    """What became of a scenario: its value, or what went wrong."""

    value: Any = None
    error: BaseException | None = None
    captures: list[Path] = field(default_factory=list)

    def get(self) -> Any:
        if self.error is not None:
            raise self.error
        return self.value


Scenario = Callable[[Bench], Any]


def together(scenarios: Mapping[str, Scenario], folder: Path, at_once: int = 8) -> dict[str, Outcome]:
    """Run the scenarios, ``at_once`` of them at the same time, each with a bench of its own."""

    def one(name: str, scenario: Scenario) -> Outcome:
        outcome = Outcome()
        bench = Bench(folder / re.sub(r"\W+", "-", name))
        try:
            with bench:
                try:
                    outcome.value = scenario(bench)
                except BaseException as error:
                    error.add_note(bench.logs())
                    raise
        except BaseException as error:
            outcome.error = error
        outcome.captures = bench.captures
        return outcome

    with ThreadPoolExecutor(at_once) as pool:
        try:
            futures = {name: pool.submit(one, name, scenario) for name, scenario in scenarios.items()}
            return {name: future.result() for name, future in futures.items()}
        except BaseException:
            _abort.set()
            pool.shutdown(cancel_futures=True)
            raise


def percentile(values: list[float], share: float) -> float:
    """Nearest rank; infinite when there are no values."""
    if not values:
        return math.inf
    return sorted(values)[max(0, math.ceil(share * len(values)) - 1)]


def json_lines(text: str) -> Iterator[Any]:
    for line in text.splitlines():
        with contextlib.suppress(json.JSONDecodeError):
            yield json.loads(line)
