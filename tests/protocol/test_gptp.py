"""Rows of IEEE 802.1AS: who is asCapable and why, what a port that is not does, the election, gPTP-capable messages."""

from __future__ import annotations

import json
from itertools import pairwise
from typing import Any

import pytest

from ptpstack.protocol.effects import PEER_DELAY, CapabilityChanged, Send
from ptpstack.protocol.gptp.priority_vectors import PriorityVectors
from ptpstack.wire.codec import decode
from ptpstack.wire.messages import (
    Announce,
    FollowUp,
    Message,
    PdelayReq,
    PdelayResp,
    PdelayRespFollowUp,
    Signaling,
    Sync,
)
from ptpstack.wire.tlvs.announce import PathTrace
from ptpstack.wire.tlvs.ieee802_1as import (
    INTERVAL_INITIAL,
    INTERVAL_STOP,
    FollowUpInformation,
    GptpCapable,
    GptpCapableMessageIntervalRequest,
    MessageIntervalRequest,
)
from ptpstack.wire.types import Flag, MessageType, PortIdentity
from tests.protocol.bench import GRANDMASTER, Bench, Peer, S, identity, links
from tests.protocol.gptp import SDO, TimeAware
from tests.protocol.test_bmca import candidate


def reason(bench: TimeAware, port: int = 1) -> str:
    capability = bench.port(port).gptp
    assert capability is not None
    return capability.decision.reason


def better(number: int = 0x11, **fields: Any) -> Peer:
    return Peer(number, priority1=100, quality=GRANDMASTER, log_interval=0, sdo_id=SDO, **fields)


# ------------------------------------------------------------------------------------------------- asCapable


def test_a_port_is_capable_once_its_neighbours_delay_and_rate_are_known() -> None:
    bench = TimeAware()
    assert reason(bench) == "nothing is known of the link yet"
    bench.connect(Peer(0x11))
    bench.run(0.5)
    assert (bench.states(), reason(bench)) == (["LISTENING"], "neighborRateRatio is not known yet")
    bench.run(1)
    assert bench.states() == ["MASTER"]
    assert reason(bench) == f"{Peer(0x11).identity} answers Pdelay_Req, 500 ns away"


def test_the_rate_of_the_neighbour_counts_from_the_moment_on_at_which_it_is_known() -> None:
    """A relay that counted by another would hand on a wrong residence for a second."""
    bench = TimeAware()
    bench.connect(Peer(0x11), ppb=40_000.0)
    while not bench.port().able:
        assert bench.port().ds.neighbor_rate_ratio == 1.0
        bench.run(0.05)
    assert abs(bench.port().ds.neighbor_rate_ratio - 1 - 40e-6) < 2e-9


def test_PRF_20_a_link_longer_than_the_threshold_carries_peer_delay_and_nothing_else() -> None:
    bench = TimeAware()
    bench.connect(better(), delay_ns=1_000)
    bench.hear(better(), every_s=1)
    bench.run(20)
    assert bench.states() == ["LISTENING"]
    assert reason(bench).startswith("meanLinkDelay 1000 ns is above 800 ns")
    assert {type(m) for m in bench.sent()} == {PdelayReq}
    counters = bench.port().counters
    assert counters["drop-not-as-capable"] == 21
    bench.receive(Peer(0x11).sync())
    bench.receive(Peer(0x11).follow_up(bench.now))
    assert counters["drop-not-as-capable"] == 23
    # its own link may be measured by the other end
    bench.receive(Peer(0x11).pdelay_req())
    assert [type(m) for m in bench.sent()][-2:] == [PdelayResp, PdelayRespFollowUp]


def test_PRF_20_a_port_that_loses_its_neighbour_gives_up_its_role_and_its_grandmaster() -> None:
    bench = TimeAware(gptp={"allowed_lost_responses": 3})
    bench.capable()
    peer = bench.neighbors[1][0].peer
    master = better(0x11)
    bench.hear(master, every_s=1)
    bench.run(2)
    assert (bench.states(), bench.port().parent) == (["SLAVE"], peer.identity)
    bench.neighbors[1][0].silent = True
    bench.run(3.5)
    assert bench.states() == ["SLAVE"]
    bench.run(2)
    assert bench.states() == ["LISTENING"]
    assert reason(bench) == "the last 5 Pdelay_Req were not answered"
    assert bench.port().counters["as-capable-lost"] == 1
    assert not bench.instance.has_parent
    bench.clear()
    bench.run(5)
    assert {type(m) for m in bench.sent()} == {PdelayReq}
    bench.neighbors[1][0].silent = False
    bench.run(3)
    assert bench.states() == ["SLAVE"]


@pytest.mark.parametrize("faults", [0, 9])
def test_allowed_faults_of_a_link_that_was_fit(faults: int) -> None:
    bench = TimeAware(gptp={"allowed_faults": faults}).capable()
    bench.run(10)
    bench.neighbors[1][0].delay_ns = 5_000
    # the median of nine is above the threshold after five
    bench.run(4 + faults)
    assert bench.states() == ["MASTER"]
    bench.run(2)
    assert bench.states() == ["LISTENING"]
    bench.neighbors[1][0].delay_ns = 500
    bench.run(8)
    assert bench.states() == ["MASTER"]


def test_an_event_tells_every_change_and_its_reason_once() -> None:
    bench = TimeAware(gptp={"allowed_lost_responses": 3, "allowed_faults": 0})

    def told() -> list[str]:
        events = bench.all(CapabilityChanged)
        bench.clear()
        return [e.decision.code for e in events]

    bench.run(10)
    assert told() == ["not-as-capable-silent"]
    bench.connect(Peer(0x11), delay_ns=10_000)
    bench.run(10)
    assert told() == ["not-as-capable-delay"]
    bench.neighbors[1][0].delay_ns = 10
    bench.run(10)
    assert told() == ["as-capable"]
    bench.neighbors[1][0].silent = True
    bench.run(10)
    assert told() == ["not-as-capable-silent"]


def test_several_answers_are_no_link() -> None:
    bench = TimeAware()
    bench.connect(Peer(0x11))
    bench.connect(Peer(0x12))
    bench.run(10)
    assert (bench.states(), reason(bench)) == (["LISTENING"], "more than one port answers a Pdelay_Req")
    bench.neighbors[1].pop()
    bench.run(6)
    assert bench.states() == ["MASTER"]
    bench.connect(Peer(0x12))
    bench.run(2)
    assert (bench.states(), reason(bench)) == (["LISTENING"], "more than one port answers a Pdelay_Req")


def test_another_port_of_the_same_clock_is_no_neighbour() -> None:
    bench = TimeAware()
    bench.connect(Peer(0x50, port=2))
    bench.run(5)
    assert (bench.states(), reason(bench)) == (["LISTENING"], "the neighbour is port 2 of this clock itself")


def test_another_neighbour_has_to_be_known_anew() -> None:
    bench = TimeAware().capable()
    bench.neighbors[1] = []
    bench.connect(Peer(0x12))
    bench.run(0.9)
    assert (bench.states(), reason(bench)) == (["LISTENING"], "neighborRateRatio is not known yet")
    bench.run(2)
    assert bench.states() == ["MASTER"]


def test_a_step_of_our_own_clock_costs_nothing() -> None:
    """Peer delay is measured by a clock that nobody steps."""
    bench = TimeAware().capable()
    bench.ptp_offset_ns += 5 * S
    bench.instance.local_clock_of(bench.port().options).commanded(bench.clock_sns, 0.0, 5 * S << 16)
    bench.instance.clock_stepped(step_sns=5 * S << 16)
    bench.neighbors[1][0].epoch_ns += 5 * S
    before = bench.port().ds.neighbor_rate_ratio
    bench.run(5)
    assert bench.states() == ["MASTER"]
    assert bench.port().counters["as-capable-lost"] == 0
    assert abs(bench.port().ds.neighbor_rate_ratio - before) < 1e-9
    assert abs(bench.port().ds.mean_link_delay_sns / 65536 - 500) < 1


def test_assumed_links_are_capable_without_a_neighbour() -> None:
    bench = TimeAware(gptp={"as_capable": "assumed", "capable_messages": False})
    bench.run(1)
    assert (bench.states(), reason(bench)) == (["MASTER"], "the profile calls every link capable")


# ------------------------------------------------------------------------------------------ gPTP-capable messages


def said(bench: TimeAware) -> list[int]:
    return [
        tlv.log_gptp_capable_message_interval
        for m in bench.sent(Signaling)
        for tlv in m.tlvs
        if isinstance(tlv, GptpCapable)
    ]


def test_gptp_capable_messages_are_sent_as_soon_as_the_link_is_measured() -> None:
    bench = TimeAware()
    bench.run(5)
    assert said(bench) == []
    bench.capable()
    bench.clear()
    bench.run(10)
    assert said(bench) == [0] * 10
    (message,) = {m.target for m in bench.sent(Signaling)}
    assert message.clock_identity == b"\xff" * 8


def test_in_domain_0_a_neighbour_of_2011_need_not_say_so_and_one_that_did_must_go_on() -> None:
    bench = TimeAware().capable()
    bench.run(20)
    assert bench.states() == ["MASTER"]
    bench.signal(GptpCapable(0))
    bench.run(8.9)
    assert bench.states() == ["MASTER"]
    bench.run(0.2)
    assert (bench.states(), reason(bench)) == (
        ["LISTENING"],
        "the neighbour does not say that it speaks gPTP (gPTP-capable TLV)",
    )
    bench.signal(GptpCapable(-2))
    assert bench.states() == ["MASTER"]
    # nine of its own intervals
    bench.run(2.3)
    assert bench.states() == ["LISTENING"]


def test_in_another_domain_the_neighbour_has_to_say_so() -> None:
    bench = TimeAware(domain=20)
    bench.connect(Peer(0x11))
    bench.run(10)
    assert bench.states() == ["LISTENING"]
    bench.signal(GptpCapable(0))
    assert bench.states() == ["MASTER"]


def test_another_interval_of_gptp_capable_messages_may_be_asked_for() -> None:
    bench = TimeAware().capable()

    def rate(interval: int) -> float:
        bench.signal(GptpCapableMessageIntervalRequest(interval))
        bench.run(0.01)
        bench.clear()
        bench.run(8)
        return len(said(bench)) / 8

    assert rate(-2) == 4
    assert rate(-128) == 4
    assert rate(INTERVAL_STOP) == 0
    assert rate(INTERVAL_INITIAL) == 1
    assert rate(40) == 1
    assert bench.port().counters["interval-request-refused"] == 1


def test_only_the_neighbour_is_heard() -> None:
    bench = TimeAware(domain=20, port={"honour_interval_requests": True})
    bench.connect(Peer(0x11))
    bench.run(5)
    bench.signal(GptpCapable(0), MessageIntervalRequest(link_delay_interval=-2), peer=Peer(0x33))
    assert bench.states() == ["LISTENING"]
    assert bench.port().ds.log_min_pdelay_req_interval == 0
    assert bench.port().counters["drop-signaling-not-neighbor"] == 2
    # whichever of its ports
    bench.signal(GptpCapable(0), MessageIntervalRequest(link_delay_interval=-2), peer=Peer(0x11, port=7))
    assert (bench.states(), bench.port().ds.log_min_pdelay_req_interval) == (["MASTER"], -2)


def test_the_edition_of_2011_says_nothing() -> None:
    bench = TimeAware(gptp={"capable_messages": False}).capable()
    bench.signal(GptpCapable(0))
    bench.run(20)
    assert (said(bench), bench.states()) == ([], ["MASTER"])


# -------------------------------------------------------------------------------------------------- intervals


def test_PRF_22_the_interval_of_peer_delay_may_be_asked_for_too() -> None:
    bench = TimeAware(port={"honour_interval_requests": True}).capable()
    neighbor = bench.neighbors[1][0]

    def rate(interval: int) -> float:
        bench.signal(MessageIntervalRequest(link_delay_interval=interval))
        bench.run(0.01)
        neighbor.asked = 0
        bench.clear()
        bench.run(8)
        return neighbor.asked / 8

    assert rate(-128) == 1
    assert rate(-2) == 4
    assert {m.log_interval for m in bench.sent(PdelayReq)} == {-2}
    assert rate(INTERVAL_STOP) == 0
    assert bench.states() == ["MASTER"]
    assert rate(INTERVAL_INITIAL) == 1
    assert rate(9) == 1
    assert bench.port().counters["interval-request-refused"] == 1


def test_PRF_28_a_client_measures_its_link_less_often_once_it_is_locked() -> None:
    port = {"operational_log_pdelay_req_interval": 2, "announce": False}
    bench = TimeAware(gptp={"as_capable": "assumed"}, port=port, bmca="default", client_only=True)
    master = Peer(0x11)
    bench.connect(master)

    def follow(seconds: int) -> int:
        bench.neighbors[1][0].asked = 0
        for _ in range(seconds):
            bench.run(1)
            bench.measure(master, log_interval=0)
        return bench.neighbors[1][0].asked

    assert follow(8) == 8
    assert bench.states() == ["SLAVE"]
    bench.locked()
    follow(1)
    assert follow(16) == 4
    bench.locked(False)
    follow(1)
    assert follow(8) == 8


# --------------------------------------------------------------------------------------------------- election


def test_PRF_19_the_first_announce_counts_and_its_path_is_looked_at() -> None:
    bench = TimeAware().capable()
    master = better()
    looped = PathTrace((master.identity.clock_identity, identity(0x50)))
    bench.receive(master.announce(tlvs=(looped,)))
    assert bench.states() == ["MASTER"]
    assert bench.port().counters["drop-announce-path-trace"] == 1
    bench.receive(master.announce(tlvs=(PathTrace((master.identity.clock_identity,)),)))
    assert bench.states() == ["SLAVE"]
    assert bench.port().parent == master.identity


def test_nobody_waits_a_port_serves_the_moment_it_is_capable() -> None:
    bench = TimeAware(2, port_each=({}, {})).capable(1, 2)
    assert bench.states() == ["MASTER", "MASTER"]
    bench.receive(better().announce(), 1)
    assert bench.states() == ["SLAVE", "MASTER"]
    (path,) = bench.sent(Announce, 2)[-1].tlvs
    assert isinstance(path, PathTrace)


def test_a_grandmaster_of_class_6_follows_a_better_one() -> None:
    """The rule of IEEE 1588 for clockClass 1 to 127 is none here."""
    bench = TimeAware(quality=GRANDMASTER, priority1=246).capable()
    bench.receive(better().announce())
    assert bench.states() == ["SLAVE"]


def test_a_relay_that_would_close_a_ring_is_passive_where_the_other_side_announces_better() -> None:
    grandmaster = identity(1)
    for other, state in ((0x20, "PASSIVE"), (0x60, "MASTER")):
        bench = TimeAware(2).capable(1, 2)
        bench.receive(better(0x11, grandmaster=grandmaster).announce(), 1)
        # both are one step away: the lower identity announces (ours is 0x50)
        bench.receive(better(other, grandmaster=grandmaster, steps_removed=1).announce(), 2)
        assert bench.states() == ["SLAVE", state]


def test_priority_vectors_are_compared_number_by_number() -> None:
    options = TimeAware().instance.options
    variant = PriorityVectors(options)
    ladder = [
        candidate(priority1=1, steps_removed=9),
        candidate(priority1=2, steps_removed=0),
        candidate(priority1=2, steps_removed=1),
        candidate(priority1=2, steps_removed=1, sender=PortIdentity(identity(10), 1)),
    ]
    for better_one, worse in pairwise(ladder):
        assert variant.best_of([worse, better_one]) == better_one
    assert variant.best_of([]) is None


def test_a_system_that_may_not_be_grandmaster_sends_no_sync() -> None:
    bench = TimeAware(priority1=255).capable()
    bench.run(3)
    assert bench.sent(Sync) == []
    assert bench.port().counters["sync-without-grandmaster"] > 8


# ----------------------------------------------------------------------------------------------- what is sent


def test_PRF_23_every_message_goes_to_the_group_of_peer_delay_with_sdo_id_0x100() -> None:
    bench = TimeAware(port={"honour_interval_requests": True}).capable()
    bench.receive(Peer(0x11).pdelay_req())
    bench.run(3)
    sends = [e for _, e in bench.effects if isinstance(e, Send)]
    assert {e.destination for e in sends} == {PEER_DELAY}
    kinds = {decode(e.octets).type for e in sends}
    assert {MessageType.SYNC, MessageType.FOLLOW_UP, MessageType.ANNOUNCE, MessageType.SIGNALING} < kinds
    for effect in sends:
        message: Message = decode(effect.octets)
        assert message.sdo_id == SDO
        if not isinstance(message, Announce):
            # those of an Announce say what the grandmaster's time is
            assert message.flags & Flag.PTP_TIMESCALE


def test_PRF_21_every_follow_up_of_a_grandmaster_tells_its_rate_and_its_last_jump() -> None:
    bench = TimeAware().capable()
    local = bench.instance.local_clock_of(bench.port().options)
    local.commanded(bench.clock_sns, 12_500.0, 0)
    bench.run(1)
    sent = bench.sent(FollowUp)[-1]
    (told,) = sent.tlvs
    assert told == FollowUpInformation(round(12.5e-6 * 2**41), 0, 0, 0)
    for effect in (e for _, e in bench.effects if isinstance(e, Send)):
        if effect.octets[0] & 0x0F == 8:
            assert len(effect.octets) == 76
            assert effect.octets[44:48].hex() == "0003001c"
    bench.instance.clock_stepped(step_sns=-7 << 16)
    bench.run(1)
    (told,) = bench.sent(FollowUp)[-1].tlvs
    assert isinstance(told, FollowUpInformation)
    assert (told.gm_time_base_indicator, told.last_gm_phase_change_sns) == (1, -7 << 16)


# ------------------------------------------------------------------------------------------- Sync receipt timeout


def following(log_sync: int) -> tuple[TimeAware, Peer]:
    bench = TimeAware(2).capable(1, 2)
    master = better(0x11)
    bench.hear(master, every_s=1)
    bench.run(1)
    bench.measure(master, log_interval=log_sync)
    assert bench.states() == ["SLAVE", "MASTER"]
    return bench, master


@pytest.mark.parametrize("log_interval", [-3, 0])
def test_SYN_16_a_grandmaster_without_syncs_is_given_up_after_three_of_its_own_intervals(log_interval: int) -> None:
    bench, master = following(log_interval)
    bench.silence(master)
    bench.run(3 * 2.0**log_interval - 0.01)
    assert bench.states() == ["SLAVE", "MASTER"]
    bench.run(0.02)
    assert bench.states() == ["MASTER", "MASTER"]
    assert bench.port().decision is not None
    assert bench.port().counters["sync-receipt-timeout"] == 1


def test_SYN_16_the_newest_interval_counts_and_0_switches_it_off() -> None:
    bench, master = following(-3)
    bench.measure(master, log_interval=0)
    bench.silence(master)
    bench.run(2.9)
    assert bench.states() == ["SLAVE", "MASTER"]
    bench.run(0.2)
    assert bench.states() == ["MASTER", "MASTER"]
    bench = TimeAware(gptp={"sync_receipt_timeout": 0}).capable()
    bench.hear(better(), every_s=1)
    bench.run(1)
    bench.measure(better(), log_interval=-3)
    bench.run(20)
    assert bench.states() == ["SLAVE"]


# --------------------------------------------------------------------------------------------- over a restart


def in_a_car(**port: Any) -> TimeAware:
    gptp = {"as_capable": "assumed", "capable_messages": False, "sync_receipt_timeout": 0}
    port = {"announce": False, "desired_state": "slave", **port}
    return TimeAware(gptp=gptp, port=port, bmca="external")


def test_PRF_29_a_link_that_was_measured_before_the_restart_is_known_at_the_first_sync() -> None:
    before = in_a_car()
    master = Peer(0x11)
    before.connect(master, delay_ns=777, ppb=20_000.0)
    before.run(5)
    kept = json.loads(json.dumps(before.port().delay.keep()))
    after = in_a_car()
    after.port().delay.resume(kept)
    assert abs(after.port().ds.neighbor_rate_ratio - 1 - 20e-6) < 1e-9
    after.run(1)
    first = links(after.measure(master, log_interval=-3))
    assert [round(e.delay_sns / 65536) for e in first] == [777]
    assert after.states() == ["SLAVE"]
    # once: the next word is that of a measurement
    assert links(after.measure(master, log_interval=-3)) == []
    assert abs(after.port().ds.neighbor_rate_ratio - 1 - 20e-6) < 1e-9
    after.connect(master, delay_ns=900)
    after.run(2)
    assert abs(after.port().ds.mean_link_delay_sns / 65536 - 900) < 1


def test_PRF_29_another_neighbours_link_is_not_taken_for_ours() -> None:
    before = in_a_car()
    before.connect(Peer(0x11))
    before.run(5)
    after = in_a_car()
    after.port().delay.resume(before.port().delay.keep() or {})
    assert links(after.measure(Peer(0x12), log_interval=-3)) == []


@pytest.mark.parametrize(
    "changes",
    [
        {"delay_sns": 1 << 60},
        {"rate_ratio": 2.0},
        {"rate_ratio": float("nan")},
        {"neighbor": ["00", 1]},
        {"neighbor": 7},
    ],
)
def test_PRF_29_what_no_link_can_be_is_refused(changes: dict[str, Any]) -> None:
    before = in_a_car()
    before.connect(Peer(0x11))
    before.run(5)
    after = in_a_car()
    with pytest.raises((KeyError, TypeError, ValueError)):
        after.port().delay.resume({**(before.port().delay.keep() or {}), **changes})
    assert after.port().ds.mean_link_delay_sns == 0


def test_PRF_29_a_port_of_ieee_1588_keeps_nothing() -> None:
    bench = Bench(port={"delay_mechanism": "P2P"})
    assert bench.port().delay.keep() is None
    assert Bench().port().delay.keep() is None
