"""Traces: recorded in a simulation, replayed to the same decisions; one octet changed, damaged, cut, foreign."""

from __future__ import annotations

import gzip
import json
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ptpstack.clocks.oscillator import OscillatorModel
from ptpstack.clocks.simulated import SimulatedClock
from ptpstack.engine.plan import (
    ClockPlan,
    EdgePlan,
    EnginePlan,
    InstancePlan,
    ReferencePlan,
    plan_as_dict,
    plan_from_dict,
)
from ptpstack.engine.trace import RecordedEngine, TraceError, read_trace, replay
from ptpstack.engine.trace_file import open_for_writing
from ptpstack.protocol.options import PortOptions, QualityTable, TimeProperties
from ptpstack.servo.options import ServoOptions
from ptpstack.sim.build import make_node
from ptpstack.sim.delays import PathDelay
from ptpstack.sim.network import Segment, SimNode
from ptpstack.sim.world import World
from ptpstack.timebase.leap import LeapTable
from ptpstack.timebase.leapfile import LeapEntry
from ptpstack.wire.types import ClockQuality
from tests.engine.bench import Table, instance, plan

SECONDS = 40


def record(path: Path, *, end: bool = True) -> None:
    """A client of a grandmaster that goes away, through links, priorities and a lost stamp; its trace in ``path``."""
    world = World()
    segment = Segment(world, default=PathDelay(1000, jitter_ns=50, seed=3))
    gm = make_node(world, "gm", 1, quality=ClockQuality(6, 0x21, 0x4E5D), port_options={"listen_first": False})
    node = make_node(
        world, "oc", 9, seed=5, oscillator=OscillatorModel(30_000.0, wander_ppb=1.0), initial_error_ns=5_000_000
    )
    stream = open_for_writing(str(path))
    recorded = RecordedEngine(node.engine.plan, stream)
    node.engine = recorded
    for member in (gm, node):
        segment.attach(member, "p1/sim")
    lost = random.Random(7)
    node.lose_stamp = lambda: lost.random() < 0.1
    gm.start()
    node.start(0.5)
    world.run(20)
    node.perform(recorded.set_priorities("instance", world.elapsed_ns, 200, None))
    node.set_link("p1/sim", False)
    world.run(21)
    node.set_link("p1/sim", True)
    world.run(SECONDS - 10)
    gm.stop()
    world.run(SECONDS)
    if end:
        recorded.close_trace(world.elapsed_ns)
    else:
        stream.close()


@pytest.fixture(scope="module")
def trace(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("trace") / "oc.trace"
    record(path)
    return path


def records(path: Path) -> list[list[Any]]:
    return [record for _, record in read_trace(str(path))]


def write(path: Path, lines: list[list[Any]]) -> str:
    path.write_text("".join(json.dumps(line, separators=(",", ":")) + "\n" for line in lines), encoding="ascii")
    return str(path)


def test_a_replay_is_identical(trace: Path) -> None:
    result = replay(str(trace))
    assert result.identical, result.divergence
    assert result.complete
    lines = records(trace)
    assert result.inputs == sum(r[0] == "in" for r in lines)
    assert result.decisions == sum(r[0] == "out" for r in lines) > 80
    assert set(result.counts) >= {"start", "receive", "transmitted", "timer", "commanded", "link", "set_priorities"}
    assert result.last_ns - result.first_ns > (SECONDS - 3) * 10**9
    assert lines[-1][2] == {"in": result.inputs, "out": result.decisions}


@pytest.mark.parametrize("seed", range(12))
def test_any_scenario_replays(seed: int, tmp_path: Path) -> None:
    """Several instances on several clocks, a measured reference, links, losses and orders at random."""
    rng = random.Random(seed)
    world = World()
    # with peer delay there are too many on a segment: some ports discard what they measure, some are faulty for a while
    several = "fault" if seed % 2 else "discard"
    mechanism = {"delay_mechanism": "P2P", "several_peers": several} if seed % 3 == 0 else {}
    segments = [Segment(world, default=PathDelay(2000, jitter_ns=500, loss=0.05, seed=seed * 7 + n)) for n in range(2)]
    for n, segment in enumerate(segments):
        for number in (1, 2):
            quality = ClockQuality(rng.choice([6, 7, 248]), 0x21, 0x4E5D)
            peer = make_node(
                world, f"m{n}{number}", 10 * n + number, seed=seed, quality=quality, domain=n, port_options=mechanism
            )
            segment.attach(peer, "p1/sim")
            peer.start(rng.random())
    clocks = {
        name: SimulatedClock(world.base, OscillatorModel(rng.gauss(0, 20_000), wander_ppb=5.0), seed=seed, name=name)
        for name in ("one", "two")
    }
    ports = (PortOptions("p1/sim", **mechanism), PortOptions("p2/sim", **mechanism))
    many = plan(
        instance("a", clock="one", ports=ports),
        instance("b", clock="one", ports=ports, domain=1),
        instance("c", clock="two", channel="p1/sim", domain=2),
        references=(ReferencePlan("two", "measured", holdover_spec_s=10.0),) if seed % 2 else (),
        seed=seed,
    )
    path = tmp_path / "any.trace"
    recorded = RecordedEngine(many, open_for_writing(str(path)))
    node = SimNode(world, "many", recorded, clocks)
    node.lose_stamp = lambda: rng.random() < 0.05
    for n, segment in enumerate(segments, 1):
        segment.attach(node, f"p{n}/sim")
    node.start(1.0)
    for turn in range(2, 40):
        world.run(turn + rng.random())
        match rng.randrange(8):
            case 0:
                node.set_link(f"p{rng.randint(1, 2)}/sim", rng.random() < 0.5)
            case 1:
                name, priority = rng.choice("abc"), rng.choice([None, rng.randrange(256)])
                node.perform(recorded.set_priorities(name, world.elapsed_ns, priority, rng.randrange(256)))
            case 2 if seed % 2:
                state = rng.choice(["locked", "holdover", "free-running"])
                node.perform(recorded.declare_reference("two", state, rng.choice([None, 13]), world.elapsed_ns))
    recorded.close_trace(world.elapsed_ns)
    result = replay(str(path))
    assert result.identical, result.divergence
    assert result.complete
    assert result.inputs > 200


def test_two_recordings_of_one_scenario_are_the_same_octets(trace: Path, tmp_path: Path) -> None:
    again = tmp_path / "again.trace"
    record(again)
    assert again.read_bytes() == trace.read_bytes()


def test_a_compressed_trace_replays_too(tmp_path: Path) -> None:
    path = tmp_path / "oc.trace.gz"
    record(path)
    assert path.read_bytes()[:2] == b"\x1f\x8b"
    assert replay(str(path)).identical


def test_the_observer_sees_every_input_and_effect(trace: Path) -> None:
    seen: list[str] = []
    result = replay(str(trace), lambda now, kind, record: seen.append(kind))
    assert (seen.count("in"), seen.count("out")) == (result.inputs, result.decisions)


def frames(lines: list[list[Any]], message_type: int) -> list[int]:
    return [
        index
        for index, r in enumerate(lines)
        if r[0] == "in" and r[2] == "receive" and int(r[3][1]["hex"][1], 16) == message_type
    ]


@pytest.mark.parametrize(
    ("message_type", "octet", "method"),
    [
        pytest.param(0x8, 13, "SetFrequency", id="Follow_Up correctionField"),
        pytest.param(0x8, 42, "SetFrequency", id="Follow_Up preciseOriginTimestamp"),
        pytest.param(0xB, 47, "", id="Announce priority1"),
    ],
)
def test_one_octet_changed_is_reported_at_the_decision_it_changes(
    trace: Path, tmp_path: Path, message_type: int, octet: int, method: str
) -> None:
    lines = records(trace)
    index = frames(lines, message_type)[8]
    octets = bytearray.fromhex(lines[index][3][1]["hex"])
    octets[octet] ^= 0x7F if octet == 47 else 0x01
    lines[index][3][1]["hex"] = octets.hex()
    path = write(tmp_path / "changed.trace", lines)
    result = replay(path)
    divergence = result.divergence
    assert divergence is not None
    assert divergence.line > index + 1
    # everything before the change was the same
    assert result.decisions >= sum(r[0] == "out" for r in lines[:index])
    if method:
        assert divergence.recorded is not None
        assert divergence.replayed is not None
        assert divergence.recorded[0] == divergence.replayed[0] == method
        assert divergence.line <= index + 4
        assert f"line {divergence.line}" in divergence.sentence()
        assert "a frame of 44 octets" in divergence.sentence()


def test_a_decision_left_out_or_put_in_is_reported(trace: Path, tmp_path: Path) -> None:
    lines = records(trace)
    index = next(i for i, r in enumerate(lines) if r[0] == "out" and r[2] == "SetFrequency")
    missing = replay(write(tmp_path / "missing.trace", lines[:index] + lines[index + 1 :])).divergence
    assert missing is not None
    assert missing.line == index + 1
    last_of_input = next(i for i in range(40, len(lines)) if lines[i][0] == "out" and lines[i + 1][0] == "in")
    forgotten = replay(
        write(tmp_path / "forgotten.trace", lines[:last_of_input] + lines[last_of_input + 1 :])
    ).divergence
    assert forgotten is not None
    assert (forgotten.line, forgotten.recorded) == (last_of_input + 1, None)
    assert "recorded nothing" in forgotten.sentence()
    doubled = replay(write(tmp_path / "doubled.trace", lines[: index + 1] + lines[index:])).divergence
    assert doubled is not None
    assert doubled.line == index + 2
    assert "SetFrequency" in doubled.sentence()


def test_a_trace_without_its_end_is_good_up_to_its_last_line(trace: Path, tmp_path: Path) -> None:
    text = trace.read_bytes()
    for size in (len(text) // 2, len(text) - 3, len(text) * 3 // 4):
        path = tmp_path / "cut.trace"
        path.write_bytes(text[:size])
        result = replay(str(path))
        assert result.identical
        assert not result.complete
        assert result.inputs > 10


def test_a_compressed_trace_that_was_cut_is_good_up_to_there(tmp_path: Path) -> None:
    path = tmp_path / "oc.trace.gz"
    record(path)
    packed = path.read_bytes()
    path.write_bytes(packed[: len(packed) // 2])
    result = replay(str(path))
    assert result.identical
    assert not result.complete
    assert result.inputs > 10


def changed(lines: list[list[Any]], index: int, change: Callable[[list[Any]], Any]) -> list[Any]:
    copy = json.loads(json.dumps(lines))
    replaced = change(copy[index])
    if replaced is not None:
        copy[index] = replaced
    return list(copy)


def test_damage_says_which_line(trace: Path, tmp_path: Path) -> None:
    path = tmp_path / "damaged.trace"
    lines = trace.read_text("ascii").splitlines(keepends=True)
    damages = {
        "not JSON": '["in", 12, \n',
        "no list": '{"in": 3}\n',
        "short": '["in", 1]\n',
        "no arguments": '["in", 1, "timer"]\n',
        "unknown input": '["in", 1, "reboot", [1]]\n',
        "private method": '["in", 1, "_housekeep", [1]]\n',
        "wrong arguments": '["in", 1, "timer", [1, 2, 3]]\n',
        "arguments of another kind": '["in", 1, "timer", ["soon"]]\n',
        "no such channel": '["in", 1, "receive", ["eth9", {"hex": "' + "00" * 44 + '"}, null, "", 1]]\n',
        "odd hexadecimal": '["in", 1, "receive", ["p1/sim", {"hex": "0b1"}, null, "", 1]]\n',
        "no octets": '["in", 1, "receive", ["p1/sim", 7, null, "", 1]]\n',
        "no such token": '["in", 1, "transmitted", ["x", 1, 1]]\n',
        "effect without fields": '["out", 1, "Send"]\n',
        "unknown kind": '["inn", 1, "timer", [1]]\n',
        "a second head": lines[0],
    }
    # between an input whose effects are all there and the next input
    at = next(n for n, line in enumerate(lines[40:], 40) if line.startswith('["in"'))
    for name, line in damages.items():
        path.write_text("".join([*lines[:at], line, *lines[at:]]), encoding="ascii")
        with pytest.raises(TraceError) as caught:
            replay(str(path))
        assert f"line {at + 1}" in str(caught.value), name


def test_files_that_are_no_trace_say_so(trace: Path, tmp_path: Path) -> None:
    path = tmp_path / "x.trace"
    head = records(trace)[0]
    cases = {
        b"": "empty",
        b"hello\n": "not a ptpstack trace",
        b"\xff\xfe\x00\n": "not a readable trace",
        b"[1, 2, 3]\n": "not a ptpstack trace",
        json.dumps(["ptpstack-trace", 99, head[2]]).encode() + b"\n": "trace format 99",
        json.dumps(["ptpstack-trace", 1, {"instances": 3}]).encode() + b"\n": "cannot be used",
        json.dumps(["ptpstack-trace", 1, {**head[2], "clocks": [{"nmae": "x"}]}]).encode() + b"\n": "cannot be used",
        json.dumps(["ptpstack-trace", 1, {**head[2], "clocks": []}]).encode() + b"\n": "cannot be used",
        json.dumps(["ptpstack-trace", 1, None]).encode() + b"\n": "cannot be used",
    }
    for content, reason in cases.items():
        path.write_bytes(content)
        with pytest.raises(TraceError, match=reason):
            replay(str(path))
    packed = tmp_path / "x.trace.gz"
    good = gzip.compress(trace.read_bytes())
    for content in (b"no gzip at all", good[:10] + b"\x07" + good[11:], good[:200] + bytes(50) + good[250:]):
        packed.write_bytes(content)
        with pytest.raises(TraceError, match="trace"):
            replay(str(packed))


@settings(max_examples=150, deadline=None)
@given(st.data())
def test_a_mutated_trace_never_raises_anything_but_trace_error(trace: Path, data: st.DataObject) -> None:
    text = bytearray(b"".join(trace.read_bytes().splitlines(keepends=True)[:60]))
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(text) - 1))
        text[at] = data.draw(st.sampled_from(b'0123456789abcdef"[]{},:-.etrn\n'))
    path = trace.parent / "mutated.trace"
    path.write_bytes(bytes(text))
    try:
        result = replay(str(path))
    except TraceError:
        return
    assert result.divergence is None or result.divergence.sentence()


def test_a_missing_file_is_the_systems_error(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        replay(str(tmp_path / "nothing"))


# ------------------------------------------------------------------------------------------------------------ plan


def test_a_plan_survives_json() -> None:
    full = plan(
        instance("a", quality=ClockQuality(13, 0x25, 0x1234), quality_table=QualityTable(1, 2, 3, 4), client_only=True),
        InstancePlan(
            instance(
                "b",
                clock="other",
                domain=7,
                sdo_id=0x123,
                ports=(PortOptions("x", -3, 5, -4, -2, server_only=True, delay_asymmetry_ns=-12.5), PortOptions("y")),
                time_properties=TimeProperties(36, True, True, False, True, True, False, 0x39),
            ).options,
            ServoOptions(gains="software", kp=0.5, delay_filter="moving_average"),
            "utc",
        ),
        references=(ReferencePlan("other", "measured", "holdover", 0x50, 0x22, 77, 12.5, -2, False),),
        leap=LeapTable((LeapEntry(63072000, 10), LeapEntry(78796800, 11)), 1, 2, "a file"),
        seed=99,
        name="x",
    )
    again = plan_from_dict(json.loads(json.dumps(plan_as_dict(full))))
    assert again == full
    for default in (EnginePlan((), ()), plan(instance("a"))):
        assert plan_from_dict(json.loads(json.dumps(plan_as_dict(default)))) == default


def test_a_plan_of_a_whole_graph_survives_json() -> None:
    full = plan(
        instance("a", clock="nic0", ports=(PortOptions("x"), PortOptions("y", clock="nic1"))),
        clocks=(
            ClockPlan("nic0", watched=True, on_foreign_change="yield"),
            ClockPlan("nic1"),
            ClockPlan("system", declares=True),
        ),
        references=(ReferencePlan("nic0", "pps", channel=1, pin=3, edge="falling", delay_ns=-7.5, tod="system"),),
        edges=(EdgePlan("nic0", "system", -4, 9, True, ServoOptions(kp=0.25)),),
        tie=EdgePlan("", "", -2),
    )
    assert plan_from_dict(json.loads(json.dumps(plan_as_dict(full)))) == full


# ----------------------------------------------------------------------------------------------------- the graph


@pytest.mark.parametrize("policy", ["keep", "yield"])
def test_a_graph_replays(tmp_path: Path, policy: str) -> None:
    """Pulses, times of day, pairs, an intruder, a memory of an earlier life, a reading that fails: all of it inputs."""
    made = plan(
        instance("gm", clock="nic0", ports=(PortOptions("p0"), PortOptions("p1", clock="nic1"))),
        clocks=(
            ClockPlan("nic0", watched=True, on_foreign_change=policy),
            ClockPlan("nic1", watched=True, on_foreign_change=policy),
            ClockPlan("system", declares=True),
        ),
        references=(ReferencePlan("nic0", "pps", accuracy=0x21),),
        edges=(EdgePlan("nic1", "system"),),
    )
    path = tmp_path / "graph.trace.gz"
    recorded = RecordedEngine(made, open_for_writing(str(path)))
    table = Table(made, ptp_s=1_767_225_637, engine=recorded)
    table.oscillator.update(nic0=4_000.0, nic1=-9_000.0, system=700.0)
    table.error_ns.update(nic0=7e9, nic1=-2e9)
    table.start()
    memory = {"nic1": {"frequency_ppb": 8_990.0, "edges": {"no such": {}}, "age_s": 12.0}}
    table.carry(recorded.resume(memory, table.now))
    for second in range(90):
        table.run(1 - (table.epoch_ns + table.now) % 10**9 / 1e9)
        if second % 17:
            table.carry(recorded.pulse("nic0", 0, table.clock_sns("nic0"), table.now))
        if 40 <= second < 60:
            table.frequency["nic1"] += 100.0
        table.broken = {"system"} if second == 70 else set()
    recorded.close_trace(table.now)
    result = replay(str(path))
    assert result.identical, result.divergence
    assert result.complete
    assert {"pulse", "time_of_day", "reading", "resume", "reading_failed", "clock_time"} <= set(result.counts)
    kinds = {r[2] for r in records(path) if r[0] == "out"}
    assert {"ReadPair", "ReadTimeOfDay", "DeclareClock", "ReadClock"} <= kinds
    assert abs(table.error_ns["nic0"]) < 1_000
