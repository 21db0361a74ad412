"""A parent whose Announces are lost is given up, but what its Syncs say is not thrown away."""

from __future__ import annotations

from ptpstack.protocol.effects import Effect, SyncMeasured, SyncOverheard
from ptpstack.protocol.following import MUTE_INTERVALS
from ptpstack.wire.messages import DelayReq
from ptpstack.wire.types import Flag
from tests.protocol.bench import GRANDMASTER, Bench, Peer


def mute(*, client_only: bool = True) -> tuple[Bench, Peer]:
    """A client whose parent has stopped announcing for long enough."""
    bench, peer = Bench(client_only=client_only), Peer(1, quality=GRANDMASTER)
    bench.follow(peer)
    bench.measure(peer)
    bench.silence(peer)
    bench.run(7.6)
    bench.clear()
    return bench, peer


def kinds(effects: list[Effect]) -> list[type[Effect]]:
    return [type(e) for e in effects if isinstance(e, (SyncMeasured, SyncOverheard))]


def test_syncs_of_a_parent_that_announces_nothing_are_overheard() -> None:
    bench, peer = mute()
    assert bench.states() == ["LISTENING"]
    assert not bench.instance.has_parent
    assert kinds(bench.measure(peer, delay_ns=700)) == [SyncOverheard]
    heard = bench.all(SyncOverheard)[0]
    assert heard.t2_sns - heard.t1_sns == 700 << 16
    # FSM-04: a listening port asks nothing
    bench.run(1.5)
    assert bench.sent(DelayReq) == []


def test_those_of_others_are_not() -> None:
    bench, peer = mute()
    assert kinds(bench.measure(Peer(2, quality=GRANDMASTER))) == []
    assert kinds(bench.measure(peer, flags=Flag.TWO_STEP | Flag.ALTERNATE_MASTER)) == []


def test_not_for_ever() -> None:
    bench, peer = mute()
    bench.run(MUTE_INTERVALS * 2.0)
    assert kinds(bench.measure(peer)) == []


def test_a_port_that_serves_overhears_nothing() -> None:
    bench, peer = mute(client_only=False)
    assert bench.states() == ["MASTER"]
    assert kinds(bench.measure(peer)) == []


def test_followed_again_its_syncs_count_as_ever() -> None:
    bench, peer = mute()
    bench.receive(peer.announce())
    assert kinds(bench.measure(peer)) == [SyncOverheard]
    bench.run(0.5)
    # kept as those of any master that is not accepted yet: the servo knows what it has heard already
    assert kinds(bench.receive(peer.announce())) == [SyncMeasured]
    bench.run(0.5)
    assert kinds(bench.measure(peer)) == [SyncMeasured]
