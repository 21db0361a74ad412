"""What a port is made of: each ability is a part; the port finds the part that a message, timer or stamp is for.

1. A part names the message classes, timers and transmit stamps that it takes; no two parts of a port take the same.
2. When the port's state changes all its timers are gone; a part sets its own anew in ``entered``.
3. A part knows its port, and other parts only through what the port offers.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from ptpstack.wire.messages import Message
from ptpstack.wire.types import MessageType, PortIdentity, PortState

if TYPE_CHECKING:
    from ptpstack.protocol.port import Port

#: message, ingress stamp (2**-16 ns, as the clock gave it), transport address of the sender, now (ns)
Handler = Callable[[Message, "int | None", str, int], None]
#: now, and when the timer was due (ns)
TimerHandler = Callable[[int, int], None]
#: sequenceId (or the key that the part gave), and the egress stamp at the wire (2**-16 ns); None: it will not come
StampHandler = Callable[[int, "int | None"], None]


class Part:
    handlers: Mapping[type[Message], Handler] = {}
    timers: Mapping[str, TimerHandler] = {}
    stamps: Mapping[MessageType, StampHandler] = {}

    def __init__(self, port: Port) -> None:
        self.port = port

    def entered(self, state: PortState, now: int) -> None:
        """The port has entered ``state``, or the same one for another parent. Exchanges under way were of before."""

    def flush(self) -> None:
        """The clock was stepped: stamps from before mean nothing after."""


class DelayMechanism(Part):
    """The part that measures the path to the parent (E2E), or to the neighbour (P2P)."""

    #: the first six octets of the frames that ``answer_plain`` is for
    plain_requests: frozenset[bytes] = frozenset()

    @property
    def neighbor(self) -> PortIdentity | None:
        """Whose answers measure the link; None: nobody's, or this is not measured here."""
        return None

    def answer_plain(self, octets: bytes, ingress_sns: int | None, address: str) -> tuple[bytes, str | None] | None:
        """(octets of the answer, destination), without a change of state; None: take the general way."""
        return None

    def sync_received(self, now: int) -> None:
        """A Sync of the parent is complete."""


class NoDelay(DelayMechanism):
    """delayMechanism NO_MECHANISM: the path is not measured."""
