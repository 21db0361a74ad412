"""Which sequenceIds of a sender have been accepted already: a signed frame that is sent again is refused.

1. A stream is one sender's messages of one type to one kind of destination (multicast or unicast): 7.3.7 counts each.
2. A number ahead of the last is new. One behind it is taken once, if it is late by no more than the window.
3. A stream is forgotten after ``memory_ns`` without an accepted frame: a sender that starts again counts from anywhere.
"""

from __future__ import annotations

from dataclasses import dataclass

from ptpstack.wire.types import PortIdentity

#: Streams remembered; only senders that hold a key can make one.
MAX_STREAMS = 4096
_HALF = 0x8000

Stream = tuple[PortIdentity, int, bool]


@dataclass(slots=True)
class _Seen:
    last: int
    #: bit n: ``last - n`` was accepted
    bits: int
    heard_ns: int


class ReplayWindow:
    def __init__(self) -> None:
        self._streams: dict[Stream, _Seen] = {}

    def accept(self, stream: Stream, sequence_id: int, window: int, memory_ns: int, now: int) -> bool:
        """Whether this number is new, or late by at most ``window``; it is remembered then. Times in ns."""
        seen = self._streams.get(stream)
        if seen is None or now - seen.heard_ns > memory_ns:
            self._streams.pop(stream, None)
            if len(self._streams) >= MAX_STREAMS:
                del self._streams[min(self._streams, key=lambda s: self._streams[s].heard_ns)]
            self._streams[stream] = _Seen(sequence_id, 1, now)
            return True
        ahead = (sequence_id - seen.last) & 0xFFFF
        if 0 < ahead < _HALF:
            seen.bits = (seen.bits << min(ahead, window + 1) | 1) & ((2 << window) - 1)
            seen.last = sequence_id
            seen.heard_ns = now
            return True
        late = (seen.last - sequence_id) & 0xFFFF
        if late > window or seen.bits >> late & 1:
            return False
        seen.bits |= 1 << late
        return True
