"""``[instance.port.unicast]``: from a validated section to options, and what is right key by key and wrong together."""

from __future__ import annotations

import ipaddress
import re

from ptpstack.config.findings import Report, show
from ptpstack.config.model import Site
from ptpstack.config.profiles import Profile
from ptpstack.config.schema import UNICAST_ASKING_KEYS, UNICAST_SERVING_KEYS
from ptpstack.config.validate import Section
from ptpstack.protocol.options import UnicastOptions, UnicastServer

#: BMCA variants that compare localPriority
WITH_LOCAL_PRIORITY = ("itu-alternate", "g8265.1")
_MAC = re.compile(r"[0-9a-f]{2}([:-][0-9a-f]{2}){5}")
#: version of the addresses of a transport; without one: MAC addresses
_IP_VERSIONS = {"udp4": 4, "udp6": 6}


def unicast_options(section: Section, transport: str, profile: Profile, report: Report) -> UnicastOptions:
    """The section's options, with what is worked out from others; those of a port without unicast are plain."""
    values = dict(section.values)
    servers = tuple(
        server for entry in section.tables["server"] if (server := _server(entry, transport, report)) is not None
    )
    serve: bool = values["serve"]
    asks = bool(section.tables["server"])
    rule = profile.behaviours["unicast_negotiation"]
    if values["multicast"] is None:
        values["multicast"] = not asks and rule != "required"
    if values["negotiation_required"] is None:
        values["negotiation_required"] = serve and not values["multicast"]
    for keys, effective, missing in (
        (UNICAST_SERVING_KEYS, serve, "the port does not serve"),
        (UNICAST_ASKING_KEYS, asks, "no server is given"),
    ):
        if not effective:
            _no_effect(section, keys, missing, report)
            values |= {key: profile.parameters[key].default for key in keys if key in profile.parameters}
            values |= {
                key: UnicastOptions.__dataclass_fields__[key].default for key in keys if key not in profile.parameters
            }
    if values["unicast_delay_req"] and not values["multicast"]:
        _no_effect(section, ("unicast_delay_req",), "without multicast every Delay_Req is unicast", report)
        values["unicast_delay_req"] = False
    options = UnicastOptions(servers=servers, **values)
    if rule == "required" and values["multicast"]:
        report.error(
            section.at("multicast"), f"profile {show(profile.name)} allows negotiated unicast only", "remove multicast"
        )
    if (serve or asks) and rule == "prohibited":
        report.error(
            section.path,
            f"profile {show(profile.name)} prohibits unicast negotiation",
            'remove serve and the servers, or use a profile that allows it ("unrestricted")',
        )
    return options if options.active or asks else UnicastOptions()


def _no_effect(section: Section, keys: tuple[str, ...], why: str, report: Report) -> None:
    for key in keys:
        if key in section.given:
            report.warning(section.at(key), f"has no effect: {why}", "remove it, or add what is missing")


def _server(section: Section, transport: str, report: Report) -> UnicastServer | None:
    text: str | None = section["address"]
    if text is None:
        return None
    address = _mac(text) if transport not in _IP_VERSIONS else _ip(text, _IP_VERSIONS[transport])
    if address is None:
        kind = f"an IPv{_IP_VERSIONS[transport]}" if transport in _IP_VERSIONS else "a MAC"
        report.error(
            section.at("address"),
            f"{show(text)} is not {kind} address of one station, which transport {transport} needs",
            'write it in figures, such as "192.0.2.1", "2001:db8::1" or "02:00:00:00:00:01"',
        )
        return None
    return UnicastServer(address, section["local_priority"])


def _ip(text: str, version: int) -> str | None:
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        return None
    unusable = address.is_multicast or address.is_unspecified or str(address) == "255.255.255.255"
    return None if unusable or address.version != version else str(address)


def _mac(text: str) -> str | None:
    address = text.lower()
    if not _MAC.fullmatch(address) or int(address[:2], 16) & 1:
        return None
    return address.replace("-", ":")


def unicast_checks(site: Site, sections: Section, report: Report) -> None:
    """What unicast needs of the rest of the port and the instance."""
    for instance, section in zip(site.instances, sections.tables["instance"], strict=True):
        for port, port_section in zip(instance.options.ports, section.tables["port"], strict=True):
            unicast, here = port.unicast, port_section.one("unicast")
            if unicast.serve and instance.options.client_only:
                report.error(
                    here.at("serve"), "the instance is client only: it serves nobody", "remove serve or client_only"
                )
            if unicast.servers and port.server_only:
                report.error(
                    here.path, "the port is server only: it follows nobody", "remove the servers or server_only"
                )
            if not (unicast.multicast or unicast.serve or here.tables["server"]):
                report.error(
                    here.at("multicast"),
                    "without multicast the port neither serves nor asks anybody",
                    "add serve = true, a [[instance.port.unicast.server]], or multicast = true",
                )
            if unicast.min_duration_s > unicast.max_duration_s:
                report.error(
                    here.at("min_duration_s"),
                    f"{unicast.min_duration_s} s is more than max_duration_s, {unicast.max_duration_s} s",
                    "make it less: nothing could be granted",
                )
            if unicast.log_query_interval > unicast.log_max_query_interval:
                report.error(
                    here.at("log_query_interval"),
                    f"{unicast.log_query_interval} is more than log_max_query_interval, "
                    f"{unicast.log_max_query_interval}",
                    "make it at most that",
                )
            if instance.options.bmca not in WITH_LOCAL_PRIORITY:
                for entry in here.tables["server"]:
                    if "local_priority" in entry.given - entry.bad:
                        report.warning(
                            entry.at("local_priority"),
                            f"has no effect: BMCA {show(instance.options.bmca)} knows no localPriority",
                            "remove it, or use alternate_priority1 of [[instance.acceptable_master]]",
                        )
            seen: dict[str, int] = {}
            for index, server in enumerate(unicast.servers):
                first = seen.setdefault(server.address, index)
                if first != index:
                    report.error(
                        here.path, f"server[{first}] and server[{index}] are both {server.address}", "remove one"
                    )
