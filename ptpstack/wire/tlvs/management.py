"""MANAGEMENT and MANAGEMENT_ERROR_STATUS (IEEE 1588-2019 15.5, not checked against the text)."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import Self

from ptpstack.wire.packing import check
from ptpstack.wire.tlv import Tlv
from ptpstack.wire.tlvs.base import padded, read_text, too_short, unpadded, write_text

_IDS = struct.Struct(">HHI")


@dataclass(slots=True)
class ManagementTlv(Tlv):
    """MANAGEMENT: ``data`` is the dataField as it stands, pad octet included (15.5.2)."""

    management_id: int
    data: bytes = b""
    tlv_type: int = 0x0001

    @classmethod
    def parse(cls, tlv_type: int, value: bytes, at: int) -> Self:
        if len(value) < 2:
            raise too_short(cls.__name__, at, len(value), 2)
        return cls(value[0] << 8 | value[1], value[2:], tlv_type)

    @property
    def value(self) -> bytes:
        check(self.__class__.__name__, ("management_id",), "H", (self.management_id,))
        return padded(self.management_id.to_bytes(2, "big") + self.data)


@dataclass(slots=True)
class ManagementErrorStatus(Tlv):
    """MANAGEMENT_ERROR_STATUS. ``display_data`` None: the optional PTPText is absent (15.5.4)."""

    error_id: int
    management_id: int
    display_data: str | None = None
    reserved: int = 0
    extra: bytes = b""
    tlv_type: int = 0x0002

    @classmethod
    def parse(cls, tlv_type: int, value: bytes, at: int) -> Self:
        if len(value) < 8:
            raise too_short(cls.__name__, at, len(value), 8)
        error_id, management_id, reserved = _IDS.unpack_from(value)
        if len(value) == 8:
            return cls(error_id, management_id, None, reserved, b"", tlv_type)
        text, end = read_text(cls.__name__, value, 8, at)
        return cls(error_id, management_id, text, reserved, unpadded(value, end), tlv_type)

    @property
    def value(self) -> bytes:
        owner = self.__class__.__name__
        fields = (self.error_id, self.management_id, self.reserved)
        check(owner, ("error_id", "management_id", "reserved"), "HHI", fields)
        text = b"" if self.display_data is None else write_text(owner, "display_data", self.display_data)
        return padded(_IDS.pack(*fields) + text + self.extra)
