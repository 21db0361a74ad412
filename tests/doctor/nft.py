"""Plants rules of nf_tables by netlink, octet by octet: without nft, by code that shares nothing with the reader."""

from __future__ import annotations

import socket
import struct

_REQUEST, _ACK, _CREATE, _APPEND = 1, 4, 0x400, 0x800
_IPV4, _INET = 2, 1
DROP, ACCEPT = 0, 1


def _attribute(kind: int, value: bytes, *, nested: bool = False) -> bytes:
    kind |= 0x8000 if nested else 0
    return struct.pack("=HH", 4 + len(value), kind) + value + bytes(-len(value) % 4)


def _number(kind: int, value: int) -> bytes:
    return _attribute(kind, struct.pack(">I", value & 0xFFFFFFFF))


def _text(kind: int, value: str) -> bytes:
    return _attribute(kind, value.encode() + b"\0")


def _message(kind: int, flags: int, family: int, resource: int, body: bytes = b"") -> bytes:
    payload = struct.pack(">BBH", family, 0, resource) + body
    return struct.pack("=IHHII", 16 + len(payload), kind, flags, 1, 0) + payload


def _expression(name: str, body: bytes) -> bytes:
    return _attribute(1, _text(1, name) + _attribute(2, body, nested=True), nested=True)


def _data(kind: int, octets: bytes) -> bytes:
    return _attribute(kind, _attribute(1, octets), nested=True)


def load_u16(offset: int) -> bytes:
    """Two octets of the transport header into register 1."""
    return _expression("payload", _number(1, 1) + _number(2, 2) + _number(3, offset) + _number(4, 2))


def l4_is_udp() -> bytes:
    return _expression("meta", _number(1, 1) + _number(2, 16)) + equals(b"\x11")


def equals(octets: bytes) -> bytes:
    return _expression("cmp", _number(1, 1) + _number(2, 0) + _data(3, octets))


def between(low: int, high: int) -> bytes:
    body = _number(1, 1) + _number(2, 0) + _data(3, struct.pack(">H", low)) + _data(4, struct.pack(">H", high))
    return _expression("range", body)


def comes_by(interface: str) -> bytes:
    load = _expression("meta", _number(1, 1) + _number(2, 6))
    return load + equals(interface.encode().ljust(16, b"\0"))


def limit() -> bytes:
    """A rate limit: whether it matches is not known beforehand."""
    rate = _attribute(1, struct.pack(">Q", 5)) + _attribute(2, struct.pack(">Q", 1))
    return _expression("limit", rate)


def verdict(code: int) -> bytes:
    inner = _attribute(2, _number(1, code), nested=True)
    return _expression("immediate", _number(1, 0) + _attribute(2, inner, nested=True))


def plant(rules: list[bytes], *, hook: int = 1, policy: int = ACCEPT, table: str = "planted") -> None:
    """An inet table with one base chain ``c`` at ``hook`` (1 input, 3 output) and these rules. OSError if refused."""
    begin = _message(0x10, _REQUEST, 0, 10)
    end = _message(0x11, _REQUEST, 0, 10)
    family = _INET
    create = _REQUEST | _ACK | _CREATE
    parts = [_message(0x0A00, create, family, 0, _text(1, table))]
    place = _attribute(4, _number(1, hook) + _number(2, 0), nested=True)
    chain = _text(1, table) + _text(3, "c") + place + _number(5, policy) + _text(7, "filter")
    parts.append(_message(0x0A03, create, family, 0, chain))
    for rule in rules:
        body = _text(1, table) + _text(2, "c") + _attribute(4, rule, nested=True)
        parts.append(_message(0x0A06, create | _APPEND, family, 0, body))
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 12) as sock:
        sock.settimeout(2)
        sock.sendto(begin + b"".join(parts) + end, (0, 0))
        for _ in parts:
            answer = sock.recv(65536)
            code = struct.unpack_from("=i", answer, 16)[0]
            if code:
                raise OSError(-code, f"nf_tables refused: {answer.hex()}")
