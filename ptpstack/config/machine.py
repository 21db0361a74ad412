"""What a site asks for and this machine does not have: interfaces, devices, files, users. All warnings: the same file
may be meant for another machine, and an interface may appear later."""

from __future__ import annotations

import os
import pwd
import socket

from ptpstack.config.findings import Report, show
from ptpstack.config.model import Site
from ptpstack.config.security_checks import key_file
from ptpstack.config.validate import Section


def interface_names() -> tuple[str, ...]:
    """The network interfaces of this network namespace."""
    return tuple(name for _, name in socket.if_nameindex())


def machine_check(site: Site, sections: Section, report: Report) -> None:
    """Warnings about ``site`` on this machine; reads, never changes or opens anything for use."""
    present = interface_names()
    bridges = {transparent.options.name for transparent in site.transparent}
    for section in (*sections.tables["instance"], *sections.tables["transparent"]):
        for port in section.tables["port"]:
            name = port["interface"]
            if name is not None and name not in present and name not in bridges:
                near = report.suggest(name, present)
                hint = f'did you mean "{near}"? ' if near else ""
                report.warning(
                    port.at("interface"),
                    f"this machine has no interface {show(name)}",
                    f"{hint}present: " + ", ".join(present) + "; --offline leaves this check out",
                )
    for clock, section in zip(site.clocks, sections.tables["clock"], strict=False):
        if clock.device is not None and not os.path.exists(clock.device):
            report.warning(
                section.at("device"),
                f"this machine has no {show(clock.device)}",
                "see `ls /dev/ptp*` and `ethtool -T INTERFACE`; --offline leaves this check out",
            )
        if clock.temperature is not None and clock.type != "simulated" and not os.access(clock.temperature, os.R_OK):
            report.warning(
                section.at("temperature"),
                f"{show(clock.temperature)} cannot be read",
                "see `grep . /sys/class/hwmon/hwmon*/temp*_input`; --offline leaves this check out",
            )
    node = site.node
    where = sections.one("node")
    if node.leap_file is not None and not os.access(node.leap_file, os.R_OK):
        report.warning(
            where.at("leap_file"),
            f"{show(node.leap_file)} cannot be read",
            "install it, or remove leap_file to use the table built in",
        )
    key_file(site, sections, report)
    if node.user is not None:
        try:
            pwd.getpwnam(node.user)
        except (KeyError, ValueError):
            report.warning(where.at("user"), f"this machine has no user {show(node.user)}", "create it, or remove user")
    for key, path in (("control", node.control), ("management", node.management), ("record", node.record)):
        folder = os.path.dirname(os.path.abspath(path)) if path else ""
        if key in where.given and folder and not os.path.isdir(folder):
            report.warning(
                where.at(key),
                f"the directory {show(folder)} does not exist",
                "create it; systemd's RuntimeDirectory makes /run/ptpstack",
            )
