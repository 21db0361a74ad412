"""nullf: steps, never another frequency."""

from __future__ import annotations

from ptpstack.servo.controller import Action
from ptpstack.servo.nullf import NullController
from ptpstack.servo.options import ServoOptions


def test_it_steps_at_first_and_beyond_the_threshold_later() -> None:
    controller = NullController(ServoOptions(type="nullf", step_threshold_ns=1e6), 1e6)
    controller.start_from(123.0)
    answers = [controller.sample(offset, n << 40) for n, offset in enumerate((30_000.0, 30_000.0, -2e6, 5.0))]
    assert [a.action for a in answers] == [Action.STEP, Action.ADJUST, Action.STEP, Action.ADJUST]
    assert [a.offset_ns for a in answers] == [30_000.0, 0.0, -2e6, 0.0]
    assert {a.frequency_ppb for a in answers} == {0.0}
    assert controller.hold() == 0.0


def test_without_thresholds_it_never_steps() -> None:
    controller = NullController(ServoOptions(type="nullf", first_step_threshold_ns=0.0), 1e6)
    assert controller.sample(1e12, 1).action is Action.ADJUST


def test_a_clock_in_service_has_no_first_step() -> None:
    controller = NullController(ServoOptions(type="nullf"), 1e6)
    controller.start_from(0.0, in_service=True)
    assert controller.sample(1e9, 1).action is Action.ADJUST
