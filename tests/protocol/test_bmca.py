"""Rows BMC-.. of the conformance catalogue: who is compared, how, and what each port is told to do."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from ptpstack.protocol.comparison import Candidate, Comparison, Rank, compare
from ptpstack.protocol.options import TimeProperties
from ptpstack.wire.messages import Announce
from ptpstack.wire.types import ClockQuality, Flag, PortIdentity
from tests.protocol.bench import GRANDMASTER, PLAIN, START, Bench, Peer, S, changes, identity, parents


def candidate(**changes: Any) -> Candidate:
    base = Candidate(
        128,
        ClockQuality(100, 0x30, 0x8000),
        128,
        identity(9),
        0,
        PortIdentity(identity(9), 1),
        PortIdentity(identity(5), 1),
    )
    return base._replace(**changes)


def judged(a: Candidate, b: Candidate) -> Comparison:
    """The comparison, and that the other way round says the opposite."""
    there, back = compare(a, b), compare(b, a)
    assert there.rank == -back.rank
    assert there.step == back.step
    return there


# ------------------------------------------------------------------------------------------------ foreign masters


def test_BMC_01_five_masters_are_remembered_and_the_best_wins() -> None:
    bench = Bench(port={"foreign_master_capacity": 1})
    peers = [Peer(n, priority1=100 - n) for n in range(1, 6)]
    for peer in peers:
        bench.hear(peer)
    bench.run(2)
    assert len(bench.port().foreign) == 5
    assert bench.instance.data.parent.parent_port_identity == peers[4].identity


def test_BMC_01_invented_masters_never_push_out_the_parent_or_a_qualified_one() -> None:
    bench = Bench(port={"foreign_master_capacity": 8})
    good, second = Peer(1, priority1=1), Peer(2, priority1=2)
    bench.follow(good)
    bench.hear(second)
    bench.run(2.1)
    for n in range(1000, 1500):
        bench.receive(Peer(n, priority1=0).announce())
        bench.run(0.003)
    assert len(bench.port().foreign) == 8
    assert {good.identity, second.identity} <= {r.sender for r in bench.port().foreign}
    assert bench.instance.data.parent.parent_port_identity == good.identity
    assert bench.port().foreign.evicted > 400


def test_BMC_01_the_parent_is_kept_even_while_its_announces_are_rare() -> None:
    """Followed with a long timeout, its two newest Announces may lie further apart than the window."""
    bench = Bench(port={"foreign_master_capacity": 5, "announce_receipt_timeout": 10})
    parent = Peer(1, priority1=1)
    bench.follow(parent)
    bench.silence(parent)
    bench.run(9)
    for n in range(1000, 1020):
        bench.receive(Peer(n).announce())
    assert parent.identity in {r.sender for r in bench.port().foreign}
    assert bench.states() == ["UNCALIBRATED"]


@pytest.mark.parametrize(("every_s", "chosen"), [(8.0, False), (4.0, True), (7.9, True)])
def test_BMC_02_two_announces_inside_four_intervals_qualify(every_s: float, chosen: bool) -> None:
    bench = Bench(client_only=True)
    bench.hear(Peer(1, quality=GRANDMASTER), every_s=every_s)
    bench.run(33)
    assert bool(parents([e for _, e in bench.effects])) == chosen


def test_BMC_03_an_announce_of_our_own_clock_is_ignored() -> None:
    bench = Bench()
    spoof = Peer(0x50, 2, priority1=0, grandmaster=identity(1))
    bench.hear(spoof)
    bench.run(20)
    assert bench.states() == ["MASTER"]
    assert bench.port().counters["drop-announce-own-clock"] >= 9


def test_BMC_03_our_own_time_served_back_to_us_is_ignored() -> None:
    bench = Bench()
    bench.hear(Peer(1, priority1=0, grandmaster=identity(0x50), steps_removed=1))
    bench.run(20)
    assert bench.states() == ["MASTER"]
    assert bench.instance.is_grandmaster
    assert bench.port().counters["drop-announce-own-grandmaster"] >= 9


def test_BMC_04_only_the_newest_announce_of_a_sender_counts() -> None:
    bench = Bench(priority1=100)
    peer = Peer(1, priority1=101)
    for _ in range(10):
        bench.receive(peer.announce())
        bench.run(2)
    assert bench.states() == ["MASTER"]
    bench.receive(peer.announce(priority1=99))
    assert bench.states() == ["UNCALIBRATED"]
    bench.receive(peer.announce(priority1=101))
    assert bench.states() == ["MASTER"]


def test_BMC_05_alternate_masters_are_ignored() -> None:
    bench = Bench()
    bench.hear(Peer(1, priority1=0, flags=Flag.ALTERNATE_MASTER | Flag.PTP_TIMESCALE))
    bench.run(20)
    assert bench.states() == ["MASTER"]
    assert len(bench.port().foreign) == 0


@pytest.mark.parametrize(("steps", "followed"), [(254, True), (255, False), (65535, False)])
def test_BMC_06_steps_removed_255_and_more_are_ignored(steps: int, followed: bool) -> None:
    bench = Bench()
    bench.hear(Peer(1, quality=GRANDMASTER, steps_removed=steps))
    bench.run(3)
    assert bench.states() == ["UNCALIBRATED" if followed else "LISTENING"]


@pytest.mark.parametrize(("steps", "followed"), [(9, True), (10, False)])
def test_BMC_07_max_steps_removed_is_the_first_that_is_ignored(steps: int, followed: bool) -> None:
    bench = Bench(max_steps_removed=10)
    bench.hear(Peer(1, quality=GRANDMASTER, steps_removed=steps))
    bench.run(3)
    assert bench.states() == ["UNCALIBRATED" if followed else "LISTENING"]


# ----------------------------------------------------------------------------------------------------- comparison

ORDER: list[tuple[str, Any, Any]] = [
    ("priority1", 127, 128),
    ("clockClass", 6, 7),
    ("clockAccuracy", 0x20, 0x21),
    ("offsetScaledLogVariance", 0x4E5D, 0xFFFF),
    ("priority2", 127, 128),
    ("grandmasterIdentity", identity(1), identity(2)),
]


def with_values(values: dict[str, Any], sender: int) -> Candidate:
    return candidate(
        priority1=values["priority1"],
        quality=ClockQuality(values["clockClass"], values["clockAccuracy"], values["offsetScaledLogVariance"]),
        priority2=values["priority2"],
        grandmaster=values["grandmasterIdentity"],
        sender=PortIdentity(identity(sender), 1),
    )


@pytest.mark.parametrize("position", range(len(ORDER)), ids=[name for name, _, _ in ORDER])
def test_BMC_08_each_attribute_decides_before_all_that_follow(position: int) -> None:
    """Equal before ``position``; better at it, and worse in everything after."""
    a, b = {}, {}
    for index, (name, better, worse) in enumerate(ORDER):
        a[name] = better if index <= position else worse
        b[name] = better if index < position or index > position else worse
    result = judged(with_values(a, 3), with_values(b, 4))
    assert result.rank is Rank.A_BETTER
    assert result.step == ORDER[position][0]


@pytest.mark.parametrize(
    ("name", "low", "high"),
    [
        ("priority1", 0, 255),
        ("clockClass", 0, 255),
        ("clockAccuracy", 0x17, 0xFE),
        ("offsetScaledLogVariance", 0x7FFF, 0x8000),
        ("priority2", 0x7F, 0x80),
    ],
)
def test_BMC_09_lower_is_better_and_unsigned(name: str, low: int, high: int) -> None:
    base = {n: better for n, better, _ in ORDER}
    a, b = {**base, name: low}, {**base, name: high, "grandmasterIdentity": identity(0)}
    assert judged(with_values(a, 3), with_values(b, 4)).rank is Rank.A_BETTER


@pytest.mark.parametrize(("near", "far"), [(2, 4), (0, 2), (0, 65535)])
def test_BMC_10_more_than_one_step_apart_the_nearer_is_better(near: int, far: int) -> None:
    a = candidate(steps_removed=near, sender=PortIdentity(identity(200), 9))
    b = candidate(steps_removed=far, sender=PortIdentity(identity(1), 1), priority1=0)
    assert judged(a, b).rank is Rank.A_BETTER


LOW, HIGH = PortIdentity(identity(1), 1), PortIdentity(identity(200), 1)


@pytest.mark.parametrize(
    ("receiver", "sender", "rank"),
    [(LOW, HIGH, Rank.A_BETTER), (HIGH, LOW, Rank.A_BETTER_BY_TOPOLOGY), (LOW, LOW, Rank.SAME)],
    ids=["receiver below sender", "receiver above sender", "error-1"],
)
def test_BMC_11_one_step_apart_the_farther_ones_receiver_and_sender_decide(
    receiver: PortIdentity, sender: PortIdentity, rank: Rank
) -> None:
    near = candidate(steps_removed=2)
    far = candidate(steps_removed=3, receiver=receiver, sender=sender)
    assert judged(near, far).rank is rank
    assert judged(far, near).rank == -rank


def test_BMC_12_same_steps_lower_sender_then_lower_receiving_port() -> None:
    a = candidate(sender=LOW, receiver=PortIdentity(identity(5), 2))
    b = candidate(sender=HIGH, receiver=PortIdentity(identity(5), 1))
    assert judged(a, b).rank is Rank.A_BETTER_BY_TOPOLOGY
    c = candidate(sender=LOW, receiver=PortIdentity(identity(5), 1))
    assert judged(c, a).rank is Rank.A_BETTER_BY_TOPOLOGY
    assert judged(c, c).rank is Rank.SAME


def test_BMC_34_class_187_beats_248_before_priority2() -> None:
    a = candidate(quality=ClockQuality(187, 0xFE, 0xFFFF), priority2=255)
    b = candidate(quality=ClockQuality(248, 0x20, 0x4E5D), priority2=0, grandmaster=identity(1))
    assert judged(a, b).rank is Rank.A_BETTER


def test_BMC_36_identities_compare_as_unsigned_octets() -> None:
    a = candidate(grandmaster=b"\x7f" + b"\xff" * 7)
    b = candidate(grandmaster=b"\x80" + bytes(7))
    assert judged(a, b).rank is Rank.A_BETTER


# -------------------------------------------------------------------------------------------------- state decision


def test_BMC_13_class_below_128_and_worse_is_passive() -> None:
    bench = Bench(number=0x50, quality=GRANDMASTER)
    bench.hear(Peer(1, quality=GRANDMASTER))
    bench.run(3)
    assert bench.codes() == {1: "P1"}
    assert bench.states() == ["PASSIVE"]
    assert parents([e for _, e in bench.effects]) == []


@pytest.mark.parametrize(("clock_class", "code"), [(1, "P1"), (127, "P1"), (128, "S1"), (248, "S1")])
def test_BMC_13_classes_1_to_127_never_follow(clock_class: int, code: str) -> None:
    bench = Bench(quality=PLAIN._replace(clock_class=clock_class))
    bench.hear(Peer(1, priority1=1))
    bench.run(3)
    assert bench.codes() == {1: code}


def test_BMC_14_class_below_128_and_better_is_master() -> None:
    bench = Bench(quality=GRANDMASTER)
    bench.hear(Peer(1, quality=PLAIN))
    bench.run(3)
    assert bench.codes() == {1: "M1"}
    assert bench.states() == ["MASTER"]


def test_BMC_15_and_19_better_than_ebest_is_master_where_somebody_is_heard_else_listening() -> None:
    bench = Bench(2, priority1=100)
    bench.hear(Peer(1, priority1=101), port=1)
    bench.run(3)
    assert bench.codes() == {1: "M2", 2: ""}
    assert bench.states() == ["MASTER", "LISTENING"]
    bench.run(6)
    assert bench.codes() == {1: "M2", 2: "M2"}
    assert bench.states() == ["MASTER", "MASTER"]


def test_BMC_16_the_port_of_the_best_master_follows() -> None:
    bench = Bench(2)
    bench.hear(Peer(1, quality=GRANDMASTER), port=2)
    bench.run(3)
    assert bench.codes()[2] == "S1"
    assert bench.states() == ["LISTENING", "UNCALIBRATED"]


def test_BMC_17_the_worse_path_to_the_same_grandmaster_is_passive() -> None:
    bench = Bench(2)
    upper, lower = Peer(3, grandmaster=identity(1), priority1=1), Peer(4, grandmaster=identity(1), priority1=1)
    bench.hear(upper, port=1)
    bench.hear(lower, port=2)
    bench.run(3)
    assert bench.codes() == {1: "S1", 2: "P2"}
    assert bench.states() == ["UNCALIBRATED", "PASSIVE"]


def test_BMC_18_the_other_ports_of_a_boundary_clock_serve() -> None:
    bench = Bench(3)
    bench.hear(Peer(1, quality=GRANDMASTER), port=1)
    bench.hear(Peer(2, priority1=200), port=2)
    bench.run(20)
    assert bench.codes() == {1: "S1", 2: "M3", 3: "M3"}
    assert bench.states() == ["UNCALIBRATED", "MASTER", "MASTER"]


def test_BMC_19_a_port_that_hears_nobody_keeps_listening_until_its_timeout() -> None:
    bench = Bench()
    for _ in range(5):
        bench.run(1)
        bench.instance.elect(bench.now)
        assert bench.codes() == {1: ""}
        assert bench.states() == ["LISTENING"]


# ---------------------------------------------------------------------------------------------- data set updates


def snapshot(bench: Bench) -> tuple[Any, ...]:
    data = bench.instance.data
    return replace(data.parent), replace(data.current), data.time_properties


def test_BMC_20_a_grandmasters_data_sets() -> None:
    own = TimeProperties(37, True, time_source=0x20)
    bench, peer = Bench(priority2=7, time_properties=own), Peer(1, quality=GRANDMASTER, steps_removed=4)
    bench.follow(peer)
    bench.silence(peer)
    bench.run(20)
    parent, current, properties = snapshot(bench)
    assert parent.parent_port_identity == PortIdentity(identity(0x50), 0)
    assert parent.grandmaster_identity == identity(0x50)
    assert parent.grandmaster_quality == PLAIN
    assert (parent.grandmaster_priority1, parent.grandmaster_priority2) == (128, 7)
    assert current.steps_removed == 0
    assert properties == own


@pytest.mark.parametrize("peer", [Peer(2, quality=GRANDMASTER), Peer(2, priority1=200)], ids=["P2 or M3", "M3"])
def test_BMC_21_m3_p1_p2_change_no_data_set(peer: Peer) -> None:
    bench = Bench(2)
    bench.follow(Peer(1, quality=GRANDMASTER, grandmaster=identity(1)))
    before = snapshot(bench)
    bench.hear(peer, port=2)
    bench.run(12)
    assert bench.codes()[2] in ("M3", "P2")
    assert snapshot(bench) == before
    lone = Bench(quality=GRANDMASTER)
    before = snapshot(lone)
    lone.hear(Peer(1, quality=GRANDMASTER))
    lone.run(12)
    assert lone.codes() == {1: "P1"}
    assert snapshot(lone) == before


def test_BMC_22_a_followers_data_sets() -> None:
    flags = Flag.PTP_TIMESCALE | Flag.CURRENT_UTC_OFFSET_VALID | Flag.LEAP59 | Flag.TIME_TRACEABLE
    bench = Bench()
    peer = Peer(
        3, 2, grandmaster=identity(1), priority1=9, priority2=8, quality=GRANDMASTER, steps_removed=3,
        flags=flags, current_utc_offset=36, time_source=0x39,
    )  # fmt: skip
    bench.follow(peer)
    parent, current, properties = snapshot(bench)
    assert current.steps_removed == 4
    assert parent.parent_port_identity == PortIdentity(identity(3), 2)
    assert parent.grandmaster_identity == identity(1)
    assert parent.grandmaster_quality == GRANDMASTER
    assert (parent.grandmaster_priority1, parent.grandmaster_priority2) == (9, 8)
    assert properties == TimeProperties(36, True, True, False, True, False, True, 0x39)


def test_BMC_23_a_newer_announce_of_the_parent_is_taken_over_without_a_state_change() -> None:
    bench, peer = Bench(), Peer(1, quality=GRANDMASTER)
    bench.follow(peer)
    effects = bench.receive(peer.announce(current_utc_offset=38, steps_removed=2, time_source=0x10))
    assert changes(effects) == []
    assert bench.instance.data.time_properties.current_utc_offset == 38
    assert bench.instance.data.time_properties.time_source == 0x10
    assert bench.instance.data.current.steps_removed == 3


# ------------------------------------------------------------------------------------------------ restricted roles


def test_BMC_24_a_client_only_instance_never_serves_and_follows_anybody() -> None:
    bench = Bench(client_only=True)
    bench.run(60)
    assert bench.states() == ["LISTENING"]
    assert bench.sent() == []
    default = bench.instance.data.default
    assert (default.quality.clock_class, default.priority1, default.priority2) == (255, 255, 255)
    bench.follow(Peer(1, priority1=200))
    with pytest.raises(ValueError, match="exactly one port"):
        Bench(2, client_only=True)


@pytest.mark.parametrize("quality", [PLAIN, GRANDMASTER])
def test_BMC_25_a_server_only_port_never_follows_and_is_never_passive(quality: ClockQuality) -> None:
    bench = Bench(port={"server_only": True}, quality=quality)
    bench.hear(Peer(1, priority1=0, quality=GRANDMASTER))
    bench.run(30)
    assert bench.states() == ["MASTER"]
    assert bench.instance.is_grandmaster
    assert {s for _, _, s in changes([e for _, e in bench.effects])} <= {"LISTENING", "MASTER", "PRE_MASTER"}
    assert bench.port().counters["drop-announce-server-only"] >= 10


def test_BMC_25_a_server_only_port_of_a_boundary_clock_serves_its_parents_time() -> None:
    bench = Bench(2, port_each=({}, {"server_only": True}))
    bench.follow(Peer(1, quality=GRANDMASTER))
    bench.hear(Peer(2, priority1=0), port=2)
    bench.run(20)
    assert bench.states() == ["UNCALIBRATED", "MASTER"]
    assert bench.sent(Announce, port=2)[-1].grandmaster == identity(1)


# ------------------------------------------------------------------------------------------------------ elections


@pytest.mark.parametrize(("old", "new"), [(1, 2), (2, 1)])
def test_BMC_29_all_ports_change_in_one_election(old: int, new: int) -> None:
    bench = Bench(2)
    first, better = Peer(1, priority1=10), Peer(2, priority1=5)
    bench.follow(first, port=old)
    bench.run(20)
    bench.receive(better.announce(), new)
    effects = bench.receive(better.announce(), new)
    # one input; who stops following goes first, so there are never two
    assert changes(effects) == [(old, "UNCALIBRATED", "PRE_MASTER"), (new, "MASTER", "UNCALIBRATED")]
    assert {r.decision.inputs["Ebest"]["grandmasterIdentity"] for r in bench.instance.election.recommendations} == {  # type: ignore[index]
        "020000.fffe.000002"
    }


def test_BMC_29_an_election_takes_place_at_least_once_in_an_announce_interval() -> None:
    bench = Bench(2, port_each=({"log_announce_interval": 0}, {"log_announce_interval": 3}))
    times = []
    elect = bench.instance.elect
    bench.instance.elect = lambda now: (times.append(now), elect(now))[1]  # type: ignore[method-assign,func-returns-value]
    bench.run(30)
    assert max(b - a for a, b in zip([START, *times], [*times, bench.now], strict=True)) <= S


def test_BMC_30_a_better_master_becomes_the_parent_by_way_of_uncalibrated() -> None:
    bench = Bench()
    bench.follow(Peer(1, priority1=10))
    bench.locked()
    assert bench.states() == ["SLAVE"]
    better = Peer(2, priority1=5)
    bench.receive(better.announce())
    effects = bench.receive(better.announce())
    assert changes(effects) == [(1, "SLAVE", "UNCALIBRATED")]
    assert parents(effects) == [better.identity]


def test_BMC_31_two_ports_of_one_master_on_one_segment_the_lower_wins() -> None:
    for order in ((1, 2), (2, 1)):
        bench = Bench()
        for port in order:
            bench.hear(Peer(1, port, quality=GRANDMASTER))
        bench.run(3)
        assert bench.instance.data.parent.parent_port_identity == PortIdentity(identity(1), 1)


def test_BMC_31_one_master_heard_on_two_ports_the_lower_receiving_port_follows() -> None:
    bench, peer = Bench(2), Peer(1, quality=GRANDMASTER)
    bench.hear(peer, port=2)
    bench.hear(peer, port=1)
    bench.run(3)
    assert bench.states() == ["UNCALIBRATED", "PASSIVE"]


def test_BMC_32_when_the_best_falls_silent_the_next_best_is_chosen() -> None:
    bench = Bench()
    best, second, third = Peer(1, priority1=1), Peer(2, priority1=2), Peer(3, priority1=3)
    bench.follow(best)
    for peer in (second, third):
        bench.hear(peer)
    bench.run(4)
    bench.silence(best)
    bench.clear()
    bench.run(8)
    assert parents([e for _, e in bench.effects]) == [second.identity]
    assert best.identity not in {r.sender for r in bench.port().foreign}
    bench.silence(third)
    bench.run(9)
    assert third.identity not in {r.sender for r in bench.port().foreign}


def test_BMC_33_a_grandmaster_that_degrades_hands_over() -> None:
    bench = Bench(number=1, quality=GRANDMASTER)
    bench.hear(Peer(2, quality=GRANDMASTER))
    bench.run(10)
    assert bench.states() == ["MASTER"]
    effects = bench.call("set_quality", GRANDMASTER._replace(clock_class=7), TimeProperties())
    assert changes(effects) == [(1, "MASTER", "PASSIVE")]


def test_BMC_35_a_grandmaster_of_class_255_may_be_followed() -> None:
    class_255 = PLAIN._replace(clock_class=255)
    bench = Bench(client_only=True)
    bench.follow(Peer(0x99, quality=class_255, priority1=127))
    lower = Bench(client_only=True, number=0x50)
    lower.hear(Peer(0x99, quality=class_255, priority1=255, priority2=255))
    lower.run(20)
    assert lower.states() == ["LISTENING"]


# ---------------------------------------------------------------- the same parent anew (the servo must hear of it)


def test_the_same_parent_by_another_port_is_a_new_parent_for_the_servo() -> None:
    """Both ports on one segment: when the first loses its link, the second follows the same sender, by another path."""
    bench, peer = Bench(2), Peer(1, quality=GRANDMASTER)
    bench.hear(peer, port=1)
    bench.hear(peer, port=2)
    bench.run(3)
    bench.locked()
    assert bench.states() == ["SLAVE", "PASSIVE"]
    effects = bench.call("link", 1, False)
    assert bench.states() == ["FAULTY", "UNCALIBRATED"]
    assert parents(effects)[-1:] == [peer.identity]


def test_the_same_parent_after_a_lost_link_is_a_new_parent_for_the_servo() -> None:
    bench, peer = Bench(), Peer(1, quality=GRANDMASTER)
    bench.follow(peer)
    bench.locked()
    own = PortIdentity(identity(0x50), 0)
    assert parents(bench.call("link", 1, False)) == [own]
    assert bench.instance.data.parent.parent_port_identity == own
    bench.call("link", 1, True)
    bench.clear()
    bench.run(4)
    assert bench.states() == ["UNCALIBRATED"]
    assert parents([e for _, e in bench.effects]) == [peer.identity]
