"""Which edge steers a clock, what the others do meanwhile, and who takes over."""

from __future__ import annotations

import itertools

import pytest

from ptpstack.clocks.base import ClockError
from ptpstack.engine.effects import EngineEffect, SetFrequency, StepClock
from ptpstack.engine.engine import Engine
from ptpstack.engine.plan import ClockPlan, EnginePlan, ReferencePlan
from ptpstack.engine.status import status
from ptpstack.protocol.effects import Send
from ptpstack.protocol.options import PortOptions
from ptpstack.servo.base import Command, ServoState
from ptpstack.wire.codec import encode
from ptpstack.wire.messages import Sync
from ptpstack.wire.types import PortIdentity
from tests.engine.bench import Table, instance, plan
from tests.protocol.bench import GRANDMASTER, Peer, S, identity

ONE, TWO = Peer(1, quality=GRANDMASTER), Peer(2, quality=GRANDMASTER)


def two_instances() -> Table:
    """Instances of domains 0 and 24 on one clock and one channel."""
    table = Table(plan(instance("a"), instance("b", domain=24)))
    table.start()
    return table


def steering(table: Table, clock: str = "clock") -> str | None:
    edge = table.engine.clocks[clock].steering
    return None if edge is None else edge.name


def test_nothing_steers_before_anything_is_measured() -> None:
    table = two_instances()
    table.run(5)
    assert steering(table) is None
    assert table.commands(SetFrequency) == table.commands(StepClock) == []


def test_the_first_measured_steers_and_an_earlier_in_the_configuration_takes_over() -> None:
    table = two_instances()
    table.serve(TWO, 8, domain=24)
    assert steering(table) == "b"
    table.serve(ONE, 2)
    # it has to show a few offsets before it takes a clock that is locked
    assert steering(table) == "b"
    table.serve(ONE, 6)
    assert steering(table) == "a"
    events = table.events("steering")
    assert [e["decision"]["inputs"].get("before") for e in events] == [None, "b"]
    assert table.engine.edges["a"].servo.steering
    assert not table.engine.edges["b"].servo.steering
    assert "b only watches" in events[-1]["decision"]["lost"]


def test_a_later_one_in_the_configuration_never_takes_over_from_a_usable_one() -> None:
    table = two_instances()
    table.serve(ONE, 6)
    for _ in range(6):
        table.serve(ONE, 1)
        table.serve(TWO, 1, domain=24)
    assert steering(table) == "a"


def test_the_reference_comes_before_every_instance() -> None:
    table = Table(plan(instance("a"), references=(ReferencePlan("clock", "measured"),)))
    table.mute.add("clock")
    table.start()
    table.serve(ONE, 5)
    assert steering(table) == "a"
    table.mute.clear()
    table.run(6)
    assert steering(table) == "reference of clock"


def test_a_watcher_measures_and_never_commands() -> None:
    table = two_instances()
    table.error_ns["clock"] = 5_000.0
    table.serve(ONE, 10)
    table.clear()
    # the watched one claims a time 1 ms away: it is measured, and the clock hears nothing of it
    wrong = Peer(2, quality=GRANDMASTER)
    for _ in range(10):
        table.announce(wrong, domain=24, times=1)
        table.receive(wrong.sync(domain=24))
        table.receive(wrong.follow_up(table.epoch_ns + table.now - 1_000_000, domain=24))
        table.run(0.5)
        table.answer(wrong, error_ns=-1_000_000, domain=24)
        table.serve(ONE, 1)
    edge = table.engine.edges["b"]
    assert edge.measurements == 10  # that of before the second Announce was kept
    estimate = edge.servo.estimate(table.now)
    assert estimate is not None
    assert 900_000 < estimate.value_ns < 1_100_000
    assert table.commands(StepClock) == []
    assert all(abs(c.ppb) < 100_000 for c in table.commands(SetFrequency))
    assert abs(table.error_ns["clock"]) < 1_000
    assert not edge.servo.steering
    assert table.engine.edges["a"].servo.steering


def test_a_command_of_an_edge_that_does_not_steer_is_not_carried_out(monkeypatch: pytest.MonkeyPatch) -> None:
    """Not even when a servo forgets that it only watches."""
    table = two_instances()
    table.serve(ONE, 6)
    watcher = table.engine.edges["b"].servo
    monkeypatch.setattr(watcher, "sync", lambda *a: Command(123_456.0, 1 << 40, None, "out of turn"))
    table.clear()
    for _ in range(3):
        table.serve(TWO, 1, domain=24)
        table.serve(ONE, 1)
    assert table.engine.edges["b"].measurements >= 2
    assert table.commands(StepClock) == []
    assert 123_456.0 not in [c.ppb for c in table.commands(SetFrequency)]


def test_the_next_takes_over_when_the_steering_one_falls_silent() -> None:
    table = two_instances()
    table.oscillator["clock"] = 8_000.0
    for _ in range(20):
        table.serve(ONE, 1)
        table.serve(TWO, 1, domain=24)
    assert steering(table) == "a"
    assert table.frequency["clock"] == pytest.approx(-8_000, abs=50)
    frequency = table.frequency["clock"]
    table.clear()
    table.serve(TWO, 25, domain=24)
    assert steering(table) == "b"
    assert table.commands(SetFrequency)
    # the clock goes on from the frequency it had
    assert all(abs(c.ppb - frequency) < 50 for c in table.commands(SetFrequency))
    table.serve(ONE, 8)
    assert steering(table) == "a"


def test_a_silent_source_is_noticed_and_the_clock_holds_over() -> None:
    """Announces go on, Sync stops: after 16 intervals the source is called silent."""
    table = Table(plan(instance("a")))
    table.start()
    table.serve(ONE, 12)
    assert table.engine.edges["a"].servo.state is ServoState.LOCKED
    stopped = table.now
    for _ in range(12):
        table.announce(ONE, times=1)
        table.run(2)
    (silent,) = table.events("silent")
    assert silent["edge"] == "a"
    assert 16 <= silent["for_s"] <= 18
    assert table.engine.edges["a"].servo.state is ServoState.HOLDOVER
    assert not table.engine.edges["a"].usable
    assert table.now - stopped == 24 * S
    # and it is taken up again where it was
    table.clear()
    table.serve(ONE, 8)
    assert table.engine.edges["a"].servo.state is ServoState.LOCKED
    assert table.commands(StepClock) == []


def test_losing_every_master_means_holdover_with_the_learnt_frequency() -> None:
    table = Table(plan(instance("a", client_only=True)))
    table.start()
    table.serve(ONE, 20)
    table.clear()
    table.run(20)
    assert table.engine.edges["a"].servo.state is ServoState.HOLDOVER
    (command,) = table.commands(SetFrequency)
    assert "hold" in command.reason
    assert table.events("servo")[-1]["new"] == "holdover"


def test_a_step_flushes_all_instances_of_the_clock_and_nobody_elses() -> None:
    table = Table(plan(instance("a"), instance("b", domain=24), instance("c", clock="other", channel="p2", domain=1)))
    table.start()
    flushed: list[str] = []
    for name, i in table.engine.instances.items():
        original = i.clock_stepped
        i.clock_stepped = lambda clock, step, name=name, original=original: (
            flushed.append(name),
            original(clock, step),
        )[1]  # type: ignore[method-assign,misc,func-returns-value]
    servos: list[str] = []
    for name, edge in table.engine.edges.items():
        stepped = edge.servo.clock_stepped
        edge.servo.clock_stepped = lambda name=name, stepped=stepped: (servos.append(name), stepped())[1]  # type: ignore[method-assign,misc,func-returns-value]
    table.error_ns["clock"] = 10_000_000.0
    table.serve(ONE, 5)
    (step,) = table.commands(StepClock)
    assert step.clock == "clock"
    assert abs(step.delta_sns / 65536 + 10_000_000) < 1_000
    assert abs(table.error_ns["clock"]) < 1_000
    assert flushed == ["a", "b"]
    assert set(servos) == {"a", "b"}
    assert table.engine.clocks["clock"].steps == 1
    assert table.engine.clocks["other"].steps == 0
    (told,) = table.events("clock-step")
    assert told["clock"] == "clock"


def test_a_clock_that_may_not_be_steered_is_measured_and_left_alone() -> None:
    table = Table(plan(instance("a"), clocks=(ClockPlan("clock", False, why_not_steerable="read only, by order"),)))
    table.error_ns["clock"] = 3_000_000.0
    table.start()
    table.serve(ONE, 8)
    assert table.commands(SetFrequency) == table.commands(StepClock) == []
    clock = table.engine.clocks["clock"]
    assert clock.decision.code == "not-steerable"
    assert "read only" in clock.decision.reason
    estimate = table.engine.edges["a"].servo.estimate(table.now)
    assert estimate is not None
    assert abs(estimate.value_ns - 3_000_000) < 10


def test_a_clock_that_refuses_once_is_asked_again() -> None:
    table = Table(plan(instance("a")))
    table.error_ns["clock"] = 3_000.0
    table.start()
    table.serve(ONE, 4)
    table.broken.add("clock")
    table.serve(ONE, 1)
    table.broken.clear()
    table.serve(ONE, 8)
    failed = table.events("clock-failed")
    assert failed
    assert all("the device is gone" in event["reason"] for event in failed)
    assert table.engine.clocks["clock"].steering is table.engine.edges["a"]
    assert table.engine.edges["a"].servo.state is ServoState.LOCKED


def test_a_clock_that_goes_on_refusing_is_left_alone_and_tried_again_later() -> None:
    table = Table(plan(instance("a")))
    table.error_ns["clock"] = 3_000.0
    table.start()
    table.broken.add("clock")
    table.serve(ONE, 9)
    clock = table.engine.clocks["clock"]
    assert 3 <= len(table.events("clock-failed")) <= 10
    assert clock.steering is None
    assert clock.decision.code == "left-alone"
    assert "the device is gone" in clock.decision.reason
    assert not table.engine.edges["a"].servo.steering
    table.broken.clear()
    table.serve(ONE, 20)
    assert clock.steering is table.engine.edges["a"]
    assert abs(table.error_ns["clock"]) < 1_000


def test_the_servos_lock_moves_the_port() -> None:
    table = Table(plan(instance("a")))
    table.start()
    table.serve(ONE, 10)
    assert table.engine.instances["a"].ports[0].state.name == "SLAVE"
    assert {e["new"] for e in table.events("servo")} == {"unlocked", "tracking", "locked"}


def test_a_short_loss_of_link_ends_in_slave_again() -> None:
    """The servo stays sure of itself through a short interruption; the port must come back to SLAVE all the same."""
    table = Table(plan(instance("a")))
    table.start()
    table.serve(ONE, 12)
    table.carry(table.engine.link("p1", False, table.now))
    assert table.engine.edges["a"].servo.state is ServoState.HOLDOVER
    table.run(1)
    table.carry(table.engine.link("p1", True, table.now))
    table.serve(ONE, 12)
    assert table.engine.instances["a"].ports[0].state.name == "SLAVE"
    assert not table.engine.instances["a"].data.current.synchronization_uncertain


# ------------------------------------------------------------------------------------------- several instances


@pytest.mark.parametrize(
    ("first", "second"),
    [
        pytest.param({"domain": 0}, {"domain": 24}, id="PRF-32 domains"),
        pytest.param({"sdo_id": 0x000}, {"sdo_id": 0x100}, id="PRF-33 majorSdoId"),
        pytest.param({"sdo_id": 0x000}, {"sdo_id": 0x005}, id="PRF-33 minorSdoId"),
    ],
)
def test_PRF_32_and_33_two_instances_on_one_port_do_not_hear_each_others_frames(
    first: dict[str, int], second: dict[str, int]
) -> None:
    table = Table(plan(instance("a", **first), instance("b", **second)))  # type: ignore[arg-type]
    table.start()
    a, b = table.engine.instances["a"], table.engine.instances["b"]
    before = dict(b.ports[0].counters)
    table.serve(ONE, 4, **first)
    assert a.ports[0].state.name in ("UNCALIBRATED", "SLAVE")
    assert b.ports[0].state.name == "LISTENING"
    assert dict(b.ports[0].counters) == before
    table.run(10)
    table.announce(TWO, **second)
    assert b.data.parent.grandmaster_identity == identity(2)
    assert a.data.parent.grandmaster_identity != identity(2)
    table.run(8)
    sent = {(m.domain, m.sdo_id) for _, m in table.announces()}
    assert sent == {(i.options.domain, i.options.sdo_id) for i in (a, b)}


def test_PRF_33_two_instances_that_could_not_be_told_apart_are_refused() -> None:
    with pytest.raises(ValueError, match="could not be told apart"):
        Engine(plan(instance("a"), instance("b")))
    Engine(plan(instance("a"), instance("b", channel="p2")))


def test_HDR_10_and_11_foreign_domain_and_sdo_id_are_counted_and_get_no_answer() -> None:
    table = Table(plan(instance("a", port={"listen_first": False})))
    table.start()
    table.run(1)
    for fields in ({"domain": 2}, {"sdo_id": 0x100}, {"sdo_id": 0x005}):
        assert table.receive(Peer(9).delay_req(**fields)) == []
    assert table.engine.unrouted["p1"]["drop-domain-or-sdo-id"] == 3
    assert table.receive(Peer(9).delay_req()) != []


def test_HDR_03_other_versions_and_short_frames_are_counted() -> None:
    table = Table(plan(instance("a")))
    table.start()
    frame = encode(Sync(PortIdentity(identity(9), 1), 1))
    for version in (0, 1, 3, 15):
        assert table.receive(frame[:1] + bytes([0x10 | version]) + frame[2:]) == []
    assert table.receive(frame[:33]) == []
    assert table.engine.unrouted["p1"] == {"drop-version": 3, "drop-version-1": 1, "drop-short-header": 1}


def test_stamps_find_their_instance() -> None:
    table = Table(plan(instance("a"), instance("b", domain=24), instance("c", domain=25)))
    table.start()
    table.run(12)
    for i in table.engine.instances.values():
        counters = i.ports[0].counters
        assert counters["tx-follow_up"] == counters["tx-sync"] > 3


# ------------------------------------------------------------------------------------------ arbitrary time scales

UTC_2026 = 1_767_225_600


@pytest.mark.parametrize(("arb_is", "offset"), [("utc", 0), ("unknown", 37)])
def test_arb_is_utc_adds_our_own_leap_table(arb_is: str, offset: int) -> None:
    """A grandmaster that announces ptpTimescale FALSE and whose clock holds UTC: our clock speaks TAI."""
    table = Table(plan(instance("a", client_only=True, arb_is=arb_is)), ptp_s=UTC_2026 + 37)
    table.start()
    for _ in range(8):
        table.receive(ONE.announce(flags=0, current_utc_offset=99))
        utc = table.epoch_ns + table.now - 37 * S
        table.receive(ONE.sync())
        table.receive(ONE.follow_up(utc))
        table.run(0.5)
        table.answer(ONE, error_ns=-37 * S)
        table.run(0.5)
    assert abs(table.error_ns["clock"] + offset * S) < 10_000
    assert len(table.commands(StepClock)) == (1 if offset else 0)


def test_TIM_10_leap_flags_and_offset_of_an_arbitrary_time_scale_are_not_used() -> None:
    table = Table(plan(instance("a", client_only=True)), ptp_s=UTC_2026)
    table.start()
    table.announce(ONE, flags=0x0007, current_utc_offset=99)
    properties = table.engine.instances["a"].data.time_properties
    assert not properties.ptp_timescale
    assert not properties.leap61
    assert not properties.leap59
    time = status(table.engine, table.now)["instances"][0]["time"]
    assert (time["scale"], time["utc_offset_s"]) == ("ARB", None)


def test_arb_is_utc_does_not_touch_a_boundary_clock() -> None:
    ports = (PortOptions("p1"), PortOptions("p2"))
    table = Table(plan(instance("a", ports=ports, arb_is="utc")), ptp_s=UTC_2026 + 37)
    table.start()
    table.announce(ONE, flags=0)
    engine = table.engine
    assert engine.arb_offset_s(engine.instances["a"], UTC_2026) == 0
    client = Table(plan(instance("a", arb_is="utc")))
    client.start()
    client.announce(ONE, flags=0)
    assert client.engine.arb_offset_s(client.engine.instances["a"], UTC_2026) == 37


def test_an_engine_without_anything_to_do_has_no_deadline_but_housekeeping() -> None:
    engine = Engine(EnginePlan((), ()))
    assert engine.next_deadline() is None
    engine.start(0)
    assert engine.next_deadline() == 0
    engine.timer(0)
    # nothing to look at but silence, which takes three seconds
    assert engine.next_deadline() == 3 * S


def test_the_turns_of_housekeeping_that_are_left_out_would_have_found_nothing() -> None:
    def told(*, every_second: bool) -> list[tuple[int, EngineEffect]]:
        table = Table(plan(instance("a")))
        if every_second:
            table.engine._keeps_house = True
        table.start()
        table.serve(ONE, 12)
        for _ in range(11):
            table.announce(ONE, times=1)
            table.run(2)
        table.serve(ONE, 5)
        table.broken.add("clock")
        table.serve(ONE, 9)
        table.broken.clear()
        table.serve(ONE, 14)
        codes = [e["decision"]["code"] for e in table.events("steering")]
        assert len(table.events("silent")) == 1
        assert codes == ["steers", "steers"]
        return table.effects

    assert told(every_second=False) == told(every_second=True)


def test_an_edge_that_can_say_nothing_takes_no_clock_from_one_that_can() -> None:
    """Its master never answers Delay_Req: Sync alone is no offset."""
    table = two_instances()
    table.serve(TWO, 8, domain=24)
    for _ in range(20):
        table.announce(ONE, times=1)
        table.receive(ONE.sync())
        table.receive(ONE.follow_up(table.epoch_ns + table.now))
        table.serve(TWO, 1, domain=24)
    assert steering(table) == "b"
    assert table.engine.edges["b"].servo.state is ServoState.LOCKED


def test_a_hand_over_never_steps_a_clock_in_service() -> None:
    table = two_instances()
    table.serve(TWO, 10, domain=24)
    assert abs(table.error_ns["clock"]) < 1_000
    table.clear()
    # the other master is 50 us ahead: beyond the threshold of a first step
    for _ in range(20):
        table.receive(ONE.announce())
        table.receive(ONE.sync())
        table.receive(ONE.follow_up(table.epoch_ns + table.now + 50_000))
        table.run(0.001)
        table.answer(ONE, error_ns=50_000)
        table.run(0.999)
    assert steering(table) == "a"
    assert table.commands(StepClock) == []


def test_a_step_to_an_absurd_time_is_refused() -> None:
    table = Table(plan(instance("a")), ptp_s=1_767_225_637)
    table.start()
    absurd = (1 << 47) * S
    for _ in range(10):
        table.receive(ONE.announce())
        table.receive(ONE.sync())
        table.receive(ONE.follow_up(absurd + table.now))
        table.run(0.001)
        table.answer(ONE, error_ns=absurd - table.epoch_ns)
        table.run(0.999)
    assert table.commands(StepClock) == []
    assert table.events("implausible-time")


def test_instances_on_one_channel_do_not_all_speak_at_once() -> None:
    """The second frame of a burst waits behind the first, and its clients take the wait for a longer path."""
    each = {"listen_first": False}
    table = Table(plan(*(instance(name, domain=n, port=each) for n, name in enumerate("abc"))))
    table.start()
    table.run(5.0)
    syncs: dict[int, list[int]] = {}
    for when, effect in table.effects:
        if isinstance(effect, Send) and effect.octets[0] & 0x0F == 0:
            syncs.setdefault(effect.octets[4], []).append(when)
    assert len(syncs) == 3
    starts = sorted(times[0] for times in syncs.values())
    assert all(later - earlier >= 10_000_000 for earlier, later in itertools.pairwise(starts))
    assert all(later - earlier == S for times in syncs.values() for earlier, later in itertools.pairwise(times))


def test_the_first_step_is_owed_until_the_clock_has_taken_a_command() -> None:
    """Both instances hear their masters, the second is the first to know an offset, the first takes over: 1 s off."""
    for late in range(4):
        table = two_instances()
        table.error_ns["clock"] = 1e9
        for second in range(40):
            table.announce(ONE, times=1)
            table.receive(ONE.sync())
            table.receive(ONE.follow_up(table.epoch_ns + table.now))
            table.receive(TWO.announce(domain=24))
            table.receive(TWO.sync(domain=24))
            table.receive(TWO.follow_up(table.epoch_ns + table.now, domain=24))
            table.run(0.001)
            table.answer(TWO, domain=24)
            if second >= late:
                table.answer(ONE)
            else:
                table.requests.clear()
            table.run(0.999)
        assert abs(table.error_ns["clock"]) < 1_000_000, late
        assert len(table.commands(StepClock)) == 1, late


def test_a_step_that_was_refused_is_still_owed() -> None:
    table = Table(plan(instance("a")))
    table.error_ns["clock"] = 1e9
    table.start()
    table.broken.add("clock")
    table.serve(ONE, 20)
    assert table.engine.clocks["clock"].steps == 0
    table.broken.clear()
    table.serve(ONE, 40)
    assert table.engine.clocks["clock"].steps == 1
    assert abs(table.error_ns["clock"]) < 1_000_000


def test_a_master_put_right_after_an_absurd_time_is_followed() -> None:
    table = Table(plan(instance("a")), ptp_s=1_767_225_637)
    table.error_ns["clock"] = 1e9
    table.start()
    absurd = (1 << 47) * S
    for _ in range(8):
        table.receive(ONE.announce())
        table.receive(ONE.sync())
        table.receive(ONE.follow_up(absurd + table.now))
        table.run(0.001)
        table.answer(ONE, error_ns=absurd - table.epoch_ns)
        table.run(0.999)
    assert table.commands(StepClock) == []
    table.serve(ONE, 60)
    assert abs(table.error_ns["clock"]) < 1_000_000


def test_a_new_master_that_cannot_be_measured_gives_the_clock_to_who_can() -> None:
    table = two_instances()
    for _ in range(10):
        table.serve(ONE, 1)
        table.serve(TWO, 1, domain=24)
    assert steering(table) == "a"
    better = Peer(3, quality=GRANDMASTER, priority1=1)
    for _ in range(30):
        table.receive(better.announce())
        table.receive(better.sync())
        table.receive(better.follow_up(table.epoch_ns + table.now))
        table.serve(TWO, 1, domain=24)  # answers its own domain only
    assert table.engine.instances["a"].data.parent.parent_port_identity == better.identity
    assert steering(table) == "b"
    assert table.engine.edges["b"].servo.state is ServoState.LOCKED


def test_a_clock_that_takes_commands_but_does_not_tell_the_time_is_not_called_refusing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Else the last correction would stay in force for as long as the clock is left alone."""
    table = Table(plan(instance("a")))
    table.error_ns["clock"] = 3_000.0
    table.start()
    table.serve(ONE, 12)

    take, read = table.set_frequency, table.clock_sns
    just_taken: list[str] = []

    def set_frequency(clock: str, ppb: float) -> float:
        just_taken.append(clock)
        return take(clock, ppb)

    def clock_sns(clock: str) -> int:
        if just_taken:
            just_taken.clear()
            raise ClockError(5, f"{clock}: reading the time failed")
        return read(clock)

    with monkeypatch.context() as patch:
        patch.setattr(table, "set_frequency", set_frequency)
        patch.setattr(table, "clock_sns", clock_sns)
        table.serve(ONE, 4)
    assert table.events("clock-failed") == []
    table.serve(ONE, 4)
    assert table.engine.clocks["clock"].steering is table.engine.edges["a"]
    assert abs(table.error_ns["clock"]) < 50
