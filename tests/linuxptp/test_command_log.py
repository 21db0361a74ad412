from __future__ import annotations

import math
import re
from types import SimpleNamespace
from typing import Any, cast

import pytest

from ptpstack.engine.engine import Engine
from ptpstack.linuxptp.commands.lines import PortLines, Steadiness, servo_letter, written_identity
from ptpstack.linuxptp.commands.log import DEBUG, ERROR, INFO, WARNING, CommandLog
from ptpstack.linuxptp.commands.statistics import Summary
from ptpstack.servo.base import Command, ServoState


def test_lines_have_name_uptime_and_tag(capfd: pytest.CaptureFixture[str]) -> None:
    log = CommandLog("ptp4l", verbose=True, use_syslog=False, tag="[ptp4l.0.{level}]")
    log.log(INFO, "one")
    log.log(WARNING, "two")
    log.log(DEBUG, "too much")
    out, err = capfd.readouterr()
    assert re.fullmatch(r"ptp4l\[\d+\.\d{3}\]: \[ptp4l\.0\.info\] one\n", out)
    assert re.fullmatch(r"ptp4l\[\d+\.\d{3}\]: \[ptp4l\.0\.warning\] two\n", err)


def test_without_m_the_terminal_is_left_alone(
    capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    sent: list[tuple[int, str]] = []
    monkeypatch.setattr("syslog.syslog", lambda priority, text: sent.append((priority, text)))
    monkeypatch.setattr("syslog.openlog", lambda name: None)
    log = CommandLog("phc2sys", level=WARNING, tag="a")
    log.log(ERROR, "lost")
    log.log(INFO, "not wanted")
    assert capfd.readouterr() == ("", "")
    assert [(priority, re.sub(r"\d+\.\d{3}", "N", text)) for priority, text in sent] == [(ERROR, "[N] a lost")]


def test_a_summary_is_what_its_samples_were() -> None:
    summary = Summary(4)
    samples = [(3.0, 10.0, 100.0), (-4.0, 20.0, 110.0), (0.0, 10.0, 100.0), (12.0, 20.0, 90.0)]
    said = [summary.add(*sample) for sample in samples]
    assert said[:3] == [None] * 3
    rms = math.sqrt((9 + 16 + 144) / 4)
    assert said[3] == f"rms {rms:4.0f} max   12 freq    +15 +/-   5 delay   100 +/-   7"
    assert said[3] == "rms    6 max   12 freq    +15 +/-   5 delay   100 +/-   7"
    # and begins anew; without a delay it speaks of none
    assert [summary.add(5.0, -1.0, None) for _ in range(4)][3] == "rms    5 max    5 freq     -1 +/-   0"


def test_identities_are_written_as_linuxptp_does() -> None:
    assert written_identity("001b21fffeaabbcc") == written_identity("00:1B:21:FF:FE:AA:BB:CC") == "001b21.fffe.aabbcc"


class _Servo:
    def __init__(self, state: ServoState, steering: bool = True) -> None:
        self.state, self.steering = state, steering


def test_the_letters_of_servo_states() -> None:
    step = Command(step_sns=5)

    def letter(state: ServoState, steering: bool = True, command: Command | None = None, steady: bool = False) -> str:
        return servo_letter(_Servo(state, steering), command, steady)  # type: ignore[arg-type]

    assert letter(ServoState.UNLOCKED) == "s0"
    assert letter(ServoState.TRACKING) == "s2"
    assert letter(ServoState.TRACKING, command=step) == "s1"
    # who only watches has locked nothing before it is LOCKED
    assert letter(ServoState.TRACKING, steering=False) == "s0"
    assert letter(ServoState.LOCKED, steering=False) == "s2"
    assert letter(ServoState.LOCKED, steady=True) == "s3"


def test_steady_is_so_many_in_a_row() -> None:
    steady = Steadiness(100.0, 3)
    assert [steady.add(ns) for ns in (50, -99, 100, 1, 2, 3, -400)] == [False] * 5 + [True, False]
    assert not any(Steadiness(0.0, 1).add(0.0) for _ in range(3))


@pytest.mark.parametrize(("interval", "lines"), [(0, 4), (1, 2), (1024, 0), (2**31 - 1, 0), (-(2**31), 4)])
def test_a_summary_interval_of_any_length(interval: int, lines: int) -> None:
    said: list[str] = []
    clocks = {"c": SimpleNamespace(frequency_ppb=0.0)}
    servo = SimpleNamespace(
        estimate=lambda now: SimpleNamespace(value_ns=1.0),
        path_delay_ns=lambda: None,
        state=ServoState.TRACKING,
        steering=True,
    )
    edge: Any = SimpleNamespace(instance="i", clock="c", name="e", log_interval=0, servo=servo)
    port_lines = PortLines(cast(Engine, SimpleNamespace(clocks=clocks)), lambda _, text: said.append(text), interval)
    for now in range(4):
        port_lines.measured(edge, None, now)
    assert len(said) == lines
