"""Management of options: path trace, alternate time offsets, acceptable masters, external port configuration."""

from __future__ import annotations

from typing import Any

import pytest

from ptpstack.protocol.options import AcceptableMaster, AlternateTimescale, TimeProperties
from ptpstack.wire.management import NOT_SUPPORTED, SET, WRONG_VALUE
from ptpstack.wire.messages import Announce
from ptpstack.wire.tlvs.announce import AlternateTimeOffsetIndicator, PathTrace
from ptpstack.wire.types import PortIdentity, PortState
from tests.protocol.bench import GRANDMASTER, Bench, Peer, identity
from tests.protocol.test_management import error, local, master, request, values

#: TAI - UTC is known
KNOWN = TimeProperties(current_utc_offset=37, current_utc_offset_valid=True)
NOW_S = 1_767_225_637


def get(bench: Bench, name: str, **fields: Any) -> dict[str, Any]:
    return values(local(bench, request(name, **fields))[0])


def put(bench: Bench, name: str, **fields: Any) -> dict[str, Any]:
    return values(local(bench, request(name, SET, values=fields))[0])


def refused(bench: Bench, name: str, **fields: Any) -> int:
    return error(local(bench, request(name, SET, values=fields)))


# ---- path trace -----------------------------------------------------------------------------------------------------


def test_the_path_is_that_of_the_parent_from_the_moment_it_is_enabled() -> None:
    bench = Bench(2)
    peer = Peer(1, quality=GRANDMASTER, tlvs=(PathTrace((identity(7), identity(1))),))
    bench.follow(peer)
    assert get(bench, "PATH_TRACE_LIST")["pathTrace"] == ()
    assert put(bench, "PATH_TRACE_ENABLE", enable=True)["enable"] is True
    listed = get(bench, "PATH_TRACE_LIST")["pathTrace"]
    assert [entry["clockIdentity"] for entry in listed] == [identity(7), identity(1)]
    bench.run(20)
    assert bench.sent(Announce, 2)[-1].tlvs == (PathTrace((identity(7), identity(1), identity(0x50))),)
    assert bench.port(1).following
    put(bench, "PATH_TRACE_ENABLE", enable=False)
    bench.run(3)
    assert bench.sent(Announce, 2)[-1].tlvs == ()


# ---- alternate time offsets -----------------------------------------------------------------------------------------


def grandmaster() -> Bench:
    bench = master(
        time_properties=KNOWN,
        alternate_timescales=(AlternateTimescale(5, "CET", ((0, 3600), (NOW_S + 1000, 7200)), zone="Europe/Berlin"),),
    )
    bench.instance.management.around.time_ns = lambda now: NOW_S * 10**9  # type: ignore[method-assign]
    tell(bench)
    return bench


def tell(bench: Bench) -> None:
    bench._take(bench.instance.tell_time(NOW_S, bench.now))


def announced(bench: Bench) -> dict[int, AlternateTimeOffsetIndicator]:
    tell(bench)
    bench.run(2.5)
    tlvs = bench.sent(Announce)[-1].tlvs
    return {tlv.key: tlv for tlv in tlvs if isinstance(tlv, AlternateTimeOffsetIndicator)}


def test_what_is_configured_can_be_read() -> None:
    bench = grandmaster()
    key = {"data": b"\5" + bytes(15)}
    properties = get(bench, "ALTERNATE_TIME_OFFSET_PROPERTIES", **key)
    assert properties == {
        "keyField": 5, "currentOffset": 3600 - 37, "jumpSeconds": 3600, "timeOfNextJump": NOW_S + 1000 + 37,
    }  # fmt: skip
    assert get(bench, "ALTERNATE_TIME_OFFSET_NAME", data=b"\5\0")["displayName"] == "CET"
    assert get(bench, "ALTERNATE_TIME_OFFSET_ENABLE", data=b"\5\0")["enable"] is True
    assert get(bench, "ALTERNATE_TIME_OFFSET_MAX_KEY")["maxKey"] == 5
    assert get(bench, "ALTERNATE_TIME_OFFSET_NAME", data=b"\0\0")["displayName"] == ""
    assert error(local(bench, request("ALTERNATE_TIME_OFFSET_NAME", data=b"\x09\0"))) == WRONG_VALUE


def test_a_local_time_can_be_set_up_by_management_alone() -> None:
    """In the order in which linuxptp's tz2alt does it."""
    bench = grandmaster()
    put(bench, "ALTERNATE_TIME_OFFSET_NAME", keyField=1, displayName="JST")
    put(
        bench, "ALTERNATE_TIME_OFFSET_PROPERTIES", keyField=1, currentOffset=9 * 3600 - 37, jumpSeconds=0,
        timeOfNextJump=0,
    )  # fmt: skip
    assert 1 not in announced(bench)
    assert put(bench, "ALTERNATE_TIME_OFFSET_ENABLE", keyField=1, enable=True)["enable"] is True
    assert announced(bench)[1] == AlternateTimeOffsetIndicator(1, 9 * 3600 - 37, 0, 0, "JST")
    put(bench, "ALTERNATE_TIME_OFFSET_ENABLE", keyField=0xFF, enable=False)
    assert announced(bench) == {}


@pytest.mark.parametrize(
    "wrong",
    [
        {"currentOffset": 200_000},
        {"jumpSeconds": 3600, "timeOfNextJump": 0},
        {"jumpSeconds": 0, "timeOfNextJump": NOW_S},
        {"keyField": 77},
    ],
)
def test_MGT_20_alternate_time_offsets_are_set_as_a_whole_or_not_at_all(wrong: dict[str, int]) -> None:
    bench = grandmaster()
    key = {"data": b"\5" + bytes(15)}
    before = get(bench, "ALTERNATE_TIME_OFFSET_PROPERTIES", **key)
    good = {"keyField": 5, "currentOffset": 7200 - 37, "jumpSeconds": -3600, "timeOfNextJump": NOW_S + 500}
    assert refused(bench, "ALTERNATE_TIME_OFFSET_PROPERTIES", **{**good, **wrong}) == WRONG_VALUE
    assert get(bench, "ALTERNATE_TIME_OFFSET_PROPERTIES", **key) == before
    assert put(bench, "ALTERNATE_TIME_OFFSET_PROPERTIES", **good) == good
    tlv = announced(bench)[5]
    assert (tlv.current_offset_s, tlv.jump_s, tlv.time_of_next_jump_s) == (7200 - 37, -3600, NOW_S + 500)


def test_a_name_that_is_too_long() -> None:
    assert refused(grandmaster(), "ALTERNATE_TIME_OFFSET_NAME", keyField=1, displayName="x" * 11) == WRONG_VALUE


# ---- acceptable masters ---------------------------------------------------------------------------------------------


def test_the_table_of_acceptable_masters_decides_once_it_is_enabled() -> None:
    bench = master(acceptable_masters=(AcceptableMaster(identity(1), 1, 0, 9),))
    best, other = Peer(1, quality=GRANDMASTER), Peer(2, quality=GRANDMASTER, priority1=140)
    record = {"acceptablePortIdentity": other.identity, "alternatePriority1": 7}
    assert put(bench, "ACCEPTABLE_MASTER_TABLE", masters=(record,))["masters"] == (record,)
    assert put(bench, "ACCEPTABLE_MASTER_TABLE_ENABLED", enable=True)["enable"] is True
    bench.hear(best)
    bench.hear(other)
    bench.run(10)
    assert bench.instance.data.parent.parent_port_identity == other.identity
    assert bench.port().counters["drop-announce-not-acceptable"] > 2
    put(bench, "ACCEPTABLE_MASTER_TABLE_ENABLED", enable=False)
    put(bench, "ACCEPTABLE_MASTER_TABLE", masters=())
    bench.run(10)
    assert bench.instance.data.parent.parent_port_identity == best.identity


def test_the_table_has_an_end() -> None:
    bench = master()
    size = get(bench, "ACCEPTABLE_MASTER_MAX_TABLE_SIZE")["maxTableSize"]
    record = {"acceptablePortIdentity": PortIdentity(identity(1), 1), "alternatePriority1": 0}
    assert refused(bench, "ACCEPTABLE_MASTER_TABLE", masters=(record,) * (size + 1)) == WRONG_VALUE
    assert len(put(bench, "ACCEPTABLE_MASTER_TABLE", masters=(record,) * size)["masters"]) == size


def test_what_is_kept_of_a_master_beside_the_table_stays() -> None:
    bench = master(acceptable_masters=(AcceptableMaster(identity(1), 1, 0, 9),))
    record = {"acceptablePortIdentity": PortIdentity(identity(1), 1), "alternatePriority1": 3}
    put(bench, "ACCEPTABLE_MASTER_TABLE", masters=(record,))
    assert bench.instance.options.acceptable_masters == (AcceptableMaster(identity(1), 1, 3, 9),)


# ---- external port configuration ------------------------------------------------------------------------------------


def test_ports_do_what_they_are_told_while_external_configuration_is_on() -> None:
    bench = Bench(2, port_each=({"desired_state": "slave"}, {"desired_state": "master"}))
    worse, better = Peer(1, priority1=200), Peer(2, quality=GRANDMASTER, priority1=1)
    bench.hear(worse, 1)
    bench.hear(better, 2)
    bench.run(20)
    assert bench.port(2).following
    assert put(bench, "EXTERNAL_PORT_CONFIGURATION_ENABLED", enable=True)["enable"] is True
    bench.run(20)
    assert bench.states() == ["UNCALIBRATED", "MASTER"]
    octets = request(
        "EXT_PORT_CONFIG_PORT_DATA_SET",
        SET,
        values={"acceptableMaster": False, "desiredState": PortState.PASSIVE},
        target=PortIdentity(identity(0x50), 2),
    )
    assert values(local(bench, octets)[0])["desiredState"] == PortState.PASSIVE
    bench.run(5)
    assert bench.states() == ["UNCALIBRATED", "PASSIVE"]
    put(bench, "EXTERNAL_PORT_CONFIGURATION_ENABLED", enable=False)
    bench.run(20)
    assert bench.port(2).following


def test_external_configuration_needs_a_desired_state_for_every_port() -> None:
    bench = master(2)
    assert refused(bench, "EXTERNAL_PORT_CONFIGURATION_ENABLED", enable=True) == WRONG_VALUE
    assert bench.states() == ["MASTER", "MASTER"]
    bench = master()
    assert refused(bench, "EXT_PORT_CONFIG_PORT_DATA_SET", acceptableMaster=True, desiredState=6) == NOT_SUPPORTED
    assert refused(bench, "EXT_PORT_CONFIG_PORT_DATA_SET", acceptableMaster=False, desiredState=4) == WRONG_VALUE


def test_master_only_and_external_configuration_exclude_each_other() -> None:
    bench = master(port={"desired_state": "master"})
    put(bench, "EXTERNAL_PORT_CONFIGURATION_ENABLED", enable=True)
    assert refused(bench, "MASTER_ONLY", masterOnly=True) == WRONG_VALUE
    assert get(bench, "MASTER_ONLY")["masterOnly"] is False
    bench.run(5)
    assert bench.states() == ["MASTER"]


# ---- alternate master -----------------------------------------------------------------------------------------------


def test_the_alternate_masters_of_a_port_are_read() -> None:
    told = get(master(port={"alternate_masters": 3}), "ALTERNATE_MASTER")
    assert (told["numberOfAlternateMasters"], told["transmitAlternateMulticastSync"]) == (3, False)
    assert get(master(), "ALTERNATE_MASTER")["numberOfAlternateMasters"] == 0
