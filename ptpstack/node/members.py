"""Bonds beneath channels: whose active member sends and stamps, and what is done when that becomes another.

1. The channels on the bond are opened anew: the new member has to be told to stamp. What waited for a stamp of the old
   one is answered as missing; ports keep their states.
2. Where the new member stamps on another PHC, the clock of those channels becomes that PHC, set to the time of the old
   one if that can still be read. The engine is told that another device is behind the clock's name: what was learnt of
   the old oscillator is not held against the new one.
3. Not where the configuration names the clock's device, or where the old PHC stamps other channels, too: then the port
   is without a channel, and says why, until a member that stamps on its clock is active again.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from ptpstack.clocks.base import ClockError
from ptpstack.clocks.phc import LinuxPhc
from ptpstack.engine.effects import Event
from ptpstack.net import abilities
from ptpstack.net.absent import AbsentChannel
from ptpstack.net.channel import Channel
from ptpstack.net.layers import layers_of
from ptpstack.node.assembly import owner_of

if TYPE_CHECKING:
    from ptpstack.node.channelwork import Channelwork


class Members:
    """Of one node. ``changes``: channel -> how often its active member became another."""

    def __init__(self, node: Channelwork) -> None:
        self._node = node
        self.changes: Counter[str] = Counter()

    def look(self, interface: str, now: int) -> None:
        """Something happened to ``interface``: follow where it is a bond, beneath a channel, with another member."""
        moved: dict[str, list[Channel]] = {}
        for channel in self._node.channels.values():
            if interface in channel.stack and not isinstance(channel, AbsentChannel):
                layers = layers_of(channel.interface)
                whole = layers[-1].kind != "bond"  # else no member is active: the link is down, and that is told
                if whole and tuple(layer.name for layer in layers) != channel.stack:
                    moved.setdefault(self._node.parts.clock_of_channel[channel.name], []).append(channel)
        for clock, channels in moved.items():
            self._follow(clock, channels, now)

    def _follow(self, clock: str, channels: list[Channel], now: int) -> None:
        node = self._node
        for channel in channels:
            node.shut(channel, now)
        device = layers_of(channels[0].interface)[-1].name
        said = self._change_clock(clock, device, channels, now)
        for channel in channels:
            self.changes[channel.name] += 1
            before = channel.stack[-1]
            node.reopen(channel, now)
            data = {"channel": channel.name, "from": before, "to": device, "clock": clock, "reason": said}
            node.event(Event("active-member", "", 0, data), now)
            node.tell_link(channel.name, now)
        node.parts.owners[clock] = owner_of(node.clocks[clock], [node.channels[c.name] for c in channels])

    def _change_clock(self, clock: str, device: str, channels: list[Channel], now: int) -> str:
        """What became of the clock, a sentence."""
        node = self._node
        backend = node.clocks[clock]
        if not isinstance(backend, LinuxPhc):
            return "the kernel stamps, so the clock is the same"
        number = abilities.query(device).phc_index
        path = f"/dev/ptp{number}"
        if number < 0:
            return f"{device} has no PTP hardware clock"
        if path == backend.path:
            return f"{device} stamps on the same PHC"
        if any(options.name == clock and options.device is not None for options in node.parts.site.clocks):
            return f"{device} stamps on {path}, but the configuration says that the clock is {backend.path}"
        stamped = {name for name, stamps in node.parts.clock_of_channel.items() if stamps == clock}
        others = sorted(stamped - {channel.name for channel in channels})
        if others:
            return f"{device} stamps on {path}, but {', '.join(others)} on {backend.path}"
        before = backend.path
        try:
            carried = node.move_clock(clock, path, now)
        except ClockError as error:
            return f"{path}, on which {device} stamps, cannot be used: {error}"
        return f"the clock is {path} instead of {before}, {carried}"
