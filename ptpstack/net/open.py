"""Open a channel: interface + transport -> sockets, with the best time stamps the interface gives."""

from __future__ import annotations

from functools import partial

from ptpstack.net import abilities, device
from ptpstack.net.channel import ChannelError
from ptpstack.net.l2 import L2Channel
from ptpstack.net.pcp import socket_priority
from ptpstack.net.sockets import RECEIVE_BUFFER, explain
from ptpstack.net.udp4 import Udp4Channel
from ptpstack.net.udp6 import DEFAULT_SCOPE, Udp6Channel

TRANSPORTS = ("udp4", "udp6", "l2")


def open_channel(
    interface: str,
    transport: str,
    *,
    stamping: str = "auto",
    one_step: str = "no",
    ttl: int = 1,
    unicast_ttl: int = 64,
    dscp_event: int = 46,
    dscp_general: int = 34,
    udp6_scope: int = DEFAULT_SCOPE,
    priority: int = 0,
    pcp: int | None = None,
    stamp_timeout_ns: int | None = None,
    receive_buffer: int = RECEIVE_BUFFER,
) -> Udp4Channel | Udp6Channel | L2Channel:
    """Open ``transport`` (``udp4``, ``udp6``, ``l2``) on ``interface``.

    ``stamping``: ``auto`` takes hardware stamps where the NIC has all it needs, else the kernel's; ``hardware`` and
    ``software`` insist. ``one_step``: ``auto`` where the NIC can, ``yes`` insists. ``ttl`` is that of multicast, 1..255
    (peer delay messages always leave with 1), ``unicast_ttl`` that of unicast. ``dscp_event`` and ``dscp_general``,
    0..63, mark the two message classes (UDP only; the defaults EF and AF41 are ptpstack's own choice). ``udp6_scope``,
    1..14, is the scope of the IPv6 primary group. ``priority`` is SO_PRIORITY, 0..15 (above 6 needs CAP_NET_ADMIN),
    which a VLAN interface maps to PCP; ``pcp``, 0..7, asks for that PCP instead, see ``ptpstack.net.pcp``.
    ``stamp_timeout_ns``: how long a transmit stamp may take, default 100 ms (hardware) or 50 ms (software).
    ``receive_buffer``: octets asked for, per socket; ``Channel.receive_buffer`` says what was granted.

    ChannelError when the interface is missing, has no address for the transport, cannot stamp as insisted, or rights
    are lacking. ValueError for a parameter out of range.
    """
    if transport not in TRANSPORTS:
        raise ValueError(f"transport is one of {', '.join(TRANSPORTS)}, not {transport!r}")
    for name, value, low, high in (
        ("ttl", ttl, 1, 255),
        ("unicast_ttl", unicast_ttl, 1, 255),
        ("dscp_event", dscp_event, 0, 63),
        ("dscp_general", dscp_general, 0, 63),
        ("udp6_scope", udp6_scope, 1, 14),
        ("priority", priority, 0, 15),
        ("pcp", 0 if pcp is None else pcp, 0, 7),
    ):
        if not low <= value <= high:
            raise ValueError(f"{name} is {low} to {high}, not {value}")
    device.index_of(interface)
    priority, tag = socket_priority(interface, transport, pcp, priority)
    choice = abilities.prepare(interface, transport, stamping, one_step=one_step)
    try:
        if transport == "l2":
            return L2Channel(
                interface,
                choice,
                tag=tag,
                priority=priority,
                stamp_timeout_ns=stamp_timeout_ns,
                receive_buffer=receive_buffer,
            )
        make = Udp4Channel if transport == "udp4" else partial(Udp6Channel, scope=udp6_scope)
        return make(
            interface,
            choice,
            ttl=ttl,
            unicast_ttl=unicast_ttl,
            dscp_event=dscp_event,
            dscp_general=dscp_general,
            priority=priority,
            stamp_timeout_ns=stamp_timeout_ns,
            receive_buffer=receive_buffer,
        )
    except ChannelError:
        raise
    except OSError as error:
        raise explain(interface, transport, error) from error
