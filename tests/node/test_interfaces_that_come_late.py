"""Interfaces that are missing, have no address yet, go away and come back bare: the node waits for them and says so."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ptpstack.net.absent import AbsentChannel
from tests.netns import Namespace, namespaces, veth
from tests.node.nodes import RunningNode, wait_for

pytestmark = pytest.mark.namespaces

#: links are made by tests; nothing is there at the start
SITE = """
[[clock]]
type = "simulated"
oscillator = "perfect"

[[instance]]
profile = "unrestricted"
role = "grandmaster"
port = [{ interface = "va", transport = "TRANSPORT" }]
"""


@pytest.fixture
def pair() -> Iterator[tuple[Namespace, Namespace]]:
    with namespaces("a", "b") as ns:
        yield ns["a"], ns["b"]


def site(folder: Path, text: str) -> str:
    path = folder / "site.toml"
    path.write_text(text)
    return str(path)


def port(node: RunningNode) -> tuple[str, str]:
    """(state, problem of the channel)"""
    status = node.status()
    return status["instances"][0]["ports"][0]["state"], status["channels"][0]["problem"]


def explained(node: RunningNode) -> dict[str, Any]:
    row: dict[str, Any] = node.ask("explain", port=1)["instances"][0]["ports"][0]
    return row


def bare(a: Namespace, b: Namespace) -> None:
    """A cable whose near end has no address, as interfaces are while a machine boots."""
    veth(a, "va", b, "vb", "", "10.7.0.2/24")


def test_an_interface_that_comes_back_without_its_address_is_taken_when_it_has_one(
    pair: tuple[Namespace, Namespace], tmp_path: Path
) -> None:
    a, b = pair
    veth(a, "va", b, "vb", "10.7.0.1/24", "10.7.0.2/24")
    gm = RunningNode(a, tmp_path, "gm", "gm", "-i", "va", "--profile", "unrestricted", "--simulated", "perfect").ready()
    wait_for(lambda: port(gm)[0] == "MASTER", 10, gm.words)
    a.ip("link del va")
    wait_for(lambda: port(gm)[0] == "FAULTY", 10, gm.words)
    bare(a, b)
    wait_for(lambda: "no IPv4 address" in port(gm)[1], 10, gm.words)
    # the true reason, everywhere
    row = explained(gm)
    assert "no IPv4 address" in row["sentence"]
    assert "link is down" not in row["sentence"]
    assert "va: it has no IPv4 address" in gm.words()
    assert "Errno" not in gm.words()
    a.ip("addr add 10.7.0.1/24 dev va")
    wait_for(lambda: port(gm) == ("MASTER", ""), 10, gm.words)
    wait_for(lambda: gm.status()["channels"][0]["counters"]["sent"] > 5, 10, gm.words)
    # said once, however often it was tried
    assert gm.words().count("it has no IPv4 address") == 1
    assert gm.stop() == 0


@pytest.mark.parametrize("transport", ["udp4", "udp6", "l2"])
def test_a_site_starts_before_its_interface(pair: tuple[Namespace, Namespace], tmp_path: Path, transport: str) -> None:
    a, b = pair
    node = RunningNode(a, tmp_path, "gm", "run", site(tmp_path, SITE.replace("TRANSPORT", transport))).ready()
    wait_for(lambda: port(node)[0] == "FAULTY", 5, node.words)
    assert "there is no such interface" in port(node)[1]
    assert "there is no such interface" in explained(node)["sentence"]
    assert "clockIdentity is made up" in node.words()
    bare(a, b)
    if transport == "udp4":
        wait_for(lambda: "no IPv4 address" in port(node)[1], 5, node.words)
        a.ip("addr add 10.7.0.1/24 dev va")
    if transport == "udp6":
        # the kernel looks for duplicates first
        a.ip("addr add fe80::1/64 dev va")
        wait_for(lambda: "no IPv6 address that is ready" in port(node)[1], 5, node.words)
    wait_for(lambda: port(node) == ("MASTER", ""), 10, node.words)
    wait_for(lambda: node.status()["channels"][0]["counters"]["sent"] > 5, 10, node.words)
    assert node.stop() == 0


def test_without_an_address_the_clock_and_the_identity_are_the_interface_s(
    pair: tuple[Namespace, Namespace], tmp_path: Path
) -> None:
    """No [[clock]]: type "auto". What the NIC can do is known before it has an address."""
    a, b = pair
    bare(a, b)
    node = RunningNode(
        a, tmp_path, "gm", "run", site(tmp_path, '[[instance]]\nrole = "grandmaster"\nport = [{ interface = "va" }]\n')
    ).ready()
    status = node.status()
    assert status["clocks"][0]["kind"] == "system"
    assert "made up" not in node.words()
    assert [p["state"] for p in status["instances"][0]["ports"]] == ["FAULTY"]
    a.ip("addr add 10.7.0.1/24 dev va")
    wait_for(lambda: port(node) == ("MASTER", ""), 10, node.words)
    assert node.stop() == 0


def test_one_port_of_two_may_be_missing(pair: tuple[Namespace, Namespace], tmp_path: Path) -> None:
    a, b = pair
    veth(a, "va", b, "vb", "10.7.0.1/24", "10.7.0.2/24")
    text = '[[instance]]\nprofile = "unrestricted"\nport = [{ interface = "later" }, { interface = "va" }]\n'
    node = RunningNode(a, tmp_path, "bc", "run", site(tmp_path, text)).ready()
    wait_for(
        lambda: [p["state"] for p in node.status()["instances"][0]["ports"]] == ["FAULTY", "MASTER"], 20, node.words
    )
    assert node.stop() == 0


def test_nothing_to_take_the_clock_from_is_an_end_that_says_so(
    pair: tuple[Namespace, Namespace], tmp_path: Path
) -> None:
    text = '[[instance]]\nrole = "grandmaster"\nport = [{ interface = "va" }]\n'
    node = RunningNode(pair[0], tmp_path, "gm", "run", site(tmp_path, text))
    assert node.process.wait(10) == 1
    assert 'type = "auto" takes the clock of the interface, and none of va is there yet' in node.words()


def test_on_the_command_line_a_missing_interface_is_a_typo(pair: tuple[Namespace, Namespace], tmp_path: Path) -> None:
    node = RunningNode(pair[0], tmp_path, "gm", "gm", "-i", "va", "--simulated", "perfect")
    assert node.process.wait(10) == 1
    assert "va: there is no such interface here" in node.words()


def test_an_absent_channel_answers_every_token() -> None:
    absent = AbsentChannel("not-there", "udp4", "auto", "it is not there")
    assert (absent.stamping, absent.mac, absent.name) == ("", b"", "not-there/udp4")
    absent.send_event(b"", None, 7, 0)
    assert absent.next_stamp_deadline_ns() == 0
    assert [(s.token, s.stamp_ns) for s in absent.transmit_stamps(0)] == [(7, None)]
    assert absent.next_stamp_deadline_ns() is None
