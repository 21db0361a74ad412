"""ptp4l (linuxptp) as a node of a lab: a configuration that cannot steer a clock, and its log read back.

What is relied on of ptp4l is its observable behaviour: configuration keys and the lines it logs.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from ptpstack.lab.topology import Host

#: what a lab insists on: nothing is steered, the kernel's stamps, every sample logged
ENFORCED: dict[str, str] = {"free_running": "1", "time_stamping": "software", "summary_interval": "-7"}
#: what it gets unless it is set: a free running ptp4l prints an offset once in 2^freq_est_interval s (default 2 s)
_DEFAULTS = {"freq_est_interval": "0"}
#: keys that make no sense in a lab, and why
_OWNED = {
    "uds_address": "the lab gives each ptp4l a socket of its own",
    "uds_ro_address": "the lab gives each ptp4l a socket of its own",
    "message_tag": "the lab reads the log by its own form",
    "use_syslog": "the lab reads the log from stdout",
    "verbose": "the lab reads the log from stdout",
    "logging_level": "the lab needs the informational lines",
}


def _settings(config: str) -> list[tuple[str, str, str]]:
    """(section, key, value) for every setting; the lines before any section count as [global]."""
    section, found = "global", []
    for line in config.splitlines():
        text = line.partition("#")[0].strip()
        if text.startswith("["):
            section = text.strip("[]").strip()
        elif text:
            key, _, value = text.partition(" ")
            found.append((section, key, value.strip()))
    return found


def refusals(config: str) -> list[tuple[str, str]]:
    """(reason, fix) for each setting that could steer a clock of the host or that belongs to the lab."""
    problems = []
    for section, key, value in _settings(config):
        if key in ("free_running", "time_stamping") and value != ENFORCED[key]:
            problems.append(
                (
                    f"[{section}] {key} {value}: a ptp4l of a lab must not be able to steer the host's clock",
                    f"Remove the line; the lab sets {key} {ENFORCED[key]}",
                )
            )
        elif key in _OWNED:
            problems.append((f"[{section}] {key}: {_OWNED[key]}", "Remove the line"))
    return problems


def enforce(config: str) -> str:
    """The same settings in sections, with ``ENFORCED`` in [global]."""
    sections: dict[str, dict[str, str]] = {"global": {}}
    for section, key, value in _settings(config):
        sections.setdefault(section, {})[key] = value
    for line in config.splitlines():
        # a port's section may be empty and still counts: it names the port
        if (match := re.fullmatch(r"\s*\[(.+)\]\s*", line)) is not None:
            sections.setdefault(match[1].strip(), {})
    sections["global"] = {**_DEFAULTS, **sections["global"], **ENFORCED}
    lines = []
    for section, settings in sections.items():
        lines.append(f"[{section}]")
        lines += [f"{key} {value}" for key, value in settings.items()]
    return "\n".join(lines) + "\n"


def with_sockets(config: str, socket: str, *, read_only_socket: bool) -> str:
    """``config`` with its management sockets in the run directory. ptp4l 4.0 and newer has a second, read-only one."""
    extra = f"uds_address {socket}\n" + (f"uds_ro_address {socket}.ro\n" if read_only_socket else "")
    return config.replace("[global]\n", "[global]\n" + extra, 1)


def command_line(config_path: str, config: str, host: Host) -> list[str]:
    """ptp4l on every link of the host that the configuration does not name itself, log to stdout only."""
    named = {section for section, _, _ in _settings(config)} | set(re.findall(r"(?m)^\[(.+)\]$", config))
    argv = ["ptp4l", "-f", config_path, "-m", "-q"]
    for link in host.links:
        if link.interface not in named:
            argv += ["-i", link.interface]
    return argv


@dataclass(frozen=True, slots=True)
class Measured:
    """One "master offset" line: what ptp4l says of itself. ``servo`` is s0, s1, s2 or s3."""

    offset_ns: float
    servo: str
    frequency_ppb: float
    path_delay_ns: float


@dataclass(frozen=True, slots=True)
class PortChanged:
    port: int
    state: str


@dataclass(frozen=True, slots=True)
class MasterSelected:
    """The best master clock it names, as a clock identity like 001b21.fffe.aabbcc."""

    identity: str


_MEASURED = re.compile(r"master offset\s+(-?\d+)\s+(s\d)\s+freq\s+([+-]?\d+)\s+path delay\s+(-?\d+)")
_PORT = re.compile(r"\bport (\d+)(?: \([^)]*\))?: (\w+) to (\w+) on ")
_SELECTED = re.compile(r"selected best master clock ([0-9a-f]{6}\.[0-9a-f]{4}\.[0-9a-f]{6})")
_ASSUMED = re.compile(r"assuming the grand master role|selected local clock \S+ as best master")


def read_line(line: str, own_identity: str) -> Measured | PortChanged | MasterSelected | None:
    """What a log line says, or None. Port 0 (its management socket) is no port of the lab's."""
    if (match := _MEASURED.search(line)) is not None:
        return Measured(float(match[1]), match[2], float(match[3]), float(match[4]))
    if (match := _PORT.search(line)) is not None:
        return PortChanged(int(match[1]), match[3]) if match[1] != "0" else None
    if (match := _SELECTED.search(line)) is not None:
        return MasterSelected(match[1])
    return MasterSelected(own_identity) if _ASSUMED.search(line) else None


def domain_of(config: str) -> int:
    """domainNumber of [global], 0 when it is not set (linuxptp's default)."""
    for section, key, value in _settings(config):
        if section == "global" and key == "domainNumber" and value.isdigit():
            return int(value)
    return 0
