"""Debian's pmc and phc2sys at our sockets and over the network; our pmc at ptp4l; a boundary clock of ours between."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from ptpstack.engine.trace import replay
from tests.interop.bench import Bench, Node, Outcome, Process, Ptp4l, environment, json_lines, need_peers, until
from tests.interop.frames import judge_frames
from tests.netns import Namespace

pytestmark = [pytest.mark.interop, pytest.mark.namespaces, pytest.mark.slow]

#: everything that pmc 3.1.1 and later can GET and a clock without options has
GETS = (
    *("USER_DESCRIPTION", "DEFAULT_DATA_SET", "CURRENT_DATA_SET", "PARENT_DATA_SET", "TIME_PROPERTIES_DATA_SET"),
    *("PRIORITY1", "PRIORITY2", "DOMAIN", "SLAVE_ONLY", "CLOCK_ACCURACY", "TRACEABILITY_PROPERTIES"),
    *("TIMESCALE_PROPERTIES", "TIME_STATUS_NP", "GRANDMASTER_SETTINGS_NP", "SUBSCRIBE_EVENTS_NP"),
    *("SYNCHRONIZATION_UNCERTAIN_NP", "NULL_MANAGEMENT", "CLOCK_DESCRIPTION", "PORT_DATA_SET"),
    *("LOG_ANNOUNCE_INTERVAL", "ANNOUNCE_RECEIPT_TIMEOUT", "LOG_SYNC_INTERVAL", "VERSION_NUMBER", "DELAY_MECHANISM"),
    *("LOG_MIN_PDELAY_REQ_INTERVAL", "PORT_DATA_SET_NP", "PORT_STATS_NP", "PORT_PROPERTIES_NP"),
)
_HEAD = re.compile(r"^\t(\S+)-(\d+) seq (\d+) RESPONSE MANAGEMENT(_ERROR_STATUS)? ?(\S*)")


def site(*interfaces: str, priority1: int = 128, more: str = "") -> str:
    role = "boundary" if len(interfaces) > 1 else "ordinary"
    ports = "".join(f'[[instance.port]]\ninterface = "{name}"\nlog_announce_interval = -1\n' for name in interfaces)
    return (
        '[[clock]]\ntype = "simulated"\noscillator = "perfect"\n'
        f'[[instance]]\nprofile = "unrestricted"\nrole = "{role}"\npriority1 = {priority1}\n{ports}{more}'
    )


@dataclass
class Line:
    """ours (boundary) between a ptp4l on either side: gm -- ours -- client, each in a namespace of its own."""

    bench: Bench
    ours: Node
    uds: str
    trace: str
    gm: Ptp4l
    client: Ptp4l
    console: Namespace
    outcome: Outcome

    def pmc(self, *requests: str, namespace: Namespace | None = None, more: tuple[str, ...] = ()) -> str:
        """Debian's pmc, over our Unix socket or (``namespace``) over UDP."""
        where = [] if namespace is not None else ["-u", "-s", self.uds, "-i", f"{self.uds}.pmc"]
        return run(["pmc", *where, *more, *requests], namespace)

    def our_pmc(self, *arguments: str, namespace: Namespace | None = None) -> str:
        return run([sys.executable, "-m", "ptpstack", "pmc", *arguments], namespace)


def run(command: list[str], namespace: Namespace | None) -> str:
    pipes: dict[str, Any] = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "env": environment()}
    process = subprocess.Popen(command, **pipes) if namespace is None else namespace.popen(*command, **pipes)
    return process.communicate(timeout=60)[0].decode()


def answers(text: str) -> dict[str, list[str]]:
    """Name of the data set (or "" for an error) -> who answered."""
    found: dict[str, list[str]] = {}
    for line in text.splitlines():
        head = _HEAD.match(line)
        if head:
            found.setdefault("ERROR" if head[4] else head[5], []).append(f"{head[1]}-{head[2]}")
    return found


@pytest.fixture(scope="module")
def line(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Line]:
    need_peers()
    folder = tmp_path_factory.mktemp("management")
    uds, trace = str(folder / "uds"), str(folder / "trace")
    outcome = Outcome()
    with Bench(folder) as bench:
        west, middle, east = (bench.namespace(name) for name in ("west", "middle", "east"))
        bench.wire(west, "w", middle, "mw")
        bench.wire(middle, "me", east, "e")
        for interface in ("mw", "me"):
            bench.capture(middle, interface)
        gm = bench.ptp4l(west, "w", logAnnounceInterval=-1, priority1=10)
        client = bench.ptp4l(east, "e", logAnnounceInterval=-1, priority1=200)
        ours = bench.site(middle, site("mw", "me"), "--management", uds, "--record", trace, name="ours").ready()
        settled = lambda: ours.port_states() == ["SLAVE", "MASTER"]  # noqa: E731
        until("a boundary clock that follows and serves", settled, 40)
        yield Line(bench, ours, uds, trace, gm, client, east, outcome)
        outcome.captures = bench.captures
    judge_frames([outcome], folder)


def test_every_get_of_pmc_is_answered_over_the_unix_socket(line: Line) -> None:
    text = line.pmc("-b", "0", *(f"GET {name}" for name in GETS))
    found = answers(text)
    # pmc shows no name for NULL_MANAGEMENT
    assert {name for name in GETS if name != "NULL_MANAGEMENT"} | {""} == set(found), text
    ports = {"PORT_DATA_SET", "PORT_PROPERTIES_NP", "PORT_STATS_NP", "CLOCK_DESCRIPTION", "DELAY_MECHANISM"}
    assert all(len(found[name]) == 2 for name in ports)
    assert len(found["DEFAULT_DATA_SET"]) == 1
    values = dict(row.split(None, 1) for row in text.splitlines() if row.startswith("\t\t") and len(row.split()) > 1)
    assert values["numberPorts"] == "2"
    assert values["stepsRemoved"] == "1"
    assert values["gmPresent"] == "true"
    assert abs(float(values["offsetFromMaster"])) < 1e6
    assert float(values["meanPathDelay"]) > 0
    assert values["interface"] in ("mw", "me")


def test_every_get_of_pmc_is_answered_over_udp(line: Line) -> None:
    text = line.pmc("-4", "-b", "0", "-i", "e", *(f"GET {name}" for name in GETS), namespace=line.console)
    found = answers(text)
    # SUBSCRIBE_EVENTS_NP is for local peers, and can be read by everybody
    assert {name for name in GETS if name != "NULL_MANAGEMENT"} <= set(found), text
    assert "ERROR" not in found


def test_over_udp_nothing_is_set(line: Line) -> None:
    text = line.pmc("-4", "-b", "0", "-i", "e", "SET PRIORITY1 7", "GET PRIORITY1", namespace=line.console)
    assert "ERROR" in answers(text)
    assert line.ours.instance()["priority1"] == 128


def test_requests_pass_the_boundary_clock_by_hops(line: Line) -> None:
    """From the far side: ours answers, and the grandmaster beyond when there is a hop to spend."""
    near = answers(line.pmc("-4", "-b", "0", "-i", "e", "GET PRIORITY1", namespace=line.console))
    far = answers(line.pmc("-4", "-b", "1", "-i", "e", "GET PRIORITY1", namespace=line.console))
    assert len(far["PRIORITY1"]) == len(near["PRIORITY1"]) + 1


def test_by_our_socket_the_neighbours_answer(line: Line) -> None:
    """pmc asks with one hop: the ptp4l on either side answers, and the answers come back through us."""
    assert len(answers(line.pmc("-b", "0", "GET PRIORITY1"))["PRIORITY1"]) == 1
    assert len(answers(line.pmc("GET PRIORITY1"))["PRIORITY1"]) == 3
    rows = list(json_lines(line.our_pmc("-s", line.uds, "--json", "GET PRIORITY1")))
    assert sorted(row["data"]["priority1"] for row in rows) == [10, 128, 200]


def test_our_pmc_at_ptp4l(line: Line) -> None:
    text = line.our_pmc("-s", line.gm.uds, "-b", "0", *(f"GET {name}" for name in GETS))
    found = answers(text)
    assert set(GETS) - {"NULL_MANAGEMENT"} <= set(found), text
    assert "ERROR" not in found
    theirs = line.gm.pmc("GET DEFAULT_DATA_SET")["DEFAULT_DATA_SET"][0]
    mine = dict(row.split(None, 1) for row in text.splitlines() if row.startswith("\t\t") and len(row.split()) > 1)
    assert mine["clockIdentity"] == theirs["clockIdentity"]
    assert mine["priority2"] == theirs["priority2"]


def test_our_pmc_over_udp_by_unicast(line: Line) -> None:
    where = ("-4", "-i", "e", "--to", "10.77.2.1", "-b", "0", "--json")
    rows = list(json_lines(line.our_pmc(*where, "GET CLOCK_DESCRIPTION", namespace=line.console)))
    assert [row["data"]["clockType"] for row in rows] == [0x4000, 0x4000]


def test_phc2sys_asks_and_is_answered(line: Line) -> None:
    """With software time stamps it finds no clock to work on, here as at ptp4l: the whole of it runs on the rig
    (tests/hil). It must come that far, and touch nothing."""
    for uds in (line.gm.uds, line.uds):
        log = line.bench.folder / f"phc2sys-{Path(uds).name}.log"
        namespace = line.gm.namespace
        phc2sys = Process(["phc2sys", "-a", "-m", "-q", "-l", "7", "-z", uds], namespace, log)
        until("the end of phc2sys", lambda p=phc2sys: not p.alive(), 20)  # type: ignore[misc]
        assert "no suitable ports available" in phc2sys.text()


def test_set_priority1_changes_the_election(line: Line) -> None:
    """By Debian's pmc at our socket: ours becomes grandmaster, and gives way again."""
    line.pmc("-b", "0", "SET PRIORITY1 1")
    until("ours as grandmaster", lambda: line.gm.grandmaster() == line.ours.grandmaster() != "", 30)
    assert line.ours.port_states() == ["MASTER", "MASTER"]
    line.pmc("-b", "0", "SET PRIORITY1 128")
    until("ptp4l as grandmaster", lambda: line.ours.port_states()[1] == "MASTER" and line.ours.port_states()[0] in
          ("SLAVE", "UNCALIBRATED"), 30)  # fmt: skip
    assert "PRIORITY1 priority1 1 by management (read-write" in line.ours.text()


def test_a_port_that_is_disabled_by_our_pmc_is_pushed_to_a_subscriber(line: Line) -> None:
    events = "NOTIFY_PORT_STATE on NOTIFY_TIME_SYNC off NOTIFY_PARENT_DATA_SET off NOTIFY_CMLDS off"
    log = line.bench.folder / "subscriber.log"
    command = [sys.executable, "-m", "ptpstack", "pmc", "-s", f"{line.uds}-ro", "-b", "0", "--json", "--listen", "15"]
    subscriber = Process([*command, f"SET SUBSCRIBE_EVENTS_NP duration 60 {events}"], line.console, log)
    until("a subscription", lambda: "SUBSCRIBE_EVENTS_NP" in subscriber.text(), 20)
    identity = line.ours.instance()["ports"][1]["identity"]
    line.our_pmc("-s", line.uds, "-b", "0", f"TARGET {identity}", "COMMAND DISABLE_PORT")
    until("the news", lambda: '"meaning": "DISABLED"' in subscriber.text(), 15)
    line.our_pmc("-s", line.uds, "-b", "0", f"TARGET {identity}", "COMMAND ENABLE_PORT")
    subscriber.stop()
    until("a port that serves again", lambda: line.ours.port_states()[1] == "MASTER", 30)


def test_what_was_answered_is_answered_the_same_in_a_replay(line: Line) -> None:
    """The last test here: it ends the node."""
    line.ours.stop()
    result = replay(line.trace)
    assert result.identical, result.divergence
    assert result.counts["management"] >= 30
