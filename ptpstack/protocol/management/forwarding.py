"""Management messages for others: from port to port, from the local socket to the network, and answers back to it
(IEEE 1588-2019 15.4.1.1, not checked against the text).

What is addressed to another clock, or to all, goes on by every other port that is in service, with one boundary hop
less, and not at all when none is left. An answer goes to the local peer that asked, by the identity it asked with.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from ptpstack.protocol.effects import SendLocal
from ptpstack.protocol.management.table import READ_ONLY, Origin
from ptpstack.protocol.security import AUTHENTICATION
from ptpstack.wire.codec import encode
from ptpstack.wire.messages import Management
from ptpstack.wire.types import Flag, PortIdentity, PortState

if TYPE_CHECKING:
    from ptpstack.protocol.instance import Instance

#: Others' messages pass by ports in these states: PASSIVE and LISTENING would close loops.
PASSING = (PortState.MASTER, PortState.PRE_MASTER, PortState.UNCALIBRATED, PortState.SLAVE)
#: Local peers whose answers are awaited.
MAX_PEERS = 64


class Forwarding:
    def __init__(self, instance: Instance) -> None:
        self._instance = instance
        #: who asked by a local socket, newest last
        self._peers: dict[PortIdentity, Origin] = {}

    def take(self, message: Management, origin: Origin, request: bool) -> None:
        target = message.target
        if origin.port == 0:
            if origin.socket == READ_ONLY:
                return
            if request:
                self._remember(message.source, origin)
        elif not request:
            peer = self._peers.get(target)
            if peer is not None:
                self._instance.emit(SendLocal(peer.socket, encode(message), peer.address))
                return
        if target.clock_identity == self._instance.clock_identity or message.boundary_hops == 0:
            return
        if origin.port and self._instance.ports[origin.port - 1].state not in PASSING:
            return
        copy = replace(
            message,
            boundary_hops=message.boundary_hops - 1,
            flags=message.flags & ~Flag.UNICAST & 0xFFFF,
            # it speaks for the last hop only; the port that sends signs anew
            tlvs=tuple(tlv for tlv in message.tlvs if tlv.tlv_type != AUTHENTICATION),
        )
        for port in self._instance.ports:
            if port.number != origin.port and port.state in PASSING:
                port.send_general(copy)

    def _remember(self, source: PortIdentity, origin: Origin) -> None:
        self._peers.pop(source, None)
        while len(self._peers) >= MAX_PEERS:
            del self._peers[next(iter(self._peers))]
        self._peers[source] = origin
