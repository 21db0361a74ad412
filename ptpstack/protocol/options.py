"""What an instance and its ports are told at birth: plain validated numbers, nothing about files.

``ptpstack.config`` makes these from TOML; tests and the simulator make them by hand. Ranges are the profile's
business (config); the checks here are only those without which the protocol would be wrong.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from ptpstack.wire.types import ACCURACY_UNKNOWN, ClockIdentity, ClockQuality, TimeSource

#: portDS.delayMechanism (8.2.15.4.4); AUTO is linuxptp's
DELAY_MECHANISMS = ("E2E", "P2P", "COMMON_P2P", "AUTO", "NONE")
#: sdoId of the common mean link delay service (16.6.3); its domainNumber is 0
COMMON_SDO_ID = 0x200
#: what slave event monitoring can tell (16.11)
MONITORS = ("rx-sync-timing", "tx-event-timestamps")

#: A clock that nobody vouches for (7.6.2.5).
UNKNOWN_QUALITY = ClockQuality(248, ACCURACY_UNKNOWN, 0xFFFF)


@dataclass(frozen=True, slots=True)
class AcceptableMaster:
    """An entry of acceptableMasterTableDS (17.5)."""

    clock_identity: ClockIdentity
    #: of one port of that clock, or of any (0xFFFF)
    port_number: int = 0xFFFF
    #: taken for the priority1 that it announces; 0: it stays
    alternate_priority1: int = 0
    #: localPriority of this master; 0: that of the port
    local_priority: int = 0


@dataclass(frozen=True, slots=True)
class AlternateTimescale:
    """An entry of alternateTimescaleOffsetsDS (8.2.9): a local time."""

    key: int
    name: str
    #: (POSIX second, local time - UTC from then on in s), in order; the first holds before, too
    offsets: tuple[tuple[int, int], ...]
    #: the IANA zone they are of, "" for a fixed offset
    zone: str = ""
    enabled: bool = True


@dataclass(frozen=True, slots=True)
class UnicastServer:
    """An entry of the table of servers that a port asks for service (17.4)."""

    #: transport address, as a received frame's sender is written
    address: str
    #: localPriority of its master, where the BMCA variant has such a thing; lower wins
    local_priority: int = 128


@dataclass(frozen=True, slots=True)
class UnicastOptions:
    """Unicast discovery (17.4) and negotiation (16.1) of one port, as server, as client, or both."""

    #: grant service to those who ask
    serve: bool = False
    #: whom to ask for service
    servers: tuple[UnicastServer, ...] = ()
    #: take part in multicast, too
    multicast: bool = True
    #: Delay_Req goes to the address of a multicast parent, not to the group
    unicast_delay_req: bool = False
    #: a unicast Delay_Req is answered only when its sender holds a grant
    negotiation_required: bool = False
    max_clients: int = 512
    max_clients_per_address: int = 8
    #: messages/s of all grants together; a Sync and its Follow_Up are one
    max_rate: int = 20_000
    #: the fastest that is granted
    log_min_announce_interval: int = -3
    log_min_sync_interval: int = -7
    log_min_delay_resp_interval: int = -7
    #: shorter requests are refused, longer ones cut
    min_duration_s: int = 10
    max_duration_s: int = 1000
    #: what a client asks for
    duration_s: int = 300
    #: between requests that are not answered; doubled after the third, up to the other
    log_query_interval: int = 0
    log_max_query_interval: int = 4

    @property
    def active(self) -> bool:
        """Whether anything of it is asked for."""
        return self.serve or bool(self.servers) or self.unicast_delay_req or not self.multicast


@dataclass(frozen=True, slots=True)
class SyncMetadataOptions:
    """What a grandmaster of SMPTE ST 2059-2 tells of the plant."""

    timescale: AlternateTimescale
    #: default system frame rate: numerator, denominator
    frame_rate: tuple[int, int] = (25, 1)
    drop_frame: bool = False
    #: local time of the daily jam, s after midnight; None: there is none
    daily_jam_s: int | None = None


@dataclass(frozen=True, slots=True)
class PowerOptions:
    """TLV of a power profile, IEEE C37.238."""

    #: 2011 or 2017
    edition: int
    grandmaster_id: int = 0
    #: of a grandmaster: how wrong its time may be; of a boundary clock: by how much it makes it worse
    time_inaccuracy_ns: int = 250
    #: of a grandmaster: what the network behind it adds, as far as no clock there says so itself
    network_inaccuracy_ns: int = 0


@dataclass(frozen=True, slots=True)
class GptpOptions:
    """A port of a time-aware system (IEEE 802.1AS). Defaults: 2020, 802.3 over copper; not checked against the text."""

    #: ``measured`` by peer delay, or ``assumed`` (automotive)
    as_capable: str = "measured"
    #: meanLinkDelayThresh (11.2.2), and how far below 0 a measured delay may be
    delay_threshold_ns: float = 800.0
    min_delay_ns: float = -800.0
    #: allowedLostResponses, allowedFaults: in a row
    allowed_lost_responses: int = 9
    allowed_faults: int = 9
    #: syncReceiptTimeout, intervals; 0: none
    sync_receipt_timeout: int = 3
    #: syncLocked (10.2.5.15) where the intervals agree
    sync_locked: bool = True
    #: gPTP-capable messages (2020)
    capable_messages: bool = True
    log_capable_interval: int = 0
    capable_receipt_timeout: int = 9


@dataclass(frozen=True, slots=True)
class PortOptions:
    """One PTP port. ``channel`` names the network channel it lives on, such as ``eth1/udp4``."""

    channel: str
    log_announce_interval: int = 1
    announce_receipt_timeout: int = 3
    log_sync_interval: int = 0
    log_min_delay_req_interval: int = 0
    log_min_pdelay_req_interval: int = 0
    #: one of ``DELAY_MECHANISMS``
    delay_mechanism: str = "E2E"
    #: peer delay, when several ports answer one request (11.4.4): ``discard`` the measurements, or ``fault``
    several_peers: str = "discard"
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
    #: portDS.localPriority (ITU-T G.8275.1): of the masters heard on this port; lower wins.
    local_priority: int = 128
    #: externalPortConfigurationPortDS.desiredState (17.6): ``master``, ``slave``, ``passive``; "" without that option.
    desired_state: str = ""
    #: False: static roles (automotive). Announce is neither sent nor needed: who sends Sync is the master.
    announce: bool = True
    #: multicast goes to the group that bridges do not forward (Ethernet; ITU-T G.8275.1)
    link_local: bool = False
    #: do as a message interval request of a peer says (802.1AS-2020 10.6.4.3), within these log2 s
    honour_interval_requests: bool = False
    requestable_sync: tuple[int, int] = (-7, 4)
    requestable_announce: tuple[int, int] = (-3, 4)
    requestable_pdelay: tuple[int, int] = (-3, 5)
    #: as a client, once locked: ask the master for this logSyncInterval; None: never ask
    operational_log_sync_interval: int | None = None
    #: as a client, once locked: measure the link so often (802.1AS, automotive); None: as before
    operational_log_pdelay_req_interval: int | None = None
    #: slave event monitoring: of ``MONITORS``
    monitor: tuple[str, ...] = ()
    #: events of each TLV; and of every how many one is told
    monitor_events: int = 1
    monitor_every: int = 1
    #: numberOfAlternateMasters (17.3); 0: the option is off
    alternate_masters: int = 0
    #: acceptableMasterPortDS.enable (17.5): only masters of the instance's table are heard
    acceptable_masters_only: bool = False
    #: security association of what it sends and accepts (16.14); None: no authentication
    spp: int | None = None
    #: the key of that association that signs; None: the last one
    active_key_id: int | None = None
    #: frames without AUTHENTICATION: ``no``, ``until-first`` (that verifies), ``yes``
    allow_unauthenticated: str = "no"
    #: sources (admission.py) that alone are listened to, and those that are not; none: everybody
    allow_sources: tuple[str, ...] = ()
    deny_sources: tuple[str, ...] = ()
    #: messages a second; 0: no limit
    limit_delay_req: int = 0
    limit_announce: int = 1000
    limit_signaling: int = 1000
    limit_management: int = 1000
    unicast: UnicastOptions = field(default_factory=UnicastOptions)
    #: IEEE 802.1AS; None: a port of IEEE 1588
    gptp: GptpOptions | None = None


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
    #: of a boundary clock that has lost its master and holds over, within its limit and beyond; 0: its own class stays
    boundary_holdover: int = 0
    boundary_out_of_spec: int = 0


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
    #: the driver keeps settings over a restart when it is asked to
    storage: bool = False
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
    #: which BMCA variant (``protocol.bmca.BMCA``)
    bmca: str = "default"
    #: defaultDS.localPriority (ITU-T G.8275.1): of our own clock.
    local_priority: int = 128
    #: ITU-T G.8265.1: how long a master that was lost and is back is not preferred, s
    wait_to_restore_s: float = 0.0
    #: how far a boundary clock in holdover may have drifted for ``QualityTable.boundary_holdover``
    boundary_holdover_limit_ns: float = 400.0
    #: pathTraceDS.enable (16.2)
    path_trace: bool = False
    acceptable_masters: tuple[AcceptableMaster, ...] = ()
    alternate_timescales: tuple[AlternateTimescale, ...] = ()
    #: SMPTE ST 2059-2; None: not sent
    sync_metadata: SyncMetadataOptions | None = None
    power: PowerOptions | None = None
    #: performanceMonitoringDS.enable (Annex J)
    performance_monitoring: bool = False
    management: ManagementOptions = field(default_factory=ManagementOptions)

    def clock_of(self, port: PortOptions) -> str:
        """The clock that stamps the frames of one of its ports."""
        return port.clock or self.clock

    @property
    def clocks(self) -> tuple[str, ...]:
        """Every clock of its ports once, in their order; its own clock comes first when a port has it."""
        names = dict.fromkeys(self.clock_of(port) for port in self.ports)
        return tuple(sorted(names, key=lambda name: name != self.clock))


def ruled(options: InstanceOptions) -> InstanceOptions:
    """Options as they hold. ValueError when they contradict each other.

    Priorities 255 of a client are our own rule: with 128 it would outrank a grandmaster of priority1 200 and never
    follow it.
    """
    if not options.client_only:
        return options
    if len(options.ports) > 1:
        raise ValueError(f"instance {options.name}: a client-only instance has exactly one port")
    return replace(options, priority1=255, priority2=255)


def class_255(options: InstanceOptions, quality: ClockQuality) -> ClockQuality:
    """8.1.3: slaveOnly means class 255."""
    return quality._replace(clock_class=255) if options.client_only else quality


@dataclass(frozen=True, slots=True)
class TransparentPort:
    channel: str
    #: delayAsymmetry (7.4.2): positive when the path from the master is the longer one
    delay_asymmetry_ns: float = 0.0
    ingress_latency_ns: float = 0.0
    egress_latency_ns: float = 0.0


@dataclass(frozen=True, slots=True)
class TransparentOptions:
    """A transparent clock; ``clock`` stamps the frames of all its ports."""

    name: str
    ports: tuple[TransparentPort, ...]
    clock: str = "clock"
    #: count residence in the master's seconds, not in those of our own clock
    syntonise: bool = True
    #: ``E2E``, or ``P2P``: measure the link at every port
    delay_mechanism: str = "E2E"
    clock_identity: ClockIdentity = b""
    #: primaryDomain (8.3.2.4), and the transport: in which links are measured
    domain: int = 0
    transport: str = "udp4"
    log_min_pdelay_req_interval: int = 0
    #: what it adds to the inaccuracy in the TLV of a power profile (IEEE C37.238) on Announce; 0: nothing
    time_inaccuracy_ns: int = 0
    #: channels of instances inside (``tc/l2``: on the transparent clock "tc", speaking 802.3)
    inside: tuple[str, ...] = ()
