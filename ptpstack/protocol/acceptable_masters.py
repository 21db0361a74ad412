"""Acceptable master table (IEEE 1588-2019 17.5, not checked against the text): whom a port may follow at all.

1. Where the table is in force, an Announce of anybody else is dropped and counted.
2. An entry may replace the priority1 that its master announces, and say where the master stands by localPriority.
"""

from __future__ import annotations

from ptpstack.protocol.comparison import Candidate
from ptpstack.protocol.options import AcceptableMaster
from ptpstack.wire.types import ALL_PORTS, PortIdentity


class AcceptableMasters:
    def __init__(self, table: tuple[AcceptableMaster, ...]) -> None:
        self._table = {PortIdentity(entry.clock_identity, entry.port_number): entry for entry in table}

    def get(self, sender: PortIdentity) -> AcceptableMaster | None:
        """The entry of this very port, else that of its clock."""
        entry = self._table.get(sender)
        return entry or self._table.get(PortIdentity(sender.clock_identity, ALL_PORTS))

    def judged(self, candidate: Candidate) -> Candidate:
        """The candidate with what its entry says of it."""
        entry = self.get(candidate.sender) if self._table else None
        if entry is None:
            return candidate
        return candidate._replace(
            priority1=entry.alternate_priority1 or candidate.priority1,
            local_priority=entry.local_priority or candidate.local_priority,
        )
