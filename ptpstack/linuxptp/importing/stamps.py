"""Time stamps and clocks: time_stamping, twoStepFlag, phc_index, free_running, and the time scale that follows."""

from __future__ import annotations

from ptpstack.config.findings import WARNING, Finding
from ptpstack.linuxptp.importing.draft import KEPT, NOT_NEEDED, Draft

ONE_STEP = "ptpstack sends two-step, with the stamps of the hardware: who follows takes both"

ARBITRARY = "a boundary clock hands an arbitrary time scale, as a ptp4l with software stamps has it, on as it is"
TAI = "use a grandmaster with the PTP time scale, or one port: the system clock would be 37 s off"


def stamps(draft: Draft) -> None:
    settings = draft.settings
    kind = settings.text("time_stamping")
    if kind == "legacy":
        draft.refuse(
            "time_stamping", "stamps by the interface of drivers before 2009 are not built", "use hardware or software"
        )
    if not settings.number("twoStepFlag"):
        draft.differs("twoStepFlag", ONE_STEP, "nothing, unless a receiver cannot take Follow_Up")
    if kind in ("onestep", "p2p1step"):
        draft.differs("time_stamping", ONE_STEP, "nothing, unless a receiver cannot take Follow_Up")
    draft.row("twoStepFlag", NOT_NEEDED)
    stamping = "software" if kind == "software" else "hardware" if settings.named("time_stamping") else "auto"
    for port in draft.ports.values():
        if stamping != "auto":
            port["stamping"] = stamping
    draft.row("time_stamping", KEPT, "port.stamping", stamping)
    _clock(draft, stamping)
    if stamping == "software" and len(settings.ports) == 1:
        draft.instance["arb_is"] = "utc"
    elif stamping == "software":
        draft.findings.append(Finding(WARNING, "time_stamping software", ARBITRARY, TAI, None, settings.file.path))


def _clock(draft: Draft, stamping: str) -> None:
    settings = draft.settings
    free = bool(settings.number("free_running"))
    if free or stamping != "hardware":
        draft.clock["steer"] = not free
    draft.row("free_running", KEPT, "clock.steer", not free)
    index = draft.one("phc_index")
    device = settings.phc if settings.phc else f"/dev/ptp{index}" if index >= 0 else ""
    if device and stamping == "software":
        draft.row("phc_index", NOT_NEEDED, remark="no effect with software time stamps")
    elif device:
        draft.clock |= {"type": "phc", "device": device}
    for port in settings.ports:
        draft.row("phc_index", KEPT, "clock.device", device or None, port=port)
