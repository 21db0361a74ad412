"""What a transport writes round a message, as tshark reads it: groups, hop limits, DSCP, PCP; hybrid mode."""

from __future__ import annotations

import json
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


#: transport -> field of the destination, the group, the client's own address
ADDRESSED = {
    "udp4": ("ip.dst", "224.0.1.129", "10.77.1.2"),
    "udp6": ("ipv6.dst", "ff0e::181", "fd00:77:1::2"),
    "l2": ("eth.dst", "01:1b:19:00:00:00", ""),
}


@pytest.mark.parametrize("transport", ADDRESSED)
def test_TRN_05_a_ptp4l_client_in_hybrid_mode_is_answered_by_unicast(bench: Bench, transport: str) -> None:
    a, b = bench.namespace("gm"), bench.namespace("oc")
    bench.wire(a, "v0", b, "v1")
    bench.capture(a, "v0")
    bench.node(a, *SERVE, "--transport", transport).ready()
    client = bench.ptp4l(b, "v1", transport=transport, slaveOnly=1, hybrid_e2e=1)
    until("a client with time", lambda: len(client.offsets()) >= 5, 40, 0.2)
    field, group, address = ADDRESSED[transport]
    address = address or json.loads(b.ip("-j link show v1"))[0]["address"]
    rows = dissected(bench, "ptp.v2.messagetype", "ptp.v2.flags.unicast", field)
    assert rows == {
        ("0x00", "0", group),
        ("0x08", "0", group),
        ("0x0b", "0", group),
        ("0x09", "1", address),
    }
    offsets = [abs(offset) for offset, _ in client.offsets()[-3:]]
    assert min(offsets) < 100_000


@pytest.mark.parametrize(
    ("transport", "flag", "told"),
    [("udp4", "-4", "1 10.77.1.1"), ("udp6", "-6", "2 fd00:77:1::1"), ("l2", "-2", "3 ")],
)
def test_TRN_17_pmc_hears_the_protocol_and_address(bench: Bench, transport: str, flag: str, told: str) -> None:
    a, b = bench.namespace("gm"), bench.namespace("asker")
    bench.wire(a, "v0", b, "v1")
    node = bench.node(a, *SERVE, "--transport", transport).ready()
    if transport == "l2":
        told += json.loads(a.ip("-j link show v0"))[0]["address"]
    answers: list[str] = []

    def asked() -> bool:
        done = b.run("pmc", flag, "-i", "v1", "-b", "0", "GET CLOCK_DESCRIPTION", check=False)
        answers.append(done.stdout)
        return "protocolAddress" in done.stdout

    until("an answer", asked, 20, 0.3)
    (line,) = [line.split(maxsplit=1)[1] for line in answers[-1].splitlines() if "protocolAddress" in line]
    assert line.strip().lower() == told
    assert node.alive()
