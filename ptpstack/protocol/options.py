"""What an instance and its ports are told at birth: plain validated numbers, nothing about files.

``ptpstack.config`` makes these from TOML; tests and the simulator make them by hand. Ranges are the profile's
business (config); the checks here are only those without which the protocol would be wrong.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from ptpstack.wire.types import ACCURACY_UNKNOWN, ClockIdentity, ClockQuality, TimeSource

#: A clock that nobody vouches for (7.6.2.5).
UNKNOWN_QUALITY = ClockQuality(248, ACCURACY_UNKNOWN, 0xFFFF)


@dataclass(frozen=True, slots=True)
class PortOptions:
    """One PTP port. ``channel`` names the network channel it lives on, such as ``eth1/udp4``."""

    channel: str
    log_announce_interval: int = 1
    announce_receipt_timeout: int = 3
    log_sync_interval: int = 0
    log_min_delay_req_interval: int = 0
    delay_mechanism: str = "E2E"
    #: portDS.masterOnly (8.2.15.5.2): never SLAVE, never PASSIVE.
    server_only: bool = False
    #: delayAsymmetry (7.4.2): positive when the path from the master is the longer one.
    delay_asymmetry_ns: float = 0.0
    #: timestampCorrectionPortDS (16.7), between the time stamp and the wire.
    ingress_latency_ns: float = 0.0
    egress_latency_ns: float = 0.0
    #: foreign master records kept per port (at least 5, 9.3.2.4).
    foreign_master_capacity: int = 16
    #: False: do not wait for the announce receipt timeout before serving (a grandmaster on a NIC of its own).
    listen_first: bool = True
    #: the clock whose time stamps this port has; "": that of the instance
    clock: str = ""


@dataclass(frozen=True, slots=True)
class TimeProperties:
    """timePropertiesDS (8.2.4)."""

    current_utc_offset: int = 37
    current_utc_offset_valid: bool = False
    leap59: bool = False
    leap61: bool = False
    time_traceable: bool = False
    frequency_traceable: bool = False
    ptp_timescale: bool = True
    time_source: int = TimeSource.INTERNAL_OSCILLATOR


@dataclass(frozen=True, slots=True)
class QualityTable:
    """clockClass of a grandmaster by the state of its reference (7.6.2.5); a profile overrides it."""

    locked: int = 6
    holdover: int = 7
    holdover_out_of_spec: int = 52
    free_running: int = 248


@dataclass(frozen=True, slots=True)
class ManagementOptions:
    """How an instance answers management messages, and what it says of itself (descriptionDS, 8.2.5)."""

    #: answer those that come over the network, too
    network: bool = True
    #: who may SET and COMMAND over the network: transport addresses; an IPv4 or IPv6 network as ``10.0.0.0/24``
    writers: tuple[str, ...] = ()
    #: OUI or CID of the manufacturer
    manufacturer: bytes = bytes(3)
    #: ``manufacturer;model;instance``
    product: str = "ptpstack;ptpstack;"
    #: ``hardware;firmware;software``
    revision: str = ";;"
    #: ``name;location``
    user_description: str = ""
    #: ProfileIdentifier
    profile_identity: bytes = bytes.fromhex("001b19000100")
    #: (parameter, lowest, highest) that the profile allows in a SET; what is not listed has the range of its data type
    ranges: tuple[tuple[str, int, int], ...] = ()


@dataclass(frozen=True, slots=True)
class InstanceOptions:
    """One PTP Instance (one domain). ``clock`` names the clock of the ports that name none of their own."""

    name: str
    clock_identity: ClockIdentity
    ports: tuple[PortOptions, ...]
    clock: str = "clock"
    profile: str = "default"
    domain: int = 0
    sdo_id: int = 0
    priority1: int = 128
    priority2: int = 128
    #: D0's quality while no reference speaks for it.
    quality: ClockQuality = UNKNOWN_QUALITY
    quality_table: QualityTable = field(default_factory=QualityTable)
    time_properties: TimeProperties = field(default_factory=TimeProperties)
    client_only: bool = False
    max_steps_removed: int = 255
    minor_version: int = 1
    management: ManagementOptions = field(default_factory=ManagementOptions)

    def clock_of(self, port: PortOptions) -> str:
        """The clock that stamps the frames of one of its ports."""
        return port.clock or self.clock

    @property
    def clocks(self) -> tuple[str, ...]:
        """Every clock of its ports once, in their order; its own clock comes first when a port has it."""
        names = dict.fromkeys(self.clock_of(port) for port in self.ports)
        return tuple(sorted(names, key=lambda name: name != self.clock))
