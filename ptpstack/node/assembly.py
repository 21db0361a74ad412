"""From a Site to the parts of a running node: open channels, open clocks, an engine's plan."""

from __future__ import annotations

import errno
import os
import random
from dataclasses import dataclass, field, replace

from ptpstack.clocks.base import Clock, ClockError
from ptpstack.clocks.oscillator import OscillatorModel
from ptpstack.clocks.phc import LinuxPhc
from ptpstack.clocks.simulated import RealtimeBase, SimulatedClock
from ptpstack.clocks.system import SystemClock
from ptpstack.config.model import ChannelOptions, ClockOptions, InstanceSettings, Site
from ptpstack.config.model import ServoOptions as ServoSettings
from ptpstack.engine.plan import ClockPlan, EnginePlan, InstancePlan, ReferencePlan
from ptpstack.net.absent import AbsentChannel
from ptpstack.net.channel import Channel, ChannelError
from ptpstack.net.open import open_channel
from ptpstack.node.service import CAPABILITIES, effective_capabilities
from ptpstack.servo.options import GAINS, ServoOptions
from ptpstack.timebase.leap import LeapTable
from ptpstack.wire.types import ACCURACY_UNKNOWN, TimeSource, clock_accuracy_for, clock_identity_from_mac

#: Offsets of software stamps jitter by about a microsecond even on an idle machine.
DEFAULT_LOCK_THRESHOLD_NS = 20_000.0
LOCKED_VARIANCE = 0x4E5D
#: What keeps a channel from being opened and passes while a machine boots: no interface yet, no address yet.
NOT_YET = frozenset({errno.ENODEV, errno.ENXIO, errno.EADDRNOTAVAIL, errno.ENETDOWN})
_MACHINE_ID = "/etc/machine-id"


class AssemblyError(Exception):
    """The site cannot run on this machine: what, where, and what to do."""


@dataclass(slots=True)
class Reading:
    """How a clock's reference is read: the noise to add (simulated GNSS), ns."""

    noise_ns: float
    rng: random.Random


@dataclass(slots=True)
class Parts:
    site: Site
    plan: EnginePlan
    channels: dict[str, Channel]
    clocks: dict[str, Clock]
    #: the clock whose time stamps a channel's frames carry
    clock_of_channel: dict[str, str]
    readings: dict[str, Reading]
    #: sentences about choices made, for the log
    notes: list[str]
    #: the same for what deserves more attention
    warnings: list[str] = field(default_factory=list)

    def close(self) -> None:
        _close(self.channels, self.clocks)


def assemble(site: Site, leap: LeapTable, *, patient: bool = False) -> Parts:
    """Open everything the site names. AssemblyError, with nothing left open, when something cannot be had.

    ``patient``: an interface that is not there yet, or has no address yet, gets an ``AbsentChannel``, which the node
    replaces when it can. Only when nothing at all tells which clock an instance is to have, that is an error too.
    """
    channels: dict[str, Channel] = {}
    clocks: dict[str, Clock] = {}
    try:
        return _assemble(site, leap, patient, channels, clocks)
    except (ChannelError, ClockError) as error:
        _close(channels, clocks)
        raise AssemblyError(str(error)) from error
    except (AssemblyError, ValueError) as error:
        _close(channels, clocks)
        raise AssemblyError(str(error)) from error


def _close(channels: dict[str, Channel], clocks: dict[str, Clock]) -> None:
    for channel in channels.values():
        channel.close()
    for clock in clocks.values():
        clock.close()


def open_site_channel(options: ChannelOptions) -> Channel:
    return open_channel(
        options.interface,
        options.transport,
        stamping=options.stamping,
        ttl=options.ttl,
        dscp_event=options.dscp_event,
        dscp_general=options.dscp_general,
        priority=options.socket_priority,
    )


def open_again(options: ChannelOptions, clock: Clock) -> Channel:
    """The channel of a running instance, with the time stamps its clock has. ChannelError when it cannot be had."""
    stamping = "hardware" if clock.kind == "phc" else "software"
    channel = open_site_channel(replace(options, stamping=stamping))
    wrong = _wrong_stamps(channel, clock)
    if wrong:
        channel.close()
        raise ChannelError(errno.EXDEV, f"{channel.interface}: {wrong}")
    return channel


def _open_or_wait(options: ChannelOptions, patient: bool) -> Channel:
    try:
        return open_site_channel(options)
    except ChannelError as error:
        if not patient or error.errno not in NOT_YET:
            raise
        return AbsentChannel(options.interface, options.transport, options.stamping, str(error))


def _assemble(
    site: Site, leap: LeapTable, patient: bool, channels: dict[str, Channel], clocks: dict[str, Clock]
) -> Parts:
    notes: list[str] = []
    warnings: list[str] = []
    #: every channel whose frames are stamped on a clock, of whichever instance
    channels_of_clock: dict[str, list[Channel]] = {}
    seed = site.node.seed if site.node.seed is not None else int.from_bytes(os.urandom(6), "big")
    clock_options = {c.name: c for c in site.clocks}
    for settings in site.instances:
        simulated = clock_options[settings.options.clock].type == "simulated"
        for wanted in settings.channels:
            if wanted.name not in channels:
                # a simulated clock is a map over the kernel's software stamps: NIC stamps are on another clock
                channel = channels[wanted.name] = _open_or_wait(
                    replace(wanted, stamping="software") if simulated else wanted, patient
                )
                if not isinstance(channel, AbsentChannel):
                    notes.append(f"{channel.name}: {channel.stamping} time stamps: {channel.stamping_reason}")
            channels_of_clock.setdefault(settings.options.clock, []).append(channels[wanted.name])
    clock_of_channel: dict[str, str] = {}
    clock_plans: dict[str, ClockPlan] = {}
    references: dict[str, ReferencePlan] = {}
    readings: dict[str, Reading] = {}
    instances: list[InstancePlan] = []
    for settings in site.instances:
        options = clock_options[settings.options.clock]
        used = [channels[c.name] for c in settings.channels]
        if options.name not in clocks:
            clock = clocks[options.name] = _open_clock(
                options, channels_of_clock[options.name], leap, settings.options.name
            )
            steers = options.steers(clock.kind)
            clock_plans[options.name] = ClockPlan(
                options.name,
                steers and clock.capabilities.can_adjust,
                clock.capabilities.max_adjustment_ppb,
                _why_not(options, clock, steers),
            )
            notes.append(
                f"clock {options.name}: {clock.name} ({clock.kind})"
                + (" is only measured: " + clock_plans[options.name].why_not_steerable if not steers else "")
            )
            if steers and clock.kind == "system" and not effective_capabilities() >> CAPABILITIES["CAP_SYS_TIME"] & 1:
                warnings.append(
                    f"clock {options.name}: the system clock is to be steered, and that needs CAP_SYS_TIME, which this "
                    "process lacks: every command will fail; run as root, or grant it (systemd: AmbientCapabilities=)"
                )
        clock = clocks[options.name]
        _check_stamps(settings, used, clock)
        for channel in used:
            other = clock_of_channel.setdefault(channel.name, options.name)
            if other != options.name:
                raise AssemblyError(
                    f"{channel.name} is used with clock {other} and with clock {options.name}: a channel's time "
                    "stamps are on one clock; give both instances the same clock"
                )
        noise = settings.servo.time_stamping_noise
        if noise == "auto":
            noise = "hardware" if clock.kind == "phc" else "software"
        servo = _servo(settings.servo, noise)
        identity = settings.options.clock_identity or _identity(site.node.name, used, warnings)
        instances.append(InstancePlan(replace(settings.options, clock_identity=identity), servo, settings.arb_is))
        if settings.reference.type != "none" and options.name not in references:
            references[options.name] = _reference(settings, options.name, clock)
            if references[options.name].type == "measured":
                readings[options.name] = Reading(settings.reference.noise_ns, random.Random(f"reference/{seed}"))
    plan = EnginePlan(
        instances=tuple(instances),
        clocks=tuple(clock_plans.values()),
        references=tuple(references.values()),
        leap=leap,
        seed=seed,
        name=site.node.name,
    )
    return Parts(site, plan, channels, clocks, clock_of_channel, readings, notes, warnings)


def _identity(node: str, used: list[Channel], warnings: list[str]) -> bytes:
    """The first port's MAC as an EUI-64 (7.5.2.2, not checked against the text). While that interface is not there:
    another port's, else one made from the machine's identity, which is the same at every start.
    """
    for channel in used:
        if channel.mac:
            if channel is not used[0]:
                warnings.append(
                    f"clockIdentity is taken from {channel.interface}, because {used[0].interface} is not there yet; "
                    "give the instance a clock_identity to have the same after every start"
                )
            return clock_identity_from_mac(channel.mac)
    try:
        with open(_MACHINE_ID, "rb") as file:
            machine = file.read(64)
    except OSError:
        machine = os.urandom(16)
    import hashlib  # costs some ms, and this is rare

    digest = hashlib.sha256(b"/".join((machine, node.encode(), used[0].name.encode()))).digest()
    warnings.append(
        f"clockIdentity is made up, because {used[0].interface} is not there yet and has no MAC; give the instance a "
        "clock_identity to have the same after every start"
    )
    # locally administered, not a group
    return bytes((digest[0] & 0xFC | 0x02,)) + digest[1:8]


def _why_not(options: ClockOptions, clock: Clock, steers: bool) -> str:
    if not steers:
        if clock.kind == "system":
            return f'the system clock is everybody\'s; steer = true in [[clock]] "{options.name}" lets us steer it'
        return f'steer = false in [[clock]] "{options.name}"'
    return "" if clock.capabilities.can_adjust else f"{clock.name} offers no frequency adjustment"


def _check_stamps(settings: InstanceSettings, used: list[Channel], clock: Clock) -> None:
    """All ports of an instance must stamp on the instance's clock."""
    for channel in used:
        wrong = _wrong_stamps(channel, clock)
        if wrong:
            raise AssemblyError(f"instance {settings.options.name}: {channel.name}: {wrong}")


def _wrong_stamps(channel: Channel, clock: Clock) -> str:
    """Why the channel's time stamps are not those of ``clock``, or ""."""
    if not channel.stamping:
        return ""  # not open: it will be asked for the right ones
    hardware = channel.stamping == "hardware"
    if clock.kind == "phc":
        if not hardware:
            return (
                f"has software time stamps ({channel.stamping_reason}), but its clock {clock.name} is a PTP hardware "
                "clock; use an interface that stamps on it"
            )
        if channel.phc_index is not None and clock.name != f"/dev/ptp{channel.phc_index}":
            return (
                f"stamps on /dev/ptp{channel.phc_index}, not on {clock.name}; ports on different hardware clocks need "
                "one instance (and [[clock]]) each for now"
            )
    elif hardware:
        return (
            f'stamps in hardware, but its clock is the {clock.kind} clock; set stamping = "software" for the port, or '
            'type = "auto" for the clock'
        )
    return ""


def _open_clock(options: ClockOptions, used: list[Channel], leap: LeapTable, instance: str) -> Clock:
    kind = options.type
    if kind == "simulated":
        return _simulated(options)
    device_path = options.device
    if kind in ("auto", "phc") and device_path is None:
        hardware = {c.name: c.phc_index for c in used if c.stamping == "hardware" and c.phc_index is not None}
        if len(set(hardware.values())) > 1:
            names = ", ".join(f"{name} on /dev/ptp{index}" for name, index in hardware.items())
            raise AssemblyError(
                f"instance {instance}: its ports stamp on different hardware clocks ({names}); that needs clocks tied "
                "to each other, which this version does not do: use ports of one NIC"
            )
        if hardware:
            device_path = f"/dev/ptp{next(iter(hardware.values()))}"
        elif not any(c.stamping for c in used):
            names = ", ".join(dict.fromkeys(c.interface for c in used))
            raise AssemblyError(
                f'clock {options.name}: type = "{kind}" takes the clock of the interface, and none of {names} is there '
                "yet; start again when it is (the systemd unit does, every second), or name the clock: "
                'type = "phc" with a device, or type = "system"'
            )
    if device_path is not None:
        return LinuxPhc(device_path)
    if kind == "phc":
        raise AssemblyError(
            f'clock {options.name}: type = "phc", but no interface of instance {instance} has hardware time stamps and '
            "no device is given; `ptpstack interfaces` shows what there is"
        )
    return SystemClock(leap, read_only=not options.steers("system"))


def _simulated(options: ClockOptions) -> SimulatedClock:
    changes: dict[str, float] = {}
    if options.frequency_ppb is not None:
        changes["initial_frequency_ppb"] = options.frequency_ppb
    if options.wander_ppb is not None:
        changes["wander_ppb"] = options.wander_ppb
    if options.drift_ppb_per_day is not None:
        changes["ageing_ppb_per_day"] = options.drift_ppb_per_day
    return SimulatedClock(
        RealtimeBase(),
        OscillatorModel.preset(options.oscillator, **changes),
        seed=options.seed if options.seed is not None else 0,
        name=options.name,
        initial_error_ns=options.initial_error_ns,
        max_adjustment_ppb=options.max_adjustment_ppb,
        grain_ns=round(options.grain_ns),
        noise_ns=options.noise_ns,
    )


def _servo(settings: ServoSettings, noise: str) -> ServoOptions:
    if noise not in GAINS:
        raise AssemblyError(f"servo: time_stamping_noise {noise!r} is none of {', '.join(GAINS)}")
    return ServoOptions(
        type=settings.type,
        gains=noise,
        kp=settings.kp,
        ki=settings.ki,
        first_step_threshold_ns=settings.first_step_threshold_ns,
        step_threshold_ns=settings.step_threshold_ns,
        max_frequency_ppb=settings.max_frequency_ppb or 1e9,
        max_slew_ppb=settings.max_slew_ppb,
        delay_filter=settings.delay_filter,
        delay_filter_length=settings.delay_filter_length,
        lock_threshold_ns=settings.lock_threshold_ns or DEFAULT_LOCK_THRESHOLD_NS,
    )


def _reference(settings: InstanceSettings, clock_name: str, clock: Clock) -> ReferencePlan:
    wanted = settings.reference
    if wanted.type == "system":
        if isinstance(clock, SystemClock):
            # the clock is its own reference: what the kernel says of it is what we may say
            synchronised, accuracy = system_quality(clock)
            return ReferencePlan(
                clock_name,
                "declared",
                "locked" if synchronised else "free-running",
                TimeSource.NTP,
                accuracy,
                primary=False,
            )
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
    return ReferencePlan(
        clock_name,
        "measured" if wanted.type == "simulated" else "declared",
        wanted.state,
        wanted.time_source,
        wanted.accuracy,
        LOCKED_VARIANCE,
        wanted.holdover_spec_s or 3600.0,
        wanted.log_interval,
        True,
        ServoOptions(gains="hardware", lock_threshold_ns=1_000.0 + 10 * wanted.noise_ns),
    )


def system_quality(clock: SystemClock) -> tuple[bool, int]:
    """What the kernel knows of its clock: synchronised, and the clockAccuracy that its maximum error allows."""
    status = clock.status()
    return status.synchronised, clock_accuracy_for(status.max_error_ns) if status.synchronised else ACCURACY_UNKNOWN
