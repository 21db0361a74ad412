"""Who fell silent, who did not, and what a stranger's or a stale frame may not do."""

from __future__ import annotations

from dataclasses import replace

import pytest

from ptpstack.protocol.effects import ParentChanged
from ptpstack.timebase.units import TIMESTAMP_END_SNS
from ptpstack.wire.codec import decode, encode
from ptpstack.wire.messages import Announce, DelayReq
from ptpstack.wire.types import ClockQuality, PortState
from tests.protocol.bench import GRANDMASTER, Bench, Peer, syncs


def test_a_passive_port_gives_up_the_master_that_fell_silent_and_no_other() -> None:
    bench = Bench(quality=GRANDMASTER, priority2=30)
    first, second = Peer(1, quality=GRANDMASTER, priority2=10), Peer(2, quality=GRANDMASTER, priority2=20)
    bench.hear(first)
    bench.hear(second)
    bench.run(6)
    assert bench.states() == ["PASSIVE"]
    bench.silence(first)
    bench.clear()
    bench.run(30)
    assert bench.states() == ["PASSIVE"]
    assert not bench.sent(Announce), "a live master was known all the time"


def test_a_client_that_hears_only_a_losing_master_goes_on_hearing_it() -> None:
    bench = Bench(client_only=True, number=1)
    # class 255 too, and a higher identity: it loses against our own data set
    loser = Peer(0x90, quality=ClockQuality(255, 0xFE, 0xFFFF), priority1=255, priority2=255)
    bench.hear(loser)
    bench.run(60)
    assert bench.states() == ["LISTENING"]
    assert bench.port().foreign.get(loser.identity) is not None
    decision = bench.port().decision
    assert decision is not None
    assert decision.code == "M2"


def test_a_boundary_clock_that_knows_another_path_takes_it_without_electing_itself() -> None:
    bench = Bench(2)
    grandmaster = Peer(1, quality=GRANDMASTER)
    near = Peer(2, quality=GRANDMASTER, grandmaster=grandmaster.identity.clock_identity, steps_removed=0)
    far = Peer(3, quality=GRANDMASTER, grandmaster=grandmaster.identity.clock_identity, steps_removed=3)
    bench.hear(near, 1)
    bench.hear(far, 2)
    bench.run(6)
    assert bench.instance.following_port is bench.port(1)
    bench.silence(near)
    bench.clear()
    bench.run(9)
    assert bench.instance.following_port is bench.port(2)
    assert [e.new for e in bench.all(ParentChanged)] == [far.identity]


def test_an_unmatched_response_sets_no_interval() -> None:
    bench = Bench(client_only=True)
    peer = Peer(1, quality=GRANDMASTER)
    bench.follow(peer)
    bench.measure(peer)
    bench.run(0)
    request = bench.sent(DelayReq)[-1]
    stale = replace(request, sequence_id=(request.sequence_id + 7) & 0xFFFF)
    bench.receive(peer.delay_resp(stale, bench.now, log_interval=5))
    assert bench.port().ds.log_min_delay_req_interval == 0
    bench.receive(peer.delay_resp(request, bench.now, log_interval=2))
    assert bench.port().ds.log_min_delay_req_interval == 2


@pytest.mark.parametrize("two_step", [True, False])
def test_a_duplicated_sync_is_measured_once(two_step: bool) -> None:
    bench = Bench(client_only=True)
    peer = Peer(1, quality=GRANDMASTER)
    bench.follow(peer)
    flags = {} if two_step else {"flags": 0, "origin_ns": bench.now}
    sync, follow_up = peer.sync(**flags), peer.follow_up(bench.now)
    assert len(syncs(bench.receive(sync) + bench.receive(follow_up))) == 1
    bench.run(0.1)
    assert syncs(bench.receive(sync) + bench.receive(follow_up)) == []
    assert bench.port().counters["sync-duplicate"] == 1


def test_disabled_ports_and_dead_links_stay_as_they_are() -> None:
    bench = Bench()
    bench._take(bench.instance.enable(1, False, bench.now))
    bench._take(bench.instance.link(1, False, bench.now))
    assert bench.states() == ["DISABLED"]
    bench._take(bench.instance.initialize(bench.now))
    assert bench.states() == ["DISABLED"]
    bench._take(bench.instance.enable(1, True, bench.now))
    assert bench.states() == ["FAULTY"], "enabled, but the link is down"
    bench._take(bench.instance.link(1, True, bench.now))
    assert bench.states() == ["LISTENING"]


def test_a_parent_that_changes_all_the_time_is_not_amplified() -> None:
    bench = Bench(3)
    peer = Peer(1, quality=GRANDMASTER)
    bench.follow(peer)
    bench.run(20)
    assert bench.states().count("MASTER") == 2
    bench.clear()
    for n in range(1000):
        bench.receive(peer.announce(current_utc_offset=n % 50))
        bench.run(0.001)
    # two ports, one second, not more often than every 250 ms each
    assert len(bench.sent(Announce)) <= 2 * 5


def test_a_time_that_no_timestamp_holds_is_counted_not_raised() -> None:
    bench = Bench(quality=GRANDMASTER, port={"listen_first": False})
    bench.run(1)
    assert bench.port().state is PortState.MASTER
    beyond = TIMESTAMP_END_SNS + 5
    request = Peer(9).delay_req()
    assert bench.receive(request, stamp=beyond) == []
    general = encode(replace(decode(request), sequence_id=77))
    bench.port().delay.plain_requests = frozenset()
    assert bench.receive(general, stamp=beyond) == []
    bench.egress = lambda message: beyond
    bench.run(3)
    assert bench.port().counters["stamp-out-of-range"] >= 4


def test_priorities_of_a_client_only_instance_are_not_changed() -> None:
    bench = Bench(client_only=True)
    with pytest.raises(ValueError, match="client-only"):
        bench.instance.set_priorities(bench.now, priority1=1)
    assert bench.instance.data.default.priority1 == 255


def test_a_listening_client_does_not_call_itself_grandmaster() -> None:
    bench = Bench(client_only=True)
    bench.run(20)
    assert not bench.instance.is_grandmaster
    assert not bench.instance.has_parent
