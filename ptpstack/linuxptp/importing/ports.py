"""What a port sends to whom: groups, unicast, authentication, interval requests, power profile."""

from __future__ import annotations

import re

from ptpstack.config.schema import PORT
from ptpstack.linuxptp.importing.draft import KEPT, NOT_NEEDED, Draft
from ptpstack.linuxptp.keys import keys

OPERATIONAL = "operational_log_pdelay_req_interval"
_LINK_LOCAL = "0180c200000e"
_FORWARDABLE = "011b19000000"


def _hex(text: str) -> str:
    return re.sub(r"[^0-9a-f]", "", text.lower())


def groups(draft: Draft) -> None:
    settings = draft.settings
    for port in settings.ports:
        transport = settings.text("network_transport", port)
        group = _hex(settings.text("ptp_dst_mac", port))
        if transport == "L2":
            if group not in (_LINK_LOCAL, _FORWARDABLE):
                _no_group(draft, "ptp_dst_mac", port)
            draft.put("port.l2_group", "non-forwardable" if group == _LINK_LOCAL else "forwardable", port)
            if (
                settings.text("delay_mechanism", port) != "E2E"
                and _hex(settings.text("p2p_dst_mac", port)) != _LINK_LOCAL
            ):
                _no_group(draft, "p2p_dst_mac", port)
        else:
            version = "6" if transport == "UDPv6" else "4"
            for key in (f"ptp_dst_ipv{version}", f"p2p_dst_ipv{version}"):
                if settings.text(key, port).casefold() != str(keys()[key].default).casefold():
                    _no_group(draft, key, port)
        for key in ("ptp_dst_mac", "p2p_dst_mac", "ptp_dst_ipv4", "ptp_dst_ipv6", "p2p_dst_ipv4", "p2p_dst_ipv6"):
            own = key == "ptp_dst_mac" and transport == "L2"
            draft.row(key, KEPT if own else NOT_NEEDED, "port.l2_group" if own else "", port=port)


def _no_group(draft: Draft, key: str, port: str) -> None:
    draft.refuse(key, "ptpstack speaks to the groups of the standard only", f"use {keys()[key].default}", port)


def unicast(draft: Draft) -> None:
    settings = draft.settings
    for port in settings.ports:
        serve = bool(settings.number("unicast_listen", port))
        alone = bool(settings.number("inhibit_multicast_service", port))
        table_id = settings.number("unicast_master_table", port)
        if serve and alone:
            draft.ports[port].setdefault("unicast", {})["multicast"] = False
        why = "" if serve else "no effect without unicast_listen"
        draft.row("inhibit_multicast_service", KEPT if serve else NOT_NEEDED, "unicast.multicast", not alone, why, port)
        if table_id:
            _servers(draft, port, table_id)
        draft.row("unicast_master_table", KEPT, "unicast.server", port=port)


def _servers(draft: Draft, port: str, table_id: int) -> None:
    settings = draft.settings
    table = settings.table(table_id)
    if table is None:
        draft.refuse(
            "unicast_master_table",
            f"there is no [unicast_master_table] with table_id {table_id}",
            "add it, or correct the number",
            port,
        )
        return
    transport = {"UDPv4": "udp4", "UDPv6": "udp6", "L2": "l2"}[settings.text("network_transport", port)]
    if settings.text("delay_mechanism", port) != "E2E":
        draft.refuse("unicast_master_table", "unicast with peer delay is not built", "use delay_mechanism E2E", port)
        return
    servers = dict.fromkeys(server.address for server in table.servers if server.transport == transport)
    for server in table.servers:
        if server.transport != transport:
            draft.warn(
                f"unicast_master_table {table_id}",
                f"{server.text} is for another transport than that of {port}: left out",
                "give it a port of that transport",
                server.line,
            )
    if not servers:
        draft.refuse(
            "unicast_master_table",
            f"table {table_id} names nobody for this port",
            "add a line such as UDPv4 192.0.2.1",
            port,
        )
        return
    own = draft.ports[port].setdefault("unicast", {})
    own["server"] = [{"address": address} for address in servers]
    # asked of servers and nowhere else, as in linuxptp
    own.pop("multicast", None)
    draft.put("unicast.log_query_interval", table.log_query_interval, port)
    if not -3 <= table.log_query_interval <= 4:
        draft.refuse(
            "unicast_master_table", "ptpstack takes a logQueryInterval of -3..4 only", "use one of these", port
        )


def security(draft: Draft) -> None:
    settings = draft.settings
    for port in settings.ports:
        spp = settings.number("spp", port)
        if spp >= 0:
            draft.ports[port]["spp"] = spp
            if not settings.text("sa_file"):
                draft.refuse("spp", "there is no sa_file with its keys", "add sa_file PATH to [global]", port)
        draft.row("spp", KEPT, "port.spp", spp if spp >= 0 else None, port=port)


def intervals(draft: Draft) -> None:
    settings = draft.settings
    for port in settings.ports:
        asks = bool(settings.number("msg_interval_request", port))
        if asks:
            wanted = settings.number("operLogSyncInterval", port)
            if not -10 <= wanted <= 10:
                draft.refuse("operLogSyncInterval", "ptpstack takes -10..10 log2 s only", "use one of these", port)
            else:
                draft.ports[port]["operational_log_sync_interval"] = wanted
        why = "" if asks else "no effect without msg_interval_request"
        draft.row("msg_interval_request", KEPT, "port.operational_log_sync_interval", port=port)
        draft.row(
            "operLogSyncInterval",
            KEPT if asks else NOT_NEEDED,
            "port.operational_log_sync_interval",
            remark=why,
            port=port,
        )
        if asks and OPERATIONAL in PORT.names:
            wanted = settings.number("operLogPdelayReqInterval", port)
            if not -7 <= wanted <= 5:
                draft.refuse("operLogPdelayReqInterval", "ptpstack takes -7..5 log2 s only", "use one of these", port)
            elif settings.text("delay_mechanism", port) == "P2P":
                draft.ports[port][OPERATIONAL] = wanted
                draft.row("operLogPdelayReqInterval", KEPT, f"port.{OPERATIONAL}", wanted, port=port)
        draft.row("operLogPdelayReqInterval", NOT_NEEDED, remark=why, port=port)


def power(draft: Draft) -> None:
    if not draft.settings.ports:
        return
    edition = draft.one("power_profile.version")
    idle = "no effect: no TLV of a power profile is sent"
    inaccuracy = "2011.grandmaster" if edition == "2011" else "2017.total"
    names = {
        "power_profile.grandmasterID": "grandmaster_id",
        f"power_profile.{inaccuracy}TimeInaccuracy": "time_inaccuracy_ns",
    }
    if edition == "2011":
        names["power_profile.2011.networkTimeInaccuracy"] = "network_inaccuracy_ns"
    if edition == "none":
        names = {}
    else:
        draft.power["edition"] = edition
    for key, ours in names.items():
        # -1 is "unknown", all ones in the TLV
        draft.put(f"power.{ours}", draft.one(key) & 0xFFFFFFFF)
    for port in draft.settings.ports:
        draft.row("power_profile.version", KEPT, "power.edition", edition, port=port)
        for key, ours in names.items():
            draft.row(key, KEPT, f"power.{ours}", port=port)
        for key in keys():
            if key.startswith("power_profile."):
                draft.row(key, NOT_NEEDED, remark=idle, port=port)
