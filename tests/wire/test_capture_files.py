"""pcap and pcapng made octet by octet: both byte orders, all packet blocks, and every kind of damage."""

from __future__ import annotations

import io
import struct
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ptpstack.wire.capture import CapturedFrame, CaptureError, read_capture, read_frames, write_pcap

T = 1767225637
FRAMES = [b"first frame", b"", b"third"]


def pcap(order: str, magic: int, fraction: int, *, link: int = 1, frames: list[bytes] = FRAMES) -> bytes:
    out = struct.pack(order + "IHHiIII", magic, 2, 4, 0, 0, 65535, link)
    for index, octets in enumerate(frames):
        out += struct.pack(order + "IIII", T + index, fraction, len(octets), len(octets) + index) + octets
    return out


def block(order: str, number: int, body: bytes) -> bytes:
    body += bytes(-len(body) % 4)
    length = len(body) + 12
    return struct.pack(order + "II", number, length) + body + struct.pack(order + "I", length)


def section(order: str) -> bytes:
    return block(order, 0x0A0D0D0A, struct.pack(order + "IHHq", 0x1A2B3C4D, 1, 0, -1))


def interface(order: str, link: int = 1, snap: int = 0, *options: tuple[int, bytes]) -> bytes:
    body = struct.pack(order + "HHI", link, 0, snap)
    for code, value in options:
        body += struct.pack(order + "HH", code, len(value)) + value + bytes(-len(value) % 4)
    return block(order, 1, body)


def enhanced(order: str, units: int, octets: bytes, index: int = 0) -> bytes:
    head = struct.pack(order + "IIIII", index, units >> 32, units & 0xFFFFFFFF, len(octets), len(octets) + 5)
    return block(order, 6, head + octets)


def read(octets: bytes) -> list[CapturedFrame]:
    return list(read_frames(io.BytesIO(octets), "made"))


def read_damaged(octets: bytes) -> tuple[list[CapturedFrame], CaptureError]:
    frames: list[CapturedFrame] = []
    with pytest.raises(CaptureError) as caught:
        frames.extend(read_frames(io.BytesIO(octets), "made"))
    assert str(caught.value).startswith(f"made: octet {caught.value.offset}: ")
    assert 0 <= caught.value.offset <= len(octets)
    return frames, caught.value


# ------------------------------------------------------------------------------------------------------- pcap


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize(("magic", "fraction"), [(0xA1B2C3D4, 123456), (0xA1B23C4D, 123456000)])
def test_pcap(order: str, magic: int, fraction: int) -> None:
    assert read(pcap(order, magic, fraction)) == [
        CapturedFrame((T + i) * 10**9 + 123456000, 1, octets, len(octets) + i) for i, octets in enumerate(FRAMES)
    ]


def test_pcap_link_type_without_the_frame_check_sequence_bits() -> None:
    assert read(pcap("<", 0xA1B23C4D, 0, link=0x54000000 | 276))[0].link_type == 276


@pytest.mark.parametrize("cut", range(1, 16 + 5))
def test_pcap_cut_anywhere_in_its_last_record(cut: int) -> None:
    whole = pcap("<", 0xA1B23C4D, 0)
    frames, error = read_damaged(whole[:-cut])
    assert [frame.octets for frame in frames] == FRAMES[:2]
    assert "ends" in error.reason


def test_pcap_cut_between_records_is_whole() -> None:
    assert len(read(pcap("<", 0xA1B23C4D, 0)[: -(16 + 5)])) == 2


@pytest.mark.parametrize("size", range(24))
def test_pcap_cut_in_its_header(size: int) -> None:
    frames, _ = read_damaged(pcap("<", 0xA1B23C4D, 0)[:size])
    assert frames == []


def test_pcap_with_an_impossible_record() -> None:
    good = pcap("<", 0xA1B2C3D4, 0)
    huge = good + struct.pack("<IIII", T, 0, 0x7FFFFFFF, 0x7FFFFFFF) + bytes(100)
    frames, error = read_damaged(huge)
    assert len(frames) == 3
    assert error.offset == len(good) + 8
    frames, error = read_damaged(good + struct.pack("<IIII", T, 1_000_000, 0, 0))
    assert len(frames) == 3
    assert "fraction" in error.reason


@pytest.mark.parametrize("octets", [b"", b"abc", b"GIF89a....", b"\x1f\x8b\x08\x00rest of it"])
def test_what_is_no_capture(octets: bytes) -> None:
    frames, _ = read_damaged(octets)
    assert frames == []


def test_pcap_version() -> None:
    octets = bytearray(pcap("<", 0xA1B2C3D4, 0))
    octets[4] = 3
    assert "version 3.4" in read_damaged(bytes(octets))[1].reason


# ----------------------------------------------------------------------------------------------------- pcapng


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize(
    ("options", "units", "expected"),
    [
        ((), T * 10**6 + 5, T * 10**9 + 5000),
        (((9, b"\x09"),), T * 10**9 + 5, T * 10**9 + 5),
        (((9, b"\x06"),), T * 10**6 + 5, T * 10**9 + 5000),
        (((9, b"\x00"),), T, T * 10**9),
        (((9, b"\x8a"),), T * 1024 + 512, T * 10**9 + 500_000_000),
        (((2, b"eth0"), (9, b"\x09"), (0, b"")), T * 10**9, T * 10**9),
        (((0, b""), (9, b"\x09")), T * 10**6, T * 10**9),
    ],
)
def test_pcapng_time_stamp_resolution(
    order: str, options: tuple[tuple[int, bytes], ...], units: int, expected: int
) -> None:
    octets = section(order) + interface(order, 1, 0, *options) + enhanced(order, units, b"frame")
    assert read(octets) == [CapturedFrame(expected, 1, b"frame", 10)]


@pytest.mark.parametrize("order", ["<", ">"])
def test_pcapng_time_stamp_offset(order: str) -> None:
    offset = (14, struct.pack(order + "q", -3600))
    octets = section(order) + interface(order, 1, 0, offset) + enhanced(order, T * 10**6, b"frame")
    assert read(octets)[0].time_ns == (T - 3600) * 10**9


@pytest.mark.parametrize("order", ["<", ">"])
def test_pcapng_all_packet_blocks_and_others_between(order: str) -> None:
    simple = block(order, 3, struct.pack(order + "I", 11) + b"simple")
    old = block(order, 2, struct.pack(order + "HHIIII", 1, 0, 0, 7, 3, 4) + b"old")
    names = block(order, 4, bytes(8))
    custom = block(order, 0xBAD, b"whatever")
    octets = (
        section(order)
        + interface(order, 1, 6)
        + interface(order, 113, 0, (9, b"\x09"))
        + custom
        + enhanced(order, 1, b"enhanced", 1)
        + simple
        + names
        + old
    )
    assert read(octets) == [
        CapturedFrame(1, 113, b"enhanced", 13, 1),
        CapturedFrame(None, 1, b"simple", 11),
        CapturedFrame(7, 113, b"old", 4, 1),
    ]


def test_pcapng_sections_of_both_byte_orders_number_their_own_interfaces() -> None:
    octets = b"".join(section(o) + interface(o, 1 if o == "<" else 276) + enhanced(o, 0, b"ab") for o in "<><")
    assert [frame.link_type for frame in read(octets)] == [1, 276, 1]


def test_pcapng_cut_at_every_octet() -> None:
    blocks = [section("<"), interface("<"), enhanced("<", 1, b"one"), enhanced("<", 2, b"two")]
    octets = b"".join(blocks)
    ends = [sum(map(len, blocks[:count])) for count in range(1, 5)]
    for size in range(len(octets)):
        expected = sum(size >= end for end in ends[2:])
        if size in ends:
            assert len(read(octets[:size])) == expected
        else:
            frames, _ = read_damaged(octets[:size])
            assert len(frames) == expected


@pytest.mark.parametrize(
    ("damage", "reason"),
    [
        (enhanced("<", 0, b"ab", 7), "interface 7"),
        (block("<", 6, struct.pack("<IIIII", 0, 0, 0, 999, 999)), "packet of 999"),
        (block("<", 6, bytes(8)), "too short"),
        (block("<", 3, b""), "too short"),
        (block("<", 1, bytes(4)), "too short"),
        (struct.pack("<II", 6, 13) + bytes(20), "block length 13"),
        (struct.pack("<II", 6, 8) + bytes(20), "block length 8"),
        (struct.pack("<II", 6, 0x7FFFFFFC) + bytes(20), "block length"),
        (struct.pack("<II", 99, 16) + bytes(4) + struct.pack("<I", 20), "differ"),
        (struct.pack("<III", 0x0A0D0D0A, 28, 0x12345678) + bytes(16), "byte-order magic"),
        (block("<", 0x0A0D0D0A, struct.pack("<IHHq", 0x1A2B3C4D, 2, 0, -1)), "pcapng version 2"),
    ],
)
def test_pcapng_damage_is_told_and_frames_before_it_are_kept(damage: bytes, reason: str) -> None:
    good = section("<") + interface("<") + enhanced("<", 1, b"kept")
    frames, error = read_damaged(good + damage)
    assert [frame.octets for frame in frames] == [b"kept"]
    assert reason in error.reason
    assert error.offset >= len(good)


@given(st.binary(max_size=200), st.sampled_from(["pcap", "pcapng", "none"]), st.integers(0, 250))
@settings(max_examples=400, deadline=None)
def test_only_capture_error_comes_out(noise: bytes, kind: str, cut: int) -> None:
    good = {
        "pcap": pcap(">", 0xA1B23C4D, 5),
        "pcapng": section("<") + interface("<") + enhanced("<", 1, b"one") + enhanced("<", 2, b"two"),
        "none": b"",
    }[kind][:cut]
    frames: list[CapturedFrame] = []
    offset = 0
    try:
        frames.extend(read_frames(io.BytesIO(good + noise)))
    except CaptureError as error:
        offset = error.offset
    assert 0 <= offset <= len(good + noise)
    assert sum(len(frame.octets) for frame in frames) <= len(good + noise)


# ---------------------------------------------------------------------------------------------------- writing


def test_written_frames_are_read_back(tmp_path: Path) -> None:
    path = tmp_path / "out.pcap"
    frames = [
        CapturedFrame(T * 10**9 + 123456789, 1, b"whole", 5),
        CapturedFrame(0, 1, b"cut", 1500),
        CapturedFrame(((1 << 32) - 1) * 10**9 + 999999999, 1, b"", 0),
    ]
    assert write_pcap(path, frames) == 3
    assert list(read_capture(path)) == frames


def test_writing_refuses_what_the_format_cannot_say(tmp_path: Path) -> None:
    path = tmp_path / "out.pcap"
    with pytest.raises(ValueError, match="link type 113"):
        write_pcap(path, [CapturedFrame(0, 113, b"x", 1)])
    for time_ns in (-1, (1 << 32) * 10**9):
        with pytest.raises(ValueError, match="frame 2"):
            write_pcap(path, [CapturedFrame(0, 1, b"x", 1), CapturedFrame(time_ns, 1, b"x", 1)])
        assert len(list(read_capture(path))) == 1


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        list(read_capture(tmp_path / "none.pcap"))
