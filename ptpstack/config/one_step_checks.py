"""Cross checks of one-step transmission. What the NIC can do shows only when the channel is opened."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ptpstack.config.findings import Report, show, show_path

if TYPE_CHECKING:
    from ptpstack.config.findings import Path
    from ptpstack.config.model import Site
    from ptpstack.config.validate import Section

#: majorSdoId of IEEE 802.1AS
_GPTP = 1


def one_step(site: Site, sections: Section, report: Report) -> None:
    first: dict[str, tuple[str, Path]] = {}
    types = {clock.name: clock.type for clock in site.clocks}
    for instance, section in zip(site.instances, sections.tables["instance"], strict=True):
        options = instance.options
        for channel, port, table in zip(instance.channels, options.ports, section.tables["port"], strict=True):
            wanted, where = channel.one_step, table.at("one_step")
            other, path = first.setdefault(channel.interface, (wanted, table.path))
            if wanted != other:
                report.error(
                    where,
                    f"{show(wanted)}, but {show_path(path)} on the same {channel.interface} has {show(other)}",
                    "give both the same value: it is the NIC that is set",
                )
            if wanted == "no":
                continue
            if port.spp is not None:
                report.error(
                    where,
                    "a frame with AUTHENTICATION cannot be changed by the NIC as it leaves",
                    "remove it, or remove spp",
                )
            if options.sdo_id >> 8 == _GPTP:
                report.error(where, "Follow_Up of IEEE 802.1AS carries information that Sync does not", "remove it")
            kind = types.get(table["clock"] or options.clock, "auto")
            if wanted == "yes" and (channel.stamping == "software" or kind in ("system", "simulated")):
                report.error(
                    where,
                    "only a NIC can put the time into a frame as it leaves, and the stamps here are the kernel's",
                    'remove it, or use a clock of type "phc" and stamping = "hardware"',
                )
