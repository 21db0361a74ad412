"""What a port receives: everything that is checked before a message reaches its part.

1. Nothing in a frame raises. What is dropped is counted, under a name from a fixed set.
2. In this order: the port's state, source rules, decoding, the sender, verification, limits, and the parts that refuse.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from ptpstack.protocol.effects import Send
from ptpstack.protocol.part import Handler, Part, concerned
from ptpstack.protocol.states import ELECTING
from ptpstack.wire.codec import MINIMUM_OCTETS, decode
from ptpstack.wire.errors import MalformedFrame
from ptpstack.wire.messages import Management, Message
from ptpstack.wire.types import MessageType, PortState

if TYPE_CHECKING:
    from ptpstack.protocol.port import Port

#: States in which management is answered though nothing else is (9.2.5).
ANSWERING = (PortState.FAULTY, PortState.DISABLED)

#: names of counters; a member's name in small letters costs more than the counting
_RECEIVED = {kind: f"rx-{kind.type.name.lower()}" for kind in MINIMUM_OCTETS}
#: by the lower half of octet 0; a member of an enumeration costs a look-up
_DELAY_REQ, _MANAGEMENT = int(MessageType.DELAY_REQ), int(MessageType.MANAGEMENT)


class Entrance:
    def __init__(self, port: Port, parts: Sequence[Part]) -> None:
        self._port = port
        self._gates = concerned(parts, Part.refuses)
        self._handlers: dict[type[Message], Handler] = {Management: self._on_management}
        for part in parts:
            self._handlers.update(part.handlers)
        self._plain_requests = port.delay.plain_requests
        self.choose_short_cut()

    def choose_short_cut(self) -> None:
        """The short cut for a plain Delay_Req looks at nothing but its octets: it is off where there is more to see."""
        port = self._port
        selective = port.security is not None or port.admission.selective
        port.delay.plain_requests = frozenset() if selective else self._plain_requests

    def receive(self, octets: bytes, ingress_sns: int | None, address: str, now: int) -> None:
        """A frame of this instance's domain and sdoId."""
        port = self._port
        state, message_type = port.ds.port_state, octets[0] & 0x0F
        if message_type == _DELAY_REQ and octets[:6] in port.delay.plain_requests:
            answer = port.delay.answer_plain(octets, ingress_sns, address)
            if answer is not None:
                port.instance.emit(Send(port.channel, *answer, None))
                return
        if state not in ELECTING and not (state in ANSWERING and message_type == _MANAGEMENT):
            port.counters["drop-state"] += 1
            return
        if not port.admission.permits(octets, address):
            return
        try:
            message = decode(octets)
        except MalformedFrame as error:
            port.counters[f"drop-{error.reason}"] += 1
            return
        source = message.source
        if source == port.identity:
            port.counters["drop-own-message"] += 1
            return
        if source[1] in (0, 0xFFFF) and message_type != _MANAGEMENT:
            port.counters["drop-source-port-number"] += 1
            return
        if port.security is not None and not port.security.admits(message, octets, port.memory_ns, now):
            return
        if not port.admission.within_limits(message, now):
            return
        kind = type(message)
        port.counters[_RECEIVED[kind]] += 1
        handler = self._handlers.get(kind)
        if handler is None:
            port.counters["drop-not-used"] += 1
            return
        for gate in self._gates:
            refusal = gate(message, address, now)
            if refusal:
                port.counters[refusal] += 1
                return
        handler(message, ingress_sns, address, now)

    def _on_management(self, message: Message, ingress_sns: int | None, address: str, now: int) -> None:
        assert isinstance(message, Management)
        self._port.instance.management.from_network(self._port, message, address, now)
