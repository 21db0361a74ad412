"""Who wants to be told (SUBSCRIBE_EVENTS_NP, as phc2sys and other programs of linuxptp use it).

By a local socket only: to push to whoever asks over a network would make an amplifier. The read-only socket may
subscribe, too: it changes nothing but what its own peer hears.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from ptpstack.protocol.effects import Effect, ParentChanged, StateChanged, SyncMeasured
from ptpstack.protocol.management.table import Origin, Refusal, Request, Values
from ptpstack.timebase.units import NS_PER_S
from ptpstack.wire.management import NOT_SUPPORTED, WRONG_VALUE
from ptpstack.wire.types import PortIdentity

if TYPE_CHECKING:
    from ptpstack.protocol.management.responder import Responder

MAX_SUBSCRIBERS = 64
#: a duration that never ends
FOR_EVER_S = 0xFFFF
#: SETs that anybody at a local socket may do
READING_SETS = frozenset({0xC003})

PORT_STATE, TIME_SYNC, PARENT = "NOTIFY_PORT_STATE", "NOTIFY_TIME_SYNC", "NOTIFY_PARENT_DATA_SET"
_EVENTS = (PORT_STATE, TIME_SYNC, PARENT, "NOTIFY_CMLDS")
_PORT_DATA_SET, _TIME_STATUS, _PARENT_DATA_SET = 0x2004, 0xC000, 0x2002


@dataclass(slots=True)
class _Subscriber:
    origin: Origin
    target: PortIdentity
    sequence_id: int
    duration_s: int
    until_ns: int | None
    wants: frozenset[str] = field(default_factory=frozenset)


class Subscriptions:
    def __init__(self, responder: Responder) -> None:
        self._responder = responder
        self._subscribers: dict[tuple[str, str], _Subscriber] = {}

    def __len__(self) -> int:
        return len(self._subscribers)

    def get(self, request: Request, values: Values) -> Values:
        own = self._subscribers.get((request.origin.socket, request.origin.address))
        if own is None or request.origin.port or (own.until_ns is not None and own.until_ns <= request.now):
            return {"duration": 0, **dict.fromkeys(_EVENTS, False)}
        return {"duration": own.duration_s, **{name: name in own.wants for name in _EVENTS}}

    def set(self, request: Request, values: Values) -> None:
        origin = request.origin
        if origin.port:
            raise Refusal(NOT_SUPPORTED, "local sockets only")
        key = (origin.socket, origin.address)
        duration: int = values["duration"]
        wants = frozenset(name for name in _EVENTS if values[name])
        self._expire(request.now)
        if duration == 0 or not wants:
            self._subscribers.pop(key, None)
            return
        if key not in self._subscribers and len(self._subscribers) >= MAX_SUBSCRIBERS:
            raise Refusal(WRONG_VALUE, f"{MAX_SUBSCRIBERS} subscribers already")
        until = None if duration == FOR_EVER_S else request.now + duration * NS_PER_S
        self._subscribers[key] = _Subscriber(origin, request.source, request.sequence_id, duration, until, wants)

    def _expire(self, now: int) -> None:
        for key in [k for k, s in self._subscribers.items() if s.until_ns is not None and s.until_ns <= now]:
            del self._subscribers[key]

    def happened(self, effects: Iterable[Effect], now: int) -> None:
        if not self._subscribers:
            return
        self._expire(now)
        for effect in effects:
            if isinstance(effect, StateChanged):
                self._tell(PORT_STATE, _PORT_DATA_SET, effect.port, now)
            elif isinstance(effect, ParentChanged):
                self._tell(PARENT, _PARENT_DATA_SET, 0, now)
            elif isinstance(effect, SyncMeasured):
                self._tell(TIME_SYNC, _TIME_STATUS, 0, now)

    def _tell(self, event: str, management_id: int, number: int, now: int) -> None:
        responder = self._responder
        for subscriber in self._subscribers.values():
            if event in subscriber.wants:
                tlv = responder.response_to(management_id, responder.request(number, subscriber.origin, now))
                subscriber.sequence_id = (subscriber.sequence_id + 1) & 0xFFFF
                message = responder.message(number, subscriber.target, subscriber.sequence_id, tlv)
                responder.send(message, subscriber.origin)
