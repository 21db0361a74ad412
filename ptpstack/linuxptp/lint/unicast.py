"""Unicast."""

from __future__ import annotations

import ipaddress

from ptpstack.config.findings import ERROR, WARNING
from ptpstack.linuxptp.lint.rule import Hits, at, at_line, given, rule, scopes
from ptpstack.linuxptp.settings import Settings

_WORDS = {"udp4": "UDPv4", "udp6": "UDPv6", "l2": "L2"}


@rule("unicast-table-missing", ERROR)
def unicast_table_missing(s: Settings) -> Hits:
    """A port that refers to a table which is not there."""
    for port in scopes(s):
        number = s.number("unicast_master_table", port)
        if number and s.table(number) is None:
            have = ", ".join(str(t.table_id) for t in s.file.tables) or "none"
            yield at(
                s,
                "unicast_master_table",
                f"there is no table_id {number}; there are: {have}",
                "correct the number",
                port,
            )


@rule("unicast-table-unused", WARNING)
def unicast_table_unused(s: Settings) -> Hits:
    """A table to which no port refers."""
    used = {s.number("unicast_master_table", port) for port in scopes(s)}
    for table in s.file.tables:
        if table.table_id not in used and not any(used):
            yield at_line(
                s, table.line, f"no port has unicast_master_table {table.table_id}", "add it to a port's section"
            )


@rule("unicast-table-empty", WARNING)
def unicast_table_empty(s: Settings) -> Hits:
    """A table without masters."""
    for table in s.file.tables:
        if not table.servers:
            yield at_line(s, table.line, "names no master", "add for instance: UDPv4 192.0.2.1")


@rule("unicast-address", WARNING)
def unicast_address(s: Settings) -> Hits:
    """A table with a group, or with an address twice."""
    for table in s.file.tables:
        seen = set()
        for server in table.servers:
            if server.transport == "l2":
                group = bool(int(server.address[:2], 16) & 1)
            else:
                address = ipaddress.ip_address(server.address)
                group = address.is_multicast or address.is_unspecified
            if group:
                yield at_line(s, server.line, "is no address of one station", "give the address of a master")
            if (server.transport, server.address) in seen:
                yield at_line(s, server.line, "is in this table already", "remove it")
            seen.add((server.transport, server.address))


@rule("unicast-transport", WARNING)
def unicast_transport(s: Settings) -> Hits:
    """No master of the table has the transport of the port."""
    for port in scopes(s):
        table = s.table(s.number("unicast_master_table", port))
        transport = s.text("network_transport", port)
        if table is not None and table.servers and all(_WORDS[v.transport] != transport for v in table.servers):
            yield at(
                s,
                "unicast_master_table",
                f"no master of table {table.table_id} is of {transport}",
                "set network_transport",
                port,
            )


@rule("unicast-server-asks", ERROR)
def unicast_server_asks(s: Settings) -> Hits:
    """A port that serves only, with masters to ask."""
    for port in scopes(s):
        if s.number("serverOnly", port) and s.number("unicast_master_table", port):
            yield at(
                s, "unicast_master_table", "the port is serverOnly: it follows nobody", "remove one of the two", port
            )


@rule("unicast-client-serves", WARNING)
def unicast_client_serves(s: Settings) -> Hits:
    """A client-only clock that is to grant service."""
    for port in scopes(s):
        if s.number("clientOnly") and s.number("unicast_listen", port):
            yield at(
                s, "unicast_listen", "the clock is clientOnly: it has nothing to grant", "remove one of the two", port
            )


@rule("unicast-multicast-idle", WARNING)
def unicast_multicast_idle(s: Settings) -> Hits:
    """inhibit_multicast_service without unicast_listen."""
    for port in scopes(s):
        if s.number("inhibit_multicast_service", port) and not s.number("unicast_listen", port):
            yield at(
                s,
                "inhibit_multicast_service",
                "is looked at with unicast_listen 1 only",
                "add it, or remove this",
                port,
            )


@rule("unicast-duration-idle", WARNING)
def unicast_duration_idle(s: Settings) -> Hits:
    """A duration that nobody asks for."""
    if (
        given(s, "unicast_req_duration")
        and not s.file.tables
        and not any(s.number("unicast_listen", p) for p in scopes(s))
    ):
        yield at(
            s, "unicast_req_duration", "has no effect: no port has a unicast_master_table", "add one, or remove this"
        )


@rule("unicast-peer", WARNING)
def unicast_peer(s: Settings) -> Hits:
    """Unicast with peer delay and no peer to measure."""
    for port in scopes(s):
        table = s.table(s.number("unicast_master_table", port))
        if table is not None and s.text("delay_mechanism", port) == "P2P" and not table.peer_address:
            yield at_line(
                s, table.line, f"{port} measures peer delay, and the table has no peer_address", "add peer_address"
            )
