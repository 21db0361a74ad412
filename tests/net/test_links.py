"""Link events from a real kernel, in a namespace of their own."""

from __future__ import annotations

import select
import socket
import subprocess
import sys
import time
from collections.abc import Iterator

import pytest

from ptpstack.net import links
from ptpstack.net.links import LinkEvent, LinkWatch
from tests.netns import Namespace, namespaces, veth

pytestmark = pytest.mark.namespaces


@pytest.fixture
def pair() -> Iterator[tuple[Namespace, Namespace]]:
    with namespaces("a", "b") as ns:
        veth(ns["a"], "va", ns["b"], "vb")
        yield ns["a"], ns["b"]


def watch(namespace: Namespace, *names: str) -> LinkWatch:
    with namespace.entered():
        made, reason = LinkWatch.open(names)
    assert reason == ""
    assert made is not None
    return made


def events(watched: LinkWatch, count: int, seconds: float = 3.0) -> list[LinkEvent]:
    found: list[LinkEvent] = []
    end = time.monotonic() + seconds
    while len(found) < count and time.monotonic() < end:
        if select.select([watched.fileno()], [], [], 0.1)[0]:
            found += watched.read()
    return found


def test_the_first_state_is_an_event(pair: tuple[Namespace, Namespace]) -> None:
    watched = watch(pair[0], "va", "nix0")
    first = events(watched, 2)
    assert [(e.name, e.up) for e in first] == [("va", True), ("nix0", False)]
    assert first[0].ifindex > 0
    assert first[1].ifindex == 0
    assert first[1].detail == "there is no such interface"
    assert watched.read() == []
    watched.close()


def test_down_and_up_of_either_end(pair: tuple[Namespace, Namespace]) -> None:
    a, b = pair
    watched = watch(a, "va")
    assert events(watched, 1)[0].up
    b.ip("link set vb down")
    (down,) = events(watched, 1)
    assert (down.name, down.up) == ("va", False)
    assert "on, the link is down" in down.detail
    b.ip("link set vb up")
    assert [e.up for e in events(watched, 1)] == [True]
    a.ip("link set va down")
    (off,) = events(watched, 1)
    assert off.up is False
    assert "switched off" in off.detail
    # What changes neither name nor state is no event.
    a.ip("link set va mtu 1400")
    a.ip("link set va alias nothing")
    a.ip("link set va up")
    assert [(e.name, e.up) for e in events(watched, 1)] == [("va", True)]
    watched.close()


def test_an_interface_removed_and_made_again(pair: tuple[Namespace, Namespace]) -> None:
    a, b = pair
    watched = watch(a, "va")
    old = events(watched, 1)[0].ifindex
    a.ip("link delete va")
    found = events(watched, 2, 0.3)
    assert found[-1] == LinkEvent("va", False, 0, "the interface was removed")
    veth(a, "va", b, "vb")
    found = []
    while not found or not found[-1].up:
        more = events(watched, 1)
        assert more, "the new interface is not reported"
        found += more
    assert found[-1].name == "va"
    assert found[-1].ifindex != old
    watched.close()


def test_a_renamed_interface(pair: tuple[Namespace, Namespace]) -> None:
    a = pair[0]
    watched = watch(a, "va", "other")
    events(watched, 2)
    a.ip("link set va down")
    a.ip("link set va name other")
    a.ip("link set other up")
    found = events(watched, 1)
    while not found[-1].up:
        more = events(watched, 1)
        assert more, "the renamed interface is not reported"
        found += more
    assert any(e.name == "va" and not e.up and e.ifindex == 0 and "renamed to other" in e.detail for e in found)
    assert (found[-1].name, found[-1].up) == ("other", True)
    watched.close()


def test_leaving_a_bridge_is_not_the_end_of_the_interface(pair: tuple[Namespace, Namespace]) -> None:
    a = pair[0]
    if a.run("ip", *["link", "add", "br0", "type", "bridge"], check=False).returncode:
        pytest.skip("this kernel has no bridge")
    watched = watch(a, "va")
    assert events(watched, 1)[0].up
    a.ip("link set va master br0")
    a.ip("link set va nomaster")
    assert events(watched, 1, 0.3) == []
    watched.close()


def test_after_an_overrun_the_truth_is_asked_for_again(pair: tuple[Namespace, Namespace]) -> None:
    a = pair[0]
    watched = watch(a, "va", "lo")
    events(watched, 2)
    # As small as the kernel allows; then more changes than fit, the last of which matters.
    watched._sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1)
    for number in range(40):
        a.ip(f"link set lo alias n{number}")
    a.ip("link set va down")
    assert [(e.name, e.up) for e in events(watched, 1)] == [("va", False)]
    assert watched.overruns >= 1
    watched.close()


def test_messages_of_other_processes_are_not_believed(pair: tuple[Namespace, Namespace]) -> None:
    a = pair[0]
    watched = watch(a, "va")
    (first,) = events(watched, 1)
    port = watched._sock.getsockname()[0]
    forged = links._HEADER.pack(32, 17, 0, 0, 0) + links._INFO.pack(0, 0, first.ifindex, 0, 0)
    with a.entered():
        stranger = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 0)
    with stranger:
        stranger.bind((0, 0))
        stranger.sendto(forged, (port, 0))
    assert events(watched, 1, 0.2) == []
    watched.close()


def test_without_netlink_there_is_a_reason(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*arguments: object) -> socket.socket:
        raise OSError(97, "Address family not supported by protocol")

    monkeypatch.setattr(links.socket, "socket", refuse)
    watched, reason = LinkWatch.open(["va"])
    assert watched is None
    assert "Address family not supported" in reason
    assert "AF_NETLINK" in reason


def test_without_pyroute2_there_is_a_reason(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(links.importlib.util, "find_spec", lambda name: None)
    for name in [n for n in sys.modules if n.split(".")[0] == "pyroute2"]:
        monkeypatch.delitem(sys.modules, name)
    watched, reason = LinkWatch.open(["va"])
    assert watched is None
    assert "install pyroute2" in reason


def test_loading_the_decoder_is_light_and_leaves_pyroute2_whole() -> None:
    code = """
import sys, socket, struct, ctypes, dataclasses, select
def rss(): return int(next(l for l in open('/proc/self/status') if l.startswith('VmRSS')).split()[1])
before = rss()
import ptpstack.net.links as links
links._load_decoder()
print(rss() - before, 'pyroute2' in sys.modules, 'asyncio' in sys.modules)
import pyroute2
print(callable(pyroute2.IPRoute), pyroute2.__file__ is not None)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    first, second = done.stdout.splitlines()
    kilobytes, bare_left, heavy = first.split()
    assert int(kilobytes) < 12 * 1024
    assert (bare_left, heavy) == ("False", "False")
    assert second == "True True"
