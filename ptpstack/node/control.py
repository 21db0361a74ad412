"""The local control socket: a JSON object per line in, one per line out; ``events`` makes a connection a stream.

Anyone who may open the socket may read. What changes the node (``reference``, ``priority``, ``stop``) is allowed to
root and to the user the node runs as, told by the kernel (SO_PEERCRED), not by the peer.
"""

from __future__ import annotations

import contextlib
import json
import os
import socket
import stat
import struct
from collections.abc import Callable
from typing import Any

from ptpstack.engine.effects import Event
from ptpstack.node.loop import Loop

MAX_REQUEST = 64 * 1024
#: A reader of events that lags by more than this loses events (and is told how many), never the node its memory.
MAX_BACKLOG = 1 << 20
MAX_CONNECTIONS = 64

Command = Callable[[dict[str, Any]], Any]


class ControlError(Exception):
    """A request that cannot be served: what is wrong and what would be right."""


class ControlSocketError(OSError):
    """The socket cannot be made."""


class _Connection:
    def __init__(self, sock: socket.socket, uid: int) -> None:
        self.sock = sock
        self.uid = uid
        self.received = bytearray()
        self.backlog = bytearray()
        self.streaming = False
        self.lost_events = 0


class ControlServer:
    """Serves on a Unix stream socket, driven by the node's loop."""

    def __init__(self, loop: Loop, path: str, commands: dict[str, Command], writing: frozenset[str]) -> None:
        self._loop = loop
        self.path = path
        self._commands = commands
        self._writing = writing
        self._connections: dict[int, _Connection] = {}
        self._flushing: set[int] = set()
        self._sock = _listen(path)
        loop.add_reader(self._sock.fileno(), self._accept)

    def close(self) -> None:
        for connection in list(self._connections.values()):
            self._drop(connection)
        self._loop.remove_reader(self._sock.fileno())
        self._sock.close()
        with contextlib.suppress(OSError):
            os.unlink(self.path)

    def publish(self, kind: str, record: dict[str, Any]) -> None:
        """Send an event to everyone who streams."""
        streaming = [c for c in self._connections.values() if c.streaming]
        if not streaming:
            return
        line = _line({"event": kind, **record})
        for connection in streaming:
            if len(connection.backlog) + len(line) > MAX_BACKLOG:
                connection.lost_events += 1
                continue
            if connection.lost_events:
                connection.backlog += _line({"event": "lost-events", "count": connection.lost_events})
                connection.lost_events = 0
            self._send(connection, line)

    def _accept(self, fd: int) -> None:
        with contextlib.suppress(BlockingIOError):
            sock, _ = self._sock.accept()
            if len(self._connections) >= MAX_CONNECTIONS:
                sock.close()
                return
            sock.setblocking(False)
            _pid, uid, _gid = struct.unpack("3i", sock.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12))
            connection = _Connection(sock, uid)
            self._connections[sock.fileno()] = connection
            self._loop.add_reader(sock.fileno(), self._readable)

    def _drop(self, connection: _Connection) -> None:
        fd = connection.sock.fileno()
        self._loop.remove_reader(fd)
        self._connections.pop(fd, None)
        self._flushing.discard(fd)
        connection.sock.close()

    def _readable(self, fd: int) -> None:
        connection = self._connections[fd]
        try:
            octets = connection.sock.recv(65536)
        except BlockingIOError:
            return
        except OSError:
            octets = b""
        if not octets:
            self._drop(connection)
            return
        connection.received += octets
        while (end := connection.received.find(b"\n")) >= 0:
            request = bytes(connection.received[:end])
            del connection.received[: end + 1]
            self._send(connection, _line(self._serve(connection, request)))
            if connection.sock.fileno() < 0:
                return
        if len(connection.received) > MAX_REQUEST:
            self._drop(connection)

    def _serve(self, connection: _Connection, octets: bytes) -> dict[str, Any]:
        try:
            request = json.loads(octets)
            if not isinstance(request, dict) or not isinstance(request.get("cmd"), str):
                raise ControlError('a request is a JSON object with "cmd", such as {"cmd": "status"}')
            name = request["cmd"]
            if name == "events":
                connection.streaming = True
                return {"ok": True, "result": {"streaming": True}}
            command = self._commands.get(name)
            if command is None:
                known = ", ".join(sorted([*self._commands, "events"]))
                raise ControlError(f"unknown cmd {name!r}; there are {known}")
            if name in self._writing and connection.uid not in (0, os.geteuid()):
                raise ControlError(f"{name} changes the node: only root and the user it runs as may do that")
            return {"ok": True, "result": command(request)}
        except ControlError as error:
            return {"ok": False, "error": str(error)}
        except (UnicodeDecodeError, json.JSONDecodeError, RecursionError) as error:
            return {"ok": False, "error": f"not a line of JSON: {error}"}
        except KeyError as error:
            return {"ok": False, "error": str(error.args[0]) if error.args else "unknown name"}
        except (TypeError, ValueError) as error:
            return {"ok": False, "error": str(error)}

    def _send(self, connection: _Connection, line: bytes) -> None:
        connection.backlog += line
        self.flush(connection)

    def flush(self, connection: _Connection) -> None:
        while connection.backlog:
            try:
                sent = connection.sock.send(connection.backlog)
            except BlockingIOError:
                self._flushing.add(connection.sock.fileno())
                return
            except OSError:
                self._drop(connection)
                return
            del connection.backlog[:sent]
        self._flushing.discard(connection.sock.fileno())

    def flush_all(self) -> None:
        """Called now and then: peers that were slow may take more by now."""
        for fd in list(self._flushing):
            connection = self._connections.get(fd)
            if connection is not None:
                self.flush(connection)


def _line(value: dict[str, Any]) -> bytes:
    return json.dumps(value, separators=(",", ":"), allow_nan=False).encode() + b"\n"


def _listen(path: str) -> socket.socket:
    """Bind, taking over the name of a dead node but never that of a living one."""
    directory = os.path.dirname(path) or "."
    try:
        os.makedirs(directory, mode=0o755, exist_ok=True)
        if os.path.exists(path):
            if not stat.S_ISSOCK(os.stat(path).st_mode):
                raise ControlSocketError(f"{path} exists and is not a socket; choose another with --control")
            with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
                probe.settimeout(0)
                try:
                    probe.connect(path)
                except BlockingIOError:
                    alive = True
                except OSError:
                    alive = False
                else:
                    alive = True
            if alive:
                raise ControlSocketError(
                    f"another node already serves {path}; stop it, or give this one its own with --control"
                )
            os.unlink(path)
        sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_NONBLOCK | socket.SOCK_CLOEXEC)
        # created with its final rights, never open for a moment
        mask = os.umask(0o117)
        try:
            sock.bind(path)
        finally:
            os.umask(mask)
        sock.listen(16)
        return sock
    except ControlSocketError:
        raise
    except OSError as error:
        raise ControlSocketError(
            f"control socket {path}: {error.strerror}; choose another place with --control or [node] control"
        ) from error


def event_record(event: Event, now_ns: int, realtime_ns: int) -> dict[str, Any]:
    """An event as the stream carries it; ``time_ns`` is CLOCK_REALTIME, for people and correlation."""
    return {
        "time_ns": realtime_ns,
        "now_ns": now_ns,
        "instance": event.instance,
        "port": event.port,
        "data": event.data,
    }
