"""Synchronization metadata of SMPTE ST 2059-2 (5.13; not checked against the text): what a video plant's local time is.

1. Every master port of a grandmaster sends it once a second, and at once when its locking status changes; nobody
   answers.
2. Offsets are of local time to PTP time, so they contain TAI - UTC; while UTC is not known nothing is sent.
3. Daylight saving is what a zone adds to the least offset that it has within a year.
"""

from __future__ import annotations

from bisect import bisect_right
from typing import TYPE_CHECKING, Any

from ptpstack.protocol.alternate_time import indicator
from ptpstack.protocol.interval_requests import EVERYBODY
from ptpstack.protocol.options import AlternateTimescale, SyncMetadataOptions, TimeProperties
from ptpstack.protocol.part import Part
from ptpstack.timebase.units import NS_PER_S
from ptpstack.wire.messages import Management
from ptpstack.wire.tlvs.profiles import SynchronizationMetadata
from ptpstack.wire.types import MessageType, PortState

if TYPE_CHECKING:
    from ptpstack.protocol.port import Port

TIMER_METADATA = "sync-metadata"
COMMAND = 3
#: Boundary clocks that it passes [?]
BOUNDARY_HOPS = 16
#: masterLockingStatus
NOT_IN_USE, FREE_RUN, COLD_LOCKING, WARM_LOCKING, LOCKED = range(5)
DROP_FRAME = 0x01
CURRENT_DST, NEXT_DST, PREVIOUS_JAM_DST = 0x01, 0x02, 0x04

_DAY_S = 86_400
_YEAR_S = 366 * _DAY_S
#: clockClasses of a clock that is synchronised to its reference now
_LOCKED_CLASSES = (6, 13)


class SyncMetadata(Part):
    def __init__(self, port: Port, options: SyncMetadataOptions) -> None:
        super().__init__(port)
        self.timers = {TIMER_METADATA: self._due}
        self._options = options
        self._sequence = port.rng.randrange(0x10000)
        #: what our clock showed when the newest Sync left, s
        self._ptp_s: int | None = None
        self._told = NOT_IN_USE

    def entered(self, state: PortState, now: int) -> None:
        if state is PortState.MASTER:
            self.port.timers[TIMER_METADATA] = now

    def event_sent(self, kind: MessageType, key: Any, egress_sns: int) -> None:
        if kind is not MessageType.SYNC:
            return
        self._ptp_s = (egress_sns >> 16) // NS_PER_S
        if self.port.state is PortState.MASTER and self._status() != self._told:
            # it is due: at the next turn
            self.port.timers[TIMER_METADATA] = 0

    def _status(self) -> int:
        data = self.port.instance.data
        return LOCKED if data.default.quality.clock_class in _LOCKED_CLASSES else FREE_RUN

    def _due(self, now: int, due: int) -> None:
        port = self.port
        port.repeat(TIMER_METADATA, now, due, NS_PER_S)
        data = port.instance.data
        properties = data.own_time_properties
        ours = data.parent.grandmaster_identity == port.identity.clock_identity
        if self._ptp_s is None or not ours or not properties.current_utc_offset_valid:
            return
        self._told = self._status()
        self._sequence = (self._sequence + 1) & 0xFFFF
        message = port.new(Management, self._sequence, 0x7F)
        message.target = EVERYBODY
        message.starting_boundary_hops = message.boundary_hops = BOUNDARY_HOPS
        message.action = COMMAND
        message.tlvs = (metadata(self._options, self._ptp_s, properties, self._told),)
        port.send_general(message)


def metadata(
    options: SyncMetadataOptions, ptp_s: int, properties: TimeProperties, status: int
) -> SynchronizationMetadata:
    """The TLV at a PTP second."""
    zone = options.timescale
    now = indicator(zone, ptp_s, properties)
    utc_s = ptp_s - properties.current_utc_offset
    jump_utc_s = now.time_of_next_jump_s - properties.current_utc_offset
    dst = CURRENT_DST if daylight_saving(zone, utc_s) else 0
    dst |= NEXT_DST if now.time_of_next_jump_s and daylight_saving(zone, jump_utc_s) else 0
    next_jam = previous_jam = previous_offset = 0
    if options.daily_jam_s is not None:
        local = ptp_s + now.current_offset_s
        since = (local - options.daily_jam_s) % _DAY_S
        # a jam on the other side of a change of local time is at that side's offset
        previous_jam = _at_local(zone, local - since, utc_s - since, properties)
        next_jam = _at_local(zone, local - since + _DAY_S, utc_s - since + _DAY_S, properties)
        previous_utc_s = previous_jam - properties.current_utc_offset
        previous_offset = _offset(zone, previous_utc_s) - properties.current_utc_offset
        dst |= PREVIOUS_JAM_DST if daylight_saving(zone, previous_utc_s) else 0
    leap = properties.leap61 or properties.leap59
    return SynchronizationMetadata(
        *options.frame_rate,
        status,
        DROP_FRAME if options.drop_frame else 0,
        now.current_offset_s,
        now.jump_s,
        now.time_of_next_jump_s,
        next_jam,
        previous_jam,
        previous_offset,
        dst,
        1 if leap and abs(now.jump_s) == 1 else 0,
    )


def _offset(zone: AlternateTimescale, utc_s: int) -> int:
    index = bisect_right(zone.offsets, (utc_s, 1 << 62))
    return zone.offsets[max(0, index - 1)][1]


def _at_local(zone: AlternateTimescale, local_s: int, near_utc_s: int, properties: TimeProperties) -> int:
    """The PTP second at which local time (seconds of its own count) is ``local_s``, near a UTC second."""
    return local_s - _offset(zone, near_utc_s) + properties.current_utc_offset


def daylight_saving(zone: AlternateTimescale, utc_s: int) -> bool:
    """Whether local time is ahead of the least offset that the zone has within half a year."""
    near = [offset for at, offset in zone.offsets if abs(at - utc_s) < _YEAR_S // 2]
    own = _offset(zone, utc_s)
    return own > min(near, default=own)
