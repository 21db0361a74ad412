"""The commands of ``ptpstack pmc``, and answers in pmc's layout."""

from __future__ import annotations

import contextlib
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ptpstack.wire.management import COMMAND, GET, RESPONSE, SET
from ptpstack.wire.management.commands import (
    EVERYBODY,
    Ask,
    CommandError,
    Target,
    answer_json,
    answer_lines,
    help_lines,
    parse,
)
from ptpstack.wire.management.rows import IDS_BY_NAME
from ptpstack.wire.messages import Management
from ptpstack.wire.tlvs.management import ManagementErrorStatus, ManagementTlv
from ptpstack.wire.types import ALL_CLOCKS, ALL_PORTS, PortIdentity

CLOCK = bytes.fromhex("001b21fffeaabbcc")


def ask(line: str, empty: bool = False) -> Ask:
    command = parse(line, empty)
    assert isinstance(command, Ask)
    return command


@pytest.mark.parametrize(
    ("line", "action", "name", "data"),
    [
        ("GET CURRENT_DATA_SET", GET, "CURRENT_DATA_SET", bytes(18)),
        ("get current", GET, "CURRENT_DATA_SET", bytes(18)),
        ("GET PORT_DATA_SET", GET, "PORT_DATA_SET", bytes(26)),
        ("GET CLOCK_DESCRIPTION", GET, "CLOCK_DESCRIPTION", b""),
        ("GET NULL_MANAGEMENT", GET, "NULL_PTP_MANAGEMENT", b""),
        ("SET PRIORITY1 100", SET, "PRIORITY1", b"\x64\0"),
        ("SET PRIORITY1 priority1 0x64", SET, "PRIORITY1", b"\x64\0"),
        ("SET LOG_SYNC_INTERVAL -3", SET, "LOG_SYNC_INTERVAL", b"\xfd\0"),
        ("SET USER_DESCRIPTION 'icu 3;east'", SET, "USER_DESCRIPTION", b"\x0aicu 3;east\0"),
        ("SET SLAVE_ONLY 1", SET, "SLAVE_ONLY", b"\1\0"),
        ("SET UTC_PROPERTIES currentUtcOffset 37 leap61 0 leap59 off currentUtcOffsetValid on", SET, "UTC_PROPERTIES",
         b"\0\x25\4\0"),
        ("CMD ENABLE_PORT", COMMAND, "ENABLE_PORT", b""),
        ("command initialize", COMMAND, "INITIALIZE", b"\0\0"),
        ("GET ALTERNATE_TIME_OFFSET_PROPERTIES keyField 2", GET, "ALTERNATE_TIME_OFFSET_PROPERTIES",
         b"\2" + bytes(15)),
        ("SET ACCEPTABLE_MASTER_TABLE 001b21.fffe.aabbcc-1/7", SET, "ACCEPTABLE_MASTER_TABLE",
         b"\0\1" + CLOCK + b"\0\1\7\0"),
        ("SET UNICAST_MASTER_TABLE logQueryInterval 0 portAddresses 192.0.2.1,192.0.2.2", SET, "UNICAST_MASTER_TABLE",
         b"\0\0\2" + b"\0\1\0\4\xc0\0\2\1" + b"\0\1\0\4\xc0\0\2\2" + b"\0"),
    ],
)  # fmt: skip
def test_commands(line: str, action: int, name: str, data: bytes) -> None:
    command = ask(line)
    assert (command.action, command.row.name, command.data) == (action, name, data)


def test_an_empty_get_is_empty() -> None:
    assert ask("GET CURRENT_DATA_SET", empty=True).data == b""


@pytest.mark.parametrize(
    ("line", "identity"),
    [
        ("TARGET *", EVERYBODY),
        ("target 001b21.fffe.aabbcc-1", PortIdentity(CLOCK, 1)),
        ("TARGET 001b21.fffe.aabbcc-*", PortIdentity(CLOCK, ALL_PORTS)),
        ("TARGET *-2", PortIdentity(ALL_CLOCKS, 2)),
    ],
)
def test_targets(line: str, identity: PortIdentity) -> None:
    assert parse(line) == Target(identity)


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("", "empty command"),
        ("FETCH PRIORITY1", "no command"),
        ("GET", "GET what"),
        ("GET PRIORITY", "PRIORITY1, PRIORITY2"),
        ("GET PRIORITY_1", "did you mean PRIORITY1"),
        ("SET DEFAULT_DATA_SET 1", "only GET"),
        ("COMMAND PRIORITY1", "only GET, SET"),
        ("SET PRIORITY1", "priority1 is missing"),
        ("SET PRIORITY1 300", "outside 0..255"),
        ("SET PRIORITY1 many", "priority1"),
        ("SET UTC_PROPERTIES currentUtcOffset 37", "leap61"),
        ("SET UTC_PROPERTIES currentUtcOffset", "takes currentUtcOffset VALUE"),
        ("SET UTC_PROPERTIES offset 37 leap61 0", "no 'offset'"),
        ("SET SLAVE_ONLY perhaps", "neither"),
        ("GET PRIORITY1 7 8 9", "takes no values"),
        ("TARGET", "TARGET takes"),
        ("TARGET here", "TARGET takes"),
        ("TARGET 001b21.fffe.aabbcc-99999", "TARGET takes"),
        ("SET USER_DESCRIPTION 'open", "quotation"),
    ],
)
def test_a_mistake_is_explained(line: str, words: str) -> None:
    with pytest.raises(CommandError) as caught:
        parse(line)
    assert words in str(caught.value)


@given(st.text(max_size=60))
def test_any_line_is_a_command_or_a_mistake(line: str) -> None:
    with contextlib.suppress(CommandError):
        assert isinstance(parse(f"SET {line}"), Ask | Target)


def answer(tlv: ManagementTlv | ManagementErrorStatus) -> Management:
    return Management(PortIdentity(CLOCK, 1), 7, target=EVERYBODY, action=RESPONSE, tlvs=(tlv,))


def test_an_answer_looks_as_pmc_shows_it() -> None:
    row = IDS_BY_NAME["CURRENT_DATA_SET"]
    data = row.encode({"stepsRemoved": 1, "offsetFromMaster": -25 * 65536, "meanDelay": 1000 << 16})
    assert answer_lines(answer(ManagementTlv(row.number, data))) == [
        "\t001b21.fffe.aabbcc-1 seq 7 RESPONSE MANAGEMENT CURRENT_DATA_SET",
        "\t\tstepsRemoved     1",
        "\t\toffsetFromMaster -25.0",
        "\t\tmeanPathDelay    1000.0",
    ]


def test_an_error_says_what_and_why() -> None:
    message = answer(ManagementErrorStatus(4, 0x2005, "300 is not in 0..255\x1b[2J"))
    assert answer_lines(message) == [
        "\t001b21.fffe.aabbcc-1 seq 7 RESPONSE MANAGEMENT_ERROR_STATUS PRIORITY1",
        "\t\tmanagementErrorId WRONG_VALUE",
        "\t\tdisplayData       300 is not in 0..255\\x1b[2J",
    ]
    error = answer_json(message)["error"]
    assert (error["meaning"], error["displayData"]) == ("WRONG_VALUE", "300 is not in 0..255\\x1b[2J")


@given(st.integers(0, 0xFFFF), st.binary(max_size=80).map(lambda data: data[: len(data) & ~1]))
def test_any_answer_can_be_shown(number: int, data: bytes) -> None:
    message = answer(ManagementTlv(number, data))
    assert "\x1b" not in "\n".join(answer_lines(message))
    json.dumps(answer_json(message), allow_nan=False)


def test_help_names_every_id() -> None:
    text = "\n".join(help_lines())
    assert all(row.name in text for row in IDS_BY_NAME.values())
