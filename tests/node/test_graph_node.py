"""A graph of simulated clocks in a running node: pulses, an edge, the drift file, what status draws."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.netns import Namespace, namespaces, veth
from tests.node.nodes import RunningNode, wait_for

pytestmark = pytest.mark.namespaces

SITE = """
[node]
name = "graph"
[[clock]]
name = "nic"
type = "simulated"
oscillator = "ocxo"
frequency_ppb = 3000
initial_error_ns = 5e9
[[clock]]
name = "second"
type = "simulated"
frequency_ppb = -8000
initial_error_ns = -2e6
[[instance]]
role = "grandmaster"
clock = "nic"
[[instance.port]]
interface = "va"
[instance.reference]
type = "pps"
delay_ns = 120
tod_error_s = 0.3
accuracy = "100 ns"
time_source = "gnss"
[[edge]]
from = "nic"
to = "second"
"""


@pytest.fixture
def wire() -> Iterator[Namespace]:
    with namespaces("a", "b") as ns:
        veth(ns["a"], "va", ns["b"], "vb", "10.8.0.1/24", "10.8.0.2/24")
        yield ns["a"]


def test_pulses_an_edge_and_a_restart(wire: Namespace, tmp_path: Path) -> None:
    site = tmp_path / "site.toml"
    site.write_text(SITE)
    node = RunningNode(wire, tmp_path, "graph", "run", str(site)).ready()
    wait_for(lambda: node.status()["clocks"][1]["edges"][0]["state"] == "locked", 40, node.words)
    wait_for(lambda: node.status()["instances"][0]["quality"]["clock_class"] == 6, 10, node.words)
    truth = {row["name"]: row["error_ns"] for row in node.ask("truth")["clocks"]}
    assert abs(truth["nic"]) < 1_000
    assert abs(truth["second"]) < 20_000
    shown = subprocess.run(
        [sys.executable, "-m", "ptpstack", "status", "--control", node.socket],
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    for part in (
        "reference of nic (pps): locked for",
        "└─ steers nic: estimator, locked,",
        "clock nic (nic, simulated): ",
        "└─ steers second: estimator, locked,",
        ", 8/s",
        "within ",
    ):
        assert part in shown, shown
    explained = subprocess.run(
        [sys.executable, "-m", "ptpstack", "explain", "--control", node.socket],
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    assert "nic -> second steers it, locked, within" in explained
    assert node.stop() == 0
    kept = json.loads((tmp_path / "graph.drift").read_text())["clocks"]
    assert kept["nic"]["kept"]["frequency_ppb"] == pytest.approx(-3000, abs=200)
    again = RunningNode(wire, tmp_path, "graph", "run", str(site)).ready()
    assert again.status()["clocks"][0]["frequency_ppb"] == pytest.approx(kept["nic"]["kept"]["frequency_ppb"], abs=1)
    assert "goes on from" in again.words()
    assert again.stop() == 0
