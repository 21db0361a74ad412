#!/usr/bin/env python3
"""Throw damaged frames at the codec: only MalformedFrame may come out, and what decodes must encode exactly.

    tools/fuzz_wire.py --count 100000
    tools/fuzz_wire.py --seconds 60 --seed 7

Seeds are frames of every message type and every TLV, the frames of the captures in $PTPSTACK_TEST_DATA (if set), and
random octets. A run is repeatable: the same seed and count try the same frames. Exit status 1 at the first frame that
breaks a rule; its octets are printed, ready for a regression test.
"""

from __future__ import annotations

import argparse
import os
import random
import sys
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from ptpstack.wire.capture import read_capture  # noqa: E402
from ptpstack.wire.codec import decode, encode, peek  # noqa: E402
from ptpstack.wire.describe import describe, one_line  # noqa: E402
from ptpstack.wire.encapsulation import PtpPayload, extract  # noqa: E402
from ptpstack.wire.errors import MalformedFrame  # noqa: E402
from ptpstack.wire.tlvs.organization import ORGANIZATION_TLV_NAMES  # noqa: E402
from ptpstack.wire.tlvs.registry import TLV_KINDS  # noqa: E402

_MINIMUM = {0: 44, 1: 44, 2: 54, 3: 54, 8: 44, 9: 54, 10: 54, 11: 64, 12: 44, 13: 48}
#: value octets that satisfy each known layout, with something behind it.
_ROOMY = 96


def frame(message_type: int, tlvs: bytes = b"") -> bytearray:
    """A plain frame of this type."""
    length = _MINIMUM[message_type] + len(tlvs)
    octets = bytearray(_MINIMUM[message_type])
    octets[0] = message_type
    octets[1] = 0x12
    octets[2:4] = length.to_bytes(2, "big")
    octets[20:30] = bytes.fromhex("001b21fffeaabbcc0001")
    return octets + tlvs


def seeds() -> list[bytes]:
    """One frame for each type, each TLV (bare and with a roomy value) and each organisation's TLV."""
    found = [bytes(frame(message_type)) for message_type in _MINIMUM]
    for tlv_type in [*TLV_KINDS, 0x1234, 0x4ABC, 0xFFFF]:
        for value in (b"", bytes(_ROOMY), bytes((8,)) + bytes(_ROOMY - 1)):
            tlv = tlv_type.to_bytes(2, "big") + len(value).to_bytes(2, "big") + value
            for message_type in (0x0, 0xB, 0xC, 0xD):
                found.append(bytes(frame(message_type, tlv)))
    for identifier in ORGANIZATION_TLV_NAMES:
        for tlv_type in (0x0003, 0x4000, 0x8000):
            value = identifier + bytes(_ROOMY)
            tlv = tlv_type.to_bytes(2, "big") + len(value).to_bytes(2, "big") + value
            found.append(bytes(frame(0xC, tlv)))
    return found


def captured() -> list[bytes]:
    """PTP payloads of the captures in the test data; none without the environment variable."""
    folder = os.environ.get("PTPSTACK_TEST_DATA")
    found: list[bytes] = []
    for path in sorted(Path(folder, "ptp").glob("*.pcap")) if folder else ():
        for captured_frame in read_capture(path):
            payload = extract(captured_frame)
            if isinstance(payload, PtpPayload):
                found.append(payload.octets)
    return found


_EDGES = (0, 1, 2, 3, 4, 5, 7, 8, 0x0F, 0x10, 0x3A, 0x3B, 0x7F, 0x80, 0xFE, 0xFF)


def mutants(rng: random.Random, corpus: list[bytes]) -> Iterator[bytes]:
    """Endless: damaged frames, every twentieth all random."""
    integer = rng.randrange
    count = len(corpus)
    while True:
        choice = integer(20)
        if choice == 0:
            octets = bytearray(rng.randbytes(integer(160)))
            if len(octets) > 1:
                octets[1] = 0x12
            yield bytes(octets)
            continue
        octets = bytearray(corpus[integer(count)])
        for _ in range(1 + integer(4)):
            kind = integer(8)
            size = len(octets)
            if kind < 3 and size:
                octets[integer(size)] = integer(256)
            elif kind == 3 and size:
                octets[integer(size)] = _EDGES[integer(len(_EDGES))]
            elif kind == 4:
                del octets[integer(size + 1) :]
            elif kind == 5:
                octets += rng.randbytes(integer(12))
            elif kind == 6 and size > 4:
                # messageLength says something else, often the truth
                octets[2:4] = (size if integer(2) else integer(size + 4)).to_bytes(2, "big")
            elif size > 40:
                # one more TLV, of a known type, well or badly sized
                tlv_type = rng.choice(_TLV_TYPES)
                value = rng.randbytes(integer(60) & ~(integer(8) > 0))
                octets += tlv_type.to_bytes(2, "big") + len(value).to_bytes(2, "big") + value
                octets[2:4] = len(octets).to_bytes(2, "big")
        yield bytes(octets)


_TLV_TYPES = list(TLV_KINDS)


class Broken(Exception):
    """A rule of the codec does not hold for these octets."""


def check(octets: bytes, *, describing: bool) -> str:
    """Reason code, or "" when it decodes; Broken, or whatever should not have come out of the codec."""
    fault: MalformedFrame
    try:
        message = decode(octets)
    except MalformedFrame as error:
        fault = error
    else:
        length = int.from_bytes(octets[2:4], "big")
        if encode(message) != octets[:length]:
            raise Broken(f"encode(decode(x)) differs: {encode(message).hex()}")
        if message.trailing != octets[length:]:
            raise Broken("trailing octets differ")
        if peek(octets)[0] != message.type:
            raise Broken("peek differs from decode")
        if describing:
            describe(message)
            if not one_line(message).isprintable():
                raise Broken(f"unprintable text: {one_line(message)!r}")
        return ""
    if not 0 <= fault.offset <= len(octets) or not fault.reason:
        raise Broken(f"offset {fault.offset} reason {fault.reason!r} in {len(octets)} octets")
    return fault.reason


def fuzz(count: int | None, seed: int, seconds: float | None, *, progress: bool) -> tuple[int, Counter[str], float]:
    """Run; frames tried, reason codes, seconds taken. The exception of the first frame that breaks a rule."""
    reasons: Counter[str] = Counter()
    started = reported = time.monotonic()
    elapsed = 0.0
    tried = 0
    for tried, octets in enumerate(mutants(random.Random(seed), seeds() + captured()), start=1):
        try:
            reasons[check(octets, describing=tried % 16 == 0)] += 1
        except Exception:
            print(f"frame {tried} of seed {seed}: {octets.hex()}", file=sys.stderr)
            raise
        if tried % 4096 == 0:
            elapsed = time.monotonic() - started
            if progress and started + elapsed - reported >= 5:
                reported = started + elapsed
                print(f"{tried:,} frames, {tried / elapsed:,.0f}/s", file=sys.stderr, flush=True)
            if seconds is not None and elapsed >= seconds:
                break
        if tried == count:
            break
    return tried, reasons, time.monotonic() - started


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, metavar="N", help="frames to try (100000 unless --seconds is given)")
    parser.add_argument("--seed", type=int, default=1, metavar="S", help="of the random numbers (1)")
    parser.add_argument("--seconds", type=float, metavar="T", help="stop after this time")
    args = parser.parse_args()
    count = args.count if args.count is not None or args.seconds is not None else 100_000
    if count is not None and count < 1:
        parser.error("--count: 1 or more")
    try:
        tried, reasons, seconds = fuzz(count, args.seed, args.seconds, progress=True)
    except KeyboardInterrupt:
        return 130
    except Exception as error:
        print(f"{type(error).__name__}: {error}", file=sys.stderr)
        return 1
    decoded = reasons.pop("", 0)
    print(f"{tried:,} frames in {seconds:.1f} s ({tried / seconds:,.0f}/s), seed {args.seed}: {decoded:,} decoded")
    print("malformed: " + ", ".join(f"{number:,} {reason}" for reason, number in reasons.most_common()))
    return 0


if __name__ == "__main__":
    sys.exit(main())
