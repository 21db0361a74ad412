"""A transparent clock: what passes it, and what is written into that.

1. It knows no domain and no profile: every PTP message passes, to every port but the one it came by, unless its
   mechanism (end-to-end, peer-to-peer) says otherwise.
2. Two-step: an event message leaves as it came, and is stamped. How long it was inside is added to the message that
   belongs to it (Follow_Up, and what the mechanism has), for each port by itself. An event message that nothing would
   follow gets the twoStepFlag and a follower of our own making.
3. A residence that is not known is not guessed: what would have carried it is dropped, and counted.
4. Ports within (``inside.py``) are ports like others, except that a frame is there at once.
"""

from __future__ import annotations

import itertools
import random
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from ptpstack.protocol.effects import PEER_DELAY, Send
from ptpstack.protocol.options import TransparentOptions, TransparentPort
from ptpstack.protocol.pdelay_requester import CompletePdelay
from ptpstack.protocol.stations import Stations
from ptpstack.protocol.transparent.end_to_end import EndToEnd
from ptpstack.protocol.transparent.frames import (
    HEADER,
    LENGTH,
    corrected,
    domain_of,
)
from ptpstack.protocol.transparent.inside import Delivered, Effect, LinkMeasured, Stamped
from ptpstack.protocol.transparent.mechanism import Mechanism
from ptpstack.protocol.transparent.passage import Carrier, Handler, Passage, Port
from ptpstack.protocol.transparent.syncs import Syncs
from ptpstack.timebase.units import SNS_PER_S
from ptpstack.wire.own_envelope import group_envelope, sender_of
from ptpstack.wire.types import MessageType

if TYPE_CHECKING:
    from ptpstack.protocol.transparent.management import Managed

#: An event message is forgotten after this time: what belongs to it has come, or comes no more.
PASSAGE_NS = 2_000_000_000
MAX_PASSAGES = 4096
#: What may wait for the stamps of one event message; a port needs one or two.
MAX_CARRIERS = 128
#: A longer residence is a clock that was set.
MAX_RESIDENCE_SNS = 10 * SNS_PER_S


class TransparentClock:
    """Frames come with what surrounds them (``wire.envelope``) as their address, and go on with it."""

    def __init__(
        self,
        options: TransparentOptions,
        new_token: Callable[[], int] | None = None,
        rng: random.Random | None = None,
    ) -> None:
        if len(options.ports) < 2:
            raise ValueError(f"transparent clock {options.name}: frames pass between at least two ports")
        self.options = options
        self.ports = {port.channel: Port(port, number) for number, port in enumerate(options.ports, 1)}
        for number, channel in enumerate(options.inside, len(self.ports) + 1):
            self.ports[channel] = Port(TransparentPort(channel), number, channel.rpartition("/")[2])
        self._new_token = new_token or itertools.count(1).__next__
        self._tokens: dict[int, tuple[Passage, str]] = {}
        #: stamps of messages of our own, and who wants them
        self._own_tokens: dict[int, tuple[Port, Callable[[int | None], None]]] = {}
        #: in the order in which they came
        self._passages: dict[bytes, Passage] = {}
        #: by MAC, hexadecimal, as an envelope has it
        self._stations: Stations[str] = Stations()
        self._out: list[Effect] = []
        #: of the event message from inside that is being sent
        self._token_within: int | None = None
        self.mechanism = self._mechanism(rng or random.Random(0))
        self.syncs = Syncs(self)
        self._handlers: dict[int, Handler] = {**self.syncs.handlers, **self.mechanism.handlers}
        self._handlers[MessageType.MANAGEMENT] = self._management
        self._managed: Managed | None = None
        if options.time_inaccuracy_ns:
            from ptpstack.protocol.transparent.power import PowerAdder

            self._handlers[MessageType.ANNOUNCE] = PowerAdder(self, options.time_inaccuracy_ns).announce

    def _mechanism(self, rng: random.Random) -> Mechanism:
        if self.options.delay_mechanism == "E2E":
            return EndToEnd(self)
        from ptpstack.protocol.transparent.peer_to_peer import PeerToPeer

        return PeerToPeer(self, rng)

    # ---- inputs -----------------------------------------------------------------------------------------------

    def start(self, now: int) -> list[Effect]:
        self.mechanism.start(now)
        return self._drain()

    def receive(self, channel: str, octets: bytes, ingress_sns: int | None, address: str, now: int) -> list[Effect]:
        """A PTP frame of any domain, from the first octet of its header. Never raises for what is in it."""
        port = self.ports[channel]
        self._expire(now)
        self._learn(address[12:24], channel, now)
        kind = octets[0] & 0x0F if octets else 15
        if len(octets) < LENGTH.get(kind, HEADER):  # type: ignore[call-overload]
            port.counters["drop-short"] += 1
            return []
        port.counters["received"] += 1
        if kind < 8 and ingress_sns is None:
            port.counters["drop-event-without-stamp"] += 1
            return []
        if ingress_sns is not None:
            ingress_sns -= port.ingress_latency_sns
        # another version of the protocol has other fields: it passes, as by a bridge that knows nothing of time
        handler = self._handlers.get(kind, self.forward) if octets[1] & 0x0F == 2 else self.forward
        handler(port, octets, ingress_sns, address, now)
        return self._drain()

    def from_inside(self, send: Send, now: int) -> list[Effect]:
        """What an instance inside sends."""
        port = self.ports[send.channel]
        self._expire(now)
        self._token_within = send.token
        if send.destination in (None, PEER_DELAY):
            envelope = group_envelope(port.inside, peer_delay=send.destination is not None)
            handler = self._handlers.get(send.octets[0] & 0x0F, self.forward)
            handler(port, send.octets, None, envelope, now)
        else:
            port.counters["drop-unicast-from-inside"] += 1
        token, self._token_within = self._token_within, None
        if token is not None:
            self._out.append(Stamped(token, None))
        return self._drain()

    def transmitted(self, token: int, egress_sns: int | None, now: int) -> list[Effect]:
        own = self._own_tokens.pop(token, None)
        if own is not None:
            port, wanted = own
            wanted(None if egress_sns is None else egress_sns + port.egress_latency_sns)
            return self._drain()
        awaited = self._tokens.pop(token, None)
        if awaited is None:
            return []
        passage, channel = awaited
        port = self.ports[channel]
        passage.awaited.pop(channel, None)
        if egress_sns is None:
            port.counters["sent-without-stamp"] += 1
        else:
            egress_sns += port.egress_latency_sns
            if passage.ingress_sns is None:
                passage.ingress_sns = egress_sns
            residence = egress_sns - passage.ingress_sns
            if not (-MAX_RESIDENCE_SNS if passage.within else 0) <= residence < MAX_RESIDENCE_SNS:
                port.counters["residence-absurd"] += 1
                egress_sns = None
            elif not passage.within:
                port.residence_sns = residence
        passage.egress[channel] = egress_sns
        self._stamp_within(passage)
        waiting, passage.carriers = passage.carriers, []
        for carrier in waiting:
            self.carry(carrier)
        return self._drain()

    def _stamp_within(self, passage: Passage) -> None:
        """Tell the instance inside when its message left, once a port knows or none will."""
        if passage.token is not None and (passage.ingress_sns is not None or not passage.awaited):
            self._out.append(Stamped(passage.token, passage.ingress_sns))
            passage.token = None

    def link(self, channel: str, up: bool, now: int) -> list[Effect]:
        """Nothing is sent where the link is down; who was heard there may be anywhere now."""
        port = self.ports[channel]
        port.up = up
        if not up:
            self._stations.forget(channel)
        self.mechanism.link(port, now)
        return self._drain()

    def clock_stepped(self) -> None:
        """Stamps from before mean nothing after: what is inside gets no residence."""
        for key in list(self._passages):
            self._passages[key].egress = dict.fromkeys(self._passages[key].left)
            self._forget(key)
        self._out.clear()
        self._own_tokens.clear()
        self.syncs.clock_stepped()
        self.mechanism.clock_stepped()

    def timer(self, now: int) -> list[Effect]:
        self.mechanism.timer(now)
        return self._drain()

    @property
    def due(self) -> int:
        """When ``timer`` is to be called; ``NEVER`` for no time."""
        return self.mechanism.due

    # ---- passing ----------------------------------------------------------------------------------------------

    def passage(self, key: bytes) -> Passage | None:
        return self._passages.get(key)

    def enter(self, key: bytes, port: Port, octets: bytes, ingress_sns: int | None, address: str, now: int) -> Passage:
        """An event message goes on at once, stamped. ``ingress_sns`` None: it comes from inside."""
        if key in self._passages:
            port.counters["repeated"] += 1
            del self._passages[key]
        elif len(self._passages) >= MAX_PASSAGES:
            self._forget(next(iter(self._passages)))
        left = self.targets(port.channel, address, now)
        within, self._token_within = self._token_within, None
        passage = Passage(port.channel, ingress_sns, now, left, within, ingress_sns is None)
        self._passages[key] = passage
        for channel in left:
            if self.ports[channel].inside:
                # there at once: no time inside
                passage.egress[channel] = ingress_sns
                self._deliver(channel, octets, ingress_sns, address)
                continue
            token = self._new_token()
            self._tokens[token] = (passage, channel)
            passage.awaited[channel] = token
            self.ports[channel].counters["sent"] += 1
            self._out.append(Send(channel, octets, address, token))
        self._stamp_within(passage)
        return passage

    def forward(self, port: Port, octets: bytes, ingress_sns: int | None, address: str, now: int) -> None:
        """As a bridge does."""
        self._put(octets, address, self.targets(port.channel, address, now))

    def send_own(
        self, port: Port, octets: bytes, envelope: str, stamped: Callable[[int | None], None] | None = None
    ) -> None:
        """A message of the clock itself; ``stamped`` is given its egress stamp at the wire, None for none."""
        token = None
        if stamped is not None:
            token = self._new_token()
            self._own_tokens[token] = (port, stamped)
        port.counters[f"tx-{MessageType(octets[0] & 0x0F).name.lower()}"] += 1
        self._out.append(Send(port.channel, octets, envelope, token))

    def _management(self, port: Port, octets: bytes, ingress_sns: int | None, address: str, now: int) -> None:
        self.forward(port, octets, None, address, now)
        if self.options.clock_identity:
            if self._managed is None:
                # loaded with the first message: most clocks never get one
                from ptpstack.protocol.transparent.management import Managed

                self._managed = Managed(self)
            self._managed.message(port, octets, address, now)

    def link_measured(self, port: Port, complete: CompletePdelay) -> None:
        if self.options.inside:
            self._out.append(LinkMeasured(port.channel, complete))

    def behind(self, mac: str, now: int) -> str | None:
        """The channel behind which a station (``aa:bb:cc:dd:ee:ff``) was heard lately."""
        return self._stations.port_of(mac.replace(":", ""), now)

    def _put(self, octets: bytes, address: str, targets: tuple[str, ...]) -> None:
        for channel in targets:
            if self.ports[channel].inside:
                self._deliver(channel, octets, None, address)
                continue
            self.ports[channel].counters["sent"] += 1
            self._out.append(Send(channel, octets, address, None))

    def _deliver(self, channel: str, octets: bytes, ingress_sns: int | None, address: str) -> None:
        self.ports[channel].counters["delivered"] += 1
        self._out.append(Delivered(channel, octets, ingress_sns, sender_of(address)))

    def carry(self, carrier: Carrier) -> None:
        """Send it on as soon as all that it needs is known."""
        residence = 0
        for passage, channel in carrier.needs:
            if channel in passage.awaited:
                if len(passage.carriers) < MAX_CARRIERS:
                    passage.carriers.append(carrier)
                    return
                for target in carrier.targets:
                    self.ports[target].counters["drop-too-many-waiting"] += 1
                return
            egress, ingress = passage.egress.get(channel), passage.ingress_sns
            if egress is None or ingress is None:
                for target in carrier.targets:
                    self.ports[target].counters["drop-residence-unknown"] += 1
                return
            residence += egress - ingress
        added = self.syncs.syntonisation.scaled(domain_of(carrier.octets), residence) + carrier.extra_sns
        self._put(corrected(carrier.octets, added), carrier.address, carrier.targets)

    # ---- where to ---------------------------------------------------------------------------------------------

    def targets(self, ingress: str, address: str, now: int) -> tuple[str, ...]:
        """Every other port; for a single station, the one behind which it was heard."""
        known = self._stations.port_of(address[:12], now)
        if known is not None:
            return () if known == ingress or not self.ports[known].up else (known,)
        return tuple(name for name, port in self.ports.items() if name != ingress and port.takes(address))

    def _learn(self, station: str, channel: str, now: int) -> None:
        if len(station) == 12 and not int(station[1], 16) & 1:
            self._stations.heard(station, channel, now)

    # ---- forgetting -------------------------------------------------------------------------------------------

    def _expire(self, now: int) -> None:
        while self._passages:
            key, passage = next(iter(self._passages.items()))
            if now - passage.seen_ns <= PASSAGE_NS:
                break
            self._forget(key)
        self.syncs.expire(now - PASSAGE_NS)

    def _forget(self, key: bytes) -> None:
        passage = self._passages.pop(key)
        for channel, token in passage.awaited.items():
            self.ports[channel].counters["stamp-never-reported"] += 1
            self._tokens.pop(token, None)
        passage.awaited.clear()
        self._stamp_within(passage)
        waiting, passage.carriers = passage.carriers, []
        for carrier in waiting:
            self.carry(carrier)

    def _drain(self) -> list[Effect]:
        out, self._out = self._out, []
        return out

    # ---- views ------------------------------------------------------------------------------------------------

    def status(self) -> dict[str, Any]:
        """JSON-ready."""
        return {
            "name": self.options.name,
            "delay_mechanism": self.options.delay_mechanism,
            "rate_ratios": self.syncs.syntonisation.status(),
            "ports": [
                {
                    "channel": port.channel,
                    "up": port.up,
                    "inside": bool(port.inside),
                    "residence_ns": None if port.residence_sns is None else port.residence_sns / 65536.0,
                    **self.mechanism.status(port),
                    "counters": dict(port.counters),
                }
                for port in self.ports.values()
            ],
        }
