"""What a transparent clock makes worse itself, in the TLV of the power profiles on an Announce that passes.

IEEE C37.238-2011 (networkTimeInaccuracy) and -2017 (totalTimeInaccuracy); not checked against the texts. An Announce
that is signed passes as it is: its ICV would not fit any longer.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ptpstack.protocol.power_profile import MOST
from ptpstack.protocol.transparent.passage import Port

if TYPE_CHECKING:
    from ptpstack.protocol.transparent.clock import TransparentClock

#: where TLVs begin in an Announce
_TLVS_AT = 64
_ORGANIZATION_EXTENSION, _AUTHENTICATION = 0x0003, 0x8009
#: organizationId and organizationSubType of both editions
_POWER = (bytes.fromhex("1c129d000001"), bytes.fromhex("1c129d000002"))
#: from the start of the TLV, in both editions
_INACCURACY_AT = 16
_LEAST = _INACCURACY_AT + 4


class PowerAdder:
    def __init__(self, clock: TransparentClock, time_inaccuracy_ns: int) -> None:
        self._clock = clock
        self._own_ns = time_inaccuracy_ns

    def announce(self, port: Port, octets: bytes, ingress_sns: int | None, address: str, now: int) -> None:
        if not port.inside:
            octets = self._added(port, octets)
        self._clock.forward(port, octets, None, address, now)

    def _added(self, port: Port, octets: bytes) -> bytes:
        end = min(int.from_bytes(octets[2:4], "big"), len(octets))
        at, found = _TLVS_AT, -1
        while at + 4 <= end:
            kind, length = int.from_bytes(octets[at : at + 2], "big"), int.from_bytes(octets[at + 2 : at + 4], "big")
            following = at + 4 + length
            if following > end:
                break
            if kind == _AUTHENTICATION:
                port.counters["power-tlv-signed"] += 1
                return octets
            if kind == _ORGANIZATION_EXTENSION and octets[at + 4 : at + 10] in _POWER and 4 + length >= _LEAST:
                found = at
            at = following
        if found < 0:
            return octets
        where = found + _INACCURACY_AT
        inaccuracy = min(MOST, int.from_bytes(octets[where : where + 4], "big") + self._own_ns)
        return octets[:where] + inaccuracy.to_bytes(4, "big") + octets[where + 4 :]
