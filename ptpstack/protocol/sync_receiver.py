"""Sync and Follow_Up of one parent, paired (IEEE 1588-2019 9.5.4, 9.5.5, 11.2; not checked against the text).

Holds at most one Sync and one Follow_Up, whichever came first; anything else replaces what waits and is counted.
"""

from __future__ import annotations

from collections import Counter, deque
from typing import NamedTuple

from ptpstack.timebase.units import INTERVAL_MAX_SNS, INTERVAL_MIN_SNS
from ptpstack.wire.messages import FollowUp, Sync
from ptpstack.wire.tlvs.ieee802_1as import FollowUpInformation
from ptpstack.wire.types import Flag

#: Syncs of a master that is not accepted yet: how many are kept, and for how long.
EARLY_SYNCS = 4
EARLY_AGE_NS = 20_000_000_000


class CompleteSync(NamedTuple):
    sequence_id: int
    t1_sns: int
    t2_sns: int
    correction_sns: int
    log_interval: int
    #: Follow_Up information TLV (IEEE 802.1AS)
    information: FollowUpInformation | None = None


class _WaitingSync(NamedTuple):
    sequence_id: int
    ingress_sns: int
    correction_sns: int
    log_interval: int


class SyncReceiver:
    def __init__(self, counters: Counter[str]) -> None:
        self._counters = counters
        self._sync: _WaitingSync | None = None
        self._follow_up: FollowUp | None = None
        self._done: int | None = None

    def flush(self) -> None:
        """Forget what waits: another parent, or the clock was stepped."""
        self._sync = self._follow_up = self._done = None

    def sync(self, message: Sync, ingress_sns: int | None, asymmetry_sns: int) -> CompleteSync | None:
        """``ingress_sns`` is corrected for ingress latency; ``asymmetry_sns`` is added to the correction (11.6)."""
        if ingress_sns is None:
            self._counters["sync-without-stamp"] += 1
            return None
        if not representable(message.correction_sns):
            self._counters["correction-overflow"] += 1
            return None
        sequence = message.sequence_id
        if sequence == self._done:
            self._counters["sync-duplicate"] += 1
            return None
        if self._sync is not None:
            self._counters["sync-without-follow-up"] += 1
            self._sync = None
        correction = message.correction_sns + asymmetry_sns
        if not message.flags & Flag.TWO_STEP:
            self._follow_up = None
            self._done = sequence
            origin = message.origin_ns << 16
            told = _information(message)
            return CompleteSync(sequence, origin, ingress_sns, correction, message.log_interval, told)
        self._sync = _WaitingSync(sequence, ingress_sns, correction, message.log_interval)
        early = self._follow_up
        if early is not None:
            self._follow_up = None
            if early.sequence_id == sequence:
                return self._complete(early)
            self._counters["follow-up-unmatched"] += 1
        return None

    def follow_up(self, message: FollowUp) -> CompleteSync | None:
        if not representable(message.correction_sns):
            self._counters["correction-overflow"] += 1
            return None
        if self._sync is not None and self._sync.sequence_id == message.sequence_id:
            return self._complete(message)
        if self._done is not None:
            age = (self._done - message.sequence_id) & 0xFFFF
            if age == 0:
                self._counters["follow-up-duplicate"] += 1
                return None
            if age < 0x8000:
                self._counters["follow-up-late"] += 1
                return None
        if self._follow_up is not None:
            self._counters["follow-up-unmatched"] += 1
        self._follow_up = message
        return None

    def _complete(self, follow_up: FollowUp) -> CompleteSync:
        waiting = self._sync
        assert waiting is not None
        self._sync = None
        self._done = waiting.sequence_id
        return CompleteSync(
            waiting.sequence_id,
            follow_up.precise_origin_ns << 16,
            waiting.ingress_sns,
            waiting.correction_sns + follow_up.correction_sns,
            waiting.log_interval,
            _information(follow_up),
        )


def _information(message: Sync | FollowUp) -> FollowUpInformation | None:
    return next((tlv for tlv in message.tlvs if isinstance(tlv, FollowUpInformation)), None)


class EarlySyncs:
    """What a master has sent before it was accepted: with its Syncs a client can begin the moment it follows."""

    def __init__(self, counters: Counter[str]) -> None:
        self.receiver = SyncReceiver(counters)
        self._complete: deque[tuple[CompleteSync, int]] = deque(maxlen=EARLY_SYNCS)

    def keep(self, complete: CompleteSync, now: int) -> None:
        self._complete.append((complete, now))

    def take(self, now: int) -> list[tuple[CompleteSync, int]]:
        """The complete ones, oldest first, with when they were received (ns); what is too old is left out."""
        fresh = [(complete, at) for complete, at in self._complete if now - at <= EARLY_AGE_NS]
        self._complete.clear()
        return fresh

    def flush(self) -> None:
        self.receiver.flush()
        self._complete.clear()


def representable(correction_sns: int) -> bool:
    """The extremes of TimeInterval mean "too big to represent" (5.3.2): such a sample is of no use."""
    return INTERVAL_MIN_SNS < correction_sns < INTERVAL_MAX_SNS
