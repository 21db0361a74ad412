"""Single late frames hardly move a clock with software stamps; what lasts is followed all the same."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ptpstack.servo.classic import ClassicServo
from ptpstack.servo.options import ServoOptions
from ptpstack.servo.outliers import FACTOR, LEAST, PATIENCE, OutlierGate

ORDINARY = [300.0, -250.0, 400.0, -350.0, 300.0, -300.0]


def settled() -> OutlierGate:
    gate = OutlierGate()
    for offset in ORDINARY:
        assert gate.admit(offset) == offset
    return gate


@pytest.mark.parametrize("sign", [1, -1])
def test_an_outlier_counts_as_the_limit_with_its_sign(sign: int) -> None:
    assert settled().admit(sign * 26_000.0) == sign * FACTOR * 300.0


def test_what_repeats_passes_until_it_is_ordinary_again() -> None:
    gate = settled()
    for _ in range(PATIENCE):
        assert gate.admit(26_000.0) < 3_000.0
    assert gate.admit(26_000.0) == 26_000.0
    assert gate.admit(24_000.0) == 24_000.0


def test_one_ordinary_offset_closes_the_gate_again() -> None:
    gate = settled()
    for _ in range(4):
        assert gate.admit(26_000.0) < 3_000.0
        assert gate.admit(200.0) == 200.0


@given(st.lists(st.floats(-1e12, 1e12), max_size=LEAST - 1))
def test_without_enough_samples_everything_passes(offsets: list[float]) -> None:
    gate = OutlierGate()
    assert [gate.admit(offset) for offset in offsets] == offsets


@given(st.lists(st.floats(-1e12, 1e12), max_size=60))
def test_it_never_makes_more_of_an_offset_nor_turns_it_round(offsets: list[float]) -> None:
    gate = OutlierGate()
    for offset in offsets:
        admitted = gate.admit(offset)
        assert abs(admitted) <= abs(offset)
        assert admitted * offset >= 0


def test_after_clear_nothing_is_usual() -> None:
    gate = settled()
    gate.clear()
    assert gate.admit(26_000.0) == 26_000.0


class Follower:
    """A clock 3 ppm fast behind a path of 2 us, in steps of one second."""

    def __init__(self, gains: str, seed: int = 1) -> None:
        self.servo = ClassicServo(ServoOptions(gains=gains))
        self.rng = random.Random(seed)
        self.phase_ns, self.frequency_ppb, self.correction_ppb = 4e6, 3_000.0, 0.0
        self.now_ns = 0

    def second(self, late_ns: float = 0.0) -> float:
        """One Sync (``late_ns`` late) and one Delay_Req; the true error then."""
        self.now_ns += 1_000_000_000
        self.phase_ns += self.frequency_ppb + self.correction_ppb
        t1 = self.now_ns << 16

        def delay() -> int:
            return round((2_000 + self.rng.gauss(0.0, 300.0)) * 65536)

        phase = round(self.phase_ns * 65536)
        command = self.servo.sync(t1, t1 + phase + delay() + round(late_ns * 65536), 0, self.now_ns)
        if command is not None:
            if command.frequency_ppb is not None:
                self.correction_ppb = command.frequency_ppb
            if command.step_sns is not None:
                self.phase_ns += command.step_sns / 65536
            self.servo.commanded(t1, self.correction_ppb, command.step_sns or 0, self.now_ns)
        self.servo.delay(t1 + round(self.phase_ns * 65536), t1 + delay(), 0, self.now_ns)
        return abs(self.phase_ns)


def test_a_late_sync_hardly_moves_the_clock() -> None:
    clock = Follower("software")
    for _ in range(30):
        clock.second()
    clock.second(late_ns=26_000.0)
    assert "far beyond the usual" in clock.servo.reason
    assert max(clock.second() for _ in range(8)) < 3_000.0


def test_a_real_change_of_phase_is_followed() -> None:
    clock = Follower("software")
    for _ in range(30):
        clock.second()
    clock.phase_ns += 200_000.0
    for _ in range(40):
        clock.second()
    assert max(clock.second() for _ in range(10)) < 2_000.0


def test_a_real_change_of_frequency_is_followed() -> None:
    clock = Follower("software")
    for _ in range(30):
        clock.second()
    clock.frequency_ppb += 2_000.0
    worst = max(clock.second() for _ in range(40))
    assert worst < 15_000.0
    assert max(clock.second() for _ in range(10)) < 2_000.0


def test_hardware_stamps_are_taken_as_they_are() -> None:
    clock = Follower("hardware")
    for _ in range(30):
        clock.second()
    clock.second(late_ns=26_000.0)
    assert "far beyond" not in clock.servo.reason
    # kp + ki = 1 of a late stamp goes into the next second
    assert clock.second() > 20_000.0
