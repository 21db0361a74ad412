"""One Instance on a bench: peers that speak to it, a clock for its stamps, and everything it sent.

The bench's own time is ``now`` (ns); the clock behind the stamps is ``now`` plus ``ptp_offset_ns``, so that a test can
step it. ``run`` walks through the instance's deadlines and the peers' Announces in order of time.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

from ptpstack.protocol.effects import (
    ONE_STEP,
    DelayMeasured,
    Effect,
    LinkDelayMeasured,
    ParentChanged,
    Send,
    StateChanged,
    SyncMeasured,
)
from ptpstack.protocol.instance import Instance
from ptpstack.protocol.options import InstanceOptions, PortOptions
from ptpstack.protocol.port import Port
from ptpstack.wire.codec import decode, encode
from ptpstack.wire.messages import (
    Announce,
    DelayReq,
    DelayResp,
    FollowUp,
    Message,
    PdelayReq,
    PdelayResp,
    PdelayRespFollowUp,
    Sync,
)
from ptpstack.wire.types import ClockQuality, Flag, PortIdentity, PortState

S = 1_000_000_000
START = 100 * S
GRANDMASTER = ClockQuality(6, 0x21, 0x4E5D)
PLAIN = ClockQuality(248, 0xFE, 0xFFFF)

E = TypeVar("E")
M = TypeVar("M", bound=Message)


def identity(number: int) -> bytes:
    return b"\x02\x00\x00\xff\xfe" + number.to_bytes(3, "big")


class Peer:
    """Another PTP port on the segment: makes frames, counts its sequences."""

    def __init__(self, number: int, port: int = 1, **announce: Any) -> None:
        self.identity = PortIdentity(identity(number), port)
        self.fields: dict[str, Any] = {
            "grandmaster": self.identity.clock_identity,
            "quality": PLAIN,
            "log_interval": 1,
            "flags": Flag.PTP_TIMESCALE,
            "current_utc_offset": 37,
            **announce,
        }
        self._sequences: dict[type[Message], int] = {}

    def _next(self, kind: type[Message]) -> int:
        self._sequences[kind] = (self._sequences.get(kind, -1) + 1) & 0xFFFF
        return self._sequences[kind]

    def announce(self, **changes: Any) -> bytes:
        fields = {"sequence_id": self._next(Announce), **self.fields, **changes}
        return encode(Announce(self.identity, **fields))

    def sync(self, **fields: Any) -> bytes:
        fields = {"sequence_id": self._next(Sync), "flags": Flag.TWO_STEP, "log_interval": 0, "control": 0, **fields}
        return encode(Sync(self.identity, **fields))

    def follow_up(self, origin_ns: int, **fields: Any) -> bytes:
        fields = {"sequence_id": self._sequences.get(Sync, 0), "log_interval": 0, "control": 2, **fields}
        return encode(FollowUp(self.identity, precise_origin_ns=origin_ns, **fields))

    def delay_req(self, **fields: Any) -> bytes:
        return encode(DelayReq(self.identity, **{"sequence_id": self._next(DelayReq), "control": 1, **fields}))

    def delay_resp(self, request: Message, receive_ns: int, **fields: Any) -> bytes:
        fields = {"sequence_id": request.sequence_id, "requesting": request.source, "log_interval": 0, **fields}
        return encode(DelayResp(self.identity, receive_ns=receive_ns, control=3, **fields))

    def pdelay_req(self, **fields: Any) -> bytes:
        return encode(
            PdelayReq(self.identity, **{"sequence_id": self._next(PdelayReq), "log_interval": 0x7F, **fields})
        )

    def pdelay_resp(self, request: Message, receipt_ns: int = 0, **fields: Any) -> bytes:
        fields = {"sequence_id": request.sequence_id, "requesting": request.source, "flags": Flag.TWO_STEP, **fields}
        return encode(PdelayResp(self.identity, request_receipt_ns=receipt_ns, control=5, log_interval=0x7F, **fields))

    def pdelay_follow_up(self, request: Message, origin_ns: int = 0, **fields: Any) -> bytes:
        fields = {"sequence_id": request.sequence_id, "requesting": request.source, **fields}
        return encode(
            PdelayRespFollowUp(self.identity, response_origin_ns=origin_ns, control=5, log_interval=0x7F, **fields)
        )


@dataclass
class _Speaker:
    peer: Peer
    port: int
    interval_ns: int
    due_ns: int


class Bench:
    def __init__(
        self,
        ports: int = 1,
        *,
        number: int = 0x50,
        seed: int = 1,
        port: dict[str, Any] | None = None,
        port_each: tuple[dict[str, Any], ...] = (),
        **options: Any,
    ) -> None:
        each = [{**(port or {}), **(port_each[n] if n < len(port_each) else {})} for n in range(ports)]
        self.instance = Instance(
            InstanceOptions(
                name="bench",
                clock_identity=identity(number),
                ports=tuple(PortOptions(channel=f"p{n}", **fields) for n, fields in enumerate(each, 1)),
                **options,
            ),
            random.Random(seed),
        )
        self.now = START
        self.ptp_offset_ns = 0
        self.effects: list[tuple[int, Effect]] = []
        self.speakers: list[_Speaker] = []
        #: the stamp of an event message as it leaves; None = it never comes
        self.egress: Callable[[Message], int | None] = lambda message: self.clock_sns
        #: event messages whose stamps a test hands over itself; None: stamps come at once
        self.held: list[Send] | None = None
        self._take(self.instance.start(self.now))

    @property
    def clock_sns(self) -> int:
        return (self.now + self.ptp_offset_ns) << 16

    def _take(self, effects: list[Effect]) -> list[Effect]:
        """Note effects; stamp event messages at once. Returns them, and what the stamps led to."""
        taken: list[Effect] = []
        pending = list(effects)
        while pending:
            effect = pending.pop(0)
            taken.append(effect)
            self.effects.append((self.now, effect))
            if isinstance(effect, Send) and effect.token not in (None, ONE_STEP):
                if self.held is not None:
                    self.held.append(effect)
                    continue
                stamp = self.egress(decode(effect.octets))
                assert effect.token is not None
                pending += self.instance.transmitted(effect.token, stamp, self.now)
        return taken

    # ---- inputs -----------------------------------------------------------------------------------------------

    def receive(
        self, octets: bytes, port: int = 1, *, stamp: int | str | None = "now", address: str = ""
    ) -> list[Effect]:
        """Hand a frame to a port. ``stamp``: the ingress stamp (sns), None, or ``now``."""
        ingress = self.clock_sns if stamp == "now" else stamp
        assert ingress is None or isinstance(ingress, int)
        if octets[0] & 0x0F >= 8:
            ingress = None
        return self._take(self.instance.receive(port, octets, ingress, address, self.now))

    def call(self, method: str, *arguments: Any) -> list[Effect]:
        """Another input method of the instance, with ``now`` put last."""
        return self._take(getattr(self.instance, method)(*arguments, self.now))

    def locked(self, locked: bool = True) -> list[Effect]:
        return self._take(self.instance.synchronised(locked, self.now, "test"))

    def hear(self, peer: Peer, port: int = 1, every_s: float = 2.0) -> None:
        """The peer announces itself on a port from now on."""
        self.speakers.append(_Speaker(peer, port, round(every_s * S), self.now))

    def silence(self, peer: Peer, port: int | None = None) -> None:
        self.speakers = [s for s in self.speakers if s.peer is not peer or (port is not None and s.port != port)]

    def run(self, seconds: float) -> None:
        end = self.now + round(seconds * S)
        while True:
            speaker = min(self.speakers, key=lambda s: s.due_ns, default=None)
            deadline = self.instance.next_deadline()
            if speaker is not None and speaker.due_ns <= end and (deadline is None or speaker.due_ns <= deadline):
                self.now = max(self.now, speaker.due_ns)
                speaker.due_ns += speaker.interval_ns
                self.receive(speaker.peer.announce(), speaker.port)
            elif deadline is not None and deadline <= end:
                self.now = max(self.now, deadline)
                self._take(self.instance.timer(self.now))
            else:
                break
        self.now = end

    def follow(self, peer: Peer, port: int = 1) -> None:
        """Two Announces, so that the port follows; the peer goes on announcing."""
        self.hear(peer, port)
        self.run(2.0)
        assert self.port(port).state in (PortState.UNCALIBRATED, PortState.SLAVE), self.port(port).decision

    def measure(self, peer: Peer, port: int = 1, delay_ns: int = 0, **fields: Any) -> list[Effect]:
        """A two-step Sync of the peer, ``delay_ns`` on its way."""
        origin = self.now - delay_ns
        number = {"sequence_id": fields["sequence_id"]} if "sequence_id" in fields else {}
        return self.receive(peer.sync(**fields), port) + self.receive(peer.follow_up(origin, **number), port)

    def stamp(self, send: Send, egress_sns: int | None) -> list[Effect]:
        """The transmit stamp of an event message that was held."""
        assert send.token is not None
        return self._take(self.instance.transmitted(send.token, egress_sns, self.now))

    # ---- what came out ----------------------------------------------------------------------------------------

    def port(self, number: int = 1) -> Port:
        return self.instance.ports[number - 1]

    def states(self) -> list[str]:
        return [p.state.name for p in self.instance.ports]

    def codes(self) -> dict[int, str]:
        """The newest recommendation of each port."""
        return {r.port: r.code for r in self.instance.election.recommendations}

    def clear(self) -> None:
        self.effects.clear()

    def sent(self, kind: type[M] | None = None, port: int | None = None) -> list[M]:
        return [message for _, message in self.sent_at(kind, port)]

    def sent_at(self, kind: type[M] | None = None, port: int | None = None) -> list[tuple[int, M]]:
        found: list[tuple[int, Any]] = []
        for when, effect in self.effects:
            if isinstance(effect, Send) and (port is None or effect.channel == f"p{port}"):
                message = decode(effect.octets)
                if kind is None or isinstance(message, kind):
                    found.append((when, message))
        return found

    def all(self, kind: type[E]) -> list[E]:
        return [e for _, e in self.effects if isinstance(e, kind)]


def syncs(effects: list[Effect]) -> list[SyncMeasured]:
    return [e for e in effects if isinstance(e, SyncMeasured)]


def delays(effects: list[Effect]) -> list[DelayMeasured]:
    return [e for e in effects if isinstance(e, DelayMeasured)]


def links(effects: list[Effect]) -> list[LinkDelayMeasured]:
    return [e for e in effects if isinstance(e, LinkDelayMeasured)]


def changes(effects: list[Effect]) -> list[tuple[int, str, str]]:
    return [(e.port, e.old.name, e.new.name) for e in effects if isinstance(e, StateChanged)]


def parents(effects: list[Effect]) -> list[PortIdentity]:
    return [e.new for e in effects if isinstance(e, ParentChanged)]
