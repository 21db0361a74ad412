"""Domains added to and removed from running nodes by ``ptpstack apply``, while the others' clients stay locked."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from ptpstack.engine.trace import replay
from tests.netns import namespaces, veth
from tests.node.nodes import RunningNode, wait_for

pytestmark = pytest.mark.namespaces

CLOCK = '[[clock]]\ntype = "simulated"\noscillator = "perfect"\n'
INSTANCE = """
[[instance]]
name = "{name}"
domain = {domain}
{role}
[[instance.port]]
interface = "{interface}"
log_announce_interval = 0
"""
GM = 'role = "grandmaster"\nreference = { type = "simulated" }'
OC = "client_only = true"


def apply(node: RunningNode, site: Path, text: str, *options: str, status: int = 0) -> str:
    site.write_text(CLOCK + text)
    command = [sys.executable, "-m", "ptpstack", "apply", str(site), *options, "--control", node.socket]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == status, done.stdout + done.stderr
    return done.stdout


def port(node: RunningNode, name: str) -> dict[str, Any]:
    (instance,) = [i for i in node.status()["instances"] if i["name"] == name]
    found: dict[str, Any] = instance["ports"][0]
    return found


def names(node: RunningNode) -> list[str]:
    return [instance["name"] for instance in node.status()["instances"]]


def test_a_department_s_domain_comes_and_goes_while_another_s_client_stays_locked(tmp_path: Path) -> None:
    one = INSTANCE.format(name="one", domain=1, role=GM, interface="va")
    two = INSTANCE.format(name="two", domain=2, role=GM, interface="va")
    far = INSTANCE.format(name="far", domain=3, role=GM, interface="vc")
    with namespaces("a", "b", "c") as ns:
        veth(ns["a"], "va", ns["b"], "vb", "10.7.0.1/24", "10.7.0.2/24")
        veth(ns["a"], "vc", ns["c"], "vd", "10.8.0.1/24", "10.8.0.2/24")
        site = tmp_path / "gm.toml"
        site.write_text(CLOCK + one)
        trace = tmp_path / "gm.trace"
        gm = RunningNode(ns["a"], tmp_path, "gm", "run", str(site), "--record", str(trace))
        clients = {}
        for name, domain, where, interface in (("one", 1, "b", "vb"), ("two", 2, "b", "vb"), ("far", 3, "c", "vd")):
            path = tmp_path / f"oc-{name}.toml"
            path.write_text(CLOCK + INSTANCE.format(name=name, domain=domain, role=OC, interface=interface))
            if name != "two":
                # two nodes cannot share the ports of UDP in one namespace: the second domain comes to the first node
                clients[name] = RunningNode(ns[where], tmp_path, f"oc-{name}", "run", str(path)).ready()
        gm.ready()
        wait_for(lambda: port(clients["one"], "one")["state"] == "SLAVE", 60, clients["one"].words)
        since = port(clients["one"], "one")["since_s"]

        told = apply(gm, site, one + two + far)
        assert "instance two: added" in told
        assert "instance far: added" in told
        assert names(gm) == ["one", "two", "far"]
        # a new channel was opened for the one, the other shares that of the first
        assert [channel["name"] for channel in gm.status()["channels"]] == ["va/udp4", "vc/udp4"]
        follower = INSTANCE.format(name="one", domain=1, role=OC, interface="vb")
        second = INSTANCE.format(name="two", domain=2, role=OC, interface="vb")
        oc_site = tmp_path / "oc-one.toml"
        apply(clients["one"], oc_site, follower + second)
        wait_for(lambda: port(clients["one"], "two")["state"] in ("SLAVE", "UNCALIBRATED"), 30, clients["one"].words)
        wait_for(lambda: port(clients["far"], "far")["state"] == "SLAVE", 60, clients["far"].words)

        told = apply(gm, site, one, "--confirm-within", "3s")
        assert "instance far: removed" in told
        assert names(gm) == ["one"]
        assert [channel["name"] for channel in gm.status()["channels"]] == ["va/udp4"]
        # nobody confirms: both come back, and are served again
        wait_for(lambda: sorted(names(gm)) == ["far", "one", "two"], 10, gm.words)
        wait_for(lambda: port(gm, "far")["state"] == "MASTER", 10, gm.words)
        wait_for(lambda: port(gm, "far")["counters"].get("tx-delay_resp", 0) > 0, 40, gm.words)
        assert gm.ask("explain", instance="two")["instances"]
        apply(clients["one"], oc_site, follower)
        first = port(clients["one"], "one")
        assert first["state"] == "SLAVE"
        assert first["since_s"] > since  # all the time
        assert [node.stop() for node in (gm, *clients.values())] == [0, 0, 0]
    result = replay(str(trace))
    assert result.identical
    assert result.counts["add_instance"] == 4
    assert result.counts["remove_instance"] == 2


def test_an_interface_that_is_not_there_is_waited_for(tmp_path: Path) -> None:
    one = INSTANCE.format(name="one", domain=1, role=GM, interface="va")
    two = INSTANCE.format(name="two", domain=2, role=GM, interface="later")
    with namespaces("a", "b") as ns:
        veth(ns["a"], "va", ns["b"], "vb", "10.7.0.1/24", "10.7.0.2/24")
        site = tmp_path / "gm.toml"
        site.write_text(CLOCK + one)
        gm = RunningNode(ns["a"], tmp_path, "gm", "run", str(site)).ready()
        apply(gm, site, one + two)
        assert port(gm, "two")["state"] == "FAULTY"
        (entry,) = gm.ask("explain", instance="two")["instances"]
        assert "later" in entry["ports"][0]["sentence"]
        veth(ns["a"], "later", ns["b"], "other", "10.9.0.1/24", "10.9.0.2/24")
        wait_for(lambda: port(gm, "two")["state"] == "MASTER", 20, gm.words)
        assert gm.stop() == 0
