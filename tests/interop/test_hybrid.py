"""A transparent clock with an ordinary clock, or a grandmaster, inside the same box, between real peers."""

from __future__ import annotations

import statistics
import time
from functools import partial
from typing import Any

import pytest

from tests.interop.bench import Bench, Outcome, identity, need_peers, percentile, together, until
from tests.interop.frames import judge_frames
from tests.interop.test_transparent import PTP4L, line, load

pytestmark = [pytest.mark.interop, pytest.mark.namespaces, pytest.mark.slow]

MEASURE_S = 12.0
MECHANISM = {"E2E": {"delay_mechanism": "E2E"}, "P2P": {"delay_mechanism": "P2P", "logMinPdelayReqInterval": -1}}

SITE = """
[[clock]]
type = "simulated"
oscillator = "{oscillator}"

[[transparent]]
name = "box"
delay_mechanism = "{mechanism}"
{asks}

[[transparent.port]]
interface = "t1"

[[transparent.port]]
interface = "t2"

[[instance]]
profile = "unrestricted"
{role}

[[instance.port]]
interface = "box"
transport = "{transport}"
delay_mechanism = "{mechanism}"
log_sync_interval = -2
log_announce_interval = 0
log_min_delay_req_interval = -2
"""


def site(mechanism: str, transport: str, role: str, oscillator: str = "tcxo") -> str:
    asks = f'transport = "{transport}"\nlog_min_pdelay_req_interval = -1' if mechanism == "P2P" else ""
    return SITE.format(mechanism=mechanism, transport=transport, role=role, asks=asks, oscillator=oscillator)


def client_inside(mechanism: str, transport: str, bench: Bench) -> dict[str, Any]:
    """ptp4l's grandmaster and client at both ends; the clock of the box follows through one of its ports."""
    gm, between, oc = line(bench)
    bench.capture(between, "t1")
    bench.capture(between, "t2")
    server = bench.ptp4l(gm, "g", transport=transport, priority1=100, **(PTP4L | MECHANISM[mechanism]))
    # ptp4l serves the time of CLOCK_REALTIME and announces it as it is
    box = bench.site(between, site(mechanism, transport, 'client_only = true\narb_is = "utc"')).ready()
    client = bench.ptp4l(oc, "o", transport=transport, slaveOnly=1, priority1=255, **(PTP4L | MECHANISM[mechanism]))
    with load(gm, "10.66.0.2"):
        until("a locked clock inside", box.locked, 60)
        until("measurements beyond it", lambda: len(client.offsets()) >= 3, 60)
        before, errors = len(client.offsets()), []
        end = time.monotonic() + MEASURE_S
        while time.monotonic() < end:
            errors.append(box.error_ns())
            time.sleep(0.2)
    return {
        "inside": errors,
        "beyond": [float(offset) for offset, _ in client.offsets()[before:]],
        "grandmaster": (box.grandmaster(), identity(server.get("DEFAULT_DATA_SET")["clockIdentity"])),
        "transparent": box.ask("status")["transparent"][0],
    }


def grandmaster_inside(mechanism: str, transport: str, bench: Bench) -> dict[str, Any]:
    """The box serves clients at both of its ports."""
    left, between, right = line(bench)
    bench.capture(between, "t1")
    bench.capture(between, "t2")
    role = 'role = "grandmaster"\npriority1 = 10\n[instance.reference]\ntype = "declared"\nstate = "locked"'
    box = bench.site(between, site(mechanism, transport, role, "perfect")).ready()
    options = PTP4L | MECHANISM[mechanism]
    clients = [
        bench.ptp4l(left, "g", transport=transport, slaveOnly=1, priority1=255, **options),
        bench.ptp4l(right, "o", transport=transport, slaveOnly=1, priority1=255, **options),
    ]
    until("measurements at both", lambda: all(len(client.offsets()) >= 3 for client in clients), 60)
    before = [len(client.offsets()) for client in clients]
    time.sleep(MEASURE_S)
    offsets = [client.offsets()[n:] for client, n in zip(clients, before, strict=True)]
    return {
        "offsets": [[float(offset) for offset, _ in each] for each in offsets],
        "delays": [statistics.median(delay for _, delay in each) for each in offsets],
        "grandmasters": [client.grandmaster() for client in clients],
        "own": identity(box.instance()["clock_identity"]),
    }


CLIENTS = {
    f"inside {mechanism} {transport}": partial(client_inside, mechanism, transport)
    for mechanism, transport in (("P2P", "l2"), ("E2E", "udp4"))
}
SERVERS = {
    f"serving {mechanism} {transport}": partial(grandmaster_inside, mechanism, transport)
    for mechanism, transport in (("P2P", "udp4"), ("E2E", "l2"))
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Any:
    return tmp_path_factory.mktemp("hybrid")


@pytest.fixture(scope="module")
def runs(folder: Any) -> dict[str, Outcome]:
    need_peers()
    return together(CLIENTS | SERVERS, folder, at_once=2)


@pytest.mark.parametrize("case", CLIENTS)
def test_the_clock_of_the_box_follows_and_what_passes_is_as_good(runs: dict[str, Outcome], case: str) -> None:
    run = runs[case].get()
    assert run["grandmaster"][0] == run["grandmaster"][1]
    for where in ("inside", "beyond"):
        errors = sorted(abs(e) for e in run[where])
        median = statistics.median(errors)
        print(f"{case}, {where}: median {median / 1e3:.2f} us, p95 {percentile(errors, 0.95) / 1e3:.2f} us")
        assert len(errors) >= 8
        assert median < 20_000
    (inner,) = [port for port in run["transparent"]["ports"] if port["inside"]]
    assert inner["counters"]["delivered"] > 20


@pytest.mark.parametrize("case", SERVERS)
def test_a_grandmaster_inside_serves_both_sides(runs: dict[str, Outcome], case: str) -> None:
    run = runs[case].get()
    assert run["grandmasters"] == [run["own"]] * 2
    for side, offsets, delay in zip(("one side", "other"), run["offsets"], run["delays"], strict=True):
        errors = sorted(abs(e) for e in offsets)
        print(f"{case}, {side}: median {statistics.median(errors) / 1e3:.2f} us, delay {delay / 1e3:.1f} us")
        assert len(errors) >= 8
        assert delay < 50_000


def test_what_it_sends_and_passes_is_well_formed(runs: dict[str, Outcome], folder: Any) -> None:
    seen = judge_frames(runs.values(), folder)
    for kind in ("ANNOUNCE", "SYNC", "FOLLOW_UP", "DELAY_REQ", "DELAY_RESP", "PDELAY_RESP_FOLLOW_UP"):
        assert seen[kind], kind
