"""What this user may do: the capabilities a node needs, and the right to open PTP hardware clocks."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass

from ptpstack.doctor.findings import OK, WARNING, Finding, kind
from ptpstack.doctor.machine import proc

RIGHTS_FINE = kind("rights-fine", OK, "This user has the rights a node needs")
MISSING_CAPABILITY = kind(
    "missing-capability",
    WARNING,
    "This user lacks a capability that a node needs",
    "Start nodes as root or by a service that grants it (systemd: AmbientCapabilities=, `ptpstack units`). "
    "In a container, add the capability to it.",
)
CLOCK_DEVICE_ACCESS = kind(
    "clock-device-access",
    WARNING,
    "A PTP hardware clock cannot be opened for steering",
    "Give the user of the node read and write access to the device (a udev rule: "
    'SUBSYSTEM=="ptp", GROUP="ptp", MODE="0660"), or hand it into the container (--device).',
)

#: capability -> what fails without it
NEEDS = {
    proc.CAP_NET_RAW: ("CAP_NET_RAW", "no PTP over Ethernet (802.3), no binding to an interface"),
    proc.CAP_NET_BIND_SERVICE: ("CAP_NET_BIND_SERVICE", "no UDP ports 319 and 320"),
    proc.CAP_SYS_TIME: ("CAP_SYS_TIME", "the system clock cannot be steered"),
    proc.CAP_NET_ADMIN: ("CAP_NET_ADMIN", "the NIC's time stamping cannot be switched on"),
}


@dataclass(frozen=True, slots=True)
class Rights:
    """``clocks``: device -> whether it may be read and written. ``first_port``: net.ipv4.ip_unprivileged_port_start."""

    capabilities: int
    first_port: int = 1024
    clocks: tuple[tuple[str, bool], ...] = ()


def look(devices: Sequence[str]) -> Rights:
    text = proc.read("/proc/sys/net/ipv4/ip_unprivileged_port_start").strip()
    return Rights(
        proc.own_capabilities(),
        int(text) if text.isdigit() else 1024,
        tuple((path, os.access(path, os.R_OK | os.W_OK)) for path in devices),
    )


def judge(rights: Rights) -> list[Finding]:
    found = []
    for number, (name, consequence) in NEEDS.items():
        if rights.capabilities >> number & 1:
            continue
        if number == proc.CAP_NET_BIND_SERVICE and rights.first_port <= 319:
            continue
        found.append(MISSING_CAPABILITY("this user", f"{name} is not in the effective set: {consequence}"))
    for path, allowed in rights.clocks:
        if not allowed:
            found.append(CLOCK_DEVICE_ACCESS(path, "this user may not read and write it"))
    return found or [RIGHTS_FINE("this user", ", ".join(name for name, _ in NEEDS.values()))]
