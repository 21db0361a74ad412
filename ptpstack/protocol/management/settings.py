"""What an operator has said of a grandmaster by management, over what the reference says.

Each group of values is said as a whole by one managementId; what nobody has said stays the reference's. INITIALIZE and
RESET_NON_VOLATILE_STORAGE take all of it back.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from ptpstack.protocol.options import TimeProperties
from ptpstack.wire.types import ClockQuality


@dataclass(frozen=True, slots=True)
class Settings:
    #: clockQuality (GRANDMASTER_SETTINGS_NP)
    quality: ClockQuality | None = None
    #: clockAccuracy alone (CLOCK_ACCURACY)
    accuracy: int | None = None
    #: currentUtcOffset, currentUtcOffsetValid, leap61, leap59
    utc: tuple[int, bool, bool, bool] | None = None
    #: timeTraceable, frequencyTraceable
    traceable: tuple[bool, bool] | None = None
    #: ptpTimescale, timeSource
    scale: tuple[bool, int] | None = None

    def __bool__(self) -> bool:
        return self != Settings()

    def quality_over(self, own: ClockQuality) -> ClockQuality:
        quality = own if self.quality is None else self.quality
        return quality if self.accuracy is None else quality._replace(clock_accuracy=self.accuracy)

    def properties_over(self, own: TimeProperties) -> TimeProperties:
        if self.utc is not None:
            offset, valid, leap61, leap59 = self.utc
            own = replace(own, current_utc_offset=offset, current_utc_offset_valid=valid, leap61=leap61, leap59=leap59)
        if self.traceable is not None:
            own = replace(own, time_traceable=self.traceable[0], frequency_traceable=self.traceable[1])
        if self.scale is not None:
            own = replace(own, ptp_timescale=self.scale[0], time_source=self.scale[1])
        # 8.2.4.4: always FALSE when ptpTimescale is FALSE
        return own if own.ptp_timescale else replace(own, leap59=False, leap61=False)
