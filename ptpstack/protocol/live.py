"""What of an instance can be changed while it runs, and how.

1. Nothing here touches a data set that the election has filled, a foreign master, or an exchange under way.
2. A shorter interval takes effect at once, a longer one with the next message (9.5.8, 9.5.9: within the old interval).
3. All of a change, or nothing: what is not known, or is wrong, is refused first.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from ptpstack.protocol.admission import parse_source
from ptpstack.protocol.options import PortOptions
from ptpstack.protocol.serving import TIMER_ANNOUNCE, TIMER_SYNC
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
    if own and instance.options.client_only:
        raise ValueError(f"instance {instance.options.name} is client-only: its priorities are always 255")
    for number, options in new.items():
        _configure_port(instance.ports[number - 1], options, now)
    ports_now = tuple(port.options for port in instance.ports)
    instance.options = replace(instance.options, ports=ports_now, **own)
    instance.configured = replace(instance.configured, ports=ports_now, **own)
    if own:
        default = instance.data.default
        default.priority1 = own.get("priority1", default.priority1)
        default.priority2 = own.get("priority2", default.priority2)
    instance.elect(now)


def _configure_port(port: Port, new: PortOptions, now: int) -> None:
    old, port.options = port.options, new
    # only what is another now: management may have set the rest
    changed = {name for name in PORT_SETTINGS if getattr(old, name) != getattr(new, name)}
    for name in changed & _IN_DATA_SET:
        setattr(port.ds, name, getattr(new, name))
    if changed & {"log_announce_interval", "announce_receipt_timeout"}:
        port.announces.rearm(now)
        _not_later(port, TIMER_ANNOUNCE, now + port.announce_interval_ns)
    if "log_sync_interval" in changed:
        _not_later(port, TIMER_SYNC, now + log_interval_ns(new.log_sync_interval))
    port.admission.change(new)
    if port.security is not None:
        port.security.change(new)
    port.entrance.choose_short_cut()


def _not_later(port: Port, name: str, due: int) -> None:
    if port.timers.get(name, due) > due:
        port.timers[name] = due
