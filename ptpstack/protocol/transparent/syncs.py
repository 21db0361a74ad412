"""Sync and Follow_Up on their way through: what the Follow_Up carries, and what they tell of the master's second."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ptpstack.protocol.syntonisation import Syntonisation
from ptpstack.protocol.transparent.frames import (
    SOURCE,
    as_two_step,
    correction_sns,
    domain_of,
    follower,
    is_two_step,
    key_of,
    timestamp_sns,
)
from ptpstack.protocol.transparent.passage import Carrier, Handler, Passage, Port
from ptpstack.wire.types import MessageType

if TYPE_CHECKING:
    from ptpstack.protocol.transparent.clock import TransparentClock

MAX_EARLY = 256


class Syncs:
    def __init__(self, clock: TransparentClock) -> None:
        self._clock = clock
        self.syntonisation = Syntonisation()
        #: Follow_Ups that were quicker than their Sync: channel, octets, envelope, when they came
        self._early: dict[bytes, tuple[str, bytes, str, int]] = {}
        self.handlers: dict[int, Handler] = {MessageType.SYNC: self._sync, MessageType.FOLLOW_UP: self._follow_up}

    def clock_stepped(self) -> None:
        self._early.clear()
        self.syntonisation = Syntonisation()

    def expire(self, before_ns: int) -> None:
        """Forget the Follow_Ups that came before then."""
        while self._early:
            key = next(iter(self._early))
            channel, _, _, heard_ns = self._early[key]
            if heard_ns >= before_ns:
                break
            del self._early[key]
            self._clock.ports[channel].counters["drop-follow-up-without-sync"] += 1

    def _sync(self, port: Port, octets: bytes, ingress_sns: int | None, address: str, now: int) -> None:
        delay_sns = self._link_delay_sns(port)
        if delay_sns is None:
            return
        key = key_of(MessageType.SYNC, octets, octets[SOURCE])
        passage = self._clock.enter(key, port, as_two_step(octets), ingress_sns, address, now)
        early = self._early.pop(key, None)
        if not is_two_step(octets):
            made = follower(octets, MessageType.FOLLOW_UP, 44, 2)
            self._syntonise(octets, made, passage)
            self._spread(passage, made, address, port.asymmetry_sns, delay_sns)
        elif early is not None and early[0] == port.channel:
            self._follow_up(port, early[1], None, early[2], now)

    def _follow_up(self, port: Port, octets: bytes, ingress_sns: int | None, address: str, now: int) -> None:
        delay_sns = self._link_delay_sns(port)
        if delay_sns is None:
            return
        key = key_of(MessageType.SYNC, octets, octets[SOURCE])
        passage = self._clock.passage(key)
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
        self._spread(passage, octets, address, port.asymmetry_sns, delay_sns)

    def _link_delay_sns(self, port: Port) -> int | None:
        delay_sns = self._clock.mechanism.link_delay_sns(port)
        if delay_sns is None:
            port.counters["drop-sync-link-delay-unknown"] += 1
        return delay_sns

    def _spread(self, passage: Passage, octets: bytes, address: str, asymmetry_sns: int, delay_sns: int) -> None:
        """A Follow_Up leaves by every port that its Sync left by, with the link that both came by.

        Who is inside gets the measurements of the link themselves.
        """
        for channel in passage.left:
            extra_sns = asymmetry_sns + (0 if self._clock.ports[channel].inside else delay_sns)
            self._clock.carry(Carrier(octets, address, (channel,), ((passage, channel),), extra_sns))

    def _syntonise(self, sync: bytes, follow_up: bytes, passage: Passage) -> None:
        """Learn how the sender's seconds compare with ours: from its time stamp and when it came in."""
        if not self._clock.options.syntonise or passage.ingress_sns is None:
            return
        sent_sns = timestamp_sns(follow_up) + sum(correction_sns(octets) for octets in (sync, follow_up) if octets)
        self.syntonisation.saw(domain_of(follow_up), follow_up[SOURCE], sent_sns, passage.ingress_sns)
