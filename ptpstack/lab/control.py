"""A non-blocking client of a node's control socket: one JSON object a line out, one JSON line back for each.

Unix stream sockets are found by path, so they cross network namespaces.
"""

from __future__ import annotations

import contextlib
import json
import socket
from collections import deque
from pathlib import Path
from typing import Any

#: a node that sends more than this without a line end is broken
_LINE_LIMIT = 4 << 20


class ControlError(OSError):
    """The socket went away, or sent what is not the protocol."""


class ControlClosed(ControlError):
    """The node closed the connection."""


class ControlClient:
    """``fileno`` is for a selector; ``receive`` hands back (tag, answer) pairs in the order of the requests.

    ``stream`` clients have asked for the event stream: every line is an (``"event"``, object) pair.
    """

    def __init__(self, path: Path, *, stream: bool = False) -> None:
        """OSError (FileNotFoundError, ConnectionRefusedError) while the node does not listen yet."""
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_CLOEXEC)
        self._socket.setblocking(False)
        self._stream = stream
        self._waiting: deque[tuple[str, float]] = deque()
        self._out = b""
        self._in = bytearray()
        try:
            self._socket.connect(str(path))
        except OSError:
            self._socket.close()
            raise

    def fileno(self) -> int:
        return self._socket.fileno()

    @property
    def outstanding(self) -> int:
        return len(self._waiting)

    def oldest_s(self, now_s: float) -> float:
        """For how long the oldest request has been waiting for its answer; 0 when none does."""
        return now_s - self._waiting[0][1] if self._waiting else 0.0

    def request(self, tag: str, body: dict[str, Any], now_s: float) -> None:
        """Queue a request; ``flush`` sends it. ControlError when the socket is gone."""
        if not self._stream:
            self._waiting.append((tag, now_s))
        self._out += json.dumps(body).encode() + b"\n"
        self.flush()

    def flush(self) -> None:
        try:
            while self._out:
                sent = self._socket.send(self._out)
                self._out = self._out[sent:]
        except BlockingIOError:
            return
        except OSError as error:
            raise ControlClosed(error.errno, f"control socket: {error.strerror}") from error

    @property
    def wants_write(self) -> bool:
        return bool(self._out)

    def receive(self) -> list[tuple[str, dict[str, Any]]]:
        """All complete answers that are here. ControlError when the node closed, or sent something else."""
        closed = False
        try:
            while True:
                chunk = self._socket.recv(1 << 16)
                if not chunk:
                    closed = True
                    break
                self._in += chunk
                if len(self._in) > _LINE_LIMIT:
                    raise ControlError(f"an answer of more than {_LINE_LIMIT} octets without a line end")
        except BlockingIOError:
            pass
        except ConnectionError:
            closed = True
        answers = []
        while (end := self._in.find(b"\n")) >= 0:
            line = bytes(self._in[:end])
            del self._in[: end + 1]
            answers.append((self._next_tag(), _object(line)))
        if closed and not answers:
            raise ControlClosed("the node closed its control socket")
        return answers

    def _next_tag(self) -> str:
        if self._stream:
            return "event"
        if not self._waiting:
            raise ControlError("an answer that nobody asked for")
        return self._waiting.popleft()[0]

    def close(self) -> None:
        with contextlib.suppress(OSError):
            self._socket.close()


def _object(line: bytes) -> dict[str, Any]:
    try:
        value = json.loads(line)
    except ValueError as error:
        raise ControlError(f"not JSON: {line[:80]!r}") from error
    if not isinstance(value, dict):
        raise ControlError(f"not a JSON object: {line[:80]!r}")
    return value
