"""Cross checks of the common mean link delay service: what its users say of a link they say alike."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ptpstack.config.findings import Report, show_path

if TYPE_CHECKING:
    from ptpstack.config.findings import Path
    from ptpstack.config.model import Site
    from ptpstack.config.validate import Section

#: what describes the link, or how its stamps are to be read
_OF_THE_LINK = (
    *("delay_asymmetry_ns", "ingress_latency_ns", "egress_latency_ns", "several_peers"),
    *("allow_sources", "deny_sources"),
)
_GPTP = 1


def common_links(site: Site, sections: Section, report: Report) -> None:
    first: dict[str, tuple[dict[str, object], Path]] = {}
    for instance, section in zip(site.instances, sections.tables["instance"], strict=True):
        for port, table in zip(instance.options.ports, section.tables["port"], strict=True):
            if port.delay_mechanism != "COMMON_P2P":
                continue
            if instance.options.sdo_id >> 8 == _GPTP:
                report.error(
                    table.at("delay_mechanism"),
                    "asCapable of IEEE 802.1AS is not told by the common service yet",
                    'use delay_mechanism = "P2P"',
                )
            if port.spp is not None:
                report.warning(
                    table.at("delay_mechanism"),
                    "the peer delay messages of the common service are not signed",
                    'use delay_mechanism = "P2P" where they have to be',
                )
            mine = {key: getattr(port, key) for key in _OF_THE_LINK}
            theirs, where = first.setdefault(port.channel, (mine, table.path))
            for key in _OF_THE_LINK:
                if mine[key] != theirs[key]:
                    report.error(
                        table.at(key),
                        f"{mine[key]}, but {show_path(where)}, whose link is the same, has {theirs[key]}",
                        "give both the same value: the link is measured once",
                    )
