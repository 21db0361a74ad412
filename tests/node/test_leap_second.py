"""A leap second passes: TAI clocks do not step, the kernel's UTC has it, and both know the time throughout.

The kernel here keeps UTC as Linux does: an inserted second repeats 23:59:59 and adds one to its TAI offset, a deleted
one leaves 23:59:59 out. Everything above it is what a node runs.
"""

from __future__ import annotations

import struct
from dataclasses import replace
from types import SimpleNamespace
from typing import Any, cast

import pytest

from ptpstack.clocks.base import Capabilities, Clock, ClockError, CrossReading
from ptpstack.clocks.system import SystemClock
from ptpstack.engine.driver import carry_out
from ptpstack.engine.effects import Event, StepClock
from ptpstack.engine.engine import Engine
from ptpstack.engine.plan import ClockPlan, EdgePlan, EnginePlan, ReferencePlan
from ptpstack.node.clockwork import Clockwork
from ptpstack.timebase.leap import LeapTable
from ptpstack.timebase.leapfile import LeapEntry
from ptpstack.wire.types import ACCURACY_UNKNOWN

S = 1_000_000_000
MIDNIGHT_2017 = 1_483_228_800
TIMEX = struct.Struct("<I4x4qi4x8qi4x5qi44x")
INS, DEL, UNSYNC = 0x10, 0x20, 0x40


class UtcKernel:
    """CLOCK_REALTIME with an oscillator of its own, true to ``tai_ns`` but for that."""

    def __init__(self, tai_ns: int, offset_s: int, *, error_ns: float, oscillator_ppb: float) -> None:
        self.tai_ns = tai_ns
        self.realtime = float(tai_ns - offset_s * S) - 1.6e18 + error_ns
        self.oscillator_ppb = oscillator_ppb
        self.kernel_tai = 0
        self.status, self.freq, self.tick, self.maxerror = UNSYNC, 0, 10_000, 16_000_000
        self.state = 5
        #: the bit stays until it is cleared, and acts once
        self.acted = False
        self.leaps: list[int] = []

    @property
    def realtime_ns(self) -> int:
        return int(self.realtime) + 1_600_000_000_000_000_000

    def advance(self, ns: int) -> None:
        self.tai_ns += ns
        before = self.realtime_ns
        self.realtime += ns * (1 + (self.freq / 65.536 + self.oscillator_ppb) * 1e-9)
        second = self.realtime_ns // S
        if self.status & INS and not self.acted and before // S % 86_400 == 86_399 and second % 86_400 == 0:
            self.realtime -= S
            self.kernel_tai += 1
            self.leaps.append(1)
            self.state = 3
            self.acted = True
        elif self.status & DEL and not self.acted and second % 86_400 == 86_399:
            self.realtime += S
            self.kernel_tai -= 1
            self.leaps.append(-1)
            self.acted = True
            self.state = 4
        elif self.state == 3 and second % 86_400 == 0:
            self.state = 4

    def clock_gettime_ns(self, clock_id: int) -> int:
        return self.realtime_ns + (self.kernel_tai * S if clock_id == 11 else 0)

    def clock_adjtime(self, clock_id: int, timex: bytearray) -> int:
        v = list(TIMEX.unpack(timex))
        modes = v[0]
        if modes & 0x100:
            self.realtime += v[9] * S + v[10]
            self.status |= UNSYNC
        if modes & 0x10:
            self.status = v[5]
            self.acted = self.acted and bool(v[5] & (INS | DEL))
        if modes & 0x4:
            self.maxerror = v[3]
        if modes & 0x80:
            self.kernel_tai = v[6]
        if modes & 0x2:
            self.freq = v[2]
        v[2], v[3], v[5], v[11], v[20] = self.freq, self.maxerror, self.status, self.tick, self.kernel_tai
        timex[:] = TIMEX.pack(*v)
        return 5 if self.status & UNSYNC else self.state if self.state != 5 else 0

    def open(self, path: str, writable: bool) -> int:
        raise NotImplementedError

    close = ioctl = open


class TaiPhc:
    """A PHC that is right but for an error that grows, and that is compared with the kernel's clock."""

    name, kind, capabilities = "/dev/ptp9", "phc", Capabilities(500_000.0)

    def __init__(self, kernel: UtcKernel) -> None:
        self.kernel = kernel
        self.error_ns = 0.0
        self.ppb = 0.0

    def now_sns(self) -> int:
        return (self.kernel.tai_ns << 16) + round(self.error_ns * 65536)

    def frequency_ppb(self) -> float:
        return self.ppb

    def set_frequency(self, ppb: float) -> float:
        self.ppb = ppb
        return ppb

    def step(self, delta_sns: int) -> None:
        self.error_ns += delta_sns / 65536

    def cross_reading(self, samples: int = 5) -> CrossReading:
        return CrossReading(self.now_sns(), self.kernel.realtime_ns, 30.0, "fake", samples)

    def close(self) -> None: ...


class Bench(Clockwork):
    def __init__(self, leap: LeapTable, start_tai_s: int) -> None:
        self.kernel = UtcKernel(start_tai_s * S, leap.at_ptp(start_tai_s), error_ns=300_000.0, oscillator_ppb=21_000.0)
        self.phc = TaiPhc(self.kernel)
        self.system = SystemClock(leap, read_only=False, kernel=cast(Any, self.kernel), user_hz=100)
        clocks: dict[str, Clock] = {"nic": cast(Clock, self.phc), "system": self.system}
        plan = EnginePlan(
            instances=(),
            clocks=(ClockPlan("nic"), ClockPlan("system", watched=True, declares=True)),
            references=(ReferencePlan("nic", "declared", accuracy=ACCURACY_UNKNOWN),),
            edges=(EdgePlan("nic", "system"),),
            leap=leap,
        )
        self.now = 0
        super().__init__(
            cast(Any, SimpleNamespace(clocks=clocks, plan=plan, site=SimpleNamespace(clocks=()))),
            cast(Any, SimpleNamespace(now_ns=lambda: self.now)),
        )
        self.engine = Engine(plan)
        self.steps: list[StepClock] = []
        self.events: list[Event] = []
        self.perform(self.engine.start(0, {"nic": 0.0, "system": 0.0}))

    def _steady_ns(self) -> int:
        return self.now

    def perform(self, effects: list[Any]) -> None:
        carry_out(self.engine, effects, cast(Any, self), self.now)

    def step(self, clock: str, delta_sns: int) -> None:
        self.steps.append(StepClock(clock, delta_sns, ""))
        super().step(clock, delta_sns)

    def send(self, send: Any, now: int) -> None:
        raise NotImplementedError

    def event(self, event: Event, now: int) -> None:
        self.events.append(event)

    def run(self, seconds: float) -> list[float]:
        """The system clock's error against TAI, ns, after each turn."""
        errors = []
        end = self.now + round(seconds * S)
        while self.now < end:
            deadline = self.engine.next_deadline()
            assert deadline is not None
            step = max(1, min(deadline, end) - self.now)
            self.now += step
            self.kernel.advance(step)
            self.perform(self.engine.timer(self.now))
            errors.append((self.system.now_sns() - (self.kernel.tai_ns << 16)) / 65536)
        return errors


@pytest.mark.parametrize("inserted", [True, False])
def test_a_leap_second_is_in_utc_and_nowhere_else(inserted: bool) -> None:
    table = LeapTable.built_in()
    if not inserted:
        entries = (*table.entries[:-1], LeapEntry(MIDNIGHT_2017, table.entries[-2].tai_minus_utc - 1))
        table = replace(table, entries=entries)
    before, after = table.entries[-2].tai_minus_utc, table.entries[-1].tai_minus_utc
    bench = Bench(table, MIDNIGHT_2017 + before - 120)
    bench.run(60)
    assert bench.kernel.kernel_tai == before, "the kernel was told TAI - UTC"
    assert bench.kernel.status & (INS if inserted else DEL), "and which leap second is to come"
    assert not bench.kernel.status & UNSYNC
    assert bench.kernel.maxerror < 1_000
    bench.steps.clear()
    errors = bench.run(120)
    assert bench.kernel.leaps == [1 if inserted else -1]
    assert max(abs(e) for e in errors) < 1_000, "PTP time of the system clock goes on"
    assert bench.steps == []
    assert bench.kernel.kernel_tai == after
    assert abs(bench.kernel.realtime_ns + after * S - bench.kernel.tai_ns) < 1_000, "UTC is right again"
    assert not bench.kernel.status & (INS | DEL)
    assert [e for e in bench.events if e.kind == "foreign-change"] == []


def test_a_source_that_is_not_believed_any_more_leaves_the_kernel_a_growing_error_and_then_none() -> None:
    bench = Bench(LeapTable.built_in(), MIDNIGHT_2017 + 37 + 1_000_000)
    bench.run(60)
    early = bench.kernel.maxerror
    bench.perform(bench.engine.declare_reference("nic", "free-running", None, bench.now))
    bench.run(600)
    # it holds over: still synchronised, with a bound that has grown
    assert not bench.kernel.status & UNSYNC
    assert bench.kernel.maxerror > early
    bench.engine.steering.leave_alone("system", bench.now + 600 * S, "a test wants it", bench.now)
    bench.run(5)
    assert bench.kernel.status & UNSYNC


def test_a_system_clock_that_is_read_only_is_never_told_anything() -> None:
    system = SystemClock(LeapTable.built_in(), kernel=cast(Any, UtcKernel(0, 0, error_ns=0, oscillator_ppb=0)))
    with pytest.raises(ClockError, match="read-only"):
        system.declare_synchronised(1.0, 1.0)
