"""What is due when, for thousands of things: a heap that forgets, and never grows beyond a small multiple of them.

A thing has one time. Putting it anew, or dropping it, leaves its old entry in the heap; old entries are thrown out when
they come up, and all at once when they are the majority.
"""

from __future__ import annotations

import heapq
from collections.abc import Hashable
from typing import Generic, TypeVar

from ptpstack.protocol.timers import NEVER

K = TypeVar("K", bound=Hashable)

#: old entries that are of no concern
_SLACK = 64


class Agenda(Generic[K]):
    def __init__(self) -> None:
        #: (due, number of the entry, key); numbers keep keys from being compared, and equals in their order
        self._heap: list[tuple[int, int, K]] = []
        self._newest: dict[K, int] = {}
        self._made = 0

    def __len__(self) -> int:
        return len(self._newest)

    def __contains__(self, key: K) -> bool:
        return key in self._newest

    def put(self, key: K, due: int) -> None:
        """``key`` is due then, and no longer at the time it had before."""
        self._made += 1
        self._newest[key] = self._made
        heapq.heappush(self._heap, (due, self._made, key))
        if len(self._heap) > 2 * len(self._newest) + _SLACK:
            newest = self._newest
            self._heap = [entry for entry in self._heap if newest.get(entry[2]) == entry[1]]
            heapq.heapify(self._heap)

    def drop(self, key: K) -> None:
        self._newest.pop(key, None)

    def clear(self) -> None:
        self._heap.clear()
        self._newest.clear()

    @property
    def due(self) -> int:
        """The earliest time, ``NEVER`` when there is nothing."""
        heap, newest = self._heap, self._newest
        while heap:
            due, number, key = heap[0]
            if newest.get(key) == number:
                return due
            heapq.heappop(heap)
        return NEVER

    def pop(self, now: int) -> K | None:
        """The earliest thing that is due at ``now``; it has no time any more. None: nothing is due."""
        heap, newest = self._heap, self._newest
        while heap and heap[0][0] <= now:
            _, number, key = heapq.heappop(heap)
            if newest.get(key) == number:
                del newest[key]
                return key
        return None
