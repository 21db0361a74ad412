"""How effects are carried out: the one loop that every driver of an engine shares. What hands do is the driver's."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple, Protocol

from ptpstack.clocks.base import Clock, ClockError
from ptpstack.engine.effects import (
    DeclareClock,
    EngineEffect,
    Event,
    KeepSettings,
    ReadClock,
    ReadPair,
    ReadReference,
    ReadTemperature,
    ReadTimeOfDay,
    SetFrequency,
    StepClock,
)
from ptpstack.engine.engine import Engine
from ptpstack.engine.pairs import compare
from ptpstack.protocol.effects import Send, SendLocal


class ClockLook(NamedTuple):
    """A clock as it is found: its time, when (monotonic, ns), the frequency in force, and what its backend remarks."""

    clock_sns: int
    at_ns: int
    frequency_ppb: float
    remark: str = ""


class Hands(Protocol):
    """What a driver can do. Clock operations may raise ClockError."""

    def send(self, send: Send, now: int) -> None: ...

    def send_local(self, send: SendLocal) -> None:
        """To the peer of a local management socket."""

    def keep_settings(self, settings: KeepSettings, now: int) -> None: ...

    def set_frequency(self, clock: str, ppb: float) -> float:
        """Returns what the clock took, ppb."""

    def step(self, clock: str, delta_sns: int) -> None: ...

    def clock_sns(self, clock: str) -> int: ...

    def clock_frequency(self, clock: str) -> float: ...

    def look(self, clock: str, now: int) -> ClockLook: ...

    def read_reference(self, clock: str) -> tuple[int, int, float] | None:
        """(clock sns, reference sns, bound ns), or None when there is no reading this time."""

    def read_pair(self, source: str, clock: str, samples: int) -> tuple[int, int, float]:
        """(clock sns, source sns, bound ns) of the same moment."""

    def read_time_of_day(self, clock: str) -> tuple[int, int, float | None] | None:
        """(clock sns, time of day sns, how far that may be off ns or None), or None when there is none this time."""

    def read_temperature(self, clock: str) -> float | None:
        """Degrees Celsius, or None when the sensor does not tell."""

    def declare(self, declaration: DeclareClock) -> None: ...

    def clock_failed(self, clock: str, error: ClockError) -> None:
        """An operation on a clock has failed; the engine is told next."""

    def event(self, event: Event, now: int) -> None: ...


class ClockHands:
    """The half of ``Hands`` that is the same for whoever has clocks."""

    clocks: Mapping[str, Clock]

    def send_local(self, send: SendLocal) -> None:
        """Only a node has local sockets."""

    def keep_settings(self, settings: KeepSettings, now: int) -> None:
        """Only a node has a disk."""

    def set_frequency(self, clock: str, ppb: float) -> float:
        return self.clocks[clock].set_frequency(ppb)

    def step(self, clock: str, delta_sns: int) -> None:
        self.clocks[clock].step(delta_sns)

    def clock_sns(self, clock: str) -> int:
        return self.clocks[clock].now_sns()

    def clock_frequency(self, clock: str) -> float:
        return self.clocks[clock].frequency_ppb()

    def look(self, clock: str, now: int) -> ClockLook:
        backend = self.clocks[clock]
        return ClockLook(backend.now_sns(), now, backend.frequency_ppb())

    def read_pair(self, source: str, clock: str, samples: int) -> tuple[int, int, float]:
        return compare(self.clocks[source], self.clocks[clock], samples)

    def read_time_of_day(self, clock: str) -> tuple[int, int, float | None] | None:
        return None

    def read_temperature(self, clock: str) -> float | None:
        return None

    def declare(self, declaration: DeclareClock) -> None:
        """Only a kernel wants to know."""

    def clock_failed(self, clock: str, error: ClockError) -> None:
        """Nothing to do about it."""


def carry_out(engine: Engine, effects: list[EngineEffect], hands: Hands, now: int) -> None:
    """Do what the engine asks, in order, and tell it what really happened, until nothing is left."""
    pending = list(effects)
    # it grows meanwhile: what follows from an effect comes after all that was asked for before
    for effect in pending:
        if isinstance(effect, Send):
            hands.send(effect, now)
        elif isinstance(effect, Event):
            hands.event(effect, now)
        elif isinstance(effect, SendLocal):
            hands.send_local(effect)
        elif isinstance(effect, KeepSettings):
            hands.keep_settings(effect, now)
        else:
            try:
                pending += _ON_A_CLOCK[type(effect)](engine, effect, hands, now)
            except ClockError as error:
                hands.clock_failed(effect.clock, error)
                if isinstance(effect, (SetFrequency, StepClock)):
                    pending += engine.command_failed(effect.clock, str(error), now, isinstance(effect, StepClock))
                else:
                    source = effect.source if isinstance(effect, ReadPair) else ""
                    pending += engine.reading_failed(effect.clock, str(error), now, source)


# ---- what concerns a clock: carry it out, and tell the engine; ClockError when the clock refuses ---------------------


def _set_frequency(engine: Engine, effect: SetFrequency, hands: Hands, now: int) -> list[EngineEffect]:
    clock = effect.clock
    # two programs at one clock would overwrite each other unseen
    found = hands.clock_frequency(clock) if engine.watch.watches(clock) else None
    taken = hands.set_frequency(clock, effect.ppb)
    try:
        clock_sns = hands.clock_sns(clock)
    except ClockError:
        # it has taken the command, and only does not tell the time: to call that refused would leave a correction
        # in force that nobody knows of
        about = engine.steering.about_sns(clock, now)
        if about is None:
            raise
        clock_sns = about
    return engine.commanded(clock, clock_sns, taken, 0, now, found)


def _step(engine: Engine, effect: StepClock, hands: Hands, now: int) -> list[EngineEffect]:
    clock = effect.clock
    hands.step(clock, effect.delta_sns)
    return engine.commanded(clock, hands.clock_sns(clock), hands.clock_frequency(clock), effect.delta_sns, now)


def _read_pair(engine: Engine, effect: ReadPair, hands: Hands, now: int) -> list[EngineEffect]:
    pair = hands.read_pair(effect.source, effect.clock, effect.samples)
    return engine.reading(effect.clock, *pair, now, effect.source)


def _read_reference(engine: Engine, effect: ReadReference, hands: Hands, now: int) -> list[EngineEffect]:
    reading = hands.read_reference(effect.clock)
    return [] if reading is None else engine.reading(effect.clock, *reading, now)


def _read_time_of_day(engine: Engine, effect: ReadTimeOfDay, hands: Hands, now: int) -> list[EngineEffect]:
    answer = hands.read_time_of_day(effect.clock)
    return [] if answer is None else engine.time_of_day(effect.clock, *answer, now)


def _read_temperature(engine: Engine, effect: ReadTemperature, hands: Hands, now: int) -> list[EngineEffect]:
    celsius = hands.read_temperature(effect.clock)
    return [] if celsius is None else engine.temperature(effect.clock, celsius, now)


def _read_clock(engine: Engine, effect: ReadClock, hands: Hands, now: int) -> list[EngineEffect]:
    look = hands.look(effect.clock, now)
    return engine.clock_time(effect.clock, look.clock_sns, now, look.at_ns, look.frequency_ppb, look.remark)


def _declare(engine: Engine, effect: DeclareClock, hands: Hands, now: int) -> list[EngineEffect]:
    hands.declare(effect)
    return []


_ON_A_CLOCK: dict[type, Callable[[Engine, Any, Hands, int], list[EngineEffect]]] = {
    SetFrequency: _set_frequency,
    StepClock: _step,
    ReadPair: _read_pair,
    ReadReference: _read_reference,
    ReadTimeOfDay: _read_time_of_day,
    ReadTemperature: _read_temperature,
    ReadClock: _read_clock,
    DeclareClock: _declare,
}
