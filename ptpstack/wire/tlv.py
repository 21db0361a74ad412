"""TLVs (IEEE 1588-2019 clause 14).

``Tlv`` itself is a TLV nobody here knows. The known ones (``ptpstack.wire.tlvs``) are its subclasses, each with the
fields of its layout; ``value`` gives their value octets back, so whoever only hands TLVs on needs no more than this.
"""

from __future__ import annotations


class Tlv:
    """A TLV: ``tlv_type`` (0..65535) and ``value``, the octets after lengthField, kept as they came."""

    __slots__ = ("_value", "tlv_type")

    tlv_type: int

    def __init__(self, tlv_type: int, value: bytes = b"") -> None:
        self.tlv_type = tlv_type
        self._value = value

    @property
    def value(self) -> bytes:
        """The value octets; for a known TLV they are made from its fields (ValueError when one is out of range)."""
        return self._value

    def __eq__(self, other: object) -> bool:
        if other.__class__ is not self.__class__ or not isinstance(other, Tlv):
            return NotImplemented
        return self.tlv_type == other.tlv_type and self.value == other.value

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        return f"Tlv(tlv_type=0x{self.tlv_type:04X}, value=bytes.fromhex({self.value.hex()!r}))"
