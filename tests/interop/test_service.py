"""A node as a service: how it starts, refuses, is watched, gives up privileges and ends."""

from __future__ import annotations

import contextlib
import itertools
import os
import platform
import pwd
import shutil
import signal
import socket
import stat
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from ptpstack.engine.trace import replay
from ptpstack.node.client import ControlClient
from ptpstack.node.service import CAPABILITIES
from tests.interop.bench import REPOSITORY, Bench, Node, Outcome, Process, identity, need_peers, pause, together, until
from tests.interop.frames import judge_frames
from tests.netns import Namespace

pytestmark = [pytest.mark.interop, pytest.mark.namespaces, pytest.mark.slow]

GM = ("gm", "-i", "v0", "--simulated", "perfect", "--announce", "0")
NOBODY = pwd.getpwnam("nobody")


def lonely(bench: Bench, name: str = "ours") -> Namespace:
    """A namespace with an interface ``v0`` whose other end nobody listens to."""
    a, b = bench.namespace(name), bench.namespace(f"{name}-peer")
    bench.wire(a, "v0", b, "v1")
    return a


def serves(node: Node) -> bool:
    return node.port_states() == ["MASTER"]


@contextlib.contextmanager
def open_folder() -> Iterator[Path]:
    """A folder that every user can reach; those of pytest are root's alone."""
    path = Path(tempfile.mkdtemp(prefix="ptpstack-test-"))
    path.chmod(0o777)
    try:
        yield path
    finally:
        shutil.rmtree(path, ignore_errors=True)


# ---- end and start ------------------------------------------------------------------------------------------------


def ends_on(number: int, bench: Bench) -> dict[str, Any]:
    node = bench.node(lonely(bench), *GM).ready()
    until("a master", lambda: serves(node), 10)
    was_there = stat.S_ISSOCK(os.stat(node.control).st_mode)
    start = time.monotonic()
    node.popen.send_signal(number)
    status = node.wait()
    return {
        "status": status,
        "took_s": time.monotonic() - start,
        "was_there": was_there,
        "is_there": os.path.exists(node.control),
        "log": node.text(),
    }


def stops_by_control_socket(bench: Bench) -> dict[str, Any]:
    node = bench.node(lonely(bench), *GM).ready()
    node.ask("stop")
    return {"status": node.wait(), "is_there": os.path.exists(node.control), "log": node.text()}


def control_twice(bench: Bench) -> dict[str, Any]:
    first = bench.node(lonely(bench), *GM).ready()
    second = Process(
        [sys.executable, "-m", "ptpstack", *GM, "--control", first.control],
        lonely(bench, "other"),
        bench.folder / "second.log",
    )
    status = second.wait()
    until("the first still serving", lambda: serves(first), 10)
    # a node that was killed leaves its socket behind; that is no obstacle
    first.kill()
    left = os.path.exists(first.control)
    again = Process(
        [sys.executable, "-m", "ptpstack", *GM, "--control", first.control],
        lonely(bench, "again"),
        bench.folder / "again.log",
    )
    try:
        until("a node in the place of the dead one", lambda: "serving" in again.text() or "MASTER" in again.text(), 15)
    finally:
        again.stop()
    return {"status": status, "log": second.text(), "left": left}


def without_privileges(transport: str, bench: Bench) -> dict[str, Any]:
    with open_folder() as folder:
        command = [sys.executable, "-m", "ptpstack", *GM, "--transport", transport, "--control", str(folder / "c.sock")]
        drop = ["setpriv", "--reuid", "nobody", "--regid", str(NOBODY.pw_gid), "--clear-groups", "--bounding-set=-all"]
        process = Process([*drop, *command], lonely(bench), bench.folder / "nobody.log", HOME="/nonexistent")
        return {"status": process.wait(), "log": process.text(), "left": os.listdir(folder)}


# ---- watched ------------------------------------------------------------------------------------------------------


def notifies(bench: Bench) -> dict[str, Any]:
    path = str(bench.folder / "notify")
    told: list[tuple[float, str]] = []
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
        sock.bind(path)
        sock.settimeout(0.1)
        ended = threading.Event()

        def listen() -> None:
            while not ended.is_set():
                with contextlib.suppress(TimeoutError):
                    told.append((time.monotonic(), sock.recv(4096).decode()))

        listener = threading.Thread(target=listen)
        listener.start()
        try:
            node = bench.node(lonely(bench), *GM, environ={"NOTIFY_SOCKET": path, "WATCHDOG_USEC": "1200000"}).ready()
            until("several pats on the watchdog", lambda: sum("WATCHDOG=1" in t for _, t in told) >= 4, 15)
            node.popen.send_signal(signal.SIGTERM)
            status = node.wait()
            pause(0.3)
        finally:
            ended.set()
            listener.join()
    return {"told": told, "status": status}


# ---- privileges ---------------------------------------------------------------------------------------------------


def proc_status(pid: int) -> dict[str, str]:
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return {key: value.strip() for key, _, value in (line.partition(":") for line in lines)}


def stays_root(bench: Bench) -> dict[str, Any]:
    node = bench.node(lonely(bench), *GM).ready()
    until("a master", lambda: serves(node), 10)
    return {"status": proc_status(node.popen.pid), "log": node.text()}


def becomes_nobody(bench: Bench) -> dict[str, Any]:
    namespace = lonely(bench)
    with open_folder() as folder:
        control = folder / "c.sock"
        site = bench.folder / "site.toml"
        site.write_text(
            '[node]\nuser = "nobody"\n'
            '[[clock]]\ntype = "simulated"\noscillator = "perfect"\n'
            '[[instance]]\nrole = "grandmaster"\n[[instance.port]]\ninterface = "v0"\nlog_announce_interval = 0\n'
        )
        # Changing its user cancels the node's promise to die with us. As the only child of a namespace's first process
        # it dies all the same.
        process = Process(
            [
                *("unshare", "--pid", "--fork", "--kill-child", "sh", "-c", '"$@" & wait; wait', "sh"),
                *(sys.executable, "-m", "ptpstack", "run", str(site), "--control", str(control)),
            ],
            namespace,
            bench.folder / "nobody.log",
        )
        try:
            until("a node that is ready", lambda: "running as" in process.text() and control.exists(), 15)
            until("a master", lambda: "-> MASTER" in process.text(), 15)
            pids = [int(p) for p in os.listdir("/proc") if p.isdigit() and _serves_control(int(p), str(control))]
            owner = control.stat()
            # as the user that the node has become
            asked = bench.namespace("asking").run(
                *(
                    "setpriv",
                    "--reuid",
                    "nobody",
                    "--regid",
                    str(NOBODY.pw_gid),
                    "--clear-groups",
                    sys.executable,
                    "-c",
                ),
                "import sys; sys.path.insert(0, sys.argv[2]); from ptpstack.node.client import ControlClient;"
                "print(ControlClient(sys.argv[1]).request('status')['instances'][0]['ports'][0]['state'])",
                str(control),
                str(REPOSITORY),
                check=False,
            )
            facts = [proc_status(pid) for pid in pids]
            for pid in pids:
                os.kill(pid, signal.SIGTERM)
            until("a clean end", lambda: "clean end" in process.text(), 10)
            left = control.exists()
        finally:
            process.kill()
    return {
        "status": facts,
        "owner": (owner.st_uid, stat.S_IMODE(owner.st_mode)),
        "asked": (asked.stdout.strip(), asked.stderr.strip()[-300:]),
        "left": left,
    }


def _serves_control(pid: int, control: str) -> bool:
    try:
        words = Path(f"/proc/{pid}/cmdline").read_bytes().decode().split("\0")
    except OSError:
        return False
    return words[1:3] == ["-m", "ptpstack"] and control in words


# ---- what is missing here ------------------------------------------------------------------------------------------


def without_pyroute2(bench: Bench) -> dict[str, Any]:
    """A pyroute2 that cannot be imported stands before the real one."""
    broken = bench.folder / "broken"
    (broken / "pyroute2").mkdir(parents=True)
    (broken / "pyroute2" / "__init__.py").write_text("raise ImportError('broken on purpose')\n")
    a, b = bench.namespace("ours"), bench.namespace("theirs")
    bench.wire(a, "v0", b, "v1")
    bench.capture(a, "v0")
    node = bench.node(a, *GM, environ={"PYTHONPATH": f"{broken}:{REPOSITORY}"}).ready()
    client = bench.ptp4l(b, "v1", slaveOnly=1)
    until("measurements of a client", lambda: len(client.offsets()) >= 3, 25)
    return {"status": node.ask("status"), "log": node.text()}


#: Refuses AF_NETLINK to itself and to what it becomes, as systemd's RestrictAddressFamilies= does.
WITHOUT_NETLINK = """
import ctypes, os, struct, sys
libc = ctypes.CDLL(None, use_errno=True)
socket_call = int(sys.argv[1])
rules = [
    (0x20, 0, 0, 0),               # load the number of the call
    (0x15, 0, 3, socket_call),     # another one: allow
    (0x20, 0, 0, 16),              # load its first argument
    (0x15, 0, 1, 16),              # not AF_NETLINK: allow
    (0x06, 0, 0, 0x00050000 | 97), # EAFNOSUPPORT
    (0x06, 0, 0, 0x7FFF0000),      # allow
]
code = ctypes.create_string_buffer(b"".join(struct.pack("=HBBI", *rule) for rule in rules))
program = ctypes.create_string_buffer(struct.pack("@HP", len(rules), ctypes.addressof(code)))
assert libc.prctl(38, 1, 0, 0, 0) == 0       # PR_SET_NO_NEW_PRIVS
assert libc.prctl(22, 2, program, 0, 0) == 0, os.strerror(ctypes.get_errno())  # PR_SET_SECCOMP, filter
os.execv(sys.executable, [sys.executable, *sys.argv[2:]])
"""
SOCKET_CALL = {"x86_64": 41, "aarch64": 198}


def netlink_refused(bench: Bench) -> dict[str, Any]:
    number = SOCKET_CALL[platform.machine()]
    control = str(bench.folder / "c.sock")
    node = Process(
        [sys.executable, "-c", WITHOUT_NETLINK, str(number), "-m", "ptpstack", *GM, "--control", control],
        lonely(bench),
        bench.folder / "node.log",
    )
    try:
        until("a master", lambda: "-> MASTER" in node.text() or not node.alive(), 15)
        with ControlClient(control) as client:
            status = client.request("status")
    finally:
        node.stop()
    return {"status": status, "log": node.text()}


def io_loop(kind: str, bench: Bench) -> dict[str, Any]:
    """Grandmaster and client of ours on this kind of loop, with a ptp4l client behind the first."""
    a, b = bench.namespace("gm"), bench.namespace("oc")
    bench.wire(a, "v0", b, "v1")
    bench.capture(a, "v0")
    bench.capture(b, "v1")
    master = bench.node(a, *GM, "--io-loop", kind, "--transport", "l2").ready()
    client = bench.node(
        b,
        *("oc", "-i", "v1", "--client-only", "--simulated", "tcxo", "--transport", "l2", "--announce", "0"),
        *("--io-loop", kind),
    ).ready()
    theirs = bench.ptp4l(b, "v1", transport="l2", slaveOnly=1)
    until("a locked client", client.locked, 30)
    until("measurements of ptp4l", lambda: len(theirs.offsets()) >= 3, 25)
    return {
        "kinds": [n.ask("status")["io_loop"] for n in (master, client)],
        "error_ns": client.error_ns(),
        "offsets": [offset for offset, _ in theirs.offsets()],
    }


# ---- several domains ----------------------------------------------------------------------------------------------

DOMAINS = {0: 90, 10: 91, 24: 92}


def several_domains(bench: Bench) -> dict[str, Any]:
    """Three grandmasters in one process on one interface and clock; in a fourth domain it follows ptp4l."""
    a, b = bench.namespace("ours"), bench.namespace("theirs")
    bench.wire(a, "v0", b, "v1")
    bench.capture(a, "v0")
    text = '[[clock]]\nname = "c"\ntype = "simulated"\noscillator = "tcxo"\n'
    for domain, priority in DOMAINS.items():
        text += (
            f'[[instance]]\nname = "d{domain}"\nrole = "grandmaster"\ndomain = {domain}\npriority1 = {priority}\n'
            'clock = "c"\nprofile = "unrestricted"\n'
            '[[instance.port]]\ninterface = "v0"\ntransport = "l2"\nlog_announce_interval = 0\n'
        )
    text += (
        '[[instance]]\nname = "follower"\ndomain = 7\nclient_only = true\nclock = "c"\nprofile = "unrestricted"\n'
        'arb_is = "utc"\n[[instance.port]]\ninterface = "v0"\ntransport = "l2"\nlog_announce_interval = 0\n'
    )
    node = bench.site(a, text).ready()
    clients = {
        domain: bench.ptp4l(b, "v1", transport="l2", slaveOnly=1, domainNumber=domain, name=f"client{domain}")
        for domain in DOMAINS
    }
    above = bench.ptp4l(b, "v1", transport="l2", domainNumber=7, name="above", priority1=50)

    def all_served() -> bool:
        return all(len(client.offsets()) >= 3 for client in clients.values())

    def following() -> bool:
        return bool(node.instance(3)["servo"]["state"] == "locked")

    until("every domain's client served", all_served, 30, 0.3)
    until("the follower locked", following, 30, 0.3)
    return {
        "views": {domain: client.get("PARENT_DATA_SET", "CURRENT_DATA_SET") for domain, client in clients.items()},
        "ours": node.instance(0)["clock_identity"],
        "above": identity(above.get("DEFAULT_DATA_SET")["clockIdentity"]),
        "follower": node.instance(3),
        "error_ns": node.error_ns(),
    }


# ---- traces -------------------------------------------------------------------------------------------------------


def recorded(suffix: str, killed: bool, bench: Bench) -> dict[str, Any]:
    a, b = bench.namespace("gm"), bench.namespace("oc")
    bench.wire(a, "v0", b, "v1")
    bench.ptp4l(a, "v0", priority1=100)
    trace = bench.folder / f"client.trace{suffix}"
    client = bench.node(
        b,
        *("oc", "-i", "v1", "--client-only", "--simulated", "tcxo", "--arb-is", "utc", "--announce", "0"),
        *("--record", str(trace)),
    ).ready()
    until("a locked client", client.locked, 30)
    until("enough measurements", lambda: client.ask("status")["clocks"][0]["edges"][0]["measurements"] >= 8, 20)
    if killed:
        client.kill()
    else:
        client.stop()
    result = replay(str(trace))
    return {"result": result, "state": client.popen.returncode}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Any:
    return tmp_path_factory.mktemp("service")


@pytest.fixture(scope="module")
def runs(folder: Any) -> dict[str, Outcome]:
    need_peers()
    scenarios: dict[str, Any] = {
        "several domains": several_domains,
        "poll": partial(io_loop, "poll"),
        "select": partial(io_loop, "select"),
        "recorded": partial(recorded, "", False),
        "recorded compressed": partial(recorded, ".gz", False),
        "recorded and killed": partial(recorded, "", True),
        "SIGTERM": partial(ends_on, signal.SIGTERM),
        "SIGINT": partial(ends_on, signal.SIGINT),
        "stop": stops_by_control_socket,
        "control socket taken": control_twice,
        "nobody udp4": partial(without_privileges, "udp4"),
        "nobody l2": partial(without_privileges, "l2"),
        "notify": notifies,
        "root": stays_root,
        "user": becomes_nobody,
        "no pyroute2": without_pyroute2,
        "no netlink": netlink_refused,
    }
    return together(scenarios, folder)


@pytest.mark.parametrize("name", ["SIGTERM", "SIGINT"])
def test_a_signal_ends_it_cleanly(runs: dict[str, Outcome], name: str) -> None:
    run = runs[name].get()
    assert run["status"] == 0
    assert run["was_there"]
    assert not run["is_there"]
    assert f"{name}: ending" in run["log"]
    assert run["log"].rstrip().endswith("clean end")
    assert "Traceback" not in run["log"]
    assert run["took_s"] < 3


def test_the_control_socket_ends_it_cleanly(runs: dict[str, Outcome]) -> None:
    run = runs["stop"].get()
    assert run["status"] == 0
    assert not run["is_there"]
    assert "Traceback" not in run["log"]


def test_a_second_node_on_the_same_control_socket_is_refused(runs: dict[str, Outcome]) -> None:
    run = runs["control socket taken"].get()
    assert run["status"] == 1
    assert "another node already serves" in run["log"]
    assert "--control" in run["log"]
    assert "Traceback" not in run["log"]
    assert run["left"]


@pytest.mark.parametrize("transport", ["udp4", "l2"])
def test_without_privileges_it_says_which_are_missing(runs: dict[str, Outcome], transport: str) -> None:
    run = runs[f"nobody {transport}"].get()
    assert run["status"] == 1
    assert "Traceback" not in run["log"]
    assert ("CAP_NET_RAW" if transport == "l2" else "CAP_NET_BIND_SERVICE") in run["log"]
    assert run["left"] == []


def test_it_tells_systemd_when_it_is_ready_alive_and_ending(runs: dict[str, Outcome]) -> None:
    run = runs["notify"].get()
    texts = [text for _, text in run["told"]]
    assert texts[0].startswith("READY=1") or texts[1].startswith("READY=1")
    assert sum("READY=1" in text for text in texts) == 1
    assert texts[-1] == "STOPPING=1"
    pats = [at for at, text in run["told"] if "WATCHDOG=1" in text]
    # systemd kills at 1.2 s and advises half of that; the rest is for a busy machine
    assert max(b - a for a, b in itertools.pairwise(pats)) < 0.95
    assert run["status"] == 0


def test_as_root_it_keeps_only_the_capabilities_it_needs(runs: dict[str, Outcome]) -> None:
    run = runs["root"].get()
    allowed = sum(1 << bit for bit in CAPABILITIES.values())
    effective, permitted = int(run["status"]["CapEff"], 16), int(run["status"]["CapPrm"], 16)
    assert effective == permitted
    assert effective & ~allowed == 0
    assert effective >> CAPABILITIES["CAP_NET_RAW"] & 1
    assert "running as uid 0 with" in run["log"]


def test_it_becomes_the_user_it_is_told_to_and_still_serves(runs: dict[str, Outcome]) -> None:
    run = runs["user"].get()
    assert len(run["status"]) == 1
    status = run["status"][0]
    assert status["Uid"].split() == [str(NOBODY.pw_uid)] * 4
    assert status["Gid"].split() == [str(NOBODY.pw_gid)] * 4
    assert status["Groups"] == ""
    assert int(status["CapEff"], 16) & ~sum(1 << bit for bit in CAPABILITIES.values()) == 0
    assert run["owner"] == (NOBODY.pw_uid, 0o660)
    assert run["asked"][0] == "MASTER", run["asked"][1]
    assert not run["left"]


@pytest.mark.parametrize(
    ("name", "advice"), [("no pyroute2", "install pyroute2"), ("no netlink", "RestrictAddressFamilies=")]
)
def test_without_netlink_it_works_and_says_so(runs: dict[str, Outcome], name: str, advice: str) -> None:
    if name == "no netlink" and platform.machine() not in SOCKET_CALL:
        pytest.skip(f"the number of socket() on {platform.machine()} is not in the table here")
    run = runs[name].get()
    assert run["status"]["netlink"] is False
    assert "link changes are not watched" in run["status"]["netlink_missing"]
    assert advice in run["log"]
    assert run["status"]["instances"][0]["ports"][0]["state"] == "MASTER"


@pytest.mark.parametrize("kind", ["poll", "select"])
def test_every_kind_of_loop_serves_and_follows(runs: dict[str, Outcome], kind: str) -> None:
    run = runs[kind].get()
    assert run["kinds"] == [kind, kind]
    assert abs(run["error_ns"]) < 50_000
    assert sorted(abs(offset) for offset in run["offsets"])[len(run["offsets"]) // 2] < 50_000


def test_several_domains_in_one_process_on_one_interface(runs: dict[str, Outcome]) -> None:
    run = runs["several domains"].get()
    for domain, priority in DOMAINS.items():
        view = run["views"][domain]
        assert view["grandmasterPriority1"] == str(priority)
        assert identity(view["grandmasterIdentity"]) == identity(run["ours"])
        assert view["stepsRemoved"] == "1"
    follower = run["follower"]
    assert identity(follower["grandmaster"]["identity"]) == run["above"]
    assert follower["grandmaster"]["priority1"] == 50
    assert follower["servo"]["steers"]
    assert abs(run["error_ns"]) < 50_000


@pytest.mark.parametrize("name", ["recorded", "recorded compressed", "recorded and killed"])
def test_a_recorded_run_replays_to_the_same_decisions(runs: dict[str, Outcome], name: str) -> None:
    run = runs[name].get()
    result = run["result"]
    assert result.identical, result.divergence.sentence()
    assert result.complete is (name != "recorded and killed")
    assert result.inputs > 40
    assert result.decisions > 15
    assert result.counts["receive"] > 15
    assert result.counts["commanded"] >= 3


def test_every_frame_we_sent_is_well_formed(runs: dict[str, Outcome], folder: Any) -> None:
    seen = judge_frames(runs.values(), folder)
    assert seen["ANNOUNCE"]
