"""phc2sys and ts2phc beside ptp4l: edges between clocks, and references by pulse, in the same site."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

from ptpstack.config.findings import ERROR, NOTE, Finding
from ptpstack.linuxptp.commands.common import SYSTEM
from ptpstack.linuxptp.importing import servo
from ptpstack.linuxptp.importing.draft import DIFFERS, KEPT, Draft, Row
from ptpstack.linuxptp.phc2sys import FEEDS, Phc2sys, servo_named
from ptpstack.linuxptp.settings import Settings


def edge(document: dict[str, Any], program: Phc2sys) -> list[Finding]:
    """An edge between the clock of an instance and the system clock, or a feed, for what ``program`` does."""

    def refused(reason: str, fix: str) -> list[Finding]:
        return [Finding(ERROR, program.text, reason, fix)]

    def nothing(reason: str) -> list[Finding]:
        return [Finding(NOTE, program.text, reason, "nothing: it is left out")]

    if program.refusal:
        return refused(program.refusal, "leave it out, or give the options that it ran with")
    if program.automatic and not program.system:
        return nothing("the system clock is left alone, and ports on several clocks are tied by themselves")
    source = program.source
    followers = [name for name in program.steers if name != source]
    if not followers:
        return nothing("source and sink are the same clock")
    others = [name for name in (source, *followers) if name and name != SYSTEM]
    instance = _instance_of(document, others[0] if others else "", program)
    if instance is None:
        what = f"{others[0]} is no clock of an instance here" if others else "without an instance there is no clock"
        return refused(what, "name an interface of ptp4l's file or of -i, or give its device with -p")
    strange = [name for name in followers if name != SYSTEM]
    if source == SYSTEM:
        strange = [name for name in strange if _instance_of(document, name, program) is not instance]
    if strange:
        fix = (
            "leave it out if it is a port of ptp4l: those are tied by themselves; else add an [[edge]] (docs/graph.md)"
        )
        return refused(f"the sink {strange[0]}: an edge is made between an instance and the system clock only", fix)
    if any(port.get("stamping") == "software" for port in instance["port"]):
        return nothing("ptp4l with software stamps steers the system clock already")
    if (kind := servo_named(program.settings)) in FEEDS:
        key, ours = servo.FEEDS[kind]
        ours, value = ours.partition(".")[2], program.settings.value(key)
        if source == SYSTEM or instance.get(ours, value) != value:
            why = "the system clock is fed, not its source" if source == SYSTEM else f"{instance[ours]} is fed already"
            return refused(f"{kind} {value}: {why}", "leave it out, or add it to another instance")
        instance[ours] = value
        _clock_of(document, instance)
    else:
        _tie(document, instance, program, kind)
    return list(_unneeded(program))


def _instance_of(document: dict[str, Any], name: str, program: Phc2sys) -> dict[str, Any] | None:
    """Who has the interface, or the clock of the device, ``name``; for "" who has the domain, else the first."""
    instances: list[dict[str, Any]] = document.get("instance", [])
    if not name:
        own = (one for one in instances if one.get("domain", 0) in program.domains)
        return next(own, instances[0] if instances else None)
    devices = {clock["name"]: clock.get("device", "") for clock in document.get("clock", [])}
    named = name if name.startswith("/") else f"/dev/{name}"
    for one in instances:
        device = devices.get(one.get("clock", next(iter(devices), "")), "")
        if device == named or any(port["interface"] == name for port in one["port"]):
            return one
    return None


def _clock_of(document: dict[str, Any], instance: dict[str, Any]) -> dict[str, Any]:
    """A PHC, for the system clock is compared with it."""
    clocks = document.setdefault("clock", [])
    if not clocks:
        clocks.append({"name": "clock"})
    phc: dict[str, Any] = next((clock for clock in clocks if clock["name"] == instance.get("clock")), clocks[0])
    phc.setdefault("type", "phc")
    phc.setdefault("steer", True)
    return phc


def _tie(document: dict[str, Any], instance: dict[str, Any], program: Phc2sys, kind: str) -> None:
    """The edge, and the two clocks of it."""
    phc, clocks = _clock_of(document, instance), document["clock"]
    for other in document["instance"]:
        other.setdefault("clock", phc["name"])
    system = next((clock for clock in clocks if clock.get("type") == "system"), None)
    if system is None:
        system = {"name": "system", "type": "system"}
        clocks.append(system)
    if program.source == SYSTEM:
        made: dict[str, Any] = {"from": system["name"], "to": phc["name"], "always": True}
    else:
        made = {"from": phc["name"], "to": system["name"]}
        system["steer"] = True
    made |= {"log_interval": max(-7, min(10, round(-math.log2(program.rate_hz)))), "samples": program.readings}
    if how := _servo(program.settings, kind):
        made["servo"] = how
    document.setdefault("edge", []).append(made)


def _servo(settings: Settings, kind: str) -> dict[str, Any]:
    found: dict[str, Any] = {"type": kind} if kind else {}
    if kind == "pi":
        # phc2sys has constants of its own where none, or 0, is given
        found["kp"] = settings.real("pi_proportional_const") or 0.7
        found["ki"] = settings.real("pi_integral_const") or 0.3
    for key in ("step_threshold", "first_step_threshold"):
        if settings.real(key) != settings.key(key).default:
            found[f"{key}_ns"] = settings.real(key) * 1e9
    return found


def _unneeded(program: Phc2sys) -> Iterator[Finding]:
    if program.offset_s is not None:
        reason = "-O is not needed: clocks speak TAI here, and UTC is known"
        yield Finding(NOTE, program.text, reason, "nothing")
    if program.system > 1:
        yield Finding(NOTE, program.text, "-rr: the system clock is not taken for a source", "add an edge from it")
    if program.settings.named("sanity_freq_limit"):
        reason = "-L: a clock that another program changes is found out by its frequency"
        yield Finding(NOTE, program.text, reason, "nothing")


def pulse(document: dict[str, Any], settings: Settings) -> Draft:
    """A reference of type pps for the instance on the interface that ts2phc steers."""
    draft = Draft(settings)
    sinks = [port for port in settings.file.ports if not settings.number("ts2phc.master", port)]
    if settings.named("ts2phc.nmea_serialport") or settings.named("ts2phc.nmea_remote_host"):
        key = "ts2phc.nmea_serialport" if settings.named("ts2phc.nmea_serialport") else "ts2phc.nmea_remote_host"
        draft.differs(key, "NMEA is not read: the system clock tells which second a pulse is", "keep it right by NTP")
    found = [
        (instance, port)
        for port in sinks
        for instance in document.get("instance", [])
        if any(own["interface"] == port for own in instance["port"])
    ]
    if not found:
        reason = "a pulse sets the clock of an instance, and no instance here has an interface of this file"
        fix = "import it together with the file of ptp4l of that interface (-i)"
        draft.findings.append(Finding(ERROR, "", reason, fix, None, settings.file.path))
        return draft
    done: list[dict[str, Any]] = []
    for instance, port in found:
        if instance in done:
            reason = "the clocks of one instance follow the one that has the pulse"
            line, path = settings.file.ports[port], settings.file.path
            draft.findings.append(Finding(NOTE, f"[{port}]", reason, "nothing", line, path))
            draft.rows |= {own: Row(own, DIFFERS, remark=reason) for own in settings.all if own.section == port}
            continue
        done.append(instance)
        instance["reference"] = _reference(draft, port)
    if settings.text("ts2phc.tod_source") != "generic":
        reason = "the system clock tells which second a pulse is"
        draft.differs("ts2phc.tod_source", reason, "keep it right by NTP, or name another clock in reference.tod")
    draft.differs("clock_servo", "a pulse is followed by a servo of ptpstack's own", "nothing")
    if path := settings.text("leapfile"):
        document["node"]["leap_file"] = path
        draft.row("leapfile", KEPT, "node.leap_file", path)
    return draft


def _reference(draft: Draft, port: str) -> dict[str, Any]:
    settings = draft.settings
    edge_ = settings.text("ts2phc.extts_polarity", port)
    reference: dict[str, Any] = {
        "type": "pps",
        "channel": settings.number("ts2phc.channel", port),
        "edge": "falling" if edge_ == "falling" else "rising",
    }
    # the default of linuxptp would set pin 0, which may be another's
    if settings.setting("ts2phc.pin_index", port) is not None:
        reference["pin"] = settings.number("ts2phc.pin_index", port)
    if correction := settings.number("ts2phc.extts_correction", port):
        reference["delay_ns"] = float(-correction)
    if holdover := settings.number("ts2phc.holdover", port):
        reference["holdover_spec_s"] = float(holdover)
    for key, name in (
        ("channel", "channel"),
        ("pin_index", "pin"),
        ("extts_correction", "delay_ns"),
        ("holdover", "holdover_spec_s"),
    ):
        draft.row(f"ts2phc.{key}", KEPT, f"reference.{name}", reference.get(name), port=port)
    draft.row(
        "ts2phc.extts_polarity", DIFFERS if edge_ == "both" else KEPT, "reference.edge", reference["edge"], port=port
    )
    return reference
