"""From the settings of a Site to the options of engine and servo."""

from __future__ import annotations

from ptpstack.clocks.base import Clock
from ptpstack.clocks.system import SystemClock
from ptpstack.config.model import EdgeOptions, InstanceSettings
from ptpstack.config.model import ServoOptions as ServoSettings
from ptpstack.engine.plan import EdgePlan, ReferencePlan
from ptpstack.node.errors import AssemblyError
from ptpstack.servo.options import GAINS, ServoOptions
from ptpstack.wire.types import ACCURACY_UNKNOWN, TimeSource, clock_accuracy_for

#: Offsets of software stamps jitter by about a microsecond even on an idle machine.
DEFAULT_LOCK_THRESHOLD_NS = 20_000.0
#: Readings between clocks and pulses are direct.
PULSE_LOCK_THRESHOLD_NS = 1_000.0
LOCKED_VARIANCE = 0x4E5D
#: holdover within specification: an hour, unless a limit says when it ends
HOLDOVER_SPEC_S = 3600.0
_FOR_EVER_S = 1e9


def servo_options(settings: ServoSettings, noise: str) -> ServoOptions:
    if noise not in GAINS:
        raise AssemblyError(f"servo: time_stamping_noise {noise!r} is none of {', '.join(GAINS)}")
    return ServoOptions(
        type=settings.type,
        gains=noise,
        kp=settings.kp,
        ki=settings.ki,
        kp_scale=settings.kp_scale,
        kp_exponent=settings.kp_exponent,
        kp_norm_max=settings.kp_norm_max,
        ki_scale=settings.ki_scale,
        ki_exponent=settings.ki_exponent,
        ki_norm_max=settings.ki_norm_max,
        first_step_threshold_ns=settings.first_step_threshold_ns,
        step_threshold_ns=settings.step_threshold_ns,
        max_frequency_ppb=settings.max_frequency_ppb or 1e9,
        max_slew_ppb=settings.max_slew_ppb,
        delay_filter=settings.delay_filter,
        delay_filter_length=settings.delay_filter_length,
        lock_threshold_ns=settings.lock_threshold_ns or DEFAULT_LOCK_THRESHOLD_NS,
    )


def edge_plan(edge: EdgeOptions) -> EdgePlan:
    noise = edge.servo.time_stamping_noise
    servo = servo_options(edge.servo, "hardware" if noise == "auto" else noise)
    return EdgePlan(edge.source, edge.target, edge.log_interval, edge.samples, edge.always, servo)


def reference_plan(settings: InstanceSettings, clock_name: str, clock: Clock) -> ReferencePlan:
    wanted = settings.reference
    if wanted.type == "system":
        if isinstance(clock, SystemClock):
            return own_word(clock_name, clock)
        return ReferencePlan(
            clock_name,
            "measured",
            "locked",
            TimeSource.NTP,
            ACCURACY_UNKNOWN,
            log_interval=wanted.log_interval,
            primary=False,
            servo=ServoOptions(gains="hardware", lock_threshold_ns=DEFAULT_LOCK_THRESHOLD_NS),
        )
    kind = {"simulated": "measured", "pps": "pps"}.get(wanted.type, "declared")
    return ReferencePlan(
        clock_name,
        kind,
        wanted.state,
        wanted.time_source,
        wanted.accuracy,
        LOCKED_VARIANCE,
        wanted.holdover_spec_s or (_FOR_EVER_S if wanted.holdover_limit_ns else HOLDOVER_SPEC_S),
        wanted.log_interval,
        True,
        ServoOptions(gains="hardware", lock_threshold_ns=PULSE_LOCK_THRESHOLD_NS + 10 * wanted.noise_ns),
        holdover_limit_ns=wanted.holdover_limit_ns,
        channel=wanted.channel,
        pin=wanted.pin,
        edge=wanted.edge,
        delay_ns=wanted.delay_ns,
        tod=wanted.tod,
        tod_error_s=wanted.tod_error_s,
    )


def own_word(clock_name: str, clock: SystemClock) -> ReferencePlan:
    """The system clock is its own reference: what the kernel says of it is what we may say."""
    synchronised, accuracy = system_quality(clock)
    state = "locked" if synchronised else "free-running"
    return ReferencePlan(clock_name, "declared", state, TimeSource.NTP, accuracy, primary=False)


def system_quality(clock: SystemClock) -> tuple[bool, int]:
    """What the kernel knows of its clock: synchronised, and the clockAccuracy that its maximum error allows."""
    status = clock.status()
    return status.synchronised, clock_accuracy_for(status.max_error_ns) if status.synchronised else ACCURACY_UNKNOWN
