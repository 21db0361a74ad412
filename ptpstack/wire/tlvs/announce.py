"""TLVs that travel on Announce: PATH_TRACE (16.2), ALTERNATE_TIME_OFFSET_INDICATOR (16.3), ENHANCED_ACCURACY_METRICS
(16.12). IEEE 1588-2019, not checked against the text."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

from ptpstack.wire.packing import check_octets
from ptpstack.wire.tlv import Tlv
from ptpstack.wire.tlvs.base import (
    FixedTlv,
    Layout,
    fixed,
    padded,
    read_text,
    too_short,
    unpadded,
    write_text,
)
from ptpstack.wire.types import ClockIdentity


@dataclass(slots=True)
class PathTrace(Tlv):
    """PATH_TRACE: ``path`` begins with the grandmaster and ends with the sender."""

    path: tuple[ClockIdentity, ...] = ()
    extra: bytes = b""
    tlv_type: int = 0x0008

    @classmethod
    def parse(cls, tlv_type: int, value: bytes, at: int) -> Self:
        end = len(value) & ~7
        return cls(tuple(value[i : i + 8] for i in range(0, end, 8)), value[end:], tlv_type)

    @property
    def value(self) -> bytes:
        for index, identity in enumerate(self.path):
            if len(identity) != 8:
                check_octets(self.__class__.__name__, f"path[{index}]", identity, 8)
        return b"".join(self.path) + self.extra


_OFFSET = Layout("u8 i32 i32 u48")
_OFFSET_FIELDS = ("key", "current_offset_s", "jump_s", "time_of_next_jump_s")


@dataclass(slots=True)
class AlternateTimeOffsetIndicator(Tlv):
    """ALTERNATE_TIME_OFFSET_INDICATOR. Alternate time = PTP time + ``current_offset_s``; all in seconds."""

    key: int
    current_offset_s: int
    jump_s: int = 0
    time_of_next_jump_s: int = 0
    display_name: str = ""
    extra: bytes = b""
    tlv_type: int = 0x0009

    @classmethod
    def parse(cls, tlv_type: int, value: bytes, at: int) -> Self:
        if len(value) < _OFFSET.size + 1:
            raise too_short(cls.__name__, at, len(value), _OFFSET.size + 1)
        key, offset, jump, next_jump = _OFFSET.unpack(value, 0, at)
        name, end = read_text(cls.__name__, value, _OFFSET.size, at)
        return cls(key, offset, jump, next_jump, name, unpadded(value, end), tlv_type)

    @property
    def value(self) -> bytes:
        owner = self.__class__.__name__
        fields = (self.key, self.current_offset_s, self.jump_s, self.time_of_next_jump_s)
        name = write_text(owner, "display_name", self.display_name)
        return padded(_OFFSET.pack(owner, _OFFSET_FIELDS, fields) + name + self.extra)


@fixed(
    "u8 u8 u16 ti f64 ti f64 ti f64 ti f64 ti f64",
    "bcHopCount tcHopCount reserved maxGmInaccuracy varGmInaccuracy maxTransientInaccuracy varTransientInaccuracy"
    " maxDynamicInaccuracy varDynamicInaccuracy maxStaticInstanceInaccuracy varStaticInstanceInaccuracy"
    " maxStaticMediumInaccuracy varStaticMediumInaccuracy",
)
@dataclass(slots=True)
class EnhancedAccuracyMetrics(FixedTlv):
    """ENHANCED_ACCURACY_METRICS. ``max...`` in 2**-16 ns, ``var...`` in s**2."""

    bc_hop_count: int = 0
    tc_hop_count: int = 0
    reserved: int = 0
    max_gm_inaccuracy_sns: int = 0
    var_gm_inaccuracy: float = 0.0
    max_transient_inaccuracy_sns: int = 0
    var_transient_inaccuracy: float = 0.0
    max_dynamic_inaccuracy_sns: int = 0
    var_dynamic_inaccuracy: float = 0.0
    max_static_instance_inaccuracy_sns: int = 0
    var_static_instance_inaccuracy: float = 0.0
    max_static_medium_inaccuracy_sns: int = 0
    var_static_medium_inaccuracy: float = 0.0
    extra: bytes = b""
    tlv_type: int = 0x4001
