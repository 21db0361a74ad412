"""What an engine has learnt and a later one can use: a restart is a holdover.

By clock: the frequency that a trusted servo has learnt for it, each servo's own memory, under the name of its edge, and
what ports that it stamps know of their links, under ``INSTANCE/PORT``.
What does not fit the present graph is passed over, and an event says so.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from ptpstack.engine.effects import Event, SetFrequency
from ptpstack.engine.steering import TRUSTED

if TYPE_CHECKING:
    from ptpstack.engine.engine import Engine
    from ptpstack.protocol.port import Port


def kept_of(engine: Engine, now: int) -> dict[str, Any]:
    """By clock, only clocks of which something is known."""
    result: dict[str, Any] = {}
    for name, clock in engine.clocks.items():
        memories = {e.name: kept for e in clock.edges if (kept := e.servo.keep(now)) is not None}
        trusted = clock.steering is not None and clock.steering.servo.state in TRUSTED
        links = {key: kept for key, port in _ports(engine, name) if (kept := port.delay.keep()) is not None}
        if memories or trusted or links:
            result[name] = {"frequency_ppb": clock.frequency_ppb if trusted else None, "edges": memories}
        if links:
            result[name]["links"] = links
    return result


def _ports(engine: Engine, clock: str) -> Iterator[tuple[str, Port]]:
    """The ports that a clock stamps, and what they are called here."""
    for name, instance in engine.instances.items():
        for port in instance.ports:
            if instance.options.clock_of(port.options) == clock:
                yield f"{name}/{port.number}", port


def take_up(engine: Engine, kept: Mapping[str, Any], now: int) -> None:
    """Give each servo its memory, and each clock the frequency that was learnt for it.

    ``kept`` is what ``kept_of`` made, with ``age_s`` for each clock. Nothing in it raises.
    """
    for name, entry in kept.items():
        clock = engine.clocks.get(name)
        if clock is None:
            continue
        try:
            age_s, memories, links = float(entry["age_s"]), dict(entry["edges"]), dict(entry.get("links", {}))
            wanted = entry["frequency_ppb"]
            frequency = clock.frequency_ppb if wanted is None else float(wanted)
            if not math.isfinite(age_s) or age_s < 0 or not abs(frequency) <= clock.max_frequency_ppb:
                raise ValueError(f"{frequency:+.1f} ppb, {age_s:.0f} s old")
        except (KeyError, TypeError, ValueError) as error:
            _tell(engine, name, f"what was kept of it is not used: {error!r}")
            continue
        if wanted is not None and clock.steerable and frequency != clock.frequency_ppb:
            clock.frequency_ppb = frequency
            engine.emit(SetFrequency(name, frequency, f"learnt {age_s:.0f} s ago, before the restart"))
        _tell(engine, name, f"goes on from {frequency:+.1f} ppb, learnt {age_s:.0f} s ago")
        for edge in clock.edges:
            if edge.name in memories:
                try:
                    edge.servo.resume(memories[edge.name], age_s, frequency)
                except (KeyError, TypeError, ValueError, AttributeError) as error:
                    _tell(engine, name, f"what the servo of {edge.name} kept is not used: {error!r}")

        for key, port in _ports(engine, name):
            if key in links:
                try:
                    port.delay.resume(links[key])
                except (KeyError, TypeError, ValueError) as error:
                    _tell(engine, name, f"what was kept of the link of {key} is not used: {error!r}")


def _tell(engine: Engine, clock: str, reason: str) -> None:
    engine.emit(Event("drift-file", "", 0, {"clock": clock, "reason": reason}))
