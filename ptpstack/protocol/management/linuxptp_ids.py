"""managementIds of linuxptp's own: pmc, phc2sys and ts2phc ask for them (layouts: wire.management.linuxptp)."""

from __future__ import annotations

from ptpstack.protocol.management.clock_ids import checked_leap, quality_values, settle, time_values
from ptpstack.protocol.management.table import Request, Served, Values
from ptpstack.protocol.neighbor_rate import scaled_rate_ratio
from ptpstack.wire.management.rows import MANAGEMENT_IDS
from ptpstack.wire.tlvs.ieee802_1as import FollowUpInformation
from ptpstack.wire.types import ClockQuality, MessageType

#: linuxptp's default of neighborPropDelayThresh, ns; nothing here is held against it
_NO_THRESHOLD = 20_000_000
_SOFTWARE, _HARDWARE = 0, 1
_NAMES = {kind: "_".join(part.capitalize() for part in kind.name.split("_")) for kind in MessageType}


def _time_status(request: Request, values: Values) -> Values:
    instance = request.instance
    offset_ns = request.around.offset_ns(request.now) if instance.following_port is not None else None
    heard = instance.relay.newest(request.data.parent.parent_port_identity)
    told = FollowUpInformation() if heard is None else heard.information
    return {
        "master_offset": 0 if offset_ns is None else round(offset_ns),
        "ingress_time": request.responder.last_sync_ns,
        "cumulativeScaledRateOffset": told.cumulative_scaled_rate_offset,
        "scaledLastGmPhaseChange": told.scaled_last_gm_freq_change,
        "gmTimeBaseIndicator": told.gm_time_base_indicator,
        "lastGmPhaseChange": told.last_gm_phase_change_sns,
        "gmPresent": int(instance.has_parent),
        "gmIdentity": request.data.parent.grandmaster_identity,
    }


def _settings(request: Request, values: Values) -> Values:
    return {**quality_values(request.data.default.quality), **time_values(request.data.own_time_properties)}


def _set_settings(request: Request, values: Values) -> None:
    checked_leap(values)
    settle(
        request,
        quality=ClockQuality(values["clockClass"], values["clockAccuracy"], values["offsetScaledLogVariance"]),
        accuracy=None,
        utc=(values["currentUtcOffset"], values["currentUtcOffsetValid"], values["leap61"], values["leap59"]),
        traceable=(values["timeTraceable"], values["frequencyTraceable"]),
        scale=(values["ptpTimescale"], values["timeSource"]),
    )


def _port_data(request: Request, values: Values) -> Values:
    port = request.port
    if port.gptp is None or port.options.gptp is None:
        # outside 802.1AS nothing is asked of a port before it may be used
        return {"neighborPropDelayThresh": _NO_THRESHOLD, "asCapable": 1}
    threshold = int(port.options.gptp.delay_threshold_ns)
    return {"neighborPropDelayThresh": threshold, "asCapable": int(port.gptp.capable)}


def _properties(request: Request, values: Values) -> Values:
    port = request.port
    facts = request.around.channel(port.channel)
    return {
        "portIdentity": port.identity,
        "portState": int(port.state),
        "timestamping": _HARDWARE if facts.stamping == "hardware" else _SOFTWARE,
        "interface": facts.interface,
    }


def _statistics(request: Request, values: Values) -> Values:
    counters = request.port.counters
    return {
        "portIdentity": request.port.identity,
        **{
            f"{way}_{name}": counters[f"{way}-{kind.name.lower()}"]
            for way in ("rx", "tx")
            for kind, name in _NAMES.items()
        },
    }


def _uncertain(request: Request, values: Values) -> Values:
    return {"uncertain": int(request.data.current.synchronization_uncertain)}


#: what linuxptp counts -> what we count; what has no timer here never runs out
_SERVICE = {
    "announce_timeout": "announce-receipt-timeout",
    "delay_timeout": "delay-resp-missing",
    "sync_mismatch": "sync-without-follow-up",
    "followup_mismatch": "follow-up-unmatched",
}


def _service(request: Request, values: Values) -> Values:
    row = MANAGEMENT_IDS[0xC007]
    counters = request.port.counters
    counted = {name: counters[_SERVICE[name]] if name in _SERVICE else 0 for name in row.fields}
    return {**counted, "portIdentity": request.port.identity}


def _hardware_clock(request: Request, values: Values) -> Values:
    index = request.around.channel(request.port.channel).phc_index
    return {"portIdentity": request.port.identity, "phc_index": -1 if index is None else index, "flags": 0}


def _corrections(request: Request, values: Values) -> Values:
    options = request.port.options
    return {
        "egressLatency": round(options.egress_latency_ns * 65536),
        "ingressLatency": round(options.ingress_latency_ns * 65536),
        "delayAsymmetry": request.port.ds.delay_asymmetry_sns,
    }


def _link(request: Request, values: Values) -> Values:
    """What the port knows of its link, by the common service or by itself."""
    delay, ds = request.port.delay, request.port.ds
    return {
        "meanLinkDelay": ds.mean_link_delay_sns,
        "scaledNeighborRateRatio": scaled_rate_ratio(ds.neighbor_rate_ratio),
        "as_capable": int(delay.valid and delay.neighbor is not None),
    }


def _power_profile(request: Request, values: Values) -> Values:
    """No IEEE C37.238 TLV is sent: version 0, nothing known."""
    unknown = 0xFFFFFFFF
    return {
        "version": 0,
        "grandmasterID": 0,
        "grandmasterTimeInaccuracy": unknown,
        "networkTimeInaccuracy": unknown,
        "totalTimeInaccuracy": unknown,
    }


def _unicast_masters(request: Request, values: Values) -> Values:
    return {"unicastMasters": ()}


def _subscription(request: Request, values: Values) -> Values:
    return request.responder.subscriptions.get(request, values)


def _subscribe(request: Request, values: Values) -> None:
    request.responder.subscriptions.set(request, values)


LINUXPTP_IDS: dict[int, Served] = {
    0xC000: Served(_time_status),
    0xC001: Served(_settings, _set_settings),
    0xC002: Served(_port_data),
    0xC003: Served(_subscription, _subscribe),
    0xC004: Served(_properties),
    0xC005: Served(_statistics),
    0xC006: Served(_uncertain),
    0xC007: Served(_service),
    0xC008: Served(_unicast_masters),
    0xC009: Served(_hardware_clock),
    0xC00A: Served(_power_profile),
    0xC00B: Served(_link),
    0xC00C: Served(_corrections),
}
