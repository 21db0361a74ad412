"""Topology files: TOML in, ``Topology`` out, or every problem with path, reason and fix.

Built-in labs are such files in ``labs/`` beside this module. docs/lab.md describes the format.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Mapping
from importlib import resources
from pathlib import Path
from typing import Any

from ptpstack.lab import ptp4l
from ptpstack.lab.errors import Problem, TopologyError
from ptpstack.lab.reader import NotTomlError, Table, did_you_mean, document_of, read_document
from ptpstack.lab.topology import (
    ACTIONS,
    LINK_ACTIONS,
    NODE_KINDS,
    REFERENCE_ACTIONS,
    REFERENCE_STATES,
    Event,
    Host,
    Link,
    Node,
    Phase,
    Topology,
)

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,31}")
#: IFNAMSIZ is 16 with the terminating zero
_INTERFACE = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,14}")
_NAME_FIX = "Use 1 to 32 letters, digits, '-', '_' or '.', beginning with a letter or digit"
_ADDRESSES_FIX = 'Write an IPv4 address with its prefix length, such as "10.77.0.2/24"'
#: locally administered (bit 1 of the first octet), so it can be no vendor's
_MAC_PREFIX = bytes((0x02, 0x50, 0x54, 0x50))
MAX_HOSTS = 200


def builtin_labs() -> list[str]:
    """Names of the labs that come with ptpstack, sorted."""
    folder = resources.files("ptpstack.lab").joinpath("labs")
    return sorted(entry.name[: -len(".toml")] for entry in folder.iterdir() if entry.name.endswith(".toml"))


def load_topology(name_or_path: str) -> Topology:
    """A built-in lab by name, or a topology file by path. TopologyError holds everything that is wrong."""
    if name_or_path in builtin_labs():
        text = resources.files("ptpstack.lab").joinpath("labs", f"{name_or_path}.toml").read_text(encoding="utf-8")
        return parse_topology(text, source=f"built-in lab {name_or_path}")
    path = Path(name_or_path)
    if "/" not in name_or_path and not path.suffix and not path.exists():
        problem = Problem("(lab)", f'there is no lab "{name_or_path}"', did_you_mean(name_or_path, builtin_labs()))
        raise TopologyError(name_or_path, (problem,))
    try:
        document = read_document(path)
    except NotTomlError as error:
        raise TopologyError(name_or_path, (Problem("(file)", error.reason, error.fix),)) from None
    return _topology(document, name_or_path, str(path.resolve().parent))


def parse_topology(text: str, *, source: str = "topology", directory: str = ".") -> Topology:
    """TOML text to ``Topology``; relative site paths start from ``directory``. Raises TopologyError."""
    try:
        document = document_of(text)
    except NotTomlError as error:
        raise TopologyError(source, (Problem("(file)", error.reason, error.fix),)) from None
    return _topology(document, source, directory)


def _topology(document: Mapping[str, Any], source: str, directory: str) -> Topology:
    problems: list[Problem] = []
    root = Table(document, "", problems)
    name = _name(root, "name")
    description = root.text("description", "")
    duration = root.number("duration_s", 30.0, least=0.5)
    settle = root.number("settle_s", 0.0)
    if settle >= duration:
        root.problem("settle_s", f"{settle:g} leaves nothing of duration_s = {duration:g}", "Make it smaller")
    switches = _switches(root)
    hosts = _Hosts(problems, switches).read(root.tables("host"), root)
    nodes = _nodes(root, hosts, directory)
    events = _events(root, nodes, hosts, duration)
    phases = _phases(root, duration)
    root.refuse_unknown()
    if problems:
        raise TopologyError(source, tuple(problems))
    return Topology(name, description, duration, settle, switches, hosts, nodes, events, phases, directory, source)


def _name(table: Table, key: str, default: str | None = None) -> str:
    value = table.text(key, default)
    if value and not _NAME.fullmatch(value):
        table.problem(key, f'"{value}" will not do as a name', _NAME_FIX)
    return value


def _switches(root: Table) -> tuple[str, ...]:
    names: list[str] = []
    for table in root.tables("switch"):
        name = _name(table, "name")
        if name in names:
            table.problem("name", f'there are two switches "{name}"', "Rename one")
        names.append(name)
        table.refuse_unknown()
    return tuple(names)


class _Hosts:
    """Reads the hosts: first what is written, then far ends of pairs that only one side wrote, then addresses."""

    def __init__(self, problems: list[Problem], switches: tuple[str, ...]) -> None:
        self._problems = problems
        self._switches = switches
        #: host -> interface -> (where "to" points, address or "", path for problems)
        self._wanted: dict[str, dict[str, tuple[str, str, str]]] = {}
        self._taken: set[ipaddress.IPv4Address] = set()

    def read(self, tables: list[Table], root: Table) -> tuple[Host, ...]:
        if not tables:
            root.problem("host", "there is no host", 'Add [[host]] with name = "..." and [[host.link]]')
        if len(tables) > MAX_HOSTS:
            root.problem("host", f"{len(tables)} hosts are more than {MAX_HOSTS}", "Split the lab")
            return ()
        for table in tables:
            name = _name(table, "name")
            if name in self._wanted or name in self._switches:
                table.problem("name", f'"{name}" is taken already', "Rename one: hosts and switches share their names")
            links = self._wanted.setdefault(name, {})
            for link in table.tables("link"):
                self._read_link(link, links)
            table.refuse_unknown()
        self._close_pairs()
        return tuple(self._host(index, name) for index, name in enumerate(self._wanted))

    def _read_link(self, table: Table, links: dict[str, tuple[str, str, str]]) -> None:
        interface = table.text("interface", "eth0")
        if not _INTERFACE.fullmatch(interface) or interface == "lo":
            table.problem("interface", f'"{interface}" will not do', "Use 1 to 15 letters and digits, not lo")
        if interface in links:
            table.problem("interface", f'this host has two links "{interface}"', "Rename one")
        address = table.text("address", "")
        if address:
            address = self._checked_address(table, address)
        links[interface] = (table.text("to"), address, table.at("to"))
        table.refuse_unknown()

    def _checked_address(self, table: Table, address: str) -> str:
        try:
            parsed = ipaddress.IPv4Interface(address)
        except ValueError:
            table.problem("address", f'"{address}" is no IPv4 address', _ADDRESSES_FIX)
            return ""
        if "/" not in address:
            table.problem("address", f'"{address}" has no prefix length', _ADDRESSES_FIX)
        if parsed.ip in self._taken:
            table.problem("address", f"{parsed.ip} is taken already", "Use another, or leave it out")
        self._taken.add(parsed.ip)
        return str(parsed)

    def _close_pairs(self) -> None:
        for host, links in list(self._wanted.items()):
            for interface, (to, _, path) in list(links.items()):
                if to in self._switches or not to:
                    continue
                peer, colon, far = to.partition(":")
                if not colon or peer not in self._wanted:
                    known = [*self._switches, *(f"{name}:eth0" for name in self._wanted if name != host)]
                    self._note(path, f'"{to}" is no switch and no "host:interface"', did_you_mean(to, known))
                elif peer == host or not _INTERFACE.fullmatch(far):
                    self._note(path, f'"{to}" cannot be the far end', 'Name another host, such as "bc:eth1"')
                else:
                    back = self._wanted[peer].setdefault(far, (f"{host}:{interface}", "", path))
                    if back[0] != f"{host}:{interface}":
                        self._note(path, f'{to} already leads to "{back[0]}"', "Use another interface of that host")

    def _note(self, path: str, reason: str, fix: str) -> None:
        self._problems.append(Problem(path, reason, fix))

    def _host(self, host_index: int, name: str) -> Host:
        links = []
        for link_index, (interface, (to, address, _)) in enumerate(self._wanted[name].items()):
            switch = to if to in self._switches else None
            peer = None
            if switch is None:
                far_host, _, far = to.partition(":")
                peer = (far_host, far)
            mac = _MAC_PREFIX + bytes((host_index + 1 & 0xFF, link_index & 0xFF))
            links.append(Link(interface, switch, peer, address or self._free(name, interface, switch, peer), mac))
        return Host(name, tuple(links))

    def _free(self, host: str, interface: str, switch: str | None, peer: tuple[str, str] | None) -> str:
        """The next address of the wire's own /24: 10.77.k for switch k, 10.78.x for pairs."""
        if switch is not None:
            network = ipaddress.IPv4Network((0x0A4D0000 + (self._switches.index(switch) << 8), 24))
        else:
            ends = sorted({tuple(sorted(((h, i), _split(to)))) for h, i, to in self._pairs()})
            mine = tuple(sorted(((host, interface), peer or ("", ""))))
            network = ipaddress.IPv4Network((0x0A4E0000 + ((ends.index(mine) if mine in ends else 255) << 8), 24))
        address = next((ip for ip in network.hosts() if ip not in self._taken), None)
        if address is None:
            self._note(f"host {host}", f"no address is free in {network}", "Use another switch")
            return ""
        self._taken.add(address)
        return f"{address}/24"

    def _pairs(self) -> list[tuple[str, str, str]]:
        return [
            (host, interface, to)
            for host, links in self._wanted.items()
            for interface, (to, _, _) in links.items()
            if to not in self._switches
        ]


def _split(to: str) -> tuple[str, str]:
    host, _, interface = to.partition(":")
    return host, interface


def _nodes(root: Table, hosts: tuple[Host, ...], directory: str) -> tuple[Node, ...]:
    nodes: list[Node] = []
    host_names = [host.name for host in hosts]
    tables = root.tables("node")
    if not tables:
        root.problem("node", "there is no node", "Add [[node]] with host, kind and site, config or command")
    for table in tables:
        host = table.text("host")
        if host and host not in host_names:
            table.problem("host", f'there is no host "{host}"', did_you_mean(host, host_names))
        kind = table.choice("kind", NODE_KINDS, "ptpstack")
        label = _name(table, "label", host)
        if label in [node.label for node in nodes]:
            table.problem("label", f'there are two nodes "{label}"', 'Give one another label = "..."')
        role = table.text("role", "")
        site: Mapping[str, Any] | str | None = None
        config = ""
        command: tuple[str, ...] = ()
        if kind == "ptpstack":
            site = _site(table, directory)
        elif kind == "ptp4l":
            config = table.text("config", "")
            for reason, fix in ptp4l.refusals(config):
                table.problem("config", reason, fix)
            config = ptp4l.enforce(config)
        else:
            command = _command(table)
        table.refuse_unknown()
        nodes.append(Node(label, host, kind, role, site, config, command))
    return tuple(nodes)


def _command(table: Table) -> tuple[str, ...]:
    value = table.raw("command")
    if isinstance(value, list) and value and all(isinstance(word, str) and word for word in value):
        return tuple(value)
    table.problem("command", f"expected a list of words, got {value!r}", 'Write command = ["program", "argument"]')
    return ()


def _site(table: Table, directory: str) -> Mapping[str, Any] | str | None:
    """A table, TOML text (recognised by its line ends) or a path. Text becomes a table here."""
    value = table.raw("site")
    if isinstance(value, str) and "\n" not in value:
        path = Path(directory, value)
        try:
            document = read_document(path)
        except NotTomlError as error:
            table.problem("site", f"{path}: {error.reason}", f"Paths start from this file's directory. {error.fix}")
            return None
        _check_site(table, document)
        return str(path.resolve())
    if isinstance(value, str):
        try:
            value = document_of(value)
        except NotTomlError as error:
            table.problem("site", error.reason, error.fix)
            return None
    if not isinstance(value, dict):
        table.problem("site", "a ptpstack node needs its site", "Write [node.site...] tables, TOML text, or a path")
        return None
    _check_site(table, value)
    return value


def _check_site(table: Table, site: Mapping[str, Any]) -> None:
    """Only what the lab itself answers for: no clock of the host may be steered. The rest is the node's to check."""
    if not any(isinstance(site.get(kind), list) and site[kind] for kind in ("instance", "transparent")):
        table.problem(
            "site.instance",
            "the site has no instance",
            "Add [[node.site.instance]] with a port, or [[node.site.transparent]] with two",
        )
    clocks = site.get("clock", [])
    for index, clock in enumerate(clocks if isinstance(clocks, list) else []):
        kind = clock.get("type", "auto") if isinstance(clock, dict) else "auto"
        if kind == "simulated":
            continue
        if kind == "phc" or (isinstance(clock, dict) and clock.get("steer")):
            table.problem(
                f"site.clock[{index}]",
                f'a lab steers no real clock, and this one is "{kind}"',
                'Use type = "simulated" with an oscillator: its true error is known, too',
            )


def _events(root: Table, nodes: tuple[Node, ...], hosts: tuple[Host, ...], duration: float) -> tuple[Event, ...]:
    events = []
    labels = [node.label for node in nodes]
    for table in root.tables("event"):
        at = table.number("at_s")
        if at > duration:
            table.problem("at_s", f"{at:g} lies behind the end, {duration:g}", "Make it smaller, or duration_s larger")
        do = table.choice("do", ACTIONS)
        label = table.text("node")
        node = next((node for node in nodes if node.label == label), None)
        if label and node is None:
            table.problem("node", f'there is no node "{label}"', did_you_mean(label, labels))
        interface = "eth0"
        instance = state = clock_class = None
        if do in LINK_ACTIONS:
            interface = table.text("interface", "eth0")
            host = next((host for host in hosts if node is not None and host.name == node.host), None)
            known = [link.interface for link in host.links] if host else [interface]
            if interface not in known:
                table.problem("interface", f'the node\'s host has no "{interface}"', did_you_mean(interface, known))
        elif do in REFERENCE_ACTIONS:
            instance = table.text("instance", "") or None
            if node is not None and node.kind != "ptpstack":
                table.problem("do", f'"{do}" works on ptpstack nodes, {label} is {node.kind}', "Use kill or link-down")
            _check_instance(table, node, instance)
            if do == "degrade":
                state = table.choice("state", REFERENCE_STATES, "") or None
                clock_class = table.integer("clock_class", 1, 255)
                if state is None and clock_class is None:
                    table.problem("", "degrade to what?", 'Add state = "holdover" or clock_class = 248')
        table.refuse_unknown()
        events.append(Event(at, do, label, instance, state, clock_class, interface))
    return tuple(sorted(events, key=lambda event: event.at_s))


def _check_instance(table: Table, node: Node | None, instance: str | None) -> None:
    if instance is None or node is None or not isinstance(node.site, Mapping):
        return
    entries = node.site.get("instance") or []
    names = [entry["name"] for entry in entries if isinstance(entry, dict) and isinstance(entry.get("name"), str)]
    if names and instance not in names:
        table.problem("instance", f'{node.label} has no instance "{instance}"', did_you_mean(instance, names))


def _phases(root: Table, duration: float) -> tuple[Phase, ...]:
    phases: list[Phase] = []
    for table in root.tables("phase"):
        phase = Phase(_name(table, "name"), table.number("from_s"), table.number("to_s"))
        if not phase.from_s < phase.to_s <= duration:
            table.problem(
                "to_s",
                f"{phase.from_s:g}..{phase.to_s:g} is no stretch of 0..{duration:g}",
                "Let from_s < to_s <= duration_s",
            )
        if phase.name in [other.name for other in phases]:
            table.problem("name", f'there are two phases "{phase.name}"', "Rename one")
        table.refuse_unknown()
        phases.append(phase)
    return tuple(phases)
