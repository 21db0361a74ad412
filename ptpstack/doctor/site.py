"""What a configuration file tells the doctor: where to look, and what to expect there."""

from __future__ import annotations

from dataclasses import dataclass

from ptpstack.config.data import read_file
from ptpstack.config.findings import ERROR as CONFIG_ERROR
from ptpstack.config.findings import NOTE as CONFIG_NOTE
from ptpstack.config.findings import UnreadableError
from ptpstack.config.load import read_site
from ptpstack.config.model import Site
from ptpstack.doctor.findings import ERROR, WARNING, Finding, kind
from ptpstack.doctor.machine.programs import SYSTEM
from ptpstack.doctor.probes.daemons import phc_of
from ptpstack.doctor.traffic.expected import Expected
from ptpstack.linuxptp.keys import find

CONFIGURATION = kind(
    "configuration-error",
    ERROR,
    "The configuration has errors",
    "`ptpstack check FILE` shows each with its line and fix.",
)
CONFIGURATION_WARNING = kind(
    "configuration-warning",
    WARNING,
    "The configuration has warnings",
    "`ptpstack check FILE` shows each with its line and fix.",
)
_IMPORT = "This is a file of linuxptp: `ptpstack import-linuxptp FILE` makes a site file of it."


@dataclass(frozen=True, slots=True)
class Wishes:
    """Nothing is expected where no file is given. ``steered``: clocks that it wants to steer."""

    interfaces: tuple[str, ...] = ()
    expected: tuple[Expected, ...] = ()
    steered: tuple[str, ...] = ()
    leap_file: str | None = None
    scheduling_priority: int = 0
    #: control socket of the node; None: the usual one
    control: str | None = None

    def transports(self, interface: str) -> tuple[str, ...]:
        return tuple(sorted({port.transport for port in self.expected if port.interface == interface}))


def read(path: str) -> tuple[Wishes, list[Finding]]:
    """UnreadableError (config.findings) when there is no reading the file."""
    site, told = read_site(path)  # what this machine lacks, the doctor finds by looking
    advice = _IMPORT if site is None and _of_linuxptp(path) else None
    found = [
        (CONFIGURATION if finding.severity == CONFIG_ERROR else CONFIGURATION_WARNING)(
            path, str(finding), advice=advice
        )
        for finding in told
        if finding.severity != CONFIG_NOTE
    ]
    return (Wishes() if site is None else wishes(site)), found


def _of_linuxptp(path: str) -> bool:
    """Whether it has the section [global], or a key of linuxptp with a value behind a blank."""
    try:
        text = read_file(path).decode("utf-8", "replace")
    except UnreadableError:
        return False
    lines = [line.split(None, 1) for line in text.splitlines() if line.strip()]
    return any(
        words[0].casefold() == "[global]" or (find(words[0]) is not None and words[1:] and words[1][0] != "=")
        for words in lines
    )


def wishes(site: Site) -> Wishes:
    expected = []
    for instance in site.instances:
        options = instance.options
        for port, channel in zip(options.ports, instance.channels, strict=True):
            follows = not port.server_only and instance.role != "grandmaster" and port.desired_state != "master"
            # a master that serves by unicast only is heard by nobody else
            follows = follows and port.unicast.multicast
            mechanism = port.delay_mechanism
            expected.append(
                Expected(channel.interface, channel.transport, options.domain, options.sdo_id, mechanism, follows)
            )
    channels = [*site.channels, *(channel for clock in site.transparent for channel in clock.channels)]
    interfaces = tuple(dict.fromkeys(channel.interface for channel in channels))
    steered = []
    for clock in site.clocks:
        if clock.type == "system" and clock.steers("system"):
            steered.append(SYSTEM)
        elif clock.type in ("phc", "auto") and clock.steers("phc"):
            steered += [clock.device] if clock.device else [path for name in interfaces if (path := phc_of(name))]
    node = site.node
    return Wishes(
        interfaces,
        tuple(expected),
        tuple(dict.fromkeys(steered)),
        node.leap_file,
        node.scheduling_priority,
        node.control,
    )
