"""Which messages a port takes when it has to do with unicast: by multicast or not, from servers or strangers.

The transport tells nobody how a message came: the unicastFlag does (13.3.2.8).
"""

from __future__ import annotations

from ptpstack.protocol.part import Part
from ptpstack.wire.messages import Announce, DelayReq, FollowUp, Message, Sync
from ptpstack.wire.types import Flag, MessageType

_OF_A_MASTER: dict[type[Message], MessageType] = {
    Announce: MessageType.ANNOUNCE,
    Sync: MessageType.SYNC,
    FollowUp: MessageType.SYNC,
}


class UnicastRules(Part):
    def refuses(self, message: Message, address: str, now: int) -> str:
        kind = _OF_A_MASTER.get(type(message))
        if kind is not None:
            return self._refuses_master(kind, message, address, now)
        if type(message) is DelayReq:
            return self.refuses_delay_req(bool(message.flags & Flag.UNICAST), address, message.source)
        return ""

    def _refuses_master(self, kind: MessageType, message: Message, address: str, now: int) -> str:
        discovery = self.port.unicast_discovery
        listed = discovery is not None and address in discovery.servers
        if not message.flags & Flag.UNICAST:
            if not self.port.options.unicast.multicast:
                return "drop-multicast"
            # a server that also sends to the group: its two streams must not mix
            return "drop-multicast-of-server" if listed else ""
        if not listed:
            return "drop-unicast-of-stranger"
        assert discovery is not None
        return discovery.heard(kind, address, message.source, now)

    def refuses_delay_req(self, unicast: bool, address: str, identity: tuple[bytes, int]) -> str:
        options, service = self.port.options.unicast, self.port.unicast_service
        if not unicast:
            return "" if options.multicast else "drop-multicast"
        if options.negotiation_required and not (
            service is not None and service.holds(address, identity, MessageType.DELAY_RESP)
        ):
            return "drop-delay-req-without-grant"
        return ""
