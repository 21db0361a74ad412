"""Time stamps and clocks: time_stamping, twoStepFlag, phc_index, free_running, and the time scale that follows."""

from __future__ import annotations

from ptpstack.config.findings import WARNING, Finding
from ptpstack.linuxptp.importing.draft import KEPT, NOT_NEEDED, Draft

ONE_STEP = "with signed messages, and under IEEE 802.1AS, ptpstack sends two-step: who follows takes both"

ARBITRARY = "a boundary clock hands an arbitrary time scale, as a ptp4l with software stamps has it, on as it is"
TAI = "use a grandmaster with the PTP time scale, or one port: the system clock would be 37 s off"


def stamps(draft: Draft) -> None:
    settings = draft.settings
    kind = settings.text("time_stamping")
    if kind == "legacy":
        draft.refuse(
            "time_stamping", "stamps by the interface of drivers before 2009 are not built", "use hardware or software"
        )
    one_step = _one_step(draft, kind)
    stamping = "software" if kind == "software" else "hardware" if settings.named("time_stamping") else "auto"
    for port in draft.ports.values():
        if stamping != "auto":
            port["stamping"] = stamping
        if one_step:
            port |= {"stamping": "hardware", "one_step": "yes"}
    draft.row("time_stamping", KEPT, "port.stamping", stamping)
    _clock(draft, stamping)
    if stamping == "software" and len(settings.ports) == 1:
        draft.instance["arb_is"] = "utc"
    elif stamping == "software":
        draft.findings.append(Finding(WARNING, "time_stamping software", ARBITRARY, TAI, None, settings.file.path))


def _one_step(draft: Draft, kind: str) -> bool:
    """twoStepFlag 0 makes ``onestep`` of hardware stamps; what the NIC cannot do, the node refuses as ptp4l does."""
    settings = draft.settings
    if kind not in ("onestep", "p2p1step") and (kind != "hardware" or settings.number("twoStepFlag")):
        draft.row("twoStepFlag", NOT_NEEDED)
        return False
    if draft.one("transportSpecific") == 1 or any(settings.number("spp", port) >= 0 for port in settings.ports):
        for key in ("twoStepFlag", "time_stamping"):
            draft.differs(key, ONE_STEP, "nothing, unless a receiver cannot take Follow_Up")
        return False
    draft.row("twoStepFlag", KEPT, "port.one_step", "yes")
    return True


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
