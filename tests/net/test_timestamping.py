"""Control messages and error queue entries as octets: right ones, short ones, foreign ones."""

from __future__ import annotations

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ptpstack.net import timestamping as ts

TIMES = struct.pack("=6q", 10, 1, 20, 2, 30, 3)


def extended(number: int = 42, origin: int = 4, info: int = 0, data: int = 7) -> bytes:
    return struct.pack("=IBBBxII", number, origin, 0, 0, info, data)


@pytest.mark.parametrize("kind", [37, 65])
def test_each_index_is_its_own_clock(kind: int) -> None:
    assert ts.stamp_of([(1, kind, TIMES)], ts.SOFTWARE_INDEX) == 10_000_000_001
    assert ts.stamp_of([(1, kind, TIMES)], ts.HARDWARE_INDEX) == 30_000_000_003


def test_the_old_layout_of_32_bit_machines() -> None:
    assert ts.stamp_of([(1, 37, struct.pack("=6l", 10, 1, 0, 0, 0, 0))], 0) == 10_000_000_001


@pytest.mark.parametrize(
    "ancillary",
    [
        [],
        [(1, 65, bytes(48))],
        [(1, 65, TIMES[:47])],
        [(1, 65, TIMES + b"\0")],
        [(0, 65, TIMES)],
        [(1, 35, TIMES)],
        [(1, 65, struct.pack("=6q", 0, 0, 0, 0, 30, 3))],
    ],
    ids=["none", "zero", "short", "long", "level", "type", "only-hardware"],
)
def test_what_is_no_software_stamp(ancillary: list[tuple[int, int, bytes]]) -> None:
    assert ts.stamp_of(ancillary, ts.SOFTWARE_INDEX) is None


def test_other_control_messages_do_not_hide_the_stamp() -> None:
    assert ts.stamp_of([(0, 8, bytes(12)), (1, 65, TIMES)], 0) == 10_000_000_001


@pytest.mark.parametrize(("level", "kind", "rest"), [(0, 11, bytes(16)), (41, 25, bytes(28)), (263, 16, b"")])
def test_a_transmit_stamp_on_each_kind_of_socket(level: int, kind: int, rest: bytes) -> None:
    ancillary = [(1, 65, TIMES), (level, kind, extended(data=0xFFFFFFFF) + rest)]
    assert ts.transmit_stamp_of(ancillary, ts.HARDWARE_INDEX) == (0xFFFFFFFF, 30_000_000_003)


@pytest.mark.parametrize(
    "entry",
    [extended(number=111), extended(origin=2), extended(info=1), extended(info=3), extended()[:15]],
    ids=["icmp-errno", "icmp-origin", "scheduled", "completion", "short"],
)
def test_what_is_no_transmit_stamp(entry: bytes) -> None:
    assert ts.transmit_stamp_of([(1, 65, TIMES), (0, 11, entry)], 0) is None
    assert ts.transmit_stamp_of([(0, 11, entry)], 0) is None


@given(st.lists(st.tuples(st.integers(0, 300), st.integers(0, 100), st.binary(max_size=70)), max_size=4))
def test_nothing_raises(ancillary: list[tuple[int, int, bytes]]) -> None:
    ts.transmit_stamp_of(ancillary, 0)
    ts.transmit_stamp_of(ancillary, 2)


def test_the_numbers_asked_for() -> None:
    assert ts.flags_for("hardware", transmit=True) == 0x41 | 0x880
    assert ts.flags_for("hardware", transmit=False) == 0x44
    assert ts.flags_for("software", transmit=True) == 0x12 | 0x880
    assert ts.flags_for("software", transmit=False) == 0x18
