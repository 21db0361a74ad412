"""Which profile a master seems to speak: a guess from transport, domain, sdoId, rates and TLVs, for people."""

from __future__ import annotations

from ptpstack.doctor.traffic.census import Speaker
from ptpstack.wire.types import MessageType

_ORGANIZATION_EXTENSION = 0x0003


def profile_of(speaker: Speaker) -> str:
    place = speaker.place
    peer = bool(speaker.counts[MessageType.PDELAY_REQ] or speaker.counts[MessageType.PDELAY_RESP])
    sync = speaker.intervals.get(MessageType.SYNC, 0)
    ethernet = place.transport == "802.3"
    if place.sdo_id >> 8 == 1:
        return "gPTP (IEEE 802.1AS)"
    if place.sdo_id:
        return f"a profile with sdoId 0x{place.sdo_id:03X}"
    if ethernet and 24 <= place.domain <= 43 and sync == -4:
        return "ITU-T G.8275.1"
    if not ethernet and 44 <= place.domain <= 63:
        return "ITU-T G.8275.2"
    if not ethernet and 4 <= place.domain <= 23 and speaker.counts[MessageType.SIGNALING]:
        return "ITU-T G.8265.1"
    if place.domain == 127 and sync == -3:
        return "SMPTE ST 2059-2"
    if ethernet and peer and _ORGANIZATION_EXTENSION in speaker.tlv_types:
        return "a power profile (IEEE C37.238)"
    if ethernet and peer and sync == 0:
        return "a power profile (IEC/IEEE 61850-9-3)"
    if not ethernet and sync == -3:
        return "AES67 media or a default profile at 8 Sync/s"
    return f"the default profile ({'P2P' if peer else 'E2E'})"
