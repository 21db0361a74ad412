"""End-to-end and peer-to-peer delay in one domain: they do not mix."""

from __future__ import annotations

from collections.abc import Iterable

from ptpstack.doctor.findings import WARNING, Finding, kind, some
from ptpstack.doctor.traffic.census import Census, Speaker
from ptpstack.wire.types import MessageType

MIXED_DELAY = kind(
    "mixed-delay-mechanisms",
    WARNING,
    "E2E and P2P in one domain",
    "Who asks the other way gets no answer, or a wrong delay: set delay_mechanism alike on all devices of the domain, "
    "transparent clocks included.",
)


def mechanisms(speakers: Iterable[Speaker]) -> tuple[list[Speaker], list[Speaker]]:
    """(who asks end to end only, who asks its neighbour only)."""
    end, peer = [], []
    for speaker in speakers:
        asks_end, asks_peer = speaker.counts[MessageType.DELAY_REQ], speaker.counts[MessageType.PDELAY_REQ]
        if asks_end and not asks_peer:
            end.append(speaker)
        elif asks_peer and not asks_end:
            peer.append(speaker)
    return end, peer


def judge(census: Census) -> list[Finding]:
    found = []
    domains: dict[tuple[object, ...], list[Speaker]] = {}
    for speaker in census.speakers.values():
        place = speaker.place
        domains.setdefault((place.wire, place.domain, place.sdo_id), []).append(speaker)
    for speakers in domains.values():
        end, peer = mechanisms(speakers)
        if end and peer:
            text = f"E2E: {some([str(s) for s in end])}; P2P: {some([str(s) for s in peer])}"
            found.append(MIXED_DELAY(str(speakers[0].place), text))
    return found
