"""managementIds of options: read while the option is on, not supported while it is off, never set."""

from __future__ import annotations

from typing import Any

import pytest

from ptpstack.protocol.options import AcceptableMaster, AlternateTimescale, TimeProperties
from ptpstack.wire.management import IDS_BY_NAME, NOT_SETABLE, NOT_SUPPORTED, SET, WRONG_VALUE
from ptpstack.wire.tlvs.announce import PathTrace
from ptpstack.wire.types import PortIdentity, PortState
from tests.protocol.bench import Bench, Peer, identity
from tests.protocol.test_management import error, local, master, request, values

CET = AlternateTimescale(3, "CET", ((0, 3600), (2_000_000_000, 7200)))
ON: dict[str, dict[str, Any]] = {
    "PATH_TRACE_LIST": {"path_trace": True},
    "PATH_TRACE_ENABLE": {"path_trace": True},
    "ACCEPTABLE_MASTER_TABLE": {"acceptable_masters": (AcceptableMaster(identity(1)),)},
    "ACCEPTABLE_MASTER_TABLE_ENABLED": {"acceptable_masters": (AcceptableMaster(identity(1)),)},
    "ACCEPTABLE_MASTER_MAX_TABLE_SIZE": {"acceptable_masters": (AcceptableMaster(identity(1)),)},
    "ALTERNATE_MASTER": {"port": {"alternate_masters": 3}},
    "ALTERNATE_TIME_OFFSET_MAX_KEY": {"alternate_timescales": (CET,)},
    "EXTERNAL_PORT_CONFIGURATION_ENABLED": {"bmca": "external", "port": {"desired_state": "master"}},
    "EXT_PORT_CONFIG_PORT_DATA_SET": {"bmca": "external", "port": {"desired_state": "master"}},
}


def get(bench: Bench, name: str, **asked: Any) -> dict[str, Any]:
    (answer,) = local(bench, request(name, values=asked or None))
    return values(answer)


@pytest.mark.parametrize("name", ON)
def test_an_id_is_read_while_its_option_is_on(name: str) -> None:
    assert get(master(**ON[name]), name)
    assert error(local(master(), request(name))) == NOT_SUPPORTED


@pytest.mark.parametrize("name", [name for name in ON if "S" in IDS_BY_NAME[name].actions])
def test_none_is_set(name: str) -> None:
    bench = master(**ON[name])
    told = values(local(bench, request(name))[0])
    assert error(local(bench, request(name, SET, values=told))) == NOT_SETABLE


def test_the_path_is_the_parents() -> None:
    bench = Bench(2, path_trace=True)
    bench.hear(Peer(2, priority1=1, tlvs=(PathTrace((identity(1), identity(2))),)))
    bench.run(20)
    listed = get(bench, "PATH_TRACE_LIST")["pathTrace"]
    assert [entry["clockIdentity"] for entry in listed] == [identity(1), identity(2)]


def test_the_table_of_masters() -> None:
    table = (AcceptableMaster(identity(1), 7, 20), AcceptableMaster(identity(2)))
    bench = master(acceptable_masters=table)
    assert [dict(entry) for entry in get(bench, "ACCEPTABLE_MASTER_TABLE")["masters"]] == [
        {"acceptablePortIdentity": PortIdentity(identity(1), 7), "alternatePriority1": 20},
        {"acceptablePortIdentity": PortIdentity(identity(2), 0xFFFF), "alternatePriority1": 0},
    ]


def test_local_times_by_key() -> None:
    bench = master(alternate_timescales=(CET,), time_properties=TimeProperties(current_utc_offset_valid=True))
    assert get(bench, "ALTERNATE_TIME_OFFSET_ENABLE", keyField=3, enable=False)["enable"] is False
    bench.call("tell_time", 1_900_000_037)
    assert get(bench, "ALTERNATE_TIME_OFFSET_ENABLE", keyField=3, enable=False)["enable"] is True
    asked = {"keyField": 3, "currentOffset": 0, "jumpSeconds": 0, "timeOfNextJump": 0}
    told = get(bench, "ALTERNATE_TIME_OFFSET_PROPERTIES", **asked)
    assert (told["currentOffset"], told["jumpSeconds"], told["timeOfNextJump"]) == (3563, 3600, 2_000_000_037)
    assert get(bench, "ALTERNATE_TIME_OFFSET_NAME", keyField=3, displayName="")["displayName"] == "CET"
    assert get(bench, "ALTERNATE_TIME_OFFSET_MAX_KEY") == {"maxKey": 3}
    other = request("ALTERNATE_TIME_OFFSET_PROPERTIES", values={**asked, "keyField": 4})
    assert error(local(bench, other)) == WRONG_VALUE


def test_desired_states() -> None:
    bench = Bench(2, bmca="external", port_each=({"desired_state": "slave"}, {"desired_state": "passive"}))
    answers = [values(a)["desiredState"] for a in local(bench, request("EXT_PORT_CONFIG_PORT_DATA_SET"))]
    assert answers == [PortState.SLAVE, PortState.PASSIVE]
