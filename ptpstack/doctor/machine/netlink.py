"""Asking the kernel by netlink: one request, all answers. Read only.

Errors are OSError with the kernel's errno; a kernel that does not know the family refuses the socket.
"""

from __future__ import annotations

import os
import socket
import struct
from collections.abc import Iterator
from contextlib import closing

ROUTE = 0
NETFILTER = 12

_HEADER = struct.Struct("=IHHII")
_REQUEST, _DUMP = 0x1, 0x300
_ERROR, _DONE = 2, 3
_TYPE = 0x3FFF


def ask(family: int, kind: int, body: bytes, *, dump: bool = False, timeout_s: float = 2.0) -> list[bytes]:
    """The bodies of all answers to one request of message type ``kind``."""
    found: list[bytes] = []
    with closing(socket.socket(socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_CLOEXEC, family)) as sock:
        sock.settimeout(timeout_s)
        flags = _REQUEST | (_DUMP if dump else 0)
        sock.sendto(_HEADER.pack(_HEADER.size + len(body), kind, flags, 1, 0) + body, (0, 0))
        while True:
            octets = sock.recv(1 << 18)
            offset = 0
            while offset + _HEADER.size <= len(octets):
                length, answer, flags, _, _ = _HEADER.unpack_from(octets, offset)
                message = octets[offset + _HEADER.size : offset + length]
                offset += max(_HEADER.size, (length + 3) & ~3)
                if answer == _ERROR:
                    number = -struct.unpack_from("=i", message)[0]
                    if number:
                        raise OSError(number, os.strerror(number))
                    return found
                if answer == _DONE:
                    return found
                found.append(message)
            if not dump and found:
                return found


def attributes(octets: bytes) -> Iterator[tuple[int, bytes]]:
    """(type, value) of a run of attributes; ends quietly where they are damaged."""
    offset = 0
    while offset + 4 <= len(octets):
        length, kind = struct.unpack_from("=HH", octets, offset)
        if length < 4:
            return
        yield kind & _TYPE, octets[offset + 4 : offset + length]
        offset += (length + 3) & ~3


def attribute(kind: int, value: bytes) -> bytes:
    """One attribute, padded."""
    return struct.pack("=HH", 4 + len(value), kind) + value + bytes(-len(value) % 4)


def text(octets: bytes | None) -> str:
    return (octets or b"").rstrip(b"\0").decode(errors="replace")
