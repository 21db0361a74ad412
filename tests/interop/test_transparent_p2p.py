"""Peer-to-peer transparent clocks between peers: ours between ptp4l's ends and our own, ptp4l's between ours, both in a
chain, under load; and the same ends over a bridge of Python that knows no PTP.
"""

from __future__ import annotations

import contextlib
import select
import socket
import statistics
import sys
import threading
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from ptpstack.wire.capture import read_capture
from ptpstack.wire.codec import decode
from ptpstack.wire.encapsulation import PtpPayload, extract
from ptpstack.wire.messages import Announce
from ptpstack.wire.tlvs.profiles import PowerProfile2017
from tests.interop.bench import Bench, Node, Outcome, json_lines, need_peers, percentile, together, until
from tests.interop.frames import judge_frames
from tests.interop.test_transparent import PTP4L, line, load, residences
from tests.netns import Namespace, veth

pytestmark = [pytest.mark.interop, pytest.mark.namespaces, pytest.mark.slow]

MEASURE_S = 12.0
PEERS = {**PTP4L, "delay_mechanism": "P2P", "logMinPdelayReqInterval": -1}
OURS = ("--sync", "-2", "-P", "P2P", "--pdelay-req", "-1", "--announce", "0", "--profile", "unrestricted")
CLOCK = ("--simulated", "tcxo")


def links(tc: Node) -> list[dict[str, Any]]:
    (clock,) = tc.ask("status")["transparent"]
    ports: list[dict[str, Any]] = clock["ports"]
    return ports


def measured(tc: Node) -> bool:
    return all(port["mean_link_delay_ns"] is not None for port in links(tc))


def grandmaster(bench: Bench, gm: Namespace, kind: str, transport: str) -> None:
    if kind == "ours":
        reference = ("--simulated", "perfect", "--reference", "declared")
        bench.node(gm, "gm", "-i", "g", *reference, "--transport", transport, *OURS)
    else:
        bench.ptp4l(gm, "g", transport=transport, priority1=100, **PEERS)


def follow(
    bench: Bench, oc: Namespace, kind: str, transport: str, look: Callable[[], object] = lambda: None
) -> tuple[list[float], float]:
    """Errors of the client over ``MEASURE_S``, ns, and the delay of its link; ``look`` is called now and then."""
    errors: list[float] = []
    if kind == "ours":
        scale = ("--simulated", "ocxo", "--arb-is", "utc")
        client = bench.node(oc, "oc", "-i", "o", "--client-only", *scale, "--transport", transport, *OURS).ready()
        until("a locked client", client.locked, 60)
        time.sleep(3)
        end = time.monotonic() + MEASURE_S
        while time.monotonic() < end:
            errors.append(client.error_ns())
            look()
            time.sleep(0.2)
        return errors, client.instance()["mean_path_delay_ns"]
    daemon = bench.ptp4l(oc, "o", transport=transport, slaveOnly=1, priority1=255, **PEERS)
    until("measurements", lambda: len(daemon.offsets()) >= 3, 60)
    before = len(daemon.offsets())
    end = time.monotonic() + MEASURE_S
    while time.monotonic() < end:
        look()
        time.sleep(0.2)
    offsets = daemon.offsets()[before:]
    return [float(offset) for offset, _ in offsets], statistics.median(delay for _, delay in offsets)


def ours_between(transport: str, ends: str, bench: Bench) -> dict[str, Any]:
    """``ends``: who is grandmaster and who client, such as ``ptp4l ours``."""
    gm, between, oc = line(bench)
    for interface in ("t1", "t2"):
        # a bridge needs no addresses
        between.ip(f"-4 address flush dev {interface}")
        bench.capture(between, interface)
    asking = ("-P", "P2P", "--transport", transport, "--pdelay-req", "-1")
    tc = bench.node(between, "tc", "-i", "t1", "-i", "t2", *CLOCK, *asking).ready()
    master, client = ends.split()
    grandmaster(bench, gm, master, transport)
    inside: list[float] = []
    with load(gm, "10.66.0.2") as sent:
        errors, delay_ns = follow(bench, oc, client, transport, lambda: inside.append(residences(tc)["t2"]))
        count = sent()
    way = {"udp4": "-4", "udp6": "-6", "l2": "-2"}[transport]
    question = (way, "-i", "g", "--json", "GET TRANSPARENT_CLOCK_PORT_DATA_SET")
    told = gm.run(sys.executable, "-m", "ptpstack", "pmc", *question, check=False).stdout
    return {
        "told": [answer for answer in json_lines(told) if "data" in answer],
        "errors": errors,
        "delay_ns": delay_ns,
        "inside": statistics.median(inside),
        "sent": count,
        "passed": sum(c["counters"]["passed"] for c in tc.ask("status")["channels"]),
        "ports": links(tc),
    }


def theirs_between(transport: str, bench: Bench) -> dict[str, Any]:
    """ptp4l as a peer-to-peer transparent clock between a grandmaster and a client of ours."""
    gm, between, oc = line(bench)
    bench.capture(gm, "g")
    bench.capture(oc, "o")
    bench.ptp4l(between, "t1", "t2", transport=transport, clock_type="P2P_TC", **PEERS)
    grandmaster(bench, gm, "ours", transport)
    errors, delay_ns = follow(bench, oc, "ours", transport)
    return {"errors": errors, "delay_ns": delay_ns}


def chain(transport: str, bench: Bench) -> dict[str, Any]:
    """ptp4l's grandmaster, a transparent clock of ours, one of ptp4l, a client of ours."""
    gm, first, second, oc = (bench.namespace(name) for name in ("gm", "tc", "tc2", "oc"))
    veth(gm, "g", first, "t1", "10.66.0.1/24", "10.66.1.9/24")
    veth(first, "t2", second, "t3", "10.66.2.9/24", "10.66.3.9/24")
    veth(second, "t4", oc, "o", "10.66.4.9/24", "10.66.0.2/24")
    asking = ("-P", "P2P", "--transport", transport, "--pdelay-req", "-1")
    tc = bench.node(first, "tc", "-i", "t1", "-i", "t2", *CLOCK, *asking).ready()
    bench.ptp4l(second, "t3", "t4", transport=transport, clock_type="P2P_TC", **PEERS)
    grandmaster(bench, gm, "ptp4l", transport)
    errors, delay_ns = follow(bench, oc, "ours", transport)
    return {"errors": errors, "delay_ns": delay_ns, "ports": links(tc)}


@contextlib.contextmanager
def plain_bridge(between: Namespace, *interfaces: str) -> Iterator[None]:
    """Frames pass between two interfaces, through Python, and nobody counts for how long."""
    sides = []
    with between.entered():
        for interface in interfaces:
            side = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3))
            side.setsockopt(263, 23, 1)  # SOL_PACKET, PACKET_IGNORE_OUTGOING
            side.bind((interface, 3))
            between.ip(f"link set {interface} promisc on")
            sides.append(side)
    ended = threading.Event()

    def run() -> None:
        while not ended.is_set():
            for side in select.select(sides, [], [], 0.1)[0]:
                frame = side.recv(2000)
                with contextlib.suppress(OSError):
                    sides[1 - sides.index(side)].send(frame)

    thread = threading.Thread(target=run)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()
        for side in sides:
            side.close()


def nobody_between(transport: str, bench: Bench) -> dict[str, Any]:
    """The same ends over a bridge that corrects nothing."""
    gm, between, oc = line(bench)
    with plain_bridge(between, "t1", "t2"), load(gm, "10.66.0.2"):
        grandmaster(bench, gm, "ours", transport)
        errors, delay_ns = follow(bench, oc, "ours", transport)
    return {"errors": errors, "delay_ns": delay_ns}


POWER_SERVER = """
[[clock]]
type = "simulated"
oscillator = "perfect"

[[instance]]
role = "grandmaster"
profile = "c37-238-2017"

[instance.reference]
type = "declared"
state = "locked"
accuracy = "100 ns"

[[instance.port]]
interface = "g"
"""

POWER_SITE = """
[[clock]]
type = "simulated"

[[transparent]]
delay_mechanism = "P2P"
transport = "l2"
domain = {domain}
time_inaccuracy_ns = 50

[[transparent.port]]
interface = "t1"

[[transparent.port]]
interface = "t2"
"""


def power(bench: Bench) -> dict[str, Any]:
    """The power profile of 2017: grandmaster and client of ours, a transparent clock that says what it makes worse."""
    gm, between, oc = line(bench)
    bench.capture(gm, "g")
    bench.capture(between, "t2")
    server = bench.site(gm, POWER_SERVER).ready()
    tc = bench.site(between, POWER_SITE.format(domain=server.instance()["domain"])).ready()
    client = bench.node(
        oc, "oc", "-i", "o", "--client-only", "--simulated", "ocxo", "--profile", "c37-238-2017"
    ).ready()
    until("a locked client", client.locked, 60)
    return {"ports": links(tc), "grandmaster": client.grandmaster(), "served": server.grandmaster()}


def inaccuracies(path: Path) -> set[int]:
    """totalTimeInaccuracy of every Announce in a capture, ns."""
    found = set()
    for frame in read_capture(path):
        payload = extract(frame)
        assert isinstance(payload, PtpPayload)
        message = decode(payload.octets)
        if isinstance(message, Announce):
            found |= {t.total_time_inaccuracy_ns for t in message.tlvs if isinstance(t, PowerProfile2017)}
    return found


CASES = {
    f"{ends.replace(' ', ' - ours - ')} {transport}": partial(ours_between, transport, ends)
    for transport, ends in (
        ("udp4", "ptp4l ptp4l"),
        ("l2", "ptp4l ours"),
        ("udp6", "ours ours"),
        ("udp4", "ours ptp4l"),
    )
}
THEIRS = {
    "ours - ptp4l - ours l2": partial(theirs_between, "l2"),
    "ptp4l - ours - ptp4l - ours udp4": partial(chain, "udp4"),
}
POWER = {"power profile l2": power}
WITHOUT = {"ours - no clock - ours l2": partial(nobody_between, "l2")}


def shown(case: str, run: dict[str, Any]) -> float:
    """Median error, ns; printed with the rest."""
    errors = sorted(abs(e) for e in run["errors"])
    assert len(errors) >= 8
    inside = f", inside {run['inside'] / 1e3:.0f} us" if "inside" in run else ""
    print(
        f"{case}: median error {statistics.median(errors) / 1e3:.2f} us, p95 {percentile(errors, 0.95) / 1e3:.2f} us"
        f"{inside}, link delay {run['delay_ns'] / 1e3:.1f} us"
    )
    return statistics.median(errors)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Any:
    return tmp_path_factory.mktemp("transparent-p2p")


@pytest.fixture(scope="module")
def runs(folder: Any) -> dict[str, Outcome]:
    need_peers()
    return together(CASES | THEIRS | POWER | WITHOUT, folder, at_once=2)


@pytest.mark.parametrize("case", CASES)
def test_TC_10_the_time_inside_and_the_link_before_it_are_taken_out(runs: dict[str, Outcome], case: str) -> None:
    run = runs[case].get()
    error = shown(case, run)
    # wires of nanoseconds and a bridge of a hundred microseconds: little of that is left
    assert run["inside"] > 20_000
    assert run["delay_ns"] < run["inside"] / 4
    assert error < max(5_000, run["inside"] / 8)
    assert all(port["mean_link_delay_ns"] < 20_000 for port in run["ports"])


@pytest.mark.parametrize("case", CASES)
def test_TC_09_other_traffic_passes_and_peer_delay_does_not(runs: dict[str, Outcome], case: str) -> None:
    run = runs[case].get()
    assert run["passed"] >= 0.9 * run["sent"] > 100
    for port in run["ports"]:
        assert not [name for name in port["counters"] if name.startswith("drop-") and "unknown" not in name]
        assert not port["counters"].get("pdelay-several-peers")


@pytest.mark.parametrize("case", CASES)
def test_TC_21_its_ports_tell_their_links_when_asked_through_the_network(runs: dict[str, Outcome], case: str) -> None:
    run = runs[case].get()
    ports = sorted(answer["data"]["portIdentity"][-2:] for answer in run["told"])
    assert ports == ["-1", "-2"]
    assert all(0 < answer["data"]["meanLinkDelay"]["ns"] < 20_000 for answer in run["told"])


@pytest.mark.parametrize("case", THEIRS)
def test_a_foreign_transparent_clock_in_between(runs: dict[str, Outcome], case: str) -> None:
    assert shown(case, runs[case].get()) < 20_000


def test_PRF_16_it_adds_what_it_makes_worse_to_the_tlv_of_the_power_profile(runs: dict[str, Outcome]) -> None:
    outcome = runs["power profile l2"]
    run = outcome.get()
    assert run["grandmaster"] == run["served"]
    served, passed = map(inaccuracies, outcome.captures)
    assert served
    assert passed == {inaccuracy + 50 for inaccuracy in served}


@pytest.mark.parametrize("case", WITHOUT)
def test_without_it_the_time_inside_is_in_the_error_or_taken_for_the_link(runs: dict[str, Outcome], case: str) -> None:
    run = runs[case].get()
    assert shown(case, run) + run["delay_ns"] > 5_000


def test_TC_11_and_22_every_frame_sent_is_well_formed_and_both_ports_ask(runs: dict[str, Outcome], folder: Any) -> None:
    seen = judge_frames([runs[case] for case in CASES], folder)
    for kind in ("ANNOUNCE", "SYNC", "FOLLOW_UP", "PDELAY_REQ", "PDELAY_RESP", "PDELAY_RESP_FOLLOW_UP"):
        assert seen[kind], kind
    assert not seen["DELAY_REQ"]
    asked = [port["counters"]["tx-pdelay_req"] for case in CASES for port in runs[case].get()["ports"]]
    assert min(asked) > 8
