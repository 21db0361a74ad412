"""Who said what: frames counted by network, domain and speaker. Bounded: further speakers are only counted.

A *place* is where messages can meet: interface, VLAN, transport, domain, sdoId. A *speaker* is a port identity there.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import NamedTuple

from ptpstack.doctor.traffic.listen import Heard
from ptpstack.wire.codec import decode
from ptpstack.wire.errors import MalformedFrame
from ptpstack.wire.messages import (
    Announce,
    DelayReq,
    DelayResp,
    FollowUp,
    Message,
    PdelayReq,
    PdelayResp,
    Sync,
)
from ptpstack.wire.types import Flag, MessageType, PortIdentity

MAX_SPEAKERS = 4096
#: samples of a master's time, requests awaiting an answer and the like, of one speaker
MAX_KEPT = 512
#: a Follow_Up or an answer later than this belongs to nothing: ns
ANSWER_NS = 2_000_000_000


class Place(NamedTuple):
    interface: str
    vlans: tuple[int, ...]
    transport: str
    domain: int
    sdo_id: int

    def __str__(self) -> str:
        vlan = "".join(f" VLAN {number}" for number in self.vlans)
        sdo = f" sdoId 0x{self.sdo_id:03X}" if self.sdo_id else ""
        return f"{self.interface}{vlan} domain {self.domain}{sdo}"

    @property
    def wire(self) -> tuple[str, tuple[int, ...]]:
        """What is heard together, whatever the transport or domain."""
        return self.interface, self.vlans


@dataclass(slots=True)
class Speaker:
    """One port identity in one place. Times are the kernel's stamps, ns."""

    place: Place
    identity: PortIdentity
    first_ns: int
    last_ns: int = 0
    #: sent by this machine
    local: bool = False
    addresses: set[str] = field(default_factory=set)
    macs: set[str] = field(default_factory=set)
    counts: Counter[MessageType] = field(default_factory=Counter)
    #: multicast ones only
    group_counts: Counter[MessageType] = field(default_factory=Counter)
    intervals: dict[MessageType, int] = field(default_factory=dict)
    first_of: dict[MessageType, int] = field(default_factory=dict)
    last_of: dict[MessageType, int] = field(default_factory=dict)
    lost: Counter[MessageType] = field(default_factory=Counter)
    minor_versions: set[int] = field(default_factory=set)
    tlv_types: set[int] = field(default_factory=set)
    announce: Announce | None = None
    grandmasters: set[bytes] = field(default_factory=set)
    alternate: bool = False
    two_step_syncs: int = 0
    #: Syncs with the flag twoStep whose Follow_Up came
    followed: int = 0
    stray_follow_ups: int = 0
    one_step_empty: int = 0
    answered: Counter[MessageType] = field(default_factory=Counter)
    #: who answered one Pdelay_Req of ours, the most at once
    most_answers: int = 0
    #: its PTP time minus the arrival by the system clock, ns
    offsets_ns: list[int] = field(default_factory=list)
    strange_corrections: int = 0
    stamped: int = 0
    hardware_stamped: int = 0
    _sequence: dict[MessageType, int] = field(default_factory=dict)
    _open: dict[tuple[MessageType, int], tuple[int, int, set[PortIdentity]]] = field(default_factory=dict)

    def __str__(self) -> str:
        where = "this machine" if self.local else ", ".join(sorted(self.addresses)[:2])
        return f"{self.identity} ({where})"

    @property
    def heard_s(self) -> float:
        return (self.last_ns - self.first_ns) / 1e9

    @property
    def is_master(self) -> bool:
        """It serves everybody: multicast Announce or Sync."""
        return bool(self.group_counts[MessageType.ANNOUNCE] or self.group_counts[MessageType.SYNC])

    def rate(self, type_: MessageType) -> float | None:
        """Messages per second as sent (what was lost is counted in); None: too few to tell."""
        number = self.counts[type_] + self.lost[type_]
        span = self.last_of.get(type_, 0) - self.first_of.get(type_, 0)
        return (number - 1) * 1e9 / span if number > 2 and span > 0 else None


class Census:
    def __init__(self) -> None:
        self.speakers: dict[tuple[Place, PortIdentity], Speaker] = {}
        self.frames = 0
        self.unheeded = 0
        #: frames that were not read in time: what is missing then may be our fault
        self.overrun = 0
        self.begun_ns: int | None = None
        self.ended_ns = 0
        #: (interface, address, reason) -> how many
        self.malformed: Counter[tuple[str, str, str]] = Counter()
        #: interface -> IPv4 sources of PTP
        self.sources: dict[str, set[str]] = {}

    @property
    def heard_s(self) -> float:
        return 0.0 if self.begun_ns is None else (self.ended_ns - self.begun_ns) / 1e9

    def places(self) -> Iterator[tuple[Place, list[Speaker]]]:
        found: dict[Place, list[Speaker]] = {}
        for (place, _), speaker in self.speakers.items():
            found.setdefault(place, []).append(speaker)
        yield from sorted(found.items())

    def masters(self) -> list[Speaker]:
        return [speaker for speaker in self.speakers.values() if speaker.is_master and not speaker.alternate]

    def take(self, heard: Heard) -> None:
        self.frames += 1
        payload = heard.payload
        self.begun_ns = heard.arrived_ns if self.begun_ns is None else self.begun_ns
        self.ended_ns = heard.arrived_ns
        if payload.transport == "UDPv4" and not heard.outgoing and len(self.sources) < MAX_SPEAKERS:
            self.sources.setdefault(heard.interface, set()).add(payload.source)
        try:
            message = decode(payload.octets)
        except MalformedFrame as error:
            key = (heard.interface, payload.source, error.reason)
            if key in self.malformed or len(self.malformed) < MAX_SPEAKERS:
                self.malformed[key] += 1
            return
        place = Place(heard.interface, payload.vlans, payload.transport, message.domain, message.sdo_id)
        speaker = self.speakers.get((place, message.source))
        if speaker is None:
            if len(self.speakers) >= MAX_SPEAKERS:
                self.unheeded += 1
                return
            speaker = self.speakers[place, message.source] = Speaker(place, message.source, heard.arrived_ns)
        self._note(speaker, heard, message)
        self._pair(speaker, heard, message)

    def _note(self, speaker: Speaker, heard: Heard, message: Message) -> None:
        type_, now = message.type, heard.arrived_ns
        speaker.last_ns = now
        speaker.local = speaker.local or heard.outgoing
        if len(speaker.addresses) < 8:
            speaker.addresses.add(heard.payload.source)
            speaker.macs.add(heard.mac)
        speaker.counts[type_] += 1
        if not message.flags & Flag.UNICAST and _is_group(heard.payload.destination):
            speaker.group_counts[type_] += 1
        speaker.intervals[type_] = message.log_interval
        speaker.first_of.setdefault(type_, now)
        speaker.last_of[type_] = now
        speaker.minor_versions.add(message.minor_version)
        speaker.tlv_types |= {tlv.tlv_type for tlv in message.tlvs[:8]}
        if not -(1 << 46) < message.correction_sns < 1 << 46:  # a second and more
            speaker.strange_corrections += 1
        if type_.is_event and not heard.outgoing:
            speaker.stamped += 1
            speaker.hardware_stamped += heard.hardware_ns is not None
        if isinstance(message, (Sync, Announce, DelayReq, PdelayReq)):
            before = speaker._sequence.get(type_)
            gap = 1 if before is None else (message.sequence_id - before) & 0xFFFF
            if 1 < gap < 64:
                speaker.lost[type_] += gap - 1
            speaker._sequence[type_] = message.sequence_id
        if isinstance(message, Announce):
            speaker.announce = message
            speaker.grandmasters.add(message.grandmaster)
            speaker.alternate = bool(message.flags & Flag.ALTERNATE_MASTER)

    def _pair(self, speaker: Speaker, heard: Heard, message: Message) -> None:
        now = heard.arrived_ns
        if isinstance(message, Sync):
            if message.flags & Flag.TWO_STEP:
                speaker.two_step_syncs += 1
                _remember(speaker, MessageType.SYNC, message.sequence_id, now, message.correction_sns)
            elif message.origin_ns == 0:
                speaker.one_step_empty += 1
            else:
                _offset(speaker, message.origin_ns, message.correction_sns, now)
        elif isinstance(message, FollowUp):
            found = speaker._open.pop((MessageType.SYNC, message.sequence_id), None)
            if found is None or now - found[0] > ANSWER_NS:
                speaker.stray_follow_ups += 1
            else:
                speaker.followed += 1
                _offset(speaker, message.precise_origin_ns, message.correction_sns + found[1], found[0])
        elif isinstance(message, (DelayReq, PdelayReq)):
            _remember(speaker, message.type, message.sequence_id, now, 0)
        elif isinstance(message, (DelayResp, PdelayResp)):
            asked = MessageType.DELAY_REQ if isinstance(message, DelayResp) else MessageType.PDELAY_REQ
            asker = self.speakers.get((speaker.place, message.requesting))
            waiting = asker._open.get((asked, message.sequence_id)) if asker is not None else None
            if asker is not None and waiting is not None:
                if not waiting[2]:
                    asker.answered[asked] += 1
                waiting[2].add(message.source)
                asker.most_answers = max(asker.most_answers, len(waiting[2]))


def _is_group(destination: str) -> bool:
    if "." in destination:
        return 224 <= int(destination.partition(".")[0]) < 240
    if destination.count(":") == 5 and len(destination) == 17:
        return bool(int(destination[:2], 16) & 1)
    return destination.startswith("ff")


def _remember(speaker: Speaker, type_: MessageType, sequence_id: int, now: int, correction_sns: int) -> None:
    if len(speaker._open) >= MAX_KEPT:
        del speaker._open[next(iter(speaker._open))]
    speaker._open[type_, sequence_id] = (now, correction_sns, set())


def _offset(speaker: Speaker, origin_ns: int, correction_sns: int, arrived_ns: int) -> None:
    if len(speaker.offsets_ns) < MAX_KEPT:
        speaker.offsets_ns.append(origin_ns + (correction_sns >> 16) - arrived_ns)
