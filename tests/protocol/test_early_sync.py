"""A master's Syncs from before it was accepted: kept with their own times, handed over when it is followed."""

from __future__ import annotations

from itertools import pairwise

from ptpstack.protocol.effects import SyncMeasured
from ptpstack.protocol.sync_receiver import EARLY_SYNCS
from tests.protocol.bench import GRANDMASTER, Bench, Peer, S


def begin(bench: Bench, peer: Peer, before: int) -> None:
    """One Announce, ``before`` Syncs a quarter of a second apart, and the Announce that qualifies."""
    bench.receive(peer.announce())
    for _ in range(before):
        bench.run(0.25)
        bench.receive(peer.sync())
        bench.receive(peer.follow_up(bench.now))
    bench.receive(peer.announce())
    bench.run(0.01)


def test_syncs_of_the_time_of_qualification_are_not_lost() -> None:
    bench, peer = Bench(), Peer(1, quality=GRANDMASTER)
    begin(bench, peer, 3)
    assert bench.states() == ["UNCALIBRATED"]
    measured = bench.all(SyncMeasured)
    assert len(measured) == 3
    # each with the time at which it came, not that of the decision
    assert [b.received_ns - a.received_ns for a, b in pairwise(measured)] == [S // 4] * 2
    assert measured[-1].received_ns < bench.now


def test_only_the_newest_are_kept() -> None:
    bench, peer = Bench(), Peer(1, quality=GRANDMASTER)
    begin(bench, peer, EARLY_SYNCS + 3)
    measured = bench.all(SyncMeasured)
    assert len(measured) == EARLY_SYNCS
    assert bench.now - measured[-1].received_ns < S // 2


def test_a_sync_that_waits_for_its_follow_up_goes_on_waiting() -> None:
    bench, peer = Bench(), Peer(1, quality=GRANDMASTER)
    bench.receive(peer.announce())
    bench.receive(peer.sync(sequence_id=7))
    bench.receive(peer.announce())
    bench.run(0.01)
    assert bench.all(SyncMeasured) == []
    bench.receive(peer.follow_up(bench.now, sequence_id=7))
    assert len(bench.all(SyncMeasured)) == 1


def test_of_somebody_who_has_sent_no_announce_nothing_is_kept() -> None:
    bench, peer, silent = Bench(), Peer(1, quality=GRANDMASTER), Peer(2)
    for _ in range(3):
        bench.receive(silent.sync())
        bench.receive(silent.follow_up(bench.now))
    begin(bench, peer, 0)
    bench.receive(silent.announce())
    assert bench.all(SyncMeasured) == []
    assert bench.port().counters["drop-state"] == 6


def test_a_step_of_the_clock_makes_them_worthless() -> None:
    bench, peer = Bench(), Peer(1, quality=GRANDMASTER)
    bench.receive(peer.announce())
    bench.receive(peer.sync())
    bench.receive(peer.follow_up(bench.now))
    bench.instance.clock_stepped()
    bench.receive(peer.announce())
    bench.run(0.01)
    assert bench.states() == ["UNCALIBRATED"]
    assert bench.all(SyncMeasured) == []
