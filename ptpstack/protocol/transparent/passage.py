"""What a transparent clock keeps of a message while it is inside, and of a port."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import NamedTuple

from ptpstack.protocol.options import TransparentPort
from ptpstack.timebase.units import float_ns_to_sns
from ptpstack.wire.own_envelope import is_group, transport_of


class Port:
    """A port, by which frames come and go; ``number``: portNumber, from 1.

    ``inside``: the transport of an instance that is there (``inside.py``), "" for a port with an interface.
    """

    def __init__(self, options: TransparentPort, number: int, inside: str = "") -> None:
        self.channel = options.channel
        self.number = number
        self.asymmetry_sns = float_ns_to_sns(options.delay_asymmetry_ns)
        self.ingress_latency_sns = float_ns_to_sns(options.ingress_latency_ns)
        self.egress_latency_sns = float_ns_to_sns(options.egress_latency_ns)
        self.up = True
        self.inside = inside
        self.counters: Counter[str] = Counter()
        #: newest residence of a message that left here, 2**-16 ns
        self.residence_sns: int | None = None

    def takes(self, address: str) -> bool:
        """Whether a frame to this envelope may leave here."""
        return self.up and (not self.inside or (is_group(address) and transport_of(address) == self.inside))


#: port, octets, ingress stamp at the wire (2**-16 ns; of event messages), envelope, now (ns)
Handler = Callable[[Port, bytes, "int | None", str, int], None]


@dataclass(eq=False, slots=True)
class Passage:
    """An event message that came by the channel ``ingress``."""

    ingress: str
    #: at the wire; None for a message from inside that has left by no port yet
    ingress_sns: int | None
    seen_ns: int
    #: the channels by which it has left, in their order
    left: tuple[str, ...]
    #: of a message from inside, as long as its stamp is owed
    token: int | None = None
    within: bool = False
    #: egress stamps by channel, None for one that will not come; a channel that is on the way is in ``awaited``
    egress: dict[str, int | None] = field(default_factory=dict)
    #: with the tokens of their stamps
    awaited: dict[str, int] = field(default_factory=dict)
    carriers: list[Carrier] = field(default_factory=list)


class Carrier(NamedTuple):
    """A general message that is to carry residences, and leaves by ``targets`` once they are known."""

    octets: bytes
    address: str
    targets: tuple[str, ...]
    needs: tuple[tuple[Passage, str], ...]
    #: besides, 2**-16 ns
    extra_sns: int
