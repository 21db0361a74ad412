"""managementIds of options (IEEE 1588-2019 clauses 16 and 17): path trace, alternate time offsets, acceptable masters,
external port configuration.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from ptpstack.protocol.acceptable_masters import AcceptableMasters
from ptpstack.protocol.alternate_time import indicator
from ptpstack.protocol.management.table import Refusal, Request, Served, Values
from ptpstack.protocol.options import AcceptableMaster, AlternateTimescale
from ptpstack.protocol.path_trace import PathTracing
from ptpstack.timebase.units import NS_PER_S
from ptpstack.wire.management import NOT_SUPPORTED, WRONG_VALUE
from ptpstack.wire.types import PortIdentity, PortState

#: acceptableMasterTableDS.maxTableSize
MAX_MASTERS = 64
#: the keys that may be asked for and set, beside those of the configuration: linuxptp has as many
MAX_KEY = 3
ALL_KEYS = 0xFF
#: displayName (16.3.3.8)
MAX_NAME = 10
_DESIRED = {"master": PortState.MASTER, "slave": PortState.SLAVE, "passive": PortState.PASSIVE}
_DESIRED_NAMES = {state: name for name, state in _DESIRED.items()}


# ---- path trace -----------------------------------------------------------------------------------------------------


def _path(request: Request, values: Values) -> Values:
    for option in request.instance.announce_options:
        if isinstance(option, PathTracing):
            return {"pathTrace": tuple({"clockIdentity": clock} for clock in option.list)}
    return {"pathTrace": ()}


def _path_enabled(request: Request, values: Values) -> Values:
    return {"enable": request.instance.options.path_trace}


def _enable_path(request: Request, values: Values) -> None:
    _changed(request, path_trace=values["enable"])


def _changed(request: Request, **changes: Any) -> None:
    instance = request.instance
    request.act(instance.change_options(replace(instance.configured, **changes), request.now))


# ---- alternate time offsets -----------------------------------------------------------------------------------------


def _timescale(request: Request, values: Values) -> AlternateTimescale:
    """The entry of a key; one that nobody has filled in is switched off. Refusal for a key beyond the table."""
    key: int = values.get("keyField", 0)
    for entry in request.instance.options.alternate_timescales:
        if entry.key == key:
            return entry
    if key > _largest_key(request):
        raise Refusal(WRONG_VALUE, f"no key {key}")
    return AlternateTimescale(key, "", ((0, 0),), enabled=False)


def _largest_key(request: Request) -> int:
    return max([MAX_KEY, *(entry.key for entry in request.instance.options.alternate_timescales)])


def _put(request: Request, *entries: AlternateTimescale) -> None:
    table = {entry.key: entry for entry in (*request.instance.options.alternate_timescales, *entries)}
    _changed(request, alternate_timescales=tuple(table[key] for key in sorted(table)))


def _scale_enabled(request: Request, values: Values) -> Values:
    if values.get("keyField") == ALL_KEYS:
        return {"keyField": ALL_KEYS, "enable": values["enable"]}
    entry = _timescale(request, values)
    return {"keyField": entry.key, "enable": entry.enabled}


def _enable_scale(request: Request, values: Values) -> None:
    if values["keyField"] == ALL_KEYS:
        entries = request.instance.options.alternate_timescales
    else:
        entries = (_timescale(request, values),)
    _put(request, *(replace(entry, enabled=values["enable"]) for entry in entries))


def _scale_name(request: Request, values: Values) -> Values:
    entry = _timescale(request, values)
    return {"keyField": entry.key, "displayName": entry.name}


def _name_scale(request: Request, values: Values) -> None:
    name: str = values["displayName"]
    if len(name) > MAX_NAME:
        raise Refusal(WRONG_VALUE, f"more than {MAX_NAME} characters")
    _put(request, replace(_timescale(request, values), name=name))


def _max_key(request: Request, values: Values) -> Values:
    return {"maxKey": _largest_key(request)}


def _scale(request: Request, values: Values) -> Values:
    entry = _timescale(request, values)
    time_ns = request.around.time_ns(request.now)
    now_s = 0 if time_ns is None else max(0, time_ns // NS_PER_S)
    tlv = indicator(entry, now_s, request.data.own_time_properties)
    filled_in = entry in request.instance.options.alternate_timescales
    return {
        "keyField": entry.key,
        "currentOffset": tlv.current_offset_s if filled_in else 0,
        "jumpSeconds": tlv.jump_s if filled_in else 0,
        "timeOfNextJump": tlv.time_of_next_jump_s if filled_in else 0,
    }


def _set_scale(request: Request, values: Values) -> None:
    """The three values together (8.2.9): what is local time from now on, and after the jump."""
    entry = _timescale(request, values)
    tai_minus_utc = request.data.own_time_properties.current_utc_offset
    local: int = values["currentOffset"] + tai_minus_utc
    jump_at: int = values["timeOfNextJump"]
    if abs(local) > 86_400 or abs(values["jumpSeconds"]) > 86_400:
        raise Refusal(WRONG_VALUE, "more than a day")
    if bool(values["jumpSeconds"]) is not bool(jump_at):
        raise Refusal(WRONG_VALUE, "jumpSeconds and timeOfNextJump")
    offsets = ((0, local),) if not jump_at else ((0, local), (jump_at - tai_minus_utc, local + values["jumpSeconds"]))
    _put(request, replace(entry, offsets=offsets, zone=""))


# ---- acceptable masters ---------------------------------------------------------------------------------------------


def _masters(request: Request, values: Values) -> Values:
    return {
        "masters": tuple(
            {
                "acceptablePortIdentity": PortIdentity(entry.clock_identity, entry.port_number),
                "alternatePriority1": entry.alternate_priority1,
            }
            for entry in request.instance.options.acceptable_masters
        )
    }


def _set_masters(request: Request, values: Values) -> None:
    wanted = values["masters"]
    if len(wanted) > MAX_MASTERS:
        raise Refusal(WRONG_VALUE, f"more than {MAX_MASTERS} masters")
    before = {
        PortIdentity(entry.clock_identity, entry.port_number): entry.local_priority
        for entry in request.instance.options.acceptable_masters
    }
    table = tuple(
        AcceptableMaster(
            record["acceptablePortIdentity"].clock_identity,
            record["acceptablePortIdentity"].port_number,
            record["alternatePriority1"],
            before.get(record["acceptablePortIdentity"], 0),
        )
        for record in wanted
    )
    for port in request.instance.ports:
        port.masters = AcceptableMasters(table)
    _changed(request, acceptable_masters=table)


def _most_masters(request: Request, values: Values) -> Values:
    return {"maxTableSize": MAX_MASTERS}


def _masters_enabled(request: Request, values: Values) -> Values:
    return {"enable": request.port.options.acceptable_masters_only}


def _enable_masters(request: Request, values: Values) -> None:
    if values["enable"] != request.port.options.acceptable_masters_only:
        request.rebuild_port(acceptable_masters_only=values["enable"])


# ---- external port configuration ------------------------------------------------------------------------------------


def _external(request: Request, values: Values) -> Values:
    return {"enable": request.instance.options.bmca == "external"}


def _set_external(request: Request, values: Values) -> None:
    now_external = request.instance.options.bmca == "external"
    if values["enable"] and not now_external:
        request.rebuild(bmca="external")
    elif now_external and not values["enable"]:
        request.rebuild(bmca="default")


def _desired(request: Request, values: Values) -> Values:
    state = _DESIRED.get(request.port.options.desired_state, PortState.LISTENING)
    return {"acceptableMaster": request.port.options.acceptable_masters_only, "desiredState": int(state)}


def _set_desired(request: Request, values: Values) -> None:
    wanted = _DESIRED_NAMES.get(values["desiredState"])
    if wanted is None:
        raise Refusal(WRONG_VALUE, "MASTER, SLAVE or PASSIVE")
    if values["acceptableMaster"] != request.port.options.acceptable_masters_only:
        raise Refusal(NOT_SUPPORTED, "see ACCEPTABLE_MASTER_TABLE_ENABLED")
    if wanted != request.port.options.desired_state:
        request.rebuild_port(desired_state=wanted)


# ---- alternate master -----------------------------------------------------------------------------------------------


def _alternate_master(request: Request, values: Values) -> Values:
    """Sync of alternate masters is never sent."""
    return {
        "transmitAlternateMulticastSync": False,
        "logAlternateMulticastSyncInterval": 0,
        "numberOfAlternateMasters": request.port.options.alternate_masters,
    }


OPTION_IDS: dict[int, Served] = {
    0x2015: Served(_path),
    0x2016: Served(_path_enabled, _enable_path),
    0x201A: Served(_masters, _set_masters),
    0x201B: Served(_masters_enabled, _enable_masters),
    0x201C: Served(_most_masters),
    0x201D: Served(_alternate_master),
    0x201E: Served(_scale_enabled, _enable_scale),
    0x201F: Served(_scale_name, _name_scale),
    0x2020: Served(_max_key),
    0x2021: Served(_scale, _set_scale),
    0x3000: Served(_external, _set_external),
    0x3003: Served(_desired, _set_desired),
}
