"""Which clock stamps which port, and the clocks opened: from a Site's names to devices.

1. A port's clock is the one it names, else its instance's. A port that names none and whose interface stamps on another
   PHC than the instance's clock gets that PHC: a declared clock when there is one, else a clock called ``ptpN``.
2. A clock is opened once, whoever names it: ports, edges, a reference that asks it for the time of day.
"""

from __future__ import annotations

import math
import os
from collections.abc import Iterator
from dataclasses import dataclass, field, replace

from ptpstack.clocks.base import Clock
from ptpstack.clocks.oscillator import OscillatorModel
from ptpstack.clocks.phc import LinuxPhc
from ptpstack.clocks.simulated import RealtimeBase, SimulatedClock
from ptpstack.clocks.system import SystemClock
from ptpstack.config.model import ChannelOptions, ClockOptions, InstanceSettings, Site
from ptpstack.engine.plan import ClockPlan
from ptpstack.net.channel import Channel
from ptpstack.node.errors import AssemblyError
from ptpstack.node.service import CAPABILITIES, effective_capabilities
from ptpstack.protocol.options import PortOptions
from ptpstack.timebase.leap import LeapTable

#: what the kernel's own frequency adjustment can do
SYSTEM_LIMIT_PPB = 500_000.0


@dataclass(slots=True)
class Stamped:
    """Every port's clock by name, and every clock's options."""

    #: (instance, position of the port) -> clock
    clock_of: dict[tuple[str, int], str]
    options: dict[str, ClockOptions]
    #: clock -> the channels whose frames it stamps
    channels: dict[str, list[Channel]] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)


def ports_of(site: Site) -> Iterator[tuple[InstanceSettings, int, PortOptions, ChannelOptions]]:
    for settings in site.instances:
        for index, (port, channel) in enumerate(zip(settings.options.ports, settings.channels, strict=True)):
            yield settings, index, port, channel


def assign(site: Site, channels: dict[str, Channel]) -> Stamped:
    """Find each port's clock, now that the channels say what stamps them."""
    result = Stamped({}, {clock.name: clock for clock in site.clocks})
    options = result.options
    devices = {name: clock.device for name, clock in options.items()}
    for settings, _, port, wanted in ports_of(site):
        name = settings.options.clock_of(port)
        if devices[name] is None and options[name].type in ("auto", "phc"):
            devices[name] = phc_of(channels[wanted.name])
    for settings, index, port, wanted in ports_of(site):
        name = settings.options.clock_of(port)
        channel = channels[wanted.name]
        own = phc_of(channel)
        several = len(settings.channels) > 1
        if not port.clock and several and own and devices[name] not in (None, own):
            declared = next((n for n, device in devices.items() if device == own), None)
            if declared is None:
                declared = _free_name(os.path.basename(own), options)
                options[declared] = replace(options[name], name=declared, type="phc", device=own)
                devices[declared] = own
                result.notes.append(f"clock {declared}: made for {channel.name}, whose interface stamps on {own}")
            name = declared
        result.clock_of[settings.options.name, index] = name
        result.channels.setdefault(name, []).append(channel)
    for transparent in site.transparent:
        result.channels.setdefault(transparent.options.clock, []).extend(
            channels[channel.name] for channel in transparent.channels
        )
    return result


def phc_of(channel: Channel) -> str | None:
    """The device of the PHC that stamps a channel's frames, None with software stamps."""
    if channel.stamping != "hardware" or channel.phc_index is None:
        return None
    return f"/dev/ptp{channel.phc_index}"


def _free_name(wanted: str, taken: dict[str, ClockOptions]) -> str:
    name, number = wanted, 2
    while name in taken:
        name, number = f"{wanted}-{number}", number + 1
    return name


def open_clock(options: ClockOptions, used: list[Channel], leap: LeapTable) -> Clock:
    """ClockError or AssemblyError when it cannot be had."""
    kind = options.type
    if kind == "simulated":
        return _simulated(options)
    device_path = options.device
    if kind in ("auto", "phc") and device_path is None:
        device_path = next((path for path in map(phc_of, used) if path is not None), None)
        if device_path is None and not any(c.stamping for c in used):
            names = ", ".join(dict.fromkeys(c.interface for c in used)) or "its ports"
            raise AssemblyError(
                f'clock {options.name}: type = "{kind}" takes the clock of the interface, and none of {names} is there '
                "yet; start again when it is (the systemd unit does, every second), or name the clock: "
                'type = "phc" with a device, or type = "system"'
            )
    if device_path is not None:
        return LinuxPhc(device_path, writable=options.steers("phc"))
    if kind == "phc":
        names = ", ".join(dict.fromkeys(c.interface for c in used))
        raise AssemblyError(
            f'clock {options.name}: type = "phc", but none of its interfaces ({names}) has hardware time stamps and '
            "no device is given; `ptpstack interfaces` shows what there is"
        )
    offset = leap if options.utc_offset_s is None else options.utc_offset_s
    return SystemClock(offset, read_only=not options.steers("system"))


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


def plan_of(options: ClockOptions, clock: Clock) -> ClockPlan:
    steers = options.steers(clock.kind)
    able = steers and clock.capabilities.can_adjust
    return ClockPlan(
        options.name,
        able,
        # by ticks the kernel's clock could do 10 %: nobody wants to see that
        min(clock.capabilities.max_adjustment_ppb, SYSTEM_LIMIT_PPB if clock.kind == "system" else math.inf),
        _why_not(options, clock, steers),
        watched=able,
        on_foreign_change=options.on_foreign_change,
        declares=able and clock.kind == "system",
        temperature=options.temperature is not None,
    )


def _why_not(options: ClockOptions, clock: Clock, steers: bool) -> str:
    if not steers:
        if clock.kind == "system":
            return f'the system clock is everybody\'s; steer = true in [[clock]] "{options.name}" lets us steer it'
        return f'steer = false in [[clock]] "{options.name}"'
    return "" if clock.capabilities.can_adjust else f"{clock.name} offers no frequency adjustment"


def warning_of(options: ClockOptions, clock: Clock) -> str:
    """What to know before steering it, or ""."""
    lacks = not effective_capabilities() >> CAPABILITIES["CAP_SYS_TIME"] & 1
    if options.steers(clock.kind) and clock.kind == "system" and lacks:
        return (
            f"clock {options.name}: the system clock is to be steered, and that needs CAP_SYS_TIME, which this "
            "process lacks: every command will fail; run as root, or grant it (systemd: AmbientCapabilities=)"
        )
    return ""
