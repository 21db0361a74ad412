from __future__ import annotations

import ctypes
import os
import socket
import struct
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from ptpstack.clocks.base import CrossReading
from ptpstack.node import feeds
from ptpstack.node.errors import AssemblyError
from ptpstack.node.feeds import Feeder, Sample, ShmFeed, SockFeed
from ptpstack.servo.base import Command
from ptpstack.timebase.estimate import Estimate
from ptpstack.timebase.leap import LeapTable

S = 10**9
UTC_NS = 1_790_000_000 * S + 123_456_789


def test_sock_is_what_chronyd_reads(tmp_path: Path) -> None:
    path = tmp_path / "sock"
    feed = SockFeed(str(path))
    feed.put(Sample(UTC_NS, UTC_NS + 1000, 0))
    assert feed.counters == {"samples": 0, "nobody-there": 1, "refused": 0}
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as chronyd:
        chronyd.bind(str(path))
        feed.put(Sample(UTC_NS, UTC_NS + 1_500_000_000, 1))
        octets = chronyd.recv(100)
    seconds, micros, offset, pulse, leap, _, magic = struct.unpack("@lldiiii", octets)
    assert (seconds, micros) == (1_790_000_000, 123_456)
    # positive: the system clock is behind
    assert offset == pytest.approx(1.5, abs=1e-12)
    assert (pulse, leap, magic) == (0, 1, 0x534F434B)
    feed.close()
    feed.put(Sample(UTC_NS, UTC_NS, 0))
    assert feed.counters["samples"] == 1


@pytest.fixture
def unit() -> Iterator[int]:
    number = 16 + os.getpid() % 200
    yield number
    subprocess.run(["ipcrm", "-M", hex(feeds.SHM_KEY + number)], check=False, capture_output=True)


def test_shm_is_what_ntpd_reads(unit: int) -> None:
    feed = ShmFeed(unit)
    other = ShmFeed(unit)
    feed.put(Sample(UTC_NS, UTC_NS - 5, 2))
    seen = other._shared
    assert seen is not None
    assert (seen.mode, seen.count, seen.valid, seen.leap, seen.precision) == (1, 2, 1, 2, -20)
    assert (seen.receive_s, seen.receive_us, seen.receive_ns) == (1_790_000_000, 123_456, 123_456_789)
    assert (seen.clock_s, seen.clock_us, seen.clock_ns) == (1_790_000_000, 123_456, 123_456_784)
    if ctypes.sizeof(ctypes.c_long) == 8:
        assert ctypes.sizeof(seen) == 96
    feed.close()
    # nobody takes the last sample of a feed that is gone
    assert seen.valid == 0
    other.close()


def test_a_segment_of_another_size_is_refused(unit: int) -> None:
    libc = ctypes.CDLL(None)
    assert libc.shmget(feeds.SHM_KEY + unit, 8, 0o1600) >= 0
    with pytest.raises(AssemblyError, match="ipcrm"):
        ShmFeed(unit)


class _Clock:
    """30 us ahead of its master, which is at UTC + ``scale_s``; the system clock is right."""

    def __init__(self, kind: str, scale_s: int) -> None:
        self.kind, self._scale_s = kind, scale_s

    def cross_reading(self, samples: int = 5) -> CrossReading:
        system_ns = UTC_NS + 30_000 if self.kind == "system" else UTC_NS
        return CrossReading((UTC_NS + self._scale_s * S + 30_000) << 16, system_ns, 0.0, "exact")


class _Servo:
    def estimate(self, now: int) -> Estimate:
        return Estimate(30_000.0, 1.0, 1.0, "test")


class _Edge:
    clock, instance, usable, servo = "clock", None, True, _Servo()


class _Engine:
    class plan:
        leap = LeapTable.built_in()


class _Kept:
    kind = "kept"

    def __init__(self) -> None:
        self.samples: list[Sample] = []
        self.counters: dict[str, int] = {}

    def put(self, sample: Sample) -> None:
        self.samples.append(sample)

    def close(self) -> None: ...


@pytest.mark.parametrize(
    ("clock", "sample"),
    [
        # a hardware clock shows TAI
        (_Clock("phc", 37), Sample(UTC_NS, UTC_NS, 0)),
        (_Clock("system", 37), Sample(UTC_NS + 30_000, UTC_NS, 0)),
        # phc2sys -O 0: the source is taken to show UTC
        (_Clock("system", 0), Sample(UTC_NS + 30_000, UTC_NS, 0)),
    ],
)
def test_a_sample_is_the_masters_time_and_not_every_one_is_given(clock: _Clock, sample: Sample) -> None:
    kept, edge = _Kept(), _Edge()
    feeder = Feeder(_Engine(), {"clock": clock}, lambda each: True, [kept])  # type: ignore[arg-type, dict-item]
    feeder.measured(edge, None, S)  # type: ignore[arg-type]
    assert kept.samples == [sample]
    feeder.measured(edge, None, S + feeds.SHORTEST_NS - 1)  # type: ignore[arg-type]
    # what is known of the offset is that before the step
    feeder.measured(edge, Command(step_sns=1), S + feeds.SHORTEST_NS)  # type: ignore[arg-type]
    assert len(kept.samples) == 1
    feeder.measured(edge, Command(1.0), S + feeds.SHORTEST_NS)  # type: ignore[arg-type]
    assert len(kept.samples) == 2
