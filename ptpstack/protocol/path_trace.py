"""Path trace (IEEE 1588-2019 16.2, not checked against the text): every Announce lists the clocks it came through.

1. An Announce that lists our own clock has gone round a loop and is refused.
2. A master port sends its parent's list and itself behind it; a grandmaster only itself. A parent without the TLV
   begins a list anew.
3. A list too long for a frame is not sent at all: half a list would hide loops.
"""

from __future__ import annotations

from ptpstack.protocol.announce_options import AnnounceOption
from ptpstack.protocol.datasets import DataSets
from ptpstack.wire.messages import Announce
from ptpstack.wire.tlv import Tlv
from ptpstack.wire.tlvs.announce import PathTrace
from ptpstack.wire.types import ClockIdentity

#: Identities of a list that fits into an Ethernet frame with every header and room for other TLVs.
MAX_PATH = 128


class PathTracing(AnnounceOption):
    """pathTraceDS (8.2.8)."""

    def __init__(self, own: ClockIdentity) -> None:
        self._own = own
        #: pathTraceDS.list: as received from the parent
        self.list: tuple[ClockIdentity, ...] = ()

    def refuses(self, announce: Announce) -> str:
        return "drop-announce-path-trace" if self._own in _path(announce) else ""

    def followed(self, announce: Announce) -> None:
        self.list = _path(announce)

    def grandmaster(self) -> None:
        self.list = ()

    def tlvs(self, data: DataSets) -> tuple[Tlv, ...]:
        path = (*self.list, self._own)
        return (PathTrace(path),) if len(path) <= MAX_PATH else ()


def _path(announce: Announce) -> tuple[ClockIdentity, ...]:
    for tlv in announce.tlvs:
        if isinstance(tlv, PathTrace):
            return tlv.path
    return ()
