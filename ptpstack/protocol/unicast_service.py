"""Unicast negotiation, the granting side (IEEE 1588-2019 16.1; not checked against the text).

1. Grants are given while the port is MASTER. They outlive a link that goes down: nothing is sent then, time runs on.
2. A port that ceases to serve, or is initialised, cancels what it has granted, so that its clients look elsewhere.
3. Until a Sync has left for an address it gets one a second: an address that nobody answers for holds up the kernel's
   buffers, and with them everybody's Sync.
4. Strangers are answered up to a rate; who holds a grant is answered always.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from ptpstack.protocol.agenda import Agenda
from ptpstack.protocol.grants import Client, Contract, Grants
from ptpstack.protocol.part import Part
from ptpstack.protocol.serving import SECOND_ANNOUNCE
from ptpstack.protocol.timers import NEVER
from ptpstack.timebase.units import NS_PER_S
from ptpstack.wire.messages import Signaling
from ptpstack.wire.tlv import Tlv
from ptpstack.wire.tlvs.unicast import (
    MAINTAIN_REQUEST,
    RENEWAL_INVITED,
    AcknowledgeCancelUnicastTransmission,
    CancelUnicastTransmission,
    GrantUnicastTransmission,
    RequestUnicastTransmission,
)
from ptpstack.wire.types import MessageType, PortIdentity, PortState

if TYPE_CHECKING:
    from ptpstack.protocol.port import Port

TIMER_SERVICE = "unicast-service"
#: What is due within one of these is done in one turn: with 500 clients that is a fraction of the turns.
TICK_NS = 1_000_000
#: A CANCEL that is not acknowledged is repeated: how often it is said, and how far apart.
CANCELS = 3
CANCEL_INTERVAL_NS = NS_PER_S
#: Between Syncs to an address for which none has left yet.
PROBE_NS = NS_PER_S
#: Syncs in a row that never left, until the client is given up: before the first has left, and after.
LOST_UNPROVEN, LOST_PROVEN = 3, 32
#: Requests of strangers: at once, and per second from then on.
STRANGERS_AT_ONCE, STRANGERS_PER_S = 256, 128
#: TLVs of one message that are answered: more than there are message types to ask for.
MAX_TLVS = 8
#: refusals remembered, for people
REFUSALS_KEPT = 16

#: states in which a port has left its clients for good
_GONE = (PortState.PASSIVE, PortState.UNCALIBRATED, PortState.SLAVE)


class UnicastService(Part):
    signaling_tlvs = frozenset(
        {RequestUnicastTransmission, CancelUnicastTransmission, AcknowledgeCancelUnicastTransmission}
    )

    def __init__(self, port: Port) -> None:
        super().__init__(port)
        self.timers = {TIMER_SERVICE: self._due}
        self.grants = Grants(port.options.unicast)
        self.refusals: deque[tuple[int, str, PortIdentity, int, str]] = deque(maxlen=REFUSALS_KEPT)
        self._agenda: Agenda[Contract] = Agenda()
        self._strangers = float(STRANGERS_AT_ONCE)
        self._strangers_ns = 0
        self._refused_sequence = 0
        port.sending.unicast_sync_left = self._sync_left

    # ---- the port -----------------------------------------------------------------------------------------------

    def entered(self, state: PortState, now: int) -> None:
        if state is PortState.MASTER:
            self._resume(now)
        elif state in _GONE:
            self._cancel_all(now)
        elif state is PortState.DISABLED:
            # not a word leaves such a port: the clients find out by themselves
            for contract in list(self.grants):
                self._end(contract)
        self._arm()

    def initialize(self, now: int) -> None:
        if self.port.state is PortState.MASTER:
            for client in list(self.grants.clients.values()):
                self._say_cancel(client, list(client.contracts))
        for contract in list(self.grants):
            self._end(contract)

    def announce_changed(self, now: int) -> None:
        for contract in self.grants:
            if contract.kind is MessageType.ANNOUNCE and not contract.cancels:
                soon = max(now, contract.sent_ns + int(contract.interval_ns * SECOND_ANNOUNCE))
                contract.due_ns = min(contract.due_ns, soon)
                self._agenda.put(contract, min(contract.due_ns, contract.expires_ns))
        self._arm()

    def _resume(self, now: int) -> None:
        """Serve those whose grants have outlived the interruption, spread over their intervals."""
        for contract in list(self.grants):
            if 0 < contract.cancels < CANCELS:
                # it has been told already
                self._end(contract)
        contracts = list(self.grants)
        for index, contract in enumerate(contracts):
            contract.cancels = 0
            contract.due_ns = now + contract.interval_ns * index // len(contracts)
            self._agenda.put(contract, min(contract.due_ns, contract.expires_ns))

    def _cancel_all(self, now: int) -> None:
        for client in list(self.grants.clients.values()):
            for contract in list(client.contracts.values()):
                if contract.expires_ns <= now:
                    self._end(contract)
                elif not contract.cancels:
                    contract.cancels = CANCELS
                    self._agenda.put(contract, now)

    # ---- what is due --------------------------------------------------------------------------------------------

    def _arm(self) -> None:
        """Only where something may be sent. Elsewhere contracts run out unseen: ``_resume`` finds them."""
        due = self._agenda.due
        if due != NEVER and (self.port.state is PortState.MASTER or self.port.state in _GONE):
            self.port.timers[TIMER_SERVICE] = -(-due // TICK_NS) * TICK_NS

    def _due(self, now: int, due: int) -> None:
        announces: dict[int, bytes] = {}
        cancels: dict[Client, list[MessageType]] = {}
        withheld = self.port.instance.upstream.withholds_sync(now)
        while (contract := self._agenda.pop(now)) is not None:
            if contract.cancels:
                cancels.setdefault(contract.client, []).append(contract.kind)
            elif contract.expires_ns <= now:
                self.port.counters["unicast-grant-expired"] += 1
                self._end(contract)
            elif contract.kind is MessageType.DELAY_RESP:
                self._agenda.put(contract, contract.expires_ns)
            else:
                if contract.due_ns <= now:
                    self._serve(contract, now, announces, withheld)
                self._agenda.put(contract, min(contract.due_ns, contract.expires_ns))
        for client, kinds in cancels.items():
            self._say_cancel(client, kinds)
            for kind in kinds:
                contract = client.contracts[kind]
                contract.cancels -= 1
                if contract.cancels:
                    self._agenda.put(contract, now + CANCEL_INTERVAL_NS)
                else:
                    self._end(contract)
        self._arm()

    def _serve(self, contract: Contract, now: int, announces: dict[int, bytes], withheld: bool) -> None:
        client, interval = contract.client, contract.interval_ns
        sending = self.port.sending
        if contract.kind is MessageType.ANNOUNCE:
            if contract.sent == 0:
                # as a new master does: two qualify it
                interval = int(interval * SECOND_ANNOUNCE)
            template = announces.get(contract.log_interval)
            if template is None:
                template = announces[contract.log_interval] = sending.announce_template(
                    contract.log_interval, unicast=True
                )
            sending.announce(template, client.next_sequence(MessageType.ANNOUNCE), client.address)
            contract.sent += 1
            contract.sent_ns = now
        elif withheld:
            self.port.counters["sync-withheld"] += 1
        elif client.proven or now - contract.sent_ns >= PROBE_NS:
            sending.sync(client.next_sequence(MessageType.SYNC), client.address)
            contract.sent += 1
            contract.sent_ns = now
        contract.due_ns += interval
        if contract.due_ns <= now:
            # turns were missed: go on in its own phase, or all clients would have the same one from now on
            contract.due_ns += contract.interval_ns * ((now - contract.due_ns) // contract.interval_ns + 1)

    def _sync_left(self, address: str, left: bool) -> None:
        for client in list(self.grants.at(address)):
            if left:
                client.proven, client.lost = True, 0
                continue
            client.lost += 1
            if client.lost >= (LOST_PROVEN if client.proven else LOST_UNPROVEN):
                self.port.counters["unicast-client-unreachable"] += 1
                for contract in list(client.contracts.values()):
                    self._end(contract)

    # ---- what is said -------------------------------------------------------------------------------------------

    def holds(self, address: str, identity: tuple[bytes, int], kind: MessageType) -> bool:
        """Whether that port at that address has a grant for these messages."""
        contract = self.grants.get(address, identity, kind)
        return contract is not None and not contract.cancels

    def signaling(self, message: Signaling, tlvs: Sequence[Tlv], address: str, now: int) -> None:
        counters = self.port.counters
        if (address, message.source) not in self.grants.clients and not self._stranger_admitted(now):
            counters["drop-signaling-rate"] += 1
            return
        if len(tlvs) > MAX_TLVS:
            counters["drop-signaling-tlv"] += len(tlvs) - MAX_TLVS
        answers: list[Tlv] = []
        client = self.grants.clients.get((address, message.source))
        for tlv in tlvs[:MAX_TLVS]:
            if isinstance(tlv, RequestUnicastTransmission):
                answers.append(self._requested(tlv, message.source, address, now))
            elif isinstance(tlv, CancelUnicastTransmission):
                if not tlv.flags & MAINTAIN_REQUEST and self._cancelled(tlv.message_type, message.source, address):
                    answers.append(AcknowledgeCancelUnicastTransmission(tlv.message_type, tlv.flags))
            elif isinstance(tlv, AcknowledgeCancelUnicastTransmission):
                contract = self._contract(tlv.message_type, message.source, address)
                if contract is not None and contract.cancels:
                    self._end(contract)
        if answers:
            client = self.grants.clients.get((address, message.source)) or client
            if client is not None:
                sequence = client.next_sequence(MessageType.SIGNALING)
            else:
                sequence = self._refused_sequence = (self._refused_sequence + 1) & 0xFFFF
            self.port.send_signaling(answers, message.source, address, sequence)
        self._arm()

    def _stranger_admitted(self, now: int) -> bool:
        refill = (now - self._strangers_ns) / NS_PER_S * STRANGERS_PER_S
        self._strangers = min(float(STRANGERS_AT_ONCE), self._strangers + refill)
        self._strangers_ns = now
        if self._strangers < 1.0:
            return False
        self._strangers -= 1.0
        return True

    def _contract(self, kind: int, identity: PortIdentity, address: str) -> Contract | None:
        try:
            return self.grants.get(address, identity, MessageType(kind))
        except ValueError:
            return None

    def _requested(
        self, tlv: RequestUnicastTransmission, identity: PortIdentity, address: str, now: int
    ) -> GrantUnicastTransmission:
        port, kind = self.port, tlv.message_type
        held = self._contract(kind, identity, address)
        refusal = self._not_here(kind)
        if refusal and held is not None:
            self._end(held)
        elif not refusal:
            verdict = self.grants.request(
                address, identity, MessageType(kind), tlv.log_inter_message_period, tlv.duration_s, now
            )
            contract, refusal = verdict.contract, verdict.refusal
            if verdict.ended is not None:
                self._agenda.drop(verdict.ended)
            if contract is not None:
                self._begin(contract, now, fresh=held is None)
                port.counters["unicast-granted"] += 1
                return GrantUnicastTransmission(kind, contract.log_interval, verdict.duration_s, RENEWAL_INVITED)
        port.counters[f"unicast-refused-{refusal}"] += 1
        self.refusals.append((now, address, identity, kind, refusal))
        return GrantUnicastTransmission(kind, tlv.log_inter_message_period, 0)

    def _not_here(self, kind: int) -> str:
        """Why no such service can be had of this port now, whoever asks."""
        if self.port.state is not PortState.MASTER:
            return "not-master"
        if kind not in (MessageType.ANNOUNCE, MessageType.SYNC, MessageType.DELAY_RESP):
            return "message-type"
        if kind == MessageType.DELAY_RESP and self.port.ds.delay_mechanism != "E2E":
            return "delay-mechanism"
        return ""

    def _begin(self, contract: Contract, now: int, *, fresh: bool) -> None:
        """A new contract is served at once; one that is renewed keeps its pace."""
        if fresh:
            contract.due_ns = now
        contract.due_ns = min(contract.due_ns, now + contract.interval_ns)
        due = contract.expires_ns if contract.kind is MessageType.DELAY_RESP else contract.due_ns
        self._agenda.put(contract, min(due, contract.expires_ns))

    def _cancelled(self, kind: int, identity: PortIdentity, address: str) -> bool:
        contract = self._contract(kind, identity, address)
        if contract is None:
            # somebody else's, or one that is over: not acknowledged
            self.port.counters["unicast-cancel-unknown"] += 1
            return False
        self.port.counters["unicast-cancelled"] += 1
        self._end(contract)
        return True

    def _say_cancel(self, client: Client, kinds: Sequence[MessageType]) -> None:
        # what we have been granted by the same port is another matter
        flags = MAINTAIN_REQUEST if self.port.unicast_discovery is not None else 0
        tlvs = [CancelUnicastTransmission(kind, flags) for kind in kinds]
        sequence = client.next_sequence(MessageType.SIGNALING)
        self.port.send_signaling(tlvs, client.identity, client.address, sequence)

    def _end(self, contract: Contract) -> None:
        self.grants.end(contract)
        self._agenda.drop(contract)

    # ---- views --------------------------------------------------------------------------------------------------

    def view(self, now: int) -> dict[str, Any]:
        """For people: limits, what is granted to whom, and the newest refusals."""
        options = self.port.options.unicast
        contracts = [contract for contract in self.grants if contract.expires_ns > now]
        return {
            "clients": len({contract.client for contract in contracts}),
            "max_clients": options.max_clients,
            "rate": sum(2.0**-contract.log_interval for contract in contracts),
            "max_rate": options.max_rate,
            "grants": [
                {
                    "address": contract.client.address,
                    "client": str(contract.client.identity),
                    "message_type": contract.kind.name,
                    "log_interval": contract.log_interval,
                    "expires_in_s": (contract.expires_ns - now) / NS_PER_S,
                    "sent": contract.sent,
                    "cancelled": bool(contract.cancels),
                }
                for contract in contracts
            ],
            "refusals": [
                {
                    "age_s": (now - at) / NS_PER_S,
                    "address": address,
                    "client": str(identity),
                    "message_type": kind_name(kind),
                    "reason": reason,
                }
                for at, address, identity, kind, reason in self.refusals
            ],
        }


def kind_name(kind: int) -> str:
    """``SYNC``; a reserved messageType by its number."""
    try:
        return MessageType(kind).name
    except ValueError:
        return f"0x{kind:X}"
