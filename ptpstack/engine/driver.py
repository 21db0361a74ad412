"""How effects are carried out: the one loop that every driver of an engine shares. What hands do is the driver's."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from typing import Protocol

from ptpstack.clocks.base import Clock, ClockError
from ptpstack.engine.effects import EngineEffect, Event, ReadClock, ReadReference, SetFrequency, StepClock
from ptpstack.engine.engine import Engine
from ptpstack.protocol.effects import Send


class Hands(Protocol):
    """What a driver can do. Clock operations may raise ClockError."""

    def send(self, send: Send, now: int) -> None: ...

    def set_frequency(self, clock: str, ppb: float) -> float:
        """Returns what the clock took, ppb."""

    def step(self, clock: str, delta_sns: int) -> None: ...

    def clock_sns(self, clock: str) -> int: ...

    def clock_frequency(self, clock: str) -> float: ...

    def read_reference(self, clock: str) -> tuple[int, int, float] | None:
        """(clock sns, reference sns, bound ns), or None when there is no reading this time."""

    def event(self, event: Event, now: int) -> None: ...


class ClockHands:
    """The half of ``Hands`` that is the same for whoever has clocks."""

    clocks: Mapping[str, Clock]

    def set_frequency(self, clock: str, ppb: float) -> float:
        return self.clocks[clock].set_frequency(ppb)

    def step(self, clock: str, delta_sns: int) -> None:
        self.clocks[clock].step(delta_sns)

    def clock_sns(self, clock: str) -> int:
        return self.clocks[clock].now_sns()

    def clock_frequency(self, clock: str) -> float:
        return self.clocks[clock].frequency_ppb()


def carry_out(engine: Engine, effects: list[EngineEffect], hands: Hands, now: int) -> None:
    """Do what the engine asks, in order, and tell it what really happened, until nothing is left."""
    pending = deque(effects)
    while pending:
        effect = pending.popleft()
        if isinstance(effect, Send):
            hands.send(effect, now)
            continue
        if isinstance(effect, Event):
            hands.event(effect, now)
            continue
        clock = effect.clock
        try:
            if isinstance(effect, SetFrequency):
                taken = hands.set_frequency(clock, effect.ppb)
                pending += engine.commanded(clock, hands.clock_sns(clock), taken, 0, now)
            elif isinstance(effect, StepClock):
                hands.step(clock, effect.delta_sns)
                pending += engine.commanded(
                    clock, hands.clock_sns(clock), hands.clock_frequency(clock), effect.delta_sns, now
                )
            elif isinstance(effect, ReadReference):
                reading = hands.read_reference(clock)
                if reading is not None:
                    pending += engine.reading(clock, *reading, now)
            elif isinstance(effect, ReadClock):
                pending += engine.clock_time(clock, hands.clock_sns(clock), now)
        except ClockError as error:
            if isinstance(effect, (SetFrequency, StepClock)):
                pending += engine.command_failed(clock, str(error), now, isinstance(effect, StepClock))
            else:
                pending += engine.reading_failed(clock, str(error), now)
