"""What a transport writes round a message, as tshark reads it: groups, hop limits, DSCP, PCP."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.interop.bench import Bench, environment, need_peers, until

pytestmark = [pytest.mark.interop, pytest.mark.namespaces]

SERVE = ("gm", "-i", "v0", "--simulated", "perfect", "--announce", "0")


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    need_peers()
    with Bench(tmp_path) as made:
        yield made


def dissected(bench: Bench, *fields: str) -> set[tuple[str, ...]]:
    """The distinct rows of these fields over all PTP frames captured so far."""
    command = ["tshark", "-n", "-r", str(bench.captures[0]), "-Y", "ptp", "-T", "fields"]
    for name in fields:
        command += ["-e", name]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, env=environment())
    return {tuple(line.split("\t")) for line in done.stdout.splitlines()}


def served(bench: Bench, *options: str) -> None:
    """A grandmaster has sent Announce, Sync and Follow_Up."""
    a, b = bench.namespace("gm"), bench.namespace("ear")
    bench.wire(a, "v0", b, "v1")
    bench.capture(a, "v0")
    bench.node(a, *SERVE, *options).ready()
    kinds = {("0x00",), ("0x08",), ("0x0b",)}
    until("its messages", lambda: dissected(bench, "ptp.v2.messagetype") == kinds, 20, 0.3)


@pytest.mark.parametrize(
    ("transport", "group", "dscp", "ttl"),
    [
        ("udp4", ("ip.dst", "224.0.1.129"), "ip.dsfield.dscp", "ip.ttl"),
        ("udp6", ("ipv6.dst", "ff0e::181"), "ipv6.tclass.dscp", "ipv6.hlim"),
    ],
)
def test_TRN_01_and_02_marks_of_udp(bench: Bench, transport: str, group: tuple[str, str], dscp: str, ttl: str) -> None:
    served(bench, "--transport", transport, "--ttl", "3", "--dscp-event", "46", "--dscp-general", "34")
    rows = dissected(bench, "ptp.v2.messagetype", group[0], "udp.dstport", dscp, ttl)
    assert rows == {
        ("0x00", group[1], "319", "46", "3"),
        ("0x08", group[1], "320", "34", "3"),
        ("0x0b", group[1], "320", "34", "3"),
    }


def test_defaults_of_udp(bench: Bench) -> None:
    served(bench)
    assert dissected(bench, "ip.dsfield.dscp", "ip.ttl") == {("0", "1")}


def test_TRN_08_and_09_a_priority_tag(bench: Bench) -> None:
    served(bench, "--transport", "l2", "--pcp", "5")
    assert dissected(bench, "eth.dst", "eth.type", "vlan.priority", "vlan.id", "vlan.etype") == {
        ("01:1b:19:00:00:00", "0x8100", "5", "0", "0x88f7")
    }
