"""A node whose instances come and go while it runs: channels are opened and closed, clocks and the others go on."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ptpstack.config.model import InstanceSettings, Site
from ptpstack.engine.plan import instance_as_dict
from ptpstack.net.absent import AbsentChannel
from ptpstack.node.assembly import instance_plan
from ptpstack.node.channelwork import RETRY_NS
from ptpstack.node.errors import AssemblyError
from ptpstack.node.node import Node

if TYPE_CHECKING:
    from ptpstack.config.difference import Change


class LiveNode(Node):
    def take_on(self, changes: list[Change], site: Site) -> list[str]:
        """Carry out ``changes``, which make of the present site ``site``; sentences worth a warning."""
        from ptpstack.config.difference import settings_of, who_comes, who_goes

        warnings: list[str] = []
        for name in who_goes(changes):
            self.remove_instance(name, {channel.name for channel in site.channels})
        order = [instance.options.name for instance in site.instances]
        for name in who_comes(changes):
            place = order.index(name)
            warnings += self.add_instance(site.instances[place], order[place + 1 :])
        now = self.loop.now_ns()
        for instance, settings in settings_of(changes).items():
            self.perform(self.engine.configure(instance, settings, now), now)
        return warnings

    def add_instance(self, settings: InstanceSettings, after: list[str]) -> list[str]:
        """Open what it needs and let it in; sentences worth a warning. An interface that is not there is waited for.

        ``after``: the instances that come later in the order of the configuration.
        """
        now = self.loop.now_ns()
        (clock,) = settings.options.clocks
        for options in settings.channels:
            if options.name not in self.channels:
                self._channel_options[options.name] = options
                self.parts.clock_of_channel[options.name] = clock
                absent = AbsentChannel(options.interface, options.transport, options.stamping, "not opened yet")
                self.channels[options.name] = absent
                if self.links is not None:
                    self.links.watch(options.interface)
                self.reopen(absent, now)
        warnings: list[str] = []
        used = [self.channels[options.name] for options in settings.channels]
        names = [clock] * len(used)
        plan = instance_plan(settings, clock, names, used, self.clocks[clock], self.parts.site.node, warnings)
        self.perform(self.engine.add_instance(instance_as_dict(plan), after, now), now)
        for channel in used:
            self._told.pop(channel.name, None)
            self.tell_link(channel.name, now)
        self._retry_ns = now + RETRY_NS
        try:
            self.open_feeds(settings)
        except AssemblyError as error:
            warnings.append(f"{settings.options.name} feeds nobody: {error}")
        return warnings

    def remove_instance(self, name: str, kept: set[str]) -> None:
        """``kept``: the channels that others use."""
        now = self.loop.now_ns()
        self.close_feeds(name)
        ports = self.engine.instances[name].options.ports
        self.perform(self.engine.remove_instance(name, now), now)
        for channel_name in {port.channel for port in ports} - kept:
            channel = self.channels.pop(channel_name)
            self.unwatch(channel)
            channel.close()
            del self._channel_options[channel_name], self.parts.clock_of_channel[channel_name]

    def reschedule(self) -> None:
        """To be called after a change: the next deadline may be an earlier one."""
        self._set_deadline()
