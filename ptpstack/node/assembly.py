"""From a Site to the parts of a running node: open channels, open clocks, an engine's plan."""

from __future__ import annotations

import errno
import os
import random
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from ptpstack import __version__
from ptpstack.clocks.base import Clock, ClockError
from ptpstack.clocks.pulses import Pulse
from ptpstack.clocks.simulated import SimulatedClock
from ptpstack.clocks.system import SystemClock
from ptpstack.config.model import ChannelOptions, InstanceSettings, NodeOptions, Site, TransparentSettings
from ptpstack.engine.plan import EnginePlan, InstancePlan, ReferencePlan
from ptpstack.net.absent import AbsentChannel
from ptpstack.net.channel import Channel, ChannelError
from ptpstack.net.open import open_channel
from ptpstack.node.clock_parts import Stamped, assign, open_clock, plan_of, ports_of, warning_of
from ptpstack.node.errors import AssemblyError
from ptpstack.node.plans import edge_plan, own_word, reference_plan, servo_options
from ptpstack.protocol.options import TransparentOptions
from ptpstack.timebase.leap import LeapTable
from ptpstack.wire.types import clock_identity_from_mac

if TYPE_CHECKING:
    from ptpstack.net.bridge import Bridge

#: What keeps a channel from being opened and passes while a machine boots: no interface yet, no address yet.
NOT_YET = frozenset({errno.ENODEV, errno.ENXIO, errno.EADDRNOTAVAIL, errno.ENETDOWN})
_MACHINE_ID = "/etc/machine-id"


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
    #: what tells which second a pulse is, by the clock that stamps the pulse
    times_of_day: dict[str, Clock] = field(default_factory=dict)
    #: whose a clock's drift is: hardware identity by clock
    owners: dict[str, str] = field(default_factory=dict)
    #: of the channels of transparent clocks
    bridges: dict[str, Bridge] = field(default_factory=dict)

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
        one_step=options.one_step,
        ttl=options.ttl,
        dscp_event=options.dscp_event,
        dscp_general=options.dscp_general,
        udp6_scope=options.udp6_scope,
        priority=options.socket_priority,
        pcp=options.pcp,
    )


def open_again(options: ChannelOptions, clock: Clock, bridge: Bridge | None = None) -> Channel:
    """The channel of a running instance, or of a transparent clock's ``bridge``, with the time stamps its clock has.
    ChannelError when it cannot be had.
    """
    options = replace(options, stamping="hardware" if clock.kind == "phc" else "software")
    if bridge is None:
        channel = open_site_channel(options)
    else:
        from ptpstack.node.bridging import open_in

        channel = open_in(bridge, options)
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


def _open_channels(site: Site, patient: bool, notes: list[str], channels: dict[str, Channel]) -> None:
    """Those of interfaces; those inside transparent clocks come with their bridges."""
    inside = site.inside
    types = {clock.name: clock.type for clock in site.clocks}
    for settings, _, port, wanted in ports_of(site):
        if wanted.name in channels or wanted.name in inside:
            continue
        # a simulated clock is a map over the kernel's software stamps: NIC stamps are on another clock
        simulated = types[settings.options.clock_of(port)] == "simulated"
        channel = channels[wanted.name] = _open_or_wait(
            replace(wanted, stamping="software") if simulated else wanted, patient
        )
        if not isinstance(channel, AbsentChannel):
            notes.append(f"{channel.name}: {channel.stamping} time stamps: {channel.stamping_reason}")


def _check_transmission(channels: dict[str, Channel]) -> None:
    """What transmits is set for a whole device: VLANs on it, and transports, cannot differ."""
    first: dict[str, Channel] = {}
    for channel in channels.values():
        if channel.stamping == "hardware" and channel.stack and not isinstance(channel, AbsentChannel):
            other = first.setdefault(channel.stack[-1], channel)
            if other.one_step != channel.one_step:
                raise AssemblyError(
                    f"{other.name} and {channel.name} both send by {channel.stack[-1]}, and one of them is to be "
                    "one-step: give both the same one_step"
                )


def _open_clocks(site: Site, stamped: Stamped, leap: LeapTable, clocks: dict[str, Clock]) -> None:
    """Those of ports first, then what edges and references name beside them."""
    named = [name for edge in site.edges for name in (edge.source, edge.target)]
    named += [i.reference.tod for i in site.instances if i.reference.type == "pps"]
    named += [transparent.options.clock for transparent in site.transparent]
    for name in (*stamped.clock_of.values(), *named):
        if name not in clocks and name in stamped.options:
            clocks[name] = open_clock(stamped.options[name], stamped.channels.get(name, []), leap)


def _assemble(
    site: Site, leap: LeapTable, patient: bool, channels: dict[str, Channel], clocks: dict[str, Clock]
) -> Parts:
    notes: list[str] = []
    warnings: list[str] = []
    seed = site.node.seed if site.node.seed is not None else int.from_bytes(os.urandom(6), "big")
    _open_channels(site, patient, notes, channels)
    bridges: dict[str, Bridge] = {}
    if site.transparent:
        from ptpstack.node.bridging import open_bridges

        bridges = open_bridges(site, channels, notes)
    _check_transmission(channels)
    stamped = assign(site, channels)
    notes += stamped.notes
    _open_clocks(site, stamped, leap, clocks)
    clock_plans = {name: plan_of(stamped.options[name], clock) for name, clock in clocks.items()}
    for name, clock in clocks.items():
        why_not = clock_plans[name].why_not_steerable
        notes.append(
            f"clock {name}: {clock.name} ({clock.kind})" + (f" is only measured: {why_not}" if why_not else "")
        )
        warning = warning_of(stamped.options[name], clock)
        if warning:
            warnings.append(warning)
    clock_of_channel: dict[str, str] = {}
    references: dict[str, ReferencePlan] = {}
    readings: dict[str, Reading] = {}
    times_of_day: dict[str, Clock] = {}
    instances: list[InstancePlan] = []
    for settings in site.instances:
        used = [channels[c.name] for c in settings.channels]
        names = [stamped.clock_of[settings.options.name, index] for index in range(len(used))]
        own = settings.options.clock if settings.options.clock in names else names[0]
        for name, channel in zip(names, used, strict=True):
            _check_stamps(settings, channel, clocks[name])
            other = clock_of_channel.setdefault(channel.name, name)
            if other != name:
                raise AssemblyError(
                    f"{channel.name} is used with clock {other} and with clock {name}: a channel's time "
                    "stamps are on one clock; give both instances the same clock"
                )
        instances.append(instance_plan(settings, own, names, used, clocks[own], site.node, warnings))
        if settings.reference.type != "none" and own not in references:
            references[own] = reference = reference_plan(settings, own, clocks[own])
            if reference.type == "measured":
                readings[own] = Reading(settings.reference.noise_ns, random.Random(f"reference/{seed}"))
            elif reference.type == "pps":
                times_of_day[own] = _pulse_input(reference, clocks, leap)
    for transparent in site.transparent:
        stamper = transparent.options.clock
        for wanted in transparent.channels:
            wrong = _wrong_stamps(channels[wanted.name], clocks[stamper])
            if wrong:
                raise AssemblyError(f"transparent clock {transparent.options.name}: {wanted.interface}: {wrong}")
            clock_of_channel[wanted.name] = stamper
    for edge in site.edges:
        # nobody here steers the source: what the kernel says of its clock is what it is worth
        source = clocks[edge.source]
        if isinstance(source, SystemClock) and not clock_plans[edge.source].steerable and edge.source not in references:
            references[edge.source] = own_word(edge.source, source)
    plan = EnginePlan(
        instances=tuple(instances),
        clocks=tuple(clock_plans.values()),
        references=tuple(references.values()),
        edges=tuple(edge_plan(edge) for edge in site.edges),
        transparent=tuple(transparent_plan(t, channels, site.node, warnings) for t in site.transparent),
        leap=leap,
        seed=seed,
        name=site.node.name,
    )
    owners = {name: owner_of(clock, stamped.channels.get(name, [])) for name, clock in clocks.items()}
    return Parts(
        site, plan, channels, clocks, clock_of_channel, readings, notes, warnings, times_of_day, owners, bridges
    )


def transparent_plan(
    settings: TransparentSettings, channels: dict[str, Channel], node: NodeOptions, warnings: list[str]
) -> TransparentOptions:
    options = settings.options
    used = [channels[wanted.name] for wanted in settings.channels]
    return replace(options, clock_identity=options.clock_identity or _identity(node.name, used, warnings))


def instance_plan(
    settings: InstanceSettings,
    own: str,
    names: list[str],
    used: list[Channel],
    clock: Clock,
    node: NodeOptions,
    warnings: list[str],
) -> InstancePlan:
    """``own`` is the name of the instance's ``clock``, ``names`` are those of its ports' clocks."""
    noise = settings.servo.time_stamping_noise
    if noise == "auto":
        noise = "hardware" if clock.kind == "phc" else "software"
    ports = tuple(
        replace(port, clock="" if name == own else name)
        for port, name in zip(settings.options.ports, names, strict=True)
    )
    identity = settings.options.clock_identity or _identity(node.name, used, warnings)
    management = replace(
        settings.options.management,
        product=f"ptpstack;ptpstack;{node.name[:40]}",
        revision=f";;{__version__}",
        storage=node.state_dir != "off",
    )
    options = replace(settings.options, clock=own, ports=ports, clock_identity=identity, management=management)
    return InstancePlan(options, servo_options(settings.servo, noise), settings.arb_is)


def _pulse_input(plan: ReferencePlan, clocks: dict[str, Clock], leap: LeapTable) -> Clock:
    """Check the clock's input, and find the clock that tells its seconds. AssemblyError when there is no input."""
    clock = clocks[plan.clock]
    inputs = clock.capabilities.external_timestamps
    if isinstance(clock, SimulatedClock):
        clock.connect(plan.channel, Pulse(offset_ns=plan.delay_ns))
    elif plan.channel >= inputs:
        raise AssemblyError(
            f"clock {plan.clock} ({clock.name}) has {inputs} external time stamp inputs, and the reference wants "
            f"channel {plan.channel}: use a channel below {inputs}"
            if inputs
            else f"clock {plan.clock} ({clock.name}) cannot stamp pulses (no external time stamps); use another clock"
        )
    # no clock of that name: the kernel's, which is only read
    return clocks[plan.tod] if plan.tod in clocks else SystemClock(leap)


def owner_of(clock: Clock, stamped: list[Channel]) -> str:
    """What hardware a drift belongs to: /dev/ptpN may be another card after the next boot, a MAC is not.

    The members of a bond have one MAC, so there the member is named, too.
    """
    channel = next((channel for channel in stamped if channel.mac), None)
    if clock.kind != "phc" or channel is None:
        return f"{clock.kind} {clock.name}"
    below = f" of {channel.stack[-1]}" if channel.stack[1:] else ""
    return f"{clock.kind} {channel.mac.hex(':')}{below}"


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


def _check_stamps(settings: InstanceSettings, channel: Channel, clock: Clock) -> None:
    """A port must stamp on its clock."""
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
                f"stamps on /dev/ptp{channel.phc_index}, not on {clock.name}; name a [[clock]] with that device in the "
                "port (clock = ...), or leave out the port's clock"
            )
    elif hardware:
        return (
            f'stamps in hardware, but its clock is the {clock.kind} clock; set stamping = "software" for the port, or '
            'type = "auto" for the clock'
        )
    return ""
