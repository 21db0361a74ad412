"""Time handed from peer to peer: within microseconds, and right to the second whatever the time scale.

All clocks here stand over CLOCK_REALTIME: ptp4l reads it as UTC, a simulated clock of ours is a known error from it
as TAI. So the truth is known on both sides.
"""

from __future__ import annotations

import statistics
import time
from dataclasses import dataclass
from functools import partial
from typing import Any

import pytest

from tests.interop.bench import Bench, Node, Outcome, Ptp4l, identity, need_peers, pause, percentile, together, until
from tests.interop.frames import judge_frames

pytestmark = [pytest.mark.interop, pytest.mark.namespaces, pytest.mark.slow]

TRANSPORTS = ("udp4", "udp6", "l2")
LOCK_WITHIN_S = 30.0
#: Sync comes once a second, so ptp4l reports once a second: enough of them that one may be an outlier
MEASURE_S = 22.0
MIN_REPORTS = 20
P95_NS = 3_000.0
#: A busy machine delays single frames by tens of microseconds, and ptp4l reports each as it is: look again then. What
#: is wrong with a peer is wrong in every window.
WINDOWS = 3
FAST = ("--announce", "0")


@dataclass
class Followed:
    """How well a client followed: what it was off the truth, ns."""

    locked_after_s: float
    errors_ns: list[float]

    @property
    def p95_ns(self) -> float:
        return percentile([abs(e) for e in self.errors_ns], 0.95)

    def check(self, least: int, control: Followed) -> None:
        """``control``: ptp4l following ptp4l at the same time, which is what this machine allows just now."""
        assert len(self.errors_ns) >= least
        assert self.locked_after_s <= LOCK_WITHIN_S
        limit = max(P95_NS, 2 * control.p95_ns)
        assert self.p95_ns <= limit, (
            f"p95 {self.p95_ns:.0f} ns (limit {limit:.0f} ns), median {statistics.median(self.errors_ns):+.0f} ns, "
            f"worst {max(abs(e) for e in self.errors_ns):.0f} ns, locked after {self.locked_after_s:.1f} s; "
            f"ptp4l behind ptp4l meanwhile: p95 {control.p95_ns:.0f} ns"
        )


def follow(clients: list[Node | Ptp4l], right_ns: tuple[float, ...] = ()) -> list[Followed]:
    """Wait for each to lock, then watch all of them together.

    ``right_ns``: what each client's error is when all is well (0 unless given).
    """
    right_ns = right_ns or (0.0,) * len(clients)

    def has_time(client: Node | Ptp4l) -> bool:
        return client.locked() if isinstance(client, Node) else len(client.offsets()) >= 3

    locked: dict[int, float] = {}

    def all_locked() -> bool:
        for index, client in enumerate(clients):
            if index not in locked and has_time(client):
                locked[index] = time.monotonic() - client.started
        return len(locked) == len(clients)

    until("every client locked", all_locked, LOCK_WITHIN_S + 10, 0.2)
    for _ in range(WINDOWS):
        errors = [[e - right for e in seen] for seen, right in zip(_watch(clients), right_ns, strict=True)]
        followed = [Followed(locked[index], errors[index]) for index in range(len(clients))]
        if all(f.p95_ns <= P95_NS for f in followed):
            break
    return followed


def _watch(clients: list[Node | Ptp4l]) -> list[list[float]]:
    """The errors of each client during one window: of ours the true error now and then, of ptp4l what it reports."""
    before = [len(c.offsets()) if isinstance(c, Ptp4l) else 0 for c in clients]
    errors: list[list[float]] = [[] for _ in clients]
    end = time.monotonic() + MEASURE_S
    while time.monotonic() < end:
        for index, client in enumerate(clients):
            if isinstance(client, Node):
                errors[index].append(client.error_ns())
        pause(0.25)
    for index, client in enumerate(clients):
        if isinstance(client, Ptp4l):
            errors[index] = [float(offset) for offset, _ in client.offsets()[before[index] :]]
    return errors


def ptp4l_follows_ptp4l(transport: str, bench: Bench) -> dict[str, Any]:
    a, b = bench.namespace("gm"), bench.namespace("oc")
    bench.wire(a, "v0", b, "v1")
    bench.ptp4l(a, "v0", transport=transport, priority1=100)
    return {"followed": follow([bench.ptp4l(b, "v1", transport=transport, slaveOnly=1)])}


def ours_follows_ptp4l(transport: str, bench: Bench) -> dict[str, Any]:
    a, b = bench.namespace("gm"), bench.namespace("oc")
    bench.wire(a, "v0", b, "v1")
    bench.capture(b, "v1")
    grandmaster = bench.ptp4l(a, "v0", transport=transport, priority1=100)
    client = bench.node(
        b, "oc", "-i", "v1", "--client-only", "--simulated", "tcxo", "--arb-is", "utc", "--transport", transport, *FAST
    ).ready()
    followed = follow([client])
    return {
        "followed": followed,
        "view": client.instance(),
        "grandmaster": identity(grandmaster.get("DEFAULT_DATA_SET")["clockIdentity"]),
        "utc": (time.time(), client.instance()["time"]["utc_s"], time.time()),
    }


def ptp4l_follows_ours(transport: str, bench: Bench) -> dict[str, Any]:
    a, b = bench.namespace("gm"), bench.namespace("oc")
    bench.wire(a, "v0", b, "v1")
    bench.capture(a, "v0")
    grandmaster = bench.node(a, "gm", "-i", "v0", "--simulated", "perfect", "--transport", transport, *FAST).ready()
    # what it announces of UTC is valid once its clock is known to be right
    until("a reference that is locked", lambda: grandmaster.ask("status")["references"][0]["state"] == "locked", 20)
    client = bench.ptp4l(b, "v1", transport=transport, slaveOnly=1)
    followed = follow([client])
    return {
        "followed": followed,
        "gm_error_ns": grandmaster.error_ns(),
        "gm": grandmaster.instance(),
        "view": client.get("PARENT_DATA_SET", "CURRENT_DATA_SET", "TIME_PROPERTIES_DATA_SET"),
    }


def both_behind_our_boundary(transport: str, bench: Bench) -> dict[str, Any]:
    gm, bc, oc, foreign = (bench.namespace(name) for name in ("gm", "bc", "oc", "foreign"))
    bench.wire(gm, "v0", bc, "north")
    bench.wire(bc, "south1", oc, "v1")
    bench.wire(bc, "south2", foreign, "v2")
    for namespace, interface in ((bc, "north"), (bc, "south1"), (bc, "south2"), (oc, "v1")):
        bench.capture(namespace, interface)
    grandmaster = bench.ptp4l(gm, "v0", transport=transport, priority1=100)
    boundary = bench.node(
        bc, "bc", "-i", "north", "-i", "south1", "-i", "south2", "--simulated", "tcxo", "--transport", transport, *FAST
    ).ready()
    until("a boundary clock that has locked", boundary.locked, LOCK_WITHIN_S, 0.2)
    locked_after_s = time.monotonic() - boundary.started
    client = bench.node(
        oc, "oc", "-i", "v1", "--client-only", "--simulated", "tcxo", "--arb-is", "utc", "--transport", transport, *FAST
    ).ready()
    theirs = bench.ptp4l(foreign, "v2", transport=transport, slaveOnly=1)
    # a boundary clock hands on the time scale it is given, here UTC: 37 s behind TAI, to the nanosecond
    followed = follow([boundary, client, theirs], (-37e9, 0.0, 0.0))
    followed[0].locked_after_s = locked_after_s
    return {
        "followed": followed,
        "boundary": boundary.instance(),
        "client": client.instance(),
        "theirs": theirs.get("PARENT_DATA_SET", "CURRENT_DATA_SET", "TIME_PROPERTIES_DATA_SET"),
        "grandmaster": identity(grandmaster.get("DEFAULT_DATA_SET")["clockIdentity"]),
    }


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Any:
    return tmp_path_factory.mktemp("sync")


@pytest.fixture(scope="module")
def runs(folder: Any) -> dict[str, Outcome]:
    need_peers()
    scenarios = {
        f"{scenario.__name__}/{transport}": partial(scenario, transport)
        for transport in TRANSPORTS
        for scenario in (ours_follows_ptp4l, ptp4l_follows_ours, both_behind_our_boundary, ptp4l_follows_ptp4l)
    }
    return together(scenarios, folder)


def control(runs: dict[str, Outcome], transport: str) -> Followed:
    followed: Followed = runs[f"ptp4l_follows_ptp4l/{transport}"].get()["followed"][0]
    return followed


@pytest.mark.parametrize("transport", TRANSPORTS)
def test_our_client_follows_a_ptp4l_grandmaster(runs: dict[str, Outcome], transport: str) -> None:
    run = runs[f"ours_follows_ptp4l/{transport}"].get()
    run["followed"][0].check(40, control(runs, transport))
    view = run["view"]
    assert identity(view["grandmaster"]["identity"]) == run["grandmaster"]
    assert view["steps_removed"] == 1
    # ptp4l with software stamps serves UTC and says so by not claiming the PTP time scale
    assert view["time"]["scale"] == "ARB"
    before, told, after = run["utc"]
    assert before - 1 <= told <= after


@pytest.mark.parametrize("transport", TRANSPORTS)
def test_a_ptp4l_client_follows_our_grandmaster(runs: dict[str, Outcome], transport: str) -> None:
    run = runs[f"ptp4l_follows_ours/{transport}"].get()
    assert abs(run["gm_error_ns"]) < 1_000
    # both read CLOCK_REALTIME, we as TAI: an offset of 0 and not of 37 s
    run["followed"][0].check(MIN_REPORTS, control(runs, transport))
    view, ours = run["view"], run["gm"]
    assert identity(view["grandmasterIdentity"]) == identity(ours["clock_identity"])
    assert identity(view["parentPortIdentity"].rpartition("-")[0]) == identity(ours["clock_identity"])
    assert view["parentPortIdentity"].endswith("-1")
    assert (int(view["gm.ClockClass"]), int(view["gm.ClockAccuracy"], 16)) == (
        ours["quality"]["clock_class"],
        ours["quality"]["clock_accuracy"],
    )
    assert int(view["gm.OffsetScaledLogVariance"], 16) == ours["quality"]["variance"]
    assert (view["grandmasterPriority1"], view["grandmasterPriority2"]) == ("128", "128")
    assert view["stepsRemoved"] == "1"
    expected = {
        "currentUtcOffset": "37",
        "currentUtcOffsetValid": "1",
        "ptpTimescale": "1",
        "leap59": "0",
        "leap61": "0",
        # the system clock is no primary reference: nothing is called traceable
        "timeTraceable": "0",
        "frequencyTraceable": "0",
    }
    assert {key: view[key] for key in expected} == expected


@pytest.mark.parametrize("transport", TRANSPORTS)
def test_a_boundary_clock_of_ours_between_foreign_peers(runs: dict[str, Outcome], transport: str) -> None:
    run = runs[f"both_behind_our_boundary/{transport}"].get()
    boundary, client, theirs = run["followed"]
    boundary.check(40, control(runs, transport))
    client.check(40, control(runs, transport))
    theirs.check(MIN_REPORTS, control(runs, transport))
    assert [p["state"] for p in run["boundary"]["ports"]] == ["SLAVE", "MASTER", "MASTER"]
    assert run["boundary"]["steps_removed"] == 1
    assert run["client"]["steps_removed"] == 2
    assert identity(run["client"]["grandmaster"]["identity"]) == run["grandmaster"]
    view = run["theirs"]
    assert identity(view["grandmasterIdentity"]) == run["grandmaster"]
    assert identity(view["parentPortIdentity"].rpartition("-")[0]) == identity(run["boundary"]["clock_identity"])
    assert view["stepsRemoved"] == "2"
    assert view["ptpTimescale"] == "0"


def test_every_frame_we_sent_is_well_formed(runs: dict[str, Outcome], folder: Any) -> None:
    seen = judge_frames(runs.values(), folder)
    assert set(seen) == {"SYNC", "FOLLOW_UP", "ANNOUNCE", "DELAY_REQ", "DELAY_RESP"}
    assert min(seen.values()) > 50
