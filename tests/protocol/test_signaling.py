"""What is asked for and told by Signaling: message intervals (802.1AS), slave event monitoring (16.11)."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import pytest

from ptpstack.protocol.effects import PEER_DELAY, Send
from ptpstack.protocol.interval_requests import EVERYBODY
from ptpstack.wire.codec import encode
from ptpstack.wire.messages import Announce, DelayReq, Signaling, Sync
from ptpstack.wire.tlv import Tlv
from ptpstack.wire.tlvs.ieee802_1as import INTERVAL_INITIAL, INTERVAL_STOP, MessageIntervalRequest
from ptpstack.wire.tlvs.monitoring import SlaveRxSyncTimingData, SlaveTxEventTimestamps
from ptpstack.wire.tlvs.security import Pad
from ptpstack.wire.types import PortIdentity
from tests.protocol.bench import Bench, Peer, S, identity


def signal(*tlvs: Tlv, target: PortIdentity = EVERYBODY) -> bytes:
    return encode(Signaling(Peer(9).identity, 1, tlvs=tlvs, target=target))


def serving(**port: Any) -> Bench:
    bench = Bench(port={"listen_first": False, "honour_interval_requests": True, **port})
    bench.run(5)
    assert bench.states() == ["MASTER"]
    return bench


def rate(bench: Bench, kind: type[Sync] | type[Announce], seconds: float = 8.0) -> float:
    """Messages per second from now on."""
    # what a change has sent at once is not counted
    bench.run(0.01)
    bench.clear()
    bench.run(seconds)
    return len(bench.sent(kind)) / seconds


def test_PRF_22_a_request_changes_intervals_126_restores_them_and_127_stops() -> None:
    bench = serving()
    assert (rate(bench, Sync), rate(bench, Announce)) == (1, 0.5)
    bench.receive(signal(MessageIntervalRequest(time_sync_interval=-3, announce_interval=-1)))
    assert (rate(bench, Sync), rate(bench, Announce)) == (8, 2)
    assert bench.sent(Announce)[-1].log_interval == -1
    # -128, the default of the TLV, leaves both
    bench.receive(signal(MessageIntervalRequest(link_delay_interval=2)))
    assert (rate(bench, Sync), rate(bench, Announce)) == (8, 2)
    bench.receive(signal(MessageIntervalRequest(time_sync_interval=INTERVAL_STOP)))
    assert (rate(bench, Sync), rate(bench, Announce)) == (0, 2)
    bench.receive(signal(MessageIntervalRequest(announce_interval=INTERVAL_STOP)))
    assert (rate(bench, Sync), rate(bench, Announce)) == (0, 0)
    initial = MessageIntervalRequest(time_sync_interval=INTERVAL_INITIAL, announce_interval=INTERVAL_INITIAL)
    bench.receive(signal(initial))
    assert (rate(bench, Sync), rate(bench, Announce)) == (1, 0.5)


@pytest.mark.parametrize("interval", [-8, 5, 100, -100, 125])
def test_PRF_22_what_the_port_does_not_allow_is_refused_and_counted(interval: int) -> None:
    bench = serving()
    bench.receive(signal(MessageIntervalRequest(time_sync_interval=interval)))
    assert rate(bench, Sync) == 1
    assert bench.port().counters["interval-request-refused"] == 1


@pytest.mark.parametrize(
    ("target", "taken"),
    [
        (PortIdentity(identity(0x50), 1), True),
        (PortIdentity(identity(0x50), 0xFFFF), True),
        (PortIdentity(b"\xff" * 8, 1), True),
        (PortIdentity(identity(0x50), 2), False),
        (PortIdentity(identity(0x51), 1), False),
    ],
)
def test_MSG_16_and_17_signaling_is_for_its_target_or_for_all(target: PortIdentity, taken: bool) -> None:
    bench = serving()
    bench.receive(signal(MessageIntervalRequest(time_sync_interval=-2), target=target))
    assert rate(bench, Sync) == (4 if taken else 1)
    assert bench.port().counters["drop-signaling-target"] == (0 if taken else 1)


def test_a_tlv_that_nobody_takes_is_counted_and_the_others_are_done() -> None:
    bench = serving()
    bench.receive(signal(Pad(b"\0\0"), MessageIntervalRequest(time_sync_interval=-1)))
    assert rate(bench, Sync) == 2
    assert bench.port().counters["drop-signaling-tlv"] == 1


def test_without_the_option_a_request_changes_nothing() -> None:
    bench = serving(honour_interval_requests=False)
    bench.receive(signal(MessageIntervalRequest(time_sync_interval=-3)))
    assert rate(bench, Sync) == 1


def requests(bench: Bench) -> list[tuple[int, int]]:
    """(when, time_sync_interval) of what was asked for."""
    return [
        (when, tlv.time_sync_interval)
        for when, message in bench.sent_at(Signaling)
        for tlv in message.tlvs
        if isinstance(tlv, MessageIntervalRequest)
    ]


def test_PRF_28_a_locked_client_asks_for_the_operational_interval_and_an_unlocked_one_for_the_initial() -> None:
    bench = Bench(client_only=True, port={"operational_log_sync_interval": 0})
    peer = Peer(1)
    bench.follow(peer)

    def syncs(seconds: int, log_interval: int) -> None:
        for _ in range(seconds):
            bench.measure(peer, log_interval=log_interval)
            bench.run(1)

    syncs(10, -3)
    assert requests(bench) == []
    bench.locked()
    syncs(30, -3)
    asked = requests(bench)
    assert {interval for _, interval in asked} == {0}
    gaps = [(b - a) / S for (a, _), (b, _) in pairwise(asked)]
    assert gaps == sorted(gaps)
    assert 3 <= len(asked) <= 6
    assert bench.sent(Signaling)[-1].target == EVERYBODY
    bench.clear()
    syncs(10, 0)
    assert requests(bench) == []
    bench.locked(False)
    syncs(5, 0)
    assert [interval for _, interval in requests(bench)][:1] == [INTERVAL_INITIAL]
    bench.clear()
    syncs(80, -3)
    assert requests(bench) == []


# --------------------------------------------------------------------------------------------- slave monitoring


def monitored(kinds: tuple[str, ...], **port: Any) -> tuple[Bench, Peer]:
    bench = Bench(client_only=True, port={"monitor": kinds, **port})
    peer = Peer(1)
    bench.follow(peer)
    for _ in range(12):
        bench.measure(peer, delay_ns=500, correction_sns=3 << 16)
        bench.run(1)
    return bench, peer


def test_SEC_08_received_syncs_are_told_as_they_came() -> None:
    bench, peer = monitored(("rx-sync-timing",), monitor_events=3)
    messages = bench.sent(Signaling)
    assert len(messages) == 4
    assert [m.sequence_id for m in messages] == [1, 2, 3, 4]
    for message in messages:
        (tlv,) = message.tlvs
        assert isinstance(tlv, SlaveRxSyncTimingData)
        assert tlv.source == peer.identity
        assert len(tlv.records) == 3
        for record in tlv.records:
            assert record.sync_event_ingress_ns - record.sync_origin_ns == 500
            assert record.total_correction_sns == 3 << 16
    numbers = [r.sequence_id for m in messages for t in m.tlvs for r in t.records]  # type: ignore[attr-defined]
    assert numbers == list(range(numbers[0], numbers[0] + 12))


@pytest.mark.parametrize("every", [1, 4])
def test_SEC_09_every_mth_event_is_told(every: int) -> None:
    bench, _ = monitored(("rx-sync-timing",), monitor_every=every)
    assert len(bench.sent(Signaling)) == 12 // every


def test_SEC_08_sent_requests_are_told_with_their_stamps() -> None:
    bench, _ = monitored(("tx-event-timestamps",))
    sent = {m.sequence_id: when for when, m in bench.sent_at(DelayReq)}
    told = [t for m in bench.sent(Signaling) for t in m.tlvs if isinstance(t, SlaveTxEventTimestamps)]
    assert len(told) == len(sent) > 5
    for tlv in told:
        assert tlv.source == bench.port().identity
        assert tlv.event_message_type == 1
        (record,) = tlv.records
        assert record.event_egress_ns == sent[record.sequence_id]


def test_what_is_unsent_when_the_parent_changes_is_gone() -> None:
    bench, peer = monitored(("rx-sync-timing",), monitor_events=13)
    better = Peer(2, priority1=1)
    bench.hear(better)
    bench.run(5)
    bench.measure(better)
    bench.measure(peer)
    assert bench.sent(Signaling) == []


# ------------------------------------------------------------------------------------------- the group of a port


def test_PRF_06_all_messages_of_a_link_local_port_go_to_the_group_that_bridges_keep() -> None:
    bench = Bench(2, port={"link_local": True})
    peer = Peer(1, priority1=1)
    bench.hear(peer)
    bench.run(20)
    bench.locked()
    bench.measure(peer)
    bench.run(5)
    # the answer to a multicast request, by the general way and by the short cut
    bench.receive(Peer(3).delay_req(), 2)
    plain = bench.port(2).delay.answer_plain(Peer(3).delay_req(), bench.clock_sns, "")
    assert plain is not None
    assert plain[1] == PEER_DELAY
    sends = bench.all(Send)
    assert {type(m) for m in bench.sent()} >= {Announce, Sync, DelayReq}
    assert {send.destination for send in sends} == {PEER_DELAY}
