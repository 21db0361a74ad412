"""The local management sockets: Unix datagrams, one PTP management message each, as pmc and phc2sys speak them.

Who may open the read-write socket may change the node; the read-only twin is for everybody. A peer must have bound a
path of its own to hear an answer. What waits for a slow peer is bounded, and dropped (and counted) beyond that: the
kernel takes about ten datagrams for a peer that does not read, and says so, but not when there is room again.
"""

from __future__ import annotations

import contextlib
import errno
import os
import socket
import stat
from collections import Counter, deque
from collections.abc import Callable

from ptpstack.node.errors import AssemblyError
from ptpstack.node.loop import Loop
from ptpstack.protocol.management.table import READ_ONLY, READ_WRITE

#: Datagrams taken from one socket in one turn of the loop.
BATCH = 32
MAX_DATAGRAM = 2048
#: Datagrams that wait for slow peers, in all.
MAX_WAITING = 1024
#: How soon they are tried again, and when a peer is given up.
RETRY_NS = 2_000_000
GIVE_UP_NS = 2_000_000_000
#: pmc removes its socket when it ends; a socket that another user made may not be ours to write to
_TROUBLES = {errno.ENOENT: "peer-gone", errno.ECONNREFUSED: "peer-gone", errno.EACCES: "peer-not-writable"}
_MODES = {READ_WRITE: 0o660, READ_ONLY: 0o666}

#: socket (read-write, read-only), octets, the peer's path
OnDatagram = Callable[[str, bytes, str], None]


class ManagementSockets:
    def __init__(self, loop: Loop, paths: dict[str, str], on_datagram: OnDatagram) -> None:
        """``paths``: by name of socket. AssemblyError when one cannot be had; then none is left open."""
        self._loop = loop
        self._on_datagram = on_datagram
        self.paths = paths
        self.counters: Counter[str] = Counter()
        self._sockets: dict[str, socket.socket] = {}
        self._waiting: deque[tuple[str, bytes, str, int]] = deque()
        self._retry_ns = 0
        try:
            for name, path in paths.items():
                self._sockets[name] = _bind(path, _MODES[name])
        except BaseException:
            self.close()
            raise
        for name, sock in self._sockets.items():
            loop.add_reader(sock.fileno(), lambda fd, name=name: self._readable(name))  # type: ignore[misc]

    def close(self) -> None:
        for name, sock in self._sockets.items():
            self._loop.remove_reader(sock.fileno())
            sock.close()
            with contextlib.suppress(OSError):
                os.unlink(self.paths[name])
        self._sockets.clear()
        self._waiting.clear()

    def _readable(self, name: str) -> None:
        for _ in range(BATCH):
            try:
                octets, address = self._sockets[name].recvfrom(MAX_DATAGRAM)
            except (BlockingIOError, KeyError):
                return
            except OSError:
                self.counters["receive-failed"] += 1
                return
            self.counters["received"] += 1
            if not address:
                self.counters["drop-no-address"] += 1
                continue
            self._on_datagram(name, octets, os.fsdecode(address))

    def send(self, name: str, octets: bytes, address: str) -> None:
        """Now, or when the peer has read what it has got."""
        if any(waiting[2] == address for waiting in self._waiting) or not self._sent(name, octets, address):
            self._wait(name, octets, address)

    def _sent(self, name: str, octets: bytes, address: str) -> bool:
        """False: the peer's queue is full."""
        sock = self._sockets.get(name)
        if sock is None:
            return True
        try:
            sock.sendto(octets, os.fsencode(address))
        except OSError as error:
            if error.errno in (errno.EAGAIN, errno.ENOBUFS):
                return False
            self.counters[_TROUBLES.get(error.errno or 0, "send-failed")] += 1
        else:
            self.counters["sent"] += 1
        return True

    def _wait(self, name: str, octets: bytes, address: str) -> None:
        if len(self._waiting) >= MAX_WAITING:
            self.counters["drop-peer-slow"] += 1
            return
        now = self._loop.now_ns()
        self._retry_ns = self._retry_ns or now + RETRY_NS
        self._waiting.append((name, octets, address, now + GIVE_UP_NS))

    def retry(self, now: int) -> int | None:
        """To be called each time round: when to call again at the latest."""
        if not self._waiting:
            self._retry_ns = 0
            return None
        if now < self._retry_ns:
            return self._retry_ns
        full: set[str] = set()
        for _ in range(len(self._waiting)):
            name, octets, address, until_ns = self._waiting.popleft()
            if address in full or not self._sent(name, octets, address):
                full.add(address)
                if now < until_ns:
                    self._waiting.append((name, octets, address, until_ns))
                else:
                    self.counters["drop-peer-slow"] += 1
        self._retry_ns = now + RETRY_NS if self._waiting else 0
        return self._retry_ns or None


def _bind(path: str, mode: int) -> socket.socket:
    """A datagram socket at ``path``: the name of a dead program is taken over, never that of a living one."""
    try:
        os.makedirs(os.path.dirname(path) or ".", mode=0o755, exist_ok=True)
        if os.path.lexists(path):
            if not stat.S_ISSOCK(os.lstat(path).st_mode):
                raise AssemblyError(f"management socket {path} exists and is not a socket; choose another path")
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as probe:
                try:
                    probe.connect(path)
                except OSError as error:
                    alive = error.errno != errno.ECONNREFUSED
                else:
                    alive = True
            if alive:
                raise AssemblyError(
                    f"management socket {path} is another program's (ptp4l?); stop it, or choose another path"
                )
            os.unlink(path)
        sock = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK | socket.SOCK_CLOEXEC)
        # created with its final rights, never open for a moment
        mask = os.umask(0o777 & ~mode)
        try:
            sock.bind(path)
        except BaseException:
            sock.close()
            raise
        finally:
            os.umask(mask)
        return sock
    except OSError as error:
        raise AssemblyError(f"management socket {path}: {error.strerror or error}; choose another path") from error
