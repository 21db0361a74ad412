"""Whatever can be built can be sent and read back; whatever is read is written back octet for octet."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ptpstack.wire.codec import decode, encode
from ptpstack.wire.describe import describe, one_line
from ptpstack.wire.errors import MalformedFrame
from ptpstack.wire.messages import Sync
from ptpstack.wire.tlvs.registry import PARSERS, TLV_KINDS
from ptpstack.wire.types import PortIdentity
from tests.wire.examples import EXAMPLES
from tests.wire.strategies import MESSAGES, TLVS

SOURCE = PortIdentity(bytes(8), 1)


@pytest.mark.parametrize("name", MESSAGES)
def test_message_survives(name: str) -> None:
    @given(MESSAGES[name])
    @settings(max_examples=60, deadline=None)
    def survives(message: Any) -> None:
        octets = encode(message, trailing=True)
        assert octets[: len(encode(message))] == encode(message)
        again = decode(octets)
        assert again == message
        assert type(again) is type(message)
        assert again.trailing == message.trailing

    survives()


@pytest.mark.parametrize("name", TLVS)
def test_tlv_survives(name: str) -> None:
    @given(TLVS[name])
    @settings(max_examples=60, deadline=None)
    def survives(tlv: Any) -> None:
        octets = encode(Sync(SOURCE, 1, tlvs=(tlv,)))
        assert octets[44:46] == tlv.tlv_type.to_bytes(2, "big")
        (again,) = decode(octets).tlvs
        assert again == tlv
        assert type(again) is type(tlv)
        assert again.value == tlv.value
        line = one_line(decode(octets))
        assert line.isprintable()
        json.dumps(describe(decode(octets)), allow_nan=False)

    survives()


def test_every_layout_of_the_registry_has_a_strategy() -> None:
    covered = {parse.__self__.__name__ for parse in PARSERS.values() if hasattr(parse, "__self__")}
    assert covered <= TLVS.keys()
    assert len(covered) == len(PARSERS) - 3  # the three ORGANIZATION_EXTENSION share a function


@given(st.sampled_from(sorted(TLV_KINDS)), st.binary(max_size=120))
@settings(max_examples=600, deadline=None)
def test_any_value_octets_are_kept_or_refused(tlv_type: int, value: bytes) -> None:
    length = 48 + len(value)
    octets = encode(Sync(SOURCE, 1))
    octets = octets[:2] + length.to_bytes(2, "big") + octets[4:]
    octets += tlv_type.to_bytes(2, "big") + len(value).to_bytes(2, "big") + value
    try:
        message = decode(octets)
    except MalformedFrame as error:
        fault = error
    else:
        assert encode(message) == octets
        return
    assert fault.reason in ("tlv-odd", "tlv-short", "timestamp")


@given(st.sampled_from(sorted(EXAMPLES)), st.data())
@settings(max_examples=600, deadline=None)
def test_damaged_examples_are_kept_or_refused(name: str, data: st.DataObject) -> None:
    octets = bytearray(EXAMPLES[name])
    for _ in range(data.draw(st.integers(1, 3))):
        octets[data.draw(st.integers(0, len(octets) - 1))] = data.draw(st.integers(0, 255))
    try:
        message = decode(octets)
    except MalformedFrame:
        return
    length = int.from_bytes(octets[2:4], "big")
    assert encode(message, trailing=True) == octets
    assert encode(message) == octets[:length]


@given(st.binary(max_size=200))
@settings(max_examples=400, deadline=None)
def test_random_octets_raise_only_malformed_frame(octets: bytes) -> None:
    try:
        message = decode(octets)
    except MalformedFrame:
        return
    assert encode(message, trailing=True) == octets
