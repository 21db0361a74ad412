"""managementIds that concern one port (15.5.3.7, CLOCK_DESCRIPTION and NULL_PTP_MANAGEMENT)."""

from __future__ import annotations

from ptpstack.protocol.live import set_members
from ptpstack.protocol.management.table import Refusal, Request, Served, Values
from ptpstack.protocol.options import DELAY_MECHANISMS
from ptpstack.wire.management import WRONG_VALUE
from ptpstack.wire.management.kinds import parse_address
from ptpstack.wire.tlvs.port import PortAddress

_OC, _BC = 0x8000, 0x4000
#: delayMechanism (8.2.15.4.4) by the name that options have for it
MECHANISM_CODES = {"E2E": 0x01, "P2P": 0x02, "COMMON_P2P": 0x03, "SPECIAL": 0x04, "NONE": 0xFE}
_MECHANISM_NAMES = {code: name for name, code in MECHANISM_CODES.items()}
_LOW, _HIGH = -10, 10


def _nothing(request: Request, values: Values) -> Values:
    return {}


def _ignore(request: Request, values: Values) -> None:
    """NULL_PTP_MANAGEMENT changes nothing."""


def _description(request: Request, values: Values) -> Values:
    options = request.options
    facts = request.around.channel(request.port.channel)
    try:
        address = parse_address(facts.address or facts.mac.hex(":"))
    except ValueError:
        # the interface is not there
        address = PortAddress(0xFFFE, b"")
    return {
        "clockType": _OC if len(request.instance.ports) == 1 else _BC,
        "physicalLayerProtocol": "IEEE 802.3",
        "physicalAddress": facts.mac,
        "protocolAddress": address,
        "manufacturerIdentity": options.manufacturer,
        "productDescription": options.product,
        "revisionData": options.revision,
        "userDescription": request.responder.user_description,
        "profileIdentity": options.profile_identity,
    }


def _port(request: Request, values: Values) -> Values:
    ds = request.port.ds
    return {
        "portIdentity": ds.port_identity,
        "portState": int(ds.port_state),
        "logMinDelayReqInterval": ds.log_min_delay_req_interval,
        "meanLinkDelay": ds.mean_link_delay_sns,
        "logAnnounceInterval": ds.log_announce_interval,
        "announceReceiptTimeout": ds.announce_receipt_timeout,
        "logSyncInterval": ds.log_sync_interval,
        "delayMechanism": MECHANISM_CODES[ds.delay_mechanism],
        "logMinPdelayReqInterval": ds.log_min_pdelay_req_interval,
        "versionNumber": 2,
    }


def _member(key: str, name: str, low: int, high: int) -> Served:
    """A member of portDS: ``key`` on the wire, ``name`` here."""

    def put(request: Request, values: Values) -> None:
        set_members(request.port, {name: request.within(name, values[key], low, high)}, request.now)

    return Served(_port, put)


def _set_version(request: Request, values: Values) -> None:
    if values["versionNumber"] & 0x0F != 2:
        raise Refusal(WRONG_VALUE, "only version 2")


def _enable(enabled: bool) -> Served:
    def command(request: Request, values: Values) -> None:
        request.act(request.instance.enable(request.port.number, enabled, request.now))

    return Served(command=command)


def _master_only(request: Request, values: Values) -> Values:
    return {"masterOnly": request.port.options.server_only}


def _set_master_only(request: Request, values: Values) -> None:
    wanted = values["masterOnly"]
    if wanted and request.instance.options.client_only:
        raise Refusal(WRONG_VALUE, "slaveOnly")
    if wanted != request.port.options.server_only:
        request.rebuild_port(server_only=wanted)


def _set_mechanism(request: Request, values: Values) -> None:
    name = _MECHANISM_NAMES.get(values["delayMechanism"])
    if name not in DELAY_MECHANISMS:
        raise Refusal(WRONG_VALUE, "not built in")
    if name == "COMMON_P2P" != request.port.ds.delay_mechanism:
        raise Refusal(WRONG_VALUE, "the service begins when the node starts")
    if name != request.port.ds.delay_mechanism:
        request.rebuild_port(delay_mechanism=name)


PORT_IDS: dict[int, Served] = {
    0x0000: Served(_nothing, _ignore, _ignore),
    0x0001: Served(_description),
    0x2004: Served(_port),
    0x2009: _member("logAnnounceInterval", "log_announce_interval", -7, _HIGH),
    0x200A: _member("announceReceiptTimeout", "announce_receipt_timeout", 2, 255),
    0x200B: _member("logSyncInterval", "log_sync_interval", _LOW, _HIGH),
    0x200C: Served(_port, _set_version),
    0x200D: _enable(True),
    0x200E: _enable(False),
    0x3001: Served(_master_only, _set_master_only),
    0x6000: Served(_port, _set_mechanism),
    0x6001: _member("logMinPdelayReqInterval", "log_min_pdelay_req_interval", -7, _HIGH),
}
