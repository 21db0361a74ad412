"""Data sets of a PTP Instance and its ports (IEEE 1588-2019 clause 8). Initial values: facts of datasets 8.2."""

from __future__ import annotations

from dataclasses import dataclass, field

from ptpstack.protocol.options import InstanceOptions, TimeProperties
from ptpstack.wire.tlv import Tlv
from ptpstack.wire.types import ClockIdentity, ClockQuality, PortIdentity, PortState


@dataclass(slots=True)
class DefaultDS:
    """8.2.1"""

    clock_identity: ClockIdentity
    number_ports: int
    quality: ClockQuality
    priority1: int
    priority2: int
    domain_number: int
    sdo_id: int
    slave_only: bool
    max_steps_removed: int
    #: ITU-T G.8275.1
    local_priority: int = 128


@dataclass(slots=True)
class CurrentDS:
    """8.2.2. Offset and delay live with the servo, which knows their bounds."""

    steps_removed: int = 0
    synchronization_uncertain: bool = False


@dataclass(slots=True)
class ParentDS:
    """8.2.3"""

    parent_port_identity: PortIdentity
    grandmaster_identity: ClockIdentity
    grandmaster_quality: ClockQuality
    grandmaster_priority1: int
    grandmaster_priority2: int
    protocol_address: str = ""
    synchronization_uncertain: bool = False
    parent_stats: bool = False
    observed_offset_scaled_log_variance: int = 0xFFFF
    observed_clock_phase_change_rate: int = 0x7FFFFFFF
    #: TLVs of the parent's newest Announce that a boundary clock hands on (14.2)
    propagated_tlvs: tuple[Tlv, ...] = ()


@dataclass(slots=True)
class PortDS:
    """8.2.15"""

    port_identity: PortIdentity
    log_min_delay_req_interval: int
    log_announce_interval: int
    announce_receipt_timeout: int
    log_sync_interval: int
    delay_mechanism: str
    delay_asymmetry_sns: int
    server_only: bool
    log_min_pdelay_req_interval: int = 0
    #: 8.2.15.3.3: median of the last peer delays; 0 on ports that measure none
    mean_link_delay_sns: int = 0
    #: neighborRateRatio: the neighbour's clock against ours
    neighbor_rate_ratio: float = 1.0
    port_state: PortState = PortState.INITIALIZING
    port_enable: bool = True


@dataclass(slots=True)
class DataSets:
    """All of one instance, together because they change together (9.3.5)."""

    default: DefaultDS
    parent: ParentDS
    own_time_properties: TimeProperties
    current: CurrentDS = field(default_factory=CurrentDS)
    time_properties: TimeProperties = field(default_factory=TimeProperties)

    def become_grandmaster(self) -> None:
        """Table 30 (M1, M2)."""
        d = self.default
        self.current.steps_removed = 0
        self.current.synchronization_uncertain = False
        p = self.parent
        p.parent_port_identity = PortIdentity(d.clock_identity, 0)
        p.grandmaster_identity = d.clock_identity
        p.grandmaster_quality = d.quality
        p.grandmaster_priority1 = d.priority1
        p.grandmaster_priority2 = d.priority2
        p.protocol_address = ""
        p.synchronization_uncertain = False
        p.propagated_tlvs = ()
        self.time_properties = self.own_time_properties


def new_data_sets(options: InstanceOptions, quality: ClockQuality) -> DataSets:
    """Of an instance that has heard of nobody. ``quality``: that of its own clock."""
    identity, priorities = options.clock_identity, (options.priority1, options.priority2)
    return DataSets(
        default=DefaultDS(
            identity,
            len(options.ports),
            quality,
            *priorities,
            options.domain,
            options.sdo_id,
            options.client_only,
            options.max_steps_removed,
            options.local_priority,
        ),
        parent=ParentDS(PortIdentity(identity, 0), identity, quality, *priorities),
        own_time_properties=options.time_properties,
        time_properties=options.time_properties,
    )
