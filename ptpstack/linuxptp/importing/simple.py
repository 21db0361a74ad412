"""Settings that go over by themselves: the words of ``as`` that ``convert`` knows."""

from __future__ import annotations

from typing import Any

from ptpstack.config.profiles import load_profile
from ptpstack.config.validate import describe_range
from ptpstack.linuxptp.convert import SIMPLE, NotOursError
from ptpstack.linuxptp.importing import gptp
from ptpstack.linuxptp.importing.draft import _TABLES, KEPT, NOT_NEEDED, Draft
from ptpstack.linuxptp.keys import GLOBAL, Key, keys

#: keys that matter for some transports only
_UDP = ("dscp_event", "dscp_general", "udp_ttl", "udp6_scope")
#: keys of ports that matter with one kind of delay mechanism only
_MECHANISM = {"logMinDelayReqInterval": ("E2E", "Auto"), "logMinPdelayReqInterval": ("P2P", "Auto", "COMMON_P2P")}


def _idle(draft: Draft, key: Key, port: str) -> str:
    """Why this key does nothing on this port; ``""`` when it does."""
    transport = draft.settings.text("network_transport", port)
    mechanism = draft.settings.text("delay_mechanism", port)
    if key.name in _UDP and transport == "L2":
        return "no effect: the transport is L2"
    if key.name == "udp6_scope" and transport != "UDPv6":
        return "no effect: the transport is not UDPv6"
    if mechanism not in _MECHANISM.get(key.name, (mechanism,)):
        return f"no effect: the delay mechanism is {mechanism}"
    if key.name == "unicast_req_duration" and not draft.settings.number("unicast_master_table", port):
        return "no effect: the port asks nobody"
    if key.name == "hybrid_e2e" and {"multicast", "server"} & draft.ports[port].get("unicast", {}).keys():
        return "no effect without multicast"
    if key.name == "path_trace_enabled" and draft.profile == gptp.PROFILE:
        return "802.1AS always traces paths"
    if key.name == "logAnnounceInterval" and load_profile(draft.profile).behaviours["announce"] == "none":
        return "no effect: nobody sends Announce"
    if key.name == "hybrid_e2e" and mechanism == "P2P":
        return "no effect: the delay mechanism is P2P"
    if key.name == "active_key_id" and draft.settings.number("spp", port) < 0:
        return "no effect without spp"
    if key.name == "active_key_id" and not draft.settings.number("active_key_id", port):
        return "0 names no key"
    return ""


def _allowed(draft: Draft, table: str, name: str, value: Any) -> str:
    """What our range is, where ``value`` is out of it."""
    spec = _TABLES[table].field(name)
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return ""
    low, high = spec.low, spec.high
    inside = (low is None or value >= low) and (high is None or value <= high)
    return "" if inside else describe_range(low, high, spec.unit)


def convert(draft: Draft, key: Key, port: str) -> None:
    settings = draft.settings
    setting = settings.setting(key.name, port)
    text = setting.text if setting is not None else key.show(key.default)
    table, _, name = key.ours.partition(".")
    why = _idle(draft, key, port) if port else ""
    if why:
        draft.row(key.name, NOT_NEEDED, remark=why, port=port)
        return
    try:
        value = SIMPLE[key.conversion].ours(settings.value(key.name, port), text)
    except NotOursError as error:
        draft.refuse(key.name, str(error), "change it in the original", port)
        return
    allowed = _allowed(draft, table, name, value)
    if allowed:
        draft.refuse(key.name, f"ptpstack takes {allowed} only", "choose a value in that range in the original", port)
        return
    draft.put(key.ours, value, port)
    draft.row(key.name, KEPT, key.ours, value, port=port)


def simple(draft: Draft) -> None:
    for key in keys().values():
        if key.conversion not in SIMPLE or not key.ours or "ptp4l" not in key.by:
            continue
        if key.ours.startswith(("port.", "unicast.")):
            for port in draft.settings.ports:
                convert(draft, key, port)
        else:
            if key.scope != GLOBAL:
                draft.one(key.name)
            convert(draft, key, next(iter(draft.settings.ports), "") if key.scope != GLOBAL else "")
