"""Announce against the data sets: what one says, what keeps one out of the election (9.3, 9.4, 13.5)."""

from __future__ import annotations

from functools import lru_cache

from ptpstack.protocol.comparison import Candidate, Standing
from ptpstack.protocol.datasets import DataSets
from ptpstack.protocol.foreign import ForeignMaster
from ptpstack.protocol.options import TimeProperties
from ptpstack.wire.messages import Announce
from ptpstack.wire.tlv import Tlv
from ptpstack.wire.tlvs.registry import propagates
from ptpstack.wire.types import ClockIdentity, Flag, PortIdentity

_NO_IDENTITY = bytes(8)


def refusal_of(announce: Announce, own: ClockIdentity, max_steps_removed: int) -> str | None:
    """Why an Announce may not take part in the election (9.3.2.5): the name of a counter, or None."""
    if announce.source.clock_identity == own:
        return "drop-announce-own-clock"
    if announce.flags & Flag.ALTERNATE_MASTER:
        return "drop-announce-alternate-master"
    if announce.steps_removed >= 255 or announce.steps_removed >= max_steps_removed:
        return "drop-announce-steps-removed"
    if _NO_IDENTITY in (announce.source.clock_identity, announce.grandmaster):
        return "drop-announce-zero-identity"
    if announce.grandmaster == own:
        # a time loop: somebody serves us our own time. Part 2 of the comparison would not catch it once our own
        # quality has changed
        return "drop-announce-own-grandmaster"
    return None


def candidate(
    record: ForeignMaster,
    receiver: PortIdentity,
    local_priority: int = 128,
    standing: Standing = Standing.AVAILABLE,
) -> Candidate:
    """The data set of a foreign master as received on a port."""
    a = record.announce
    return Candidate(
        a.priority1,
        a.quality,
        a.priority2,
        a.grandmaster,
        a.steps_removed,
        a.source,
        receiver,
        local_priority,
        standing,
    )


def fill_announce(message: Announce, data: DataSets) -> None:
    """Everything an Announce says comes from parentDS, currentDS and timePropertiesDS (13.5)."""
    parent, properties = data.parent, data.time_properties
    message.current_utc_offset = properties.current_utc_offset
    message.priority1 = parent.grandmaster_priority1
    message.quality = parent.grandmaster_quality
    message.priority2 = parent.grandmaster_priority2
    message.grandmaster = parent.grandmaster_identity
    message.steps_removed = data.current.steps_removed
    message.time_source = properties.time_source
    message.tlvs = parent.propagated_tlvs
    message.flags = time_flags(properties) | (
        Flag.SYNCHRONIZATION_UNCERTAIN if data.current.synchronization_uncertain else 0
    )


def propagated_tlvs(announce: Announce) -> tuple[Tlv, ...]:
    """What a boundary clock attaches to its own Announce (14.2), as it came, in its order. It fits: it came in one."""
    return tuple(tlv for tlv in announce.tlvs if propagates(tlv.tlv_type)) if announce.tlvs else ()


def time_flags(properties: TimeProperties) -> int:
    """timePropertiesDS as octet 7 of flagField (13.3.2.8)."""
    return (
        (Flag.LEAP61 if properties.leap61 else 0)
        | (Flag.LEAP59 if properties.leap59 else 0)
        | (Flag.CURRENT_UTC_OFFSET_VALID if properties.current_utc_offset_valid else 0)
        | (Flag.PTP_TIMESCALE if properties.ptp_timescale else 0)
        | (Flag.TIME_TRACEABLE if properties.time_traceable else 0)
        | (Flag.FREQUENCY_TRACEABLE if properties.frequency_traceable else 0)
    )


def time_properties(announce: Announce) -> TimeProperties:
    """timePropertiesDS as an Announce of the parent tells it (table 33)."""
    return _time_properties(announce.flags, announce.current_utc_offset, announce.time_source)


@lru_cache(maxsize=64)
def _time_properties(flags: int, current_utc_offset: int, time_source: int) -> TimeProperties:
    # a master says the same in every Announce, and making a frozen record takes long
    ptp = bool(flags & Flag.PTP_TIMESCALE)
    return TimeProperties(
        current_utc_offset=current_utc_offset,
        current_utc_offset_valid=bool(flags & Flag.CURRENT_UTC_OFFSET_VALID),
        # 8.2.4.4: always FALSE when ptpTimescale is FALSE
        leap59=ptp and bool(flags & Flag.LEAP59),
        leap61=ptp and bool(flags & Flag.LEAP61),
        time_traceable=bool(flags & Flag.TIME_TRACEABLE),
        frequency_traceable=bool(flags & Flag.FREQUENCY_TRACEABLE),
        ptp_timescale=ptp,
        time_source=time_source,
    )
