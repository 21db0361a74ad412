"""ORGANIZATION_EXTENSION and its two siblings (IEEE 1588-2019 14.3): an organisation, which of its TLVs, data."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from ptpstack.wire.packing import check_octets
from ptpstack.wire.tlv import Tlv
from ptpstack.wire.tlvs.base import too_short
from ptpstack.wire.tlvs.ieee802_1as import (
    FollowUpInformation,
    GptpCapable,
    GptpCapableMessageIntervalRequest,
    MessageIntervalRequest,
)
from ptpstack.wire.tlvs.profiles import InterfaceRate, PowerProfile2011, PowerProfile2017, SynchronizationMetadata

ORGANIZATION_EXTENSION = 0x0003
ORGANIZATION_EXTENSION_PROPAGATE = 0x4000
ORGANIZATION_EXTENSION_DO_NOT_PROPAGATE = 0x8000


@dataclass(slots=True)
class OrganizationExtension(Tlv):
    """An organisation's TLV without a layout here: organizationId and organizationSubType, three octets each."""

    organization_id: bytes
    organization_sub_type: bytes
    data: bytes = b""
    tlv_type: int = ORGANIZATION_EXTENSION

    @property
    def value(self) -> bytes:
        owner = self.__class__.__name__
        check_octets(owner, "organization_id", self.organization_id, 3)
        check_octets(owner, "organization_sub_type", self.organization_sub_type, 3)
        return self.organization_id + self.organization_sub_type + self.data


_Parser = Callable[[int, bytes, int], Tlv]

#: by tlvType, then by organizationId and organizationSubType. A layout under another tlvType than its own is
#: somebody else's idea of it: kept as OrganizationExtension.
_LAYOUTS: dict[tuple[int, bytes], _Parser] = {
    (tlv_type, kind.PREFIX): kind.parse
    for kind, tlv_types in (
        (FollowUpInformation, (ORGANIZATION_EXTENSION,)),
        (MessageIntervalRequest, (ORGANIZATION_EXTENSION,)),
        (GptpCapable, (ORGANIZATION_EXTENSION_DO_NOT_PROPAGATE, ORGANIZATION_EXTENSION)),
        (GptpCapableMessageIntervalRequest, (ORGANIZATION_EXTENSION_DO_NOT_PROPAGATE, ORGANIZATION_EXTENSION)),
        (PowerProfile2011, (ORGANIZATION_EXTENSION,)),
        (PowerProfile2017, (ORGANIZATION_EXTENSION,)),
        (SynchronizationMetadata, (ORGANIZATION_EXTENSION,)),
        (InterfaceRate, (ORGANIZATION_EXTENSION,)),
    )
    for tlv_type in tlv_types
}

#: names for people; those without a layout here are named too.
ORGANIZATION_TLV_NAMES: dict[bytes, str] = {
    bytes.fromhex("0080c2000001"): "802.1AS Follow_Up information",
    bytes.fromhex("0080c2000002"): "802.1AS message interval request",
    bytes.fromhex("0080c2000003"): "802.1AS CSN",
    bytes.fromhex("0080c2000004"): "802.1AS gPTP-capable",
    bytes.fromhex("0080c2000005"): "802.1AS gPTP-capable message interval request",
    bytes.fromhex("1c129d000001"): "C37.238-2011",
    bytes.fromhex("1c129d000002"): "C37.238-2017",
    bytes.fromhex("6897e8000001"): "SMPTE ST 2059-2 synchronization metadata",
    bytes.fromhex("0019a7000002"): "ITU-T interface rate",
    bytes.fromhex("080030dead01"): "White Rabbit",
    bytes.fromhex("1a75fb605676"): "AUTOSAR time synchronization",
}


def parse_organization(tlv_type: int, value: bytes, at: int) -> Tlv:
    """The TLV of a known organizationId and organizationSubType, else OrganizationExtension."""
    if len(value) < 6:
        raise too_short("ORGANIZATION_EXTENSION", at, len(value), 6)
    parse = _LAYOUTS.get((tlv_type, value[:6]))
    if parse is not None:
        return parse(tlv_type, value, at)
    return OrganizationExtension(value[:3], value[3:6], value[6:], tlv_type)
