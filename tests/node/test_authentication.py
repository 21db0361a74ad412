"""Two nodes with keys on a wire: who follows whom, keys changed while they run, and where no key ever shows."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ptpstack.analysis.readers.trace import read
from ptpstack.engine.trace import replay
from tests.netns import Namespace, namespaces, veth
from tests.node.nodes import RunningNode, wait_for

pytestmark = pytest.mark.namespaces

SECRETS = ("a7" * 32, "b8" * 32)
SITE = """
[node]
sa_file = "{keys}"

[[clock]]
type = "simulated"
oscillator = "perfect"

[[instance]]
profile = "unrestricted"
role = "{role}"
{more}
[[instance.port]]
interface = "{interface}"
log_announce_interval = 0
log_sync_interval = -3
log_min_delay_req_interval = -3
{port}
"""


def write_keys(path: Path, *keys: int) -> None:
    """The named keys, the last of which signs; 1 is HMAC, 2 is AES-CMAC."""
    lines = {1: f"1 SHA256-128 HEX:{SECRETS[0]}\n", 2: f"2 AES256 HEX:{SECRETS[1]}\n"}
    path.write_text("[security_association]\nspp 3\n" + "".join(lines[key] for key in keys))
    path.chmod(0o600)


class Pair:
    def __init__(self, ns: dict[str, Namespace], folder: Path) -> None:
        self.folder = folder
        self.keys = {"gm": folder / "gm.sa", "oc": folder / "oc.sa"}
        for path in self.keys.values():
            write_keys(path, 1)
        self.gm = self._node(ns["a"], "gm", "va", "grandmaster", 'reference = { type = "simulated" }')
        self.oc = self._node(ns["b"], "oc", "vb", "ordinary", "client_only = true")

    def _node(self, ns: Namespace, name: str, interface: str, role: str, more: str) -> RunningNode:
        site = self.folder / f"{name}.toml"
        site.write_text(SITE.format(keys=self.keys[name], role=role, more=more, interface=interface, port="spp = 3"))
        return RunningNode(
            ns, self.folder, name, "run", str(site), "--record", str(self.folder / f"{name}.trace")
        ).ready()

    def port(self, node: RunningNode) -> dict[str, Any]:
        port: dict[str, Any] = node.status()["instances"][0]["ports"][0]
        return port

    def uses(self, node: RunningNode, key: int) -> dict[str, Any]:
        (use,) = [k for k in self.port(node)["security"]["keys"] if k["id"] == key]
        return dict(use)

    def following(self) -> bool:
        return str(self.port(self.oc)["state"]) == "SLAVE"


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pair]:
    folder = tmp_path_factory.mktemp("keys")
    with namespaces("a", "b") as ns:
        veth(ns["a"], "va", ns["b"], "vb", "10.7.0.1/24", "10.7.0.2/24")
        pair = Pair(ns, folder)
        yield pair
        assert (pair.gm.stop(), pair.oc.stop()) == (0, 0)
    for name in ("gm", "oc"):
        result = replay(str(folder / f"{name}.trace"))
        assert result.identical
        assert result.complete
        assert result.counts["secure"] >= 2
    contents = read(str(folder / "oc.trace"))
    assert contents.series
    assert not [note for note in contents.notes if "otherwise" in note]
    # in logs and traces, as it stands in the file and as it is
    for path in folder.iterdir():
        if path.suffix in (".log", ".trace"):
            octets = path.read_bytes()
            for secret in SECRETS:
                assert secret.encode() not in octets
                assert bytes.fromhex(secret) not in octets


def test_a_client_locks_by_signed_frames_and_a_stranger_is_not_heard(pair: Pair) -> None:
    wait_for(pair.following, 30, pair.oc.words)
    counters = pair.port(pair.oc)["counters"]
    assert not [name for name in counters if "auth" in name]
    assert pair.uses(pair.oc, 1)["verified"] > 10
    assert pair.uses(pair.gm, 1)["verified"] > 0
    assert "drop-unauthenticated" not in pair.port(pair.gm)["counters"]


def test_keys_are_changed_under_way_and_the_client_stays_locked(pair: Pair) -> None:
    wait_for(pair.following, 30, pair.oc.words)
    since = pair.port(pair.oc)["since_s"]

    def reload(node: RunningNode, *keys: int) -> None:
        write_keys(pair.keys["gm" if node is pair.gm else "oc"], *keys)
        if node is pair.gm:
            node.process.send_signal(signal.SIGHUP)
            wait_for(lambda: [k["id"] for k in pair.port(node)["security"]["keys"]] == list(keys), 5, node.words)
        else:
            node.ask("reload-keys")

    # known everywhere before it is used anywhere
    for node in (pair.gm, pair.oc):
        reload(node, 2, 1)
    # one after the other: meanwhile both keys are on the wire
    reload(pair.gm, 1, 2)
    before = pair.uses(pair.oc, 2)["verified"]
    wait_for(lambda: pair.uses(pair.oc, 2)["verified"] > before + 10, 10, pair.oc.words)
    assert pair.uses(pair.oc, 1)["signed"] > 0
    assert pair.uses(pair.oc, 2)["signed"] == 0
    reload(pair.oc, 1, 2)
    wait_for(lambda: pair.uses(pair.gm, 2)["verified"] > 5, 10, pair.gm.words)
    for node in (pair.gm, pair.oc):
        reload(node, 2)
    before = pair.uses(pair.oc, 2)["verified"]
    wait_for(lambda: pair.uses(pair.oc, 2)["verified"] > before + 10, 10, pair.oc.words)
    port = pair.port(pair.oc)
    assert port["state"] == "SLAVE"
    assert port["since_s"] > since
    assert not [name for name in port["counters"] if name.startswith("drop-auth")]


@pytest.mark.parametrize("trouble", ["mode", "text", "association"])
def test_a_file_that_will_not_do_changes_nothing(pair: Pair, trouble: str) -> None:
    path = pair.keys["oc"]
    good = path.read_text()
    before = pair.oc.ask("keys")["associations"]
    try:
        if trouble == "mode":
            path.chmod(0o644)
        else:
            path.write_text(
                "spp 3\n1 SHA256 HEX:zz" + SECRETS[0] if trouble == "text" else good.replace("spp 3", "spp 4")
            )
        words = {"mode": "lets others", "text": "not HEX", "association": "no association with spp 3"}[trouble]
        with pytest.raises(ValueError, match=f"the keys stay as they were: .*{words}"):
            pair.oc.ask("reload-keys")
        pair.oc.process.send_signal(signal.SIGHUP)
        wait_for(lambda: "SIGHUP: the keys stay as they were" in pair.oc.words(), 5)
    finally:
        path.write_text(good)
        path.chmod(0o600)
    assert pair.oc.ask("keys")["associations"] == before
    assert pair.following()


def test_the_command_shows_keys_by_number_only(pair: Pair) -> None:
    for options in ((), ("--json",), ("--reload",)):
        shown = subprocess.run(
            [sys.executable, "-m", "ptpstack", "keys", *options, "--control", pair.oc.socket],
            capture_output=True, text=True, check=True,
        ).stdout  # fmt: skip
        assert "AES256" in shown
        assert not any(secret in shown for secret in SECRETS)
    assert json.loads(
        subprocess.run(
            [sys.executable, "-m", "ptpstack", "keys", "--json", "--control", pair.oc.socket],
            capture_output=True, text=True, check=True,
        ).stdout
    )["ports"][0]["signing_key"] == pair.port(pair.oc)["security"]["signing_key"]  # fmt: skip


def test_a_node_does_not_start_with_a_file_that_others_can_read(tmp_path: Path) -> None:
    keys = tmp_path / "keys"
    write_keys(keys, 1)
    keys.chmod(0o604)
    site = tmp_path / "site.toml"
    site.write_text(SITE.format(keys=keys, role="ordinary", more="", interface="lo", port="spp = 3"))
    done = subprocess.run(
        [sys.executable, "-m", "ptpstack", "run", str(site), "--control", str(tmp_path / "c")],
        capture_output=True, text=True, check=False, env={**os.environ, "NOTIFY_SOCKET": ""},
    )  # fmt: skip
    assert done.returncode == 1
    assert "lets others at it" in done.stderr
    assert "Traceback" not in done.stderr


def test_status_and_explain_say_what_signs(pair: Pair) -> None:
    key = pair.port(pair.oc)["security"]["signing_key"]
    for command, words in (("status", f"signs with key {key}"), ("explain", f"spp 3: key {key} signs what it sends")):
        shown = subprocess.run(
            [sys.executable, "-m", "ptpstack", command, "--control", pair.oc.socket],
            capture_output=True, text=True, check=True,
        ).stdout  # fmt: skip
        assert words in shown
        assert not any(secret in shown for secret in SECRETS)
