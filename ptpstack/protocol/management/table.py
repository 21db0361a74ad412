"""What a handler of a managementId gets and gives, and what it may ask of the world around its instance."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

from ptpstack.protocol.effects import Effect
from ptpstack.protocol.options import COMMON_SDO_ID, InstanceOptions, ManagementOptions
from ptpstack.wire.management import NOT_SUPPORTED, WRONG_VALUE

if TYPE_CHECKING:
    from ptpstack.protocol.datasets import DataSets
    from ptpstack.protocol.instance import Instance
    from ptpstack.protocol.management.responder import Responder
    from ptpstack.protocol.port import Port

Values = Mapping[str, Any]

#: the local sockets: one that may change things, one that may not
READ_WRITE, READ_ONLY = "read-write", "read-only"


class Refusal(Exception):
    """A request that is not carried out: managementErrorId, and a few words (displayData)."""

    def __init__(self, error_id: int, text: str) -> None:
        super().__init__(text)
        self.error_id = error_id
        self.text = text


class Origin(NamedTuple):
    """Where a message came from: a port (its number), or a local socket (``port`` 0); ``address`` is the sender's."""

    port: int
    address: str
    socket: str = ""
    unicast: bool = False


class ChannelFacts(NamedTuple):
    """What a port's channel is: interface, stamping (``hardware``, ``software``), PHC, addresses."""

    interface: str = ""
    transport: str = ""
    stamping: str = "software"
    phc_index: int | None = None
    mac: bytes = b""
    #: the transport's own address, as text; "" when it has none beside the MAC
    address: str = ""
    #: what leaves one-step because the NIC puts its time in: ``sync``, ``p2p`` (Pdelay_Resp, too), "" for nothing
    one_step: str = ""


class Surroundings(Protocol):
    """What an instance cannot know by itself."""

    def offset_ns(self, now: int) -> float | None:
        """This clock minus its master; None: not known."""

    def delay_ns(self) -> float | None:
        """The path from the master; None: not known."""

    def time_ns(self, now: int) -> int | None:
        """PTP time of the instance's clock, about; None: it was never seen."""

    def channel(self, name: str) -> ChannelFacts: ...

    def set_time(self, time_ns: int, now: int) -> str:
        """Step the clock; why it is not done, or ""."""

    def set_domain(self, domain: int, now: int) -> str:
        """Move the instance to another domain; why it is not done, or ""."""


class Alone:
    """Surroundings of an instance that nobody has told anything."""

    def offset_ns(self, now: int) -> float | None:
        return None

    def delay_ns(self) -> float | None:
        return None

    def time_ns(self, now: int) -> int | None:
        return None

    def channel(self, name: str) -> ChannelFacts:
        interface, _, transport = name.rpartition("/")
        return ChannelFacts(interface, transport)

    def set_time(self, time_ns: int, now: int) -> str:
        return "no clock"

    def set_domain(self, domain: int, now: int) -> str:
        return "no network"


class Request:
    """One request on its way through a handler. ``port`` is the one addressed; of clock-wide ids the first."""

    def __init__(self, responder: Responder, instance: Instance, port: Port, origin: Origin, now: int) -> None:
        self.responder = responder
        self.instance = instance
        self.port = port
        self.origin = origin
        #: by which way it came, for people
        self.way = origin.socket or "network"
        self.now = now
        #: sourcePortIdentity and sequenceId of who asks
        self.source = port.identity
        self.sequence_id = 0

    @property
    def data(self) -> DataSets:
        return self.instance.data

    @property
    def options(self) -> ManagementOptions:
        return self.instance.options.management

    @property
    def around(self) -> Surroundings:
        return self.responder.around

    def act(self, effects: Iterable[Effect]) -> None:
        """What an input method of the instance has caused."""
        self.instance.emit_all(effects)

    def rebuild(self, **changes: Any) -> None:
        """Go on with these options of the instance, as after a start. Refusal when they contradict the others."""
        self._rebuilt(replace(self.instance.configured, **changes), None)

    def rebuild_port(self, **changes: Any) -> None:
        """The same for options of the port; the other ports go on as they are."""
        ports = list(self.instance.configured.ports)
        ports[self.port.number - 1] = replace(ports[self.port.number - 1], **changes)
        self._rebuilt(replace(self.instance.configured, ports=tuple(ports)), self.port.number)

    def _rebuilt(self, options: InstanceOptions, only: int | None) -> None:
        if options.sdo_id == COMMON_SDO_ID:
            raise Refusal(NOT_SUPPORTED, "the link delay service is as the ports that use it need it")
        try:
            self.act(self.instance.rebuild(options, self.now, only))
        except ValueError as error:
            raise Refusal(WRONG_VALUE, str(error).rpartition(": ")[2]) from error
        # what answers is the port that is there now
        self.port = self.instance.ports[self.port.number - 1]

    def within(self, parameter: str, value: int, low: int, high: int) -> int:
        """``value``, when the profile allows it; Refusal otherwise."""
        for name, lowest, highest in self.options.ranges:
            if name == parameter:
                low, high = max(low, lowest), min(high, highest)
        if not low <= value <= high:
            raise Refusal(WRONG_VALUE, f"{value} is not in {low}..{high}")
        return value


class Served(NamedTuple):
    """What an id does. ``get``'s keyword is the values that came with the request, for ids with a key."""

    get: Callable[[Request, Values], Values] | None = None
    set: Callable[[Request, Values], None] | None = None
    command: Callable[[Request, Values], None] | None = None
