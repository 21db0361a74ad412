"""What tables and keys of options mean: from validated sections and a profile to members of the protocol's options."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from ptpstack.config.findings import Report, show
from ptpstack.config.profiles import Profile
from ptpstack.config.validate import Section
from ptpstack.config.zones import alternate_timescale, sync_metadata
from ptpstack.protocol.options import AcceptableMaster, AlternateTimescale, PowerOptions, SyncMetadataOptions


def drop_ineffective(section: Section, keys: Iterable[str], why: str, report: Report) -> None:
    """A word about given keys that do nothing here."""
    given = [key for key in keys if key in section.given]
    for key in given:
        report.warning(section.at(key), f"has no effect: {why}", "remove it, or change the type")


def _range(profile: Profile, name: str) -> tuple[int, int]:
    parameter = profile.parameters[name]
    return parameter.low, parameter.high


def port_options(section: Section, profile: Profile, transport: str) -> dict[str, Any]:
    """Members of ``PortOptions`` that are options."""
    values = section.values
    behaviours = profile.behaviours
    honour = values["honour_interval_requests"]
    group = values["l2_group"] or behaviours["l2_group"]
    return {
        "desired_state": values["desired_state"] or "",
        "announce": behaviours["announce"] == "sent",
        "link_local": transport == "l2" and group == "non-forwardable",
        "honour_interval_requests": behaviours["interval_requests"] == "honoured" if honour is None else honour,
        "requestable_sync": _range(profile, "log_sync_interval"),
        "requestable_announce": _range(profile, "log_announce_interval"),
        "requestable_pdelay": _range(profile, "log_min_pdelay_req_interval"),
        "operational_log_sync_interval": values["operational_log_sync_interval"],
        "operational_log_pdelay_req_interval": values["operational_log_pdelay_req_interval"],
        "monitor": tuple(values["monitor"] or ()),
        "monitor_events": values["monitor_events"],
        "monitor_every": values["monitor_every"],
        "alternate_masters": values["alternate_masters"],
        "acceptable_masters_only": values["acceptable_masters_only"],
    }


def acceptable_masters(section: Section) -> tuple[AcceptableMaster, ...]:
    return tuple(
        AcceptableMaster(**{**entry.values, "clock_identity": entry["clock_identity"] or b""})
        for entry in section.tables["acceptable_master"]
    )


def alternate_timescales(section: Section, report: Report) -> tuple[AlternateTimescale, ...]:
    made = (alternate_timescale(entry, report) for entry in section.tables["alternate_time_offset"])
    return tuple(timescale for timescale in made if timescale is not None)


#: desiredState of the ports of a role, where it leaves no doubt
_DESIRED = {"grandmaster": "master", "ordinary": "slave"}


def bmca_of(section: Section, profile: Profile) -> str:
    """The BMCA variant; with external port configuration, ports get the desired state of their role."""
    wanted = section["external_port_configuration"]
    own = profile.behaviours["bmca"]
    bmca = own if wanted is None else "external" if wanted else "default" if own == "external" else own
    ports = section.tables["port"]
    role = section["role"] or ("ordinary" if len(ports) == 1 else "")
    for port in ports if bmca == "external" else ():
        if port["desired_state"] is None:
            port.values["desired_state"] = _DESIRED.get(role)
    return bmca


def power(section: Section, profile: Profile, report: Report) -> PowerOptions | None:
    table = section.one("power")
    edition = table["edition"] or profile.behaviours["power_tlv"]
    if edition == "none":
        keys = ("grandmaster_id", "time_inaccuracy_ns", "network_inaccuracy_ns")
        drop_ineffective(table, keys, 'no power profile TLV is sent (edition "none")', report)
        return None
    if edition == "2011" and not 3 <= table["grandmaster_id"] <= 254:
        report.warning(
            table.at("grandmaster_id"),
            f"{table['grandmaster_id']} is not 3..254",
            "give each grandmaster a number of its own",
        )
    inaccuracy = table["time_inaccuracy_ns"]
    if inaccuracy is None:
        inaccuracy = 200 if section["role"] == "boundary" else 250
    return PowerOptions(int(edition), table["grandmaster_id"], inaccuracy, table["network_inaccuracy_ns"])


def metadata(section: Section, profile: Profile, report: Report) -> SyncMetadataOptions | None:
    wanted = sync_metadata(section.one("sync_metadata"), report)
    expected = profile.behaviours["sync_metadata"] == "expected" and section["role"] == "grandmaster"
    if expected and not section.one("sync_metadata").given:
        report.warning(
            section.path,
            f"profile {show(profile.name)} expects of a grandmaster to tell frame rate and local time",
            'add [instance.sync_metadata] with zone = "Europe/Berlin" and frame_rate = "25"',
        )
    return wanted


def expect_local_time(section: Section, profile: Profile, report: Report) -> None:
    expected = profile.behaviours["local_time"] == "expected" and section["role"] == "grandmaster"
    if expected and not section.tables["alternate_time_offset"]:
        report.warning(
            section.path,
            f"profile {show(profile.name)} expects of a grandmaster to tell a local time",
            'add [[instance.alternate_time_offset]] with key = 0 and zone = "Europe/Berlin"',
        )
