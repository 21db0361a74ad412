"""Two real nodes over a wire of the rig: a grandmaster on hil0 here, a client on hil1 in a namespace of its own."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.hil import rig as hil
from tests.netns import Namespace, namespaces
from tests.node.nodes import RunningNode

GRANDMASTER = """
[node]
name = "gm"
[[clock]]
name = "nic"
type = "phc"
device = "/dev/ptp0"
steer = false
[[instance]]
role = "grandmaster"
profile = "unrestricted"
clock = "nic"
[[instance.port]]
interface = "hil0"
transport = "{transport}"
log_sync_interval = -2
log_min_delay_req_interval = -2
egress_latency_ns = 300
ingress_latency_ns = 120
[instance.reference]
type = "declared"
state = "locked"
time_source = "gnss"
accuracy = "100 ns"
"""

CLIENT = """
[node]
name = "oc"
[[clock]]
name = "nic"
type = "phc"
device = "/dev/ptp1"
[[instance]]
client_only = true
profile = "unrestricted"
clock = "nic"
[[instance.port]]
interface = "hil1"
transport = "{transport}"
egress_latency_ns = 210
ingress_latency_ns = 450
delay_asymmetry_ns = 1000
"""

#: what the configurations above make up for: stamps that are off, a wire that is longer one way
WORLD = {
    "phc0/osc_ppt": 7_000_000,
    "phc1/osc_ppt": -20_000_000,
    "port0/tx_latency_ns": 300,
    "port0/rx_latency_ns": 120,
    "port1/tx_latency_ns": 210,
    "port1/rx_latency_ns": 450,
    "port0/delay_ns": 5000,
    "port1/delay_ns": 3000,
}


class Here:
    """This process's own namespace, for ``RunningNode``."""

    def popen(self, *command: str, **arguments: Any) -> subprocess.Popen[Any]:
        return subprocess.Popen(command, **arguments)


@dataclass
class Pair:
    gm: RunningNode
    oc: RunningNode

    def error_ns(self) -> int:
        """The client's true error against its grandmaster."""
        truth = hil.snapshot()
        return truth.error(1) - truth.error(0)

    def states(self) -> tuple[str, str]:
        return self.gm.port_state(), self.oc.port_state()

    def watch(self, seconds: float) -> tuple[set[tuple[str, str]], list[int]]:
        """(states seen, true errors), twice a second."""
        states, errors = set(), []
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            states.add(self.states())
            errors.append(self.error_ns())
            time.sleep(0.5)
        return states, errors

    def counted(self, node: RunningNode, name: str) -> int:
        """A channel's counter."""
        return int(node.status()["channels"][0]["counters"][name])

    def settle(self, within_ns: int = 15, seconds: float = 60.0) -> None:
        """Wait until both serve and follow, and the client has been within that of the truth for three seconds."""
        since = time.monotonic()
        end = since + seconds
        while time.monotonic() - since < 3.0:
            now = time.monotonic()
            error = self.error_ns()
            if self.states() != ("MASTER", "SLAVE") or abs(error) > within_ns:
                since = now
            assert now < end, f"not settled after {seconds} s: {self.states()}, true error {error} ns"
            time.sleep(0.5)


@contextmanager
def running_pair(folder: Path, transport: str, *, management: bool = False) -> Iterator[Pair]:
    """Loads the module anew. ``management``: with the sockets ``gm.uds`` and ``oc.uds`` in ``folder``."""
    hil.load()
    for path, value in WORLD.items():
        hil.knob(path, value)
    with namespaces("far") as made:
        far: Namespace = made["far"]
        subprocess.run(["ip", "link", "set", "hil1", "netns", far.path], check=True)
        run: Callable[[str], Any] = lambda words: subprocess.run(["ip", *words.split()], check=True)  # noqa: E731
        for ip, name, address in ((run, "hil0", "10.9.0.1/24"), (far.ip, "hil1", "10.9.0.2/24")):
            ip(f"address add {address} dev {name}")
            ip(f"link set {name} up")
        nodes = []
        try:
            for name, text, where in (("gm", GRANDMASTER, Here()), ("oc", CLIENT, far)):
                site = folder / f"{name}.toml"
                site.write_text(text.format(transport=transport))
                more = ["--management", str(folder / f"{name}.uds")] if management else []
                node = RunningNode(where, folder, name, "run", str(site), *more)  # type: ignore[arg-type]
                nodes.append(node.ready())
            yield Pair(*nodes)
        finally:
            for node in nodes:
                if node.process.poll() is None:
                    node.stop()
            far.ip("link set hil1 netns 1")
