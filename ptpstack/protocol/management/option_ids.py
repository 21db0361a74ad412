"""managementIds of options: an id is served while its option is on, and shows what the site file says.

1. Nothing here is set by management: a table half changed would be worse than one that needs a restart.
2. Alternate time offsets are asked for by keyField.
"""

from __future__ import annotations

from ptpstack.protocol.alternate_time import AlternateTimes
from ptpstack.protocol.management.table import Refusal, Request, Served, Values
from ptpstack.protocol.options import InstanceOptions
from ptpstack.protocol.path_trace import PathTracing
from ptpstack.wire.management import WRONG_VALUE
from ptpstack.wire.tlvs.announce import AlternateTimeOffsetIndicator
from ptpstack.wire.types import PortIdentity, PortState

#: entries that a site file can give (schema.MAX_TABLES)
MAX_MASTERS = 64
_STATES = {"master": PortState.MASTER, "slave": PortState.SLAVE, "passive": PortState.PASSIVE}


def _path_trace_list(request: Request, values: Values) -> Values:
    lists = [option.list for option in request.instance.announce_options if isinstance(option, PathTracing)]
    return {"pathTrace": [{"clockIdentity": clock} for path in lists for clock in path]}


def _enabled(request: Request, values: Values) -> Values:
    return {"enable": True}


def _masters(request: Request, values: Values) -> Values:
    return {
        "masters": [
            {
                "acceptablePortIdentity": PortIdentity(master.clock_identity, master.port_number),
                "alternatePriority1": master.alternate_priority1,
            }
            for master in request.instance.options.acceptable_masters
        ]
    }


def _masters_only(request: Request, values: Values) -> Values:
    return {"enable": request.port.options.acceptable_masters_only}


def _masters_most(request: Request, values: Values) -> Values:
    return {"maxTableSize": MAX_MASTERS}


def _alternate_master(request: Request, values: Values) -> Values:
    return {
        "transmitAlternateMulticastSync": False,
        "logAlternateMulticastSyncInterval": 0,
        "numberOfAlternateMasters": request.port.options.alternate_masters,
    }


def _indicator(request: Request, values: Values) -> AlternateTimeOffsetIndicator | None:
    """What is said of a key now; None while nothing is. Refusal for a key that there is not."""
    wanted = values.get("keyField", 0)
    keys = [timescale.key for timescale in request.instance.options.alternate_timescales]
    if wanted not in keys:
        raise Refusal(WRONG_VALUE, f"keys: {', '.join(map(str, keys))}")
    for option in request.instance.announce_options:
        if isinstance(option, AlternateTimes):
            return next((tlv for tlv in option.own if tlv.key == wanted), None)
    return None


def _offset_enabled(request: Request, values: Values) -> Values:
    said = _indicator(request, values)
    return {"keyField": values.get("keyField", 0), "enable": said is not None}


def _offset_name(request: Request, values: Values) -> Values:
    _indicator(request, values)
    wanted = values.get("keyField", 0)
    scales = request.instance.options.alternate_timescales
    return {"keyField": wanted, "displayName": next(t.name for t in scales if t.key == wanted)}


def _offset_most(request: Request, values: Values) -> Values:
    return {"maxKey": max(timescale.key for timescale in request.instance.options.alternate_timescales)}


def _offset_properties(request: Request, values: Values) -> Values:
    said = _indicator(request, values) or AlternateTimeOffsetIndicator(values.get("keyField", 0), 0)
    return {
        "keyField": said.key,
        "currentOffset": said.current_offset_s,
        "jumpSeconds": said.jump_s,
        "timeOfNextJump": said.time_of_next_jump_s,
    }


def _desired_state(request: Request, values: Values) -> Values:
    options = request.port.options
    return {"acceptableMaster": options.acceptable_masters_only, "desiredState": _STATES[options.desired_state]}


def option_ids(options: InstanceOptions) -> dict[int, Served]:
    """The ids of the options that are on."""
    served: dict[int, Served] = {}
    if options.path_trace:
        served |= {0x2015: Served(_path_trace_list), 0x2016: Served(_enabled)}
    if options.acceptable_masters:
        served |= {0x201A: Served(_masters), 0x201B: Served(_masters_only), 0x201C: Served(_masters_most)}
    if any(port.alternate_masters for port in options.ports):
        served[0x201D] = Served(_alternate_master)
    if options.alternate_timescales:
        served |= {
            0x201E: Served(_offset_enabled),
            0x201F: Served(_offset_name),
            0x2020: Served(_offset_most),
            0x2021: Served(_offset_properties),
        }
    if options.bmca == "external":
        served |= {0x3000: Served(_enabled), 0x3003: Served(_desired_state)}
    return served
