"""TLVs (IEEE 1588-2019 clause 14)."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(slots=True)
class Tlv:
    """A TLV nobody here knows: type and value octets, kept as they came."""

    tlv_type: int
    value: bytes = b""
