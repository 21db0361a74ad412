"""What the control socket's commands refuse, before the engine hears of it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ptpstack.engine.trace import read_trace, replay
from tests.netns import namespaces, veth
from tests.node.nodes import RunningNode

pytestmark = pytest.mark.namespaces

SITE = """
[[clock]]
type = "simulated"

[[instance]]
name = "served"
domain = 1
role = "grandmaster"
port = [{ interface = "va" }]
reference = { type = "declared", state = "locked", accuracy = "100 ns" }

[[instance]]
name = "client"
domain = 2
client_only = true
port = [{ interface = "va" }]
"""


@pytest.fixture(scope="module")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[RunningNode, Path]]:
    folder = tmp_path_factory.mktemp("commands")
    (folder / "site.toml").write_text(SITE)
    with namespaces("a", "b") as ns:
        veth(ns["a"], "va", ns["b"], "vb", "10.7.0.1/24", "10.7.0.2/24")
        trace = folder / "x.trace"
        node = RunningNode(ns["a"], folder, "x", "run", str(folder / "site.toml"), "--record", str(trace)).ready()
        yield node, trace
        assert node.stop() == 0
    # nothing of what was refused has reached the engine
    assert not [record for _, record in read_trace(str(trace)) if record[0] == "raised"]
    result = replay(str(trace))
    assert result.identical, result.divergence
    assert result.counts.get("declare_reference") == 1
    assert result.counts.get("set_priorities") == 2


@pytest.mark.parametrize(
    ("cmd", "arguments", "words"),
    [
        ("reference", {"state": "wonderful"}, "one of locked, holdover, holdover-out-of-spec, free-running"),
        ("reference", {}, "one of locked"),
        ("reference", {"state": ["locked"]}, "one of locked"),
        ("reference", {"state": "locked", "clock_class": True}, "1 to 254"),
        ("reference", {"state": "locked", "instance": ["x"]}, "no instance"),
        ("priority", {"priority1": True}, "0 to 255"),
        ("priority", {"priority1": 1.0}, "0 to 255"),
        ("priority", {}, 'give "priority1"'),
        ("priority", {"priority1": 1, "instance": "client"}, "client: client_only"),
        ("priority", {"priority1": 1, "instance": 7}, "no instance 7"),
        ("explain", {"port": True}, "is a number"),
    ],
)
def test_refused(recorded: tuple[RunningNode, Path], cmd: str, arguments: dict[str, Any], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        recorded[0].ask(cmd, **arguments)


def test_accepted(recorded: tuple[RunningNode, Path]) -> None:
    node, _ = recorded
    assert node.ask("reference", state="holdover") == {"references": [{"clock": "clock", "state": "holdover"}]}
    # a client among others is left out; asked for by name it is refused
    assert node.ask("priority", priority1=7)["instances"] == ["served"]
    assert node.ask("priority", priority2=8, instance="served")["instances"] == ["served"]
    instance = next(i for i in node.status()["instances"] if i["name"] == "served")
    assert (instance["priority1"], instance["priority2"]) == (7, 8)
