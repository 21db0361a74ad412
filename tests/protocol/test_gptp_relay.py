"""A relay of IEEE 802.1AS: what it hands on, when, and by which clock it counts."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ptpstack.protocol.gptp.local_clock import PIECES, LocalClock
from ptpstack.protocol.gptp.relay import RATE_SCALE
from ptpstack.timebase.units import SNS_PER_S
from ptpstack.wire.messages import Announce, FollowUp, Sync
from ptpstack.wire.tlvs.ieee802_1as import FollowUpInformation, MessageIntervalRequest
from ptpstack.wire.types import Flag
from tests.protocol.bench import GRANDMASTER, Peer, S
from tests.protocol.gptp import SDO, TimeAware


def relay(gptp: dict[str, Any] | None = None, ppb: float = 0.0, **options: Any) -> tuple[TimeAware, Peer]:
    """With a grandmaster on port 1, whose clock runs ``ppb`` fast, and a neighbour on port 2."""
    bench = TimeAware(2, gptp, **options)
    master = Peer(0x11, priority1=100, quality=GRANDMASTER, log_interval=0, sdo_id=SDO)
    bench.connect(master, 1, ppb=ppb)
    bench.capable(1, 2)
    bench.hear(master, every_s=1)
    bench.run(1.05)
    assert bench.states() == ["SLAVE", "MASTER"]
    bench.clear()
    return bench, master


def sync(bench: TimeAware, master: Peer, *, origin_ns: int = 5 * S, cf_sns: int = 0, **told: int) -> None:
    """A two-step Sync that left at ``origin_ns``, corrected by ``cf_sns``, with this Follow_Up information."""
    bench.receive(master.sync(sdo_id=SDO, log_interval=-3))
    tlvs = (FollowUpInformation(**told),) if told else ()
    bench.receive(master.follow_up(origin_ns, sdo_id=SDO, log_interval=-3, correction_sns=cf_sns, tlvs=tlvs))


def test_a_sync_locked_port_sends_as_each_sync_comes() -> None:
    bench, master = relay()
    for _ in range(8):
        sync(bench, master)
        bench.run(0.125)
    sent = [at for at, _ in bench.sent_at(Sync, 2)]
    assert len(sent) == 8
    assert {b - a for a, b in pairwise(sent)} == {S // 8}
    assert bench.sent(Sync, 1) == []
    serving: Any = bench.port(2).serving
    assert serving.sync_locked


def test_what_leaves_is_the_origin_as_it_came_and_a_correction_that_has_grown_by_link_and_residence() -> None:
    bench, master = relay()
    bench.egress = lambda message: bench.clock_sns + (40_000 << 16)
    sync(bench, master, origin_ns=77 * S + 5, cf_sns=123 << 16)
    (follow_up,) = bench.sent(FollowUp, 2)
    assert follow_up.precise_origin_ns == 77 * S + 5
    assert follow_up.correction_sns == (123 + 500 + 40_000) << 16
    (event,) = bench.sent(Sync, 2)
    assert (event.correction_sns, event.origin_ns) == (0, 0)
    assert event.flags == Flag.TWO_STEP | Flag.PTP_TIMESCALE
    assert (follow_up.sequence_id, follow_up.log_interval) == (event.sequence_id, -3)


def test_residence_is_counted_in_seconds_of_the_grandmaster() -> None:
    """Cumulative rate: what the parent says of itself, and how fast it runs against us."""
    bench, master = relay(ppb=30_000.0)
    bench.egress = lambda message: bench.clock_sns + SNS_PER_S // 100
    told = {"cumulative_scaled_rate_offset": round(-50e-6 * RATE_SCALE)}
    sync(bench, master, **told)
    (follow_up,) = bench.sent(FollowUp, 2)
    residence_ns = 1e7 * (1 - 50e-6 + 30e-6)
    assert abs(follow_up.correction_sns / 65536 - 500 - residence_ns) < 1
    (information,) = follow_up.tlvs
    assert isinstance(information, FollowUpInformation)
    assert abs(information.cumulative_scaled_rate_offset / RATE_SCALE + 20e-6) < 1e-8


def test_a_relay_passes_the_jumps_of_the_grandmaster_on() -> None:
    bench, master = relay()
    jump = {"gm_time_base_indicator": 7, "last_gm_phase_change_sns": -(5 << 70), "scaled_last_gm_freq_change": -9}
    sync(bench, master, cumulative_scaled_rate_offset=0, **jump)
    (information,) = bench.sent(FollowUp, 2)[-1].tlvs
    assert isinstance(information, FollowUpInformation)
    assert {name: getattr(information, name) for name in jump} == jump


def test_a_step_of_its_own_clock_does_not_show_in_what_a_relay_hands_on() -> None:
    bench, master = relay(gptp={"sync_receipt_timeout": 30}, port_each=({}, {"log_sync_interval": -1}))
    sync(bench, master)
    step = 3600 * S
    bench.ptp_offset_ns += step
    bench.instance.local_clock_of(bench.port().options).commanded(bench.clock_sns, 0.0, step << 16)
    bench.instance.clock_stepped(step_sns=step << 16)
    bench.clear()
    bench.run(0.5)
    (event,) = bench.sent_at(Sync, 2)
    follow_up = bench.sent(FollowUp, 2)[-1]
    assert 0 < follow_up.correction_sns / 65536 - 500 <= S / 2
    assert event[0] <= bench.now


def test_another_interval_is_kept_by_the_ports_own_timer() -> None:
    """Syncs come eight times a second; one port sends twice, or thirty-two times."""
    for log_interval, rate in ((-1, 2), (-5, 32)):
        bench, master = relay(port_each=({}, {"log_sync_interval": log_interval}))
        for _ in range(40):
            sync(bench, master)
            bench.run(0.125)
        sent = bench.sent_at(Sync, 2)
        assert abs(len(sent) - 5 * rate) <= rate / 2
        serving: Any = bench.port(2).serving
        assert not serving.sync_locked
        assert {m.log_interval for _, m in sent} == {log_interval}
        for at, follow_up in bench.sent_at(FollowUp, 2):
            # whatever is sent is right: the newest Sync, and how long ago it came
            assert 0 <= follow_up.correction_sns / 65536 - 500 <= S / 8
            assert at >= 0


def test_a_port_may_be_asked_for_another_interval_and_is_no_longer_locked() -> None:
    bench, master = relay(port={"honour_interval_requests": True})
    sync(bench, master)
    serving: Any = bench.port(2).serving
    assert serving.sync_locked
    bench.signal(MessageIntervalRequest(time_sync_interval=0), port=2)
    bench.clear()
    for _ in range(32):
        sync(bench, master)
        bench.run(0.125)
    assert not serving.sync_locked
    assert 3 <= len(bench.sent(Sync, 2)) <= 5


def test_what_is_too_old_is_not_handed_on() -> None:
    bench, master = relay(gptp={"sync_receipt_timeout": 0}, port_each=({}, {"log_sync_interval": 0}))
    sync(bench, master)
    bench.clear()
    bench.run(6)
    assert bench.states() == ["SLAVE", "MASTER"]
    assert len(bench.sent(Sync, 2)) <= 1
    assert bench.port(2).counters["sync-withheld"] >= 4


def test_the_syncs_of_a_former_parent_are_not_handed_on_as_anothers() -> None:
    bench, master = relay(gptp={"sync_receipt_timeout": 30}, port_each=({}, {"log_sync_interval": 0}))
    sync(bench, master)
    bench.held = []
    bench.run(1)
    better = Peer(0x05, priority1=1, sdo_id=SDO)
    bench.receive(better.announce())
    assert bench.port().parent == better.identity
    bench.clear()
    for send in bench.held:
        if send.octets[0] & 0x0F == 0:
            bench.stamp(send, bench.clock_sns)
    assert bench.sent(FollowUp, 2) == []
    assert bench.port(2).counters["follow-up-without-origin"] >= 1


def test_a_relay_needs_no_lock_of_its_own_and_announces_no_doubt_of_its_own() -> None:
    bench, master = relay()
    bench.locked(False)
    sync(bench, master)
    assert len(bench.sent(Sync, 2)) == 1
    bench.receive(master.announce(priority2=7))
    bench.run(0.2)
    assert bench.sent(Announce, 2)[-1].flags & Flag.SYNCHRONIZATION_UNCERTAIN == 0
    assert bench.states() == ["SLAVE", "MASTER"]


def test_without_a_parent_it_is_the_grandmaster_itself() -> None:
    bench, master = relay()
    sync(bench, master)
    bench.silence(master)
    bench.run(5)
    assert bench.states() == ["MASTER", "MASTER"]
    bench.clear()
    bench.run(1)
    for number in (1, 2):
        assert len(bench.sent(Sync, number)) == 8
        assert bench.sent(FollowUp, number)[-1].precise_origin_ns > 100 * S


# ------------------------------------------------------------------------------------------------- the free clock


def test_a_free_clock_does_not_see_what_steers_it() -> None:
    clock = LocalClock()
    clock.reset(1_000.0)
    assert clock.free(10 * SNS_PER_S) == 10 * SNS_PER_S
    assert abs(clock.free(20 * SNS_PER_S) - 10 * SNS_PER_S - round(10 * SNS_PER_S / (1 + 1e-6))) <= 2
    clock.commanded(20 * SNS_PER_S, -500.0, 0)
    before = clock.free(20 * SNS_PER_S)
    assert abs(clock.free(30 * SNS_PER_S) - before - round(10 * SNS_PER_S / (1 - 5e-7))) <= 2
    # stamps that are told late
    assert abs(clock.free(15 * SNS_PER_S) - 10 * SNS_PER_S - round(5 * SNS_PER_S / (1 + 1e-6))) <= 2


@given(
    st.lists(
        st.tuples(
            st.integers(1, 10 * SNS_PER_S),
            st.floats(-500_000, 500_000),
            st.sampled_from([0, 0, 0, 7 * SNS_PER_S, -3 * SNS_PER_S]),
        ),
        max_size=PIECES - 2,
    ),
    st.integers(0, SNS_PER_S),
)
def test_the_free_time_of_any_history_runs_on_and_leads_back(commands: list[tuple[int, float, int]], more: int) -> None:
    clock = LocalClock()
    now = 1_000 * SNS_PER_S
    ppb = 0.0
    truth = clock.free(now)
    for span, frequency, step in commands:
        # the clock shows ``span`` more: by itself it would have shown that much less its rate
        truth += span - round(span * (ppb / (1e9 + ppb)))
        now += span + step
        clock.commanded(now, frequency, step)
        assert clock.free(now) == truth
        ppb = frequency
    stamp = now + more
    assert abs(clock.stamp(clock.free(stamp)) - stamp) <= 2


@pytest.mark.parametrize("late", [0, PIECES - 2, PIECES + 20])
def test_only_so_many_commands_are_remembered(late: int) -> None:
    clock = LocalClock()
    clock.free(0)
    for n in range(late):
        clock.commanded((n + 1) * SNS_PER_S, 10.0, 0)
    # older than the oldest: by the rate of the oldest, and no error
    assert abs(clock.free(SNS_PER_S // 2) - SNS_PER_S // 2) < SNS_PER_S * 1e-5


def test_ports_with_clocks_of_their_own_count_by_the_grandmasters_time_and_not_before_they_show_it() -> None:
    bench, master = relay(port_each=({"clock": "a"}, {"clock": "b"}))
    second = bench.instance.local_clock_of(bench.port(2).options)
    second.commanded(bench.clock_sns, 4_000.0, 0)
    before = bench.port(2).counters["sync-withheld"]
    sync(bench, master)
    assert bench.sent(Sync, 2) == []
    assert bench.port(2).counters["sync-withheld"] == before + 1
    bench.locked()
    bench.egress = lambda message: bench.clock_sns + (9_000 << 16)
    sync(bench, master, cumulative_scaled_rate_offset=77)
    (follow_up,) = bench.sent(FollowUp, 2)
    assert follow_up.correction_sns == (500 + 9_000) << 16
    (information,) = follow_up.tlvs
    assert isinstance(information, FollowUpInformation)
    assert information.cumulative_scaled_rate_offset == round(4e-6 * RATE_SCALE)
