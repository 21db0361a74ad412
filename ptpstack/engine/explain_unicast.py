"""Unicast grants in sentences: what each server has given us, what we have given, whom we refused and why."""

from __future__ import annotations

from typing import Any

from ptpstack.protocol.port import Port

#: why a request was refused, and what to do
REFUSALS = {
    "not-master": "this port was not MASTER",
    "message-type": "nobody serves that message type",
    "delay-mechanism": "this port's delay mechanism is not E2E",
    "interval": "the interval is absurd (more than 2^30 s, or less than 2^-30 s)",
    "duration": "it was for less than min_duration_s",
    "clients": "there are max_clients already",
    "clients-at-address": "there are max_clients_per_address at that address already",
    "rate": "all grants together would exceed max_rate",
}


def unicast_remarks(port: Port, now: int) -> list[str]:
    remarks = []
    if port.unicast_discovery is not None:
        remarks += [_server(server) for server in port.unicast_discovery.view(now)]
    service = port.unicast_service
    if service is not None:
        view = service.view(now)
        remarks.append(
            f"unicast service for {view['clients']} of at most {view['max_clients']} clients, "
            f"{view['rate']:g} of at most {view['max_rate']} messages/s"
        )
        remarks += [_refusal(refusal) for refusal in view["refusals"][-3:]]
    return remarks


def _server(server: dict[str, Any]) -> str:
    services = "; ".join(f"{s['message_type']} {_service(s)}" for s in server["services"])
    text = f"server {server['address']} (local priority {server['local_priority']})"
    if server["selected"]:
        text += ", followed"
    if server["excluded_for_s"]:
        text += (
            f", left out for {server['excluded_for_s']:.0f} s because its Sync or Delay_Resp were "
            f"{server['excluded_reason']}"
        )
    return f"{text}: {services}"


def _service(service: dict[str, Any]) -> str:
    state = service["state"].replace("-", " ")
    if service["expires_in_s"] is not None:
        return f"{state}, every {2.0 ** service['log_interval']:g} s for {service['expires_in_s']:.0f} s more"
    return f"{state} ({service['tries']} times)" if service["tries"] else str(state)


def _refusal(refusal: dict[str, Any]) -> str:
    return (
        f"{refusal['client']} ({refusal['address']}) was refused {refusal['message_type']} "
        f"{refusal['age_s']:.0f} s ago: {REFUSALS[refusal['reason']]}"
    )
