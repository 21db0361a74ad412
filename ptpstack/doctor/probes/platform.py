"""The machine below: virtual, contained, clock source, CPU frequency, load, and what scheduling may do to a node."""

from __future__ import annotations

import os
import re
import time
from dataclasses import dataclass
from pathlib import Path

from ptpstack.doctor.findings import NOTE, OK, WARNING, Finding, kind
from ptpstack.doctor.machine.proc import read

MACHINE_FINE = kind("machine-fine", OK, "Nothing about the machine is in the way")
VIRTUAL_MACHINE = kind(
    "virtual-machine",
    NOTE,
    "This is a virtual machine",
    "Software stamps include the hypervisor's waits. For better: pass a NIC through, or take time from the host "
    "(ptp_kvm, which shows UTC and not TAI).",
)
CONTAINER = kind(
    "container",
    NOTE,
    "This is a container",
    "The system clock is the host's: only one program of all containers and the host may steer it. Hardware clocks "
    "must be handed in.",
)
POOR_CLOCK_SOURCE = kind(
    "poor-clock-source",
    WARNING,
    "The kernel keeps time with a poor clock source",
    "Every read of the clock is slow and coarse. See dmesg for why TSC was given up; in a virtual machine expose an "
    "invariant TSC.",
)
CPU_FREQUENCY = kind(
    "cpu-frequency",
    NOTE,
    "The CPU's frequency changes with load",
    "Software stamps and reactions get slower when the machine is idle. For software stamps: governor performance, and "
    "no deep idle states (`cpupower idle-set -D 20`).",
)
LOADED = kind(
    "loaded-machine",
    NOTE,
    "The machine is busier than it has CPUs",
    "Reactions come late; software receive stamps suffer. Give the node a real-time priority (scheduling_priority).",
)
CPU_QUOTA = kind(
    "cpu-quota",
    NOTE,
    "This control group was stopped by its CPU quota",
    "A node in such a group stands still for tens of milliseconds at a time: take the quota away (cpu.max) or raise "
    "it.",
)
LATE_WAKEUPS = kind(
    "late-wake-ups",
    NOTE,
    "This process wakes up late",
    "Messages leave late, and a stamp that is waited for may time out. Give the node a real-time priority "
    "(scheduling_priority, systemd: CPUSchedulingPolicy=fifo).",
)
NO_REALTIME = kind(
    "no-real-time-priority",
    WARNING,
    "The configuration wants a real-time priority that this user may not have",
    "Grant CAP_SYS_NICE or raise LimitRTPRIO= of the service.",
)

_GOOD_SOURCES = frozenset(
    {
        "tsc",
        "kvm-clock",
        "arch_sys_counter",
        "hyperv_clocksource_tsc_page",
        "xen",
        "timebase",
        "tod",
        "riscv_clocksource",
    }
)
_LATE_MS = 10.0
_VENDORS = ("QEMU", "VMware", "VirtualBox", "innotek", "Xen", "Amazon EC2", "Google", "OpenStack", "Parallels", "Bochs")


@dataclass(frozen=True, slots=True)
class Machine:
    """``governors``: of the CPUs, each once. ``throttled``: periods in which the quota stopped the group."""

    hypervisor: str = ""
    container: str = ""
    clock_source: str = ""
    governors: tuple[str, ...] = ()
    load: float = 0.0
    cpus: int = 1
    throttled: int = 0
    worst_wake_up_ms: float = 0.0
    #: what the configuration asks for, and up to what the user may go
    wanted_priority: int = 0
    allowed_priority: int = 99


def look(wanted_priority: int = 0, sysfs: str = "/sys") -> Machine:
    root = Path(sysfs)
    return Machine(
        hypervisor=_hypervisor(root),
        container=_container(),
        clock_source=read(root / "devices/system/clocksource/clocksource0/current_clocksource").strip(),
        governors=tuple(
            sorted({read(f).strip() for f in root.glob("devices/system/cpu/cpufreq/policy*/scaling_governor")})
        ),
        load=os.getloadavg()[0],
        cpus=len(os.sched_getaffinity(0)),
        throttled=_throttled(),
        worst_wake_up_ms=_wake_up_ms(),
        wanted_priority=wanted_priority,
        allowed_priority=_allowed_priority(),
    )


def _hypervisor(root: Path) -> str:
    kind_ = read(root / "hypervisor/type").strip()
    vendor = read(root / "class/dmi/id/sys_vendor").strip()
    product = read(root / "class/dmi/id/product_name").strip()
    flagged = re.search(r"^flags\s.*\bhypervisor\b", read("/proc/cpuinfo"), re.MULTILINE) is not None
    named = any(word.lower() in f"{vendor} {product}".lower() for word in _VENDORS)
    if not (kind_ or flagged or named):
        return ""
    return " ".join(word for word in (kind_, vendor, product) if word) or "the CPU says so"


def _container() -> str:
    for path, name in (("/.dockerenv", "Docker"), ("/run/.containerenv", "Podman")):
        if os.path.exists(path):
            return name
    found = re.search(r"(?:^|\0)container=([^\0]*)", read("/proc/1/environ"))
    return (found[1] if found else "") or read("/run/systemd/container").strip()


def _throttled() -> int:
    group = next((line[3:] for line in read("/proc/self/cgroup").splitlines() if line.startswith("0::")), "")
    found = re.search(r"^nr_throttled (\d+)", read(f"/sys/fs/cgroup{group}/cpu.stat"), re.MULTILINE)
    return int(found[1]) if found else 0


def _wake_up_ms(times: int = 40) -> float:
    """How late a sleep of a millisecond ends, the worst of some: a tenth of a second or less."""
    worst = 0.0
    for _ in range(times):
        before = time.monotonic()
        time.sleep(0.001)
        worst = max(worst, time.monotonic() - before - 0.001)
    return worst * 1000


def _allowed_priority() -> int:
    import resource

    from ptpstack.doctor.machine import proc

    if proc.own_capabilities() >> proc.CAP_SYS_NICE & 1:
        return 99
    return resource.getrlimit(resource.RLIMIT_RTPRIO)[0]


def judge(machine: Machine) -> list[Finding]:
    found = []
    here = "this machine"
    if machine.hypervisor:
        found.append(VIRTUAL_MACHINE(here, machine.hypervisor))
    if machine.container:
        found.append(CONTAINER(here, machine.container))
    if machine.clock_source and machine.clock_source not in _GOOD_SOURCES:
        found.append(POOR_CLOCK_SOURCE(here, f"current_clocksource is {machine.clock_source}"))
    moving = [name for name in machine.governors if name not in ("performance", "")]
    if moving:
        found.append(CPU_FREQUENCY(here, f"governor {', '.join(moving)}"))
    if machine.load > 2 * machine.cpus:
        found.append(LOADED(here, f"load {machine.load:.1f} on {machine.cpus} CPUs"))
    if machine.throttled:
        found.append(CPU_QUOTA(here, f"stopped in {machine.throttled} periods since it was made"))
    if machine.worst_wake_up_ms > _LATE_MS:
        found.append(LATE_WAKEUPS(here, f"a sleep of 1 ms ended {machine.worst_wake_up_ms:.1f} ms late"))
    if machine.wanted_priority > machine.allowed_priority:
        text = f"scheduling_priority {machine.wanted_priority}, allowed is {machine.allowed_priority}"
        found.append(NO_REALTIME(here, text))
    return found or [MACHINE_FINE(here, f"clock source {machine.clock_source}, load {machine.load:.1f}")]
