"""Hostile PTP frames: random octets, and what looks valid and is meant to harm. All made from a seed."""

from __future__ import annotations

import random
import struct
from collections.abc import Callable
from dataclasses import dataclass

from ptpstack.wire.codec import encode
from ptpstack.wire.messages import Announce, DelayReq, DelayResp, FollowUp, Message, Sync
from ptpstack.wire.types import ClockQuality, Flag, PortIdentity

EVENT, GENERAL = 319, 320
_SOURCE_OFFSET = 20
_GRANDMASTER_OFFSET = 53


@dataclass(frozen=True)
class Hostile:
    """``identities``: offsets of clock identities that the sender changes each time it sends the frame."""

    kind: str
    octets: bytes
    port: int
    identities: tuple[int, ...] = ()


def _identity(rng: random.Random) -> PortIdentity:
    return PortIdentity(rng.randbytes(8), rng.randrange(1, 0xFFFF))


def _random(rng: random.Random) -> Hostile:
    # half of them with a header that leads further in than the first check
    octets = bytearray(rng.randbytes(rng.choice((0, 1, 33, 34, 44, 60, 64, 64, 120, 300))))
    if len(octets) >= 34 and rng.random() < 0.5:
        octets[1] = octets[1] & 0xF0 | 2
        octets[4] = 0
        octets[2:4] = len(octets).to_bytes(2, "big")
    # what happens to be an Announce must not qualify by being sent again
    identities = (_SOURCE_OFFSET,) if len(octets) >= 34 else ()
    return Hostile("random", bytes(octets), rng.choice((EVENT, GENERAL)), identities)


def _announce_message(rng: random.Random) -> Announce:
    message = Announce(_identity(rng), rng.randrange(0x10000), log_interval=-4)
    message.priority1 = 0
    message.priority2 = 0
    message.quality = ClockQuality(1, 0x17, 1)
    message.grandmaster = rng.randbytes(8)
    return message


def _announce(rng: random.Random) -> Hostile:
    return Hostile("announce", encode(_announce_message(rng)), GENERAL, (_SOURCE_OFFSET, _GRANDMASTER_OFFSET))


def _message(kind: str, make: Callable[[random.Random], Message], port: int) -> Callable[[random.Random], Hostile]:
    return lambda rng: Hostile(kind, encode(make(rng)), port, (_SOURCE_OFFSET,))


def _sync(rng: random.Random) -> Message:
    return Sync(_identity(rng), rng.randrange(0x10000), flags=Flag.TWO_STEP)


def _follow_up(rng: random.Random) -> Message:
    return FollowUp(_identity(rng), rng.randrange(0x10000), precise_origin_ns=rng.randrange(2**60))


def _delay_resp(rng: random.Random) -> Message:
    return DelayResp(_identity(rng), rng.randrange(0x10000), receive_ns=rng.randrange(2**60), requesting=_identity(rng))


def _delay_req(rng: random.Random) -> Message:
    # every other one asks to be answered where its spoofed address points
    flags = Flag.UNICAST if rng.random() < 0.5 else 0
    return DelayReq(_identity(rng), rng.randrange(0x10000), flags=flags, log_interval=0x7F)


def _other_length(rng: random.Random) -> Hostile:
    """Longer or shorter than messageLength says, or than the body needs."""
    octets = bytearray(encode(_announce_message(rng)))
    length = rng.choice((0, 1, 33, 34, 35, 63, 65, 1500, 65535))
    octets[2:4] = length.to_bytes(2, "big")
    end = rng.choice((20, 34, 50, len(octets), 1400))
    return Hostile("length", bytes(octets.ljust(end, b"\xff")[:end]), GENERAL, (_SOURCE_OFFSET,) if end >= 34 else ())


def _tlv_bomb(rng: random.Random) -> Hostile:
    """An Announce as long as a frame allows, of the smallest TLVs, or of TLVs whose lengths lie."""
    octets = bytearray(encode(_announce_message(rng)))
    kind = rng.choice((0x0008, 0x2004, 0x7F00, 0x8008))
    length = rng.choice((0, 0, 2, 0xFFFE))
    while len(octets) + 4 + (length if length < 100 else 0) <= 1400:
        octets += struct.pack(">HH", kind, length) + bytes(length if length < 100 else 0)
    octets[2:4] = len(octets).to_bytes(2, "big")
    return Hostile("tlv-bomb", bytes(octets), GENERAL, (_SOURCE_OFFSET, _GRANDMASTER_OFFSET))


def _raw(kind: str, message_type: int, body: bytes, rng: random.Random) -> Hostile:
    length = 34 + len(body)
    head = struct.pack(">BBHBBHqI", message_type, 0x12, length, 0, 0, 0, 0, 0)
    source = rng.randbytes(8) + struct.pack(">HHBb", 1, rng.randrange(0x10000), 4, 0x7F)
    return Hostile(kind, head + source + body, GENERAL, (_SOURCE_OFFSET,))


def _management(rng: random.Random) -> Hostile:
    # GET or SET of any data set, to all ports
    body = b"\xff" * 10 + bytes((1, 1, rng.randrange(5), 0))
    return _raw("management", 0xD, body + struct.pack(">HHH", 1, 2, rng.choice((0x2000, 0x2001, 0x2004, 0))), rng)


def _signaling(rng: random.Random) -> Hostile:
    # REQUEST_UNICAST_TRANSMISSION: the shortest interval for the longest time
    body = b"\xff" * 10 + struct.pack(">HHBbI", 4, 6, rng.choice((0x00, 0x90, 0xB0)), -7, 0xFFFFFFFF)
    return _raw("signaling", 0xC, body, rng)


#: valid-looking kinds; the order is that of reports
KINDS: dict[str, Callable[[random.Random], Hostile]] = {
    "announce": _announce,
    "sync": _message("sync", _sync, EVENT),
    "follow-up": _message("follow-up", _follow_up, GENERAL),
    "delay-resp": _message("delay-resp", _delay_resp, GENERAL),
    "delay-req": _message("delay-req", _delay_req, EVENT),
    "length": _other_length,
    "tlv-bomb": _tlv_bomb,
    "management": _management,
    "signaling": _signaling,
}


def mixture(count: int, seed: int, kinds: list[str] | None = None, random_share: float = 0.5) -> list[Hostile]:
    """``count`` frames: ``random_share`` of random octets, the others of ``kinds`` (default: all) in equal parts."""
    rng = random.Random(seed)
    names = list(KINDS) if kinds is None else kinds
    unknown = [name for name in names if name not in KINDS]
    if unknown:
        raise ValueError(f"unknown kind {unknown[0]!r}; there are {', '.join(KINDS)}")
    frames = []
    for number in range(count):
        if not names or rng.random() < random_share:
            frames.append(_random(rng))
        else:
            frames.append(KINDS[names[number % len(names)]](rng))
    return frames
