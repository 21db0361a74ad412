"""The guest's part of ``tools.hil.compare``: run grandmasters and clients on the rig, and look at the true errors.

Reads a plan and writes a result, both JSON:

    python -m tools.hil.contest plan.json result.json
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from ptpstack.clocks.phc import LinuxPhc
from ptpstack.clocks.system import SystemClock
from ptpstack.node.client import ControlClient, ControlUnavailable
from ptpstack.timebase.leap import LeapTable
from tests.hil import rig as hil
from tests.netns import Namespace, namespaces

#: between two looks at the truth: no multiple of a Sync interval, so that all phases are seen
LOOK_S = 0.43
TAI_MINUS_UTC_S = 37

PTP4L = """
[global]
network_transport {transport}
time_stamping {stamping}
delay_mechanism {delay}
tx_timestamp_timeout 200
logging_level 6
uds_address {folder}/{name}
uds_ro_address {folder}/{name}-ro
{role}
"""
PTP4L_TRANSPORT = {"l2": "L2", "udp4": "UDPv4", "udp6": "UDPv6"}
#: what makes a ptp4l a grandmaster locked to GNSS
SETTINGS = (
    "set GRANDMASTER_SETTINGS_NP clockClass 6 clockAccuracy 0x21 offsetScaledLogVariance 0x4e5d currentUtcOffset 37 "
    "leap61 0 leap59 0 currentUtcOffsetValid 1 ptpTimescale 1 timeTraceable 1 frequencyTraceable 1 timeSource 0x20"
)
GRANDMASTER = """
[node]
name = "{name}"
[[clock]]
type = "phc"
device = "/dev/ptp{phc}"
steer = false
[[instance]]
role = "grandmaster"
priority1 = 10
[[instance.port]]
interface = "{interface}"
transport = "{transport}"
delay_mechanism = "{delay}"
one_step = "{one_step}"
[instance.reference]
type = "declared"
state = "locked"
time_source = "gnss"
accuracy = "100 ns"
"""
CLIENT = """
[node]
name = "{name}"
[[clock]]
{clock}
[[instance]]
client_only = true
[[instance.port]]
interface = "{interface}"
transport = "{transport}"
stamping = "{stamping}"
delay_mechanism = "{delay}"
one_step = "{one_step}"
"""


@dataclass
class Outcome:
    """True errors, ns, of one client. ``lock_s``: from the start of its program until it stays within ``near_ns``."""

    grandmaster: str
    client: str
    transport: str
    stamping: str
    lock_s: float | None
    rms: float
    mean: float
    p95: float
    max: float
    samples: int
    #: share of samples, after the start, in which the client's own bound held the truth; None: it states none
    inside: float | None
    bound_ns: float | None
    servo: str
    errors: list[float] = field(default_factory=list, repr=False)


class Side:
    """One program on one port."""

    def __init__(self, role: str, index: int, pair: Mapping[str, str], stamping: str, where: Namespace, folder: Path):
        self.kind, self.where = pair[role], where
        kind, transport, delay = pair[role], pair["transport"], pair.get("delay", "E2E")
        one_step = pair.get("one_step") == role
        self.name = f"{role}{index}"
        self.socket = str(folder / f"{self.name}.sock")
        self.log = folder / f"{self.name}.log"
        interface = f"hil{index}"
        software = stamping == "software"
        if kind == "ptp4l":
            file = folder / f"{self.name}.cfg"
            words = {"gm": "priority1 10", "oc": "clientOnly 1"}[role]
            file.write_text(
                PTP4L.format(
                    transport=PTP4L_TRANSPORT[transport],
                    stamping=("p2p1step" if delay == "P2P" else "onestep") if one_step else stamping,
                    delay=delay,
                    folder=folder,
                    name=self.name,
                    role=words,
                )
            )
            command = ["ptp4l", "-i", interface, "-f", str(file), "-m", "-q"]
        else:
            file = folder / f"{self.name}.toml"
            clock = 'type = "system"\nsteer = true' if software else f'type = "phc"\ndevice = "/dev/ptp{index}"'
            text = GRANDMASTER if role == "gm" else CLIENT
            file.write_text(
                text.format(
                    name=self.name,
                    interface=interface,
                    transport=transport,
                    stamping=stamping,
                    delay=delay,
                    one_step="yes" if one_step else "no",
                    clock=clock,
                    phc=index,
                )
            )
            command = [sys.executable, "-m", "ptpstack", "run", str(file), "--control", self.socket]
        with self.log.open("w") as log:
            self.started = time.monotonic()
            self.process = where.popen(*command, stdout=log, stderr=log)
        if (kind, role) == ("ptp4l", "gm"):
            self._declare(folder)

    def _declare(self, folder: Path) -> None:
        end = time.monotonic() + 10
        while not (folder / self.name).exists() and time.monotonic() < end:
            time.sleep(0.1)
        self.where.run("pmc", "-u", "-b", "0", "-s", str(folder / self.name), SETTINGS, check=False)

    def status(self) -> dict[str, Any] | None:
        """Of one of ours; None while it does not answer."""
        if self.kind == "ptp4l":
            return None
        try:
            with ControlClient(self.socket) as client:
                return client.request("status")["instances"][0]  # type: ignore[no-any-return]
        except (ControlUnavailable, ValueError, KeyError, IndexError):
            return None

    def stop(self) -> None:
        if self.process.poll() is not None:
            tail = "\n".join(self.log.read_text().splitlines()[-5:])
            raise RuntimeError(f"{self.name} ({self.kind}) ended by itself:\n{tail}")
        self.process.terminate()
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


@contextlib.contextmanager
def wired(pairs: int) -> Iterator[list[Namespace]]:
    """Each port in a namespace of its own, up, with an address."""
    with namespaces(*(f"n{k}" for k in range(2 * pairs))) as made:
        for k, space in enumerate(made.values()):
            subprocess.run(["ip", "link", "set", f"hil{k}", "netns", space.path], check=True)
            space.ip(f"address add 10.9.{k // 2}.{k % 2 + 1}/24 dev hil{k}")
            space.ip(f"address add fd00:9:{k // 2}::{k % 2 + 1}/64 dev hil{k} nodad")
            space.ip(f"link set hil{k} up")
        time.sleep(1)
        yield list(made.values())


def run(plan: dict[str, Any], folder: Path) -> list[Outcome]:
    """All pairs at the same time."""
    pairs = plan["pairs"]
    hil.load(ports=2 * len(pairs))
    for knob, value in plan["knobs"].items():
        for k in range(2 * len(pairs)):
            side, _, name = knob.partition("/")  # "gm/osc_ppt", "oc/osc_ppt", "phc/ts_res_ns", "port/delay_ns"
            if side in ("port", "phc", ("gm", "oc")[k % 2]):
                hil.knob(f"{'port' if side == 'port' else 'phc'}{k}/{name}", value)
    for k in range(0, 2 * len(pairs), 2):  # grandmasters show TAI
        clock = LinuxPhc(f"/dev/ptp{k}")
        clock.step(TAI_MINUS_UTC_S * hil.NS_PER_S << 16)
        clock.close()
    with wired(len(pairs)) as spaces:
        sides: list[Side] = []
        try:
            for k, pair in enumerate(pairs):
                sides.append(Side("gm", 2 * k, pair, "hardware", spaces[2 * k], folder))
            time.sleep(3)
            for k, pair in enumerate(pairs):
                where = spaces[2 * k + 1]
                sides.append(Side("oc", 2 * k + 1, pair, pair["stamping"], where, folder))
            return watch(plan, pairs, sides[len(pairs) :])
        finally:
            for side in sides:
                side.stop()


def watch(plan: dict[str, Any], pairs: list[dict[str, Any]], clients: list[Side]) -> list[Outcome]:
    seen: list[list[tuple[float, float]]] = [[] for _ in pairs]
    bounds: list[list[tuple[bool, float]]] = [[] for _ in pairs]
    begin = time.monotonic()
    next_status = begin + plan["settle_s"]
    while time.monotonic() - begin < plan["settle_s"] + plan["measure_s"]:
        truth = hil.snapshot()
        now = time.monotonic()
        for k, pair in enumerate(pairs):
            seen[k].append((now, true_error(truth, k, pair["stamping"])))
        if now >= next_status:
            next_status = now + 2.0
            for k, pair in enumerate(pairs):
                status = clients[k].status()
                if status and status["estimate"] and status["estimate"]["bound_ns"] is not None:
                    estimate = status["estimate"]
                    error = true_error(hil.snapshot(), k, pair["stamping"])
                    bounds[k].append((abs(estimate["value_ns"] - error) <= estimate["bound_ns"], estimate["bound_ns"]))
        time.sleep(LOOK_S)
    return [
        outcome(plan, pair, clients[k], seen[k], bounds[k], begin + plan["settle_s"]) for k, pair in enumerate(pairs)
    ]


def true_error(truth: hil.Truth, k: int, stamping: str) -> float:
    """Client minus grandmaster, ns; of the system clock, modulo whole seconds of UTC."""
    if stamping == "hardware":
        return float(truth.error(2 * k + 1) - truth.error(2 * k))
    off = truth.realtime + TAI_MINUS_UTC_S * hil.NS_PER_S - truth.reading[2 * k]
    return float(off)


def outcome(
    plan: dict[str, Any],
    pair: dict[str, Any],
    client: Side,
    seen: list[tuple[float, float]],
    bounds: list[tuple[bool, float]],
    measured_from: float,
) -> Outcome:
    errors = [error for when, error in seen if when >= measured_from]
    far = [when for when, error in seen if abs(error) > plan["near_ns"]]
    first = next((when for when, _ in seen if not far or when > far[-1]), None)
    status = client.status()
    return Outcome(
        grandmaster=pair["gm"],
        client=pair["oc"],
        transport=pair["transport"],
        stamping=pair["stamping"],
        lock_s=None if first is None else first - client.started,
        rms=statistics.fmean(error * error for error in errors) ** 0.5,
        mean=statistics.fmean(errors),
        p95=sorted(map(abs, errors))[int(0.95 * (len(errors) - 1))],
        max=max(map(abs, errors)),
        samples=len(errors),
        inside=statistics.fmean(held for held, _ in bounds) if bounds else None,
        bound_ns=statistics.median(bound for _, bound in bounds) if bounds else None,
        servo=str(status["servo"]["name"]) if status else "",
        errors=errors if plan["keep"] else [],
    )


def reset_system_clock() -> None:
    """The guest's system clock as it was at boot: no correction, the reference's time."""
    clock = SystemClock(LeapTable.built_in(), read_only=False)
    clock.set_frequency(0.0)
    truth = hil.snapshot()
    clock.step((truth.reference - truth.realtime) << 16)


def versions() -> dict[str, str]:
    shown = subprocess.run(["ptp4l", "-v"], capture_output=True, text=True, check=False)
    return {"ptp4l": (shown.stdout or shown.stderr).strip(), "linux": os.uname().release}


def main(argv: list[str]) -> int:
    if not hil.IN_THE_GUEST:
        print("this is the guest's part; run `python -m tools.hil.compare`", file=sys.stderr)
        return 2
    plans, result = json.loads(Path(argv[0]).read_text()), Path(argv[1])
    done: dict[str, Any] = {"versions": versions(), "scenarios": []}
    say: Callable[[str], None] = lambda text: print(text, flush=True)  # noqa: E731
    for plan in plans:
        say(f"{plan['name']}: {plan['settle_s']} + {plan['measure_s']} s")
        folder = Path(tempfile.mkdtemp(prefix="contest-"))
        try:
            outcomes = run(plan, folder)
        finally:
            if plan.get("software"):
                reset_system_clock()
        done["scenarios"].append({"name": plan["name"], "outcomes": [asdict(o) for o in outcomes]})
        shutil.rmtree(folder)
    result.write_text(json.dumps(done))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
