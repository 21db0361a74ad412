"""What configuration hands to the rest: one ``Site``, typed and complete.

Protocol options are ``ptpstack.protocol.options``; here is what else a node needs. Everything is immutable and
comparable: two equal sites run alike.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from ptpstack.protocol.options import InstanceOptions, TransparentOptions
from ptpstack.wire.types import ACCURACY_UNKNOWN, TimeSource


@dataclass(frozen=True, slots=True)
class NodeOptions:
    """The process as a whole. ``None``: not wanted (leap_file: the table built in; seed: drawn at start)."""

    name: str = "ptpstack"
    control: str = "/run/ptpstack/control.sock"
    #: paths of the management sockets; None: none
    management: str | None = None
    management_read_only: str | None = None
    io_loop: str = "auto"
    log_level: str = "info"
    leap_file: str | None = None
    #: directory of the drift file; None: by the machine, ``off``: none
    state_dir: str | None = None
    sa_file: str | None = None
    user: str | None = None
    record: str | None = None
    seed: int | None = None
    scheduling_priority: int = 0


@dataclass(frozen=True, slots=True)
class ClockOptions:
    """One clock. ``type`` is ``auto``, ``phc``, ``system`` or ``simulated``.

    Members from ``oscillator`` on matter for ``simulated`` only; ``None`` there means the oscillator's own value.
    """

    name: str = "clock"
    type: str = "auto"
    #: PHC device; None: that of the port's interface.
    device: str | None = None
    #: None: by kind, see ``steers``.
    steer: bool | None = None
    #: file of a temperature sensor beside the oscillator, in thousandths of a degree (hwmon, thermal zones)
    temperature: str | None = None
    on_foreign_change: str = "keep"
    oscillator: str = "tcxo"
    frequency_ppb: float | None = None
    wander_ppb: float | None = None
    drift_ppb_per_day: float | None = None
    initial_error_ns: float = 0.0
    seed: int | None = None
    grain_ns: float = 0.0
    noise_ns: float = 0.0
    max_adjustment_ppb: float = 500_000.0
    #: system: TAI - UTC to reckon with, s; None: the leap-second table's. Of no site file, but of who knows better
    utc_offset_s: int | None = None

    def steers(self, kind: str) -> bool:
        """Whether ptpstack may steer this clock, once ``kind`` (``phc``, ``system``, ``simulated``) is known.

        The system clock is everybody's: it is left alone unless the file says ``steer = true``.
        """
        return kind != "system" if self.steer is None else self.steer


@dataclass(frozen=True, slots=True)
class ChannelOptions:
    """How one port reaches the network; ``name`` is what ``PortOptions.channel`` refers to."""

    interface: str
    transport: str = "udp4"
    stamping: str = "auto"
    one_step: str = "no"
    ttl: int = 1
    dscp_event: int = 0
    dscp_general: int = 0
    udp6_scope: int = 14
    socket_priority: int = 0
    pcp: int | None = None

    @property
    def name(self) -> str:
        return f"{self.interface}/{self.transport}"


@dataclass(frozen=True, slots=True)
class ReferenceOptions:
    """What sets the clock when no PTP master does. ``accuracy`` and ``time_source`` are codes of the wire."""

    type: str = "none"
    state: str = "free-running"
    time_source: int = TimeSource.INTERNAL_OSCILLATOR
    accuracy: int = ACCURACY_UNKNOWN
    holdover_spec_s: float = 0.0
    holdover_limit_ns: float = 0.0
    noise_ns: float = 0.0
    log_interval: int = 0
    #: the rest is for ``pps``
    channel: int = 0
    pin: int | None = None
    edge: str = "rising"
    delay_ns: float = 0.0
    tod: str = "system"
    tod_error_s: float = 0.0


@dataclass(frozen=True, slots=True)
class ServoOptions:
    """0 means "automatic" for kp, ki, lock_threshold_ns and max_frequency_ppb, "never" for the step thresholds."""

    type: str = "estimator"
    kp: float = 0.0
    ki: float = 0.0
    kp_scale: float | None = None
    kp_exponent: float | None = None
    kp_norm_max: float | None = None
    ki_scale: float | None = None
    ki_exponent: float | None = None
    ki_norm_max: float | None = None
    first_step_threshold_ns: float = 20_000.0
    step_threshold_ns: float = 0.0
    max_frequency_ppb: float = 0.0
    max_slew_ppb: float = 50_000.0
    delay_filter: str = "moving_median"
    delay_filter_length: int = 10
    lock_threshold_ns: float = 0.0
    time_stamping_noise: str = "auto"


@dataclass(frozen=True, slots=True)
class InstanceSettings:
    """One PTP Instance. ``channels[n]`` belongs to ``options.ports[n]``.

    ``options.clock_identity`` is ``b""`` when it is to be made from the first port's MAC at start.
    ``profile_source`` is what finds the profile again: its name, or the path of its file.
    """

    options: InstanceOptions
    channels: tuple[ChannelOptions, ...]
    reference: ReferenceOptions = field(default_factory=ReferenceOptions)
    servo: ServoOptions = field(default_factory=ServoOptions)
    role: str = "ordinary"
    arb_is: str = "unknown"
    profile_source: str = "default-e2e"
    #: who is given what is measured: SHM segment, chronyd's socket; None: nobody
    feed_shm: int | None = None
    feed_sock: str | None = None


@dataclass(frozen=True, slots=True)
class EdgeOptions:
    """Clock ``target`` follows clock ``source``."""

    source: str
    target: str
    log_interval: int = -3
    samples: int = 5
    always: bool = False
    servo: ServoOptions = field(default_factory=ServoOptions)


@dataclass(frozen=True, slots=True)
class TransparentSettings:
    """One transparent clock. ``channels[n]`` belongs to ``options.ports[n]``."""

    options: TransparentOptions
    channels: tuple[ChannelOptions, ...]
    stamping: str = "auto"


@dataclass(frozen=True, slots=True)
class Site:
    """A whole configuration that has passed every check that needs no machine."""

    node: NodeOptions
    clocks: tuple[ClockOptions, ...]
    instances: tuple[InstanceSettings, ...]
    edges: tuple[EdgeOptions, ...] = ()
    transparent: tuple[TransparentSettings, ...] = ()

    @property
    def inside(self) -> set[str]:
        """Channels of instances inside transparent clocks."""
        return {channel for transparent in self.transparent for channel in transparent.options.inside}

    def clock(self, name: str) -> ClockOptions:
        """The clock called ``name``; KeyError when there is none."""
        for clock in self.clocks:
            if clock.name == name:
                return clock
        raise KeyError(name)

    @property
    def channels(self) -> tuple[ChannelOptions, ...]:
        """Every channel once, in file order: instances share them."""
        return tuple({c.name: c for i in self.instances for c in i.channels}.values())
