"""A PTP Instance inside the box of a transparent clock: a hybrid of both (IEEE 1588-2019 10.1, not checked).

Its port is on no interface but on the transparent clock: what passes comes to it, what it sends leaves by every port.

1. Both have one clock. What comes to it was received when it came in, so no time was spent inside. A peer-to-peer clock
   measures the link that it came by for it.
2. What it sends has one egress stamp: that of the port by which it left first. For the others, the difference is
   residence.
3. It speaks by multicast, and hears what comes by multicast in its transport: frames to this host's own MAC do not
   go through a bridge.
"""

from __future__ import annotations

from typing import NamedTuple

from ptpstack.protocol.effects import Send
from ptpstack.protocol.pdelay_requester import CompletePdelay


class Delivered(NamedTuple):
    """A frame for the instances on ``channel``; ``address`` is the MAC that it came from, as text."""

    channel: str
    octets: bytes
    ingress_sns: int | None
    address: str


class Stamped(NamedTuple):
    """The egress stamp of what an instance inside has sent under ``token``; None: there will be none."""

    token: int
    egress_sns: int | None


class LinkMeasured(NamedTuple):
    """The link at the port ``channel`` was measured."""

    channel: str
    complete: CompletePdelay


Effect = Send | Delivered | Stamped | LinkMeasured
