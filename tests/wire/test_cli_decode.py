"""ptpstack decode, run as a person runs it."""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from pathlib import Path

import pytest

from ptpstack.cli import decode as command
from ptpstack.wire.capture import CapturedFrame, write_pcap
from tests.wire.examples import EXAMPLES

ETHERNET = bytes.fromhex("011b19000000 020000000001 88f7")
T = 1767225600 * 10**9


@pytest.fixture
def capture(tmp_path: Path) -> Path:
    """Sync, Follow_Up, Announce in domain 254, a truncated Delay_Req, a version 1 frame, ARP."""
    names = ("sync_two_step", "follow_up", "announce_c37_238_2017")
    frames = [ETHERNET + EXAMPLES[name] for name in names]
    frames.append(ETHERNET + EXAMPLES["delay_req"][:-4])
    frames.append(ETHERNET + b"\0\1" + bytes(122))
    frames.append(ETHERNET[:12] + b"\x08\x06" + bytes(28))
    path = tmp_path / "mixed.pcap"
    write_pcap(path, [CapturedFrame(T + i, 1, octets, len(octets)) for i, octets in enumerate(frames)])
    return path


def test_text(capture: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert command.main([str(capture)]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 6
    assert lines[0] == (
        "2026-01-01 00:00:00.000000000  02:00:00:00:00:01 > 01:1b:19:00:00:00  802.3  "
        "Sync seq 4660 dom 0 from 001b21.fffe.aabbcc-1 two-step log 0"
    )
    assert "MALFORMED truncated at octet 40" in lines[3]
    assert "MALFORMED version-1" in lines[4]
    assert lines[5] == (
        "6 frames: 1 Sync, 1 Follow_Up, 1 Announce; malformed: 1 truncated, 1 version-1; not PTP: 1 other"
    )


def test_json(capture: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert command.main([str(capture), "--json"]) == 0
    captured = capsys.readouterr()
    rows = [json.loads(line) for line in captured.out.splitlines()]
    assert [row.get("messageType") for row in rows] == ["Sync", "Follow_Up", "Announce", None, None]
    assert (rows[1]["timeSeconds"], rows[1]["timeNanoseconds"]) == (T // 10**9, 1)
    assert rows[1]["preciseOriginTimestamp"]["nanosecondsField"] == 123456789
    assert rows[3]["malformed"] == "truncated"
    assert bytes.fromhex(rows[3]["octets"]) == EXAMPLES["delay_req"][:-4]
    assert captured.err.startswith("6 frames: ")


def test_verbose_shows_fields_and_what_is_not_ptp(capture: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert command.main([str(capture), "-v"]) == 0
    out = capsys.readouterr().out
    assert "    flagField: 512 (twoStepFlag)\n" in out
    assert "    preciseOriginTimestamp: 2026-01-01T00:00:37.123456789\n" in out
    assert "      totalTimeInaccuracy: 250\n" in out
    assert "not PTP: other (EtherType 0x0806)" in out


@pytest.mark.parametrize(
    ("options", "shown"),
    [
        (["--type", "sync"], 2),  # and the version 1 frame, whose first octet reads as Sync
        (["--type", "Follow_Up,announce"], 2),
        (["--domain", "254"], 1),
        (["--domain", "0"], 4),
        (["--type", "announce", "--domain", "0"], 0),
        (["--limit", "2"], 2),
        (["--limit", "99"], 5),
    ],
)
def test_filters(capture: Path, capsys: pytest.CaptureFixture[str], options: list[str], shown: int) -> None:
    assert command.main([str(capture), *options]) == 0
    assert len(capsys.readouterr().out.splitlines()) == shown + 1


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--type", "hello"], "'hello' is not a message type; known: sync, delay_req"),
        (["--domain", "256"], "0..255"),
        (["--domain", "x"], "0..255"),
        (["--limit", "0"], "1 or more"),
    ],
)
def test_usage_errors(capture: Path, capsys: pytest.CaptureFixture[str], options: list[str], said: str) -> None:
    with pytest.raises(SystemExit) as caught:
        command.main([str(capture), *options])
    assert caught.value.code == 2
    assert said in capsys.readouterr().err


def test_damaged_capture_shows_what_was_before(capture: Path, capsys: pytest.CaptureFixture[str]) -> None:
    capture.write_bytes(capture.read_bytes()[:-3])
    assert command.main([str(capture)]) == 1
    captured = capsys.readouterr()
    assert captured.out.splitlines()[-1].startswith("5 frames: ")
    assert f"{capture}: octet" in captured.err


def test_file_that_is_not_there(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert command.main([str(tmp_path / "none.pcap")]) == 1
    assert "none.pcap: No such file" in capsys.readouterr().err


def test_standard_input_and_module(capture: Path) -> None:
    with capture.open("rb") as stream:
        done = subprocess.run(
            [sys.executable, "-m", "ptpstack.cli.decode", "-"], stdin=stream, capture_output=True, text=True, timeout=30
        )
    assert done.returncode == 0
    assert done.stderr == ""
    assert done.stdout.splitlines()[-1].startswith("6 frames: 1 Sync")


def test_reader_that_leaves_early(tmp_path: Path) -> None:
    path = tmp_path / "many.pcap"
    octets = ETHERNET + EXAMPLES["announce"]
    write_pcap(path, (CapturedFrame(T, 1, octets, len(octets)) for _ in range(5000)))
    process = subprocess.Popen(
        [sys.executable, "-m", "ptpstack.cli.decode", str(path)], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    assert process.stdout is not None
    assert process.stderr is not None
    assert process.stdout.readline().startswith(b"2026")
    process.stdout.close()
    complaint = process.stderr.read()
    process.stderr.close()
    assert process.wait(timeout=30) == 0
    assert complaint == b""


def test_add_parser() -> None:
    parser = argparse.ArgumentParser()
    command.add_parser(parser.add_subparsers())
    args = parser.parse_args(["decode", "x.pcap", "--type", "sync", "--limit", "3"])
    assert args.func is command.run
    assert args.limit == 3


def test_time_beyond_the_calendar() -> None:
    assert command.time_text(None) == "-"
    assert command.time_text(10**12 * 10**9 + 5) == "1000000000000.000000005"
