"""Hardware stamps tried, in the guest of the hardware rig; the NIC's setting is what it was afterwards."""

from __future__ import annotations

import json
import subprocess
import time
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


def test_vlans_and_bonds_and_what_they_mean(rig: Callable[..., None], capsys: pytest.CaptureFixture[str]) -> None:
    def ip(arguments: str) -> None:
        subprocess.run(["ip", *arguments.split()], check=True)

    rig(ports=6)
    subprocess.run(["modprobe", "-a", "8021q", "bonding"], check=True)
    try:
        ip("link add bond7 type bond mode active-backup miimon 100")
        ip("link set hil0 master bond7")
        ip("link set hil2 master bond7")
        ip("link add bond8 type bond mode balance-rr miimon 100")
        ip("link set hil4 master bond8")
        for name in ("hil1", "hil3", "hil5", "bond7", "bond8"):
            ip(f"link set {name} up")
        ip("link add link bond7 name v5 type vlan id 5")
        ip("link set v5 up")
        time.sleep(1)
        main(["doctor", "-i", "v5", "-i", "bond7", "-i", "bond8", "--listen", "0", "--json"])
    finally:
        for name in ("bond7", "bond8"):
            subprocess.run(["ip", "link", "del", name], check=False)
    found = {(f["id"], f["subject"]): f["evidence"] for f in json.loads(capsys.readouterr().out)["findings"]}
    assert "v5 is VLAN 5 on bond7" in found["vlan", "v5"]
    assert "hil0: /dev/ptp" in found["bond-different-clocks", "bond7"]
    assert ("bond-spreads", "bond8") in found


def test_two_real_programs_at_one_clock(doctor: Callable[..., dict[str, Any]]) -> None:
    commands = (
        ["ptp4l", "-i", "hil0", "-s", "-q", "-2"],
        ["phc2sys", "-s", "CLOCK_REALTIME", "-c", "hil0", "-O", "37", "-q"],
    )
    running = [subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) for command in commands]
    try:
        time.sleep(2)
        found = doctor()
    finally:
        for process in running:
            process.kill()
            process.wait()
    contested = found["clock-contested"]
    assert (contested["subject"], contested["severity"]) == ("/dev/ptp0", "error")
    for process, name in zip(running, ("ptp4l", "phc2sys"), strict=True):
        assert f"{name} (pid {process.pid})" in contested["evidence"]
    # ptp4l has switched the NIC's stamping on: the trial needs no setting changed
    assert found["stamps-come"]["evidence"].startswith("hardware")
