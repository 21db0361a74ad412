"""End-to-end delay: the answering side (IEEE 1588-2019 9.5.12, 11.3; not checked against the text).

Delay_Req is the one message that a grandmaster gets by the thousand. A plain one (no TLV, nothing odd) is told by its
first six octets and answered straight from its octets; everything else is decoded and answered in general. Tests hold
that both ways give the same octets.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from struct import Struct

from ptpstack.protocol.datasets import PortDS
from ptpstack.protocol.options import InstanceOptions
from ptpstack.timebase.units import INTERVAL_MAX_SNS, INTERVAL_MIN_SNS, TIMESTAMP_END_SNS, saturate_interval
from ptpstack.wire.messages import CONTROL_FIELD, DelayReq, DelayResp
from ptpstack.wire.types import Flag, MessageType, PortState

#: of a Delay_Req: flagField, correctionField, sourcePortIdentity (2), sequenceId, nanoseconds of originTimestamp
_REQUEST = Struct(">6xHq4x8sHH2x6xI")
#: a Delay_Resp; the first 6 octets (messageType to minorSdoId) are the same in all that one port sends
_RESPONSE = Struct(">6sHq4x10sHBbHII8sH")
_PLAIN_LENGTH = 44
#: an enumeration's member costs a look-up that the way of a Delay_Req need not pay
_MASTER = PortState.MASTER
_UNICAST = int(Flag.UNICAST)


class DelayResponder:
    def __init__(
        self,
        options: InstanceOptions,
        ds: PortDS,
        ingress_latency_sns: int,
        counters: Counter[str],
        group: str | None = None,
    ) -> None:
        """``group``: where answers to multicast go."""
        self._group = group
        self._options = options
        self._ds = ds
        self._ingress_latency_sns = ingress_latency_sns
        self._counters = counters
        #: (unicast, address, sourcePortIdentity) of a request: the name of a counter when it is not answered, else ""
        self.refuses: Callable[[bool, str, tuple[bytes, int]], str] | None = None
        identity = ds.port_identity
        self._clock_identity = identity.clock_identity
        self._number = identity.port_number
        self._identity_octets = identity.clock_identity + identity.port_number.to_bytes(2, "big")
        major, minor = options.sdo_id >> 8, options.sdo_id & 0xFF
        self._head = bytes(
            (major << 4 | MessageType.DELAY_RESP, options.minor_version << 4 | 2, 0, 54, options.domain, minor)
        )
        #: the first six octets of the Delay_Reqs that ``answer_plain`` is for: any minorVersionPTP
        self.plain_requests = frozenset(
            bytes((major << 4 | MessageType.DELAY_REQ, version << 4 | 2, 0, _PLAIN_LENGTH, options.domain, minor))
            for version in range(16)
        )

    def answer_plain(self, octets: bytes, ingress_sns: int | None, address: str) -> tuple[bytes, str | None] | None:
        """(Delay_Resp, destination) for a frame that begins with one of ``plain_requests``.

        None when it is anything but plain (malformed, no stamp, not our business now): the general way deals with it.
        """
        if ingress_sns is None or self._ds.port_state is not _MASTER or len(octets) < _PLAIN_LENGTH:
            return None
        flags, correction, clock, port_number, sequence, nanoseconds = _REQUEST.unpack_from(octets)
        if nanoseconds >= 1_000_000_000 or not 0 < port_number < 0xFFFF:
            return None
        if clock == self._clock_identity and port_number == self._number:
            return None
        unicast = flags & _UNICAST
        if self.refuses is not None and self.refuses(unicast != 0, address, (clock, port_number)):
            return None
        t4 = ingress_sns - self._ingress_latency_sns
        if not 0 <= t4 < TIMESTAMP_END_SNS:
            return None
        if correction < INTERVAL_MAX_SNS:
            correction -= t4 & 0xFFFF
            if correction < INTERVAL_MIN_SNS:
                correction = INTERVAL_MIN_SNS
        seconds, ns = divmod(t4 >> 16, 1_000_000_000)
        counters = self._counters
        counters["rx-delay_req"] += 1
        counters["tx-delay_resp"] += 1
        answer = _RESPONSE.pack(
            self._head,
            unicast,
            correction,
            self._identity_octets,
            sequence,
            3,
            0x7F if unicast else self._ds.log_min_delay_req_interval,
            seconds >> 32,
            seconds & 0xFFFFFFFF,
            ns,
            clock,
            port_number,
        )
        return answer, address if unicast else self._group

    def answer(self, request: DelayReq, ingress_sns: int | None) -> DelayResp | None:
        """The Delay_Resp, or None (counted) when there is none to give."""
        if self._ds.port_state is not PortState.MASTER:
            self._counters["drop-state"] += 1
            return None
        if ingress_sns is None:
            self._counters["delay-req-received-without-stamp"] += 1
            return None
        t4 = ingress_sns - self._ingress_latency_sns
        if not 0 <= t4 < TIMESTAMP_END_SNS:
            # a clock that was never set, less the latency, or one that is absurdly far ahead: no Timestamp can say that
            self._counters["stamp-out-of-range"] += 1
            return None
        unicast = request.flags & Flag.UNICAST
        correction = request.correction_sns
        if correction != INTERVAL_MAX_SNS:  # "too big to represent" stays so
            correction = saturate_interval(correction - (t4 & 0xFFFF))
        return DelayResp(
            self._ds.port_identity,
            request.sequence_id,
            domain=self._options.domain,
            sdo_id=self._options.sdo_id,
            flags=unicast,
            correction_sns=correction,
            log_interval=0x7F if unicast else self._ds.log_min_delay_req_interval,
            control=CONTROL_FIELD[MessageType.DELAY_RESP],
            minor_version=self._options.minor_version,
            receive_ns=t4 >> 16,
            requesting=request.source,
        )
