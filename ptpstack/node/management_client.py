"""The asking side of management: over a Unix datagram socket, as pmc does, or over a PTP transport."""

from __future__ import annotations

import contextlib
import errno
import os
import select
import socket
import tempfile
import time
from collections.abc import Iterator
from typing import Protocol, Self

from ptpstack.net.channel import Channel, ChannelError
from ptpstack.net.open import open_channel
from ptpstack.wire.codec import decode, encode
from ptpstack.wire.errors import MalformedFrame
from ptpstack.wire.management import ACKNOWLEDGE, RESPONSE
from ptpstack.wire.management.commands import EVERYBODY, Ask
from ptpstack.wire.messages import Management
from ptpstack.wire.tlvs.management import ManagementTlv
from ptpstack.wire.types import Flag, PortIdentity, clock_identity_from_mac

DEFAULT_SOCKET = "/run/ptpstack/management"
#: After the first answer others may follow: so long is waited for each, s.
QUIET_S = 0.15


class ManagementUnavailable(OSError):
    """There is nobody to ask: why, and what to do."""


class Transport(Protocol):
    #: sourcePortIdentity of what is asked
    identity: PortIdentity
    unicast: bool

    def filenos(self) -> list[int]: ...

    def send(self, octets: bytes) -> None: ...

    def receive(self) -> list[bytes]: ...

    def close(self) -> None: ...


class LocalTransport:
    """A Unix datagram socket of our own, and the server's path. ManagementUnavailable when it cannot be used."""

    unicast = False

    def __init__(self, server: str, own: str | None = None) -> None:
        self._server = server
        pid = os.getpid()
        self.identity = PortIdentity(bytes(6) + (pid >> 16).to_bytes(2, "big"), pid & 0xFFFF)
        self._sock = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK | socket.SOCK_CLOEXEC)
        self.path = ""
        try:
            owner = os.stat(server)
            self.path = self._bind(own, f"pmc.{pid}")
            if os.geteuid() == 0:
                # an unprivileged daemon may answer only who lets it
                os.chown(self.path, owner.st_uid, owner.st_gid)
            elif owner.st_uid != os.geteuid():
                # also one that runs as root has given up its right to write everywhere
                os.chmod(self.path, 0o666)
        except OSError as error:
            self.close()
            raise _unavailable(server, error) from error

    def _bind(self, own: str | None, name: str) -> str:
        """At ``own``, else beside the server's socket, else where temporary files go. The path."""
        folders = [os.path.dirname(self._server) or ".", tempfile.gettempdir()]
        paths = [own] if own is not None else [os.path.join(folder, name) for folder in folders]
        for path in paths:
            try:
                if own is None:
                    with contextlib.suppress(FileNotFoundError):
                        os.unlink(path)  # a process of our number has left it
                self._sock.bind(path)
            except OSError:
                if path == paths[-1]:
                    raise
            else:
                return path
        raise AssertionError

    def filenos(self) -> list[int]:
        return [self._sock.fileno()]

    def send(self, octets: bytes) -> None:
        try:
            self._sock.sendto(octets, self._server)
        except OSError as error:
            raise _unavailable(self._server, error) from error

    def receive(self) -> list[bytes]:
        found = []
        with contextlib.suppress(BlockingIOError):
            while True:
                octets, address = self._sock.recvfrom(4096)
                if address == self._server:
                    found.append(octets)
        return found

    def close(self) -> None:
        self._sock.close()
        if self.path:
            with contextlib.suppress(OSError):
                os.unlink(self.path)


def _unavailable(server: str, error: OSError) -> ManagementUnavailable:
    if error.errno in (errno.ENOENT, errno.ECONNREFUSED):
        why = "no node serves it; start one with --management PATH, or name its socket with -s"
    elif error.errno == errno.EACCES:
        why = "not permitted; ask the read-only socket (its name ends in -ro), or become its owner"
    else:
        why = error.strerror or str(error)
    return ManagementUnavailable(f"{server}: {why}")


class NetworkTransport:
    """An interface and a PTP transport (``udp4``, ``udp6``, ``l2``); ``to``: an address instead of everybody."""

    def __init__(self, interface: str, transport: str, to: str | None = None) -> None:
        try:
            self._channel: Channel = open_channel(interface, transport, stamping="software")
        except (ChannelError, ValueError) as error:
            raise ManagementUnavailable(str(error)) from error
        self._to = to
        self.unicast = to is not None
        clock = clock_identity_from_mac(self._channel.mac) if len(self._channel.mac) == 6 else os.urandom(8)
        # beside a port of a node on the same interface: another number
        self.identity = PortIdentity(clock, os.getpid() & 0x7FFF | 0x8000)

    def filenos(self) -> list[int]:
        return self._channel.receive_filenos()

    def send(self, octets: bytes) -> None:
        try:
            self._channel.send_general(octets, self._to)
        except ValueError as error:
            raise ManagementUnavailable(str(error)) from error

    def receive(self) -> list[bytes]:
        return [r.octets for fd in self._channel.receive_filenos() for r in self._channel.receive(fd)]

    def close(self) -> None:
        self._channel.close()


class ManagementClient:
    """Asks, and gives what answers. ``target`` may be changed between requests."""

    def __init__(self, transport: Transport, *, domain: int = 0, sdo_id: int = 0, hops: int = 1) -> None:
        self._transport = transport
        self._domain, self._sdo_id, self._hops = domain, sdo_id, hops
        self._sequence_id = 0
        self.target = EVERYBODY

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._transport.close()

    def send(self, ask: Ask) -> int:
        """The sequenceId of the request. ManagementUnavailable."""
        sequence_id = self._sequence_id
        self._sequence_id = (sequence_id + 1) & 0xFFFF
        message = Management(
            self._transport.identity,
            sequence_id,
            domain=self._domain,
            sdo_id=self._sdo_id,
            flags=Flag.UNICAST if self._transport.unicast else 0,
            control=4,
            target=self.target,
            starting_boundary_hops=self._hops,
            boundary_hops=self._hops,
            action=ask.action,
            tlvs=(ManagementTlv(ask.row.number, ask.data),),
        )
        self._transport.send(encode(message))
        return sequence_id

    def answers(self, within_s: float, quiet_s: float = QUIET_S) -> Iterator[Management]:
        """What comes for us within ``within_s``; after the first, until ``quiet_s`` pass without another."""
        latest = deadline = time.monotonic() + within_s
        while (left := deadline - time.monotonic()) > 0:
            select.select(self._transport.filenos(), [], [], left)
            for octets in self._transport.receive():
                try:
                    message = decode(octets)
                except MalformedFrame:
                    continue
                if self._is_for_us(message):
                    assert isinstance(message, Management)
                    yield message
                    deadline = min(latest, time.monotonic() + quiet_s)

    def _is_for_us(self, message: object) -> bool:
        return (
            isinstance(message, Management)
            and message.target == self._transport.identity
            and message.action & 0x0F in (RESPONSE, ACKNOWLEDGE)
        )

    def ask(self, ask: Ask, within_s: float = 1.0, quiet_s: float = QUIET_S) -> list[Management]:
        """The answers to one request; [] when none came in time."""
        sequence_id = self.send(ask)
        return [answer for answer in self.answers(within_s, quiet_s) if answer.sequence_id == sequence_id]
