"""BMCA variants: telecom comparison and selection, external port configuration; what they decide and forbid."""

from __future__ import annotations

from typing import Any

import pytest

from ptpstack.protocol.comparison import Rank
from ptpstack.protocol.comparison_itu import compare_itu
from ptpstack.protocol.selection_8265 import QUALITY_LEVELS
from ptpstack.wire.codec import encode
from ptpstack.wire.messages import Announce, DelayReq, PdelayReq, Sync
from ptpstack.wire.types import ClockQuality, PortIdentity
from tests.protocol.bench import GRANDMASTER, PLAIN, Bench, Peer, identity
from tests.protocol.test_bmca import candidate

ITU = {"bmca": "itu-alternate"}


# ------------------------------------------------------------------------------------------------ ITU-T alternate


@pytest.mark.parametrize(
    ("step", "better", "worse"),
    [
        ("clockClass", {"quality": ClockQuality(135, 0xFE, 0xFFFF)}, {"quality": ClockQuality(140, 0x20, 0)}),
        ("clockAccuracy", {"quality": ClockQuality(6, 0x20, 0xFFFF)}, {"quality": ClockQuality(6, 0x21, 0)}),
        ("offsetScaledLogVariance", {"quality": ClockQuality(6, 0x20, 1)}, {"quality": ClockQuality(6, 0x20, 2)}),
        ("priority2", {"priority2": 1, "local_priority": 200}, {"priority2": 2}),
        ("localPriority", {"local_priority": 127, "grandmaster": identity(99)}, {}),
        ("grandmasterIdentity", {"grandmaster": identity(1), "steps_removed": 9}, {"grandmaster": identity(2)}),
    ],
)
def test_the_telecom_comparison_step_by_step(step: str, better: dict[str, Any], worse: dict[str, Any]) -> None:
    plain = {"quality": ClockQuality(150, 0x30, 0x8000)}
    a, b = candidate(**{**plain, **better, "priority1": 255}), candidate(**{**plain, **worse, "priority1": 0})
    for comparison, rank in ((compare_itu(a, b), Rank.A_BETTER), (compare_itu(b, a), Rank.B_BETTER)):
        assert (comparison.step, comparison.rank) == (step, rank)


def test_PRF_08_priority1_is_ignored() -> None:
    bench = Bench(client_only=True, **ITU)
    bench.hear(Peer(1, priority1=255, quality=GRANDMASTER, log_interval=1))
    bench.hear(Peer(2, priority1=0, quality=GRANDMASTER._replace(clock_class=7)))
    bench.run(5)
    assert bench.instance.data.parent.grandmaster_identity == identity(1)


def test_PRF_09_local_priority_of_the_port_decides_a_tie() -> None:
    """Two grandmasters alike in all that is transmitted, heard on two ports."""
    for preferred in (1, 2):
        each = tuple({"local_priority": 10 if n == preferred else 20} for n in (1, 2))
        bench = Bench(2, port_each=each, **ITU)
        for n in (1, 2):
            bench.hear(Peer(n, quality=GRANDMASTER), n)
        bench.run(5)
        assert bench.port(preferred).state.name == "UNCALIBRATED"
        decision = bench.port(preferred).decision
        assert decision is not None
        assert "localPriority 10 against 20" in decision.reason


@pytest.mark.parametrize(("local_priority", "state"), [(1, "MASTER"), (200, "UNCALIBRATED")])
def test_PRF_09_local_priority_of_the_clock_decides_against_a_master(local_priority: int, state: str) -> None:
    bench = Bench(local_priority=local_priority, **ITU)
    bench.hear(Peer(0x60, quality=PLAIN))
    bench.run(9)
    assert bench.states() == [state]


def test_PRF_10_of_equal_grandmasters_the_nearer_one_is_followed_whatever_its_identity() -> None:
    bench = Bench(2, **ITU)
    bench.hear(Peer(0x80, quality=GRANDMASTER, steps_removed=1), 1)
    bench.hear(Peer(0x20, quality=GRANDMASTER, grandmaster=identity(1), steps_removed=3), 2)
    bench.run(5)
    assert bench.instance.data.parent.grandmaster_identity == identity(0x80)
    assert bench.states()[0] == "UNCALIBRATED"


def test_PRF_10_among_worse_classes_the_identity_is_compared() -> None:
    bench = Bench(2, **ITU)
    worse = ClockQuality(140, 0xFE, 0xFFFF)
    bench.hear(Peer(0x80, quality=worse, steps_removed=1), 1)
    bench.hear(Peer(0x20, quality=worse, grandmaster=identity(1), steps_removed=3), 2)
    bench.run(5)
    assert bench.instance.data.parent.grandmaster_identity == identity(1)


def test_several_grandmasters_serve_at_once_on_ports_that_never_follow() -> None:
    """masterOnly ports of a T-GM hear nobody, so equal grandmasters do not silence each other."""
    bench = Bench(port={"server_only": True}, quality=GRANDMASTER, **ITU)
    bench.hear(Peer(1, quality=GRANDMASTER))
    bench.run(20)
    assert bench.states() == ["MASTER"]


def test_PRF_07_a_peer_delay_request_is_not_answered() -> None:
    bench = Bench(port={"server_only": True, "listen_first": False}, quality=GRANDMASTER, **ITU)
    bench.run(5)
    bench.clear()
    bench.receive(encode(PdelayReq(Peer(1).identity, 1)))
    assert bench.sent() == []
    bench.run(20)
    assert not bench.sent(PdelayReq)


def test_an_equal_grandmaster_by_a_worse_path_is_passive_and_says_so() -> None:
    bench = Bench(2, **ITU)
    bench.hear(Peer(0x20, quality=GRANDMASTER), 1)
    bench.hear(Peer(0x21, quality=GRANDMASTER), 2)
    bench.run(5)
    assert bench.codes() == {1: "S1", 2: "P2"}
    decision = bench.port(2).decision
    assert decision is not None
    assert "an equal grandmaster" in decision.reason


# ------------------------------------------------------------------------------------------ external configuration


def told(*states: str, **options: Any) -> Bench:
    return Bench(len(states), bmca="external", port_each=tuple({"desired_state": s} for s in states), **options)


def test_BMC_26_a_slave_port_follows_a_master_that_is_worse_than_ourselves() -> None:
    bench = told("slave", priority1=1, quality=GRANDMASTER)
    bench.receive(Peer(1, priority1=250).announce())
    assert bench.states() == ["UNCALIBRATED"]
    assert bench.instance.data.current.steps_removed == 1
    bench.run(0.5)
    bench.locked()
    assert bench.states() == ["SLAVE"]
    decision = bench.port().decision
    assert decision is not None


def test_BMC_26_a_master_port_serves_and_a_passive_port_is_silent_whatever_is_heard() -> None:
    bench = told("master", "passive", "slave")
    for port in (1, 2):
        bench.hear(Peer(port, priority1=1, quality=GRANDMASTER), port)
    bench.run(20)
    assert bench.states() == ["MASTER", "PASSIVE", "LISTENING"]
    assert bench.sent(Announce, 1)[-1].grandmaster == identity(0x50)
    assert bench.sent(port=2) == []
    peer = Peer(3, priority1=255)
    bench.hear(peer, 3)
    bench.run(20)
    assert bench.states() == ["MASTER", "PASSIVE", "UNCALIBRATED"]
    # no qualification time: the port that was told to serve goes on, now with the time of the other
    assert bench.sent(Announce, 1)[-1].grandmaster == identity(3)
    assert bench.sent(Announce, 1)[-1].steps_removed == 1
    bench.measure(peer, 3)
    bench.run(3)
    assert bench.sent(DelayReq, 3)
    assert bench.sent(port=2) == []


def test_a_slave_port_takes_the_best_of_its_masters_and_the_next_when_it_falls_silent() -> None:
    bench = told("slave", "master")
    good, worse = Peer(1, priority1=10), Peer(2, priority1=20)
    bench.hear(worse)
    bench.hear(good)
    bench.run(5)
    assert bench.port(1).parent == good.identity
    bench.silence(good)
    bench.run(10)
    assert bench.port(1).parent == worse.identity
    bench.silence(worse)
    # somebody on the other port must not keep this one waiting for him
    bench.hear(Peer(7), 2)
    bench.run(20)
    assert bench.states() == ["LISTENING", "MASTER"]
    assert bench.instance.is_grandmaster
    assert bench.instance.data.parent.parent_port_identity == PortIdentity(identity(0x50), 0)


def test_two_slave_ports_never_follow_at_once() -> None:
    bench = told("slave", "slave")
    bench.hear(Peer(1, priority1=20), 1)
    bench.run(5)
    assert bench.states() == ["UNCALIBRATED", "LISTENING"]
    bench.hear(Peer(2, priority1=10), 2)
    bench.run(5)
    assert bench.states() == ["LISTENING", "UNCALIBRATED"]
    decision = bench.port(1).decision
    assert decision is not None
    assert "another port" in decision.reason


@pytest.mark.parametrize(
    ("states", "options", "what"),
    [
        (("master", ""), {}, "needs a desired state for every port"),
        (("slave",), {"client_only": True}, "no room for client-only"),
        (("master",), {"port": {"server_only": True}}, "no room for client-only and server-only"),
    ],
)
def test_contradictions_are_refused(states: tuple[str, ...], options: dict[str, Any], what: str) -> None:
    with pytest.raises(ValueError, match=what):
        told(*states, **options)


# ------------------------------------------------------------------------------------------------ ITU-T G.8265.1


def selecting(**options: Any) -> Bench:
    return Bench(client_only=True, bmca="g8265.1", **options)


def ql(clock_class: int) -> ClockQuality:
    return ClockQuality(clock_class, 0xFE, 0xFFFF)


def test_PRF_14_the_quality_level_is_selected_whatever_the_rest_says() -> None:
    bench = selecting()
    bench.hear(Peer(1, priority1=0, priority2=0, quality=ClockQuality(90, 0x20, 0)))
    bench.hear(Peer(2, priority1=255, priority2=255, quality=ql(84), steps_removed=3))
    bench.run(5)
    assert bench.instance.data.parent.grandmaster_identity == identity(2)
    decision = bench.port().decision
    assert decision is not None
    assert "quality level (clockClass) 84 against 90" in decision.reason


def test_PRF_14_a_master_that_was_lost_waits_to_be_restored() -> None:
    bench = selecting(wait_to_restore_s=60.0)
    best, spare = Peer(1, quality=ql(84)), Peer(2, quality=ql(90))
    bench.hear(best)
    bench.hear(spare)
    bench.run(5)
    assert bench.port().parent == best.identity
    bench.silence(best)
    bench.run(20)
    assert bench.port().parent == spare.identity
    bench.hear(best)
    bench.run(50)
    assert bench.port().parent == spare.identity
    bench.run(20)
    assert bench.port().parent == best.identity


def test_PRF_14_without_another_a_restored_master_is_taken_at_once() -> None:
    bench = selecting(wait_to_restore_s=600.0)
    only = Peer(1, quality=ql(84))
    bench.follow(only)
    bench.silence(only)
    bench.run(20)
    assert bench.states() == ["LISTENING"]
    bench.hear(only)
    bench.run(4)
    assert bench.port().parent == only.identity


def test_PRF_14_among_equals_the_followed_master_stays() -> None:
    bench = selecting()
    followed, lower = Peer(9, quality=ql(84)), Peer(1, quality=ql(84))
    bench.follow(followed)
    bench.hear(lower)
    bench.run(20)
    assert bench.port().parent == followed.identity


@pytest.mark.parametrize(("clock_class", "used"), [(84, True), (104, True), (110, False), (6, False), (248, False)])
def test_PRF_15_only_classes_that_stand_for_a_usable_quality_level_are_followed(clock_class: int, used: bool) -> None:
    bench = selecting()
    bench.hear(Peer(1, quality=ql(clock_class)))
    bench.run(10)
    assert bench.states() == ["UNCALIBRATED" if used else "LISTENING"]


def test_PRF_15_the_table_of_quality_levels() -> None:
    assert QUALITY_LEVELS[84][0] == "QL-PRC"
    assert QUALITY_LEVELS[80][1] == "QL-PRS"
    for option in range(3):
        assert len([levels for levels in QUALITY_LEVELS.values() if levels[option]]) == (5, 9, 2)[option]


def test_a_server_of_g8265_1_serves_beside_a_better_one() -> None:
    bench = Bench(bmca="g8265.1", quality=ql(96))
    bench.hear(Peer(1, priority1=0, quality=ql(84)))
    bench.run(10)
    assert bench.states() == ["MASTER"]


# ------------------------------------------------------------------------------------------------- static roles


def static(*states: str) -> Bench:
    return Bench(len(states), bmca="external", port_each=tuple({"desired_state": s, "announce": False} for s in states))


def test_PRF_28_a_static_master_sends_sync_and_no_announce() -> None:
    bench = static("master")
    bench.run(10)
    assert bench.states() == ["MASTER"]
    assert bench.sent(Sync)
    assert bench.sent(Announce) == []


def test_a_static_slave_follows_who_sends_sync_and_gives_him_up_when_he_stops() -> None:
    bench = static("slave")
    bench.run(30)
    assert bench.states() == ["LISTENING"]
    master = Peer(1)
    for _ in range(20):
        bench.measure(master)
        bench.run(1)
    assert bench.states() == ["UNCALIBRATED"]
    assert bench.port().parent == master.identity
    assert bench.instance.data.parent.grandmaster_quality.clock_class == 248
    assert not bench.instance.data.time_properties.current_utc_offset_valid
    assert bench.sent(DelayReq)
    # a stranger's Sync does not move it
    bench.measure(Peer(0))
    bench.measure(master)
    assert bench.port().counters["drop-not-parent"] == 2
    assert bench.port().parent == master.identity
    bench.run(10)
    assert bench.states() == ["LISTENING"]
    assert not bench.instance.has_parent
