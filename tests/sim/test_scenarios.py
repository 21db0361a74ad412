"""Scenarios from files: the simulator gives the figures that linuxptp's PI servo gives in an independent simulator."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest

from ptpstack.sim.figures import together
from ptpstack.sim.runner import run
from ptpstack.sim.scenario_file import ANCHORS, builtin_scenarios, load_scenario
from ptpstack.sim.scene import build

SHORT = replace(load_scenario("a1"), length_s=150.0, stats_from_s=60.0)


@pytest.mark.slow
@pytest.mark.parametrize(("name", "figure", "seeds"), [
    ("a1", "rms_ns", 3),
    ("a2", "rms_ns", 3),
    ("b2", "rms_ns", 3),
    ("c1", "max_ns", 1),
    ("c2", "max_ns", 1),
    ("d2", "max_ns", 1),
    ("g1-best", "rms_ns", 3),
])  # fmt: skip
def test_a_pi_servo_gives_the_published_figure(name: str, figure: str, seeds: int) -> None:
    scenario = load_scenario(name)
    [published] = [p for p in scenario.published if p.servo == "pi"]
    outcomes = [run(scenario, seed, "pi", keep_series=False) for seed in range(1, seeds + 1)]
    assert together(figure, outcomes) == pytest.approx(published.figures[figure], rel=0.10)


@pytest.mark.parametrize("name", builtin_scenarios())
def test_every_built_in_scenario_can_be_built(name: str) -> None:
    scenario = load_scenario(name)
    assert scenario.name == name
    scene = build(scenario, 1)
    scene.world.run(20)
    # all are at work, and time has begun to spread
    assert all(node.running for node in scene.nodes.values())
    edges = [edge for node in scene.nodes.values() for edge in node.engine.clocks["clock"].edges]
    assert any(edge.measurements for edge in edges)


def test_the_anchors_are_there_and_have_limits() -> None:
    for name in ANCHORS:
        scenario = load_scenario(name)
        assert any(e.must is not None for e in scenario.expect), name
        assert scenario.published, name


def test_a_run_is_a_function_of_its_seed() -> None:
    first, again, other = (run(SHORT, seed, "pi") for seed in (1, 1, 2))
    assert first.series.error_ns == again.series.error_ns
    assert first.figures == again.figures
    assert first.events == again.events
    assert first.series.error_ns != other.series.error_ns


def test_the_client_starts_where_the_file_says() -> None:
    scene = build(SHORT, 1, "pi")
    scene.world.run(4.9)
    # 10 ms ahead, 50 ppm fast, nobody steers yet
    assert scene.measured.error_ns() == pytest.approx(10_000_000 + 50_000 * 4.9, abs=200)
    assert not scene.measured.running
    scene.world.run(30)
    assert abs(scene.measured.error_ns()) < 1_000


def test_samples_lie_on_their_grid_whatever_happens_before_lock() -> None:
    outcome = run(replace(SHORT, sample_phase_s=0.3), 1, "pi")
    assert outcome.series.t_s == [n + 0.3 for n in range(150)]
    assert outcome.samples == 90
    assert outcome.figures["lock_s"] is not None
    rms = math.sqrt(sum(e * e for e in outcome.series.error_ns[60:]) / 90)
    assert outcome.figures["rms_ns"] == pytest.approx(rms)
