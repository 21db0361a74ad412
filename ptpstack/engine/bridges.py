"""Transparent clocks beside the instances: they get all frames of their channels, and may have instances inside.

An instance inside has its port on a channel of the transparent clock that is no interface: what it sends goes there
instead of out, what is there for it comes back as from the network.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from ptpstack.engine.effects import EngineEffect
from ptpstack.protocol.effects import Effect as ProtocolEffect
from ptpstack.protocol.effects import LinkDelayMeasured, Send
from ptpstack.protocol.instance import Instance
from ptpstack.protocol.options import TransparentOptions
from ptpstack.protocol.timers import NEVER
from ptpstack.protocol.transparent.clock import TransparentClock
from ptpstack.protocol.transparent.inside import Delivered, Effect, LinkMeasured, Stamped

#: channel, octets, ingress stamp, address, now
Receive = Callable[[str, bytes, "int | None", str, int], Sequence[EngineEffect]]
#: token, egress stamp, now
Transmitted = Callable[[int, "int | None", int], None]
#: by channel, then by domain: the instance, and the number of its port there
Routes = Mapping[str, Mapping[int, tuple[Instance, int]]]
Take = Callable[[str, Sequence[ProtocolEffect], int], None]


class Bridges:
    def __init__(
        self,
        emit: Callable[[EngineEffect], None],
        receive: Receive,
        transmitted: Transmitted,
        take: Take,
        routes: Routes,
    ) -> None:
        self._emit = emit
        self._receive = receive
        self._transmitted = transmitted
        self._take = take
        self._routes = routes
        self.clocks: dict[str, TransparentClock] = {}
        #: by channel: those of interfaces, and those inside
        self.channels: dict[str, TransparentClock] = {}
        self.inside: dict[str, TransparentClock] = {}

    def add(self, options: TransparentOptions, new_token: Callable[[], int], rng: random.Random) -> TransparentClock:
        """ValueError when a channel belongs to another already."""
        clock = self.clocks[options.name] = TransparentClock(options, new_token, rng)
        for port in options.ports:
            if port.channel in self.channels:
                raise ValueError(f"transparent clock {options.name}: {port.channel} is in use already")
            self.channels[port.channel] = clock
        self.inside |= dict.fromkeys(options.inside, clock)
        return clock

    # ---- inputs -----------------------------------------------------------------------------------------------

    def start(self, now: int) -> None:
        for clock in self.clocks.values():
            self.do(clock.start(now), now)

    def receive(self, channel: str, octets: bytes, ingress_sns: int | None, address: str, now: int) -> None:
        self.do(self.channels[channel].receive(channel, octets, ingress_sns, address, now), now)

    def link(self, channel: str, up: bool, now: int) -> None:
        self.do(self.channels[channel].link(channel, up, now), now)

    def timer(self, now: int) -> None:
        for clock in self.clocks.values():
            if clock.due <= now:
                self.do(clock.timer(now), now)

    @property
    def due(self) -> int:
        return min((clock.due for clock in self.clocks.values()), default=NEVER)

    def clock_stepped(self, name: str) -> None:
        for clock in self.clocks.values():
            if clock.options.clock == name:
                clock.clock_stepped()

    def status(self) -> list[dict[str, Any]]:
        """JSON-ready."""
        return [clock.status() for clock in self.clocks.values()]

    # ---- effects ----------------------------------------------------------------------------------------------

    def sent(self, instance: str, send: Send, now: int) -> None:
        """What an instance sends: out, or to the transparent clock that it is inside of."""
        clock = self.inside.get(send.channel)
        if clock is None:
            self._emit(send)
        else:
            self.do(clock.from_inside(send, now), now)

    def do(self, effects: Sequence[Effect], now: int) -> None:
        """What a transparent clock wants done."""
        for effect in effects:
            if isinstance(effect, Delivered):
                for answer in self._receive(effect.channel, effect.octets, effect.ingress_sns, effect.address, now):
                    if isinstance(answer, Send):
                        self.sent("", answer, now)
                    else:
                        self._emit(answer)
            elif isinstance(effect, Stamped):
                self._transmitted(effect.token, effect.egress_sns, now)
            elif isinstance(effect, LinkMeasured):
                self._link_measured(effect, now)
            else:
                self._emit(effect)

    def _link_measured(self, effect: LinkMeasured, now: int) -> None:
        """For the instances inside that follow a master behind this link."""
        clock, complete = self.channels[effect.channel], effect.complete
        for channel in clock.options.inside:
            for instance, number in list(self._routes.get(channel, {}).values()):
                parent = instance.data.parent.protocol_address
                if instance.ports[number - 1].following and clock.behind(parent, now) == effect.channel:
                    measured = LinkDelayMeasured(
                        number,
                        complete.responder,
                        complete.sequence_id,
                        complete.t4_sns,
                        complete.delay_sns,
                        complete.t1_sns,
                        None,
                        0,
                    )
                    self._take(instance.options.name, [measured], now)
