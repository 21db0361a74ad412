"""What a NIC does to one-step messages as they leave: in the simulator it does so exactly."""

from __future__ import annotations

from struct import Struct

from ptpstack.timebase.units import NS_PER_S
from ptpstack.wire.types import MessageType

_CORRECTION_AT = 8
_CORRECTION = Struct(">q")
_SOURCE, _SEQUENCE = slice(20, 30), slice(30, 32)
#: originTimestamp of Sync, and requestingPortIdentity of Pdelay_Resp
_TIMESTAMP_AT = 34
_TIMESTAMP = Struct(">HII")
_REQUESTING = slice(44, 54)


class OneStepNic:
    """Of one port. ``pdelay``: Pdelay_Resp, too."""

    def __init__(self, *, pdelay: bool) -> None:
        self.pdelay = pdelay
        #: requesting port and sequenceId of the newest Pdelay_Req, and when it came
        self._request: tuple[bytes, int] = (b"", 0)

    def received(self, octets: bytes, ingress_sns: int) -> None:
        if octets[0] & 0x0F == MessageType.PDELAY_REQ:
            self._request = (octets[_SOURCE] + octets[_SEQUENCE], ingress_sns)

    def leaves(self, octets: bytes, egress_sns: int) -> bytes:
        """``octets`` with the time of their egress in them."""
        frame = bytearray(octets)
        (correction,) = _CORRECTION.unpack_from(frame, _CORRECTION_AT)
        if octets[0] & 0x0F == MessageType.SYNC:
            seconds, ns = divmod(egress_sns >> 16, NS_PER_S)
            _TIMESTAMP.pack_into(frame, _TIMESTAMP_AT, seconds >> 32, seconds & 0xFFFFFFFF, ns)
            correction += egress_sns & 0xFFFF
        elif self._request[0] == octets[_REQUESTING] + octets[_SEQUENCE]:
            correction += egress_sns - self._request[1]
        _CORRECTION.pack_into(frame, _CORRECTION_AT, correction)
        return bytes(frame)
