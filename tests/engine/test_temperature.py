"""A sensor beside an oscillator: asked for now and then, handed to every servo of the clock, part of the trace."""

from __future__ import annotations

import pytest

from ptpstack.clocks.oscillator import OscillatorModel
from ptpstack.engine.trace import METHODS
from ptpstack.sim.build import make_node
from ptpstack.sim.world import World


@pytest.mark.parametrize("sensor", [True, False])
def test_a_sensor_is_asked_every_ten_seconds(sensor: bool) -> None:
    world = World()
    node = make_node(
        world,
        "n",
        1,
        temperature_sensor=sensor,
        oscillator=OscillatorModel(temperature_ppb=5.0, temperature_period_s=400),
    )
    seen: list[float] = []
    original = node.engine.temperature

    def temperature(clock: str, celsius: float, now: int) -> object:
        seen.append(celsius)
        return original(clock, celsius, now)

    node.engine.temperature = temperature  # type: ignore[method-assign,assignment]
    node.start()
    world.run(101)
    assert len(seen) == (11 if sensor else 0)
    if sensor:
        # a quarter of the swing: from 25 to 30 degrees
        assert seen[0] == pytest.approx(25.0, abs=0.1)
        assert seen[-1] == pytest.approx(30.0, abs=0.1)
        assert seen == sorted(seen)


def test_a_trace_holds_temperatures() -> None:
    assert "temperature" in METHODS
