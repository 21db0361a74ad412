"""Two namespaces, a cable and a channel at each end."""

from __future__ import annotations

import contextlib
import select
import socket
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from ptpstack.net import timestamping
from ptpstack.net.channel import Received, TransmitStamp
from ptpstack.net.l2 import L2Channel
from ptpstack.net.open import open_channel
from ptpstack.net.udp import UdpChannel
from tests.netns import Namespace, namespaces, veth

SYNC = bytes.fromhex("00120044") + bytes(64)
FOLLOW_UP = bytes.fromhex("08120044") + bytes(64)
PDELAY_RESP_FOLLOW_UP = bytes.fromhex("0a120036") + bytes(50)

#: transport -> side -> the address that the other side sees
ADDRESSES = {"udp4": {"a": "10.9.0.1", "b": "10.9.0.2"}, "udp6": {"a": "fd00:9::1", "b": "fd00:9::2"}}


def now() -> int:
    return time.monotonic_ns()


@dataclass
class Bed:
    a: Namespace
    b: Namespace
    transport: str
    channels: list[Any] = field(default_factory=list)

    def address(self, side: str, channel: Any) -> str:
        """What the peer calls ``channel``, which is that of ``side``."""
        return ADDRESSES[self.transport][side] if self.transport in ADDRESSES else str(channel.mac.hex(":"))

    @property
    def family(self) -> socket.AddressFamily:
        return socket.AF_INET6 if self.transport == "udp6" else socket.AF_INET

    @property
    def trailer(self) -> bytes:
        """What a channel of the transport adds to a message."""
        return bytes(2) if self.transport == "udp6" else b""

    def open(self, side: str, **options: Any) -> UdpChannel | L2Channel:
        with getattr(self, side).entered():
            channel = open_channel("v" + side, self.transport, **options)
        self.channels.append(channel)
        return channel


@contextlib.contextmanager
def stamping_switched_on() -> Iterator[None]:
    """The kernel takes a while to switch receive stamps on for the first socket that asks, host-wide: be that one."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as early:
        early.bind(("127.0.0.1", 0))
        early.settimeout(1)
        timestamping.enable(early, "software", transmit=False)
        for _ in range(100):
            early.sendto(b"?", early.getsockname())
            if timestamping.stamp_of(early.recvmsg(1, 256)[1], timestamping.SOFTWARE_INDEX):
                break
            time.sleep(0.001)
        yield


@contextlib.contextmanager
def bed(transport: str) -> Iterator[Bed]:
    with namespaces("a", "b") as ns, stamping_switched_on():
        veth(ns["a"], "va", ns["b"], "vb", "10.9.0.1/24", "10.9.0.2/24")
        if transport == "udp6":
            # of the link and wider, at once: no check for duplicates, which takes seconds
            for side, host in (("a", 1), ("b", 2)):
                ns[side].run("sysctl", "-qw", f"net.ipv6.conf.v{side}.keep_addr_on_down=1")
                for address in (f"fe80::{host}", ADDRESSES["udp6"][side]):
                    ns[side].ip(f"address add {address}/64 dev v{side} nodad")
        made = Bed(ns["a"], ns["b"], transport)
        try:
            yield made
        finally:
            for channel in made.channels:
                channel.close()


def take(channel: Any, count: int, seconds: float = 2.0) -> list[Received]:
    """Receive until ``count`` datagrams are there, or time is up."""
    found: list[Received] = []
    end = time.monotonic() + seconds
    while len(found) < count and time.monotonic() < end:
        ready, _, _ = select.select(channel.receive_filenos(), [], [], 0.05)
        for fileno in ready:
            found += channel.receive(fileno)
    return found


def silence(channel: Any, seconds: float = 0.05) -> list[Received]:
    """What still arrives within ``seconds``: a test of absence first waits for something that must arrive."""
    return take(channel, 1 << 30, seconds)


def stamps(channel: Any, count: int, seconds: float = 2.0) -> list[TransmitStamp]:
    found: list[TransmitStamp] = []
    end = time.monotonic() + seconds
    while len(found) < count and time.monotonic() < end:
        found += channel.transmit_stamps(now())
        if len(found) < count:
            time.sleep(0.001)
    return found
