"""Two sites: what is different, in words, and what of it a running node can take on.

Instances and clocks are matched by name, ports by channel, edges by their ends. What comes in another order is another
site: the order says who steers, and how ports are numbered.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from ptpstack.config.checks import used_clocks
from ptpstack.config.dump import site_as_dict
from ptpstack.config.findings import show
from ptpstack.config.model import InstanceSettings, Site
from ptpstack.config.schema import CLOCK, EDGE, GPTP, INSTANCE, NODE, PORT, REFERENCE, SERVO, TRANSPARENT, Table
from ptpstack.protocol.live import INSTANCE_SETTINGS, PORT_SETTINGS

#: of [node], what can be changed while running
NODE_SETTINGS = ("log_level",)

#: tables within tables whose keys are compared one by one
_APART = {(INSTANCE, child.name) for child in (PORT, REFERENCE, SERVO)} | {(EDGE, SERVO.name), (PORT, GPTP.name)}

OPENED = "clocks are opened, and their servos made, when the node starts"

Document = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Change:
    """``old`` or ``new`` None: the key is not given. ``why`` says what a restart is needed for ("": it is not)."""

    where: str
    key: str
    old: Any
    new: Any
    why: str = ""
    instance: str = ""
    port: int = 0
    unit: str = ""

    @property
    def live(self) -> bool:
        return not self.why

    @property
    def words(self) -> str:
        if not self.key:
            return f"{self.where}: {'removed' if self.new is None else 'added'}"
        return f"{self.where}: {self.key} {self._shown(self.old)} -> {self._shown(self.new)}"

    def _shown(self, value: Any) -> str:
        if value is None:
            return "(not set)"
        if isinstance(value, list):
            return "[" + ", ".join(show(entry) for entry in value) + "]"
        if self.unit == "log2 s":
            return f"{value} ({_interval(value)})"
        return f"{show(value)}{' ' + self.unit if self.unit else ''}"

    def as_dict(self) -> dict[str, Any]:
        return {
            "where": self.where,
            "key": self.key,
            "old": self.old,
            "new": self.new,
            "live": self.live,
            "why": self.why,
            "words": self.words,
        }


def _interval(log: int) -> str:
    return f"{1 << log} s" if log >= 0 else f"1/{1 << -log} s"


def _unit(table: Table, key: str) -> str:
    try:
        return table.field(key).unit
    except KeyError:
        return ""


def _keys(
    where: str, table: Table, old: Document, new: Document, live: tuple[str, ...] = (), why: str = "", **place: Any
) -> Iterator[Change]:
    """Keys of one table; tables in it that nobody else looks into are compared whole."""
    for key in dict.fromkeys((*old, *new)):
        if (table, key) not in _APART and old.get(key) != new.get(key):
            reason = "" if key in live else why or "it is fixed when the node starts"
            yield Change(where, key, old.get(key), new.get(key), reason, unit=_unit(table, key), **place)


def _matched(
    old: dict[str, Any], new: dict[str, Any], kind: str, why: Callable[[str], str]
) -> Iterator[Change | tuple[str, Any, Any]]:
    """Who came, who went, and the pairs of those who stayed. ``why``: what a restart is needed for when one does."""
    for name, value in old.items():
        if name not in new:
            yield Change(f"{kind} {name}", "", name, None, why(name))
        else:
            yield name, value, new[name]
    for name in new:
        if name not in old:
            yield Change(f"{kind} {name}", "", None, name, why(name))
    stay_old, stay_new = [n for n in old if n in new], [n for n in new if n in old]
    if stay_old != stay_new:
        yield Change(f"{kind}s", "order", stay_old, stay_new, "the first that can steers a clock")


def _ports(name: str, old: Document, new: Document) -> Iterator[Change]:
    def by_channel(document: Document) -> dict[str, Any]:
        return {f"{port['interface']}/{port['transport']}": port for port in document["port"]}

    numbers = {channel: number for number, channel in enumerate(by_channel(old), 1)}
    kind = f"instance {name}, port"
    numbered = "the ports of an instance are numbered at its start"
    for found in _matched(by_channel(old), by_channel(new), kind, lambda channel: numbered):
        if isinstance(found, Change):
            yield found
        else:
            channel, before, after = found
            number = numbers[channel]
            where = f"{kind} {number} ({channel})"
            yield from _keys(where, PORT, before, after, PORT_SETTINGS, instance=name, port=number)
            yield from _keys(f"{where}, gptp", GPTP, before.get("gptp", {}), after.get("gptp", {}))


def _instance(name: str, old: Document, new: Document) -> Iterator[Change]:
    where = f"instance {name}"
    live = () if new["client_only"] else INSTANCE_SETTINGS
    yield from _keys(where, INSTANCE, old, new, live, instance=name)
    for table in (REFERENCE, SERVO):
        before, after = old[table.name], new[table.name]
        yield from _keys(f"{where}, {table.name}", table, before, after, why="its servo would start anew")
    yield from _ports(name, old, new)


def why_not_live(old: Site, new: Site, name: str) -> str:
    """Why an instance that is in one of two sites only cannot come, or go, while the node runs; "" when it can.

    The other way round the answer is the same: what was taken on can be taken back.
    """
    (settings,) = [i for site in (old, new) for i in site.instances if i.options.name == name]
    less = old if settings in new.instances else new
    options = settings.options
    if not {i.options.name for i in old.instances} & {i.options.name for i in new.instances}:
        return "no instance would stay"
    if {channel.interface for channel in settings.channels} & {t.options.name for t in less.transparent}:
        return "it is inside a transparent clock, which is joined to it when the node starts"
    if len(options.clocks) != 1:
        return "it has several clocks, which are tied together when the node starts"
    if options.clocks[0] not in used_clocks(less):
        return f"nobody else uses clock {options.clocks[0]}, which is opened when the node starts"
    shared = [i for i in less.instances if i.options.clocks[:1] == options.clocks and i.reference == settings.reference]
    if settings.reference.type != "none" and not shared:
        return "its reference is a source of its clock, and sources are joined to clocks when the node starts"
    return ""


def differences(old: Site, new: Site) -> list[Change]:
    """Everything in which they differ, in the order of the file."""
    before, after = site_as_dict(old), site_as_dict(new)
    changes = list(_keys("node", NODE, before["node"], after["node"], NODE_SETTINGS))

    def named(document: Document, table: str) -> dict[str, Any]:
        if table == "edge":
            return {f"{edge['from']} -> {edge['to']}": edge for edge in document[table]}
        return {entry["name"]: entry for entry in document[table]}

    for table in (CLOCK, INSTANCE, EDGE, TRANSPARENT):
        membership = partial(why_not_live, old, new) if table is INSTANCE else (lambda name: OPENED)
        for found in _matched(named(before, table.name), named(after, table.name), table.name, membership):
            if isinstance(found, Change):
                changes.append(found)
            elif table is INSTANCE:
                changes += _instance(*found)
            else:
                changes += _keys(f"{table.name} {found[0]}", table, found[1], found[2], why=OPENED)
                if table is EDGE:
                    changes += _keys(f"edge {found[0]}, servo", SERVO, found[1]["servo"], found[2]["servo"], why=OPENED)
    return changes


def settings_of(changes: list[Change]) -> dict[str, dict[str, Any]]:
    """The live ones as ``Engine.configure`` takes them, by instance."""
    found: dict[str, dict[str, Any]] = {}
    for change in changes:
        if change.live and change.instance and change.key:
            settings = found.setdefault(change.instance, {})
            if change.port:
                ports = settings.setdefault("ports", {})
                ports.setdefault(str(change.port), {})[change.key] = change.new
            else:
                settings[change.key] = change.new
    return found


def who_goes(changes: list[Change]) -> list[str]:
    """Instances that can be removed while running."""
    return [str(c.old) for c in changes if c.live and not c.key and c.new is None]


def who_comes(changes: list[Change]) -> list[str]:
    """Instances that can be added while running."""
    return [str(c.new) for c in changes if c.live and not c.key and c.old is None]


def taken_on(old: Site, new: Site, changes: list[Change]) -> Site:
    """``old`` with everything live of ``new``: what a node runs with when it has applied ``new``.

    ``changes``: the differences of the two.
    """
    others = {instance.options.name: instance for instance in new.instances}
    order = list(others)
    going = who_goes(changes)
    node = replace(old.node, **{key: getattr(new.node, key) for key in NODE_SETTINGS})
    instances = [
        _instance_taken_on(instance, others[instance.options.name]) if instance.options.name in others else instance
        for instance in old.instances
        if instance.options.name not in going
    ]
    for name in who_comes(changes):
        later = order[order.index(name) :]
        place = next((n for n, i in enumerate(instances) if i.options.name in later), len(instances))
        instances.insert(place, others[name])
    return replace(old, node=node, instances=tuple(instances))


def _instance_taken_on(old: InstanceSettings, new: InstanceSettings) -> InstanceSettings:
    by_channel = {port.channel: port for port in new.options.ports}
    ports = tuple(
        replace(port, **{key: getattr(by_channel[port.channel], key) for key in PORT_SETTINGS})
        if port.channel in by_channel
        else port
        for port in old.options.ports
    )
    own = {} if new.options.client_only else {key: getattr(new.options, key) for key in INSTANCE_SETTINGS}
    return replace(old, options=replace(old.options, ports=ports, **own))
