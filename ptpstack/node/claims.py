"""Two nodes of this machine that speak with one identity in one domain on one interface: each is told of the other.

They do not hear each other (what a socket multicasts does not come back to its own machine), but the network hears both
as one clock that contradicts itself. Each node therefore binds a name in the abstract socket name space, which is that
of the network namespace and is given back by the kernel however the node ends. A claim that is taken is a warning:
what runs already runs on.
"""

from __future__ import annotations

import contextlib
import errno
import socket
import struct
from collections.abc import Iterable

from ptpstack.engine.plan import InstancePlan
from ptpstack.wire.types import format_clock_identity

#: name in the abstract name space -> sentence about who is meant
Names = dict[str, str]


def names_of(instances: Iterable[InstancePlan]) -> Names:
    """What the ports of ``instances`` claim."""
    names: Names = {}
    for plan in instances:
        options = plan.options
        for port in options.ports:
            identity = options.clock_identity.hex()
            name = f"\0ptpstack/{port.channel}/{options.sdo_id:03x}.{options.domain}/{identity}"
            names[name] = (
                f"clockIdentity {format_clock_identity(options.clock_identity)} in domain {options.domain} on "
                f"{port.channel}"
            )
    return names


class Claims:
    """Tries to hold ``names``; ``refresh`` once a second. Never raises: without Unix sockets nothing is claimed."""

    def __init__(self, names: Names) -> None:
        self._names = names
        self._held: dict[str, socket.socket] = {}
        #: name -> why it is not held
        self._taken: dict[str, str] = {}

    def change(self, names: Names) -> None:
        """Claim these from now on, and give back the others."""
        self._names = names
        for name in [name for name in self._held if name not in names]:
            self._held.pop(name).close()
        self._taken = {name: sentence for name, sentence in self._taken.items() if name in names}

    def problems(self) -> list[str]:
        """Sentences about claims that others hold now."""
        return list(self._taken.values())

    def refresh(self) -> list[str]:
        """Claim what is free, and look who else tried; returns what is new, sentence by sentence."""
        new: list[str] = []
        for name, what in self._names.items():
            held = self._held.get(name)
            if held is not None:
                new += self._visitors(held, what)
            elif self._claim(name):
                self._taken.pop(name, None)
            elif name not in self._taken:
                self._taken[name] = (
                    f"{_holder(name)} speaks with our {what}: others take the two for one clock; stop one, or give one "
                    "another clock_identity or domain"
                )
                new.append(self._taken[name])
        return new

    def _claim(self, name: str) -> bool:
        """False when somebody else has it."""
        try:
            sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_NONBLOCK | socket.SOCK_CLOEXEC)
        except OSError:
            return True
        try:
            sock.bind(name)
            sock.listen(4)
        except OSError as error:
            sock.close()
            return error.errno != errno.EADDRINUSE
        self._held[name] = sock
        return True

    def _visitors(self, held: socket.socket, what: str) -> list[str]:
        """Who connected is another node that wanted the name."""
        found: list[str] = []
        with contextlib.suppress(OSError):
            while len(found) < 4:
                visitor, _ = held.accept()
                with visitor:
                    found.append(
                        f"{_process(visitor)} was started with our {what}: others take the two for one clock; stop it, "
                        "or give it another clock_identity or domain"
                    )
        return found

    def close(self) -> None:
        for sock in self._held.values():
            sock.close()
        self._held.clear()


def _holder(name: str) -> str:
    with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as sock:
        sock.setblocking(False)
        sock.connect(name)
        return _process(sock)
    return "another ptpstack node"


def _process(sock: socket.socket) -> str:
    pid, _uid, _gid = struct.unpack("3i", sock.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12))
    return f"another ptpstack node (process {pid})"
