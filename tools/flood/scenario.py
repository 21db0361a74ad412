"""One grandmaster, one honest client, one listener and one attacker on a switch; what the flood did to them.

Two ways for a grandmaster to survive Announces that claim to be better, as nothing authenticates them:

* ``server-only``: it takes part in no election (portDS.masterOnly). The attacker uses the same few identities over and
  over, so that they qualify, and sends to the grandmaster's own address: clients would have to believe them.
* ``electing``: it does take part. Each hostile frame comes under identities never used before, so that none qualifies
  (FOREIGN_MASTER_THRESHOLD, 9.3.2.5), while all compete for the foreign master table. With ``everybody`` they go to the
  group, so to the client and the listener as well. A client that does not get the CPU time to empty its socket then
  loses Announces to the kernel's full buffer, and after three in a row its master: seen on two cores shared by all.

What wins an election by the protocol's own rules (the same better identity twice) is no flood, and no test here.
"""

from __future__ import annotations

import contextlib
import itertools
import os
import socket
import struct
import subprocess
import sys
import tempfile
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ptpstack.net.device import hardware_address_of
from ptpstack.net.sockets import attach_filter, grow_receive_buffer
from ptpstack.node.client import ControlClient, ControlUnavailable
from tests.netns import Namespace, namespaces, veth
from tools.bench import procfs
from tools.bench.measures import cores
from tools.flood.frames import mixture
from tools.flood.sender import Sent, Target, send

REPOSITORY = Path(__file__).resolve().parents[2]
VARIANTS = ("server-only", "electing")
GM_ADDRESS = "10.0.0.1"
_GROUP = "224.0.1.129"
_GROUP_MAC = {"udp4": bytes.fromhex("01005e000181"), "l2": bytes.fromhex("011b19000000")}
_LOG_SYNC_INTERVAL = -3
_POOL = 8192
#: the client is under way when its true error has stayed below this for a while, ns
_SETTLED_NS = 50_000.0


class FloodError(Exception):
    """The scenario could not be set up: what went wrong."""


@dataclass
class Outcome:
    """What was sent, what was seen meanwhile. Errors are true ones, against the clock that all share, in ns."""

    variant: str
    sent: Sent
    gm_states: list[str] = field(default_factory=list)
    client_states: list[str] = field(default_factory=list)
    client_grandmasters: list[str] = field(default_factory=list)
    client_errors_ns: list[float] = field(default_factory=list)
    client_error_before_ns: float = 0.0
    gm_identity: str = ""
    syncs: int = 0
    syncs_expected: int = 0
    syncs_missing: int = 0
    without_follow_up: int = 0
    longest_gap_s: float = 0.0
    rss_before: int = 0
    rss_after: int = 0
    cpu_share: float = 0.0
    foreign_masters: int = 0
    #: frames that the kernel lost on the way between namespaces (any sender's), for want of room in a core's backlog
    backlog_dropped: int = 0
    counters: dict[str, int] = field(default_factory=dict)
    unrouted: dict[str, int] = field(default_factory=dict)
    channel: dict[str, int] = field(default_factory=dict)

    @property
    def rss_growth(self) -> int:
        return self.rss_after - self.rss_before

    def as_dict(self) -> dict[str, Any]:
        result = {**self.__dict__, "sent": self.sent.__dict__ | {"rate": self.sent.rate}, "rss_growth": self.rss_growth}
        for name in ("gm_states", "client_states", "client_grandmasters"):
            result[name] = sorted(set(result[name]))
        result["client_errors_ns"] = {
            "samples": len(self.client_errors_ns),
            "max": max((abs(e) for e in self.client_errors_ns), default=None),
        }
        return result


class _Ear:
    """Hears what the grandmaster sends to the group, and nothing of the attacker."""

    def __init__(self, namespace: Namespace, interface: str, transport: str, gm_mac: bytes) -> None:
        with namespace.entered():
            self._sock = socket.socket(socket.AF_PACKET, socket.SOCK_RAW | socket.SOCK_CLOEXEC, 0)
            # source MAC in two parts, at octets 6 and 8
            attach_filter(
                self._sock,
                (
                    (0x28, 0, 0, 6),
                    (0x15, 0, 3, int.from_bytes(gm_mac[:2], "big")),
                    (0x20, 0, 0, 8),
                    (0x15, 0, 1, int.from_bytes(gm_mac[2:], "big")),
                    (0x06, 0, 0, 0xFFFFFFFF),
                    (0x06, 0, 0, 0),
                ),
            )
            grow_receive_buffer(self._sock, 32 << 20)
            self._sock.setsockopt(socket.SOL_SOCKET, 35, 1)  # SO_TIMESTAMPNS
            protocol = 0x0800 if transport == "udp4" else 0x88F7
            self._sock.bind((interface, protocol))
        self._header = 42 if transport == "udp4" else 14
        self._sock.setblocking(False)

    def frames(self) -> list[tuple[float, bytes]]:
        """(seconds, PTP octets) of all that came since the last call."""
        found = []
        while True:
            try:
                frame, ancillary, _, _ = self._sock.recvmsg(2048, 128)
            except BlockingIOError:
                return found
            seconds, nanoseconds = struct.unpack("=qq", ancillary[0][2])
            if len(frame) > self._header + 34:
                found.append((seconds + nanoseconds / 1e9, frame[self._header :]))

    def close(self) -> None:
        self._sock.close()


def _node(namespace: Namespace, directory: Path, cpu: int | None, *arguments: str) -> tuple[Any, str]:
    control = str(directory / f"{namespace.name}.sock")
    command = [sys.executable, "-m", "ptpstack", *arguments, "-i", "e0", "--profile", "unrestricted"]
    with open(directory / f"{namespace.name}.log", "wb") as log:
        process = namespace.popen(
            *command, "--control", control, cwd=REPOSITORY, stdin=subprocess.DEVNULL, stdout=log, stderr=log
        )
    if cpu is not None:
        os.sched_setaffinity(process.pid, {cpu})
    return process, control


def _ask(control: str, command: str, timeout_s: float = 10.0) -> Any:
    limit = time.monotonic() + timeout_s
    while True:
        try:
            with ControlClient(control) as client:
                return client.request(command)
        except ControlUnavailable as error:
            if time.monotonic() > limit:
                raise FloodError(str(error)) from error
            time.sleep(0.05)


def _port(status: Any) -> Any:
    return status["instances"][0]["ports"][0]


def _true_error_ns(control: str) -> float:
    return float(_ask(control, "truth")["clocks"][0]["error_ns"])


def _wait_for_lock(control: str, timeout_s: float) -> None:
    limit = time.monotonic() + timeout_s
    good = 0
    while good < 10:
        if time.monotonic() > limit:
            raise FloodError(f"the client did not lock within {timeout_s:g} s: {_true_error_ns(control):.0f} ns off")
        status = _ask(control, "status")
        settled = _port(status)["state"] == "SLAVE" and abs(_true_error_ns(control)) < _SETTLED_NS
        good = good + 1 if settled else 0
        time.sleep(0.1)


def run(
    variant: str,
    *,
    rate: float = 200_000,
    seconds: float = 10.0,
    count: int = 10_000_000,
    transport: str = "udp4",
    everybody: bool = False,
    kinds: list[str] | None = None,
    random_share: float = 0.5,
    seed: int = 1,
) -> Outcome:
    """The whole scenario, in namespaces that end with this process. ValueError for an unknown variant or kind, and for
    ``everybody`` with ``server-only``."""
    if variant not in VARIANTS:
        raise ValueError(f"variant is one of {', '.join(VARIANTS)}, not {variant!r}")
    if everybody and variant == "server-only":
        raise ValueError("server-only floods the grandmaster alone: clients have to believe who qualifies")
    pool = mixture(_POOL, seed, kinds, random_share)
    with contextlib.ExitStack() as stack:
        directory = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="ptpstack-flood-")))
        ns = stack.enter_context(namespaces("switch", "gm", "client", "ear", "bad"))
        ns["switch"].ip("link add br0 type bridge forward_delay 0 stp_state 0 mcast_snooping 0")
        ns["switch"].ip("link set br0 up")
        for number, (name, address) in enumerate(
            (("gm", f"{GM_ADDRESS}/24"), ("client", "10.0.0.2/24"), ("ear", "10.0.0.3/24"), ("bad", "10.0.0.4/24"))
        ):
            veth(ns["switch"], f"p{number}", ns[name], "e0", "", address)
            ns["switch"].ip(f"link set p{number} master br0")
        gm_mac = ns["gm"].call(_mac, "e0")
        ear = _Ear(ns["ear"], "e0", transport, gm_mac)
        stack.callback(ear.close)
        quiet, loud = cores()
        server_only = variant == "server-only"
        common = ("--transport", transport, "--stamping", "software")
        gm, gm_control = _node(
            *(ns["gm"], directory, quiet, "gm", *common, "--clock-class", "6", "--reference", "none"),
            *("--sync", str(_LOG_SYNC_INTERVAL), *(["--server-only"] if server_only else [])),
        )
        stack.callback(_end, gm)
        client, client_control = _node(
            *(ns["client"], directory, None, "oc", *common, "--client-only", "--simulated", "tcxo"),
            *("--delay-req", str(_LOG_SYNC_INTERVAL)),
        )
        stack.callback(_end, client)
        _wait_for_lock(client_control, 30.0)

        status = _ask(gm_control, "status")
        target = Target(
            _GROUP_MAC[transport] if everybody else gm_mac,
            None if transport == "l2" else _GROUP if everybody else GM_ADDRESS,
        )
        outcome = Outcome(variant, Sent(0, 0.0, 0, {}), gm_identity=status["instances"][0]["clock_identity"])
        outcome.client_error_before_ns = _true_error_ns(client_control)
        outcome.rss_before = procfs.memory_octets(gm.pid)["rss"]
        backlog = procfs.backlog_drops()
        cpu, begin = procfs.cpu_ns(gm.pid), time.monotonic()
        ear.frames()

        failure: list[BaseException] = []

        def attack() -> None:
            try:
                outcome.sent = ns["bad"].call(
                    _attack,
                    loud,
                    pool,
                    target,
                    {"rate": rate, "seconds": seconds, "count": count, "unique": not server_only},
                )
            except BaseException as error:
                failure.append(error)

        attacker = threading.Thread(target=attack)
        attacker.start()
        while attacker.is_alive():
            _sample(outcome, gm_control, client_control)
            time.sleep(0.25)
        attacker.join()
        if failure:
            raise FloodError(f"the attacker failed: {failure[0]}") from failure[0]
        passed = time.monotonic() - begin
        outcome.cpu_share = (procfs.cpu_ns(gm.pid) - cpu) / 1e9 / passed
        _hear(outcome, ear.frames(), passed)
        outcome.backlog_dropped = procfs.backlog_drops() - backlog
        time.sleep(0.5)  # what still waits in the receive buffers counts too
        _sample(outcome, gm_control, client_control)
        outcome.rss_after = procfs.memory_octets(gm.pid)["rss"]
        status = _ask(gm_control, "status")
        outcome.counters = _port(status)["counters"]
        outcome.foreign_masters = len(status["instances"][0]["foreign_masters"])
        outcome.channel = status["channels"][0]["counters"]
        outcome.unrouted = next(iter(status["unrouted"].values()), {})
        return outcome


def _mac(interface: str) -> bytes:
    return hardware_address_of(interface)[1]


def _attack(cpu: int, pool: list[Any], target: Target, options: dict[str, Any]) -> Sent:
    os.sched_setaffinity(0, {cpu})
    return send("e0", pool, target, **options)


def _end(process: Any) -> None:
    process.terminate()
    try:
        process.wait(5)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def _sample(outcome: Outcome, gm_control: str, client_control: str) -> None:
    outcome.gm_states.append(_port(_ask(gm_control, "status"))["state"])
    status = _ask(client_control, "status")
    outcome.client_states.append(_port(status)["state"])
    outcome.client_grandmasters.append(status["instances"][0]["grandmaster"]["identity"])
    outcome.client_errors_ns.append(_true_error_ns(client_control))


def _hear(outcome: Outcome, frames: list[tuple[float, bytes]], passed: float) -> None:
    """Syncs and Follow_Ups at the listener: each Sync once, each with its Follow_Up."""
    syncs = [(at, int.from_bytes(o[30:32], "big")) for at, o in frames if o[0] & 0x0F == 0]
    follow_ups = {int.from_bytes(o[30:32], "big") for _, o in frames if o[0] & 0x0F == 8}
    outcome.syncs = len(syncs)
    outcome.syncs_expected = int(passed * 2**-_LOG_SYNC_INTERVAL)
    for (at, one), (later, next_one) in itertools.pairwise(syncs):
        outcome.syncs_missing += ((next_one - one) & 0xFFFF) - 1
        outcome.longest_gap_s = max(outcome.longest_gap_s, later - at)
    # the last one's may be on its way
    outcome.without_follow_up = sum(number not in follow_ups for _, number in syncs[:-1])
