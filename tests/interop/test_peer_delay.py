"""Peer delay with real peers: both roles, a boundary clock between both mechanisms, a link whose ends differ."""

from __future__ import annotations

import re
import statistics
from functools import partial
from typing import Any

import pytest

from tests.interop.bench import Bench, Outcome, Ptp4l, identity, need_peers, pause, together, until
from tests.interop.frames import judge_frames
from tests.interop.test_synchronisation import FAST, MIN_REPORTS, Followed, follow

pytestmark = [pytest.mark.interop, pytest.mark.namespaces, pytest.mark.slow]

TRANSPORTS = ("udp4", "udp6", "l2")
P2P = {"delay_mechanism": "P2P", "logMinPdelayReqInterval": 0}
OURS = ("--simulated", "tcxo", "--arb-is", "utc", "-P", "P2P", *FAST)
#: what ptp4l says when a peer misbehaves
_COMPLAINT = re.compile(r"rogue|multiple|FAULT|bad message|ignor|timed out|failed", re.IGNORECASE)


def complaints(daemon: Ptp4l) -> list[str]:
    return [line for line in daemon.lines() if _COMPLAINT.search(line)]


def ptp4l_follows_ptp4l(transport: str, bench: Bench) -> dict[str, Any]:
    a, b = bench.namespace("gm"), bench.namespace("oc")
    bench.wire(a, "v0", b, "v1")
    bench.ptp4l(a, "v0", transport=transport, priority1=100, **P2P)
    return {"followed": follow([bench.ptp4l(b, "v1", transport=transport, slaveOnly=1, **P2P)])}


def ours_follows_ptp4l(transport: str, bench: Bench) -> dict[str, Any]:
    a, b = bench.namespace("gm"), bench.namespace("oc")
    bench.wire(a, "v0", b, "v1")
    bench.capture(b, "v1")
    grandmaster = bench.ptp4l(a, "v0", transport=transport, priority1=100, **P2P)
    client = bench.node(b, "oc", "-i", "v1", "--client-only", "--transport", transport, *OURS).ready()
    followed = follow([client])
    return {
        "followed": followed,
        "view": client.instance(),
        "explain": client.ask("explain"),
        "grandmaster": identity(grandmaster.get("DEFAULT_DATA_SET")["clockIdentity"]),
        # they measure the same link through us
        "their delay": grandmaster.get("PORT_DATA_SET").get("peerMeanPathDelay"),
        "complaints": complaints(grandmaster),
    }


def ptp4l_follows_ours(transport: str, bench: Bench) -> dict[str, Any]:
    a, b = bench.namespace("gm"), bench.namespace("oc")
    bench.wire(a, "v0", b, "v1")
    bench.capture(a, "v0")
    options = ("--simulated", "perfect", "--transport", transport, "-P", "P2P", *FAST)
    grandmaster = bench.node(a, "gm", "-i", "v0", *options).ready()
    until("a reference that is locked", lambda: grandmaster.ask("status")["references"][0]["state"] == "locked", 20)
    client = bench.ptp4l(b, "v1", transport=transport, slaveOnly=1, **P2P)
    return {"followed": follow([client]), "gm": grandmaster.instance(), "complaints": complaints(client)}


def boundary_between_both(transport: str, bench: Bench) -> dict[str, Any]:
    """Peer delay to the grandmaster, end to end to the client."""
    gm, bc, oc = (bench.namespace(name) for name in ("gm", "bc", "oc"))
    bench.wire(gm, "v0", bc, "north")
    bench.wire(bc, "south", oc, "v1")
    bench.capture(bc, "north")
    bench.capture(bc, "south")
    grandmaster = bench.ptp4l(gm, "v0", transport=transport, priority1=100, **P2P)
    boundary = bench.site(
        bc,
        f"""
        [[clock]]
        type = "simulated"
        [[instance]]
        role = "boundary"
        [[instance.port]]
        interface = "north"
        transport = "{transport}"
        delay_mechanism = "P2P"
        log_announce_interval = 0
        [[instance.port]]
        interface = "south"
        transport = "{transport}"
        log_announce_interval = 0
        """,
    ).ready()
    until("a boundary clock that has locked", boundary.locked, 40, 0.2)
    client = bench.ptp4l(oc, "v1", transport=transport, slaveOnly=1)
    return {
        # it hands on UTC, as it is given it
        "followed": follow([boundary, client], (-37e9, 0.0)),
        "boundary": boundary.instance(),
        "complaints": complaints(grandmaster) + complaints(client),
    }


def ends_that_differ(transport: str, bench: Bench) -> dict[str, Any]:
    a, b = bench.namespace("gm"), bench.namespace("oc")
    bench.wire(a, "v0", b, "v1")
    bench.ptp4l(a, "v0", transport=transport, priority1=100)
    client = bench.node(b, "oc", "-i", "v1", "--client-only", "--transport", transport, *OURS).ready()
    until("a parent", lambda: client.port_states() == ["UNCALIBRATED"], 20)
    pause(6)
    return {"explain": client.ask("explain"), "states": client.port_states(), "view": client.instance()}


def they_measure_end_to_end(transport: str, bench: Bench) -> dict[str, Any]:
    a, b = bench.namespace("gm"), bench.namespace("oc")
    bench.wire(a, "v0", b, "v1")
    options = ("--simulated", "perfect", "--transport", transport, "-P", "P2P", *FAST)
    grandmaster = bench.node(a, "gm", "-i", "v0", *options).ready()
    bench.ptp4l(b, "v1", transport=transport, slaveOnly=1)
    until("a Delay_Req", lambda: grandmaster.instance()["ports"][0]["counters"].get("drop-e2e-on-p2p-port"), 20)
    return {"explain": grandmaster.ask("explain"), "view": grandmaster.instance()}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Any:
    return tmp_path_factory.mktemp("peer-delay")


@pytest.fixture(scope="module")
def runs(folder: Any) -> dict[str, Outcome]:
    need_peers()
    scenarios = {
        f"{scenario.__name__}/{transport}": partial(scenario, transport)
        for transport in TRANSPORTS
        for scenario in (ours_follows_ptp4l, ptp4l_follows_ours, ptp4l_follows_ptp4l)
    }
    scenarios["boundary_between_both/l2"] = partial(boundary_between_both, "l2")
    scenarios["ends_that_differ/udp4"] = partial(ends_that_differ, "udp4")
    scenarios["they_measure_end_to_end/udp4"] = partial(they_measure_end_to_end, "udp4")
    return together(scenarios, folder)


def control(runs: dict[str, Outcome], transport: str) -> Followed:
    followed: Followed = runs[f"ptp4l_follows_ptp4l/{transport}"].get()["followed"][0]
    return followed


def told(name: str, followed: Followed) -> None:
    errors = followed.errors_ns
    print(f"{name}: median {statistics.median(errors):+.0f} ns, p95 {followed.p95_ns:.0f} ns of {len(errors)}")


@pytest.mark.parametrize("transport", TRANSPORTS)
def test_our_client_follows_a_ptp4l_grandmaster_by_peer_delay(runs: dict[str, Outcome], transport: str) -> None:
    run = runs[f"ours_follows_ptp4l/{transport}"].get()
    told(f"ours behind ptp4l, {transport}", run["followed"][0])
    told(f"ptp4l behind ptp4l, {transport}", control(runs, transport))
    run["followed"][0].check(40, control(runs, transport))
    (port,) = run["view"]["ports"]
    assert port["delay_mechanism"] == "P2P"
    assert identity(port["neighbor"].rpartition("-")[0]) == run["grandmaster"]
    assert 0 < port["mean_link_delay_ns"] < 1e6
    assert 0 < float(run["their delay"]) < 1e6
    assert port["counters"].get("tx-delay_req", 0) == 0
    assert run["complaints"] == []


@pytest.mark.parametrize("transport", TRANSPORTS)
def test_a_ptp4l_client_follows_our_grandmaster_by_peer_delay(runs: dict[str, Outcome], transport: str) -> None:
    run = runs[f"ptp4l_follows_ours/{transport}"].get()
    told(f"ptp4l behind ours, {transport}", run["followed"][0])
    run["followed"][0].check(MIN_REPORTS, control(runs, transport))
    counters = run["gm"]["ports"][0]["counters"]
    assert counters["tx-pdelay_resp_follow_up"] >= 20
    assert run["complaints"] == []


def test_BC_13_a_boundary_clock_with_a_port_of_each_mechanism(runs: dict[str, Outcome]) -> None:
    run = runs["boundary_between_both/l2"].get()
    boundary, client = run["followed"]
    told("boundary behind ptp4l by peer delay", boundary)
    told("ptp4l behind boundary end to end", client)
    boundary.check(40, control(runs, "l2"))
    client.check(MIN_REPORTS, control(runs, "l2"))
    north, south = run["boundary"]["ports"]
    assert (north["state"], south["state"]) == ("SLAVE", "MASTER")
    assert north["counters"].get("rx-delay_resp", 0) == 0
    assert south["counters"].get("tx-pdelay_req", 0) == 0
    assert run["complaints"] == []


def test_a_link_whose_ends_differ_is_explained(runs: dict[str, Outcome]) -> None:
    run = runs["ends_that_differ/udp4"].get()
    assert run["states"] == ["UNCALIBRATED"]
    (instance,) = run["explain"]["instances"]
    assert any("no answered Pdelay_Req" in line for line in instance["synchronisation"])
    remarks = instance["ports"][0]["remarks"]
    assert sum("does the other end of this link use peer delay" in line for line in remarks) == 1


def test_E2E_17_delay_req_to_our_port_with_peer_delay_is_explained(runs: dict[str, Outcome]) -> None:
    run = runs["they_measure_end_to_end/udp4"].get()
    assert run["view"]["ports"][0]["counters"].get("tx-delay_resp", 0) == 0
    remarks = run["explain"]["instances"][0]["ports"][0]["remarks"]
    assert sum("delay_mechanism E2E; both ends" in line for line in remarks) == 1


def test_every_frame_we_sent_is_well_formed(runs: dict[str, Outcome], folder: Any) -> None:
    seen = judge_frames(runs.values(), folder)
    assert {"PDELAY_REQ", "PDELAY_RESP", "PDELAY_RESP_FOLLOW_UP", "SYNC", "FOLLOW_UP", "ANNOUNCE"} <= set(seen)
    assert min(seen[kind] for kind in ("PDELAY_REQ", "PDELAY_RESP", "PDELAY_RESP_FOLLOW_UP")) > 50
