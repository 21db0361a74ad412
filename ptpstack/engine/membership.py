"""Instances that come and go, or change their domain, while an engine runs: clocks and servos of others go on.

1. An instance that comes finds its clock there already; it takes its place in the order of who steers that clock.
2. One that goes is silent at once. If it steered its clock and nobody else can, its edge stays behind for the holdover,
   until somebody else steers.
3. All checks come first: what is refused has changed nothing.
"""

from __future__ import annotations

import random
from abc import abstractmethod
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace

from ptpstack.engine.plan import InstancePlan
from ptpstack.engine.wiring import Wiring, route_key
from ptpstack.protocol.instance import Instance


class Membership(Wiring):
    def admit(self, plan: InstancePlan, after: Sequence[str], now: int) -> None:
        """``after``: the instances that come later in the order of steering. ValueError when it cannot come in."""
        options = plan.options
        name = options.name
        if name in self.instances:
            raise ValueError(f"there is an instance {name} already")
        if len(options.clocks) != 1 or options.clocks[0] not in self.clocks:
            raise ValueError(
                f"instance {name}: an instance that is added has one clock, and one that is in use already"
            )
        for port in options.ports:
            if self.bridges is not None and port.channel in self.bridges.channels:
                raise ValueError(f"instance {name}: {port.channel} belongs to a transparent clock")
            if port.delay_mechanism == "COMMON_P2P" and not self._has_link_port(port.channel):
                raise ValueError(
                    f"instance {name}: the common mean link delay service has no port on {port.channel}: links are "
                    "added to it when the node starts"
                )
            other = self._routes.get(port.channel, {}).get(route_key(options.sdo_id, options.domain))
            if other is not None:
                raise ValueError(f"instance {name}: instance {other[0].options.name} has its domain on {port.channel}")
        self._sweep()
        self._add_instance(plan, random.Random(self._rng.getrandbits(64)))
        edges = self.clocks[options.clocks[0]].edges
        edge = edges.pop()
        place = next((n for n, e in enumerate(edges) if e.source is not None or e.instance in after), len(edges))
        edges.insert(place, edge)
        for port in options.ports:
            self.unrouted.setdefault(port.channel, Counter())
        self._keeps_house = self._keeps_house or len(options.ports) > 1
        self._joined(self.instances[name])
        self.take(name, self.instances[name].start(now), now)
        self.vouching.refresh(now)

    def _has_link_port(self, channel: str) -> bool:
        return self.links is not None and any(port.channel == channel for port in self.links.instance.ports)

    @abstractmethod
    def _joined(self, instance: Instance) -> None:
        """It is one of us, and has not begun yet."""

    def dismiss(self, name: str, now: int) -> None:
        """KeyError when there is no such instance, ValueError when it cannot go."""
        instance = self.instances[name]
        if len(instance.options.clocks) != 1:
            raise ValueError(f"instance {name} ties several clocks together: that cannot be undone while running")
        self.take(name, instance.leave(now), now)
        (edge,) = self.instance_edges.pop(name).values()
        edge.retired = True
        edge.why_not = "its instance was removed"
        for routes in self._routes.values():
            for key in [key for key, (owner, _) in routes.items() if owner is instance]:
                del routes[key]
        del self.instances[name], self.plans[name], self.edges[edge.name]
        self.monitors.pop(name, None)
        self._sweep()

    def move_to_domain(self, name: str, domain: int, now: int) -> str:
        """An instance goes on in another domain; why it does not, or ""."""
        instance = self.instances[name]
        options = instance.configured
        old, new = route_key(options.sdo_id, options.domain), route_key(options.sdo_id, domain)
        if old == new:
            return ""
        for port in options.ports:
            if new in self._routes[port.channel]:
                other = self._routes[port.channel][new][0].options.name
                return f"that of {other} on {port.channel}"
        for number, port in enumerate(options.ports, 1):
            del self._routes[port.channel][old]
            self._routes[port.channel][new] = (instance, number)
        self.take(name, instance.rebuild(replace(options, domain=domain), now), now)
        return ""

    def _sweep(self) -> None:
        """Edges of instances that are gone, once somebody else steers."""
        for clock in self.clocks.values():
            clock.edges[:] = [edge for edge in clock.edges if not edge.retired or edge is clock.steering]
