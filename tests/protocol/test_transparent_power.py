"""Row PRF-16 at a transparent clock: what it adds to the TLV of a power profile on an Announce that passes."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ptpstack.protocol.effects import Send
from ptpstack.protocol.options import TransparentOptions, TransparentPort
from ptpstack.protocol.power_profile import MOST
from ptpstack.protocol.transparent.clock import TransparentClock
from ptpstack.wire.codec import decode, encode
from ptpstack.wire.messages import Announce
from ptpstack.wire.tlv import Tlv
from ptpstack.wire.tlvs.announce import PathTrace
from ptpstack.wire.tlvs.profiles import PowerProfile2011, PowerProfile2017
from tests.protocol.bench import identity
from tests.protocol.test_transparent import ANNOUNCE, address


def passed(octets: bytes, own_ns: int = 50) -> bytes:
    ports = (TransparentPort("m"), TransparentPort("a"))
    clock = TransparentClock(TransparentOptions("tc", ports, time_inaccuracy_ns=own_ns))
    (send,) = clock.receive("m", octets, None, address(1), 0)
    assert isinstance(send, Send)
    assert send.channel == "a"
    return send.octets


def with_tlvs(*tlvs: Tlv) -> Announce:
    return replace(ANNOUNCE, tlvs=tlvs)


@pytest.mark.parametrize(("theirs", "ours"), [(250, 300), (MOST - 10, MOST), (MOST, MOST)])
def test_PRF_16_a_transparent_clock_adds_its_inaccuracy_and_nothing_else(theirs: int, ours: int) -> None:
    trace = PathTrace((identity(1),))
    for before, after in (
        (PowerProfile2017(254, 7, theirs, 3), PowerProfile2017(254, 7, ours, 3)),
        (PowerProfile2011(3, 100, theirs, 3), PowerProfile2011(3, 100, ours, 3)),
    ):
        assert decode(passed(encode(with_tlvs(trace, before)))) == with_tlvs(trace, after)
        # in a chain each adds its own
        assert decode(passed(passed(encode(with_tlvs(before)), 0), 0)) == with_tlvs(before)


def test_an_announce_without_it_or_signed_passes_as_it_is() -> None:
    signed = Tlv(0x8009, bytes(24))
    for tlvs in ((), (PathTrace((identity(1),)),), (PowerProfile2017(254, 0, 250), signed)):
        octets = encode(with_tlvs(*tlvs)) + b"pad"
        assert passed(octets) == octets


@given(st.binary(max_size=60), st.integers(0, 200))
def test_whatever_follows_an_announce_passes_in_its_length(rest: bytes, length: int) -> None:
    octets = encode(ANNOUNCE) + rest
    octets = octets[:2] + length.to_bytes(2, "big") + octets[4:]
    assert len(passed(octets)) == len(octets)
