"""The books of a server: who holds which grant, and what may still be granted (IEEE 1588-2019 16.1; not checked
against the text).

1. A client is a portIdentity at an address: nobody can touch the grants of another address by naming its identity.
2. One contract per client and message type; a new request replaces it, and one that is refused ends it.
3. Everything is capped: clients, clients at one address, messages per second of all contracts together.
4. What is granted is never faster than asked, and never longer.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import NamedTuple

from ptpstack.protocol.options import UnicastOptions
from ptpstack.timebase.units import NS_PER_S, log_interval_ns
from ptpstack.wire.types import MessageType, PortIdentity

#: logInterMessagePeriod beyond this, either way, is absurd (own limit, as in linuxptp)
LOG_PERIOD_MAX = 30

ClientKey = tuple[str, tuple[bytes, int]]


@dataclass(eq=False, slots=True)
class Client:
    address: str
    identity: PortIdentity
    contracts: dict[MessageType, Contract] = field(default_factory=dict)
    #: sequenceId of what is sent to it, by kind: they outlive contracts
    sequences: dict[MessageType, int] = field(default_factory=dict)
    #: a Sync to it has left, so there is somebody at that address
    proven: bool = False
    #: Syncs in a row that never left
    lost: int = 0

    def next_sequence(self, kind: MessageType) -> int:
        sequence = self.sequences[kind] = (self.sequences.get(kind, -1) + 1) & 0xFFFF
        return sequence


@dataclass(eq=False, slots=True)
class Contract:
    client: Client
    kind: MessageType
    log_interval: int
    interval_ns: int
    expires_ns: int
    #: when the next message is due, and when the last was sent
    due_ns: int = 0
    sent_ns: int = -(1 << 62)
    sent: int = 0
    #: we have cancelled it: how often that will still be said
    cancels: int = 0


class Verdict(NamedTuple):
    """``contract`` None: refused, and ``refusal`` says why; ``ended`` is the contract that ends by it, if any."""

    contract: Contract | None
    duration_s: int = 0
    refusal: str = ""
    ended: Contract | None = None


def rate(log_interval: int) -> float:
    """Messages per second; sums of these are exact."""
    return 2.0**-log_interval


class Grants:
    def __init__(self, options: UnicastOptions) -> None:
        self._options = options
        self.clients: dict[ClientKey, Client] = {}
        self._at: dict[str, list[Client]] = {}
        #: messages per second promised
        self.rate = 0.0
        self._fastest = {
            MessageType.ANNOUNCE: options.log_min_announce_interval,
            MessageType.SYNC: options.log_min_sync_interval,
            MessageType.DELAY_RESP: options.log_min_delay_resp_interval,
        }

    def __iter__(self) -> Iterator[Contract]:
        return (contract for client in self.clients.values() for contract in client.contracts.values())

    def get(self, address: str, identity: tuple[bytes, int], kind: MessageType) -> Contract | None:
        client = self.clients.get((address, identity))
        return None if client is None else client.contracts.get(kind)

    def at(self, address: str) -> list[Client]:
        """The clients at an address."""
        return self._at.get(address, [])

    def request(
        self, address: str, identity: PortIdentity, kind: MessageType, log_interval: int, duration_s: int, now: int
    ) -> Verdict:
        client = self.clients.get((address, identity))
        old = None if client is None else client.contracts.get(kind)
        refusal = self._refusal(address, client, kind, log_interval, duration_s)
        if not refusal:
            log_interval = max(log_interval, self._fastest[kind])
            before = rate(old.log_interval) if old is not None else 0.0
            if self.rate - before + rate(log_interval) > self._options.max_rate:
                refusal = "rate"
        if refusal:
            if old is not None:
                self.end(old)
            return Verdict(None, 0, refusal, old)
        duration_s = min(duration_s, self._options.max_duration_s)
        if client is None:
            client = self.clients[address, identity] = Client(address, identity)
            self._at.setdefault(address, []).append(client)
        expires_ns = now + duration_s * NS_PER_S
        interval_ns = log_interval_ns(log_interval)
        if old is None:
            contract = client.contracts[kind] = Contract(client, kind, log_interval, interval_ns, expires_ns)
        else:
            contract = old
            self.rate -= rate(old.log_interval)
            contract.log_interval, contract.interval_ns, contract.expires_ns = log_interval, interval_ns, expires_ns
            contract.cancels = 0
        self.rate += rate(log_interval)
        return Verdict(contract, duration_s)

    def _refusal(
        self, address: str, client: Client | None, kind: MessageType, log_interval: int, duration_s: int
    ) -> str:
        options = self._options
        if kind not in self._fastest:
            return "message-type"
        if abs(log_interval) > LOG_PERIOD_MAX:
            return "interval"
        if duration_s < options.min_duration_s:
            return "duration"
        if client is None:
            if len(self.clients) >= options.max_clients:
                return "clients"
            if len(self.at(address)) >= options.max_clients_per_address:
                return "clients-at-address"
        return ""

    def end(self, contract: Contract) -> None:
        """It is over; a client without contracts is forgotten."""
        client = contract.client
        if client.contracts.get(contract.kind) is not contract:
            return
        del client.contracts[contract.kind]
        self.rate -= rate(contract.log_interval)
        if not client.contracts:
            del self.clients[client.address, client.identity]
            there = self._at[client.address]
            there.remove(client)
            if not there:
                del self._at[client.address]
