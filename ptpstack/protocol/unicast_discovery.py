"""Unicast discovery and the asking side of negotiation (IEEE 1588-2019 17.4, 16.1; not checked against the text).

1. Every server of the table is asked for Announce; only the one that the port follows for Sync and Delay_Resp.
2. A server is used while its grants last: what comes without a grant is dropped.
3. A server that announces, but refuses Sync or Delay_Resp, answers no request for them, or is granted and silent while
   another server is there, is left out of the election for a while, so that the next one is tried.
4. While the port is down nothing is said and time runs on; afterwards every server is asked anew.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ptpstack.protocol.agenda import Agenda
from ptpstack.protocol.decision import Decision
from ptpstack.protocol.grants import LOG_PERIOD_MAX
from ptpstack.protocol.options import UnicastServer
from ptpstack.protocol.part import Part
from ptpstack.protocol.timers import NEVER
from ptpstack.protocol.unicast_wish import Say, Wish
from ptpstack.timebase.units import NS_PER_S, log_interval_ns
from ptpstack.wire.messages import Signaling
from ptpstack.wire.tlv import Tlv
from ptpstack.wire.tlvs.unicast import (
    MAINTAIN_GRANT,
    AcknowledgeCancelUnicastTransmission,
    CancelUnicastTransmission,
    GrantUnicastTransmission,
    RequestUnicastTransmission,
)
from ptpstack.wire.types import ALL_CLOCKS, ALL_PORTS, MessageType, PortIdentity, PortState

if TYPE_CHECKING:
    from ptpstack.protocol.port import Port

TIMER_DISCOVERY = "unicast-discovery"
#: Requests for Sync or Delay_Resp that a server leaves unanswered, or grants left silent, until it is left out.
GIVE_UP_AFTER = 3
#: Granted messages that do not come: intervals, and at least this long, until they are asked for anew.
SILENT_INTERVALS = 4
SILENT_NS = 2 * NS_PER_S
#: How long a server is left out, at first and at most.
EXCLUDED_S, EXCLUDED_MAX_S = 8, 256

_ANYBODY = PortIdentity(ALL_CLOCKS, ALL_PORTS)
_DOWN = (PortState.INITIALIZING, PortState.FAULTY, PortState.DISABLED)
_TIME = (MessageType.SYNC, MessageType.DELAY_RESP)


@dataclass(eq=False, slots=True)
class Server:
    entry: UnicastServer
    wishes: dict[MessageType, Wish]
    identity: PortIdentity = _ANYBODY
    sequence: int = 0
    #: left out of the election until then, ns, why, and how often in a row
    excluded_ns: int = 0
    reason: str = ""
    exclusions: int = 0

    @property
    def address(self) -> str:
        return self.entry.address


class UnicastDiscovery(Part):
    signaling_tlvs = frozenset(
        {GrantUnicastTransmission, CancelUnicastTransmission, AcknowledgeCancelUnicastTransmission}
    )

    def __init__(self, port: Port) -> None:
        super().__init__(port)
        self.timers = {TIMER_DISCOVERY: self._due}
        self._options = port.options.unicast
        kinds = [MessageType.ANNOUNCE, MessageType.SYNC]
        if port.options.delay_mechanism == "E2E":
            kinds.append(MessageType.DELAY_RESP)
        self.servers = {
            entry.address: Server(entry, {kind: Wish(kind, self._interval(kind)) for kind in kinds})
            for entry in self._options.servers
        }
        self._agenda: Agenda[tuple[Server, Wish]] = Agenda()
        self._down = True
        #: whom the port follows; None: nobody, or somebody heard by multicast
        self.selected: Server | None = None
        #: the longest Announce interval that was granted
        self.log_announce_interval = -128

    # ---- what others ask ----------------------------------------------------------------------------------------

    def local_priority(self, address: str) -> int | None:
        """Of the server at that address; None when it is none of ours."""
        server = self.servers.get(address)
        return None if server is None else server.entry.local_priority

    def heard(self, kind: MessageType, address: str, identity: PortIdentity, now: int) -> str:
        """A message of a server by unicast: why it is not to be used, or ""."""
        server = self.servers[address]
        wish = server.wishes[kind]
        if not wish.wanted or not wish.held(now):
            return f"drop-{kind.name.lower()}-without-grant"
        if kind is MessageType.ANNOUNCE:
            if now < server.excluded_ns:
                wish.heard_ns = now
                return "drop-announce-server-excluded"
            server.identity = identity
            wish.heard_ns, wish.lapsed = now, 0
        return ""

    def delay_resp(self, now: int) -> tuple[str, int] | None:
        """Of the server followed: where Delay_Req go, and how often (log2 s); None: it has not granted any."""
        assert self.selected is not None
        wish = self.selected.wishes.get(MessageType.DELAY_RESP)
        return (self.selected.address, wish.log_granted) if wish is not None and wish.held(now) else None

    def sync_complete(self, now: int) -> int:
        """A Sync of the server followed, and its Follow_Up, are here. Answers their interval, log2 s."""
        server = self.selected
        assert server is not None
        wish = server.wishes[MessageType.SYNC]
        wish.heard_ns, wish.lapsed = now, 0
        if all(w.held(now) for kind, w in server.wishes.items() if kind in _TIME):
            server.exclusions = 0
        return wish.log_granted

    # ---- the port -----------------------------------------------------------------------------------------------

    def entered(self, state: PortState, now: int) -> None:
        port = self.port
        if state in _DOWN:
            self._down = True
            self.selected = None
            return
        address = port.instance.data.parent.protocol_address if port.following else None
        selected = None if address is None else self.servers.get(address)
        if self._down:
            self._down = False
            for server in self.servers.values():
                server.excluded_ns = server.exclusions = 0
                server.wishes[MessageType.ANNOUNCE].ask_anew(now)
                self._schedule(server, server.wishes[MessageType.ANNOUNCE])
        self._select(selected, now)
        self._arm()

    def initialize(self, now: int) -> None:
        if not self._down:
            for server in self.servers.values():
                held = [wish.kind for wish in server.wishes.values() if wish.held(now)]
                if held:
                    self._say(server, [self._cancel(kind) for kind in held])
        for server in self.servers.values():
            server.identity, server.excluded_ns, server.exclusions = _ANYBODY, 0, 0
            for kind, wish in server.wishes.items():
                server.wishes[kind] = Wish(kind, wish.log_asked)
        self._agenda.clear()
        self.selected = None

    def _interval(self, kind: MessageType) -> int:
        """What the port wants now: another one is asked for with the next request."""
        if kind is MessageType.ANNOUNCE:
            return self.port.ds.log_announce_interval
        if kind is MessageType.SYNC:
            return self.port.ds.log_sync_interval
        return self.port.options.log_min_delay_req_interval

    def _select(self, selected: Server | None, now: int) -> None:
        self.selected = selected
        for server in self.servers.values():
            for kind in _TIME:
                wish = server.wishes.get(kind)
                if wish is None:
                    continue
                if server is selected:
                    wish.want(now)
                else:
                    wish.unwant(now)
                self._schedule(server, wish)

    # ---- what is due --------------------------------------------------------------------------------------------

    def _schedule(self, server: Server, wish: Wish) -> None:
        key = (server, wish)
        due = wish.due_ns
        if wish.wanted and wish.expires_ns and not wish.tries:
            due = min(due, self._silent_ns(wish))
        if due == NEVER:
            self._agenda.drop(key)
        else:
            self._agenda.put(key, due)

    def _silent_ns(self, wish: Wish) -> int:
        """When messages that were granted have been missing for too long."""
        if wish.kind is MessageType.DELAY_RESP:
            return NEVER  # they come only when asked for, and those are counted elsewhere
        intervals = self.port.ds.announce_receipt_timeout if wish.kind is MessageType.ANNOUNCE else 0
        wait = max(intervals, SILENT_INTERVALS) * log_interval_ns(wish.log_granted)
        return wish.heard_ns + max(wait, SILENT_NS)

    def _arm(self) -> None:
        due = self._agenda.due
        if due != NEVER and not self._down:
            self.port.timers[TIMER_DISCOVERY] = due

    def _due(self, now: int, due: int) -> None:
        says: dict[Server, list[Tlv]] = {}
        lost: list[tuple[Server, str]] = []
        for server in self.servers.values():
            # what is to be renewed soon is renewed together
            wishes = [wish for wish in server.wishes.values() if wish.renews_by(now, self._options)]
            if any(wish.due_ns <= now for wish in wishes):
                for wish in wishes:
                    wish.due_ns = min(wish.due_ns, now)
                    self._agenda.put((server, wish), now)
        while (key := self._agenda.pop(now)) is not None:
            server, wish = key
            if wish.wanted and wish.held(now) and not wish.tries and wish.due_ns > now:
                if self._silent_ns(wish) > now:
                    self._schedule(server, wish)
                    continue
                # granted, and nothing comes: perhaps the server has been started anew and knows nothing of it
                self.port.counters["unicast-granted-and-silent"] += 1
                wish.lapsed += 1
                wish.heard_ns = now
            say = wish.turn(now, self._options, self.port.rng)
            if say is Say.REQUEST:
                wish.log_asked = self._interval(wish.kind)
                says.setdefault(server, []).append(
                    RequestUnicastTransmission(wish.kind, wish.log_asked, self._options.duration_s)
                )
                if wish.tries > 1:
                    # it may have become another clock at the same address
                    server.identity = _ANYBODY
                # a server that was left out before gets one chance
                limit = 1 if server.exclusions else GIVE_UP_AFTER
                if wish.kind in _TIME and wish.tries > limit and not wish.held(now):
                    lost.append((server, "unanswered"))
                elif wish.kind in _TIME and wish.lapsed >= limit:
                    lost.append((server, "silent"))
            elif say is Say.CANCEL:
                says.setdefault(server, []).append(self._cancel(wish.kind))
            self._schedule(server, wish)
        for server, tlvs in says.items():
            self._say(server, tlvs)
        for server, why in lost:
            self._exclude(server, why, now)
        self._arm()

    def _cancel(self, kind: MessageType) -> CancelUnicastTransmission:
        # what we have granted to the same port is another matter
        flags = MAINTAIN_GRANT if self.port.unicast_service is not None else 0
        return CancelUnicastTransmission(kind, flags)

    def _say(self, server: Server, tlvs: Sequence[Tlv]) -> None:
        server.sequence = (server.sequence + 1) & 0xFFFF
        self.port.send_signaling(tlvs, server.identity, server.address, server.sequence)

    # ---- answers ------------------------------------------------------------------------------------------------

    def signaling(self, message: Signaling, tlvs: Sequence[Tlv], address: str, now: int) -> None:
        server = self.servers.get(address)
        counters = self.port.counters
        if server is None:
            ours = [tlv for tlv in tlvs if isinstance(tlv, GrantUnicastTransmission)]
            counters["unicast-grant-of-stranger"] += len(ours)
            return
        acknowledge: list[Tlv] = []
        for tlv in tlvs:
            assert isinstance(
                tlv, GrantUnicastTransmission | CancelUnicastTransmission | AcknowledgeCancelUnicastTransmission
            )
            wish = next((w for w in server.wishes.values() if w.kind == tlv.message_type), None)
            if wish is None:
                counters["unicast-not-requested"] += 1
            elif isinstance(tlv, GrantUnicastTransmission):
                self._granted(server, wish, tlv, message.source, now)
            elif isinstance(tlv, AcknowledgeCancelUnicastTransmission):
                wish.acknowledged()
                self._schedule(server, wish)
            elif not tlv.flags & MAINTAIN_GRANT and wish.asked:
                acknowledge.append(AcknowledgeCancelUnicastTransmission(tlv.message_type, tlv.flags))
                counters["unicast-cancelled-by-server"] += 1
                self._lost(server, wish, "cancelled", now)
        if acknowledge:
            self._say(server, acknowledge)
        self._arm()

    def _granted(
        self, server: Server, wish: Wish, tlv: GrantUnicastTransmission, identity: PortIdentity, now: int
    ) -> None:
        counters = self.port.counters
        if not wish.wanted or not wish.tries or wish.refused:
            counters["unicast-not-requested"] += 1
            return
        if not tlv.duration_s:
            counters["unicast-refused-by-server"] += 1
            self._lost(server, wish, "refused", now)
            return
        if abs(tlv.log_inter_message_period) > LOG_PERIOD_MAX:
            counters["unicast-grant-absurd"] += 1
            return
        server.identity = identity
        wish.granted(tlv.log_inter_message_period, tlv.duration_s, now, self._options, self.port.rng)
        self._schedule(server, wish)
        if wish.kind is MessageType.ANNOUNCE:
            announces = [s.wishes[MessageType.ANNOUNCE] for s in self.servers.values()]
            self.log_announce_interval = max(w.log_granted for w in announces if w.held(now))

    def _lost(self, server: Server, wish: Wish, why: str, now: int) -> None:
        if wish.wanted:
            wish.lost(now, self._options, self.port.rng)
            self._schedule(server, wish)
            if wish.kind in _TIME:
                self._exclude(server, why, now)
            else:
                self._forget(server, f"its Announce was {why}", now)
        else:
            wish.acknowledged()
            self._schedule(server, wish)

    def _exclude(self, server: Server, why: str, now: int) -> None:
        """Without Sync and Delay_Resp it is no master for us. Only a server that is alone is kept when it is silent."""
        if server is not self.selected:
            return
        if not any(other is not server and self._alive(other, now) for other in self.servers.values()):
            return
        seconds = min(EXCLUDED_S << min(server.exclusions, 16), EXCLUDED_MAX_S)
        server.exclusions += 1
        server.excluded_ns, server.reason = now + seconds * NS_PER_S, why
        self.port.counters["unicast-server-excluded"] += 1
        self._forget(server, f"its Sync or Delay_Resp were {why}", now)

    def _alive(self, server: Server, now: int) -> bool:
        """It announces itself to us, and is not left out."""
        wish = server.wishes[MessageType.ANNOUNCE]
        return wish.held(now) and now < self._silent_ns(wish) and now >= server.excluded_ns

    def _forget(self, server: Server, why: str, now: int) -> None:
        """It is no longer a candidate; when the port follows it, the port looks for another at once."""
        port = self.port
        if server is self.selected:
            decision = Decision("unicast-lost", f"server {server.address} is not followed any longer: {why}")
            port.announces.lost(now, decision)
        else:
            port.foreign.forget(server.identity)
            port.instance.elect(now)

    # ---- views --------------------------------------------------------------------------------------------------

    def view(self, now: int) -> list[dict[str, Any]]:
        """For people: each server, and what it has granted."""
        return [
            {
                "address": server.address,
                "local_priority": server.entry.local_priority,
                "identity": None if server.identity == _ANYBODY else str(server.identity),
                "selected": server is self.selected,
                "excluded_for_s": max(0.0, (server.excluded_ns - now) / NS_PER_S),
                "excluded_reason": server.reason if now < server.excluded_ns else "",
                "services": [
                    {
                        "message_type": wish.kind.name,
                        "state": _state(wish, now),
                        "log_interval": wish.log_granted if wish.held(now) else None,
                        "expires_in_s": (wish.expires_ns - now) / NS_PER_S if wish.held(now) else None,
                        "tries": wish.tries,
                    }
                    for wish in server.wishes.values()
                ],
            }
            for server in self.servers.values()
        ]


def _state(wish: Wish, now: int) -> str:
    if not wish.wanted:
        return "cancelling" if wish.cancels else "not-wanted"
    if wish.held(now):
        return "renewing" if wish.tries else "granted"
    return "refused" if wish.refused else "asking"
