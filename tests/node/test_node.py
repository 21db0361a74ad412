"""A node as a process: what happens to it from outside."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.netns import Namespace, namespaces, veth
from tests.node.nodes import RunningNode, wait_for

pytestmark = pytest.mark.namespaces


@pytest.fixture
def wire() -> Iterator[tuple[Namespace, Namespace]]:
    with namespaces("a", "b") as ns:
        veth(ns["a"], "va", ns["b"], "vb", "10.7.0.1/24", "10.7.0.2/24")
        yield ns["a"], ns["b"]


def _gm(namespace: Namespace, folder: Path, *more: str) -> RunningNode:
    return RunningNode(namespace, folder, "gm", "gm", "-i", "va", "--simulated", "perfect", "--announce", "0", *more)


def _oc(namespace: Namespace, folder: Path, *more: str) -> RunningNode:
    return RunningNode(
        namespace, folder, "oc", "oc", "-i", "vb", "--client-only", "--simulated", "tcxo", "--announce", "0", *more
    )


def test_an_interface_that_is_made_anew_is_used_again(wire: tuple[Namespace, Namespace], tmp_path: Path) -> None:
    a, b = wire
    gm, oc = _gm(a, tmp_path).ready(), _oc(b, tmp_path).ready()
    wait_for(lambda: oc.port_state() in ("UNCALIBRATED", "SLAVE"), 20, oc.words)
    a.ip("link del va")
    wait_for(lambda: gm.port_state() == oc.port_state() == "FAULTY", 10, oc.words)
    explained = oc.ask("explain", port=1)["instances"][0]["ports"][0]
    assert "the link is down" in explained["sentence"]
    veth(a, "va", b, "vb", "10.7.0.1/24", "10.7.0.2/24")
    wait_for(lambda: gm.port_state() == "MASTER", 10, gm.words)
    before = gm.status()["channels"][0]["counters"]["tx_stamp_missing"]
    wait_for(lambda: oc.port_state() == "SLAVE", 30, oc.words)
    assert gm.status()["channels"][0]["counters"]["tx_stamp_missing"] == before
    assert gm.stop() == oc.stop() == 0


def test_the_socket_of_a_living_node_is_not_taken(wire: tuple[Namespace, Namespace], tmp_path: Path) -> None:
    a, b = wire
    gm = _gm(a, tmp_path).ready()
    second = RunningNode(b, tmp_path, "gm", "oc", "-i", "vb", "--simulated", "perfect")
    assert second.process.wait(10) == 1
    assert "another node already serves" in second.words()
    assert gm.status()["instances"]
    gm.process.kill()
    gm.process.wait(10)
    # a dead one's is
    third = RunningNode(b, tmp_path, "gm", "oc", "-i", "vb", "--simulated", "perfect").ready()
    assert third.stop() == 0


def test_requests_that_are_wrong_get_an_answer(wire: tuple[Namespace, Namespace], tmp_path: Path) -> None:
    gm = _gm(wire[0], tmp_path).ready()
    for request, words in (
        (b"not json\n", "not a line of JSON"),
        (b'"status"\n', "JSON object"),
        (b'{"cmd":"nonsense"}\n', "unknown cmd"),
        (b'{"cmd":"explain","instance":"x"}\n', "no instance"),
        (b'{"cmd":"explain","port":9}\n', "ports 1 to 1"),
        (b'{"cmd":"reference","state":"wonderful"}\n', "wonderful"),
        (b'{"cmd":"reference","state":"locked","clock_class":0}\n', "1 to 254"),
        (b'{"cmd":"priority","priority1":256}\n', "0 to 255"),
        (b"[" * 5000 + b"\n", "not a line of JSON"),
    ):
        with socket.socket(socket.AF_UNIX) as peer:
            peer.settimeout(10)
            peer.connect(gm.socket)
            peer.sendall(request)
            answer = json.loads(peer.makefile().readline())
        assert not answer["ok"]
        assert words in answer["error"]
    assert gm.stop() == 0


def test_priority_and_reference_change_the_election(wire: tuple[Namespace, Namespace], tmp_path: Path) -> None:
    a, b = wire
    gm = _gm(a, tmp_path, "--reference", "declared", "--priority1", "10").ready()
    other = RunningNode(
        b, tmp_path, "other", "gm", "-i", "vb", "--simulated", "perfect", "--reference", "none", "--announce", "0"
    ).ready()
    wait_for(lambda: other.port_state() in ("UNCALIBRATED", "SLAVE"), 20, other.words)
    gm.ask("priority", priority1=200)
    wait_for(lambda: other.port_state() == "MASTER", 15, other.words)
    assert gm.stop() == other.stop() == 0


def test_events_are_streamed(wire: tuple[Namespace, Namespace], tmp_path: Path) -> None:
    from ptpstack.node.client import ControlClient

    a, b = wire
    oc = _oc(b, tmp_path).ready()
    with ControlClient(oc.socket, timeout_s=30) as client:
        events = client.events()
        gm = _gm(a, tmp_path).ready()
        seen = [next(events) for _ in range(2)]
    assert {e["event"] for e in seen} <= {"parent", "port-state", "link", "steering", "servo"}
    assert all("time_ns" in e and "data" in e for e in seen)
    assert gm.stop() == oc.stop() == 0
