"""For tests of unicast: what clients say to a server of ours, what it says to whom, and a network of instances."""

from __future__ import annotations

import heapq
import itertools
import random
from collections.abc import Callable
from typing import Any

from ptpstack.protocol.effects import Effect, Send
from ptpstack.protocol.instance import Instance
from ptpstack.protocol.options import InstanceOptions, PortOptions, UnicastOptions, UnicastServer
from ptpstack.wire.codec import decode, encode
from ptpstack.wire.messages import Message, Signaling
from ptpstack.wire.tlv import Tlv
from ptpstack.wire.tlvs.unicast import (
    CancelUnicastTransmission,
    GrantUnicastTransmission,
    RequestUnicastTransmission,
)
from ptpstack.wire.types import ALL_CLOCKS, ALL_PORTS, Flag, MessageType, PortIdentity
from tests.protocol.bench import GRANDMASTER, START, Bench, M, Peer, S, identity

ANYBODY = PortIdentity(ALL_CLOCKS, ALL_PORTS)
ANNOUNCE, SYNC, DELAY_RESP = MessageType.ANNOUNCE, MessageType.SYNC, MessageType.DELAY_RESP


def request(kind: int, log: int = 0, duration: int = 60) -> RequestUnicastTransmission:
    return RequestUnicastTransmission(kind, log, duration)


def signaling(peer: Peer, *tlvs: Tlv, target: PortIdentity = ANYBODY, sequence: int = 0, domain: int = 0) -> bytes:
    return encode(Signaling(peer.identity, sequence, domain=domain, flags=Flag.UNICAST, target=target, tlvs=tlvs))


def service(bench: Bench) -> Any:
    found = bench.port().unicast_service
    assert found is not None
    return found


def server(**unicast: Any) -> Bench:
    """A grandmaster that serves by unicast only, unless told otherwise."""
    options = {"serve": True, "multicast": False, "negotiation_required": True, **unicast}
    bench = Bench(
        port={"listen_first": False, "server_only": True, "unicast": UnicastOptions(**options)}, quality=GRANDMASTER
    )
    bench.run(0.01)
    assert bench.states() == ["MASTER"]
    bench.clear()
    return bench


def ask(bench: Bench, peer: Peer, address: str, *tlvs: Tlv) -> list[GrantUnicastTransmission]:
    """Requests of a client, and the grants that answer them at once."""
    effects = bench.receive(signaling(peer, *tlvs), address=address)
    answers = [m for to, m in _sends(effects) if to == address and isinstance(m, Signaling)]
    assert all(answer.target == peer.identity and answer.flags & Flag.UNICAST for answer in answers)
    return [tlv for answer in answers for tlv in answer.tlvs if isinstance(tlv, GrantUnicastTransmission)]


def cancel(bench: Bench, peer: Peer, address: str, kind: int, flags: int = 0) -> list[Tlv]:
    """What a CANCEL is answered with."""
    effects = bench.receive(signaling(peer, CancelUnicastTransmission(kind, flags)), address=address)
    return [tlv for to, m in _sends(effects) if to == address for tlv in m.tlvs]


def _sends(effects: list[Effect]) -> list[tuple[str | None, Message]]:
    return [(e.destination, decode(e.octets)) for e in effects if isinstance(e, Send)]


def sent_to(bench: Bench, address: str | None, kind: type[M]) -> list[tuple[int, M]]:
    """(when, message) of what was sent there."""
    return [
        (when, message)
        for when, effect in bench.effects
        if isinstance(effect, Send) and effect.destination == address
        for message in (decode(effect.octets),)
        if isinstance(message, kind)
    ]


class Network:
    """Instances at addresses; what one sends to an address arrives there after a microsecond."""

    def __init__(self) -> None:
        self.now = START
        self.instances: dict[str, Instance] = {}
        #: messages that were sent: (ns, from, to, message)
        self.log: list[tuple[int, str, str | None, Message]] = []
        self.effects: dict[str, list[tuple[int, Effect]]] = {}
        self.dead: set[str] = set()
        #: says whether a message is lost: (from, to, message)
        self.loses: Callable[[str, str | None, Message], bool] = lambda source, to, message: False
        #: to -> where it really comes from, for whoever lies
        self._queue: list[tuple[int, int, str, str, bytes]] = []
        self._made = itertools.count()

    def add(self, address: str, number: int, port: dict[str, Any], **options: Any) -> Instance:
        instance = Instance(
            InstanceOptions(address, identity(number), (PortOptions(channel=address, **port),), **options),
            random.Random(number),
        )
        self.instances[address] = instance
        self.effects[address] = []
        self.take(address, instance.start(self.now))
        return instance

    def server(self, address: str, number: int, unicast: dict[str, Any] | None = None, **options: Any) -> Instance:
        service = UnicastOptions(**{"serve": True, "multicast": False, "negotiation_required": True, **(unicast or {})})
        port = {"listen_first": False, "server_only": True, "log_announce_interval": 0, "unicast": service}
        return self.add(address, number, port, **{"quality": GRANDMASTER, **options})

    def client(
        self, address: str, number: int, *servers: UnicastServer | str, bmca: str = "default", **unicast: Any
    ) -> Instance:
        table = tuple(UnicastServer(s) if isinstance(s, str) else s for s in servers)
        options = UnicastOptions(**{"servers": table, "multicast": False, "duration_s": 60, **unicast})
        port = {"log_announce_interval": 0, "unicast": options}
        return self.add(address, number, port, client_only=True, bmca=bmca)

    def take(self, address: str, effects: list[Effect]) -> None:
        pending = list(effects)
        while pending:
            effect = pending.pop(0)
            self.effects[address].append((self.now, effect))
            if not isinstance(effect, Send):
                continue
            message = decode(effect.octets)
            self.log.append((self.now, address, effect.destination, message))
            if not self.loses(address, effect.destination, message):
                for to in self.instances:
                    if to != address and effect.destination in (None, to):
                        self.deliver(to, effect.octets, address, 1000)
            if effect.token is not None:
                pending += self.instances[address].transmitted(effect.token, self.now << 16, self.now)

    def deliver(self, to: str, octets: bytes, source: str, delay_ns: int = 0) -> None:
        heapq.heappush(self._queue, (self.now + delay_ns, next(self._made), to, source, octets))

    def call(self, address: str, method: str, *arguments: Any) -> None:
        """An input of an instance, with ``now`` put last."""
        self.take(address, getattr(self.instances[address], method)(*arguments, self.now))

    def run(self, seconds: float) -> None:
        end = self.now + round(seconds * S)
        while True:
            deadlines = {
                address: deadline
                for address, instance in self.instances.items()
                if address not in self.dead and (deadline := instance.next_deadline()) is not None
            }
            address = min(deadlines, key=lambda a: deadlines[a], default=None)
            arrival = self._queue[0][0] if self._queue else None
            if arrival is not None and arrival <= end and (address is None or arrival <= deadlines[address]):
                self.now = max(self.now, arrival)
                _, _, to, source, octets = heapq.heappop(self._queue)
                if to not in self.dead:
                    stamp = self.now << 16 if octets[0] & 0x0F < 8 else None
                    self.take(to, self.instances[to].receive(1, octets, stamp, source, self.now))
            elif address is not None and deadlines[address] <= end:
                self.now = max(self.now, deadlines[address])
                self.take(address, self.instances[address].timer(self.now))
            else:
                break
        self.now = end

    def restart(self, address: str) -> None:
        """The power is off and on again: nothing is remembered."""
        options = self.instances[address].options
        self.instances[address] = Instance(options, random.Random(99))
        self.dead.discard(address)
        self.take(address, self.instances[address].start(self.now))

    def parent(self, address: str) -> str:
        """The address of whom it follows, or ""."""
        return self.instances[address].data.parent.protocol_address

    def sent(self, source: str, to: str | None, kind: type[M], since: int = 0) -> list[tuple[int, M]]:
        return [
            (at, message)
            for at, a, b, message in self.log
            if a == source and b == to and isinstance(message, kind) and at >= since
        ]

    def tlvs(self, source: str, to: str, kind: type[Any], since: int = 0) -> list[tuple[int, Any]]:
        """TLVs of Signaling messages."""
        return [
            (at, tlv)
            for at, message in self.sent(source, to, Signaling, since)
            for tlv in message.tlvs
            if isinstance(tlv, kind)
        ]
