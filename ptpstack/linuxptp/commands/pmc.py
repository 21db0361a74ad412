"""What pmc takes from a configuration file of linuxptp."""

from __future__ import annotations

from typing import Any

from ptpstack.linuxptp.reader import read_config
from ptpstack.linuxptp.settings import Settings

_TRANSPORTS = {"L2": "l2", "UDPv4": "udp4", "UDPv6": "udp6"}


def options_of(path: str) -> dict[str, Any]:
    """Only what the file names: ``transport``, ``socket``, ``domain``, ``major_sdo_id``. ConfigError."""
    settings = Settings(read_config(path))
    found: dict[str, Any] = {}
    if settings.named("network_transport"):
        found["transport"] = _TRANSPORTS[settings.text("network_transport")]
    if settings.named("uds_address"):
        found["socket"] = settings.text("uds_address")
    if settings.named("domainNumber"):
        found["domain"] = settings.number("domainNumber")
    if settings.named("transportSpecific"):
        found["major_sdo_id"] = settings.number("transportSpecific")
    return found


#: columns of labels, where linuxptp's are wider than the longest label
_WIDTHS = {"PORT_PROPERTIES_NP": 23, "PORT_STATS_NP": 25}
_NULL = "NULL_PTP_MANAGEMENT"


def layout(lines: list[str]) -> list[str]:
    """An answer as linuxptp's pmc writes it, blank for blank: scripts cut it by columns."""
    head, *rows = lines
    name = head.rpartition(" ")[2]
    width = _WIDTHS.get(name)
    if width is not None:
        pairs = [row.strip().split(None, 1) for row in rows]
        rows = [f"\t\t{label.ljust(width)} {''.join(value)}" for label, *value in pairs]
    return [head.removesuffix(name) if name == _NULL else f"{head} ", *rows]
