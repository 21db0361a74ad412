"""Which servo, and its constants.

A file that names a classic servo, or a constant of one, gets that servo with linuxptp's constants; without such a
word the estimator runs.
"""

from __future__ import annotations

from ptpstack.config.schema import SERVO
from ptpstack.linuxptp.importing.draft import KEPT, NOT_NEEDED, Draft

#: the formula of the constants
FORMULA = {
    f"pi_{part}_{member}": f"{ours}_{member}"
    for part, ours in (("proportional", "kp"), ("integral", "ki"))
    for member in ("scale", "exponent", "norm_max")
}
#: naming one of these asks for a PI servo
CLASSIC = (
    "pi_proportional_const",
    "pi_integral_const",
    *FORMULA,
    "delay_filter",
    "delay_filter_length",
)
#: servo -> the key that says where to, and ours
FEEDS = {
    "ntpshm": ("ntpshm_segment", "instance.feed_shm"),
    "refclock_sock": ("refclock_sock_address", "instance.feed_sock"),
}
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
    if kind in FEEDS:
        _feed(draft, kind)
        kind = "pi"
    if kind not in ("pi", "linreg", "nullf"):
        draft.refuse("clock_servo", f"the servo {kind} is not built", "use pi or linreg, or remove it")
        return
    draft.servo["type"] = kind
    draft.row("clock_servo", KEPT, "servo.type", kind)
    for key in ("ntpshm_segment", "refclock_sock_address"):
        draft.row(key, NOT_NEEDED, remark="no effect: another servo is named")
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
    _formula(draft, kind)


def _formula(draft: Draft, kind: str) -> None:
    settings = draft.settings
    for key, ours in FORMULA.items():
        value = settings.real(key)
        if kind != "pi" or value == settings.key(key).default:
            draft.row(key, NOT_NEEDED)
            continue
        spec = SERVO.field(ours)
        assert spec.low is not None
        assert spec.high is not None
        if not spec.low <= value <= spec.high:
            draft.refuse(key, f"ptpstack takes {spec.low:g}..{spec.high:g} only", "use a value in that range")
            continue
        draft.put(f"servo.{ours}", value)
        draft.row(key, KEPT, f"servo.{ours}", value)
    if kind == "pi" and settings.text("time_stamping") == "software":
        draft.put("servo.time_stamping_noise", "linuxptp-software")


def _feed(draft: Draft, kind: str) -> None:
    """The servos that steer nothing and hand what is measured to ntpd or chronyd."""
    key, ours = FEEDS[kind]
    value = draft.settings.value(key)
    if kind == "ntpshm" and not 0 <= int(value) <= 255:
        draft.refuse(key, "ptpstack takes 0..255 only", "use a segment in that range")
        return
    draft.put(ours, value)
    draft.clock["steer"] = False
    draft.row(key, KEPT, ours, value)
    draft.row("clock_servo", KEPT, ours, value)


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
