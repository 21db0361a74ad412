"""clock_type E2E_TC and P2P_TC: a transparent clock is a table of its own, with little to say."""

from __future__ import annotations

from typing import Any

from ptpstack.linuxptp.importing.draft import KEPT, NOT_NEEDED, Draft
from ptpstack.linuxptp.keys import keys

_KEYS = {
    "delayAsymmetry": "delay_asymmetry_ns",
    "ingressLatency": "ingress_latency_ns",
    "egressLatency": "egress_latency_ns",
}


def is_transparent(draft: Draft) -> bool:
    return draft.settings.text("clock_type") in ("E2E_TC", "P2P_TC")


def transparent(draft: Draft) -> dict[str, Any]:
    """The table, with ports."""
    settings = draft.settings
    kind = settings.text("clock_type")
    if kind == "P2P_TC":
        draft.refuse("clock_type", "a peer-to-peer transparent clock is not built", "use E2E_TC, or BC")
    elif any(settings.text("delay_mechanism", port) != "E2E" for port in settings.ports):
        draft.refuse("delay_mechanism", "linuxptp too wants E2E of an E2E_TC", "use delay_mechanism E2E")
    if len(settings.ports) < 2:
        draft.refuse("clock_type", f"a transparent clock needs two ports, this has {len(settings.ports)}", "add -i")
    stamping = settings.text("time_stamping")
    table: dict[str, Any] = {"port": []}
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
