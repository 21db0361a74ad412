"""What a person should know at start: a clock that cannot be steered, a second node with the same identity."""

from __future__ import annotations

import errno
import os
import signal
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from ptpstack.clocks.base import ClockError
from ptpstack.clocks.errors import clock_error
from ptpstack.net.channel import ChannelError
from ptpstack.node.claims import Claims, names_of
from tests.engine.bench import instance
from tests.netns import Namespace, namespaces, veth
from tests.node.nodes import RunningNode, wait_for


def test_errors_read_as_sentences() -> None:
    refused = clock_error("system", "step by -5 ns", PermissionError(errno.EPERM, "Operation not permitted"))
    assert str(refused).startswith("system: step by -5 ns failed: Operation not permitted (EPERM)")
    assert refused.errno == errno.EPERM
    for kind in (ClockError, ChannelError):
        assert str(kind(errno.EPERM, "what, where, what to do")) == "what, where, what to do"
        assert str(kind("only words")) == "only words"


def test_a_claim_is_held_told_to_both_and_taken_over() -> None:
    with namespaces("a") as ns, ns["a"].entered():
        names = names_of([instance("i", domain=3)])
        first, second = Claims(names), Claims(names)
        assert first.refresh() == []
        [told] = second.refresh()
        assert f"(process {os.getpid()}) speaks with our clockIdentity" in told
        assert "in domain 3 on p1" in told
        assert second.problems() == [told]
        # said once, and the first one learns of the second
        assert second.refresh() == []
        [visited] = first.refresh()
        assert "was started with our clockIdentity" in visited
        assert first.refresh() == first.problems() == []
        # another domain is another matter
        assert Claims(names_of([instance("i", domain=4)])).refresh() == []
        first.close()
        assert second.refresh() == second.problems() == []
        third = Claims(names)
        assert len(third.refresh()) == 1
        for claims in (second, third):
            claims.close()


@pytest.fixture
def lonely() -> Iterator[Namespace]:
    with namespaces("a", "b") as ns:
        veth(ns["a"], "va", ns["b"], "vb", "10.7.0.1/24", "10.7.0.2/24")
        yield ns["a"]


@pytest.mark.namespaces
def test_two_nodes_with_one_identity_are_warned(lonely: Namespace, tmp_path: Path) -> None:
    arguments = ("gm", "-i", "va", "--simulated", "perfect")
    first = RunningNode(lonely, tmp_path, "first", *arguments).ready()
    other = RunningNode(lonely, tmp_path, "other", *arguments, "--domain", "7").ready()
    assert "speaks with our" not in other.words()
    second = RunningNode(lonely, tmp_path, "second", *arguments).ready()
    assert f"process {first.process.pid}) speaks with our clockIdentity" in second.words()
    assert len(second.status()["identity_conflicts"]) == 1
    wait_for(lambda: f"process {second.process.pid}) was started with our" in first.words(), 5, first.words)
    first.process.send_signal(signal.SIGKILL)
    first.process.wait(10)
    wait_for(lambda: second.status()["identity_conflicts"] == [], 5, second.words)
    assert other.stop() == second.stop() == 0


@pytest.mark.namespaces
@pytest.mark.parametrize("steer", [True, False])
def test_steering_without_the_right_is_said_at_start(lonely: Namespace, tmp_path: Path, steer: bool) -> None:
    node = RunningNode.__new__(RunningNode)
    node.socket, node.log = str(tmp_path / "oc.sock"), tmp_path / "oc.log"
    # never with the right: this test may not touch the clock of the machine
    drop = ("setpriv", "--bounding-set", "-sys_time", "--inh-caps", "-sys_time")
    command = (sys.executable, "-m", "ptpstack", "oc", "-i", "va", "--client-only", "--control", node.socket)
    with node.log.open("w") as log:
        node.process = lonely.popen(*drop, *command, *(["--steer"] if steer else []), stderr=log)
    node.ready()
    assert ("that needs CAP_SYS_TIME, which this process lacks" in node.words()) is steer
    assert node.stop() == 0
