"""nonvolatileStorageDS (IEEE 1588-2019 8.2.7): what management has set, with who set it, to be kept over a restart.

What is kept is the requests themselves, in their order: at the next start they are carried out again, by the same
rules.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from ptpstack.wire.management import COMMAND, SET

_ENABLE_PORT, _DISABLE_PORT = 0x200D, 0x200E
#: SETs that are no settings: an echo, the time, a subscription
_NOT_KEPT = frozenset({0x0000, 0x200F, 0xC003})


class Entry(NamedTuple):
    """One request: actionField, managementId, port (0: the clock), dataField; who asked, and when (PTP s, if known)."""

    action: int
    management_id: int
    port: int
    data: bytes
    way: str
    address: str
    at_s: int | None


class Storage:
    def __init__(self) -> None:
        #: newest last
        self._entries: dict[tuple[int, int], Entry] = {}

    def note(self, entry: Entry) -> None:
        """A request was carried out."""
        key = (entry.management_id, entry.port)
        if entry.action == COMMAND:
            if entry.management_id == _ENABLE_PORT:
                self._entries.pop((_DISABLE_PORT, entry.port), None)
            elif entry.management_id == _DISABLE_PORT:
                self._entries[key] = entry
        elif entry.action == SET and entry.management_id not in _NOT_KEPT:
            self._entries.pop(key, None)
            self._entries[key] = entry

    def forget(self, management_ids: Iterable[int]) -> None:
        """These do not hold any longer."""
        gone = frozenset(management_ids)
        self._entries = {key: entry for key, entry in self._entries.items() if key[0] not in gone}

    def entries(self) -> tuple[Entry, ...]:
        return tuple(self._entries.values())
