"""Real nodes as processes in a namespace, for tests."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

from ptpstack.node.client import ControlClient, ControlUnavailable
from tests.netns import Namespace

T = TypeVar("T")


class RunningNode:
    """``python -m ptpstack ARGUMENTS`` inside ``namespace``, its log beside its socket."""

    def __init__(self, namespace: Namespace, folder: Path, name: str, *arguments: str, **popen: Any) -> None:
        self.socket = str(folder / f"{name}.sock")
        self.log = folder / f"{name}.log"
        with self.log.open("w") as log:
            self.process = namespace.popen(
                sys.executable, "-m", "ptpstack", *arguments, "--control", self.socket, stderr=log, **popen
            )

    def ask(self, cmd: str, **arguments: Any) -> Any:
        with ControlClient(self.socket) as client:
            return client.request(cmd, **arguments)

    def status(self) -> dict[str, Any]:
        result: dict[str, Any] = self.ask("status")
        return result

    def port_state(self, instance: int = 0, port: int = 0) -> str:
        return str(self.status()["instances"][instance]["ports"][port]["state"])

    def ready(self) -> RunningNode:
        wait_for(lambda: Path(self.socket).exists() and self.ask("status") is not None, 15, self.words)
        return self

    def words(self) -> str:
        return self.log.read_text()

    def stop(self) -> int:
        """SIGTERM; the exit status."""
        self.process.terminate()
        try:
            return self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            raise


def wait_for(probe: Callable[[], T], seconds: float, words: Callable[[], str] = lambda: "") -> T:
    """The first true answer of ``probe``; AssertionError, with ``words``, when none comes in time."""
    deadline = time.monotonic() + seconds
    while True:
        try:
            answer = probe()
        except (ControlUnavailable, ValueError, KeyError, IndexError):
            answer = None  # type: ignore[assignment]
        if answer:
            return answer
        assert time.monotonic() < deadline, f"nothing within {seconds} s\n{words()}"
        time.sleep(0.05)
