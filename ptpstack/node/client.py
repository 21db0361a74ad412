"""The other end of the control socket: for commands, labs and tests."""

from __future__ import annotations

import json
import os
import socket
from collections.abc import Iterator
from typing import Any

#: No answer of a node is longer: whoever sends more is none.
MAX_ANSWER = 64 << 20
DEFAULT_SOCKET = "/run/ptpstack/control.sock"


class ControlUnavailable(Exception):
    """No node answers: which socket, and what to do."""


class ControlClient:
    def __init__(self, path: str, timeout_s: float = 5.0) -> None:
        self.path = path
        self._buffer = bytearray()
        self._sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._sock.settimeout(timeout_s)
        try:
            self._sock.connect(path)
        except OSError as error:
            self._sock.close()
            raise ControlUnavailable(_advice(path, error)) from error

    def __enter__(self) -> ControlClient:
        return self

    def __exit__(self, *_: object) -> None:
        self._sock.close()

    def request(self, cmd: str, **arguments: Any) -> Any:
        """The result; ValueError with the node's words when it refuses.

        ControlUnavailable when the node has gone meanwhile, or what answers is no node.
        """
        try:
            self._sock.sendall(json.dumps({"cmd": cmd, **arguments}).encode() + b"\n")
        except OSError as error:
            # it may have said why before it hung up
            try:
                answer = self._object()
            except ControlUnavailable:
                raise ControlUnavailable(f"{self.path}: the node has gone ({error.strerror or error})") from error
        else:
            answer = self._object()
        if answer.get("ok") is not True:
            raise ValueError(str(answer.get("error", "the node refused without a reason")))
        return answer.get("result")

    def events(self) -> Iterator[dict[str, Any]]:
        """Events as they happen, until the node ends."""
        self.request("events")
        self._sock.settimeout(None)
        while True:
            try:
                yield self._object()
            except ControlUnavailable:
                return

    def _object(self) -> dict[str, Any]:
        line = self._line()
        try:
            answer = json.loads(line)
        except (ValueError, RecursionError):
            answer = None
        if not isinstance(answer, dict):
            raise ControlUnavailable(
                f"{self.path}: what answers there is no ptpstack node (it said {line[:40]!r}); name a node's socket "
                "with --control"
            )
        return answer

    def _line(self) -> bytes:
        while (end := self._buffer.find(b"\n")) < 0:
            try:
                octets = self._sock.recv(65536)
            except OSError as error:
                raise ControlUnavailable(f"{self.path}: no answer ({error})") from error
            if not octets:
                raise ControlUnavailable(f"{self.path}: the node has gone")
            self._buffer += octets
            if len(self._buffer) > MAX_ANSWER:
                raise ControlUnavailable(f"{self.path}: what answers there is no ptpstack node (it does not stop)")
        line = bytes(self._buffer[:end])
        del self._buffer[: end + 1]
        return line


def _advice(path: str, error: OSError) -> str:
    if isinstance(error, PermissionError):
        return f"{path}: not permitted; use sudo, or be the user or in the group that the node runs as"
    if isinstance(error, (FileNotFoundError, ConnectionRefusedError)):
        return f"{path}: no node runs there; start one (ptpstack run SITE.toml), or name its socket with --control"
    return f"{path}: {error.strerror or error}"


def default_socket() -> str:
    """$PTPSTACK_CONTROL, else the system's."""
    return os.environ.get("PTPSTACK_CONTROL", DEFAULT_SOCKET)
