"""The clock graph on hardware clocks whose truth is known: real nodes, as users run them."""

from __future__ import annotations

import statistics
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.hil import rig as hil
from tests.hil.graphs import (
    DECLARED,
    NIC,
    PORT,
    SYSTEM,
    TO_SYSTEM,
    clock_of,
    follows,
    locked,
    node,
    rms,
    sample,
    tai_error,
    up,
    utc,
    utc_error,
    wait_for,
)
from tests.netns import namespaces

__all__ = ["utc"]

pytestmark = [*hil.marks, pytest.mark.usefixtures("utc")]

S = 10**9


# ------------------------------------------------------------------------------------------------------------ pulses


def test_a_grandmaster_on_a_pulse_per_second(rig: Callable[..., None], tmp_path: Path) -> None:
    """GNSS 1PPS on a pin, 55 ns of cable; the receiver's pulses scatter by 5 ns."""
    up("hil0")
    for path, value in {"osc_ppt": 23_000_000, "wander_ppt": 100, "pps_noise_ns": 5, "pps_offset_ns": 55}.items():
        hil.knob(f"phc0/{path}", value)
    text = (
        NIC
        + PORT
        + (
            '[instance.reference]\ntype = "pps"\npin = 1\nedge = "rising"\ndelay_ns = 55\ntod = "system"\n'
            'tod_error_s = 0.3\ntime_source = "gnss"\naccuracy = "100 ns"\n'
        )
    )
    with node(tmp_path, "gm", text) as gm:
        wait_for(lambda: locked(gm), 40, gm)
        time.sleep(12)
        errors = sample(12, tai_error)
        print(f"1PPS: true error rms {rms(errors):.1f} ns, max {max(map(abs, errors)):.0f} ns")
        assert max(map(abs, errors)) <= 20
        status = gm.status()
        quality = status["instances"][0]["quality"]
        assert (quality["clock_class"], quality["clock_accuracy"]) == (6, 0x21)
        bound = clock_of(gm, "nic")["bound_ns"]
        assert all(abs(e) <= bound for e in errors), (bound, errors)
        # the antenna is off
        hil.knob("phc0/pps_mask", 0)
        wait_for(lambda: gm.status()["references"][0]["state"] == "holdover", 20, gm)
        time.sleep(8)
        clock = clock_of(gm, "nic")
        assert gm.status()["instances"][0]["quality"]["clock_class"] == 7
        assert clock["bound_ns"] > bound
        assert abs(tai_error(hil.snapshot())) <= clock["bound_ns"]
        assert clock["forecast"]["for_s"] is not None
        hil.knob("phc0/pps_mask", 3)
        wait_for(lambda: locked(gm), 20, gm)
        assert gm.status()["clocks"][0]["steps"] <= 1


def test_a_driver_that_reports_both_edges(rig: Callable[..., None], tmp_path: Path) -> None:
    up("hil0")
    hil.knob("phc0/loose_edges", 1)
    hil.knob("phc0/osc_ppt", -8_000_000)
    text = NIC + PORT + '[instance.reference]\ntype = "pps"\npin = 0\ntod_error_s = 0.3\naccuracy = "100 ns"\n'
    with node(tmp_path, "gm", text) as gm:
        wait_for(lambda: locked(gm), 60, gm)
        time.sleep(15)
        assert abs(tai_error(hil.snapshot())) <= 20
        assert gm.status()["references"][0]["pulses"]["counters"]["pulses-double"] >= 10


# ------------------------------------------------------------------------------------------------ three port clocks

BOUNDARY = """
[[instance]]
role = "boundary"
profile = "unrestricted"
[[instance.port]]
interface = "hil1"
transport = "l2"
log_announce_interval = 0
[[instance.port]]
interface = "hil2"
transport = "l2"
log_announce_interval = 0
[[instance.port]]
interface = "hil4"
transport = "l2"
log_announce_interval = 0
"""


def grandmaster(interface: str, phc: int, priority1: int) -> str:
    return f"""
[node]
name = "gm{phc}"
[[clock]]
name = "nic"
type = "phc"
device = "/dev/ptp{phc}"
steer = false
[[instance]]
role = "grandmaster"
profile = "unrestricted"
priority1 = {priority1}
[[instance.port]]
interface = "{interface}"
transport = "l2"
log_announce_interval = 0
{DECLARED}"""


def test_a_boundary_clock_over_three_hardware_clocks(rig: Callable[..., None], tmp_path: Path) -> None:
    """Its ports are on /dev/ptp1, 2 and 4. The better grandmaster goes away: the other port follows, nobody steps."""
    rig(ports=6)
    for phc, ppt in {1: -20_000_000, 2: 31_000_000, 4: 5_000_000}.items():
        hil.knob(f"phc{phc}/osc_ppt", ppt)
    # two grandmasters on perfect clocks, 400 ns apart
    subprocess.run(["phc_ctl", "/dev/ptp3", "adj", "0.0000004"], check=True, stdout=subprocess.DEVNULL)
    with namespaces("one", "two") as far:
        for interface, name in (("hil0", "one"), ("hil3", "two")):
            subprocess.run(["ip", "link", "set", interface, "netns", far[name].path], check=True)
            far[name].ip(f"link set {interface} up")
        up("hil1", "hil2", "hil4")
        with (
            node(tmp_path, "gm1", grandmaster("hil0", 0, 10), far["one"]) as first,
            node(tmp_path, "gm2", grandmaster("hil3", 3, 20), far["two"]),
            node(tmp_path, "bc", BOUNDARY) as bc,
        ):
            wait_for(lambda: bc.port_state(0, 0) == "SLAVE", 40, bc)
            names = [clock["name"] for clock in bc.status()["clocks"]]
            assert names == ["clock", "ptp2", "ptp4"]
            time.sleep(12)
            found: dict[int, list[float]] = {1: [], 2: [], 4: []}
            for _ in range(12):
                truth = hil.snapshot()
                for phc, values in found.items():
                    values.append(truth.error(phc) - truth.error(0))
                time.sleep(0.5)
            for phc, errors in found.items():
                print(f"BC, /dev/ptp{phc}: rms {rms(errors):.1f} ns, max {max(map(abs, errors)):.0f} ns")
                assert max(map(abs, errors)) <= 30
            steered = {clock["name"]: clock["steered_by"] for clock in bc.status()["clocks"]}
            assert steered == {"clock": "domain0 at clock", "ptp2": "clock -> ptp2", "ptp4": "clock -> ptp4"}
            steps = [clock["steps"] for clock in bc.status()["clocks"]]
            first.stop()
            wait_for(lambda: bc.port_state(0, 1) == "SLAVE", 30, bc)
            # the second one's time is 400 ns away: everybody slews there, and nobody leaves the way
            turned: list[float] = []
            left: dict[int, int] = {1: 400, 2: 400, 4: 400}
            for _ in range(120):
                truth = hil.snapshot()
                turned += [abs(truth.error(phc) - truth.error(0)) for phc in left]
                left = {phc: truth.error(phc) - truth.error(3) for phc in left}
                if all(abs(error) <= 60 for error in left.values()):
                    break
                time.sleep(0.5)
            print(f"BC after the change of grandmaster: {left} ns from the new one, {max(turned):.0f} ns at most")
            assert all(abs(error) <= 60 for error in left.values()), (left, bc.words())
            assert max(turned) <= 1_000
            steered = {clock["name"]: clock["steered_by"] for clock in bc.status()["clocks"]}
            assert steered == {"clock": "ptp2 -> clock", "ptp2": "domain0 at ptp2", "ptp4": "ptp2 -> ptp4"}
            assert [clock["steps"] for clock in bc.status()["clocks"]] == steps
        for interface, name in (("hil0", "one"), ("hil3", "two")):
            far[name].ip(f"link set {interface} netns 1")


# ------------------------------------------------------------------------------------------------------ system clock


def slow_bus() -> None:
    """A PHC that is read over a bus: 500 ns there, up to 1 us more at random, registers that count 8 ns."""
    for path, value in {"read_delay_ns": 500, "read_jitter_ns": 1000, "read_noise_ns": 10}.items():
        hil.knob(f"phc0/{path}", value)


def test_system_clock_follows_no_worse_than_by_phc2sys(rig: Callable[..., None], tmp_path: Path) -> None:
    rig(no_extended=1)
    up("hil0")
    slow_bus()
    phc2sys = subprocess.Popen(["phc2sys", "-s", "/dev/ptp0", "-O", "-37", "-N", "5", "-R", "1", "-q"])
    try:
        time.sleep(12)
        theirs = sample(20, utc_error)
    finally:
        phc2sys.terminate()
        phc2sys.wait(5)
    with node(tmp_path, "gm", NIC + "steer = false\n" + SYSTEM + PORT + DECLARED + TO_SYSTEM) as gm:
        wait_for(lambda: follows(gm, "system"), 30, gm)
        time.sleep(10)
        ours = sample(20, utc_error)
        bound = clock_of(gm, "system")["bound_ns"]
    print(
        f"system clock: ours rms {rms(ours):.0f} ns max {max(map(abs, ours)):.0f}, mean {statistics.mean(ours):+.0f}; "
        f"phc2sys rms {rms(theirs):.0f} ns max {max(map(abs, theirs)):.0f}, mean {statistics.mean(theirs):+.0f}; "
        f"bound {bound:.0f} ns"
    )
    assert rms(ours) <= rms(theirs) + 1
    assert max(map(abs, ours)) <= bound


def test_a_hardware_clock_follows_the_system_clock(rig: Callable[..., None], tmp_path: Path) -> None:
    """The way back: nobody says that the guest's clock is right, so the edge is told to take it as it is."""
    up("hil0")
    hil.knob("phc0/osc_ppt", 40_000_000)
    text = NIC + '[[clock]]\nname = "system"\ntype = "system"\n' + PORT
    text += '[[edge]]\nfrom = "system"\nto = "nic"\nalways = true\n'
    with node(tmp_path, "gm", text) as gm:
        wait_for(lambda: follows(gm, "nic"), 30, gm)
        time.sleep(6)
        errors = sample(6, lambda truth: truth.reading[0] - truth.realtime - 37 * S)
        print(f"system to PHC: rms {rms(errors):.1f} ns")
        assert max(map(abs, errors)) <= 100
