"""A transparent clock inside the engine: its channels are its own, its stamps find it, and a recorded run replays."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from ptpstack.engine.engine import Engine
from ptpstack.engine.plan import plan_as_dict, plan_from_dict
from ptpstack.engine.status import status
from ptpstack.engine.trace import RecordedEngine, open_for_writing, replay
from ptpstack.protocol.effects import Send
from ptpstack.protocol.options import TransparentOptions, TransparentPort
from ptpstack.wire.codec import decode, encode
from ptpstack.wire.messages import FollowUp, PdelayResp
from tests.engine.bench import instance, plan
from tests.protocol.bench import identity
from tests.protocol.test_transparent import ANNOUNCE, MASTER, PEERS, S, address, follow_up, sync

PORTS = (TransparentPort("m/bridge"), TransparentPort("a/bridge", 12.5), TransparentPort("b/bridge"))
PLAN = replace(plan(instance("one")), transparent=(TransparentOptions("tc", PORTS),))


def drive(engine: Engine) -> list[Send]:
    """A Sync, its stamps and its Follow_Up pass; what was sent on the bridge."""
    sent: list[Send] = []
    engine.start(0)
    for octets in (sync(), follow_up()):
        event = octets[0] & 0x0F < 8
        effects = engine.receive("m/bridge", octets, 5 * S << 16 if event else None, address(1), S)
        sent += [effect for effect in effects if isinstance(effect, Send)]
        for effect in [e for e in sent if e.token is not None]:
            assert effect.token is not None
            engine.transmitted(effect.token, (5 * S + 100) << 16, S)
    return sent


def test_its_frames_and_stamps_find_it_beside_an_instance() -> None:
    engine = Engine(PLAN)
    sent = drive(engine)
    assert {send.channel for send in sent} == {"a/bridge", "b/bridge"}
    followers = [decode(send.octets) for send in sent if send.token is None]
    assert [m.correction_sns for m in followers if isinstance(m, FollowUp)] == [100 << 16] * 2
    (shown,) = status(engine, 2 * S)["transparent"]
    assert [port["residence_ns"] for port in shown["ports"]] == [None, 100.0, 100.0]
    json.dumps(shown, allow_nan=False)
    engine.link("a/bridge", False, 2 * S)
    assert [port["up"] for port in status(engine, 2 * S)["transparent"][0]["ports"]] == [True, False, True]


def test_a_plan_with_it_goes_through_json() -> None:
    assert plan_from_dict(json.loads(json.dumps(plan_as_dict(PLAN)))) == PLAN


def test_a_channel_belongs_to_one() -> None:
    ports = (TransparentPort("m/bridge"), TransparentPort("c/bridge"))
    with pytest.raises(ValueError, match="m/bridge is in use"):
        Engine(replace(PLAN, transparent=(*PLAN.transparent, TransparentOptions("second", ports))))


def test_a_recorded_run_replays(tmp_path: Path) -> None:
    path = tmp_path / "tc.trace"
    engine = RecordedEngine(PLAN, open_for_writing(str(path)))
    drive(engine)
    engine.close_trace(3 * S)
    result = replay(str(path))
    assert result.identical, result.divergence
    assert result.counts["receive"] == 2
    assert result.counts["transmitted"] >= 2


P2P_PLAN = replace(
    PLAN, transparent=(TransparentOptions("tc", PORTS, delay_mechanism="P2P", clock_identity=bytes(range(8))),)
)


def test_a_peer_to_peer_clock_asks_in_time_and_replays(tmp_path: Path) -> None:
    path = tmp_path / "p2p.trace"
    engine = RecordedEngine(P2P_PLAN, open_for_writing(str(path)))
    now, asked = 0, set()
    engine.start(now)
    while now < 3 * S:
        deadline = engine.next_deadline()
        assert deadline is not None
        now = max(now, deadline)
        sends = [e for e in engine.timer(now) if isinstance(e, Send)]
        asked |= {send.channel for send in sends if send.octets[0] & 15 == 2}
        for send in sends:
            assert send.token is not None
            engine.transmitted(send.token, now << 16, now)
    assert asked == {"m/bridge", "a/bridge", "b/bridge"}
    engine.close_trace(now)
    result = replay(str(path))
    assert result.identical, result.divergence


def test_its_plan_goes_through_json_too() -> None:
    assert plan_from_dict(json.loads(json.dumps(plan_as_dict(P2P_PLAN)))) == P2P_PLAN


HYBRID = replace(
    plan(instance("inside", channel="tc/l2", port={"delay_mechanism": "P2P"}, client_only=True)),
    transparent=(
        TransparentOptions(
            "tc", PORTS, delay_mechanism="P2P", transport="l2", clock_identity=identity(0x50), inside=("tc/l2",)
        ),
    ),
)


def follow(engine: Engine) -> None:
    """A master behind port ``m`` is heard, its link measured, its Syncs taken; the clock shows the same as its own."""
    now = 0
    engine.start(now)
    for turn in range(8):
        now = (turn + 1) * S
        for send in [e for e in engine.timer(now) if isinstance(e, Send) and e.channel == "m/bridge"]:
            assert send.token is not None
            engine.transmitted(send.token, now << 16, now)
            asked = decode(send.octets)
            answer = PdelayResp(MASTER, asked.sequence_id, requesting=asked.source)
            engine.receive("m/bridge", encode(answer), (now + 800) << 16, address(1, PEERS), now)
        engine.receive("m/bridge", encode(replace(ANNOUNCE, sequence_id=turn)), None, address(1), now)
        engine.receive("m/bridge", sync(turn), (now + 400) << 16, address(1), now)
        engine.receive("m/bridge", follow_up(turn, precise_origin_ns=now), None, address(1), now)


def test_an_instance_inside_follows_a_master_through_a_port_of_the_clock(tmp_path: Path) -> None:
    path = tmp_path / "hybrid.trace"
    engine = RecordedEngine(HYBRID, open_for_writing(str(path)))
    follow(engine)
    (shown,) = status(engine, 9 * S)["instances"]
    assert shown["parent"] == str(MASTER)
    assert shown["ports"][0]["delay_mechanism"] == "NONE"
    # the link is measured by the transparent clock, and the servo knows its delay
    assert engine.edges["inside"].servo.path_delay_ns() == pytest.approx(400.0, abs=5.0)
    assert engine.edges["inside"].measurements >= 5
    engine.close_trace(10 * S)
    result = replay(str(path))
    assert result.identical, result.divergence


def test_a_step_of_the_clock_voids_what_is_inside_the_transparent_clock() -> None:
    engine = Engine(HYBRID)
    follow(engine)
    engine.receive("m/bridge", sync(20), 20 * S << 16, address(1), 9 * S)
    engine.commanded("clock", 5 * S << 16, 0.0, -15 * S << 16, 9 * S)
    effects = engine.receive("m/bridge", follow_up(20), None, address(1), 9 * S)
    assert [e for e in effects if isinstance(e, Send)] == []


def test_the_plan_of_a_hybrid_goes_through_json() -> None:
    assert plan_from_dict(json.loads(json.dumps(plan_as_dict(HYBRID)))) == HYBRID
