"""Whether messages belong together: Follow_Up to Sync, answers to questions, sequence numbers, rates, versions."""

from __future__ import annotations

from collections.abc import Iterator

from ptpstack.doctor.findings import ERROR, NOTE, WARNING, Finding, kind, some
from ptpstack.doctor.traffic.census import Census, Place, Speaker
from ptpstack.wire.types import MessageType

NO_FOLLOW_UP = kind(
    "missing-follow-up",
    ERROR,
    "Two-step Syncs without Follow_Up",
    "Clients wait for the Follow_Up and get no time. The master's transmit stamps do not come, or general messages "
    "(UDP 320) are dropped on the way.",
)
FOLLOW_UPS_LOST = kind(
    "follow-ups-lost",
    WARNING,
    "Many Syncs lack their Follow_Up",
    "The master misses transmit stamps now and then (its driver), or general messages are lost.",
)
FOLLOW_UP_WITHOUT_SYNC = kind(
    "follow-up-without-sync",
    WARNING,
    "Follow_Up without Sync",
    "Event messages (UDP 319) are dropped on the way while general ones pass: look for a firewall or switch rule.",
)
ONE_STEP = kind(
    "one-step",
    NOTE,
    "A one-step master",
    "Fine where the hardware does it; a client must not wait for Follow_Up.",
)
EMPTY_ONE_STEP = kind(
    "one-step-without-time",
    ERROR,
    "One-step Syncs that carry no time",
    "The flag twoStep is missing, or the NIC does not fill in the time: set twoStepFlag 1 on the master.",
)
UNANSWERED = kind(
    "unanswered-delay-requests",
    ERROR,
    "Delay_Req is not answered",
    "The client never learns its delay. The master does not hear it (a filter in that direction, UDP 319), does not "
    "speak E2E, or the client asks in the wrong domain.",
)
ANSWERS_LOST = kind(
    "delay-answers-lost", WARNING, "Many Delay_Req are not answered", "Frames are lost, or the master is overloaded."
)
ASKS_NOBODY = kind(
    "requests-without-master",
    WARNING,
    "Somebody asks in a domain where no master is heard",
    "Set the same domain on client and master (linuxptp domainNumber; 24 against 0 is the usual slip).",
)
PEER_SILENT = kind(
    "unanswered-peer-delay",
    WARNING,
    "Pdelay_Req is not answered",
    "The neighbour on this link does not speak P2P: use E2E on this port, or P2P on every device of the path, switches "
    "included.",
)
SEVERAL_PEERS = kind(
    "several-peers",
    WARNING,
    "Several neighbours answer one Pdelay_Req",
    "A switch without PTP is between: peer delay needs a PTP device at each end of each cable. Use E2E, or a switch "
    "that "
    "speaks P2P.",
)
SYNCS_LOST = kind(
    "syncs-lost",
    WARNING,
    "Messages of a master are lost",
    "sequenceId has gaps. Look for errors on the link (`ethtool -S`), overloaded switches, or a flood.",
)
RATE_DIFFERS = kind(
    "rate-differs",
    WARNING,
    "A master sends at another rate than it says",
    "Clients take their time-outs from logMessageInterval: correct the master's interval, or look at why it is late.",
)
STRANGE_CORRECTION = kind(
    "implausible-correction",
    WARNING,
    "A correctionField of more than a second",
    "A transparent clock in the path adds nonsense: its clock steps, or its stamps are of different time bases.",
)
VERSION_1 = kind(
    "ptp-version-1",
    WARNING,
    "PTP version 1 is spoken",
    "IEEE 1588-2002 and version 2 do not understand each other: update the device, or give it its own network.",
)
MALFORMED = kind(
    "malformed-frames",
    WARNING,
    "Frames that are no PTP messages",
    "`tcpdump -w file ...` and `ptpstack decode file` show them. A broken device, or one that is under test.",
)
MINOR_VERSIONS = kind(
    "minor-versions",
    NOTE,
    "PTP 2.0 and 2.1 side by side",
    "They understand each other by rule; some older devices drop 2.1 all the same (minor_version = 0 helps them).",
)

_MIN = 3


def judge(census: Census) -> list[Finding]:
    found: list[Finding] = []
    with_masters = {speaker.place for speaker in census.masters()}
    for place, speakers in census.places():
        for speaker in speakers:
            found += _follow_ups(place, speaker)
            found += _numbers(place, speaker)
            if not census.overrun:
                found += _losses(place, speaker)
            found += _answers(place, speaker, census, with_masters)
        versions = {min(speaker.minor_versions): speaker for speaker in speakers}
        if len(versions) > 1:
            each = ", ".join(f"2.{minor}: {speaker}" for minor, speaker in sorted(versions.items()))
            found.append(MINOR_VERSIONS(str(place), each))
    for (interface, address, reason), number in sorted(census.malformed.items())[:20]:
        make = VERSION_1 if reason == "version-1" else MALFORMED
        found.append(make(interface, f"{number} frames from {address}: {reason}"))
    return found


def _follow_ups(place: Place, speaker: Speaker) -> Iterator[Finding]:
    syncs = speaker.counts[MessageType.SYNC]
    if speaker.two_step_syncs >= _MIN and not speaker.followed:
        yield NO_FOLLOW_UP(str(place), f"{speaker}: {speaker.two_step_syncs} Syncs with twoStepFlag, no Follow_Up")
    elif speaker.two_step_syncs >= 8 and speaker.followed < 0.8 * (speaker.two_step_syncs - 1):
        yield FOLLOW_UPS_LOST(str(place), f"{speaker}: {speaker.followed} of {speaker.two_step_syncs} Syncs")
    if speaker.stray_follow_ups >= _MIN and not syncs:
        yield FOLLOW_UP_WITHOUT_SYNC(str(place), f"{speaker}: {speaker.stray_follow_ups} Follow_Ups, no Sync")
    if speaker.one_step_empty >= _MIN:
        yield EMPTY_ONE_STEP(
            str(place), f"{speaker}: {speaker.one_step_empty} Syncs, originTimestamp 0, no twoStepFlag"
        )
    elif syncs >= _MIN and not speaker.two_step_syncs:
        yield ONE_STEP(str(place), f"{speaker}: {syncs} Syncs")


def _numbers(place: Place, speaker: Speaker) -> Iterator[Finding]:
    for type_, name in ((MessageType.SYNC, "Sync"), (MessageType.ANNOUNCE, "Announce")):
        got = speaker.counts[type_]
        rate, log = speaker.rate(type_), speaker.intervals.get(type_, 0x7F)
        multicast_only = speaker.group_counts[type_] == got
        if rate is not None and got >= 6 and -10 <= log <= 10 and multicast_only and not speaker.alternate:
            ratio = rate * 2.0**log
            if not 0.5 < ratio < 2.0:
                text = f"{name} says 1 in {2.0**log:g} s, comes {rate:.3g} times a second"
                yield RATE_DIFFERS(str(place), f"{speaker}: {text}")
    if speaker.strange_corrections:
        yield STRANGE_CORRECTION(str(place), f"{speaker}: {speaker.strange_corrections} messages")


def _losses(place: Place, speaker: Speaker) -> Iterator[Finding]:
    for type_, name in ((MessageType.SYNC, "Sync"), (MessageType.ANNOUNCE, "Announce")):
        got, lost = speaker.counts[type_], speaker.lost[type_]
        if lost >= _MIN and lost > 0.05 * (got + lost):
            yield SYNCS_LOST(str(place), f"{speaker}: {lost} of {got + lost} {name}s by their sequenceIds")


def _answers(place: Place, speaker: Speaker, census: Census, with_masters: set[Place]) -> Iterator[Finding]:
    asked = speaker.group_counts[MessageType.DELAY_REQ]
    answered = speaker.answered[MessageType.DELAY_REQ]
    # the last one may still be waiting for its answer
    if asked > _MIN and not answered:
        if place in with_masters:
            yield UNANSWERED(str(place), f"{speaker}: {asked} Delay_Req, no Delay_Resp")
        else:
            others = sorted({p.domain for p in with_masters if p.wire == place.wire and p.domain != place.domain})
            where = f"masters are in domain {some([str(d) for d in others])}" if others else "no master is heard at all"
            yield ASKS_NOBODY(str(place), f"{speaker}: {asked} Delay_Req; {where}")
    elif asked >= 10 and answered < 0.7 * asked:
        yield ANSWERS_LOST(str(place), f"{speaker}: {answered} of {asked} Delay_Req")
    peers = speaker.counts[MessageType.PDELAY_REQ]
    if peers > _MIN and not speaker.answered[MessageType.PDELAY_REQ]:
        # of others we see the neighbour's only, who asks us: with no PTP running here nobody can answer
        severity = None if speaker.local or _speaks_here(place, census) else NOTE
        yield PEER_SILENT(str(place), f"{speaker}: {peers} Pdelay_Req, no Pdelay_Resp", severity=severity)
    if speaker.most_answers > 1 and peers:
        yield SEVERAL_PEERS(str(place), f"{speaker}: {speaker.most_answers} answers to one request")


def _speaks_here(place: Place, census: Census) -> bool:
    return any(speaker.local and speaker.place == place for speaker in census.speakers.values())
