"""Management of one instance: targets, actions, errors, access, forwarding, subscriptions."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ptpstack.protocol.effects import Effect, Keep, Managed, Send, SendLocal
from ptpstack.protocol.management.access import BURST
from ptpstack.protocol.management.responder import MAX_DATA_OCTETS
from ptpstack.protocol.management.storage import Entry
from ptpstack.protocol.management.subscriptions import MAX_SUBSCRIBERS
from ptpstack.protocol.management.table import READ_ONLY, READ_WRITE, Served
from ptpstack.protocol.options import ManagementOptions
from ptpstack.wire.codec import decode, encode
from ptpstack.wire.management import (
    ACKNOWLEDGE,
    COMMAND,
    GET,
    NO_SUCH_ID,
    NOT_SETABLE,
    NOT_SUPPORTED,
    RESPONSE,
    RESPONSE_TOO_BIG,
    SET,
    WRONG_LENGTH,
    WRONG_VALUE,
)
from ptpstack.wire.management.rows import IDS_BY_NAME, MANAGEMENT_IDS
from ptpstack.wire.messages import Announce, FollowUp, Management, Sync
from ptpstack.wire.tlv import Tlv
from ptpstack.wire.tlvs.management import ManagementErrorStatus, ManagementTlv
from ptpstack.wire.tlvs.security import Authentication
from ptpstack.wire.types import ALL_CLOCKS, ALL_PORTS, Flag, PortIdentity, PortState
from tests.protocol.bench import GRANDMASTER, Bench, Peer, S, identity

OPERATOR = PortIdentity(identity(0x77), 9)
EVERYBODY = PortIdentity(ALL_CLOCKS, ALL_PORTS)
PATH = "/run/pmc.1"


def request(
    name: str | int,
    action: int = GET,
    data: bytes | None = None,
    *,
    target: PortIdentity = EVERYBODY,
    tlvs: tuple[Tlv, ...] | None = None,
    values: dict[str, Any] | None = None,
    **fields: Any,
) -> bytes:
    number = IDS_BY_NAME[name].number if isinstance(name, str) else name
    if values is not None:
        data = MANAGEMENT_IDS[number].encode(values)
    if tlvs is None:
        tlvs = (ManagementTlv(number, data or b""),)
    fields = {"sequence_id": 5, "domain": 0, "control": 4, **fields}
    return encode(Management(OPERATOR, target=target, action=action, tlvs=tlvs, **fields))


def local(bench: Bench, octets: bytes, socket: str = READ_WRITE, path: str = PATH) -> list[Management]:
    """What the local peer hears of it."""
    effects = bench._take(bench.instance.manage(socket, octets, path, bench.now))
    return [answer for to, answer in replies(effects) if to == path]


def replies(effects: list[Effect]) -> list[tuple[str | None, Management]]:
    """(address, message) of every management message sent; None: the group."""
    found: list[tuple[str | None, Management]] = []
    for effect in effects:
        if isinstance(effect, SendLocal):
            message = decode(effect.octets)
            assert isinstance(message, Management)
            found.append((effect.address, message))
        elif isinstance(effect, Send) and effect.octets[0] & 0x0F == 0xD:
            message = decode(effect.octets)
            assert isinstance(message, Management)
            found.append((effect.destination, message))
    return found


def network(bench: Bench, octets: bytes, port: int = 1, address: str = "10.0.0.7") -> list[Management]:
    return [answer for _, answer in replies(bench.receive(octets, port, address=address))]


def values(answer: Management) -> dict[str, Any]:
    tlv = answer.tlvs[0]
    assert isinstance(tlv, ManagementTlv), tlv
    return MANAGEMENT_IDS[tlv.management_id].decode(tlv.data)


def error(answers: list[Management]) -> int:
    assert len(answers) == 1, answers
    tlv = answers[0].tlvs[0]
    assert isinstance(tlv, ManagementErrorStatus), tlv
    return tlv.error_id


def master(ports: int = 1, **options: Any) -> Bench:
    bench = Bench(ports, **options)
    bench.run(12)
    bench.clear()
    return bench


SERVED = sorted(number for number, served in Bench().instance.management.served.items() if served.get is not None)


# ---- what is answered, and with what ----------------------------------------------------------------------------


@pytest.mark.parametrize("number", SERVED)
@pytest.mark.parametrize("full", [False, True])
def test_MGT_01_a_get_of_every_id_that_is_built_has_the_right_length(number: int, full: bool) -> None:
    bench = master()
    bench.instance.management.around.time_ns = lambda now: 10**18  # type: ignore[method-assign]
    row = MANAGEMENT_IDS[number]
    # linuxptp's pmc sends as many octets as the answer has
    body = bytes(row.size or 0) if full else b""
    (answer,) = local(bench, request(number, data=body))
    assert answer.action == RESPONSE
    tlv = answer.tlvs[0]
    assert isinstance(tlv, ManagementTlv)
    assert tlv.management_id == number
    assert row.size is None or len(tlv.data) == row.size
    row.decode(tlv.data)


def test_MGT_02_an_id_that_nobody_knows() -> None:
    assert error(local(master(), request(0x1234))) == NO_SUCH_ID


@pytest.mark.parametrize("number", [0x4000, 0x4001, 0x4002])
def test_MGT_03_an_id_that_is_defined_and_not_built(number: int) -> None:
    assert error(local(master(), request(number))) == NOT_SUPPORTED


def test_MGT_04_a_set_is_answered_with_the_new_value() -> None:
    bench = master()
    (answer,) = local(bench, request("PRIORITY1", SET, b"\x64\0"))
    assert answer.action == RESPONSE
    assert values(answer)["priority1"] == 100
    assert bench.instance.data.default.priority1 == 100


@pytest.mark.parametrize("name", ["DEFAULT_DATA_SET", "CURRENT_DATA_SET", "PORT_DATA_SET", "FAULT_LOG"])
def test_MGT_05_what_is_read_only_is_not_setable(name: str) -> None:
    size = IDS_BY_NAME[name].size or 2
    assert error(local(master(), request(name, SET, bytes(size)))) == NOT_SETABLE


@pytest.mark.parametrize("action", [GET, SET])
@pytest.mark.parametrize("size", [0, 4])
def test_MGT_06_a_wrong_length(action: int, size: int) -> None:
    bench = master()
    answers = local(bench, request("PRIORITY1", action, bytes(size)))
    if action == GET and size == 0:
        assert values(answers[0])["priority1"] == 128
    else:
        assert error(answers) == WRONG_LENGTH
    assert bench.instance.data.default.priority1 == 128


@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("ANNOUNCE_RECEIPT_TIMEOUT", b"\1\0"),
        ("LOG_ANNOUNCE_INTERVAL", b"\x40\0"),
        ("VERSION_NUMBER", b"\1\0"),
        ("CLOCK_ACCURACY", b"\x05\0"),
        ("UTC_PROPERTIES", b"\0\x25\x03\0"),
        ("DELAY_MECHANISM", b"\x55\0"),
        ("TIME", b"\0\0\0\0\0\1\xff\xff\xff\xff"),
    ],
)
def test_MGT_07_a_bad_value_changes_nothing(name: str, data: bytes) -> None:
    bench = master()
    before = values(local(bench, request("PORT_DATA_SET"))[0]), values(local(bench, request("DEFAULT_DATA_SET"))[0])
    assert error(local(bench, request(name, SET, data))) == WRONG_VALUE
    after = values(local(bench, request("PORT_DATA_SET"))[0]), values(local(bench, request("DEFAULT_DATA_SET"))[0])
    assert before == after


def test_MGT_07_a_value_outside_the_range_of_the_profile() -> None:
    bench = master(management=ManagementOptions(ranges=(("log_sync_interval", -1, 1),)))
    assert error(local(bench, request("LOG_SYNC_INTERVAL", SET, b"\xfe\0"))) == WRONG_VALUE
    assert values(local(bench, request("LOG_SYNC_INTERVAL", SET, b"\xff\0"))[0])["logSyncInterval"] == -1


def test_MGT_08_a_command_is_acknowledged() -> None:
    bench = master()
    (answer,) = local(bench, request("DISABLE_PORT", COMMAND))
    assert answer.action == ACKNOWLEDGE
    assert bench.states() == ["DISABLED"]
    (answer,) = local(bench, request("ENABLE_PORT", COMMAND))
    assert answer.action == ACKNOWLEDGE
    assert bench.states() == ["LISTENING"]


@pytest.mark.parametrize("action", [5, 7, 15])
def test_MGT_09_a_reserved_action_is_ignored(action: int) -> None:
    bench = master()
    assert local(bench, request("PRIORITY1", action, b"\x64\0")) == []
    assert bench.instance.management.counters["drop-action"] == 1
    assert bench.instance.data.default.priority1 == 128


def test_MGT_09_the_reserved_half_of_the_octet_is_ignored() -> None:
    assert values(local(master(), request("PRIORITY1", 0xA0 | GET))[0])["priority1"] == 128


@pytest.mark.parametrize("action", [RESPONSE, ACKNOWLEDGE])
def test_MGT_10_answers_are_never_answered(action: int) -> None:
    bench = master()
    assert local(bench, request("PRIORITY1", action, b"\x64\0")) == []
    assert network(bench, request("PRIORITY1", action, b"\x64\0")) == []
    assert bench.instance.data.default.priority1 == 128


def test_MGT_11_what_is_for_another_clock_is_not_answered() -> None:
    assert local(master(), request("PRIORITY1", target=PortIdentity(identity(0x51), 1))) == []


def test_MGT_12_an_id_of_ports_for_all_ports() -> None:
    answers = local(master(3), request("PORT_DATA_SET"))
    assert [a.source.port_number for a in answers] == [1, 2, 3]
    assert [values(a)["portIdentity"].port_number for a in answers] == [1, 2, 3]


def test_MGT_12_an_id_of_ports_for_one_port() -> None:
    answers = local(master(3), request("PORT_DATA_SET", target=PortIdentity(identity(0x50), 2)))
    assert [values(a)["portIdentity"].port_number for a in answers] == [2]


@pytest.mark.parametrize("name", ["PORT_DATA_SET", "DEFAULT_DATA_SET"])
def test_a_port_that_does_not_exist(name: str) -> None:
    bench = master(2)
    assert error(local(bench, request(name, target=PortIdentity(identity(0x50), 7)))) == WRONG_VALUE
    assert local(bench, request(name, target=PortIdentity(ALL_CLOCKS, 7))) == []


@pytest.mark.parametrize("port", [0, 1, 3, ALL_PORTS])
def test_MGT_13_an_id_of_the_clock_is_answered_once(port: int) -> None:
    answers = local(master(3), request("DEFAULT_DATA_SET", target=PortIdentity(identity(0x50), port)))
    assert len(answers) == 1
    assert values(answers[0])["numberPorts"] == 3


def test_MGT_14_an_answer_goes_to_who_asked() -> None:
    octets = request("PRIORITY1", sequence_id=777, starting_boundary_hops=3, boundary_hops=1)
    (answer,) = network(master(), octets)
    assert (answer.target, answer.sequence_id) == (OPERATOR, 777)
    assert (answer.starting_boundary_hops, answer.boundary_hops) == (2, 2)
    assert (answer.source, answer.log_interval, answer.control) == (PortIdentity(identity(0x50), 1), 0x7F, 4)


def test_MGT_15_unicast_is_answered_by_unicast() -> None:
    bench = master()
    effects = bench.receive(request("PRIORITY1", flags=Flag.UNICAST), address="10.0.0.7")
    ((address, answer),) = replies(effects)
    assert address == "10.0.0.7"
    assert answer.flags & Flag.UNICAST
    ((address, answer),) = replies(bench.receive(request("PRIORITY1"), address="10.0.0.7"))
    assert address is None
    assert not answer.flags & Flag.UNICAST


def test_MGT_16_an_error_says_which_id_and_why() -> None:
    (answer,) = local(master(), request("ANNOUNCE_RECEIPT_TIMEOUT", SET, b"\1\0"))
    tlv = answer.tlvs[0]
    assert isinstance(tlv, ManagementErrorStatus)
    assert (tlv.error_id, tlv.management_id, tlv.reserved) == (WRONG_VALUE, 0x200A, 0)
    assert tlv.display_data == "1 is not in 2..255"
    assert len(tlv.value) % 2 == 0


@pytest.mark.parametrize("text", ["", "x", "xy", "病房;三楼"])
def test_MGT_17_variable_fields_are_padded_at_the_end_only(text: str) -> None:
    bench = master(management=ManagementOptions(user_description=text))
    (answer,) = local(bench, request("CLOCK_DESCRIPTION"))
    assert values(answer)["userDescription"] == text
    assert values(answer)["clockType"] == 0x8000
    tlv = answer.tlvs[0]
    assert isinstance(tlv, ManagementTlv)
    assert len(tlv.data) % 2 == 0


def test_the_user_description_can_be_set_up_to_its_length() -> None:
    bench = master()
    good = request("USER_DESCRIPTION", SET, values={"userDescription": "x" * 128})
    assert values(local(bench, good)[0])["userDescription"] == "x" * 128
    bad = request("USER_DESCRIPTION", SET, values={"userDescription": "x" * 129})
    assert error(local(bench, bad)) == WRONG_VALUE


def test_MGT_18_the_time_is_set_on_a_grandmaster_only() -> None:
    told: list[int] = []
    bench = master()
    around = bench.instance.management.around
    around.set_time = lambda time_ns, now: told.append(time_ns) or ""  # type: ignore[method-assign, func-returns-value]
    around.time_ns = lambda now: told[-1] if told else 0  # type: ignore[method-assign]
    octets = request("TIME", SET, values={"currentTime": 1_767_225_637_000_000_001})
    assert values(local(bench, octets)[0])["currentTime"] == 1_767_225_637_000_000_001
    bench.follow(Peer(1, quality=GRANDMASTER))
    assert error(local(bench, octets)) == WRONG_VALUE
    assert len(told) == 1


def test_MGT_21_the_fault_log_lists_and_is_cleared() -> None:
    bench = master()
    bench._take(bench.instance.happened(bench.call("link", 1, False), bench.now))
    (answer,) = local(bench, request("FAULT_LOG"))
    (record,) = values(answer)["faultRecords"]
    assert (record["faultName"], record["faultValue"]) == ("port 1 fault-detected", "FAULTY")
    assert record["faultDescription"] == "the link is down"
    assert record["faultTime"] is None
    (answer,) = local(bench, request("FAULT_LOG_RESET", COMMAND))
    assert answer.action == ACKNOWLEDGE
    assert values(local(bench, request("FAULT_LOG"))[0])["faultRecords"] == ()


def test_MGT_22_what_was_set_is_kept_with_who_set_it_and_holds_again_after_a_restart() -> None:
    bench = master(2, management=ManagementOptions(storage=True, writers=("10.0.0.7",)))
    local(bench, request("PRIORITY1", SET, b"\x64\0"))
    local(bench, request("PRIORITY1", SET, b"\x65\0"))
    network(bench, request("LOG_SYNC_INTERVAL", SET, b"\xff\0", target=PortIdentity(identity(0x50), 2)))
    local(bench, request("CLOCK_ACCURACY", SET, b"\x21\0"))
    local(bench, request("DISABLE_PORT", COMMAND, target=PortIdentity(identity(0x50), 1)))
    local(bench, subscribe())
    assert bench.all(Keep) == []
    (answer,) = local(bench, request("SAVE_IN_NON_VOLATILE_STORAGE", COMMAND))
    assert answer.action == ACKNOWLEDGE
    (keep,) = bench.all(Keep)
    entries = [Entry(*entry) for entry in keep.entries]
    assert [(MANAGEMENT_IDS[e.management_id].name, e.port, e.way, e.address) for e in entries] == [
        ("PRIORITY1", 0, READ_WRITE, PATH),
        ("LOG_SYNC_INTERVAL", 2, "network", "10.0.0.7"),
        ("CLOCK_ACCURACY", 0, READ_WRITE, PATH),
        ("DISABLE_PORT", 1, READ_WRITE, PATH),
    ]
    again = Bench(2, management=ManagementOptions(storage=True))
    effects, problems = again.instance.restore(entries, again.now)
    assert problems == []
    said = [effect.way for effect in effects if isinstance(effect, Managed)]
    assert said == ["kept, read-write", "kept, network", "kept, read-write", "kept, read-write"]
    assert again.states()[0] == "DISABLED"
    default = values(local(again, request("DEFAULT_DATA_SET"))[0])
    assert (default["priority1"], default["clockAccuracy"]) == (101, 0x21)
    intervals = [values(a)["logSyncInterval"] for a in local(again, request("LOG_SYNC_INTERVAL"))]
    assert intervals == [0, -1]
    # and it can be saved again, with its first owner
    local(again, request("SAVE_IN_NON_VOLATILE_STORAGE", COMMAND))
    again._take(effects)
    assert list(again.all(Keep)[-1].entries) == list(keep.entries)
    local(again, request("RESET_NON_VOLATILE_STORAGE", COMMAND))
    assert again.all(Keep)[-1].entries == ()


def test_MGT_22_without_a_place_nothing_is_kept() -> None:
    for name in ("SAVE_IN_NON_VOLATILE_STORAGE", "RESET_NON_VOLATILE_STORAGE"):
        assert error(local(master(), request(name, COMMAND))) == NOT_SUPPORTED


def test_what_was_kept_and_does_not_fit_any_longer_is_said() -> None:
    bench = master(management=ManagementOptions(ranges=(("log_sync_interval", -1, 1),)))
    kept = [
        Entry(SET, 0x200B, 1, b"\x04\0", READ_WRITE, PATH, None),
        Entry(SET, 0x200B, 2, b"\x01\0", READ_WRITE, PATH, None),
        Entry(SET, 0x1234, 0, b"", READ_WRITE, PATH, None),
        Entry(SET, 0x2005, 0, b"\x09", READ_WRITE, PATH, None),
        Entry(SET, 0x2006, 0, b"\x09\0", READ_WRITE, PATH, None),
    ]
    _, problems = bench.instance.restore(kept, bench.now)
    assert problems == [
        "LOG_SYNC_INTERVAL: 4 is not in -1..1",
        "LOG_SYNC_INTERVAL: there is no port 2",
        "reserved 0x1234: 0x1234",
        "PRIORITY1: 1 octets, not 2",
    ]
    assert bench.instance.data.default.priority2 == 9


def test_MGT_23_utc_properties_are_announced() -> None:
    bench = master()
    octets = request(
        "UTC_PROPERTIES",
        SET,
        values={"currentUtcOffset": 38, "leap61": True, "leap59": False, "currentUtcOffsetValid": True},
    )
    answer = values(local(bench, octets)[0])
    assert (answer["currentUtcOffset"], answer["leap61"]) == (38, True)
    bench.run(2.1)
    announce = bench.sent(Announce)[-1]
    assert announce.current_utc_offset == 38
    assert announce.flags & (Flag.LEAP61 | Flag.CURRENT_UTC_OFFSET_VALID) == Flag.LEAP61 | Flag.CURRENT_UTC_OFFSET_VALID


def test_MGT_24_an_answer_that_is_too_big_is_not_sent() -> None:
    bench = master()
    long = tuple({"clockIdentity": identity(n)} for n in range(MAX_DATA_OCTETS // 8 + 1))
    bench.instance.management.served[0x2015] = Served(lambda r, v: {"pathTrace": long})
    assert error(local(bench, request("PATH_TRACE_LIST"))) == RESPONSE_TOO_BIG


def test_MGT_25_a_storm_of_requests_is_rate_limited() -> None:
    bench = master(management=ManagementOptions(writers=("10.0.0.7",)))
    octets = request("PRIORITY1", SET, b"\x64\0")
    answers = [answer for _ in range(1000) for answer in network(bench, octets)]
    assert len(answers) == BURST
    assert bench.instance.management.counters["drop-rate-limit"] == 1000 - BURST
    bench.run(1)
    assert len(network(bench, octets)) == 1


def test_MGT_26_authentication_may_follow_the_management_tlv() -> None:
    tlv = ManagementTlv(IDS_BY_NAME["PRIORITY1"].number)
    assert len(local(master(), request(0, tlvs=(tlv, Authentication(0, 1, b"\0" * 24))))) == 1
    for tlvs in ((), (tlv, tlv), (Tlv(0x0003, bytes(48)),)):
        bench = master()
        assert local(bench, request(0, tlvs=tlvs)) == []
        assert bench.instance.management.counters["drop-not-one-management-tlv"] == 1


# ---- states -------------------------------------------------------------------------------------------------------


def test_FSM_02_a_faulty_port_answers_management_and_nothing_else() -> None:
    bench = master()
    bench.call("link", 1, False)
    assert bench.states() == ["FAULTY"]
    assert values(network(bench, request("PORT_DATA_SET"))[0])["portState"] == PortState.FAULTY
    assert bench.receive(Peer(1).delay_req()) == []


def test_FSM_03_a_disabled_port_answers_management_and_nothing_else() -> None:
    bench = master()
    bench.call("enable", 1, False)
    assert values(network(bench, request("PORT_DATA_SET"))[0])["portState"] == PortState.DISABLED
    assert bench.receive(Peer(1).delay_req()) == []


# ---- who may ------------------------------------------------------------------------------------------------------


def test_the_network_may_read_and_not_write() -> None:
    bench = master()
    assert values(network(bench, request("PRIORITY1"))[0])["priority1"] == 128
    assert error(network(bench, request("PRIORITY1", SET, b"\x64\0"))) == NOT_SUPPORTED
    assert error(network(bench, request("DISABLE_PORT", COMMAND))) == NOT_SUPPORTED
    assert bench.instance.management.counters["refused-access"] == 2
    assert bench.instance.data.default.priority1 == 128


@pytest.mark.parametrize("writer", ["10.0.0.7", "10.0.0.0/24"])
def test_a_listed_address_may_write(writer: str) -> None:
    bench = master(management=ManagementOptions(writers=(writer,)))
    octets = request("PRIORITY1", SET, b"\x64\0")
    assert error(network(bench, octets, address="10.0.1.7")) == NOT_SUPPORTED
    assert error(network(bench, octets, address="02:00:00:00:00:01")) == NOT_SUPPORTED
    assert values(network(bench, octets, address="10.0.0.7")[0])["priority1"] == 100


def test_the_network_can_be_shut_out() -> None:
    bench = master(management=ManagementOptions(network=False))
    assert network(bench, request("PRIORITY1")) == []
    assert values(local(bench, request("PRIORITY1"))[0])["priority1"] == 128


def test_the_read_only_socket_reads_and_subscribes() -> None:
    bench = master()
    assert values(local(bench, request("PRIORITY1"), READ_ONLY)[0])["priority1"] == 128
    assert error(local(bench, request("PRIORITY1", SET, b"\x64\0"), READ_ONLY)) == NOT_SUPPORTED
    assert values(local(bench, subscribe(), READ_ONLY)[0])["duration"] == 60


# ---- what SETs do ---------------------------------------------------------------------------------------------------


def test_priority1_changes_the_election() -> None:
    bench = master()
    peer = Peer(1, priority1=100)
    bench.follow(peer)
    local(bench, request("PRIORITY1", SET, b"\x32\0"))
    assert bench.states() == ["MASTER"]


def test_FSM_29_a_sync_interval_that_is_set_counts_at_once() -> None:
    bench = master()
    local(bench, request("LOG_SYNC_INTERVAL", SET, b"\x04\0"))
    bench.run(1)
    bench.clear()
    local(bench, request("LOG_SYNC_INTERVAL", SET, b"\xfd\0"))
    bench.run(1)
    assert 7 <= len(bench.sent(Sync)) <= 8


def test_HDR_24_messages_carry_the_interval_that_was_set() -> None:
    bench = master()
    local(bench, request("LOG_SYNC_INTERVAL", SET, b"\xfd\0"))
    local(bench, request("LOG_ANNOUNCE_INTERVAL", SET, b"\xfe\0"))
    bench.run(1)
    for kind, log_interval in ((Sync, -3), (FollowUp, -3), (Announce, -2)):
        sent = bench.sent(kind)
        assert len(sent) >= 3
        assert {message.log_interval for message in sent} == {log_interval}


def test_MGT_19_another_domain_is_a_new_start() -> None:
    """The engine moves it (tests/engine); alone, an instance has nowhere to go."""
    assert error(local(master(), request("DOMAIN", SET, b"\4\0"))) == WRONG_VALUE


def test_slave_only_follows_and_never_serves() -> None:
    bench = master()
    assert values(local(bench, request("SLAVE_ONLY", SET, b"\1\0"))[0])["slaveOnly"] is True
    bench.run(60)
    assert bench.states() == ["LISTENING"]
    assert values(local(bench, request("DEFAULT_DATA_SET"))[0])["clockClass"] == 255
    assert values(local(bench, request("SLAVE_ONLY", SET, b"\0\0"))[0])["slaveOnly"] is False
    bench.run(60)
    assert bench.states() == ["MASTER"]
    default = values(local(bench, request("DEFAULT_DATA_SET"))[0])
    assert (default["clockClass"], default["priority1"]) == (248, 128)


def test_a_boundary_clock_cannot_be_slave_only() -> None:
    assert error(local(master(2), request("SLAVE_ONLY", SET, b"\1\0"))) == WRONG_VALUE


def test_master_only_leaves_the_other_ports_alone() -> None:
    bench = Bench(2)
    better = Peer(1, quality=GRANDMASTER)
    bench.follow(better, 1)
    octets = request("MASTER_ONLY", SET, b"\1\0", target=PortIdentity(identity(0x50), 2))
    assert values(local(bench, octets)[0])["masterOnly"] is True
    assert bench.port(1).following
    octets = request("MASTER_ONLY", SET, b"\1\0", target=PortIdentity(identity(0x50), 1))
    local(bench, octets)
    bench.run(30)
    assert bench.states() == ["MASTER", "MASTER"]
    assert not bench.instance.has_parent


def test_grandmaster_settings_hold_until_initialize() -> None:
    bench = master()
    octets = request(
        "GRANDMASTER_SETTINGS_NP",
        SET,
        values={
            "clockClass": 6, "clockAccuracy": 0x21, "offsetScaledLogVariance": 0x4E5D, "currentUtcOffset": 37,
            "leap61": False, "leap59": False, "currentUtcOffsetValid": True, "ptpTimescale": True,
            "timeTraceable": True, "frequencyTraceable": True, "timeSource": 0x20,
        },
    )  # fmt: skip
    assert values(local(bench, octets)[0])["clockClass"] == 6
    # the reference goes on saying what it says
    bench.call("set_quality", bench.instance.own_quality, bench.instance.own_properties)
    bench.run(3)
    announce = bench.sent(Announce)[-1]
    assert (announce.quality, announce.time_source) == (GRANDMASTER, 0x20)
    (answer,) = local(bench, request("INITIALIZE", COMMAND, b"\0\0"))
    assert answer.action == ACKNOWLEDGE
    assert values(local(bench, request("DEFAULT_DATA_SET"))[0])["clockClass"] == 248


def test_only_key_zero_initialises() -> None:
    assert error(local(master(), request("INITIALIZE", COMMAND, b"\0\1"))) == WRONG_VALUE


# ---- boundary clocks ------------------------------------------------------------------------------------------------


def boundary() -> Bench:
    """Port 1 follows, 2 and 3 serve."""
    bench = Bench(3)
    bench.follow(Peer(1, quality=GRANDMASTER), 1)
    bench.run(20)
    assert bench.states() == ["UNCALIBRATED", "MASTER", "MASTER"]
    bench.clear()
    return bench


def forwarded(bench: Bench) -> list[tuple[str, Management]]:
    return [
        (e.channel, decode(e.octets))  # type: ignore[misc]
        for _, e in bench.effects
        if isinstance(e, Send) and e.octets[0] & 0x0F == 0xD and e.octets[20:30] == OPERATOR[0] + b"\0\x09"
    ]


def test_BC_06_and_08_management_is_forwarded_with_one_hop_less() -> None:
    bench = boundary()
    octets = request("PRIORITY1", starting_boundary_hops=3, boundary_hops=2, flags=Flag.UNICAST)
    bench.receive(octets, 1, address="10.0.0.7")
    copies = forwarded(bench)
    assert [channel for channel, _ in copies] == ["p2", "p3"]
    for _, copy in copies:
        assert (copy.starting_boundary_hops, copy.boundary_hops) == (3, 1)
        assert not copy.flags & Flag.UNICAST


def test_BC_07_without_hops_nothing_is_forwarded() -> None:
    bench = boundary()
    bench.receive(request("PRIORITY1"), 1)
    assert forwarded(bench) == []


def test_what_is_for_this_clock_alone_is_not_forwarded() -> None:
    bench = boundary()
    bench.receive(request("PRIORITY1", target=PortIdentity(identity(0x50), ALL_PORTS), boundary_hops=2), 1)
    assert forwarded(bench) == []


def test_a_port_that_is_out_of_service_forwards_nothing() -> None:
    bench = boundary()
    bench.call("enable", 2, False)
    bench.clear()
    bench.receive(request("PRIORITY1", boundary_hops=2), 1)
    assert [channel for channel, _ in forwarded(bench)] == ["p3"]
    bench.clear()
    bench.receive(request("PRIORITY1", boundary_hops=2), 2)
    assert forwarded(bench) == []


def test_a_local_request_goes_to_the_network_and_its_answer_comes_back() -> None:
    bench = boundary()
    assert len(local(bench, request("PRIORITY1", boundary_hops=1, starting_boundary_hops=1))) == 1
    assert [copy.boundary_hops for _, copy in forwarded(bench)] == [0, 0, 0]
    far = PortIdentity(identity(0x99), 1)
    answer = encode(
        Management(far, 5, target=OPERATOR, action=RESPONSE, tlvs=(ManagementTlv(0x2005, b"\x80\0"),), control=4)
    )
    ((to, came),) = replies(bench.receive(answer, 2))
    assert (to, came.source) == (PATH, far)


def test_the_read_only_socket_reaches_this_clock_only() -> None:
    bench = boundary()
    assert len(local(bench, request("PRIORITY1", boundary_hops=1), READ_ONLY)) == 1
    assert forwarded(bench) == []


# ---- subscriptions --------------------------------------------------------------------------------------------------


def subscribe(duration: int = 60, *wanted: str) -> bytes:
    events = ("NOTIFY_PORT_STATE", "NOTIFY_TIME_SYNC", "NOTIFY_PARENT_DATA_SET", "NOTIFY_CMLDS")
    wants = wanted or ("NOTIFY_PORT_STATE",)
    flags = {name: name in wants for name in events}
    return request("SUBSCRIBE_EVENTS_NP", SET, values={"duration": duration, **flags}, sequence_id=40)


def told(bench: Bench, effects: list[Effect]) -> list[Management]:
    return [message for _, message in replies(bench._take(bench.instance.happened(effects, bench.now)))]


def test_a_subscriber_hears_of_port_states_until_its_time_is_up() -> None:
    bench = master()
    assert values(local(bench, subscribe(10))[0])["NOTIFY_PORT_STATE"] is True
    (news,) = told(bench, bench.call("link", 1, False))
    assert (news.target, news.sequence_id, news.action) == (OPERATOR, 41, RESPONSE)
    assert values(news)["portState"] == PortState.FAULTY
    assert values(local(bench, request("SUBSCRIBE_EVENTS_NP"))[0])["duration"] == 10
    bench.now += 11 * S
    assert told(bench, bench.call("link", 1, True)) == []
    assert values(local(bench, request("SUBSCRIBE_EVENTS_NP"))[0])["duration"] == 0


def test_a_subscriber_hears_of_its_parent_and_of_syncs() -> None:
    bench = master()
    local(bench, subscribe(0xFFFF, "NOTIFY_PARENT_DATA_SET", "NOTIFY_TIME_SYNC"))
    peer = Peer(1, quality=GRANDMASTER)
    bench.clear()
    bench.follow(peer)
    news = told(bench, [effect for _, effect in bench.effects])
    assert [values(message)["parentPortIdentity"] for message in news] == [peer.identity]
    news = told(bench, bench.measure(peer))
    assert [values(message)["gmPresent"] for message in news] == [1]


def test_subscribers_are_bounded_and_the_network_has_none() -> None:
    bench = master(management=ManagementOptions(writers=("10.0.0.7",)))
    for number in range(MAX_SUBSCRIBERS):
        assert len(local(bench, subscribe(), path=f"/run/pmc.{number}")) == 1
    assert error(local(bench, subscribe(), path="/run/another")) == WRONG_VALUE
    assert error(network(bench, subscribe())) == NOT_SUPPORTED
    assert len(local(bench, subscribe(0), path="/run/pmc.1")) == 1
    assert len(bench.instance.management.subscriptions) == MAX_SUBSCRIBERS - 1


# ---- anything -------------------------------------------------------------------------------------------------------


@settings(max_examples=200, deadline=None)
@given(
    st.lists(
        st.tuples(
            st.sampled_from([*MANAGEMENT_IDS, 0x1234, 0xFFFF]),
            st.integers(0, 15),
            st.binary(max_size=70).map(lambda data: data[: len(data) & ~1]),
            st.sampled_from([0, 1, 2, 3, 0xFFFF]),
            st.booleans(),
            st.integers(0, 2),
        ),
        max_size=12,
    )
)
def test_hostile_management_never_raises_and_keeps_the_clock_whole(
    messages: list[tuple[int, int, bytes, int, bool, int]],
) -> None:
    bench = Bench(2, management=ManagementOptions(writers=("10.0.0.7",)))
    peer = Peer(1, quality=GRANDMASTER)
    bench.hear(peer)
    for number, action, data, port, by_network, hops in messages:
        octets = request(number, action, data, target=PortIdentity(identity(0x50), port), boundary_hops=hops)
        if by_network:
            network(bench, octets)
        else:
            local(bench, octets)
        bench.run(0.7)
    assert sum(port.following for port in bench.instance.ports) <= 1
    assert len(bench.instance.ports) == 2
    bench.run(30)
    for port in bench.instance.ports:
        # a timer runs wherever something is waited for
        assert port.timers or port.state in (PortState.DISABLED, PortState.FAULTY), port.state
