"""managementIds that concern the whole clock (15.5.3.1 to 15.5.3.6)."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from ptpstack.protocol.effects import Keep
from ptpstack.protocol.management.settings import Settings
from ptpstack.protocol.management.table import Refusal, Request, Served, Values
from ptpstack.protocol.options import TimeProperties
from ptpstack.timebase.units import float_ns_to_sns, saturate_interval
from ptpstack.wire.management import NOT_SUPPORTED, WRONG_VALUE
from ptpstack.wire.types import ClockQuality

#: octets of UTF-8 that userDescription may have (8.2.5.5)
MAX_USER_DESCRIPTION = 128


def quality_values(quality: ClockQuality) -> dict[str, Any]:
    return {
        "clockClass": quality.clock_class,
        "clockAccuracy": quality.clock_accuracy,
        "offsetScaledLogVariance": quality.offset_scaled_log_variance,
    }


def time_values(properties: TimeProperties) -> dict[str, Any]:
    return {
        "currentUtcOffset": properties.current_utc_offset,
        "leap61": properties.leap61,
        "leap59": properties.leap59,
        "currentUtcOffsetValid": properties.current_utc_offset_valid,
        "ptpTimescale": properties.ptp_timescale,
        "timeTraceable": properties.time_traceable,
        "frequencyTraceable": properties.frequency_traceable,
        "timeSource": properties.time_source,
    }


def checked_leap(values: Values) -> None:
    if values["leap61"] and values["leap59"]:
        raise Refusal(WRONG_VALUE, "leap61 and leap59")


def settle(request: Request, **changes: Any) -> None:
    """The operator's word on what this clock announces as grandmaster."""
    instance = request.instance
    if instance.options.client_only:
        raise Refusal(NOT_SUPPORTED, "client only")
    request.act(instance.set_settings(replace(instance.settings, **changes), request.now))


# ---- descriptionDS, storage, faults -----------------------------------------------------------------------------


def _user_description(request: Request, values: Values) -> Values:
    return {"userDescription": request.responder.user_description}


def _set_user_description(request: Request, values: Values) -> None:
    text: str = values["userDescription"]
    if len(text.encode("utf-8", "surrogateescape")) > MAX_USER_DESCRIPTION:
        raise Refusal(WRONG_VALUE, f"more than {MAX_USER_DESCRIPTION} octets")
    request.responder.user_description = text


#: ids whose values ``Settings`` holds
_SETTLED = (0x2010, 0x2011, 0x2012, 0x2013, 0xC001)


def _save(request: Request, values: Values) -> None:
    if not request.options.storage:
        raise Refusal(NOT_SUPPORTED, "no state_dir")
    request.instance.emit(Keep(request.responder.storage.entries()))


def _forget(request: Request, values: Values) -> None:
    if not request.options.storage:
        raise Refusal(NOT_SUPPORTED, "no state_dir")
    request.instance.emit(Keep(()))


def _initialize(request: Request, values: Values) -> None:
    if values["initializationKey"] != 0:
        raise Refusal(WRONG_VALUE, "only key 0 is known")
    request.responder.storage.forget(_SETTLED)
    request.act(request.instance.set_settings(Settings(), request.now))
    request.act(request.instance.initialize(request.now))


def _fault_log(request: Request, values: Values) -> Values:
    return {"faultRecords": request.responder.faults.records()}


def _reset_fault_log(request: Request, values: Values) -> None:
    request.responder.faults.reset()


# ---- defaultDS ----------------------------------------------------------------------------------------------------


def _default(request: Request, values: Values) -> Values:
    default = request.data.default
    return {
        "twoStepFlag": not all(port.one_step for port in request.instance.ports),
        "slaveOnly": default.slave_only,
        "numberPorts": default.number_ports,
        "priority1": default.priority1,
        **quality_values(default.quality),
        "priority2": default.priority2,
        "clockIdentity": default.clock_identity,
        "domainNumber": default.domain_number,
    }


def _priority(name: str) -> Served:
    def get(request: Request, values: Values) -> Values:
        return {name: getattr(request.data.default, name)}

    def put(request: Request, values: Values) -> None:
        if request.instance.options.client_only:
            raise Refusal(NOT_SUPPORTED, "client only")
        value = request.within(name, values[name], 0, 255)
        request.act(request.instance.set_priorities(request.now, **{name: value}))

    return Served(get, put)


def _domain(request: Request, values: Values) -> Values:
    return {"domainNumber": request.data.default.domain_number}


def _set_domain(request: Request, values: Values) -> None:
    domain = request.within("domain", values["domainNumber"], 0, 255)
    why_not = request.around.set_domain(domain, request.now)
    if why_not:
        raise Refusal(WRONG_VALUE, why_not)


def _slave_only(request: Request, values: Values) -> Values:
    return {"slaveOnly": request.data.default.slave_only}


def _set_slave_only(request: Request, values: Values) -> None:
    instance, wanted = request.instance, values["slaveOnly"]
    if wanted and len(instance.ports) > 1:
        raise Refusal(WRONG_VALUE, "a boundary clock")
    if wanted and any(port.options.server_only for port in instance.ports):
        raise Refusal(WRONG_VALUE, "a port is masterOnly")
    if wanted != instance.options.client_only:
        request.rebuild(client_only=wanted)


def _accuracy(request: Request, values: Values) -> Values:
    return {"clockAccuracy": request.data.default.quality.clock_accuracy}


def _set_accuracy(request: Request, values: Values) -> None:
    code: int = values["clockAccuracy"]
    if not (0x17 <= code <= 0x31 or 0x80 <= code <= 0xFE):
        raise Refusal(WRONG_VALUE, f"0x{code:02X} is reserved")
    settle(request, accuracy=code)


# ---- currentDS, parentDS, timePropertiesDS --------------------------------------------------------------------------


def _interval(ns: float | None) -> int:
    return 0 if ns is None else saturate_interval(float_ns_to_sns(ns))


def _current(request: Request, values: Values) -> Values:
    following = request.instance.following_port is not None
    return {
        "stepsRemoved": request.data.current.steps_removed,
        "offsetFromMaster": _interval(request.around.offset_ns(request.now)) if following else 0,
        "meanDelay": _interval(request.around.delay_ns()) if following else 0,
    }


def _parent(request: Request, values: Values) -> Values:
    parent = request.data.parent
    return {
        "parentPortIdentity": parent.parent_port_identity,
        "parentStats": parent.parent_stats,
        "observedParentOffsetScaledLogVariance": parent.observed_offset_scaled_log_variance,
        "observedParentClockPhaseChangeRate": parent.observed_clock_phase_change_rate,
        "grandmasterPriority1": parent.grandmaster_priority1,
        **quality_values(parent.grandmaster_quality),
        "grandmasterPriority2": parent.grandmaster_priority2,
        "grandmasterIdentity": parent.grandmaster_identity,
    }


def _time_properties(request: Request, values: Values) -> Values:
    return time_values(request.data.time_properties)


def _set_utc(request: Request, values: Values) -> None:
    checked_leap(values)
    settle(
        request,
        utc=(values["currentUtcOffset"], values["currentUtcOffsetValid"], values["leap61"], values["leap59"]),
    )


def _set_traceability(request: Request, values: Values) -> None:
    settle(request, traceable=(values["timeTraceable"], values["frequencyTraceable"]))


def _set_scale(request: Request, values: Values) -> None:
    settle(request, scale=(values["ptpTimescale"], values["timeSource"]))


def _time(request: Request, values: Values) -> Values:
    now_ns = request.around.time_ns(request.now)
    if now_ns is None or now_ns < 0:
        raise Refusal(NOT_SUPPORTED, "the time is not known")
    return {"currentTime": now_ns}


def _set_time(request: Request, values: Values) -> None:
    if request.instance.has_parent:
        raise Refusal(WRONG_VALUE, "a master is followed")
    why_not = request.around.set_time(values["currentTime"], request.now)
    if why_not:
        raise Refusal(NOT_SUPPORTED, why_not)


CLOCK_IDS: dict[int, Served] = {
    0x0002: Served(_user_description, _set_user_description),
    0x0003: Served(command=_save),
    0x0004: Served(command=_forget),
    0x0005: Served(command=_initialize),
    0x0006: Served(_fault_log),
    0x0007: Served(command=_reset_fault_log),
    0x2000: Served(_default),
    0x2001: Served(_current),
    0x2002: Served(_parent),
    0x2003: Served(_time_properties),
    0x2005: _priority("priority1"),
    0x2006: _priority("priority2"),
    0x2007: Served(_domain, _set_domain),
    0x2008: Served(_slave_only, _set_slave_only),
    0x200F: Served(_time, _set_time),
    0x2010: Served(_accuracy, _set_accuracy),
    0x2011: Served(_time_properties, _set_utc),
    0x2012: Served(_time_properties, _set_traceability),
    0x2013: Served(_time_properties, _set_scale),
}
