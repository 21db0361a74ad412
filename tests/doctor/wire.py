"""Faulty PTP devices, made of octets (nothing of ptpstack's codec): each has a domain of its own.

python -m tests.doctor.wire INTERFACE      in a network namespace of a test
"""

from __future__ import annotations

import socket
import struct
import sys
import time
from collections.abc import Callable

SYNC, DELAY_REQ, PDELAY_REQ, PDELAY_RESP, FOLLOW_UP, DELAY_RESP, ANNOUNCE = 0, 1, 2, 3, 8, 9, 0xB
TWO_STEP, PTP_SCALE, UTC_VALID, TRACEABLE, LEAP61, LEAP59 = 0x0200, 0x0008, 0x0004, 0x0010, 0x0001, 0x0002
GOOD = PTP_SCALE | UTC_VALID | TRACEABLE
EVERY_S = 0.2
LOG = -2
NS = 1_000_000_000
UTC_OFFSET = 37


def identity(name: str) -> bytes:
    """clockIdentity and port number 1."""
    return b"\x02" + name.encode().ljust(7, b"_")[:7] + b"\0\1"


def header(
    type_: int,
    source: bytes,
    sequence: int,
    length: int,
    *,
    domain: int,
    flags: int = 0,
    sdo: int = 0,
    correction: int = 0,
    log: int = LOG,
) -> bytes:
    first, minor = (sdo >> 4 & 0xF0) | type_, sdo & 0xFF
    return struct.pack(
        ">BBHBBHqI10sHBb", first, 0x12, length, domain, minor, flags, correction, 0, source, sequence & 0xFFFF, 5, log
    )


def stamp(ns: int) -> bytes:
    return (ns // NS).to_bytes(6, "big") + (ns % NS).to_bytes(4, "big")


class Device:
    """Sends by UDP/IPv4 from ``address``, or by Ethernet."""

    def __init__(self, interface: str, name: str, domain: int, *, address: str = "10.0.0.2", ethernet: bool = False):
        self.me = identity(name)
        self.domain = domain
        self.number = 0
        self.ethernet = ethernet
        if ethernet:
            self.sock = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
            self.sock.bind((interface, 0))
            self.mac = self.sock.getsockname()[4]
        else:
            self.sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            self.sock.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_LOOP, 0)
            try:
                self.sock.bind((address, 0))
            except OSError:  # a lab without the further addresses
                self.sock.bind((address := "10.0.0.2", 0))
            self.sock.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF, socket.inet_aton(address))

    def send(self, octets: bytes, *, group: str = "224.0.1.129") -> None:
        if self.ethernet:
            self.sock.send(bytes.fromhex("011b19000000") + self.mac + b"\x88\xf7" + octets)
        else:
            self.sock.sendto(octets, (group, 319 if octets[0] & 0xF < 8 else 320))

    def timed(self, type_: int, ns: int, *, extra: bytes = b"", sequence: int | None = None, **fields: int) -> None:
        length = 44 + len(extra)
        number = self.number if sequence is None else sequence
        head = header(type_, self.me, number, length, domain=self.domain, **fields)
        group = "224.0.0.107" if type_ in (PDELAY_REQ, PDELAY_RESP) else "224.0.1.129"
        self.send(head + stamp(ns) + extra, group=group)

    def announce(
        self, *, utc: int = UTC_OFFSET, flags: int = GOOD, class_: int = 6, steps: int = 0, **fields: int
    ) -> None:
        head = header(ANNOUNCE, self.me, self.number, 64, domain=self.domain, flags=flags, **fields)
        body = stamp(0) + struct.pack(">hBBBBHB8sHB", utc, 0, 128, class_, 0x21, 0x4E5D, 128, self.me[:8], steps, 0x20)
        self.send(head + body)

    def sync(self, *, off_ns: int = 0, follow: bool = True, **fields: int) -> None:
        ns = time.time_ns() + UTC_OFFSET * NS + off_ns
        self.timed(SYNC, 0, flags=TWO_STEP, **fields)
        if follow:
            self.timed(FOLLOW_UP, ns, **{k: v for k, v in fields.items() if k != "correction"})

    def ask(self, *answers: Device) -> None:
        """Delay_Req, answered by ``answers``."""
        self.timed(DELAY_REQ, 0, log=0x7F)
        for other in answers:
            other.timed(DELAY_RESP, time.time_ns() + UTC_OFFSET * NS, extra=self.me, sequence=self.number)

    def ask_peer(self, *answers: Device) -> None:
        self.timed(PDELAY_REQ, 0, extra=bytes(10))
        for other in answers:
            other.timed(PDELAY_RESP, time.time_ns(), extra=self.me, sequence=self.number)

    def serve(self, *, off_ns: int = 0, **announced: int) -> None:
        self.announce(**announced)
        self.sync(off_ns=off_ns)


#: called five times a second
Turn = Callable[[], None]


def cast(interface: str) -> list[tuple[list[Device], Turn]]:
    """Everybody, by domain: the devices, and what they do each turn."""

    def device(name: str, domain: int, **how: object) -> Device:
        return Device(interface, name, domain, **how)  # type: ignore[arg-type]

    everybody: list[tuple[list[Device], Turn]] = []

    def play(turn: Turn, *devices: Device) -> None:
        everybody.append((list(devices), turn))

    a, b = device("healthy", 0), device("client", 0)
    play(lambda a=a, b=b: (a.serve(), b.ask(a)), a, b)  # type: ignore[misc]
    for domain, keywords in ((1, {"utc": 36}), (17, {"class_": 255}), (18, {"steps": 255}), (19, {"class_": 7})):
        d = device(f"ann{domain}", domain)
        play(lambda d=d, k=keywords: d.serve(**k), d)  # type: ignore[misc]
    for domain, flags in ((20, GOOD | LEAP61), (21, GOOD | LEAP61 | LEAP59), (22, PTP_SCALE | TRACEABLE)):
        d = device(f"flag{domain}", domain)
        play(lambda d=d, f=flags: d.serve(flags=f), d)  # type: ignore[misc]
    for domain, seconds in ((2, 3600), (3, -37), (4, -19), (5, 1), (6, 100)):
        d = device(f"off{domain}", domain)
        play(lambda d=d, s=seconds: d.serve(off_ns=s * NS), d)  # type: ignore[misc]
    d = device("nofollow", 7)
    play(lambda d=d: (d.announce(), d.sync(follow=False)), d)  # type: ignore[misc]
    d = device("nosync", 8)
    play(lambda d=d: d.announce(), d)  # type: ignore[misc]
    d = device("noannounce", 9)
    play(lambda d=d: d.sync(), d)  # type: ignore[misc]
    a, b, c = device("mixmaster", 10), device("end", 10), device("peer", 10)
    play(lambda a=a, b=b, c=c: (a.serve(), b.ask(a), c.ask_peer()), a, b, c)  # type: ignore[misc]
    d = device("lost", 11)
    play(lambda d=d: d.ask(), d)  # type: ignore[misc]
    a, b = device("first", 12), device("second", 12)
    play(lambda a=a, b=b: (a.serve(), b.serve()), a, b)  # type: ignore[misc]
    a, b = device("twin", 13), device("twin", 13, address="10.0.0.3")
    play(lambda a=a, b=b: (a.serve(), b.serve()), a, b)  # type: ignore[misc]
    a, b = device("byudp", 14), device("byether", 14, ethernet=True)
    play(lambda a=a, b=b: (a.serve(), b.serve()), a, b)  # type: ignore[misc]
    d = device("empty", 15)
    play(lambda d=d: (d.announce(), d.timed(SYNC, 0)), d)  # type: ignore[misc]
    a, b = device("deaf", 16), device("asker", 16)
    play(lambda a=a, b=b: (a.serve(), b.ask()), a, b)  # type: ignore[misc]
    a, b = device("plain", 23), device("gptp", 23)
    play(lambda a=a, b=b: (a.serve(), b.sync(sdo=0x100)), a, b)  # type: ignore[misc]
    d = device("gaps", 24)
    play(lambda d=d: (setattr(d, "number", d.number + 2), d.serve()), d)  # type: ignore[func-returns-value,misc]
    d = device("slow", 25)
    play(lambda d=d: (d.announce(), d.sync(log=-6)), d)  # type: ignore[misc]
    d = device("nonsense", 26)
    play(lambda d=d: (d.announce(), d.sync(correction=1 << 47)), d)  # type: ignore[misc]
    d = device("onlyfup", 27)
    play(lambda d=d: (d.announce(), d.timed(FOLLOW_UP, time.time_ns())), d)  # type: ignore[misc]
    a, b, c = device("pmaster", 28), device("answer1", 28), device("answer2", 28)
    play(lambda a=a, b=b, c=c: (a.serve(), a.ask_peer(b, c)), a, b, c)  # type: ignore[misc]
    d = device("elsewhere", 29, address="192.0.2.7")
    play(lambda d=d: d.serve(), d)  # type: ignore[misc]
    d = device("old", 0)
    play(lambda d=d: d.send(b"\0\1\0\1" + bytes(120)), d)  # type: ignore[misc]
    d = device("broken", 0)
    play(lambda d=d: d.send(header(SYNC, d.me, d.number, 200, domain=0) + stamp(0)), d)  # type: ignore[misc]
    return everybody


def main(interface: str) -> None:
    everybody = cast(interface)
    print("speaking", flush=True)
    following = time.monotonic()
    while True:
        for devices, turn in everybody:
            for device in devices:
                device.number += 1
            turn()
        following += EVERY_S
        time.sleep(max(0.0, following - time.monotonic()))


if __name__ == "__main__":
    main(sys.argv[1])
