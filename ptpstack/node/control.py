"""The local control socket: a JSON object per line in, one per line out; ``events`` makes a connection a stream.

Anyone who may open the socket may read. What changes the node (``reference``, ``priority``, ``stop``) is allowed to
root and to the user the node runs as, told by the kernel (SO_PEERCRED), not by the peer.

What a peer may cost is bounded: requests served in one turn of the loop, answers it does not read, connections at once,
the time a connection may lie idle. Who reads nothing is not read from either, until it has taken what it asked for.
"""

from __future__ import annotations

import contextlib
import json
import os
import pwd
import socket
import stat
import struct
from collections import deque
from collections.abc import Callable
from typing import Any, NamedTuple

from ptpstack.engine.effects import Event
from ptpstack.node.loop import Loop
from ptpstack.timebase.units import NS_PER_S

#: a site file travels whole
MAX_REQUEST = 256 * 1024
#: A reader of events that lags by more than this loses events (and is told how many), never the node its memory.
MAX_BACKLOG = 1 << 20
MAX_CONNECTIONS = 64
#: Beyond this many unread octets of answers a connection is not served until it has read.
BUSY_BACKLOG = 256 * 1024
#: Requests of one connection served in one turn of the loop.
REQUESTS_PER_TURN = 4
#: Connections accepted in one turn.
_ACCEPTS_PER_TURN = 8
#: A connection that neither streams nor asks is closed after this.
IDLE_NS = 300 * NS_PER_S
#: How long no connection is accepted after the system refused one (no descriptors left), unless one closes before.
ACCEPT_PAUSE_NS = NS_PER_S

Command = Callable[[dict[str, Any]], Any]


class Caller(NamedTuple):
    """Who asks, as the kernel says (SO_PEERCRED)."""

    pid: int
    uid: int

    @property
    def words(self) -> str:
        """Such as ``root (uid 0, logged in as anna), process 4711 (ptpstack)``, for an audit line."""
        also = ""
        login = _read(f"/proc/{self.pid}/loginuid")
        if login.isdigit() and int(login) not in (self.uid, 0xFFFFFFFF):
            also = f", logged in as {_user(int(login))}"
        program = _read(f"/proc/{self.pid}/comm")
        return f"{_user(self.uid)} (uid {self.uid}{also}), process {self.pid}" + (f" ({program})" if program else "")


def _user(uid: int) -> str:
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return f"uid {uid}"


def _read(path: str) -> str:
    """One line; "" when it cannot be had (the process may have gone)."""
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            return "".join(c for c in file.readline(64).strip() if c.isprintable())
    except OSError:
        return ""


class ControlError(Exception):
    """A request that cannot be served: what is wrong and what would be right."""


class ControlSocketError(OSError):
    """The socket cannot be made."""


class _Connection:
    def __init__(self, sock: socket.socket, caller: Caller, now_ns: int) -> None:
        self.sock = sock
        self.caller = caller
        self.received = bytearray()
        self.backlog = bytearray()
        self.streaming = False
        self.reading = True
        self.lost_events = 0
        self.last_ns = now_ns


class ControlServer:
    """Serves on a Unix stream socket, driven by the node's loop, and once a second by ``housekeep``."""

    def __init__(self, loop: Loop, path: str, commands: dict[str, Command], writing: frozenset[str]) -> None:
        self._loop = loop
        self.path = path
        self._commands = commands
        self._writing = writing
        self._connections: dict[int, _Connection] = {}
        #: who has sent the request that is served now
        self.caller = Caller(os.getpid(), os.geteuid())
        #: connections with whole requests left for the next turn
        self._waiting: deque[_Connection] = deque()
        #: a descriptor that is always readable: being in the loop's set, it makes the next turn come at once
        self._again_read, self._again_write = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        os.write(self._again_write, b"\0")
        self._resume_ns: int | None = None
        try:
            self._sock = _listen(path)
        except BaseException:
            self._close_pipe()
            raise
        loop.add_reader(self._sock.fileno(), self._accept)

    def close(self) -> None:
        for connection in list(self._connections.values()):
            self._drop(connection)
        self._loop.remove_reader(self._sock.fileno())
        self._loop.remove_reader(self._again_read)
        self._close_pipe()
        self._sock.close()
        with contextlib.suppress(OSError):
            os.unlink(self.path)

    def _close_pipe(self) -> None:
        os.close(self._again_read)
        os.close(self._again_write)

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

    # ---- connections --------------------------------------------------------------------------------------------

    def _accept(self, fd: int) -> None:
        for _ in range(_ACCEPTS_PER_TURN):
            try:
                sock, _address = self._sock.accept()
            except BlockingIOError:
                return
            except ConnectionAbortedError:
                continue
            except OSError:
                # No descriptors, no memory. The peer stays in the queue and the socket readable: trying again at once
                # would spin.
                self._resume_ns = self._loop.now_ns() + ACCEPT_PAUSE_NS
                self._loop.remove_reader(self._sock.fileno())
                return
            sock.setblocking(False)
            if len(self._connections) >= MAX_CONNECTIONS:
                with contextlib.suppress(OSError):
                    sock.send(_line({"ok": False, "error": f"too many connections ({MAX_CONNECTIONS}): close some"}))
                sock.close()
                continue
            try:
                pid, uid, _gid = struct.unpack("3i", sock.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12))
                self._loop.add_reader(sock.fileno(), self._readable)
            except (OSError, ValueError):
                # select() has no room for the descriptor
                sock.close()
                continue
            self._connections[sock.fileno()] = _Connection(sock, Caller(pid, uid), self._loop.now_ns())

    def _accept_again(self) -> None:
        if self._resume_ns is not None:
            self._resume_ns = None
            self._loop.add_reader(self._sock.fileno(), self._accept)

    def _drop(self, connection: _Connection) -> None:
        fd = connection.sock.fileno()
        if fd < 0:
            return
        self._loop.remove_reader(fd)
        self._connections.pop(fd, None)
        connection.sock.close()
        # what it had asked for and not taken is not kept until somebody looks
        connection.received.clear()
        connection.backlog.clear()
        self._accept_again()

    def _read_from(self, connection: _Connection, wanted: bool) -> None:
        """Watch a connection for requests, or leave them where they are."""
        if connection.reading is wanted:
            return
        connection.reading = wanted
        if wanted:
            self._loop.add_reader(connection.sock.fileno(), self._readable)
        else:
            self._loop.remove_reader(connection.sock.fileno())

    def _readable(self, fd: int) -> None:
        connection = self._connections.get(fd)
        if connection is None:
            return
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
        self._serve_some(connection)

    def _serve_some(self, connection: _Connection) -> None:
        """Serve what one turn allows; the rest waits for the next turn, or until the peer has read."""
        for _ in range(REQUESTS_PER_TURN):
            if len(connection.backlog) > BUSY_BACKLOG:
                self._read_from(connection, False)
                return
            end = connection.received.find(b"\n")
            if end < 0:
                break
            request = bytes(connection.received[:end])
            del connection.received[: end + 1]
            connection.last_ns = self._loop.now_ns()
            self._send(connection, self._serve(connection, request))
            if connection.sock.fileno() < 0:
                return
        if b"\n" in connection.received:
            self._read_from(connection, False)
            if not self._waiting:
                self._loop.add_reader(self._again_read, self._next_turn)
            self._waiting.append(connection)
        elif len(connection.received) > MAX_REQUEST:
            self._drop(connection)
        else:
            self._read_from(connection, True)

    def _next_turn(self, fd: int) -> None:
        waiting, self._waiting = self._waiting, deque()
        self._loop.remove_reader(self._again_read)
        for connection in waiting:
            if connection.sock.fileno() >= 0:
                self._serve_some(connection)

    def _serve(self, connection: _Connection, octets: bytes) -> bytes:
        try:
            return _line(self._answer(connection, octets))
        except Exception as error:
            # a question must not end the time service, whatever it stumbles on
            return _line({"ok": False, "error": f"internal error, please report it: {type(error).__name__}: {error}"})

    def _answer(self, connection: _Connection, octets: bytes) -> dict[str, Any]:
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
            if name in self._writing and connection.caller.uid not in (0, os.geteuid()):
                raise ControlError(f"{name} changes the node: only root and the user it runs as may do that")
            self.caller = connection.caller
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
                return
            except OSError:
                self._drop(connection)
                return
            del connection.backlog[:sent]
            connection.last_ns = self._loop.now_ns()

    def housekeep(self) -> None:
        """Once a second: peers that were slow may take more by now, and who lies idle goes."""
        now = self._loop.now_ns()
        if self._resume_ns is not None and now >= self._resume_ns:
            self._accept_again()
        for connection in list(self._connections.values()):
            self.flush(connection)
            if connection.sock.fileno() < 0:
                continue
            if not connection.streaming and now - connection.last_ns > IDLE_NS:
                self._drop(connection)
            elif not connection.reading and connection not in self._waiting:
                self._serve_some(connection)


def _line(value: dict[str, Any]) -> bytes:
    try:
        text = json.dumps(value, separators=(",", ":"), allow_nan=False)
    except ValueError:
        # JSON has no NaN and no infinity: nothing is what is known there
        finite = json.loads(json.dumps(value), parse_constant=lambda name: None)
        text = json.dumps(finite, separators=(",", ":"))
    return text.encode() + b"\n"


def _listen(path: str) -> socket.socket:
    """Bind, taking over the name of a dead node but never that of a living one."""
    if not path:
        raise ControlSocketError("the control socket needs a path; give one with --control or [node] control")
    directory = os.path.dirname(path) or "."
    try:
        os.makedirs(directory, mode=0o755, exist_ok=True)
        if os.path.lexists(path):
            # not through a symlink: what it leads to is not ours to remove, and the name itself is taken
            if not stat.S_ISSOCK(os.lstat(path).st_mode):
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
            f"control socket {path}: {error.strerror or error}; choose another place with --control or [node] control"
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
