"""The channels of transparent clocks: ports of a software bridge, all stamped by one clock."""

from __future__ import annotations

from dataclasses import replace

from ptpstack.config.model import ChannelOptions, Site, TransparentSettings
from ptpstack.net.bridge import Bridge, open_bridge_port
from ptpstack.net.channel import Channel, ChannelError
from ptpstack.net.inside import InsideChannel
from ptpstack.node.loop import now_ns


def open_bridges(site: Site, channels: dict[str, Channel], notes: list[str]) -> dict[str, Bridge]:
    """Open the ports of every transparent clock into ``channels``; the bridge of each channel. ChannelError."""
    types = {clock.name: clock.type for clock in site.clocks}
    bridges: dict[str, Bridge] = {}
    for transparent in site.transparent:
        bridge = Bridge(now_ns)
        simulated = types[transparent.options.clock] == "simulated"
        stamping = "software" if simulated else transparent.stamping
        opened = _open(transparent, bridge, stamping, channels)
        if stamping == "auto" and len({(c.stamping, c.phc_index) for c in opened}) > 1:
            # a time inside is the difference of two stamps: both have to be of one clock
            kinds = ", ".join(f"{c.interface} {c.stamping}" for c in opened)
            notes.append(
                f"transparent clock {transparent.options.name}: software time stamps, for want of one clock "
                f"for all its interfaces ({kinds})"
            )
            for channel in opened:
                channel.close()
            _open(transparent, bridge, "software", channels)
        bridges |= {channel.name: bridge for channel in transparent.channels}
        first = channels[transparent.channels[0].name]
        for name in transparent.options.inside:
            channels[name] = InsideChannel(transparent.options.name, name.rpartition("/")[2], first)
    return bridges


def _open(
    transparent: TransparentSettings, bridge: Bridge, stamping: str, channels: dict[str, Channel]
) -> list[Channel]:
    opened: list[Channel] = []
    for wanted in transparent.channels:
        channels[wanted.name] = channel = open_in(bridge, replace(wanted, stamping=stamping))
        opened.append(channel)
    return opened


def open_in(bridge: Bridge, options: ChannelOptions) -> Channel:
    """ChannelError when it cannot be had."""
    if options.interface in bridge.ports:
        raise ChannelError(17, f"{options.interface}: it is a port of this bridge already")
    return open_bridge_port(bridge, options.interface, stamping=options.stamping)
