"""Processes and UDP sockets, from /proc. What this user may not see is None, which is not the same as empty."""

from __future__ import annotations

import os
import socket
import sys
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

CAP_NET_BIND_SERVICE = 10
CAP_NET_ADMIN = 12
CAP_NET_RAW = 13
CAP_SYS_NICE = 23
CAP_SYS_TIME = 25


@dataclass(frozen=True, slots=True)
class Process:
    """``network``: its network namespace, "" when it cannot be seen. ``capabilities``: the effective set."""

    pid: int
    parent: int
    name: str
    argv: tuple[str, ...] = ()
    network: str = ""
    capabilities: int = 0
    #: whether it lives in our user namespace: capabilities of another one do not reach the system clock
    same_user_namespace: bool = True
    #: /dev/ptpN that it has open for writing; None: not allowed to look
    clocks: tuple[str, ...] | None = None

    def may(self, capability: int) -> bool:
        return bool(self.capabilities >> capability & 1)


@dataclass(frozen=True, slots=True)
class UdpSocket:
    """A bound UDP socket of this network namespace."""

    address: str
    port: int
    inode: int
    #: (pid, name) of who has it open; empty: nobody that this user may see
    owners: tuple[tuple[int, str], ...] = field(default=())


def read(path: str | Path) -> str:
    """The text of a small file, "" when it cannot be read."""
    try:
        return Path(path).read_text(errors="replace")
    except (OSError, ValueError):
        return ""


def processes(root: str = "/proc") -> list[Process]:
    """Every process but this one. One that ends meanwhile is left out."""
    found = []
    own = os.getpid()
    for entry in Path(root).iterdir():
        if entry.name.isdigit() and int(entry.name) != own:
            with suppress(OSError, ValueError, IndexError):
                found.append(_process(entry))
    return sorted(found, key=lambda process: process.pid)


def _process(entry: Path) -> Process:
    argv = (entry / "cmdline").read_bytes().decode(errors="replace").split("\0")
    status = dict(line.partition(":")[::2] for line in (entry / "status").read_text(errors="replace").splitlines())
    return Process(
        pid=int(entry.name),
        parent=int(status["PPid"]),
        name=status["Name"].strip(),
        argv=tuple(argv[:-1] if argv and not argv[-1] else argv),
        network=_namespace(entry / "ns" / "net"),
        capabilities=int(status["CapEff"], 16),
        same_user_namespace=_namespace(entry / "ns" / "user") in ("", _namespace(Path("/proc/self/ns/user"))),
        clocks=_clocks(entry),
    )


def _namespace(path: Path) -> str:
    try:
        return os.readlink(path)
    except OSError:
        return ""


def own_network() -> str:
    """Of this thread."""
    return _namespace(Path("/proc/thread-self/ns/net"))


def _clocks(entry: Path) -> tuple[str, ...] | None:
    try:
        files = list((entry / "fd").iterdir())
    except OSError:
        return None
    found = set()
    for file in files:
        with suppress(OSError):
            target = os.readlink(file)
            if target.startswith("/dev/ptp"):
                flags = next(line for line in read(entry / "fdinfo" / file.name).splitlines() if "flags" in line)
                if int(flags.split()[1], 8) & os.O_ACCMODE != os.O_RDONLY:
                    found.add(target)
    return tuple(sorted(found))


def own_capabilities() -> int:
    """The effective set of this process."""
    for line in read("/proc/self/status").splitlines():
        if line.startswith("CapEff:"):
            return int(line.split()[1], 16)
    return 0


def udp_sockets(ports: tuple[int, ...]) -> list[UdpSocket]:
    """Bound sockets of these ports in this thread's network namespace, with their owners where they may be seen."""
    found: dict[int, UdpSocket] = {}
    for name in ("udp", "udp6"):
        for line in read(f"/proc/thread-self/net/{name}").splitlines()[1:]:
            fields = line.split()
            address, _, port = fields[1].partition(":")
            if int(port, 16) in ports:
                inode = int(fields[9])
                found[inode] = UdpSocket(_address(address), int(port, 16), inode)
    owners = _owners(set(found)) if found else {}
    return [UdpSocket(s.address, s.port, s.inode, tuple(owners.get(s.inode, ()))) for s in found.values()]


def _address(text: str) -> str:
    # words of the machine's byte order
    words = [bytes.fromhex(text[i : i + 8]) for i in range(0, len(text), 8)]
    octets = b"".join(int.from_bytes(word, "big").to_bytes(4, sys.byteorder) for word in words)
    return socket.inet_ntop(socket.AF_INET if len(octets) == 4 else socket.AF_INET6, octets)


def _owners(inodes: set[int]) -> dict[int, list[tuple[int, str]]]:
    wanted = {f"socket:[{inode}]": inode for inode in inodes}
    found: dict[int, list[tuple[int, str]]] = {}
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit():
            continue
        with suppress(OSError):
            here = set()
            for file in (entry / "fd").iterdir():
                with suppress(OSError):
                    here.add(os.readlink(file))
            for target in here & wanted.keys():
                found.setdefault(wanted[target], []).append((int(entry.name), read(entry / "comm").strip()))
    return found
