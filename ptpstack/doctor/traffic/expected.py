"""What a configuration expects of the network, against what was heard: domain, sdoId, transport, delay mechanism."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from ptpstack.doctor.findings import NOTE, WARNING, Finding, kind, some
from ptpstack.doctor.traffic.census import Census
from ptpstack.doctor.traffic.mechanisms import mechanisms

#: transports as they are configured -> as they are captured
TRANSPORTS = {"udp4": "UDPv4", "udp6": "UDPv6", "l2": "802.3"}

WRONG_DOMAIN = kind(
    "nobody-in-domain",
    WARNING,
    "No master in the configured domain",
    "Set `domain` (linuxptp: domainNumber) to that of the master, or the master's to this one.",
)
WRONG_TRANSPORT = kind(
    "transport-differs",
    WARNING,
    "The master uses another transport than the configuration",
    "Set `transport` to that of the master (linuxptp: network_transport).",
)
WRONG_SDO = kind(
    "sdo-differs",
    WARNING,
    "The master uses another sdoId than the configuration",
    "Use the profile of the master (gPTP has majorSdoId 1; linuxptp: transportSpecific).",
)
WRONG_MECHANISM = kind(
    "delay-mechanism-differs",
    WARNING,
    "Others use another delay mechanism than the configuration",
    "Set `delay_mechanism` to that of the network.",
)
NOBODY = kind(
    "no-master-heard",
    NOTE,
    "No master is heard for a configured port",
    "Nothing is wrong with that for a grandmaster; a client waits. Listen longer, look at the cable and the VLAN.",
)


@dataclass(frozen=True, slots=True)
class Expected:
    """One configured port. ``follows``: it may become a client."""

    interface: str
    transport: str
    domain: int
    sdo_id: int
    mechanism: str
    follows: bool


def judge(census: Census, expected: tuple[Expected, ...]) -> list[Finding]:
    return [finding for port in expected for finding in _port(census, port)]


def _port(census: Census, port: Expected) -> Iterator[Finding]:
    where = f"{port.interface} domain {port.domain}"
    wanted = TRANSPORTS[port.transport]
    masters = [m for m in census.masters() if m.place.interface == port.interface and not m.local]
    here = [m for m in masters if m.place.domain == port.domain]
    with_sdo = [m for m in here if m.place.sdo_id == port.sdo_id]
    if port.follows and not any(m.place.transport == wanted for m in with_sdo):
        if with_sdo:
            yield WRONG_TRANSPORT(where, f"configured {wanted}; {with_sdo[0]} uses {with_sdo[0].place.transport}")
        elif here:
            other = here[0]
            yield WRONG_SDO(where, f"configured 0x{port.sdo_id:03X}; {other} uses 0x{other.place.sdo_id:03X}")
        elif masters:
            each = some(sorted({f"{m} in domain {m.place.domain}" for m in masters}))
            yield WRONG_DOMAIN(where, f"heard: {each}")
        else:
            yield NOBODY(where, f"configured {wanted}, {port.mechanism}")
    others = [
        s
        for s in census.speakers.values()
        if not s.local
        and (s.place.interface, s.place.domain, s.place.sdo_id) == (port.interface, port.domain, port.sdo_id)
    ]
    end, peer = mechanisms(others)
    if port.mechanism == "E2E" and peer and not end:
        yield WRONG_MECHANISM(where, f"configured E2E; {peer[0]} asks P2P")
    elif port.mechanism in ("P2P", "COMMON_P2P") and end and not peer:
        yield WRONG_MECHANISM(where, f"configured {port.mechanism}; {end[0]} asks E2E")
