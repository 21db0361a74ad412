"""Alternate time offset indicators (IEEE 1588-2019 16.3, not checked against the text): local times, for who has no
zone table of its own.

1. Only a grandmaster makes them; a boundary clock hands its parent's on (14.2), whatever its own options say.
2. An offset is that of local time to PTP time, so it contains TAI - UTC, and jumps at a leap second, too.
3. While UTC is not known nothing is said of local time.
"""

from __future__ import annotations

from bisect import bisect_right

from ptpstack.protocol.announce_options import AnnounceOption
from ptpstack.protocol.datasets import DataSets
from ptpstack.protocol.options import AlternateTimescale, TimeProperties
from ptpstack.wire.tlv import Tlv
from ptpstack.wire.tlvs.announce import AlternateTimeOffsetIndicator

_DAY_S = 86_400


class AlternateTimes(AnnounceOption):
    """alternateTimescaleOffsetsDS (8.2.9)."""

    def __init__(self, timescales: tuple[AlternateTimescale, ...]) -> None:
        self._timescales = tuple(timescale for timescale in timescales if timescale.enabled)
        self._followed = False
        #: what is said of our own local times now; () while UTC is not known
        self.own: tuple[AlternateTimeOffsetIndicator, ...] = ()
        #: what ``own`` was made from
        self._said_for: TimeProperties | None = None

    def followed(self, announce: object) -> None:
        self._followed = True

    def grandmaster(self) -> None:
        self._followed = False

    def time_is(self, ptp_s: int, properties: TimeProperties) -> bool:
        if properties != self._said_for:
            self._said_for = properties
            known = properties.current_utc_offset_valid and properties.ptp_timescale
            own = tuple(indicator(t, ptp_s, properties) for t in self._timescales) if known else ()
        else:
            # a jump that was announced stays until it has come: in an inserted second UTC alone would not tell its day
            own = tuple(
                tlv if ptp_s < tlv.time_of_next_jump_s else indicator(timescale, ptp_s, properties)
                for tlv, timescale in zip(self.own, self._timescales, strict=False)
            )
        changed, self.own = own != self.own, own
        return changed and not self._followed

    def tlvs(self, data: DataSets) -> tuple[Tlv, ...]:
        return () if self._followed else self.own


def indicator(timescale: AlternateTimescale, ptp_s: int, properties: TimeProperties) -> AlternateTimeOffsetIndicator:
    """What holds at ``ptp_s``, and the next jump: of the zone, or by a leap second that is announced."""
    tai_minus_utc = properties.current_utc_offset
    utc_s = ptp_s - tai_minus_utc
    starts = [start for start, _ in timescale.offsets]
    index = bisect_right(starts, utc_s)
    local = timescale.offsets[max(0, index - 1)][1]
    leap = 1 if properties.leap61 else -1 if properties.leap59 else 0
    # where a UTC day begins, new TAI - UTC has come (TIM-05)
    midnight = (utc_s // _DAY_S + 1) * _DAY_S if leap else None
    change = timescale.offsets[index] if index < len(timescale.offsets) else None
    jump_s = jump_at_utc_s = 0
    if change is not None and (midnight is None or change[0] <= midnight):
        jump_at_utc_s, jump_s = change[0], change[1] - local
    later = 0
    if midnight is not None and (change is None or midnight <= change[0]):
        jump_at_utc_s, jump_s, later = midnight, jump_s - leap, leap
    return AlternateTimeOffsetIndicator(
        timescale.key,
        local - tai_minus_utc,
        jump_s,
        jump_at_utc_s + tai_minus_utc + later if jump_at_utc_s else 0,
        timescale.name,
    )
