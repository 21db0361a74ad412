"""Real captures: every PTP frame decodes, is written back exactly, and means what tshark says it means."""

from __future__ import annotations

import shutil
import subprocess
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest

from ptpstack.wire.capture import CapturedFrame, read_capture, write_pcap
from ptpstack.wire.codec import decode, encode
from ptpstack.wire.encapsulation import PtpPayload, extract
from ptpstack.wire.errors import MalformedFrame
from ptpstack.wire.messages import (
    Announce,
    DelayReq,
    DelayResp,
    FollowUp,
    Management,
    Message,
    PdelayReq,
    PdelayResp,
    PdelayRespFollowUp,
    Signaling,
    Sync,
)
from tests.wire.examples import EXAMPLES

COUNTS = {
    "ptp-ethernet-e2e.pcap": {"Sync": 70, "FollowUp": 70, "Announce": 35, "DelayReq": 15, "DelayResp": 15},
    "ptp-management.pcap": {"Management": 10},
    "ptp-udp4-e2e.pcap": {"Sync": 1, "FollowUp": 1, "Announce": 1, "DelayReq": 1, "DelayResp": 1},
    "ptp-udp4-nanosecond.pcap": {"Sync": 2, "FollowUp": 2, "DelayReq": 2, "DelayResp": 2},
}

needs_tshark = pytest.mark.skipif(shutil.which("tshark") is None, reason="tshark is not installed")


def capture_path(test_data: Path, name: str) -> Path:
    path = test_data / "ptp" / name
    if not path.is_file():
        pytest.skip(f"no {path}")
    return path


def payload_of(frame: CapturedFrame) -> PtpPayload:
    payload = extract(frame)
    assert isinstance(payload, PtpPayload), payload
    return payload


@pytest.mark.parametrize("name", COUNTS)
def test_every_frame_decodes_and_is_written_back(test_data: Path, name: str) -> None:
    counts: Counter[str] = Counter()
    for frame in read_capture(capture_path(test_data, name)):
        octets = payload_of(frame).octets
        message = decode(octets)
        assert encode(message, trailing=True) == octets
        assert len(encode(message)) == int.from_bytes(octets[2:4], "big")
        counts[type(message).__name__] += 1
    assert counts == COUNTS[name]


def test_ptp_version_1_is_told_apart(test_data: Path) -> None:
    frames = list(read_capture(capture_path(test_data, "ptpv1.pcap")))
    assert len(frames) == 4
    for frame in frames:
        with pytest.raises(MalformedFrame) as caught:
            decode(payload_of(frame).octets)
        assert caught.value.reason == "version-1"


# ----------------------------------------------------------------------------------------------------- tshark


def seconds_and_ns(ns: int) -> tuple[str, str]:
    return str(ns // 10**9), str(ns % 10**9)


def times(prefix: str, get: Callable[[Message], int]) -> dict[str, Callable[[Message], str]]:
    return {
        f"{prefix}.seconds": lambda message: seconds_and_ns(get(message))[0],
        f"{prefix}.nanoseconds": lambda message: seconds_and_ns(get(message))[1],
    }


HEADER: dict[str, Callable[[Message], str]] = {
    "ptp.v2.majorsdoid": lambda m: f"0x{m.sdo_id >> 8:02x}",
    "ptp.v2.minorsdoid": lambda m: str(m.sdo_id & 0xFF),
    "ptp.v2.messagetype": lambda m: f"0x{m.type:02x}",
    "ptp.v2.minorversionptp": lambda m: str(m.minor_version),
    "ptp.v2.versionptp": lambda m: "2",
    "ptp.v2.messagelength": lambda m: str(len(encode(m))),
    "ptp.v2.domainnumber": lambda m: str(m.domain),
    "ptp.v2.flags": lambda m: f"0x{m.flags:04x}",
    "ptp.v2.messagetypespecific": lambda m: str(m.message_type_specific),
    "ptp.v2.clockidentity": lambda m: "0x" + m.source.clock_identity.hex(),
    "ptp.v2.sourceportid": lambda m: str(m.source.port_number),
    "ptp.v2.sequenceid": lambda m: str(m.sequence_id),
    "ptp.v2.controlfield": lambda m: str(m.control),
    "ptp.v2.logmessageperiod": lambda m: str(m.log_interval),
}

BODY: dict[type[Message], dict[str, Callable[..., str]]] = {
    Sync: times("ptp.v2.sdr.origintimestamp", lambda m: m.origin_ns),  # type: ignore[attr-defined]
    DelayReq: times("ptp.v2.sdr.origintimestamp", lambda m: m.origin_ns),  # type: ignore[attr-defined]
    FollowUp: times("ptp.v2.fu.preciseorigintimestamp", lambda m: m.precise_origin_ns),  # type: ignore[attr-defined]
    DelayResp: times("ptp.v2.dr.receivetimestamp", lambda m: m.receive_ns)  # type: ignore[attr-defined]
    | {
        "ptp.v2.dr.requestingsourceportidentity": lambda m: "0x" + m.requesting.clock_identity.hex(),
        "ptp.v2.dr.requestingsourceportid": lambda m: str(m.requesting.port_number),
    },
    PdelayReq: times("ptp.v2.pdrq.origintimestamp", lambda m: m.origin_ns),  # type: ignore[attr-defined]
    PdelayResp: times("ptp.v2.pdrs.requestreceipttimestamp", lambda m: m.request_receipt_ns)  # type: ignore[attr-defined]
    | {
        "ptp.v2.pdrs.requestingportidentity": lambda m: "0x" + m.requesting.clock_identity.hex(),
        "ptp.v2.pdrs.requestingsourceportid": lambda m: str(m.requesting.port_number),
    },
    PdelayRespFollowUp: times("ptp.v2.pdfu.responseorigintimestamp", lambda m: m.response_origin_ns)  # type: ignore[attr-defined]
    | {
        "ptp.v2.pdfu.requestingportidentity": lambda m: "0x" + m.requesting.clock_identity.hex(),
        "ptp.v2.pdfu.requestingsourceportid": lambda m: str(m.requesting.port_number),
    },
    Announce: times("ptp.v2.an.origintimestamp", lambda m: m.origin_ns)  # type: ignore[attr-defined]
    | {
        "ptp.v2.an.origincurrentutcoffset": lambda m: str(m.current_utc_offset),
        "ptp.v2.timesource": lambda m: f"0x{m.time_source:02x}",
        "ptp.v2.an.localstepsremoved": lambda m: str(m.steps_removed),
        "ptp.v2.an.grandmasterclockidentity": lambda m: "0x" + m.grandmaster.hex(),
        "ptp.v2.an.grandmasterclockclass": lambda m: str(m.quality.clock_class),
        "ptp.v2.an.grandmasterclockaccuracy": lambda m: f"0x{m.quality.clock_accuracy:02x}",
        "ptp.v2.an.grandmasterclockvariance": lambda m: str(m.quality.offset_scaled_log_variance),
        "ptp.v2.an.priority1": lambda m: str(m.priority1),
        "ptp.v2.an.priority2": lambda m: str(m.priority2),
    },
    Signaling: {
        "ptp.v2.sig.targetportidentity": lambda m: "0x" + m.target.clock_identity.hex(),
        "ptp.v2.sig.targetportid": lambda m: str(m.target.port_number),
        "ptp.v2.sig.tlv.tlvType": lambda m: ",".join(str(tlv.tlv_type) for tlv in m.tlvs),
        "ptp.v2.sig.tlv.lengthField": lambda m: ",".join(str(len(tlv.value)) for tlv in m.tlvs),
    },
    Management: {
        "ptp.v2.mm.targetportidentity": lambda m: "0x" + m.target.clock_identity.hex(),
        "ptp.v2.mm.targetportid": lambda m: str(m.target.port_number),
        "ptp.v2.mm.startingboundaryhops": lambda m: str(m.starting_boundary_hops),
        "ptp.v2.mm.boundaryhops": lambda m: str(m.boundary_hops),
        "ptp.v2.mm.action": lambda m: str(m.action & 0x0F),
        "ptp.v2.mm.tlvType": lambda m: str(m.tlvs[0].tlv_type),
        "ptp.v2.mm.lengthField": lambda m: str(len(m.tlvs[0].value)),
    },
}
#: under the sdoId of 802.1AS tshark has names of its own for the TLV.
GPTP_NAMES = {
    "ptp.v2.sig.tlv.tlvType": "ptp.as.sig.tlvType",
    "ptp.v2.sig.tlv.lengthField": "ptp.as.sig.lengthField",
}
FIELDS = sorted({*HEADER, *GPTP_NAMES.values(), "frame.time_epoch", *(name for body in BODY.values() for name in body)})


def dissected(path: Path) -> list[dict[str, str]]:
    """Every frame's fields as tshark reads them; one run."""
    command = ["tshark", "-n", "-r", str(path), "-T", "fields", "-E", "separator=|"]
    for field in FIELDS:
        command += ["-e", field]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    if "fields aren't valid" in done.stderr:
        pytest.skip("this tshark gives the fields of PTP other names")
    assert done.returncode == 0, done.stderr
    return [dict(zip(FIELDS, line.split("|"), strict=True)) for line in done.stdout.splitlines()]


def compare(path: Path) -> int:
    """Assert that decode and tshark agree on every field; how many were compared."""
    frames = list(read_capture(path))
    rows = dissected(path)
    assert len(rows) == len(frames)
    compared = 0
    for number, (frame, row) in enumerate(zip(frames, rows, strict=True), start=1):
        message = decode(payload_of(frame).octets)
        for field, get in (HEADER | BODY[type(message)]).items():
            if message.sdo_id == 0x100:
                field = GPTP_NAMES.get(field, field)
            assert get(message) == row[field], f"frame {number}: {field}"
            compared += 1
        assert frame.time_ns is not None
        assert f"{frame.time_ns // 10**9}.{frame.time_ns % 10**9:09d}" == row["frame.time_epoch"]
    return compared


@needs_tshark
@pytest.mark.parametrize("name", COUNTS)
def test_fields_equal_those_of_tshark(test_data: Path, name: str) -> None:
    frames = sum(COUNTS[name].values())
    assert compare(capture_path(test_data, name)) >= frames * (len(HEADER) + 2)


@needs_tshark
def test_written_examples_equal_those_of_tshark(tmp_path: Path) -> None:
    """What we write, tshark reads: the capture file and every example in it."""
    path = tmp_path / "examples.pcap"
    ethernet = bytes.fromhex("011b19000000 020000000001 88f7")
    frames = [
        CapturedFrame(1767225600_000000001 + i, 1, ethernet + octets, 14 + len(octets))
        for i, octets in enumerate(encode(decode(octets)) for octets in EXAMPLES.values())
    ]
    assert write_pcap(path, frames) == len(EXAMPLES)
    assert compare(path) >= len(EXAMPLES) * (len(HEADER) + 2)


@needs_tshark
@pytest.mark.parametrize("name", COUNTS)
def test_pcapng_made_by_tshark_has_the_same_frames(test_data: Path, tmp_path: Path, name: str) -> None:
    original = capture_path(test_data, name)
    copy = tmp_path / "copy.pcapng"
    subprocess.run(["tshark", "-r", original, "-F", "pcapng", "-w", copy], check=True, capture_output=True, timeout=60)
    assert copy.read_bytes()[:4] == b"\x0a\x0d\x0d\x0a"
    assert list(read_capture(copy)) == list(read_capture(original))
