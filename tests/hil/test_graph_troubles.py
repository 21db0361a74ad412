"""What a clock graph lives through: a leap second, other programs, cards that fail or go, restarts."""

from __future__ import annotations

import hashlib
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from ptpstack.timebase.leap import LeapTable
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
    tai_error,
    up,
    utc,
    utc_error,
    wait_for,
)

__all__ = ["utc"]

pytestmark = [*hil.marks, pytest.mark.usefixtures("utc")]

S = 10**9


def leap_list(folder: Path, at_utc_s: int) -> Path:
    """The built-in list and one more leap second."""
    ntp = 2_208_988_800
    table = LeapTable.built_in()
    rows = [(e.utc_s + ntp, e.tai_minus_utc) for e in table.entries]
    rows.append((at_utc_s + ntp, rows[-1][1] + 1))
    updated, expires = table.updated_s + ntp, at_utc_s + ntp + 10_000_000
    digest = hashlib.sha1("".join([str(updated), str(expires), *(f"{a}{b}" for a, b in rows)]).encode()).hexdigest()
    lines = [f"#$ {updated}", f"#@ {expires}", *(f"{a} {b}" for a, b in rows)]
    lines.append("#h " + " ".join(digest[n : n + 8] for n in range(0, 40, 8)))
    path = folder / "leap-seconds.list"
    path.write_text("\n".join(lines) + "\n")
    return path


def test_a_leap_second_passes(rig: Callable[..., None], tmp_path: Path) -> None:
    """23:59:60 UTC in the kernel's clock; the PHC's TAI and our edge between them do not notice."""
    midnight = 1_830_297_600  # 2028-01-01
    before = time.clock_gettime_ns(time.CLOCK_REALTIME), time.monotonic_ns()
    up("hil0")
    try:
        time.clock_settime_ns(time.CLOCK_REALTIME, (midnight - 30) * S)
        subprocess.run(["phc_ctl", "/dev/ptp0", "set", str(midnight - 30 + 37)], check=True, stdout=subprocess.DEVNULL)
        text = f'[node]\nleap_file = "{leap_list(tmp_path, midnight)}"\n'
        text += NIC + "steer = false\n" + SYSTEM + PORT + DECLARED + TO_SYSTEM
        with node(tmp_path, "gm", text) as gm:
            wait_for(lambda: follows(gm, "system"), 40, gm)
            steps = clock_of(gm, "system")["steps"]
            seen = []
            while time.time() < midnight + 6:
                truth = hil.snapshot()
                tai_ns = time.clock_gettime_ns(time.CLOCK_TAI)
                seen.append((truth.reading[0] // S - midnight, utc_error(truth)))
                # CLOCK_TAI and the PHC are the same scale throughout
                assert abs(tai_ns - truth.reading[0]) < S // 20, (tai_ns, truth)
                time.sleep(0.2)
            print("leap second: the worst", max(seen, key=lambda row: abs(row[1])), "of", len(seen))
            assert max(abs(error) for _, error in seen) < 20_000, seen
            truth = hil.snapshot()
            assert round((truth.reading[0] - truth.realtime) / S) == 38
            assert clock_of(gm, "system")["steps"] == steps
            assert clock_of(gm, "nic")["steps"] == 0
            announced = gm.status()["instances"][0]["time_properties"]["current_utc_offset"]
            assert announced == 38
    finally:
        passed = time.monotonic_ns() - before[1]
        time.clock_settime_ns(time.CLOCK_REALTIME, before[0] + passed)


# ---------------------------------------------------------------------------------------------------------- troubles


def test_another_program_at_the_clock_is_found_out(rig: Callable[..., None], tmp_path: Path) -> None:
    up("hil0")
    text = NIC + PORT + '[instance.reference]\ntype = "pps"\npin = 0\ntod_error_s = 0.3\naccuracy = "100 ns"\n'
    with node(tmp_path, "gm", text) as gm:
        wait_for(lambda: locked(gm), 60, gm)
        assert clock_of(gm, "nic")["foreign"]["changes"] == 0
        subprocess.run(["phc_ctl", "/dev/ptp0", "freq", "3000"], check=True, stdout=subprocess.DEVNULL)
        wait_for(lambda: clock_of(gm, "nic")["foreign"]["changes"] == 1, 5, gm)
        assert "somebody else set nic to +3000" in clock_of(gm, "nic")["foreign"]["last"]
        subprocess.run(["phc_ctl", "/dev/ptp0", "adj", "0.5"], check=True, stdout=subprocess.DEVNULL)
        wait_for(lambda: clock_of(gm, "nic")["foreign"]["steps"] == 1, 5, gm)
        wait_for(lambda: abs(tai_error(hil.snapshot())) < 100, 40, gm)


def test_a_clock_that_fails_or_is_pulled_out_while_it_runs(rig: Callable[..., None], tmp_path: Path) -> None:
    up("hil0")
    hil.knob("phc0/osc_ppt", 12_000_000)
    text = NIC + SYSTEM + PORT + '[instance.reference]\ntype = "pps"\npin = 0\ntod_error_s = 0.3\n' + TO_SYSTEM
    with node(tmp_path, "gm", text) as gm:
        wait_for(lambda: follows(gm, "system"), 60, gm)
        # it refuses to be adjusted and to be read for a while
        hil.knob("phc0/fail", 5)
        time.sleep(6)
        assert gm.process.poll() is None
        hil.knob("phc0/fail", 0)
        wait_for(lambda: follows(gm, "system"), 60, gm)
        wait_for(lambda: abs(tai_error(hil.snapshot())) < 100, 60, gm)
        # the card is gone, and comes back as after power-on
        hil.knob("phc0/present", 0)
        time.sleep(8)
        assert gm.process.poll() is None
        assert not clock_of(gm, "system")["edges"][0]["usable"]
        hil.knob("phc0/present", 1)
        wait_for(lambda: "there again" in gm.words(), 15, gm)
        wait_for(lambda: abs(tai_error(hil.snapshot())) < 200, 90, gm)
        wait_for(lambda: follows(gm, "system"), 60, gm)


def test_what_was_learnt_survives_a_restart(rig: Callable[..., None], tmp_path: Path) -> None:
    up("hil0")
    hil.knob("phc0/osc_ppt", 31_000_000)
    text = NIC + PORT + '[instance.reference]\ntype = "pps"\npin = 0\ntod_error_s = 0.3\n'
    with node(tmp_path, "gm", text) as gm:
        wait_for(lambda: locked(gm), 60, gm)
        time.sleep(15)
    # as after a power cut: the driver has forgotten the frequency, the pulses are not there
    subprocess.run(["phc_ctl", "/dev/ptp0", "freq", "0"], check=True, stdout=subprocess.DEVNULL)
    hil.knob("phc0/pps_mask", 0)
    with node(tmp_path, "gm", text) as gm:
        assert clock_of(gm, "nic")["frequency_ppb"] == pytest.approx(-31_000, abs=100)
        assert "before the restart" in gm.words() or "goes on from" in gm.words()
