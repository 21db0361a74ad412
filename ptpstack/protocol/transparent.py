"""An end-to-end transparent clock (IEEE 1588-2019 10.2, 11.5; not checked against the text).

1. It knows no domain and no profile: every PTP message passes, to every port but the one it came by.
2. Two-step: an event message leaves as it came, and is stamped. How long it was inside is added to the message that
   belongs to it (Follow_Up, Delay_Resp, Pdelay_Resp_Follow_Up), for each port by itself. An event message that nothing
   would follow gets the twoStepFlag and a follower of our own making.
3. A residence that is not known is not guessed: what would have carried it is dropped, and counted.
"""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from struct import Struct
from typing import Any, NamedTuple

from ptpstack.protocol.effects import Send
from ptpstack.protocol.options import TransparentOptions, TransparentPort
from ptpstack.protocol.stations import Stations
from ptpstack.protocol.syntonisation import Syntonisation
from ptpstack.timebase.units import SNS_PER_S, float_ns_to_sns, saturate_interval
from ptpstack.wire.types import Flag, MessageType

#: An event message is forgotten after this time: what belongs to it has come, or comes no more.
PASSAGE_NS = 2_000_000_000
MAX_PASSAGES = 4096
MAX_EARLY = 256
#: A longer residence is a clock that was set.
MAX_RESIDENCE_SNS = 10 * SNS_PER_S

_HEADER = 34
_CORRECTION = Struct(">q")
_CORRECTION_AT = 8
_TIMESTAMP = Struct(">HII")
_TIMESTAMP_AT = 34
#: requestingPortIdentity in the answers to Delay_Req and Pdelay_Req
_REQUESTING = slice(44, 54)
_FLAGS_AT = 6
_TWO_STEP = int(Flag.TWO_STEP) >> 8
_LENGTH = {
    MessageType.SYNC: 44,
    MessageType.FOLLOW_UP: 44,
    MessageType.DELAY_REQ: 44,
    MessageType.DELAY_RESP: 54,
    MessageType.PDELAY_REQ: 54,
    MessageType.PDELAY_RESP: 54,
    MessageType.PDELAY_RESP_FOLLOW_UP: 54,
}


@dataclass(eq=False, slots=True)
class _Passage:
    """An event message that came by ``ingress``."""

    ingress: str
    ingress_sns: int
    seen_ns: int
    #: egress stamps by channel, None for one that will not come; a channel that is on the way is in ``awaited``
    egress: dict[str, int | None] = field(default_factory=dict)
    awaited: set[str] = field(default_factory=set)
    carriers: list[_Carrier] = field(default_factory=list)


class _Carrier(NamedTuple):
    """A general message that is to carry residences, and leaves by ``targets`` once they are known."""

    octets: bytes
    address: str
    targets: tuple[str, ...]
    needs: tuple[tuple[_Passage, str], ...]
    #: besides, 2**-16 ns
    extra_sns: int


class _Port:
    def __init__(self, options: TransparentPort) -> None:
        self.channel = options.channel
        self.asymmetry_sns = float_ns_to_sns(options.delay_asymmetry_ns)
        self.ingress_latency_sns = float_ns_to_sns(options.ingress_latency_ns)
        self.egress_latency_sns = float_ns_to_sns(options.egress_latency_ns)
        self.up = True
        self.counters: Counter[str] = Counter()
        #: newest residence of a message that left here, 2**-16 ns
        self.residence_sns: int | None = None


class TransparentClock:
    """Frames come with what surrounds them (``wire.envelope``) as their address, and go on with it."""

    def __init__(self, options: TransparentOptions, new_token: Callable[[], int] | None = None) -> None:
        if len(options.ports) < 2:
            raise ValueError(f"transparent clock {options.name}: frames pass between at least two ports")
        self.options = options
        self.ports = {port.channel: _Port(port) for port in options.ports}
        self.syntonisation = Syntonisation()
        self._new_token = new_token or itertools.count(1).__next__
        self._tokens: dict[int, tuple[_Passage, str]] = {}
        #: in the order in which they came
        self._passages: dict[bytes, _Passage] = {}
        #: Follow_Ups that were quicker than their Sync
        self._early: dict[bytes, tuple[str, bytes, str, int]] = {}
        #: by MAC, hexadecimal, as an envelope has it
        self._stations: Stations[str] = Stations()
        self._out: list[Send] = []

    # ---- inputs -----------------------------------------------------------------------------------------------

    def receive(self, channel: str, octets: bytes, ingress_sns: int | None, address: str, now: int) -> list[Send]:
        """A PTP frame of any domain, from the first octet of its header. Never raises for what is in it."""
        port = self.ports[channel]
        self._expire(now)
        self._learn(address[12:24], channel, now)
        kind = octets[0] & 0x0F if octets else 15
        if len(octets) < _LENGTH.get(kind, _HEADER):  # type: ignore[call-overload]
            port.counters["drop-short"] += 1
            return []
        port.counters["received"] += 1
        if kind < 8 and ingress_sns is None:
            port.counters["drop-event-without-stamp"] += 1
            return []
        if octets[1] & 0x0F != 2:
            # another version of the protocol has other fields: it passes, as by a bridge that knows nothing of time
            self._forward(channel, octets, address, now)
        elif kind == MessageType.SYNC:
            assert ingress_sns is not None
            self._sync(port, octets, ingress_sns, address, now)
        elif kind == MessageType.FOLLOW_UP:
            self._follow_up(port, octets, address, now)
        elif kind in (MessageType.DELAY_REQ, MessageType.PDELAY_REQ):
            assert ingress_sns is not None
            self._enter(_key(kind, octets, octets[20:30]), port, octets, ingress_sns, address, now)
        elif kind == MessageType.DELAY_RESP:
            self._delay_resp(port, octets, address, now)
        elif kind == MessageType.PDELAY_RESP:
            assert ingress_sns is not None
            self._pdelay_resp(port, octets, ingress_sns, address, now)
        elif kind == MessageType.PDELAY_RESP_FOLLOW_UP:
            self._pdelay_follow_up(port, octets, address, now)
        else:
            self._forward(channel, octets, address, now)
        return self._drain()

    def transmitted(self, token: int, egress_sns: int | None, now: int) -> list[Send]:
        awaited = self._tokens.pop(token, None)
        if awaited is None:
            return []
        passage, channel = awaited
        port = self.ports[channel]
        passage.awaited.discard(channel)
        if egress_sns is None:
            port.counters["sent-without-stamp"] += 1
        else:
            egress_sns += port.egress_latency_sns
            residence = egress_sns - passage.ingress_sns
            if 0 <= residence < MAX_RESIDENCE_SNS:
                port.residence_sns = residence
            else:
                port.counters["residence-absurd"] += 1
                egress_sns = None
        passage.egress[channel] = egress_sns
        waiting, passage.carriers = passage.carriers, []
        for carrier in waiting:
            self._carry(carrier)
        return self._drain()

    def link(self, channel: str, up: bool) -> None:
        """Nothing is sent where the link is down; who was heard there may be anywhere now."""
        self.ports[channel].up = up
        if not up:
            self._stations.forget(channel)

    # ---- messages ---------------------------------------------------------------------------------------------

    def _sync(self, port: _Port, octets: bytes, ingress_sns: int, address: str, now: int) -> None:
        key = _key(MessageType.SYNC, octets, octets[20:30])
        one_step = not octets[_FLAGS_AT] & _TWO_STEP
        sent = bytes((*octets[:_FLAGS_AT], octets[_FLAGS_AT] | _TWO_STEP)) + octets[_FLAGS_AT + 1 :]
        passage = self._enter(key, port, sent, ingress_sns, address, now)
        if one_step:
            self._early.pop(key, None)
            follow_up = _follower(octets, MessageType.FOLLOW_UP, 44, 2)
            self._syntonise(octets, follow_up, passage)
            self._spread(passage, follow_up, address, port.asymmetry_sns)
            return
        early = self._early.pop(key, None)
        if early is not None and early[0] == port.channel:
            self._follow_up(port, early[1], early[2], now)

    def _follow_up(self, port: _Port, octets: bytes, address: str, now: int) -> None:
        key = _key(MessageType.SYNC, octets, octets[20:30])
        passage = self._passages.get(key)
        if passage is None:
            if len(self._early) >= MAX_EARLY:
                del self._early[next(iter(self._early))]
                port.counters["drop-follow-up-without-sync"] += 1
            self._early[key] = (port.channel, octets, address, now)
            return
        if passage.ingress != port.channel:
            # a second way through the network: the Sync came by another port
            port.counters["drop-follow-up-by-other-port"] += 1
            return
        self._syntonise(b"", octets, passage)
        self._spread(passage, octets, address, port.asymmetry_sns)

    def _delay_resp(self, port: _Port, octets: bytes, address: str, now: int) -> None:
        request = self._passages.get(_key(MessageType.DELAY_REQ, octets, octets[_REQUESTING]))
        if request is None:
            port.counters["drop-delay-resp-without-request"] += 1
            return
        if request.ingress == port.channel:
            # asked and answered on the same side
            self._forward(port.channel, octets, address, now)
            return
        targets = self._targets(port.channel, address, now)
        self._carry(_Carrier(octets, address, targets, ((request, port.channel),), -port.asymmetry_sns))

    def _pdelay_resp(self, port: _Port, octets: bytes, ingress_sns: int, address: str, now: int) -> None:
        one_step = not octets[_FLAGS_AT] & _TWO_STEP
        sent = bytes((*octets[:_FLAGS_AT], octets[_FLAGS_AT] | _TWO_STEP)) + octets[_FLAGS_AT + 1 :]
        self._enter(_response_key(octets), port, sent, ingress_sns, address, now)
        if one_step:
            follower = bytearray(_follower(octets, MessageType.PDELAY_RESP_FOLLOW_UP, 54, 5))
            follower[_TIMESTAMP_AT:44] = bytes(10)  # the turnaround is in the response's own correctionField
            self._pdelay_follow_up(port, bytes(follower), address, now)

    def _pdelay_follow_up(self, port: _Port, octets: bytes, address: str, now: int) -> None:
        """The residences of request and response; the asymmetry of the responder's port is in both, once each sign."""
        request = self._passages.get(_key(MessageType.PDELAY_REQ, octets, octets[_REQUESTING]))
        response = self._passages.get(_response_key(octets))
        if request is None or response is None or response.ingress != port.channel:
            port.counters["drop-pdelay-follow-up-without-exchange"] += 1
            return
        if request.ingress == port.channel:
            self._forward(port.channel, octets, address, now)
            return
        for target in response.egress.keys() | response.awaited:
            needs = ((request, port.channel), (response, target))
            self._carry(_Carrier(octets, address, (target,), needs, 0))

    # ---- passing ----------------------------------------------------------------------------------------------

    def _enter(self, key: bytes, port: _Port, octets: bytes, ingress_sns: int, address: str, now: int) -> _Passage:
        """An event message goes on at once, stamped."""
        if key in self._passages:
            port.counters["repeated"] += 1
            del self._passages[key]
        elif len(self._passages) >= MAX_PASSAGES:
            self._forget(next(iter(self._passages)))
        passage = self._passages[key] = _Passage(port.channel, ingress_sns - port.ingress_latency_sns, now)
        for channel in self._targets(port.channel, address, now):
            token = self._new_token()
            self._tokens[token] = (passage, channel)
            passage.awaited.add(channel)
            self.ports[channel].counters["sent"] += 1
            self._out.append(Send(channel, octets, address, token))
        return passage

    def _forward(self, ingress: str, octets: bytes, address: str, now: int) -> None:
        for channel in self._targets(ingress, address, now):
            self.ports[channel].counters["sent"] += 1
            self._out.append(Send(channel, octets, address, None))

    def _spread(self, passage: _Passage, octets: bytes, address: str, extra_sns: int) -> None:
        """What follows an event message leaves by every port that the event message left by."""
        for channel in [*passage.egress, *passage.awaited]:
            self._carry(_Carrier(octets, address, (channel,), ((passage, channel),), extra_sns))

    def _carry(self, carrier: _Carrier) -> None:
        residence = 0
        for passage, channel in carrier.needs:
            if channel in passage.awaited:
                passage.carriers.append(carrier)
                return
            egress = passage.egress.get(channel)
            if egress is None:
                for target in carrier.targets:
                    self.ports[target].counters["drop-residence-unknown"] += 1
                return
            residence += egress - passage.ingress_sns
        added = self.syntonisation.scaled(_domain(carrier.octets), residence) + carrier.extra_sns
        octets = bytearray(carrier.octets)
        (correction,) = _CORRECTION.unpack_from(octets, _CORRECTION_AT)
        _CORRECTION.pack_into(octets, _CORRECTION_AT, saturate_interval(correction + added))
        for target in carrier.targets:
            self.ports[target].counters["sent"] += 1
            self._out.append(Send(target, bytes(octets), carrier.address, None))

    def _syntonise(self, sync: bytes, follow_up: bytes, passage: _Passage) -> None:
        """Learn how the sender's seconds compare with ours: from its time stamp and when it came in."""
        if not self.options.syntonise:
            return
        high, low, ns = _TIMESTAMP.unpack_from(follow_up, _TIMESTAMP_AT)
        corrections = sum(_CORRECTION.unpack_from(o, _CORRECTION_AT)[0] for o in (sync, follow_up) if o)
        sent_sns = (((high << 32 | low) * 1_000_000_000 + ns) << 16) + corrections
        self.syntonisation.saw(_domain(follow_up), follow_up[20:30], sent_sns, passage.ingress_sns)

    # ---- where to ---------------------------------------------------------------------------------------------

    def _targets(self, ingress: str, address: str, now: int) -> tuple[str, ...]:
        """Every other port; for a single station, the one behind which it was heard."""
        known = self._stations.port_of(address[:12], now)
        if known is not None:
            return () if known == ingress or not self.ports[known].up else (known,)
        return tuple(channel for channel, port in self.ports.items() if channel != ingress and port.up)

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
        while self._early:
            key = next(iter(self._early))
            channel, _, _, heard_ns = self._early[key]
            if now - heard_ns <= PASSAGE_NS:
                break
            del self._early[key]
            self.ports[channel].counters["drop-follow-up-without-sync"] += 1

    def _forget(self, key: bytes) -> None:
        passage = self._passages.pop(key)
        for channel in passage.awaited:
            self.ports[channel].counters["stamp-never-reported"] += 1
        if passage.awaited:
            self._tokens = {t: seen for t, seen in self._tokens.items() if seen[0] is not passage}
        passage.awaited.clear()
        waiting, passage.carriers = passage.carriers, []
        for carrier in waiting:
            self._carry(carrier)

    def _drain(self) -> list[Send]:
        out, self._out = self._out, []
        return out

    # ---- views ------------------------------------------------------------------------------------------------

    def status(self) -> dict[str, Any]:
        """JSON-ready."""
        return {
            "name": self.options.name,
            "delay_mechanism": "E2E",
            "rate_ratios": self.syntonisation.status(),
            "ports": [
                {
                    "channel": port.channel,
                    "up": port.up,
                    "residence_ns": None if port.residence_sns is None else port.residence_sns / 65536.0,
                    "counters": dict(port.counters),
                }
                for port in self.ports.values()
            ],
        }


def _domain(octets: bytes) -> bytes:
    """sdoId and domainNumber."""
    return bytes((octets[0] & 0xF0, octets[5], octets[4]))


def _key(kind: int, octets: bytes, source: bytes) -> bytes:
    """What tells event messages apart: type, domain, sender, sequenceId."""
    return bytes((kind,)) + _domain(octets) + source + octets[30:32]


def _response_key(octets: bytes) -> bytes:
    """A Pdelay_Resp and its follower: by who answers whom."""
    return _key(MessageType.PDELAY_RESP, octets, octets[20:30]) + octets[_REQUESTING]


def _follower(event: bytes, kind: MessageType, length: int, control: int) -> bytes:
    """The message that a two-step clock would have sent after this one-step one; its correctionField is 0."""
    octets = bytearray(event[:length])
    octets[0] = octets[0] & 0xF0 | kind
    octets[2:4] = length.to_bytes(2, "big")
    octets[_FLAGS_AT] &= ~_TWO_STEP & 0xFF
    _CORRECTION.pack_into(octets, _CORRECTION_AT, 0)
    octets[32] = control
    return bytes(octets)
