"""The simulator gives the figures that ptp4l's PI servo gives in an independent simulator (scenarios a1, a2, a3)."""

from __future__ import annotations

import pytest

from ptpstack.sim.anchors import ANCHORS, Outcome, build, outcome, run


def mean_rms(outcomes: list[Outcome]) -> float:
    return sum(o.rms_ns for o in outcomes) / len(outcomes)


@pytest.mark.slow
@pytest.mark.parametrize(("name", "seeds"), [("a1", 3), ("a2", 3), ("a3", 4)])
def test_rms_agrees_with_ptp4l(name: str, seeds: int) -> None:
    anchor = ANCHORS[name]
    outcomes = [run(anchor, seed) for seed in range(1, seeds + 1)]
    assert all(o.samples == anchor.length_s - anchor.stats_from_s for o in outcomes)
    assert mean_rms(outcomes) == pytest.approx(anchor.ptp4l_rms_ns, rel=0.15)
    # one-sided noise and a median filter: a small bias, the same for every seed, and no outliers
    assert all(abs(o.mean_ns) < 0.3 * o.rms_ns for o in outcomes)
    assert all(o.max_ns < 10 * o.rms_ns for o in outcomes)


def test_a_run_is_a_function_of_its_seed() -> None:
    def history(seed: int) -> list[float]:
        scene = build(ANCHORS["a1"], seed)
        scene.world.run(60)
        return [scene.client.error_ns(), float(scene.world.events)]

    assert history(1) == history(1)
    assert history(1) != history(2)


def test_the_client_starts_where_the_definition_says() -> None:
    scene = build(ANCHORS["a1"], 1)
    scene.world.run(4.9)
    # 10 ms ahead, 50 ppm fast, nobody steers yet
    assert scene.client.error_ns() == pytest.approx(10_000_000 + 50_000 * 4.9, abs=200)
    assert not scene.client.running
    scene.world.run(30)
    assert abs(scene.client.error_ns()) < 1_000


def test_outcome() -> None:
    assert outcome([3.0, -4.0]) == Outcome(pytest.approx(12.5**0.5), -0.5, 4.0, 2)  # type: ignore[arg-type]
