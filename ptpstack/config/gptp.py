"""``[instance.port.gptp]``: from a validated section to options, and what is right key by key and wrong together."""

from __future__ import annotations

from ptpstack.config.findings import Report, show
from ptpstack.config.model import Site
from ptpstack.config.profiles import Profile
from ptpstack.config.validate import Section
from ptpstack.protocol.options import GptpOptions

#: Software stamps are taken far above the wire: a link of any length measures more than this, ns.
SOFTWARE_DELAY_NS = 10_000.0


def gptp_options(section: Section, profile: Profile, report: Report) -> GptpOptions | None:
    """The options of a port of IEEE 802.1AS; None for a profile of IEEE 1588."""
    edition = profile.behaviours["gptp"]
    if edition == "none":
        for key in section.given:
            report.warning(
                section.at(key),
                f"has no effect: profile {show(profile.name)} is not one of IEEE 802.1AS",
                'remove it, or use profile = "802-1as-2020" or "802-1as-2011"',
            )
        return None
    return GptpOptions(
        as_capable=profile.behaviours["as_capable"],
        capable_messages=edition == "2020",
        **section.values,
    )


def gptp_checks(site: Site, sections: Section, report: Report) -> None:
    """What IEEE 802.1AS needs of a port, and of the ports of a relay together."""
    by_software = {clock.name for clock in site.clocks if clock.type in ("simulated", "system")}
    for instance, section in zip(site.instances, sections.tables["instance"], strict=True):
        options = instance.options
        if not any(port.gptp is not None for port in options.ports):
            continue
        if len(options.clocks) > 1:
            report.warning(
                section.path,
                f"its ports have {len(options.clocks)} clocks: how long a Sync was inside is known only as well as "
                "these show the same time",
                "use ports of one network card",
            )
        for port, channel, own in zip(options.ports, instance.channels, section.tables["port"], strict=True):
            gptp = port.gptp
            if gptp is None:
                continue
            if channel.pcp is not None:
                report.error(own.at("pcp"), "802.1AS frames have no tag", "remove it")
            if options.bmca == "802.1AS" and not options.path_trace and port is options.ports[0]:
                report.error(section.at("path_trace"), "802.1AS needs path trace: it ends loops", "remove it")
            if port.alternate_masters:
                report.error(own.at("alternate_masters"), "802.1AS knows no alternate masters", "remove it")
            software = channel.stamping == "software" or options.clock_of(port) in by_software
            slow = software and gptp.delay_threshold_ns < SOFTWARE_DELAY_NS
            if slow and gptp.as_capable == "measured":
                report.warning(
                    own.at("stamping") if "stamping" in own.given else own.path,
                    f"software time stamps measure tens of microseconds of any link, and the threshold is "
                    f"{gptp.delay_threshold_ns:g} ns: this port will not be asCapable",
                    "add [instance.port.gptp] with delay_threshold_ns = 1_000_000, or use a port that stamps itself",
                )
