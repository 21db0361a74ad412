"""The clocks of a running node: how they are read, set, told to the kernel, waited for when they are gone.

1. A look at a clock says when it was taken: a process that was held up must not take that for somebody's step.
2. A PHC that was removed is tried again once a second, and used again when it is back: its pulses are asked for anew.
3. Pulses come by the clock's descriptor; a clock without one (a simulated clock) is asked when the next is due.
"""

from __future__ import annotations

import contextlib
import time
from typing import cast

from ptpstack.clocks.base import Clock, ClockError, CrossReading, PinClock
from ptpstack.clocks.open import describe_clocks
from ptpstack.clocks.phc import LinuxPhc
from ptpstack.clocks.simulated import SimulatedClock
from ptpstack.clocks.system import SystemClock
from ptpstack.config.model import ChannelOptions
from ptpstack.engine.driver import ClockHands, ClockLook
from ptpstack.engine.effects import DeclareClock, Event
from ptpstack.net.layers import layers_of
from ptpstack.node.assembly import Parts
from ptpstack.node.loop import Loop
from ptpstack.timebase.units import NS_PER_S

RETRY_NS = NS_PER_S
#: A reading that took longer was interrupted, and is taken again.
LOOK_NS = 100_000
_LOOKS = 4
#: The kernel adjusts its own TAI offset at a leap second: keep away from it for so long around midnight.
_NEAR_MIDNIGHT_S = 5
_DAY_S = 86_400


class Clockwork(ClockHands):
    """The half of a node that has clocks."""

    def __init__(self, parts: Parts, loop: Loop) -> None:
        self.parts = parts
        self.loop = loop
        self.clocks: dict[str, Clock] = parts.clocks
        #: why a clock is gone, by name
        self.gone: dict[str, str] = {}
        self._clock_retry_ns = 0
        self._watched: dict[str, int] = {}
        self._pulse_clocks: list[str] = []
        self._sensors = {c.name: c.temperature for c in parts.site.clocks if c.temperature is not None}

    # ---- readings (engine.driver.Hands) -----------------------------------------------------------------------

    def look(self, clock: str, now: int) -> ClockLook:
        backend = self.clocks[clock]
        best: tuple[int, int, int] | None = None
        for _ in range(_LOOKS):
            before = self._steady_ns()
            clock_sns = backend.now_sns()
            after = self._steady_ns()
            if best is None or after - before < best[0]:
                best = (after - before, clock_sns, (before + after) // 2)
            if best[0] <= LOOK_NS:
                break
        assert best is not None
        remark = ""
        if isinstance(backend, SystemClock):
            status = backend.status()
            if status.pll and self._plan_steers(clock):
                remark = "the kernel's own PLL is on: another program (ntpd, systemd-timesyncd) disciplines this clock"
        # a clock that is only read may not tell
        frequency = backend.frequency_ppb() if self._plan_steers(clock) else 0.0
        return ClockLook(best[1], best[2], frequency, remark)

    def _steady_ns(self) -> int:
        """Time that nobody steers: CLOCK_MONOTONIC is slewed together with the system clock."""
        return time.clock_gettime_ns(time.CLOCK_MONOTONIC_RAW)

    def _plan_steers(self, clock: str) -> bool:
        return any(plan.name == clock and plan.steerable for plan in self.parts.plan.clocks)

    def read_reference(self, clock: str) -> tuple[int, int, float] | None:
        reading = self.parts.readings[clock]
        cross = self.clocks[clock].cross_reading()
        utc_ns = cross.realtime_ns
        tai_ns = utc_ns + self.parts.plan.leap.tai_minus_utc(utc_ns // NS_PER_S) * NS_PER_S
        noise_sns = round(reading.rng.gauss(0.0, reading.noise_ns) * 65536) if reading.noise_ns else 0
        return cross.clock_sns, (tai_ns << 16) + noise_sns, cross.bound_ns + 3 * reading.noise_ns

    def read_temperature(self, clock: str) -> float | None:
        backend = self.clocks[clock]
        if isinstance(backend, SimulatedClock):
            return backend.celsius()
        path = self._sensors.get(clock)
        if path is None:
            return None
        try:
            with open(path, encoding="ascii") as sensor:
                return int(sensor.read(16)) / 1000.0
        except (OSError, ValueError):
            # a sensor that is gone, or tells nonsense, is no reason to disturb anybody: the clock goes on without
            return None

    def read_time_of_day(self, clock: str) -> tuple[int, int, float | None] | None:
        told = self.parts.times_of_day[clock]
        cross = self.clocks[clock].cross_reading(1)
        if told.kind == "system":
            assert isinstance(told, SystemClock)
            status = told.status()
            bound_ns = float(status.max_error_ns) if status.synchronised else None
            return cross.clock_sns, told.stamp_sns(cross.realtime_ns), bound_ns
        other = told.cross_reading(1)
        told_sns = other.clock_sns + ((cross.realtime_ns - other.realtime_ns) << 16)
        return cross.clock_sns, told_sns, None

    def declare(self, declaration: DeclareClock) -> None:
        clock = self.clocks[declaration.clock]
        if not isinstance(clock, SystemClock):
            return
        if declaration.bound_ns is None:
            clock.declare_unsynchronised()
            return
        status = clock.status()
        utc_s = (clock.now_sns() >> 16) // NS_PER_S - declaration.utc_offset_s
        quiet = _NEAR_MIDNIGHT_S < utc_s % _DAY_S < _DAY_S - _NEAR_MIDNIGHT_S
        if quiet and status.tai_offset_s != declaration.utc_offset_s:
            clock.set_tai_offset(declaration.utc_offset_s)
        clock.declare_synchronised(
            declaration.bound_ns,
            declaration.estimated_ns,
            leap59=declaration.leap < 0,
            leap61=declaration.leap > 0,
        )

    # ---- pulses -----------------------------------------------------------------------------------------------

    def start_pulses(self, clocks: list[str]) -> list[tuple[str, str]]:
        """Ask for the pulses of these clocks. What is to be known: (clock, sentence)."""
        self._pulse_clocks = clocks
        asked = [(name, self._ask_for_pulses(name)) for name in clocks]
        return [(name, sentence) for name, sentence in asked if sentence]

    def pulse(self, clock: str, channel: int, clock_sns: int) -> None:
        """An edge was stamped."""
        raise NotImplementedError

    def _ask_for_pulses(self, name: str) -> str:
        """Why there will be none, or what to know about them, or ""."""
        clock = cast(PinClock, self.clocks[name])
        plan = next(reference for reference in self.parts.plan.references if reference.clock == name)
        try:
            grant = clock.request_external_timestamps(plan.channel, pin=plan.pin, edge=plan.edge)
        except ClockError as error:
            return str(error)
        with contextlib.suppress(ClockError):
            self._watched[name] = clock.fileno()
            self.loop.add_reader(self._watched[name], lambda fd: self.take_pulses(name))
        return grant.note

    def take_pulses(self, name: str) -> None:
        try:
            stamps = cast(PinClock, self.clocks[name]).read_external_timestamps()
        except ClockError as error:
            self._unwatch_clock(name)
            self.lost_clock(name, error)
            return
        for stamp in stamps:
            self.pulse(name, stamp.channel, stamp.clock_sns)

    def poll_pulses(self, now: int) -> int | None:
        """Those that have no descriptor; returns when to ask again."""
        due: int | None = None
        for name in self._pulse_clocks:
            clock = self.clocks[name]
            if isinstance(clock, SimulatedClock):
                self.take_pulses(name)
                cross = clock.cross_reading(1)
                edge_ns = clock.next_edge_ns()
                if edge_ns is not None:
                    at = now + max(0, edge_ns - cross.realtime_ns) + RETRY_NS // 1000
                    due = at if due is None else min(due, at)
        return due

    def _unwatch_clock(self, name: str) -> None:
        fd = self._watched.pop(name, None)
        if fd is not None:
            self.loop.remove_reader(fd)

    # ---- clocks that are gone ---------------------------------------------------------------------------------

    def clock_failed(self, clock: str, error: ClockError) -> None:
        # a comparison fails on either of two clocks: the sentence begins with the one
        failed = [name for name, backend in self.clocks.items() if str(error).startswith(f"{backend.name}:")]
        for name in failed or [clock]:
            self.lost_clock(name, error)

    def lost_clock(self, name: str, error: ClockError) -> None:
        """A clock has refused: if its device is gone, give it up until it is back."""
        clock = self.clocks[name]
        if error.gone and isinstance(clock, LinuxPhc) and name not in self.gone:
            self.gone[name] = str(error)
            self._unwatch_clock(name)
            clock.close()
            now = self.loop.now_ns()
            self._clock_retry_ns = now + RETRY_NS
            self.event(Event("clock-gone", "", 0, {"clock": name, "reason": str(error)}), now)

    def retry_clocks(self, now: int) -> int | None:
        """Look once a second whether what is gone is back; returns when to look again."""
        if not self.gone:
            return None
        if now >= self._clock_retry_ns:
            self._clock_retry_ns = now + RETRY_NS
            for name in list(self.gone):
                self._reopen_clock(name, now)
        return self._clock_retry_ns if self.gone else None

    def _reopen_clock(self, name: str, now: int) -> None:
        clock = self.clocks[name]
        assert isinstance(clock, LinuxPhc)
        interfaces = {layer.name for c in self._channels_of(name) for layer in layers_of(c.interface)}
        # the number may be another one: the interface knows which clock is its own
        paths = [d.path for d in describe_clocks() if interfaces & set(d.interfaces)] or [clock.path]
        for path in paths:
            try:
                clock.reopen(path)
            except ClockError as error:
                self.gone[name] = str(error)
                continue
            del self.gone[name]
            problem = self._ask_for_pulses(name) if name in self._pulse_clocks else ""
            self.event(Event("clock-back", "", 0, {"clock": name, "device": path, "note": problem}), now)
            with contextlib.suppress(ClockError):
                self.renewed(name, clock.frequency_ppb(), now)
            return

    def move_clock(self, name: str, path: str, now: int) -> str:
        """Let another PHC be the clock of this name from now on; what became of its time. ClockError: not to be had.

        Set to the time of the old one, if that can still be read and we steer: better by far than whatever it shows.
        """
        clock = self.clocks[name]
        assert isinstance(clock, LinuxPhc)
        old: CrossReading | None = None
        with contextlib.suppress(ClockError):
            old = clock.cross_reading()
        self._unwatch_clock(name)
        try:
            clock.reopen(path)
        except ClockError as error:
            self.gone[name] = str(error)
            self._clock_retry_ns = now + RETRY_NS
            raise
        self.gone.pop(name, None)
        said = "whose time is its own"
        if old is not None and self._plan_steers(name):
            with contextlib.suppress(ClockError):
                new = clock.cross_reading()
                clock.step(old.clock_sns - new.clock_sns + ((new.realtime_ns - old.realtime_ns) << 16))
                said = "set to the time of that"
        if name in self._pulse_clocks:
            problem = self._ask_for_pulses(name)
            said += f"; its pulses: {problem}" if problem else ""
        with contextlib.suppress(ClockError):
            self.renewed(name, clock.frequency_ppb(), now, another=True)
        return said

    def _channels_of(self, clock: str) -> list[ChannelOptions]:
        wanted = {name for name, stamped_by in self.parts.clock_of_channel.items() if stamped_by == clock}
        return [channel for channel in self.parts.site.channels if channel.name in wanted]

    def renewed(self, clock: str, frequency_ppb: float, now: int, another: bool = False) -> None:
        """A clock was opened anew: neither its time nor its frequency is what we left. ``another``: another device."""
        raise NotImplementedError

    def event(self, event: Event, now: int) -> None:
        raise NotImplementedError
