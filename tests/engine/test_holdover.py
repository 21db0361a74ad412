"""How long a holdover keeps its promise: the forecast, the limit, and what is announced on the way."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ptpstack.engine.graph_status import clocks
from ptpstack.engine.holdover import HORIZON_S, time_to_limit
from ptpstack.engine.plan import ReferencePlan
from ptpstack.engine.reference import ReferenceState
from ptpstack.servo.options import ServoOptions
from ptpstack.wire.types import CLOCK_ACCURACY_NS
from tests.engine.bench import Table, instance, plan


@given(st.floats(0.0, 900.0), st.floats(1e-6, 1e3), st.floats(1.0, 2.0))
def test_the_forecast_is_where_the_bound_meets_the_limit(fixed: float, rate: float, power: float) -> None:
    found = time_to_limit(lambda s: rate * s**power, fixed, 1_000.0)
    exact = min(HORIZON_S, ((1_000.0 - fixed) / rate) ** (1 / power))
    assert found is not None
    assert found == pytest.approx(exact, rel=0.02, abs=1.5)
    assert found <= exact + 1e-6, "on the safe side"


def test_what_is_past_or_unknown() -> None:
    assert time_to_limit(lambda s: 2_000.0 + s, 0.0, 1_000.0) == 0.0
    assert time_to_limit(lambda s: None, 0.0, 1_000.0) is None
    assert time_to_limit(lambda s: 1.0, 0.0, 1_000.0) == HORIZON_S


def gm(**fields: object) -> Table:
    reference = ReferencePlan(
        "clock",
        "measured",
        accuracy=0x21,
        servo=ServoOptions(wander_ppb=0.1),
        **fields,  # type: ignore[arg-type]
    )
    table = Table(plan(instance("gm", port={"listen_first": False}), references=(reference,)), ptp_s=1_767_225_637)
    table.start()
    table.run(60)
    return table


def test_the_class_falls_when_the_bound_passes_the_limit_and_when_the_forecast_said_so() -> None:
    table = gm(holdover_limit_ns=1_000.0, holdover_spec_s=1e9)
    (row,) = clocks(table.engine, table.now)
    assert row["forecast"]["limit_ns"] == 1_000.0
    foretold = row["forecast"]["for_s"]
    table.mute.add("clock")
    began = table.now
    while table.engine.references["clock"].state is not ReferenceState.HOLDOVER_OUT_OF_SPEC:
        table.run(5)
        assert table.now - began < 10_000 * 10**9
    assert (table.now - began) / 1e9 == pytest.approx(foretold, rel=0.2)
    decision = table.engine.references["clock"].decision
    assert "1000 ns is the limit" in decision.reason
    assert table.announces()[-1][1].quality.clock_class == 52


def test_TIM_14_the_accuracy_that_is_announced_in_holdover_always_covers_the_bound_and_only_gets_worse() -> None:
    table = gm()
    table.mute.add("clock")
    codes = []
    for _ in range(60):
        table.run(60)
        bound = table.engine.steering.bound_ns("clock", table.now)
        assert bound is not None
        code = table.announces()[-1][1].quality.clock_accuracy
        codes.append(code)
        # told once a second, and an Announce goes out every other
        assert CLOCK_ACCURACY_NS[code] >= bound * 0.99
    assert codes == sorted(codes)
    assert codes[-1] > codes[0]


def test_a_bound_worse_than_the_reference_is_announced_instead_and_hysteresis_keeps_elections_quiet() -> None:
    table = gm()
    reference = table.engine.references["clock"]
    own = table.engine.instances["gm"].options.quality
    table_of = table.engine.instances["gm"].options.quality_table

    def announced(bound_ns: float, at_s: float) -> int:
        reference.bounded(bound_ns, table.now + round(at_s * 1e9))
        return reference.quality(table_of, own).clock_accuracy

    assert announced(60.0, 0) == 0x21
    assert announced(240.0, 1) == 0x22
    assert announced(60.0, 2) == 0x22, "better only when it has held"
    assert announced(700.0, 3) == 0x23, "worse at once"
    assert announced(60.0, 10) == 0x23
    assert announced(60.0, 73.9) == 0x23
    assert announced(60.0, 74.1) == 0x21
    assert math.isfinite(reference.bound_ns or math.nan)
