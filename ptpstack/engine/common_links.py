"""The common mean link delay service: each link is measured once, for all instances on it (IEEE 1588-2019 16.6; not
checked against the text).

1. It is an instance of its own beside the others: sdoId 0x200, domain 0. Its ports are link ports, one for each channel
   on which a port has delayMechanism COMMON_P2P; they neither serve nor follow, and steer no clock.
2. What a link port measures, every port on its channel is told that has that mechanism.
3. What describes the link (asymmetry, latencies) is that of the first of those ports; it asks as often as the one that
   wants it most often.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from ptpstack.protocol.delay_common import CommonDelay, measures
from ptpstack.protocol.effects import Effect, LinkDelayMeasured
from ptpstack.protocol.instance import Instance
from ptpstack.protocol.management.table import Alone, ChannelFacts
from ptpstack.protocol.neighbor_rate import scaled_rate_ratio
from ptpstack.protocol.options import COMMON_SDO_ID, InstanceOptions, PortOptions
from ptpstack.protocol.port import Port
from ptpstack.timebase.units import sns_to_float_ns

#: how events name it
NAME = "link delay service"

Routes = Mapping[str, Mapping[int, tuple[Instance, int]]]


def options_of(instances: Sequence[InstanceOptions]) -> InstanceOptions | None:
    """The service that these instances need; None: none of their ports has COMMON_P2P."""
    links: dict[str, PortOptions] = {}
    first: InstanceOptions | None = None
    for options in instances:
        for port in options.ports:
            if port.delay_mechanism != "COMMON_P2P":
                continue
            first = first or options
            link = links.get(port.channel)
            interval = port.log_min_pdelay_req_interval
            links[port.channel] = PortOptions(
                channel=port.channel,
                delay_mechanism="P2P",
                desired_state="passive",
                clock=options.clock_of(port),
                log_min_pdelay_req_interval=interval
                if link is None
                else min(link.log_min_pdelay_req_interval, interval),
                several_peers=(link or port).several_peers,
                delay_asymmetry_ns=(link or port).delay_asymmetry_ns,
                ingress_latency_ns=(link or port).ingress_latency_ns,
                egress_latency_ns=(link or port).egress_latency_ns,
                link_local=(link or port).link_local,
                limit_delay_req=(link or port).limit_delay_req,
                allow_sources=(link or port).allow_sources,
                deny_sources=(link or port).deny_sources,
            )
    if first is None:
        return None
    return InstanceOptions(
        name=NAME,
        clock_identity=first.clock_identity,
        ports=tuple(links.values()),
        clock=first.clock,
        sdo_id=COMMON_SDO_ID,
        bmca="external",
        management=first.management,
    )


class _Around(Alone):
    def __init__(self, look_up: Callable[[str], ChannelFacts]) -> None:
        self._look_up = look_up

    def channel(self, name: str) -> ChannelFacts:
        return self._look_up(name)


class CommonLinks:
    def __init__(
        self,
        options: InstanceOptions,
        rng: random.Random,
        new_token: Callable[[], int],
        routes: Routes,
        take: Callable[[str, Sequence[Effect], int], None],
    ) -> None:
        """``take``: what carries out an instance's effects."""
        self.instance = Instance(options, rng, new_token)
        self._routes = routes
        self._take = take

    def use_channels(self, channel: Callable[[str], ChannelFacts]) -> None:
        """Who knows what a channel is."""
        self.instance.management.around = _Around(channel)

    def start(self, now: int) -> None:
        self._take(NAME, self.instance.start(now), now)

    def timer(self, now: int) -> None:
        self._take(NAME, self.instance.timer(now), now)

    def next_deadline(self) -> int | None:
        return self.instance.next_deadline()

    def before(
        self, take: Callable[[str, LinkDelayMeasured, int], None]
    ) -> Callable[[str, LinkDelayMeasured, int], None]:
        """What takes measurements of links: those of the service here, others by ``take``."""

        def took(name: str, measured: LinkDelayMeasured, now: int) -> None:
            if name == NAME:
                self.measured(measured, now)
            else:
                take(name, measured, now)

        return took

    def measured(self, measured: LinkDelayMeasured, now: int) -> None:
        """One of the link ports has: tell those whose link it is."""
        link = self.instance.ports[measured.port - 1]
        users = self._users(link)
        for instance, number in users:
            self._take(instance.options.name, instance.link_measured(number, measured, link, now), now)
        # an operator may have changed it
        intervals = [instance.ports[number - 1].ds.log_min_pdelay_req_interval for instance, number in users]
        if intervals:
            link.ds.log_min_pdelay_req_interval = min(intervals)

    def _users(self, link: Port) -> list[tuple[Instance, int]]:
        ports = self._routes[link.channel].values()
        return [(i, number) for i, number in ports if isinstance(i.ports[number - 1].delay, CommonDelay)]

    def view(self) -> dict[str, Any]:
        """cmldsDefaultDS and cmldsLinkPortDS, and who uses them; JSON-ready."""
        return {
            "clock_identity": self.instance.clock_identity.hex(),
            "links": [
                {
                    "number": port.number,
                    "identity": str(port.identity),
                    "channel": port.channel,
                    "state": port.state.name,
                    "valid": measures(port),
                    "neighbor": None if port.delay.neighbor is None else str(port.delay.neighbor),
                    "mean_link_delay_ns": sns_to_float_ns(port.ds.mean_link_delay_sns) if measures(port) else None,
                    "neighbor_rate_ratio": port.ds.neighbor_rate_ratio,
                    "scaled_neighbor_rate_ratio": scaled_rate_ratio(port.ds.neighbor_rate_ratio),
                    "log_min_pdelay_req_interval": port.ds.log_min_pdelay_req_interval,
                    "delay_asymmetry_ns": port.options.delay_asymmetry_ns,
                    "users": [instance.options.name for instance, _ in self._users(port)],
                    "counters": dict(sorted(port.counters.items())),
                }
                for port in self.instance.ports
            ],
        }
