"""Unicast negotiation, the granting side: what is granted, served, refused, cancelled (UNI, parts of HDR, E2E, TRN)."""

from __future__ import annotations

import itertools
from typing import Any

import pytest

from ptpstack.protocol.grants import rate
from ptpstack.protocol.options import TimeProperties, UnicastOptions
from ptpstack.protocol.unicast_service import LOST_UNPROVEN, MAX_TLVS, STRANGERS_AT_ONCE
from ptpstack.wire.codec import encode
from ptpstack.wire.messages import Announce, DelayReq, DelayResp, FollowUp, Signaling, Sync
from ptpstack.wire.tlvs.unicast import (
    MAINTAIN_REQUEST,
    AcknowledgeCancelUnicastTransmission,
    CancelUnicastTransmission,
)
from ptpstack.wire.types import ClockQuality, Flag, PortIdentity
from tests.protocol.bench import Bench, Peer, S, identity
from tests.protocol.unicast import ANNOUNCE, DELAY_RESP, SYNC, ask, cancel, request, sent_to, server, service, signaling

A, B = "192.0.2.1", "192.0.2.2"


def grant_all(bench: Bench, peer: Peer, address: str, log: int = 0, duration: int = 60) -> None:
    grants = ask(bench, peer, address, *(request(kind, log, duration) for kind in (ANNOUNCE, SYNC, DELAY_RESP)))
    assert [grant.duration_s for grant in grants] == [duration] * 3


def gaps(messages: list[tuple[int, Any]]) -> list[float]:
    return [(b - a) / S for (a, _), (b, _) in itertools.pairwise(messages)]


# ---- grants --------------------------------------------------------------------------------------------------------


def test_UNI_01_a_request_of_announce_is_granted() -> None:
    bench = server()
    (grant,) = ask(bench, Peer(1), A, request(ANNOUNCE, 1, 300))
    assert (grant.message_type, grant.log_inter_message_period, grant.duration_s) == (ANNOUNCE, 1, 300)
    assert grant.renewal_invited


def test_UNI_02_what_exceeds_a_limit_is_refused_with_duration_0() -> None:
    bench = server(max_clients=2)
    for n in (1, 2):
        assert ask(bench, Peer(n), f"192.0.2.{n}", request(ANNOUNCE))[0].duration_s == 60
    (grant,) = ask(bench, Peer(3), "192.0.2.3", request(ANNOUNCE))
    assert (grant.message_type, grant.duration_s) == (ANNOUNCE, 0)
    assert bench.port().counters["unicast-refused-clients"] == 1
    # who is in already may ask for more
    assert ask(bench, Peer(1), "192.0.2.1", request(SYNC))[0].duration_s == 60


def test_clients_at_one_address_are_limited() -> None:
    bench = server(max_clients_per_address=2)
    durations = [ask(bench, Peer(n), A, request(ANNOUNCE))[0].duration_s for n in (1, 2, 3)]
    assert durations == [60, 60, 0]
    assert bench.port().counters["unicast-refused-clients-at-address"] == 1
    assert ask(bench, Peer(3), B, request(ANNOUNCE))[0].duration_s == 60


def test_the_rate_of_all_grants_together_is_limited() -> None:
    bench = server(max_rate=20)
    assert ask(bench, Peer(1), A, request(SYNC, -4))[0].duration_s == 60
    assert ask(bench, Peer(2), B, request(SYNC, -3))[0].duration_s == 0
    assert bench.port().counters["unicast-refused-rate"] == 1
    # a renewal counts once
    assert ask(bench, Peer(1), A, request(SYNC, -4))[0].duration_s == 60
    assert ask(bench, Peer(2), B, request(SYNC, -2))[0].duration_s == 60
    assert service(bench).grants.rate == 20
    bench.run(61)
    assert service(bench).grants.rate == 0


@pytest.mark.parametrize(("asked", "given"), [(0, 0), (3, 3), (-2, -2), (-3, -2), (-7, -2), (-30, -2)])
def test_UNI_03_the_interval_is_as_asked_or_coarser_never_finer(asked: int, given: int) -> None:
    bench = server(log_min_sync_interval=-2)
    (grant,) = ask(bench, Peer(1), A, request(SYNC, asked))
    assert (grant.message_type, grant.log_inter_message_period) == (SYNC, given)


@pytest.mark.parametrize("log", [-4, 0, 1])
def test_UNI_04_service_starts_after_the_grant_at_the_granted_interval(log: int) -> None:
    bench = server()
    start = bench.now
    ask(bench, Peer(1), A, request(SYNC, log, 60))
    bench.run(20)
    syncs = sent_to(bench, A, Sync)
    assert 0 <= syncs[0][0] - start < 10_000_000
    # the first one has to leave before the next ones follow at the full rate
    assert gaps(syncs)[1:] == pytest.approx([2.0**log] * (len(syncs) - 2), abs=0.0011)
    assert len(syncs) == pytest.approx(20 / 2.0**log, abs=2)
    assert sent_to(bench, B, Sync) == sent_to(bench, None, Sync) == []


def test_UNI_05_service_ends_at_expiry() -> None:
    bench = server()
    start = bench.now
    grant_all(bench, Peer(1), A, -2, 10)
    bench.run(20)
    for kind in (Announce, Sync):
        times = [at for at, _ in sent_to(bench, A, kind)]
        assert start + 9.7 * S < times[-1] < start + 10 * S + 1_000_000
    assert bench.port().counters["unicast-grant-expired"] == 3
    assert service(bench).grants.clients == {}
    assert bench.receive(Peer(1).delay_req(flags=Flag.UNICAST), address=A) == []


def test_UNI_06_renewal_extends_without_a_gap() -> None:
    bench = server()
    start = bench.now
    grant_all(bench, Peer(1), A, 0, 10)
    for _ in range(5):
        bench.run(7.5)
        grant_all(bench, Peer(1), A, 0, 10)
    bench.run(1)
    syncs = sent_to(bench, A, Sync)
    assert max(gaps(syncs)) < 1.01
    assert min(gaps(syncs)) > 0.99
    assert syncs[-1][0] - start > 37 * S
    assert len(set(service(bench).grants)) == 3


def test_UNI_07_a_new_request_with_another_interval_replaces_the_contract() -> None:
    bench = server()
    ask(bench, Peer(1), A, request(SYNC, 0, 100))
    bench.run(5)
    ask(bench, Peer(1), A, request(SYNC, -3, 50))
    bench.clear()
    bench.run(10)
    assert gaps(sent_to(bench, A, Sync)) == pytest.approx([0.125] * 79, abs=0.0011)
    (contract,) = service(bench).grants
    assert contract.log_interval == -3
    assert service(bench).grants.rate == rate(-3)
    ask(bench, Peer(1), A, request(SYNC, 1, 50))
    bench.clear()
    bench.run(10)
    assert gaps(sent_to(bench, A, Sync))[1:] == pytest.approx([2.0] * 3, abs=0.0011)


def test_a_renewal_that_is_refused_ends_the_contract() -> None:
    bench = server()
    grant_all(bench, Peer(1), A)
    assert ask(bench, Peer(1), A, request(SYNC, 0, 1))[0].duration_s == 0
    bench.clear()
    bench.run(5)
    assert sent_to(bench, A, Sync) == []
    assert sent_to(bench, A, Announce)


# ---- cancel --------------------------------------------------------------------------------------------------------


def test_UNI_08_a_cancel_stops_the_service_and_is_acknowledged() -> None:
    bench = server()
    grant_all(bench, Peer(1), A, -3)
    bench.run(2)
    (answer,) = cancel(bench, Peer(1), A, SYNC)
    assert isinstance(answer, AcknowledgeCancelUnicastTransmission)
    assert (answer.message_type, answer.flags) == (SYNC, 0)
    bench.clear()
    bench.run(5)
    assert sent_to(bench, A, Sync) == []
    assert sent_to(bench, A, Announce)
    assert len(list(service(bench).grants)) == 2


def test_UNI_10_a_cancel_that_maintains_the_request_keeps_the_contract() -> None:
    bench = server()
    grant_all(bench, Peer(1), A)
    assert cancel(bench, Peer(1), A, SYNC, MAINTAIN_REQUEST) == []
    assert len(list(service(bench).grants)) == 3


@pytest.mark.parametrize(("number", "address"), [(1, B), (2, A), (2, B)])
def test_nobody_cancels_the_grants_of_others(number: int, address: str) -> None:
    bench = server()
    grant_all(bench, Peer(1), A)
    for kind in range(16):
        assert cancel(bench, Peer(number), address, kind) == []
    assert bench.port().counters["unicast-cancel-unknown"] == 16
    assert len(list(service(bench).grants)) == 3


def test_a_port_that_is_switched_to_another_role_cancels_three_times_or_until_acknowledged() -> None:
    bench = Bench(port={"listen_first": False, "unicast": UnicastOptions(serve=True)})
    bench.run(0.01)
    grant_all(bench, Peer(1), A)
    grant_all(bench, Peer(2), B)
    bench.follow(Peer(9, priority1=1))
    bench.run(0.5)
    tlvs = [AcknowledgeCancelUnicastTransmission(kind) for kind in (ANNOUNCE, SYNC, DELAY_RESP)]
    bench.receive(signaling(Peer(1), *tlvs), address=A)
    bench.run(10)
    said = {
        address: [
            t for _, m in sent_to(bench, address, Signaling) for t in m.tlvs if isinstance(t, CancelUnicastTransmission)
        ]
        for address in (A, B)
    }
    assert [tlv.message_type for tlv in said[A]] == [ANNOUNCE, SYNC, DELAY_RESP]
    assert [tlv.message_type for tlv in said[B]] == [ANNOUNCE, SYNC, DELAY_RESP] * 3
    assert list(service(bench).grants) == []
    assert ask(bench, Peer(1), A, request(SYNC))[0].duration_s == 0
    assert bench.port().counters["unicast-refused-not-master"] == 1


# ---- absurd requests -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", [0x1, 0x2, 0x3, 0x4, 0x5, 0x6, 0x7, 0x8, 0xA, 0xC, 0xD, 0xE, 0xF])
def test_UNI_11_other_message_types_are_refused(kind: int) -> None:
    bench = server()
    (grant,) = ask(bench, Peer(1), A, request(kind))
    assert (grant.message_type, grant.duration_s) == (kind, 0)
    assert list(service(bench).grants) == []


@pytest.mark.parametrize(("asked", "given"), [(0, 0), (9, 0), (10, 10), (1000, 1000), (1001, 1000), (2**32 - 1, 1000)])
def test_UNI_15_durations_are_limited(asked: int, given: int) -> None:
    bench = server(min_duration_s=10, max_duration_s=1000)
    assert ask(bench, Peer(1), A, request(SYNC, 0, asked))[0].duration_s == given


@pytest.mark.parametrize(
    ("log", "granted"), [(-128, False), (-31, False), (-30, True), (30, True), (31, False), (127, False)]
)
def test_UNI_16_absurd_intervals_are_refused(log: int, granted: bool) -> None:
    bench = server()
    assert bool(ask(bench, Peer(1), A, request(SYNC, log))[0].duration_s) is granted
    bench.run(5)


def test_one_message_is_not_answered_by_more_than_it_can_mean() -> None:
    bench = server()
    assert len(ask(bench, Peer(1), A, *[request(SYNC)] * 100)) == MAX_TLVS
    assert bench.port().counters["drop-signaling-tlv"] == 100 - MAX_TLVS


def test_strangers_are_answered_up_to_a_rate_and_grantees_always() -> None:
    bench = server(max_clients=10_000)
    grant_all(bench, Peer(1), A)
    bench.clear()
    for n in range(2 * STRANGERS_AT_ONCE):
        bench.receive(signaling(Peer(1000 + n), request(ANNOUNCE)), address=f"10.0.{n // 256}.{n % 256}")
    answered = [m for _, m in bench.sent_at(Signaling)]
    assert STRANGERS_AT_ONCE - 2 <= len(answered) <= STRANGERS_AT_ONCE
    assert bench.port().counters["drop-signaling-rate"] >= STRANGERS_AT_ONCE
    grant_all(bench, Peer(1), A)


def test_an_address_that_nobody_is_at_is_given_up_soon() -> None:
    """What is sent to an address that does not answer ARP waits in the kernel, and never gets its stamp."""
    bench = server()
    bench.egress = lambda message: None
    ask(bench, Peer(1), A, request(SYNC, -7, 60))
    bench.run(10)
    assert len(sent_to(bench, A, Sync)) == LOST_UNPROVEN
    assert bench.port().counters["unicast-client-unreachable"] == 1
    assert list(service(bench).grants) == []


# ---- what is sent --------------------------------------------------------------------------------------------------


def test_UNI_12_delay_req_without_a_grant_is_not_answered_when_negotiation_is_required() -> None:
    bench = server()
    stranger, client = Peer(1), Peer(2)
    grant_all(bench, client, B)
    assert bench.receive(stranger.delay_req(flags=Flag.UNICAST), address=A) == []
    # not with another's identity either
    assert bench.receive(client.delay_req(flags=Flag.UNICAST), address=A) == []
    assert bench.port().counters["drop-delay-req-without-grant"] == 2
    assert len(bench.receive(client.delay_req(flags=Flag.UNICAST), address=B)) == 1
    assert bench.receive(client.delay_req(), address=B) == []
    assert bench.port().counters["drop-multicast"] == 1


def test_without_that_requirement_strangers_are_answered_by_unicast() -> None:
    bench = server(negotiation_required=False)
    bench.receive(Peer(1).delay_req(flags=Flag.UNICAST), address=A)
    assert len(sent_to(bench, A, DelayResp)) == 1


def test_UNI_13_sequence_ids_are_per_client_and_type() -> None:
    bench = server()
    grant_all(bench, Peer(1), A, 0)
    bench.run(1.5)
    grant_all(bench, Peer(2), B, -2)
    bench.run(10)
    for address in (A, B):
        for kind in (Announce, Sync):
            sequences = [m.sequence_id for _, m in sent_to(bench, address, kind)]
            assert sequences == [(sequences[0] + n) & 0xFFFF for n in range(len(sequences))]
    assert len(sent_to(bench, B, Sync)) > 2 * len(sent_to(bench, A, Sync))


def test_a_follow_up_goes_where_its_sync_went() -> None:
    bench = server()
    tokens: list[Any] = []
    grant_all(bench, Peer(1), A, -3)
    grant_all(bench, Peer(2), B, -2)
    # stamps come back late and in the wrong order
    bench.run(2)
    original = bench.instance.transmitted
    bench.instance.transmitted = lambda token, stamp, now: tokens.append((token, stamp)) or []  # type: ignore[method-assign]
    bench.run(1)
    bench.instance.transmitted = original  # type: ignore[method-assign]
    for token, stamp in reversed(tokens):
        bench._take(bench.instance.transmitted(token, stamp, bench.now))
    for address in (A, B):
        syncs = {m.sequence_id: at for at, m in sent_to(bench, address, Sync)}
        follow_ups = {m.sequence_id: m.precise_origin_ns for _, m in sent_to(bench, address, FollowUp)}
        assert syncs == follow_ups


@pytest.mark.parametrize("log", [-2, 0])
def test_UNI_14_and_HDR_14_unicast_messages_say_so_and_carry_no_interval(log: int) -> None:
    bench = server()
    peer = Peer(1)
    grant_all(bench, peer, A, log)
    bench.receive(peer.delay_req(flags=Flag.UNICAST), address=A)
    bench.run(5)
    for kind in (Sync, FollowUp, DelayResp):
        assert sent_to(bench, A, kind)
        for _, message in sent_to(bench, A, kind):
            assert message.flags & Flag.UNICAST
            assert message.log_interval == 0x7F
    for _, announce in sent_to(bench, A, Announce):
        assert announce.flags & Flag.UNICAST
        # the interval granted: peers take the window of foreign masters from it
        assert announce.log_interval == log
    assert all(m.flags & Flag.UNICAST for _, m in sent_to(bench, A, Signaling))


def test_multicast_goes_on_beside_unicast_when_wanted() -> None:
    bench = server(multicast=True, negotiation_required=False)
    grant_all(bench, Peer(1), A)
    bench.run(10)
    for destination, unicast in ((None, 0), (A, Flag.UNICAST)):
        for kind in (Announce, Sync, FollowUp):
            messages = [m for _, m in sent_to(bench, destination, kind)]
            assert len(messages) >= 4
            assert {m.flags & Flag.UNICAST for m in messages} == {unicast}
    bench.receive(Peer(2).delay_req(), address=B)
    assert len(sent_to(bench, None, DelayResp)) == 1


def test_a_change_of_what_is_announced_is_told_at_once() -> None:
    bench = server()
    ask(bench, Peer(1), A, request(ANNOUNCE, 3, 300))
    bench.run(20)
    bench.clear()
    bench._take(bench.instance.set_quality(ClockQuality(52, 0x31, 0x4E5D), TimeProperties(), bench.now))
    bench.run(1.1)
    (only,) = sent_to(bench, A, Announce)
    assert only[1].quality.clock_class == 52


def test_MSG_16_and_17_signaling_for_another_port_is_ignored_and_for_all_is_taken() -> None:
    bench = server()
    mine = bench.port().identity
    for target, answered in (
        (mine, True),
        (PortIdentity(mine.clock_identity, 0xFFFF), True),
        (PortIdentity(b"\xff" * 8, mine.port_number), True),
        (PortIdentity(b"\xff" * 8, 0xFFFF), True),
        (PortIdentity(mine.clock_identity, 2), False),
        (PortIdentity(identity(7), 1), False),
        (PortIdentity(identity(7), 0xFFFF), False),
    ):
        effects = bench.receive(signaling(Peer(1), request(SYNC), target=target), address=A)
        assert bool(effects) is answered, target
    assert bench.port().counters["drop-signaling-target"] == 3


# ---- links, states -------------------------------------------------------------------------------------------------


def test_grants_outlive_a_short_interruption_and_run_out_in_a_long_one() -> None:
    bench = server()
    grant_all(bench, Peer(1), A, 0, 30)
    grant_all(bench, Peer(2), B, 0, 300)
    bench.run(5)
    bench._take(bench.instance.link(1, False, bench.now))
    bench.clear()
    bench.run(40)
    assert bench.sent() == []
    bench._take(bench.instance.link(1, True, bench.now))
    bench.run(5)
    assert sent_to(bench, A, Sync) == sent_to(bench, A, Announce) == []
    assert len(sent_to(bench, B, Sync)) >= 4
    assert {contract.client.address for contract in service(bench).grants} == {B}
    assert bench.receive(Peer(1).delay_req(flags=Flag.UNICAST), address=A) == []
    assert len(bench.receive(Peer(2).delay_req(flags=Flag.UNICAST), address=B)) == 1


def test_initialize_ends_all_grants_and_tells_the_clients() -> None:
    bench = server()
    grant_all(bench, Peer(1), A)
    bench.clear()
    bench._take(bench.instance.initialize(bench.now))
    (said,) = sent_to(bench, A, Signaling)
    assert [type(tlv) for tlv in said[1].tlvs] == [CancelUnicastTransmission] * 3
    bench.run(5)
    assert bench.states() == ["MASTER"]
    assert sent_to(bench, A, Sync) == []
    grant_all(bench, Peer(1), A)


def test_a_port_that_is_switched_off_forgets_and_says_nothing() -> None:
    bench = server()
    grant_all(bench, Peer(1), A)
    bench.clear()
    bench._take(bench.instance.enable(1, False, bench.now))
    bench.run(5)
    assert bench.sent() == []
    assert list(service(bench).grants) == []


# ---- many ----------------------------------------------------------------------------------------------------------


def test_UNI_20_a_thousand_clients_get_what_they_were_granted() -> None:
    bench = server(max_clients=1000, max_rate=50_000)
    peers = [(Peer(1000 + n), f"10.1.{n // 250}.{n % 250}") for n in range(1000)]
    for index, (peer, address) in enumerate(peers):
        tlvs = [request(kind, -1 - index % 3, 100) for kind in (SYNC, ANNOUNCE)]
        assert [g.duration_s for g in ask(bench, peer, address, *tlvs)] == [100, 100]
        bench.run(0.01)
    bench.clear()
    bench.run(4)
    counts: dict[str | None, int] = {}
    for _, effect in bench.effects:
        if getattr(effect, "token", None) is not None:
            counts[effect.destination] = counts.get(effect.destination, 0) + 1  # type: ignore[union-attr]
    assert len(counts) == 1000
    for index, (_, address) in enumerate(peers):
        assert counts[address] == pytest.approx(4 * 2 ** (1 + index % 3), abs=1), address


def test_a_late_turn_does_not_bring_all_clients_into_step() -> None:
    bench = server()
    for n in range(50):
        ask(bench, Peer(1000 + n), f"10.1.0.{n}", request(SYNC, -3, 100))
        bench.run(0.002)
    bench.run(2)
    # the loop was blocked
    bench.now += 700_000_000
    bench._take(bench.instance.timer(bench.now))
    bench.clear()
    bench.run(0.125)
    times = [at for at, _ in bench.sent_at(Sync)]
    assert len(times) == 50
    assert len(set(times)) > 40


def test_plain_and_general_answers_are_the_same_for_grantees() -> None:
    bench = server()
    peer = Peer(1)
    grant_all(bench, peer, A)
    frame = encode(DelayReq(peer.identity, 7, flags=Flag.UNICAST, control=1))
    plain = bench.port().delay.answer_plain(frame, bench.clock_sns, A)
    (sent,) = bench.receive(frame, address=A)
    assert plain == (sent.octets, sent.destination)  # type: ignore[union-attr]
    assert bench.port().delay.answer_plain(frame, bench.clock_sns, B) is None
