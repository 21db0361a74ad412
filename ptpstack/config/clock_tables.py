"""Clocks, their references and the edges between them: from validated tables to options."""

from __future__ import annotations

from ptpstack.config.findings import Report, show
from ptpstack.config.model import ClockOptions, EdgeOptions, ReferenceOptions, ServoOptions
from ptpstack.config.option_tables import drop_ineffective
from ptpstack.config.schema import PPS_KEYS, SIMULATED_CLOCK_KEYS
from ptpstack.config.validate import Section
from ptpstack.wire.types import ACCURACY_UNKNOWN, TimeSource


def clocks_of(site: Section, report: Report) -> tuple[ClockOptions, ...]:
    clocks = tuple(_clock(section, report) for section in site.tables["clock"])
    return clocks or (ClockOptions(),)


def _clock(section: Section, report: Report) -> ClockOptions:
    kind = section["type"]
    values = dict(section.values)
    if kind != "simulated":
        drop_ineffective(section, SIMULATED_CLOCK_KEYS, f"the clock's type is {kind}, not simulated", report)
        values = {k: v for k, v in values.items() if k not in SIMULATED_CLOCK_KEYS}
    if kind != "phc":
        drop_ineffective(section, ("device",), f"the clock's type is {kind}, not phc", report)
        values["device"] = None
    elif values["device"] is None and "device" not in section.given:
        report.note(section.path, "no device: the PHC of the port's interface will be used", "give device to pin it")
    return ClockOptions(**values)


def clock_name(section: Section, clocks: tuple[ClockOptions, ...], report: Report) -> str:
    """The clock an instance reads: the one it names, else the only one."""
    names = [clock.name for clock in clocks]
    wanted: str | None = section["clock"]
    ports = [port.values.get("clock") for port in section.tables["port"]]
    if wanted is None:
        if ports and all(ports):
            return str(ports[0])
        if len(names) > 1 and "clock" not in section.given:
            have = ", ".join(show(n) for n in names)
            report.error(
                section.path,
                f"{len(names)} clocks are declared and the instance names none",
                f"add clock = one of {have}",
            )
        return names[0]
    must_exist(wanted, names, section, "clock", report)
    return wanted


def must_exist(wanted: str, names: list[str], section: Section, key: str, report: Report) -> None:
    if wanted not in names:
        near = report.suggest(wanted, names)
        hint = f'did you mean "{near}"? ' if near else ""
        have = ", ".join(show(n) for n in names)
        report.error(section.at(key), f"there is no clock {show(wanted)}", f"{hint}declared: {have}")


def reference_options(section: Section, report: Report) -> ReferenceOptions:
    kind = section["type"]
    if kind == "none":
        keys = ("state", "time_source", "accuracy", "holdover_spec_s", "holdover_limit_ns", "noise_ns", "log_interval")
        drop_ineffective(section, keys + PPS_KEYS, "the reference's type is none", report)
        return ReferenceOptions()
    values = dict(section.values)
    if kind != "simulated":
        drop_ineffective(section, ("noise_ns",), f"the reference's type is {kind}, not simulated", report)
        values["noise_ns"] = 0.0
    if kind != "pps":
        drop_ineffective(section, PPS_KEYS, f"the reference's type is {kind}, not pps", report)
        values = {k: v for k, v in values.items() if k not in PPS_KEYS}
    else:
        drop_ineffective(section, ("log_interval",), "pulses come once a second", report)
        values["log_interval"] = 0
    if values["state"] is None:
        values["state"] = "locked" if kind in ("simulated", "pps") else "free-running"
        if kind == "declared":
            report.warning(section.path, "a declared reference without state is free-running", 'add state = "locked"')
    if values["time_source"] is None:
        values["time_source"] = int(TimeSource.INTERNAL_OSCILLATOR)
    if values["accuracy"] is None:
        values["accuracy"] = ACCURACY_UNKNOWN
        if values["state"] == "locked":
            report.note(
                section.path,
                "locked with unknown accuracy: loses against any master that states one",
                'add accuracy = "100 ns" or whatever is true',
            )
    return ReferenceOptions(**values)


def edge_options(section: Section) -> EdgeOptions:
    return EdgeOptions(
        source=section["from"] or "?",
        target=section["to"] or "?",
        log_interval=section["log_interval"],
        samples=section["samples"],
        always=section["always"],
        servo=ServoOptions(**section.one("servo").values),
    )
