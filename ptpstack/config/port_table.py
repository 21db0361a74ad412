"""A port and its channel: from a validated ``[[instance.port]]`` and its profile to options."""

from __future__ import annotations

from ptpstack.config.findings import Report, show
from ptpstack.config.gptp import gptp_options
from ptpstack.config.model import ChannelOptions
from ptpstack.config.option_tables import drop_ineffective, port_options
from ptpstack.config.profiles import Profile
from ptpstack.config.schema import MECHANISM_KEYS, PORT, TRANSPORT_KEYS
from ptpstack.config.unicast import unicast_options
from ptpstack.config.validate import Section
from ptpstack.protocol.options import PortOptions


def port_and_channel(
    section: Section, profile: Profile, role: str | None, report: Report
) -> tuple[PortOptions, ChannelOptions]:
    channel = _channel(section, profile, report)
    mechanism = _delay_mechanism(section, profile, report)
    values = section.values
    server_only = values["server_only"]
    if server_only is None:
        never = profile.behaviours["grandmaster_ports"] == "server-only"
        server_only = never and role == "grandmaster" and values["desired_state"] is None
    port = PortOptions(
        channel=channel.name,
        log_announce_interval=values["log_announce_interval"],
        announce_receipt_timeout=values["announce_receipt_timeout"],
        log_sync_interval=values["log_sync_interval"],
        log_min_delay_req_interval=values["log_min_delay_req_interval"],
        log_min_pdelay_req_interval=values["log_min_pdelay_req_interval"],
        delay_mechanism=mechanism,
        several_peers=values["several_peers"],
        server_only=server_only,
        listen_first=(
            values["listen_first"]
            if values["listen_first"] is not None
            # nobody waits under IEEE 802.1AS
            else profile.behaviours["gptp"] == "none"
            and not (role == "grandmaster" or server_only or values["desired_state"] == "master")
        ),
        delay_asymmetry_ns=values["delay_asymmetry_ns"],
        ingress_latency_ns=values["ingress_latency_ns"],
        egress_latency_ns=values["egress_latency_ns"],
        clock=values["clock"] or "",
        local_priority=values["local_priority"],
        **port_options(section, profile, channel.transport),
        spp=values["spp"],
        active_key_id=values["active_key_id"] if values["spp"] is not None else None,
        allow_unauthenticated=values["allow_unauthenticated"] if values["spp"] is not None else "no",
        allow_sources=values["allow_sources"] or (),
        deny_sources=values["deny_sources"] or (),
        limit_delay_req=values["limit_delay_req"],
        limit_announce=values["limit_announce"],
        limit_signaling=values["limit_signaling"],
        limit_management=values["limit_management"],
        unicast=unicast_options(section.one("unicast"), channel.transport, profile, report),
        gptp=gptp_options(section.one("gptp"), profile, report),
    )
    return port, channel


def _channel(section: Section, profile: Profile, report: Report) -> ChannelOptions:
    transport = section["transport"]
    if transport is None:
        transport = profile.default_transport
    elif transport not in profile.transports:
        allowed = ", ".join(profile.transports)
        report.error(
            section.at("transport"),
            f"{show(transport)} is not allowed by profile {show(profile.name)}",
            f"use one of: {allowed}",
        )
    if transport != "l2":
        drop_ineffective(section, ("l2_group",), f"the transport is {transport}", report)
    ineffective = [key for key, transports in TRANSPORT_KEYS.items() if transport not in transports]
    drop_ineffective(section, ineffective, f"the transport is {transport}", report)
    tag = profile.behaviours["priority_tag"]
    return ChannelOptions(
        interface=section["interface"] or "?",
        transport=transport,
        stamping=section["stamping"],
        one_step=section["one_step"],
        socket_priority=section["socket_priority"],
        pcp=int(tag) if section["pcp"] is None and tag != "none" else section["pcp"],
        **{key: section[key] for key in TRANSPORT_KEYS if key not in ineffective},
    )


def _delay_mechanism(section: Section, profile: Profile, report: Report) -> str:
    own: str = profile.behaviours["delay_mechanism"]
    wanted: str = section["delay_mechanism"] or own
    if wanted != own and profile.behaviours["other_delay_mechanisms"] == "refused":
        report.error(
            section.at("delay_mechanism"),
            f"profile {show(profile.name)} is for {own}, not for {wanted}",
            f'use delay_mechanism = "{own}", or another profile (`ptpstack profiles`)',
        )
    unused = [key for key, mechanisms in MECHANISM_KEYS.items() if wanted not in mechanisms]
    drop_ineffective(section, unused, f"the delay mechanism is {wanted}", report)
    for key in unused:
        own_parameter = profile.parameters.get(key)
        section.values[key] = PORT.field(key).default if own_parameter is None else own_parameter.default
    return wanted
