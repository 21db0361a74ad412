"""The judge of what we sent: tshark finds nothing to complain of, and our own codec gives the same octets back."""

from __future__ import annotations

import subprocess
from collections import Counter
from collections.abc import Iterable
from pathlib import Path

from ptpstack.wire.capture import read_capture
from ptpstack.wire.codec import decode, encode
from ptpstack.wire.encapsulation import PtpPayload, extract
from tests.interop.bench import Outcome, environment


def judge_frames(outcomes: Iterable[Outcome], folder: Path) -> Counter[str]:
    """Check every frame of every capture; message type -> how many were seen. AssertionError names the frame."""
    seen: Counter[str] = Counter()
    files = [path for outcome in outcomes for path in outcome.captures]
    assert files, "nothing was captured"
    for path in files:
        summary = path.with_suffix(".tcpdump").read_text()
        assert "\n0 packets dropped by kernel" in summary, f"{path}: the capture is not complete: {summary}"
        for number, frame in enumerate(read_capture(path), 1):
            payload = extract(frame)
            assert isinstance(payload, PtpPayload), f"{path}: frame {number}: {payload}"
            message = decode(payload.octets)
            # what follows messageLength is Ethernet padding, or the two octets of UDP over IPv6
            assert encode(message) == payload.octets[: len(payload.octets) - len(message.trailing)], f"{path}: {number}"
            stray = len(message.trailing) - (2 if payload.transport == "UDPv6" else 0)
            assert stray == 0, f"{path}: frame {number} carries {stray} stray octets"
            seen[message.type.name] += 1
    merged = folder / "sent.pcap"
    subprocess.run(["mergecap", "-F", "pcap", "-w", str(merged), *map(str, files)], check=True, env=environment())
    dissected = _tshark(merged, "ptp", "frame.number")
    assert len(dissected) == sum(seen.values()), "tshark does not take every frame for PTP"
    complaints = expert_complaints(merged)
    assert not complaints, f"{merged}: tshark complains of: {complaints[:20]}"
    return seen


def expert_complaints(path: Path) -> list[str]:
    """What tshark's dissectors remark on, of any severity: frame number, severity, text."""
    return _tshark(path, "_ws.expert", "frame.number", "_ws.expert.severity", "_ws.expert.message")


def _tshark(path: Path, display_filter: str, *fields: str) -> list[str]:
    command = ["tshark", "-n", "-r", str(path), "-Y", display_filter, "-T", "fields"]
    for name in fields:
        command += ["-e", name]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, env=environment())
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()
