"""Rows FSM-.. of the conformance catalogue: what each state sends and takes, its timers, and how it is left."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import pytest

from ptpstack.protocol.effects import Effect, Send, StateChanged
from ptpstack.protocol.options import TimeProperties
from ptpstack.wire.codec import decode
from ptpstack.wire.messages import Announce, DelayReq, DelayResp, FollowUp, Message, Sync
from ptpstack.wire.types import PortState
from tests.protocol.bench import GRANDMASTER, START, Bench, Peer, S, changes, identity, syncs

CLIENT = Peer(0x99)
OURS = Peer(1, quality=GRANDMASTER)


def in_state(state: PortState, **options: Any) -> Bench:
    """A bench whose port 1 is in ``state`` and whose past is forgotten."""
    bench = Bench(2, **options)
    if state is PortState.MASTER:
        bench.run(12)
    elif state in (PortState.UNCALIBRATED, PortState.SLAVE):
        bench.follow(Peer(1, quality=GRANDMASTER))
        if state is PortState.SLAVE:
            bench.locked()
    elif state is PortState.PRE_MASTER:
        bench.follow(Peer(1, quality=GRANDMASTER, steps_removed=3), port=2)
        bench.hear(Peer(2, priority1=200), port=1)
        bench.run(2.1)
    elif state is PortState.PASSIVE:
        bench.follow(Peer(3, grandmaster=identity(1), priority1=1), port=2)
        bench.hear(Peer(4, grandmaster=identity(1), priority1=1, steps_removed=1), port=1)
        bench.run(2.1)
    elif state is PortState.FAULTY:
        bench.call("link", 1, False)
    elif state is PortState.DISABLED:
        bench.call("enable", 1, False)
    else:
        assert state is PortState.LISTENING
    assert bench.port().state is state, (bench.states(), bench.codes())
    bench.clear()
    return bench


ACTIVE = [s for s in PortState if s not in (PortState.INITIALIZING, PortState.FAULTY, PortState.DISABLED)]


def kinds(bench: Bench, port: int = 1) -> set[type[Message]]:
    return {type(m) for m in bench.sent(port=port)}


def poke(bench: Bench) -> None:
    """Everything that could make a port answer, and some time."""
    for _ in range(3):
        bench.receive(CLIENT.delay_req())
        bench.receive(Peer(0x77).sync())
        bench.run(0.5)


# --------------------------------------------------------------------------------------- what a state sends


def test_FSM_01_nothing_is_sent_before_listening() -> None:
    bench = Bench()
    first = bench.effects[0][1]
    assert isinstance(first, StateChanged)
    assert (first.old, first.new) == (PortState.INITIALIZING, PortState.LISTENING)
    assert bench.sent() == []


@pytest.mark.parametrize("state", [PortState.FAULTY, PortState.DISABLED])
def test_FSM_02_and_03_faulty_and_disabled_send_nothing_and_take_nothing(state: PortState) -> None:
    bench = in_state(state)
    poke(bench)
    bench.hear(OURS)
    bench.run(30)
    assert kinds(bench) == set()
    assert bench.port().state is state
    assert bench.port().counters["drop-state"] >= 15
    assert len(bench.port().foreign) == 0
    assert bench.port().timers == {}


@pytest.mark.parametrize(
    ("state", "expected"),
    [
        pytest.param(PortState.LISTENING, set(), id="FSM-04"),
        pytest.param(PortState.PRE_MASTER, set(), id="FSM-05"),
        pytest.param(PortState.PASSIVE, set(), id="FSM-06"),
        pytest.param(PortState.MASTER, {Announce, Sync, FollowUp, DelayResp}, id="FSM-07"),
        pytest.param(PortState.UNCALIBRATED, {DelayReq}, id="FSM-08 UNCALIBRATED"),
        pytest.param(PortState.SLAVE, {DelayReq}, id="FSM-08 SLAVE"),
    ],
)
def test_FSM_04_and_05_and_06_and_07_and_08_what_each_state_sends(
    state: PortState, expected: set[type[Message]]
) -> None:
    bench = in_state(state)
    poke(bench)
    if state in (PortState.UNCALIBRATED, PortState.SLAVE):
        bench.measure(next(s.peer for s in bench.speakers))
        bench.run(1.9)
    assert bench.port().state is state
    assert kinds(bench) == expected


def test_FSM_09_a_master_does_not_send_delay_req() -> None:
    bench = in_state(PortState.SLAVE)
    peer = bench.speakers[0].peer
    bench.measure(peer)
    bench.run(3)
    assert DelayReq in kinds(bench)
    bench.silence(peer)
    bench.run(10)
    assert bench.port().state is PortState.MASTER
    bench.clear()
    bench.run(30)
    assert DelayReq not in kinds(bench)


# --------------------------------------------------------------------------------------- designated, faults


def test_FSM_10_enabling_a_disabled_port_starts_it_anew() -> None:
    bench = in_state(PortState.DISABLED)
    effects = bench.call("enable", 1, True)
    assert changes(effects) == [(1, "DISABLED", "INITIALIZING"), (1, "INITIALIZING", "LISTENING")]


@pytest.mark.parametrize("state", ACTIVE)
def test_FSM_11_disabling_ends_every_active_state(state: PortState) -> None:
    bench = in_state(state)
    effects = bench.call("enable", 1, False)
    assert changes(effects)[0] == (1, state.name, "DISABLED")
    assert bench.port().timers == {}


def test_FSM_12_a_cleared_fault_starts_the_port_anew() -> None:
    bench = in_state(PortState.FAULTY)
    effects = bench.call("link", 1, True)
    assert changes(effects) == [(1, "FAULTY", "INITIALIZING"), (1, "INITIALIZING", "LISTENING")]
    assert bench.call("link", 1, True) == []


def test_FSM_13_initialize_makes_dynamic_data_new_and_keeps_what_is_configured() -> None:
    bench = Bench(priority1=77)
    bench.follow(Peer(1, priority1=1, steps_removed=5))
    bench.call("initialize")
    data = bench.instance.data
    assert bench.states() == ["LISTENING"]
    assert (data.current.steps_removed, data.parent.grandmaster_identity) == (0, identity(0x50))
    assert data.default.priority1 == 77
    assert len(bench.port().foreign) == 0


# ----------------------------------------------------------------------------------------- qualification


def test_FSM_14_a_grandmaster_needs_no_qualification_time() -> None:
    bench = Bench(priority1=1)
    bench.receive(CLIENT.announce())
    effects = bench.receive(CLIENT.announce())
    assert changes(effects) == [(1, "LISTENING", "MASTER")]


@pytest.mark.parametrize("steps", [0, 2])
def test_FSM_15_a_boundary_clocks_port_waits_steps_removed_plus_one_intervals(steps: int) -> None:
    bench = Bench(2)
    bench.follow(Peer(1, quality=GRANDMASTER, steps_removed=steps), port=1)
    worse = Peer(2, priority1=200)
    bench.receive(worse.announce(), 2)
    bench.receive(worse.announce(), 2)
    assert bench.states()[1] == "PRE_MASTER"
    since = bench.now
    bench.clear()
    bench.hear(worse, port=2)
    bench.run(30)
    entered = [when for when, e in bench.effects if isinstance(e, StateChanged) and e.new is PortState.MASTER]
    assert entered == [since + (steps + 2) * 2 * S]


# --------------------------------------------------------------------------------------- announce receipt timeout


@pytest.mark.parametrize("seed", range(20))
def test_FSM_16_the_parent_is_given_up_after_three_to_four_intervals(seed: int) -> None:
    bench, peer = Bench(seed=seed), Peer(1, quality=GRANDMASTER)
    bench.follow(peer)
    last = bench.now
    bench.silence(peer)
    bench.clear()
    bench.run(10)
    (entered,) = [when for when, e in bench.effects if isinstance(e, StateChanged)]
    assert 3 * 2 * S <= entered - last <= 4 * 2 * S
    assert bench.states() == ["MASTER"]


def test_FSM_16_the_timeout_is_random() -> None:
    spans = set()
    for seed in range(10):
        bench = Bench(seed=seed)
        spans.add(bench.port().timers["announce-receipt"])
    assert len(spans) == 10


def test_FSM_17_only_the_parents_announce_restarts_the_timer() -> None:
    bench, peer = Bench(), Peer(1, quality=GRANDMASTER)
    bench.follow(peer)
    before = bench.port().timers["announce-receipt"]
    bench.silence(peer)
    bench.run(1)
    bench.receive(Peer(2, priority1=200).announce())
    bench.receive(peer.sync())
    assert bench.port().timers["announce-receipt"] == before
    bench.receive(peer.announce())
    assert bench.port().timers["announce-receipt"] >= bench.now + 6 * S


def test_FSM_18_silence_makes_a_listening_port_master() -> None:
    bench = Bench()
    bench.run(8)
    assert changes([e for _, e in bench.effects]) == [(1, "INITIALIZING", "LISTENING"), (1, "LISTENING", "MASTER")]


def test_FSM_18_a_port_told_not_to_wait_serves_at_once() -> None:
    bench = Bench(port={"listen_first": False})
    bench.run(0)
    assert bench.states() == ["MASTER"]


def test_FSM_19_silence_brings_a_client_back_to_listening() -> None:
    bench, peer = Bench(client_only=True), Peer(1)
    bench.run(30)
    assert bench.states() == ["LISTENING"]
    bench.follow(peer)
    bench.silence(peer)
    bench.run(8)
    assert bench.states() == ["LISTENING"]
    assert bench.sent(Announce) == []


@pytest.mark.parametrize("timeout", [2, 10])
def test_FSM_20_the_timeout_multiplier_is_obeyed(timeout: int) -> None:
    bench = Bench(port={"announce_receipt_timeout": timeout})
    bench.run(timeout * 2 - 0.001)
    assert bench.states() == ["LISTENING"]
    bench.run(2)
    assert bench.states() == ["MASTER"]


# ------------------------------------------------------------------------------------------------- servo's word


def test_FSM_21_and_22_the_servos_word_moves_between_uncalibrated_and_slave() -> None:
    bench = in_state(PortState.UNCALIBRATED)
    assert changes(bench.locked()) == [(1, "UNCALIBRATED", "SLAVE")]
    assert changes(bench.locked()) == []
    assert changes(bench.locked(False)) == [(1, "SLAVE", "UNCALIBRATED")]
    assert changes(bench.locked(False)) == []


def test_FSM_22_a_servo_that_locks_moves_no_port_that_does_not_follow() -> None:
    for state in (PortState.MASTER, PortState.LISTENING, PortState.FAULTY, PortState.DISABLED):
        bench = in_state(state)
        assert bench.locked() == []
        assert bench.locked(False) == []


def test_FSM_23_a_new_parent_leads_through_uncalibrated_and_measures_anew() -> None:
    bench = in_state(PortState.SLAVE)
    old = bench.speakers[0].peer
    bench.measure(old)
    bench.run(1.9)
    assert bench.sent(DelayReq)
    better = Peer(2, priority1=1)
    bench.receive(better.announce())
    assert changes(bench.receive(better.announce())) == [(1, "SLAVE", "UNCALIBRATED")]
    assert "delay-req" not in bench.port().timers
    assert syncs(bench.measure(old)) == []
    assert len(syncs(bench.measure(better))) == 1


def test_FSM_24_a_master_that_meets_a_better_one_follows_it() -> None:
    bench = in_state(PortState.MASTER)
    better = Peer(2, priority1=1)
    bench.receive(better.announce())
    assert changes(bench.receive(better.announce()))[0] == (1, "MASTER", "UNCALIBRATED")
    bench.clear()
    bench.run(3)
    assert not {Announce, Sync} & kinds(bench)


def test_FSM_25_and_26_a_fault_stays_on_its_port() -> None:
    bench = Bench(3)
    bench.follow(Peer(1, quality=GRANDMASTER), port=1)
    bench.run(10)
    assert bench.states() == ["UNCALIBRATED", "MASTER", "MASTER"]
    bench.clear()
    bench.call("link", 2, False)
    bench.run(10)
    assert bench.states() == ["UNCALIBRATED", "FAULTY", "MASTER"]
    assert kinds(bench, 2) == set()
    announced = [when for when, _ in bench.sent_at(Announce, port=3)]
    assert len(announced) >= 5
    assert max(b - a for a, b in pairwise(announced)) <= 2 * S


# ------------------------------------------------------------------------------------------------------- timing


def test_FSM_27_delay_req_times_are_uniform_in_twice_the_interval() -> None:
    bench = in_state(PortState.SLAVE)
    bench.measure(bench.speakers[0].peer)
    bench.run(1100)
    times = [when for when, _ in bench.sent_at(DelayReq)]
    gaps = [(b - a) / S for a, b in pairwise(times)]
    assert len(gaps) >= 1000
    assert all(0 < g <= 2 for g in gaps)
    assert 0.9 <= sum(gaps) / len(gaps) <= 1.1
    # uniform: a quarter of them in each quarter of the range
    for quarter in range(4):
        share = sum(quarter / 2 < g <= quarter / 2 + 0.5 for g in gaps) / len(gaps)
        assert 0.2 <= share <= 0.3


@pytest.mark.parametrize("state", [s for s in PortState if s not in (PortState.MASTER, PortState.INITIALIZING)])
def test_FSM_28_delay_req_is_answered_in_master_only(state: PortState) -> None:
    bench = in_state(state)
    assert bench.receive(CLIENT.delay_req()) == []
    assert bench.port().counters["drop-state"] == 1
    assert len(in_state(PortState.MASTER).receive(CLIENT.delay_req())) == 1


@pytest.mark.parametrize("log_interval", [-4, -2, 0, 1])
def test_FSM_29_sync_comes_at_its_interval(log_interval: int) -> None:
    bench = Bench(port={"log_sync_interval": log_interval, "listen_first": False})
    bench.run(64)
    times = [when for when, _ in bench.sent_at(Sync)]
    assert {b - a for a, b in pairwise(times)} == {round(2.0**log_interval * S)}
    assert len(times) == 64 / 2.0**log_interval + 1


def test_FSM_29_the_mean_interval_holds_when_timers_run_late() -> None:
    """A loop that wakes up to 3 ms late each time must not let the grid of due times drift."""
    bench = Bench(port={"log_sync_interval": -3, "listen_first": False})
    times = []
    for n in range(800):
        deadline = bench.instance.next_deadline()
        assert deadline is not None
        bench.now = max(bench.now, deadline) + (n * 7919 % 3) * 1_000_000
        bench._take(bench.instance.timer(bench.now))
        times = [when for when, _ in bench.sent_at(Sync)]
        if len(times) >= 200:
            break
    assert abs((times[-1] - times[0]) / (len(times) - 1) - S / 8) < S / 8 * 0.001


def test_TRN_20_announce_and_sync_keep_within_30_percent() -> None:
    """Over 600 intervals, with a loop that wakes up as late as a fifth of an interval now and then."""
    bench = Bench(port={"log_sync_interval": 0, "log_announce_interval": 0, "listen_first": False})
    for n in range(1500):
        deadline = bench.instance.next_deadline()
        assert deadline is not None
        bench.now = max(bench.now, deadline) + n * 7919 % 200 * 1_000_000
        bench._take(bench.instance.timer(bench.now))
    for kind in (Sync, Announce):
        times = [when for when, _ in bench.sent_at(kind)]
        near = [abs(b - a - S) <= 0.3 * S for a, b in pairwise(times)]
        assert len(near) >= 600
        assert sum(near) >= 0.9 * len(near)


def test_FSM_31_data_sets_have_changed_when_the_state_change_is_told() -> None:
    """What an effect tells is already true: no effect of an election is seen before its data sets are."""
    bench = Bench(2)
    seen: list[tuple[int, str, bytes]] = []
    emit = bench.instance.emit

    def spy(effect: Effect) -> None:
        if isinstance(effect, StateChanged):
            assert bench.port(effect.port).state is effect.new
            seen.append((effect.port, effect.new.name, bench.instance.data.parent.grandmaster_identity))
        emit(effect)

    bench.instance.emit = spy  # type: ignore[assignment]
    peer = Peer(1, quality=GRANDMASTER)
    bench.hear(peer)
    bench.run(3)
    bench.silence(peer)
    bench.run(10)
    assert (1, "UNCALIBRATED", identity(1)) in seen
    assert (1, "MASTER", identity(0x50)) in seen


def test_FSM_32_stepping_the_clock_fires_no_timer() -> None:
    def history(step: bool) -> list[Any]:
        bench = Bench(seed=4)
        bench.follow(Peer(1, quality=GRANDMASTER))
        bench.locked()
        if step:
            bench.ptp_offset_ns += 3600 * S
            bench.instance.clock_stepped()
        bench.run(20)
        bench.silence(bench.speakers[0].peer)
        bench.run(20)
        return [(when, e.event) for when, e in bench.effects if isinstance(e, StateChanged)]

    assert history(True) == history(False)


def test_FSM_33_dynamic_members_have_their_initial_values_before_listening() -> None:
    bench = Bench(priority1=3, priority2=4)
    data = bench.instance.data
    assert data.parent.parent_port_identity == (identity(0x50), 0)
    assert data.parent.grandmaster_identity == identity(0x50)
    assert (data.parent.grandmaster_priority1, data.parent.grandmaster_priority2) == (3, 4)
    assert (data.current.steps_removed, data.current.synchronization_uncertain) == (0, False)
    assert data.parent.observed_offset_scaled_log_variance == 0xFFFF
    assert data.parent.observed_clock_phase_change_rate == 0x7FFFFFFF
    assert data.time_properties == TimeProperties()
    assert bench.now == START


# --------------------------------------------------------------------------------------------- profile defaults


def test_PRF_01_default_intervals_and_timeout() -> None:
    bench = Bench()
    ds = bench.port().ds
    assert (ds.log_announce_interval, ds.log_sync_interval, ds.log_min_delay_req_interval) == (1, 0, 0)
    assert ds.announce_receipt_timeout == 3
    default = bench.instance.data.default
    assert (default.domain_number, default.sdo_id, default.priority1, default.priority2) == (0, 0, 128, 128)
    bench.run(30)
    announced = [when for when, _ in bench.sent_at(Announce)]
    # the second comes early, so that a successor is followed in time; then every 2 s
    assert {b - a for a, b in pairwise(announced[1:])} == {2 * S}
    assert {m.domain for m in bench.sent()} == {0}
    assert decode(bench.all(Send)[0].octets).sdo_id == 0
