"""Clocks that follow clocks: what opens an edge, what it says of its error, who leads port clocks, loops."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ptpstack.engine.discipline import Edge, SteeredClock
from ptpstack.engine.effects import ReadPair, StepClock
from ptpstack.engine.engine import Engine
from ptpstack.engine.graph import groups, why_refused
from ptpstack.engine.graph_status import clocks as clock_rows
from ptpstack.engine.graph_status import explain_clocks
from ptpstack.engine.plan import ClockPlan, EdgePlan, EnginePlan, ReferencePlan
from ptpstack.engine.steering import Steering
from ptpstack.protocol.options import PortOptions
from ptpstack.servo.base import ServoState
from ptpstack.servo.classic import ClassicServo
from ptpstack.servo.options import ServoOptions
from ptpstack.wire.types import ClockQuality
from tests.engine.bench import Table, instance, plan
from tests.protocol.bench import GRANDMASTER, Peer, S

ONE, TWO = Peer(1, quality=GRANDMASTER), Peer(2, quality=GRANDMASTER)


def steering(table: Table, clock: str) -> str | None:
    edge = table.engine.clocks[clock].steering
    return None if edge is None else edge.name


def edge(table: Table, name: str) -> Edge:
    return table.engine.edges[name]


# ------------------------------------------------------------------------------------------- edges that are named


def nic_to_system(**fields: object) -> Table:
    table = Table(
        plan(
            instance("a", clock="nic"),
            clocks=(ClockPlan("nic", watched=True), ClockPlan("system", declares=True)),
            edges=(EdgePlan("nic", "system", **fields),),  # type: ignore[arg-type]
        )
    )
    table.start()
    return table


def test_a_clock_follows_another_once_that_is_locked_and_not_before() -> None:
    table = nic_to_system()
    table.error_ns.update(nic=40_000_000.0, system=-90_000_000.0)
    table.run(3)
    assert table.commands(ReadPair) == []
    assert "nothing steers nic" in edge(table, "nic -> system").why_not
    table.serve(ONE, 12, clock="nic")
    assert steering(table, "system") == "nic -> system"
    assert abs(table.error_ns["nic"]) < 100
    assert abs(table.error_ns["system"]) < 200
    assert edge(table, "nic -> system").servo.state is ServoState.LOCKED
    assert {s.clock for s in table.commands(StepClock)} == {"nic", "system"}


def test_eight_readings_a_second_of_five_each() -> None:
    table = nic_to_system()
    table.serve(ONE, 12, clock="nic")
    table.clear()
    table.serve(ONE, 10, clock="nic")
    reads = table.commands(ReadPair)
    assert 78 <= len(reads) <= 81
    assert {r.samples for r in reads} == {5}


def test_the_bound_of_an_edge_has_the_bound_of_its_source_in_it() -> None:
    table = nic_to_system()
    table.serve(ONE, 30, clock="nic")
    upstream = table.engine.steering.bound_ns("nic", table.now)
    own = edge(table, "nic -> system").servo.estimate(table.now)
    whole = table.engine.steering.estimate(edge(table, "nic -> system"), table.now)
    assert upstream is not None
    assert own is not None
    assert own.bound_ns is not None
    assert whole is not None
    assert whole.bound_ns is not None
    assert whole.bound_ns == pytest.approx(own.bound_ns + upstream)
    truth = abs(table.error_ns["system"])
    assert truth <= abs(whole.value_ns) + whole.bound_ns


def test_a_source_that_is_lost_goes_on_in_holdover_and_takes_its_followers_with_it() -> None:
    """Holdover is still good, and its bound grows; a source that nothing vouches for closes the edge."""
    table = nic_to_system()
    table.serve(ONE, 30, clock="nic")
    before = table.engine.steering.bound_ns("system", table.now)
    table.run(200)
    assert edge(table, "a").servo.state is ServoState.HOLDOVER
    assert edge(table, "nic -> system").usable
    after = table.engine.steering.bound_ns("system", table.now)
    assert before is not None
    assert after is not None
    assert after > before + 100


def test_a_source_that_is_no_longer_good_closes_the_edge_and_the_clock_holds_over() -> None:
    table = nic_to_system()
    table.serve(ONE, 60, clock="nic")
    frequency = table.frequency["system"]
    # somebody sets the source a second ahead: it is found out within a second, and nobody runs after it
    table.error_ns["nic"] += 1e9
    table.serve(ONE, 1, clock="nic")
    table.run(0.2)
    assert table.engine.watch.of["nic"].steps == 1
    assert not edge(table, "nic -> system").usable
    assert "a, which steers nic, is unlocked" in edge(table, "nic -> system").why_not
    assert abs(table.error_ns["system"]) < 1_000_000
    assert abs(table.frequency["system"] - frequency) < 100, "the frequency that was learnt, not the last correction"
    table.serve(ONE, 40, clock="nic")
    assert abs(table.error_ns["nic"]) < 1_000, "set right again"
    assert abs(table.error_ns["system"]) < 1_000
    assert [s.clock for s in table.commands(StepClock)].count("system") <= 1


def test_always_follows_a_clock_that_nobody_vouches_for_and_is_no_service() -> None:
    table = Table(plan(clocks=(ClockPlan("nic"), ClockPlan("system")), edges=(EdgePlan("nic", "system", always=True),)))
    table.error_ns.update(nic=5e9, system=0.0)
    table.start()
    table.run(10)
    assert steering(table, "system") == "nic -> system"
    assert table.error_ns["system"] == pytest.approx(5e9, abs=1_000)
    estimate = table.engine.steering.estimate(edge(table, "nic -> system"), table.now)
    assert estimate is not None
    assert "against nic, whose error is unknown" in estimate.provenance
    # the source is set right: a clock that is not in service is stepped after it
    table.error_ns["nic"] = 0.0
    table.engine.steering.was_stepped("nic", None, table.now)
    table.run(10)
    assert abs(table.error_ns["system"]) < 1_000


def test_a_declared_reference_opens_an_edge() -> None:
    """System to PHC: the kernel's word is what the source is worth."""
    table = Table(
        plan(
            clocks=(ClockPlan("system", False, why_not_steerable="read"), ClockPlan("nic")),
            references=(ReferencePlan("system", state="free-running", primary=False),),
            edges=(EdgePlan("system", "nic"),),
        )
    )
    table.error_ns["nic"] = 70_000.0
    table.start()
    table.run(5)
    assert steering(table, "nic") is None
    table.carry(table.engine.declare_reference("system", "locked", None, table.now, 0x27))
    table.run(10)
    assert steering(table, "nic") == "system -> nic"
    assert abs(table.error_ns["nic"]) < 200
    table.carry(table.engine.declare_reference("system", "free-running", None, table.now))
    table.run(1)
    assert not edge(table, "system -> nic").usable
    assert edge(table, "system -> nic").servo.state is ServoState.HOLDOVER


def test_a_reading_that_fails_is_told_once_and_ends_in_silence() -> None:
    table = nic_to_system()
    table.serve(ONE, 12, clock="nic")
    table.broken.add("system")
    table.clear()
    table.serve(ONE, 5, clock="nic")
    assert sorted(e["source"] for e in table.events("reading-failed")) == ["", "nic"]
    assert any(e["edge"] == "nic -> system" for e in table.events("silent"))
    table.broken.clear()
    table.serve(ONE, 15, clock="nic")
    resumed = {e["source"]: e["failures"] for e in table.events("reading-resumed")}
    assert resumed["nic"] >= 30
    assert 4 <= resumed[""] <= 6
    assert edge(table, "nic -> system").servo.state is ServoState.LOCKED


# --------------------------------------------------------------------------------------------------------- loops


@pytest.mark.parametrize(
    ("pairs", "tied", "reason"),
    [
        ([("a", "a")], [], "cannot follow itself"),
        ([("a", "b"), ("b", "a")], [], "loop"),
        ([("a", "b"), ("b", "c"), ("c", "a")], [], "a -> b -> c -> a"),
        ([("a", "b")], [("a", "b")], "ports of one instance"),
        ([("nic0", "system"), ("system", "nic1")], [("nic0", "nic1")], "loop"),
        ([("a", "c"), ("b", "c"), ("c", "d")], [], ""),
    ],
)
def test_what_makes_a_loop_is_refused_with_a_sentence(
    pairs: list[tuple[str, str]], tied: list[tuple[str, ...]], reason: str
) -> None:
    last = pairs[-1]
    why = why_refused(last, pairs[:-1], groups(tied))
    assert reason in why
    assert bool(why) == bool(reason)
    edges = tuple(EdgePlan(*pair) for pair in pairs)
    names = dict.fromkeys(name for pair in pairs for name in pair)
    instances = tuple(
        instance(f"i{n}", ports=tuple(PortOptions(f"p{n}.{c}", clock=c) for c in clocks), clock=clocks[0])
        for n, clocks in enumerate(tied)
    )
    made = EnginePlan(instances, tuple(ClockPlan(name) for name in names), edges=edges)
    if reason:
        with pytest.raises(ValueError, match="edge"):
            Engine(made)
    else:
        Engine(made)


@given(st.lists(st.tuples(st.integers(0, 8), st.booleans()), max_size=60))
def test_whatever_comes_and_goes_no_clock_ever_takes_its_time_from_itself(moves: list[tuple[int, bool]]) -> None:
    """Every clock may follow every other, and each has a source of its own: edges that open and close at random."""
    names = "abc"
    steered = [SteeredClock(name, True, "", 1e6) for name in names]
    pi = ServoOptions(type="pi")
    table = Steering(
        steered, lambda effect: None, lambda clock, step: None, lambda edge, state, now: None, lambda edge: edge.servo
    )
    all_edges = []
    for clock in steered:
        made = [Edge(f"own of {clock.name}", clock.name, ClassicServo(pi, steering=False), pi, None)]
        for other in names:
            if other != clock.name:
                servo = ClassicServo(pi, steering=False)
                made.append(Edge(f"{other} -> {clock.name}", clock.name, servo, pi, None, source=other))
        clock.edges += made
        all_edges += made
    for now, (number, comes) in enumerate(moves):
        chosen = all_edges[number]
        if comes:
            chosen.servo.samples += 1
            table.measured(chosen, lambda: None, now)
        else:
            table.lost(chosen, now)
        for clock in steered:
            above = clock.steering
            if above is not None and above.source is not None and above.usable:
                assert not table.takes_time_from(above.source, clock.name)


# --------------------------------------------------------------------------------- port clocks ("just a bunch")


def three_nics(**options: object) -> Table:
    ports = tuple(PortOptions(f"p{n}", clock=f"nic{n}") for n in range(3))
    table = Table(plan(instance("bc", ports=ports, clock="nic0", **options)))
    table.error_ns.update(nic0=3e9, nic1=-5e9, nic2=70_000.0)
    table.oscillator.update(nic0=12_000.0, nic1=-30_000.0, nic2=4_000.0)
    table.start()
    return table


def test_the_other_port_clocks_follow_the_one_whose_port_follows() -> None:
    table = three_nics()
    table.serve(ONE, 40, "p0", "nic0")
    assert {c: steering(table, c) for c in ("nic0", "nic1", "nic2")} == {
        "nic0": "bc at nic0",
        "nic1": "nic0 -> nic1",
        "nic2": "nic0 -> nic2",
    }
    assert all(abs(error) < 300 for error in table.error_ns.values()), table.error_ns
    # each was stepped once at most, and nic2's error was worth one too
    assert sorted(s.clock for s in table.commands(StepClock)) == ["nic0", "nic1", "nic2"]


def test_the_edges_turn_round_without_a_step_when_another_port_follows() -> None:
    table = three_nics()
    for _ in range(40):
        table.serve(ONE, 1, "p0", "nic0")
    table.clear()
    worst = dict.fromkeys(table.error_ns, 0.0)
    for _ in range(60):
        # the master of port 1 is silent now, another one is heard on port 3
        table.serve(TWO, 1, "p2", "nic2")
        for name, error in table.error_ns.items():
            worst[name] = max(worst[name], abs(error))
    assert table.engine.leader_of("bc") == "nic2"
    assert [e["clock"] for e in table.events("leader")] == ["nic2"]
    assert {c: steering(table, c) for c in ("nic0", "nic1", "nic2")} == {
        "nic0": "nic2 -> nic0",
        "nic1": "nic2 -> nic1",
        "nic2": "bc at nic2",
    }
    assert table.commands(StepClock) == []
    assert all(error < 3_000 for error in worst.values()), worst
    assert all(abs(error) < 300 for error in table.error_ns.values()), table.error_ns


def test_while_no_port_follows_all_ports_serve_the_same_time_and_a_master_may_still_step_them() -> None:
    table = three_nics()
    table.run(60)
    assert abs(table.error_ns["nic1"] - table.error_ns["nic0"]) < 1_000
    assert abs(table.error_ns["nic2"] - table.error_ns["nic0"]) < 1_000
    assert table.error_ns["nic0"] > 2.9e9, "nobody steers the one that leads"
    assert steering(table, "nic0") is None
    # now a master comes, at another port: what followed a clock that nobody vouches for is not in service
    table.serve(ONE, 60, "p1", "nic1")
    assert all(abs(error) < 300 for error in table.error_ns.values()), table.error_ns


def test_a_step_of_one_port_clock_drops_only_its_own_half_finished_exchanges() -> None:
    table = three_nics()
    ports = table.engine.instances["bc"].ports
    table.engine.steering.was_stepped("nic1", 1 << 16, table.now)
    assert [p.epoch for p in ports] == [0, 1, 0]


def test_a_grandmaster_with_a_reference_leads_its_other_port_clocks() -> None:
    ports = tuple(PortOptions(f"p{n}", clock=f"nic{n}", listen_first=False) for n in range(2))
    table = Table(
        plan(
            instance("gm", ports=ports, clock="nic1"),
            references=(ReferencePlan("nic1", "measured", accuracy=0x21),),
        )
    )
    table.error_ns.update(nic0=8e9, nic1=-2e9)
    table.start()
    table.run(30)
    assert table.engine.leader_of("gm") == "nic1"
    assert steering(table, "nic0") == "nic1 -> nic0"
    assert abs(table.error_ns["nic0"]) < 300


def test_two_instances_on_the_same_port_clocks_follow_the_first() -> None:
    """Domain 0 follows on nic0, domain 24 on nic1: nic1 takes its time from nic0, and domain 24 watches."""
    both = [
        instance(
            name, domain=domain, ports=tuple(PortOptions(f"p{n}", clock=f"nic{n}") for n in range(2)), clock="nic0"
        )
        for name, domain in (("a", 0), ("b", 24))
    ]
    table = Table(plan(*both))
    table.start()
    for _ in range(40):
        table.serve(ONE, 1, "p0", "nic0")
        table.serve(TWO, 1, "p1", "nic1", domain=24)
    assert steering(table, "nic0") == "a at nic0"
    assert steering(table, "nic1") == "nic0 -> nic1"
    assert edge(table, "b at nic1").servo.samples > 5
    # the first loses its master: now the second one's is the best there is, and nothing goes in circles
    table.clear()
    for _ in range(60):
        table.serve(TWO, 1, "p1", "nic1", domain=24)
    assert steering(table, "nic1") == "b at nic1"
    assert steering(table, "nic0") == "nic1 -> nic0"
    assert table.commands(StepClock) == []


# ----------------------------------------------------------------------------------------------- several domains


def test_two_domains_of_different_grandmasters_on_one_clock() -> None:
    """The policy: order of the configuration. The second domain is measured, and its difference is to be seen."""
    table = Table(plan(instance("first"), instance("second", domain=24)))
    table.start()
    for _ in range(30):
        table.serve(ONE, 1)
        # the other grandmaster is 700 ns ahead
        table.announce(TWO, domain=24, times=1)
        table.receive(TWO.sync(domain=24))
        table.receive(TWO.follow_up(table.epoch_ns + table.now + 700, domain=24))
        table.run(0.25)
        table.answer(TWO, error_ns=700, domain=24)
    assert steering(table, "clock") == "first"
    assert abs(table.error_ns["clock"]) < 50
    watched = edge(table, "second").servo.estimate(table.now)
    assert watched is not None
    assert watched.value_ns == pytest.approx(-700, abs=60)
    (row,) = explain_clocks(table.engine, table.now)
    assert any("second only watches" in s and "first stands before it" in s for s in row["sentences"])
    # the first falls silent: the second takes over where the clock is, by slewing
    table.clear()
    for _ in range(40):
        table.announce(TWO, domain=24, times=1)
        table.receive(TWO.sync(domain=24))
        table.receive(TWO.follow_up(table.epoch_ns + table.now + 700, domain=24))
        table.run(0.5)
        table.answer(TWO, error_ns=700, domain=24)
        table.run(0.5)
    assert steering(table, "clock") == "second"
    assert table.commands(StepClock) == []
    assert table.error_ns["clock"] == pytest.approx(700, abs=60)


# -------------------------------------------------------------------------------------------------- what is shown


def test_status_has_every_edge_with_kind_source_and_why_not() -> None:
    table = three_nics()
    table.serve(ONE, 40, "p0", "nic0")
    rows = {row["name"]: row for row in clock_rows(table.engine, table.now)}
    nic1 = {e["name"]: e for e in rows["nic1"]["edges"]}
    assert set(nic1) == {"bc at nic1", "nic0 -> nic1", "nic2 -> nic1"}
    assert nic1["nic0 -> nic1"]["steers"]
    assert (nic1["nic0 -> nic1"]["kind"], nic1["nic0 -> nic1"]["source"]) == ("clock", "nic0")
    assert "nic0 leads" in nic1["nic2 -> nic1"]["why_not"]
    assert rows["nic1"]["bound_ns"] > 0
    assert rows["nic1"]["forecast"]["for_s"] >= 0
    assert rows["nic0"]["bound_ns"] < rows["nic1"]["bound_ns"]


def test_a_boundary_clock_that_lost_its_master_says_how_accurate_it_still_is() -> None:
    ports = (PortOptions("p1"), PortOptions("p2"))
    table = Table(plan(instance("bc", ports=ports)))
    table.start()
    table.serve(Peer(1, quality=ClockQuality(6, 0x21, 0x4E5D)), 30)
    quality = table.engine.instances["bc"].data.default
    assert quality.quality.clock_accuracy == 0xFE
    seen = []
    for _ in range(100):
        table.run(20)
        seen.append(quality.quality.clock_accuracy)
    codes = [code for code, _ in itertools.groupby(seen)]
    assert codes[-1] >= 0x25
    known = [c for c in codes if c != 0xFE]
    assert known == sorted(known), "it never gets better by itself"
    assert quality.quality.clock_class == 248


def test_a_change_of_clock_names_is_a_change_of_order_only() -> None:
    """The first instance in the file steers, whatever names say."""
    for names in (("a", "b"), ("b", "a")):
        table = Table(plan(instance(names[0]), instance(names[1], domain=24)))
        table.start()
        for _ in range(12):
            table.serve(ONE, 1)
            table.serve(TWO, 1, domain=24)
        assert steering(table, "clock") == names[0]
    assert S == 10**9
