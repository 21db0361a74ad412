import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ptpstack.clocks import phc_abi as abi
from ptpstack.clocks.timex import Timex, scaled_ppm, set_offset

from . import fakes


@pytest.mark.skipif(abi.ioc("read", 1, 80) != 0x80503D01, reason="this machine encodes the direction differently")
def test_request_numbers() -> None:
    assert (abi.CLOCK_GETCAPS, abi.CLOCK_GETCAPS2) == (fakes.GETCAPS, fakes.GETCAPS2)
    assert (abi.SYS_OFFSET, abi.SYS_OFFSET2) == (fakes.OFFSET, fakes.OFFSET2)
    assert (abi.SYS_OFFSET_PRECISE, abi.SYS_OFFSET_PRECISE2) == (fakes.PRECISE, fakes.PRECISE2)
    assert (abi.SYS_OFFSET_EXTENDED, abi.SYS_OFFSET_EXTENDED2) == (fakes.EXTENDED, fakes.EXTENDED2)


@pytest.mark.parametrize(
    ("machine", "none", "read", "write", "both"),
    [
        ("x86_64", 0x00003D13, 0x80503D01, 0x40103D02, 0xC4C03D09),
        ("aarch64", 0x00003D13, 0x80503D01, 0x40103D02, 0xC4C03D09),
        ("ppc64le", 0x20003D13, 0x40503D01, 0x80103D02, 0xC4C03D09),
        ("mips64", 0x20003D13, 0x40503D01, 0x80103D02, 0xC4C03D09),
        ("sparc64", 0x20003D13, 0x40503D01, 0x80103D02, 0xC4C03D09),
    ],
)
def test_ioc_by_architecture(machine: str, none: int, read: int, write: int, both: int) -> None:
    assert abi.ioc("none", 19, 0, machine) == none
    assert abi.ioc("read", 1, 80, machine) == read
    assert abi.ioc("write", 2, 16, machine) == write
    assert abi.ioc("read+write", 9, 1216, machine) == both


@pytest.mark.parametrize(("fd", "clock_id"), [(3, -29), (4, -37), (5, -45)])
def test_dynamic_clock_id(fd: int, clock_id: int) -> None:
    assert abi.clock_id_of_fd(fd) == clock_id
    assert abi.fd_of_clock_id(clock_id) == fd


def test_a_time_is_floored() -> None:
    octets = abi.pack_time(-300_000_000)
    assert struct.unpack("=qII", octets) == (-1, 700_000_000, 0)
    assert abi.unpack_precise(octets + abi.pack_time(5) + bytes(32)) == (-300_000_000, 5)


def test_sample_count_is_clamped() -> None:
    assert [abi.request_with_samples(n, 832)[0] for n in (-3, 0, 1, 25, 26)] == [1, 1, 1, 25, 25]


def test_samples() -> None:
    octets = abi.request_with_samples(2, 832)
    for k, ns in enumerate((10, 1010, 30, 1050, 60)):
        octets[16 + 16 * k : 32 + 16 * k] = abi.pack_time(ns)
    assert list(abi.unpack_sys_offset(octets)) == [(10, 1010, 30), (30, 1050, 60)]
    octets = abi.request_with_samples(2, 1216)
    for k, ns in enumerate((10, 1010, 30, 40, 1050, 60)):
        octets[16 + 16 * k : 32 + 16 * k] = abi.pack_time(ns)
    assert list(abi.unpack_extended(octets)) == [(10, 1010, 30), (40, 1050, 60)]


def test_timex_octets() -> None:
    timex = Timex(modes=0x2102, freq=-655_360, maxerror=7, esterror=8, status=0x40, constant=37)
    timex.time_s, timex.time_fraction, timex.tick, timex.tai = -1, 700_000_000, 10_001, 36
    octets = timex.pack()
    assert len(octets) == 208
    where = {0: ("I", 0x2102), 16: ("q", -655_360), 24: ("q", 7), 32: ("q", 8), 40: ("i", 0x40), 48: ("q", 37)}
    where |= {72: ("q", -1), 80: ("q", 700_000_000), 88: ("q", 10_001), 160: ("i", 36)}
    for offset, (code, value) in where.items():
        assert struct.unpack_from("=" + code, octets, offset)[0] == value
    assert Timex.unpack(octets) == timex


@given(st.integers(-(10**15), 10**15))
def test_set_offset_is_floored(delta_ns: int) -> None:
    timex = set_offset(delta_ns)
    assert timex.modes == 0x2100
    assert 0 <= timex.time_fraction < 10**9
    assert timex.time_s * 10**9 + timex.time_fraction == delta_ns


@given(st.floats(-2e9, 2e9), st.integers(1, 10**9))
def test_the_kernel_never_finds_a_frequency_out_of_range(ppb: float, limit: int) -> None:
    scaled = scaled_ppm(ppb, limit)
    assert abs(((1 + scaled) * 125) >> 13) <= limit
    if abs(ppb) <= limit:
        assert abs(scaled / 65.536 - ppb) < 0.0153
