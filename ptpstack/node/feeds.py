"""Time for chronyd and ntpd: what a port or an edge measures, as samples of a reference clock.

1. A sample is the system clock's time and, for the same moment, the true time as the followed master has it, both UTC.
2. Nothing here steers: the system clock is chronyd's or ntpd's, and theirs alone. Nobody waits for them either.
3. SHM: the segment of ntpd's driver 28, written as its mode 1 wants it. SOCK: a datagram to the socket that chronyd
   has made; while there is none, samples are dropped and counted.
"""

from __future__ import annotations

import ctypes
import errno
import os
import socket
import struct
from collections.abc import Callable
from typing import NamedTuple, Protocol

from ptpstack.clocks.base import Clock, ClockError
from ptpstack.engine.discipline import Edge
from ptpstack.engine.engine import Engine
from ptpstack.node.errors import AssemblyError
from ptpstack.protocol.options import TimeProperties
from ptpstack.servo.base import Command
from ptpstack.timebase.units import NS_PER_S, float_ns_to_sns

#: Key of segment 0; the others follow.
SHM_KEY = 0x4E545030
SOCK_MAGIC = 0x534F434B
#: More are not needed by anybody who polls once a second, and each may read a clock.
SHORTEST_NS = NS_PER_S // 16
_IPC_CREAT = 0o1000
#: log2 s: what ntpd is told of the samples, a microsecond
_PRECISION = -20
#: struct timeval, offset (true time - system time, s), pulse, leap, padding, magic; native, as chronyd's is
_SOCK = struct.Struct("@lldiiii")


class Sample(NamedTuple):
    #: CLOCK_REALTIME, and what it should have been, ns
    system_ns: int
    true_ns: int
    #: at the end of this UTC day: 0 none, 1 inserted, 2 deleted
    leap: int


class Feed(Protocol):
    kind: str
    #: what became of samples, by name
    counters: dict[str, int]

    def put(self, sample: Sample) -> None: ...

    def close(self) -> None: ...


class _ShmTime(ctypes.Structure):
    """The segment of ntpd's driver 28; ``time_t`` is a long on every system that has it."""

    _fields_ = (
        ("mode", ctypes.c_int),
        ("count", ctypes.c_int),
        ("clock_s", ctypes.c_long),
        ("clock_us", ctypes.c_int),
        ("receive_s", ctypes.c_long),
        ("receive_us", ctypes.c_int),
        ("leap", ctypes.c_int),
        ("precision", ctypes.c_int),
        ("samples", ctypes.c_int),
        ("valid", ctypes.c_int),
        ("clock_ns", ctypes.c_uint),
        ("receive_ns", ctypes.c_uint),
        ("reserved", ctypes.c_int * 8),
    )


class ShmFeed:
    """Segment ``unit``; AssemblyError when it cannot be had. Units 0 and 1 are for root, the others for everybody."""

    kind = "shm"

    def __init__(self, unit: int) -> None:
        self.counters = {"samples": 0}
        libc = ctypes.CDLL(None, use_errno=True)
        libc.shmat.restype = ctypes.c_void_p
        libc.shmat.argtypes = (ctypes.c_int, ctypes.c_void_p, ctypes.c_int)
        libc.shmdt.argtypes = (ctypes.c_void_p,)
        rights = 0o600 if unit < 2 else 0o666
        segment = libc.shmget(SHM_KEY + unit, ctypes.sizeof(_ShmTime), _IPC_CREAT | rights)
        address = libc.shmat(segment, None, 0) if segment >= 0 else None
        if address in (None, ctypes.c_void_p(-1).value):
            why = os.strerror(ctypes.get_errno())
            raise AssemblyError(
                f"SHM segment {unit}: {why}; it may be another user's (ipcs -m, key {SHM_KEY + unit:#x}): remove it "
                "with ipcrm, or choose another"
            )
        self._libc, self._address = libc, address
        self._shared: _ShmTime | None = _ShmTime.from_address(address or 0)

    def put(self, sample: Sample) -> None:
        shared = self._shared
        if shared is None:
            return
        # whoever reads looks at the count before and after, and at valid
        shared.valid = 0
        shared.mode = 1
        shared.count += 1
        shared.clock_s, nanoseconds = divmod(sample.true_ns, NS_PER_S)
        shared.clock_us, shared.clock_ns = nanoseconds // 1000, nanoseconds
        shared.receive_s, nanoseconds = divmod(sample.system_ns, NS_PER_S)
        shared.receive_us, shared.receive_ns = nanoseconds // 1000, nanoseconds
        shared.leap, shared.precision, shared.samples = sample.leap, _PRECISION, 1
        shared.count += 1
        shared.valid = 1
        self.counters["samples"] += 1

    def close(self) -> None:
        """Let go of the segment. It stays: ntpd may be attached to it."""
        if self._shared is not None:
            self._shared.valid = 0
            self._shared = None
            self._libc.shmdt(self._address)


class SockFeed:
    """Datagrams to chronyd's ``refclock SOCK``. The socket may come and go with chronyd."""

    kind = "sock"

    def __init__(self, path: str) -> None:
        self.counters = {"samples": 0, "nobody-there": 0, "refused": 0}
        self.path = path
        self._sock: socket.socket | None = socket.socket(
            socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK | socket.SOCK_CLOEXEC
        )

    def put(self, sample: Sample) -> None:
        if self._sock is None:
            return
        seconds, nanoseconds = divmod(sample.system_ns, NS_PER_S)
        # a timeval has microseconds: what is left over moves both times, so the offset stays what it is
        offset_s = (sample.true_ns - sample.system_ns) / NS_PER_S
        octets = _SOCK.pack(seconds, nanoseconds // 1000, offset_s, 0, sample.leap, 0, SOCK_MAGIC)
        try:
            self._sock.sendto(octets, self.path)
        except OSError as error:
            absent = error.errno in (errno.ENOENT, errno.ECONNREFUSED)
            self.counters["nobody-there" if absent else "refused"] += 1
        else:
            self.counters["samples"] += 1

    def close(self) -> None:
        if self._sock is not None:
            self._sock.close()
            self._sock = None


class Feeder:
    """Gives the measurements of the edges that ``chosen`` names to feeds. To be put among ``Steering.watchers``."""

    def __init__(
        self, engine: Engine, clocks: dict[str, Clock], chosen: Callable[[Edge], bool], feeds: list[Feed]
    ) -> None:
        self._engine, self._clocks, self._chosen = engine, clocks, chosen
        self.feeds = feeds
        self._next_ns = 0

    def measured(self, edge: Edge, command: Command | None, now: int) -> None:
        if now < self._next_ns or not edge.usable or not self._chosen(edge):
            return
        sample = self._sample(edge, command, now)
        if sample is not None:
            self._next_ns = now + SHORTEST_NS
            for feed in self.feeds:
                feed.put(sample)

    def _sample(self, edge: Edge, command: Command | None, now: int) -> Sample | None:
        estimate = edge.servo.estimate(now)
        stepped = command is not None and command.step_sns is not None
        if estimate is None or stepped:
            # what is known of the offset is that before the step
            return None
        clock = self._clocks[edge.clock]
        try:
            cross = clock.cross_reading()
        except ClockError:
            return None
        properties = self._properties(edge)
        leap = 0
        if properties is not None and properties.ptp_timescale:
            leap = 1 if properties.leap61 else 2 if properties.leap59 else 0
        if clock.kind == "system":
            # by the offset, whatever its UTC is taken for
            return Sample(cross.realtime_ns, cross.realtime_ns - round(estimate.value_ns), leap)
        true_tai_ns = (cross.clock_sns - float_ns_to_sns(estimate.value_ns)) >> 16
        utc_offset_s = self._engine.plan.leap.tai_minus_utc(cross.realtime_ns // NS_PER_S)
        if properties is not None and properties.ptp_timescale and properties.current_utc_offset_valid:
            utc_offset_s = properties.current_utc_offset
        return Sample(cross.realtime_ns, true_tai_ns - utc_offset_s * NS_PER_S, leap)

    def _properties(self, edge: Edge) -> TimeProperties | None:
        instance = None if edge.instance is None else self._engine.instances.get(edge.instance)
        return None if instance is None else instance.data.time_properties

    def counters(self) -> dict[str, dict[str, int]]:
        """What became of samples, by kind of feed."""
        return {feed.kind: dict(feed.counters) for feed in self.feeds}

    def close(self) -> None:
        for feed in self.feeds:
            feed.close()


def open_feeds(shm: int | None, sock: str | None) -> list[Feed]:
    """AssemblyError when one cannot be had."""
    feeds: list[Feed] = []
    if sock is not None:
        feeds.append(SockFeed(sock))
    if shm is not None:
        feeds.append(ShmFeed(shm))
    return feeds
