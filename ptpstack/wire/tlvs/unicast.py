"""Unicast negotiation TLVs (IEEE 1588-2019 16.1.4, not checked against the text).

The first octet holds a messageType in its upper nibble. The lower nibble is reserved, except in the cancel pair, where
the 2019 edition uses it; here it is a field either way.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import Self

from ptpstack.wire.packing import check, check_uint
from ptpstack.wire.tlv import Tlv
from ptpstack.wire.tlvs.base import too_short

#: GrantUnicastTransmission.flags
RENEWAL_INVITED = 0x01
#: CancelUnicastTransmission.flags (2019)
MAINTAIN_REQUEST = 0x1
MAINTAIN_GRANT = 0x2

_REQUEST = struct.Struct(">BbI")
_GRANT = struct.Struct(">BbIBB")
_CANCEL = struct.Struct(">BB")


def _first_octet(owner: str, message_type: int, low_name: str, low: int) -> int:
    check_uint(owner, "message_type", message_type, 4)
    check_uint(owner, low_name, low, 4)
    return message_type << 4 | low


@dataclass(slots=True)
class RequestUnicastTransmission(Tlv):
    """REQUEST_UNICAST_TRANSMISSION. ``log_inter_message_period`` log2 s, ``duration_s`` seconds."""

    message_type: int
    log_inter_message_period: int
    duration_s: int
    reserved: int = 0
    extra: bytes = b""
    tlv_type: int = 0x0004

    @classmethod
    def parse(cls, tlv_type: int, value: bytes, at: int) -> Self:
        if len(value) < 6:
            raise too_short(cls.__name__, at, len(value), 6)
        first, period, duration = _REQUEST.unpack_from(value)
        return cls(first >> 4, period, duration, first & 0x0F, value[6:], tlv_type)

    @property
    def value(self) -> bytes:
        owner = self.__class__.__name__
        first = _first_octet(owner, self.message_type, "reserved", self.reserved)
        check(owner, ("log_inter_message_period", "duration_s"), "bI", (self.log_inter_message_period, self.duration_s))
        return _REQUEST.pack(first, self.log_inter_message_period, self.duration_s) + self.extra


@dataclass(slots=True)
class GrantUnicastTransmission(Tlv):
    """GRANT_UNICAST_TRANSMISSION. ``duration_s`` 0 means denied; ``flags`` is octet 11, bit 0 renewalInvited."""

    message_type: int
    log_inter_message_period: int
    duration_s: int
    flags: int = 0
    #: lower nibble of octet 4, and octet 10.
    reserved: tuple[int, int] = (0, 0)
    extra: bytes = b""
    tlv_type: int = 0x0005

    @property
    def renewal_invited(self) -> bool:
        return bool(self.flags & RENEWAL_INVITED)

    @classmethod
    def parse(cls, tlv_type: int, value: bytes, at: int) -> Self:
        if len(value) < 8:
            raise too_short(cls.__name__, at, len(value), 8)
        first, period, duration, reserved, flags = _GRANT.unpack_from(value)
        return cls(first >> 4, period, duration, flags, (first & 0x0F, reserved), value[8:], tlv_type)

    @property
    def value(self) -> bytes:
        owner = self.__class__.__name__
        low, reserved = self.reserved
        first = _first_octet(owner, self.message_type, "reserved[0]", low)
        fields = (self.log_inter_message_period, self.duration_s, reserved, self.flags)
        check(owner, ("log_inter_message_period", "duration_s", "reserved[1]", "flags"), "bIBB", fields)
        return _GRANT.pack(first, *fields) + self.extra


@dataclass(slots=True)
class CancelUnicastTransmission(Tlv):
    """CANCEL_UNICAST_TRANSMISSION. ``flags`` 0 cancels all, which is what the 2008 edition always means."""

    message_type: int
    flags: int = 0
    reserved: int = 0
    extra: bytes = b""
    tlv_type: int = 0x0006

    @classmethod
    def parse(cls, tlv_type: int, value: bytes, at: int) -> Self:
        if len(value) < 2:
            raise too_short(cls.__name__, at, len(value), 2)
        return cls(value[0] >> 4, value[0] & 0x0F, value[1], value[2:], tlv_type)

    @property
    def value(self) -> bytes:
        owner = self.__class__.__name__
        first = _first_octet(owner, self.message_type, "flags", self.flags)
        check(owner, ("reserved",), "B", (self.reserved,))
        return _CANCEL.pack(first, self.reserved) + self.extra


@dataclass(slots=True)
class AcknowledgeCancelUnicastTransmission(Tlv):
    """ACKNOWLEDGE_CANCEL_UNICAST_TRANSMISSION: repeats the octet of the cancel."""

    message_type: int
    flags: int = 0
    reserved: int = 0
    extra: bytes = b""
    tlv_type: int = 0x0007

    @classmethod
    def parse(cls, tlv_type: int, value: bytes, at: int) -> Self:
        if len(value) < 2:
            raise too_short(cls.__name__, at, len(value), 2)
        return cls(value[0] >> 4, value[0] & 0x0F, value[1], value[2:], tlv_type)

    @property
    def value(self) -> bytes:
        owner = self.__class__.__name__
        first = _first_octet(owner, self.message_type, "flags", self.flags)
        check(owner, ("reserved",), "B", (self.reserved,))
        return _CANCEL.pack(first, self.reserved) + self.extra
