"""PTP in every wrapping, and the reason where there is none."""

from __future__ import annotations

import ipaddress
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ptpstack.wire.capture import CapturedFrame
from ptpstack.wire.encapsulation import NotPtp, PtpPayload, extract, format_ipv6
from tests.wire.examples import EXAMPLES

PTP = EXAMPLES["sync_two_step"]
MACS = bytes.fromhex("011b19000000 020000000001")
V6_SOURCE = ipaddress.IPv6Address("fe80::1")
V6_GROUP = ipaddress.IPv6Address("ff0e::181")


def udp(payload: bytes = PTP, port: int = 319, length: int | None = None) -> bytes:
    return struct.pack(">HHHH", port, port, 8 + len(payload) if length is None else length, 0) + payload


def ipv4(body: bytes, *, options: bytes = b"", fragment: int = 0, protocol: int = 17) -> bytes:
    header = 20 + len(options)
    return (
        struct.pack(">BBHHHBBH", 0x40 | header // 4, 0, header + len(body), 1, fragment, 1, protocol, 0)
        + bytes((192, 0, 2, 1, 224, 0, 1, 129))
        + options
        + body
    )


def ipv6(body: bytes, following: int = 17) -> bytes:
    return struct.pack(">IHBB", 0x60000000, len(body), following, 1) + V6_SOURCE.packed + V6_GROUP.packed + body


def ethernet(ethertype: int, body: bytes, *tags: tuple[int, int]) -> bytes:
    tagged = b"".join(struct.pack(">HH", tpid, tci) for tpid, tci in tags)
    return MACS + tagged + struct.pack(">H", ethertype) + body


def unwrap(link_type: int, octets: bytes) -> PtpPayload | NotPtp:
    return extract(CapturedFrame(0, link_type, octets, len(octets)))


def found(link_type: int, octets: bytes) -> PtpPayload:
    payload = unwrap(link_type, octets)
    assert isinstance(payload, PtpPayload), payload
    return payload


def reason(link_type: int, octets: bytes) -> str:
    payload = unwrap(link_type, octets)
    assert isinstance(payload, NotPtp), payload
    return payload.reason


def test_ethernet_keeps_the_padding() -> None:
    payload = found(1, ethernet(0x88F7, PTP + bytes(2)))
    assert payload == PtpPayload(PTP + bytes(2), "802.3", "02:00:00:00:00:01", "01:1b:19:00:00:00")


@pytest.mark.parametrize(
    ("tags", "vlans"),
    [
        (((0x8100, 0x8005),), (5,)),
        (((0x88A8, 0x0064), (0x8100, 0x0FFF)), (100, 4095)),
        (((0x9100, 1), (0x8100, 2)), (1, 2)),
    ],
)
def test_vlan_tags(tags: tuple[tuple[int, int], ...], vlans: tuple[int, ...]) -> None:
    for ethertype, body in ((0x88F7, PTP), (0x0800, ipv4(udp())), (0x86DD, ipv6(udp()))):
        payload = found(1, ethernet(ethertype, body, *tags))
        assert payload.vlans == vlans
        assert payload.octets == PTP


def test_ipv4_with_options_and_ethernet_padding() -> None:
    payload = found(1, ethernet(0x0800, ipv4(udp(port=320), options=bytes(8)) + b"pad"))
    assert payload == PtpPayload(PTP, "UDPv4", "192.0.2.1", "224.0.1.129", 320, 320)


def test_ipv6_with_its_two_trailing_octets() -> None:
    payload = found(1, ethernet(0x86DD, ipv6(udp(PTP + b"\0\0")) + b"pad"))
    assert payload == PtpPayload(PTP + b"\0\0", "UDPv6", "fe80::1", "ff0e::181", 319, 319)


def test_ipv6_extension_headers() -> None:
    body = udp()
    for length, (number, header) in enumerate(
        [
            (0, bytes((17, 0)) + bytes(6)),
            (60, bytes((17, 1)) + bytes(14)),
            (43, bytes((17, 2)) + bytes(22)),
            (51, bytes((17, 4)) + bytes(22)),
            (44, bytes((17, 0)) + bytes(6)),  # an atomic fragment: offset 0, none to follow
        ]
    ):
        assert found(1, ethernet(0x86DD, ipv6(header + body, number))).octets == PTP, length
    chain = bytes((60, 0)) + bytes(6) + bytes((17, 0)) + bytes(6)
    assert found(1, ethernet(0x86DD, ipv6(chain + body, 0))).octets == PTP


@pytest.mark.parametrize("fragment", [0x2000, 0x0001, 0x3FFF])
def test_ipv4_fragments_are_passed_over_with_a_reason(fragment: int) -> None:
    assert reason(1, ethernet(0x0800, ipv4(udp(), fragment=fragment))) == "fragment"
    # don't fragment is no fragment
    assert found(1, ethernet(0x0800, ipv4(udp(), fragment=0x4000))).octets == PTP


@pytest.mark.parametrize("offset", [1, 8])
def test_ipv6_fragments_are_passed_over_with_a_reason(offset: int) -> None:
    header = struct.pack(">BBHI", 17, 0, offset, 1)
    assert reason(1, ethernet(0x86DD, ipv6(header + udp(), 44))) == "fragment"


def test_linux_cooked() -> None:
    head = struct.pack(">HHH8sH", 2, 1, 6, bytes.fromhex("0200000000010000"), 0x88F7)
    assert found(113, head + PTP) == PtpPayload(PTP, "802.3", "02:00:00:00:00:01", "")
    assert found(113, head[:14] + b"\x08\x00" + ipv4(udp())).transport == "UDPv4"
    assert found(113, head[:14] + bytes.fromhex("8100000588f7") + PTP).vlans == (5,)


def test_linux_cooked_2() -> None:
    rest = struct.pack(">HIHBB8s", 0, 2, 1, 2, 6, bytes.fromhex("0200000000010000"))
    assert found(276, b"\x88\xf7" + rest + PTP) == PtpPayload(PTP, "802.3", "02:00:00:00:00:01", "")
    assert found(276, b"\x86\xdd" + rest + ipv6(udp())).transport == "UDPv6"


@pytest.mark.parametrize("link", [12, 14, 101, 228, 229])
def test_raw_ip(link: int) -> None:
    assert found(link, ipv4(udp())).octets == PTP
    assert found(link, ipv6(udp())).octets == PTP
    assert reason(link, b"\x50" + bytes(60)) == "ip-header"


@pytest.mark.parametrize("link", [0, 108])
@pytest.mark.parametrize("order", ["<", ">"])
def test_loopback(link: int, order: str) -> None:
    assert found(link, struct.pack(order + "I", 2) + ipv4(udp())).octets == PTP
    for family in (10, 24, 28, 30):
        assert found(link, struct.pack(order + "I", family) + ipv6(udp())).octets == PTP
    assert reason(link, struct.pack(order + "I", 17) + PTP) == "other"


@pytest.mark.parametrize(
    ("octets", "expected"),
    [
        (ethernet(0x0806, bytes(28)), "other"),
        (ethernet(0x0800, ipv4(udp(port=123))), "other"),
        (ethernet(0x0800, ipv4(bytes(20), protocol=6)), "other"),
        (ethernet(0x86DD, ipv6(bytes(20), 58)), "other"),
        (MACS, "short"),
        (ethernet(0x8100, b"\0"), "short"),
        (ethernet(0x0800, ipv4(udp())[:19]), "short"),
        (ethernet(0x0800, ipv4(udp()[:7])), "short"),
        (ethernet(0x86DD, ipv6(udp())[:39]), "short"),
        (ethernet(0x86DD, ipv6(bytes(4), 0)), "short"),
        (ethernet(0x0800, b"\x44" + ipv4(udp())[1:]), "ip-header"),
        (ethernet(0x0800, b"\x65" + ipv4(udp())[1:]), "ip-header"),
        (ethernet(0x86DD, b"\x40" + ipv6(udp())[1:]), "ip-header"),
        (ethernet(0x0800, ipv4(udp(length=7))), "udp-length"),
        (ethernet(0x86DD, ipv6(bytes(8) * 20, 0)), "extension-headers"),
        (ethernet(0x88F7, PTP, *[(0x8100, 1)] * 5), "other"),
    ],
)
def test_reasons(octets: bytes, expected: str) -> None:
    assert reason(1, octets) == expected


def test_udp_length_beyond_the_capture_gives_what_is_there() -> None:
    octets = ethernet(0x0800, ipv4(udp()))[:-10]
    assert found(1, octets).octets == PTP[:-10]


def test_udp_length_below_that_of_the_packet_ends_the_payload() -> None:
    assert found(1, ethernet(0x0800, ipv4(udp(length=8 + 44) + b"behind"))).octets == PTP


def test_unknown_link_type() -> None:
    assert reason(999, PTP) == "link-type"


@given(st.sampled_from([0, 1, 101, 108, 113, 276]), st.binary(max_size=90))
def test_nothing_is_raised(link: int, octets: bytes) -> None:
    assert isinstance(unwrap(link, octets), (PtpPayload, NotPtp))


@given(st.integers(0, 0xFF), st.integers(0, 0xFF), st.integers(0, 0x7F))
def test_nothing_is_raised_behind_ip_headers(a: int, b: int, c: int) -> None:
    for whole in (ethernet(0x0800, ipv4(udp())), ethernet(0x86DD, ipv6(udp()))):
        octets = bytearray(whole)
        octets[14 + c % (len(octets) - 14)] = a
        octets[14 + b % (len(octets) - 14)] = c
        assert isinstance(unwrap(1, bytes(octets)), (PtpPayload, NotPtp))


@given(st.binary(min_size=16, max_size=16) | st.lists(st.sampled_from([0, 0, 1]), min_size=16, max_size=16).map(bytes))
def test_ipv6_text_is_that_of_the_standard_library(octets: bytes) -> None:
    expected = ipaddress.IPv6Address(octets)
    assert ipaddress.IPv6Address(format_ipv6(octets)) == expected
    if octets[:12] != bytes(10) + b"\xff\xff":
        assert format_ipv6(octets) == str(expected)
