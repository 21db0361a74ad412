"""clock_type E2E_TC and P2P_TC: a transparent clock is a table of its own, with little to say."""

from __future__ import annotations

from typing import Any

from ptpstack.linuxptp.convert import SIMPLE, NotOursError
from ptpstack.linuxptp.importing.draft import KEPT, NOT_NEEDED, Draft
from ptpstack.linuxptp.keys import keys

_KEYS = {
    "delayAsymmetry": "delay_asymmetry_ns",
    "ingressLatency": "ingress_latency_ns",
    "egressLatency": "egress_latency_ns",
}
TWO_STEP = "a transparent clock of ptpstack is two-step"


def is_transparent(draft: Draft) -> bool:
    return draft.settings.text("clock_type") in ("E2E_TC", "P2P_TC")


def _links(draft: Draft) -> dict[str, Any]:
    """How a peer-to-peer one asks its neighbours."""
    settings = draft.settings
    table: dict[str, Any] = {"delay_mechanism": "P2P"}
    for key, ours, usual in (
        ("network_transport", "transport", "udp4"),
        ("domainNumber", "domain", 0),
        ("logMinPdelayReqInterval", "log_min_pdelay_req_interval", 0),
    ):
        value = draft.one(key)
        value = SIMPLE["transport"].ours(value, "") if ours == "transport" else value
        if value != usual:
            table[ours] = value
        for port in ("", *settings.ports):
            draft.row(key, KEPT, f"transparent.{ours}", value, port=port)
    return table


def transparent(draft: Draft) -> dict[str, Any]:
    """The table, with ports."""
    settings = draft.settings
    table: dict[str, Any] = {}
    kind = settings.text("clock_type")
    wanted = kind.removesuffix("_TC")
    for name in settings.ports:
        if settings.text("delay_mechanism", name) != wanted:
            draft.refuse("delay_mechanism", f"linuxptp too wants {wanted} of a {kind}", f"use {wanted}", name)
    if kind == "P2P_TC":
        table = _links(draft)
    try:
        identity = SIMPLE["identity"].ours(settings.value("clockIdentity"), settings.text("clockIdentity"))
    except NotOursError as error:
        draft.refuse("clockIdentity", str(error), "write it as 001b21.fffe.aabbcc")
        identity = None
    if identity is not None:
        table["clock_identity"] = identity
        draft.row("clockIdentity", KEPT, "transparent.clock_identity", identity)
    if len(settings.ports) < 2:
        draft.refuse("clock_type", f"a transparent clock needs two ports, this has {len(settings.ports)}", "add -i")
    stamping = settings.text("time_stamping")
    table["port"] = []
    if stamping in ("onestep", "p2p1step"):
        draft.differs("time_stamping", TWO_STEP, "nothing, unless a receiver cannot take Follow_Up")
    if not settings.number("twoStepFlag"):
        draft.differs("twoStepFlag", TWO_STEP, "nothing, unless a receiver cannot take Follow_Up")
    if settings.phc or draft.one("phc_index") >= 0:
        reason = "the clock of the ports is taken, whatever its number"
        draft.differs("phc_index", reason, "with another clock: write a [[clock]] with its device")
    if settings.named("time_stamping"):
        table["stamping"] = "software" if stamping == "software" else "hardware"
        draft.row("time_stamping", KEPT, "transparent.stamping", table["stamping"])
    for interface in settings.ports:
        port: dict[str, Any] = {"interface": interface}
        for key, ours in _KEYS.items():
            if settings.number(key, interface):
                port[ours] = float(settings.number(key, interface))
            draft.row(key, KEPT, f"transparent.port.{ours}", settings.number(key, interface), port=interface)
        table["port"].append(port)
    draft.row("clock_type", KEPT, "transparent", None, "a transparent clock is a table of its own, [[transparent]]")
    for known in keys().values():
        if not known.ours.startswith("node.") and known.conversion != "none":
            for where in ("", *settings.ports):
                draft.row(known.name, NOT_NEEDED, remark="a transparent clock only passes frames on", port=where)
    return table
