"""Which servo, and its constants.

A file that names a classic servo, or a constant of one, gets that servo with linuxptp's constants; without such a
word the estimator runs.
"""

from __future__ import annotations

from ptpstack.linuxptp.importing.draft import KEPT, NOT_NEEDED, Draft

#: naming one of these asks for a PI servo
CLASSIC = (
    "pi_proportional_const",
    "pi_integral_const",
    *(f"pi_{part}_{member}" for part in ("proportional", "integral") for member in ("scale", "exponent", "norm_max")),
    "delay_filter",
    "delay_filter_length",
)
_OURS = {
    "pi_proportional_const": "servo.kp",
    "pi_integral_const": "servo.ki",
}
_MOST = 10_000


def servo(draft: Draft) -> None:
    settings = draft.settings
    kind = settings.text("clock_servo")
    raw = str(draft.one("tsproc_mode"))
    if not settings.named("clock_servo") and not raw.startswith("raw") and not any(map(settings.named, CLASSIC)):
        for port in ("", *settings.ports):
            draft.row("tsproc_mode", KEPT, port=port)
        return
    if kind not in ("pi", "linreg"):
        draft.refuse("clock_servo", f"the servo {kind} is not built", "use pi or linreg, or remove it")
        return
    draft.servo["type"] = kind
    draft.row("clock_servo", KEPT, "servo.type", kind)
    _filter(draft, raw)
    for key, ours in _OURS.items():
        value = settings.real(key)
        if kind != "pi":
            draft.row(key, NOT_NEEDED, remark="no effect: the servo is not pi")
            continue
        if not 0 <= value <= 10:
            draft.refuse(key, "ptpstack takes 0..10 only", "use a constant in that range")
            continue
        draft.put(ours, value)
        draft.row(key, KEPT, ours, value)
    for key in CLASSIC[2:8]:
        if kind == "pi" and settings.value(key) != settings.key(key).default:
            draft.differs(
                key, "the formula has linuxptp's own constants here", "use pi_proportional_const and pi_integral_const"
            )
        draft.row(key, NOT_NEEDED)


def _filter(draft: Draft, raw: str) -> None:
    settings = draft.settings
    length = 1 if raw.startswith("raw") else int(draft.one("delay_filter_length"))
    draft.put("servo.delay_filter", draft.one("delay_filter"))
    if length > _MOST:
        odd = next(p for p in settings.ports if settings.number("delay_filter_length", p) > _MOST)
        draft.refuse("delay_filter_length", f"ptpstack keeps {_MOST} samples at most", "use a shorter filter", odd)
    else:
        draft.put("servo.delay_filter_length", length)
    for port in settings.ports:
        if raw.endswith("_weight"):
            draft.differs("tsproc_mode", "samples are not weighted", "use filter or raw", port)
        draft.row("tsproc_mode", KEPT, "servo.delay_filter_length", port=port)
        draft.row("delay_filter", KEPT, "servo.delay_filter", draft.one("delay_filter"), port=port)
        draft.row("delay_filter_length", KEPT, "servo.delay_filter_length", length, port=port)
