"""What the protocol asks its driver to do, or tells it. Effects are values; the driver carries them out in order."""

from __future__ import annotations

from typing import Any, NamedTuple, Union

from ptpstack.protocol.decision import Decision
from ptpstack.wire.types import PortIdentity, PortState

#: ``Send.destination`` of peer delay messages: each channel has its own address for it, and always listens to it.
PEER_DELAY = "peer-delay"

#: ``Send.token`` of a one-step event message: the NIC puts the time of its egress into it, and reports none.
ONE_STEP = -1


class Send(NamedTuple):
    """Transmit ``octets`` on ``channel``.

    ``destination`` None is the channel's multicast group, ``PEER_DELAY`` its peer delay group, else a transport
    address as a received frame's ``source`` is one. An event message (``token``
    not None) goes out by the stamped event socket; its transmit time stamp comes back as
    ``transmitted(token, egress)``, but for ``ONE_STEP``. Other tokens are unique within their engine.
    """

    channel: str
    octets: bytes
    destination: str | None
    token: int | None


class SyncMeasured(NamedTuple):
    """A complete Sync (one- or two-step) from the parent: forward observation t1 -> t2.

    Both in 2**-16 ns on their own clock; ``correction_sns`` is the sum of all corrections (Sync, Follow_Up, ingress
    asymmetry): forward delay + offset = t2 - t1 - correction.
    """

    port: int
    parent: PortIdentity
    sequence_id: int
    t1_sns: int
    t2_sns: int
    correction_sns: int
    log_interval: int
    received_ns: int


class SyncOverheard(NamedTuple):
    """A complete Sync of the parent that was lost for want of Announces: no port follows it any longer."""

    port: int
    t1_sns: int
    t2_sns: int
    correction_sns: int


class DelayMeasured(NamedTuple):
    """A complete Delay_Req/Delay_Resp: reverse observation t3 -> t4; reverse delay - offset = t4 - t3 - correction."""

    port: int
    parent: PortIdentity
    sequence_id: int
    t3_sns: int
    t4_sns: int
    correction_sns: int


class LinkDelayMeasured(NamedTuple):
    """A complete Pdelay exchange: the mean delay of the port's link, whoever is the parent.

    ``at_sns``: when Pdelay_Resp came, on this clock; ``t1_sns``, ``t2_sns``: when Pdelay_Req left here and came to the
    neighbour, by its clock, less ``correction_sns``; t2 is None where the neighbour does not tell it.
    """

    port: int
    responder: PortIdentity
    sequence_id: int
    at_sns: int
    delay_sns: int
    t1_sns: int
    t2_sns: int | None
    correction_sns: int


class StateChanged(NamedTuple):
    """A port entered another state."""

    port: int
    old: PortState
    new: PortState
    event: str
    decision: Decision | None

    def as_data(self) -> dict[str, Any]:
        """For an event."""
        return {
            "old": self.old.name,
            "new": self.new.name,
            "event": self.event,
            "decision": None if self.decision is None else self.decision.as_dict(),
        }


class CapabilityChanged(NamedTuple):
    """A port of IEEE 802.1AS is asCapable, or is not any longer, or for another reason."""

    port: int
    capable: bool
    decision: Decision


class ParentChanged(NamedTuple):
    """The instance follows another parent, or the same one anew by another path or after an interruption.

    None is followed when ``new`` is the instance itself with port 0.
    """

    old: PortIdentity
    new: PortIdentity
    grandmaster: bytes
    decision: Decision | None


class SendLocal(NamedTuple):
    """Send a management message to ``address`` (a path) by a local socket: ``read-write`` or ``read-only``."""

    socket: str
    octets: bytes
    address: str


class Managed(NamedTuple):
    """A SET or COMMAND was carried out: on which port (0: the clock), what, by which way, for whom."""

    port: int
    name: str
    values: str
    way: str
    address: str


class Keep(NamedTuple):
    """Keep these settings over a restart, in place of what was kept before: ``management.storage.Entry`` each."""

    entries: tuple[tuple[Any, ...], ...]


class Rebuilt(NamedTuple):
    """The instance goes on with other options: ports, or what was known of them, are not the same objects any more."""


Effect = Union[
    Send,
    SendLocal,
    SyncMeasured,
    SyncOverheard,
    DelayMeasured,
    LinkDelayMeasured,
    StateChanged,
    CapabilityChanged,
    ParentChanged,
    Rebuilt,
    Managed,
    Keep,
]
