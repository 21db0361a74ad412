"""``ptpstack apply`` against running nodes: a client stays locked while its grandmaster and itself are changed."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ptpstack.engine.trace import replay
from ptpstack.node.commands import WRITING
from tests.netns import namespaces, veth
from tests.node.nodes import RunningNode, wait_for

pytestmark = pytest.mark.namespaces

SITE = """
[node]
log_level = "{level}"

[[clock]]
type = "simulated"
oscillator = "perfect"

[[instance]]
name = "{name}"
profile = "unrestricted"
{instance}
[[instance.port]]
interface = "{interface}"
log_announce_interval = {announce}
announce_receipt_timeout = {timeout}
log_sync_interval = {sync}
log_min_delay_req_interval = {delay_req}
{port}
"""
DEFAULTS = {"level": "info", "announce": 0, "timeout": 3, "sync": -2, "delay_req": -2, "port": ""}
GM = {
    **DEFAULTS,
    "name": "gm",
    "interface": "va",
    "instance": 'role = "grandmaster"\nreference = { type = "simulated" }',
}
OC = {**DEFAULTS, "name": "oc", "interface": "vb", "instance": "client_only = true"}


class Applied:
    """A node with its site file, and the command as a user gives it."""

    def __init__(self, node: RunningNode, site: Path, fields: dict[str, Any]) -> None:
        self.node, self.site, self.fields = node, site, fields

    def write(self, **changes: Any) -> Path:
        self.site.write_text(SITE.format(**{**self.fields, **changes}))
        return self.site

    def command(self, *arguments: str, status: int = 0) -> str:
        done = subprocess.run(
            [sys.executable, "-m", "ptpstack", "apply", *arguments, "--control", self.node.socket],
            capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert done.returncode == status, done.stdout + done.stderr
        assert "Traceback" not in done.stderr
        return done.stdout + done.stderr

    def apply(self, *options: str, status: int = 0, **changes: Any) -> str:
        return self.command(str(self.write(**changes)), *options, status=status)

    def port(self) -> dict[str, Any]:
        port: dict[str, Any] = self.node.status()["instances"][0]["ports"][0]
        return port

    def journal(self) -> list[str]:
        return [line for line in self.node.words().splitlines() if " apply " in line]


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Applied, Applied]]:
    folder = tmp_path_factory.mktemp("apply")
    with namespaces("a", "b") as ns:
        veth(ns["a"], "va", ns["b"], "vb", "10.7.0.1/24", "10.7.0.2/24")
        made = []
        for name, fields in (("a", GM), ("b", OC)):
            site = folder / f"{fields['name']}.toml"
            site.write_text(SITE.format(**fields))
            trace = str(folder / f"{fields['name']}.trace")
            node = RunningNode(ns[name], folder, str(fields["name"]), "run", str(site), "--record", trace)
            made.append(Applied(node, site, fields))
        for each in made:
            each.node.ready()
        yield made[0], made[1]
        assert [each.node.stop() for each in made] == [0, 0]
    for each in made:
        result = replay(str(folder / f"{each.fields['name']}.trace"))
        assert result.identical
        assert result.complete
        assert result.counts["configure"] > 0


def locked(client: Applied) -> bool:
    instance = client.node.status()["instances"][0]
    return instance["servo"]["state"] == "locked" and instance["ports"][0]["state"] == "SLAVE"


def test_a_client_stays_locked_while_intervals_and_priorities_change_and_are_taken_back(
    pair: tuple[Applied, Applied],
) -> None:
    gm, oc = pair
    wait_for(lambda: locked(oc), 40, oc.node.words)
    since = oc.port()["since_s"]
    before = gm.node.status()["instances"][0]
    told = gm.apply(
        "--confirm-within", "6s", instance=GM["instance"] + "\npriority1 = 77", announce=-1, sync=-4, delay_req=-3
    )
    assert "instance gm: priority1 128 -> 77" in told
    assert "log_sync_interval -2 (1/4 s) -> -4 (1/16 s)" in told
    assert "taken back in 6 s" in told
    oc.apply(announce=-1, timeout=4)
    assert oc.port()["announce_receipt_timeout"] == 4

    def sent() -> int:
        return int(gm.port()["counters"]["tx-sync"])

    first = sent()
    wait_for(lambda: sent() >= first + 24, 4, gm.node.words)  # six seconds' worth of the former ones
    assert oc.node.status()["instances"][0]["grandmaster"]["priority1"] == 77
    waiting = gm.node.status()["apply"]
    assert waiting["file"] == str(gm.site)
    assert 0 <= waiting["left_s"] <= 6
    # the former settings come back by themselves
    wait_for(lambda: gm.node.status()["apply"] is None, 10, gm.node.words)
    after = gm.node.status()["instances"][0]
    for name in ("log_announce_interval", "log_sync_interval", "log_min_delay_req_interval"):
        assert after["ports"][0][name] == before["ports"][0][name]
    assert after["priority1"] == before["priority1"]
    wait_for(lambda: oc.node.status()["instances"][0]["grandmaster"]["priority1"] == 128, 5, oc.node.words)
    port = oc.port()
    assert port["state"] == "SLAVE"
    assert port["since_s"] > since  # all the time
    assert locked(oc)
    lines = gm.journal()
    assert "by root (uid 0" in lines[-2] or f"uid {os.geteuid()}" in lines[-2]
    assert "instance gm: priority1 128 -> 77" in lines[-2]
    assert "taken back because nobody has confirmed it" in lines[-1]


def test_what_is_confirmed_stays_and_what_is_rolled_back_goes(pair: tuple[Applied, Applied]) -> None:
    gm, _ = pair
    gm.apply("--confirm-within", "5m", port="limit_announce = 500")
    refused = gm.apply(port="limit_announce = 400", status=1)
    assert "waits for its confirmation" in refused
    assert "confirmed" in gm.command("--confirm")
    assert gm.node.status()["apply"] is None
    assert gm.port()["admission"]["limits"]["limit_announce"] == 500
    gm.apply("--confirm-within", "1h", port='deny_sources = ["192.0.2.1"]')
    assert gm.port()["admission"]["deny_sources"] == ["192.0.2.1"]
    told = gm.command("--roll-back")
    assert "limit_announce 1000 1/s -> 500 1/s" in told
    assert gm.port()["admission"]["deny_sources"] == []
    assert gm.port()["admission"]["limits"]["limit_announce"] == 500
    for option in ("--confirm", "--roll-back"):
        assert "no change waits" in gm.command(option, status=1)
    gm.apply()


def test_a_dry_run_says_and_does_nothing(pair: tuple[Applied, Applied]) -> None:
    gm, _ = pair
    count = len(gm.journal())
    told = json.loads(gm.apply("--dry-run", "--json", announce=1, port="ttl = 4"))
    assert told["applied"] == 0
    assert {c["key"]: c["live"] for c in told["changes"]} == {"log_announce_interval": True, "ttl": False}
    assert gm.port()["log_announce_interval"] == 0
    assert len(gm.journal()) == count


def test_what_needs_a_restart_is_said_and_the_rest_is_done(pair: tuple[Applied, Applied]) -> None:
    gm, _ = pair
    told = gm.apply(level="debug", port="ttl = 4", status=3)
    assert "needs a restart: instance gm, port 1 (va/udp4): ttl 1 hops -> 4 hops" in told
    assert 'node: log_level "info" -> "debug"' in told
    # it is not forgotten
    assert "ttl 1 hops" in gm.apply(level="debug", port="ttl = 4", status=3)
    gm.apply()


def test_a_file_with_errors_changes_nothing(pair: tuple[Applied, Applied]) -> None:
    gm, _ = pair
    told = gm.apply(announce=99, status=1)
    assert "99 is out of range" in told or "outside" in told
    assert "nothing was changed" in told
    with pytest.raises(ValueError, match="the file has errors, nothing was changed"):
        gm.node.ask("apply", text=SITE.format(**{**GM, "announce": 99}), base=None)
    assert gm.port()["log_announce_interval"] == 0
    gm.write()
    assert "cannot be read" in gm.command("/nowhere.toml", status=2)
    assert "this is what the node runs with" in gm.apply()


@pytest.mark.parametrize(
    ("request_", "words"),
    [
        ({}, '"text" is a site file'),
        ({"text": "x", "base": 1}, '"base" the directory'),
        ({"text": SITE.format(**GM), "confirm_within_s": 0}, "from 1 to 86400"),
        ({"text": SITE.format(**GM), "confirm_within_s": True}, "from 1 to 86400"),
        ({"text": SITE.format(**GM), "dry_run": 1}, "true or false"),
    ],
)
def test_requests_that_are_none_are_refused(
    pair: tuple[Applied, Applied], request_: dict[str, Any], words: str
) -> None:
    with pytest.raises(ValueError, match=words):
        pair[0].node.ask("apply", **request_)


def test_only_who_may_change_the_node_may_apply() -> None:
    assert {"apply", "confirm", "roll-back", "reload-keys"} <= WRITING
