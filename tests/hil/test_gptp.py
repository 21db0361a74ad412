"""IEEE 802.1AS with hardware time stamps: linuxptp with its example as it ships, at both ends of two relays of ours.

With the threshold of the standard: 800 ns of cable.
"""

from __future__ import annotations

import re
import subprocess
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from tests.hil import rig as hil
from tests.hil.graphs import node, wait_for
from tests.node.nodes import RunningNode

pytestmark = hil.marks

EXAMPLES = Path("/usr/share/doc/linuxptp/configs")
RELAY = """
[node]
name = "{name}"
state_dir = "off"
[[clock]]
type = "phc"
device = "/dev/ptp{phc}"
[[instance]]
profile = "802-1as-2020"
role = "boundary"
priority1 = 246
[[instance.port]]
interface = "hil{up}"
[[instance.port]]
interface = "hil{down}"
"""
CAR = """
[node]
name = "gm"
state_dir = "off"
[[clock]]
type = "phc"
device = "/dev/ptp0"
steer = false
[[instance]]
profile = "automotive"
role = "grandmaster"
[[instance.port]]
interface = "hil0"
[instance.reference]
type = "declared"
state = "locked"
"""
#: two relays with a clock each between hil0 and hil5
PHC_OF = "0,1,1,2,2,3"
WORLD = {"phc0/osc_ppt": 3_000_000, "phc1/osc_ppt": -30_000_000, "phc2/osc_ppt": 45_000_000, "phc3/osc_ppt": -8_000_000}


@contextmanager
def ptp4l(folder: Path, interface: str, *options: str, example: str = "gPTP.cfg") -> Iterator[Path]:
    log = folder / f"{interface}.log"
    where = ["--uds_address", str(folder / interface), "--uds_ro_address", str(folder / f"{interface}-ro")]
    command = ["ptp4l", "-i", interface, "-f", str(EXAMPLES / example), "-m", "-q", *where, *options]
    with log.open("w") as stream, subprocess.Popen(command, stdout=stream, stderr=subprocess.STDOUT) as process:
        try:
            yield log
        finally:
            process.terminate()


def test_PRF_28_a_ptp4l_of_a_car_asks_for_slower_syncs_and_gets_them(tmp_path: Path) -> None:
    """automotive-slave.cfg as it ships: once its servo is stable it asks for operLogSyncInterval 0."""
    if not EXAMPLES.exists():
        pytest.skip(f"no {EXAMPLES}")
    hil.load(ports=2)
    for port in range(2):
        subprocess.run(["ip", "link", "set", f"hil{port}", "up"], check=True)
    with node(tmp_path, "gm", CAR) as gm, ptp4l(tmp_path, "hil1", example="automotive-slave.cfg") as log:
        wait_for(lambda: gm.status()["instances"][0]["ports"][0]["log_sync_interval"] == 0, 90, gm)
        counters = gm.status()["instances"][0]["ports"][0]["counters"]
        assert counters["interval-request-done"] == 1
        assert counters.get("tx-announce", 0) == 0
        time.sleep(8)
        truth = hil.snapshot()
        assert abs(truth.error(1) - truth.error(0)) <= 60, log.read_text()[-2000:]


@pytest.fixture(scope="module")
def chain(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[list[RunningNode], Path]]:
    if not EXAMPLES.exists():
        pytest.skip(f"no {EXAMPLES}")
    folder = tmp_path_factory.mktemp("gptp")
    hil.load(ports=6, phc_of=PHC_OF)
    for path, value in WORLD.items():
        hil.knob(path, value)
    for port in range(6):
        hil.knob(f"port{port}/delay_ns", 500)
        subprocess.run(["ip", "link", "set", f"hil{port}", "up"], check=True)
    with ExitStack() as stack:
        stack.enter_context(ptp4l(folder, "hil0", "--priority1", "100"))
        nodes = [
            stack.enter_context(
                node(folder, f"relay{n}", RELAY.format(name=f"relay{n}", phc=n, up=2 * n - 1, down=2 * n))
            )
            for n in (1, 2)
        ]
        end = stack.enter_context(ptp4l(folder, "hil5", "--step_threshold", "0.00002"))
        yield nodes, end


def states(running: RunningNode) -> list[str]:
    return [port["state"] for port in running.status()["instances"][0]["ports"]]


def sync_locked(running: RunningNode) -> list[bool]:
    return [port["gptp"]["sync_locked"] for port in running.status()["instances"][0]["ports"]]


def test_ptp4l_at_both_ends_of_two_relays_with_the_threshold_of_the_standard(
    chain: tuple[list[RunningNode], Path],
) -> None:
    nodes, end = chain
    for relay in nodes:
        wait_for(lambda relay=relay: states(relay) == ["SLAVE", "MASTER"], 40, relay)  # type: ignore[misc]
        for port in relay.status()["instances"][0]["ports"]:
            assert port["gptp"]["as_capable"], port["gptp"]
            assert port["mean_link_delay_ns"] == pytest.approx(500, abs=20)
        wait_for(lambda relay=relay: sync_locked(relay) == [False, True], 10, relay)  # type: ignore[misc]
    wait_for(lambda: re.search(r"UNCALIBRATED to SLAVE", end.read_text()), 60, nodes[-1])

    def error(phc: int) -> int:
        truth = hil.snapshot()
        return truth.error(phc) - truth.error(0)

    wait_for(lambda: abs(error(3)) < 10, 60, nodes[-1])
    time.sleep(5)
    errors: dict[int, list[int]] = {1: [], 2: [], 3: []}
    for _ in range(20):
        truth = hil.snapshot()
        for phc, seen in errors.items():
            seen.append(truth.error(phc) - truth.error(0))
        time.sleep(0.5)
    print({phc: (min(seen), max(seen)) for phc, seen in errors.items()})
    for phc, seen in errors.items():
        assert max(map(abs, seen)) <= (60 if phc == 3 else 20), (phc, seen)


def test_what_a_relay_tells_of_the_rate_is_that_of_its_oscillator(chain: tuple[list[RunningNode], Path]) -> None:
    nodes, _ = chain
    for relay, own, left in ((nodes[0], -30.0, 3.0), (nodes[1], 45.0, -30.0)):
        ports = relay.status()["instances"][0]["ports"]
        # the neighbour's clock against ours as it runs by itself; that of ptp4l is steered by nobody
        assert (ports[0]["neighbor_rate_ratio"] - 1) * 1e6 == pytest.approx(left - own, abs=0.05)


def test_a_longer_cable_ends_it_and_says_so(chain: tuple[list[RunningNode], Path]) -> None:
    """The last test here: it takes the chain apart."""
    relay = chain[0][0]
    with hil.knobs(port0__delay_ns=900, port1__delay_ns=900):
        wait_for(lambda: states(relay)[0] == "LISTENING", 30, relay)
        gptp = relay.status()["instances"][0]["ports"][0]["gptp"]
        assert "above 800 ns" in gptp["decision"]["reason"]
    wait_for(lambda: states(relay)[0] == "SLAVE", 30, relay)
