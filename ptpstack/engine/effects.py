"""What the engine asks of its driver, beside the protocol's ``Send``."""

from __future__ import annotations

from typing import Any, NamedTuple, Union

from ptpstack.protocol.effects import Send


class SetFrequency(NamedTuple):
    """Carry out at once, then report by ``Engine.commanded``."""

    clock: str
    ppb: float
    reason: str


class StepClock(NamedTuple):
    """Add ``delta_sns`` to the clock at once, then report by ``Engine.commanded``."""

    clock: str
    delta_sns: int
    reason: str


class ReadReference(NamedTuple):
    """Compare the clock with its reference now; answer by ``Engine.reading``."""

    clock: str


class ReadClock(NamedTuple):
    """Tell the clock's time by ``Engine.clock_time``: leap seconds and UTC hang on it."""

    clock: str


class Event(NamedTuple):
    """Something that people and the operations plane want to know. ``kind`` and the keys of ``data`` are stable."""

    kind: str
    instance: str
    port: int
    data: dict[str, Any]


EngineEffect = Union[Send, SetFrequency, StepClock, ReadReference, ReadClock, Event]
