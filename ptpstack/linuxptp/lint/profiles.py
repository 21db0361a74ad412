"""802.1AS, telecom and power: keys that belong together."""

from __future__ import annotations

from ptpstack.config.findings import NOTE, WARNING
from ptpstack.linuxptp.lint.network import mac
from ptpstack.linuxptp.lint.rule import Hits, at, given, rule, scopes
from ptpstack.linuxptp.settings import Settings


@rule("gptp-sdo", WARNING)
def gptp_sdo(s: Settings) -> Hits:
    """802.1AS without transportSpecific 1, which all its messages carry."""
    for port in scopes(s):
        if s.number("follow_up_info", port) and s.number("transportSpecific", port) != 1:
            yield at(
                s,
                "transportSpecific",
                "802.1AS neighbours have 1, and drop everything else",
                "use transportSpecific 1",
                port,
            )


@rule("sdo-without-gptp", WARNING)
def sdo_without_gptp(s: Settings) -> Hits:
    """transportSpecific 1 without the rest of 802.1AS."""
    for port in scopes(s):
        if (
            s.number("transportSpecific", port) == 1
            and not s.number("follow_up_info", port)
            and s.text("asCapable", port) == "auto"
        ):
            yield at(
                s,
                "transportSpecific",
                "1 is 802.1AS, whose stations drop a Sync without follow_up_info",
                "add follow_up_info 1",
                port,
            )


@rule("sdo-reserved", WARNING)
def sdo_reserved(s: Settings) -> Hits:
    """A transportSpecific that nobody has."""
    for port in scopes(s):
        if s.number("transportSpecific", port) > 2:
            yield at(
                s,
                "transportSpecific",
                "0 is IEEE 1588, 1 is 802.1AS, 2 its common delay service",
                "use one of these",
                port,
            )


@rule("gptp-transport", WARNING)
def gptp_transport(s: Settings) -> Hits:
    """802.1AS over UDP."""
    for port in scopes(s):
        if s.number("follow_up_info", port) and s.text("network_transport", port) != "L2":
            yield at(s, "network_transport", "802.1AS is Ethernet only", "use network_transport L2", port)


@rule("gptp-mechanism", WARNING)
def gptp_mechanism(s: Settings) -> Hits:
    """802.1AS with end-to-end delay."""
    for port in scopes(s):
        if s.number("follow_up_info", port) and s.text("delay_mechanism", port) in ("E2E", "Auto"):
            yield at(s, "delay_mechanism", "802.1AS measures peer delay", "use delay_mechanism P2P", port)


@rule("gptp-group", WARNING)
def gptp_group(s: Settings) -> Hits:
    """802.1AS to the group of IEEE 1588."""
    for port in scopes(s):
        if s.number("follow_up_info", port) and mac(s.text("ptp_dst_mac", port)) != "0180c200000e":
            yield at(s, "ptp_dst_mac", "802.1AS stations listen to 01:80:C2:00:00:0E", "use that", port)


@rule("gptp-threshold", WARNING)
def gptp_threshold(s: Settings) -> Hits:
    """A neighborPropDelayThresh that ordinary links exceed: the port falls silent and says why at debug level only."""
    for port in scopes(s):
        if s.number("follow_up_info", port) and s.number("neighborPropDelayThresh", port) < 100:
            yield at(
                s,
                "neighborPropDelayThresh",
                "is in ns: a link of 20 m exceeds it, and nothing is sent",
                "use 800",
                port,
            )


@rule("gptp-threshold-default", NOTE)
def gptp_threshold_default(s: Settings) -> Hits:
    """802.1AS with linuxptp's own limit of 20 ms, by which everything is a direct neighbour."""
    for port in scopes(s):
        if s.number("follow_up_info", port) and s.number("neighborPropDelayThresh", port) >= 20_000_000:
            yield at(
                s, "neighborPropDelayThresh", "802.1AS has 800 ns: a switch in between goes unnoticed", "use 800", port
            )


@rule("gptp-software", WARNING)
def gptp_software(s: Settings) -> Hits:
    """A limit of nanoseconds with software stamps, which see ten times as much."""
    for port in scopes(s):
        if (
            s.number("follow_up_info", port)
            and s.text("time_stamping") == "software"
            and s.text("asCapable", port) == "auto"
            and s.number("neighborPropDelayThresh", port) < 10_000
        ):
            yield at(
                s,
                "neighborPropDelayThresh",
                "software stamps show tens of microseconds: never asCapable",
                "use 200000",
                port,
            )


@rule("gptp-idle", WARNING)
def gptp_idle(s: Settings) -> Hits:
    """Keys of 802.1AS on a port that is none."""
    for port in scopes(s):
        for key in ("neighborPropDelayThresh", "min_neighbor_prop_delay", "allowedLostResponses"):
            if (
                given(s, key, port)
                and not s.number("follow_up_info", port)
                and s.text("delay_mechanism", port) != "P2P"
            ):
                yield at(
                    s, key, "has no effect: the port is no port of 802.1AS", "add follow_up_info 1, or remove it", port
                )


@rule("telecom-domain", WARNING)
def telecom_domain(s: Settings) -> Hits:
    """Telecom comparison outside the domains of telecom."""
    if s.text("dataset_comparison") == "G.8275.x" and not 24 <= s.number("domainNumber") <= 63:
        yield at(
            s,
            "domainNumber",
            "G.8275.1 has 24 to 43, G.8275.2 44 to 63: others there do not hear this clock",
            "use 24 or 44",
        )


@rule("telecom-priority1", WARNING)
def telecom_priority1(s: Settings) -> Hits:
    """priority1 where the telecom comparison does not look at it."""
    if s.text("dataset_comparison") == "G.8275.x" and s.number("priority1") != 128:
        yield at(
            s,
            "priority1",
            "has no effect: G.8275 compares priority2 and localPriority",
            "use those, and leave 128 here",
        )


@rule("local-priority-idle", WARNING)
def local_priority_idle(s: Settings) -> Hits:
    """localPriority without the telecom comparison."""
    if s.text("dataset_comparison") != "G.8275.x":
        for port in scopes(s):
            for key in ("G.8275.defaultDS.localPriority", "G.8275.portDS.localPriority"):
                if given(s, key, port):
                    yield at(
                        s, key, "has no effect without dataset_comparison G.8275.x", "add it, or use priority1", port
                    )


@rule("telecom-mechanism", WARNING)
def telecom_mechanism(s: Settings) -> Hits:
    """Peer delay in a telecom profile."""
    for port in scopes(s):
        if s.text("dataset_comparison") == "G.8275.x" and s.text("delay_mechanism", port) == "P2P":
            yield at(s, "delay_mechanism", "G.8275 measures end to end", "use E2E", port)


@rule("telecom-static", WARNING)
def telecom_static(s: Settings) -> Hits:
    """An election that never takes place."""
    for port in scopes(s):
        if s.text("dataset_comparison") == "G.8275.x" and s.text("BMCA", port) == "noop":
            yield at(
                s, "dataset_comparison", "has no effect: BMCA noop compares nothing", "remove one of the two", port
            )


@rule("power-idle", WARNING)
def power_idle(s: Settings) -> Hits:
    """Members of a power profile TLV that is not sent."""
    for port in scopes(s):
        edition = s.text("power_profile.version", port)
        for key in ("2011.grandmasterTimeInaccuracy", "2011.networkTimeInaccuracy", "2017.totalTimeInaccuracy"):
            name = f"power_profile.{key}"
            if given(s, name, port) and not key.startswith(edition):
                yield at(s, name, f"has no effect with power_profile.version {edition}", "set the version", port)
        if given(s, "power_profile.grandmasterID", port) and edition == "none":
            yield at(s, "power_profile.grandmasterID", "has no effect without power_profile.version", "set it", port)


@rule("power-identity", WARNING)
def power_identity(s: Settings) -> Hits:
    """The edition of 2011 has an octet for the grandmaster, 3 to 254."""
    for port in scopes(s):
        number = s.number("power_profile.grandmasterID", port)
        if s.text("power_profile.version", port) == "2011" and not 3 <= number <= 254:
            yield at(s, "power_profile.grandmasterID", "is 3 to 254 in the edition of 2011", "give each its own", port)
