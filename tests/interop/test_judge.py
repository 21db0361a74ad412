"""The judge of frames must be able to say no."""

from __future__ import annotations

from pathlib import Path

import pytest

from ptpstack.wire.capture import LINK_ETHERNET, CapturedFrame, write_pcap
from ptpstack.wire.codec import encode
from ptpstack.wire.errors import MalformedFrame
from ptpstack.wire.messages import Announce, Sync
from ptpstack.wire.types import PortIdentity
from tests.interop.bench import Outcome, need_peers
from tests.interop.frames import expert_complaints, judge_frames

pytestmark = pytest.mark.interop

ETHERNET = bytes.fromhex("011b19000000 020000000001 88f7")
SOURCE = PortIdentity(bytes.fromhex("020000fffe000001"), 1)


def captured(folder: Path, *payloads: bytes) -> Outcome:
    path = folder / "frames.pcap"
    write_pcap(path, [CapturedFrame(0, LINK_ETHERNET, ETHERNET + p, 14 + len(p)) for p in payloads])
    path.with_suffix(".tcpdump").write_text("listening\n0 packets dropped by kernel\n")
    return Outcome(captures=[path])


@pytest.fixture(autouse=True)
def _peers() -> None:
    need_peers()


def test_good_frames_pass(tmp_path: Path) -> None:
    good = [encode(Sync(SOURCE, 1)), encode(Announce(SOURCE, 2))]
    assert judge_frames([captured(tmp_path, *good)], tmp_path) == {"SYNC": 1, "ANNOUNCE": 1}


def test_a_cut_frame_does_not_pass(tmp_path: Path) -> None:
    cut = encode(Announce(SOURCE, 2))[:-4]
    outcome = captured(tmp_path, cut)
    with pytest.raises(MalformedFrame):
        judge_frames([outcome], tmp_path)
    assert expert_complaints(outcome.captures[0])


def test_stray_octets_do_not_pass(tmp_path: Path) -> None:
    with pytest.raises(AssertionError, match="stray"):
        judge_frames([captured(tmp_path, encode(Sync(SOURCE, 1)) + b"\1")], tmp_path)


def test_an_incomplete_capture_does_not_pass(tmp_path: Path) -> None:
    outcome = captured(tmp_path, encode(Sync(SOURCE, 1)))
    outcome.captures[0].with_suffix(".tcpdump").write_text("3 packets dropped by kernel\n")
    with pytest.raises(AssertionError, match="not complete"):
        judge_frames([outcome], tmp_path)
