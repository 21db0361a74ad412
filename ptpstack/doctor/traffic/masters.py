"""Who serves: masters by domain, who contradicts whom, and what each announces about itself."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import combinations

from ptpstack.doctor.findings import ERROR, NOTE, OK, WARNING, Finding, kind, some
from ptpstack.doctor.traffic.census import Census, Place, Speaker
from ptpstack.doctor.traffic.profiles import profile_of
from ptpstack.wire.types import Flag, MessageType, format_clock_identity
from ptpstack.wire.values import accuracy_text, time_source_text

NO_PTP_HEARD = kind(
    "no-ptp-heard",
    NOTE,
    "No PTP was heard",
    "Listen longer (announce intervals may be 16 s), on the right interface and VLAN; look for a switch that filters "
    "multicast (IGMP snooping) and for masters that serve by unicast only, which nobody else hears.",
)
MASTER_HEARD = kind("master-heard", OK, "A master serves")
CLIENTS_HEARD = kind("clients-heard", OK, "Clients ask")
SEVERAL_DOMAINS = kind(
    "several-domains",
    NOTE,
    "Several domains are in use",
    "Each domain is a time of its own: make sure that each device is set to the one it belongs to.",
)
TWO_MASTERS = kind(
    "two-masters",
    ERROR,
    "Two masters serve one domain",
    "The best master algorithm leaves one. They do not hear each other's Announce (a filter in one direction, a switch "
    "between, different profiles or authentication), or one is set to serve whatever happens (serverOnly, masterOnly). "
    "Give them different domains, or mend what keeps them apart.",
)
MIXED_TRANSPORTS = kind(
    "mixed-transports",
    WARNING,
    "Masters of one domain use different transports",
    "They cannot hear each other, so no election takes place, and a client hears the one whose transport it uses. "
    "Set all to one transport.",
)
MIXED_SDO = kind(
    "mixed-sdo",
    WARNING,
    "One domain number is used with different sdoIds",
    "Frames of another sdoId (majorSdoId, formerly transportSpecific) are ignored: gPTP has 0x100, other profiles "
    "0x000. "
    "Set transportSpecific or the profile alike on both ends.",
)
DUPLICATE_IDENTITY = kind(
    "duplicate-identity",
    ERROR,
    "Two devices have one port identity",
    "Others take them for one clock that contradicts itself. A cloned virtual machine or a copied clockIdentity: give "
    "one another identity (or MAC address).",
)
IDENTITY_FLOOD = kind(
    "identity-flood",
    WARNING,
    "One sender speaks under many identities",
    "A test device, a broken one, or an attack: clients keep room for some masters only. Find it by its address and "
    "take it off the network; PTP security or acceptable masters keep it out.",
)
ANNOUNCE_WITHOUT_SYNC = kind(
    "announce-without-sync",
    ERROR,
    "A master announces and sends no Sync",
    "Clients choose it and never get time. Look for a firewall or switch that drops event messages (UDP 319), or for "
    "transmit stamps that never come on the master.",
)
SYNC_WITHOUT_ANNOUNCE = kind(
    "sync-without-announce",
    WARNING,
    "Sync without Announce",
    "Clients that elect their master ignore it. Look for what drops general messages (UDP 320); static roles "
    "(automotive) are meant so.",
)
SLAVE_ONLY_SERVES = kind(
    "slave-only-serves",
    WARNING,
    "A master announces clockClass 255",
    "255 says that a clock never serves (slaveOnly): correct its clockClass.",
)
STEPS_REMOVED = kind(
    "steps-removed",
    ERROR,
    "A master announces 255 steps or more",
    "Clients ignore it: most likely Announces go round a loop of boundary clocks.",
)
UNVOUCHED = kind(
    "unvouched-time",
    NOTE,
    "The grandmaster does not claim traceable time",
    "Its clockClass says that it runs free or on its own time. Good for a lab; otherwise look at its reference "
    "(GNSS, NTP).",
)
HOLDOVER = kind(
    "grandmaster-holdover",
    NOTE,
    "The grandmaster has lost its reference",
    "It holds over: look at its antenna or its reference before its time drifts out of specification.",
)

_HOLDOVER_CLASSES = frozenset({7, 14, 52, 58, 135, 140, 150, 160, 165})
#: Announce intervals that two masters must both have lived through: before that one may be giving way
_OVERLAP = 2.5
#: clocks behind one address: no boundary or transparent clock has so many
_MANY_CLOCKS = 32


def judge(census: Census) -> list[Finding]:
    if not census.speakers:
        text = (
            "nothing at all" if not census.frames else f"{census.frames} frames, none of them a PTP version 2 message"
        )
        return [NO_PTP_HEARD("the network", text)]
    found: list[Finding] = []
    for place, speakers in census.places():
        found += _in_place(place, speakers, census)
    found += _across(census)
    clocks: dict[tuple[str, str], set[bytes]] = {}
    for speaker in census.speakers.values():
        for address in speaker.addresses:
            clocks.setdefault((speaker.place.interface, address), set()).add(speaker.identity.clock_identity)
    for (interface, address), identities in clocks.items():
        if len(identities) > _MANY_CLOCKS:
            found.append(IDENTITY_FLOOD(interface, f"{address}: {len(identities)} clockIdentities"))
    return found


def _in_place(place: Place, speakers: list[Speaker], census: Census) -> Iterator[Finding]:
    masters = [speaker for speaker in speakers if speaker.is_master and not speaker.alternate]
    for master in masters:
        yield MASTER_HEARD(str(place), _describe(master))
        yield from _alone(place, master, census)
    for one, other in combinations(masters[:16], 2):
        if _together(one, other):
            same = one.grandmasters & other.grandmasters
            what = "of the same grandmaster" if same else "of different grandmasters"
            yield TWO_MASTERS(str(place), f"{one} and {other}, {what}, both for {_overlap_s(one, other):.0f} s")
    for speaker in speakers:
        if len(speaker.macs) > 1 and len(speaker.addresses) > 1:
            yield DUPLICATE_IDENTITY(str(place), f"{speaker.identity} comes from {some(sorted(speaker.addresses))}")
    clients = [s for s in speakers if s.counts[MessageType.DELAY_REQ] and not s.is_master]
    if clients:
        yield CLIENTS_HEARD(str(place), f"{len(clients)}: {some([str(client) for client in clients])}")


def _alone(place: Place, master: Speaker, census: Census) -> Iterator[Finding]:
    announces, syncs = master.group_counts[MessageType.ANNOUNCE], master.group_counts[MessageType.SYNC]
    listened_s = (census.ended_ns - master.first_ns) / 1e9
    if announces >= 3 and not syncs and listened_s > 2:
        yield ANNOUNCE_WITHOUT_SYNC(str(place), f"{master}: {announces} Announces and no Sync in {listened_s:.1f} s")
    interval = 2.0 ** min(4, max(-4, master.intervals.get(MessageType.ANNOUNCE, 1)))
    if syncs >= 3 and not announces and listened_s > max(2.5, 1.5 * interval):
        gptp = place.sdo_id >> 8 == 1
        text = f"{master}: {syncs} Syncs and no Announce in {listened_s:.1f} s"
        yield SYNC_WITHOUT_ANNOUNCE(str(place), text, severity=NOTE if gptp else None)
    announce = master.announce
    if announce is None:
        return
    class_ = announce.quality.clock_class
    if class_ == 255:
        yield SLAVE_ONLY_SERVES(str(place), f"{master}: clockClass 255")
    elif class_ in _HOLDOVER_CLASSES:
        yield HOLDOVER(str(place), f"{master}: clockClass {class_}")
    elif class_ >= 187 or not announce.flags & Flag.TIME_TRACEABLE:
        text = f"clockClass {class_}, timeTraceable {bool(announce.flags & Flag.TIME_TRACEABLE)}"
        yield UNVOUCHED(str(place), f"{master}: {text}, source {time_source_text(announce.time_source)}")
    if announce.steps_removed >= 255:
        yield STEPS_REMOVED(str(place), f"{master}: stepsRemoved {announce.steps_removed}")


def _across(census: Census) -> Iterator[Finding]:
    """What only the places of one wire together show."""
    wires: dict[tuple[str, tuple[int, ...]], list[Speaker]] = {}
    for speaker in census.speakers.values():
        wires.setdefault(speaker.place.wire, []).append(speaker)
    for speakers in wires.values():
        masters = [speaker for speaker in speakers if speaker.is_master and not speaker.alternate]
        domains = sorted({(s.place.domain, s.place.sdo_id) for s in speakers if s.place.sdo_id >> 8 != 2})
        interface = speakers[0].place.interface
        if len(domains) > 1:
            each = some([f"{d}" + (f" (sdoId 0x{sdo:03X})" if sdo else "") for d, sdo in domains], 8)
            yield SEVERAL_DOMAINS(interface, f"domains {each}")
        for domain in sorted({s.place.domain for s in speakers}):
            here = [s for s in speakers if s.place.domain == domain]
            sdos = sorted({s.place.sdo_id for s in here if s.place.sdo_id >> 8 != 2})
            if len(sdos) > 1:
                each = "; ".join(f"0x{sdo:03X}: {_first(here, sdo)}" for sdo in sdos)
                # on transports of their own they are apart anyhow
                apart = len({s.place.transport for s in here}) > 1
                yield MIXED_SDO(f"{interface} domain {domain}", each, severity=NOTE if apart else None)
        domains_of: dict[tuple[int, int], list[Speaker]] = {}
        for master in masters:
            domains_of.setdefault((master.place.domain, master.place.sdo_id), []).append(master)
        for together in domains_of.values():
            by_transport = {master.place.transport: master for master in together}
            for one, other in combinations(by_transport.values(), 2):
                # one clock that serves both is a grandmaster for everybody
                if one.identity.clock_identity != other.identity.clock_identity:
                    each = f"{one} by {one.place.transport}, {other} by {other.place.transport}"
                    yield MIXED_TRANSPORTS(f"{interface} domain {one.place.domain}", each)


def _first(speakers: list[Speaker], sdo_id: int) -> str:
    return next(str(speaker) for speaker in speakers if speaker.place.sdo_id == sdo_id)


def _overlap_s(one: Speaker, other: Speaker) -> float:
    return (min(one.last_ns, other.last_ns) - max(one.first_ns, other.first_ns)) / 1e9


def _together(one: Speaker, other: Speaker) -> bool:
    logs = [s.intervals.get(MessageType.ANNOUNCE, s.intervals.get(MessageType.SYNC, 0)) for s in (one, other)]
    return _overlap_s(one, other) >= _OVERLAP * 2.0 ** min(4, max(-4, *logs))


def _describe(master: Speaker) -> str:
    words = [str(master), master.place.transport]
    announce = master.announce
    if announce is not None:
        if announce.grandmaster != master.identity.clock_identity:
            far = f"{announce.steps_removed} steps from grandmaster {format_clock_identity(announce.grandmaster)}"
            words.append(far)
        quality = announce.quality
        words.append(f"priority1 {announce.priority1}, clockClass {quality.clock_class}")
        words.append(f"accuracy {accuracy_text(quality.clock_accuracy)}")
        words.append(f"currentUtcOffset {announce.current_utc_offset}")
    rate = master.rate(MessageType.SYNC)
    if rate is not None:
        words.append(f"{rate:.3g} Sync/s {'two-step' if master.two_step_syncs else 'one-step'}")
    words.append(f"looks like {profile_of(master)}")
    return ", ".join(words)
