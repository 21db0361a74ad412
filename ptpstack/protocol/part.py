"""What a port is made of: each ability is a part; the port finds the part that a message, timer or stamp is for.

1. A part names the message classes, timers and transmit stamps that it takes; no two parts of a port take the same.
2. When the port's state changes all its timers are gone; a part sets its own anew in ``entered``.
3. A part knows its port, and other parts only through what the port offers.
4. A part may refuse messages on behalf of the port, before any part is given them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Concatenate, NamedTuple, ParamSpec, TypeVar

from ptpstack.protocol.effects import LinkDelayMeasured
from ptpstack.protocol.sync_receiver import CompleteSync
from ptpstack.wire.messages import Announce, Message, Signaling
from ptpstack.wire.tlv import Tlv
from ptpstack.wire.types import MessageType, PortIdentity, PortState

if TYPE_CHECKING:
    from ptpstack.protocol.port import Port

P = ParamSpec("P")
T = TypeVar("T")

#: message, ingress stamp (2**-16 ns, as the clock gave it), transport address of the sender, now (ns)
Handler = Callable[[Message, "int | None", str, int], None]
#: now, and when the timer was due (ns)
TimerHandler = Callable[[int, int], None]
#: sequenceId (or the key that the part gave), and the egress stamp at the wire (2**-16 ns); None: it will not come
StampHandler = Callable[[Any, "int | None"], None]


class Part:
    handlers: Mapping[type[Message], Handler] = {}
    timers: Mapping[str, TimerHandler] = {}
    stamps: Mapping[MessageType, StampHandler] = {}
    #: the TLVs of Signaling messages that ``signaling`` is for
    signaling_tlvs: frozenset[type[Tlv]] = frozenset()

    def __init__(self, port: Port) -> None:
        self.port = port

    def entered(self, state: PortState, now: int) -> None:
        """The port has entered ``state``, or the same one for another parent. Exchanges under way were of before."""

    def flush(self) -> None:
        """The clock was stepped: stamps from before mean nothing after."""

    def refuses(self, message: Message, address: str, now: int) -> str:
        """The name of a counter when this message is not to be used, else ""."""
        return ""

    def signaling(self, message: Signaling, tlvs: Sequence[Tlv], address: str, now: int) -> None:
        """A Signaling message for this port; ``tlvs``: those of it that are this part's, in their order."""

    def announce_changed(self, now: int) -> None:
        """What Announce says has changed."""

    def initialize(self, now: int) -> None:
        """INITIALIZE (9.2.6.3) comes next: what was agreed with others ends."""

    def announce_heard(self, announce: Announce, now: int) -> None:
        """Any Announce of this domain, whether or not it takes part in the election."""

    def sync_heard(self, sync: CompleteSync, now: int) -> None:
        """A Sync of the parent, with its Follow_Up if it has one."""

    def link_seen(self, now: int, measured: bool) -> None:
        """Peer delay has ended an exchange (``measured``), or begins another."""

    def event_sent(self, kind: MessageType, key: Any, egress_sns: int) -> None:
        """An event message has left the port, at the wire; ``key``: as it was sent, for most its sequenceId."""


def concerned(parts: Sequence[Part], method: Callable[Concatenate[Part, P], T]) -> list[Callable[P, T]]:
    """``method``, which does nothing in ``Part``, of those parts in which it does something."""
    name = method.__name__
    return [getattr(part, name) for part in parts if getattr(type(part), name) is not method]


class LinkView(NamedTuple):
    """What peer delay knows of the link."""

    #: whose answers measure it; None: nobody's yet
    neighbor: PortIdentity | None
    delay_sns: int
    rate_known: bool
    #: Pdelay_Req in a row without an answer
    unanswered: int
    #: several ports have answered one Pdelay_Req lately
    several: bool


NO_LINK = LinkView(None, 0, False, 0, False)


class DelayMechanism(Part):
    """The part that measures the path to the parent (E2E), or to the neighbour (P2P)."""

    #: no more requests, as long as the neighbour wishes
    stopped = False
    #: the first six octets of the frames that ``answer_plain`` is for
    plain_requests: frozenset[bytes] = frozenset()

    #: what others measure for this mechanism is there; True where it measures by itself
    valid: bool = True

    @property
    def link(self) -> LinkView:
        """What it knows of the link; a mechanism that measures none knows nothing."""
        return NO_LINK

    @property
    def neighbor(self) -> PortIdentity | None:
        """Whose answers measure the link; None: nobody's, or this is not measured here."""
        return None

    def answer_plain(self, octets: bytes, ingress_sns: int | None, address: str) -> tuple[bytes, str | None] | None:
        """(octets of the answer, destination), without a change of state; None: take the general way."""
        return None

    def interval_changed(self, now: int) -> None:
        """Another interval of requests holds from now on, or ``stopped`` has changed."""

    def keep(self) -> dict[str, Any] | None:
        """What is worth keeping over a restart, JSON-ready."""
        return None

    def resume(self, kept: Mapping[str, Any]) -> None:
        """What ``keep`` gave in an earlier life. KeyError, TypeError or ValueError for what it cannot have given."""

    def sync_received(self, now: int) -> None:
        """A Sync of the parent is complete."""

    def told(self, measured: LinkDelayMeasured, link: Port, now: int) -> None:
        """``link``, a port of the common service (16.6), has measured what this mechanism does not measure itself."""


class NoDelay(DelayMechanism):
    """delayMechanism NO_MECHANISM: the path is not measured."""
