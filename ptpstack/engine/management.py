"""Management at the engine: which instance a local datagram is for, and what instances ask of the world around them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING

from ptpstack.engine.effects import Event, StepClock
from ptpstack.engine.steering import LATEST_S
from ptpstack.protocol.effects import Effect, ParentChanged, SendLocal, StateChanged, SyncMeasured
from ptpstack.protocol.instance import Instance
from ptpstack.protocol.management.table import ChannelFacts
from ptpstack.timebase.units import SNS_PER_S

if TYPE_CHECKING:
    from ptpstack.engine.engine import Engine

_SHORTEST = 34
#: what others may want to hear of
_NEWS = frozenset((SyncMeasured, StateChanged, ParentChanged))


class Around:
    """The surroundings of one instance (protocol.management.table.Surroundings)."""

    def __init__(self, engine: Engine, instance: Instance) -> None:
        self._engine = engine
        self._instance = instance

    @property
    def _name(self) -> str:
        return self._instance.options.name

    @property
    def _clock(self) -> str:
        return self._engine.leader_of(self._name)

    def offset_ns(self, now: int) -> float | None:
        estimate = self._engine.edge_of(self._name).servo.estimate(now)
        return None if estimate is None else estimate.value_ns

    def delay_ns(self) -> float | None:
        return self._engine.edge_of(self._name).servo.path_delay_ns()

    def time_ns(self, now: int) -> int | None:
        about = self._engine.steering.about_sns(self._clock, now)
        return None if about is None else about >> 16

    def channel(self, name: str) -> ChannelFacts:
        return self._engine.management_desk.channel(name)

    def set_time(self, time_ns: int, now: int) -> str:
        engine, name = self._engine, self._clock
        clock = engine.clocks[name]
        if not clock.steerable:
            return clock.why_not or "only read"
        if name in engine.references or any(edge.usable for edge in clock.edges):
            return "it has a reference"
        about = engine.steering.about_sns(name, now)
        if about is None:
            return "not read yet"
        if (time_ns << 16) // SNS_PER_S >= LATEST_S:
            return "out of all bounds"
        step_sns = (time_ns << 16) - about
        engine.emit(StepClock(name, step_sns, "set by management"))
        engine.emit(Event("clock-step", self._name, 0, {"clock": name, "step_ns": step_sns / 65536,
                                                        "reason": "set by management"}))  # fmt: skip
        clock.steps += 1
        engine.steering.was_stepped(name, step_sns, now)
        return ""

    def set_domain(self, domain: int, now: int) -> str:
        return self._engine.move_to_domain(self._name, domain, now)


class Desk:
    """Takes the datagrams of local sockets, and knows the channels."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self.channels: dict[str, ChannelFacts] = {}
        #: datagrams that belong to no instance
        self.counters: Counter[str] = Counter()
        for instance in engine.instances.values():
            self.welcome(instance)
        if engine.links is not None:
            engine.links.use_channels(self.channel)

    def welcome(self, instance: Instance) -> None:
        instance.management.around = Around(self._engine, instance)

    def channel(self, name: str) -> ChannelFacts:
        facts = self.channels.get(name)
        if facts is None:
            # kept, because every Sync asks
            interface, _, transport = name.rpartition("/")
            facts = self.channels[name] = ChannelFacts(interface, transport)
        return facts

    def take(self, socket: str, octets: bytes, address: str, now: int) -> None:
        """To every instance of that domain and sdoId."""
        if len(octets) < _SHORTEST:
            self.counters["drop-short-header"] += 1
            return
        if octets[1] & 0x0F != 2:
            self.counters["drop-version"] += 1
            return
        domain, sdo_id = octets[4], (octets[0] & 0xF0) << 4 | octets[5]
        # asked is who has that domain now: an answer may be to leave it
        links = self._engine.links
        everybody = [*self._engine.instances.values(), *([] if links is None else [links.instance])]
        asked = [i for i in everybody if (i.options.domain, i.options.sdo_id) == (domain, sdo_id)]
        if not asked:
            self.counters["drop-domain-or-sdo-id"] += 1
        for instance in asked:
            self._engine.take(instance.options.name, instance.manage(socket, octets, address, now), now)

    def happened(self, instance: Instance, effects: Sequence[Effect], now: int) -> None:
        """Those whom it concerns hear of what an instance has done."""
        management = instance.management
        news: list[Effect] = []
        for effect in effects:
            if type(effect) not in _NEWS:
                continue
            if isinstance(effect, SyncMeasured):
                management.last_sync_ns = effect.t2_sns >> 16
                if not management.subscriptions:
                    continue
            news.append(effect)
        if news:
            for told in instance.happened(news, now):
                assert isinstance(told, SendLocal)
                self._engine.emit(told)
