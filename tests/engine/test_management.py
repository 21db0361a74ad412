"""Management at the engine: routes by domain, what only the engine knows, another domain, and the same in a replay."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import pytest

from ptpstack.engine.effects import Event, KeepSettings, StepClock
from ptpstack.engine.plan import ClockPlan, EnginePlan, ReferencePlan
from ptpstack.engine.status import status
from ptpstack.engine.trace import RecordedEngine, replay
from ptpstack.protocol.effects import SendLocal
from ptpstack.protocol.management.table import READ_ONLY, READ_WRITE
from ptpstack.protocol.options import ManagementOptions
from ptpstack.wire.codec import decode
from ptpstack.wire.management import COMMAND, NOT_SUPPORTED, SET, WRONG_VALUE
from ptpstack.wire.management.rows import MANAGEMENT_IDS
from ptpstack.wire.messages import Management
from ptpstack.wire.tlvs.management import ManagementErrorStatus, ManagementTlv
from tests.engine.bench import Table, instance, plan
from tests.protocol.bench import GRANDMASTER, Peer, S, identity
from tests.protocol.test_management import request, subscribe, values

PATH = "/run/pmc.1"
TIME_S = 1_767_225_637


def ask(table: Table, octets: bytes, socket: str = READ_WRITE) -> list[Management]:
    effects = table.carry(table.engine.management(socket, octets, PATH, table.now))
    found = []
    for effect in effects:
        if isinstance(effect, SendLocal) and effect.address == PATH:
            message = decode(effect.octets)
            assert isinstance(message, Management)
            assert effect.socket == socket
            found.append(message)
    return found


def running(engine_plan: EnginePlan) -> Table:
    table = Table(engine_plan, ptp_s=TIME_S)
    table.start()
    table.run(12)
    return table


def get(table: Table, name: str, **fields: Any) -> dict[str, Any]:
    (answer,) = ask(table, request(name, **fields))
    return values(answer)


def error(answers: list[Management]) -> int:
    (tlv,) = answers[0].tlvs
    assert isinstance(tlv, ManagementErrorStatus)
    return tlv.error_id


def following() -> tuple[Table, Peer]:
    table = Table(plan(instance("a")), ptp_s=TIME_S)
    peer = Peer(1, quality=GRANDMASTER)
    table.start()
    table.announce(peer)
    table.serve(peer, 20)
    return table, peer


def test_offset_delay_and_time_are_those_of_the_servo_and_the_clock() -> None:
    table, peer = following()
    current = get(table, "CURRENT_DATA_SET")
    assert current["stepsRemoved"] == 1
    edge = table.engine.edge_of("a")
    estimate = edge.servo.estimate(table.now)
    assert estimate is not None
    assert current["offsetFromMaster"] / 65536 == pytest.approx(estimate.value_ns, abs=0.01)
    assert current["meanDelay"] / 65536 == pytest.approx(edge.servo.path_delay_ns() or 0.0, abs=0.01)
    status_np = get(table, "TIME_STATUS_NP")
    assert (status_np["gmPresent"], status_np["gmIdentity"]) == (1, peer.identity.clock_identity)
    assert status_np["ingress_time"] == pytest.approx(TIME_S * S, abs=100 * S)
    truth = table.epoch_ns + table.now
    assert get(table, "TIME")["currentTime"] == pytest.approx(truth, abs=S)


def test_a_subscriber_is_told_of_every_sync_after_the_servo() -> None:
    table, peer = following()
    ask(table, subscribe(60, "NOTIFY_TIME_SYNC"))
    table.clear()
    table.serve(peer, 2)
    pushed = [decode(e.octets) for e in table.commands(SendLocal)]
    assert [m.sequence_id for m in pushed] == [41, 42]
    assert all(isinstance(m, Management) and values(m)["gmPresent"] for m in pushed)


def test_a_channel_is_described_as_the_driver_has_told() -> None:
    table = running(plan(instance("a", channel="eth1/udp4")))
    assert get(table, "PORT_PROPERTIES_NP")["timestamping"] == 0
    assert get(table, "PORT_HWCLOCK_NP")["phc_index"] == -1
    assert get(table, "CLOCK_DESCRIPTION")["protocolAddress"].network_protocol == 0xFFFE
    mac = bytes.fromhex("001b21aabbcc")
    table.carry(table.engine.channel_facts("eth1/udp4", "hardware", 3, mac, "192.0.2.1", table.now))
    assert get(table, "PORT_PROPERTIES_NP") | {"timestamping": 1, "interface": "eth1"} == get(
        table, "PORT_PROPERTIES_NP"
    )
    assert get(table, "PORT_HWCLOCK_NP")["phc_index"] == 3
    description = get(table, "CLOCK_DESCRIPTION")
    assert description["physicalAddress"] == mac
    assert description["protocolAddress"] == (1, bytes((192, 0, 2, 1)))


def test_datagrams_go_to_the_instance_of_their_domain() -> None:
    table = running(plan(instance("a"), instance("b", domain=7, clock_identity=identity(0x51))))
    (answer,) = ask(table, request("DOMAIN", domain=7))
    assert answer.source.clock_identity == identity(0x51)
    assert ask(table, request("DOMAIN", domain=9)) == []
    assert ask(table, request("DOMAIN", sdo_id=0x100)) == []
    assert ask(table, b"short") == []
    assert ask(table, b"\x0d\x01" + bytes(40)) == []
    assert table.engine.management_desk.counters == {
        "drop-domain-or-sdo-id": 2, "drop-short-header": 1, "drop-version": 1,
    }  # fmt: skip


def test_MGT_19_another_domain_is_a_new_start() -> None:
    table, peer = following()
    answers = table.engine.plain_answers("p1")
    old_requests = set(answers)
    (answer,) = ask(table, request("DOMAIN", SET, b"\x09\0"))
    # in the domain in which it was asked for: who asked would not hear it otherwise
    assert (answer.domain, values(answer)["domainNumber"]) == (0, 9)
    assert ask(table, request("DOMAIN")) == []
    assert get(table, "DOMAIN", domain=9)["domainNumber"] == 9
    assert table.engine.instances["a"].ports[0].state.name == "LISTENING"
    assert not table.engine.instances["a"].has_parent
    assert old_requests.isdisjoint(answers)
    assert answers
    table.announce(peer)
    assert table.engine.unrouted["p1"]["drop-domain-or-sdo-id"] == 2
    table.announce(peer, domain=9)
    table.serve(peer, 20, domain=9)
    assert table.engine.instances["a"].following_port is not None
    assert table.engine.edge_of("a").measurements > 10


def test_a_domain_that_another_instance_has_on_the_channel_is_refused() -> None:
    table = running(plan(instance("a"), instance("b", domain=7, clock_identity=identity(0x51))))
    assert error(ask(table, request("DOMAIN", SET, b"\x07\0"))) == WRONG_VALUE
    assert get(table, "DOMAIN")["domainNumber"] == 0


def test_a_free_running_grandmaster_can_be_set() -> None:
    table = running(plan(instance("a"), clocks=(ClockPlan("clock", watched=True),)))
    table.run(2)
    wanted = (TIME_S + 86_400) * S
    (answer,) = ask(table, request("TIME", SET, values={"currentTime": wanted}))
    assert values(answer)["currentTime"] == pytest.approx(wanted, abs=S)
    assert len(table.commands(StepClock)) == 1
    assert table.clock_sns("clock") >> 16 == pytest.approx(wanted, abs=S)
    assert "set by management" in table.events("clock-step")[0]["reason"]


def test_a_clock_with_a_reference_and_one_that_is_only_read_cannot_be_set() -> None:
    octets = request("TIME", SET, values={"currentTime": TIME_S * S})
    with_reference = running(plan(instance("a"), references=(ReferencePlan("clock"),)))
    assert error(ask(with_reference, octets)) == NOT_SUPPORTED
    read_only = running(plan(instance("a"), clocks=(ClockPlan("clock", steerable=False),)))
    assert error(ask(read_only, octets)) == NOT_SUPPORTED
    for table in (with_reference, read_only):
        assert table.commands(StepClock) == []


def test_what_was_set_outlives_what_the_reference_says() -> None:
    table = running(plan(instance("a"), references=(ReferencePlan("clock", accuracy=0x21),)))
    assert get(table, "CLOCK_ACCURACY")["clockAccuracy"] == 0x21
    ask(table, request("CLOCK_ACCURACY", SET, b"\x23\0"))
    table.run(5)
    assert get(table, "CLOCK_ACCURACY")["clockAccuracy"] == 0x23
    assert table.announces()[-1][1].quality.clock_accuracy == 0x23
    (row,) = status(table.engine, table.now)["instances"]
    assert row["management"]["settings"]["accuracy"] == 0x23
    (said,) = [e for e in table.commands(Event) if e.kind == "management"]
    assert said.data == {
        "id": "CLOCK_ACCURACY", "values": "clockAccuracy 0x23", "way": "read-write", "address": PATH,
    }  # fmt: skip


def test_faults_have_a_time_where_the_clock_has_one() -> None:
    table = running(plan(instance("a"), clocks=(ClockPlan("clock", watched=True),)))
    table.carry(table.engine.link("p1", False, table.now))
    (record,) = get(table, "FAULT_LOG")["faultRecords"]
    assert record["faultTime"] == pytest.approx(table.epoch_ns + table.now, abs=S)


def test_a_replay_answers_the_same(tmp_path: Path) -> None:
    engine_plan = plan(instance("a", channel="eth1/udp4"), clocks=(ClockPlan("clock", watched=True),))
    stream = io.StringIO()
    stream.close = lambda: None  # type: ignore[method-assign]
    engine = RecordedEngine(engine_plan, stream)
    table = Table(engine_plan, ptp_s=TIME_S, engine=engine)
    table.start()
    table.carry(engine.channel_facts("eth1/udp4", "hardware", 3, bytes(6), "192.0.2.1", table.now))
    table.run(12)
    table.carry(engine.management(READ_ONLY, subscribe(0xFFFF, "NOTIFY_PORT_STATE"), "/run/other", table.now))
    for number, row in MANAGEMENT_IDS.items():
        ask(table, request(number))
        if "S" in row.actions and row.size is not None:
            ask(table, request(number, SET, bytes(row.size)))
        table.run(0.5)
    ask(table, request("DOMAIN", SET, b"\x09\0"))
    table.run(20)
    engine.close_trace(table.now)
    path = tmp_path / "trace"
    path.write_text(stream.getvalue())
    result = replay(str(path))
    assert result.identical, result.divergence
    assert result.complete
    assert result.counts["management"] > 80


def test_settings_are_kept_and_hold_again() -> None:
    storing = ManagementOptions(storage=True)
    table = running(plan(instance("a", management=storing), clocks=(ClockPlan("clock", watched=True),)))
    ask(table, request("PRIORITY1", SET, b"\x64\0"))
    ask(table, request("DOMAIN", SET, b"\x09\0"))
    ask(table, request("SAVE_IN_NON_VOLATILE_STORAGE", COMMAND, domain=9))
    (keep,) = table.commands(KeepSettings)
    assert keep.instance == "a"
    at_s = keep.entries[0][-1]
    assert at_s == pytest.approx(TIME_S + 12, abs=2)
    assert keep.entries[0][:-1] == [SET, 0x2005, 0, "6400", READ_WRITE, PATH]
    again = running(plan(instance("a", management=storing)))
    again.carry(again.engine.restore("a", json.loads(json.dumps(keep.entries)), again.now))
    assert get(again, "PRIORITY1", domain=9)["priority1"] == 100
    assert [e["way"] for e in again.events("management")] == ["kept, read-write"] * 2


def test_settings_that_nobody_can_have_kept_are_no_settings() -> None:
    table = running(plan(instance("a")))
    for entries in (
        [[1]],
        [[1, 2, 3, "zz", "", "", 0]],
        [[9, 0x2005, 0, "6400", "", "", 0]],
        [[1, 0x2005, "x", "6400", "", "", 0]],
    ):
        with pytest.raises((KeyError, TypeError, ValueError)):
            table.engine.restore("a", entries, table.now)
    assert get(table, "PRIORITY1")["priority1"] == 128


def test_the_tlv_of_a_push_is_that_of_a_get() -> None:
    table = running(plan(instance("a")))
    ask(table, subscribe(60, "NOTIFY_PORT_STATE"))
    table.clear()
    table.carry(table.engine.link("p1", False, table.now))
    (push,) = [decode(e.octets) for e in table.commands(SendLocal)]
    (tlv,) = push.tlvs
    assert isinstance(tlv, ManagementTlv)
    assert tlv.data == MANAGEMENT_IDS[0x2004].encode(get(table, "PORT_DATA_SET"))
