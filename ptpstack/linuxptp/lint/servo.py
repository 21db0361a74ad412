"""Servo and steps."""

from __future__ import annotations

from ptpstack.config.findings import NOTE, WARNING
from ptpstack.linuxptp.importing.servo import CLASSIC
from ptpstack.linuxptp.lint.rule import Hits, at, can_follow, given, rule, scopes
from ptpstack.linuxptp.settings import Settings

_PI = CLASSIC[:8]


@rule("never-steps", WARNING)
def never_steps(s: Settings) -> Hits:
    """A client with step_threshold 0: after the first second nothing steps it, however far it is off."""
    if s.number("clientOnly") and not s.real("step_threshold") and not s.number("free_running"):
        yield at(s, "step_threshold", "a clock that jumps later is slewed for hours or days", "set it, 0.00002 or 1.0")


@rule("never-steps-at-all", WARNING)
def never_steps_at_all(s: Settings) -> Hits:
    """first_step_threshold 0: not even the start steps."""
    if s.real("first_step_threshold") == 0 and not s.real("step_threshold"):
        yield at(s, "first_step_threshold", "a clock an hour off is slewed for weeks", "use 0.00002")


@rule("threshold-unit", WARNING)
def threshold_unit(s: Settings) -> Hits:
    """A threshold in nanoseconds, where seconds are meant."""
    for key in ("step_threshold", "first_step_threshold"):
        if s.real(key) >= 1000:
            yield at(s, key, "is in seconds", "write 0.00002 for 20 us")


@rule("threshold-in-noise", WARNING)
def threshold_in_noise(s: Settings) -> Hits:
    """A step_threshold within the noise of the stamps: the clock jumps all the time."""
    noise = 50e-6 if s.text("time_stamping") == "software" else 1e-7
    if 0 < s.real("step_threshold") <= noise:
        yield at(
            s,
            "step_threshold",
            "stamps scatter as much: the clock would be stepped again and again",
            "use 0.001 or more",
        )


@rule("pi-unstable", WARNING)
def pi_unstable(s: Settings) -> Hits:
    """Fixed constants too large for the Sync interval."""
    interval = max(2.0 ** s.number("logSyncInterval", port) for port in scopes(s))
    for key, most in (("pi_proportional_const", 1.0), ("pi_integral_const", 1.0)):
        if s.real(key) * interval > most:
            yield at(
                s,
                key,
                f"times the Sync interval of {interval:g} s is beyond {most:g}: it swings",
                "use 0.7 and 0.3, or none",
            )


@rule("pi-half", NOTE)
def pi_half(s: Settings) -> Hits:
    """One of two constants fixed, the other by formula."""
    proportional, integral = s.real("pi_proportional_const"), s.real("pi_integral_const")
    if bool(proportional) != bool(integral):
        key = "pi_proportional_const" if proportional else "pi_integral_const"
        yield at(s, key, "the other constant is still that of the formula", "set both, or none")


@rule("pi-idle", WARNING)
def pi_idle(s: Settings) -> Hits:
    """Constants of a PI servo, with another servo."""
    for key in _PI:
        if given(s, key) and s.text("clock_servo") != "pi":
            yield at(s, key, f"has no effect with clock_servo {s.text('clock_servo')}", "remove it, or use pi")


@rule("scale-idle", WARNING)
def scale_idle(s: Settings) -> Hits:
    """The formula of a constant that is fixed."""
    for part in ("proportional", "integral"):
        for member in ("scale", "exponent", "norm_max"):
            if s.real(f"pi_{part}_const") and given(s, f"pi_{part}_{member}"):
                yield at(s, f"pi_{part}_{member}", f"has no effect: pi_{part}_const is fixed", "remove one of them")


@rule("max-frequency-small", WARNING)
def max_frequency_small(s: Settings) -> Hits:
    """A limit below what an oscillator may be off."""
    if 0 < s.number("max_frequency") < 10_000:
        yield at(
            s,
            "max_frequency",
            "is in ppb: an ordinary oscillator is off by more, and never caught",
            "use 100000 or more",
        )


@rule("stable-never", WARNING)
def stable_never(s: Settings) -> Hits:
    """What waits for the state "locked stable" that servo_offset_threshold 0 switches off."""
    if s.number("servo_offset_threshold"):
        return
    if s.number("write_phase_mode"):
        yield at(
            s,
            "write_phase_mode",
            "acts once locked stable, which servo_offset_threshold 0 never is",
            "set servo_offset_threshold",
        )
    for port in scopes(s):
        for key in ("msg_interval_request", "ts2phc.holdover"):
            if s.number(key, port):
                yield at(
                    s,
                    key,
                    "acts once locked stable, which servo_offset_threshold 0 never is",
                    "set servo_offset_threshold",
                    port,
                )


@rule("operational-idle", WARNING)
def operational_idle(s: Settings) -> Hits:
    """Operational intervals that nobody asks for."""
    for port in scopes(s):
        for key in ("operLogSyncInterval", "operLogPdelayReqInterval"):
            if given(s, key, port) and not s.number("msg_interval_request", port):
                yield at(s, key, "has no effect without msg_interval_request 1", "add it, or remove this", port)


@rule("ntp-servo", NOTE)
def ntp_servo(s: Settings) -> Hits:
    """A servo that hands time to NTP switches kernel_leap and sanity_freq_limit off."""
    if s.text("clock_servo") in ("ntpshm", "refclock_sock"):
        for key in ("kernel_leap", "sanity_freq_limit"):
            if (setting := s.setting(key)) is not None and setting.value:
                yield at(s, key, f"clock_servo {s.text('clock_servo')} makes it 0", "remove it")


@rule("ntp-segment-idle", WARNING)
def ntp_segment_idle(s: Settings) -> Hits:
    """A segment or socket for NTP that nothing writes to."""
    for key, servo in (("ntpshm_segment", "ntpshm"), ("refclock_sock_address", "refclock_sock")):
        if given(s, key) and s.text("clock_servo") != servo:
            yield at(s, key, f"has no effect without clock_servo {servo}", "add it, or remove this")


@rule("nullf", NOTE)
def nullf(s: Settings) -> Hits:
    """A servo that never changes the frequency."""
    if s.text("clock_servo") == "nullf":
        yield at(s, "clock_servo", "right only where SyncE keeps the frequency", "use pi, unless it does")


@rule("no-sanity", NOTE)
def no_sanity(s: Settings) -> Hits:
    """The check for other programs on the same clock, switched off."""
    if not s.number("sanity_freq_limit") and s.text("clock_servo") in ("pi", "linreg", "nullf") and can_follow(s):
        yield at(s, "sanity_freq_limit", "another program on this clock goes unnoticed", "remove it")


@rule("filter-idle", WARNING)
def filter_idle(s: Settings) -> Hits:
    """A delay filter that the raw modes bypass."""
    for port in scopes(s):
        if s.text("tsproc_mode", port).startswith("raw"):
            for key in ("delay_filter", "delay_filter_length"):
                if given(s, key, port):
                    yield at(
                        s,
                        key,
                        f"has no effect with tsproc_mode {s.text('tsproc_mode', port)}",
                        "remove one of them",
                        port,
                    )


@rule("filter-long", WARNING)
def filter_long(s: Settings) -> Hits:
    """A delay filter that remembers for hours."""
    for port in scopes(s):
        if s.number("delay_filter_length", port) > 1000:
            yield at(
                s, "delay_filter_length", "a change of path takes half as many exchanges to show", "use 10 to 100", port
            )


@rule("step-window", WARNING)
def step_window(s: Settings) -> Hits:
    """Most of a minute without time after each step."""
    interval = max(2.0 ** s.number("logSyncInterval", port) for port in scopes(s))
    if s.number("step_window") * interval > 60:
        yield at(s, "step_window", "is in Sync messages: more than a minute of them are ignored", "use a few")
