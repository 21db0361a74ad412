"""What of an instance can be changed while it runs, and how: by a new configuration, or by management.

1. Nothing here touches a data set that the election has filled, a foreign master, or an exchange under way.
2. A shorter interval takes effect at once, a longer one with the next message (9.5.8, 9.5.9: within the old interval).
3. All of a change, or nothing: what is not known, or is wrong, is refused first.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from ptpstack.protocol.admission import parse_source
from ptpstack.protocol.announce_option_set import announce_options
from ptpstack.protocol.options import InstanceOptions, PortOptions, ruled
from ptpstack.protocol.serving import TIMER_ANNOUNCE, TIMER_SYNC
from ptpstack.protocol.timers import TIMER_PDELAY_REQ
from ptpstack.timebase.units import log_interval_ns

if TYPE_CHECKING:
    from ptpstack.protocol.instance import Instance
    from ptpstack.protocol.port import Port

INSTANCE_SETTINGS = ("priority1", "priority2")
PORT_SETTINGS = (
    "log_announce_interval",
    "announce_receipt_timeout",
    "log_sync_interval",
    "log_min_delay_req_interval",
    "active_key_id",
    "allow_unauthenticated",
    "allow_sources",
    "deny_sources",
    "limit_delay_req",
    "limit_announce",
    "limit_signaling",
    "limit_management",
)
_SOURCES = ("allow_sources", "deny_sources")
#: members of portDS; while a port follows, its parent's word counts for the last, which comes with the next Delay_Resp
_IN_DATA_SET = frozenset(
    {"log_announce_interval", "announce_receipt_timeout", "log_sync_interval", "log_min_delay_req_interval"}
)
#: what is sent once an interval
_TIMERS = {
    "log_announce_interval": TIMER_ANNOUNCE,
    "log_sync_interval": TIMER_SYNC,
    "log_min_pdelay_req_interval": TIMER_PDELAY_REQ,
}


def set_priorities(instance: Instance, priorities: Mapping[str, int]) -> None:
    """``priorities``: priority1, priority2, or one of them. ValueError for a client-only instance."""
    if instance.options.client_only:
        raise ValueError(f"instance {instance.options.name} is client-only: its priorities are always 255")
    for name, value in priorities.items():
        setattr(instance.data.default, name, value)


def set_members(port: Port, members: Mapping[str, int], now: int) -> None:
    """Members of portDS (its intervals, announceReceiptTimeout), by their names there."""
    for name, value in members.items():
        setattr(port.ds, name, value)
    if members.keys() & {"log_announce_interval", "announce_receipt_timeout"}:
        port.announces.rearm(now)
    for name, timer in _TIMERS.items():
        if name in members and timer in port.timers:
            port.timers[timer] = min(port.timers[timer], now + log_interval_ns(members[name]))


def configure(instance: Instance, settings: Mapping[str, Any], now: int) -> None:
    """``settings``: keys of ``INSTANCE_SETTINGS``, and ``ports``: number (as text) -> keys of ``PORT_SETTINGS``.

    ValueError for anything else.
    """
    ports = settings.get("ports", {})
    own = {name: value for name, value in settings.items() if name != "ports"}
    unknown = [name for name in own if name not in INSTANCE_SETTINGS]
    unknown += [name for changes in ports.values() for name in changes if name not in PORT_SETTINGS]
    if unknown:
        raise ValueError(f"{', '.join(unknown)}: cannot be changed while running")
    new: dict[int, PortOptions] = {}
    for text, changes in ports.items():
        number = int(text)
        if not 1 <= number <= len(instance.ports):
            raise ValueError(f"instance {instance.options.name} has ports 1 to {len(instance.ports)}, not {number}")
        values: dict[str, Any] = {name: tuple(value) if name in _SOURCES else value for name, value in changes.items()}
        for name in _SOURCES:
            for source in values.get(name, ()):
                parse_source(source)
        new[number] = replace(instance.ports[number - 1].options, **values)
    if own:
        set_priorities(instance, own)
    for number, options in new.items():
        _configure_port(instance.ports[number - 1], options, now)
    ports_now = tuple(port.options for port in instance.ports)
    instance.options = replace(instance.options, ports=ports_now, **own)
    instance.configured = replace(instance.configured, ports=ports_now, **own)
    instance.elect(now)


def change_options(instance: Instance, options: InstanceOptions, now: int) -> None:
    """Go on with other options of what is said and heard by Announce; ports go on as they are."""
    instance.configured, instance.options = options, ruled(options)
    instance.announce_options = announce_options(instance.options)
    following = instance.following_port
    record = None if following is None else following.foreign.get(following.parent)
    if record is not None:
        for option in instance.announce_options:
            option.followed(record.announce)
    for port in instance.ports:
        port.announce_changed(now)
    instance.elect(now)


def _configure_port(port: Port, new: PortOptions, now: int) -> None:
    old, port.options = port.options, new
    # only what is another now: management may have set the rest
    changed = {name for name in PORT_SETTINGS if getattr(old, name) != getattr(new, name)}
    set_members(port, {name: getattr(new, name) for name in changed & _IN_DATA_SET}, now)
    port.admission.change(new)
    if port.security is not None:
        port.security.change(new)
    port.entrance.choose_short_cut()
