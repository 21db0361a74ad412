"""managementIds of unicast discovery and negotiation (16.1, 17.4): read only, the table is the site file's."""

from __future__ import annotations

from ptpstack.protocol.management.table import Request, Served, Values
from ptpstack.protocol.unicast_discovery import Server
from ptpstack.wire.management.kinds import parse_address
from ptpstack.wire.tlvs.port import PortAddress
from ptpstack.wire.types import PortIdentity, PortState

#: as many as a table of a site file may have
MAX_TABLE = 64
_NOBODY = PortIdentity(bytes(8), 0)


def _enabled(request: Request, values: Values) -> Values:
    port = request.port
    return {"enable": port.unicast_service is not None or port.unicast_discovery is not None}


def _table(request: Request, values: Values) -> Values:
    return {
        "logQueryInterval": request.port.options.unicast.log_query_interval,
        "portAddresses": [{"portAddress": _address(server.address)} for server in _servers(request)],
    }


def _max_table(request: Request, values: Values) -> Values:
    return {"maxTableSize": MAX_TABLE}


def _masters(request: Request, values: Values) -> Values:
    """linuxptp's: each server as it announces itself."""
    return {"unicastMasters": [_master(request, server) for server in _servers(request)]}


def _master(request: Request, server: Server) -> Values:
    port = request.port
    discovery = port.unicast_discovery
    record = port.foreign.get(server.identity)
    announce = None if record is None else record.announce
    return {
        "portIdentity": _NOBODY if announce is None else announce.source,
        "clockClass": 0 if announce is None else announce.quality.clock_class,
        "clockAccuracy": 0 if announce is None else announce.quality.clock_accuracy,
        "offsetScaledLogVariance": 0 if announce is None else announce.quality.offset_scaled_log_variance,
        "selected": int(discovery is not None and discovery.selected is server),
        "portState": int(port.state if announce is not None else PortState.LISTENING),
        "priority1": 0 if announce is None else announce.priority1,
        "priority2": 0 if announce is None else announce.priority2,
        "portAddress": _address(server.address),
    }


def _servers(request: Request) -> list[Server]:
    discovery = request.port.unicast_discovery
    return [] if discovery is None else list(discovery.servers.values())


def _address(text: str) -> PortAddress:
    try:
        return parse_address(text)
    except ValueError:
        return PortAddress(0xFFFE, text.encode()[:64])


UNICAST_IDS: dict[int, Served] = {
    0x2014: Served(_enabled),
    0x2018: Served(_table),
    0x2019: Served(_max_table),
    0xC008: Served(_masters),
}
