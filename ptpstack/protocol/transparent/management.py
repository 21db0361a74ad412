"""Management messages at a transparent clock: all pass as they are, and what asks for its data sets is answered, too.

IEEE 1588-2019 15, 8.3; not checked against the text.

1. GET of TRANSPARENT_CLOCK_DEFAULT_DATA_SET, TRANSPARENT_CLOCK_PORT_DATA_SET, PRIMARY_DOMAIN and NULL_MANAGEMENT is
   answered in any domain: these data sets belong to none. Nothing is set from the network.
2. What else it is asked is refused only when it is meant by its clockIdentity, and no instance with that is inside.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ptpstack.protocol.management.access import Bucket
from ptpstack.protocol.management.port_ids import MECHANISM_CODES
from ptpstack.protocol.transparent.passage import Port
from ptpstack.wire.codec import decode, encode
from ptpstack.wire.errors import MalformedFrame
from ptpstack.wire.management import (
    COMMAND,
    GET,
    NO_SUCH_ID,
    NOT_SETABLE,
    NOT_SUPPORTED,
    RESPONSE,
    SET,
    WRONG_VALUE,
)
from ptpstack.wire.management.rows import MANAGEMENT_IDS
from ptpstack.wire.messages import Management
from ptpstack.wire.own_envelope import from_here, is_group
from ptpstack.wire.tlv import Tlv
from ptpstack.wire.tlvs.management import ManagementErrorStatus, ManagementTlv
from ptpstack.wire.types import ALL_CLOCKS, ALL_PORTS, PortIdentity

if TYPE_CHECKING:
    from ptpstack.protocol.transparent.clock import TransparentClock

_NULL, _DEFAULT, _PORT, _PRIMARY_DOMAIN = 0x0000, 0x4000, 0x4001, 0x4002
_ANSWERED = (_NULL, _DEFAULT, _PORT, _PRIMARY_DOMAIN)


class Managed:
    def __init__(self, clock: TransparentClock) -> None:
        self._clock = clock
        self._bucket = Bucket()

    def message(self, port: Port, octets: bytes, address: str, now: int) -> None:
        """A management message that has passed: answer it by the port it came by, when it is for this clock."""
        if port.inside or not is_group(address):
            return
        try:
            message = decode(octets)
        except MalformedFrame as error:
            port.counters[f"management-{error.reason}"] += 1
            return
        assert isinstance(message, Management)
        own = self._clock.options.clock_identity
        action = message.action & 0x0F
        if action not in (GET, SET, COMMAND) or message.target.clock_identity not in (own, ALL_CLOCKS):
            return
        tlvs = [tlv for tlv in message.tlvs if isinstance(tlv, ManagementTlv)]
        if len(tlvs) != 1:
            return
        if not self._bucket.take(now):
            port.counters["management-rate-limit"] += 1
            return
        for number, answer in self._answers(message, action, tlvs[0].management_id):
            response = Management(
                PortIdentity(own, number or port.number),
                message.sequence_id,
                domain=message.domain,
                sdo_id=message.sdo_id,
                control=4,
                minor_version=message.minor_version,
                target=message.source,
                action=RESPONSE,
                tlvs=(answer,),
            )
            hops = (message.starting_boundary_hops - message.boundary_hops) & 0xFF
            response.starting_boundary_hops = response.boundary_hops = hops
            self._clock.send_own(port, encode(response), from_here(address))

    def _answers(self, message: Management, action: int, management_id: int) -> list[tuple[int, Tlv]]:
        """With the port that each is of; 0: that by which it was asked."""
        meant = message.target.clock_identity != ALL_CLOCKS
        if management_id in _ANSWERED and action == GET:
            return self._got(management_id, message.target.port_number, meant)
        if not meant or self._clock.options.inside:
            return []
        if management_id in _ANSWERED:
            refusal = NOT_SETABLE if action == SET else NOT_SUPPORTED
        else:
            refusal = NOT_SUPPORTED if management_id in MANAGEMENT_IDS else NO_SUCH_ID
        return [(0, ManagementErrorStatus(refusal, management_id, "a transparent clock only tells"))]

    def _got(self, management_id: int, number: int, meant: bool) -> list[tuple[int, Tlv]]:
        row = MANAGEMENT_IDS[management_id]
        ports = [port for port in self._clock.ports.values() if not port.inside]
        if number not in (0, ALL_PORTS) and number > len(ports):
            text = f"there is no port {number}"
            return [(0, ManagementErrorStatus(WRONG_VALUE, management_id, text))] if meant else []
        if management_id != _PORT:
            return [(0, ManagementTlv(management_id, row.encode(self._values(management_id))))]
        wanted = [port for port in ports if number in (port.number, ALL_PORTS)]
        return [(port.number, ManagementTlv(_PORT, row.encode(self._port_values(port)))) for port in wanted]

    def _values(self, management_id: int) -> dict[str, Any]:
        options = self._clock.options
        if management_id == _NULL:
            return {}
        if management_id == _PRIMARY_DOMAIN:
            return {"primaryDomain": options.domain}
        return {
            "clockIdentity": options.clock_identity,
            "numberPorts": len(options.ports),
            "delayMechanism": MECHANISM_CODES[options.delay_mechanism],
            "primaryDomain": options.domain,
        }

    def _port_values(self, port: Port) -> dict[str, Any]:
        options = self._clock.options
        delay_sns = self._clock.mechanism.link_delay_sns(port)
        return {
            "portIdentity": PortIdentity(options.clock_identity, port.number),
            "faultyFlag": not port.up,
            "logMinPdelayReqInterval": options.log_min_pdelay_req_interval,
            "meanLinkDelay": delay_sns or 0,
        }
