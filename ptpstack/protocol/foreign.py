"""Foreign masters of one port (IEEE 1588-2019 9.3.2.4, 9.3.2.5; not checked against the text).

A sender qualifies with FOREIGN_MASTER_THRESHOLD Announces (two; one where the BMCA variant says so) inside
FOREIGN_MASTER_TIME_WINDOW. The list is capped:
a stranger who invents identities can push out other unqualified strangers, never a qualified master or the parent.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ptpstack.protocol.sync_receiver import EarlySyncs
from ptpstack.wire.messages import Announce
from ptpstack.wire.types import PortIdentity

if TYPE_CHECKING:
    from ptpstack.protocol.admission import Bucket

FOREIGN_MASTER_WINDOW_INTERVALS = 4


@dataclass(slots=True)
class ForeignMaster:
    sender: PortIdentity
    announce: Announce
    last_ns: int
    previous_ns: int | None = None
    received: int = 1
    address: str = ""
    #: Announces inside the window that qualify it: 1 or 2
    threshold: int = 2
    #: when it was back after it had been lost; None: never lost
    restored_ns: int | None = None
    #: what it has sent beside Announces, while nobody followed it
    early: EarlySyncs | None = None
    #: what it may send (admission.py)
    bucket: Bucket | None = None

    def qualified(self, now: int, window_ns: int) -> bool:
        """The newest two Announces (or the newest) lie inside the window that ends now."""
        if self.threshold == 1:
            return now - self.last_ns < window_ns
        return self.previous_ns is not None and now - self.previous_ns < window_ns


class ForeignMasters:
    """foreignMasterDS of a port."""

    def __init__(self, capacity: int, threshold: int = 2) -> None:
        self._threshold = threshold
        self._records: dict[PortIdentity, ForeignMaster] = {}
        self._capacity = max(5, capacity)
        #: senders that were qualified and fell silent, the newest last
        self._lost: dict[PortIdentity, None] = {}
        self.evicted = 0

    def __len__(self) -> int:
        return len(self._records)

    def __iter__(self) -> Iterator[ForeignMaster]:
        return iter(self._records.values())

    def get(self, sender: PortIdentity) -> ForeignMaster | None:
        return self._records.get(sender)

    def heard(self, announce: Announce, address: str, now: int, window_ns: int, keep: PortIdentity) -> str:
        """Take in an Announce. Answers ``new``, ``changed``, ``same``, ``qualified`` or ``refused``.

        ``keep`` is the parent's identity: never evicted.
        """
        record = self._records.get(announce.source)
        if record is None:
            if len(self._records) >= self._capacity and not self._make_room(now, window_ns, keep):
                return "refused"
            self._records[announce.source] = ForeignMaster(
                announce.source, announce, now, address=address, threshold=self._threshold
            )
            return "new" if self._threshold > 1 else self._qualified(self._records[announce.source])
        was_qualified = record.qualified(now, window_ns)
        changed = _content(record.announce) != _content(announce)
        record.announce = announce
        record.previous_ns, record.last_ns = record.last_ns, now
        record.received += 1
        record.address = address
        if not was_qualified and record.qualified(now, window_ns):
            return self._qualified(record)
        return "changed" if changed else "same"

    def _qualified(self, record: ForeignMaster) -> str:
        if record.sender in self._lost:
            del self._lost[record.sender]
            record.restored_ns = record.last_ns
        return "qualified"

    def _note_lost(self, record: ForeignMaster) -> None:
        if record.previous_ns is not None or record.threshold == 1:
            self._lost[record.sender] = None
            while len(self._lost) > self._capacity:
                del self._lost[next(iter(self._lost))]

    def _make_room(self, now: int, window_ns: int, keep: PortIdentity) -> bool:
        victims = [r for r in self._records.values() if r.sender != keep and not r.qualified(now, window_ns)]
        if not victims:
            return False
        oldest = min(victims, key=lambda r: r.last_ns)
        del self._records[oldest.sender]
        self.evicted += 1
        return True

    def expire(self, now: int, window_ns: int, keep: PortIdentity) -> bool:
        """Drop who has been silent for a window; True when a record went. The parent's ends by its own timeout."""
        gone = [s for s, r in self._records.items() if s != keep and now - r.last_ns > window_ns]
        for sender in gone:
            self._note_lost(self._records.pop(sender))
        return bool(gone)

    def forget(self, sender: PortIdentity) -> None:
        record = self._records.pop(sender, None)
        if record is not None:
            self._note_lost(record)

    def clear(self) -> None:
        self._records.clear()

    def candidates(self, now: int, window_ns: int, parent: PortIdentity) -> list[ForeignMaster]:
        """Who may be compared: the qualified, and the current parent whose newest Announce always counts."""
        return [r for r in self._records.values() if r.sender == parent or r.qualified(now, window_ns)]


def _content(announce: Announce) -> tuple[object, ...]:
    """What an election or a data set update depends on."""
    return (
        announce.priority1,
        announce.quality,
        announce.priority2,
        announce.grandmaster,
        announce.steps_removed,
        announce.current_utc_offset,
        announce.time_source,
        announce.flags & 0x7F,
    )
