"""``ptpstack decode``: the PTP messages of a capture file, one line each."""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any, TextIO

from ptpstack.wire.capture import CapturedFrame, CaptureError, read_capture, read_frames
from ptpstack.wire.codec import decode
from ptpstack.wire.describe import MESSAGE_NAMES, describe, one_line
from ptpstack.wire.encapsulation import NotPtp, PtpPayload, extract
from ptpstack.wire.errors import MalformedFrame
from ptpstack.wire.messages import Message
from ptpstack.wire.types import MessageType

_EPILOG = """\
examples:
  ptpstack decode trace.pcap
  ptpstack decode trace.pcapng --type announce,signaling --domain 24
  ptpstack decode trace.pcap --json | jq 'select(.messageType == "Sync") | .sequenceId'
  tcpdump -i eth0 -w - 'ether proto 0x88f7 or udp port 319 or udp port 320' | ptpstack decode -

exit status: 0 all read; 1 the capture is damaged or not a capture (what could be read was shown); 2 usage.
"""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def _type_key(text: str) -> str:
    return text.strip().lower().replace("_", "").replace("-", "")


_TYPES = {_type_key(name): number for number, name in MESSAGE_NAMES.items()}


def message_types(text: str) -> frozenset[MessageType]:
    """``"sync,delay_req"`` -> types; argparse's error for a name that is none."""
    chosen = set()
    for word in text.split(","):
        if _type_key(word) not in _TYPES:
            known = ", ".join(name.lower() for name in MESSAGE_NAMES.values())
            raise argparse.ArgumentTypeError(f"{word.strip()!r} is not a message type; known: {known}")
        chosen.add(_TYPES[_type_key(word)])
    return frozenset(chosen)


def _domain(text: str) -> int:
    try:
        number = int(text, 0)
    except ValueError:
        number = -1
    if not 0 <= number <= 255:
        raise argparse.ArgumentTypeError(f"{text!r} is not a domainNumber (0..255)")
    return number


def _limit(text: str) -> int:
    try:
        number = int(text)
    except ValueError:
        number = 0
    if number < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number of frames (1 or more)")
    return number


def _arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("file", metavar="FILE", help="pcap or pcapng file; - reads standard input")
    parser.add_argument("--json", action="store_true", help="one JSON object per line and frame")
    parser.add_argument("-v", "--verbose", action="store_true", help="every field; also name frames that are not PTP")
    parser.add_argument(
        "--type", type=message_types, metavar="NAMES", help="only these message types, comma-separated (sync,announce)"
    )
    parser.add_argument("--domain", type=_domain, metavar="N", help="only this domainNumber")
    parser.add_argument("--limit", type=_limit, metavar="N", help="stop after N frames shown")
    parser.set_defaults(func=run)


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add ``decode`` to the commands."""
    parser = subparsers.add_parser(
        "decode",
        help="show the PTP messages of a capture file",
        description="Show the PTP messages of a capture file. Malformed ones are shown with their reason.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    _arguments(parser)


def time_text(time_ns: int | None) -> str:
    """``2026-01-01 00:00:00.123456789`` (UTC), or ``-``."""
    if time_ns is None:
        return "-"
    seconds, ns = divmod(time_ns, 10**9)
    try:
        return f"{_EPOCH + timedelta(seconds=seconds):%Y-%m-%d %H:%M:%S}.{ns:09d}"
    except OverflowError:
        return f"{seconds}.{ns:09d}"


class _Report:
    """What was seen, and how each frame is shown."""

    def __init__(self, args: argparse.Namespace, out: TextIO) -> None:
        self.args = args
        self.out = out
        self.frames = 0
        self.shown = 0
        self.messages: Counter[str] = Counter()
        self.malformed: Counter[str] = Counter()
        self.not_ptp: Counter[str] = Counter()

    @property
    def full(self) -> bool:
        return self.args.limit is not None and self.shown >= self.args.limit

    def frame(self, frame: CapturedFrame) -> None:
        self.frames += 1
        payload = extract(frame)
        if isinstance(payload, NotPtp):
            self.not_ptp[payload.reason] += 1
            if self.args.verbose and not self._filtered_by_message():
                self._show(frame, None, {"notPtp": payload.reason, "detail": payload.detail},
                           f"not PTP: {payload.reason} ({payload.detail})")  # fmt: skip
            return
        try:
            message = decode(payload.octets)
        except MalformedFrame as error:
            self.malformed[error.reason] += 1
            if self._wants_malformed(payload.octets):
                fault = {"malformed": error.reason, "offset": error.offset, "detail": error.detail,
                         "octets": payload.octets.hex()}  # fmt: skip
                self._show(frame, payload, fault, f"MALFORMED {error.reason} at octet {error.offset}: {error.detail}")
            return
        self.messages[MESSAGE_NAMES[message.type]] += 1
        if self._wants(message):
            described = describe(message)
            self._show(frame, payload, described, one_line(message))
            if self.args.verbose and not self.args.json:
                for line in field_lines(described):
                    print("    " + line, file=self.out)

    def _filtered_by_message(self) -> bool:
        return self.args.type is not None or self.args.domain is not None

    def _wants(self, message: Message) -> bool:
        args = self.args
        return (args.type is None or message.type in args.type) and args.domain in (None, message.domain)

    def _wants_malformed(self, octets: bytes) -> bool:
        """By what its header claims; a frame too short to claim anything is shown."""
        args = self.args
        if args.type is not None and octets and octets[0] & 0x0F not in args.type:
            return False
        return args.domain is None or len(octets) < 5 or octets[4] == args.domain

    def _show(self, frame: CapturedFrame, payload: PtpPayload | None, fields: dict[str, Any], text: str) -> None:
        self.shown += 1
        if self.args.json:
            row: dict[str, Any] = {"frame": self.frames, "time": time_text(frame.time_ns)}
            if frame.time_ns is not None:
                # two numbers: one would be beyond what JSON readers with 53-bit numbers keep
                row["timeSeconds"], row["timeNanoseconds"] = divmod(frame.time_ns, 10**9)
            if payload is not None:
                row |= {
                    "transport": payload.transport,
                    "source": payload.source,
                    "destination": payload.destination,
                }
                if payload.destination_port:
                    row |= {"sourcePort": payload.source_port, "destinationPort": payload.destination_port}
                if payload.vlans:
                    row["vlans"] = payload.vlans
            print(json.dumps(row | fields, allow_nan=False), file=self.out)
            return
        words = [time_text(frame.time_ns)]
        if payload is not None:
            words.append(f"{payload.source or '?'} > {payload.destination or '?'}")
            words += [f"vlan {vlan}" for vlan in payload.vlans]
            words.append(payload.transport + (f":{payload.destination_port}" if payload.destination_port else ""))
        words.append(text)
        print("  ".join(words), file=self.out)

    def summary(self) -> str:
        """``12 frames: 5 Sync, 5 Follow_Up; malformed: 1 truncated; not PTP: 1 other``."""
        parts = [f"{self.frames} frame{'' if self.frames == 1 else 's'}: {_counted(self.messages) or 'no PTP message'}"]
        if self.malformed:
            parts.append(f"malformed: {_counted(self.malformed)}")
        if self.not_ptp:
            parts.append(f"not PTP: {_counted(self.not_ptp)}")
        if self.full:
            parts.append(f"stopped after {self.shown} shown")
        return "; ".join(parts)


def _counted(counter: Counter[str]) -> str:
    return ", ".join(f"{count} {name}" for name, count in counter.most_common())


def field_lines(fields: dict[str, Any], indent: str = "") -> Iterator[str]:
    """``name: value`` lines of a described message; nested values indented."""
    for name, value in fields.items():
        if isinstance(value, dict) and "text" in value:
            yield f"{indent}{name}: {value['text']}" + (f" (raw {value['raw']})" if "raw" in value else "")
        elif isinstance(value, dict) and "raw" in value and ("meaning" in value or "set" in value):
            meaning = value["meaning"] if "meaning" in value else ", ".join(value["set"]) or "none"
            yield f"{indent}{name}: {value['raw']} ({meaning})"
        elif isinstance(value, dict):
            yield f"{indent}{name}:"
            yield from field_lines(value, indent + "  ")
        elif isinstance(value, list) and value and isinstance(value[0], dict):
            for index, item in enumerate(value):
                yield f"{indent}{name}[{index}]:"
                yield from field_lines(item, indent + "  ")
        elif isinstance(value, list):
            yield f"{indent}{name}: {', '.join(map(str, value))}"
        else:
            yield f"{indent}{name}: {value}"


def run(args: argparse.Namespace) -> int:
    """Carry out the command; the exit status."""
    report = _Report(args, sys.stdout)
    status = 0
    try:
        try:
            frames = read_frames(sys.stdin.buffer) if args.file == "-" else read_capture(args.file)
            for frame in frames:
                report.frame(frame)
                if report.full:
                    break
        except CaptureError as error:
            sys.stdout.flush()
            print(f"ptpstack decode: {error}", file=sys.stderr)
            status = 1
        except OSError as error:
            if isinstance(error, BrokenPipeError):
                raise
            print(f"ptpstack decode: {args.file}: {error.strerror or error}", file=sys.stderr)
            return 1
        print(report.summary(), file=sys.stderr if args.json else sys.stdout)
        sys.stdout.flush()
    except BrokenPipeError:
        # The reader has seen enough (head, less): no message, and nothing for the interpreter to flush at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except KeyboardInterrupt:
        print(report.summary(), file=sys.stderr)
        return 130
    return status


def main(argv: list[str] | None = None) -> int:
    """``python -m ptpstack.cli.decode``."""
    parser = argparse.ArgumentParser(
        prog="ptpstack decode",
        description="Show the PTP messages of a capture file. Malformed ones are shown with their reason.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    _arguments(parser)
    args = parser.parse_args(argv)
    return run(args)


if __name__ == "__main__":
    sys.exit(main())
