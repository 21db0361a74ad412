"""Envelopes: any frame opens, and closes to itself; checksums hold after a change of what is inside."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scapy.layers.inet import IP, UDP
from scapy.layers.inet6 import IPv6
from scapy.layers.l2 import Dot1Q, Ether
from scapy.packet import Raw

from ptpstack.wire.envelope import close_frame, open_frame

SYNC = bytes([0x00, 0x12, 0, 44]) + bytes(range(40))
ANNOUNCE = bytes([0x0B, 0x12, 0, 64]) + bytes(range(60))
WRAPPINGS = {
    "l2": Ether(dst="01:1b:19:00:00:00", src="02:00:00:00:00:01", type=0x88F7),
    "l2 in a VLAN": Ether(src="02:00:00:00:00:01") / Dot1Q(vlan=5, prio=4, type=0x88F7),
    "udp4": Ether() / IP(src="10.0.0.1", dst="224.0.1.129", ttl=1) / UDP(sport=319, dport=319),
    "udp4 in two VLANs": Ether() / Dot1Q(vlan=5) / Dot1Q(vlan=6) / IP(dst="10.0.0.2") / UDP(sport=319, dport=319),
    "udp6": Ether() / IPv6(src="fe80::1", dst="ff0e::181", hlim=1) / UDP(sport=319, dport=319),
}


@pytest.mark.parametrize("name", WRAPPINGS)
def test_TC_23_a_frame_opens_and_closes_to_itself_pad_and_trailing_octets_and_all(name: str) -> None:
    for tail in (b"", b"\0\0", bytes(7)):
        frame = bytes(WRAPPINGS[name] / Raw(SYNC + tail))
        opened = open_frame(frame)
        assert opened is not None
        assert opened[1] == SYNC + tail
        assert close_frame(*opened) == frame
        assert opened[0][:12] == frame[:6].hex()
        assert opened[0][12:24] == frame[6:12].hex()


@pytest.mark.parametrize("name", WRAPPINGS)
@given(octets=st.binary(min_size=34, max_size=200).map(lambda o: bytes([o[0] & 0xF0 | 0x0B]) + o[1:]))
def test_TC_22_lengths_checksums_and_port_fit_another_message(name: str, octets: bytes) -> None:
    opened = open_frame(bytes(WRAPPINGS[name] / Raw(SYNC)))
    assert opened is not None
    closed = close_frame(opened[0], octets)
    again = Ether(closed)
    if UDP in again:
        assert (again[UDP].dport, again[UDP].len) == (320, 8 + len(octets))
        # scapy works the checksums and lengths out anew where they are deleted
        wanted = Ether(closed)
        del wanted[UDP].chksum
        if IP in wanted:
            del wanted[IP].chksum, wanted[IP].len
        assert Ether(bytes(wanted))[UDP].chksum == again[UDP].chksum
        assert bytes(wanted) == closed
    else:
        assert closed.endswith(octets)


def test_a_datagram_without_a_checksum_stays_without() -> None:
    frame = Ether() / IP(dst="224.0.1.129") / UDP(sport=319, dport=319, chksum=0) / Raw(SYNC)
    opened = open_frame(bytes(frame))
    assert opened is not None
    assert Ether(close_frame(opened[0], ANNOUNCE))[UDP].chksum == 0


@pytest.mark.parametrize(
    "frame",
    [
        Ether() / IP() / UDP(sport=319, dport=53) / Raw(SYNC),
        Ether() / IP(frag=3) / UDP(sport=319, dport=319) / Raw(SYNC),
        Ether() / IP(flags="MF") / UDP(sport=319, dport=319) / Raw(SYNC),
        Ether(type=0x0806) / Raw(SYNC),
        Ether(type=0x88F7) / Raw(SYNC[:20]),
    ],
)
def test_other_frames_are_not_opened(frame: Ether) -> None:
    assert open_frame(bytes(frame)) is None


@given(st.binary(max_size=120))
def test_no_octets_raise(frame: bytes) -> None:
    opened = open_frame(frame)
    if opened is not None:
        close_frame(*opened)


@given(st.sampled_from(sorted(WRAPPINGS)), st.integers(0, 200), st.integers(0, 255))
def test_no_damaged_frame_raises(name: str, at: int, value: int) -> None:
    frame = bytearray(bytes(WRAPPINGS[name] / Raw(SYNC)))
    frame[at % len(frame)] = value
    opened = open_frame(bytes(frame))
    if opened is not None:
        close_frame(*opened)
