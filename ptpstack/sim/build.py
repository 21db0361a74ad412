"""Ready-made nodes for simulations and tests: an ordinary clock, a boundary clock, a grandmaster."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from ptpstack.clocks.oscillator import OscillatorModel
from ptpstack.clocks.simulated import SimulatedClock
from ptpstack.engine.engine import Engine
from ptpstack.engine.plan import ClockPlan, EnginePlan, InstancePlan, ReferencePlan
from ptpstack.protocol.options import InstanceOptions, PortOptions
from ptpstack.servo.options import ServoOptions
from ptpstack.sim.network import SimNode
from ptpstack.sim.world import World


def identity(number: int) -> bytes:
    """A locally administered clock identity that sorts by ``number``."""
    return b"\x02\x00\x00\xff\xfe" + number.to_bytes(3, "big")


def make_node(
    world: World,
    name: str,
    number: int,
    ports: int = 1,
    *,
    seed: int = 0,
    oscillator: OscillatorModel | None = None,
    temperature_sensor: bool = False,
    initial_error_ns: float = 0.0,
    servo: ServoOptions | None = None,
    reference: ReferencePlan | None = None,
    port_options: dict[str, Any] | None = None,
    port_each: Sequence[Mapping[str, Any]] = (),
    grain_ns: int = 1,
    stamp_noise_ns: float = 0.0,
    max_adjustment_ppb: float = 1e6,
    **instance_options: Any,
) -> SimNode:
    """A node with one instance and one simulated clock called ``clock``; channels are ``p1/sim``, ``p2/sim``...

    ``port_options``: of every port; ``port_each``: of one after the other. ``ports`` 0: no instance, only the clock and
    its reference.
    """
    model = oscillator if oscillator is not None else OscillatorModel()
    clock = SimulatedClock(
        world.base,
        model,
        seed=seed,
        name="clock",
        initial_error_ns=initial_error_ns,
        grain_ns=grain_ns,
        noise_ns=stamp_noise_ns,
        max_adjustment_ppb=max_adjustment_ppb,
    )
    base = PortOptions(channel="", **(port_options or {}))
    own = port_each or ({},) * ports
    options = InstanceOptions(
        name="instance",
        clock_identity=identity(number),
        ports=tuple(replace(base, channel=f"p{n + 1}/sim", **each) for n, each in zip(range(ports), own, strict=False)),
        **instance_options,
    )
    plan = EnginePlan(
        instances=(InstancePlan(options, servo or ServoOptions()),) if ports else (),
        clocks=(
            ClockPlan("clock", max_frequency_ppb=clock.capabilities.max_adjustment_ppb, temperature=temperature_sensor),
        ),
        references=(reference,) if reference is not None else (),
        seed=seed,
        name=name,
    )
    return SimNode(world, name, Engine(plan), {"clock": clock})
