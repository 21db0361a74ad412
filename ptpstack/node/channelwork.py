"""The channels of a running node: opened again when their interface is back, followed when a bond's member changes.

1. A channel that cannot be had is an ``AbsentChannel``, tried again once a second: nobody tells when an interface
   gets an address, or netlink is missing.
2. The engine is told when a channel becomes usable or ceases to be, and what management messages say of it.
"""

from __future__ import annotations

from ptpstack.engine.effects import EngineEffect, Event
from ptpstack.engine.engine import Engine
from ptpstack.net.absent import AbsentChannel
from ptpstack.net.channel import Channel
from ptpstack.net.links import LinkEvent, LinkWatch
from ptpstack.node.assembly import Parts, open_again
from ptpstack.node.clockwork import Clockwork
from ptpstack.node.loop import Loop
from ptpstack.node.members import Members
from ptpstack.timebase.units import NS_PER_S

#: How often a channel that is not open is tried again.
RETRY_NS = 1_000_000_000
#: Longer than any transmit stamp may take.
_NEVER_NS = 1_000 * NS_PER_S


class Channelwork(Clockwork):
    """The half of a node that has channels, but for what is sent and received by them."""

    engine: Engine

    def __init__(self, parts: Parts, loop: Loop, links: LinkWatch | None) -> None:
        super().__init__(parts, loop)
        self.channels = parts.channels
        self.links = links
        self.link_state: dict[str, bool] = {}
        self.members = Members(self)
        self._channel_options = {
            options.name: options
            for several in (
                *(i.channels for i in parts.site.instances),
                *(t.channels for t in parts.site.transparent),
            )
            for options in several
        }
        #: channel -> what the engine was told of it last
        self._told: dict[str, bool] = {}
        self._retry_ns = 0

    def perform(self, effects: list[EngineEffect], now: int) -> None:
        raise NotImplementedError

    def watch(self, channel: Channel) -> None:
        """Let the loop take what comes by it."""
        raise NotImplementedError

    def unwatch(self, channel: Channel) -> None:
        raise NotImplementedError

    def collect_stamps(self, channel: Channel, now: int, *, until: int | None = None) -> None:
        """Hand the engine the transmit stamps that are there, and those that are missing by ``until``."""
        raise NotImplementedError

    def start_channels(self, now: int) -> None:
        """Tell of those that are not open, from now on."""
        self._retry_ns = now + RETRY_NS
        for channel in list(self.channels.values()):
            if isinstance(channel, AbsentChannel):
                self.say_absent(channel, now)
                self.tell_link(channel.name, now)

    def link_changed(self, event: LinkEvent, now: int) -> None:
        self.link_state[event.name] = event.up
        self.members.look(event.name, now)
        for channel in list(self.channels.values()):
            if channel.interface == event.name:
                if event.up and channel.interface_index != event.ifindex:
                    # the interface went away and came back as another one: its sockets are bound to a ghost
                    self.reopen(channel, now)
                self.tell_link(channel.name, now)

    def tell_link(self, name: str, now: int) -> None:
        """Tell the engine when a channel becomes usable, or ceases to be. It takes all to be usable at the start."""
        channel = self.channels[name]
        up = not isinstance(channel, AbsentChannel) and self.link_state.get(channel.interface, True)
        if up is not self._told.get(name, True):
            self._told[name] = up
            self.perform(self.engine.link(name, up, now), now)

    def reopen(self, channel: Channel, now: int) -> None:
        """Replace a channel by one on the present interface, or, while that cannot be had, by an absent one."""
        name = channel.name
        clock = self.clocks[self.parts.clock_of_channel[name]]
        self.shut(channel, now)
        try:
            self.channels[name] = open_again(self._channel_options[name], clock, self.parts.bridges.get(name))
        except OSError as error:
            problem = str(error)
            stamping = "hardware" if clock.kind == "phc" else "software"
            absent = AbsentChannel(channel.interface, name.rpartition("/")[2], stamping, problem)
            self.channels[name] = absent
            if not isinstance(channel, AbsentChannel) or channel.problem != problem:
                self.say_absent(absent, now)
            return
        self.watch(self.channels[name])
        self.tell_facts(self.channels[name], now)
        if self.links is not None:
            for below in self.channels[name].stack:
                self.links.watch(below)
        self.event(Event("channel-open", "", 0, {"channel": name, "stamping": self.channels[name].stamping}), now)

    def tell_facts(self, channel: Channel, now: int) -> None:
        """What management messages say of a channel."""
        if not isinstance(channel, AbsentChannel):
            address = next(iter(getattr(channel, "addresses", ())), "")
            facts = (channel.name, channel.stamping, channel.phc_index, channel.mac, str(address))
            self.perform(self.engine.channel_facts(*facts, now, channel.one_step), now)

    def shut(self, channel: Channel, now: int) -> None:
        # what still waits for a stamp of its sockets waits in vain
        self.collect_stamps(channel, now, until=now + _NEVER_NS)
        self.unwatch(channel)
        channel.close()

    def say_absent(self, channel: AbsentChannel, now: int) -> None:
        self.event(Event("channel-failed", "", 0, {"channel": channel.name, "reason": channel.problem}), now)

    def retry_absent(self, now: int) -> int | None:
        """Nobody tells when an interface gets an address, or netlink is missing: look once a second."""
        absent = [c for c in self.channels.values() if isinstance(c, AbsentChannel)]
        if not absent:
            return None
        if now >= self._retry_ns:
            self._retry_ns = now + RETRY_NS
            for channel in absent:
                self.reopen(channel, now)
                self.tell_link(channel.name, now)
        return self._retry_ns

    def problem(self, name: str) -> str:
        """Why a channel is not open, or ""."""
        channel = self.channels[name]
        return channel.problem if isinstance(channel, AbsentChannel) else ""
