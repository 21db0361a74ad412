"""Transports, groups, intervals, sockets, logs."""

from __future__ import annotations

import re

from ptpstack.config.findings import ERROR, NOTE, WARNING
from ptpstack.linuxptp.lint.rule import Hits, at, given, rule, scopes
from ptpstack.linuxptp.settings import Settings

_GROUPS = ("011b19000000", "0180c200000e")
_INTERVALS = ("logAnnounceInterval", "logSyncInterval", "logMinDelayReqInterval", "logMinPdelayReqInterval")


def mac(text: str) -> str:
    return re.sub(r"[^0-9a-f]", "", text.lower())


@rule("interval-not-log", WARNING)
def interval_not_log(s: Settings) -> Hits:
    """An interval that was written as a rate, or in seconds."""
    for port in scopes(s):
        for key in _INTERVALS:
            if s.number(key, port) > 4:
                seconds = f"{2 ** min(s.number(key, port), 40)} s"
                yield at(
                    s, key, f"is the power of two of seconds: {seconds}", "write -3 for 8/s, 0 for 1/s, 1 for 2 s", port
                )


@rule("interval-short", WARNING)
def interval_short(s: Settings) -> Hits:
    """More messages than 128 a second."""
    for port in scopes(s):
        for key in _INTERVALS:
            if s.number(key, port) < -7:
                rate = 2 ** min(-s.number(key, port), 40)
                yield at(s, key, f"is {rate} messages a second", "use -7 at least", port)


@rule("receipt-timeout", WARNING)
def receipt_timeout(s: Settings) -> Hits:
    """A master is given up after two intervals: one lost Announce and a late one."""
    for port in scopes(s):
        if s.number("announceReceiptTimeout", port) < 3:
            yield at(
                s, "announceReceiptTimeout", "one lost Announce and a late one change the master", "use 3 or more", port
            )


@rule("ip-keys-on-ethernet", WARNING)
def ip_keys_on_ethernet(s: Settings) -> Hits:
    """Keys of UDP on ports of Ethernet."""
    transports = {s.text("network_transport", port) for port in scopes(s)}
    if transports == {"L2"}:
        for key in (
            "udp_ttl",
            "dscp_event",
            "dscp_general",
            "ptp_dst_ipv4",
            "ptp_dst_ipv6",
            "p2p_dst_ipv4",
            "p2p_dst_ipv6",
        ):
            if given(s, key):
                yield at(s, key, "has no effect: network_transport is L2", "use socket_priority for Ethernet")


@rule("ethernet-keys-on-ip", WARNING)
def ethernet_keys_on_ip(s: Settings) -> Hits:
    """Ethernet groups on ports of UDP."""
    for port in scopes(s):
        if s.text("network_transport", port) != "L2":
            for key in ("ptp_dst_mac", "p2p_dst_mac"):
                if mac(s.text(key, port)) != mac(str(s.key(key).default)):
                    yield at(
                        s,
                        key,
                        f"has no effect: network_transport is {s.text('network_transport', port)}",
                        "use L2",
                        port,
                    )


@rule("group-unknown", WARNING)
def group_unknown(s: Settings) -> Hits:
    """An Ethernet group that no other PTP equipment listens to."""
    for port in scopes(s):
        for key in ("ptp_dst_mac", "p2p_dst_mac"):
            if s.text("network_transport", port) == "L2" and mac(s.text(key, port)) not in _GROUPS:
                yield at(s, key, "is no group of PTP", "use 01:1B:19:00:00:00 or 01:80:C2:00:00:0E", port)


@rule("peer-group-forwarded", WARNING)
def peer_group_forwarded(s: Settings) -> Hits:
    """Peer delay to the group that bridges forward: several neighbours answer."""
    for port in scopes(s):
        peers = s.text("network_transport", port) == "L2" and s.text("delay_mechanism", port) != "E2E"
        if peers and mac(s.text("p2p_dst_mac", port)) == _GROUPS[0]:
            reason = "bridges forward it: peers beyond the neighbour answer"
            yield at(s, "p2p_dst_mac", reason, "use 01:80:C2:00:00:0E", port)


@rule("scope-reserved", WARNING)
def scope_reserved(s: Settings) -> Hits:
    """An IPv6 scope that no frame may have."""
    for port in scopes(s):
        if s.text("network_transport", port) == "UDPv6" and s.number("udp6_scope", port) in (0, 1, 15):
            yield at(s, "udp6_scope", "frames of that scope leave no interface", "use 2, 5, 8 or 0xE", port)


@rule("ttl", NOTE)
def ttl(s: Settings) -> Hits:
    """Multicast that routers may pass on, each hop an unknown delay."""
    for port in scopes(s):
        if (
            s.number("udp_ttl", port) > 1
            and not s.number("unicast_listen", port)
            and not s.number("unicast_master_table", port)
        ):
            yield at(
                s, "udp_ttl", "time through routers without PTP is uncertain", "use unicast, or boundary clocks", port
            )


@rule("domain-reserved", WARNING)
def domain_reserved(s: Settings) -> Hits:
    """A domain beyond 127 with sdoId 0."""
    if s.number("domainNumber") > 127:
        yield at(s, "domainNumber", "128 to 255 are reserved (7.1.1), and 3.1.1 refuses them", "use 0 to 127")


@rule("scope-of-version", WARNING)
def old_version_new_tlv(s: Settings) -> Hits:
    """PTP 2.0 headers with options of 2.1."""
    for port in scopes(s):
        if not s.number("ptp_minor_version") and s.number("follow_up_info", port):
            yield at(s, "ptp_minor_version", "802.1AS-2020 wants minor version 1", "remove it")


@rule("silent", WARNING)
def silent(s: Settings) -> Hits:
    """A log that goes nowhere."""
    if not s.number("use_syslog") and not s.number("verbose"):
        yield at(s, "use_syslog", "and verbose 0: nothing is said anywhere", "set one of them to 1")


@rule("log-level", NOTE)
def log_level(s: Settings) -> Hits:
    """A level at which port states and offsets are not logged."""
    if s.number("logging_level") < 5:
        yield at(s, "logging_level", "port states and offsets are not logged below 6", "use 6")


@rule("sockets-same", ERROR)
def sockets_same(s: Settings) -> Hits:
    """One path for both management sockets."""
    if s.named("uds_address") and s.text("uds_address") == s.text("uds_ro_address"):
        yield at(s, "uds_address", "is uds_ro_address too", "give each its own path")


@rule("hybrid-idle", WARNING)
def hybrid_idle(s: Settings) -> Hits:
    """hybrid_e2e with peer delay, which is never unicast."""
    for port in scopes(s):
        if s.number("hybrid_e2e", port) and s.text("delay_mechanism", port) == "P2P":
            yield at(s, "hybrid_e2e", "has no effect: the delay mechanism is P2P", "remove it", port)


@rule("mechanism-idle", WARNING)
def mechanism_idle(s: Settings) -> Hits:
    """An interval of the other delay mechanism."""
    for port in scopes(s):
        mechanism = s.text("delay_mechanism", port)
        for key, wanted in (("logMinDelayReqInterval", "E2E"), ("logMinPdelayReqInterval", "P2P")):
            if given(s, key, port) and mechanism in ("E2E", "P2P") and mechanism != wanted:
                yield at(
                    s,
                    key,
                    f"has no effect: the delay mechanism is {mechanism}",
                    f"use {wanted}, or the other key",
                    port,
                )


@rule("mechanism-none", WARNING)
def mechanism_none(s: Settings) -> Hits:
    """No delay is measured: every client is off by the path."""
    for port in scopes(s):
        if s.text("delay_mechanism", port) == "NONE" and not s.number("initial_delay"):
            yield at(s, "delay_mechanism", "the path counts as 0: offsets are wrong by it", "use E2E or P2P", port)
