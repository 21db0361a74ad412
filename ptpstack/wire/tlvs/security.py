"""AUTHENTICATION (IEEE 1588-2019 16.14.3) and PAD (14.4.2); not checked against the text."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import NamedTuple, Self

from ptpstack.wire.packing import check
from ptpstack.wire.tlv import Tlv
from ptpstack.wire.tlvs.base import too_short

#: secParamIndicator: which optional fields are there.
RES_PRESENT = 0x01
SEQUENCE_NO_PRESENT = 0x02
DISCLOSED_KEY_PRESENT = 0x04

_HEAD = struct.Struct(">BBI")


class AuthenticationParts(NamedTuple):
    """The part of an AUTHENTICATION TLV whose lengths only the security association knows."""

    disclosed_key: bytes
    sequence_no: bytes
    res: bytes
    icv: bytes


@dataclass(slots=True)
class Authentication(Tlv):
    """AUTHENTICATION. The wire does not say how long the optional fields and the ICV are, so ``rest`` holds them all.

    Without optional fields ``rest`` is the ICV; otherwise ``split`` takes it apart, given the lengths that the
    security association fixes.
    """

    spp: int
    key_id: int
    rest: bytes
    sec_param_indicator: int = 0
    tlv_type: int = 0x8009

    @property
    def icv(self) -> bytes | None:
        """The ICV where the octets alone decide it: no optional field is present. None otherwise."""
        optional = RES_PRESENT | SEQUENCE_NO_PRESENT | DISCLOSED_KEY_PRESENT
        return None if self.sec_param_indicator & optional else self.rest

    def split(self, *, disclosed_key: int = 0, sequence_no: int = 0, res: int = 0) -> AuthenticationParts:
        """``rest`` in its parts, given lengths in octets for those present; the ICV is what remains.

        A length for a field that the indicator says is absent is not used. ValueError when ``rest`` is too short.
        """
        parts: list[bytes] = []
        at = 0
        for bit, length in (
            (DISCLOSED_KEY_PRESENT, disclosed_key),
            (SEQUENCE_NO_PRESENT, sequence_no),
            (RES_PRESENT, res),
        ):
            end = at + length if self.sec_param_indicator & bit else at
            parts.append(self.rest[at:end])
            at = end
        if at > len(self.rest):
            raise ValueError(f"AUTHENTICATION: optional fields need {at} octets, {len(self.rest)} are there")
        key, number, reserved = parts
        return AuthenticationParts(key, number, reserved, self.rest[at:])

    @classmethod
    def parse(cls, tlv_type: int, value: bytes, at: int) -> Self:
        if len(value) < _HEAD.size:
            raise too_short(cls.__name__, at, len(value), _HEAD.size)
        spp, indicator, key_id = _HEAD.unpack_from(value)
        return cls(spp, key_id, value[_HEAD.size :], indicator, tlv_type)

    @property
    def value(self) -> bytes:
        fields = (self.spp, self.sec_param_indicator, self.key_id)
        check(self.__class__.__name__, ("spp", "sec_param_indicator", "key_id"), "BBI", fields)
        return _HEAD.pack(*fields) + self.rest


@dataclass(slots=True)
class Pad(Tlv):
    """PAD: ``octets`` (an even number, may be none) mean nothing; they make messages equally long."""

    octets: bytes = b""
    tlv_type: int = 0x8008

    @classmethod
    def parse(cls, tlv_type: int, value: bytes, at: int) -> Self:
        return cls(value, tlv_type)

    @property
    def value(self) -> bytes:
        return self.octets
