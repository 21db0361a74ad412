"""A feed comes and goes with its instance, while the node runs."""

from __future__ import annotations

import socket
from pathlib import Path
from typing import Any

import pytest

from tests.netns import namespaces, veth
from tests.node.nodes import RunningNode, wait_for
from tests.node.test_apply_instances import CLOCK, GM, INSTANCE, OC, apply

pytestmark = pytest.mark.namespaces


def test_a_feed_comes_and_goes_with_its_instance(tmp_path: Path) -> None:
    path = tmp_path / "chrony.sock"
    other = INSTANCE.format(name="other", domain=2, role=OC, interface="vb")
    feeding = INSTANCE.format(name="feeding", domain=1, role=f'{OC}\nfeed_sock = "{path}"', interface="vb")
    with namespaces("a", "b") as ns, socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as chronyd:
        chronyd.bind(str(path))
        chronyd.settimeout(20)
        veth(ns["a"], "va", ns["b"], "vb", "10.7.0.1/24", "10.7.0.2/24")
        site = tmp_path / "oc.toml"
        site.write_text(CLOCK + other)
        gm = tmp_path / "gm.toml"
        gm.write_text(CLOCK + INSTANCE.format(name="gm", domain=1, role=GM, interface="va"))
        RunningNode(ns["a"], tmp_path, "gm", "run", str(gm)).ready()
        oc = RunningNode(ns["b"], tmp_path, "oc", "run", str(site)).ready()

        def feeds() -> dict[str, Any]:
            found: dict[str, Any] = oc.status()["feeds"]
            return found

        assert feeds() == {}
        assert "instance feeding: added" in apply(oc, site, other + feeding)
        assert len(chronyd.recv(100)) == 40
        wait_for(lambda: feeds()["feeding"]["sock"]["samples"] >= 2, 20, oc.words)
        # a key of a running instance: joined when it is made
        assert "feed_sock" in apply(oc, site, other + feeding.replace("chrony.sock", "x"), "--dry-run")
        apply(oc, site, other)
        assert feeds() == {}
        assert oc.stop() == 0
