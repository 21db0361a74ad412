"""Management dataFields: every row of the table survives octets, text and hostile input."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ptpstack.wire.errors import MalformedFrame
from ptpstack.wire.management.items import Bits, Field, Item, ManagementId, Reserved, Table
from ptpstack.wire.management.kinds import (
    Address,
    Counted,
    Identity,
    Instant,
    Interval,
    Kind,
    Number,
    Port,
    Scaled,
    Text,
    Version,
    address_text,
    parse_address,
)
from ptpstack.wire.management.rows import IDS_BY_NAME, MANAGEMENT_IDS, describe_data
from ptpstack.wire.tlvs.port import PortAddress
from tests.wire.strategies import identities, instants, octets, texts

ROWS = sorted(MANAGEMENT_IDS.values(), key=lambda row: row.number)
rows = st.sampled_from(ROWS)


def value_of(kind: Kind) -> st.SearchStrategy[Any]:
    if isinstance(kind, Number):
        return st.integers(kind.low, kind.high)
    if isinstance(kind, Instant):
        return instants
    if isinstance(kind, Port):
        return identities
    if isinstance(kind, Identity):
        return octets(8)
    if isinstance(kind, Text):
        return texts
    if isinstance(kind, Counted):
        return st.binary(max_size=16)
    if isinstance(kind, Address):
        return st.builds(PortAddress, st.integers(0, 0xFFFF), st.binary(max_size=16))
    assert kind.size is not None
    return octets(kind.size)


def values_of(items: tuple[Item, ...]) -> st.SearchStrategy[dict[str, Any]]:
    fields: dict[str, st.SearchStrategy[Any]] = {}
    for item in items:
        if isinstance(item, Field):
            fields[item.name] = value_of(item.kind)
        elif isinstance(item, Bits):
            fields |= dict.fromkeys(item.names, st.booleans())
        elif isinstance(item, Table):
            fields[item.name] = st.lists(values_of(item._items), max_size=4).map(tuple)
        else:
            assert isinstance(item, Reserved)
    return st.fixed_dictionaries(fields)


@given(rows, st.data())
def test_what_is_written_is_read_back(row: ManagementId, data: st.DataObject) -> None:
    values = data.draw(values_of(row.items))
    encoded = row.encode(values)
    assert len(encoded) % 2 == 0
    assert row.size is None or len(encoded) == row.size + row.size % 2
    read = row.decode(encoded)
    assert {name: read[name] for name in values} == values
    json.dumps(row.json(read), allow_nan=False)
    assert all(isinstance(label, str) and isinstance(text, str) for label, text in row.rows(read))


@given(rows, st.binary(max_size=300))
def test_hostile_octets_are_refused_by_one_exception(row: ManagementId, data: bytes) -> None:
    try:
        values = row.decode(data)
    except MalformedFrame:
        return
    assert row.decode(row.encode(values)).keys() == values.keys()
    json.dumps(describe_data(row.number, data), allow_nan=False)


@given(rows, st.data())
def test_the_text_of_a_single_value_leads_back_to_it(row: ManagementId, data: st.DataObject) -> None:
    for item in row.items:
        if isinstance(item, Field) and not isinstance(item.kind, Text | Address):
            value = data.draw(value_of(item.kind))
            again = item.parse(item.name, item.kind.text(value))
            assert item.parse(item.name, item.kind.text(again)) == again
            if not isinstance(item.kind, Interval | Scaled | Version):
                # the text of these has fewer digits
                assert again == value


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("192.0.2.1", PortAddress(1, bytes((192, 0, 2, 1)))),
        ("2001:db8:0:0:0:0:0:1", PortAddress(2, bytes.fromhex("20010db8" + "0" * 23 + "1"))),
        ("00:1b:21:aa:bb:cc", PortAddress(3, bytes.fromhex("001b21aabbcc"))),
    ],
)
def test_addresses(text: str, address: PortAddress) -> None:
    assert address_text(address) == text
    assert parse_address(text) == address


def test_an_ipv6_address_may_be_written_short() -> None:
    assert parse_address("2001:db8::1") == parse_address("2001:db8:0:0:0:0:0:1")


@pytest.mark.parametrize("text", ["", "nowhere", "1.2.3", "1.2.3.4.5", "::1::", "12345::1", "1.2.3.400"])
def test_what_is_no_address_is_refused(text: str) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - the number parsers say it in their own words
        parse_address(text)


def test_a_missing_or_wrong_value_is_named() -> None:
    row = IDS_BY_NAME["UTC_PROPERTIES"]
    with pytest.raises(ValueError, match="leap61 is missing"):
        row.encode({"currentUtcOffset": 37})
    with pytest.raises(ValueError, match="currentUtcOffset: 40000 is outside"):
        row.encode({"currentUtcOffset": 40000, "leap61": False, "leap59": False, "currentUtcOffsetValid": True})


def test_a_fault_record_is_read_whether_or_not_its_length_counts_itself() -> None:
    """Readings of 5.3.10 differ; the record says its own end."""
    row = IDS_BY_NAME["FAULT_LOG"]
    record = {"faultTime": None, "severityCode": 3, "faultName": "a", "faultValue": "", "faultDescription": "xyz"}
    encoded = row.encode({"faultRecords": (record, record)})
    length = encoded[3]
    inclusive = encoded.replace(b"\0" + bytes((length,)) + b"\xff", b"\0" + bytes((length + 2,)) + b"\xff")
    assert inclusive != encoded
    for octets_ in (encoded, inclusive):
        assert row.decode(octets_)["faultRecords"] == (record, record)


def test_numbers_of_linuxptp_that_are_little_endian() -> None:
    stats = IDS_BY_NAME["PORT_STATS_NP"]
    values = stats.decode(bytes(10) + (7).to_bytes(8, "little") + bytes(248))
    assert values["rx_Sync"] == 7
    corrections = IDS_BY_NAME["PORT_CORRECTIONS_NP"]
    assert corrections.decode((65536).to_bytes(8, "little") + bytes(16))["egressLatency"] == 65536
