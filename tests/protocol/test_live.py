"""Settings changed while an instance runs: what takes effect when, and what is left as it is."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import pytest

from ptpstack.wire.messages import Announce, DelayReq, DelayResp, Sync
from ptpstack.wire.types import PortState
from tests.protocol.bench import GRANDMASTER, Bench, Peer, S


def configure(bench: Bench, port: dict[str, Any] | None = None, **own: Any) -> None:
    bench.call("configure", {**own, **({"ports": {"1": port}} if port else {})})


def master(**port: Any) -> Bench:
    bench = Bench(port=port)
    bench.run(20)
    assert bench.port().state is PortState.MASTER
    bench.clear()
    return bench


def intervals(bench: Bench, kind: type[Any]) -> list[float]:
    return [(b - a) / S for (a, _), (b, _) in pairwise(bench.sent_at(kind))]


def test_FSM_29_the_sync_interval_is_as_it_was_set_while_running() -> None:
    bench = master()
    configure(bench, {"log_sync_interval": -2})
    bench.run(5)
    assert intervals(bench, Sync)[1:] == [0.25] * (len(intervals(bench, Sync)) - 1)
    assert len(bench.sent(Sync)) >= 18
    assert {m.log_interval for m in bench.sent(Sync)} == {-2}


def test_FSM_30_an_announce_interval_takes_effect_within_the_old_one() -> None:
    bench = master(log_announce_interval=4, listen_first=False)
    began = bench.now
    configure(bench, {"log_announce_interval": 0})
    bench.run(5)
    first = bench.sent_at(Announce)[0][0]
    assert first - began <= S
    assert set(intervals(bench, Announce)) == {1.0}


def test_HDR_24_messages_carry_the_interval_that_was_set() -> None:
    bench = master()
    configure(bench, {"log_announce_interval": -1, "log_sync_interval": 1, "log_min_delay_req_interval": 3})
    bench.run(5)
    bench.receive(Peer(2).delay_req())
    assert {m.log_interval for m in bench.sent(Announce)} == {-1}
    assert {m.log_interval for m in bench.sent(Sync)[1:]} == {1}
    assert bench.sent(DelayResp)[-1].log_interval == 3


def test_a_longer_interval_takes_effect_with_the_next_message() -> None:
    bench = master(log_sync_interval=-3)
    configure(bench, {"log_sync_interval": 1})
    bench.run(9)
    assert len(bench.sent(Sync)) == 5


def test_a_client_goes_on_following_and_waits_as_long_as_it_was_told() -> None:
    bench = Bench(client_only=True)
    peer = Peer(2, quality=GRANDMASTER)
    bench.follow(peer)
    bench.locked()
    bench.clear()
    configure(bench, {"announce_receipt_timeout": 10})
    bench.run(3)
    assert bench.port().state is PortState.SLAVE
    bench.silence(peer)
    bench.run(15)
    assert bench.port().state is PortState.SLAVE
    bench.run(10)
    assert bench.port().state is PortState.LISTENING


def test_an_exchange_under_way_is_finished() -> None:
    bench = Bench(client_only=True)
    peer = Peer(2, quality=GRANDMASTER)
    bench.follow(peer)
    bench.measure(peer)
    bench.run(0.1)
    (request,) = bench.sent(DelayReq)
    configure(bench, {"log_min_delay_req_interval": 2, "limit_announce": 7})
    effects = bench.receive(peer.delay_resp(request, bench.now))
    assert "DelayMeasured" in [type(e).__name__ for e in effects]


def test_priorities_are_elected_with_at_once() -> None:
    bench = master()
    better = Peer(2, priority1=100)
    bench.hear(better)
    bench.run(4)
    assert bench.port().state is not PortState.MASTER
    configure(bench, priority1=50)
    bench.run(1)
    assert bench.port().state is PortState.MASTER
    assert bench.instance.data.default.priority1 == 50
    assert bench.instance.options.priority1 == 50


def test_a_limit_switches_the_short_cut_off_and_on_again() -> None:
    bench = master()
    configure(bench, {"limit_delay_req": 1})
    assert not bench.port().delay.plain_requests
    for _ in range(5):
        bench.receive(Peer(2).delay_req())
    assert len(bench.sent(DelayResp)) == 2
    configure(bench, {"limit_delay_req": 0})
    assert bench.port().delay.plain_requests
    configure(bench, {"deny_sources": ["10.0.0.1"]})
    bench.receive(Peer(2).delay_req(), address="10.0.0.1")
    assert bench.port().counters["drop-source"] == 1


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"domain": 3}, "domain: cannot be changed while running"),
        ({"priority1": 1, "ports": {"1": {"channel": "x"}}}, "channel: cannot be changed"),
        ({"priority1": 1, "ports": {"2": {"limit_announce": 1}}}, "has ports 1 to 1, not 2"),
        ({"priority1": 1, "ports": {"1": {"deny_sources": ["?"]}}}, "give an address"),
    ],
)
def test_what_cannot_be_changed_is_refused_whole(settings: dict[str, Any], words: str) -> None:
    bench = master()
    before = (bench.instance.options, bench.port().options, bench.port().ds.log_announce_interval)
    with pytest.raises(ValueError, match=words):
        bench.instance.configure(settings, bench.now)
    assert (bench.instance.options, bench.port().options, bench.port().ds.log_announce_interval) == before


def test_a_client_has_no_priorities_to_set() -> None:
    with pytest.raises(ValueError, match="always 255"):
        configure(Bench(client_only=True), priority1=5)


def test_what_management_has_set_stays_when_something_else_is_changed() -> None:
    bench = master()
    bench.port().ds.log_announce_interval = 2
    configure(bench, {"log_sync_interval": -1})
    assert bench.port().ds.log_announce_interval == 2
    assert bench.port().ds.log_sync_interval == -1
