"""What a lab consists of, as validated values: switches, hosts with links, nodes, events and phases.

Made from TOML by ``ptpstack.lab.topology_file``; instants are seconds of lab time (0 = every node has answered).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

NODE_KINDS = ("ptpstack", "ptp4l", "command")
#: what an event may do. The first group works on processes, the second on links, the third on the node's reference.
PROCESS_ACTIONS = ("kill", "term", "start", "pause", "resume")
LINK_ACTIONS = ("link-down", "link-up")
REFERENCE_ACTIONS = ("degrade", "restore")
ACTIONS = PROCESS_ACTIONS + LINK_ACTIONS + REFERENCE_ACTIONS
REFERENCE_STATES = ("locked", "holdover", "holdover-out-of-spec", "free-running")


@dataclass(frozen=True, slots=True)
class Link:
    """One end of a veth pair. The other end is a switch port, or ``peer`` = (host, interface) of the same pair."""

    interface: str
    switch: str | None
    peer: tuple[str, str] | None
    #: IPv4 with prefix length, ``10.77.0.2/24``
    address: str
    #: six octets; locally administered and fixed by the file's order, so clock identities repeat from run to run
    mac: bytes


@dataclass(frozen=True, slots=True)
class Host:
    name: str
    links: tuple[Link, ...]


@dataclass(frozen=True, slots=True)
class Node:
    """One process. ``label`` is its name in reports, sockets and logs; unique."""

    label: str
    host: str
    kind: str
    role: str = ""
    #: ptpstack: the site as a dict, or the path of a site file
    site: Mapping[str, Any] | str | None = None
    #: ptp4l: the configuration text after enforcement of software stamps and free_running
    config: str = ""
    #: command: the program and its arguments
    command: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Event:
    at_s: float
    do: str
    node: str
    #: degrade/restore: None = every instance
    instance: str | None = None
    state: str | None = None
    clock_class: int | None = None
    #: link-down/up
    interface: str = "eth0"

    def __str__(self) -> str:
        detail = ""
        if self.do in LINK_ACTIONS:
            detail = f" {self.interface}"
        elif self.do == "degrade":
            told = [self.state] if self.state else []
            told += [f"class {self.clock_class}"] if self.clock_class is not None else []
            detail = f" to {', '.join(told)}"
        return f"{self.do} {self.node}{detail}" + (f" ({self.instance})" if self.instance else "")


@dataclass(frozen=True, slots=True)
class Phase:
    name: str
    from_s: float
    to_s: float


@dataclass(frozen=True, slots=True)
class Topology:
    name: str
    description: str
    duration_s: float
    #: samples before it count in no statistic: the nodes are still finding each other
    settle_s: float
    switches: tuple[str, ...]
    hosts: tuple[Host, ...]
    nodes: tuple[Node, ...]
    events: tuple[Event, ...] = ()
    phases: tuple[Phase, ...] = ()
    #: directory that relative site paths start from
    directory: str = "."
    source: str = field(default="", compare=False)

    def host(self, name: str) -> Host:
        return next(host for host in self.hosts if host.name == name)

    def node(self, label: str) -> Node:
        return next(node for node in self.nodes if node.label == label)

    def lasting(self, duration_s: float) -> Topology:
        """The same lab over another time: events and phases keep their share of the whole, settle_s does not grow."""
        scale = duration_s / self.duration_s
        return replace(
            self,
            duration_s=duration_s,
            settle_s=min(self.settle_s, self.settle_s * scale),
            events=tuple(replace(event, at_s=event.at_s * scale) for event in self.events),
            phases=tuple(replace(p, from_s=p.from_s * scale, to_s=p.to_s * scale) for p in self.phases),
        )
