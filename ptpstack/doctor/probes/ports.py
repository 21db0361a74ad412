"""Who has UDP ports 319 and 320, and whether they let others have them too.

Tried, where somebody has them: a socket that receives nothing (a filter drops all) is bound as a node binds, with
SO_REUSEADDR, to the address of the other or to loopback, and closed at once.
"""

from __future__ import annotations

import errno
import socket
from contextlib import closing
from dataclasses import dataclass

from ptpstack.doctor.findings import ERROR, NOTE, OK, WARNING, Finding, kind
from ptpstack.doctor.machine import proc
from ptpstack.net.sockets import DROP_ALL, attach_filter

PORTS = (319, 320)

PORTS_FREE = kind("ports-free", OK, "UDP ports 319 and 320 are free")
PORT_TAKEN = kind(
    "port-taken",
    ERROR,
    "A program holds a PTP port and does not share it",
    "Stop that program, or tell it to use SO_REUSEADDR. UDP transports cannot be opened beside it; 802.3 can.",
)
PORT_STRANGER = kind(
    "port-stranger",
    WARNING,
    "A program that is no PTP program listens on a PTP port",
    "Find out what it is and stop it: unicast PTP messages may reach it in place of the PTP program.",
)
PORT_SHARED = kind("port-shared", NOTE, "A PTP program has the PTP ports, and shares them")

#: names of processes that listen there by right
PTP_PROGRAMS = frozenset(
    {
        "ptp4l",
        "ptpstack",
        "ptpd",
        "ptpd2",
        "sfptpd",
        "statime",
        "statime-linux",
        "timemaster",
        "ptp4u",
        "python3",
        "python",
    }
)


@dataclass(frozen=True, slots=True)
class Taken:
    """``shares``: another socket can be bound beside it; None: not tried."""

    socket: proc.UdpSocket
    shares: bool | None


def look() -> list[Taken]:
    return [Taken(found, _shares(found)) for found in proc.udp_sockets(PORTS)]


def _shares(found: proc.UdpSocket) -> bool | None:
    six = ":" in found.address
    loopback = "::1" if six else "127.0.0.1"
    address = loopback if found.address in ("0.0.0.0", "::") else found.address
    try:
        with closing(socket.socket(socket.AF_INET6 if six else socket.AF_INET, socket.SOCK_DGRAM)) as sock:
            attach_filter(sock, DROP_ALL)
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            sock.bind((address, found.port))
    except OSError as error:
        return False if error.errno == errno.EADDRINUSE else None
    return True


def judge(taken: list[Taken]) -> list[Finding]:
    if not taken:
        return [PORTS_FREE("UDP", "nobody in this network namespace is bound to them")]
    found = []
    for entry in taken:
        sock = entry.socket
        owners = ", ".join(f"{name} (pid {pid})" for pid, name in sock.owners) or "a program that cannot be seen"
        text = f"{owners} is bound to {sock.address} port {sock.port}"
        subject = f"UDP {sock.port}"
        if entry.shares is False:
            found.append(PORT_TAKEN(subject, f"{text}; binding beside it fails (EADDRINUSE)"))
        elif sock.owners and not any(name in PTP_PROGRAMS for _, name in sock.owners):
            found.append(PORT_STRANGER(subject, text))
        else:
            found.append(PORT_SHARED(subject, text))
    return found
