"""Unicast grants of a port as lines for ``ptpstack status``."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Any

_SHORT = {"ANNOUNCE": "Announce", "SYNC": "Sync", "DELAY_RESP": "Delay_Resp"}


def unicast_lines(port: dict[str, Any]) -> Iterator[str]:
    """What it has granted, in one line; and a line for each server that it asks."""
    unicast = port.get("unicast")
    if unicast is None:
        return
    service = unicast["service"]
    if service is not None:
        kinds = Counter(grant["message_type"] for grant in service["grants"])
        granted = ", ".join(f"{count} {_SHORT.get(kind, kind)}" for kind, count in kinds.items()) or "nothing granted"
        yield (
            f"serves {service['clients']}/{service['max_clients']} clients: {granted}; "
            f"{service['rate']:g} of {service['max_rate']} messages/s"
        )
    for server in unicast["servers"]:
        mark = "*" if server["selected"] else " "
        services = ", ".join(_service(s) for s in server["services"] if s["state"] != "not-wanted")
        excluded = f"; left out, {server['excluded_reason']}" if server["excluded_for_s"] else ""
        yield f"{mark}server {server['address']} ({server['local_priority']}): {services}{excluded}"


def _service(service: dict[str, Any]) -> str:
    name = _SHORT.get(service["message_type"], service["message_type"])
    if service["expires_in_s"] is None:
        return f"{name} {service['state']}"
    return f"{name} {2.0 ** -service['log_interval']:g}/s {service['state']} {service['expires_in_s']:.0f} s"
