"""What the engine asks of its driver, beside the protocol's ``Send``."""

from __future__ import annotations

from typing import Any, NamedTuple, Union

from ptpstack.protocol.effects import Send, SendLocal


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


class ReadPair(NamedTuple):
    """Compare the clock with another, by a burst of ``samples`` readings; answer by ``Engine.reading``."""

    source: str
    clock: str
    samples: int


class ReadTimeOfDay(NamedTuple):
    """Compare the clock with the one that tells the seconds of its pulses; answer by ``Engine.time_of_day``."""

    clock: str


class ReadTemperature(NamedTuple):
    """Ask the sensor beside the clock's oscillator; answer by ``Engine.temperature``."""

    clock: str


class ReadClock(NamedTuple):
    """Tell the clock's time and the frequency in force by ``Engine.clock_time``: leap seconds, UTC, and whether
    somebody else has changed it, hang on it.
    """

    clock: str


class DeclareClock(NamedTuple):
    """Tell the kernel how good its clock is. ``bound_ns`` None: it is not synchronised any more.

    ``leap``: the leap second that ends this UTC day, +1, -1 or 0. ``utc_offset_s``: TAI - UTC now.
    """

    clock: str
    bound_ns: float | None
    estimated_ns: float
    utc_offset_s: int
    leap: int


class KeepSettings(NamedTuple):
    """Keep what management has set on an instance over a restart, in place of what was kept before; ``entries``: for
    ``Engine.restore``, JSON-ready.
    """

    instance: str
    entries: list[list[Any]]


class Event(NamedTuple):
    """Something that people and the operations plane want to know. ``kind`` and the keys of ``data`` are stable."""

    kind: str
    instance: str
    port: int
    data: dict[str, Any]


EngineEffect = Union[
    Send,
    SendLocal,
    SetFrequency,
    StepClock,
    ReadReference,
    ReadPair,
    ReadTimeOfDay,
    ReadTemperature,
    ReadClock,
    DeclareClock,
    KeepSettings,
    Event,
]
