"""phc2sys and ts2phc beside ptp4l: edges between clocks, and references by pulse, in the same site."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

from ptpstack.config.findings import ERROR, NOTE, Finding
from ptpstack.linuxptp.importing.draft import DIFFERS, KEPT, Draft
from ptpstack.linuxptp.phc2sys import SYSTEM, Phc2sys
from ptpstack.linuxptp.settings import Settings

_CLASSIC = ("pi", "linreg")


def edge(document: dict[str, Any], program: Phc2sys) -> list[Finding]:
    """An edge for what ``program`` does; the PHC is that of the first instance."""
    instances = document.get("instance", [])
    if program.pps or not instances:
        what = "-d, a pulse to the system clock" if program.pps else "without an instance"
        fix = "leave it out, or give the file of ptp4l"
        return [Finding(ERROR, program.text, f"{what}: ptpstack has no edge for it", fix)]
    instance = instances[0]
    clocks = document.setdefault("clock", [])
    if not clocks:
        clocks.append({"name": "clock"})
    phc = clocks[0]
    if any(port.get("stamping") == "software" for port in instance["port"]):
        reason = "ptp4l with software stamps steers the system clock already"
        return [Finding(NOTE, program.text, reason, "nothing: it is left out")]
    phc.setdefault("type", "phc")
    phc["steer"] = phc.get("steer", True)
    for other in instances:
        other.setdefault("clock", phc["name"])
    system = next((clock for clock in clocks if clock.get("type") == "system"), None)
    if system is None:
        system = {"name": "system", "type": "system"}
        clocks.append(system)
    made: dict[str, Any] = {"from": phc["name"], "to": system["name"]}
    if program.source == SYSTEM:
        made = {"from": system["name"], "to": phc["name"], "always": True}
    else:
        system["steer"] = True
    interval = max(-7, min(10, round(-math.log2(program.rate_hz)))) if program.rate_hz > 0 else 10
    made |= {"log_interval": interval, "samples": max(1, min(25, program.readings))}
    servo: dict[str, Any] = {}
    if "-E" in program.text.split() or "-P" in program.text.split() or "-I" in program.text.split():
        if program.servo not in _CLASSIC:
            return [Finding(ERROR, program.text, f"the servo {program.servo} is not built", "use pi or linreg")]
        servo["type"] = program.servo
        if program.servo == "pi":
            servo |= {"kp": program.kp, "ki": program.ki}
    if program.step_threshold_s:
        servo["step_threshold_ns"] = program.step_threshold_s * 1e9
    if program.first_step_threshold_s != 0.00002:
        servo["first_step_threshold_ns"] = program.first_step_threshold_s * 1e9
    if servo:
        made["servo"] = servo
    document.setdefault("edge", []).append(made)
    return list(_unneeded(program))


def _unneeded(program: Phc2sys) -> Iterator[Finding]:
    if program.offset_s is not None:
        reason = "-O is not needed: clocks speak TAI here, and UTC is known"
        yield Finding(NOTE, program.text, reason, "nothing")
    if program.system > 1:
        yield Finding(NOTE, program.text, "-rr: the system clock is not taken for a source", "add an edge from it")


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
            draft.findings.append(
                Finding(NOTE, f"[{port}]", reason, "nothing", settings.file.ports[port], settings.file.path)
            )
            continue
        done.append(instance)
        instance["reference"] = _reference(draft, port)
    return draft


def _reference(draft: Draft, port: str) -> dict[str, Any]:
    settings = draft.settings
    edge_ = settings.text("ts2phc.extts_polarity", port)
    reference: dict[str, Any] = {
        "type": "pps",
        "channel": settings.number("ts2phc.channel", port),
        "pin": settings.number("ts2phc.pin_index", port),
        "edge": "falling" if edge_ == "falling" else "rising",
    }
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
