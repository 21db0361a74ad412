"""Unicast discovery and negotiation, the asking side: whom it asks for what, when, and what it does with answers."""

from __future__ import annotations

import itertools
import random
from typing import Any

import pytest

from ptpstack.protocol.effects import DelayMeasured, ParentChanged, StateChanged, SyncMeasured
from ptpstack.protocol.instance import Instance
from ptpstack.protocol.management.table import READ_WRITE
from ptpstack.protocol.options import UnicastOptions, UnicastServer
from ptpstack.protocol.unicast_wish import Say, Wish
from ptpstack.wire.messages import Announce, DelayReq, DelayResp, Message, Signaling, Sync
from ptpstack.wire.tlvs.unicast import (
    MAINTAIN_GRANT,
    AcknowledgeCancelUnicastTransmission,
    CancelUnicastTransmission,
    GrantUnicastTransmission,
    RequestUnicastTransmission,
)
from ptpstack.wire.types import Flag, PortState
from tests.protocol.bench import Bench, Peer, S
from tests.protocol.test_management import replies, request, values
from tests.protocol.unicast import ANNOUNCE, DELAY_RESP, SYNC, Network, signaling


def wishes(network: Network, server: str, client: str = "client") -> dict[str, Any]:
    discovery = network.instances[client].ports[0].unicast_discovery
    assert discovery is not None
    (view,) = [v for v in discovery.view(network.now) if v["address"] == server]
    return {s["message_type"]: s["state"] for s in view["services"]}


def following(network: Network, client: str = "client") -> bool:
    return network.instances[client].ports[0].state in (PortState.UNCALIBRATED, PortState.SLAVE)


def two_servers(**unicast: Any) -> Network:
    """``gm1`` is the better one."""
    network = Network()
    network.server("gm1", 1, priority1=1)
    network.server("gm2", 2, priority1=2)
    network.client("client", 9, "gm1", "gm2", **unicast)
    return network


def test_every_server_is_asked_for_announce_and_only_the_best_for_the_rest() -> None:
    network = two_servers()
    network.run(5)
    assert network.parent("client") == "gm1"
    assert wishes(network, "gm1") == dict.fromkeys(("ANNOUNCE", "SYNC", "DELAY_RESP"), "granted")
    assert wishes(network, "gm2") == {"ANNOUNCE": "granted", "SYNC": "not-wanted", "DELAY_RESP": "not-wanted"}
    assert network.sent("gm2", "client", Announce)
    assert not network.sent("gm2", "client", Sync)
    assert {type(e) for _, e in network.effects["client"]} >= {SyncMeasured, DelayMeasured}
    # the interval that the messages themselves do not tell
    assert {e.log_interval for _, e in network.effects["client"] if isinstance(e, SyncMeasured)} == {0}


def test_UNI_18_requests_go_to_servers_of_the_table_only() -> None:
    network = two_servers()
    stranger = Peer(5)
    network.deliver("client", stranger.announce(flags=Flag.UNICAST), "stranger")
    network.deliver("client", stranger.announce(flags=Flag.UNICAST), "stranger")
    network.deliver("client", stranger.announce(), "stranger")
    network.run(30)
    assert {to for _, source, to, m in network.log if source == "client"} == {"gm1", "gm2"}
    counters = network.instances["client"].ports[0].counters
    assert counters["drop-unicast-of-stranger"] == 2
    assert counters["drop-multicast"] == 1


def test_UNI_17_renewal_comes_before_the_end_and_requests_are_repeated_at_the_query_interval() -> None:
    network = two_servers(duration_s=20)
    network.run(5)
    lost_from = network.now
    network.run(9)
    assert not network.tlvs("client", "gm1", RequestUnicastTransmission, lost_from)
    # the server does not hear the renewals
    network.loses = lambda source, to, message: source == "client" and isinstance(message, Signaling)
    network.run(4.4)
    asked = [
        at for at, t in network.tlvs("client", "gm1", RequestUnicastTransmission, lost_from) if t.message_type == SYNC
    ]
    granted_at = network.tlvs("gm1", "client", GrantUnicastTransmission)[0][0]
    assert granted_at + 13.5 * S < asked[0] < granted_at + 15.6 * S
    gaps = [(b - a) / S for a, b in itertools.pairwise(asked)]
    assert all(1.0 <= gap < 1.13 for gap in gaps[:3])
    assert following(network)
    network.loses = lambda *_: False
    network.run(2)
    assert wishes(network, "gm1")["SYNC"] == "granted"
    # no Sync was missed meanwhile
    syncs = [at for at, _ in network.sent("gm1", "client", Sync)]
    assert max(b - a for a, b in itertools.pairwise(syncs[1:])) < 1.01 * S


def test_requests_become_rarer_when_nobody_answers() -> None:
    network = two_servers(log_max_query_interval=4)
    network.dead = {"gm1", "gm2"}
    network.run(200)
    asked = [at for at, _ in network.tlvs("client", "gm1", RequestUnicastTransmission)]
    gaps = [(b - a) / S for a, b in itertools.pairwise(asked)]
    limits = [1, 1, 1, 2, 4, 8, 16, 16, 16]
    assert all(limit <= gap <= 1.13 * limit for limit, gap in zip(limits, gaps, strict=False)), gaps
    # and it is found when it comes
    network.restart("gm2")
    network.run(19)
    assert network.parent("client") == "gm2"


def test_UNI_09_a_cancel_of_the_server_is_acknowledged_and_its_service_used_no_more() -> None:
    network = two_servers()
    network.run(5)
    gm1 = network.instances["gm1"].ports[0].identity
    start = network.now
    for kind in (SYNC, DELAY_RESP):
        network.deliver("client", _from(gm1, CancelUnicastTransmission(kind)), "gm1")
    network.run(0.1)
    acks = network.tlvs("client", "gm1", AcknowledgeCancelUnicastTransmission, start)
    assert [t.message_type for _, t in acks] == [SYNC, DELAY_RESP]
    network.run(3)
    # what still comes from there is not used, and another server is
    assert network.parent("client") == "gm2"
    assert wishes(network, "gm2")["SYNC"] == "granted"
    used = {e.parent for at, e in network.effects["client"] if isinstance(e, SyncMeasured) and at > start + 0.1 * S}
    assert used == {network.instances["gm2"].ports[0].identity}


def _from(identity: Any, *tlvs: Any, flags: int = Flag.UNICAST) -> bytes:
    peer = Peer(1)
    peer.identity = identity
    return signaling(peer, *tlvs)


def test_a_cancel_that_maintains_the_grant_and_one_from_elsewhere_change_nothing() -> None:
    network = two_servers()
    network.run(5)
    gm1 = network.instances["gm1"].ports[0].identity
    for kind in (ANNOUNCE, SYNC, DELAY_RESP):
        network.deliver("client", _from(gm1, CancelUnicastTransmission(kind, MAINTAIN_GRANT)), "gm1")
        network.deliver("client", _from(gm1, CancelUnicastTransmission(kind)), "elsewhere")
        network.deliver("client", _from(gm1, CancelUnicastTransmission(kind)), "gm2")
    network.run(1)
    assert network.parent("client") == "gm1"
    assert set(wishes(network, "gm1").values()) == {"granted"}


def test_UNI_19_a_grant_that_was_not_requested_is_ignored() -> None:
    network = two_servers()
    network.run(5)
    before = wishes(network, "gm2")
    for kind in range(16):
        for source in ("gm2", "stranger"):
            network.deliver("client", signaling(Peer(2), GrantUnicastTransmission(kind, -7, 1000)), source)
    network.run(0.1)
    assert wishes(network, "gm2") == before
    counters = network.instances["client"].ports[0].counters
    # Announce was granted long ago
    assert counters["unicast-not-requested"] == 16
    assert counters["unicast-grant-of-stranger"] == 16
    sync = Peer(2).sync(flags=Flag.UNICAST | Flag.TWO_STEP)
    network.deliver("client", sync, "gm2")
    network.run(0.01)
    assert counters["drop-sync-without-grant"] == 1


def test_TRN_05_and_E2E_08_delay_req_goes_to_the_server_at_the_granted_rate() -> None:
    network = Network()
    network.server("gm1", 1, {"log_min_delay_resp_interval": 2})
    network.client("client", 9, "gm1")
    network.run(400)
    requests = network.sent("client", "gm1", DelayReq)
    assert not network.sent("client", None, Message)
    assert len(requests) == pytest.approx(100, abs=25)
    assert all(m.flags & Flag.UNICAST for _, m in requests)
    answers = network.sent("gm1", "client", DelayResp)
    assert len(answers) == len(requests)
    assert {(m.log_interval, bool(m.flags & Flag.UNICAST)) for _, m in answers} == {(0x7F, True)}
    assert network.instances["client"].ports[0].ds.log_min_delay_req_interval == 0


def test_a_coarser_announce_interval_is_taken_into_account() -> None:
    network = Network()
    network.server("gm1", 1, {"log_min_announce_interval": 3})
    network.client("client", 9, "gm1", duration_s=600)
    network.run(120)
    # 8 s between Announces, while our own interval is 1 s: no timeout, no coming and going
    assert network.parent("client") == "gm1"
    states = [e.new for _, e in network.effects["client"] if isinstance(e, StateChanged)]
    assert states == [PortState.LISTENING, PortState.UNCALIBRATED]


# ---- fall-over -----------------------------------------------------------------------------------------------------


def took(network: Network, address: str, within_s: float) -> float:
    """Seconds until the client follows."""
    start = network.now
    while network.parent("client") != address:
        network.run(0.05)
        assert network.now - start < within_s * S, f"still under {network.parent('client')!r}"
    return (network.now - start) / S


def test_a_server_that_dies_is_replaced_and_comes_back() -> None:
    network = two_servers()
    network.run(10)
    network.dead.add("gm1")
    assert took(network, "gm2", 5) > 2
    network.run(3)
    assert wishes(network, "gm2")["SYNC"] == "granted"
    assert following(network)
    network.run(60)
    assert wishes(network, "gm1")["ANNOUNCE"] == "asking"
    network.restart("gm1")
    assert took(network, "gm1", 20) > 0
    network.run(2)
    # the other one is told that its time is not wanted any more
    assert wishes(network, "gm2") == {"ANNOUNCE": "granted", "SYNC": "not-wanted", "DELAY_RESP": "not-wanted"}
    service = network.instances["gm2"].ports[0].unicast_service
    assert service is not None
    assert [contract.kind for contract in service.grants] == [ANNOUNCE]


def test_a_server_that_was_restarted_at_once_is_asked_anew() -> None:
    """It knows nothing of its grants, and they would last for minutes yet."""
    network = Network()
    network.server("gm1", 1)
    network.client("client", 9, "gm1", duration_s=1000)
    network.run(10)
    network.restart("gm1")
    start = network.now
    network.run(9)
    assert network.sent("gm1", "client", Sync, start)
    assert set(wishes(network, "gm1").values()) == {"granted"}


@pytest.mark.parametrize("kind", [SYNC, DELAY_RESP])
@pytest.mark.parametrize("how", ["refused", "unanswered"])
def test_a_server_that_announces_and_gives_no_time_is_passed_over(kind: int, how: str) -> None:
    network = Network()
    network.server("gm1", 1, {"max_rate": 1} if how == "refused" else None, priority1=1)
    network.server("gm2", 2, priority1=2)
    network.client("client", 9, "gm1", "gm2")
    if how == "unanswered":
        network.loses = lambda source, to, message: (
            source == "client"
            and to == "gm1"
            and any(getattr(tlv, "message_type", None) == kind for tlv in message.tlvs)
        )
    network.run(12)
    assert network.parent("client") == "gm2"
    assert wishes(network, "gm2")["SYNC"] == wishes(network, "gm2")["DELAY_RESP"] == "granted"
    assert network.instances["client"].ports[0].counters["unicast-server-excluded"] >= 1
    # it is tried again, ever more rarely
    network.run(400)
    excluded = network.instances["client"].ports[0].counters["unicast-server-excluded"]
    assert 3 <= excluded <= 8
    shares = [
        sum(1 for at, e in network.effects["client"] if isinstance(e, SyncMeasured) and e.parent == i.ports[0].identity)
        for i in (network.instances["gm1"], network.instances["gm2"])
    ]
    assert shares[1] > 300


def test_sync_that_is_granted_and_does_not_come_is_a_reason_to_leave() -> None:
    network = two_servers()
    network.run(10)
    network.loses = lambda source, to, message: source == "gm1" and isinstance(message, Sync)
    start = network.now
    under = 0
    for _ in range(300):
        network.run(1)
        under += network.parent("client") == "gm2"
    assert under > 200
    assert network.instances["client"].ports[0].counters["unicast-granted-and-silent"] >= 3
    assert len([1 for at, e in network.effects["client"] if isinstance(e, SyncMeasured) and at > start]) > 180


def test_the_only_server_is_kept_whatever_it_does() -> None:
    network = Network()
    network.server("gm1", 1)
    network.client("client", 9, "gm1")
    network.loses = lambda source, to, message: source == "gm1" and isinstance(message, Sync)
    network.run(60)
    assert network.parent("client") == "gm1"
    assert network.instances["client"].ports[0].counters["unicast-server-excluded"] == 0
    network.loses = lambda *_: False
    start = network.now
    network.run(20)
    assert len([1 for at, e in network.effects["client"] if isinstance(e, SyncMeasured) and at > start]) > 10


def test_local_priority_decides_between_equals_where_the_bmca_knows_it() -> None:
    for bmca, priority2, expected in (
        ("default", 128, "gm1"),
        ("itu-alternate", 1, "gm1"),
        ("itu-alternate", 128, "gm2"),
    ):
        network = Network()
        network.server("gm1", 1, priority2=priority2)
        network.server("gm2", 2)
        network.client("client", 9, UnicastServer("gm1", 200), UnicastServer("gm2", 10), bmca=bmca)
        network.run(10)
        assert network.parent("client") == expected
    decision = network.instances["client"].ports[0].decision
    assert decision is not None
    assert "localPriority 10 against 200" in decision.reason


# ---- links, INITIALIZE ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("down_s", [2, 30, 200])
def test_after_a_link_was_down_every_server_is_asked_anew(down_s: int) -> None:
    network = two_servers(duration_s=60)
    network.run(10)
    network.call("client", "link", 1, False)
    start = network.now
    network.run(down_s)
    assert not [m for at, source, _, m in network.log if source == "client" and at > start]
    assert network.instances["client"].next_deadline() is None
    network.call("client", "link", 1, True)
    start = network.now
    network.run(4)
    asked = {
        (to, t.message_type)
        for to in ("gm1", "gm2")
        for _, t in network.tlvs("client", to, RequestUnicastTransmission, start)
    }
    assert asked == {("gm1", ANNOUNCE), ("gm2", ANNOUNCE), ("gm1", SYNC), ("gm1", DELAY_RESP)}
    assert network.parent("client") == "gm1"
    assert wishes(network, "gm1")["SYNC"] == "granted"
    cancelled = {t.message_type for _, t in network.tlvs("client", "gm1", CancelUnicastTransmission, start)}
    assert cancelled == ({SYNC, DELAY_RESP} if down_s < 50 else set())
    network.run(200)
    assert set(wishes(network, "gm1").values()) == {"granted"}


def test_initialize_gives_back_what_is_held_and_begins_anew() -> None:
    network = two_servers()
    network.run(10)
    start = network.now
    network.call("client", "initialize")
    given_back = {
        (to, t.message_type)
        for to in ("gm1", "gm2")
        for _, t in network.tlvs("client", to, CancelUnicastTransmission, start)
    }
    assert given_back == {("gm1", ANNOUNCE), ("gm1", SYNC), ("gm1", DELAY_RESP), ("gm2", ANNOUNCE)}
    network.run(5)
    assert network.parent("client") == "gm1"
    assert wishes(network, "gm1")["SYNC"] == "granted"
    syncs = [at for at, _ in network.sent("gm1", "client", Sync, start)]
    assert syncs


def test_multicast_and_unicast_at_one_port() -> None:
    """A master heard by multicast is followed like any other; the servers stay asked."""
    network = Network()
    network.server("gm1", 1, priority1=10)
    network.client("client", 9, "gm1", multicast=True)
    network.run(5)
    best = Peer(3, priority1=1)
    for _ in range(10):
        network.deliver("client", best.announce(), "best")
        network.run(1)
    assert network.parent("client") == "best"
    network.deliver("client", best.sync(), "best")
    network.deliver("client", best.follow_up(network.now), "best")
    network.run(0.5)
    # and asked by multicast
    assert network.sent("client", None, DelayReq)
    assert wishes(network, "gm1") == {"ANNOUNCE": "granted", "SYNC": "not-wanted", "DELAY_RESP": "not-wanted"}
    network.run(20)
    assert network.parent("client") == "gm1"


def test_two_streams_of_one_server_do_not_mix() -> None:
    network = Network()
    network.server("gm1", 1, {"multicast": True})
    network.client("client", 9, "gm1", multicast=True)
    network.run(30)
    counters = network.instances["client"].ports[0].counters
    assert counters["drop-multicast-of-server"] > 50
    assert counters["sync-without-follow-up"] == counters["follow-up-unmatched"] == 0
    assert len([e for _, e in network.effects["client"] if isinstance(e, SyncMeasured)]) >= 27


def test_E2E_10_hybrid_mode_asks_a_multicast_master_by_unicast() -> None:
    bench = Bench(port={"unicast": UnicastOptions(unicast_delay_req=True)})
    peer = Peer(1, priority1=1)
    for _ in range(2):
        bench.receive(peer.announce(), address="10.0.0.1")
        bench.run(0.5)
    bench.receive(peer.sync(), address="10.0.0.1")
    bench.receive(peer.follow_up(bench.now), address="10.0.0.1")
    bench.run(1)
    sends = [e for _, e in bench.effects if getattr(e, "token", None) is not None]
    assert {e.destination for e in sends} == {"10.0.0.1"}  # type: ignore[union-attr]
    assert all(m.flags & Flag.UNICAST for m in bench.sent(DelayReq))
    (parent,) = bench.all(ParentChanged)
    assert parent.new == peer.identity


def test_a_server_that_was_replaced_by_another_clock_is_followed_under_its_new_identity() -> None:
    network = Network()
    network.server("gm1", 1)
    network.client("client", 9, "gm1")
    network.run(5)
    del network.instances["gm1"]
    network.run(10)
    network.server("gm1", 4)
    network.run(20)
    assert network.instances["client"].data.parent.parent_port_identity == network.instances["gm1"].ports[0].identity


# ---- one wish ------------------------------------------------------------------------------------------------------


def test_a_wish_that_is_withdrawn_before_anything_was_said_says_nothing() -> None:
    wish = Wish(SYNC, 0)
    options, rng = UnicastOptions(), random.Random(1)
    wish.want(0)
    wish.unwant(1)
    assert wish.turn(2, options, rng) is Say.NOTHING
    wish.want(3)
    assert wish.turn(3, options, rng) is Say.REQUEST
    wish.unwant(4)
    # the grant may be under way
    assert [wish.turn(5 + n, options, rng) for n in range(4)] == [Say.CANCEL] * 3 + [Say.NOTHING]


def test_longer_grants_than_asked_for_are_renewed_as_asked() -> None:
    wish = Wish(SYNC, 0)
    options, rng = UnicastOptions(duration_s=100), random.Random(1)
    wish.want(0)
    wish.turn(0, options, rng)
    wish.granted(0, 2**32 - 1, 0, options, rng)
    assert wish.expires_ns == 100 * S
    assert 70 * S <= wish.due_ns <= 75 * S


def test_an_instance_without_unicast_has_none_of_it() -> None:
    instance: Instance = Bench().instance
    assert instance.ports[0].unicast_service is None
    assert instance.ports[0].unicast_discovery is None
    assert instance.ports[0].entrance._gates == []


# ---- management ----------------------------------------------------------------------------------------------------


def test_management_tells_the_table_and_how_each_server_stands() -> None:
    network = Network()
    network.server("10.0.0.1", 1, priority1=7)
    network.client("client", 9, "10.0.0.1", "10.0.0.2")
    network.run(5)
    responder = network.instances["client"].management

    def get(name: str) -> dict[str, Any]:
        network.effects["client"].clear()
        responder.from_local(READ_WRITE, request(name), "/run/pmc", network.now)
        network.take("client", network.instances["client"]._drain())
        ((_, answer),) = replies([effect for _, effect in network.effects["client"]])
        return values(answer)

    assert get("UNICAST_NEGOTIATION_ENABLE")["enable"] is True
    assert get("UNICAST_MASTER_MAX_TABLE_SIZE") == {"maxTableSize": 64}
    table = get("UNICAST_MASTER_TABLE")
    assert [entry["portAddress"].address for entry in table["portAddresses"]] == [
        bytes((10, 0, 0, 1)),
        bytes((10, 0, 0, 2)),
    ]
    first, second = get("UNICAST_MASTER_TABLE_NP")["unicastMasters"]
    assert (first["selected"], first["priority1"], first["clockClass"]) == (1, 7, 6)
    assert (second["selected"], second["clockClass"]) == (0, 0)


def test_a_port_that_is_made_anew_gives_back_what_it_held() -> None:
    network = two_servers()
    network.run(5)
    client = network.instances["client"]
    start = network.now
    network.take("client", client.rebuild(client.configured, network.now))
    cancelled = {t.message_type for _, t in network.tlvs("client", "gm1", CancelUnicastTransmission, start)}
    assert cancelled == {ANNOUNCE, SYNC, DELAY_RESP}
    server = network.instances["gm1"]
    network.run(5)
    assert network.parent("client") == "gm1"
    start = network.now
    network.take("gm1", server.rebuild(server.configured, network.now))
    assert network.tlvs("gm1", "client", CancelUnicastTransmission, start)
    network.run(10)
    assert network.parent("client") == "gm1"
    assert set(wishes(network, "gm1").values()) == {"granted"}


def test_another_interval_is_asked_for_with_the_next_renewal() -> None:
    network = two_servers(duration_s=20)
    network.run(5)
    network.call("client", "configure", {"ports": {"1": {"log_sync_interval": -3}}})
    network.run(16)
    start = network.now
    network.run(4)
    assert len(network.sent("gm1", "client", Sync, start)) == pytest.approx(32, abs=1)
