"""Hardware stamps tried, in the guest of the hardware rig; the NIC's setting is what it was afterwards."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from typing import Any

import pytest

from ptpstack.cli.main import main
from ptpstack.net import abilities
from ptpstack.net.abilities import HardwareConfig
from tests.hil import rig as hil

pytestmark = hil.marks


@pytest.fixture
def doctor(rig: Callable[..., None], capsys: pytest.CaptureFixture[str]) -> Callable[..., dict[str, Any]]:
    """``doctor("--switch-on")``: what it finds on hil0, by id, without listening."""

    def run(*arguments: str) -> dict[str, Any]:
        status = main(["doctor", "-i", "hil0", "--listen", "0", "--json", *arguments])
        answer = json.loads(capsys.readouterr().out)
        return {f"{f['id']}": f for f in answer["findings"] if f["subject"] in ("hil0", "/dev/ptp0")} | {"exit": status}

    rig()
    for name in ("hil0", "hil1"):
        subprocess.run(["ip", "link", "set", name, "up"], check=True)
    return run


def test_a_nic_that_is_off_is_not_switched_on(doctor: Callable[..., dict[str, Any]]) -> None:
    before = abilities.current("hil0")
    found = doctor()
    assert "hardware-stamps-not-tried" in found
    assert abilities.current("hil0") == before


def test_switched_on_for_the_trial_and_put_back(doctor: Callable[..., dict[str, Any]]) -> None:
    before = abilities.current("hil0")
    assert before == HardwareConfig(0, 0)
    found = doctor("--switch-on")
    assert found["stamps-come"]["evidence"].startswith("hardware, frame sent by 802.3")
    assert "hardware-stamps-not-tried" not in found
    assert abilities.current("hil0") == before


def test_a_nic_that_gives_no_stamps_is_found_out(doctor: Callable[..., dict[str, Any]]) -> None:
    hil.knob("port0/drop_txts", 100)
    found = doctor("--switch-on")
    assert found["stamp-missing"]["evidence"].startswith("hardware")
    assert found["exit"] == 3


def test_stamps_that_come_late(doctor: Callable[..., dict[str, Any]]) -> None:
    hil.knob("port0/txts_delay_us", 60_000)
    found = doctor("--switch-on")
    assert found["stamp-slow"]["evidence"].startswith("hardware")
